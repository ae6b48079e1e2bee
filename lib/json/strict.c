#include "config.h"

#include "json/strict.h"

#include <assert.h>
#include <json-c/json.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "json/number.h"

struct scan {
	const char *begin, *p, *end;
	int depth, max_depth;
	const char *why; /* first fault, NULL: none */
	/* a stack: the names of the members whose values are being read, each with a NUL */
	struct buf names;
	struct buf decoded; /* a string that has escapes */
	const char *want;   /* member of the outermost object to be remembered, NULL: none */
	struct strict_span found;
};

/* places in a new array; json-c would reserve 32 for every [] of a text */
enum { ARRAY_BEGIN = 4 };

static const char no_memory[] = "out of memory";

static bool scan_value(struct scan *s, struct json_object **out);

static bool
fault(struct scan *s, const char *why)
{
	if (s->why == NULL)
		s->why = why;
	return false;
}

static void
skip_space(struct scan *s)
{
	while (s->p < s->end && (*s->p == ' ' || *s->p == '\t' || *s->p == '\n' || *s->p == '\r'))
		s->p++;
}

static bool
take(struct scan *s, char c)
{
	if (s->p == s->end || *s->p != c)
		return false;
	s->p++;
	return true;
}

static bool
is_digit(const struct scan *s)
{
	return s->p < s->end && *s->p >= '0' && *s->p <= '9';
}

/* An integer in range, whatever its spelling. Anything else, a fraction or a number too large for
 * an int64_t, becomes a double that keeps its text. */
static struct json_object *
new_number(struct scan *s, const char *text, size_t len)
{
	int64_t n;

	if (number_read(text, len, &n) == NUMBER_INTEGER)
		return json_object_new_int64(n);
	buf_reset(&s->decoded);
	buf_add(&s->decoded, text, len);
	return s->decoded.bad
	    ? NULL
	    : json_object_new_double_s(strtod(s->decoded.data, NULL), s->decoded.data);
}

static bool
scan_number(struct scan *s, struct json_object **out)
{
	const char *begin = s->p, *why;
	size_t len = number_scan(begin, s->end, &s->p, &why);

	if (len == 0)
		return fault(s, why);
	*out = new_number(s, begin, len);
	return *out != NULL || fault(s, no_memory);
}

static bool
scan_word(struct scan *s, const char *word)
{
	size_t len = strlen(word);

	if ((size_t)(s->end - s->p) < len || memcmp(s->p, word, len) != 0)
		return fault(s, "a word is not true, false or null");
	s->p += len;
	return true;
}

static bool
scan_hex4(struct scan *s, uint32_t *out)
{
	*out = 0;
	for (int i = 0; i < 4; i++, s->p++) {
		int digit = s->p < s->end ? hex_digit(*s->p) : -1;

		if (digit < 0)
			return fault(s, "\\u is not followed by four hex digits");
		*out = *out << 4 | (uint32_t)digit;
	}
	return true;
}

static void
add_utf8(struct buf *out, uint32_t c)
{
	if (c < 0x80) {
		buf_add_char(out, (char)c);
		return;
	}
	if (c < 0x800) {
		buf_add_char(out, (char)(0xc0 | c >> 6));
	} else {
		if (c < 0x10000) {
			buf_add_char(out, (char)(0xe0 | c >> 12));
		} else {
			buf_add_char(out, (char)(0xf0 | c >> 18));
			buf_add_char(out, (char)(0x80 | (c >> 12 & 0x3f)));
		}
		buf_add_char(out, (char)(0x80 | (c >> 6 & 0x3f)));
	}
	buf_add_char(out, (char)(0x80 | (c & 0x3f)));
}

static bool
scan_unicode(struct scan *s)
{
	uint32_t c, low;

	if (!scan_hex4(s, &c))
		return false;
	if (c == 0)
		return fault(s, "\\u0000 is not taken");
	if (c >= 0xdc00 && c <= 0xdfff)
		return fault(s, "a low surrogate stands alone");
	if (c >= 0xd800 && c <= 0xdbff) {
		if (!take(s, '\\') || !take(s, 'u'))
			return fault(s, "a high surrogate stands alone");
		if (!scan_hex4(s, &low))
			return false;
		if (low < 0xdc00 || low > 0xdfff)
			return fault(s, "a high surrogate stands alone");
		c = 0x10000 + ((c - 0xd800) << 10 | (low - 0xdc00));
	}
	add_utf8(&s->decoded, c);
	return true;
}

static bool
scan_escape(struct scan *s)
{
	static const char letters[] = "\"\\/bfnrt", bytes[] = "\"\\/\b\f\n\r\t";
	const char *at;

	if (s->p == s->end)
		return fault(s, "a string does not end");
	if (take(s, 'u'))
		return scan_unicode(s);
	at = *s->p == '\0' ? NULL : strchr(letters, *s->p);
	if (at == NULL)
		return fault(s, "an escape is not one of RFC 8259");
	buf_add_char(&s->decoded, bytes[at - letters]);
	s->p++;
	return true;
}

