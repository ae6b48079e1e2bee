#include "config.h"

#include "operate/release.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "operate/settle.h"

/* English, Korean. */
static const char *const words[][2] = {
	[RELEASE_DONE] = { "", "" },
	[RELEASE_READY_CALL] = { "its ready call is under way: it ends by itself within seconds",
	    "결제 준비를 요청하는 중입니다. 몇 초 안에 저절로 끝납니다" },
	[RELEASE_MAY_BE_CHARGED] = { "it may be charged: settle it first",
	    "청구되었을 수 있습니다. 먼저 매듭지으세요" },
	[RELEASE_NOTHING_HELD] = { "nothing is held any more", "잡아 둔 시간이 없습니다" },
	[RELEASE_CHANGED] = { "it was not released: it changed meanwhile",
	    "풀지 못했습니다. 그 사이에 바뀌었습니다" },
};
static_assert(sizeof(words) / sizeof(words[0]) == RELEASE__MAX, "a sentence for each");

const char *
operate_release_text(enum operate_release r, bool korean)
{
	assert(r < RELEASE__MAX);
	return words[r][korean];
}

enum operate_release
operate_may_release(enum hold_state s)
{
	switch (s) {
	case HOLD_READY:
	case HOLD_EXPIRED:
	case HOLD_APPROVED:
		return RELEASE_DONE;
	case HOLD_HELD:
		return RELEASE_READY_CALL;
	case HOLD_APPROVING:
	case HOLD_UNKNOWN:
	case HOLD_REVIEW:
		return RELEASE_MAY_BE_CHARGED;
	default:
		return RELEASE_NOTHING_HELD;
	}
}

/* A payment's hold goes as if its reservation were in the calendar, any other as if the user had
 * given up. */
static bool
remove_hold(struct flow *f, const struct flow_call *c, const struct queue_hold *h,
    const char *const *cids, size_t n_cids, struct operate_released *out, bool *removed,
    struct error *err)
{
	bool paid = h->state == HOLD_APPROVED;
	struct flow_answer *a = calloc(1, sizeof(*a));

	if (a == NULL)
		return error_set(err, ERR_INTERNAL, "out of memory");
	flow_remove(f, c, paid, h->user, h->room, paid ? h->tid : NULL, cids, n_cids, a);
	*removed = a->result == FR_OK && a->removed;
	text_copy(out->detail, sizeof(out->detail), a->detail);
	free(a);
	return true;
}

bool
operate_release(struct flow *f, const struct flow_call *c, const struct queue_hold *h,
    const char *const *cids, size_t n_cids, const char *reason, bool dry_run,
    enum operate_release *how, struct operate_released *out, struct error *err)
{
	bool removed = false;

	*out = (struct operate_released){ .was = h->state };
	*how = operate_may_release(h->state);
	if (*how != RELEASE_DONE || dry_run)
		return true;
	if (!operate_note(f, c, h->cid, h->order, h->tid, reason, &out->noted, err) ||
	    !remove_hold(f, c, h, cids, n_cids, out, &removed, err))
		return false;
	if (!removed)
		*how = RELEASE_CHANGED;
	return true;
}
