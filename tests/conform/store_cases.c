#include "config.h"

#include "store_cases.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"

enum store_put how;
struct error err;

int64_t
in(int64_t ms)
{
	return clock_boot_ms() + ms;
}

/* --- records */

static void
fill(char *out, size_t cap, const char *piece, int times)
{
	struct buf b = BUF_INIT;

	for (int i = 0; i < times; i++)
		buf_add_str(&b, piece);
	assert_true(b.len < cap);
	memcpy(out, buf_str(&b), b.len + 1);
	buf_clear(&b);
}

const char *
unique(const char *prefix)
{
	static char text[64];
	static int n;

	snprintf(text, sizeof(text), "%s%d", prefix, ++n);
	return text;
}

struct payment
a_payment(const char *tid)
{
	struct payment p = { .aid = "A1",
		.cid = "TC0ONETIME",
		.partner_user_id = "pu",
		.user_id = "u",
		.payment_method_type = "MONEY",
		.quantity = 1,
		.amount = { .total = 2200, .vat = 200 },
		.created_at_ms = 1709601630000,
		.approved_at_ms = 1709601651000 };

	strcpy(p.tid, tid);
	snprintf(p.partner_order_id, sizeof(p.partner_order_id), "o-%s", tid);
	strcpy(p.item_name,
	    "\xec\x8a\xa4\xed\x84\xb0\xeb\x94\x94\xeb\xa3\xb8 2\xec\x8b\x9c\xea\xb0\x84");
	return p;
}

/* Every member as long or as large as it may be. */
static struct payment
a_full_payment(const char *tid)
{
	struct payment p = { .quantity = MAX_WON,
		.created_at_ms = 1,
		.approved_at_ms = 253402300799999,
		.amount = { INT64_MAX, MAX_WON, INT64_MIN, -1, 0 } };

	strcpy(p.tid, tid);
	fill(p.aid, sizeof(p.aid), "a", TID_CAP - 1);
	fill(p.cid, sizeof(p.cid), "\xea\xb0\x80", 10);
	fill(p.partner_order_id, sizeof(p.partner_order_id), "\xf0\x9f\x8d\xb5", 100);
	fill(p.partner_user_id, sizeof(p.partner_user_id), "\"", 100);
	fill(p.user_id, sizeof(p.user_id), "\xed\x95\x9c", 100);
	fill(p.item_name, sizeof(p.item_name), "$.", 50);
	fill(p.payment_method_type, sizeof(p.payment_method_type), "M", 32);
	return p;
}

static void
assert_payment(const struct payment *a, const struct payment *b)
{
	assert_string_equal(a->aid, b->aid);
	assert_string_equal(a->tid, b->tid);
	assert_string_equal(a->cid, b->cid);
	assert_string_equal(a->partner_order_id, b->partner_order_id);
	assert_string_equal(a->partner_user_id, b->partner_user_id);
	assert_string_equal(a->user_id, b->user_id);
	assert_string_equal(a->item_name, b->item_name);
	assert_string_equal(a->payment_method_type, b->payment_method_type);
	assert_int_equal(a->quantity, b->quantity);
	assert_memory_equal(&a->amount, &b->amount, sizeof(a->amount));
	assert_int_equal(a->created_at_ms, b->created_at_ms);
	assert_int_equal(a->approved_at_ms, b->approved_at_ms);
}

struct ledger_event
an_event(const char *order, int64_t n, enum ledger_kind kind, const char *nonce)
{
	struct ledger_event e = { .cid = "TC0ONETIME",
		.n = n,
		.kind = kind,
		.at_ms = 1709601630000,
		.tid = "T1" };

	snprintf(e.partner_order_id, sizeof(e.partner_order_id), "%s", order);
	snprintf(e.nonce, sizeof(e.nonce), "%s", nonce);
	return e;
}

