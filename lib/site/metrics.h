/*
 * What a program counts, in a file that all its processes share: workers of a master, of spawn-fcgi or of a web server count into one. The file is memory; it is not kept over a
 * reboot. A process that is killed while it counts loses that one count, nothing else. Printed as Prometheus text (version 0.0.4).
 * Labels are words of ours: no user, no tid, no token.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"

enum metrics_program { METRICS_FCGI, METRICS_COURIER, METRICS_QUEUED, METRICS_PROGRAMS };
enum metric {
	METRIC_REQUESTS, METRIC_REQUEST_SECONDS, METRIC_PROBLEMS, METRIC_PROVIDER_CALLS, METRIC_PROVIDER_SECONDS, METRIC_DELIVERIES, METRIC_DELIVERY_SECONDS, METRIC_EVENTS,
	METRIC_OUTBOX, METRIC_OUTBOX_OLDEST, METRIC_OPEN, METRIC_UNKNOWN_OLDEST, METRIC_COURIER_LOOK, METRIC__MAX
};
enum metric_type { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };
struct metric_row {
	const char *name;		/* as it is printed */
	enum metric_type type;
	const char *labels[2];		/* NULL: none */
	const char *help;
};
const struct metric_row *metric_row(enum metric m);

/* Counts into DIR/PROGRAM.metrics from now on. The directory is made where it is not there. dir "": nothing is counted. To be called before fork or after, or both.
 * Who may not write there (the user of a web server's own workers) says so in the log and works all the same. */
void metrics_open(const char *dir, enum metrics_program program);
void metrics_close(void);

/* Each does nothing where metrics_open was not called. v1, v2: the values of the labels, NULL where the metric has none. */
void metrics_count(enum metric m, const char *v1, const char *v2);
void metrics_set(enum metric m, int64_t value);
void metrics_observe_ms(enum metric m, const char *v1, int64_t ms);

/* All programs' files of this directory, summed; every metric of the table has its HELP and TYPE. False: a file is there and cannot be read. */
bool metrics_print(const char *dir, struct buf *out, struct error *err) __attribute__((warn_unused_result));
/* A gauge that a program of this directory set. False: it did not, or nothing is counted. */
bool metrics_read(const char *dir, enum metrics_program program, enum metric m, int64_t *value);
/* A histogram that somebody else counted: upper bounds in seconds, counts not cumulative, one more than bounds. */
void metrics_print_histogram(struct buf *out, const char *name, const char *help, const double *bounds, const int64_t *counts, size_t n_bounds, double sum);
