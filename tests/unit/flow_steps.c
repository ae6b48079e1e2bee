#include "config.h"

#include "flow_steps.h"

#include <stddef.h>
#include <string.h>

#include "base/clock.h"
#include "queue/client/queue.h"
#include "store/backend.h"
#include "store/store.h"

static int step, fail_from, fail_count, intrude_at;
static void (*intrude)(void);
static bool inside;
static int64_t time_shift_ms;
static enum store_wait first_waits;
static const struct store_backend *memory;
static struct store *store;
bool queue_is_deaf, first_is_dead;

void
steps_reset(void)
{
	step = fail_from = fail_count = intrude_at = 0;
	queue_is_deaf = inside = first_is_dead = false;
	first_waits = STORE_ALONE;
	time_shift_ms = 0;
}

void
steps_begin(void)
{
	step = 0;
}

int
steps_count(void)
{
	return step;
}

void
fail_steps(int from, int count)
{
	step = 0;
	fail_from = from;
	fail_count = count;
}

void
fail_no_more(void)
{
	fail_from = 0;
}

void
at_step(int n, void (*intruder)(void))
{
	step = 0;
	intrude_at = n;
	intrude = intruder;
}

void
no_intruder(void)
{
	intrude_at = 0;
}

bool
is_intruder(void)
{
	return inside;
}

/* LAST: the intruder's own puts wait for nothing later, and what the first has put is not dropped.
 * One log has all of them, so whoever waits for the majority waits for what stands before, too. */
static void
wait_in_turn(struct store *s, enum store_wait wait)
{
	if (!inside)
		first_waits = wait;
	else if (wait == STORE_ALONE && first_waits != STORE_ALONE)
		wait = STORE_LAST;
	memory->wait(s, wait);
}

struct store *
steps_open_store(void)
{
	static struct store_backend apart;

	store = store_open_memory();
	if (store == NULL)
		return NULL;
	memory = store->does;
	apart = *memory;
	apart.wait = wait_in_turn;
	store->does = &apart;
	return store;
}

void
visit_step(void)
{
	if (inside || ++step != intrude_at)
		return;
	inside = true;
	wait_in_turn(store, STORE_ALONE);
	intrude();
	inside = false;
	wait_in_turn(store, first_waits);
}

static bool
fails(struct error *err)
{
	visit_step();
	if (!inside && first_is_dead)
		return !error_set(err, ERR_UNAVAILABLE, "dead");
	if (inside || fail_from == 0 || step < fail_from || step >= fail_from + fail_count)
		return false;
	return !error_set(err, ERR_UNAVAILABLE, "step %d fails", step);
}

/* A call can also stand still between its last look at the clock and its write. */
static bool
goes_on(struct error *err)
{
	visit_step();
	return inside || !first_is_dead || error_set(err, ERR_UNAVAILABLE, "dead");
}

static bool
is_in_time(int64_t deadline_boot_ms, struct error *err)
{
	return clock_boot_ms() < deadline_boot_ms || error_set(err, ERR_UNAVAILABLE, "too late");
}

/*
 * The store begins nothing after the deadline, and the queue grants nothing. The queue hears
 * whatever else is said to it, but nobody waits for the answer. What is only sent may be lost, and
 * whoever sent it does not hear of that.
 */
/* clang-format off */
#define STEP_AS(name, params, last, ...) \
	bool __real_##name params; \
	bool __wrap_##name params; \
	bool __wrap_##name params { \
		return !fails(err) && is_in_time(d, err) && (last) && __real_##name(__VA_ARGS__); \
	}
#define STORE_STEP(name, params, ...) STEP_AS(name, params, goes_on(err), __VA_ARGS__)
#define GRANT_STEP(name, params, ...) STEP_AS(name, params, true, __VA_ARGS__)
#define QUEUE_STEP(name, params, needs_ears, sent, ...) \
	bool __real_##name params; \
	bool __wrap_##name params; \
	bool __wrap_##name params { \
		if ((needs_ears) && queue_is_deaf) \
			return (sent) || error_set(err, ERR_UNAVAILABLE, "not heard"); \
		return (!fails(err) && __real_##name(__VA_ARGS__) && is_in_time(d, err)) || \
		    (sent); \
	}

