#include "config.h"

#include "site/metrics.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"

/* clang-format off */
static const struct metric_row rows[] = {
	[METRIC_REQUESTS] = { "roompay_requests_total", METRIC_COUNTER, { "route", "status" },
	    "Requests answered." },
	[METRIC_REQUEST_SECONDS] = { "roompay_request_seconds", METRIC_HISTOGRAM, { "route" },
	    "Time from accepting a request to its answer." },
	[METRIC_PROBLEMS] = { "roompay_problems_total", METRIC_COUNTER, { "code" },
	    "Answers that are problems, by code; slot-held and slot-sold are the conflicts." },
	[METRIC_PROVIDER_CALLS] = { "roompay_provider_calls_total", METRIC_COUNTER,
	    { "call", "outcome" },
	    "Calls to KakaoPay." },
	[METRIC_PROVIDER_SECONDS] = { "roompay_provider_seconds", METRIC_HISTOGRAM, { "call" },
	    "Time that KakaoPay took." },
	[METRIC_DELIVERIES] = { "roompay_deliveries_total", METRIC_COUNTER, { "peer", "result" },
	    "Messages posted to the other services." },
	[METRIC_DELIVERY_SECONDS] = { "roompay_delivery_seconds", METRIC_HISTOGRAM, { "peer" },
	    "Time that the other service took." },
	[METRIC_EVENTS] = { "roompay_error_events_total", METRIC_COUNTER, { "event" },
	    "Lines of level error in the log, by event." },
	[METRIC_OUTBOX] = { "roompay_outbox_messages", METRIC_GAUGE, { NULL },
	    "Messages that are owed and not acknowledged." },
	[METRIC_OUTBOX_OLDEST] = { "roompay_outbox_oldest_timestamp_seconds", METRIC_GAUGE,
	    { NULL },
	    "Since when the oldest of them is owed; 0: none is." },
	[METRIC_OPEN] = { "roompay_open_items", METRIC_GAUGE, { NULL },
	    "Attempts without an end and payments whose hold is not removed." },
	[METRIC_UNKNOWN_OLDEST] = { "roompay_unknown_oldest_timestamp_seconds", METRIC_GAUGE,
	    { NULL },
	    "Since when the oldest attempt is open whose end is not known; 0: there is none." },
	[METRIC_COURIER_LOOK] = { "roompay_courier_look_timestamp_seconds", METRIC_GAUGE, { NULL },
	    "When the courier last looked through open work and outbox." },
};
/* clang-format on */
static_assert(sizeof(rows) / sizeof(rows[0]) == METRIC__MAX, "a row for each metric");

static const char *const programs[METRICS_PROGRAMS] = { [METRICS_FCGI] = "fcgi",
	[METRICS_COURIER] = "courier",
	[METRICS_QUEUED] = "queued" };

static const double bounds_s[] = { 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15 };
enum {
	N_BOUNDS = sizeof(bounds_s) / sizeof(bounds_s[0]),
	SUM = N_BOUNDS + 1,
	N_VALUES = SUM + 1,
	LABELS_CAP = 96,
	NAME_MAX_LEN = 12,
	VALUE_MAX = 30,
	SLOTS = 1024,
	MAGIC = 0x726d7031,
	PATH_ROOM = 350
};
enum { SLOT_FREE, SLOT_TAKEN, SLOT_READY };

/* One series. If its writer dies between TAKEN and READY the slot stays unused. */
struct slot {
	_Atomic uint32_t state;
	uint32_t metric;
	char labels[LABELS_CAP];	  /* route="payReady",status="200" */
	_Atomic int64_t values[N_VALUES]; /* [0], or the buckets and SUM */
};
struct head {
	uint32_t magic, slot_size, n_slots, n_values;
};
struct file {
	struct head head;
	struct slot slots[SLOTS];
};

static const struct head current = { .magic = MAGIC,
	.slot_size = sizeof(struct slot),
	.n_slots = SLOTS,
	.n_values = N_VALUES };

static struct file *mine;

const struct metric_row *
metric_row(enum metric m)
{
	return &rows[m];
}