/* One character of more than one byte: RFC 3629, so neither overlong, nor a surrogate, nor above
 * U+10FFFF. */
static bool
scan_utf8(struct scan *s)
{
	const unsigned char *u = (const unsigned char *)s->p;
	size_t left = (size_t)(s->end - s->p), len;
	unsigned char low = 0x80, high = 0xbf;

	if (u[0] >= 0xc2 && u[0] <= 0xdf)
		len = 2;
	else if (u[0] >= 0xe0 && u[0] <= 0xef)
		len = 3;
	else if (u[0] >= 0xf0 && u[0] <= 0xf4)
		len = 4;
	else
		return fault(s, "a string is not UTF-8");
	if (u[0] == 0xe0)
		low = 0xa0;
	else if (u[0] == 0xed)
		high = 0x9f;
	else if (u[0] == 0xf0)
		low = 0x90;
	else if (u[0] == 0xf4)
		high = 0x8f;
	if (left < len || u[1] < low || u[1] > high)
		return fault(s, "a string is not UTF-8");
	for (size_t i = 2; i < len; i++)
		if (u[i] < 0x80 || u[i] > 0xbf)
			return fault(s, "a string is not UTF-8");
	s->p += len;
	return true;
}

/* Bytes of a string that stand for themselves: ASCII without controls, " and \ */
static const bool plain[256] = {
	[' ' ... '!'] = true,
	['#' ... '['] = true,
	[']' ... 0x7f] = true,
};

/* *out points into the text, or, where the string has an escape, to its decoded form, which lasts
 * until the next string is read. */
static bool
scan_string(struct scan *s, struct strict_span *out)
{
	const char *from; /* what is not decoded yet */

	if (!take(s, '"'))
		return fault(s, "a string is missing");
	buf_reset(&s->decoded);
	for (from = s->p;;) {
		const char *p = s->p;
		unsigned char c;

		while (p < s->end && plain[(unsigned char)*p])
			p++;
		s->p = p;
		if (s->p == s->end)
			return fault(s, "a string does not end");
		c = (unsigned char)*s->p;
		if (c == '"')
			break;
		if (c < 0x20)
			return fault(s, "a string has a control character");
		if (c != '\\') {
			if (!scan_utf8(s))
				return false;
			continue;
		}
		buf_add(&s->decoded, from, (size_t)(s->p - from));
		s->p++;
		if (!scan_escape(s))
			return false;
		from = s->p;
	}
	*out = (struct strict_span){ from, (size_t)(s->p - from) };
	if (s->decoded.len > 0) { /* there was one: every escape leaves a byte */
		buf_add(&s->decoded, from, out->len);
		*out = (struct strict_span){ s->decoded.data, s->decoded.len };
	}
	s->p++;
	return !s->decoded.bad || fault(s, no_memory);
}

static bool
scan_text_value(struct scan *s, struct json_object **out)
{
	struct strict_span text;

	if (!scan_string(s, &text))
		return false;
	*out = json_object_new_string_len(text.at, (int)text.len);
	return *out != NULL || fault(s, no_memory);
}

static bool
scan_item(struct scan *s, struct json_object *array)
{
	struct json_object *value;

	if (!scan_value(s, &value))
		return false;
	if (json_object_array_add(array, value) == 0)
		return true;
	json_object_put(value);
	return fault(s, no_memory);
}

static bool
scan_array(struct scan *s, struct json_object *array)
{
	skip_space(s);
	if (take(s, ']'))
		return true;
	for (;;) {
		if (!scan_item(s, array))
			return false;
		skip_space(s);
		if (take(s, ']'))
			return true;
		if (!take(s, ','))
			return fault(s, "an array lacks , or ]");
	}
}

/* Takes over value. */
static bool
add_member(struct scan *s, struct json_object *object, const char *name, struct json_object *value)
{
	int before = json_object_object_length(object);

	if (json_object_object_add(object, name, value) != 0) {
		json_object_put(value);
		return fault(s, no_memory);
	}
	return json_object_object_length(object) > before ||
	    fault(s, "an object has a member twice");
}

static bool
scan_member_value(struct scan *s, struct json_object *object, size_t name)
{
	bool wanted =
	    s->want != NULL && s->depth == 1 && strcmp(s->names.data + name, s->want) == 0;
	struct json_object *value;
	const char *begin;

	skip_space(s);
	begin = s->p;
	if (!scan_value(s, &value))
		return false;
	if (wanted)
		s->found = (struct strict_span){ begin, (size_t)(s->p - begin) };
	return add_member(s, object, s->names.data + name, value);
}

