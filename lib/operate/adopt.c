#include "config.h"

#include "operate/adopt.h"

#include <assert.h>
#include <string.h>

/* English, Korean. */
static const char *const words[][2] = {
	[ADOPT_NOTHING] = { "nothing to adopt: the running queue is the site's own",
	    "받아들일 것이 없습니다. 지금 도는 큐가 사이트의 큐입니다" },
	[ADOPT_WOULD] = { "dry run: nothing was changed", "dry run: 바꾼 것 없음" },
	[ADOPT_DONE] = { "adopted. roompay-courier tells it now what the ledger knows; payments are "
			 "taken again when that is done (roompayctl status).",
	    "받아들였습니다. 이제 roompay-courier가 원장의 내용을 "
	    "알려 주고, 끝나면 다시 결제를 받습니다 (roompayctl status)." },
	[ADOPT_NOT_NEW] = { "only a queue with a new journal can be adopted: stop it, move its "
			    "directory away, start it again",
	    "새 저널의 큐만 받아들일 수 있습니다. 멈추고 디렉터리를 옮긴 뒤 다시 시작하세요" },
};
static_assert(sizeof(words) / sizeof(words[0]) == ADOPT__MAX, "a sentence for each");

const char *
operate_adopt_text(enum operate_adopt how, bool korean)
{
	assert(how < ADOPT__MAX);
	return words[how][korean];
}

static bool
fail(const struct error *why, const char *which, struct error *err)
{
	*err = *why;
	return error_wrap(err, "%s", which);
}

bool
operate_adopt(struct flow *f, const struct flow_call *c, const char *reason, bool dry_run,
    struct operate_status *s, enum operate_adopt *how, struct error *err)
{
	operate_status(f, s);
	if (!s->store)
		return fail(&s->store_err, "store", err);
	if (!s->queue)
		return fail(&s->queue_err, "queue", err);
	*how = ADOPT_NOTHING;
	if (s->claim.number == 0 || strcmp(s->claim.queue_id, s->hello.id) == 0)
		return true;
	*how = strcmp(s->hello.fence, "new") != 0 ? ADOPT_NOT_NEW
	    : dry_run				  ? ADOPT_WOULD
						  : ADOPT_DONE;
	return *how != ADOPT_DONE ||
	    store_claim_adopt(f->store, &s->claim, s->hello.id, reason,
		c->who != NULL ? c->who : f->who, c->deadline_boot_ms, err);
}
