/* What holds of every store, on the one in memory; and what needs no server: the breaker, URIs that
 * are refused, a server that is not there. */
#include "config.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "store/breaker.h"
#include "store_cases.h"

static int
open_memory(void **state)
{
	*state = store_open_memory();
	return *state == NULL;
}

static int
close_store(void **state)
{
	store_free((struct store **)state);
	return 0;
}

/* --- the breaker, alone */

static void
a_breaker_lets_one_look_a_second(void **state)
{
	struct breaker b = { 0 };

	(void)state;
	assert_int_equal(breaker_ask(&b, 5000), BREAKER_GO);
	assert_int_equal(breaker_wait_ms(&b, 5000), 0);
	breaker_failed(&b, 4000, 5000);
	assert_int_equal(breaker_wait_ms(&b, 5000), 0);
	assert_int_equal(breaker_ask(&b, 5000), BREAKER_PROBE);
	assert_int_equal(breaker_ask(&b, 5000), BREAKER_AWAY); /* another call while the probe is
								  under way */
	assert_int_equal(breaker_ask(&b, 5999), BREAKER_AWAY);
	assert_int_equal(breaker_wait_ms(&b, 5999), 1);
	assert_int_equal(breaker_ask(&b, 6000), BREAKER_PROBE); /* whoever looked did not come back
								 */
	breaker_still_away(&b, 6700);
	assert_int_equal(breaker_ask(&b, 6999), BREAKER_AWAY);
	assert_int_equal(breaker_ask(&b, 7000), BREAKER_PROBE);
	breaker_still_away(&b, 7900); /* took nearly as long */
	assert_int_equal(breaker_ask(&b, 8099), BREAKER_AWAY);
	assert_int_equal(breaker_ask(&b, 8100), BREAKER_PROBE);
	breaker_succeeded(&b, 8101);
	assert_int_equal(b.closings, 1);
	breaker_failed(&b, 5200, 8101); /* waited in vain from before the probe */
	assert_int_equal(breaker_ask(&b, 8101), BREAKER_GO);
	breaker_failed(&b, 8101, 8102); /* again, within the second */
	assert_int_equal(breaker_ask(&b, 9099), BREAKER_AWAY);
	assert_int_equal(breaker_ask(&b, 9100), BREAKER_PROBE);
}

static void
a_breaker_stays_closed_while_others_are_served(void **state)
{
	struct breaker b = { 0 };

	(void)state;
	breaker_worked(&b, 5000);
	breaker_failed(&b, 4999, 7000); /* slow for one, there for another */
	assert_int_equal(breaker_ask(&b, 7000), BREAKER_GO);
	breaker_failed(&b, 5000, 7000); /* nobody was served since */
	assert_int_equal(breaker_ask(&b, 7000), BREAKER_PROBE);
	assert_int_equal(b.probes, 1);
	b = (struct breaker){ 0 };
	breaker_worked(&b, 900000); /* by another boot's clock */
	breaker_failed(&b, 4000, 7000);
	assert_int_equal(breaker_ask(&b, 7000), BREAKER_PROBE);
}

static void
a_breaker_with_a_time_that_cannot_be_is_looked_at(void **state)
{
	struct breaker b = { .open = true, .next_probe_ms = 1000000 };

	(void)state;
	assert_int_equal(breaker_ask(&b, 5), BREAKER_PROBE);
}

static void
a_breaker_is_one_for_all_who_name_it_and_goes_with_the_last(void **state)
{
	struct breaker_handle *a, *b, *other;
	char name[32], path[160];

	(void)state;
	snprintf(name, sizeof(name), "test-%d", (int)getpid());
	a = breaker_open(name);
	b = breaker_open(name);
	other = breaker_open("test-other");
	assert_true(a != NULL && b != NULL && other != NULL);
	snprintf(path, sizeof(path), "/dev/shm%s", a->path);
	breaker_failed(a->b, 4000, 5000);
	assert_int_equal(breaker_ask(b->b, 5000), BREAKER_PROBE);
	assert_int_equal(breaker_ask(a->b, 5000), BREAKER_AWAY);
	assert_int_equal(breaker_ask(other->b, 5000), BREAKER_GO);
	breaker_close(&a);
	assert_int_equal(access(path, F_OK), 0);
	a = breaker_open(name);
	assert_int_equal(breaker_ask(a->b, 5000), BREAKER_AWAY);
	breaker_close(&a);
	breaker_close(&b);
	breaker_close(&other);
	assert_int_equal(access(path, F_OK), -1);
	a = breaker_open(name);
	assert_int_equal(breaker_ask(a->b, 5000), BREAKER_GO);
	breaker_close(&a);
	assert_null(a);
}

