#include "config.h"

#include "queue/log/log_frame.h"

#include <assert.h>
#include <string.h>

enum { F_N = 1, F_NONCE = 2, F_PREV = 4, F_BY = 8, F_BOOT = 16, F_WALL = 32, F_DIFF = 64 };
enum { F_TEXT = 128, F_RECORDS = 256 };

/* clang-format off */
static const struct {
	const char *name;
	unsigned has;
} kinds[LOG_FRAME__MAX] = {
	[LOG_OPEN] = { "open", F_N | F_NONCE | F_PREV | F_BY | F_TEXT },
	[LOG_LOAD] = { "load", 0 },
	[LOG_FOLLOW] = { "follow", F_N | F_NONCE },
	[LOG_APPEND] = { "append", F_N | F_NONCE | F_PREV | F_WALL | F_RECORDS },
	[LOG_BARRIER] = { "barrier", F_N },
	[LOG_OPENED] = { "opened", F_TEXT },
	[LOG_TRYING] = { "trying", F_TEXT },
	[LOG_REFUSED] = { "refused", F_TEXT },
	[LOG_PART] = { "part", F_RECORDS },
	[LOG_LOADED] = { "loaded", F_N | F_NONCE },
	[LOG_RECORD] = { "record", F_N | F_NONCE | F_PREV | F_BY | F_RECORDS },
	[LOG_END] = { "end", F_N },
	[LOG_ACK] = { "ack", F_N | F_NONCE },
	[LOG_CURRENT] = { "current", F_N },
	[LOG_NO_ANSWER] = { "no-answer", F_N | F_TEXT },
	[LOG_HEARD] = { "heard", F_BOOT },
	[LOG_CLOCK] = { "clock", F_BOOT | F_WALL | F_DIFF },
	[LOG_SEEN] = { "seen", F_N },
	[LOG_FLOOR] = { "floor", F_N },
	[LOG_REPEATED] = { "repeated", 0 },
	[LOG_RECONNECTED] = { "reconnected", 0 },
	[LOG_BEHIND] = { "behind", F_TEXT },
	[LOG_HOLE] = { "hole", F_TEXT },
	[LOG_SNAP_BEGIN] = { "snap-begin", F_N | F_NONCE },
	[LOG_SNAP_PART] = { "snap-part", F_RECORDS },
	[LOG_SNAP_END] = { "snap-end", 0 },
	[LOG_SNAP_DONE] = { "snap-done", F_N },
	[LOG_SNAP_FAILED] = { "snap-failed", F_TEXT },
};
/* clang-format on */

/* The numbers, in the order in which they stand in a frame. */
#define EACH_NUMBER(X) \
	X(F_N, n) \
	X(F_NONCE, nonce) \
	X(F_PREV, prev) X(F_BY, by) X(F_BOOT, boot) X(F_WALL, wall) X(F_DIFF, diff)

const char *
log_frame_name(enum log_frame_kind kind)
{
	return kind > 0 && kind < LOG_FRAME__MAX ? kinds[kind].name : "unknown";
}

static void
put(char *p, uint64_t v, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		p[i] = (char)(v >> (8 * i) & 0xff);
}

static uint64_t
get(const char *p, size_t bytes)
{
	uint64_t v = 0;

	for (size_t i = 0; i < bytes; i++)
		v |= (uint64_t)(unsigned char)p[i] << (8 * i);
	return v;
}

static void
add(struct buf *out, uint64_t v, size_t bytes)
{
	char raw[8];

	put(raw, v, bytes);
	buf_add(out, raw, bytes);
}

void
log_frame_format(const struct log_frame *f, struct buf *out)
{
	size_t from = out->len;
	unsigned has = kinds[f->kind].has;

	assert(kinds[f->kind].name != NULL);
	add(out, 0, 4);
	add(out, f->kind, 1);
#define ADD(bit, member) \
	if ((has & (bit)) != 0) \
		add(out, (uint64_t)f->member, 8);
	EACH_NUMBER(ADD)
#undef ADD
	if ((has & F_TEXT) != 0) {
		add(out, f->text_len, 4);
		buf_add(out, f->text, f->text_len);
	}
	if ((has & F_RECORDS) != 0)
		buf_add(out, f->records, f->records_len);
	if (!out->bad && out->len - from - 4 > LOG_FRAME_MAX)
		out->bad = true;
	if (!out->bad)
		put(out->data + from, out->len - from - 4, 4);
}

size_t
log_frame_size(const char *p, size_t len)
{
	return len < LOG_FRAME_HEADER ? 0 : 4 + (size_t)get(p, 4);
}

bool
log_frame_parse(const char *p, size_t size, struct log_frame *out)
{
	const char *end = p + size;
	unsigned has;

	memset(out, 0, sizeof(*out));
	if (size < LOG_FRAME_HEADER || size > 4 + LOG_FRAME_MAX || size != 4 + get(p, 4))
		return false;
	out->kind = (enum log_frame_kind)(unsigned char)p[4];
	if (out->kind >= LOG_FRAME__MAX || kinds[out->kind].name == NULL)
		return false;
	has = kinds[out->kind].has;
	p += LOG_FRAME_HEADER;
#define TAKE(bit, member) \
	if ((has & (bit)) != 0) { \
		if (end - p < 8) \
			return false; \
		out->member = (__typeof__(out->member))get(p, 8); \
		p += 8; \
	}
	EACH_NUMBER(TAKE)
#undef TAKE
	out->text = p;
	if ((has & F_TEXT) != 0) {
		if (end - p < 4 || (size_t)(end - p - 4) < get(p, 4))
			return false;
		out->text_len = get(p, 4);
		out->text = p + 4;
		p += 4 + out->text_len;
	}
	out->records = p;
	if ((has & F_RECORDS) != 0) {
		out->records_len = (size_t)(end - p);
		p = end;
	}
	return p == end;
}

void
log_records_add(struct buf *out, const void *record, size_t len)
{
	add(out, len, 4);
	buf_add(out, record, len);
}

bool
log_records_next(const char **p, size_t *left, const void **record, size_t *len, bool *bad)
{
	*bad = false;
	if (*left == 0)
		return false;
	if (*left < 4 || *left - 4 < get(*p, 4)) {
		*bad = true;
		return false;
	}
	*len = get(*p, 4);
	*record = *p + 4;
	*p += 4 + *len;
	*left -= 4 + *len;
	return true;
}
