/* What holds of every store, on a server; what stands in its documents; and what only a network can
 * do to us: answers lost, requests lost, silence, refusal, many writers. The server:
 * $ROOMPAY_TEST_STORE_URI, on 127.0.0.1; a database of its own, dropped at the end. */
#include "config.h"

#include <mongoc/mongoc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "server_world.h"
#include "store/backend.h"

static int
open_server(void **state)
{
	*state = store_open_mongo(server_uri, database, &err);
	if (*state == NULL)
		print_error("%s\n", err.msg);
	return *state == NULL;
}

static int
close_store(void **state)
{
	store_free((struct store **)state);
	return 0;
}

/* --- the server's documents, as a reader sees them that shares no code with the store */

/* "name:type" of each member in order of name, as the schema's reader would list them. */
static void
assert_members(const bson_t *doc, const char *const *wanted, size_t n)
{
	bson_iter_t it;
	size_t seen = 0;

	assert_non_null(doc);
	for (assert_true(bson_iter_init(&it, doc)); bson_iter_next(&it); seen++) {
		char text[100];
		bool known = false;

		snprintf(text, sizeof(text), "%s:%02x", bson_iter_key(&it),
		    (unsigned)bson_iter_type(&it));
		for (size_t i = 0; i < n; i++)
			known = known || strcmp(wanted[i], text) == 0;
		if (!known)
			fail_msg("unexpected %s", text);
	}
	assert_int_equal(seen, n);
}

static void
a_payment_is_exactly_the_sites_schema(void **state)
{
	struct store *s = *state;
	static const char *const members[] = { "_id:07", "aid:02", "amount:03", "approved_at:09",
		"cid:02", "created_at:09", "item_name:02", "partner_order_id:02",
		"partner_user_id:02", "payment_method_type:02", "quantity:10", "tid:02",
		"userId:02" };
	static const char *const amounts[] = { "discount:10", "point:10", "tax_free:10", "total:10",
		"vat:10" };
	struct payment p = a_payment("S1");
	bson_t *doc, amount;
	bson_iter_t it;
	const uint8_t *data;
	uint32_t len;

	PUT(STORE_OURS, store_payment_put(s, &p, &how, in(SOON), &err));
	doc = document("payments", BCON_NEW("tid", BCON_UTF8("S1")));
	assert_members(doc, members, COUNT(members));
	assert_true(bson_iter_init_find(&it, doc, "approved_at"));
	assert_int_equal(bson_iter_date_time(&it), 1709601651000);
	assert_true(bson_iter_init_find(&it, doc, "amount"));
	bson_iter_document(&it, &len, &data);
	assert_true(bson_init_static(&amount, data, len));
	assert_members(&amount, amounts, COUNT(amounts));
	bson_destroy(doc);
	p = a_payment("S2");
	p.aid[0] = '\0';
	PUT(STORE_OURS, store_payment_put(s, &p, &how, in(SOON), &err));
	doc = document("payments", BCON_NEW("tid", BCON_UTF8("S2")));
	assert_false(bson_has_field(doc, "aid"));
	bson_destroy(doc);
}

static void
outbox_documents_say_type_and_tid(void **state)
{
	struct store *s = *state;
	struct store_message m = a_message("B1", 1000);
	bson_t *doc;
	bson_iter_t it;

	PUT(STORE_OURS, store_outbox_put(s, &m, &how, in(SOON), &err));
	doc = document("outbox", BCON_NEW("_id", BCON_UTF8("payment.approved.B1")));
	assert_true(bson_iter_init_find(&it, doc, "type"));
	assert_string_equal(bson_iter_utf8(&it, NULL), "payment.approved");
	assert_true(bson_iter_init_find(&it, doc, "tid"));
	assert_string_equal(bson_iter_utf8(&it, NULL), "B1");
	bson_destroy(doc);
	DO(store_outbox_delete(s, m.id, in(SOON), &err));
}

