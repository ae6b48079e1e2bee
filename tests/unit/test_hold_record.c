/* Records that are damaged, do not fit, or come twice. Whatever they do, nothing crashes. */
#include "config.h"

#include "booking/hold_record.h"
#include "hold_pair.h"

static bool
see_one(void *ctx, const struct hold_view *h, const struct interval_set *set)
{
	size_t *n = ctx;

	*n += strlen(h->cid) + strlen(h->attempt) + strlen(h->answer) + strlen(h->tid) + set->n;
	return true;
}

/* Calls every command on a table in any condition. */
static void
prod(struct world *w)
{
	struct interval_set set = { .iv = { { 0, 1440 } }, .n = 1 };
	struct error err;
	struct buf sink;
	int64_t next;
	size_t n = 0;

	for (uint64_t id = 1; id < 12; id++) {
		struct hold_request rq = {
			.cid = CID,
			.order = "o1",
			.user = pair_users[id % MODEL_USERS],
			.room = pair_rooms[id % MODEL_ROOMS],
			.set = set,
			.fingerprint = "f",
			.attempt = "{}",
			.ttl_ms = 1000,
			.call_ms = 1000,
		};

		hold_table_hold(w->t, &rq, &w->load, w->now, &w->a, &err);
		hold_answer_clear(&w->a);
		hold_table_ready(w->t, id, "TX", "{}", w->now, &w->a, &err);
		hold_answer_clear(&w->a);
		hold_table_fail(w->t, id, true, w->now, &w->a, &err);
		hold_answer_clear(&w->a);
		hold_table_approve(w->t, id, 1000, "k", 1000, &w->load, w->now, &w->a, &err);
		hold_answer_clear(&w->a);
		for (enum hold_outcome o = 0; o < HO__MAX; o++) {
			for (uint64_t token = 0; token < 4; token++) {
				hold_table_outcome(w->t, id, token, o, 1000, w->now, &w->a, &err);
				hold_answer_clear(&w->a);
			}
		}
		hold_table_remove(w->t, id, id % 2 == 0, 1000, w->now, &w->a, &err);
		hold_answer_clear(&w->a);
	}
	buf_init(&sink, 0);
	if (hold_table_expire(w->t, (struct now){ w->now.boot_ms + DAY, 0 }, &sink, &next, &err))
		hold_table_apply(w->t, sink.data == NULL ? "" : sink.data, sink.len, NULL, &err);
	buf_clear(&sink);
	hold_table_each(w->t, NULL, w->now, see_one, &n);
	hold_table_each(w->t, pair_rooms[0], w->now, see_one, &n);
	hold_table_rebase(w->t, false, (struct now){ 1, 1 });
	buf_init(&sink, 0);
	hold_table_snapshot(w->t, world_emit, &sink);
	buf_clear(&sink);
}

struct cut { /* the records of a run, apart */
	const char *record[600];
	size_t len[600];
	size_t n;
};

static void
cut_journal(const struct buf *journal, struct cut *c)
{
	size_t len;

	c->n = 0;
	for (size_t at = 0; at < journal->len && c->n < 600; at += len) {
		memcpy(&len, journal->data + at, sizeof(len));
		at += sizeof(len);
		c->record[c->n] = journal->data + at;
		c->len[c->n++] = len;
	}
}

/* Applies the records before `at`, this one in its place, and those after it as far as they fit. */
static void
try_damaged(struct world *w, const struct cut *c, size_t at, const char *record, size_t len)
{
	struct error err = { 0 };
	size_t i;
	bool ok;

	w->t = world_table(w);
	for (i = 0; i < at; i++)
		assert_true(hold_table_apply(w->t, c->record[i], c->len[i], NULL, &err));
	ok = hold_table_apply(w->t, record, len, NULL, &err);
	if (!ok) {
		assert_int_equal(err.code, ERR_INTERNAL);
		/* broken from then on */
		assert_false(hold_table_apply(w->t, c->record[at], c->len[at], NULL, &err));
	}
	for (i = at + 1; ok && i < c->n && i < at + 20; i++)
		ok = hold_table_apply(w->t, c->record[i], c->len[i], NULL, &err);
	prod(w);
	hold_table_free(&w->t);
}

