#include "config.h"

#include "queue/client/queue.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "queue/wire/proto.h"
#include "queue/client/transport.h"
#include "queue/wire/verb.h"

struct queue {
	struct transport *transport;
	struct buf line, in, set; /* of the exchange under way; texts of m point into them */
	struct proto_message m;	  /* the request, then its answer */
	uint32_t tag;
	int64_t pokes_seen;
};

struct queue *
queue_over(struct transport *t)
{
	struct queue *q = t == NULL ? NULL : calloc(1, sizeof(*q));

	if (q == NULL) {
		if (t != NULL)
			t->free(&t);
		return NULL;
	}
	q->transport = t;
	return q;
}

struct queue *
queue_open_unix(const char *path)
{
	return queue_over(client_new(path));
}

void
queue_free(struct queue **q)
{
	if (*q == NULL)
		return;
	(*q)->transport->free(&(*q)->transport);
	buf_clear(&(*q)->line);
	buf_clear(&(*q)->in);
	buf_clear(&(*q)->set);
	free(*q);
	*q = NULL;
}

void
queue_expect(struct queue *q, const char *id)
{
	size_t len = strlen(id);

	assert(len < sizeof(q->transport->expected));
	memcpy(q->transport->expected, id, len + 1);
}

static struct proto_message *
begin(struct queue *q, enum verb_id verb)
{
	static const char digits[] = "0123456789abcdef";
	char tag[9];
	uint32_t n = ++q->tag;

	for (int i = 7; i >= 0; i--, n >>= 4)
		tag[i] = digits[n & 15];
	tag[8] = '\0';
	proto_begin(&q->m, tag, verb_name(verb));
	return &q->m;
}

static bool
distrust(struct queue *q, struct error *err, const char *why)
{
	q->transport->reset(q->transport);
	return error_set(err, ERR_UNAVAILABLE, "the queue's answer %s", why);
}

/* q->m as the line that is sent. */
static bool
write_line(struct queue *q, struct error *err)
{
	buf_reset(&q->line);
	proto_format(&q->m, &q->line);
	return !q->line.bad || error_set(err, ERR_INTERNAL, "out of memory");
}

/* Sends q->m, and puts the answer into q->m. */
static bool
ask(struct queue *q, bool waits, int64_t deadline_boot_ms, struct error *err)
{
	char tag[PROTO_TAG_CAP];
	struct error why;

	memcpy(tag, q->m.tag, sizeof(tag));
	buf_reset(&q->in);
	if (!write_line(q, err))
		return false;
	if (!q->transport->exchange(q->transport, tag, &q->line, waits, deadline_boot_ms, &q->in,
		err))
		return false;
	if (q->in.bad || q->in.len == 0 ||
	    proto_parse(q->in.data, q->in.len, &q->m, &why) != PROTO_OK)
		return distrust(q, err, "cannot be parsed");
	if (strcmp(q->m.tag, tag) != 0)
		return distrust(q, err, "has the tag of another request");
	if (strcmp(q->m.word, "unavailable") == 0)
		return error_set(err, ERR_UNAVAILABLE, "queue: %s", proto_text(&q->m, ARG_MESSAGE));
	if (strcmp(q->m.word, "error") == 0)
		return error_set(err, ERR_INTERNAL, "queue: %s", proto_text(&q->m, ARG_MESSAGE));
	return true;
}

/* For verbs with one possible answer: ok. */
static bool
ask_ok(struct queue *q, bool waits, int64_t deadline_boot_ms, struct error *err)
{
	if (!ask(q, waits, deadline_boot_ms, err))
		return false;
	return strcmp(q->m.word, "ok") == 0 ||
	    distrust(q, err, "has a word that its verb does not have");
}

/* Sends q->m and does not wait: nothing follows from its answer. */
static bool
tell(struct queue *q, int64_t deadline_boot_ms, struct error *err)
{
	if (q->transport->tell == NULL)
		return ask(q, false, deadline_boot_ms, err);
	return write_line(q, err) &&
	    q->transport->tell(q->transport, &q->line, deadline_boot_ms, err);
}

static bool
take_code(const char *word, enum hold_answer_code *out)
{
	for (enum hold_answer_code c = 0; c < HA__MAX; c++)
		if (strcmp(hold_answer_name(c), word) == 0) {
			*out = c;
			return true;
		}
	return false;
}

