/* What holds of every store, through gatherers; what they do for many workers at once; and what
 * happens when they die, stand still, or lose their server. */
#include "config.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "server_world.h"
#include "store/gather.h"

static struct gather *way;
static pid_t gatherers[GATHER_LANES];

static void
start_gatherer(enum gather_lane lane, const char *uri)
{
	gatherers[lane] = fork();
	if (gatherers[lane] == 0) {
		struct error e = { 0 };
		bool ok;

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		ok = gather_serve(way, lane, uri, database, &e);
		if (!ok)
			print_error("%s\n", e.msg);
		_exit(!ok);
	}
	assert_true(gatherers[lane] > 0);
}

static void
start_gatherers(const char *uri)
{
	way = gather_new(&err);
	assert_non_null(way);
	for (int i = 0; i < GATHER_LANES; i++)
		start_gatherer((enum gather_lane)i, uri);
}

/* They end because nobody is left, and not by a signal. */
static int
end_gatherers(void)
{
	int64_t end = clock_boot_ms() + 5000;
	int bad = 0, status;

	gather_free(&way);
	for (int i = 0; i < GATHER_LANES; i++) {
		pid_t done;

		while (
		    (done = waitpid(gatherers[i], &status, WNOHANG)) == 0 && clock_boot_ms() < end)
			wait_ms(5);
		if (done == 0) {
			print_error("gatherer %d does not end\n", i);
			kill(gatherers[i], SIGKILL);
			waitpid(gatherers[i], &status, 0);
		}
		bad += done == 0 || !WIFEXITED(status) || WEXITSTATUS(status) != 0;
	}
	return bad;
}

static int
open_gathered(void **state)
{
	start_gatherers(server_uri);
	*state = store_open_mongo(server_uri, database, &err);
	if (*state == NULL)
		return 1;
	store_go_through(*state, way);
	return 0;
}

static int
close_gathered(void **state)
{
	store_free((struct store **)state);
	return end_gatherers();
}

/* Workers and gatherers reach the server through the proxy. */
static int
open_gathered_scene(void **state)
{
	struct scene *sc;
	char uri[1024];

	if (open_scene(state) != 0)
		return 1;
	sc = *state;
	proxied_uri(sc->proxy.port, uri);
	start_gatherers(uri);
	store_go_through(sc->store, way);
	return 0;
}

static int
close_gathered_scene(void **state)
{
	int bad = close_scene(state);

	return end_gatherers() + bad;
}

/* ---- several puts in order */

struct trio { /* as approve writes them */
	struct store_replay replay;
	struct store_work work;
	struct ledger_event event;
	struct store_item items[3];
	char id[CID_CAP + ORDER_CAP + 16]; /* of the event */
};

static void
a_trio(struct trio *t)
{
	const char *order = unique("gathered");

	*t = (struct trio){ .replay = { .n = 1 }, .work = an_open(order, 1000) };
	t->event = an_event(order, 1, LK_APPROVING, "");
	strcpy(t->event.nonce, unique("gathered-nonce-"));
	strcpy(t->replay.key, unique("gathered-key-"));
	strcpy(t->replay.cid, t->event.cid);
	strcpy(t->replay.partner_order_id, t->event.partner_order_id);
	t->items[0] = (struct store_item){ STORE_REPLAY, &t->replay, true };
	t->items[1] = (struct store_item){ STORE_WORK, &t->work, false };
	t->items[2] = (struct store_item){ STORE_EVENT, &t->event, true };
	snprintf(t->id, sizeof(t->id), "%s/%s#1", t->event.cid, t->event.partner_order_id);
}

static int64_t
events_of(const struct trio *t)
{
	return count("ledger", BCON_NEW("_id", BCON_UTF8(t->id)));
}

static void
drop_work_of(struct store *s, const struct trio *t)
{
	DO(store_work_delete(s, t->work.of.tid, t->work.n, in(SOON), &err));
}

