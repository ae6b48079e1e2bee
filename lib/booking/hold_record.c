#include "config.h"

#include "booking/hold_record.h"

#include <string.h>

#include "site/limit.h"

/* Which optional parts a change has. */
enum { HAS_TID = 1, HAS_ANSWER = 2, HAS_KEY = 4, HAS_TRIES = 8, HAS_GRANT = 16, HAS__ALL = 31 };
enum { LIFE_DOUBT = 1, LIFE_PAID = 2, LIFE_GUARDED = 4, LIFE__ALL = 7 };

/* Far beyond every time that we write, so that adding to a time never overflows. */
static const int64_t TIME_MAX_MS = INT64_C(1) << 56;

/* ---- writing */

static void
put(struct buf *b, uint64_t v, size_t bytes)
{
	for (; bytes > 0; bytes--, v >>= 8)
		buf_add_char(b, (char)(v & 0xff));
}

static void
put_num(struct buf *b, int64_t v)
{
	put(b, (uint64_t)v, 8);
}

static void
put_text(struct buf *b, const char *s)
{
	size_t len = strlen(s);

	if (len > UINT16_MAX)
		b->bad = true;
	put(b, len, 2);
	buf_add(b, s, len + 1);
}

static void
put_set(struct buf *b, const struct interval_set *s)
{
	put(b, s->n, 1);
	for (size_t i = 0; i < s->n; i++) {
		put(b, (uint64_t)s->iv[i].start, 2);
		put(b, (uint64_t)s->iv[i].end, 2);
	}
}

static void
put_life(struct buf *b, const struct hold_life *l)
{
	put(b, l->state, 1);
	put(b, l->before, 1);
	put(b,
	    (l->doubt ? LIFE_DOUBT : 0) | (l->paid ? LIFE_PAID : 0) |
		(l->guarded ? LIFE_GUARDED : 0),
	    1);
	put(b, l->replaces[0], 8);
	put(b, l->replaces[1], 8);
	put(b, l->token, 8);
	put_num(b, l->n);
	put_num(b, l->since_ms);
	put_num(b, l->due_ms);
	put_num(b, l->expires_ms);
	put_num(b, l->window_ms);
	put_num(b, l->deadline_ms);
}

static void
put_parts(struct buf *b, const struct change *c)
{
	put(b,
	    (c->tid != NULL ? HAS_TID : 0) | (c->answer != NULL ? HAS_ANSWER : 0) |
		(c->key != NULL ? HAS_KEY : 0) | (c->tries != NULL ? HAS_TRIES : 0) |
		(c->grant ? HAS_GRANT : 0),
	    1);
	if (c->tid != NULL)
		put_text(b, c->tid);
	if (c->answer != NULL)
		put_text(b, c->answer);
	if (c->key != NULL)
		put_text(b, c->key);
	if (c->tries != NULL) {
		put(b, c->tries->n, 2);
		for (size_t i = 0; i < c->tries->n; i++)
			put_num(b, c->tries->ms[i]);
	}
	if (c->grant)
		put_num(b, c->fenced_until_ms);
}

static void
put_hold(struct buf *b, const struct change *c)
{
	put(b, c->seq, 8);
	put_text(b, c->cid);
	put_text(b, c->order);
	put_text(b, c->user);
	put_text(b, c->room);
	put_text(b, c->fingerprint);
	put_text(b, c->attempt);
	put_set(b, &c->set);
	put_life(b, &c->life);
	put_parts(b, c);
}

void
record_begin(struct buf *record, struct now now)
{
	buf_init(record, RECORD_MAX);
	put(record, RECORD_VERSION, 1);
	put_num(record, now.boot_ms);
	put_num(record, now.wall_ms);
}

void
record_add(struct buf *record, const struct change *c)
{
	put(record, c->kind, 1);
	switch (c->kind) {
	case CHANGE_HOLD:
		put(record, c->id, 8);
		put_hold(record, c);
		break;
	case CHANGE_LIFE:
		put(record, c->id, 8);
		put_life(record, &c->life);
		put_parts(record, c);
		break;
	case CHANGE_DROP:
		put(record, c->id, 8);
		break;
	case CHANGE_ORDER:
		put_text(record, c->cid);
		put_text(record, c->order);
		put_num(record, c->last_n);
		put_num(record, c->until_ms);
		put(record, c->paid, 1);
		break;
	case CHANGE_FORGET:
		put_text(record, c->cid);
		put_text(record, c->order);
		break;
	case CHANGE_COUNTERS:
		put(record, c->last_id, 8);
		put(record, c->last_token, 8);
		put(record, c->last_seq, 8);
		break;
	case CHANGE_GATE:
		put(record, c->closed, 1);
		break;
	}
}

/* ---- reading */

static uint64_t
get(struct record_reader *r, size_t bytes)
{
	uint64_t v = 0;

	if (r->bad || (size_t)(r->end - r->p) < bytes) {
		r->bad = true;
		return 0;
	}
	for (size_t i = 0; i < bytes; i++)
		v |= (uint64_t)*r->p++ << (8 * i);
	return v;
}

static void
demand(struct record_reader *r, bool ok)
{
	if (!ok)
		r->bad = true;
}

static uint64_t
get_upto(struct record_reader *r, size_t bytes, uint64_t max)
{
	uint64_t v = get(r, bytes);

	demand(r, v <= max);
	return r->bad ? 0 : v;
}

static int64_t
get_time(struct record_reader *r)
{
	int64_t v = (int64_t)get(r, 8);

	demand(r, v >= -TIME_MAX_MS && v <= TIME_MAX_MS);
	return r->bad ? 0 : v;
}

