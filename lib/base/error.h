/* One type for everything that can fail. A function that can fail returns bool, takes `struct error
 * *err` last and sets it exactly when it returns false. */
#pragma once

#include <stdbool.h>

enum error_code {
	ERR_NONE,
	ERR_INPUT,    /* the caller's mistake; the message names the field */
	ERR_CONFLICT, /* valid, but not in this state */
	ERR_NOT_FOUND,
	ERR_BUSY,	 /* nothing happened; retry later */
	ERR_UNAVAILABLE, /* a peer of ours (queue, store) cannot be reached; nothing happened */
	ERR_REFUSED,	 /* KakaoPay said no: certainly not charged */
	ERR_UNCERTAIN, /* sent, no answer: may have happened; inquire or repeat the same keyed write
			*/
	ERR_INTERNAL,  /* our own defect or a broken machine */
	ERR__MAX
};

struct error {
	enum error_code code;
	int sys; /* errno at the time, 0 if it says nothing */
	const char *file;
	int line;
	char msg[200];
};

/* Sets *err and returns false: `return error_set(err, ERR_CONFLICT, "room %s is %s", room, state);`
 * error_sys adds the text of errno. err may be NULL (nobody asks why). */
#define error_set(err, code, ...) error_set_at((err), (code), 0, __FILE__, __LINE__, __VA_ARGS__)
#define error_sys(err, code, ...) \
	error_set_at((err), (code), errno, __FILE__, __LINE__, __VA_ARGS__)

/* Puts "what: " before the message that is there and returns false. */
#define error_wrap(err, ...) error_wrap_at((err), __VA_ARGS__)

bool error_set_at(struct error *err, enum error_code code, int sys, const char *file, int line,
    const char *fmt, ...) __attribute__((format(printf, 6, 7)));
bool error_wrap_at(struct error *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void error_clear(struct error *err);
const char *error_code_name(enum error_code code); /* "input", "conflict", ... */
