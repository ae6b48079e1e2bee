#include "config.h"

#include "queue/wire/verb.h"

#include <assert.h>
#include <string.h>

/* A page ends with the hold that exceeds this; its 64 intervals still fit into a line. */
enum { LIST_PAGE_MAX = 24 * 1024 };

static const char *const find_words[] = {
	[FIND_PLACE] = "place",
	[FIND_APPROVED_OLDEST] = "approved-oldest",
	[FIND_REMOVED_LAST] = "removed-last",
};

static bool
decide_hold(struct hold_table *t, const struct proto_message *m, const struct hold_load *load,
    struct now now, struct hold_answer *out, struct error *err)
{
	struct hold_request rq = {
		.cid = proto_text(m, ARG_CID),
		.order = proto_text(m, ARG_ORDER),
		.user = proto_text(m, ARG_USER),
		.room = proto_text(m, ARG_ROOM),
		.fingerprint = proto_text(m, ARG_FINGERPRINT),
		.attempt = proto_text(m, ARG_ATTEMPT),
		.ttl_ms = proto_num(m, ARG_TTL_MS),
		.call_ms = proto_num(m, ARG_CALL_MS),
	};

	if (!interval_set_parse(proto_text(m, ARG_SET), &rq.set, err))
		return error_wrap(err, "set");
	return hold_table_hold(t, &rq, load, now, out, err);
}

static bool
decide_ready(struct hold_table *t, const struct proto_message *m, const struct hold_load *load,
    struct now now, struct hold_answer *out, struct error *err)
{
	(void)load;
	return hold_table_ready(t, (uint64_t)proto_num(m, ARG_ID), proto_text(m, ARG_TID),
	    proto_text(m, ARG_ANSWER), now, out, err);
}

static bool
decide_fail(struct hold_table *t, const struct proto_message *m, const struct hold_load *load,
    struct now now, struct hold_answer *out, struct error *err)
{
	(void)load;
	return hold_table_fail(t, (uint64_t)proto_num(m, ARG_ID), proto_num(m, ARG_PAID) != 0, now,
	    out, err);
}

static bool
decide_find(struct hold_table *t, const struct proto_message *m, const struct hold_load *load,
    struct now now, struct hold_answer *out, struct error *err)
{
	(void)load;
	for (size_t i = 0; i < sizeof(find_words) / sizeof(find_words[0]); i++)
		if (strcmp(find_words[i], proto_text(m, ARG_WHAT)) == 0) {
			hold_table_find(t, (enum hold_find_what)i, proto_text(m, ARG_USER),
			    proto_text(m, ARG_ROOM), now, out);
			return true;
		}
	return error_set(err, ERR_INPUT, "what must be place, approved-oldest or removed-last");
}

static bool
decide_find_tid(struct hold_table *t, const struct proto_message *m, const struct hold_load *load,
    struct now now, struct hold_answer *out, struct error *err)
{
	(void)load;
	(void)err;
	hold_table_find_tid(t, proto_text(m, ARG_TID), now, out);
	return true;
}

static bool
decide_find_order(struct hold_table *t, const struct proto_message *m, const struct hold_load *load,
    struct now now, struct hold_answer *out, struct error *err)
{
	(void)load;
	(void)err;
	hold_table_find_order(t, proto_text(m, ARG_CID), proto_text(m, ARG_ORDER), now, out);
	return true;
}

static bool
decide_approve(struct hold_table *t, const struct proto_message *m, const struct hold_load *load,
    struct now now, struct hold_answer *out, struct error *err)
{
	return hold_table_approve(t, (uint64_t)proto_num(m, ARG_ID), proto_num(m, ARG_N),
	    proto_text(m, ARG_KEY), proto_num(m, ARG_DEADLINE) - now.boot_ms, load, now, out, err);
}

static bool
decide_approve_first(struct hold_table *t, const struct proto_message *m,
    const struct hold_load *load, struct now now, struct hold_answer *out, struct error *err)
{
	const struct hold_first rq = {
		.user = proto_text(m, ARG_USER),
		.room = proto_text(m, ARG_ROOM),
		.cids = proto_text(m, ARG_CIDS),
		.key = proto_text(m, ARG_KEY),
		.deadline_ms = proto_num(m, ARG_DEADLINE) - now.boot_ms,
	};

	return hold_table_approve_first(t, &rq, load, now, out, err);
}

