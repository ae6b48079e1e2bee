/* The parameters of a call, from a form, the query string or JSON, and the rules for them.
 * src: KakaoPay API, requests of ready, approve, cancel, order */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum param_kind {
	PARAM_TEXT,
	PARAM_NUMBER, /* JSON only; text is its digits: 11000.0 and 1.1e4 are 11000 */
	PARAM_TREE,   /* JSON array or object; text is its JSON */
	PARAM_OTHER,  /* true, false */
};

struct param {
	char *name, *text;
	enum param_kind kind;
	bool bad; /* not UTF-8, or holds a NUL */
};

enum { PARAMS_MAX = 64 };
struct params {
	struct param p[PARAMS_MAX];
	size_t n;
};

/* Adds the pairs of a form or query string. The first of equal names counts, and more than
 * PARAMS_MAX are ignored. False: no memory. */
bool params_add_form(struct params *ps, const char *text);
/* Adds the members of a JSON object; those that are null are ignored. False: not a strict JSON
 * object, or no memory. */
bool params_add_json(struct params *ps, const char *text, size_t len);
void params_clear(struct params *ps);

/* NULL: missing, empty or not UTF-8 */
const char *params_text(const struct params *ps, const char *name);
/* false: missing; checked before */
bool params_int(const struct params *ps, const char *name, int64_t *n);

enum param_rule_kind {
	RULE_TEXT,  /* min..max characters */
	RULE_INT,   /* min..max; a number or the text of one */
	RULE_URL,   /* the same as RULE_TEXT, http or https, no blanks */
	RULE_CARDS, /* array of card codes, or its JSON text */
	RULE_MAP,   /* object of strings, or its JSON text */
};

struct param_rule {
	const char *name;
	enum param_rule_kind kind;
	bool required;
	int64_t min, max;
	const char *words;	/* of RULE_TEXT: the only ones, "|Y|N|"; or NULL */
	const char *characters; /* of RULE_TEXT: the only ones, or NULL */
};

/* False: msg names the first wrong parameter as KakaoPay does: "item_name can't be null." */
bool params_check(const struct params *ps, const struct param_rule *rules, size_t n, char *msg,
    size_t cap);
