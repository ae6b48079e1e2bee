#include "config.h"

#include "queue/wire/proto.h"

#include <assert.h>
#include <string.h>

#include "site/limit.h"

enum type { TEXT, NUMBER };

struct field {
	const char *name;
	enum type type;
	int64_t min, max; /* bytes of a text, value of a number */
};

/* clang-format off */
static const struct field fields[] = {
	[ARG_ID]          = { "id",          NUMBER, 1, INT64_MAX },
	[ARG_STATE]       = { "state",       TEXT,   1, 16 },
	[ARG_BEFORE]      = { "before",      TEXT,   1, 16 },
	[ARG_CID]         = { "cid",         TEXT,   1, CID_CAP - 1 },
	[ARG_ORDER]       = { "order",       TEXT,   1, ORDER_CAP - 1 },
	[ARG_USER]        = { "user",        TEXT,   1, USER_CAP - 1 },
	[ARG_ROOM]        = { "room",        TEXT,   1, ROOM_CAP - 1 },
	[ARG_TID]         = { "tid",         TEXT,   1, TID_CAP - 1 },
	[ARG_EXPIRES]     = { "expires",     NUMBER, 0, INT64_MAX },
	[ARG_WINDOW]      = { "window",      NUMBER, 0, INT64_MAX },
	[ARG_TOKEN]       = { "token",       NUMBER, 0, INT64_MAX },
	[ARG_N]           = { "n",           NUMBER, 0, INT64_MAX },
	[ARG_DEADLINE]    = { "deadline",    NUMBER, 0, INT64_MAX },
	[ARG_LAST_N]      = { "last_n",      NUMBER, 0, INT64_MAX },
	[ARG_ATTEMPT]     = { "attempt",     TEXT,   1, ATTEMPT_MAX - 1 },
	[ARG_ANSWER]      = { "answer",      TEXT,   1, ANSWER_MAX - 1 },
	[ARG_SET]         = { "set",         TEXT,   3, 16 * INTERVALS_MAX },
	[ARG_FINGERPRINT] = { "fingerprint", TEXT,   1, KEY_CAP - 1 },
	[ARG_TTL_MS]      = { "ttl_ms",      NUMBER, 1, 86400000 },
	[ARG_CALL_MS]     = { "call_ms",     NUMBER, 1, 3600000 },
	[ARG_KEY]         = { "key",         TEXT,   1, KEY_CAP - 1 },
	[ARG_PAID]        = { "paid",        NUMBER, 0, 1 },
	[ARG_WHAT]        = { "what",        TEXT,   1, 16 },
	[ARG_OUTCOME]     = { "outcome",     TEXT,   1, 16 },
	[ARG_BY]          = { "by",          TEXT,   1, 16 },
	[ARG_AFTER]       = { "after",       NUMBER, 0, INT64_MAX },
	[ARG_SEEN]        = { "seen",        NUMBER, 0, INT64_MAX },
	[ARG_ADOPTED]     = { "adopted",     NUMBER, 0, 1 },
	[ARG_WINDOW_MS]   = { "window_ms",   NUMBER, 0, 86400000 },
	[ARG_CIDS]        = { "cids",        TEXT,   1, CIDS_CAP - 1 },
	[ARG_UNTIL]       = { "until",       NUMBER, 0, INT64_MAX },
	[ARG_CONFLICTS]   = { "conflicts",   TEXT,   3, 16 * INTERVALS_MAX },
	[ARG_RETRY_MS]    = { "retry_ms",    NUMBER, 0, INT64_MAX },
	[ARG_FAILURE]     = { "failure",     TEXT,   1, ANSWER_MAX - 1 },
	[ARG_HELD]        = { "held",        TEXT,   1, PROTO_LINE_MAX },
	[ARG_NEXT]        = { "next",        NUMBER, 1, INT64_MAX },
	[ARG_COUNTS]      = { "counts",      TEXT,   1, 4096 },
	[ARG_POKES]       = { "pokes",       NUMBER, 0, INT64_MAX },
	[ARG_QUEUE]       = { "queue",       TEXT,   1, QUEUE_ID_CAP - 1 },
	[ARG_FENCE]       = { "fence",       TEXT,   1, 63 },
	[ARG_UP_MS]       = { "up_ms",       NUMBER, 0, INT64_MAX },
	[ARG_VERSION]     = { "version",     NUMBER, 1, 1000000 },
	[ARG_MESSAGE]     = { "message",     TEXT,   1, 199 },
};
/* clang-format on */
static_assert(sizeof(fields) / sizeof(fields[0]) == ARG__MAX, "a row for each field");
static_assert(ARG__MAX <= 64, "fields fit the bits of `has`");