static struct ledger_event
a_full_event(const char *order)
{
	struct ledger_event e = an_event(order, 1, LK_REVIEW, "0123456789abcdef0123456789abcdef");

	fill(e.request_id, sizeof(e.request_id), "r", 64);
	fill(e.by, sizeof(e.by), "b", 32);
	fill(e.tid, sizeof(e.tid), "T", 20);
	fill(e.user_id, sizeof(e.user_id), "\xf0\x9f\x8d\xb5", 100);
	fill(e.room_id, sizeof(e.room_id), "0", 24);
	e.token = INT64_MAX;
	e.deadline_ms = 1709601650000;
	e.window_ms = 1709602530000;
	fill(e.key, sizeof(e.key), "k", 64);
	e.attempt = malloc(ATTEMPT_MAX + 1);
	assert_non_null(e.attempt);
	fill(e.attempt, ATTEMPT_MAX + 1, "\xea\xb0\x80\"\\/\n", ATTEMPT_MAX / 7);
	e.has_payment = true;
	e.payment = a_full_payment("T9");
	e.provider = (struct provider_answer){ .http = 400, .code = -9798 };
	fill(e.provider.message, sizeof(e.provider.message), "\xec\x95\x84", 85);
	fill(e.provider.method_code, sizeof(e.provider.method_code), "M", 63);
	fill(e.provider.status, sizeof(e.provider.status), "s", 23);
	fill(e.reason, sizeof(e.reason), "y", 199);
	return e;
}

static void
assert_event(const struct ledger_event *a, const struct ledger_event *b)
{
	assert_string_equal(a->cid, b->cid);
	assert_string_equal(a->partner_order_id, b->partner_order_id);
	assert_int_equal(a->n, b->n);
	assert_int_equal(a->kind, b->kind);
	assert_int_equal(a->at_ms, b->at_ms);
	assert_string_equal(a->nonce, b->nonce);
	assert_string_equal(a->request_id, b->request_id);
	assert_string_equal(a->by, b->by);
	assert_string_equal(a->tid, b->tid);
	assert_string_equal(a->user_id, b->user_id);
	assert_string_equal(a->room_id, b->room_id);
	assert_int_equal(a->token, b->token);
	assert_int_equal(a->deadline_ms, b->deadline_ms);
	assert_int_equal(a->window_ms, b->window_ms);
	assert_string_equal(a->key, b->key);
	assert_int_equal(a->attempt == NULL, b->attempt == NULL);
	if (a->attempt != NULL)
		assert_string_equal(a->attempt, b->attempt);
	assert_int_equal(a->has_payment, b->has_payment);
	assert_payment(&a->payment, &b->payment);
	assert_int_equal(a->provider.http, b->provider.http);
	assert_int_equal(a->provider.code, b->provider.code);
	assert_string_equal(a->provider.message, b->provider.message);
	assert_string_equal(a->provider.method_code, b->provider.method_code);
	assert_string_equal(a->provider.status, b->provider.status);
	assert_string_equal(a->reason, b->reason);
}

struct store_work
an_open(const char *tid, int64_t at_ms)
{
	struct store_work o = { .of = { .cid = "TC0ONETIME",
				    .order = "o",
				    .user = "u",
				    .room = "5f0000000000000000000001" },
		.n = 1,
		.at_ms = at_ms,
		.deadline_ms = at_ms + 13000,
		.hold_id = UINT64_MAX };

	snprintf(o.of.tid, sizeof(o.of.tid), "%s", tid);
	return o;
}

/* body is the caller's literal: never cleared. */
struct store_message
a_message(const char *tid, int64_t at_ms)
{
	static char body[] =
	    "{\"type\":\"payment.approved\",\"timestamp\":\"2024-03-05T01:20:51.000Z\",\"data\":{}}";
	struct store_message m = { .type = "payment.approved",
		.peer = "reservation",
		.at_ms = at_ms,
		.body = body };

	snprintf(m.id, sizeof(m.id), "payment.approved.%s", tid);
	snprintf(m.tid, sizeof(m.tid), "%s", tid);
	return m;
}