/* It fits: proto_parse has checked the length by the table of fields. */
static void
take_text(const struct proto_message *m, enum proto_field f, char *to, size_t cap)
{
	size_t len = strlen(proto_text(m, f));

	assert(len < cap);
	memcpy(to, proto_text(m, f), len + 1);
}
#define TAKE_TEXT(m, f, to) take_text((m), (f), (to), sizeof(to))

static bool
take_hold(const struct proto_message *m, struct queue_hold *h)
{
	h->state = h->before = HOLD_HELD;
	if (proto_has(m, ARG_ID) &&
	    (!hold_state_parse(proto_text(m, ARG_STATE), &h->state) ||
		!hold_state_parse(proto_text(m, ARG_BEFORE), &h->before)))
		return false;
	h->id = (uint64_t)proto_num(m, ARG_ID);
	TAKE_TEXT(m, ARG_CID, h->cid);
	TAKE_TEXT(m, ARG_ORDER, h->order);
	TAKE_TEXT(m, ARG_USER, h->user);
	TAKE_TEXT(m, ARG_ROOM, h->room);
	TAKE_TEXT(m, ARG_TID, h->tid);
	TAKE_TEXT(m, ARG_ATTEMPT, h->attempt);
	TAKE_TEXT(m, ARG_ANSWER, h->answer);
	h->expires_boot_ms = proto_num(m, ARG_EXPIRES);
	h->window_boot_ms = proto_num(m, ARG_WINDOW);
	h->deadline_boot_ms = proto_num(m, ARG_DEADLINE);
	h->token = (uint64_t)proto_num(m, ARG_TOKEN);
	h->n = proto_num(m, ARG_N);
	h->last_n = proto_num(m, ARG_LAST_N);
	return true;
}

/* Everything except the code. Fields that m does not have become empty, one by one: clearing the
 * whole struct would cost 17 KiB a request. Returns NULL, or what is wrong. */
static const char *
take_answer(const struct proto_message *m, struct queue_answer *out)
{
	out->conflicts.n = 0;
	out->retry_ms = proto_num(m, ARG_RETRY_MS);
	TAKE_TEXT(m, ARG_FAILURE, out->failure);
	if (!take_hold(m, &out->hold))
		return "names an unknown state";
	if (proto_has(m, ARG_CONFLICTS) &&
	    !interval_set_parse(proto_text(m, ARG_CONFLICTS), &out->conflicts, NULL))
		return "has invalid intervals";
	return NULL;
}

static bool
ask_rule(struct queue *q, bool waits, int64_t deadline_boot_ms, struct queue_answer *out,
    struct error *err)
{
	static const struct proto_message nothing;
	const char *why;

	out->code = HA_OK;
	take_answer(&nothing, out);
	if (!ask(q, waits, deadline_boot_ms, err))
		return false;
	if (!take_code(q->m.word, &out->code) || out->code == HA_WAIT)
		return distrust(q, err, "has a word that its verb does not have");
	why = take_answer(&q->m, out);
	return why == NULL || distrust(q, err, why);
}

bool
queue_hold(struct queue *q, const struct hold_request *rq, int64_t deadline_boot_ms,
    struct queue_answer *out, struct error *err)
{
	struct proto_message *m = begin(q, VERB_HOLD);

	buf_reset(&q->set);
	interval_set_format(&rq->set, &q->set);
	proto_set_text(m, ARG_CID, rq->cid);
	proto_set_text(m, ARG_ORDER, rq->order);
	proto_set_text(m, ARG_USER, rq->user);
	proto_set_text(m, ARG_ROOM, rq->room);
	proto_set_text(m, ARG_SET, buf_str(&q->set));
	proto_set_text(m, ARG_FINGERPRINT, rq->fingerprint);
	proto_set_text(m, ARG_ATTEMPT, rq->attempt);
	proto_set_num(m, ARG_TTL_MS, rq->ttl_ms);
	proto_set_num(m, ARG_CALL_MS, rq->call_ms);
	proto_set_num(m, ARG_DEADLINE, deadline_boot_ms);
	if (q->set.bad)
		return error_set(err, ERR_INTERNAL, "out of memory");
	return ask_rule(q, true, deadline_boot_ms, out, err);
}

bool
queue_ready(struct queue *q, uint64_t id, const char *tid, const char *answer,
    int64_t deadline_boot_ms, struct queue_answer *out, struct error *err)
{
	struct proto_message *m = begin(q, VERB_READY);

	proto_set_num(m, ARG_ID, (int64_t)id);
	proto_set_text(m, ARG_TID, tid);
	proto_set_text(m, ARG_ANSWER, answer);
	return ask_rule(q, false, deadline_boot_ms, out, err);
}