static void
puts_in_order_all_stand(void **state)
{
	struct trio t;
	size_t at;

	a_trio(&t);
	DO(store_put_in_order(*state, t.items, 3, &at, &how, in(SOON), &err));
	assert_int_equal(how, STORE_OURS);
	assert_int_equal(at, 3);
	assert_int_equal(events_of(&t), 1);
	assert_int_equal(count("replay", BCON_NEW("_id", BCON_UTF8(t.replay.key))), 1);
	assert_int_equal(count("open", BCON_NEW("tid", BCON_UTF8(t.work.of.tid))), 1);
	DO(store_put_in_order(*state, t.items, 3, &at, &how, in(SOON), &err)); /* again */
	assert_int_equal(how, STORE_OURS);
	drop_work_of(*state, &t);
	assert_int_equal(count("open", BCON_NEW("tid", BCON_UTF8(t.work.of.tid))), 0);
}

static void
what_is_dropped_goes_without_being_waited_for(void **state)
{
	enum { MANY = 40 };
	int64_t end = clock_boot_ms() + 5000;
	struct ledger_event e[2];
	struct store_work work[MANY];
	struct ledger_chain chain;

	for (int i = 0; i < 2; i++) {
		e[i] = an_event(unique("asked"), 1, LK_NOTE, unique("nonce-"));
		PUT(STORE_OURS, store_ledger_put(*state, &e[i], &how, in(SOON), &err));
	}
	/* the answers that nobody wanted are not taken for those to the reads */
	for (int i = 0; i < MANY; i++) {
		const struct ledger_event *asked = &e[i % 2];

		work[i] = an_open(unique("dropped"), 1000);
		DO(store_work_put(*state, &work[i], in(SOON), &err));
		DO(store_work_drop(*state, work[i].of.tid, work[i].n, in(SOON), &err));
		DO(store_ledger_chain(*state, asked->cid, asked->partner_order_id, &chain, in(SOON),
		    &err));
		assert_int_equal(chain.n, 1);
		assert_string_equal(chain.ev[0].nonce, asked->nonce);
		ledger_chain_clear(&chain);
	}
	for (int i = 0; i < MANY; i++)
		while (count("open", BCON_NEW("tid", BCON_UTF8(work[i].of.tid))) != 0) {
			assert_true(clock_boot_ms() < end);
			wait_ms(5);
		}
}

static void
nothing_is_put_behind_a_key_that_is_anothers(void **state)
{
	struct trio ours, theirs;
	size_t at;

	a_trio(&theirs);
	a_trio(&ours);
	strcpy(ours.replay.key, theirs.replay.key);
	PUT(STORE_OURS, store_replay_put(*state, &theirs.replay, &how, in(SOON), &err));
	DO(store_put_in_order(*state, ours.items, 3, &at, &how, in(SOON), &err));
	assert_int_equal(how, STORE_TAKEN);
	assert_int_equal(at, 0);
	assert_int_equal(events_of(&ours), 0);
}

static void
a_number_that_is_anothers_is_told(void **state)
{
	struct trio ours, theirs;
	size_t at;

	a_trio(&ours);
	theirs = ours;
	strcpy(theirs.event.nonce, "theirs");
	PUT(STORE_OURS, store_ledger_put(*state, &theirs.event, &how, in(SOON), &err));
	DO(store_put_in_order(*state, ours.items, 3, &at, &how, in(SOON), &err));
	assert_int_equal(how, STORE_TAKEN);
	assert_int_equal(at, 2);
	drop_work_of(*state, &ours);
}

/* ---- many workers */

