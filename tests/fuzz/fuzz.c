/*
 * Every parser of bytes that others wrote, fed with a corpus and with mutations of it. Nothing may
 *crash, hang, read beyond its input (run it under the sanitizers) or take as right what it cannot
 *hold. TAP on stdout: a line a target.
 *
 *	fuzz [TARGET...]		the corpus of each, and $ROOMPAY_FUZZ mutations (2000),
 *beginning from $ROOMPAY_SEED (1)
 *
 * The corpus is tests/fuzz/corpus/TARGET/, one input a file; what once broke something belongs
 *there. With clang, -fsanitize=fuzzer and -DFUZZ_TARGET=NAME the same functions serve libFuzzer.
 */
#include "config.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "booking/hold_record.h"
#include "booking/hold_table.h"
#include "fcgi/request.h"
#include "json/canonical.h"
#include "json/strict.h"
#include "money/attempt.h"
#include "provider/kakaopay/message.h"
#include "queue/client/queue.h"
#include "queue/client/transport.h"
#include "queue/disk/journal.h"
#include "queue/disk/order_log.h"
#include "queue/wire/proto.h"
#include "queue/wire/verb.h"
#include "site/conf_read.h"

enum { INPUT_MAX = 70000 };

static char scratch[64]; /* a directory of our own */

#define CHECK(what) \
	do { \
		if (!(what)) { \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #what); \
			abort(); \
		} \
	} while (0)

/* ---- requests */

static const struct conf *
site(void)
{
	static struct conf conf;

	if (conf.n_merchants == 0) {
		conf.n_merchants = 2;
		strcpy(conf.merchants[0].cid, "TC0ONETIME");
		strcpy(conf.merchants[1].cid, "TCSUBSCRIP");
		conf.merchants[1].mode = MODE_USER_TOKEN;
	}
	return &conf;
}

static void
fuzz_ready(const char *data, size_t len)
{
	static struct request_ready rq;
	struct field_errors errors = { 0 };
	struct error err = { 0 };
	enum request_verdict v = request_read_ready(site(), data, len, &rq, &errors, &err);

	CHECK(v != REQUEST_NO_MEMORY && (v == REQUEST_WRONG_FIELDS) == (errors.n > 0));
	if (v == REQUEST_OK) {
		const struct attempt *a = &rq.rq.attempt;

		CHECK(strlen(a->room_id) == 24 && a->user_id[0] != '\0' && rq.rq.set.n >= 1 &&
		    rq.rq.set.n <= INTERVALS_MAX);
		CHECK(a->total_amount > 0 && a->tax_free_amount >= 0 &&
		    a->tax_free_amount <= a->total_amount && strlen(rq.rq.fingerprint) == 64);
		for (size_t i = 0; i < rq.rq.set.n; i++)
			CHECK(rq.rq.set.iv[i].start < rq.rq.set.iv[i].end &&
			    (i == 0 || rq.rq.set.iv[i - 1].end <= rq.rq.set.iv[i].start));
	}
	request_ready_clear(&rq);
	field_errors_clear(&errors);
}

static void
fuzz_requests(const char *data, size_t len)
{
	struct flow_refund_request refund;
	struct request_approve approve;
	struct request_remove remove_;

	for (int i = 0; i < 3; i++) {
		struct field_errors errors = { 0 };
		struct error err = { 0 };
		enum request_verdict v = i == 0
		    ? request_read_approve(data, len, &approve, &errors, &err)
		    : i == 1 ? request_read_remove(data, len, &remove_, &errors, &err)
			     : request_read_refund(data, len, &refund, &errors, &err);

		CHECK(v != REQUEST_NO_MEMORY && (v == REQUEST_WRONG_FIELDS) == (errors.n > 0));
		CHECK(v != REQUEST_OK || i != 0 ||
		    (strlen(approve.room_id) == 24 && approve.pg_token[0] != '\0'));
		CHECK(v != REQUEST_OK || i != 2 || refund.asked.amount == -1 ||
		    refund.asked.tax_free <= refund.asked.amount);
		field_errors_clear(&errors);
	}
}

static void
fuzz_query(const char *data, size_t len)
{
	char text[4096], room[ROOM_CAP];
	struct field_errors errors = { 0 };
	struct request_order order;

	snprintf(text, sizeof(text), "%.*s", (int)(len < 4000 ? len : 4000), data);
	CHECK(request_read_order(text, &order, &errors) != REQUEST_OK ||
	    (strlen(order.cid) == 10 && order.order[0] != '\0'));
	field_errors_clear(&errors);
	CHECK(request_read_room(text, room, &errors) != REQUEST_OK || strlen(room) == 24);
	field_errors_clear(&errors);
}