static struct file *
map(int fd, bool write)
{
	void *at = mmap(NULL, sizeof(struct file), PROT_READ | (write ? PROT_WRITE : 0), MAP_SHARED,
	    fd, 0);

	return at == MAP_FAILED ? NULL : at;
}

/* The file gets its name when it is complete: several processes may make it at the same time. Its
 * blocks are allocated now, so that a full disk cannot end a process that counts later (SIGBUS). */
static bool
make_file(const char *path)
{
	char fresh[400];
	bool ok;
	int fd;

	snprintf(fresh, sizeof(fresh), "%s.XXXXXX", path);
	fd = mkostemp(fresh, O_CLOEXEC);
	if (fd < 0)
		return false;
	ok = (errno = posix_fallocate(fd, 0, sizeof(struct file))) == 0 &&
	    pwrite(fd, &current, sizeof(current), 0) == (ssize_t)sizeof(current) &&
	    link(fresh, path) == 0;
	if (!ok && errno == EEXIST)
		ok = true;
	unlink(fresh);
	close(fd);
	return ok;
}

static struct file *
open_file(const char *path, bool write, bool *stale)
{
	int fd = open(path, (write ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NOFOLLOW);
	struct file *f = NULL;
	struct stat st;

	*stale = false;
	if (fd < 0)
		return NULL;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size == (off_t)sizeof(struct file))
		f = map(fd, write);
	close(fd);
	*stale = f == NULL || memcmp(&f->head, &current, sizeof(current)) != 0;
	if (*stale && f != NULL) {
		munmap(f, sizeof(*f));
		f = NULL;
	}
	return f;
}

/* False: the name is too long. */
static bool
file_path(const char *dir, enum metrics_program program, char path[PATH_ROOM])
{
	return snprintf(path, PATH_ROOM, "%s/%s.metrics", dir, programs[program]) < PATH_ROOM;
}

static bool
open_mine(const char *dir, enum metrics_program program, struct error *err)
{
	char path[PATH_ROOM];
	bool stale;

	if (mkdir(dir, 0755) != 0 && errno != EEXIST)
		return error_sys(err, ERR_INPUT, "metrics_dir %s", dir);
	if (!file_path(dir, program, path))
		return error_set(err, ERR_INPUT, "metrics_dir is too long");
	for (int tries = 0; tries < 10 && mine == NULL; tries++) {
		mine = open_file(path, true, &stale);
		/* Stale: a file of another version. */
		if (mine == NULL && stale && unlink(path) != 0 && errno != ENOENT)
			return error_sys(err, ERR_INPUT, "%s", path);
		if (mine == NULL && !stale && errno != ENOENT)
			return error_sys(err, ERR_INPUT, "%s", path);
		if (mine == NULL && !make_file(path))
			return error_sys(err, ERR_INPUT, "%s", path);
	}
	return mine != NULL || error_set(err, ERR_INPUT, "%s cannot be made", path);
}

static void
count_error(const char *event)
{
	metrics_count(METRIC_EVENTS, event, NULL);
}

void
metrics_open(const char *dir, enum metrics_program program)
{
	struct error err;

	metrics_close();
	if (dir[0] != '\0' && !open_mine(dir, program, &err))
		log_event(LOG_LEVEL_WARN, "metrics_off", KV_ERR(&err));
	if (mine != NULL)
		log_count_errors(count_error);
}

void
metrics_close(void)
{
	if (mine != NULL)
		munmap(mine, sizeof(*mine));
	mine = NULL;
	log_count_errors(NULL);
}

/* name="value" at `to`, which points behind it afterwards. By hand: it is done five times for each
 * request, and snprintf was a tenth of what a refused one cost. */
static char *
add_label(char *to, const char *name, const char *value)
{
	size_t len = strnlen(value, VALUE_MAX);

	assert(strlen(name) <= NAME_MAX_LEN);
	to = stpcpy(to, name);
	*to++ = '=';
	*to++ = '"';
	memcpy(to, value, len);
	to += len;
	*to++ = '"';
	return to;
}

