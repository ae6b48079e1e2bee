#include "config.h"

#include "store/shape.h"

#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/hex.h"
#include "json/field.h"
#include "money/ledger.h"
#include "store/record.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define MUST(type, name, of, member) \
	{ \
		name, type, false, FIELD_AT(of, member), NULL, 0, 0 \
	}
#define MAY(type, name, of, member) \
	{ \
		name, type, true, FIELD_AT(of, member), NULL, 0, 0 \
	}
#define GROUP(name, of, member, columns) \
	{ \
		name, COLUMN_GROUP, false, FIELD_AT(of, member), columns, COUNT(columns), 0 \
	}
#define MAY_GROUP(name, of, member, columns) \
	{ \
		name, COLUMN_GROUP, true, FIELD_AT(of, member), columns, COUNT(columns), 0 \
	}
#define FLAG_GROUP(name, of, member, columns, has) \
	{ \
		name, COLUMN_GROUP, true, FIELD_AT(of, member), columns, COUNT(columns), \
		    offsetof(struct of, has) \
	}

static const struct column amount_columns[] = {
	MUST(COLUMN_INT, "discount", amount, discount),
	MUST(COLUMN_INT, "point", amount, point),
	MUST(COLUMN_INT, "tax_free", amount, tax_free),
	MUST(COLUMN_INT, "total", amount, total),
	MUST(COLUMN_INT, "vat", amount, vat),
};

static const struct column payment_columns[] = {
	/* the site's PaymentSchema, nothing else */
	MAY(COLUMN_STR, "aid", payment, aid),
	GROUP("amount", payment, amount, amount_columns),
	MUST(COLUMN_TIME, "approved_at", payment, approved_at_ms),
	MUST(COLUMN_STR, "cid", payment, cid),
	MUST(COLUMN_TIME, "created_at", payment, created_at_ms),
	MUST(COLUMN_STR, "item_name", payment, item_name),
	MUST(COLUMN_STR, "partner_order_id", payment, partner_order_id),
	MUST(COLUMN_STR, "partner_user_id", payment, partner_user_id),
	MUST(COLUMN_STR, "payment_method_type", payment, payment_method_type),
	MUST(COLUMN_INT, "quantity", payment, quantity),
	MUST(COLUMN_STR, "tid", payment, tid),
	MUST(COLUMN_STR, "userId", payment, user_id),
};

static const struct column provider_columns[] = {
	MAY(COLUMN_INT, "http", provider_answer, http),
	MAY(COLUMN_INT, "code", provider_answer, code),
	MAY(COLUMN_STR, "message", provider_answer, message),
	MAY(COLUMN_STR, "method_code", provider_answer, method_code),
	MAY(COLUMN_STR, "status", provider_answer, status),
};

static const struct column refund_columns[] = {
	MUST(COLUMN_STR, "id", ledger_refund, id),
	MAY(COLUMN_BOOL, "all", ledger_refund, all),
	MAY(COLUMN_BOOL, "declined", ledger_refund, declined),
	MUST(COLUMN_INT, "amount", ledger_refund, amount),
	MUST(COLUMN_INT, "tax_free", ledger_refund, tax_free),
	MUST(COLUMN_INT, "vat", ledger_refund, vat),
	MUST(COLUMN_INT, "canceled", ledger_refund, canceled),
};