static bool
decide_outcome(struct hold_table *t, const struct proto_message *m, const struct hold_load *load,
    struct now now, struct hold_answer *out, struct error *err)
{
	enum hold_outcome o;

	(void)load;
	if (!hold_outcome_parse(proto_text(m, ARG_OUTCOME), &o))
		return error_set(err, ERR_INPUT, "outcome is unknown");
	return hold_table_outcome(t, (uint64_t)proto_num(m, ARG_ID),
	    (uint64_t)proto_num(m, ARG_TOKEN), o, proto_num(m, ARG_N), now, out, err);
}

static bool
decide_remove(struct hold_table *t, const struct proto_message *m, const struct hold_load *load,
    struct now now, struct hold_answer *out, struct error *err)
{
	bool by_reservation = strcmp(proto_text(m, ARG_BY), "reservation") == 0;

	(void)load;
	if (!by_reservation && strcmp(proto_text(m, ARG_BY), "gateway") != 0)
		return error_set(err, ERR_INPUT, "by must be reservation or gateway");
	return hold_table_remove(t, (uint64_t)proto_num(m, ARG_ID), by_reservation,
	    proto_num(m, ARG_N), now, out, err);
}

static bool
decide_next(struct hold_table *t, const struct proto_message *m, const struct hold_load *load,
    struct now now, struct hold_answer *out, struct error *err)
{
	(void)load;
	(void)err;
	hold_table_next(t, (uint64_t)proto_num(m, ARG_AFTER), now, out);
	return true;
}

static bool
decide_overdue(struct hold_table *t, const struct proto_message *m, const struct hold_load *load,
    struct now now, struct hold_answer *out, struct error *err)
{
	(void)load;
	(void)err;
	hold_table_overdue(t, (uint64_t)proto_num(m, ARG_AFTER), now, out);
	return true;
}

static bool
decide_remember(struct hold_table *t, const struct proto_message *m, const struct hold_load *load,
    struct now now, struct hold_answer *out, struct error *err)
{
	(void)load;
	return hold_table_remember(t, proto_text(m, ARG_CID), proto_text(m, ARG_ORDER),
	    proto_num(m, ARG_LAST_N), proto_num(m, ARG_PAID) != 0, now, out, err);
}

static bool
decide_take_over(struct hold_table *t, const struct proto_message *m, const struct hold_load *load,
    struct now now, struct hold_answer *out, struct error *err)
{
	struct hold_handover h = {
		.cid = proto_text(m, ARG_CID),
		.order = proto_text(m, ARG_ORDER),
		.user = proto_text(m, ARG_USER),
		.room = proto_text(m, ARG_ROOM),
		.tid = proto_text(m, ARG_TID),
		.attempt = proto_text(m, ARG_ATTEMPT),
		.key = proto_has(m, ARG_KEY) ? proto_text(m, ARG_KEY) : NULL,
		.token = (uint64_t)proto_num(m, ARG_TOKEN),
		.n = proto_num(m, ARG_N),
		.last_n = proto_num(m, ARG_LAST_N),
		.window_ms = proto_num(m, ARG_WINDOW_MS),
	};

	(void)load;
	if (!interval_set_parse(proto_text(m, ARG_SET), &h.set, err))
		return error_wrap(err, "set");
	if (!hold_state_parse(proto_text(m, ARG_STATE), &h.state))
		return error_set(err, ERR_INPUT, "state is unknown");
	return hold_table_take_over(t, &h, now, out, err);
}

static bool
decide_admit(struct hold_table *t, const struct proto_message *m, const struct hold_load *load,
    struct now now, struct hold_answer *out, struct error *err)
{
	(void)load;
	return hold_table_admit(t, proto_num(m, ARG_ADOPTED) != 0,
	    (uint64_t)proto_num(m, ARG_TOKEN), now, out, err);
}

const char *
verb_find_word(enum hold_find_what what)
{
	return find_words[what];
}

