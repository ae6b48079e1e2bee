#include "config.h"

#include "sim/calls.h"

#include <stdlib.h>
#include <string.h>

#include "json/write.h"

enum { FIRST_CAP = 1024 };

/* The ring doubles up to CALLS_MAX; until then number n stands at n - 1, so nothing needs to move.
 */
static bool
reserve(struct calls *c)
{
	size_t cap = c->cap == 0 ? FIRST_CAP : 2 * c->cap;
	struct call_record *more;

	if (c->last < c->cap || c->cap == CALLS_MAX)
		return true;
	if (cap > CALLS_MAX)
		cap = CALLS_MAX;
	more = reallocarray(c->ring, cap, sizeof(*more));
	if (more == NULL)
		return false;
	memset(more + c->cap, 0, (cap - c->cap) * sizeof(*more));
	c->ring = more;
	c->cap = cap;
	return true;
}

uint64_t
calls_add(struct calls *c, const struct call_record *r)
{
	struct call_record *mine;

	if (!reserve(c))
		return 0;
	mine = &c->ring[c->last % c->cap];
	free(mine->partner_order_id);
	*mine = *r;
	mine->n = ++c->last;
	if (r->partner_order_id != NULL)
		mine->partner_order_id = strdup(r->partner_order_id);
	return mine->n;
}

struct call_record *
calls_find(struct calls *c, uint64_t n)
{
	struct call_record *r = n == 0 || n > c->last ? NULL : &c->ring[(n - 1) % c->cap];

	return r != NULL && r->n == n ? r : NULL;
}

void
calls_clear(struct calls *c)
{
	for (size_t i = 0; i < c->cap; i++)
		free(c->ring[i].partner_order_id);
	free(c->ring);
	memset(c, 0, sizeof(*c));
}

static bool
is_wanted(const struct call_record *r, const struct calls_filter *f)
{
	const char *order = r->partner_order_id == NULL ? "" : r->partner_order_id;

	return (f->partner_order_id == NULL || strcmp(order, f->partner_order_id) == 0) &&
	    (f->tid == NULL || strcmp(r->tid, f->tid) == 0) &&
	    (f->call == NULL || strcmp(call_name(r->call), f->call) == 0);
}

static void
write_record(const struct call_record *r, struct buf *out)
{
	if (out->data[out->len - 1] != '[')
		buf_add_char(out, ',');
	buf_add_char(out, '{');
	json_add_int_member(out, "n", (int64_t)r->n);
	json_add_str_member(out, "call", call_name(r->call));
	json_add_str_member(out, "api", r->legacy ? "legacy" : "current");
	json_add_str_member(out, "tid", r->tid);
	json_add_str_member(out, "cid", r->cid);
	json_add_str_member(out, "partner_order_id",
	    r->partner_order_id == NULL ? "" : r->partner_order_id);
	json_add_time_member(out, "at", r->at_ms);
	json_add_bool_member(out, "answered", r->is_answered);
	json_add_int_member(out, "status", r->status);
	json_add_int_member(out, "code", r->code);
	json_add_str_member(out, "fault", fault_name(r->fault));
	buf_add_char(out, '}');
}

void
calls_write(struct calls *c, const struct calls_filter *f, struct buf *out)
{
	uint64_t first = c->last > c->cap ? c->last - c->cap + 1 : 1;

	if (first <= f->since)
		first = f->since + 1;
	buf_add_str(out, "{\"calls\":[");
	for (uint64_t n = first; n <= c->last; n++) {
		const struct call_record *r = calls_find(c, n);

		if (r != NULL && is_wanted(r, f))
			write_record(r, out);
	}
	buf_add_char(out, ']');
	json_add_int_member(out, "last", (int64_t)c->last);
	buf_add_char(out, '}');
}