bool
queue_fail(struct queue *q, uint64_t id, bool paid, const char *failure, int64_t deadline_boot_ms,
    struct error *err)
{
	struct proto_message *m = begin(q, VERB_FAIL);

	proto_set_num(m, ARG_ID, (int64_t)id);
	proto_set_num(m, ARG_PAID, paid);
	proto_set_text(m, ARG_FAILURE, failure == NULL ? "" : failure);
	return ask_ok(q, false, deadline_boot_ms, err);
}

bool
queue_find(struct queue *q, enum hold_find_what what, const char *user, const char *room,
    int64_t deadline_boot_ms, struct queue_answer *out, struct error *err)
{
	struct proto_message *m = begin(q, VERB_FIND);

	proto_set_text(m, ARG_WHAT, verb_find_word(what));
	proto_set_text(m, ARG_USER, user);
	proto_set_text(m, ARG_ROOM, room);
	return ask_rule(q, false, deadline_boot_ms, out, err);
}

bool
queue_find_tid(struct queue *q, const char *tid, int64_t deadline_boot_ms, struct queue_answer *out,
    struct error *err)
{
	proto_set_text(begin(q, VERB_FIND_TID), ARG_TID, tid);
	return ask_rule(q, false, deadline_boot_ms, out, err);
}

bool
queue_find_order(struct queue *q, const char *cid, const char *order, int64_t deadline_boot_ms,
    struct queue_answer *out, struct error *err)
{
	struct proto_message *m = begin(q, VERB_FIND_ORDER);

	proto_set_text(m, ARG_CID, cid);
	proto_set_text(m, ARG_ORDER, order);
	return ask_rule(q, false, deadline_boot_ms, out, err);
}

bool
queue_approve(struct queue *q, uint64_t id, int64_t n, const char *key, int64_t deadline_boot_ms,
    struct queue_answer *out, struct error *err)
{
	struct proto_message *m = begin(q, VERB_APPROVE);

	proto_set_num(m, ARG_ID, (int64_t)id);
	proto_set_num(m, ARG_N, n);
	proto_set_text(m, ARG_KEY, key);
	proto_set_num(m, ARG_DEADLINE, deadline_boot_ms);
	return ask_rule(q, true, deadline_boot_ms, out, err);
}

bool
queue_approve_first(struct queue *q, const char *user, const char *room, const char *const *cids,
    size_t n_cids, const char *key, int64_t deadline_boot_ms, struct queue_answer *out,
    struct error *err)
{
	struct proto_message *m = begin(q, VERB_APPROVE_FIRST);

	buf_reset(&q->set);
	for (size_t i = 0; i < n_cids; i++) {
		if (i > 0)
			buf_add_char(&q->set, ',');
		buf_add_str(&q->set, cids[i]);
	}
	proto_set_text(m, ARG_USER, user);
	proto_set_text(m, ARG_ROOM, room);
	proto_set_text(m, ARG_CIDS, buf_str(&q->set));
	proto_set_text(m, ARG_KEY, key);
	proto_set_num(m, ARG_DEADLINE, deadline_boot_ms);
	proto_set_num(m, ARG_UNTIL, client_listens_until(deadline_boot_ms));
	if (q->set.bad)
		return error_set(err, ERR_INTERNAL, "out of memory");
	return ask_rule(q, true, deadline_boot_ms, out, err);
}

bool
queue_outcome(struct queue *q, uint64_t id, uint64_t token, enum hold_outcome o, int64_t n,
    int64_t deadline_boot_ms, struct queue_answer *out, struct error *err)
{
	struct proto_message *m = begin(q, VERB_OUTCOME);

	proto_set_num(m, ARG_ID, (int64_t)id);
	proto_set_num(m, ARG_TOKEN, (int64_t)token);
	proto_set_text(m, ARG_OUTCOME, hold_outcome_name(o));
	proto_set_num(m, ARG_N, n);
	return out == NULL ? tell(q, deadline_boot_ms, err)
			   : ask_rule(q, false, deadline_boot_ms, out, err);
}

bool
queue_remove(struct queue *q, uint64_t id, bool by_reservation, int64_t n, int64_t deadline_boot_ms,
    struct queue_answer *out, struct error *err)
{
	struct proto_message *m = begin(q, VERB_REMOVE);

	proto_set_num(m, ARG_ID, (int64_t)id);
	proto_set_text(m, ARG_BY, by_reservation ? "reservation" : "gateway");
	proto_set_num(m, ARG_N, n);
	return ask_rule(q, false, deadline_boot_ms, out, err);
}

