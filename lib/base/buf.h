/* A growing string of bytes. `bad` sticks: after memory or the limit is exhausted nothing more is
 * added, and one check at the end is enough. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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
void buf_clear(struct buf *b); /* frees; b may be used again */
void buf_reset(struct buf *b); /* empties, keeps the memory */
void buf_add(struct buf *b, const void *data, size_t len);
void buf_add_str(struct buf *b, const char *s);
void buf_add_char(struct buf *b, char c);
void buf_add_int(struct buf *b, int64_t n); /* decimal */
void buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void buf_drop_front(struct buf *b, size_t len);
const char *buf_str(const struct buf *b); /* "" when empty; borrowed */
char *buf_take(struct buf *b); /* hands the string over (free), NULL if bad; b is empty after */
