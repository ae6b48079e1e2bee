#include "config.h"

#include "flow/settle_plan.h"

static const int64_t FAR_MS = 10 * 60000;

/* Distances of inquiries: a few at once, then fewer and fewer. */
static const int64_t gaps_ms[] = { 2000, 5000, 10000, 20000, 40000, 60000, 120000, 300000, 600000 };
static const int64_t late_ms[SETTLE_LATE_LOOKS] = { 600000, 3600000 };

static int64_t
gap_ms(int64_t asked)
{
	int64_t last = (int64_t)(sizeof(gaps_ms) / sizeof(gaps_ms[0])) - 1;

	return gaps_ms[asked > last ? last : asked];
}

/*
 * The deadline is over by either clock: the wall's, or ours since we saw the item for the first
 * time. Too early does no harm: who takes the number first has it, and an inquiry only looks.
 */
static bool
is_overdue(const struct settle_facts *f, const struct settle_memory *m, struct now now,
    int64_t *left_ms)
{
	int64_t by_wall = f->deadline_ms + DEADLINE_GRACE_MS - now.wall_ms;
	int64_t by_boot =
	    m->first_boot_ms + (f->deadline_ms - f->at_ms) + DEADLINE_GRACE_MS - now.boot_ms;

	*left_ms = by_wall < by_boot ? by_wall : by_boot;
	return *left_ms <= 0;
}

/* End of KakaoPay's window by the boot clock. The ledger alone tells its length: then it is counted
 * from our first sight, which is late. */
static int64_t
window_end(const struct settle_facts *f, const struct settle_memory *m)
{
	return f->window_boot_ms != 0 ? f->window_boot_ms
				      : m->first_boot_ms + (f->window_ms > 0 ? f->window_ms : 0);
}

/* Two equal readings of "nothing happened" that count: when, by the boot clock. */
struct readings {
	int64_t first, second, apart;
};

static struct readings
readings_of(const struct settle_facts *f, const struct settle_memory *m)
{
	/* a refund's deadline is counted from our first sight of it, which is late */
	int64_t end = f->at == SETTLE_REFUND
	    ? m->first_boot_ms + (f->deadline_ms > f->at_ms ? f->deadline_ms - f->at_ms : 0)
	    : window_end(f, m);

	return f->at == SETTLE_REFUND
	    ? (struct readings){ end + SETTLE_REFUND_1_MS, end + SETTLE_REFUND_2_MS,
		      SETTLE_REFUND_2_MS - SETTLE_REFUND_1_MS }
	    : (struct readings){ end + SETTLE_READING_1_MS, end + SETTLE_READING_2_MS,
		      SETTLE_READINGS_APART_MS };
}

/* Notes one such reading. True: it is the second that counts. */
static bool
read_again(const struct settle_facts *f, struct settle_memory *m, struct now now)
{
	struct readings r = readings_of(f, m);
	int64_t first = m->reading_boot_ms;

	if (first == 0 && now.boot_ms >= r.first)
		m->reading_boot_ms = now.boot_ms;
	return first != 0 && now.boot_ms >= r.second && now.boot_ms >= first + r.apart;
}

static void
note_asked(struct settle_memory *m, struct now now, bool nothing_happened)
{
	m->asked++;
	m->asked_boot_ms = now.boot_ms;
	if (!nothing_happened)
		m->reading_boot_ms = 0; /* two equal ones, one after the other */
}

/*
 * Whoever has an attempt sent again may have asked just before: the second send of a tid is
 * inquired about 2 s after we see it, any later one 5 s after. So sends that follow each other
 * quickly add at most two inquiries each.
 */
static int64_t
after_gap(const struct settle_facts *f, const struct settle_memory *m)
{
	int64_t before = f->at != SETTLE_SEND ? 0 : f->sends_before < 2 ? f->sends_before : 2;

	if (m->asked + before == 0)
		return 0;
	return (m->asked == 0 ? m->first_boot_ms : m->asked_boot_ms) +
	    gap_ms(m->asked + before - 1);
}