static void
a_damaged_record_never_crashes_the_table(void **state)
{
	struct pair p = { .op = 0 };
	struct dice d = { 4711 };
	struct world victim;
	struct cut c;

	(void)state;
	pair_open(&p, 99);
	pair_run(&p, 390); /* without a restart, so that the journal is complete */
	victim = p.w;
	cut_journal(&p.w.journal, &c);
	assert_true(c.n > 100);
	for (size_t at = 0; at < c.n; at += 7) {
		for (int i = 0; i < 60; i++) {
			/* A copy of exactly its size, so that a sanitizer sees reads past its
			 * end. */
			size_t len = i < 20 ? roll(&d, (uint32_t)c.len[at]) : c.len[at];
			char *copy = malloc(len + 1);

			assert_non_null(copy);
			memcpy(copy, c.record[at], len);
			for (uint32_t flips = i < 20 ? 0 : 1 + roll(&d, 3); flips > 0; flips--)
				copy[roll(&d, (uint32_t)len)] =
				    (char)(i % 2 == 0 ? roll(&d, 256) : roll(&d, 12));
			copy = realloc(copy, len == 0 ? 1 : len);
			try_damaged(&victim, &c, at, copy, len);
			free(copy);
		}
	}
	pair_close(&p);
}

static void
a_truncated_record_or_another_version_is_refused(void **state)
{
	struct error err = { 0 };
	struct buf journal;
	struct cut c;

	(void)state;
	for (size_t cut = 0;; cut++) {
		struct world w;
		struct hold_table *t;
		size_t whole;

		world_open(&w);
		world_held(&w, "a", ROOM1, "o1", "0-60,120-180");
		journal = w.journal;
		cut_journal(&journal, &c);
		whole = c.len[0];
		t = world_table(&w);
		/* 17 bytes are a record without changes */
		if (hold_table_apply(t, c.record[0], cut, NULL, &err) !=
		    (cut == whole || cut == 17))
			fail_msg("cut after %zu of %zu", cut, whole);
		hold_table_free(&t);
		world_close(&w);
		if (cut == whole)
			break;
	}
	for (int version = 0; version < 256; version++) {
		struct world w;
		struct hold_table *t;

		world_open(&w);
		world_held(&w, "a", ROOM1, "o1", "0-60");
		cut_journal(&w.journal, &c);
		w.journal.data[sizeof(size_t)] = (char)version;
		t = world_table(&w);
		assert_int_equal(hold_table_apply(t, c.record[0], c.len[0], NULL, &err),
		    version == 1);
		hold_table_free(&t);
		w.journal.data[sizeof(size_t)] = 1;
		world_close(&w);
	}
}

static void
a_record_applied_twice_does_not_fit(void **state)
{
	(void)state;
	/* even after the hold is gone: no id is used twice */
	for (int gone = 0; gone < 2; gone++) {
		struct error err = { 0 };
		struct world w;
		struct cut c;
		uint64_t id;

		world_open(&w);
		id = world_held(&w, "a", ROOM1, "o1", "0-60");
		if (gone)
			world_fail(&w, id, false);
		cut_journal(&w.journal, &c);
		assert_false(hold_table_apply(w.t, c.record[0], c.len[0], NULL, &err));
		assert_int_equal(err.code, ERR_INTERNAL);
		hold_answer_clear(&w.a);
		buf_clear(&w.journal);
		hold_table_free(&w.t);
	}
}

/* A world in which hold 1 is ready, 2 approving and 3 held; and a change that fits: 1 expires. */
static void
open_for_misfits(struct world *w, struct change *c)
{
	world_open(w);
	world_opened(w, "a", ROOM1, "o1", "0-60");
	world_granted(w, world_opened(w, "b", ROOM1, "o2", "60-120"), 3);
	world_held(w, "c", ROOM1, "o3", "120-180");
	*c = (struct change){
		.kind = CHANGE_LIFE,
		.id = 1,
		.life = { .state = HOLD_EXPIRED, .due_ms = w->now.boot_ms + DAY },
	};
}

static bool
try_change(struct world *w, const struct change *c)
{
	struct error err = { 0 };
	struct buf record;
	bool fits;

	record_begin(&record, w->now);
	record_add(&record, c);
	fits = hold_table_apply(w->t, record.data, record.len, NULL, &err);
	assert_true(fits || err.code == ERR_INTERNAL);
	buf_clear(&record);
	hold_answer_clear(&w->a);
	buf_clear(&w->journal);
	hold_table_free(&w->t);
	return fits;
}