/* All want the number of one order; each has an order of its own as well, and reads its chain. */
static void
work_all_rounds(struct arena *a, int self)
{
	struct store *s = store_open_mongo(server_uri, database, &err);

	store_go_through(s, way);
	for (int i = 0; i < ROUNDS; i++) {
		struct ledger_event shared, own;
		struct ledger_chain chain;
		char order[40];

		snprintf(order, sizeof(order), "gathered-race-%d", i);
		shared = an_event(order, 1, LK_APPROVING, "");
		snprintf(shared.nonce, sizeof(shared.nonce), "worker-%d", self);
		snprintf(order, sizeof(order), "own-%d-%d", i, self);
		own = an_event(order, 1, LK_NOTE, shared.nonce);
		pthread_barrier_wait(&a->start);
		arena_put(a, i, s, &shared);
		if (!store_ledger_put(s, &own, &how, in(SOON), &err) || how != STORE_OURS ||
		    !store_ledger_chain(s, own.cid, order, &chain, in(SOON), &err))
			__atomic_add_fetch(&a->failed, 1, __ATOMIC_SEQ_CST);
		else if (chain.n != 1 || strcmp(chain.ev[0].nonce, own.nonce) != 0)
			__atomic_add_fetch(&a->strange, 1, __ATOMIC_SEQ_CST);
		else
			ledger_chain_clear(&chain);
		pthread_barrier_wait(&a->end);
	}
	store_free(&s);
}

static void
of_sixteen_workers_one_gets_the_key_and_each_its_own(void **state)
{
	(void)state;
	race(work_all_rounds);
}

/* ---- what may happen on the way */

/* It stands still when this returns. */
static void
suspend(pid_t pid)
{
	int status;

	kill(pid, SIGSTOP);
	assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
	assert_true(WIFSTOPPED(status));
}

/* By another process, as this one waits meanwhile. */
static pid_t
signal_later(pid_t pid, int signal, int64_t ms)
{
	pid_t helper = fork();

	if (helper == 0) {
		wait_ms(ms);
		kill(pid, signal);
		_exit(0);
	}
	return helper;
}

/* The fault hits the first requests with the event's nonce. */
static void
put_under_fault(struct scene *sc, enum proxy_fault fault, int times)
{
	struct trio t;
	size_t at;

	a_trio(&t);
	proxy_order(&sc->proxy, fault, times, t.event.nonce);
	DO(store_put_in_order(sc->store, t.items, 3, &at, &how, in(SOON), &err));
	assert_int_equal(how, STORE_OURS);
	assert_int_equal(sc->proxy.orders->times, 0);
	assert_int_equal(events_of(&t), 1);
	assert_int_equal(count("replay", BCON_NEW("_id", BCON_UTF8(t.replay.key))), 1);
	drop_work_of(sc->store, &t);
}

static void
a_lost_answer_is_found_out_by_the_worker(void **state)
{
	put_under_fault(*state, PROXY_LOSE_ANSWER, 1);
	put_under_fault(*state, PROXY_LOSE_ANSWER, 2);
}

static void
a_lost_request_is_sent_by_the_worker(void **state)
{
	put_under_fault(*state, PROXY_LOSE_REQUEST, 1);
}

static void
an_answer_that_never_comes_is_found_out(void **state)
{
	put_under_fault(*state, PROXY_MUTE, 1);
}

static void
a_missed_majority_is_no_success(void **state)
{
	struct scene *sc = *state;

	put_under_fault(sc, PROXY_MISS_MAJORITY, 1);
	assert_true(sc->proxy.orders->seen >= 2);
}

/* The one before was taken by a primary of another election: all are put again. */
static void
two_elections_are_no_success(void **state)
{
	struct scene *sc = *state;
	struct trio t;
	size_t at;

	if (!server_is_of_a_set())
		return;
	a_trio(&t);
	proxy_order(&sc->proxy, PROXY_OTHER_TERM, 1, t.replay.key);
	DO(store_put_in_order(sc->store, t.items, 3, &at, &how, in(SOON), &err));
	assert_int_equal(sc->proxy.orders->times, 0);
	assert_true(sc->proxy.orders->seen >= 2);
	assert_int_equal(events_of(&t), 1);
	drop_work_of(sc->store, &t);
}