static struct store_try
a_try(const struct store_message *m, int64_t number, const char *by)
{
	struct store_try t = { .number = number, .at_ms = 1709601652000 + number };

	snprintf(t.message_id, sizeof(t.message_id), "%s", m->id);
	snprintf(t.by, sizeof(t.by), "%s", by);
	return t;
}

/* --- the cases */

void
an_event_comes_back_as_it_was(void **state)
{
	struct store *s = *state;
	struct ledger_event full = a_full_event(unique("full")),
			    plain = an_event(unique("plain"), 1, LK_NOTE, "n"), back;
	bool found;

	PUT(STORE_OURS, store_ledger_put(s, &full, &how, in(SOON), &err));
	PUT(STORE_OURS, store_ledger_put(s, &plain, &how, in(SOON), &err));
	DO(store_ledger_get(s, full.cid, full.partner_order_id, 1, &back, &found, in(SOON), &err));
	assert_true(found);
	assert_event(&full, &back);
	ledger_event_clear(&back);
	DO(store_ledger_get(s, plain.cid, plain.partner_order_id, 1, &back, &found, in(SOON),
	    &err));
	assert_true(found);
	assert_event(&plain, &back);
	ledger_event_clear(&back);
	ledger_event_clear(&full);
}

void
every_kind_comes_back(void **state)
{
	struct store *s = *state;
	const char *order = unique("kinds");
	struct ledger_chain c;

	for (int k = 0; k < LK__MAX; k++) {
		struct ledger_event e = an_event(order, k + 1, (enum ledger_kind)k, "n");

		PUT(STORE_OURS, store_ledger_put(s, &e, &how, in(SOON), &err));
	}
	DO(store_ledger_chain(s, "TC0ONETIME", order, &c, in(SOON), &err));
	assert_int_equal(c.n, LK__MAX);
	for (int k = 0; k < LK__MAX; k++)
		assert_int_equal(c.ev[k].kind, k);
	ledger_chain_clear(&c);
}

void
a_key_is_ours_again_and_never_anothers(void **state)
{
	struct store *s = *state;
	struct ledger_event mine = an_event(unique("key"), 1, LK_APPROVING, "mine"), other = mine,
			    back;
	bool found;

	strcpy(other.nonce, "other");
	other.kind = LK_ABANDONED;
	PUT(STORE_OURS, store_ledger_put(s, &mine, &how, in(SOON), &err));
	PUT(STORE_OURS, store_ledger_put(s, &mine, &how, in(SOON), &err));
	PUT(STORE_TAKEN, store_ledger_put(s, &other, &how, in(SOON), &err));
	DO(store_ledger_get(s, mine.cid, mine.partner_order_id, 1, &back, &found, in(SOON), &err));
	assert_int_equal(back.kind, LK_APPROVING);
	ledger_event_clear(&back);
}

void
what_was_never_put_is_not_found(void **state)
{
	struct store *s = *state;
	struct ledger_event e;
	struct store_replay r;
	struct payment p;
	struct ledger_chain c;
	bool found = true;

	DO(store_ledger_get(s, "TC0ONETIME", "never", 1, &e, &found, in(SOON), &err));
	assert_false(found);
	DO(store_replay_get(s, "never", &r, &found, in(SOON), &err));
	assert_false(found);
	DO(store_payment_get(s, "never", &p, &found, in(SOON), &err));
	assert_false(found);
	DO(store_ledger_chain(s, "TC0ONETIME", "never", &c, in(SOON), &err));
	assert_int_equal(c.n, 0);
	ledger_chain_clear(&c);
}