static void
a_payment_that_another_program_wrote_is_taken(void **state)
{
	struct store *s = *state;
	struct payment p = a_payment("F1");
	mongoc_collection_t *coll;
	bson_t *doc = BCON_NEW("tid", BCON_UTF8("F1"));
	int64_t began;

	DO(store_prepare(s, in(SOON), &err));
	coll = mongoc_client_get_collection(reader, database, "payments");
	assert_true(mongoc_collection_insert_one(coll, doc, NULL, NULL, NULL));
	mongoc_collection_destroy(coll);
	bson_destroy(doc);
	began = clock_boot_ms();
	/* nothing of that document can be read as a payment, but its tid is in the way */
	PUT(STORE_TAKEN, store_payment_put(s, &p, &how, in(1000), &err));
	assert_true(clock_boot_ms() - began < 1000);
	assert_int_equal(count("payments", BCON_NEW("tid", BCON_UTF8("F1"))), 1);
}

/* Earlier versions derived _id from the tid alone. Such a document is the same payment still. */
static void
a_payment_of_an_earlier_version_is_ours_and_stays(void **state)
{
	struct store *s = *state;
	struct payment p = a_payment("OLDID1"), back;
	mongoc_collection_t *coll = mongoc_client_get_collection(reader, database, "payments");
	bson_t *now, old = BSON_INITIALIZER;
	bson_oid_t oid;
	bool found;

	PUT(STORE_OURS, store_payment_put(s, &p, &how, in(SOON), &err));
	now = document("payments", BCON_NEW("tid", BCON_UTF8("OLDID1")));
	bson_oid_init_from_string(&oid, "da39a3ee5e6b4b0d3255bfef");
	bson_append_oid(&old, "_id", 3, &oid);
	bson_copy_to_excluding_noinit(now, &old, "_id", NULL);
	assert_true(mongoc_collection_delete_one(coll, now, NULL, NULL, NULL));
	assert_true(mongoc_collection_insert_one(coll, &old, NULL, NULL, NULL));
	PUT(STORE_OURS, store_payment_put(s, &p, &how, in(SOON), &err));
	DO(store_payment_get(s, "OLDID1", &back, &found, in(SOON), &err));
	assert_true(found);
	assert_int_equal(count("payments",
			     BCON_NEW("_id", BCON_OID(&oid), "tid", BCON_UTF8("OLDID1"))),
	    1);
	p.quantity++;
	PUT(STORE_TAKEN, store_payment_put(s, &p, &how, in(SOON), &err));
	bson_destroy(&old);
	bson_destroy(now);
	mongoc_collection_destroy(coll);
}

/* At every depth. */
static void
append_reversed(bson_t *out, const bson_iter_t *members)
{
	bson_iter_t it = *members, inner;
	bson_t sub;

	if (!bson_iter_next(&it))
		return;
	append_reversed(out, &it);
	if (!BSON_ITER_HOLDS_DOCUMENT(&it)) {
		bson_append_iter(out, NULL, -1, &it);
		return;
	}
	assert_true(bson_iter_recurse(&it, &inner));
	bson_append_document_begin(out, bson_iter_key(&it), -1, &sub);
	append_reversed(&sub, &inner);
	bson_append_document_end(out, &sub);
}

static void
a_payments_members_may_stand_in_any_order(void **state)
{
	struct store *s = *state;
	struct payment p = a_payment("ORDER1");
	mongoc_collection_t *coll = mongoc_client_get_collection(reader, database, "payments");
	bson_t *now, other = BSON_INITIALIZER;
	bson_iter_t it;

	PUT(STORE_OURS, store_payment_put(s, &p, &how, in(SOON), &err));
	now = document("payments", BCON_NEW("tid", BCON_UTF8("ORDER1")));
	bson_append_utf8(&other, "note", -1, "of nobody", -1);
	assert_true(bson_iter_init(&it, now));
	append_reversed(&other, &it);
	assert_true(mongoc_collection_delete_one(coll, now, NULL, NULL, NULL));
	assert_true(mongoc_collection_insert_one(coll, &other, NULL, NULL, NULL));
	PUT(STORE_OURS, store_payment_put(s, &p, &how, in(SOON), &err));
	p.amount.vat++;
	PUT(STORE_TAKEN, store_payment_put(s, &p, &how, in(SOON), &err));
	bson_destroy(&other);
	bson_destroy(now);
	mongoc_collection_destroy(coll);
}