/* The gatherer's command was stored, and its answer never comes; then the server hangs. Nothing was
 * sent by the worker itself. */
static void
what_a_gatherer_may_have_stored_stays_uncertain(void **state)
{
	struct scene *sc = *state;
	int64_t began;
	struct trio t;
	pid_t helper;
	size_t at;

	a_trio(&t);
	proxy_order(&sc->proxy, PROXY_MUTE, 1, t.event.nonce);
	helper = signal_later(sc->proxy.pid, SIGSTOP, 500);
	assert_false(store_put_in_order(sc->store, t.items, 3, &at, &how, in(SOON), &err));
	kill(sc->proxy.pid, SIGCONT);
	waitpid(helper, NULL, 0);
	assert_int_equal(err.code, ERR_UNCERTAIN);
	assert_int_equal(at, 3);
	assert_int_equal(events_of(&t), 1);
	for (began = clock_boot_ms();
	     !store_put_in_order(sc->store, t.items, 3, &at, &how, in(SOON), &err); wait_ms(50))
		assert_true(clock_boot_ms() - began < 5000);
	assert_int_equal(how, STORE_OURS);
	drop_work_of(sc->store, &t);
}

/* One worker's command has no answer for seconds: another worker asks by itself at once. */
static void
nobody_waits_behind_a_slow_command(void **state)
{
	struct scene *sc = *state;
	struct trio slow, other;
	int64_t began;
	pid_t first;
	size_t at;

	a_trio(&slow);
	a_trio(&other);
	proxy_order(&sc->proxy, PROXY_MUTE, 1, slow.event.nonce);
	first = fork();
	if (first == 0) {
		char uri[1024];
		struct store *s;

		proxied_uri(sc->proxy.port, uri);
		s = store_open_mongo(uri, database, &err);
		store_go_through(s, way);
		(void)store_put_in_order(s, slow.items, 3, &at, &how, in(SOON), &err);
		_exit(0);
	}
	wait_ms(800);
	began = clock_boot_ms();
	DO(store_put_in_order(sc->store, other.items, 3, &at, &how, in(SOON), &err));
	assert_in_range(clock_boot_ms() - began, 0, 1500);
	assert_int_equal(events_of(&other), 1);
	drop_work_of(sc->store, &other);
	waitpid(first, NULL, 0);
	assert_int_equal(events_of(&slow), 1);
	drop_work_of(sc->store, &slow);
}

/* So that the gatherer knows this worker. */
static void
put_something(struct store *s)
{
	struct trio t;
	size_t at;

	a_trio(&t);
	DO(store_put_in_order(s, t.items, 3, &at, &how, in(SOON), &err));
	drop_work_of(s, &t);
}

/* An event and its message, when the parent says so. */
static pid_t
start_other(struct scene *sc, const struct store_message *m, int talk[2])
{
	struct ledger_event e = an_event(unique("gathered"), 1, LK_REMOVED, unique("nonce-"));
	const struct store_item both[] = { { STORE_EVENT, &e, true }, { STORE_MESSAGE, m, false } };
	pid_t other = fork();
	char byte = 0;
	size_t at;

	if (other != 0)
		return other;
	put_something(sc->store);
	if (write(talk[1], &byte, 1) == 1 && read(talk[1], &byte, 1) == 1)
		_exit(!store_put_in_order(sc->store, both, 2, &at, &how, in(SOON), &err));
	_exit(1);
}

/* In one round: one worker's trio, and another one's event and message. The message's command is
 * the last one, and the majority misses it: the first worker must ask the server itself. */
