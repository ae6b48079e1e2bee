/* status, queue adopt: the site as a whole. */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "ctl/command.h"
#include "flow/site.h"
#include "json/write.h"

enum { LOOK_MS = 5000 };

/* As site_open, but nothing is claimed, admitted or made. */
struct look {
	bool store, queue;
	struct store_claim claim;
	struct queue_greeting hello;
	const char *verdict;		/* a sentence */
	bool open;
	struct error store_err, queue_err;
};

static const char *
judge(struct flow *f, struct look *l)
{
	struct ledger_event e;
	bool found = true;

	if (!l->store)
		return site_fence_text(SITE_STORE_AWAY);
	if (!l->queue)
		return site_fence_text(SITE_QUEUE_AWAY);
	if (l->claim.number == 0)
		return "the site has no queue yet: the first program that serves claims this one";
	if (strcmp(l->claim.queue_id, l->hello.id) != 0)
		return site_fence_text(SITE_OTHER_QUEUE);
	if (strcmp(l->hello.fence, "new") == 0 && l->claim.number > 1)
		return site_fence_text(SITE_ADOPTING);
	if (l->hello.last_n > 0 &&
	    !store_ledger_get(f->store, l->hello.cid, l->hello.order, l->hello.last_n, &e, &found, clock_boot_ms() + LOOK_MS, &l->store_err))
		return site_fence_text(SITE_STORE_AWAY);
	if (!found)
		return site_fence_text(SITE_OLD_DATABASE);
	if (l->hello.last_n > 0)
		ledger_event_clear(&e);
	if (strcmp(l->hello.fence, "no-room") == 0)
		return "the queue's disk is full: it grants nothing new";
	l->open = true;
	return "payments can be taken";
}

static void
look_at(struct flow *f, struct look *l)
{
	memset(l, 0, sizeof(*l));
	l->store = store_claim_get(f->store, &l->claim, clock_boot_ms() + LOOK_MS, &l->store_err);
	l->queue = queue_hello(f->queue, &l->hello, clock_boot_ms() + LOOK_MS, &l->queue_err);
	l->verdict = judge(f, l);
}

static void
print_json(const struct look *l)
{
	struct buf b = BUF_INIT;

	buf_add_char(&b, '{');
	json_add_bool_member(&b, "open", l->open);
	json_add_str_member(&b, "verdict", l->verdict);
	json_add_bool_member(&b, "store", l->store);
	json_add_bool_member(&b, "queue", l->queue);
	if (l->store)
		json_add_str_member(&b, "claimed_queue", l->claim.queue_id);
	if (l->queue) {
		json_add_str_member(&b, "running_queue", l->hello.id);
		json_add_int_member(&b, "queue_up_ms", l->hello.up_ms);
	}
	buf_add_char(&b, '}');
	puts(buf_str(&b));
	buf_clear(&b);
}

static void
print_table(const struct look *l)
{
	printf("store     %s\n", l->store ? "answers" : l->store_err.msg);
	printf("queue     %s\n", l->queue ? l->hello.id : l->queue_err.msg);
	if (l->queue)
		printf("          up %" PRId64 " s%s%s\n", l->hello.up_ms / 1000, l->hello.fence[0] != '\0' ? ", closed: " : "", l->hello.fence);
	if (l->store && l->claim.number > 0)
		printf("claim     %s%s\n", l->claim.queue_id, l->claim.number > 1 ? " (adopted)" : "");
	printf("verdict   %s\n", l->verdict);
}

enum ctl_exit
ctl_status(const struct options *o, const struct conf *conf)
{
	struct flow f = { 0 };
	struct error err;
	struct look l;

	if (!ctl_open(&f, conf, CTL_STORE | CTL_QUEUE, &err)) {
		ctl_close(&f);
		return ctl_complain("status", &err);
	}
	look_at(&f, &l);
	(o->json ? print_json : print_table)(&l);
	ctl_close(&f);
	return l.open ? CTL_OK : CTL_FAILED;
}

static enum ctl_exit
adopt(const struct options *o, struct flow *f)
{
	struct error err;
	struct look l;

	look_at(f, &l);
	if (!l.store)
		return ctl_complain("store", &l.store_err);
	if (!l.queue)
		return ctl_complain("queue", &l.queue_err);
	if (l.claim.number == 0 || strcmp(l.claim.queue_id, l.hello.id) == 0) {
		printf("nothing to adopt: %s\n", l.verdict);
		return CTL_OK;
	}
	printf("lost queue     %s\nrunning queue  %s\n", l.claim.queue_id, l.hello.id);
	if (strcmp(l.hello.fence, "new") != 0)
		fputs("The running queue is not new: it may be another site's, or an older journal of this one. Make sure that it is meant.\n", stderr);
	if (o->dry_run) {
		puts("dry run: nothing was changed");
		return CTL_OK;
	}
	if (strcmp(l.hello.fence, "new") != 0) {
		error_set(&err, ERR_CONFLICT, "only a queue with a new journal can be adopted: stop it, move its directory away, start it again");
		return ctl_complain("queue adopt", &err);
	}
	if (!store_claim_adopt(f->store, &l.claim, l.hello.id, o->reason, clock_boot_ms() + LOOK_MS, &err))
		return ctl_complain("queue adopt", &err);
	puts("adopted. roompay-courier tells it now what the ledger knows; payments are taken again when that is done (roompayctl status).");
	return CTL_OK;
}

enum ctl_exit
ctl_queue_adopt(const struct options *o, const struct conf *conf)
{
	struct flow f = { 0 };
	enum ctl_exit code;
	struct error err;

	code = ctl_open(&f, conf, CTL_STORE | CTL_QUEUE, &err) ? adopt(o, &f) : ctl_complain("queue adopt", &err);
	ctl_close(&f);
	return code;
}
