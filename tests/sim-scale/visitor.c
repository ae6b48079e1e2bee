/* Those who come to a site. One kind holds a room, and at once the next. The other holds a room,
 * gets its page from KakaoPay, thinks, and pays; some do not come back. Minutes are seconds here:
 * how long people think changes nothing but how many holds there are. */
#include "config.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "site_inside.h"

enum { HOURS = 14, DAYS = 7, LINE_CAP = 1200 };
enum { READY_CALL_US = 150000, APPROVE_CALL_US = 250000, THINK_US = 1000000 };
enum { AGAIN_US = 1000000, LEAVE_PERCENT = 30, CALL_MS = 13000, TTL_MS = 4000 };

#define FINGERPRINT "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define ATTEMPT \
	"{\"partner_user_id\":\"p-0123456789\",\"item_name\":\"room\",\"quantity\":1," \
	"\"total_amount\":2200,\"tax_free_amount\":0,\"intervals\":\"600-720\"," \
	"\"reservation_info\":{\"day\":[1],\"startTime\":[10],\"endTime\":[12]," \
	"\"roomId\":\"64b000000000000000000001\"}}"

enum step { STEP_HOLD, STEP_READY, STEP_APPROVE, STEP_OUTCOME };

struct visitor {
	struct peer peer; /* first: a peer is a visitor */
	struct site *site;
	struct desk *desk; /* where an answer is awaited, or a call is counted; NULL: nowhere */
	int home;	   /* machine */
	bool asks;	   /* an answer is awaited */
	enum step step;
	bool leaves;
	uint64_t number, room, id, token;
	int hour;
	int64_t began_us;
	size_t grant;
	struct visitor *next_idle;
};

static bool
pays(const struct visitor *v)
{
	return v->site->plan->visits_a_second > 0;
}

static int64_t
now_us(const struct visitor *v)
{
	return clockwork_now_us(v->site->time);
}

static void
leave_desk(struct visitor *v)
{
	if (v->desk == NULL)
		return;
	command_peer_gone(v->desk->commands, &v->peer);
	v->desk = NULL;
	peer_init(&v->peer);
}

/* ---- what is said */

static size_t
say_hold(const struct visitor *v, char line[LINE_CAP])
{
	int start = v->hour / HOURS * 1440 + 480 + v->hour % HOURS * 60;

	return (size_t)snprintf(line, LINE_CAP,
	    "h hold cid=TC0ONETIME order=o-%022" PRIu64 " user=u-%022" PRIu64 " room=r-%022" PRIu64
	    " set=%d-%d fingerprint=" FINGERPRINT " attempt=" ATTEMPT
	    " ttl_ms=%d call_ms=%d deadline=%" PRId64,
	    v->number, v->number, v->room, start, start + 60, pays(v) ? TTL_MS : 600000,
	    pays(v) ? 1000 : CALL_MS, site_now(v->site).boot_ms + 15000);
}

static size_t
say(const struct visitor *v, char line[LINE_CAP])
{
	switch (v->step) {
	case STEP_HOLD:
		break;
	case STEP_READY:
		return (size_t)snprintf(line, LINE_CAP,
		    "r ready id=%" PRIu64 " tid=T%019" PRIu64 " answer={\"tid\":\"T%019" PRIu64
		    "\"}",
		    v->id, v->number, v->number);
	case STEP_APPROVE:
		return (size_t)snprintf(line, LINE_CAP,
		    "a approve id=%" PRIu64 " n=1 key=00ff deadline=%" PRId64, v->id,
		    site_now(v->site).boot_ms + 11000);
	case STEP_OUTCOME:
		return (size_t)snprintf(line, LINE_CAP,
		    "o outcome id=%" PRIu64 " token=%" PRIu64 " outcome=approved n=2", v->id,
		    v->token);
	}
	return say_hold(v, line);
}