static void
nobody_counts_on_a_round_that_the_majority_missed(void **state)
{
	struct scene *sc = *state, *mine; /* mine: a way that shows what its user sends itself */
	struct store_message m = a_message(unique("M"), 1000);
	void *own;
	struct trio t;
	int talk[2];
	pid_t other, helper;
	char byte;
	size_t at;

	if (!server_is_of_a_set())
		return;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, talk), 0);
	other = start_other(sc, &m, talk);
	assert_int_equal(open_scene(&own), 0);
	mine = own;
	store_go_through(mine->store, way);
	put_something(mine->store);
	a_trio(&t);
	proxy_order(&mine->proxy, PROXY_FAITHFUL, 0, t.event.nonce);
	proxy_order(&sc->proxy, PROXY_MISS_MAJORITY, 1, m.tid);
	assert_int_equal(read(talk[0], &byte, 1), 1);
	suspend(gatherers[GATHER_HEAVY]);
	assert_int_equal(write(talk[0], &byte, 1), 1);
	helper = signal_later(gatherers[GATHER_HEAVY], SIGCONT, 500);
	DO(store_put_in_order(mine->store, t.items, 3, &at, &how, in(SOON), &err));
	assert_int_equal(how, STORE_OURS);
	assert_int_equal(sc->proxy.orders->times, 0);
	assert_true(mine->proxy.orders->seen >= 1);
	assert_int_equal(events_of(&t), 1);
	waitpid(other, NULL, 0);
	waitpid(helper, NULL, 0);
	drop_work_of(mine->store, &t);
	assert_int_equal(close_scene(&own), 0);
	close(talk[0]);
	close(talk[1]);
}

/* It dies while its command is under way; the next one is found by the same worker. */
static void
a_gatherer_that_dies_costs_nothing(void **state)
{
	struct scene *sc = *state;
	struct trio t;
	char uri[1024];
	pid_t killer;
	size_t at;

	a_trio(&t);
	proxied_uri(sc->proxy.port, uri);
	proxy_order(&sc->proxy, PROXY_MUTE, 1, t.event.nonce);
	killer = signal_later(gatherers[GATHER_HEAVY], SIGKILL, 300);
	DO(store_put_in_order(sc->store, t.items, 3, &at, &how, in(SOON), &err));
	assert_int_equal(how, STORE_OURS);
	assert_int_equal(events_of(&t), 1);
	waitpid(killer, NULL, 0);
	waitpid(gatherers[GATHER_HEAVY], NULL, 0);
	drop_work_of(sc->store, &t);
	a_trio(&t); /* while there is none */
	DO(store_put_in_order(sc->store, t.items, 3, &at, &how, in(SOON), &err));
	drop_work_of(sc->store, &t);
	start_gatherer(GATHER_HEAVY, uri);
	wait_ms(300);
	put_under_fault(sc, PROXY_FAITHFUL, 0);
}

/* What it was given a long time ago it does not write when it goes on: nobody waits for it. */
static void
a_gatherer_that_stood_still_does_not_write_late(void **state)
{
	struct store *s = *state;
	int64_t began = clock_boot_ms();
	struct trio t;
	bson_t *id;
	mongoc_collection_t *coll = mongoc_client_get_collection(reader, database, "ledger");

	a_trio(&t);
	suspend(gatherers[GATHER_HEAVY]);
	PUT(STORE_OURS, store_ledger_put(s, &t.event, &how, in(SOON), &err));
	assert_in_range(clock_boot_ms() - began, 1000, 6000);
	assert_int_equal(events_of(&t), 1);
	id = BCON_NEW("_id", BCON_UTF8(t.id));
	assert_true(mongoc_collection_delete_one(coll, id, NULL, NULL, NULL));
	began = clock_boot_ms();
	drop_work_of(s, &t); /* the light one goes on */
	assert_in_range(clock_boot_ms() - began, 0, 1000);
	kill(gatherers[GATHER_HEAVY], SIGCONT);
	wait_ms(300);
	assert_int_equal(events_of(&t), 0);
	bson_destroy(id);
	mongoc_collection_destroy(coll);
}