void
a_chain_ends_at_the_first_missing_number(void **state)
{
	struct store *s = *state;
	const char *order = unique("chain");
	static const int64_t numbers[] = { 1, 2, 3, 5 };
	struct ledger_chain c;

	for (size_t i = 0; i < COUNT(numbers); i++) {
		struct ledger_event e = an_event(order, numbers[i], LK_NOTE, "n");

		PUT(STORE_OURS, store_ledger_put(s, &e, &how, in(SOON), &err));
	}
	DO(store_ledger_chain(s, "TC0ONETIME", order, &c, in(SOON), &err));
	assert_int_equal(c.n, 3);
	for (size_t i = 0; i < c.n; i++)
		assert_int_equal(c.ev[i].n, i + 1);
	ledger_chain_clear(&c);
}

void
no_two_orders_share_a_key(void **state)
{
	struct store *s = *state;
	static const char *const orders[] = { "x", "x#1", "x#1#1", "x#2", "/x", "x/", "X", " x",
		"x ", "$x", "x.y", "#1", "\xea\xb0\x80#1" };

	for (size_t i = 0; i < COUNT(orders); i++)
		for (int64_t n = 1; n <= 12; n += 11) {
			struct ledger_event e = an_event(orders[i], n, LK_NOTE, orders[i]);

			PUT(STORE_OURS, store_ledger_put(s, &e, &how, in(SOON), &err));
		}
}

void
a_replay_key_belongs_to_one_order(void **state)
{
	struct store *s = *state;
	struct store_replay r = { .cid = "TC0ONETIME", .n = 1 }, later, other, back;
	bool found;

	snprintf(r.key, sizeof(r.key), "%064d", 7);
	fill(r.partner_order_id, sizeof(r.partner_order_id), "\xea\xb0\x80", 100);
	later = other = r;
	later.n = 3;
	strcpy(other.partner_order_id, "another");
	PUT(STORE_OURS, store_replay_put(s, &r, &how, in(SOON), &err));
	PUT(STORE_OURS, store_replay_put(s, &later, &how, in(SOON), &err));
	PUT(STORE_TAKEN, store_replay_put(s, &other, &how, in(SOON), &err));
	DO(store_replay_get(s, r.key, &back, &found, in(SOON), &err));
	assert_true(found);
	assert_string_equal(back.key, r.key);
	assert_string_equal(back.cid, r.cid);
	assert_string_equal(back.partner_order_id, r.partner_order_id);
	assert_int_equal(back.n, 1);
}

void
a_payment_is_one_document_however_often_it_is_put(void **state)
{
	struct store *s = *state;
	struct payment all[3] = { a_payment("P1"), a_full_payment("P2"), a_payment("P3") }, wrong,
		       back;
	bool found;

	all[2].aid[0] = '\0';
	for (size_t i = 0; i < COUNT(all); i++) {
		PUT(STORE_OURS, store_payment_put(s, &all[i], &how, in(SOON), &err));
		PUT(STORE_OURS, store_payment_put(s, &all[i], &how, in(SOON), &err));
		wrong = all[i];
		wrong.amount.total--;
		PUT(STORE_TAKEN, store_payment_put(s, &wrong, &how, in(SOON), &err));
		DO(store_payment_get(s, all[i].tid, &back, &found, in(SOON), &err));
		assert_true(found);
		assert_payment(&all[i], &back);
	}
}

void
the_ledger_is_listed_by_time(void **state)
{
	struct store *s = *state;
	struct ledger_event e = { .cid = "TC0ONETIME", .kind = LK_NOTE, .nonce = "n" }, *list;
	int64_t from_ms = 4000000000000; /* later than what any other case writes */
	size_t n;

	snprintf(e.partner_order_id, sizeof(e.partner_order_id), "%s", unique("since-"));
	for (int i = 0; i < 4; i++) {
		e.n = i + 1;
		e.at_ms = from_ms + (i ^ 1) * 1000;
		DO(store_ledger_put(s, &e, &how, in(SOON), &err));
	}
	DO(store_ledger_since(s, from_ms + 1000, 2, &list, &n, in(SOON), &err));
	assert_int_equal(n, 2);
	assert_int_equal(list[0].at_ms, from_ms + 1000);
	assert_int_equal(list[1].at_ms, from_ms + 2000);
	assert_int_equal(list[0].n, 1);
	free(list);
	DO(store_ledger_since(s, from_ms + 3001, 10, &list, &n, in(SOON), &err));
	assert_int_equal(n, 0);
	assert_null(list);
}

