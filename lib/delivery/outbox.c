#include "config.h"

#include "delivery/outbox.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "json/write.h"

enum {
	HAS_ORDER = 1,
	HAS_STATE = 2,
	HAS_CHARGED = 4,
	HAS_INFO = 8,
	HAS_PAYMENT = 16 /* must have one */,
	MAY_PAYMENT = 32,
	HAS_REFUND = 64
};

/* One row a kind: who gets it, and what stands in `data` beside userId, roomId and tid. */
static const struct kind {
	const char *type, *peer;
	unsigned members;
} kinds[] = {
	[OUTBOX_PAYMENT_APPROVED] = { "payment.approved", "reservation", HAS_INFO | HAS_PAYMENT },
	[OUTBOX_QUEUE_REMOVED] = { "queue.removed", "gateway",
	    HAS_ORDER | HAS_STATE | HAS_INFO | MAY_PAYMENT },
	[OUTBOX_PAYMENT_RESOLVED] = { "payment.resolved", "gateway",
	    HAS_ORDER | HAS_STATE | HAS_CHARGED | MAY_PAYMENT },
	[OUTBOX_REFUNDED_TO_RESERVATION] = { "payment.refunded", "reservation",
	    HAS_ORDER | HAS_STATE | HAS_REFUND | HAS_PAYMENT },
	[OUTBOX_REFUNDED_TO_GATEWAY] = { "payment.refunded", "gateway",
	    HAS_ORDER | HAS_STATE | HAS_REFUND | HAS_PAYMENT },
};
static_assert(sizeof(kinds) / sizeof(kinds[0]) == OUTBOX__MAX, "a row for each kind");

bool
outbox_is_unbookable(const char *type, int64_t status)
{
	return strcmp(type, kinds[OUTBOX_PAYMENT_APPROVED].type) == 0 &&
	    (status == 409 || status == 410 || status == 422);
}

bool
outbox_is_gone(const char *type, int64_t status)
{
	return status == 410 && !outbox_is_unbookable(type, status);
}

static void
add_refund(struct buf *b, const struct ledger_refund *r, int64_t paid)
{
	if (r->id[0] != '@')
		json_add_str_member(b, "refundId", r->id);
	json_add_member(b, "amount");
	buf_add_char(b, '{');
	json_add_int_member(b, "total", r->amount);
	json_add_int_member(b, "tax_free", r->tax_free);
	json_add_int_member(b, "vat", r->vat);
	buf_add_char(b, '}');
	json_add_int_member(b, "canceled", r->canceled);
	json_add_int_member(b, "left", paid - r->canceled);
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
	if (k->members & HAS_REFUND)
		add_refund(b, &f->refunded->refund, f->payment->amount.total);
	if (k->members & HAS_INFO)
		json_add_raw_member(b, "reservationInfo", f->reservation_info);
	if (f->payment != NULL) {
		json_add_member(b, "payment");
		payment_format(f->payment, b);
	}
	buf_add_char(b, '}');
}

void
outbox_id(enum outbox_kind kind, const char *tid, int64_t n, char out[MESSAGE_ID_CAP])
{
	const struct kind *k = &kinds[kind];

	if (k->members & HAS_REFUND)
		snprintf(out, MESSAGE_ID_CAP, "%s.%s.%" PRId64 ".%s", k->type, tid, n, k->peer);
	else
		snprintf(out, MESSAGE_ID_CAP, "%s.%s", k->type, tid);
}

/* What stands behind "TYPE.TID": nothing, or of payment.refunded ".N.PEER". */
static bool
parse_rest(const char *rest, const struct kind *k, int64_t *n)
{
	char *end;

	*n = 0;
	if ((k->members & HAS_REFUND) == 0)
		return rest[0] == '\0';
	if (rest[0] != '.' || rest[1] < '1' || rest[1] > '9')
		return false;
	*n = strtoll(rest + 1, &end, 10);
	return end[0] == '.' && strcmp(end + 1, k->peer) == 0;
}

bool
outbox_parse_id(const char *id, enum outbox_kind *kind, char tid[TID_CAP], int64_t *n)
{
	for (int i = 0; i < OUTBOX__MAX; i++) {
		size_t type = strlen(kinds[i].type), len;

		if (strncmp(id, kinds[i].type, type) != 0 || id[type] != '.')
			continue;
		len = strcspn(id + type + 1, ".");
		if (len == 0 || len >= TID_CAP || !parse_rest(id + type + 1 + len, &kinds[i], n))
			continue;
		*kind = (enum outbox_kind)i;
		snprintf(tid, TID_CAP, "%.*s", (int)len, id + type + 1);
		return true;
	}
	return false;
}

static const char test_type[] = "roompay.test";

bool
outbox_is_test(const struct store_message *m)
{
	return strcmp(m->type, test_type) == 0;
}

bool
outbox_test_message(const char *peer, const char *nonce, int64_t at_wall_ms,
    struct store_message *out, struct error *err)
{
	struct buf b = BUF_INIT;

	*out = (struct store_message){ .at_ms = at_wall_ms };
	snprintf(out->id, sizeof(out->id), "%s.%s", test_type, nonce);
	text_copy(out->type, sizeof(out->type), test_type);
	text_copy(out->peer, sizeof(out->peer), peer);
	buf_add_char(&b, '{');
	json_add_str_member(&b, "type", test_type);
	json_add_time_member(&b, "timestamp", at_wall_ms);
	json_add_member(&b, "data");
	buf_add_str(&b, "{}}");
	out->body = buf_take(&b);
	return out->body != NULL || error_set(err, ERR_INTERNAL, "out of memory");
}

bool
outbox_follows_approved(const struct store_message *m)
{
	return strcmp(m->type, kinds[OUTBOX_REFUNDED_TO_GATEWAY].type) == 0;
}

bool
outbox_was_heard(const struct store_try *last)
{
	return last->acknowledged || last->withdrawn ||
	    (last->ended &&
		outbox_is_unbookable(kinds[OUTBOX_PAYMENT_APPROVED].type, last->status));
}

/* The number in the id of a payment.refunded. */
static int64_t
number_of(const struct store_message *m)
{
	return strtoll(m->id + strlen(m->type) + 1 + strlen(m->tid) + 1, NULL, 10);
}

bool
outbox_waits_for(const struct store_message *m, const struct store_message *other)
{
	return outbox_follows_approved(m) && outbox_follows_approved(other) &&
	    strcmp(m->tid, other->tid) == 0 && strcmp(m->peer, other->peer) == 0 &&
	    number_of(other) < number_of(m);
}

int
outbox_compare(const struct store_message *a, const struct store_message *b)
{
	int by_tid = strcmp(a->tid, b->tid), by_peer = strcmp(a->peer, b->peer);
	int64_t x = number_of(a), y = number_of(b);

	return by_tid != 0 ? by_tid : by_peer != 0 ? by_peer : (x > y) - (x < y);
}

bool
outbox_message(enum outbox_kind kind, const struct outbox_facts *f, int64_t at_wall_ms,
    struct store_message *out, struct error *err)
{
	const struct kind *k = &kinds[kind];
	struct buf b = BUF_INIT;

	assert(kind < OUTBOX__MAX && strlen(f->tid) < sizeof(out->tid));
	assert(!(k->members & HAS_PAYMENT) || f->payment != NULL);
	*out = (struct store_message){ .at_ms = at_wall_ms };
	outbox_id(kind, f->tid, f->refunded == NULL ? 0 : f->refunded->n, out->id);
	text_copy(out->type, sizeof(out->type), k->type);
	text_copy(out->peer, sizeof(out->peer), k->peer);
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