static bool
scan_member(struct scan *s, struct json_object *object)
{
	size_t at = s->names.len;
	struct strict_span name;

	skip_space(s);
	if (!scan_string(s, &name))
		return false;
	buf_add(&s->names, name.at, name.len);
	buf_add(&s->names, "", 1);
	if (s->names.bad)
		return fault(s, no_memory);
	skip_space(s);
	if (!take(s, ':'))
		return fault(s, "a member lacks :");
	if (!scan_member_value(s, object, at))
		return false;
	s->names.len = at;
	return true;
}

static bool
scan_object(struct scan *s, struct json_object *object)
{
	skip_space(s);
	if (take(s, '}'))
		return true;
	for (;;) {
		if (!scan_member(s, object))
			return false;
		skip_space(s);
		if (take(s, '}'))
			return true;
		if (!take(s, ','))
			return fault(s, "an object lacks , or }");
	}
}

static bool
scan_nested(struct scan *s, struct json_object **out)
{
	bool object = *s->p++ == '{', ok;

	if (s->depth == s->max_depth)
		return fault(s, "nested too deep");
	*out = object ? json_object_new_object() : json_object_new_array_ext(ARRAY_BEGIN);
	if (*out == NULL)
		return fault(s, no_memory);
	s->depth++;
	ok = object ? scan_object(s, *out) : scan_array(s, *out);
	s->depth--;
	if (!ok)
		json_object_put(*out);
	return ok;
}

static bool
scan_boolean(struct scan *s, bool value, struct json_object **out)
{
	if (!scan_word(s, value ? "true" : "false"))
		return false;
	*out = json_object_new_boolean(value);
	return *out != NULL || fault(s, no_memory);
}

/* *out is the caller's where this is true; NULL is null. */
static bool
scan_value(struct scan *s, struct json_object **out)
{
	skip_space(s);
	if (s->p == s->end)
		return fault(s, "a value is missing");
	switch (*s->p) {
	case '{':
	case '[':
		return scan_nested(s, out);
	case '"':
		return scan_text_value(s, out);
	case 't':
	case 'f':
		return scan_boolean(s, *s->p == 't', out);
	case 'n':
		*out = NULL;
		return scan_word(s, "null");
	default:
		if (*s->p == '-' || is_digit(s))
			return scan_number(s, out);
		return fault(s, "a value is missing");
	}
}

/* want: member of the outermost object that *found shall be, NULL: none. */
static bool
parse(const char *text, size_t len, int depth, const char *want, struct strict_span *found,
    struct json_object **out, struct error *err)
{
	struct scan s = { .begin = text,
		.p = text,
		.end = text + len,
		.max_depth = depth,
		.names = BUF_INIT,
		.decoded = BUF_INIT,
		.want = want };
	struct json_object *value = NULL;
	bool ok;

	assert(depth >= 1 && depth <= 64);
	ok = scan_value(&s, &value);
	skip_space(&s);
	if (ok && s.p != s.end) {
		json_object_put(value);
		ok = fault(&s, "something follows the value");
	}
	buf_clear(&s.names);
	buf_clear(&s.decoded);
	if (!ok)
		return error_set(err, s.why == no_memory ? ERR_INTERNAL : ERR_INPUT,
		    "%s (at byte %zu)", s.why, (size_t)(s.p - s.begin));
	*found = s.found;
	*out = value;
	return true;
}

bool
strict_parse(const char *text, size_t len, int depth, struct json_object **out, struct error *err)
{
	struct strict_span found;

	return parse(text, len, depth, NULL, &found, out, err);
}

bool
strict_check(const char *text, size_t len, int depth, struct error *err)
{
	struct json_object *value = NULL;

	if (!strict_parse(text, len, depth, &value, err))
		return false;
	json_object_put(value);
	return true;
}

bool
strict_parse_object_and_find(const char *text, size_t len, int depth, struct json_object **out,
    const char *name, struct strict_span *found, struct error *err)
{
	struct json_object *value = NULL;

	if (!parse(text, len, depth, name, found, &value, err))
		return false;
	if (!json_object_is_type(value, json_type_object)) {
		json_object_put(value);
		return error_set(err, ERR_INPUT, "not an object");
	}
	*out = value;
	return true;
}

bool
strict_parse_object(const char *text, size_t len, int depth, struct json_object **out,
    struct error *err)
{
	struct strict_span found;

	return strict_parse_object_and_find(text, len, depth, out, NULL, &found, err);
}

/* From p on: where the string that begins there ends. */
static const char *
end_of_string(const char *p)
{
	for (p++; *p != '"'; p++)
		if (*p == '\\')
			p++;
	return p + 1;
}

void
strict_add_compact(struct buf *out, struct strict_span value)
{
	const char *end = value.at + value.len, *from = value.at;

	for (const char *p = from; p < end;) {
		if (*p == '"') {
			p = end_of_string(p);
		} else if (*p == ' ' || *p == '\t' || *p == '\r' || *p == '\n') {
			buf_add(out, from, (size_t)(p - from));
			from = ++p;
		} else {
			p++;
		}
	}
	buf_add(out, from, (size_t)(end - from));
}
