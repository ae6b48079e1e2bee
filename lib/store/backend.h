/*
 * What an implementation of the store does: a few verbs on records of any shape. The verbs of
 * store.h are told in these, once (store.c).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "store/record.h"
#include "store/shape.h"

struct store;
struct store_queue_log;

enum { STORE_ITEMS_MAX = 4 };

/*
 * How a put waits for the majority. MORE: not yet, the next one comes at once. LAST: with all since
 * the first MORE. ALONE: for itself; what waited for a LAST that never came is not waited for any
 * more.
 */
enum store_wait { STORE_ALONE, STORE_MORE, STORE_LAST };

struct store_backend {
	/* Inserts rec under its id; an equal one that is there is STORE_OURS. Errors as store.h
	 * says. */
	bool (*put)(struct store *s, const struct shape *sh, const void *rec, enum store_put *how,
	    int64_t deadline_boot_ms, struct error *err);
	/* How the puts that follow wait. NULL: each by itself. */
	void (*wait)(struct store *s, enum store_wait wait);
	/*
	 * True: all of them are stored now, each after the one before, and wait no more. False: it
	 * is open, unless !*sent; each is put as ever then. NULL: it cannot.
	 */
	bool (*put_at_once)(struct store *s, const struct shape *const *shapes,
	    const void *const *recs, size_t n, bool *sent, int64_t deadline_boot_ms);
	/* *out: shape_clear by the caller when found, else untouched. */
	bool (*get)(struct store *s, const struct shape *sh, const char *id, void *out, bool *found,
	    int64_t deadline_boot_ms, struct error *err);
	/* Those of the ids that are there, in any order. Not for shapes with a key. *out as of
	 * list. */
	bool (*get_many)(struct store *s, const struct shape *sh, const char *const *ids,
	    size_t n_ids, void **out, size_t *n, int64_t deadline_boot_ms, struct error *err);
	/*
	 * Many in one command, each as if it were alone: hows[i] as of put. False: of every record
	 * it is open whether it is stored.
	 */
	bool (*put_many)(struct store *s, const struct shape *sh, const void *const *recs, size_t n,
	    enum store_put *hows, int64_t deadline_boot_ms, struct error *err);
	/* Those that are not there are left out. */
	bool (*replace_many)(struct store *s, const struct shape *sh, const void *const *recs,
	    size_t n, int64_t deadline_boot_ms, struct error *err);
	bool (*remove_many)(struct store *s, const struct shape *sh, const char *const *ids,
	    size_t n, int64_t deadline_boot_ms, struct error *err);
	/* Puts rec in the place of the one under its id: only for records with one writer. */
	bool (*replace)(struct store *s, const struct shape *sh, const void *rec, bool *found,
	    int64_t deadline_boot_ms, struct error *err);
	bool (*remove)(struct store *s, const struct shape *sh, const char *id,
	    int64_t deadline_boot_ms, struct error *err);
	/* True: somebody else was told to remove it soon, and may fail. NULL: there is nobody. */
	bool (*hand_over_removal)(struct store *s, const struct shape *sh, const char *id,
	    int64_t deadline_boot_ms);
	/* Of those from at_ms on, the oldest `limit`. *out: *n records (shape_clear each, then
	 * free), NULL when there is none. */
	bool (*list)(struct store *s, const struct shape *sh, int64_t from_ms, size_t limit,
	    void **out, size_t *n, int64_t deadline_boot_ms, struct error *err);
	/* The payments in records of this shape (payments, or ledger: the captures; with
	 * h->refunds: the refunds), as store_history and store_refunds say but for *more. *out as
	 * of list. */
	bool (*history)(struct store *s, const struct shape *sh, const struct store_history *h,
	    void **out, size_t *n, int64_t deadline_boot_ms, struct error *err);
	/* As store_foreign_... of store.h; page->list has room for `limit`. NULL: it has no other
	 * writers. */
	bool (*foreign_page)(struct store *s, size_t limit, struct store_foreign_page *page,
	    struct error *err);
	bool (*foreign_shift)(struct store *s, const struct store_foreign *of, int64_t by_ms,
	    struct error *err);
	bool (
	    *foreign_set_aside)(struct store *s, const struct store_foreign *of, struct error *err);
	/* As store_queue_log_... of store.h. NULL: there is none. */
	bool (*queue_log_find)(struct store *s, char *queue_id, struct error *err);
	bool (*queue_log_renew)(struct store *s, const char *old_id, const char *new_id,
	    const char *reason, struct error *err);
	bool (*queue_log)(struct store *s, struct store_queue_log *out,
	    bool (*each)(void *ctx, const void *record, size_t len, struct error *err), void *ctx,
	    struct error *err);
	bool (*make_indexes)(struct store *s, int64_t deadline_boot_ms, struct error *err);
	bool (*ping)(struct store *s, int64_t deadline_boot_ms, struct error *err);
	void (*free)(struct store *s);
};

struct store { /* the first member of each implementation's own struct */
	const struct store_backend *does;
};