static void
deliver(void *ctx)
{
	struct visitor *v = ctx;
	char line[LINE_CAP];

	if (v->desk == NULL || !site_has_machine(v->site, v->desk->machine))
		return; /* visitors_flee has sent it elsewhere */
	desk_ask(v->desk, &v->peer, line, say(v, line));
}

static void
ask(void *ctx)
{
	struct visitor *v = ctx;

	if (!site_has_machine(v->site, v->home))
		v->home = site_machine_for(v->site, v->room, -1);
	v->desk = site_desk(v->site, v->home, v->room);
	v->asks = true;
	clockwork_at(v->site->time, now_us(v) + mongo_command_us(v->site->mongo), deliver, v);
}

static void
ask_after(struct visitor *v, int64_t us)
{
	clockwork_at(v->site->time, now_us(v) + us, ask, v);
}

/* ---- a visit */

/* Of the rooms that this machine serves. */
static uint64_t
any_room(struct visitor *v)
{
	const struct plan *p = v->site->plan;
	uint64_t logs = (uint64_t)p->logs, room = dice_below(&v->site->dice, p->rooms);
	uint64_t group;

	if (dice_unit(&v->site->dice) < p->hot_share)
		return 0;
	if (pays(v) || !p->by_room)
		return room + 1;
	if (p->machines >= p->logs)
		group = (uint64_t)v->home % logs;
	else
		group = ((uint64_t)v->home +
			    (uint64_t)p->machines *
				dice_below(&v->site->dice,
				    (logs - (uint64_t)v->home + (uint64_t)p->machines - 1) /
					(uint64_t)p->machines)) %
		    logs;
	return (room / logs + 1) * logs + group;
}

static void
begin(void *ctx)
{
	struct visitor *v = ctx;

	v->number = ++v->site->visits;
	v->room = any_room(v);
	v->hour = v->room == 0 ? 0 : (int)dice_below(&v->site->dice, HOURS * DAYS);
	v->step = STEP_HOLD;
	v->leaves = dice_below(&v->site->dice, 100) < LEAVE_PERCENT;
	if (pays(v))
		v->home = site_machine_for(v->site, v->room, -1);
	v->began_us = now_us(v);
	ask(v);
}

static void
end(struct visitor *v, int64_t again_us)
{
	leave_desk(v);
	if (!pays(v)) {
		clockwork_at(v->site->time, now_us(v) + again_us, begin, v);
		return;
	}
	v->next_idle = v->site->idle;
	v->site->idle = v;
}

/* The same again, later. What it has is not lost: every request may be repeated. */
static void
hear_nothing(struct visitor *v)
{
	v->site->out->unavailable += site_is_warm(v->site);
	if (v->step == STEP_HOLD)
		end(v, AGAIN_US / 10);
	else
		ask_after(v, AGAIN_US / 10);
}

static uint64_t
number_in(const char *line, const char *name)
{
	const char *at = strstr(line, name);

	return at == NULL ? 0 : strtoull(at + strlen(name), NULL, 10);
}

static void
hear_grant(struct visitor *v, const char *line)
{
	struct site *s = v->site;
	struct result *out = s->out;

	v->id = number_in(line, " id=");
	v->grant = judge_grant(s->judge, v->room, v->hour, now_us(v),
	    v->began_us + (pays(v) ? 1000 : CALL_MS) * 1000);
	if (site_is_warm(s)) {
		out->granted++;
		times_add(&out->hold, now_us(v) - v->began_us);
		if (now_us(v) - s->last_grant_us > out->pause_us)
			out->pause_us = now_us(v) - s->last_grant_us;
		s->last_grant_us = now_us(v);
	}
	v->step = STEP_READY;
	if (pays(v))
		ask_after(v, READY_CALL_US);
	else
		end(v, 0);
}

