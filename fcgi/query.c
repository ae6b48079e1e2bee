#include "config.h"

#include "fcgi/query.h"

#include <ctype.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "json/strict.h"
#include "json/write.h"

static int
hex_digit(char c)
{
	return isdigit((unsigned char)c) ? c - '0' : tolower((unsigned char)c) - 'a' + 10;
}

static void
add_decoded(struct buf *out, const char *part, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (part[i] == '%' && i + 2 < len && isxdigit((unsigned char)part[i + 1]) && isxdigit((unsigned char)part[i + 2])) {
			buf_add_char(out, (char)(hex_digit(part[i + 1]) << 4 | hex_digit(part[i + 2])));
			i += 2;
		} else {
			buf_add_char(out, part[i] == '+' ? ' ' : part[i]);
		}
	}
}

/* A NUL, or bytes that are no UTF-8, cannot stand in a JSON text. */
static bool
is_text(const struct buf *b)
{
	struct buf json = BUF_INIT;
	bool ok;

	if (b->len > 0 && memchr(b->data, '\0', b->len) != NULL)
		return false;
	json_add_string(&json, buf_str(b));
	ok = !json.bad && strict_check(json.data, json.len, 1, NULL);
	buf_clear(&json);
	return ok;
}

/* As it may be shown: short and printable. */
static void
make_printable(struct buf *name)
{
	enum { SHOWN = 32 };

	for (size_t i = 0; i < name->len; i++)
		if (name->data[i] <= ' ' || name->data[i] >= 0x7f)
			name->data[i] = '?';
	if (name->len > SHOWN) {
		name->len = SHOWN;
		name->data[SHOWN] = '\0';
	}
}

static bool
add_pair(struct json_object *tree, struct buf *name, struct buf *value, struct field_errors *errors)
{
	struct json_object *text;

	make_printable(name);
	if (name->bad || value->bad)
		return false;
	if (json_object_object_get_ex(tree, buf_str(name), NULL)) {
		field_errors_add(errors, "", buf_str(name), FIELD_BOTH);
		return true;
	}
	text = json_object_new_string(is_text(value) ? buf_str(value) : "\001");
	if (text != NULL && json_object_object_add(tree, buf_str(name), text) == 0)
		return true;
	json_object_put(text);
	return false;
}

bool
query_read(const char *query, struct json_object **out, struct field_errors *errors)
{
	struct json_object *tree = json_object_new_object();
	struct buf name = BUF_INIT, value = BUF_INIT;
	bool ok = tree != NULL;

	for (const char *p = query; ok && *(p += strspn(p, "&")) != '\0'; p += strcspn(p, "&")) {
		size_t len = strcspn(p, "&="), rest = strcspn(p, "&") - len;

		buf_reset(&name);
		buf_reset(&value);
		add_decoded(&name, p, len);
		if (rest > 0)
			add_decoded(&value, p + len + 1, rest - 1);
		ok = add_pair(tree, &name, &value, errors);
	}
	buf_clear(&name);
	buf_clear(&value);
	errors->bad = errors->bad || !ok;
	*out = tree;
	return !errors->bad;
}
