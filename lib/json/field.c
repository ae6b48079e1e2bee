#include "config.h"

#include "json/field.h"

#include <assert.h>
#include <json-c/json.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/text.h"
#include "json/canonical.h"

static const char *const code_names[] = {
	[FIELD_REQUIRED] = "required",
	[FIELD_TYPE] = "type",
	[FIELD_TOO_SHORT] = "too-short",
	[FIELD_TOO_LONG] = "too-long",
	[FIELD_OUT_OF_RANGE] = "out-of-range",
	[FIELD_CHARACTER] = "character",
	[FIELD_BLANK] = "blank",
	[FIELD_FORMAT] = "format",
	[FIELD_WORD] = "unknown-word",
	[FIELD_UNKNOWN] = "unknown-member",
	[FIELD_NOT_ALLOWED] = "not-allowed",
	[FIELD_BOTH] = "both-spellings",
	[FIELD_URL] = "url",
	[FIELD_URL_HTTPS] = "url-not-https",
	[FIELD_URL_HOST] = "url-host",
	[FIELD_FRACTION] = "not-whole-minutes",
	[FIELD_LENGTHS] = "unequal-lengths",
	[FIELD_ORDER] = "start-not-before-end",
	[FIELD_OVERLAP] = "overlap",
};
static_assert(sizeof(code_names) / sizeof(code_names[0]) == FIELD__OK, "a name for each code");

const char *
field_code_name(enum field_code c)
{
	return c < FIELD__OK ? code_names[c] : "ok";
}

void
field_errors_clear(struct field_errors *f)
{
	for (size_t i = 0; i < f->n; i++)
		free(f->e[i].pointer);
	free(f->e);
	*f = (struct field_errors){ 0 };
}

static void
add_pointer(struct field_errors *f, struct buf *pointer, enum field_code code)
{
	char *text;

	if (f->n == f->cap) {
		size_t cap = f->cap == 0 ? 16 : 2 * f->cap;
		struct field_error *e = reallocarray(f->e, cap, sizeof(*e));

		if (e == NULL) {
			f->bad = true;
			buf_clear(pointer);
			return;
		}
		f->e = e;
		f->cap = cap;
	}
	text = pointer->data == NULL ? strdup("") : buf_take(pointer);
	if (text == NULL) {
		f->bad = true;
		buf_clear(pointer);
		return;
	}
	f->e[f->n++] = (struct field_error){ text, code };
}

void
field_pointer_add(struct buf *pointer, const char *member)
{
	buf_add_char(pointer, '/');
	for (;; member++) {
		size_t plain = strcspn(member, "~/");

		buf_add(pointer, member, plain);
		member += plain;
		if (*member == '\0')
			return;
		buf_add_str(pointer, *member == '~' ? "~0" : "~1");
	}
}

static void
format_pointer(struct buf *out, const char *at, const char *member)
{
	buf_add_str(out, at);
	if (member != NULL)
		field_pointer_add(out, member);
}

void
field_errors_add(struct field_errors *f, const char *at, const char *member, enum field_code code)
{
	struct buf pointer = BUF_INIT;

	format_pointer(&pointer, at, member);
	add_pointer(f, &pointer, code);
}

void
field_errors_add_index(struct field_errors *f, const char *at, const char *member, size_t index,
    enum field_code code)
{
	struct buf pointer = BUF_INIT;

	format_pointer(&pointer, at, member);
	buf_printf(&pointer, "/%zu", index);
	add_pointer(f, &pointer, code);
}

bool
field_errors_has(const struct field_errors *f, const char *pointer)
{
	for (size_t i = 0; i < f->n; i++)
		if (strcmp(f->e[i].pointer, pointer) == 0)
			return true;
	return false;
}

static bool
is_continued(char c)
{
	return ((unsigned char)c & 0xc0) == 0x80;
}

size_t
field_characters(const char *utf8)
{
	size_t n = 0;

	for (; *utf8 != '\0'; utf8++)
		n += !is_continued(*utf8);
	return n;
}

