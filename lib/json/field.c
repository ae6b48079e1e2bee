#include "config.h"

#include "json/field.h"

#include <assert.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

static const char *const code_names[] = {
	[FIELD_REQUIRED] = "required",
	[FIELD_TYPE] = "type",
	[FIELD_TOO_SHORT] = "too-short",
	[FIELD_TOO_LONG] = "too-long",
	[FIELD_OUT_OF_RANGE] = "out-of-range",
	[FIELD_CHARACTER] = "character",
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

static void
format_pointer(struct buf *out, const char *at, const char *member)
{
	buf_add_str(out, at);
	if (member == NULL)
		return;
	buf_add_char(out, '/');
	for (; *member != '\0'; member++) {
		if (*member == '~')
			buf_add_str(out, "~0");
		else if (*member == '/')
			buf_add_str(out, "~1");
		else
			buf_add_char(out, *member);
	}
}

void
field_errors_add(struct field_errors *f, const char *at, const char *member, enum field_code code)
{
	struct buf pointer = BUF_INIT;

	format_pointer(&pointer, at, member);
	add_pointer(f, &pointer, code);
}

void
field_errors_add_index(struct field_errors *f, const char *at, const char *member, size_t index, enum field_code code)
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

size_t
field_characters(const char *utf8)
{
	size_t n = 0;

	for (; *utf8 != '\0'; utf8++)
		n += ((unsigned char)*utf8 & 0xc0) != 0x80;
	return n;
}

static bool
has_control(const char *s)
{
	for (; *s != '\0'; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			return true;
	return false;
}

static enum field_code
read_str(const struct json_object *v, const struct field_rule *r, const void *ctx, char *out)
{
	struct json_object *value = (struct json_object *)(uintptr_t)v;	/* json-c's getters lack const */
	enum field_code code;
	const char *text;
	size_t n;

	if (!json_object_is_type(v, json_type_string))
		return FIELD_TYPE;
	text = json_object_get_string(value);
	n = field_characters(text);
	if ((int64_t)n < r->min)
		return FIELD_TOO_SHORT;
	if ((int64_t)n > r->max || strlen(text) >= r->cap)
		return FIELD_TOO_LONG;
	if (has_control(text))
		return FIELD_CHARACTER;
	code = r->check == NULL ? FIELD__OK : r->check(text, ctx);
	if (code == FIELD__OK)
		memcpy(out, text, strlen(text) + 1);
	return code;
}

static enum field_code
read_value(const struct json_object *v, const struct field_rule *r, const void *ctx, void *out)
{
	int64_t n;

	switch (r->type) {
	case FIELD_STR:
		return read_str(v, r, ctx, out);
	case FIELD_INT:
		if (!json_object_is_type(v, json_type_int))
			return FIELD_TYPE;
		n = json_object_get_int64(v);	/* what does not fit comes as the largest or smallest, which no rule allows */
		if (n < r->min || n > r->max)
			return FIELD_OUT_OF_RANGE;
		memcpy(out, &n, sizeof(n));
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

static bool
is_known(const char *name, const struct field_rule *rules, size_t n_rules)
{
	for (size_t i = 0; i < n_rules; i++)
		if (strcmp(name, rules[i].name) == 0)
			return true;
	return false;
}

void
field_read(const struct json_object *obj, const char *at, const struct field_rule *rules, size_t n_rules, bool open, const void *ctx,
    void *out, struct field_errors *errors)
{
	struct json_object_iterator i, end;

	for (size_t k = 0; k < n_rules; k++) {
		const struct field_rule *r = &rules[k];
		struct json_object *v;
		enum field_code code = r->required ? FIELD_REQUIRED : FIELD__OK;

		assert(r->type != FIELD_INT || r->cap == sizeof(int64_t));
		assert((r->type != FIELD_OBJECT && r->type != FIELD_ANY) || r->cap == sizeof(v));
		if (json_object_object_get_ex(obj, r->name, &v))
			code = read_value(v, r, ctx, (char *)out + r->offset);
		if (code != FIELD__OK)
			field_errors_add(errors, at, r->name, code);
	}
	if (open)
		return;
	i = json_object_iter_begin((struct json_object *)(uintptr_t)obj);
	end = json_object_iter_end(obj);
	for (; !json_object_iter_equal(&i, &end); json_object_iter_next(&i))
		if (!is_known(json_object_iter_peek_name(&i), rules, n_rules))
			field_errors_add(errors, at, json_object_iter_peek_name(&i), FIELD_UNKNOWN);
}
