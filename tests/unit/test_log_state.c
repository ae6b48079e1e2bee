/* What the connections of the shared log's helper know of each other. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "queuelog/state.h"

struct helper {
	struct state s;
	int daemon;
};

static void
begin(struct helper *h)
{
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	state_init(&h->s, pair[0]);
	log_turn_init(&h->s.turn, 1);
	h->daemon = pair[1];
	state_begin(&h->s, 5, 50);
}

static void
end(struct helper *h)
{
	close(h->s.fd);
	close(h->daemon);
}

static bool
is_told(const struct helper *h)
{
	char said[1000];

	return recv(h->daemon, said, sizeof(said), MSG_DONTWAIT) > 0;
}

static const struct log_frame six = { .kind = LOG_RECORD,
	.n = 6,
	.nonce = 60,
	.prev = 50,
	.by = 2 };

static void
each_record_is_given_once_and_in_order(void **state)
{
	struct log_frame eight = { .kind = LOG_RECORD, .n = 8, .nonce = 80, .prev = 70 };
	struct helper h;

	(void)state;
	begin(&h);
	assert_false(state_deliver(&h.s, &eight, state_looks(&h.s)));
	assert_false(is_told(&h));
	assert_true(state_deliver(&h.s, &six, state_looks(&h.s)));
	assert_true(is_told(&h));
	assert_false(state_deliver(&h.s, &six, state_looks(&h.s)));
	assert_false(is_told(&h));
	assert_int_equal(state_last(&h.s), 6);
	end(&h);
}

static void
what_was_read_before_another_connection_is_verified_is_read_again(void **state)
{
	struct helper h;
	uint64_t looks, n, nonce;

	(void)state;
	begin(&h);
	looks = state_looks(&h.s); /* it asks, and gets number 6 */
	state_begin_look(&h.s, &n, &nonce);
	assert_int_equal(n, 5); /* another one finds 5, in an older database */
	assert_int_equal(nonce, 50);
	assert_false(state_deliver(&h.s, &six, looks));
	assert_false(is_told(&h));
	looks = state_looks(&h.s);
	assert_true(state_deliver(&h.s, &six, looks));
	state_begin_look(&h.s, &n, &nonce);
	assert_int_equal(n, 6);
	assert_int_equal(nonce, 60);
	end(&h);
}

static void
an_acknowledgement_counts_no_more_then(void **state)
{
	struct helper h;
	uint64_t looks, n, nonce;

	(void)state;
	begin(&h);
	looks = state_looks(&h.s);
	state_begin_look(&h.s, &n, &nonce);
	assert_false(state_ack(&h.s, 6, 60, 2000, looks));
	assert_false(is_told(&h));
	assert_int_equal(state_last(&h.s), 5);
	assert_true(state_ack(&h.s, 6, 60, 2000, state_looks(&h.s)));
	assert_true(is_told(&h));
	/* what the reader has given already needs nothing more */
	assert_true(state_ack(&h.s, 6, 60, 2000, looks));
	assert_false(is_told(&h));
	end(&h);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_record_is_given_once_and_in_order),
		cmocka_unit_test(what_was_read_before_another_connection_is_verified_is_read_again),
		cmocka_unit_test(an_acknowledgement_counts_no_more_then),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