static enum field_code
check_characters(const char *text)
{
	if (text_has_hidden(text))
		return FIELD_CHARACTER;
	return text[0] != '\0' && text_is_blank(text) ? FIELD_BLANK : FIELD__OK;
}

static enum field_code
read_str(const struct json_object *v, const struct field_rule *r, const void *ctx, char *out)
{
	/* json-c's getters lack const */
	struct json_object *value = (struct json_object *)(uintptr_t)v;
	enum field_code code;
	const char *text;
	int64_t n;
	size_t len;

	if (!json_object_is_type(v, json_type_string))
		return FIELD_TYPE;
	text = json_object_get_string(value);
	len = strlen(text);
	n = (int64_t)field_characters(text);
	if (n < r->min)
		return FIELD_TOO_SHORT;
	if (n > r->max || len >= r->cap)
		return FIELD_TOO_LONG;
	code = check_characters(text);
	if (code == FIELD__OK && r->check != NULL)
		code = r->check(text, ctx);
	if (code == FIELD__OK)
		memcpy(out, text, len + 1);
	return code;
}

enum field_code
field_read_int(const struct json_object *v, int64_t min, int64_t max, int64_t *out)
{
	int64_t n;

	/* a fraction, or an integer that no int64_t takes */
	if (json_object_is_type(v, json_type_double))
		return fabs(json_object_get_double(v)) >= 0x1p63 ? FIELD_OUT_OF_RANGE : FIELD_TYPE;
	if (!json_object_is_type(v, json_type_int))
		return FIELD_TYPE;
	n = json_object_get_int64(v);
	if (n < min || n > max)
		return FIELD_OUT_OF_RANGE;
	*out = n;
	return FIELD__OK;
}

static enum field_code
read_value(const struct json_object *v, const struct field_rule *r, const void *ctx, void *out)
{
	enum field_code code;
	int64_t n;

	switch (r->type) {
	case FIELD_STR:
		return read_str(v, r, ctx, out);
	case FIELD_INT:
		code = field_read_int(v, r->min, r->max, &n);
		if (code == FIELD__OK)
			memcpy(out, &n, sizeof(n));
		return code;
	case FIELD_BOOL:
		if (!json_object_is_type(v, json_type_boolean))
			return FIELD_TYPE;
		/* json-c's getters lack const */
		*(bool *)out = json_object_get_boolean((struct json_object *)(uintptr_t)v);
		return FIELD__OK;
	case FIELD_OBJECT:
		if (!json_object_is_type(v, json_type_object))
			return FIELD_TYPE;
		memcpy(out, &v, sizeof(v));
		return FIELD__OK;
	case FIELD_ANY:
		memcpy(out, &v, sizeof(v));
		return FIELD__OK;
	case FIELD_REFUSED:
		return FIELD_NOT_ALLOWED;
	}
	return FIELD_TYPE;
}

enum { RULES_MAX = 64 };

/* The index of the rule for this name; n_rules: there is none. Members mostly come in the order of
 * the rules, so the search begins at `from`. */
static size_t
rule_of(const char *name, const struct field_rule *rules, size_t n_rules, size_t from)
{
	for (size_t k = from; k < n_rules; k++)
		if (strcmp(name, rules[k].name) == 0)
			return k;
	for (size_t k = 0; k < from; k++)
		if (strcmp(name, rules[k].name) == 0)
			return k;
	return n_rules;
}

struct members {			      /* of an object, by rule */
	struct json_object *value[RULES_MAX]; /* NULL is null */
	uint64_t there;
	bool unknown; /* there are others */
};

static void
find_members(struct json_object *obj, const struct field_rule *rules, size_t n_rules,
    struct members *m)
{
	struct json_object_iterator i = json_object_iter_begin(obj),
				    end = json_object_iter_end(obj);
	size_t next = 0;

	m->there = 0;
	m->unknown = false;
	for (; !json_object_iter_equal(&i, &end); json_object_iter_next(&i)) {
		size_t k = rule_of(json_object_iter_peek_name(&i), rules, n_rules, next);

		if (k == n_rules) {
			m->unknown = true;
			continue;
		}
		m->value[k] = json_object_iter_peek_value(&i);
		m->there |= UINT64_C(1) << k;
		next = k + 1;
	}
}