static void
a_server_that_is_away_is_away_at_once(void **state)
{
	struct scene *sc = *state;
	struct ledger_chain chain;
	struct trio t;
	int64_t began;
	size_t at;

	a_trio(&t);
	proxy_stop(&sc->proxy);
	(void)store_ledger_chain(sc->store, "TC0ONETIME", "away", &chain, in(SOON), &err);
	began = clock_boot_ms();
	assert_false(store_put_in_order(sc->store, t.items, 3, &at, &how, in(SOON), &err));
	assert_int_equal(err.code, ERR_UNAVAILABLE);
	assert_int_equal(at, 0);
	assert_in_range(clock_boot_ms() - began, 0, 3000);
	proxy_start(&sc->proxy);
	for (began = clock_boot_ms();
	     !store_put_in_order(sc->store, t.items, 3, &at, &how, in(SOON), &err); wait_ms(50))
		assert_true(clock_boot_ms() - began < 5000);
	assert_int_equal(events_of(&t), 1);
	drop_work_of(sc->store, &t);
}

/* A new connection takes long while a member of the set stands still. Every hello names the driver;
 * here they are the probe's, the worker's, and those of the gatherers, whom nobody asked. */
static void
gatherers_connect_before_anybody_asks(void **state)
{
	struct scene *sc = *state;
	int64_t began;

	put_under_fault(sc, PROXY_FAITHFUL, 0);
	proxy_stop(&sc->proxy);
	while (store_ping(sc->store, in(SOON), &err))
		;
	assert_false(store_ping(sc->store, in(SOON), &err)); /* now everybody knows */
	proxy_order(&sc->proxy, PROXY_FAITHFUL, 0, "mongoc");
	proxy_start(&sc->proxy);
	for (began = clock_boot_ms(); !store_ping(sc->store, in(SOON), &err); wait_ms(50))
		assert_true(clock_boot_ms() - began < 5000);
	for (began = clock_boot_ms(); sc->proxy.orders->seen < 2 + GATHER_LANES; wait_ms(20))
		assert_true(clock_boot_ms() - began < 3000);
}

#define GATHERED(test) { "gathered: " #test, test, open_gathered, close_gathered, NULL },
#define THROUGH_PROXY(test) \
	{ "network: " #test, test, open_gathered_scene, close_gathered_scene, NULL },

int
main(void)
{
	const struct CMUnitTest tests[] = {
		/* clang-format off */
		EACH_STORE_CASE(GATHERED)
		GATHERED(puts_in_order_all_stand)
		GATHERED(what_is_dropped_goes_without_being_waited_for)
		GATHERED(nothing_is_put_behind_a_key_that_is_anothers)
		GATHERED(a_number_that_is_anothers_is_told)
		GATHERED(of_sixteen_workers_one_gets_the_key_and_each_its_own)
		THROUGH_PROXY(a_lost_answer_is_found_out_by_the_worker)
		THROUGH_PROXY(a_lost_request_is_sent_by_the_worker)
		THROUGH_PROXY(an_answer_that_never_comes_is_found_out)
		THROUGH_PROXY(a_missed_majority_is_no_success)
		THROUGH_PROXY(two_elections_are_no_success)
		THROUGH_PROXY(what_a_gatherer_may_have_stored_stays_uncertain)
		THROUGH_PROXY(nobody_counts_on_a_round_that_the_majority_missed)
		THROUGH_PROXY(nobody_waits_behind_a_slow_command)
		THROUGH_PROXY(a_gatherer_that_dies_costs_nothing)
		GATHERED(a_gatherer_that_stood_still_does_not_write_late)
		THROUGH_PROXY(a_server_that_is_away_is_away_at_once)
		THROUGH_PROXY(gatherers_connect_before_anybody_asks)
		/* clang-format on */
	};

	server_uri = getenv("ROOMPAY_TEST_STORE_URI");
	if (server_uri == NULL || server_uri[0] == '\0') {
		puts("1..0 # SKIP ROOMPAY_TEST_STORE_URI is not set");
		return 0;
	}
	return cmocka_run_group_tests(tests, begin_all, end_all);
}
