#include "config.h"

#include "sim/params.h"

#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/form.h"
#include "base/text.h"
#include "json/field.h"
#include "json/strict.h"

static const struct param *
find(const struct params *ps, const char *name)
{
	for (size_t i = 0; i < ps->n; i++)
		if (strcmp(ps->p[i].name, name) == 0)
			return &ps->p[i];
	return NULL;
}

/* Takes name and text over in every case. */
static bool
add(struct params *ps, char *name, char *text, enum param_kind kind, bool bad)
{
	bool done = name != NULL && text != NULL;

	if (!done || ps->n == PARAMS_MAX || find(ps, name) != NULL) {
		free(name);
		free(text);
		return done;
	}
	ps->p[ps->n++] = (struct param){ name, text, kind, bad };
	return true;
}

void
params_clear(struct params *ps)
{
	for (size_t i = 0; i < ps->n; i++) {
		free(ps->p[i].name);
		free(ps->p[i].text);
	}
	ps->n = 0;
}

/* -- forms */

/* NULL: no memory. *out_len counts the bytes behind a NUL, too. */
static char *
decode(const char *text, size_t len, size_t *out_len)
{
	struct buf out = BUF_INIT;

	form_decode(&out, text, len);
	*out_len = out.len;
	return buf_take(&out);
}

static bool
add_pair(struct params *ps, const char *pair, size_t len)
{
	const char *equals = memchr(pair, '=', len);
	size_t name_len = equals == NULL ? len : (size_t)(equals - pair), text_len = 0, ignored;
	char *name = decode(pair, name_len, &ignored);
	char *text =
	    equals == NULL ? strdup("") : decode(equals + 1, len - name_len - 1, &text_len);
	bool bad = text != NULL && (strlen(text) != text_len || !text_is_utf8(text));

	return add(ps, name, text, PARAM_TEXT, bad);
}

bool
params_add_form(struct params *ps, const char *text)
{
	while (*text != '\0') {
		size_t len = strcspn(text, "&");

		if (len > 0 && !add_pair(ps, text, len))
			return false;
		text += len + (text[len] == '&');
	}
	return true;
}

/* -- JSON */

static enum param_kind
kind_of(const struct json_object *v)
{
	switch (json_object_get_type(v)) {
	case json_type_string:
		return PARAM_TEXT;
	case json_type_int:
	case json_type_double:
		return PARAM_NUMBER;
	case json_type_array:
	case json_type_object:
		return PARAM_TREE;
	default:
		return PARAM_OTHER;
	}
}

bool
params_add_json(struct params *ps, const char *text, size_t len)
{
	struct json_object *obj = NULL;
	bool done = true;

	if (!strict_parse_object(text, len, STRICT_DEPTH, &obj, NULL))
		return false;
	json_object_object_foreach(obj, name, v)
	{
		const char *s;

		if (v == NULL)
			continue;
		s = kind_of(v) == PARAM_TEXT
		    ? json_object_get_string(v)
		    : json_object_to_json_string_ext(v, JSON_C_TO_STRING_PLAIN);
		if (s == NULL || !add(ps, strdup(name), strdup(s), kind_of(v), false)) {
			done = false;
			break;
		}
	}
	json_object_put(obj);
	return done;
}

/* -- reading and rules */

const char *
params_text(const struct params *ps, const char *name)
{
	const struct param *p = find(ps, name);

	return p == NULL || p->bad || p->text[0] == '\0' ? NULL : p->text;
}

/* At most 18 digits, so that nothing overflows. */
static bool
parse_int(const char *text, int64_t *n)
{
	const char *digits = text + (*text == '-');
	size_t len = strlen(digits);

	if (len == 0 || len > 18 || strspn(digits, "0123456789") != len)
		return false;
	*n = strtoll(text, NULL, 10);
	return true;
}

