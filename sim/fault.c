#include "config.h"

#include "sim/fault.h"

#include <assert.h>
#include <string.h>

static const char *const call_names[] = {
	[CALL_READY] = "ready",
	[CALL_APPROVE] = "approve",
	[CALL_CANCEL] = "cancel",
	[CALL_ORDER] = "order",
	[CALL_PAGE] = "page",
};
static_assert(sizeof(call_names) / sizeof(call_names[0]) == CALL__MAX, "each call has its name");

enum {
	ON_READY = 1 << CALL_READY,
	ON_APPROVE = 1 << CALL_APPROVE,
	ON_CANCEL = 1 << CALL_CANCEL,
	ON_ORDER = 1 << CALL_ORDER,
	ON_PAGE = 1 << CALL_PAGE,
	ON_API = ON_READY | ON_APPROVE | ON_CANCEL | ON_ORDER,
	ON_ALL = ON_API | ON_PAGE,
	ON_PAID = ON_APPROVE | ON_CANCEL | ON_ORDER, /* answers that repeat the order */
};

/* clang-format off */
static const struct {
	const char *name;
	unsigned calls;
	bool lets_through;	/* also without after_commit */
} kinds[] = {
	[FAULT_NONE]			= { "none",			0,		true },
	[FAULT_DELAY]			= { "delay",			ON_ALL,		true },
	[FAULT_CLOSE_BEFORE]		= { "close-before",		ON_ALL,		false },
	[FAULT_CLOSE_AFTER]		= { "close-after",		ON_ALL,		true },
	[FAULT_RESET]			= { "reset",			ON_API,		false },
	[FAULT_RESET_AFTER]		= { "reset-after",		ON_API,		true },
	[FAULT_HTTP_500]		= { "http-500",			ON_API,		false },
	[FAULT_HTTP_503]		= { "http-503",			ON_API,		false },
	[FAULT_HTML_502]		= { "html-502",			ON_API,		false },
	[FAULT_EMPTY_BODY]		= { "empty-body",		ON_API,		false },
	[FAULT_TRUNCATED_JSON]		= { "truncated-json",		ON_API,		false },
	[FAULT_ERROR]			= { "error",			ON_API,		false },
	[FAULT_USER_LOCKED]		= { "user-locked",		ON_API,		false },
	[FAULT_BANK_FIRM_UNKNOWN]	= { "bank-firm-unknown",	ON_API,		false },
	[FAULT_CARD_REFUSED]		= { "card-refused",		ON_APPROVE,	false },
	[FAULT_EXTRA_MEMBERS]		= { "extra-members",		ON_API,		true },
	[FAULT_MISSING_MEMBERS]		= { "missing-members",		ON_API,		true },
	[FAULT_UNKNOWN_STATUS]		= { "unknown-status",		ON_ORDER | ON_CANCEL, true },
	[FAULT_WRONG_TOTAL]		= { "wrong-total",		ON_PAID,	true },
	[FAULT_WRONG_TAX_FREE]		= { "wrong-tax-free",		ON_PAID,	true },
	[FAULT_WRONG_VAT]		= { "wrong-vat",		ON_PAID,	true },
	[FAULT_WRONG_QUANTITY]		= { "wrong-quantity",		ON_PAID,	true },
	[FAULT_WRONG_PARTNER_ORDER_ID]	= { "wrong-partner-order-id",	ON_PAID,	true },
	[FAULT_WRONG_PARTNER_USER_ID]	= { "wrong-partner-user-id",	ON_PAID,	true },
	[FAULT_WRONG_TID]		= { "wrong-tid",		ON_PAID,	true },
	[FAULT_WRONG_CID]		= { "wrong-cid",		ON_PAID,	true },
	[FAULT_DUPLICATE_REDIRECT]	= { "duplicate-redirect",	ON_PAGE,	true },
	[FAULT_NO_REDIRECT]		= { "no-redirect",		ON_PAGE,	true },
};
/* clang-format on */
static_assert(sizeof(kinds) / sizeof(kinds[0]) == FAULT__MAX, "each fault has its row");

const char *
call_name(enum call c)
{
	assert(c < CALL__MAX);
	return call_names[c];
}

bool
call_parse(const char *word, enum call *c)
{
	for (size_t i = 0; i < CALL__MAX; i++)
		if (strcmp(word, call_names[i]) == 0) {
			*c = (enum call)i;
			return true;
		}
	return false;
}

const char *
fault_name(enum fault_kind k)
{
	assert(k < FAULT__MAX);
	return kinds[k].name;
}

bool
fault_parse(const char *word, enum fault_kind *k)
{
	for (size_t i = FAULT_NONE + 1; i < FAULT__MAX; i++)
		if (strcmp(word, kinds[i].name) == 0) {
			*k = (enum fault_kind)i;
			return true;
		}
	return false;
}

bool
fault_lets_through(enum fault_kind k)
{
	return kinds[k].lets_through;
}

bool
fault_fits(enum fault_kind k, enum call c)
{
	return (kinds[k].calls & (1u << c)) != 0;
}

void
faults_init(struct faults *f, uint64_t seed)
{
	memset(f, 0, sizeof(*f));
	f->seed = seed;
}

bool
faults_add(struct faults *f, const struct fault *r, unsigned *id, struct error *err)
{
	struct fault *mine;

	if (f->n == FAULTS_MAX)
		return error_set(err, ERR_BUSY, "more than %d faults", FAULTS_MAX);
	mine = &f->rules[f->n++];
	*mine = *r;
	mine->id = *id = ++f->last_id;
	mine->random = (f->seed + mine->id) * 0x9e3779b97f4a7c15u;
	mine->hits = 0;
	return true;
}

size_t
faults_clear(struct faults *f)
{
	size_t n = f->n;

	f->n = 0;
	return n;
}

/* 0 <= x < 1, xorshift64*. */
static double
next_share(struct fault *r)
{
	r->random ^= r->random >> 12;
	r->random ^= r->random << 25;
	r->random ^= r->random >> 27;
	return (double)(r->random * 0x2545f4914f6cdd1du >> 11) / 9007199254740992.0;
}

static bool
wants(struct fault *r, enum call call, const char *tid, const char *partner_order_id)
{
	return r->call == call && (r->tid[0] == '\0' || strcmp(r->tid, tid) == 0) &&
	    (r->partner_order_id[0] == '\0' ||
		strcmp(r->partner_order_id, partner_order_id) == 0) &&
	    (r->share >= 1 || next_share(r) < r->share);
}

void
faults_pick(struct faults *f, enum call call, const char *tid, const char *partner_order_id,
    struct fault *hit)
{
	for (size_t i = 0; i < f->n; i++) {
		struct fault *r = &f->rules[i];

		if (!wants(r, call, tid, partner_order_id))
			continue;
		r->hits++;
		*hit = *r;
		if (r->times > 0 && --r->times == 0) {
			memmove(r, r + 1, (f->n - i - 1) * sizeof(*r));
			f->n--;
		}
		return;
	}
}