static const struct column ledger_columns[] = {
	MUST(COLUMN_STR, "cid", ledger_event, cid),
	MUST(COLUMN_STR, "partner_order_id", ledger_event, partner_order_id),
	MUST(COLUMN_INT, "n", ledger_event, n),
	MUST(COLUMN_KIND, "kind", ledger_event, kind),
	MUST(COLUMN_TIME, "at", ledger_event, at_ms),
	MUST(COLUMN_STR, "nonce", ledger_event, nonce),
	MAY(COLUMN_STR, "request_id", ledger_event, request_id),
	MAY(COLUMN_STR, "by", ledger_event, by),
	MAY(COLUMN_STR, "who", ledger_event, who),
	MAY(COLUMN_STR, "tid", ledger_event, tid),
	MAY(COLUMN_STR, "userId", ledger_event, user_id),
	MAY(COLUMN_STR, "roomId", ledger_event, room_id),
	MAY(COLUMN_INT, "token", ledger_event, token),
	MAY(COLUMN_TIME, "deadline", ledger_event, deadline_ms),
	MAY(COLUMN_TIME, "window", ledger_event, window_ms),
	MAY(COLUMN_STR, "key", ledger_event, key),
	MAY(COLUMN_HEAP, "attempt", ledger_event, attempt),
	FLAG_GROUP("payment", ledger_event, payment, payment_columns, has_payment),
	FLAG_GROUP("refund", ledger_event, refund, refund_columns, has_refund),
	MAY_GROUP("provider", ledger_event, provider, provider_columns),
	MAY(COLUMN_STR, "reason", ledger_event, reason),
};

static const struct column replay_columns[] = {
	MUST(COLUMN_STR, "key", store_replay, key),
	MUST(COLUMN_STR, "cid", store_replay, cid),
	MUST(COLUMN_STR, "partner_order_id", store_replay, partner_order_id),
	MUST(COLUMN_INT, "n", store_replay, n),
};

static const struct column work_columns[] = {
	MUST(COLUMN_STR, "tid", store_work, of.tid),
	MUST(COLUMN_STR, "cid", store_work, of.cid),
	MUST(COLUMN_STR, "partner_order_id", store_work, of.order),
	MUST(COLUMN_STR, "userId", store_work, of.user),
	MUST(COLUMN_STR, "roomId", store_work, of.room),
	MUST(COLUMN_INT, "n", store_work, n),
	MUST(COLUMN_TIME, "at", store_work, at_ms),
	MUST(COLUMN_TIME, "deadline", store_work, deadline_ms),
	MUST(COLUMN_INT, "hold_id", store_work, hold_id),
};

static const struct column outbox_columns[] = {
	MUST(COLUMN_STR, "id", store_message, id),
	MUST(COLUMN_STR, "type", store_message, type),
	MUST(COLUMN_STR, "peer", store_message, peer),
	MUST(COLUMN_STR, "tid", store_message, tid),
	MUST(COLUMN_TIME, "at", store_message, at_ms),
	MUST(COLUMN_HEAP, "body", store_message, body),
	MAY(COLUMN_TIME, "again", store_message, again_ms),
};

static const struct column try_columns[] = {
	MUST(COLUMN_STR, "message_id", store_try, message_id),
	MUST(COLUMN_INT, "number", store_try, number),
	MUST(COLUMN_TIME, "at", store_try, at_ms),
	MUST(COLUMN_STR, "by", store_try, by),
	MUST(COLUMN_BOOL, "ended", store_try, ended),
	MUST(COLUMN_BOOL, "acknowledged", store_try, acknowledged),
	MAY(COLUMN_BOOL, "withdrawn", store_try, withdrawn),
	MAY(COLUMN_INT, "status", store_try, status),
	MAY(COLUMN_TIME, "not_before", store_try, not_before_ms),
	MAY(COLUMN_STR, "error", store_try, error),
};

static const struct column meta_columns[] = {
	MUST(COLUMN_STR, "key", meta, key),
	MUST(COLUMN_TIME, "at", meta, at_ms),
	MAY(COLUMN_INT, "version", meta, version),
	MAY(COLUMN_STR, "queue_id", meta, queue_id),
	MAY(COLUMN_STR, "reason", meta, reason),
	MAY(COLUMN_STR, "who", meta, who),
};

static void
add_numbered(struct buf *out, const char *name, int64_t n)
{
	buf_add_str(out, name);
	buf_add_char(out, '#');
	buf_add_int(out, n);
}

/*
 * A cid always has 10 characters and a number no '#': no two orders share an id, whatever
 * characters theirs have.
 */