void
open_work_is_listed_oldest_first_until_deleted(void **state)
{
	struct store *s = *state;
	struct store_work late = an_open("O3", 3000), early = an_open("O1", 1000),
			  middle = an_open("O2", 2000), *list;
	size_t n;

	DO(store_work_put(s, &late, in(SOON), &err));
	DO(store_work_put(s, &early, in(SOON), &err));
	DO(store_work_put(s, &middle, in(SOON), &err));
	DO(store_work_put(s, &middle, in(SOON), &err));
	DO(store_work_list(s, 10, &list, &n, in(SOON), &err));
	assert_int_equal(n, 3);
	assert_string_equal(list[0].of.tid, "O1");
	assert_string_equal(list[1].of.tid, "O2");
	assert_string_equal(list[2].of.tid, "O3");
	assert_memory_equal(&list[2], &late, sizeof(late));
	free(list);
	DO(store_work_list(s, 2, &list, &n, in(SOON), &err));
	assert_int_equal(n, 2);
	free(list);
	for (int i = 0; i < 2; i++) {
		DO(store_work_delete(s, "O1", 1, in(SOON), &err));
		DO(store_work_delete(s, "O2", 1, in(SOON), &err));
		DO(store_work_delete(s, "O3", 1, in(SOON), &err));
	}
	for (int64_t end = in(SOON); n > 0 && in(0) < end;) { /* seen a moment longer by who asks
								 the majority */
		DO(store_work_list(s, 10, &list, &n, in(SOON), &err));
		if (n > 0)
			free(list);
	}
	assert_int_equal(n, 0);
	assert_null(list);
}

static void
clear_messages(struct store_message *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		store_message_clear(&list[i]);
	free(list);
}

void
a_message_is_listed_with_its_tries(void **state)
{
	struct store *s = *state;
	static const int tries[] = { 0, 1, 2, 3, 4, 7, 8, 20 };
	struct store_message *list;
	size_t n;

	for (size_t i = 0; i < COUNT(tries); i++) {
		struct store_message m = a_message(unique("M"), 1000 + (int64_t)i);

		PUT(STORE_OURS, store_outbox_put(s, &m, &how, in(SOON), &err));
		for (int t = 1; t <= tries[i]; t++) {
			struct store_try one = a_try(&m, t, "c1");

			one.not_before_ms = 1709601700000 + t;
			PUT(STORE_OURS, store_try_claim(s, &one, &how, in(SOON), &err));
		}
	}
	DO(store_outbox_list(s, 100, &list, &n, in(SOON), &err));
	assert_int_equal(n, COUNT(tries));
	for (size_t i = 0; i < n; i++) {
		struct store_message wanted = a_message(list[i].tid, 1000 + (int64_t)i);

		assert_string_equal(list[i].id, wanted.id);
		assert_string_equal(list[i].type, wanted.type);
		assert_string_equal(list[i].peer, wanted.peer);
		assert_string_equal(list[i].body, wanted.body);
		assert_int_equal(list[i].at_ms, wanted.at_ms);
		DO(store_outbox_tries(s, &list[i], in(SOON), &err));
		assert_int_equal(list[i].tries, tries[i]);
		assert_int_equal(list[i].last_try_ms, tries[i] == 0 ? 0 : 1709601652000 + tries[i]);
		assert_int_equal(list[i].not_before_ms,
		    tries[i] == 0 ? 0 : 1709601700000 + tries[i]);
		DO(store_outbox_delete(s, list[i].id, in(SOON), &err));
	}
	clear_messages(list, n);
	DO(store_outbox_list(s, 100, &list, &n, in(SOON), &err));
	assert_int_equal(n, 0);
}