static void
the_id_of_a_payment_says_when_it_was_opened(void **state)
{
	struct store *s = *state;
	struct payment p = a_payment("WHEN1");
	bson_iter_t it;
	bson_t *doc;

	p.created_at_ms = 1709601600999;
	PUT(STORE_OURS, store_payment_put(s, &p, &how, in(SOON), &err));
	doc = document("payments", BCON_NEW("tid", BCON_UTF8("WHEN1")));
	assert_true(bson_iter_init_find(&it, doc, "_id"));
	assert_int_equal(bson_oid_get_time_t(bson_iter_oid(&it)), 1709601600);
	bson_destroy(doc);
}

static void
text_that_is_not_utf8_is_refused_before_it_is_sent(void **state)
{
	struct store *s = *state;
	struct ledger_event e = an_event("bad", 1, LK_NOTE, "n");

	strcpy(e.reason, "\xff");
	assert_false(store_ledger_put(s, &e, &how, in(SOON), &err));
	assert_int_equal(err.code, ERR_INTERNAL);
	strcpy(e.reason, "");
	strcpy(e.partner_order_id, "bad\xed\xa0\x80");
	assert_false(store_ledger_put(s, &e, &how, in(SOON), &err));
	assert_int_equal(err.code, ERR_INTERNAL);
}

static void
nothing_is_begun_after_the_deadline(void **state)
{
	struct store *s = *state;
	struct ledger_event e = an_event("late", 1, LK_NOTE, "n");
	struct store_work *list;
	bool found;
	size_t n;

	assert_false(store_ledger_put(s, &e, &how, in(0), &err));
	assert_int_equal(err.code, ERR_UNAVAILABLE);
	assert_false(store_ledger_get(s, e.cid, "late", 1, &e, &found, in(0), &err));
	assert_int_equal(err.code, ERR_UNAVAILABLE);
	assert_false(store_work_list(s, 1, &list, &n, in(-1), &err));
	assert_int_equal(err.code, ERR_UNAVAILABLE);
	assert_false(store_ping(s, in(0), &err));
	assert_int_equal(err.code, ERR_UNAVAILABLE);
	assert_int_equal(count("ledger", BCON_NEW("_id", BCON_UTF8("TC0ONETIME/late#1"))), 0);
}

/* --- many writers */

static void
write_all_rounds(struct arena *a, int self)
{
	struct store *s = store_open_mongo(server_uri, database, &err);
	char nonce[NONCE_CAP];

	snprintf(nonce, sizeof(nonce), "writer-%d", self);
	for (int i = 0; i < ROUNDS; i++) {
		char order[32];
		struct ledger_event e;

		snprintf(order, sizeof(order), "race-%d", i);
		e = an_event(order, 1, LK_APPROVING, nonce);
		pthread_barrier_wait(&a->start);
		arena_put(a, i, s, &e);
		pthread_barrier_wait(&a->end);
	}
	store_free(&s);
}

static void
of_sixteen_processes_one_gets_the_key(void **state)
{
	(void)state;
	race(write_all_rounds);
}

static void
many_may_prepare_at_the_same_time(void **state)
{
	char own[sizeof(database) + 8];
	mongoc_database_t *db;
	pid_t pids[8];
	int bad = 0;

	(void)state;
	snprintf(own, sizeof(own), "%s_p", database);
	for (size_t i = 0; i < COUNT(pids); i++) {
		pids[i] = fork();
		if (pids[i] == 0) {
			struct store *s = store_open_mongo(server_uri, own, &err);
			struct store_claim claim;
			bool ok = s != NULL && store_prepare(s, in(SOON), &err) &&
			    store_claim_queue(s, "q", &claim, in(SOON), &err);

			if (!ok)
				print_error("%s\n", err.msg);
			store_free(&s);
			_exit(!ok);
		}
		assert_true(pids[i] > 0);
	}
	for (size_t i = 0; i < COUNT(pids); i++) {
		int status;

		waitpid(pids[i], &status, 0);
		bad += status != 0;
	}
	db = mongoc_client_get_database(reader, own);
	mongoc_database_drop(db, NULL);
	mongoc_database_destroy(db);
	assert_int_equal(bad, 0);
}