/* The canonical text is JSON, says the same, and is its own canonical text. No character in it is
 * hidden. */
static void
check_canonical(const struct json_object *o)
{
	struct buf once = BUF_INIT, twice = BUF_INIT;
	struct json_object *again = NULL;

	json_add_canonical(&once, o);
	CHECK(!once.bad && !text_has_hidden(buf_str(&once)));
	CHECK(strict_parse(once.data, once.len, STRICT_DEPTH, &again, NULL));
	json_add_canonical(&twice, again);
	CHECK(strcmp(buf_str(&once), buf_str(&twice)) == 0);
	json_object_put(again);
	buf_clear(&once);
	buf_clear(&twice);
}

/* Whatever the bytes are, they can be shown. */
static void
fuzz_text(const char *data, size_t len)
{
	struct buf shown = BUF_INIT;
	char text[4001];

	snprintf(text, sizeof(text), "%.*s", (int)(len < 4000 ? len : 4000), data);
	text_add_visible(&shown, text);
	CHECK(!shown.bad && text_is_utf8(buf_str(&shown)) && !text_has_hidden(buf_str(&shown)));
	CHECK(text_has_hidden(text) == (strcmp(text, buf_str(&shown)) != 0));
	buf_clear(&shown);
}

static void
fuzz_json(const char *data, size_t len)
{
	struct json_object *o = NULL;
	struct buf text = BUF_INIT;
	struct strict_span found;

	if (strict_parse(data, len, STRICT_DEPTH, &o, NULL)) {
		const char *again = json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN);

		CHECK(strict_check(again, strlen(again), STRICT_DEPTH, NULL));
		check_canonical(o);
	} else {
		CHECK(!strict_check(data, len, STRICT_DEPTH, NULL));
	}
	json_object_put(o);
	if (strict_parse_object_and_find(data, len, STRICT_DEPTH, &o, "a", &found, NULL)) {
		if (found.at != NULL)
			strict_add_compact(&text, found);
		json_object_put(o);
	}
	buf_clear(&text);
}

static void
fuzz_attempt(const char *data, size_t len)
{
	char *text = strndup(data, len);
	struct attempt a, b;
	struct buf out = BUF_INIT;

	if (attempt_parse(text, &a, NULL)) {
		attempt_format(&a, &out);
		CHECK(!out.bad && attempt_parse(out.data, &b, NULL) &&
		    strcmp(a.partner_order_id, b.partner_order_id) == 0 &&
		    a.total_amount == b.total_amount);
		buf_clear(&out);
	}
	free(text);
}

/* ---- KakaoPay */

static void
fuzz_kakaopay(const char *data, size_t len)
{
	static struct provider_opened opened;
	struct provider_answer pa = { 0 };
	struct provider_canceled canceled;
	struct provider_order order;
	struct payment p;

	for (int loopback = 0; loopback < 2; loopback++)
		if (message_ready_parse(data, len, loopback, &opened))
			CHECK(opened.tid[0] != '\0' && strlen(opened.tid) <= 20);
	if (message_approve_parse(data, len, "TC0ONETIME", "T5e6735e51aa00bc4411", &p))
		CHECK(strcmp(p.tid, "T5e6735e51aa00bc4411") == 0 &&
		    strcmp(p.cid, "TC0ONETIME") == 0 && p.amount.total >= 0);
	if (message_order_parse(data, len, "TC0ONETIME", "T5e6735e51aa00bc4411", &order))
		CHECK(strcmp(order.payment.tid, "T5e6735e51aa00bc4411") == 0);
	(void)message_cancel_parse(data, len, "TC0ONETIME", "T5e6735e51aa00bc4411", &canceled);
	if (message_error_parse(data, len, &pa))
		CHECK(pa.code < 0);
}

/* ---- the queue's protocol */

static struct hold_table *
new_table(void)
{
	static const struct hold_limits limits = { .max_per_user = 3,
		.guard_ms = 60000,
		.window_ms = 900000,
		.max_tries_per_min = 5,
		.removed_answer_ms = 600000,
		.gone_memory_ms = 86400000,
		.order_memory_ms = 35LL * 86400000 };

	return hold_table_new(&limits);
}

/* The daemon's side: lines from anybody. Each is understood or refused, and what it decides can be
 * applied. */
