/*
 * Structured log: one event a line, as logfmt (ts= level= prog= pid= event= [req=] key=value ...)
 * or as a JSON object. Values are escaped here. Secrets are never passed in: struct secret has no
 * KV. An error is logged once, where it is answered.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdbool.h>

#include "base/error.h"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

struct log_kv {
	enum { LOG_KV_STR, LOG_KV_INT, LOG_KV_BOOL } type;
	const char *key;
	const char *str;
	int64_t num;
};

#define KV_STR(k, v) ((struct log_kv){ .type = LOG_KV_STR, .key = (k), .str = (v) })
#define KV_INT(k, v) ((struct log_kv){ .type = LOG_KV_INT, .key = (k), .num = (int64_t)(v) })
#define KV_BOOL(k, v) ((struct log_kv){ .type = LOG_KV_BOOL, .key = (k), .num = (v) })
#define KV_ERR(e) KV_STR("error", (e)->msg), KV_STR("kind", error_code_name((e)->code))

/* log_event(LOG_LEVEL_INFO, "approve_done", KV_STR("order", id), KV_INT("ms", 12)); at least one
 * KV. */
#define log_event(level, event, ...) \
	log_event_kvs((level), (event), (const struct log_kv[]){ __VA_ARGS__ }, \
	    sizeof((const struct log_kv[]){ __VA_ARGS__ }) / sizeof(struct log_kv))

void log_open(const char *prog, enum log_level level);
enum log_format { LOG_AS_LOGFMT, LOG_AS_JSON };
enum log_target {
	LOG_TO_STDERR,
	LOG_TO_SYSLOG, /* syslog(3), facility daemon; journald reads it, too */
};
/* Until this is called: logfmt on stderr. */
void log_shape(enum log_format format, enum log_target target);
/* count is called for each event of level error, also if the level of the log drops the line. NULL:
 * nobody counts. */
void log_count_errors(void (*count)(const char *event));
/* Adds req=ID to each line; NULL: no more. The text is borrowed until the next call. */
void log_set_request(const char *request_id);
void log_event_kvs(enum log_level level, const char *event, const struct log_kv *kvs, size_t n);
