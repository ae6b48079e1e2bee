#include "config.h"

#include "json/canonical.h"

#include <inttypes.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "json/number.h"
#include "json/write.h"

struct member {
	const char *name;
	struct json_object *value;
};

static int
by_name(const void *a, const void *b)
{
	return strcmp(((const struct member *)a)->name, ((const struct member *)b)->name);
}

static void
add_object(struct buf *out, struct json_object *v)
{
	size_t n = (size_t)json_object_object_length(v), i = 0;
	struct member *members = calloc(n + 1, sizeof(*members));

	if (members == NULL) {
		out->bad = true;
		return;
	}
	json_object_object_foreach(v, name, value) members[i++] = (struct member){ name, value };
	qsort(members, n, sizeof(*members), by_name);
	buf_add_char(out, '{');
	for (i = 0; i < n; i++) {
		if (i > 0)
			buf_add_char(out, ',');
		json_add_string(out, members[i].name);
		buf_add_char(out, ':');
		json_add_canonical(out, members[i].value);
	}
	buf_add_char(out, '}');
	free(members);
}

static void
add_array(struct buf *out, const struct json_object *v)
{
	buf_add_char(out, '[');
	for (size_t i = 0; i < json_object_array_length(v); i++) {
		if (i > 0)
			buf_add_char(out, ',');
		json_add_canonical(out, json_object_array_get_idx(v, i));
	}
	buf_add_char(out, ']');
}

static void
add_integer(struct buf *out, int64_t n)
{
	char digits[24];
	struct buf text = { .data = digits, .cap = sizeof(digits) };

	buf_add_int(&text, n);
	number_add_canonical(out, digits, text.len);
}

/* What is no integer was kept as it was sent. */
static void
add_double(struct buf *out, struct json_object *v)
{
	const char *text = json_object_to_json_string(v);

	if (text == NULL)
		out->bad = true;
	else
		number_add_canonical(out, text, strlen(text));
}

void
json_add_canonical(struct buf *out, const struct json_object *v)
{
	/* json-c's getters lack const */
	struct json_object *value = (struct json_object *)(uintptr_t)v;

	switch (json_object_get_type(v)) {
	case json_type_null:
		buf_add_str(out, "null");
		break;
	case json_type_boolean:
		buf_add_str(out, json_object_get_boolean(v) ? "true" : "false");
		break;
	case json_type_int:
		add_integer(out, json_object_get_int64(v));
		break;
	case json_type_double:
		add_double(out, value);
		break;
	case json_type_string:
		json_add_string(out, json_object_get_string(value));
		break;
	case json_type_array:
		add_array(out, v);
		break;
	case json_type_object:
		add_object(out, value);
		break;
	}
}
