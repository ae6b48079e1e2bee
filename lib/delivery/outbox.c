#include "config.h"

#include "delivery/outbox.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "json/write.h"

enum { HAS_ORDER = 1, HAS_STATE = 2, HAS_CHARGED = 4, HAS_INFO = 8, HAS_PAYMENT = 16 /* must have one */, MAY_PAYMENT = 32 };

/* One row a kind: who gets it, and what stands in `data` beside userId, roomId and tid. */
static const struct kind {
	const char *type, *peer;
	unsigned members;
} kinds[] = {
	[OUTBOX_PAYMENT_APPROVED] = { "payment.approved", "reservation", HAS_INFO | HAS_PAYMENT },
	[OUTBOX_QUEUE_REMOVED] = { "queue.removed", "gateway", HAS_ORDER | HAS_STATE | HAS_INFO | MAY_PAYMENT },
	[OUTBOX_PAYMENT_RESOLVED] = { "payment.resolved", "gateway", HAS_ORDER | HAS_STATE | HAS_CHARGED | MAY_PAYMENT },
};
static_assert(sizeof(kinds) / sizeof(kinds[0]) == OUTBOX__MAX, "a row for each kind");

bool
outbox_is_unbookable(const char *type, int64_t status)
{
	return strcmp(type, kinds[OUTBOX_PAYMENT_APPROVED].type) == 0 && (status == 409 || status == 410 || status == 422);
}

static void
add_data(struct buf *b, const struct kind *k, const struct outbox_facts *f)
{
	buf_add_char(b, '{');
	json_add_str_member(b, "userId", f->user_id);
	json_add_str_member(b, "roomId", f->room_id);
	json_add_str_member(b, "tid", f->tid);
	if (k->members & HAS_ORDER)
		json_add_str_member(b, "partner_order_id", f->partner_order_id);
	if (k->members & HAS_STATE)
		json_add_str_member(b, "state", f->state);
	if (k->members & HAS_CHARGED)
		json_add_bool_member(b, "charged", f->payment != NULL);
	if (k->members & HAS_INFO)
		json_add_raw_member(b, "reservationInfo", f->reservation_info);
	if (f->payment != NULL) {
		json_add_member(b, "payment");
		payment_format(f->payment, b);
	}
	buf_add_char(b, '}');
}

void
outbox_id(enum outbox_kind kind, const char *tid, char out[160])
{
	snprintf(out, 160, "%s.%s", kinds[kind].type, tid);
}

bool
outbox_message(enum outbox_kind kind, const struct outbox_facts *f, int64_t at_wall_ms, struct store_message *out, struct error *err)
{
	const struct kind *k = &kinds[kind];
	struct buf b = BUF_INIT;

	assert(kind < OUTBOX__MAX && strlen(f->tid) < sizeof(out->tid));
	assert(!(k->members & HAS_PAYMENT) || f->payment != NULL);
	*out = (struct store_message){ .at_ms = at_wall_ms };
	outbox_id(kind, f->tid, out->id);
	snprintf(out->type, sizeof(out->type), "%s", k->type);
	snprintf(out->peer, sizeof(out->peer), "%s", k->peer);
	memcpy(out->tid, f->tid, strlen(f->tid) + 1);
	buf_add_char(&b, '{');
	json_add_str_member(&b, "type", k->type);
	json_add_time_member(&b, "timestamp", at_wall_ms);
	json_add_member(&b, "data");
	add_data(&b, k, f);
	buf_add_char(&b, '}');
	out->body = buf_take(&b);
	return out->body != NULL || error_set(err, ERR_INTERNAL, "out of memory");
}