static void
fuzz_daemon(const char *data, size_t len)
{
	static const struct hold_load load = { .max_ready = 10, .max_all = 12 };
	struct hold_table *t = new_table();
	struct now now = { 1000000, 1700000000000 };

	while (len > 0) {
		const char *end = memchr(data, '\n', len);
		size_t n = end == NULL ? len : (size_t)(end - data), used = end == NULL ? n : n + 1;
		char *line = malloc(n + 1);
		struct proto_message m;
		enum verb_id verb;
		struct error err;

		memcpy(line, data, n);
		line[n] = '\n';
		error_clear(&err);
		if (n < PROTO_LINE_MAX && proto_parse(line, n, &m, &err) == PROTO_OK &&
		    verb_check(&m, &verb, &err) && verb_get(verb)->decide != NULL) {
			struct hold_answer a;
			struct proto_message said;
			struct buf conflicts = BUF_INIT, out = BUF_INIT;

			memset(&a, 0, sizeof(a));
			if (verb_get(verb)->decide(t, &m, &load, now, &a, &err)) {
				verb_answer(&said, m.tag, &a, &conflicts);
				proto_format(&said, &out);
				CHECK(!out.bad && out.len < PROTO_LINE_MAX);
				CHECK(a.record.len == 0 ||
				    hold_table_apply(t, a.record.data, a.record.len, NULL, &err));
			}
			buf_clear(&conflicts);
			buf_clear(&out);
			hold_answer_clear(&a);
		}
		free(line);
		now.boot_ms += 1000;
		data += used;
		len -= used;
	}
	hold_table_free(&t);
}

/* The client's side: whatever a daemon might answer. */
struct fed {
	struct transport transport;
	const char *data;
	size_t len;
};

static bool
feed(struct transport *t, const char *tag, const struct buf *line, bool waits,
    int64_t deadline_boot_ms, struct buf *answer, struct error *err)
{
	struct fed *f = (struct fed *)t;

	(void)line;
	(void)waits;
	(void)deadline_boot_ms;
	(void)err;
	buf_add_str(answer, tag);
	buf_add_char(answer, ' ');
	buf_add(answer, f->data, f->len);
	return true;
}

static void
feed_reset(struct transport *t)
{
	(void)t;
}

static void
feed_free(struct transport **t)
{
	free(*t);
	*t = NULL;
}

static void
fuzz_client(const char *data, size_t len)
{
	static const char *const cids[] = { "TC0ONETIME" };
	static struct queue_answer a;
	struct fed *f = calloc(1, sizeof(*f));
	struct queue_greeting hello;
	struct queue *q;
	struct buf list = BUF_INIT;
	struct error err;
	size_t n = strcspn(data, "\n");

	*f = (struct fed){ { feed, feed_reset, feed_free, "" }, data, n < len ? n : len };
	q = queue_over(&f->transport);
	(void)queue_find_tid(q, "T1", INT64_MAX, &a, &err);
	(void)queue_approve(q, 1, 1, "k", INT64_MAX, &a, &err);
	(void)queue_approve_first(q, "u", "r", cids, 1, "k", INT64_MAX, &a, &err);
	(void)queue_hello(q, &hello, INT64_MAX, &err);
	if (queue_list(q, "64b000000000000000000001", &list, clock_boot_ms() + 50, &err))
		CHECK(strict_check(list.data, list.len, 4, NULL));
	buf_clear(&list);
	queue_free(&q);
}

/* ---- the disk */

static void
put_file(const char *name, const char *data, size_t len)
{
	char path[200];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", scratch, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	CHECK(fd >= 0 && write(fd, data, len) == (ssize_t)len);
	close(fd);
}

static void
clear_scratch(void)
{
	DIR *d = opendir(scratch);
	struct dirent *e;

	CHECK(d != NULL);
	while ((e = readdir(d)) != NULL)
		if (e->d_name[0] != '.')
			unlinkat(dirfd(d), e->d_name, 0);
	closedir(d);
}

static bool
apply(void *ctx, const void *record, size_t len, struct error *err)
{
	return hold_table_apply(ctx, record, len, NULL, err);
}