/* --- through a proxy */

/* Puts an event with a nonce of its own under a fault that hits requests with that nonce. */
static void
put_under_fault(struct scene *sc, enum proxy_fault f, int times, int wanted_seen)
{
	struct ledger_event e = an_event(unique("fault"), 1, LK_APPROVING, "");
	char id[sizeof(e.partner_order_id) + 16];

	strcpy(e.nonce, unique("fault-nonce-"));
	proxy_order(&sc->proxy, f, times, e.nonce);
	PUT(STORE_OURS, store_ledger_put(sc->store, &e, &how, in(SOON), &err));
	assert_int_equal(sc->proxy.orders->times, 0);
	assert_int_equal(sc->proxy.orders->seen, wanted_seen);
	snprintf(id, sizeof(id), "TC0ONETIME/%s#1", e.partner_order_id);
	assert_int_equal(count("ledger", BCON_NEW("_id", BCON_UTF8(id))), 1);
}

static void
a_lost_answer_is_found_out(void **state)
{
	put_under_fault(*state, PROXY_LOSE_ANSWER, 1, 2);
}

static void
three_lost_answers_are_found_out(void **state)
{
	put_under_fault(*state, PROXY_LOSE_ANSWER, 3, 4);
}

static void
a_lost_request_is_sent_again(void **state)
{
	put_under_fault(*state, PROXY_LOSE_REQUEST, 1, 1);
}

static void
an_answer_that_never_comes_is_found_out(void **state)
{
	put_under_fault(*state, PROXY_MUTE, 1, 2);
}

static void
a_write_that_missed_the_majority_is_repeated_until_it_did_not(void **state)
{
	put_under_fault(*state, PROXY_MISS_MAJORITY, 1, 2);
}

static void
a_duplicate_that_missed_the_majority_decides_nothing(void **state)
{
	put_under_fault(*state, PROXY_MISS_MAJORITY, 3, 4);
}

static void
a_primary_that_stepped_down_may_have_done_it(void **state)
{
	put_under_fault(*state, PROXY_NOT_PRIMARY, 2, 3);
}

static void
a_lost_answer_to_anothers_key_is_taken(void **state)
{
	struct scene *sc = *state;
	struct ledger_event other = an_event(unique("fault"), 1, LK_ABANDONED, "first"),
			    mine = other;

	strcpy(mine.nonce, "second-comes-late");
	PUT(STORE_OURS, store_ledger_put(sc->store, &other, &how, in(SOON), &err));
	proxy_order(&sc->proxy, PROXY_LOSE_ANSWER, 1, mine.nonce);
	PUT(STORE_TAKEN, store_ledger_put(sc->store, &mine, &how, in(SOON), &err));
	assert_int_equal(sc->proxy.orders->times, 0);
}

static void
a_delete_whose_answer_is_lost_is_done(void **state)
{
	struct scene *sc = *state;
	struct store_work o = an_open("LOSTDELETE", 1);

	DO(store_work_put(sc->store, &o, in(SOON), &err));
	proxy_order(&sc->proxy, PROXY_LOSE_ANSWER, 1, "LOSTDELETE");
	DO(store_work_delete(sc->store, o.of.tid, o.n, in(SOON), &err));
	assert_int_equal(sc->proxy.orders->times, 0);
	assert_int_equal(count("open", BCON_NEW("_id", BCON_UTF8("LOSTDELETE#1"))), 0);
}

