#include "config.h"

#include "operate/find.h"

#include <stdlib.h>
#include <string.h>

static bool
find_in_open(struct flow *f, const struct flow_call *c, const char *tid, char cid[CID_CAP],
    char order[ORDER_CAP], bool *found, struct error *err)
{
	enum { OPEN_MAX = 10000 };
	struct store_work *items = NULL;
	size_t n = 0;

	if (!store_work_list(f->store, OPEN_MAX, &items, &n, c->deadline_boot_ms, err))
		return false;
	for (size_t i = 0; i < n && !*found; i++)
		if (strcmp(items[i].of.tid, tid) == 0) {
			memcpy(cid, items[i].of.cid, CID_CAP);
			memcpy(order, items[i].of.order, ORDER_CAP);
			*found = true;
		}
	free(items);
	return true;
}

bool
operate_find_order(struct flow *f, const struct flow_call *c, const char *tid, char cid[CID_CAP],
    char order[ORDER_CAP], struct error *err)
{
	struct queue_answer qa;
	struct payment p;
	bool found;

	if (!store_payment_get(f->store, tid, &p, &found, c->deadline_boot_ms, err))
		return false;
	if (found) {
		memcpy(cid, p.cid, CID_CAP);
		memcpy(order, p.partner_order_id, ORDER_CAP);
	} else if (!find_in_open(f, c, tid, cid, order, &found, err)) {
		return false;
	}
	if (found)
		return true;
	if (!queue_find_tid(f->queue, tid, c->deadline_boot_ms, &qa, err))
		return false;
	if (qa.code != HA_OK)
		return error_set(err, ERR_NOT_FOUND,
		    "nothing is known of %s: no payment, no open work, no hold. By its order: CID ORDER",
		    tid);
	memcpy(cid, qa.hold.cid, CID_CAP);
	memcpy(order, qa.hold.order, ORDER_CAP);
	return true;
}