static void
hear_ready(struct visitor *v)
{
	judge_move_end(v->site->judge, v->grant, v->began_us + TTL_MS * 1000);
	if (v->leaves) {
		end(v, 0);
		return;
	}
	leave_desk(v);
	v->step = STEP_APPROVE;
	v->home = site_machine_for(v->site, v->room, v->home);
	ask_after(v, THINK_US / 2 + (int64_t)dice_below(&v->site->dice, THINK_US));
}

static void
hear_outcome(struct visitor *v)
{
	struct result *out = v->site->out;

	if (site_is_warm(v->site)) {
		out->paid++;
		times_add(&out->pay, now_us(v) - v->began_us);
	}
	end(v, 0);
}

static void
hear_ok(struct visitor *v, const char *line)
{
	switch (v->step) {
	case STEP_HOLD:
		hear_grant(v, line);
		break;
	case STEP_READY:
		hear_ready(v);
		break;
	case STEP_APPROVE:
		v->token = number_in(line, " token=");
		v->step = STEP_OUTCOME;
		judge_move_end(v->site->judge, v->grant, INT64_MAX);
		ask_after(v, APPROVE_CALL_US);
		break;
	case STEP_OUTCOME:
		hear_outcome(v);
		break;
	}
}

void
visitor_hear(struct peer *p)
{
	struct visitor *v = (struct visitor *)(void *)p;
	char line[LINE_CAP];
	const char *word;

	v->asks = false;
	snprintf(line, sizeof(line), "%s", buf_str(&p->out));
	buf_reset(&p->out);
	word = strchr(line, ' ') == NULL ? "" : strchr(line, ' ') + 1;
	if (strncmp(word, "ok", 2) == 0) {
		hear_ok(v, line);
	} else if (strncmp(word, "unavailable", 11) == 0) {
		hear_nothing(v);
	} else {
		v->site->out->refused += site_is_warm(v->site);
		end(v, AGAIN_US / 10);
	}
}

/* ---- all of them */

static struct visitor *
add_visitor(struct site *s)
{
	struct visitor *v = calloc(1, sizeof(*v));

	if (s->n_visitors == s->cap_visitors) {
		s->cap_visitors = s->cap_visitors == 0 ? 1024 : 2 * s->cap_visitors;
		s->visitor = realloc(s->visitor, s->cap_visitors * sizeof(*s->visitor));
	}
	if (v == NULL || s->visitor == NULL)
		abort();
	v->site = s;
	peer_init(&v->peer);
	s->visitor[s->n_visitors++] = v;
	return v;
}

static void
somebody_comes(void *ctx)
{
	struct site *s = ctx;
	struct visitor *v = s->idle;

	if (v == NULL)
		v = add_visitor(s);
	else
		s->idle = v->next_idle;
	begin(v);
	clockwork_at(s->time,
	    clockwork_now_us(s->time) + dice_gap_us(&s->dice, s->plan->visits_a_second),
	    somebody_comes, s);
}

void
visitors_come(struct site *s)
{
	const struct plan *p = s->plan;

	if (p->visits_a_second > 0) {
		somebody_comes(s);
		return;
	}
	for (int m = 0; m < p->machines; m++) {
		for (int i = 0; i < p->visitors; i++) {
			struct visitor *v = add_visitor(s);

			v->home = m;
			clockwork_at(s->time, (int64_t)dice_below(&s->dice, 20000), begin, v);
		}
	}
}

void
visitors_flee(struct site *s)
{
	for (size_t i = 0; i < s->n_visitors; i++) {
		struct visitor *v = s->visitor[i];

		if (v->desk == NULL || site_has_machine(s, v->desk->machine))
			continue;
		leave_desk(v);
		if (v->asks)
			ask_after(v, AGAIN_US);
	}
}

void
visitors_free(struct site *s)
{
	for (size_t i = 0; i < s->n_visitors; i++) {
		leave_desk(s->visitor[i]);
		peer_clear(&s->visitor[i]->peer, NULL);
		free(s->visitor[i]);
	}
	free(s->visitor);
}