/* As a segment, and as a snapshot: read, or refused with a sentence. */
static void
fuzz_journal(const char *data, size_t len)
{
	static const char *const names[] = { "segment-0000000000000001",
		"snapshot-0000000000000001" };
	struct journal_options o = { .io = &disk_system_io,
		.boot_id = "boot",
		.now = { 1000, 2000 } };
	struct journal_report report;

	for (size_t i = 0; i < 2; i++) {
		struct hold_table *t = new_table();
		struct journal *j = NULL;
		struct error err = { 0 };

		clear_scratch();
		put_file(names[i], data, len);
		if (!journal_open(scratch, &o, apply, t, &j, &report, &err))
			CHECK(err.msg[0] != '\0');
		journal_close(&j);
		hold_table_free(&t);
	}
	clear_scratch();
}

static void
fuzz_record(const char *data, size_t len)
{
	struct hold_table *t = new_table();
	struct record_reader r;
	struct change c;
	int n = 0;

	if (record_open(&r, data, len))
		while (record_next(&r, &c))
			CHECK(++n <= 70000);
	(void)hold_table_apply(t, data, len, NULL, NULL);
	hold_table_free(&t);
}

static bool
take_entry(void *ctx, const struct order_entry *e, struct error *err)
{
	(void)ctx;
	(void)err;
	CHECK(e->state >= 0 && e->state < HOLD__MAX);
	return true;
}

static void
fuzz_order_log(const char *data, size_t len)
{
	int64_t torn;

	clear_scratch();
	put_file("orders-0000000000000001", data, len);
	CHECK(order_log_read(scratch, take_entry, NULL, &torn, NULL));
	clear_scratch();
}

static void
fuzz_conf(const char *data, size_t len)
{
	static struct conf conf;
	FILE *nowhere = fopen("/dev/null", "w");
	char path[200];
	struct error err;

	clear_scratch();
	put_file("roompay.conf", data, len);
	snprintf(path, sizeof(path), "%s/roompay.conf", scratch);
	for (enum conf_user u = CONF_FOR_FCGI; u <= CONF_FOR_CTL; u = (enum conf_user)(u * 2))
		if (conf_read(&conf, path, u, nowhere, &err)) {
			CHECK(conf.n_merchants > 0 && conf.workers > 0 &&
			    conf.queue_socket[0] != '\0');
			conf_clear(&conf);
		}
	fclose(nowhere);
	clear_scratch();
}

/* ---- the corpus and its mutations */

static const struct target {
	const char *name;
	void (*run)(const char *data, size_t len);
	int cost; /* one of so many mutations is run */
} targets[] = {
	{ "ready", fuzz_ready, 1 },
	{ "requests", fuzz_requests, 1 },
	{ "query", fuzz_query, 1 },
	{ "json", fuzz_json, 1 },
	{ "text", fuzz_text, 1 },
	{ "attempt", fuzz_attempt, 1 },
	{ "kakaopay", fuzz_kakaopay, 1 },
	{ "daemon", fuzz_daemon, 1 },
	{ "client", fuzz_client, 1 },
	{ "journal", fuzz_journal, 2 },
	{ "record", fuzz_record, 1 },
	{ "order-log", fuzz_order_log, 2 },
	{ "conf", fuzz_conf, 4 },
};
enum { N_TARGETS = sizeof(targets) / sizeof(targets[0]), FILES_MAX = 200 };

static struct input {
	char *data;
	size_t len;
} inputs[FILES_MAX];
static size_t n_inputs;
static uint64_t random_state;

static size_t
roll(size_t n)
{
	random_state = random_state * 6364136223846793005u + 1442695040888963407u;
	return (size_t)(random_state >> 33) % n;
}

/* On a copy of exactly that length, so that reading beyond it is seen; one more byte, for what
 * wants an end. */
static void
run_one(const struct target *t, const char *data, size_t len)
{
	char *copy = malloc(len + 1);

	CHECK(copy != NULL);
	memcpy(copy, data, len);
	copy[len] = '\0';
	t->run(copy, len);
	free(copy);
}

/* What mutations are made of: numbers at the edges, and pieces of every grammar here. */
static const char *const pieces[] = {
	"0", "-1", "9223372036854775807", "9223372036854775808", "18446744073709551616", "1e400",
	"null", "true", "{", "}", "[", "]", "\"", ",", ":", "\\u0000", "\\ud800", "\xff",
	"\xed\xa0\x80", "%00", "%zz", "=", " ", "\n", "\r\n", "[merchant TC0ONETIME]\n", "id=1",
	"set=0-10080", "set=5-4", "T5e6735e51aa00bc4411", "TC0ONETIME",
	"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
};