void
shape_ledger_id(const char *cid, const char *order, int64_t n, struct buf *out)
{
	buf_add_str(out, cid);
	buf_add_char(out, '/');
	add_numbered(out, order, n);
}

void
shape_work_id(const char *tid, int64_t n, struct buf *out)
{
	add_numbered(out, tid, n);
}

void
shape_try_id(const char *message_id, int64_t number, struct buf *out)
{
	add_numbered(out, message_id, number);
}

static void
ledger_id(const void *rec, struct buf *out)
{
	const struct ledger_event *e = rec;

	shape_ledger_id(e->cid, e->partner_order_id, e->n, out);
}

static bool
ledger_same(const void *mine, const void *stored)
{
	const struct ledger_event *a = mine, *b = stored;

	return a->nonce[0] != '\0' && strcmp(a->nonce, b->nonce) == 0;
}

static void
replay_id(const void *rec, struct buf *out)
{
	buf_add_str(out, ((const struct store_replay *)rec)->key);
}

static bool
replay_same(const void *mine, const void *stored)
{
	const struct store_replay *a = mine, *b = stored;

	return strcmp(a->cid, b->cid) == 0 && strcmp(a->partner_order_id, b->partner_order_id) == 0;
}

static void
payment_id(const void *rec, struct buf *out)
{
	buf_add_str(out, ((const struct payment *)rec)->tid);
}

/*
 * As ObjectIds are: seconds first, so that getTimestamp() says when KakaoPay opened the payment and
 * _id sorts by time; then eight bytes of the tid's SHA-256, so that one capture has one _id,
 * whoever writes it.
 */
static bool
payment_object_id(const void *rec, char hex[25])
{
	const struct payment *p = rec;
	unsigned char digest[DIGEST_LEN], bytes[12];
	uint32_t seconds = (uint32_t)(p->created_at_ms / 1000);

	if (!digest_sha256(p->tid, strlen(p->tid), digest))
		return false;
	for (int i = 0; i < 4; i++)
		bytes[i] = (unsigned char)(seconds >> (24 - 8 * i));
	memcpy(bytes + 4, digest, 8);
	hex_format(bytes, sizeof(bytes), hex);
	return true;
}

/*
 * The end of _id is the beginning of the tid's hash; all of it in documents of earlier versions. An
 * ordinary ObjectId is neither.
 */
static bool
payment_is_ours(const void *rec, const char hex[25])
{
	const struct payment *p = rec;
	unsigned char digest[DIGEST_LEN];
	char want[25];

	if (p->tid[0] == '\0' || !digest_sha256(p->tid, strlen(p->tid), digest))
		return false;
	hex_format(digest, 12, want);
	return strcmp(hex, want) == 0 || strncmp(hex + 8, want, 16) == 0;
}

static bool
amount_same(const struct amount *a, const struct amount *b)
{
	return a->total == b->total && a->tax_free == b->tax_free && a->vat == b->vat &&
	    a->point == b->point && a->discount == b->discount;
}

static bool
payment_same(const void *mine, const void *stored)
{
	const struct payment *a = mine, *b = stored;

	return strcmp(a->tid, b->tid) == 0 && strcmp(a->aid, b->aid) == 0 &&
	    strcmp(a->cid, b->cid) == 0 && strcmp(a->partner_order_id, b->partner_order_id) == 0 &&
	    strcmp(a->partner_user_id, b->partner_user_id) == 0 &&
	    strcmp(a->user_id, b->user_id) == 0 && strcmp(a->item_name, b->item_name) == 0 &&
	    strcmp(a->payment_method_type, b->payment_method_type) == 0 &&
	    a->quantity == b->quantity && amount_same(&a->amount, &b->amount) &&
	    a->created_at_ms == b->created_at_ms && a->approved_at_ms == b->approved_at_ms;
}

static void
open_id(const void *rec, struct buf *out)
{
	const struct store_work *o = rec;

	shape_work_id(o->of.tid, o->n, out);
}

