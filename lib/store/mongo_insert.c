#include "config.h"

#include "store/mongo_insert.h"

#include <stdio.h>

#include "base/clock.h"

/* Takes back what the answer names as not stored. */
static bool
read_write_errors(const bson_t *reply, bool *stored, size_t n)
{
	bson_iter_t errors, one, member;

	if (!bson_iter_init_find(&errors, reply, "writeErrors"))
		return true;
	if (!bson_iter_recurse(&errors, &one))
		return false;
	while (bson_iter_next(&one)) {
		int64_t index = -1;

		if (bson_iter_recurse(&one, &member) && bson_iter_find(&member, "index"))
			index = bson_iter_as_int64(&member);
		if (index < 0 || index >= (int64_t)n)
			return false;
		stored[index] = false;
	}
	return true;
}

static bool
read_reply(const bson_t *reply, bool *stored, size_t n, bson_oid_t *election)
{
	bson_iter_t it;
	int64_t count = 0;

	for (size_t i = 0; i < n; i++)
		stored[i] = true;
	if (bson_has_field(reply, "writeConcernError") || !read_write_errors(reply, stored, n) ||
	    !bson_iter_init_find(&it, reply, "electionId") || !BSON_ITER_HOLDS_OID(&it))
		return false;
	bson_oid_copy(bson_iter_oid(&it), election);
	for (size_t i = 0; i < n; i++)
		count += stored[i];
	return bson_iter_init_find(&it, reply, "n") && bson_iter_as_int64(&it) == count;
}

enum mongo_end
mongo_insert(struct mongo_link *l, const char *collection, const bson_t *const *docs, size_t n,
    bool waits, bool *stored, bson_oid_t *election)
{
	mongoc_collection_t *coll = mongo_link_collection(l, collection);
	const bson_t *opts = waits ? mongo_link_heavy(l) : mongo_link_light(l);
	bson_t command = BSON_INITIALIZER, list, reply;
	int64_t began = clock_boot_ms();
	bson_error_t e = { 0 };
	enum mongo_end end;
	char index[24];
	bool ok;

	bson_append_utf8(&command, "insert", -1, collection, -1);
	bson_append_array_begin(&command, "documents", -1, &list);
	for (size_t i = 0; i < n; i++) {
		snprintf(index, sizeof(index), "%zu", i);
		bson_append_document(&list, index, -1, docs[i]);
	}
	bson_append_array_end(&command, &list);
	if (n > 1)
		bson_append_bool(&command, "ordered", -1, false);
	ok = mongoc_collection_write_command_with_opts(coll, &command, opts, &reply, &e);
	end = mongo_link_judge(l, ok, &e, waits ? &reply : NULL, began);
	if (end == MONGO_DUPLICATE || /* not told so by this command */
	    (end == MONGO_DONE && !read_reply(&reply, stored, n, election)))
		end = MONGO_UNKNOWN;
	bson_destroy(&reply);
	bson_destroy(&command);
	mongoc_collection_destroy(coll);
	return end;
}
