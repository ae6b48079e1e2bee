#include "config.h"

#include "flow/site.h"

#include <assert.h>
#include <string.h>

static const struct {
	const char *text;
	enum flow_result result;
} fences[] = {
	[SITE_OPEN] = { "", FR_OK },
	[SITE_STORE_AWAY] = { "the database does not answer", FR_STORE_UNAVAILABLE },
	[SITE_QUEUE_AWAY] = { "the queue does not answer: systemctl status roompay-queued",
	    FR_QUEUE_UNAVAILABLE },
	[SITE_OTHER_QUEUE] = { "the database names another queue as this site's: restore that queue's journal, or roompayctl queue adopt",
	    FR_NOT_READY },
	[SITE_ADOPTING] = { "the adopted queue is being rebuilt from the ledger: roompay-courier does it, wait for it",
	    FR_NOT_READY },
	[SITE_OLD_DATABASE] = { "the database is older than the queue: roompayctl restore",
	    FR_NOT_READY },
	[SITE_LOG_AWAY] = { "this machine has not heard of the database for a second, and decides nothing until it does: see to MongoDB",
	    FR_QUEUE_UNAVAILABLE },
	[SITE_CLOCK_OFF] = { "this machine's clock and the database's differ by more than a second, and it decides nothing: set the clock",
	    FR_QUEUE_UNAVAILABLE },
	[SITE_OLD_LOG] = { "the database is older than what this machine has read of the queue's log: put the newest copy back, or roompayctl restore",
	    FR_NOT_READY },
};
static_assert(sizeof(fences) / sizeof(fences[0]) == SITE__MAX, "a row for each fence");

const char *
site_fence_text(enum site_fence f)
{
	return fences[f].text;
}

enum flow_result
site_fence_result(enum site_fence f)
{
	return fences[f].result;
}

enum site_fence
site_fence_of_word(const char *word)
{
	static const struct {
		const char *word;
		enum site_fence fence;
	} words[] = {
		{ "log-away", SITE_LOG_AWAY },
		{ "clock-off", SITE_CLOCK_OFF },
		{ "log-behind", SITE_OLD_LOG },
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(word, words[i].word) == 0)
			return words[i].fence;
	return SITE_OPEN;
}

static bool
fenced(struct site *out, enum site_fence f, struct error *err)
{
	out->fence = f;
	return error_set(err, ERR_CONFLICT, "%s", fences[f].text);
}

static bool
away(struct site *out, enum site_fence f, struct error *err, const char *what)
{
	out->fence = f;
	return error_wrap(err, "%s", what);
}

/* A first queue, which nobody has admitted yet; or one in the place of a lost one. */
static bool
admit(struct queue *q, struct site *out, int64_t deadline_boot_ms, struct error *err)
{
	struct queue_answer qa;

	if (strcmp(out->hello.fence, "new") != 0)
		return true;
	if (out->claim.number > 1)
		return fenced(out, SITE_ADOPTING, err);
	if (!queue_admit(q, false, 0, deadline_boot_ms, &qa, err))
		return away(out, SITE_QUEUE_AWAY, err, "admit the queue");
	out->hello.fence[0] = '\0';
	return true;
}

/* The queue is told of an order only after the ledger has it. */
static bool
has_newest(struct store *s, struct site *out, int64_t deadline_boot_ms, struct error *err)
{
	const struct queue_greeting *h = &out->hello;
	struct ledger_event e;
	bool found = true;

	if (h->last_n == 0)
		return true;
	if (!store_ledger_get(s, h->cid, h->order, h->last_n, &e, &found, deadline_boot_ms, err))
		return away(out, SITE_STORE_AWAY, err, "look for the newest order");
	if (found)
		ledger_event_clear(&e);
	return found || fenced(out, SITE_OLD_DATABASE, err);
}

bool
site_open(struct store *s, struct queue *q, struct site *out, int64_t deadline_boot_ms,
    struct error *err)
{
	enum site_fence f;

	memset(out, 0, sizeof(*out));
	queue_expect(q, "");
	if (!queue_hello(q, &out->hello, deadline_boot_ms, err))
		return away(out, SITE_QUEUE_AWAY, err, "greet the queue");
	/* before the claim, which an older database may have not, or not the newest one */
	if ((f = site_fence_of_word(out->hello.fence)) != SITE_OPEN) {
		queue_expect(q, out->hello.id); /* who was bound to it stays so */
		return fenced(out, f, err);
	}
	if (!store_prepare(s, deadline_boot_ms, err))
		return away(out, SITE_STORE_AWAY, err, "prepare the store");
	if (!store_claim_queue(s, out->hello.id, &out->claim, deadline_boot_ms, err))
		return err->code == ERR_CONFLICT
		    ? fenced(out, SITE_OTHER_QUEUE, err)
		    : away(out, SITE_STORE_AWAY, err, "claim the queue");
	queue_expect(q, out->hello.id);
	return admit(q, out, deadline_boot_ms, err) && has_newest(s, out, deadline_boot_ms, err);
}