static bool
take_digits(const char **s, int64_t *out)
{
	const char *p = *s;

	for (*out = 0; *p >= '0' && *p <= '9' && *out < INT64_MAX / 10 - 1; p++)
		*out = *out * 10 + (*p - '0');
	if (p == *s)
		return false;
	*s = p;
	return true;
}

/* "600-720:ready,..." to {"start":600,"end":720,"state":"ready"},... */
static bool
add_held(const char *s, struct buf *json)
{
	while (*s != '\0') {
		char state[17];
		enum hold_state known;
		int64_t start, end;
		size_t len;

		if (!take_digits(&s, &start) || *s++ != '-' || !take_digits(&s, &end) ||
		    *s++ != ':')
			return false;
		len = strcspn(s, ",");
		if (len >= sizeof(state))
			return false;
		memcpy(state, s, len);
		state[len] = '\0';
		if (!hold_state_parse(state, &known))
			return false;
		buf_printf(json, "%s{\"start\":%d,\"end\":%d,\"state\":\"%s\"}",
		    json->data[json->len - 1] == '[' ? "" : ",", (int)start, (int)end, state);
		s += len + (s[len] == ',');
	}
	return true;
}

/* The daemon answers a page at a time. The pages together may not be a picture of one moment. */
bool
queue_list(struct queue *q, const char *room, struct buf *json, int64_t deadline_boot_ms,
    struct error *err)
{
	int64_t after = 0;

	buf_add_char(json, '[');
	do {
		struct proto_message *m = begin(q, VERB_LIST);

		proto_set_text(m, ARG_ROOM, room);
		if (after != 0)
			proto_set_num(m, ARG_AFTER, after);
		if (!ask_ok(q, false, deadline_boot_ms, err))
			return false;
		if (json->bad || !add_held(proto_text(m, ARG_HELD), json))
			return distrust(q, err, "is not a list of intervals");
		if (proto_num(m, ARG_NEXT) != 0 && proto_num(m, ARG_NEXT) <= after)
			return distrust(q, err, "repeats a page");
		after = proto_num(m, ARG_NEXT);
	} while (after != 0);
	buf_add_char(json, ']');
	return !json->bad || error_set(err, ERR_INTERNAL, "out of memory");
}

/* "held:1,ready:0" to {"held":1,"ready":0} */
static bool
add_counts(const char *s, struct buf *json)
{
	buf_add_char(json, '{');
	for (const char *sep = ""; *s != '\0'; sep = ",") {
		size_t len = strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789_-");
		const char *name = s;
		int64_t n;

		s += len;
		if (len == 0 || *s++ != ':' || !take_digits(&s, &n) || (*s != ',' && *s != '\0'))
			return false;
		buf_printf(json, "%s\"%.*s\":%lld", sep, (int)len, name, (long long)n);
		s += *s == ',';
	}
	buf_add_char(json, '}');
	return true;
}

bool
queue_stats(struct queue *q, struct buf *json, int64_t deadline_boot_ms, struct error *err)
{
	begin(q, VERB_STATS);
	if (!ask_ok(q, false, deadline_boot_ms, err))
		return false;
	if (!add_counts(proto_text(&q->m, ARG_COUNTS), json))
		return distrust(q, err, "is not a list of counts");
	return !json->bad || error_set(err, ERR_INTERNAL, "out of memory");
}

bool
queue_inquire(struct queue *q, uint64_t id, int64_t deadline_boot_ms, bool *granted,
    struct error *err)
{
	proto_set_num(begin(q, VERB_INQUIRE), ARG_ID, (int64_t)id);
	if (!ask_ok(q, false, deadline_boot_ms, err))
		return false;
	*granted = !proto_has(&q->m, ARG_RETRY_MS);
	return true;
}

bool
queue_poke(struct queue *q, int64_t deadline_boot_ms, struct error *err)
{
	begin(q, VERB_POKE);
	return tell(q, deadline_boot_ms, err);
}

/* The daemon counts pokes from 0 at its start, so every count other than the last one is news. */
bool
queue_watch(struct queue *q, int64_t wait_ms, bool *poked, struct error *err)
{
	struct proto_message *m = begin(q, VERB_WATCH);
	int64_t deadline_boot_ms = clock_boot_ms() + wait_ms;

	proto_set_num(m, ARG_SEEN, q->pokes_seen);
	proto_set_num(m, ARG_DEADLINE, deadline_boot_ms);
	if (!ask_ok(q, true, deadline_boot_ms, err))
		return false;
	*poked = proto_num(m, ARG_POKES) != q->pokes_seen;
	q->pokes_seen = proto_num(m, ARG_POKES);
	return true;
}

