#include "config.h"

#include "base/log.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/metrics.h"

static const char *const level_names[] = {
	[LOG_LEVEL_ERROR] = "error",
	[LOG_LEVEL_WARN] = "warn",
	[LOG_LEVEL_INFO] = "info",
	[LOG_LEVEL_DEBUG] = "debug",
};

static const char *log_prog = "roompay";
static const char *log_request;
static enum log_level log_max = LOG_LEVEL_INFO;
static pid_t own_pid;		/* 0: log_open was not called */

static void
learn_pid(void)
{
	own_pid = getpid();
}

/* The pid is asked for here and in each child, not for each line. */
void
log_open(const char *prog, enum log_level level)
{
	if (own_pid == 0 && pthread_atfork(NULL, NULL, learn_pid) == 0)
		learn_pid();
	log_prog = prog;
	log_max = level;
}

void
log_set_request(const char *request_id)
{
	log_request = request_id;
}

bool
log_level_parse(const char *word, enum log_level *level)
{
	for (size_t i = 0; i < sizeof(level_names) / sizeof(level_names[0]); i++)
		if (strcmp(word, level_names[i]) == 0) {
			*level = (enum log_level)i;
			return true;
		}
	return false;
}

enum { JSON_ROOM = 3500 };

static enum log_format log_format;
static enum log_target log_target;

static bool
is_plain(const char *s)
{
	if (*s == '\0')
		return false;
	for (; *s != '\0'; s++)
		if ((unsigned char)*s <= ' ' || *s == '"' || *s == '=' || *s == '\\' || (unsigned char)*s == 0x7f)
			return false;
	return true;
}

/* U+2028 and U+2029 end a line for some readers. */
static bool
is_line_separator(const unsigned char *p)
{
	return p[0] == 0xe2 && p[1] == 0x80 && (p[2] == 0xa8 || p[2] == 0xa9);
}

static void
add_value(struct buf *b, const char *s)
{
	if (s == NULL)
		s = "";
	if (is_plain(s) && strstr(s, "\xe2\x80") == NULL) {
		buf_add_str(b, s);
		return;
	}
	buf_add_char(b, '"');
	for (const unsigned char *p = (const unsigned char *)s; *p != '\0'; p++) {
		if (*p == '"' || *p == '\\')
			buf_printf(b, "\\%c", *p);
		else if (*p < 0x20 || *p == 0x7f)
			buf_printf(b, "\\x%02x", *p);
		else if (is_line_separator(p)) {
			buf_printf(b, "\\u20%02x", p[2] == 0xa8 ? 0x28 : 0x29);
			p += 2;
		} else
			buf_add_char(b, (char)*p);
	}
	buf_add_char(b, '"');
}

static void
add_plain(struct buf *b, const char *key, const char *value)
{
	buf_add_str(b, key);
	buf_add_char(b, '=');
	buf_add_str(b, value);
}

static void
add_kv(struct buf *b, const struct log_kv *kv)
{
	buf_add_char(b, ' ');
	add_plain(b, kv->key, "");
	if (kv->type == LOG_KV_STR)
		add_value(b, kv->str);
	else if (kv->type == LOG_KV_INT)
		buf_add_int(b, kv->num);
	else
		buf_add_str(b, kv->num ? "true" : "false");
}

/* The same line as one JSON object. */
static void
add_json_text(struct buf *b, const char *s)
{
	buf_add_char(b, '"');
	for (const unsigned char *p = (const unsigned char *)(s == NULL ? "" : s); *p != '\0'; p++) {
		if (*p == '"' || *p == '\\')
			buf_printf(b, "\\%c", *p);
		else if (*p < 0x20 || *p == 0x7f)
			buf_printf(b, "\\u%04x", *p);
		else if (is_line_separator(p)) {
			buf_printf(b, "\\u20%02x", p[2] == 0xa8 ? 0x28 : 0x29);
			p += 2;
		} else
			buf_add_char(b, (char)*p);
	}
	buf_add_char(b, '"');
}

static void
add_json_str(struct buf *b, const char *key, const char *value)
{
	buf_printf(b, "%s\"%s\":", b->len > 1 ? "," : "", key);
	add_json_text(b, value);
}

static void
format_json(struct buf *b, const char *ts, enum log_level level, const char *event, const struct log_kv *kvs, size_t n)
{
	buf_add_char(b, '{');
	add_json_str(b, "ts", ts);
	add_json_str(b, "level", level_names[level]);
	add_json_str(b, "prog", log_prog);
	buf_printf(b, ",\"pid\":%lld", (long long)(own_pid != 0 ? own_pid : getpid()));
	add_json_str(b, "event", event);
	if (log_request != NULL)
		add_json_str(b, "req", log_request);
	for (size_t i = 0; i < n && b->len < JSON_ROOM; i++) {	/* never cut in the middle of a value */
		if (kvs[i].type == LOG_KV_STR)
			add_json_str(b, kvs[i].key, kvs[i].str);
		else if (kvs[i].type == LOG_KV_INT)
			buf_printf(b, ",\"%s\":%lld", kvs[i].key, (long long)kvs[i].num);
		else
			buf_printf(b, ",\"%s\":%s", kvs[i].key, kvs[i].num ? "true" : "false");
	}
	buf_add_char(b, '}');
}

static void
format_logfmt(struct buf *b, const char *ts, enum log_level level, const char *event, const struct log_kv *kvs, size_t n)
{
	b->limit = 4000;
	add_plain(b, "ts", ts);
	add_plain(b, " level", level_names[level]);
	add_plain(b, " prog", log_prog);
	add_plain(b, " pid", "");
	buf_add_int(b, own_pid != 0 ? own_pid : getpid());
	add_plain(b, " event", event);
	if (log_request != NULL) {
		add_plain(b, " req", "");
		add_value(b, log_request);
	}
	for (size_t i = 0; i < n; i++)
		add_kv(b, &kvs[i]);
	b->bad = false;
	b->limit = 0;
}

void
log_shape(enum log_format format, enum log_target target)
{
	log_format = format;
	if (target == LOG_SYSLOG)
		openlog(log_prog, LOG_PID | LOG_NDELAY, LOG_DAEMON);
	log_target = target;
}

void
log_event_kvs(enum log_level level, const char *event, const struct log_kv *kvs, size_t n)
{
	static const int priorities[] = { [LOG_LEVEL_ERROR] = LOG_ERR, [LOG_LEVEL_WARN] = LOG_WARNING, [LOG_LEVEL_INFO] = LOG_INFO, [LOG_LEVEL_DEBUG] = LOG_DEBUG };
	struct buf b = BUF_INIT;
	char ts[CLOCK_ISO_CAP];
	int saved = errno;
	ssize_t done;

	if (level == LOG_LEVEL_ERROR)
		metrics_count(METRIC_EVENTS, event, NULL);
	if (level > log_max)
		return;
	clock_format_iso(clock_wall_ms(), ts);
	(log_format == LOG_JSON ? format_json : format_logfmt)(&b, ts, level, event, kvs, n);
	if (log_target == LOG_SYSLOG) {
		syslog(priorities[level], "%s", buf_str(&b));
	} else {
		buf_add_char(&b, '\n');
		done = b.data == NULL ? 0 : write(STDERR_FILENO, b.data, b.len);	/* one write: lines of many processes stay whole */
		(void)done;
	}
	buf_clear(&b);
	errno = saved;
}