static void
nothing_is_left_in_shared_memory(void **state)
{
	char path[64];

	(void)state;
	snprintf(path, sizeof(path), "/dev/shm/mongoc-%d", (int)getpid());
	assert_int_equal(access(path, F_OK), -1);
}

/* --- what is refused before anything is done */

static void
a_uri_that_is_unsafe_or_unknown_is_refused_without_being_told(void **state)
{
	static const struct {
		const char *uri, *database;
		bool ok;
	} rows[] = {
		{ "mongodb://127.0.0.1:1/", "roompay", true },
		{ "mongodb://u:hunter2@127.0.0.1:1/?authSource=admin&tls=true&w=1&retryWrites=true&socketTimeoutMS=5",
		    "roompay", true },
		{ "", "roompay", false },
		{ "http://u:hunter2@127.0.0.1/", "roompay", false },
		{ "mongodb://u:hunter2@127.0.0.1:port/", "roompay", false },
		{ "mongodb://u:hunter2@127.0.0.1:1/?tls=true&tlsInsecure=true", "roompay", false },
		{ "mongodb://u:hunter2@127.0.0.1:1/?tls=true&tlsAllowInvalidCertificates=true",
		    "roompay", false },
		{ "mongodb://u:hunter2@127.0.0.1:1/?tls=true&tlsAllowInvalidHostnames=true",
		    "roompay", false },
		{ "mongodb://u:hunter2@127.0.0.1:1/?ssl=true&sslAllowInvalidCertificates=true",
		    "roompay", false },
		{ "mongodb://u:hunter2@127.0.0.1:1/?tlss=true", "roompay", false },
		{ "mongodb://127.0.0.1:1/", "", false },
		{ "mongodb://127.0.0.1:1/", "a/b", false },
		{ "mongodb://127.0.0.1:1/", "a.b", false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct store *s;

		error_clear(&err);
		s = store_open_mongo(rows[i].uri, rows[i].database, &err);
		if ((s != NULL) != rows[i].ok)
			fail_msg("%s %s: %s", rows[i].uri, rows[i].database, err.msg);
		assert_int_equal(err.code, rows[i].ok ? ERR_NONE : ERR_INPUT);
		assert_null(strstr(err.msg, "hunter2"));
		store_free(&s);
	}
}

static void
a_server_that_was_never_there_is_unavailable(void **state)
{
	struct store *s = store_open_mongo("mongodb://user:hunter2@127.0.0.1:1/", "roompay", &err);
	int64_t began = clock_boot_ms();

	(void)state;
	assert_non_null(s);
	assert_false(store_prepare(s, in(SOON), &err));
	assert_int_equal(err.code, ERR_UNAVAILABLE);
	assert_null(strstr(err.msg, "hunter2"));
	assert_false(store_ping(s, in(SOON), &err));
	assert_int_equal(err.code, ERR_UNAVAILABLE);
	assert_in_range(clock_boot_ms() - began, 0, 2500);
	store_free(&s);
}

#define ON_MEMORY(test) { "memory: " #test, test, open_memory, close_store, NULL },

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(a_breaker_lets_one_look_a_second),
		cmocka_unit_test(a_breaker_stays_closed_while_others_are_served),
		cmocka_unit_test(a_breaker_with_a_time_that_cannot_be_is_looked_at),
		cmocka_unit_test(a_breaker_is_one_for_all_who_name_it_and_goes_with_the_last),
		cmocka_unit_test(a_uri_that_is_unsafe_or_unknown_is_refused_without_being_told),
		cmocka_unit_test(a_server_that_was_never_there_is_unavailable),
		cmocka_unit_test(nothing_is_left_in_shared_memory), EACH_STORE_CASE(ON_MEMORY) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