static bool
open_same(const void *mine, const void *stored)
{
	(void)mine;
	(void)stored;
	return true; /* work on a number is work on that number */
}

static void
outbox_id(const void *rec, struct buf *out)
{
	buf_add_str(out, ((const struct store_message *)rec)->id);
}

static bool
outbox_same(const void *mine, const void *stored)
{
	const struct store_message *a = mine, *b = stored;

	return strcmp(a->type, b->type) == 0 && strcmp(a->peer, b->peer) == 0 &&
	    strcmp(a->tid, b->tid) == 0 && strcmp(a->body, b->body) == 0;
}

static void
try_id(const void *rec, struct buf *out)
{
	const struct store_try *t = rec;

	shape_try_id(t->message_id, t->number, out);
}

static bool
try_same(const void *mine, const void *stored)
{
	const struct store_try *a = mine, *b = stored;

	return a->at_ms == b->at_ms && strcmp(a->by, b->by) == 0;
}

static void
meta_id(const void *rec, struct buf *out)
{
	buf_add_str(out, ((const struct meta *)rec)->key);
}

static bool
meta_same(const void *mine, const void *stored)
{
	const struct meta *a = mine, *b = stored;

	return a->version == b->version && strcmp(a->queue_id, b->queue_id) == 0;
}

#define SHAPE(of, table) .size = sizeof(struct of), .columns = (table), .n_columns = COUNT(table)
#define ORDERED_BY(of, member) .at = offsetof(struct of, member)

const struct shape shape_ledger = {
	.collection = "ledger",
	SHAPE(ledger_event, ledger_columns),
	ORDERED_BY(ledger_event, at_ms),
	.id = ledger_id,
	.same = ledger_same,
};
const struct shape shape_replay = {
	.collection = "replay",
	SHAPE(store_replay, replay_columns),
	ORDERED_BY(store_replay, n),
	.id = replay_id,
	.same = replay_same,
};
const struct shape shape_payment = {
	.collection = "payments",
	SHAPE(payment, payment_columns),
	ORDERED_BY(payment, approved_at_ms),
	.key = "tid",
	.object_id = payment_object_id,
	.id = payment_id,
	.same = payment_same,
	.is_ours = payment_is_ours,
	.foreign = offsetof(struct payment, foreign),
};
const struct shape shape_work = {
	.collection = "open",
	SHAPE(store_work, work_columns),
	ORDERED_BY(store_work, at_ms),
	.light = true,
	.id = open_id,
	.same = open_same,
};
const struct shape shape_outbox = {
	.collection = "outbox",
	SHAPE(store_message, outbox_columns),
	ORDERED_BY(store_message, at_ms),
	.id = outbox_id,
	.same = outbox_same,
};
const struct shape shape_try = {
	.collection = "deliveries",
	SHAPE(store_try, try_columns),
	ORDERED_BY(store_try, at_ms),
	.id = try_id,
	.same = try_same,
};
const struct shape shape_meta = {
	.collection = "meta",
	SHAPE(meta, meta_columns),
	ORDERED_BY(meta, at_ms),
	.id = meta_id,
	.same = meta_same,
};

void
shape_clear(const struct shape *sh, void *rec)
{
	for (size_t i = 0; i < sh->n_columns; i++)
		if (sh->columns[i].type == COLUMN_HEAP)
			free(*(char **)((char *)rec + sh->columns[i].offset));
	memset(rec, 0, sh->size);
}

bool
shape_copy(const struct shape *sh, void *dst, const void *src)
{
	bool ok = true;

	memcpy(dst, src, sh->size);
	for (size_t i = 0; i < sh->n_columns; i++) {
		char **text = (char **)((char *)dst + sh->columns[i].offset);

		if (sh->columns[i].type != COLUMN_HEAP || *text == NULL)
			continue;
		*text = ok ? strdup(*text) : NULL;
		ok = *text != NULL;
	}
	if (!ok)
		shape_clear(sh, dst);
	return ok;
}