static void
add_unknown(struct json_object *obj, const char *at, const struct field_rule *rules, size_t n_rules,
    struct field_errors *errors)
{
	json_object_object_foreach(obj, name, value)
	{
		(void)value;
		if (rule_of(name, rules, n_rules, 0) == n_rules)
			field_errors_add(errors, at, name, FIELD_UNKNOWN);
	}
}

void
field_read(const struct json_object *obj, const char *at, const struct field_rule *rules,
    size_t n_rules, bool open, const void *ctx, void *out, struct field_errors *errors)
{
	/* json-c's iterators lack const */
	struct json_object *object = (struct json_object *)(uintptr_t)obj;
	struct members m;

	assert(n_rules <= RULES_MAX);
	find_members(object, rules, n_rules, &m);
	for (size_t k = 0; k < n_rules; k++) {
		const struct field_rule *r = &rules[k];
		enum field_code code = r->flags & FIELD_NEEDED ? FIELD_REQUIRED : FIELD__OK;

		assert(r->type != FIELD_INT || r->cap == sizeof(int64_t));
		assert(
		    (r->type != FIELD_OBJECT && r->type != FIELD_ANY) || r->cap == sizeof(object));
		if (m.there >> k & 1)
			code = read_value(m.value[k], r, ctx, (char *)out + r->offset);
		if (code != FIELD__OK)
			field_errors_add(errors, at, r->name, code);
	}
	if (m.unknown && !open)
		add_unknown(object, at, rules, n_rules, errors);
}

void
field_begin(const struct field_rule *rules, size_t n_rules, void *out)
{
	static const struct json_object *const none;
	static const int64_t absent = -1;

	for (size_t k = 0; k < n_rules; k++) {
		char *member = (char *)out + rules[k].offset;

		switch (rules[k].type) {
		case FIELD_STR:
			*member = '\0';
			break;
		case FIELD_INT:
			memcpy(member, &absent, sizeof(absent));
			break;
		case FIELD_BOOL:
			*(bool *)member = false;
			break;
		case FIELD_OBJECT:
		case FIELD_ANY:
			memcpy(member, &none, sizeof(none));
			break;
		case FIELD_REFUSED:
			break;
		}
	}
}

/* The length comes first, so that no text can look like the next member. */
static void
add_text(struct buf *b, const char *text, size_t len)
{
	buf_add_int(b, (int64_t)len);
	buf_add_char(b, ':');
	buf_add(b, text, len);
}

static void
add_json(struct buf *b, const struct json_object *v)
{
	struct buf text = BUF_INIT;

	if (v != NULL)
		json_add_canonical(&text, v);
	add_text(b, buf_str(&text), text.len);
	b->bad = b->bad || text.bad;
	buf_clear(&text);
}

static void
add_member(struct buf *b, const struct field_rule *r, const char *member)
{
	const struct json_object *v;
	int64_t n;

	add_text(b, r->name, strlen(r->name));
	switch (r->type) {
	case FIELD_STR:
		add_text(b, member, strlen(member));
		break;
	case FIELD_INT:
		memcpy(&n, member, sizeof(n));
		buf_add_int(b, n);
		buf_add_char(b, ';');
		break;
	case FIELD_BOOL:
		buf_add_str(b, *(const bool *)member ? "true;" : "false;");
		break;
	case FIELD_OBJECT:
	case FIELD_ANY:
		memcpy(&v, member, sizeof(v));
		add_json(b, v);
		break;
	case FIELD_REFUSED:
		break;
	}
}

void
field_add_compared(const struct field_rule *rules, size_t n_rules, const void *in, struct buf *out)
{
	for (size_t k = 0; k < n_rules; k++)
		if (!(rules[k].flags & FIELD_NOT_COMPARED))
			add_member(out, &rules[k], (const char *)in + rules[k].offset);
}
