#include "config.h"

#include "provider/provider.h"

#include <assert.h>

static const char *const outcome_names[] = {
	[PO_OK] = "ok",
	[PO_NOT_SENT] = "not-sent",
	[PO_NOT_EXECUTED] = "not-executed",
	[PO_TOKEN_REFUSED] = "token-refused",
	[PO_DECLINED] = "declined",
	[PO_WINDOW_OVER] = "window-over",
	[PO_INQUIRE] = "inquire",
	[PO_UNKNOWN] = "unknown",
};
static_assert(sizeof(outcome_names) / sizeof(outcome_names[0]) == PO__MAX,
    "a name for each outcome");

static const char *const status_names[] = {
	[PS_PENDING] = "pending",
	[PS_PAID] = "paid",
	[PS_PART_CANCELED] = "part_canceled",
	[PS_CANCELED] = "canceled",
	[PS_FAILED] = "failed",
	[PS_ISSUED_SID] = "issued_sid",
	[PS_STRANGE] = "strange",
};
static_assert(sizeof(status_names) / sizeof(status_names[0]) == PS__MAX, "a name for each status");

const char *
provider_outcome_name(enum provider_outcome o)
{
	assert(o < PO__MAX);
	return outcome_names[o];
}

const char *
provider_status_name(enum provider_status s)
{
	assert(s < PS__MAX);
	return status_names[s];
}

bool
provider_ready(struct provider *p, const struct provider_ready *rq, int64_t deadline_boot_ms,
    enum provider_outcome *o, struct provider_opened *out, struct provider_answer *pa,
    struct error *err)
{
	return p->calls->ready(p, rq, deadline_boot_ms, o, out, pa, err);
}

bool
provider_approve(struct provider *p, const struct provider_approve *rq, int64_t deadline_boot_ms,
    enum provider_outcome *o, struct payment *out, struct provider_answer *pa, struct error *err)
{
	return p->calls->approve(p, rq, deadline_boot_ms, o, out, pa, err);
}

bool
provider_order(struct provider *p, const char *cid, const char *tid, int64_t deadline_boot_ms,
    enum provider_outcome *o, struct provider_order *out, struct provider_answer *pa,
    struct error *err)
{
	return p->calls->order(p, cid, tid, deadline_boot_ms, o, out, pa, err);
}

bool
provider_cancel(struct provider *p, const struct provider_cancel *rq, int64_t deadline_boot_ms,
    enum provider_outcome *o, struct provider_canceled *out, struct provider_answer *pa,
    struct error *err)
{
	return p->calls->cancel(p, rq, deadline_boot_ms, o, out, pa, err);
}

void
provider_free(struct provider **p)
{
	if (*p != NULL)
		(*p)->calls->free(*p);
	*p = NULL;
}
