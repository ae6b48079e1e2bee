#include "config.h"

#include "fcgi/query.h"

#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/form.h"
#include "base/text.h"

/* What a JSON string could hold. */
static bool
is_text(const struct buf *b)
{
	return (b->len == 0 || memchr(b->data, '\0', b->len) == NULL) && text_is_utf8(buf_str(b));
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
		form_decode(&name, p, len);
		if (rest > 0)
			form_decode(&value, p + len + 1, rest - 1);
		ok = add_pair(tree, &name, &value, errors);
	}
	buf_clear(&name);
	buf_clear(&value);
	errors->bad = errors->bad || !ok;
	*out = tree;
	return !errors->bad;
}