bool
queue_next(struct queue *q, uint64_t after, int64_t deadline_boot_ms, struct queue_answer *out,
    struct error *err)
{
	proto_set_num(begin(q, VERB_NEXT), ARG_AFTER, (int64_t)after);
	return ask_rule(q, false, deadline_boot_ms, out, err);
}

bool
queue_overdue(struct queue *q, uint64_t after, int64_t deadline_boot_ms, struct queue_answer *out,
    struct error *err)
{
	proto_set_num(begin(q, VERB_OVERDUE), ARG_AFTER, (int64_t)after);
	return ask_rule(q, false, deadline_boot_ms, out, err);
}

bool
queue_remember(struct queue *q, const struct order_entry *e, bool paid, int64_t deadline_boot_ms,
    struct queue_answer *out, struct error *err)
{
	struct proto_message *m = begin(q, VERB_REMEMBER);

	proto_set_text(m, ARG_CID, e->cid);
	proto_set_text(m, ARG_ORDER, e->order);
	proto_set_num(m, ARG_LAST_N, e->last_n);
	proto_set_num(m, ARG_PAID, paid);
	if (e->tid[0] != '\0') {
		proto_set_text(m, ARG_TID, e->tid);
		proto_set_text(m, ARG_USER, e->user);
		proto_set_text(m, ARG_ROOM, e->room);
		proto_set_text(m, ARG_STATE, hold_state_name(e->state));
		proto_set_text(m, ARG_ATTEMPT, e->attempt);
		proto_set_text(m, ARG_KEY, e->key);
		proto_set_num(m, ARG_TOKEN, (int64_t)e->token);
		if (e->n > 0)
			proto_set_num(m, ARG_N, e->n);
	}
	return ask_rule(q, false, deadline_boot_ms, out, err);
}

bool
queue_take_over(struct queue *q, const struct hold_handover *h, int64_t deadline_boot_ms,
    struct queue_answer *out, struct error *err)
{
	struct proto_message *m = begin(q, VERB_TAKE_OVER);

	buf_reset(&q->set);
	interval_set_format(&h->set, &q->set);
	proto_set_text(m, ARG_CID, h->cid);
	proto_set_text(m, ARG_ORDER, h->order);
	proto_set_text(m, ARG_USER, h->user);
	proto_set_text(m, ARG_ROOM, h->room);
	proto_set_text(m, ARG_TID, h->tid);
	proto_set_text(m, ARG_SET, buf_str(&q->set));
	proto_set_text(m, ARG_ATTEMPT, h->attempt);
	proto_set_text(m, ARG_KEY, h->key == NULL ? "" : h->key);
	proto_set_text(m, ARG_STATE, hold_state_name(h->state));
	proto_set_num(m, ARG_TOKEN, (int64_t)h->token);
	proto_set_num(m, ARG_N, h->n);
	proto_set_num(m, ARG_LAST_N, h->last_n);
	proto_set_num(m, ARG_WINDOW_MS, h->window_ms < 0 ? 0 : h->window_ms);
	if (q->set.bad)
		return error_set(err, ERR_INTERNAL, "out of memory");
	return ask_rule(q, false, deadline_boot_ms, out, err);
}

bool
queue_admit(struct queue *q, bool adopted, uint64_t token_floor, int64_t deadline_boot_ms,
    struct queue_answer *out, struct error *err)
{
	struct proto_message *m = begin(q, VERB_ADMIT);

	proto_set_num(m, ARG_ADOPTED, adopted);
	proto_set_num(m, ARG_TOKEN, (int64_t)token_floor);
	return ask_rule(q, false, deadline_boot_ms, out, err);
}

bool
queue_hello(struct queue *q, struct queue_greeting *out, int64_t deadline_boot_ms,
    struct error *err)
{
	begin(q, VERB_HELLO);
	if (!ask_ok(q, false, deadline_boot_ms, err))
		return false;
	TAKE_TEXT(&q->m, ARG_QUEUE, out->id);
	TAKE_TEXT(&q->m, ARG_FENCE, out->fence);
	TAKE_TEXT(&q->m, ARG_CID, out->cid);
	TAKE_TEXT(&q->m, ARG_ORDER, out->order);
	out->last_n = proto_num(&q->m, ARG_LAST_N);
	out->up_ms = proto_num(&q->m, ARG_UP_MS);
	return true;
}
