#include "config.h"

#include "hold_pair.h"

enum { NOBODY = 1000000 }; /* an id that no hold has */

const char *const pair_users[MODEL_USERS] = { "u0", "u1", "u2", "u3" };
const char *const pair_rooms[MODEL_ROOMS] = { "000000000000000000000000",
	"111111111111111111111111", "222222222222222222222222", "333333333333333333333333",
	"444444444444444444444444" };

const char *const command_names[DO__MAX] = { "hold", "ready", "approve", "approve-first", "outcome",
	"remove" };

static void
hours_to_set(uint32_t hours, char out[200])
{
	size_t len = 0;

	for (int h = 0; h < 24; h++) {
		int first = h;

		if ((hours >> h & 1) == 0)
			continue;
		while (h < 23 && (hours >> (h + 1) & 1) != 0)
			h++;
		len += (size_t)snprintf(out + len, 200 - len, "%s%d-%d", len == 0 ? "" : ",",
		    60 * first, 60 * (h + 1));
	}
}

/* One roll a statement: within one, each compiler has an order of its own. */
static struct asked
ask(struct dice *d)
{
	struct asked q = { .hours = 0 };

	q.user = (int)roll(d, MODEL_USERS);
	q.room = (int)roll(d, MODEL_ROOMS);
	q.order = (int)roll(d, MODEL_ORDERS);
	for (uint32_t runs = 1 + roll(d, 3); runs > 0; runs--) {
		uint32_t len = 1 + roll(d, 4), first = roll(d, 20);

		q.hours |= (((uint32_t)1 << len) - 1) << first;
	}
	return q;
}

static void
must(struct pair *p, enum command c, enum hold_answer_code real, enum hold_answer_code modelled)
{
	if (real != modelled)
		fail_msg("operation %d, %s: %s, the model says %s", p->op, command_names[c],
		    hold_answer_name(real), hold_answer_name(modelled));
	p->answers[c][real]++;
}

/* Mostly one of the latest holds, because the others have ended. */
static const struct plain *
any(struct pair *p)
{
	size_t n = p->m.n, late = n < 10 || roll(&p->d, 4) == 0 ? n : 10;

	return n == 0 ? NULL : &p->m.holds[n - 1 - roll(&p->d, (uint32_t)late)];
}

static void
do_hold(struct pair *p)
{
	struct asked q = ask(&p->d);
	const struct plain *h = any(p);
	char order[20], set[200], fingerprint[KEY_CAP];

	if (h != NULL && roll(&p->d, 4) == 0) /* an equal request */
		q = (struct asked){ h->user, h->room, h->order, h->hours };
	snprintf(order, sizeof(order), "o%d", q.order);
	snprintf(fingerprint, sizeof(fingerprint), "%d/%d/%d/%x", q.user, q.room, q.order, q.hours);
	hours_to_set(q.hours, set);
	must(p, DO_HOLD,
	    world_hold_as(&p->w, pair_users[q.user], pair_rooms[q.room], order, set, fingerprint),
	    model_hold(&p->m, &q));
}

static void
do_outcome(struct pair *p, const struct plain *h, int64_t n)
{
	enum hold_outcome o = (enum hold_outcome)roll(&p->d, HO__MAX);
	uint64_t id = h == NULL ? NOBODY : h->id,
		 token = h == NULL || roll(&p->d, 20) == 0 ? roll(&p->d, 50) : h->token;

	if (o == HO_APPROVED && roll(&p->d, 4) != 0)
		o = HO_REFUSED; /* else all orders would be paid soon */
	must(p, DO_OUTCOME, world_outcome(&p->w, id, token, o, n),
	    model_outcome(&p->m, id, token, o, n));
}

/* At the place of any hold. */
static void
do_approve_first(struct pair *p, const struct plain *h)
{
	int user = h == NULL ? 0 : h->user, room = h == NULL ? 0 : h->room;
	enum hold_answer_code c =
	    world_approve_first(&p->w, pair_users[user], pair_rooms[room], CID);

	if (c == HA_NO_HOLD) /* the model does not know what the table has forgotten */
		c = HA_NOT_FIRST;
	must(p, DO_APPROVE_FIRST, c, model_approve_first(&p->m, user, room));
}

/* Somebody guesses tokens. */
static void
do_guesses(struct pair *p, uint64_t id)
{
	for (int i = 0; i <= MODEL_TRIES; i++) {
		const struct plain *h = model_find(&p->m, id);
		int64_t n = h == NULL ? 1 : p->m.last_n[h->order] + 1;

		must(p, DO_APPROVE, world_approve(&p->w, id, n), model_approve(&p->m, id, n));
		if (p->w.a.code != HA_OK)
			return;
		must(p, DO_OUTCOME, world_outcome(&p->w, id, h->token, HO_REFUSED, n + 1),
		    model_outcome(&p->m, id, h->token, HO_REFUSED, n + 1));
	}
}

