#include "config.h"

#include "store/mongo_index.h"

#include <string.h>

#include "base/buf.h"
#include "money/ledger.h"
#include "store/mongo_foreign.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/*
 * Each index costs every insert into its collection. Two of the ledger's are of few events: those
 * with a payment, and refunds that were carried out. `few` says so to the server.
 */
struct index {
	const char *collection, *name;
	struct {
		const char *member;
		int order;
	} keys[4];
	bool unique;
	const char *whole; /* the name of the same index over all documents: what earlier versions
			      made, and servers that know no other have */
	void (*few)(bson_t *filter);
};

/* Whatever asks by room asks for a range of these times. */
static void
with_a_payment(bson_t *filter)
{
	BCON_APPEND(filter, "payment.approved_at", "{", "$exists", BCON_BOOL(true), "}");
}

static void
carried_out(bson_t *filter)
{
	BCON_APPEND(filter, "kind", "{", "$in", "[", BCON_UTF8(ledger_kind_name(LK_REFUNDED)),
	    BCON_UTF8(ledger_kind_name(LK_PART_REFUNDED)), "]", "}");
}

/* clang-format off */
static const struct index indexes[] = { /* tests/system/test_queries.py */
	{ "payments", "tid", { { "tid", 1 } }, .unique = true },
	{ "payments", "aid", { { "aid", 1 } } },
	{ "payments", "user", { { "userId", 1 }, { "approved_at", -1 }, { "tid", -1 } } },
	{ "payments", "order_approved",
	    { { "partner_order_id", 1 }, { "approved_at", -1 }, { "tid", -1 } } },
	{ "payments", "approved", { { "approved_at", -1 }, { "tid", -1 } } },
	{ "ledger", "room_paid", { { "roomId", 1 }, { "payment.approved_at", -1 }, { "tid", -1 } },
	    .whole = "room", .few = with_a_payment },
	{ "ledger", "refunded", { { "kind", 1 }, { "at", -1 }, { "tid", -1 } }, /* by day */
	    .whole = "kind", .few = carried_out },
	{ "ledger", "at", { { "at", 1 } } }, /* a new queue is told of the last weeks */
	{ "open", "at", { { "at", 1 } } },   /* the courier polls both, the oldest first; they grow */
	{ "outbox", "at", { { "at", 1 } } }, /* while KakaoPay or a receiver is away */
};
/* clang-format on */

/* whole: over all documents. */
static void
create_command(const struct index *ix, bool whole, bson_t *command)
{
	bson_t list, one, keys, few;

	bson_append_utf8(command, "createIndexes", -1, ix->collection, -1);
	bson_append_array_begin(command, "indexes", -1, &list);
	bson_append_document_begin(&list, "0", -1, &one);
	bson_append_document_begin(&one, "key", -1, &keys);
	for (size_t i = 0; i < COUNT(ix->keys) && ix->keys[i].member != NULL; i++)
		bson_append_int32(&keys, ix->keys[i].member, -1, ix->keys[i].order);
	bson_append_document_end(&one, &keys);
	bson_append_utf8(&one, "name", -1, whole ? ix->whole : ix->name, -1);
	if (ix->unique)
		bson_append_bool(&one, "unique", -1, true);
	if (ix->few != NULL && !whole) {
		bson_append_document_begin(&one, "partialFilterExpression", -1, &few);
		ix->few(&few);
		bson_append_document_end(&one, &few);
	}
	bson_append_document_end(&list, &one);
	bson_append_array_end(command, &list);
}

static bool
create(struct mongo_link *l, const struct index *ix, bool whole, int64_t deadline_boot_ms,
    struct error *err)
{
	bson_t command = BSON_INITIALIZER;
	bool ok;

	create_command(ix, whole, &command);
	ok = mongo_link_command_until(l, &command, deadline_boot_ms, err);
	bson_destroy(&command);
	return ok;
}

/* The one that an earlier version made; most often there is none. */
static void
drop_whole(struct mongo_link *l, const struct index *ix, int64_t deadline_boot_ms)
{
	bson_t *command =
	    BCON_NEW("dropIndexes", BCON_UTF8(ix->collection), "index", BCON_UTF8(ix->whole));
	struct error err;

	(void)mongo_link_command_until(l, command, deadline_boot_ms, &err);
	bson_destroy(command);
}

/*
 * The old one goes when the new one is there: programs of an earlier version find what they ask for
 * by either. Where the server refuses an index over a part of a collection, the whole one serves.
 */
static bool
make(struct mongo_link *l, const struct index *ix, int64_t deadline_boot_ms, struct error *err)
{
	if (create(l, ix, false, deadline_boot_ms, err)) {
		if (ix->whole != NULL)
			drop_whole(l, ix, deadline_boot_ms);
		return true;
	}
	return ix->whole != NULL && create(l, ix, true, deadline_boot_ms, err);
}

/* Why the index on tid cannot be made, if that is why. The error is a line: it names the first few.
 */
static bool
twice(struct mongo_link *l, struct error *err)
{
	struct buf tids = BUF_INIT;
	bool some = mongo_foreign_twice(l, &tids);

	if (some)
		error_set(err, ERR_UNAVAILABLE,
		    "payments has more than one document with the tid %s: no payment is "
		    "taken until each tid stands once. See roompayctl import check",
		    buf_str(&tids));
	buf_clear(&tids);
	return some;
}

bool
mongo_index_make(struct mongo_link *l, int64_t deadline_boot_ms, struct error *err)
{
	for (size_t i = 0; i < COUNT(indexes); i++) {
		if (make(l, &indexes[i], deadline_boot_ms, err))
			continue;
		if (indexes[i].unique && twice(l, err))
			return false;
		return error_wrap(err, "index %s of %s", indexes[i].name, indexes[i].collection);
	}
	return true;
}
