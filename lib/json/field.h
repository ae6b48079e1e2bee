/* Tables of field rules turn a JSON object into a struct and report every wrong field, not only the
 * first, with its JSON pointer (RFC 6901) and a code. Lengths count characters. The tree comes from
 * strict_parse_object: its strings are valid UTF-8 without NUL. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "site/limit.h"

struct json_object;

enum field_code {
	FIELD_REQUIRED, /* missing */
	/* another JSON type than the rule's: for an integer 1.5 and "1", but not 1.0 */
	FIELD_TYPE,
	FIELD_TOO_SHORT,
	FIELD_TOO_LONG,
	FIELD_OUT_OF_RANGE,
	FIELD_CHARACTER, /* a character that is not allowed here */
	FIELD_BLANK,	 /* nothing but spaces */
	FIELD_FORMAT,
	FIELD_WORD,	   /* not one of the words */
	FIELD_UNKNOWN,	   /* no such member */
	FIELD_NOT_ALLOWED, /* known, but never from a request */
	FIELD_BOTH,	   /* two spellings of one thing */
	FIELD_URL,
	FIELD_URL_HTTPS,
	FIELD_URL_HOST,
	FIELD_FRACTION, /* not a whole minute */
	FIELD_LENGTHS,	/* arrays of unequal length */
	FIELD_ORDER,	/* start is not before end: past midnight is two intervals */
	FIELD_OVERLAP,
	FIELD__OK, /* what a check answers when all is well */
};
const char *field_code_name(enum field_code c); /* "required", "too-long", ... */

struct field_errors {
	struct field_error {
		char *pointer;
		enum field_code code;
	} * e;
	size_t n, cap;
	bool bad; /* no memory: e is not complete */
};
void field_errors_clear(struct field_errors *f);
/* at: pointer of the object ("" is the outermost); member may be NULL: at itself. Escapes ~ and /
 * in it. */
void field_errors_add(struct field_errors *f, const char *at, const char *member,
    enum field_code code);
void field_errors_add_index(struct field_errors *f, const char *at, const char *member,
    size_t index, enum field_code code);
/* "/member", ~ and / escaped */
void field_pointer_add(struct buf *pointer, const char *member);
bool field_errors_has(const struct field_errors *f, const char *pointer);

enum field_type {
	/* char[cap]; min..max characters, none of them hidden (base/text.h), not only blanks */
	FIELD_STR,
	FIELD_INT,     /* int64_t; min..max */
	FIELD_BOOL,    /* bool: true or false, no words and no numbers */
	FIELD_OBJECT,  /* const struct json_object *, borrowed from the tree */
	FIELD_ANY,     /* the same, any type: whoever reads it looks */
	FIELD_REFUSED, /* FIELD_NOT_ALLOWED when there */
};

enum field_flag {
	FIELD_NEEDED = 1,	/* true in a table says the same */
	FIELD_NOT_COMPARED = 2, /* two requests that differ in this alone are the same request */
};

struct field_rule {
	const char *name;
	enum field_type type;
	unsigned flags;
	int64_t min, max;
	size_t offset, cap;
	/* FIELD_STR only; NULL: none. FIELD__OK: it is fine */
	enum field_code (*check)(const char *text, const void *ctx);
};

#define FIELD_AT(type, member) offsetof(struct type, member), sizeof(((struct type *)0)->member)
#define STR_FIELD(type, member, required, min, max, check) \
	{ \
#member, FIELD_STR, required, min, max, FIELD_AT(type, member), check \
	}
#define INT_FIELD(type, member, required, min, max) \
	{ \
#member, FIELD_INT, required, min, max, FIELD_AT(type, member), NULL \
	}

/* Gives every member that the rules name the value of one that is absent: "", -1 or NULL. */
void field_begin(const struct field_rule *rules, size_t n_rules, void *out);

/* Adds each member and its value, for a fingerprint: by value, so another spelling changes nothing.
 * A member counts unless its rule says FIELD_NOT_COMPARED, so one that is forgotten makes two
 * requests different, never the same. */
void field_add_compared(const struct field_rule *rules, size_t n_rules, const void *in,
    struct buf *out);

/* Reads the members of obj that the rules name into *out; what is absent keeps the value it has.
 * Other members are FIELD_UNKNOWN unless `open`. */
void field_read(const struct json_object *obj, const char *at, const struct field_rule *rules,
    size_t n_rules, bool open, const void *ctx, void *out, struct field_errors *errors);

/* One value as FIELD_INT reads it. */
enum field_code field_read_int(const struct json_object *v, int64_t min, int64_t max, int64_t *out);

size_t field_characters(const char *utf8);