static size_t
mutate(char *out, const struct input *in)
{
	size_t len = in->len < INPUT_MAX ? in->len : INPUT_MAX;

	memcpy(out, in->data, len);
	for (size_t k = 1 + roll(4); k > 0; k--) {
		size_t at = len > 0 ? roll(len) : 0, n;
		const char *piece = pieces[roll(sizeof(pieces) / sizeof(pieces[0]))];

		switch (roll(7)) {
		case 0:
			if (len > 0)
				out[at] = (char)(out[at] ^ (1 << roll(8)));
			break;
		case 1:
			if (len > 0)
				out[at] = (char)roll(256);
			break;
		case 2: /* cut */
			len = at;
			break;
		case 3: /* take out */
			n = roll(len - at + 1) % 64;
			memmove(out + at, out + at + n, len - at - n);
			len -= n;
			break;
		case 4: /* put in */
			n = strlen(piece);
			if (len + n <= INPUT_MAX) {
				memmove(out + at + n, out + at, len - at);
				memcpy(out + at, piece, n);
				len += n;
			}
			break;
		case 5: /* double a part */
			n = roll(len - at + 1) % 256;
			if (len + n <= INPUT_MAX) {
				memmove(out + at + n, out + at, len - at);
				len += n;
			}
			break;
		default: { /* the end of another one */
			const struct input *other = &inputs[roll(n_inputs)];
			size_t from = other->len > 0 ? roll(other->len) : 0;

			n = other->len - from;
			if (at + n <= INPUT_MAX) {
				memcpy(out + at, other->data + from, n);
				len = at + n;
			}
		}
		}
	}
	return len;
}

static void
add_input(const void *data, size_t len)
{
	CHECK(n_inputs < FILES_MAX);
	inputs[n_inputs].data = malloc(len + 1);
	memcpy(inputs[n_inputs].data, data, len);
	inputs[n_inputs++].len = len;
}

static void
add_file(const char *path)
{
	static char data[INPUT_MAX];
	FILE *f = fopen(path, "r");

	if (f == NULL)
		return;
	add_input(data, fread(data, 1, sizeof(data), f));
	fclose(f);
}

/* What the programs write themselves is no file of the corpus: it is written here, by the same
 * code. */
struct life {
	struct hold_table *t;
	struct journal *j;
	struct order_log *log;
	bool keeps_records;
};

static void
live(struct life *l, const char *line)
{
	static const struct hold_load load = { .max_ready = 10, .max_all = 12 };
	char *copy = strdup(line);
	size_t len = strlen(copy);
	struct proto_message m;
	struct hold_answer a;
	enum verb_id verb;

	memset(&a, 0, sizeof(a));
	CHECK(proto_parse(copy, len, &m, NULL) == PROTO_OK && verb_check(&m, &verb, NULL));
	CHECK(verb_get(verb)->decide(l->t, &m, &load, (struct now){ 1000000, 1700000000000 }, &a,
		  NULL) &&
	    a.record.len > 0);
	if (a.hold.token != 0)
		order_log_note(l->log, &a.hold,
		    "00000000000000000000000000000000000000000000000000000000000000ff");
	CHECK(journal_append(l->j, a.record.data, a.record.len, NULL) &&
	    hold_table_apply(l->t, a.record.data, a.record.len, NULL, NULL));
	if (l->keeps_records)
		add_input(a.record.data, a.record.len);
	hold_answer_clear(&a);
	free(copy);
}

static bool
emit_table(void *from, journal_emit *emit, void *ctx)
{
	return hold_table_snapshot(from, emit, ctx);
}

