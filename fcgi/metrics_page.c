#include "config.h"

#include "fcgi/metrics_page.h"

#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "json/strict.h"
#include "site/metrics.h"

/* 0 where the queue, an older one, does not tell it. */
static int64_t
count_of(struct json_object *counts, const char *name)
{
	struct json_object *n;

	return json_object_object_get_ex(counts, name, &n) ? json_object_get_int64(n) : 0;
}

static void
add_seconds(struct buf *b, const char *name, const char *help, int64_t ms)
{
	buf_printf(b, "# HELP %s %s\n# TYPE %s gauge\n%s %lld.%03lld\n", name, help, name, name,
	    (long long)(ms / 1000), (long long)(ms % 1000));
}

static void
add_metric(struct buf *b, const char *name, const char *type, const char *help, int64_t value)
{
	buf_printf(b, "# HELP %s %s\n# TYPE %s %s\n%s %lld\n", name, help, name, type, name,
	    (long long)value);
}

/* syncs_500, syncs_1000, ...: how many took up to so many us; at last syncs_0: how many took
 * longer. */
static void
add_syncs(struct buf *b, struct json_object *counts)
{
	enum { BOUNDS_MAX = 16 };
	static const char prefix[] = "syncs_";
	int64_t n[BOUNDS_MAX + 1] = { 0 };
	double bounds[BOUNDS_MAX];
	size_t i = 0;

	json_object_object_foreach(counts, name, value)
	{
		long long us;

		if (strncmp(name, prefix, sizeof(prefix) - 1) != 0 || i == BOUNDS_MAX)
			continue;
		us = strtoll(name + sizeof(prefix) - 1, NULL, 10);
		n[i] = json_object_get_int64(value);
		if (us > 0)
			bounds[i++] = (double)us / 1e6;
	}
	metrics_print_histogram(b, "roompay_journal_sync_seconds",
	    "Time that a sync of the queue's journal took, or an append to the shared log.", bounds,
	    n, i, (double)count_of(counts, "sync_us") / 1e6);
}

static void
add_queue(struct buf *b, struct json_object *counts)
{
	/* clang-format off */
	static const struct { const char *count, *name, *type, *help; } rows[] = {
		{ "guards", "roompay_queue_guards", "gauge", "Times that are guarded for a while after their hold was removed." },
		{ "orders", "roompay_queue_orders", "gauge", "Orders that the queue remembers." },
		{ "calls", "roompay_queue_calls", "gauge", "Calls to KakaoPay under way, over all workers." },
		{ "waiters", "roompay_queue_waiters", "gauge", "Requests that wait for another's outcome." },
		{ "max_calls", "roompay_queue_calls_limit", "gauge", "Calls and waiters from which on approvals are refused." },
		{ "connections", "roompay_queue_connections", "gauge", "Programs connected to the queue." },
		{ "refused_slot", "roompay_queue_conflicts_total", "counter", "Holds refused because another had the time." },
		{ "journal_records", "roompay_journal_records_total", "counter", "Records ever written to the queue's journal." },
		{ "journal_segments", "roompay_journal_segments", "gauge", "Files of the journal." },
		{ "members", "roompay_log_machines", "gauge", "Machines that write to the shared log; 0: the journal is on disk." },
		{ "log_number", "roompay_log_number", "gauge", "Number of the shared log up to which this machine has applied it." },
		{ "log_behind", "roompay_log_behind", "gauge", "Numbers of the shared log that this machine knows of and has not applied." },
		{ "log_snapshot", "roompay_log_snapshot", "gauge", "Number of the newest snapshot of the shared log." },
		{ "log_appends", "roompay_log_appends_total", "counter", "Batches that this machine has written to the shared log." },
		{ "log_records", "roompay_log_records_total", "counter", "Records in these batches." },
		{ "log_lost", "roompay_log_lost_total", "counter", "Batches that were decided again, because another machine wrote first." },
		{ "log_repeats", "roompay_log_repeats_total", "counter", "Batches that were sent again, because their end was not known." },
		{ "log_followed", "roompay_log_followed_total", "counter", "Batches of other machines that were applied." },
		{ "log_barriers", "roompay_log_barriers_total", "counter", "Looks at the end of the log before a final no." },
		{ "log_reconnects", "roompay_log_reconnects_total", "counter", "Connections to the database that were made anew." },
	};
	/* clang-format on */

	buf_add_str(b, "# HELP roompay_holds Holds by state.\n# TYPE roompay_holds gauge\n");
	for (enum hold_state s = 0; s < HOLD__MAX; s++)
		buf_printf(b, "roompay_holds{state=\"%s\"} %lld\n", hold_state_name(s),
		    (long long)count_of(counts, hold_state_name(s)));
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		add_metric(b, rows[i].name, rows[i].type, rows[i].help,
		    count_of(counts, rows[i].count));
	add_seconds(b, "roompay_log_heard_seconds",
	    "Since this machine heard of the shared log's database.",
	    count_of(counts, "log_heard_ms"));
	add_seconds(b, "roompay_log_clock_seconds",
	    "How far this machine's clock is from the database's.",
	    count_of(counts, "log_clock_ms"));
	add_syncs(b, counts);
}

bool
metrics_page(const struct conf *conf, struct queue *q, int64_t deadline_boot_ms, struct buf *out,
    struct error *err)
{
	struct json_object *counts = NULL;
	struct buf text = BUF_INIT;
	bool whole, up;

	buf_printf(out,
	    "# HELP roompay_build_info The program that answers.\n# TYPE roompay_build_info gauge\nroompay_build_info{version=\"%s\"} 1\n",
	    PACKAGE_VERSION);
	whole = metrics_print(conf->metrics_dir, out, err);
	up = queue_stats(q, &text, deadline_boot_ms, err) &&
	    strict_parse_object(buf_str(&text), text.len, 1, &counts, err);
	add_metric(out, "roompay_queue_up", "gauge", "The queue answers.", up);
	if (up)
		add_queue(out, counts);
	json_object_put(counts);
	buf_clear(&text);
	return whole && up;
}
