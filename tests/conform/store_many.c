/* What holds of the verbs on many records at once, on every store. */
#include "config.h"

#include "store_cases.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N = 20 };

void
fill_tries(struct store_try *tries, const struct store_try **list, size_t n, const char *base,
    const char *by)
{
	for (size_t i = 0; i < n; i++) {
		tries[i] = (struct store_try){ .number = 1, .at_ms = 1709601652000 };
		snprintf(tries[i].message_id, sizeof(tries[i].message_id), "%s-%zu", base, i);
		snprintf(tries[i].by, sizeof(tries[i].by), "%s", by);
		list[i] = &tries[i];
	}
}

void
many_tries_are_claimed_each_for_itself(void **state)
{
	struct store *s = *state;
	struct store_try ours[N], theirs[N], *back;
	const struct store_try *list[N], *other[N];
	enum store_put hows[N];
	char base[64];
	size_t n;

	snprintf(base, sizeof(base), "%s", unique("many"));
	fill_tries(theirs, other, N, base, "theirs");
	fill_tries(ours, list, N, base, "ours");
	for (size_t i = 0; i < N; i += 3)
		PUT(STORE_OURS, store_try_claim(s, &theirs[i], &how, in(SOON), &err));
	for (int again = 0; again < 2; again++) {
		DO(store_try_claim_many(s, list, N, hows, in(SOON), &err));
		for (size_t i = 0; i < N; i++)
			assert_int_equal(hows[i], i % 3 == 0 ? STORE_TAKEN : STORE_OURS);
	}
	DO(store_try_claim_many(s, other, 1, hows, in(SOON), &err));
	assert_int_equal(hows[0], STORE_OURS);
	DO(store_try_claim_many(s, list, 0, hows, in(SOON), &err));
	for (size_t i = 0; i < N; i++) {
		DO(store_try_list(s, ours[i].message_id, &back, &n, in(SOON), &err));
		assert_int_equal(n, 1);
		assert_string_equal(back->by, i % 3 == 0 ? "theirs" : "ours");
		free(back);
	}
}

void
many_tries_are_finished_and_their_messages_deleted(void **state)
{
	struct store *s = *state;
	struct store_try tries[N], *back;
	const struct store_try *list[N];
	struct store_message there;
	const char *gone[N];
	enum store_put hows[N];
	char base[64];
	size_t n;
	bool found;

	snprintf(base, sizeof(base), "%s", unique("done"));
	fill_tries(tries, list, N, base, "ours");
	for (size_t i = 0; i < N; i++) {
		struct store_message m = a_message(base, 1000 + (int64_t)i);

		strcpy(m.id, tries[i].message_id);
		gone[i] = tries[i].message_id;
		PUT(STORE_OURS, store_outbox_put(s, &m, &how, in(SOON), &err));
		tries[i].ended = true;
		tries[i].acknowledged = i % 2 == 0;
		tries[i].status = 200 + (int64_t)i;
	}
	DO(store_try_claim_many(s, list, N - 1, hows, in(SOON), &err));
	DO(store_try_finish_many(s, list, N, in(SOON), &err)); /* the last was never claimed */
	DO(store_outbox_delete_many(s, gone, N - 1, in(SOON), &err));
	DO(store_outbox_delete_many(s, gone, N - 1, in(SOON), &err));
	DO(store_outbox_delete_many(s, gone, 0, in(SOON), &err));
	for (size_t i = 0; i < N; i++) {
		DO(store_outbox_get(s, gone[i], &there, &found, in(SOON), &err));
		assert_int_equal(found, i == N - 1);
		if (found)
			store_message_clear(&there);
		DO(store_try_list(s, gone[i], &back, &n, in(SOON), &err));
		assert_int_equal(n, i < N - 1);
		if (n == 1)
			assert_memory_equal(back, &tries[i], sizeof(tries[i]));
		free(back);
	}
	DO(store_outbox_delete(s, gone[N - 1], in(SOON), &err));
}

void
new_messages_are_listed_from_a_time_on(void **state)
{
	struct store *s = *state;
	struct store_message *list;
	char names[3][64];
	size_t n;

	for (size_t i = 0; i < 3; i++) {
		struct store_message m = a_message(unique("since"), 1000 + (int64_t)i);

		strcpy(names[i], m.id);
		PUT(STORE_OURS, store_outbox_put(s, &m, &how, in(SOON), &err));
	}
	DO(store_outbox_since(s, 1001, 100, &list, &n, in(SOON), &err));
	assert_int_equal(n, 2);
	for (size_t i = 0; i < n; i++) {
		assert_string_equal(list[i].id, names[i + 1]);
		store_message_clear(&list[i]);
	}
	free(list);
	for (size_t i = 0; i < 3; i++)
		DO(store_outbox_delete(s, names[i], in(SOON), &err));
}

void
a_long_chain_is_whole_and_in_order(void **state)
{
	struct store *s = *state;
	static const int64_t lengths[] = { 7, 8, 9, 23, 24, 25, 130 };

	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		const char *order = unique("long");
		struct ledger_chain c;

		for (int64_t n = 1; n <= lengths[i] + 5; n++) {
			struct ledger_event e = an_event(order, n, LK_NOTE, "n");

			if (n != lengths[i] + 1) /* a gap, and more behind it */
				PUT(STORE_OURS, store_ledger_put(s, &e, &how, in(SOON), &err));
		}
		DO(store_ledger_chain(s, "TC0ONETIME", order, &c, in(SOON), &err));
		assert_int_equal(c.n, lengths[i]);
		for (size_t n = 0; n < c.n; n++)
			assert_int_equal(c.ev[n].n, n + 1);
		ledger_chain_clear(&c);
	}
}