static void
write_own(const char *target)
{
	struct journal_options o = { .io = &disk_system_io,
		.segment_size = 8192,
		.boot_id = "boot",
		.now = { 1000000, 1700000000000 } };
	struct journal_report report;
	struct life l = { .t = new_table(), .keeps_records = strcmp(target, "record") == 0 };
	char path[200];

	clear_scratch();
	CHECK(journal_open(scratch, &o, apply, l.t, &l.j, &report, NULL) &&
	    (l.log = order_log_open(scratch, &disk_system_io, 1000, o.now, NULL)) != NULL);
	live(&l,
	    "1 hold cid=TC0ONETIME order=o-1 user=u-1 room=64b000000000000000000001 set=600-720,3420-3480 fingerprint=f attempt={} ttl_ms=600000 call_ms=13000 deadline=2000000");
	live(&l, "2 ready id=1 tid=T1 answer={}");
	live(&l, "3 approve id=1 n=1 key=k deadline=1013000");
	live(&l, "4 outcome id=1 token=1 outcome=approved n=2");
	live(&l,
	    "5 hold cid=TC0ONETIME order=o-2 user=u-2 room=64b000000000000000000001 set=0-60 fingerprint=g attempt={} ttl_ms=600000 call_ms=13000 deadline=2000000");
	live(&l, "6 remove id=1 by=reservation n=3");
	CHECK(journal_sync(l.j, NULL) && journal_make_spare(l.j, NULL));
	order_log_close(&l.log);
	if (strcmp(target, "journal") == 0) {
		snprintf(path, sizeof(path), "%s/segment-0000000000000001", scratch);
		add_file(path);
		CHECK(journal_snapshot_begin(l.j, o.now, NULL) &&
		    journal_snapshot_write(l.j, emit_table, l.t, NULL) &&
		    journal_snapshot_finish(l.j, NULL));
		snprintf(path, sizeof(path), "%s/snapshot-0000000000000002", scratch);
		add_file(path);
	}
	if (strcmp(target, "order-log") == 0) {
		snprintf(path, sizeof(path), "%s/orders-0000000000000001", scratch);
		add_file(path);
	}
	journal_close(&l.j);
	hold_table_free(&l.t);
	clear_scratch();
}

static void
read_corpus(const char *target)
{
	const char *top = getenv("srcdir");
	struct dirent **names;
	char path[4096];
	int n;

	n_inputs = 0;
	snprintf(path, sizeof(path), "%s/tests/fuzz/corpus/%s", top != NULL ? top : ".", target);
	n = scandir(path, &names, NULL, alphasort);
	for (int i = 0; i < n; free(names[i++])) {
		char file[5000];

		snprintf(file, sizeof(file), "%s/%s", path, names[i]->d_name);
		if (names[i]->d_name[0] != '.')
			add_file(file);
	}
	if (n >= 0)
		free(names);
	if (strcmp(target, "journal") == 0 || strcmp(target, "record") == 0 ||
	    strcmp(target, "order-log") == 0)
		write_own(target);
	if (strcmp(target, "conf") == 0) {
		snprintf(path, sizeof(path), "%s/etc/roompay.conf", top != NULL ? top : ".");
		add_file(path);
	}
}

static void
run_target(const struct target *t, int number, long mutations)
{
	static char mutant[INPUT_MAX + 1];

	read_corpus(t->name);
	for (size_t i = 0; i < n_inputs; i++)
		run_one(t, inputs[i].data, inputs[i].len);
	for (long i = 0; i < mutations / t->cost && n_inputs > 0; i++)
		run_one(t, mutant, mutate(mutant, &inputs[roll(n_inputs)]));
	printf("%s %d - %s: %zu inputs, %ld mutations\n", n_inputs > 0 ? "ok" : "not ok", number,
	    t->name, n_inputs, mutations / t->cost);
	fflush(stdout);
	for (size_t i = 0; i < n_inputs; i++)
		free(inputs[i].data);
}

static bool
is_wanted(const char *name, char **argv)
{
	if (argv[1] == NULL)
		return true;
	for (char **a = argv + 1; *a != NULL; a++)
		if (strcmp(*a, name) == 0)
			return true;
	return false;
}

static void
make_scratch(void)
{
	snprintf(scratch, sizeof(scratch), "%s/roompay-fuzz-XXXXXX",
	    access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	CHECK(mkdtemp(scratch) != NULL);
	log_open("fuzz", LOG_LEVEL_ERROR);
}

#ifdef FUZZ_TARGET
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	if (scratch[0] == '\0')
		make_scratch();
	for (size_t i = 0; i < N_TARGETS; i++)
		if (strcmp(targets[i].name, FUZZ_TARGET) == 0)
			run_one(&targets[i], (const char *)data, len);
	return 0;
}
#else
int
main(int argc, char **argv)
{
	const char *mutations = getenv("ROOMPAY_FUZZ"), *seed = getenv("ROOMPAY_SEED");
	int number = 0;

	(void)argc;
	make_scratch();
	printf("1..%d\n", argv[1] == NULL ? (int)N_TARGETS : argc - 1);
	for (size_t i = 0; i < N_TARGETS; i++) {
		random_state = (seed == NULL ? 1 : (uint64_t)atoll(seed)) * 1000 + i;
		if (is_wanted(targets[i].name, argv))
			run_target(&targets[i], ++number,
			    mutations == NULL ? 2000 : atol(mutations));
	}
	rmdir(scratch);
	return 0;
}
#endif
