/* deliveries list, show, retry: what is owed to the reservation service and the gateway. */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "ctl/command.h"
#include "ctl/rows.h"
#include "delivery/webhook.h"
#include "flow/decide.h"

enum { LIST_MAX = 10000 };

static const char *
state_of(const struct store_message *m)
{
	if (m->tries == 0)
		return "new";
	if (m->again_ms > m->last_try_ms)
		return "again";
	return webhook_retry_after_ms(m->tries, m->last_try_ms - m->at_ms) < 0 ? "undelivered" : "waiting";
}

static void
free_list(struct store_message *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		store_message_clear(&list[i]);
	free(list);
}

enum ctl_exit
ctl_deliveries_list(const struct options *o, const struct conf *conf)
{
	static const char *const columns[] = { "message", "peer", "state", "owed_since", "#tries", "last_try" };
	struct rows rows = ROWS(columns);
	struct store_message *list = NULL;
	struct flow f = { 0 };
	struct error err;
	size_t n = 0;
	bool ok;

	ok = ctl_open(&f, conf, CTL_STORE, &err) && store_outbox_list(f.store, LIST_MAX, &list, &n, ctl_call().deadline_boot_ms, &err);
	for (size_t i = 0; ok && i < n; i++) {
		ok = store_outbox_tries(f.store, &list[i], ctl_call().deadline_boot_ms, &err);
		if (ok)
			rows_add(&rows, (const char *[]){ list[i].id, list[i].peer, state_of(&list[i]), ctl_kst(list[i].at_ms), ctl_int(list[i].tries),
			    ctl_kst(list[i].last_try_ms) });
	}
	free_list(list, n);
	ctl_close(&f);
	if (!ok)
		return ctl_complain("deliveries list", &err);
	return rows_print(&rows, o->json, "nothing is owed") ? CTL_OK : CTL_FAILED;
}

/* *owed: it is still in the outbox. */
static bool
find_message(struct flow *f, const char *id, struct store_message *out, bool *owed, struct error *err)
{
	struct store_message *list = NULL;
	size_t n = 0;

	*owed = false;
	if (!store_outbox_list(f->store, LIST_MAX, &list, &n, ctl_call().deadline_boot_ms, err))
		return false;
	for (size_t i = 0; i < n && !*owed; i++)
		if (strcmp(list[i].id, id) == 0) {
			*out = list[i];
			memset(&list[i], 0, sizeof(list[i]));
			*owed = true;
		}
	free_list(list, n);
	return true;
}

static const char *
end_of(const struct store_try *t)
{
	return t->withdrawn ? "withdrawn" : t->acknowledged ? "acknowledged" : t->ended ? "failed" : "under way";
}

enum ctl_exit
ctl_deliveries_show(const struct options *o, const struct conf *conf)
{
	static const char *const columns[] = { "#try", "at", "end", "#status", "error" };
	struct rows rows = ROWS(columns);
	struct store_message m = { 0 };
	struct store_try *tries = NULL;
	struct flow f = { 0 };
	struct error err;
	bool ok, owed = false;
	size_t n = 0;

	ok = ctl_open(&f, conf, CTL_STORE, &err) && find_message(&f, o->args[0], &m, &owed, &err) &&
	    store_try_list(f.store, o->args[0], &tries, &n, ctl_call().deadline_boot_ms, &err) &&
	    (owed || n > 0 || error_set(&err, ERR_NOT_FOUND, "no such message: %s", o->args[0]));
	for (size_t i = 0; ok && i < n; i++)
		rows_add(&rows, (const char *[]){ ctl_int(tries[i].number), ctl_kst(tries[i].at_ms), end_of(&tries[i]), ctl_int(tries[i].status),
		    tries[i].error[0] != '\0' ? tries[i].error : "-" });
	if (ok && owed && !o->json)
		printf("owed to %s since %s\n%s\n", m.peer, ctl_kst(m.at_ms), ctl_visible(m.body));
	else if (ok && !o->json)
		puts("not owed any more");
	free(tries);
	store_message_clear(&m);
	ctl_close(&f);
	if (!ok)
		return ctl_complain("deliveries show", &err);
	return rows_print(&rows, o->json, "never tried") ? CTL_OK : CTL_FAILED;
}

static bool
retry(struct flow *f, const struct options *o, struct error *err)
{
	char cid[CID_CAP], order[ORDER_CAP];
	struct flow_call c = ctl_call();
	struct store_message m = { 0 };
	bool owed, written, ok;

	if (!find_message(f, o->args[0], &m, &owed, err))
		return false;
	ok = owed || error_set(err, ERR_NOT_FOUND, "%s is not owed: it was acknowledged, withdrawn, or never there", o->args[0]);
	if (ok && o->dry_run) {
		printf("%s would be tried once more (dry run: nothing was changed)\n", m.id);
	} else if (ok) {
		ok = ctl_find_order(f, m.tid, cid, order, err) && flow_note(f, &c, cid, order, m.tid, o->reason, &written, err) &&
		    store_outbox_again(f->store, &m, clock_wall_ms(), c.deadline_boot_ms, err);
		if (ok) {
			(void)queue_poke(f->queue, c.deadline_boot_ms, NULL);
			printf("%s is tried once more; look with: deliveries show\n", m.id);
		}
	}
	store_message_clear(&m);
	return ok;
}

enum ctl_exit
ctl_deliveries_retry(const struct options *o, const struct conf *conf)
{
	struct flow f = { 0 };
	struct error err;
	bool ok;

	ok = ctl_open(&f, conf, CTL_STORE | CTL_QUEUE, &err) && retry(&f, o, &err);
	ctl_close(&f);
	return ok ? CTL_OK : ctl_complain("deliveries retry", &err);
}