#define B(f) PROTO_BIT(ARG_##f)
static const struct verb verbs[] = {
	[VERB_HELLO] = { .name = "hello" },
	[VERB_HOLD] = {
		.name = "hold",
		.needs = B(CID) | B(ORDER) | B(USER) | B(ROOM) | B(SET) | B(FINGERPRINT) |
		    B(ATTEMPT) | B(TTL_MS) | B(CALL_MS) | B(DEADLINE),
		.waits = true, .decide = decide_hold, .promises = PROMISE_HOLD,
		.begins = CALL_READY,
	},
	[VERB_READY] = {
		.name = "ready", .needs = B(ID) | B(TID) | B(ANSWER),
		.decide = decide_ready, .ends = CALL_READY,
	},
	[VERB_FAIL] = {
		.name = "fail", .needs = B(ID) | B(PAID), .may = B(FAILURE),
		.decide = decide_fail, .ends = CALL_READY, .failed = true, .current = true,
	},
	[VERB_FIND] = {
		.name = "find", .needs = B(WHAT) | B(USER) | B(ROOM), .decide = decide_find,
	},
	[VERB_FIND_TID] = { .name = "find-tid", .needs = B(TID), .decide = decide_find_tid },
	[VERB_FIND_ORDER] = {
		.name = "find-order", .needs = B(CID) | B(ORDER),
		.decide = decide_find_order, .current = true,
	},
	[VERB_APPROVE] = {
		.name = "approve", .needs = B(ID) | B(N) | B(KEY) | B(DEADLINE),
		.waits = true, .decide = decide_approve, .promises = PROMISE_OUTCOME,
		.begins = CALL_APPROVE, .notes = NOTE_STATE,
	},
	[VERB_APPROVE_FIRST] = {
		.name = "approve-first",
		.needs = B(USER) | B(ROOM) | B(CIDS) | B(KEY) | B(DEADLINE) | B(UNTIL),
		.waits = true, .decide = decide_approve_first, .promises = PROMISE_OUTCOME,
		.begins = CALL_APPROVE, .notes = NOTE_STATE,
	},
	[VERB_OUTCOME] = {
		.name = "outcome", .needs = B(ID) | B(TOKEN) | B(OUTCOME) | B(N),
		.decide = decide_outcome, .ends = CALL_APPROVE, .notes = NOTE_NUMBER,
	},
	[VERB_REMOVE] = {
		.name = "remove", .needs = B(ID) | B(BY) | B(N),
		.decide = decide_remove, .notes = NOTE_NUMBER,
	},
	[VERB_OVERDUE] = { .name = "overdue", .may = B(AFTER), .decide = decide_overdue },
	[VERB_NEXT] = { .name = "next", .may = B(AFTER), .decide = decide_next },
	[VERB_REMEMBER] = {
		.name = "remember", .needs = B(CID) | B(ORDER) | B(LAST_N) | B(PAID),
		.may = B(USER) | B(ROOM) | B(TID) | B(ATTEMPT) | B(STATE) | B(KEY) | B(TOKEN) |
		    B(N),
		.decide = decide_remember, .notes = NOTE_TOLD,
	},
	[VERB_TAKE_OVER] = {
		.name = "take-over",
		.needs = B(CID) | B(ORDER) | B(USER) | B(ROOM) | B(TID) | B(SET) | B(ATTEMPT) |
		    B(STATE) | B(TOKEN) | B(N) | B(LAST_N),
		.may = B(KEY) | B(WINDOW_MS), .decide = decide_take_over, .notes = NOTE_STATE,
	},
	[VERB_ADMIT] = { .name = "admit", .needs = B(ADOPTED) | B(TOKEN), .decide = decide_admit },
	[VERB_LIST] = { .name = "list", .needs = B(ROOM), .may = B(AFTER) },
	[VERB_STATS] = { .name = "stats" },
	[VERB_INQUIRE] = { .name = "inquire", .needs = B(ID) },
	[VERB_POKE] = { .name = "poke" },
	[VERB_WATCH] = { .name = "watch", .needs = B(SEEN) | B(DEADLINE), .waits = true },
};
static_assert(sizeof(verbs) / sizeof(verbs[0]) == VERB__MAX, "a row for each verb");

const struct verb *
verb_get(enum verb_id id)
{
	return &verbs[id];
}

const char *
verb_name(enum verb_id id)
{
	return verbs[id].name;
}

bool
verb_check(const struct proto_message *m, enum verb_id *out, struct error *err)
{
	enum verb_id id = 0;

	while (id < VERB__MAX && strcmp(verbs[id].name, m->word) != 0)
		id++;
	if (id == VERB__MAX)
		return error_set(err, ERR_INPUT, "%s is not a verb", m->word);
	for (enum proto_field f = 0; f < ARG__MAX; f++) {
		if ((verbs[id].needs & PROTO_BIT(f)) != 0 && !proto_has(m, f))
			return error_set(err, ERR_INPUT, "%s needs %s", verbs[id].name,
			    proto_field_name(f));
		if (((verbs[id].needs | verbs[id].may) & PROTO_BIT(f)) == 0 && proto_has(m, f))
			return error_set(err, ERR_INPUT, "%s has no argument %s", verbs[id].name,
			    proto_field_name(f));
	}
	*out = id;
	return true;
}

