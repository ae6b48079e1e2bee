/*
 * Counters that all processes of a program share, in a mapped file: the workers of a master, of
 * spawn-fcgi or of a web server add to the same ones. The file lives in memory and does not survive
 * a reboot. A process that is killed while it counts loses that one count and nothing else. Printed
 * in Prometheus' text format, version 0.0.4. Label values are words of ours: no user, tid or token.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"

enum metrics_program { METRICS_FCGI, METRICS_COURIER, METRICS_QUEUED, METRICS_PROGRAMS };
enum metric {
	METRIC_REQUESTS,
	METRIC_REQUEST_SECONDS,
	METRIC_PROBLEMS,
	METRIC_PROVIDER_CALLS,
	METRIC_PROVIDER_SECONDS,
	METRIC_DELIVERIES,
	METRIC_DELIVERY_SECONDS,
	METRIC_EVENTS,
	METRIC_OUTBOX,
	METRIC_OUTBOX_OLDEST,
	METRIC_OPEN,
	METRIC_UNKNOWN_OLDEST,
	METRIC_COURIER_LOOK,
	METRIC__MAX
};
enum metric_type { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };
struct metric_row {
	const char *name; /* as it is printed */
	enum metric_type type;
	const char *labels[2]; /* NULL: none */
	const char *help;
};
const struct metric_row *metric_row(enum metric m);

/*
 * From now on this process counts into DIR/PROGRAM.metrics; dir "": it counts nothing. Makes the
 * directory if it is not there. Call it before fork, after it, or both. A process that may not
 * write there (a web server's own workers) logs a warning and works all the same.
 */
void metrics_open(const char *dir, enum metrics_program program);
void metrics_close(void);

/* These do nothing before metrics_open. v1, v2: values of the labels, NULL where there is none. */
void metrics_count(enum metric m, const char *v1, const char *v2);
void metrics_set(enum metric m, int64_t value);
void metrics_observe_ms(enum metric m, const char *v1, int64_t ms);

/* The sum over all programs' files in dir. Every metric has its HELP and TYPE, counted or not.
 * False: a file is there and cannot be read. */
bool metrics_print(const char *dir, struct buf *out, struct error *err)
    __attribute__((warn_unused_result));
/* A gauge that a program set. False: it never did, or dir is "". */
bool metrics_read(const char *dir, enum metrics_program program, enum metric m, int64_t *value);
/* Prints a histogram that somebody else keeps: upper bounds in seconds; counts, not cumulative, one
 * more than bounds. */
void metrics_print_histogram(struct buf *out, const char *name, const char *help,
    const double *bounds, const int64_t *counts, size_t n_bounds, double sum);
