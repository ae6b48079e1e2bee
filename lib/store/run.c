#include "config.h"

#include "store/run.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "money/ledger.h"
#include "store/backend.h"

enum { RUN_FIRST = 8, RUN_MAX = 64 }; /* so many numbers are asked for in one command */

static void
number_id(const struct shape *sh, const struct run *run, int64_t number, struct buf *out)
{
	if (sh == &shape_ledger)
		shape_ledger_id(run->name, run->order, number, out);
	else
		shape_try_id(run->name, number, out);
}

static int64_t
number_in(const struct shape *sh, const void *rec)
{
	return sh == &shape_ledger ? ((const struct ledger_event *)rec)->n
				   : ((const struct store_try *)rec)->number;
}

/* One command: the records with the numbers from `first` on, `n` of them at most, in any order. */
static bool
get_numbers(struct store *s, const struct shape *sh, const struct run *run, int64_t first, size_t n,
    void **out, size_t *n_out, int64_t deadline_boot_ms, struct error *err)
{
	struct buf ids[RUN_MAX];
	const char *names[RUN_MAX];
	bool ok = true;

	*out = NULL;
	*n_out = 0;
	for (size_t i = 0; i < n; i++) {
		ids[i] = (struct buf)BUF_INIT;
		number_id(sh, run, first + (int64_t)i, &ids[i]);
		ok = ok && !ids[i].bad;
		names[i] = buf_str(&ids[i]);
	}
	ok = ok ? s->does->get_many(s, sh, names, n, out, n_out, deadline_boot_ms, err)
		: error_set(err, ERR_INTERNAL, "no memory");
	for (size_t i = 0; i < n; i++)
		buf_clear(&ids[i]);
	return ok;
}

/*
 * Moves records in any order behind the *n that are in *run, as long as the next number is among
 * them. The others are cleared: what stands behind a gap was written after the gap was looked at.
 */
static bool
add_in_order(const struct shape *sh, char **run, size_t *n, char *found, size_t n_found,
    struct error *err)
{
	char *more = realloc(*run, (*n + n_found + 1) * sh->size);
	bool moved = more != NULL;

	if (more != NULL)
		*run = more;
	while (moved) {
		moved = false;
		for (size_t i = 0; i < n_found && !moved; i++) {
			moved = number_in(sh, found + i * sh->size) == (int64_t)*n + 1;
			if (moved) {
				memcpy(more + (*n)++ * sh->size, found + i * sh->size, sh->size);
				memset(found + i * sh->size, 0, sh->size);
			}
		}
	}
	for (size_t i = 0; i < n_found; i++)
		shape_clear(sh, found + i * sh->size);
	free(found);
	return more != NULL || error_set(err, ERR_INTERNAL, "no memory");
}

bool
run_get(struct store *s, const struct shape *sh, const struct run *run, void **out, size_t *n,
    int64_t deadline_boot_ms, struct error *err)
{
	size_t asked = RUN_FIRST, wanted = 0, n_found;
	char *all = NULL;
	void *found;
	bool ok = true;

	*n = 0;
	while (ok && *n == wanted) {
		wanted += asked;
		ok = get_numbers(s, sh, run, (int64_t)*n + 1, asked, &found, &n_found,
			 deadline_boot_ms, err) &&
		    add_in_order(sh, &all, n, found, n_found, err);
		if (asked < RUN_MAX)
			asked *= 2;
	}
	for (size_t i = 0; !ok && i < *n; i++)
		shape_clear(sh, all + i * sh->size);
	if (!ok || *n == 0) {
		free(all);
		all = NULL;
		*n = 0;
	}
	*out = all;
	return ok;
}