static void
many_claims_are_found_out_whatever_became_of_their_answer(void **state)
{
	static const enum proxy_fault faults[] = { PROXY_LOSE_ANSWER, PROXY_LOSE_REQUEST,
		PROXY_MISS_MAJORITY, PROXY_NOT_PRIMARY };
	struct scene *sc = *state;
	struct store_try ours[8], theirs[8];
	const struct store_try *list[8], *other[8];
	enum store_put hows[8];
	char base[64];

	for (size_t f = 0; f < sizeof(faults) / sizeof(faults[0]); f++) {
		snprintf(base, sizeof(base), "%s", unique("fault-many"));
		fill_tries(theirs, other, 8, base, "theirs");
		fill_tries(ours, list, 8, base, base);
		DO(store_try_claim_many(sc->store, other, 3, hows, in(SOON), &err));
		proxy_order(&sc->proxy, faults[f], 2, base);
		DO(store_try_claim_many(sc->store, list, 8, hows, in(SOON), &err));
		assert_int_equal(sc->proxy.orders->times, 0);
		for (size_t i = 0; i < 8; i++)
			assert_int_equal(hows[i], i < 3 ? STORE_TAKEN : STORE_OURS);
	}
}

/* The message is removed behind it, perhaps by another primary: the end must be safe by then. */
static void
the_end_of_a_try_waits_for_the_majority(void **state)
{
	struct scene *sc = *state;
	struct store_try tries[2];
	const struct store_try *list[2];
	enum store_put hows[2];

	fill_tries(tries, list, 2, unique("end"), "ours");
	DO(store_try_claim_many(sc->store, list, 2, hows, in(SOON), &err));
	tries[0].ended = tries[0].acknowledged = tries[1].ended = true;
	proxy_order(&sc->proxy, PROXY_FAITHFUL, 0, "majority");
	DO(store_try_finish_many(sc->store, list, 2, in(SOON), &err));
	assert_int_equal(sc->proxy.orders->seen, 1);
	proxy_order(&sc->proxy, PROXY_MISS_MAJORITY, 1, tries[0].message_id);
	DO(store_try_finish_many(sc->store, list, 2, in(SOON), &err));
	assert_int_equal(sc->proxy.orders->seen, 2);
}

/* --- puts that wait together */

struct pair { /* an event, and the message that waits with it */
	struct ledger_event event;
	struct store_message message;
	char id[ORDER_CAP + 16]; /* of the event */
};

static struct pair
a_pair(void)
{
	struct pair p = { .event = an_event(unique("together"), 1, LK_APPROVED, "") };
	char tid[TID_CAP];

	strcpy(p.event.nonce, unique("together-nonce-"));
	snprintf(tid, sizeof(tid), "%s", unique("TOGETHER"));
	p.message = a_message(tid, 1000);
	snprintf(p.id, sizeof(p.id), "TC0ONETIME/%s#1", p.event.partner_order_id);
	return p;
}

static void
wait_as(struct store *s, enum store_wait wait)
{
	s->does->wait(s, wait);
}

static void
put_first(struct scene *sc, const struct pair *p)
{
	wait_as(sc->store, STORE_MORE);
	PUT(STORE_OURS, store_ledger_put(sc->store, &p->event, &how, in(SOON), &err));
	wait_as(sc->store, STORE_LAST);
}

static bool
put_last(struct scene *sc, const struct pair *p)
{
	bool ok = store_outbox_put(sc->store, &p->message, &how, in(SOON), &err);

	wait_as(sc->store, STORE_ALONE);
	return ok;
}

/* faults hit requests with the event's nonce, or with the message's id */
static void
put_both(struct scene *sc, enum proxy_fault fault, bool of_event, int seen_in_a_set)
{
	struct pair p = a_pair();

	proxy_order(&sc->proxy, of_event ? fault : PROXY_FAITHFUL, of_event, p.event.nonce);
	put_first(sc, &p);
	if (!of_event) {
		assert_int_equal(sc->proxy.orders->seen, 1);
		proxy_order(&sc->proxy, fault, 1, p.message.tid);
	}
	DO(put_last(sc, &p));
	assert_int_equal(how, STORE_OURS);
	assert_int_equal(sc->proxy.orders->times, 0);
	if (server_is_of_a_set())
		assert_int_equal(sc->proxy.orders->seen, seen_in_a_set);
	assert_int_equal(count("ledger", BCON_NEW("_id", BCON_UTF8(p.id))), 1);
	assert_int_equal(count("outbox", BCON_NEW("tid", BCON_UTF8(p.message.tid))), 1);
	DO(store_outbox_delete(sc->store, p.message.id, in(SOON), &err));
}

