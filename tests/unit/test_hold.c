/* The states of a hold: every state meets every event. And the structures under the table: hash and
 * heap. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "booking/hash.h"
#include "booking/heap.h"
#include "booking/hold.h"

enum { NO = -1 };

/* Each row: the state before, and the state after each event, in this order: ready fail approve
 * approved declined unknown review restore-ready restore-expired expire fence remove. */
static const struct {
	enum hold_state from;
	const char *name;
	bool live;
	int to[HOLD_EV__MAX];
} rows[] = {
	{ HOLD_HELD, "held", true,
	    { HOLD_READY, HOLD_REMOVED, NO, NO, NO, NO, NO, NO, NO, HOLD_EXPIRED, HOLD_FENCED,
		HOLD_REMOVED } },
	{ HOLD_READY, "ready", true,
	    { NO, NO, HOLD_APPROVING, HOLD_APPROVED, NO, NO, NO, NO, NO, HOLD_EXPIRED, HOLD_FENCED,
		HOLD_REMOVED } },
	{ HOLD_APPROVING, "approving", true,
	    { NO, NO, HOLD_APPROVING, HOLD_APPROVED, HOLD_DECLINED, HOLD_UNKNOWN, HOLD_REVIEW,
		HOLD_READY, HOLD_EXPIRED, NO, NO, NO } },
	{ HOLD_UNKNOWN, "unknown", true,
	    { NO, NO, HOLD_APPROVING, HOLD_APPROVED, HOLD_DECLINED, NO, HOLD_REVIEW, HOLD_READY,
		HOLD_EXPIRED, NO, NO, NO } },
	{ HOLD_REVIEW, "review", true,
	    { NO, NO, NO, HOLD_APPROVED, HOLD_DECLINED, NO, NO, NO, NO, NO, NO, NO } },
	{ HOLD_APPROVED, "approved", true,
	    { NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, HOLD_REMOVED } },
	{ HOLD_REMOVED, "removed", false,
	    { NO, NO, NO, HOLD_APPROVED, NO, NO, NO, NO, NO, NO, NO, NO } },
	{ HOLD_DECLINED, "declined", false,
	    { NO, NO, NO, HOLD_APPROVED, NO, NO, NO, NO, NO, NO, NO, NO } },
	{ HOLD_EXPIRED, "expired", false,
	    { NO, NO, HOLD_APPROVING, HOLD_APPROVED, NO, NO, NO, NO, NO, NO, HOLD_FENCED,
		HOLD_REMOVED } },
	{ HOLD_FENCED, "fenced", false,
	    { NO, NO, NO, HOLD_APPROVED, NO, NO, NO, NO, NO, NO, NO, NO } },
};

static void
every_state_meets_every_event(void **state)
{
	(void)state;
	assert_int_equal(sizeof(rows) / sizeof(rows[0]), HOLD__MAX);
	for (size_t i = 0; i < HOLD__MAX; i++) {
		for (enum hold_event ev = 0; ev < HOLD_EV__MAX; ev++) {
			enum hold_state to = HOLD__MAX;
			struct error err = { 0 };
			bool ok = hold_step(rows[i].from, ev, &to, &err);

			if (ok != (rows[i].to[ev] != NO) || (ok && (int)to != rows[i].to[ev]))
				fail_msg("%s, event %d: %s", rows[i].name, (int)ev,
				    ok ? hold_state_name(to) : err.msg);
			if (!ok && (err.code != ERR_CONFLICT || to != HOLD__MAX))
				fail_msg("%s, event %d: refused in the wrong way", rows[i].name,
				    (int)ev);
		}
	}
}

static void
every_state_has_one_name_and_no_other_word_is_accepted(void **state)
{
	static const char *const wrong[] = { "", "Held", "held ", "hel", "heldx", "paid" };
	enum hold_state s;

	(void)state;
	for (size_t i = 0; i < HOLD__MAX; i++) {
		assert_string_equal(hold_state_name(rows[i].from), rows[i].name);
		assert_true(hold_state_parse(rows[i].name, &s));
		assert_int_equal(s, rows[i].from);
	}
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_false(hold_state_parse(wrong[i], &s));
}

static void
a_live_hold_keeps_its_time_from_others(void **state)
{
	(void)state;
	for (size_t i = 0; i < HOLD__MAX; i++)
		if (hold_state_is_live(rows[i].from) != rows[i].live)
			fail_msg("%s", rows[i].name);
}