static void
format_labels(const struct metric_row *r, const char *v1, const char *v2, char out[LABELS_CAP])
{
	static_assert(2 * (NAME_MAX_LEN + VALUE_MAX + 3) + 2 <= LABELS_CAP, "two labels fit");

	if (r->labels[0] != NULL)
		out = add_label(out, r->labels[0], v1);
	if (r->labels[1] != NULL) {
		*out++ = ',';
		out = add_label(out, r->labels[1], v2);
	}
	*out = '\0';
}

static uint32_t
hash_of(uint32_t metric, const char *labels)
{
	uint32_t h = 2166136261u ^ metric;

	for (; *labels != '\0'; labels++)
		h = (h ^ (unsigned char)*labels) * 16777619u;
	return h;
}

/* NULL: no slot is free, and this series is not counted. */
static struct slot *
slot_of(enum metric m, const char *v1, const char *v2)
{
	char labels[LABELS_CAP];
	uint32_t at;

	format_labels(&rows[m], v1, v2, labels);
	at = hash_of(m, labels);
	for (uint32_t i = 0; i < SLOTS; i++) {
		struct slot *s = &mine->slots[(at + i) % SLOTS];
		uint32_t state = atomic_load_explicit(&s->state, memory_order_acquire);

		if (state == SLOT_FREE &&
		    atomic_compare_exchange_strong(&s->state, &state, SLOT_TAKEN)) {
			s->metric = m;
			memcpy(s->labels, labels, strlen(labels) + 1);
			atomic_store_explicit(&s->state, SLOT_READY, memory_order_release);
			return s;
		}
		/* A slot that is being taken may be for the same series: then there are two, and
		 * printing adds them up. */
		if (state == SLOT_READY && s->metric == (uint32_t)m &&
		    strcmp(s->labels, labels) == 0)
			return s;
	}
	return NULL;
}

static void
add(struct slot *s, size_t i, int64_t n)
{
	if (s != NULL)
		atomic_fetch_add_explicit(&s->values[i], n, memory_order_relaxed);
}

void
metrics_count(enum metric m, const char *v1, const char *v2)
{
	assert(rows[m].type == METRIC_COUNTER);
	if (mine != NULL)
		add(slot_of(m, v1, v2), 0, 1);
}

void
metrics_set(enum metric m, int64_t value)
{
	struct slot *s = mine == NULL ? NULL : slot_of(m, NULL, NULL);

	assert(rows[m].type == METRIC_GAUGE);
	if (s != NULL)
		atomic_store_explicit(&s->values[0], value, memory_order_relaxed);
}

void
metrics_observe_ms(enum metric m, const char *v1, int64_t ms)
{
	struct slot *s = mine == NULL ? NULL : slot_of(m, v1, NULL);
	size_t i = 0;

	assert(rows[m].type == METRIC_HISTOGRAM);
	while (i < N_BOUNDS && (double)ms / 1000 > bounds_s[i])
		i++;
	add(s, i, 1);
	add(s, SUM, ms);
}

/* --- printing */

struct series {
	uint32_t metric;
	char labels[LABELS_CAP];
	int64_t values[N_VALUES];
};
struct all {
	struct series *s;
	size_t n;
};

static bool
collect(struct all *a, struct file *f)
{
	for (size_t i = 0; i < SLOTS; i++) {
		struct slot *slot = &f->slots[i];
		struct series *more;
		size_t at = 0;

		if (atomic_load_explicit(&slot->state, memory_order_acquire) != SLOT_READY ||
		    slot->metric >= METRIC__MAX)
			continue;
		while (at < a->n &&
		    (a->s[at].metric != slot->metric || strcmp(a->s[at].labels, slot->labels) != 0))
			at++;
		if (at == a->n) {
			more = realloc(a->s, (a->n + 1) * sizeof(*more));
			if (more == NULL)
				return false;
			a->s = more;
			more[a->n++] = (struct series){ .metric = slot->metric };
			memcpy(more[at].labels, slot->labels, LABELS_CAP);
		}
		for (size_t v = 0; v < N_VALUES; v++)
			a->s[at].values[v] +=
			    atomic_load_explicit(&slot->values[v], memory_order_relaxed);
	}
	return true;
}

