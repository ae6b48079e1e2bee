#include "config.h"

#include "base/error.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const names[] = {
	[ERR_NONE] = "none",
	[ERR_INPUT] = "input",
	[ERR_CONFLICT] = "conflict",
	[ERR_NOT_FOUND] = "not-found",
	[ERR_BUSY] = "busy",
	[ERR_UNAVAILABLE] = "unavailable",
	[ERR_REFUSED] = "refused",
	[ERR_UNCERTAIN] = "uncertain",
	[ERR_INTERNAL] = "internal",
};
static_assert(sizeof(names) / sizeof(names[0]) == ERR__MAX, "a name for each code");

bool
error_set_at(struct error *err, enum error_code code, int sys, const char *file, int line,
    const char *fmt, ...)
{
	va_list ap;
	size_t len;

	assert(code > ERR_NONE && code < ERR__MAX);
	if (err == NULL)
		return false;
	err->code = code;
	err->sys = sys;
	err->file = file;
	err->line = line;
	va_start(ap, fmt);
	vsnprintf(err->msg, sizeof(err->msg), fmt, ap);
	va_end(ap);
	len = strlen(err->msg);
	if (sys != 0)
		snprintf(err->msg + len, sizeof(err->msg) - len, ": %s", strerror(sys));
	return false;
}

bool
error_wrap_at(struct error *err, const char *fmt, ...)
{
	char old[sizeof(err->msg)];
	va_list ap;
	size_t len;

	if (err == NULL)
		return false;
	assert(err->code != ERR_NONE);
	memcpy(old, err->msg, sizeof(old));
	va_start(ap, fmt);
	vsnprintf(err->msg, sizeof(err->msg), fmt, ap);
	va_end(ap);
	len = strlen(err->msg);
	snprintf(err->msg + len, sizeof(err->msg) - len, ": %s", old);
	return false;
}

void
error_clear(struct error *err)
{
	memset(err, 0, sizeof(*err));
}

const char *
error_code_name(enum error_code code)
{
	assert(code >= 0 && code < ERR__MAX);
	return names[code];
}