static void
the_hash_is_siphash(void **state)
{
	/* Appendix A of the paper: key 00..0f, message 00..0e. The others are from the authors'
	 * table of vectors: the same key, messages of 0 and 8 bytes. */
	static const struct {
		size_t len;
		uint64_t hash;
	} vectors[] = {
		{ 15, 0xa129ca6149be45e5 },
		{ 0, 0x726fdb47dd0e0e31 },
		{ 8, 0x93f5f5799a932462 },
	};
	uint8_t key[HASH_KEY_LEN], msg[15];

	(void)state;
	for (uint8_t i = 0; i < sizeof(key); i++)
		key[i] = i;
	for (uint8_t i = 0; i < sizeof(msg); i++)
		msg[i] = i;
	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++)
		assert_true(hash_bytes(key, msg, vectors[i].len) == vectors[i].hash);
}

static void
a_hash_table_finds_every_node_of_a_hash_and_no_removed_one(void **state)
{
	enum { N = 1000 };
	static struct hash_node nodes[N];
	struct hash h = { NULL, 0, 0 };
	size_t found = 0;

	(void)state;
	assert_null(hash_first(&h, 7));
	for (size_t i = 0; i < N; i++)
		assert_true(hash_add(&h, &nodes[i], i % 100));
	for (struct hash_node *node = hash_first(&h, 42); node != NULL; node = hash_next(node))
		found++;
	assert_int_equal(found, N / 100);
	for (size_t i = 42; i < N; i += 100)
		hash_remove(&h, &nodes[i]);
	assert_null(hash_first(&h, 42));
	assert_non_null(hash_first(&h, 43));
	assert_int_equal(h.n, N - N / 100);
	hash_drain(&h, NULL);
	assert_int_equal(h.n, 0);
}

struct seen {
	size_t n, stop_after;
	int64_t latest_ms;
};

static bool
see(void *ctx, struct timer *timer)
{
	struct seen *s = ctx;

	if (s->n == s->stop_after)
		return false;
	s->n++;
	if (timer->due_ms > s->latest_ms)
		s->latest_ms = timer->due_ms;
	return true;
}

static void
a_heap_visits_exactly_what_is_due(void **state)
{
	enum { N = 500 };
	static struct timer timers[N];
	struct seen s = { .stop_after = N };
	struct heap h = { NULL, 0, 0 };
	unsigned seed = 1;

	(void)state;
	assert_int_equal(heap_next(&h), INT64_MAX);
	for (size_t i = 0; i < N; i++)
		assert_true(heap_set(&h, &timers[i], (int64_t)i));
	for (size_t round = 0; round < 2000; round++) { /* moved, removed, added again */
		seed = seed * 1103515245 + 12345;
		assert_true(heap_set(&h, &timers[seed / 65536 % N],
		    round % 3 == 0 ? INT64_MAX : seed % 1000));
		for (size_t pos = 2; pos <= h.n; pos++)
			assert_true(
			    h.at[pos / 2]->due_ms <= h.at[pos]->due_ms && h.at[pos]->pos == pos);
	}
	for (size_t i = 0; i < N; i++)
		assert_true(heap_set(&h, &timers[i], (int64_t)(N - i)));
	assert_int_equal(h.n, N);
	assert_int_equal(heap_next(&h), 1);
	assert_int_equal(heap_each_due(&h, 100, see, &s), 101);
	assert_int_equal(s.n, 100);
	assert_int_equal(s.latest_ms, 100);
	s = (struct seen){ .stop_after = 7 };
	assert_true(heap_each_due(&h, 100, see, &s) <= 100); /* it tells when the rest is due */
	assert_int_equal(s.n, 7);
	heap_shift(&h, -50);
	assert_int_equal(heap_next(&h), -49);
	for (size_t i = 0; i < N; i++)
		assert_true(heap_set(&h, &timers[i], INT64_MAX));
	assert_int_equal(heap_next(&h), INT64_MAX);
	heap_clear(&h);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_state_meets_every_event),
		cmocka_unit_test(every_state_has_one_name_and_no_other_word_is_accepted),
		cmocka_unit_test(a_live_hold_keeps_its_time_from_others),
		cmocka_unit_test(the_hash_is_siphash),
		cmocka_unit_test(a_hash_table_finds_every_node_of_a_hash_and_no_removed_one),
		cmocka_unit_test(a_heap_visits_exactly_what_is_due),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