static void
what_waits_together_is_put_once(void **state)
{
	struct scene *sc = *state;
	struct pair p = a_pair();

	proxy_order(&sc->proxy, PROXY_FAITHFUL, 0, p.event.nonce);
	put_first(sc, &p);
	DO(put_last(sc, &p));
	assert_int_equal(sc->proxy.orders->seen, 1);
	assert_int_equal(count("ledger", BCON_NEW("_id", BCON_UTF8(p.id))), 1);
	DO(store_outbox_delete(sc->store, p.message.id, in(SOON), &err));
}

static void
what_another_primary_took_is_put_again(void **state)
{
	put_both(*state, PROXY_OTHER_TERM, true, 2);
}

static void
the_first_of_two_may_lose_its_answer(void **state)
{
	put_both(*state, PROXY_LOSE_ANSWER, true, 2);
}

static void
the_last_of_two_may_lose_its_answer(void **state)
{
	put_both(*state, PROXY_LOSE_ANSWER, false, 3); /* again, and looked at */
}

static void
the_last_of_two_may_miss_the_majority(void **state)
{
	put_both(*state, PROXY_MISS_MAJORITY, false, 3);
}

/* The primary that took the first one is gone with it, and another writer has the key since. */
static void
what_was_lost_with_its_primary_is_told(void **state)
{
	struct scene *sc = *state;
	struct pair p = a_pair();
	struct ledger_event theirs = p.event;
	struct store *other = store_open_mongo(server_uri, database, &err);
	mongoc_collection_t *coll = mongoc_client_get_collection(reader, database, "ledger");
	bson_t *id = BCON_NEW("_id", BCON_UTF8(p.id));

	if (server_is_of_a_set()) {
		assert_non_null(other);
		proxy_order(&sc->proxy, PROXY_OTHER_TERM, 1, p.event.nonce);
		put_first(sc, &p);
		assert_true(mongoc_collection_delete_one(coll, id, NULL, NULL, NULL));
		strcpy(theirs.nonce, "theirs");
		PUT(STORE_OURS, store_ledger_put(other, &theirs, &how, in(SOON), &err));
		assert_false(put_last(sc, &p));
		assert_int_equal(err.code, ERR_UNCERTAIN);
		DO(store_outbox_delete(sc->store, p.message.id, in(SOON), &err));
	}
	bson_destroy(id);
	mongoc_collection_destroy(coll);
	store_free(&other);
}

static void
what_nothing_came_after_is_left_alone(void **state)
{
	struct scene *sc = *state;
	struct pair p = a_pair();

	proxy_order(&sc->proxy, PROXY_OTHER_TERM, 1, p.event.nonce);
	wait_as(sc->store, STORE_MORE);
	PUT(STORE_OURS, store_ledger_put(sc->store, &p.event, &how, in(SOON), &err));
	wait_as(sc->store, STORE_ALONE);
	PUT(STORE_OURS, store_outbox_put(sc->store, &p.message, &how, in(SOON), &err));
	assert_int_equal(sc->proxy.orders->seen, 1);
	DO(store_outbox_delete(sc->store, p.message.id, in(SOON), &err));
}

static void
what_may_be_stored_stays_uncertain(void **state)
{
	struct scene *sc = *state;
	struct ledger_event e = an_event(unique("uncertain"), 1, LK_APPROVED, "uncertain-nonce");
	int64_t began = clock_boot_ms();

	proxy_order(&sc->proxy, PROXY_LOSE_ANSWER, 1000, e.nonce);
	assert_false(store_ledger_put(sc->store, &e, &how, in(1500), &err));
	assert_int_equal(err.code, ERR_UNCERTAIN);
	assert_in_range(clock_boot_ms() - began, 1400, 5000);
	assert_in_range(sc->proxy.orders->seen, 1, 4); /* at the breaker's pace */
	sc->proxy.orders->times = 0;
	wait_ms(1100); /* one look a second */
	PUT(STORE_OURS, store_ledger_put(sc->store, &e, &how, in(SOON), &err));
}