/* The next inquiry; once a first reading counts, the second is due when it may count. */
static int64_t
next_inquiry(const struct settle_facts *f, const struct settle_memory *m)
{
	int64_t at = after_gap(f, m);
	struct readings r = readings_of(f, m);
	int64_t second = r.second;

	if (m->reading_boot_ms != 0) {
		if (second < m->reading_boot_ms + r.apart)
			second = m->reading_boot_ms + r.apart;
		return m->asked_boot_ms >= second ? at : second;
	}
	/* no long distance reaches over the first moment that counts */
	return at > r.first && m->asked_boot_ms < r.first ? r.first : at;
}

static enum settle_step
wait_until(int64_t boot_ms, int64_t *again_boot_ms)
{
	*again_boot_ms = boot_ms;
	return SETTLE_WAIT;
}

static enum settle_step
plan_open(const struct settle_facts *f, const struct settle_memory *m, struct now now,
    int64_t *again_boot_ms)
{
	int64_t left_ms, at;

	if (f->at == SETTLE_SEND && !f->newest)
		return SETTLE_SUPERSEDED;
	if (!f->said_unknown && !is_overdue(f, m, now, &left_ms))
		return wait_until(now.boot_ms + left_ms, again_boot_ms);
	if (now.boot_ms - m->first_boot_ms >= SETTLE_SILENCE_MS ||
	    (m->asked >= 10 && now.wall_ms - f->at_ms >= SETTLE_SILENCE_MS))
		return SETTLE_GIVE_UP;
	at = next_inquiry(f, m);
	return at <= now.boot_ms ? SETTLE_INQUIRE : wait_until(at, again_boot_ms);
}

/* "Not captured" was concluded from readings alone: it is looked at again later. */
static enum settle_step
plan_late_look(const struct settle_facts *f, const struct settle_memory *m, struct now now,
    int64_t *again_boot_ms)
{
	int64_t left_ms = f->state_at_ms + late_ms[m->late_looks] - now.wall_ms;

	if (m->looks == 0)
		return SETTLE_FOLLOW; /* first of all the queue and the gateway hear of the end */
	return left_ms <= 0
	    ? SETTLE_INQUIRE
	    : wait_until(now.boot_ms + (left_ms < FAR_MS ? left_ms : FAR_MS), again_boot_ms);
}

enum settle_step
settle_plan(const struct settle_facts *f, const struct settle_memory *m, struct now now,
    int64_t *again_boot_ms)
{
	int64_t left_ms;

	switch (f->at) {
	case SETTLE_NOTHING:
		if (!is_overdue(f, m, now, &left_ms))
			return wait_until(now.boot_ms + left_ms, again_boot_ms);
		return f->chain_n + 1 < f->n ? SETTLE_BEHIND : SETTLE_ABANDON;
	case SETTLE_ABANDONED:
		return SETTLE_FOLLOW;
	case SETTLE_OTHER:
		return SETTLE_MOOT;
	case SETTLE_REFUND:
		return f->ended ? SETTLE_FOLLOW : plan_open(f, m, now, again_boot_ms);
	case SETTLE_SEND:
		break;
	}
	if (f->state == AS_APPROVING || f->state == AS_UNKNOWN)
		return plan_open(f, m, now, again_boot_ms);
	if (f->state == AS_DECLINED && f->by_readings && !f->removed &&
	    m->late_looks < SETTLE_LATE_LOOKS)
		return plan_late_look(f, m, now, again_boot_ms);
	return SETTLE_FOLLOW;
}

bool
settle_conclude(const struct settle_facts *f, struct settle_memory *m, enum flow_verdict v,
    struct now now, enum ledger_kind *kind)
{
	bool captured;

	note_asked(m, now, v == FV_PENDING);
	if (flow_verdict_proves(v, kind, &captured))
		return v != FV_FAILED || f->state != AS_DECLINED;
	if (v == FV_PENDING && f->state == AS_DECLINED)
		return false;
	if (v == FV_PENDING && read_again(f, m, now)) {
		*kind = LK_DECLINED;
		return true;
	}
	*kind = LK_UNKNOWN; /* said once: then the gateway knows, and the user may try again */
	return f->state == AS_APPROVING;
}

bool
settle_conclude_refund(const struct settle_facts *f, struct settle_memory *m, enum refund_reading r,
    struct now now, enum refund_reading *end)
{
	note_asked(m, now, r == RR_NOT_EXECUTED);
	*end = r;
	return r == RR_EXECUTED || r == RR_OTHERWISE ||
	    (r == RR_NOT_EXECUTED && read_again(f, m, now));
}
