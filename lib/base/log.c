#include "config.h"

#include "base/log.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/text.h"

static const char *const level_names[] = {
	[LOG_LEVEL_ERROR] = "error",
	[LOG_LEVEL_WARN] = "warn",
	[LOG_LEVEL_INFO] = "info",
	[LOG_LEVEL_DEBUG] = "debug",
};

static const char *log_prog = "roompay";
static const char *log_request;
static void (*log_count)(const char *event); /* NULL: nobody counts */
static enum log_level log_max = LOG_LEVEL_INFO;
static pid_t own_pid; /* 0: log_open was not called */

static void
learn_pid(void)
{
	own_pid = getpid();
}

/* getpid() once a process, not once a line. */
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

void
log_count_errors(void (*count)(const char *event))
{
	log_count = count;
}

enum { LOGFMT_ROOM = 4000, JSON_ROOM = 3500 };

static enum log_format log_format;
static enum log_target log_target;

static bool
is_plain(const char *s)
{
	const char *p = s;
	bool ascii = true;

	for (; *p != '\0'; p++) {
		if ((unsigned char)*p <= ' ' || *p == '"' || *p == '=' || *p == '\\' || *p == 0x7f)
			return false;
		ascii = ascii && (unsigned char)*p < 0x80;
	}
	return p > s && (ascii || !text_has_hidden(s));
}

/* Escapes what could hide something from a reader of the log, or end a line for some of them. */
static void
add_quoted(struct buf *b, const char *s, bool json)
{
	buf_add_char(b, '"');
	while (*s != '\0') {
		const char *from = s;
		uint32_t c = text_next(&s);

		if (c == '"' || c == '\\')
			buf_printf(b, "\\%c", (char)c);
		else if (!json && (c < 0x80 || c == TEXT_NOT_UTF8) && text_is_hidden(c))
			buf_printf(b, "\\x%02x", (unsigned)(unsigned char)*from);
		else if (text_is_hidden(c))
			text_add_json_escape(b, c);
		else
			buf_add(b, from, (size_t)(s - from));
	}
	buf_add_char(b, '"');
}

static void
add_value(struct buf *b, const struct log_kv *kv, bool json)
{
	const char *s = kv->str == NULL ? "" : kv->str;

	if (kv->type == LOG_KV_INT)
		buf_add_int(b, kv->num);
	else if (kv->type == LOG_KV_BOOL)
		buf_add_str(b, kv->num ? "true" : "false");
	else if (!json && is_plain(s))
		buf_add_str(b, s);
	else
		add_quoted(b, s, json);
}

static void
add_logfmt(struct buf *b, const struct log_kv *kv)
{
	if (b->len > 0)
		buf_add_char(b, ' ');
	buf_add_str(b, kv->key);
	buf_add_char(b, '=');
	add_value(b, kv, false);
}

/* A line that would be too long loses whole members: it stays valid JSON. */
static void
add_json(struct buf *b, const struct log_kv *kv)
{
	if (b->len >= JSON_ROOM)
		return;
	buf_printf(b, "%s\"%s\":", b->len > 0 ? "," : "{", kv->key);
	add_value(b, kv, true);
}

void
log_shape(enum log_format format, enum log_target target)
{
	log_format = format;
	if (target == LOG_TO_SYSLOG)
		openlog(log_prog, LOG_PID | LOG_NDELAY, LOG_DAEMON);
	log_target = target;
}

void
log_event_kvs(enum log_level level, const char *event, const struct log_kv *kvs, size_t n)
{
	static const int priorities[] = { [LOG_LEVEL_ERROR] = LOG_ERR,
		[LOG_LEVEL_WARN] = LOG_WARNING,
		[LOG_LEVEL_INFO] = LOG_INFO,
		[LOG_LEVEL_DEBUG] = LOG_DEBUG };
	void (*add)(struct buf * b, const struct log_kv *kv) =
	    log_format == LOG_AS_JSON ? add_json : add_logfmt;
	struct buf b = { .limit = log_format == LOG_AS_JSON ? 0 : LOGFMT_ROOM };
	char ts[CLOCK_ISO_CAP];
	const struct log_kv head[] = { KV_STR("ts", ts), KV_STR("level", level_names[level]),
		KV_STR("prog", log_prog), KV_INT("pid", own_pid != 0 ? own_pid : getpid()),
		KV_STR("event", event), KV_STR("req", log_request) };
	size_t n_head = sizeof(head) / sizeof(head[0]) - (log_request == NULL);
	int saved = errno;
	ssize_t done;

	if (level == LOG_LEVEL_ERROR && log_count != NULL)
		log_count(event);
	if (level > log_max)
		return;
	clock_format_iso(clock_wall_ms(), ts);
	for (size_t i = 0; i < n_head + n; i++)
		add(&b, i < n_head ? &head[i] : &kvs[i - n_head]);
	b.bad = false;
	b.limit = 0;
	if (log_format == LOG_AS_JSON)
		buf_add_char(&b, '}');
	if (log_target == LOG_TO_SYSLOG) {
		syslog(priorities[level], "%s", buf_str(&b));
	} else {
		/* one write, so that lines of many processes stay whole */
		buf_add_char(&b, '\n');
		done = b.data == NULL ? 0 : write(STDERR_FILENO, b.data, b.len);
		(void)done;
	}
	buf_clear(&b);
	errno = saved;
}
