#include "config.h"

#include "json/strict.h"

#include <assert.h>
#include <json-c/json.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct key {			/* decoded; in scan.names */
	size_t at, len;
};

struct scan {
	const char *begin, *p, *end;
	int depth, max_depth;
	const char *why;	/* first fault, NULL: none */
	struct buf names;	/* decoded member names of the objects that are open */
	struct key *keys;	/* theirs */
	size_t n_keys, cap_keys;
	const char *want;	/* member of the outermost object to be remembered */
	const char *want_begin, *want_end;
};

static bool scan_value(struct scan *s);

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

static bool
scan_digits(struct scan *s)
{
	if (!is_digit(s))
		return fault(s, "a number lacks a digit");
	while (is_digit(s))
		s->p++;
	return true;
}

/* -? (0 | [1-9][0-9]*) (. [0-9]+)? ([eE] [+-]? [0-9]+)? */
static bool
scan_number(struct scan *s)
{
	take(s, '-');
	if (take(s, '0')) {
		if (is_digit(s))
			return fault(s, "a number begins with a superfluous 0");
	} else if (!scan_digits(s)) {
		return false;
	}
	if (take(s, '.') && !scan_digits(s))
		return false;
	if (take(s, 'e') || take(s, 'E')) {
		if (!take(s, '+'))
			take(s, '-');
		return scan_digits(s);
	}
	return true;
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
		char c = s->p < s->end ? *s->p : '\0';

		if (c >= '0' && c <= '9')
			*out = *out << 4 | (uint32_t)(c - '0');
		else if ((c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'))
			*out = *out << 4 | (uint32_t)((c | 0x20) - 'a' + 10);
		else
			return fault(s, "\\u is not followed by four hex digits");
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
scan_unicode(struct scan *s, struct buf *name)
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
	if (name != NULL)
		add_utf8(name, c);
	return true;
}

static bool
scan_escape(struct scan *s, struct buf *name)
{
	static const char letters[] = "\"\\/bfnrt", bytes[] = "\"\\/\b\f\n\r\t";
	const char *at;

	if (s->p == s->end)
		return fault(s, "a string does not end");
	if (take(s, 'u'))
		return scan_unicode(s, name);
	at = *s->p == '\0' ? NULL : strchr(letters, *s->p);
	if (at == NULL)
		return fault(s, "an escape is not one of RFC 8259");
	if (name != NULL)
		buf_add_char(name, bytes[at - letters]);
	s->p++;
	return true;
}

/* One character of more than one byte: RFC 3629, so neither overlong, nor a surrogate, nor above U+10FFFF. */
static bool
scan_utf8(struct scan *s, struct buf *name)
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
	if (name != NULL)
		buf_add(name, s->p, len);
	s->p += len;
	return true;
}

static bool
is_plain(unsigned char c)
{
	return c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
}

/* name: gets the decoded text, may be NULL. */
static bool
scan_string(struct scan *s, struct buf *name)
{
	if (!take(s, '"'))
		return fault(s, "a string is missing");
	for (;;) {
		const char *plain = s->p;
		unsigned char c;

		while (s->p < s->end && is_plain((unsigned char)*s->p))
			s->p++;
		if (name != NULL)
			buf_add(name, plain, (size_t)(s->p - plain));
		if (s->p == s->end)
			break;
		c = (unsigned char)*s->p;
		if (c == '"') {
			s->p++;
			return true;
		}
		if (c < 0x20)
			return fault(s, "a string has a control character");
		if (c == '\\') {
			s->p++;
			if (!scan_escape(s, name))
				return false;
		} else if (!scan_utf8(s, name))
			return false;
	}
	return fault(s, "a string does not end");
}

static bool
scan_array(struct scan *s)
{
	skip_space(s);
	if (take(s, ']'))
		return true;
	for (;;) {
		if (!scan_value(s))
			return false;
		skip_space(s);
		if (take(s, ']'))
			return true;
		if (!take(s, ','))
			return fault(s, "an array lacks , or ]");
	}
}

static bool
push_key(struct scan *s, size_t at)
{
	if (s->n_keys == s->cap_keys) {
		size_t cap = s->cap_keys == 0 ? 32 : 2 * s->cap_keys;
		struct key *keys = reallocarray(s->keys, cap, sizeof(*keys));

		if (keys == NULL)
			return fault(s, "out of memory");
		s->keys = keys;
		s->cap_keys = cap;
	}
	s->keys[s->n_keys++] = (struct key){ at, s->names.len - at };
	return true;
}

static int
compare_keys(const void *a, const void *b, void *ctx)
{
	const struct key *x = a, *y = b;
	const char *names = ctx;

	if (x->len != y->len)
		return x->len < y->len ? -1 : 1;
	return x->len == 0 ? 0 : memcmp(names + x->at, names + y->at, x->len);
}

/* The object whose names begin at key `first` is complete: none may be there twice. */
static bool
pop_keys(struct scan *s, size_t first)
{
	size_t n = s->n_keys - first;
	struct key *k = s->keys + first;

	if (s->names.bad)
		return fault(s, "out of memory");
	if (n == 0)
		return true;
	if (n > 1)
		qsort_r(k, n, sizeof(*k), compare_keys, s->names.data);
	for (size_t i = 1; i < n; i++)
		if (compare_keys(&k[i - 1], &k[i], s->names.data) == 0)
			return fault(s, "an object has a member twice");
	s->n_keys = first;
	return true;
}

static bool
scan_member(struct scan *s)
{
	size_t at = s->names.len;
	bool wanted;

	skip_space(s);
	if (!scan_string(s, &s->names) || !push_key(s, at))
		return false;
	wanted = s->want != NULL && s->depth == 1 && !s->names.bad && s->names.len - at == strlen(s->want) &&
	    strcmp(buf_str(&s->names) + at, s->want) == 0;
	skip_space(s);
	if (!take(s, ':'))
		return fault(s, "a member lacks :");
	skip_space(s);
	if (wanted)
		s->want_begin = s->p;
	if (!scan_value(s))
		return false;
	if (wanted)
		s->want_end = s->p;
	return true;
}

static bool
scan_object(struct scan *s)
{
	size_t first = s->n_keys;

	skip_space(s);
	if (take(s, '}'))
		return true;
	for (;;) {
		if (!scan_member(s))
			return false;
		skip_space(s);
		if (take(s, '}'))
			return pop_keys(s, first);
		if (!take(s, ','))
			return fault(s, "an object lacks , or }");
	}
}

static bool
scan_nested(struct scan *s)
{
	bool object = *s->p++ == '{', ok;

	if (s->depth == s->max_depth)
		return fault(s, "nested too deep");
	s->depth++;
	ok = object ? scan_object(s) : scan_array(s);
	s->depth--;
	return ok;
}

static bool
scan_value(struct scan *s)
{
	skip_space(s);
	if (s->p == s->end)
		return fault(s, "a value is missing");
	switch (*s->p) {
	case '{':
	case '[':
		return scan_nested(s);
	case '"':
		return scan_string(s, NULL);
	case 't':
		return scan_word(s, "true");
	case 'f':
		return scan_word(s, "false");
	case 'n':
		return scan_word(s, "null");
	default:
		if (*s->p == '-' || is_digit(s))
			return scan_number(s);
		return fault(s, "a value is missing");
	}
}

static bool
scan_text(struct scan *s, const char *text, size_t len, int depth, const char *want, struct error *err)
{
	bool ok;

	assert(depth >= 1 && depth <= 64);
	*s = (struct scan){ .begin = text, .p = text, .end = text + len, .max_depth = depth, .names = BUF_INIT, .want = want };
	ok = scan_value(s);
	skip_space(s);
	if (ok && s->p != s->end)
		ok = fault(s, "something follows the value");
	buf_clear(&s->names);
	free(s->keys);
	s->keys = NULL;
	return ok || error_set(err, ERR_INPUT, "%s (at byte %zu)", s->why, (size_t)(s->p - s->begin));
}

bool
strict_check(const char *text, size_t len, int depth, struct error *err)
{
	struct scan s;

	return scan_text(&s, text, len, depth, NULL, err);
}

bool
strict_parse_object(const char *text, size_t len, int depth, struct json_object **out, struct error *err)
{
	struct json_tokener *tok;
	struct json_object *o;

	if (!strict_check(text, len, depth, err))
		return false;
	tok = json_tokener_new_ex(depth + 2);	/* the scan has bounded the depth */
	if (tok == NULL)
		return error_set(err, ERR_INTERNAL, "out of memory");
	json_tokener_set_flags(tok, JSON_TOKENER_STRICT);
	o = json_tokener_parse_ex(tok, text, (int)len);
	json_tokener_free(tok);
	if (!json_object_is_type(o, json_type_object)) {
		json_object_put(o);
		return error_set(err, ERR_INPUT, "not an object");
	}
	*out = o;
	return true;
}

bool
strict_member_text(const char *text, size_t len, int depth, const char *name, struct buf *out)
{
	struct scan s;
	bool in_string = false;

	if (!scan_text(&s, text, len, depth, name, NULL) || s.want_begin == NULL)
		return false;
	for (const char *p = s.want_begin; p < s.want_end; p++) {
		if (!in_string && strchr(" \t\r\n", *p) != NULL)
			continue;
		buf_add_char(out, *p);
		if (in_string && *p == '\\')
			buf_add_char(out, *++p);
		else if (*p == '"')
			in_string = !in_string;
	}
	return !out->bad;
}