STORE_STEP(store_ledger_put,
    (struct store *s, const struct ledger_event *e, enum store_put *how, int64_t d,
     struct error *err),
    s, e, how, d, err)
STORE_STEP(store_ledger_chain,
    (struct store *s, const char *c, const char *o, struct ledger_chain *out, int64_t d,
     struct error *err),
    s, c, o, out, d, err)
STORE_STEP(store_replay_put,
    (struct store *s, const struct store_replay *r, enum store_put *how, int64_t d,
     struct error *err),
    s, r, how, d, err)
STORE_STEP(store_replay_get,
    (struct store *s, const char *k, struct store_replay *r, bool *f, int64_t d, struct error *err),
    s, k, r, f, d, err)
STORE_STEP(store_payment_put,
    (struct store *s, const struct payment *p, enum store_put *how, int64_t d,
     struct error *err),
    s, p, how, d, err)
STORE_STEP(store_work_put,
    (struct store *s, const struct store_work *o, int64_t d, struct error *err), s, o, d, err)
STORE_STEP(store_work_delete,
    (struct store *s, const char *t, int64_t n, int64_t d, struct error *err), s, t, n, d, err)
STORE_STEP(store_outbox_put,
    (struct store *s, const struct store_message *m, enum store_put *how, int64_t d,
     struct error *err),
    s, m, how, d, err)
STORE_STEP(store_outbox_delete,
    (struct store *s, const char *id, int64_t d, struct error *err), s, id, d, err)
STORE_STEP(store_try_claim,
    (struct store *s, const struct store_try *t, enum store_put *how, int64_t d,
     struct error *err),
    s, t, how, d, err)

GRANT_STEP(queue_hold,
    (struct queue *q, const struct hold_request *r, int64_t d, struct queue_answer *a,
     struct error *err),
    q, r, d, a, err)
GRANT_STEP(queue_approve,
    (struct queue *q, uint64_t id, int64_t n, const char *k, int64_t d, struct queue_answer *a,
     struct error *err),
    q, id, n, k, d, a, err)
GRANT_STEP(queue_approve_first,
    (struct queue *q, const char *u, const char *r, const char *const *c, size_t n, const char *k,
     int64_t d, struct queue_answer *a, struct error *err),
    q, u, r, c, n, k, d, a, err)
QUEUE_STEP(queue_ready,
    (struct queue *q, uint64_t id, const char *t, const char *w, int64_t d, struct queue_answer *a,
     struct error *err),
    false, false, q, id, t, w, d, a, err)
QUEUE_STEP(queue_outcome,
    (struct queue *q, uint64_t id, uint64_t t, enum hold_outcome o, int64_t n, int64_t d,
     struct queue_answer *a, struct error *err),
    true, a == NULL, q, id, t, o, n, d, a, err)
QUEUE_STEP(queue_remove,
    (struct queue *q, uint64_t id, bool r, int64_t n, int64_t d, struct queue_answer *a,
     struct error *err),
    true, false, q, id, r, n, d, a, err)
/* clang-format on */

/* Handed over, and lost with whoever was to do it. */
bool __real_store_work_drop(struct store *s, const char *tid, int64_t n, int64_t deadline_boot_ms,
    struct error *err);
bool __wrap_store_work_drop(struct store *s, const char *tid, int64_t n, int64_t deadline_boot_ms,
    struct error *err);

bool
__wrap_store_work_drop(struct store *s, const char *tid, int64_t n, int64_t deadline_boot_ms,
    struct error *err)
{
	return fails(err) || !goes_on(err) ||
	    __real_store_work_drop(s, tid, n, deadline_boot_ms, err);
}

/* ---- the clock */

struct now __real_clock_now(void);
struct now __wrap_clock_now(void);
int64_t __real_clock_boot_ms(void);
int64_t __wrap_clock_boot_ms(void);

struct now
__wrap_clock_now(void)
{
	struct now now = __real_clock_now();

	now.boot_ms += time_shift_ms;
	now.wall_ms += time_shift_ms;
	return now;
}

int64_t
__wrap_clock_boot_ms(void)
{
	return __real_clock_boot_ms() + time_shift_ms;
}

void
pass_ms(int64_t ms)
{
	time_shift_ms += ms;
}

int64_t
passed_ms(void)
{
	return time_shift_ms;
}