bool
params_int(const struct params *ps, const char *name, int64_t *n)
{
	const char *text = params_text(ps, name);

	return text != NULL && parse_int(text, n);
}

static bool
is_word(const char *words, const char *text)
{
	size_t len = strlen(text);

	for (const char *at = words; (at = strstr(at, text)) != NULL; at++)
		if (len > 0 && at > words && at[-1] == '|' && at[len] == '|')
			return true;
	return false;
}

static bool
is_card(const char *code)
{
	return is_word(
	    "|SHINHAN|KB|HYUNDAI|LOTTE|SAMSUNG|NH|BC|HANA|CITI|KAKAOBANK|KAKAOPAY|WOORI|WOORI(ONLY)|GWANGJU|SUHYUP|SHINHYUP|"
	    "JEONBUK|JEJU|SC|",
	    code);
}

static bool
is_url(const char *text)
{
	const char *host = strncmp(text, "https://", 8) == 0 ? text + 8
	    : strncmp(text, "http://", 7) == 0		     ? text + 7
							     : NULL;

	if (host == NULL || *host == '\0' || *host == '/')
		return false;
	for (; *host != '\0'; host++)
		if ((unsigned char)*host <= ' ' || *host == 0x7f)
			return false;
	return true;
}

static bool
are_strings(const struct json_object *tree, bool cards)
{
	if (cards) {
		for (size_t i = 0; i < json_object_array_length(tree); i++) {
			struct json_object *v = json_object_array_get_idx(tree, i);

			if (!json_object_is_type(v, json_type_string) ||
			    !is_card(json_object_get_string(v)))
				return false;
		}
		return true;
	}
	json_object_object_foreach(tree, name, v)
	{
		(void)name;
		if (!json_object_is_type(v, json_type_string))
			return false;
	}
	return true;
}

static bool
is_tree(const char *text, bool cards)
{
	struct json_object *tree = NULL;
	bool good;

	if (!strict_check(text, strlen(text), STRICT_DEPTH, NULL))
		return false;
	tree = json_tokener_parse(text);
	good = json_object_is_type(tree, cards ? json_type_array : json_type_object) &&
	    are_strings(tree, cards);
	json_object_put(tree);
	return good;
}

static bool
is_text_in(const struct param *p, const struct param_rule *r)
{
	size_t len = field_characters(p->text);

	return p->kind == PARAM_TEXT && len >= (size_t)r->min && len <= (size_t)r->max &&
	    (r->words == NULL || is_word(r->words, p->text)) &&
	    (r->characters == NULL || strspn(p->text, r->characters) == strlen(p->text));
}

static bool
obeys(const struct param *p, const struct param_rule *r)
{
	int64_t n;

	if (p->bad)
		return false;
	switch (r->kind) {
	case RULE_TEXT:
		return is_text_in(p, r);
	case RULE_URL:
		return is_text_in(p, r) && is_url(p->text);
	case RULE_INT:
		return (p->kind == PARAM_TEXT || p->kind == PARAM_NUMBER) &&
		    parse_int(p->text, &n) && n >= r->min && n <= r->max;
	case RULE_CARDS:
	case RULE_MAP:
		return (p->kind == PARAM_TEXT || p->kind == PARAM_TREE) &&
		    is_tree(p->text, r->kind == RULE_CARDS);
	}
	return false;
}

bool
params_check(const struct params *ps, const struct param_rule *rules, size_t n, char *msg,
    size_t cap)
{
	for (size_t i = 0; i < n; i++) {
		const struct param *p = find(ps, rules[i].name);
		bool missing = p == NULL || (p->text[0] == '\0' && !p->bad);

		if (missing && rules[i].required) {
			snprintf(msg, cap, "%s can't be null.", rules[i].name);
			return false;
		}
		if (!missing && !obeys(p, &rules[i])) {
			snprintf(msg, cap, "invalid param(%s has invalid value)", rules[i].name);
			return false;
		}
	}
	return true;
}
