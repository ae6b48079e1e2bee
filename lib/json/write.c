#include "config.h"

#include "json/write.h"

#include <string.h>

#include "base/clock.h"

void
json_add_string(struct buf *b, const char *s)
{
	buf_add_char(b, '"');
	while (*s != '\0') {
		size_t plain = 0;

		while ((unsigned char)s[plain] >= 0x20 && s[plain] != '"' && s[plain] != '\\')
			plain++;
		buf_add(b, s, plain);
		s += plain;
		if (*s == '\0')
			break;
		if (*s == '"' || *s == '\\')
			buf_printf(b, "\\%c", *s);
		else
			buf_printf(b, "\\u%04x", (unsigned)(unsigned char)*s);
		s++;
	}
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
json_add_raw_member(struct buf *b, const char *name, const char *json)
{
	json_add_member(b, name);
	buf_add_str(b, json);
}