/* One read through the store: how it went and how long it took. */
static bool
look(struct store *s, int64_t *took_ms)
{
	int64_t began = clock_boot_ms();
	struct payment p;
	bool found, ok;

	ok = store_payment_get(s, "never", &p, &found, in(SOON), &err);
	*took_ms = clock_boot_ms() - began;
	assert_true(ok || err.code == ERR_UNAVAILABLE);
	return ok;
}

/* The server is gone: the first call says so within first_ms, those that follow at once; probes
 * come once a second; it is found soon after it is back. */
static void
away_and_back(struct scene *sc, int64_t first_ms, void (*gone)(struct proxy *),
    void (*back)(struct proxy *))
{
	struct ledger_event e = an_event(unique("away"), 1, LK_APPROVING, "away");
	int64_t took, fast = 0, slow = 0, began;

	assert_true(look(sc->store, &took));
	gone(&sc->proxy);
	assert_false(look(sc->store, &took));
	assert_in_range(took, 0, first_ms);
	for (began = clock_boot_ms(); clock_boot_ms() - began < 2500; wait_ms(20)) {
		assert_false(look(sc->store, &took));
		assert_in_range(took, 0, 1500);
		*(took < 100 ? &fast : &slow) += 1;
	}
	assert_true(fast > 10 && slow <= 3);
	/* nothing was sent: certainly not stored, and nobody waits */
	began = clock_boot_ms();
	assert_false(store_ledger_put(sc->store, &e, &how, in(SOON), &err));
	assert_int_equal(err.code, ERR_UNAVAILABLE);
	assert_in_range(clock_boot_ms() - began, 0, 1500);
	back(&sc->proxy);
	for (began = clock_boot_ms(); !look(sc->store, &took); wait_ms(50))
		assert_true(clock_boot_ms() - began < 4000);
	PUT(STORE_OURS, store_ledger_put(sc->store, &e, &how, in(SOON), &err));
}

static void
suspend(struct proxy *x)
{
	kill(x->pid, SIGSTOP);
}

static void
resume(struct proxy *x)
{
	kill(x->pid, SIGCONT);
}

static void
a_server_that_was_stopped_is_away_at_once_and_found_again(void **state)
{
	away_and_back(*state, 1000, proxy_stop, proxy_start);
}

static void
a_server_that_hangs_is_away_soon_and_found_again(void **state)
{
	away_and_back(*state, 4000, suspend, resume);
}

static void
one_worker_that_waited_spares_the_others(void **state)
{
	struct scene *sc = *state;
	struct store *other;
	char uri[1024];
	int64_t took;

	proxied_uri(sc->proxy.port, uri);
	other = store_open_mongo(uri, database, &err);
	assert_non_null(other);
	assert_true(look(sc->store, &took) && look(other, &took));
	suspend(&sc->proxy);
	assert_false(look(sc->store, &took));
	assert_false(look(sc->store, &took)); /* the first look for it */
	for (int i = 0; i < 10; i++) {
		assert_false(look(other, &took));
		assert_in_range(took, 0, 100);
	}
	resume(&sc->proxy);
	wait_ms(1100);
	assert_true(look(sc->store, &took) && look(other, &took));
	store_free(&other);
}

static void
a_connection_that_died_while_idle_is_no_failure(void **state)
{
	struct scene *sc = *state;
	struct ledger_event e = an_event(unique("idle"), 1, LK_APPROVING, "idle");
	int64_t took;

	assert_true(look(sc->store, &took));
	proxy_stop(&sc->proxy);
	proxy_start(&sc->proxy);
	assert_true(look(sc->store, &took));
	proxy_stop(&sc->proxy);
	proxy_start(&sc->proxy);
	PUT(STORE_OURS, store_ledger_put(sc->store, &e, &how, in(SOON), &err));
}