static void
set_nonzero(struct proto_message *m, enum proto_field f, int64_t n)
{
	if (n != 0)
		proto_set_num(m, f, n);
}

static void
set_or_nothing(struct proto_message *m, enum proto_field f, const char *s)
{
	if (s != NULL)
		proto_set_text(m, f, s);
}

static void
set_view(struct proto_message *m, const struct hold_view *h)
{
	proto_set_num(m, ARG_ID, (int64_t)h->id);
	proto_set_text(m, ARG_STATE, hold_state_name(h->state));
	proto_set_text(m, ARG_BEFORE, hold_state_name(h->before));
	set_or_nothing(m, ARG_CID, h->cid);
	set_or_nothing(m, ARG_ORDER, h->order);
	set_or_nothing(m, ARG_USER, h->user);
	set_or_nothing(m, ARG_ROOM, h->room);
	set_or_nothing(m, ARG_TID, h->tid);
	set_or_nothing(m, ARG_ATTEMPT, h->attempt);
	set_or_nothing(m, ARG_ANSWER, h->answer);
	set_nonzero(m, ARG_EXPIRES, h->expires_boot_ms);
	set_nonzero(m, ARG_WINDOW, h->window_boot_ms);
	set_nonzero(m, ARG_TOKEN, (int64_t)h->token);
	set_nonzero(m, ARG_N, h->n);
	set_nonzero(m, ARG_DEADLINE, h->deadline_boot_ms);
	set_nonzero(m, ARG_LAST_N, h->last_n);
}

void
verb_answer(struct proto_message *m, const char *tag, const struct hold_answer *a,
    struct buf *conflicts)
{
	proto_begin(m, tag, hold_answer_name(a->code));
	if (a->hold.id != 0)
		set_view(m, &a->hold);
	else
		set_nonzero(m, ARG_LAST_N, a->hold.last_n); /* the order is known */
	if (a->conflicts.n > 0) {
		interval_set_format(&a->conflicts, conflicts);
		proto_set_text(m, ARG_CONFLICTS, buf_str(conflicts));
	}
	set_nonzero(m, ARG_RETRY_MS, a->retry_ms);
}

void
verb_hello(struct proto_message *m, const char *tag, const struct hold_table *t, const char *fence)
{
	const char *cid, *order;
	int64_t last_n;

	hold_table_newest(t, &cid, &order, &last_n);
	proto_begin(m, tag, "ok");
	proto_set_text(m, ARG_FENCE, hold_table_is_closed(t) ? "new" : fence);
	proto_set_num(m, ARG_VERSION, PROTO_VERSION);
	proto_set_text(m, ARG_CID, cid);
	proto_set_text(m, ARG_ORDER, order);
	set_nonzero(m, ARG_LAST_N, last_n);
}

struct page {
	struct buf *held;
	uint64_t after, last;
	bool more;
};

static bool
list_one(void *ctx, const struct hold_view *h, const struct interval_set *set)
{
	struct page *p = ctx;

	if (h->id <= p->after)
		return true;
	if (p->held->len > LIST_PAGE_MAX) {
		p->more = true;
		return false;
	}
	for (size_t i = 0; i < set->n; i++)
		buf_printf(p->held, "%s%d-%d:%s", p->held->len == 0 ? "" : ",", set->iv[i].start,
		    set->iv[i].end, hold_state_name(h->state));
	p->last = h->id;
	return true;
}

void
verb_list(const struct hold_table *t, const char *room, uint64_t after, struct now now,
    struct buf *held, uint64_t *next)
{
	struct page p = { .held = held, .after = after };

	hold_table_each(t, room, now, list_one, &p);
	*next = p.more ? p.last : 0;
}

void
verb_stats(const struct hold_table *t, struct buf *counts)
{
	struct hold_stats s;

	hold_table_stats(t, &s);
	for (enum hold_state i = 0; i < HOLD__MAX; i++)
		buf_printf(counts, "%s:%lld,", hold_state_name(i), (long long)s.by_state[i]);
	buf_printf(counts, "guards:%lld,orders:%lld,refused_slot:%lld", (long long)s.guards,
	    (long long)s.orders, (long long)s.refused_slot);
}