void
a_message_keeps_its_first_content(void **state)
{
	struct store *s = *state;
	struct store_message m = a_message(unique("M"), 1000), later = m, other = m, there;
	bool found;
	char body[] = "{}";

	later.at_ms = 2000;
	other.body = body;
	PUT(STORE_OURS, store_outbox_put(s, &m, &how, in(SOON), &err));
	PUT(STORE_OURS, store_outbox_put(s, &later, &how, in(SOON), &err));
	PUT(STORE_TAKEN, store_outbox_put(s, &other, &how, in(SOON), &err));
	DO(store_outbox_get(s, m.id, &there, &found, in(SOON), &err));
	assert_true(found);
	assert_string_equal(there.id, m.id);
	assert_string_equal(there.body, m.body);
	assert_int_equal(there.at_ms, 1000);
	store_message_clear(&there);
	DO(store_outbox_delete(s, m.id, in(SOON), &err));
	DO(store_outbox_get(s, m.id, &there, &found, in(SOON), &err));
	assert_false(found);
}

void
a_try_is_claimed_once_and_finished(void **state)
{
	struct store *s = *state;
	struct store_message m = a_message(unique("M"), 1000);
	struct store_try mine = a_try(&m, 1, "courier-a"), other = a_try(&m, 1, "courier-b"), *list;
	size_t n;

	assert_false(store_try_finish(s, &mine, in(SOON), &err));
	assert_int_equal(err.code, ERR_NOT_FOUND);
	PUT(STORE_OURS, store_try_claim(s, &mine, &how, in(SOON), &err));
	PUT(STORE_TAKEN, store_try_claim(s, &other, &how, in(SOON), &err));
	mine.ended = mine.acknowledged = true;
	mine.status = 204;
	mine.not_before_ms = 1709601699000;
	fill(mine.error, sizeof(mine.error), "e", 199);
	DO(store_try_finish(s, &mine, in(SOON), &err));
	DO(store_try_finish(s, &mine, in(SOON), &err));
	DO(store_try_list(s, m.id, &list, &n, in(SOON), &err));
	assert_int_equal(n, 1);
	assert_memory_equal(list, &mine, sizeof(mine));
	free(list);
	DO(store_try_list(s, "never", &list, &n, in(SOON), &err));
	assert_int_equal(n, 0);
	assert_null(list);
}

void
a_site_has_one_queue(void **state)
{
	struct store *s = *state;
	struct store_claim claim;

	DO(store_prepare(s, in(SOON), &err));
	DO(store_prepare(s, in(SOON), &err));
	DO(store_claim_get(s, &claim, in(SOON), &err));
	assert_int_equal(claim.number, 0);
	DO(store_claim_queue(s, "11111111111111111111111111111111", &claim, in(SOON), &err));
	DO(store_claim_queue(s, "11111111111111111111111111111111", &claim, in(SOON), &err));
	assert_int_equal(claim.number, 1);
	assert_false(
	    store_claim_queue(s, "22222222222222222222222222222222", &claim, in(SOON), &err));
	assert_int_equal(err.code, ERR_CONFLICT);
	assert_string_equal(claim.queue_id, "11111111111111111111111111111111");
	assert_non_null(strstr(err.msg, "11111111111111111111111111111111"));
	assert_non_null(strstr(err.msg, "22222222222222222222222222222222"));
	DO(store_claim_adopt(s, &claim, "22222222222222222222222222222222", "its journal was lost",
	    "alice", in(SOON), &err));
	DO(store_claim_adopt(s, &claim, "22222222222222222222222222222222", "its journal was lost",
	    "alice", in(SOON), &err)); /* a repeat */
	assert_false(store_claim_adopt(s, &claim, "33333333333333333333333333333333", NULL, NULL,
	    in(SOON), &err));
	assert_int_equal(err.code, ERR_CONFLICT);
	DO(store_claim_queue(s, "22222222222222222222222222222222", &claim, in(SOON), &err));
	assert_int_equal(claim.number, 2);
	/* for good */
	assert_false(
	    store_claim_queue(s, "11111111111111111111111111111111", &claim, in(SOON), &err));
	DO(store_ping(s, in(SOON), &err));
	DO(store_ping(s, in(SOON), &err));
}

