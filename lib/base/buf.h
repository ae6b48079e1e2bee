/* A growing string of bytes. `bad` sticks: after memory or the limit is exhausted nothing more is
 * added, and one check at the end is enough. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct buf {
	char *data; /* always NUL-terminated once anything was added; NULL before */
	size_t len; /* without the NUL */
	size_t cap;
	size_t limit; /* 0: no limit; else len never passes it */
	bool bad;
};

#define BUF_INIT \
	{ \
		NULL, 0, 0, 0, false \
	}

void buf_init(struct buf *b, size_t limit);
void buf_clear(struct buf *b);					  /* frees; b may be used again */
void buf_reset(struct buf *b);					  /* empties, keeps the memory */
void buf_add_slowly(struct buf *b, const void *data, size_t len); /* where room is missing */

static inline bool
buf_has_room(const struct buf *b, size_t len)
{
	return !b->bad && len < b->cap - b->len && (b->limit == 0 || len <= b->limit - b->len);
}

/* Inline, because every text that leaves or enters a program passes here in small pieces. */
static inline void
buf_add(struct buf *b, const void *data, size_t len)
{
	if (len == 0 || !buf_has_room(b, len)) {
		buf_add_slowly(b, data, len);
		return;
	}
	memcpy(b->data + b->len, data, len);
	b->len += len;
	b->data[b->len] = '\0';
}

static inline void
buf_add_char(struct buf *b, char c)
{
	buf_add(b, &c, 1);
}

static inline void
buf_add_str(struct buf *b, const char *s)
{
	buf_add(b, s, strlen(s));
}

void buf_add_int(struct buf *b, int64_t n); /* decimal */
void buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void buf_drop_front(struct buf *b, size_t len);

/* Keeps the first len bytes; nothing where there are not more. */
static inline void
buf_cut(struct buf *b, size_t len)
{
	if (len >= b->len)
		return;
	b->len = len;
	b->data[len] = '\0';
}

const char *buf_str(const struct buf *b); /* "" when empty; borrowed */
char *buf_take(struct buf *b); /* hands the string over (free), NULL if bad; b is empty after */
