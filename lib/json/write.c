#include "config.h"

#include "json/write.h"

#include <string.h>

#include "base/clock.h"
#include "base/text.h"

/* Bytes that are written as they are: ASCII that can be seen, without " and \ */
static const bool plain[256] = {
	[' ' ... '!'] = true,
	['#' ... '['] = true,
	[']' ... '~'] = true,
};

/* What a reader of the raw text would not see is escaped, too: JSON may pass a terminal before it
 * reaches a parser. */
void
json_add_string(struct buf *b, const char *s)
{
	const char *from = s; /* what is not written yet */

	buf_add_char(b, '"');
	for (;;) {
		const char *at;
		uint32_t c;

		while (plain[(unsigned char)*s])
			s++;
		at = s;
		if (*s == '\0')
			break;
		c = text_next(&s);
		if (c != '"' && c != '\\' && (!text_is_hidden(c) || c == TEXT_NOT_UTF8))
			continue;
		buf_add(b, from, (size_t)(at - from));
		from = s;
		if (c == '"' || c == '\\')
			buf_add(b, (char[]){ '\\', (char)c }, 2);
		else
			text_add_json_escape(b, c);
	}
	buf_add(b, from, (size_t)(s - from));
	buf_add_char(b, '"');
}

void
json_add_member(struct buf *b, const char *name)
{
	if (b->len > 0 && b->data[b->len - 1] != '{' && b->data[b->len - 1] != '[')
		buf_add_char(b, ',');
	buf_add_char(b, '"');
	buf_add_str(b, name);
	buf_add(b, "\":", 2);
}

void
json_add_str_member(struct buf *b, const char *name, const char *s)
{
	json_add_member(b, name);
	json_add_string(b, s);
}

void
json_add_int_member(struct buf *b, const char *name, int64_t n)
{
	json_add_member(b, name);
	buf_add_int(b, n);
}

void
json_add_bool_member(struct buf *b, const char *name, bool v)
{
	json_add_member(b, name);
	buf_add_str(b, v ? "true" : "false");
}

void
json_add_time_member(struct buf *b, const char *name, int64_t wall_ms)
{
	char text[CLOCK_ISO_CAP];

	clock_format_iso(wall_ms, text);
	json_add_str_member(b, name, text);
}

void
json_add_str_member_if(struct buf *b, const char *name, const char *s)
{
	if (s != NULL && s[0] != '\0')
		json_add_str_member(b, name, s);
}

void
json_add_time_member_if(struct buf *b, const char *name, int64_t wall_ms)
{
	if (wall_ms != 0)
		json_add_time_member(b, name, wall_ms);
}

void
json_add_raw_member(struct buf *b, const char *name, const char *json)
{
	json_add_member(b, name);
	buf_add_str(b, json);
}