static void
a_put_outlives_a_short_absence_once_it_was_sent(void **state)
{
	struct scene *sc = *state;
	struct ledger_event e = an_event(unique("outlive"), 1, LK_APPROVED, "outlive-nonce");
	pid_t helper;

	proxy_order(&sc->proxy, PROXY_MUTE, 1, e.nonce);
	helper = fork();
	if (helper == 0) { /* while the put waits for its answer the server hangs, and comes back */
		wait_ms(500);
		kill(sc->proxy.pid, SIGSTOP);
		wait_ms(2500);
		kill(sc->proxy.pid, SIGCONT);
		_exit(0);
	}
	assert_true(helper > 0);
	PUT(STORE_OURS, store_ledger_put(sc->store, &e, &how, in(SOON), &err));
	waitpid(helper, NULL, 0);
	assert_int_equal(sc->proxy.orders->seen, 2);
}

#define ON_SERVER(test) { "server: " #test, test, open_server, close_store, NULL },
#define THROUGH_PROXY(test) { "network: " #test, test, open_scene, close_scene, NULL },

int
main(void)
{
	const struct CMUnitTest tests[] = {
		/* clang-format off */
		EACH_STORE_CASE(ON_SERVER)
		ON_SERVER(a_payment_is_exactly_the_sites_schema)
		ON_SERVER(outbox_documents_say_type_and_tid)
		ON_SERVER(a_payment_that_another_program_wrote_is_taken)
		ON_SERVER(a_payment_of_an_earlier_version_is_ours_and_stays)
		ON_SERVER(a_payments_members_may_stand_in_any_order)
		ON_SERVER(the_id_of_a_payment_says_when_it_was_opened)
		ON_SERVER(text_that_is_not_utf8_is_refused_before_it_is_sent)
		ON_SERVER(nothing_is_begun_after_the_deadline)
		ON_SERVER(of_sixteen_processes_one_gets_the_key)
		ON_SERVER(many_may_prepare_at_the_same_time)
		THROUGH_PROXY(a_lost_answer_is_found_out)
		THROUGH_PROXY(three_lost_answers_are_found_out)
		THROUGH_PROXY(a_lost_request_is_sent_again)
		THROUGH_PROXY(an_answer_that_never_comes_is_found_out)
		THROUGH_PROXY(a_write_that_missed_the_majority_is_repeated_until_it_did_not)
		THROUGH_PROXY(a_duplicate_that_missed_the_majority_decides_nothing)
		THROUGH_PROXY(a_primary_that_stepped_down_may_have_done_it)
		THROUGH_PROXY(a_lost_answer_to_anothers_key_is_taken)
		THROUGH_PROXY(a_delete_whose_answer_is_lost_is_done)
		THROUGH_PROXY(many_claims_are_found_out_whatever_became_of_their_answer)
		THROUGH_PROXY(the_end_of_a_try_waits_for_the_majority)
		THROUGH_PROXY(what_waits_together_is_put_once)
		THROUGH_PROXY(what_another_primary_took_is_put_again)
		THROUGH_PROXY(the_first_of_two_may_lose_its_answer)
		THROUGH_PROXY(the_last_of_two_may_lose_its_answer)
		THROUGH_PROXY(the_last_of_two_may_miss_the_majority)
		THROUGH_PROXY(what_was_lost_with_its_primary_is_told)
		THROUGH_PROXY(what_nothing_came_after_is_left_alone)
		THROUGH_PROXY(what_may_be_stored_stays_uncertain)
		THROUGH_PROXY(a_server_that_was_stopped_is_away_at_once_and_found_again)
		THROUGH_PROXY(a_server_that_hangs_is_away_soon_and_found_again)
		THROUGH_PROXY(one_worker_that_waited_spares_the_others)
		THROUGH_PROXY(a_connection_that_died_while_idle_is_no_failure)
		THROUGH_PROXY(a_put_outlives_a_short_absence_once_it_was_sent)
		/* clang-format on */
	};

	server_uri = getenv("ROOMPAY_TEST_STORE_URI");
	if (server_uri == NULL || server_uri[0] == '\0') {
		puts("1..0 # SKIP ROOMPAY_TEST_STORE_URI is not set");
		return 0;
	}
	return cmocka_run_group_tests(tests, begin_all, end_all);
}