static void
do_one(struct pair *p)
{
	const struct plain *h = any(p);
	uint64_t id = h == NULL ? NOBODY : h->id;
	int64_t n = h == NULL ? 1 : p->m.last_n[h->order] + roll(&p->d, 3);
	bool by_reservation = roll(&p->d, 2) == 0;
	char tid[TID_CAP];

	switch (roll(&p->d, 16)) {
	case 0:
	case 1:
	case 2:
	case 3:
		do_hold(p);
		break;
	case 4:
	case 5:
	case 6:
		snprintf(tid, sizeof(tid), "T%u", (unsigned)id);
		must(p, DO_READY, world_ready(&p->w, id, tid), model_ready(&p->m, id));
		break;
	case 7:
		if (h != NULL && h->state == HOLD_HELD)
			model_forget(&p->m, model_find(&p->m, id));
		world_fail(&p->w, id, false);
		break;
	case 8:
	case 9:
	case 10:
		n += n == 0;
		must(p, DO_APPROVE, world_approve(&p->w, id, n), model_approve(&p->m, id, n));
		break;
	case 11:
	case 12:
		do_outcome(p, h, n);
		break;
	case 13:
		do_guesses(p, id);
		break;
	case 14:
		do_approve_first(p, h);
		break;
	default:
		must(p, DO_REMOVE, world_remove(&p->w, id, by_reservation, 0),
		    model_remove(&p->m, id, by_reservation));
		break;
	}
}

static void
compare_states(struct pair *p)
{
	struct world *w = &p->w;
	struct model *m = &p->m;
	char tid[TID_CAP];
	int op = p->op;

	for (size_t i = 0; i < m->n; i++) {
		const struct plain *h = &m->holds[i];

		snprintf(tid, sizeof(tid), "T%u", (unsigned)h->id);
		if (!h->ready_once)
			continue;
		if (world_find_tid(w, tid) != HA_OK || w->a.hold.state != h->state ||
		    w->a.hold.token != h->token || w->a.hold.last_n != m->last_n[h->order])
			fail_msg("operation %d: hold %u is %s, the model says %s", op,
			    (unsigned)h->id,
			    w->a.code == HA_OK ? hold_state_name(w->a.hold.state) : "gone",
			    hold_state_name(h->state));
	}
	/* No two live holds of a room overlap, except a replacement and the hold that it
	 * replaces. */
	for (size_t i = 0; i < m->n; i++) {
		for (size_t j = 0; j < i; j++) {
			const struct plain *a = &m->holds[i], *b = &m->holds[j];

			if (hold_state_is_live(a->state) && hold_state_is_live(b->state) &&
			    a->room == b->room && (a->hours & b->hours) != 0 &&
			    !(a->user == b->user && (model_replaces(a, b) || model_replaces(b, a))))
				fail_msg("operation %d: holds %u and %u overlap", op,
				    (unsigned)a->id, (unsigned)b->id);
		}
	}
}

void
pair_open(struct pair *p, uint64_t seed)
{
	world_open(&p->w);
	p->w.limits.gone_memory_ms = MODEL_MEMORY_MS;
	p->w.limits.max_tries_per_min = MODEL_TRIES;
	hold_table_free(&p->w.t);
	p->w.t = world_table(&p->w);
	p->w.load = (struct hold_load){ .max_ready = 1000, .max_all = 1000 };
	p->m = (struct model){
		.holds = calloc(MODEL_HOLDS_MAX, sizeof(struct plain)),
		.next_id = 1,
		.next_token = 1,
		.now = p->w.now.boot_ms,
	};
	p->d.x = seed * 0x9e3779b97f4a7c15;
	assert_non_null(p->m.holds);
}

void
pair_close(struct pair *p)
{
	world_close(&p->w);
	free(p->m.holds);
}

void
pair_run(struct pair *p, int operations)
{
	static const int64_t steps[] = { 0, 0, 1, 500, 5 * SECOND, 20 * SECOND, 70 * SECOND,
		3 * MINUTE };

	for (p->op = 0; p->op < operations; p->op++) {
		world_pass(&p->w,
		    roll(&p->d, 4) == 0 ? steps[roll(&p->d, sizeof(steps) / sizeof(steps[0]))] : 0);
		p->m.now = p->w.now.boot_ms;
		model_pass_time(&p->m);
		if (roll(&p->d, 10) == 0)
			world_expire(&p->w);
		do_one(p);
		if (p->op % 50 == 0)
			compare_states(p);
		if (p->op % 400 == 399)
			world_restart(&p->w);
	}
}