static const char *const history_cids[] = { "TC0ONETIME", "TCSUBSCRIP" };

static void
pay(struct store *s, const char *tid, int64_t at_ms, const char *user, const char *room,
    bool reviewed)
{
	struct payment p = a_payment(tid);
	struct ledger_event e =
	    an_event(p.partner_order_id, 1, reviewed ? LK_REVIEW : LK_APPROVED, tid);

	p.approved_at_ms = at_ms;
	strcpy(p.user_id, user);
	e.has_payment = true;
	e.payment = p;
	strcpy(e.tid, tid);
	strcpy(e.user_id, user);
	strcpy(e.room_id, room);
	PUT(STORE_OURS, store_payment_put(s, &p, &how, in(SOON), &err));
	PUT(STORE_OURS, store_ledger_put(s, &e, &how, in(SOON), &err));
	if (!reviewed)
		return;
	e.n = 2;
	e.kind = LK_APPROVED;
	strcat(e.nonce, "2");
	PUT(STORE_OURS, store_ledger_put(s, &e, &how, in(SOON), &err));
}

/* The numbers behind the tids' prefix, of all pages, as "5 4 3". */
static void
assert_history(struct store *s, struct store_history h, const char *prefix, const char *wanted)
{
	char got[200] = "";
	bool more = true;

	h.cids = history_cids;
	h.n_cids = 2;
	for (int pages = 0; more && pages < 20; pages++) {
		struct payment *list;
		size_t n;

		DO(store_history(s, &h, &list, &n, &more, in(SOON), &err));
		assert_true(n <= h.limit);
		for (size_t i = 0; i < n; i++) {
			assert_int_equal(strncmp(list[i].tid, prefix, strlen(prefix)), 0);
			sprintf(got + strlen(got), "%s%s", got[0] != '\0' ? " " : "",
			    list[i].tid + strlen(prefix));
		}
		if (n > 0)
			h.after.approved_at_ms = list[n - 1].approved_at_ms,
			strcpy(h.after.tid, list[n - 1].tid);
		free(list);
	}
	assert_false(more);
	assert_string_equal(got, wanted);
}

void
the_history_is_paged(void **state)
{
	enum { T = 1700000000 };
	const int64_t t = (int64_t)T * 1000;
	struct store *s = *state;
	char base[64], tid[96], user[96], room[ROOM_CAP];
	struct store_history h = { .limit = 2 };

	snprintf(base, sizeof(base), "%s", unique("H"));
	snprintf(user, sizeof(user), "user-%s", base);
	snprintf(room, sizeof(room), "%024lx", (unsigned long)strtoul(base + 1, NULL, 10) + 4096);
	/* two in the same millisecond, one that was in review, one of another user, one in another
	 * room */
	static const struct {
		int64_t at;
		bool other_user, other_room, reviewed;
	} rows[] = { { 10, false, false, false }, { 20, false, false, true },
		{ 20, false, false, false }, { 30, true, false, false },
		{ 40, false, true, false } };
	for (size_t i = 0; i < COUNT(rows); i++) {
		snprintf(tid, sizeof(tid), "%s.%zu", base, i + 1);
		pay(s, tid, t + rows[i].at, rows[i].other_user ? "somebody" : user,
		    rows[i].other_room ? "f00000000000000000000000" : room, rows[i].reviewed);
	}
	strcat(base, ".");
	for (h.limit = 1; h.limit <= 4; h.limit++) {
		h.room_id[0] = '\0';
		strcpy(h.user_id, user);
		assert_history(s, h, base, "5 3 2 1");
		strcpy(h.room_id, room);
		assert_history(s, h, base, "3 2 1");
		h.user_id[0] = '\0';
		assert_history(s, h, base, "4 3 2 1");
	}
	h.from_ms = t + 20;
	h.to_ms = t + 30;
	assert_history(s, h, base, "3 2");
	h.room_id[0] = '\0';
	strcpy(h.user_id, user);
	assert_history(s, h, base, "3 2");
	h.from_ms = h.to_ms = 0;
	snprintf(h.partner_order_id, sizeof(h.partner_order_id), "o-%s1", base);
	assert_history(s, h, base, "1");
	strcpy(h.user_id, "nobody");
	assert_history(s, h, base, "");
	h = (struct store_history){ .limit = 5, .cids = history_cids + 1, .n_cids = 1 };
	strcpy(h.user_id, user);
	{
		struct payment *list;
		bool more;
		size_t n;

		DO(store_history(s, &h, &list, &n, &more, in(SOON), &err));
		assert_int_equal(n, 0);
		free(list);
	}
}

