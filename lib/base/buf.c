#include "config.h"

#include "base/buf.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void
buf_init(struct buf *b, size_t limit)
{
	memset(b, 0, sizeof(*b));
	b->limit = limit;
}

void
buf_clear(struct buf *b)
{
	size_t limit = b->limit;

	free(b->data);
	buf_init(b, limit);
}

void
buf_reset(struct buf *b)
{
	b->len = 0;
	b->bad = false;
	if (b->data != NULL)
		b->data[0] = '\0';
}

static bool
grow(struct buf *b, size_t more)
{
	size_t need, cap;
	char *data;

	if (b->bad || more > SIZE_MAX / 4 - b->len || (b->limit != 0 && b->len + more > b->limit)) {
		b->bad = true;
		return false;
	}
	need = b->len + more + 1;
	cap = b->cap < 256 ? 256 : b->cap;
	while (cap < need)
		cap *= 2;
	data = realloc(b->data, cap);
	if (data == NULL) {
		b->bad = true;
		return false;
	}
	b->data = data;
	b->cap = cap;
	return true;
}

static bool
reserve(struct buf *b, size_t more)
{
	return buf_has_room(b, more) || grow(b, more);
}

void
buf_add_slowly(struct buf *b, const void *data, size_t len)
{
	if (!reserve(b, len))
		return;
	if (len > 0)
		memcpy(b->data + b->len, data, len);
	b->len += len;
	b->data[b->len] = '\0';
}

void
buf_add_int(struct buf *b, int64_t n)
{
	uint64_t left = n < 0 ? -(uint64_t)n : (uint64_t)n;
	char digits[20], *p = digits + sizeof(digits);

	if (n >= 0 && n < 10) {
		buf_add_char(b, (char)('0' + n));
		return;
	}
	do
		*--p = (char)('0' + left % 10);
	while ((left /= 10) > 0);
	if (n < 0)
		*--p = '-';
	buf_add(b, p, (size_t)(digits + sizeof(digits) - p));
}

void
buf_printf(struct buf *b, const char *fmt, ...)
{
	size_t room = b->bad || b->data == NULL ? 0 : b->cap - b->len;
	va_list ap;
	int n;

	/* Into the room that there is; a second time only where that was too little. */
	va_start(ap, fmt);
	n = vsnprintf(room == 0 ? NULL : b->data + b->len, room, fmt, ap);
	va_end(ap);
	if (n < 0 || !reserve(b, (size_t)n)) {
		if (room > 0)
			b->data[b->len] = '\0'; /* what was begun does not count */
		return;
	}
	if ((size_t)n >= room) {
		va_start(ap, fmt);
		vsnprintf(b->data + b->len, (size_t)n + 1, fmt, ap);
		va_end(ap);
	}
	b->len += (size_t)n;
}

void
buf_drop_front(struct buf *b, size_t len)
{
	assert(len <= b->len);
	if (len == 0)
		return;
	memmove(b->data, b->data + len, b->len - len + 1);
	b->len -= len;
}

const char *
buf_str(const struct buf *b)
{
	return b->data == NULL ? "" : b->data;
}

char *
buf_take(struct buf *b)
{
	char *s;

	if (b->data == NULL)
		buf_add(b, "", 0);
	s = b->bad ? NULL : b->data;
	if (s != NULL)
		b->data = NULL;
	buf_clear(b);
	return s;
}