static int
by_name(const void *x, const void *y)
{
	const struct series *a = x, *b = y;

	return a->metric != b->metric ? (a->metric > b->metric) - (a->metric < b->metric)
				      : strcmp(a->labels, b->labels);
}

static void
print_head(struct buf *out, const char *name, const char *help, const char *type)
{
	buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* counts: one more than bounds, not cumulative. labels: "", or a list without its braces. */
static void
print_buckets(struct buf *out, const char *name, const char *labels, const double *bounds_of,
    const int64_t *counts, size_t n_bounds, double sum)
{
	const char *comma = labels[0] != '\0' ? "," : "", *open = labels[0] != '\0' ? "{" : "",
		   *close = labels[0] != '\0' ? "}" : "";
	int64_t n = 0;

	for (size_t i = 0; i <= n_bounds; i++) {
		n += counts[i];
		buf_printf(out, "%s_bucket{%s%sle=\"", name, labels, comma);
		if (i < n_bounds)
			buf_printf(out, "%g", bounds_of[i]);
		else
			buf_add_str(out, "+Inf");
		buf_printf(out, "\"} %lld\n", (long long)n);
	}
	buf_printf(out, "%s_sum%s%s%s %.6f\n%s_count%s%s%s %lld\n", name, open, labels, close, sum,
	    name, open, labels, close, (long long)n);
}

static void
print_series(struct buf *out, const struct series *s)
{
	if (rows[s->metric].type == METRIC_HISTOGRAM)
		print_buckets(out, rows[s->metric].name, s->labels, bounds_s, s->values, N_BOUNDS,
		    (double)s->values[SUM] / 1000);
	else if (s->labels[0] != '\0')
		buf_printf(out, "%s{%s} %lld\n", rows[s->metric].name, s->labels,
		    (long long)s->values[0]);
	else
		buf_printf(out, "%s %lld\n", rows[s->metric].name, (long long)s->values[0]);
}

bool
metrics_print(const char *dir, struct buf *out, struct error *err)
{
	static const char *const types[] = { "counter", "gauge", "histogram" };
	struct all a = { 0 };
	bool ok = true, stale;
	char path[PATH_ROOM];

	for (size_t i = 0; ok && dir[0] != '\0' && i < METRICS_PROGRAMS; i++) {
		struct file *f;

		file_path(dir, (enum metrics_program)i, path);
		f = open_file(path, false, &stale);
		if (f == NULL && !stale && errno != ENOENT)
			ok = error_sys(err, ERR_INTERNAL, "%s", path);
		if (f == NULL)
			continue;
		ok = collect(&a, f) || error_set(err, ERR_INTERNAL, "out of memory");
		munmap(f, sizeof(*f));
	}
	if (a.n > 0)
		qsort(a.s, a.n, sizeof(*a.s), by_name);
	for (size_t m = 0, i = 0; m < METRIC__MAX; m++) {
		print_head(out, rows[m].name, rows[m].help, types[rows[m].type]);
		for (; i < a.n && a.s[i].metric == m; i++)
			print_series(out, &a.s[i]);
	}
	free(a.s);
	return ok;
}

bool
metrics_read(const char *dir, enum metrics_program program, enum metric m, int64_t *value)
{
	bool found = false, stale;
	struct file *f = NULL;
	char path[PATH_ROOM];

	file_path(dir, program, path);
	if (dir[0] != '\0')
		f = open_file(path, false, &stale);
	for (size_t i = 0; f != NULL && !found && i < SLOTS; i++) {
		struct slot *s = &f->slots[i];

		found = atomic_load_explicit(&s->state, memory_order_acquire) == SLOT_READY &&
		    s->metric == (uint32_t)m;
		if (found)
			*value = atomic_load_explicit(&s->values[0], memory_order_relaxed);
	}
	if (f != NULL)
		munmap(f, sizeof(*f));
	return found;
}

void
metrics_print_histogram(struct buf *out, const char *name, const char *help, const double *bounds,
    const int64_t *counts, size_t n_bounds, double sum)
{
	print_head(out, name, help, "histogram");
	print_buckets(out, name, "", bounds, counts, n_bounds, sum);
}