static int64_t
get_due(struct record_reader *r)
{
	int64_t v = (int64_t)get(r, 8);

	demand(r, v == INT64_MAX || (v >= -TIME_MAX_MS && v <= TIME_MAX_MS));
	return r->bad ? INT64_MAX : v;
}

/* cap counts the NUL. "" if the record is bad. */
static const char *
get_text(struct record_reader *r, size_t cap)
{
	size_t len = get_upto(r, 2, cap - 1);
	const char *s = (const char *)r->p;

	if (r->bad || (size_t)(r->end - r->p) < len + 1 || memchr(s, '\0', len + 1) != s + len) {
		r->bad = true;
		return "";
	}
	r->p += len + 1;
	return s;
}

static void
get_set(struct record_reader *r, struct interval_set *s)
{
	s->n = get_upto(r, 1, INTERVALS_MAX);
	demand(r, s->n > 0);
	for (size_t i = 0; i < s->n && !r->bad; i++) {
		s->iv[i].start = (int16_t)get_upto(r, 2, WEEK_MINUTES);
		s->iv[i].end = (int16_t)get_upto(r, 2, WEEK_MINUTES);
		demand(r,
		    s->iv[i].start < s->iv[i].end &&
			s->iv[i].start / DAY_MINUTES == (s->iv[i].end - 1) / DAY_MINUTES);
		demand(r, i == 0 || s->iv[i - 1].end <= s->iv[i].start);
	}
}

static void
get_life(struct record_reader *r, struct hold_life *l)
{
	uint64_t flags;

	l->state = (enum hold_state)get_upto(r, 1, HOLD__MAX - 1);
	l->before = (enum hold_state)get_upto(r, 1, HOLD__MAX - 1);
	flags = get_upto(r, 1, LIFE__ALL);
	l->doubt = (flags & LIFE_DOUBT) != 0;
	l->paid = (flags & LIFE_PAID) != 0;
	l->guarded = (flags & LIFE_GUARDED) != 0;
	l->replaces[0] = get(r, 8);
	l->replaces[1] = get(r, 8);
	l->token = get(r, 8);
	l->n = (int64_t)get_upto(r, 8, INT64_MAX);
	l->since_ms = get_time(r);
	l->due_ms = get_due(r);
	l->expires_ms = get_time(r);
	l->window_ms = get_time(r);
	l->deadline_ms = get_time(r);
}

static void
get_parts(struct record_reader *r, struct change *c)
{
	uint64_t has = get_upto(r, 1, HAS__ALL);

	if (has & HAS_TID)
		c->tid = get_text(r, TID_CAP);
	if (has & HAS_ANSWER)
		c->answer = get_text(r, ANSWER_MAX + 1);
	if (has & HAS_KEY)
		c->key = get_text(r, KEY_CAP);
	if (has & HAS_TRIES) {
		r->tries.n = get_upto(r, 2, TRIES_MAX);
		for (size_t i = 0; i < r->tries.n; i++)
			r->tries.ms[i] = get_time(r);
		c->tries = &r->tries;
	}
	if (has & HAS_GRANT) {
		c->grant = true;
		c->fenced_until_ms = get_time(r);
	}
}

static void
get_hold(struct record_reader *r, struct change *c)
{
	c->seq = get(r, 8);
	c->cid = get_text(r, CID_CAP);
	c->order = get_text(r, ORDER_CAP);
	c->user = get_text(r, USER_CAP);
	c->room = get_text(r, ROOM_CAP);
	c->fingerprint = get_text(r, KEY_CAP);
	c->attempt = get_text(r, ATTEMPT_MAX + 1);
	get_set(r, &c->set);
	get_life(r, &c->life);
	get_parts(r, c);
}

bool
record_open(struct record_reader *r, const void *record, size_t len)
{
	r->p = record;
	r->end = r->p + len;
	r->bad = false;
	r->tries.n = 0;
	demand(r, get(r, 1) == RECORD_VERSION);
	r->now.boot_ms = get_time(r);
	r->now.wall_ms = get_time(r);
	return !r->bad;
}

bool
record_next(struct record_reader *r, struct change *c)
{
	if (r->bad || r->p == r->end)
		return false;
	memset(c, 0, sizeof(*c));
	c->kind = (enum change_kind)get_upto(r, 1, CHANGE_GATE);
	switch (c->kind) {
	case CHANGE_HOLD:
		c->id = get(r, 8);
		get_hold(r, c);
		break;
	case CHANGE_LIFE:
		c->id = get(r, 8);
		get_life(r, &c->life);
		get_parts(r, c);
		break;
	case CHANGE_DROP:
		c->id = get(r, 8);
		break;
	case CHANGE_ORDER:
		c->cid = get_text(r, CID_CAP);
		c->order = get_text(r, ORDER_CAP);
		c->last_n = (int64_t)get_upto(r, 8, INT64_MAX);
		c->until_ms = get_time(r);
		c->paid = get_upto(r, 1, 1) != 0;
		break;
	case CHANGE_FORGET:
		c->cid = get_text(r, CID_CAP);
		c->order = get_text(r, ORDER_CAP);
		break;
	case CHANGE_COUNTERS:
		c->last_id = get(r, 8);
		c->last_token = get(r, 8);
		c->last_seq = get(r, 8);
		break;
	case CHANGE_GATE:
		c->closed = get_upto(r, 1, 1) != 0;
		break;
	default:
		r->bad = true;
		break;
	}
	return !r->bad;
}