/* clang-format off */
static void
a_valid_change_that_does_not_fit_the_table_is_refused(void **state)
{
	static const char *const rows[] = {
		"it fits", "a hold that is not there", "no step from ready to declined",
		"an approving hold is ended by no clock", "a ready hold is ended by one",
		"a ready hold has a tid", "a tid is another's", "a tid does not change",
		"a held hold has no token", "only paid times are guarded",
		"a paid hold is approved or removed",
		"an approving hold is not dropped in favour of a grant", "intervals out of order",
		"intervals that overlap", "an interval past midnight", "no interval",
		"a second hold in a place", "a second open hold of an order",
		"a time that is taken", "an order of which nothing is known",
		"an order that was never remembered", "a token that goes back", "an unknown kind",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct world w;
		struct change c, hold;
		int64_t later;

		open_for_misfits(&w, &c);
		later = c.life.due_ms;
		hold = (struct change){
			.kind = CHANGE_HOLD, .id = 9, .cid = CID, .order = "o9", .user = "z",
			.room = ROOM1, .fingerprint = "f", .attempt = "{}",
			.set = { .iv = { { 600, 660 }, { 700, 710 } }, .n = 2 },
			.life = { .state = HOLD_HELD, .due_ms = later }, .grant = true,
		};
		switch (i) {
		case 1: c.id = 77; break;
		case 2: c.life.state = HOLD_DECLINED; break;
		case 3: c.id = 2; c.life.state = HOLD_APPROVING; break;
		case 4:
			c.life = (struct hold_life){ .state = HOLD_READY, .due_ms = INT64_MAX };
			break;
		case 5: c.id = 3; c.life.state = HOLD_READY; break;
		case 6: c.id = 3; c.life.state = HOLD_READY; c.tid = "T1"; break;
		case 7: c.tid = "T9"; break;
		case 8: c.id = 3; c.life.state = HOLD_HELD; c.life.token = 1; break;
		case 9: c.life.state = HOLD_REMOVED; c.life.guarded = true; break;
		case 10: c.life.paid = true; break;
		case 11:
			c = hold;
			c.set = (struct interval_set){ .iv = { { 100, 110 } }, .n = 1 };
			break;
		case 12: c = hold; c.set.iv[1] = (struct interval){ 10, 20 }; break;
		case 13: c = hold; c.set.iv[1].start = 650; break;
		case 14: c = hold; c.set.iv[1] = (struct interval){ 1430, 1450 }; break;
		case 15: c = hold; c.set.n = 0; break;
		case 16: c = hold; c.user = "c"; break;
		case 17: c = hold; c.order = "o3"; break;
		case 18: c = hold; c.grant = false; c.set.iv[0].start = 30; break;
		case 19:
			c = (struct change){ .kind = CHANGE_ORDER, .cid = CID, .order = "o1" };
			break;
		case 20:
			c = (struct change){ .kind = CHANGE_FORGET, .cid = CID, .order = "o1" };
			break;
		case 21:
			c = (struct change){
				.kind = CHANGE_COUNTERS, .last_id = 99, .last_seq = 99,
			};
			break;
		case 22: c.kind = (enum change_kind)99; break;
		default: break;
		}
		if (try_change(&w, &c) != (i == 0))
			fail_msg("%s", rows[i]);
	}
}
/* clang-format on */

/* The bytes of a record must not change: journals that exist have them. */
/* clang-format off */
static void
the_bytes_of_a_record_stay_as_they_are(void **state)
{
	static const unsigned char begin[] = {
		1,					/* version */
		0x80, 0xa8, 0x12, 0x01, 0, 0, 0, 0,	/* boot: 5 h in ms */
		0x00, 0x68, 0xe5, 0xcf, 0x8b, 1, 0, 0,	/* wall: 1.7e12 ms */
		1,					/* a whole hold */
		1, 0, 0, 0, 0, 0, 0, 0,			/* id */
		0, 0, 0, 0, 0, 0, 0, 0,			/* seq: the next one */
		10, 0, 'T', 'C', '0', 'O', 'N', 'E', 'T', 'I', 'M', 'E', 0,
		2, 0, 'o', '1', 0,
		1, 0, 'a', 0,
	};
	struct world w;
	struct cut c;

	(void)state;
	world_open(&w);
	world_held(&w, "a", ROOM1, "o1", "0-60");
	cut_journal(&w.journal, &c);
	assert_int_equal(c.n, 1);
	assert_memory_equal(c.record[0], begin, sizeof(begin));
	world_close(&w);
}
/* clang-format on */

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_damaged_record_never_crashes_the_table),
		cmocka_unit_test(a_truncated_record_or_another_version_is_refused),
		cmocka_unit_test(a_record_applied_twice_does_not_fit),
		cmocka_unit_test(a_valid_change_that_does_not_fit_the_table_is_refused),
		cmocka_unit_test(the_bytes_of_a_record_stay_as_they_are),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