static bool
is_tag_char(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool
is_word_char(char c)
{
	return (c >= 'a' && c <= 'z') || c == '-';
}

/* Length of the run of such characters at s. 0: it is empty, longer than cap - 1, or followed by
 * something else than a space or the end. */
static size_t
run_of(const char *s, bool (*is)(char), size_t cap)
{
	size_t n = 0;

	while (is(s[n]))
		n++;
	return n < cap && (s[n] == ' ' || s[n] == '\0') ? n : 0;
}

void
proto_begin(struct proto_message *m, const char *tag, const char *word)
{
	size_t tag_len = run_of(tag, is_tag_char, PROTO_TAG_CAP),
	       word_len = run_of(word, is_word_char, PROTO_WORD_CAP);

	assert(tag_len > 0 && tag[tag_len] == '\0' && word_len > 0 && word[word_len] == '\0');
	m->has = 0;
	memcpy(m->tag, tag, tag_len + 1);
	memcpy(m->word, word, word_len + 1);
}

void
proto_set_text(struct proto_message *m, enum proto_field f, const char *value)
{
	assert(fields[f].type == TEXT);
	if (*value == '\0')
		return;
	m->text[f] = value;
	m->has |= PROTO_BIT(f);
}

void
proto_set_num(struct proto_message *m, enum proto_field f, int64_t value)
{
	assert(fields[f].type == NUMBER);
	m->num[f] = value;
	m->has |= PROTO_BIT(f);
}

bool
proto_has(const struct proto_message *m, enum proto_field f)
{
	return (m->has & PROTO_BIT(f)) != 0;
}

const char *
proto_text(const struct proto_message *m, enum proto_field f)
{
	return proto_has(m, f) ? m->text[f] : "";
}

int64_t
proto_num(const struct proto_message *m, enum proto_field f)
{
	return proto_has(m, f) ? m->num[f] : 0;
}

const char *
proto_field_name(enum proto_field f)
{
	return fields[f].name;
}

/* c > ' ' && c < 0x7f && c != '%' && c != '=': a table, because every byte of every line passes
 * here. */
static const bool plain[256] = {
	['!' ... '$'] = true,
	['&' ... '<'] = true,
	['>' ... '~'] = true,
};

static bool
is_plain(unsigned char c)
{
	return plain[c];
}

static void
add_value(struct buf *b, const char *s)
{
	static const char hex[] = "0123456789ABCDEF";
	for (const char *from = s;; from = ++s) {
		while (is_plain((unsigned char)*s))
			s++;
		buf_add(b, from, (size_t)(s - from));
		if (*s == '\0')
			return;
		buf_add(b, (char[]){ '%', hex[(unsigned char)*s >> 4], hex[*s & 15] }, 3);
	}
}

void
proto_format(const struct proto_message *m, struct buf *b)
{
	buf_add_str(b, m->tag);
	buf_add_char(b, ' ');
	buf_add_str(b, m->word);
	for (enum proto_field f = 0; f < ARG__MAX; f++) {
		if (!proto_has(m, f))
			continue;
		buf_add_char(b, ' ');
		buf_add_str(b, fields[f].name);
		buf_add_char(b, '=');
		if (fields[f].type == TEXT)
			add_value(b, m->text[f]);
		else
			buf_add_int(b, m->num[f]);
	}
	buf_add_char(b, '\n');
}

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Decodes in place. False: an escape that add_value would not write, or a NUL. */
static bool
decode_value(char *s)
{
	char *to = s += strcspn(s, "%");

	for (; *s != '\0'; s++) {
		int high, low;

		if (*s != '%') {
			*to++ = *s;
			continue;
		}
		high = hex_digit(s[1]);
		low = high < 0 ? -1 : hex_digit(s[2]);
		if (low < 0 || (high == 0 && low == 0) ||
		    is_plain((unsigned char)(high << 4 | low)))
			return false;
		*to++ = (char)(high << 4 | low);
		s += 2;
	}
	*to = '\0';
	return true;
}

/* A decimal number as printf writes it: no sign, no leading zero, nothing behind it. */
static bool
parse_number(const char *s, int64_t *out)
{
	int64_t n = 0;

	if (*s == '\0' || (*s == '0' && s[1] != '\0'))
		return false;
	for (; *s != '\0'; s++)
		if (*s < '0' || *s > '9' || __builtin_mul_overflow(n, 10, &n) ||
		    __builtin_add_overflow(n, *s - '0', &n))
			return false;
	*out = n;
	return true;
}

static bool
take_value(struct proto_message *m, enum proto_field f, char *value, struct error *err)
{
	const struct field *row = &fields[f];
	int64_t n;

	if (proto_has(m, f))
		return error_set(err, ERR_INPUT, "%s is a duplicate", row->name);
	if (row->type == NUMBER) {
		if (!parse_number(value, &n) || n < row->min || n > row->max)
			return error_set(err, ERR_INPUT, "%s is not a number in the allowed range",
			    row->name);
		proto_set_num(m, f, n);
		return true;
	}
	if (!decode_value(value))
		return error_set(err, ERR_INPUT, "%s has an invalid escape", row->name);
	if ((int64_t)strlen(value) < row->min || (int64_t)strlen(value) > row->max)
		return error_set(err, ERR_INPUT, "%s is too short or too long", row->name);
	proto_set_text(m, f, value);
	return true;
}

/* *next: where to look for its name first, as arguments mostly come in the order of the table. */
static bool
take_argument(struct proto_message *m, char *arg, size_t *next, struct error *err)
{
	char *value = strchr(arg, '=');

	if (value == NULL || strchr(value + 1, '=') != NULL)
		return error_set(err, ERR_INPUT, "an argument is not name=value");
	*value++ = '\0';
	for (size_t tried = 0, f = *next; tried < ARG__MAX; tried++, f++) {
		f = f < ARG__MAX ? f : 0;
		if (strcmp(fields[f].name, arg) == 0) {
			*next = f + 1;
			return take_value(m, (enum proto_field)f, value, err);
		}
	}
	return error_set(err, ERR_INPUT, "%.32s is an unknown argument", arg);
}

enum proto_result
proto_parse(char *line, size_t len, struct proto_message *m, struct error *err)
{
	size_t n, next_field = 0;
	char *next;

	m->has = 0;
	m->word[0] = m->tag[0] = '\0';
	for (size_t i = 0; i < len; i++)
		if (line[i] < ' ' || line[i] > '~') {
			error_set(err, ERR_INPUT, "byte %zu of the line is not printable ASCII", i);
			return PROTO_GARBAGE;
		}
	line[len] = '\0';
	n = run_of(line, is_tag_char, PROTO_TAG_CAP);
	if (n == 0) {
		error_set(err, ERR_INPUT, "the line does not begin with a tag");
		return PROTO_GARBAGE;
	}
	memcpy(m->tag, line, n);
	m->tag[n] = '\0';
	line += n + (line[n] == ' ');
	n = run_of(line, is_word_char, PROTO_WORD_CAP);
	if (n == 0) {
		error_set(err, ERR_INPUT, "no word follows the tag");
		return PROTO_WRONG;
	}
	memcpy(m->word, line, n);
	m->word[n] = '\0';
	line = line[n] == ' ' ? line + n + 1 : NULL;
	for (; line != NULL; line = next) {
		next = strchr(line, ' ');
		if (next != NULL)
			*next++ = '\0';
		if (!take_argument(m, line, &next_field, err))
			return PROTO_WRONG;
	}
	return PROTO_OK;
}