/* Puts an event of this kind at n of an order that only this test has. */
static void
put_refund(struct store *s, const char *order, int64_t n, enum ledger_kind kind, int64_t at_ms,
    int64_t amount)
{
	struct ledger_event e = { .n = n,
		.kind = kind,
		.at_ms = at_ms,
		.has_refund = true,
		.refund = { .id = "r", .amount = amount, .canceled = amount } };

	snprintf(e.cid, sizeof(e.cid), "%s", history_cids[0]);
	snprintf(e.partner_order_id, sizeof(e.partner_order_id), "%s", order);
	snprintf(e.nonce, sizeof(e.nonce), "%s-%lld", order, (long long)n);
	snprintf(e.tid, sizeof(e.tid), "T%lld", (long long)n);
	snprintf(e.user_id, sizeof(e.user_id), "u");
	PUT(STORE_OURS, store_ledger_put(s, &e, &how, in(SOON), &err));
}

void
refunds_are_listed_by_day(void **state)
{
	struct store *s = *state;
	char order[ORDER_CAP];
	struct store_history h = { .cids = history_cids,
		.n_cids = 1,
		.limit = 2,
		.from_ms = 5000,
		.to_ms = 9000 };
	struct ledger_event *list;
	bool more;
	size_t n;

	snprintf(order, sizeof(order), "%s", unique("O"));
	snprintf(h.partner_order_id, sizeof(h.partner_order_id), "%s", order);
	put_refund(s, order, 1, LK_REFUNDING, 5000, 1);	    /* begun: no refund yet */
	put_refund(s, order, 2, LK_PART_REFUNDED, 4999, 2); /* the day before */
	put_refund(s, order, 3, LK_PART_REFUNDED, 5000, 3);
	put_refund(s, order, 4, LK_REFUND_FAILED, 5001, 4);
	put_refund(s, order, 5, LK_PART_REFUNDED, 6000, 5);
	put_refund(s, order, 6, LK_REFUNDED, 6000, 6);
	put_refund(s, order, 7, LK_REFUNDED, 9000, 7); /* the day after */
	DO(store_refunds(s, &h, &list, &n, &more, in(SOON), &err));
	assert_int_equal(n, 2);
	assert_true(more);
	assert_int_equal(list[0].refund.amount, 6);
	assert_int_equal(list[1].refund.amount, 5);
	h.after.approved_at_ms = list[1].at_ms;
	snprintf(h.after.tid, sizeof(h.after.tid), "%s", list[1].tid);
	ledger_event_clear(&list[0]);
	ledger_event_clear(&list[1]);
	free(list);
	DO(store_refunds(s, &h, &list, &n, &more, in(SOON), &err));
	assert_int_equal(n, 1);
	assert_false(more);
	assert_int_equal(list[0].refund.amount, 3);
	ledger_event_clear(&list[0]);
	free(list);
	h.after.tid[0] = '\0';
	h.cids = history_cids + 1;
	DO(store_refunds(s, &h, &list, &n, &more, in(SOON), &err));
	assert_int_equal(n, 0);
	free(list);
}
