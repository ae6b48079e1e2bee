/* journal check, journal dump: the queue's journal, read by the daemon's own reader. It works on a
 * copy, so that nothing is cut or removed, and a daemon may be running. A log in MongoDB is read
 * there. */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "booking/hold_record.h"
#include "booking/hold_table.h"
#include "ctl/command.h"
#include "ctl/lang.h"
#include "flow/flow.h"
#include "json/write.h"
#include "queue/disk/journal.h"

enum { COPY_CHUNK = 65536, TRIES = 5, PATH_CAP = 4096 };

/* What was read. */
struct origin {
	const char *queue;
	int64_t torn_bytes;
	const struct store_queue_log *log; /* NULL: a directory */
};

struct reading {
	struct hold_table *table;
	bool dump, json;
	int64_t records, changes;
	struct buf list; /* JSON of the records */
};

/* ---- the copy */

static bool
is_journal_file(const char *name)
{
	return strncmp(name, "segment-", 8) == 0 ||
	    (strncmp(name, "snapshot-", 9) == 0 && strstr(name, ".tmp") == NULL);
}

static bool
copy_bytes(int from, int to, const char *name, struct error *err)
{
	static char chunk[COPY_CHUNK];
	ssize_t n;

	while ((n = read(from, chunk, sizeof(chunk))) > 0)
		if (write(to, chunk, (size_t)n) != n)
			return error_sys(err, ERR_INTERNAL, "copy %s", name);
	return n == 0 || error_sys(err, ERR_INTERNAL, "read %s", name);
}

static bool
copy_file(int from_dir, int to_dir, const char *name, struct error *err)
{
	int from = openat(from_dir, name, O_RDONLY | O_CLOEXEC), to = -1;
	bool ok;

	if (from >= 0)
		to = openat(to_dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	ok = to >= 0
	    ? copy_bytes(from, to, name, err)
	    : error_sys(err, errno == ENOENT ? ERR_NOT_FOUND : ERR_INTERNAL, "copy %s", name);
	if (to >= 0)
		close(to);
	if (from >= 0)
		close(from);
	return ok;
}

static bool
each_file(int dir, bool (*fn)(int dir, int to, const char *name, struct error *err), int to,
    struct error *err)
{
	int copy = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = copy < 0 ? NULL : fdopendir(copy);
	struct dirent *e;
	bool ok = d != NULL || error_sys(err, ERR_INTERNAL, "list the directory");

	while (ok && (e = readdir(d)) != NULL)
		if (e->d_name[0] != '.' && (to < 0 || is_journal_file(e->d_name)))
			ok = fn(dir, to, e->d_name, err);
	if (d != NULL)
		closedir(d);
	else if (copy >= 0)
		close(copy);
	return ok;
}

static bool
remove_file(int dir, int to, const char *name, struct error *err)
{
	(void)to;
	(void)err;
	unlinkat(dir, name, 0);
	return true;
}

static void
remove_copy(const char *path)
{
	int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (dir >= 0) {
		each_file(dir, remove_file, -1, NULL);
		close(dir);
	}
	rmdir(path);
}

static bool
make_copy(const char *path, char copy[PATH_CAP], struct error *err)
{
	const char *tmp = getenv("TMPDIR");
	int from = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), to = -1;
	bool ok;

	if (from < 0)
		return error_sys(err, ERR_INTERNAL, "open %s", path);
	snprintf(copy, PATH_CAP, "%s/roompay-journal-XXXXXX", tmp != NULL ? tmp : "/tmp");
	if (mkdtemp(copy) == NULL) {
		close(from);
		return error_sys(err, ERR_INTERNAL, "make %s", copy);
	}
	to = open(copy, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ok = to >= 0 ? each_file(from, copy_file, to, err)
		     : error_sys(err, ERR_INTERNAL, "open %s", copy);
	if (to >= 0)
		close(to);
	close(from);
	if (!ok)
		remove_copy(copy);
	return ok;
}

/* ---- records */

static const char *const kind_words[] = { [CHANGE_HOLD] = "hold",
	[CHANGE_LIFE] = "life",
	[CHANGE_DROP] = "drop",
	[CHANGE_ORDER] = "order",
	[CHANGE_FORGET] = "forget",
	[CHANGE_COUNTERS] = "counters",
	[CHANGE_GATE] = "gate" };

static void
print_text(const char *name, const char *text)
{
	if (text == NULL || text[0] == '\0')
		return;
	printf(" %s=", name);
	while (*text != '\0') {
		const char *from = text;
		uint32_t c = text_next(&text);
		bool plain = c > ' ' && c != '%' && !text_is_hidden(c);

		for (; from < text; from++)
			printf(plain ? "%c" : "%%%02X", (unsigned char)*from);
	}
}

/* Never the payReady answer (its URLs are the user's way to pay), the attempt, or a key. */
static void
print_change(const struct change *c)
{
	struct buf set = BUF_INIT;

	printf("  %s", kind_words[c->kind]);
	if (c->id != 0)
		printf(" id=%" PRIu64, c->id);
	print_text("cid", c->cid);
	print_text("order", c->order);
	print_text("user", c->user);
	print_text("room", c->room);
	print_text("tid", c->tid);
	if (c->kind == CHANGE_HOLD) {
		interval_set_format(&c->set, &set);
		print_text("set", buf_str(&set));
		buf_clear(&set);
	}
	if (c->kind == CHANGE_HOLD || c->kind == CHANGE_LIFE)
		printf(" state=%s token=%" PRIu64 " n=%" PRId64, hold_state_name(c->life.state),
		    c->life.token, c->life.n);
	if (c->kind == CHANGE_ORDER)
		printf(" last_n=%" PRId64 " paid=%s", c->last_n, c->paid ? "yes" : "no");
	if (c->kind == CHANGE_COUNTERS)
		printf(" last_id=%" PRIu64 " last_token=%" PRIu64, c->last_id, c->last_token);
	if (c->kind == CHANGE_GATE)
		printf(" closed=%s", c->closed ? "yes" : "no");
	putchar('\n');
}

/* The same for programs, by the API's names. */
static void
add_change(struct buf *b, const struct change *c)
{
	struct buf set = BUF_INIT;

	buf_add_char(b, '{');
	json_add_str_member(b, "kind", kind_words[c->kind]);
	if (c->id != 0)
		json_add_int_member(b, "id", (int64_t)c->id);
	json_add_str_member_if(b, "cid", c->cid);
	json_add_str_member_if(b, "partner_order_id", c->order);
	json_add_str_member_if(b, "userId", c->user);
	json_add_str_member_if(b, "roomId", c->room);
	json_add_str_member_if(b, "tid", c->tid);
	if (c->kind == CHANGE_HOLD) {
		interval_set_format(&c->set, &set);
		json_add_str_member_if(b, "intervals", buf_str(&set));
		buf_clear(&set);
	}
	if (c->kind == CHANGE_HOLD || c->kind == CHANGE_LIFE) {
		json_add_str_member(b, "state", hold_state_name(c->life.state));
		json_add_int_member(b, "token", (int64_t)c->life.token);
		json_add_int_member(b, "n", c->life.n);
	}
	if (c->kind == CHANGE_ORDER) {
		json_add_int_member(b, "lastN", c->last_n);
		json_add_bool_member(b, "paid", c->paid);
	}
	if (c->kind == CHANGE_COUNTERS) {
		json_add_int_member(b, "lastId", (int64_t)c->last_id);
		json_add_int_member(b, "lastToken", (int64_t)c->last_token);
	}
	if (c->kind == CHANGE_GATE)
		json_add_bool_member(b, "closed", c->closed);
	buf_add_char(b, '}');
}

static void
begin_record(struct reading *r, struct now now)
{
	if (!r->json) {
		printf("record %" PRId64 " wall=%" PRId64 " boot=%" PRId64 "\n", r->records,
		    now.wall_ms, now.boot_ms);
		return;
	}
	buf_add_str(&r->list, r->records > 1 ? ",\n{" : "{");
	json_add_int_member(&r->list, "record", r->records);
	json_add_time_member(&r->list, "at", now.wall_ms);
	json_add_int_member(&r->list, "bootMs", now.boot_ms);
	json_add_member(&r->list, "changes");
	buf_add_char(&r->list, '[');
}

static bool
replay(void *ctx, const void *record, size_t len, struct error *err)
{
	struct reading *r = ctx;
	struct record_reader reader;
	struct change c;

	r->records++;
	if (!record_open(&reader, record, len))
		return error_set(err, ERR_INTERNAL,
		    "a record of a version that this program does not know");
	if (r->dump)
		begin_record(r, reader.now);
	while (record_next(&reader, &c)) {
		r->changes++;
		if (r->dump && r->json) {
			buf_add_str(&r->list, r->list.data[r->list.len - 1] == '[' ? "" : ",");
			add_change(&r->list, &c);
		} else if (r->dump) {
			print_change(&c);
		}
	}
	if (r->dump && r->json)
		buf_add_str(&r->list, "]}");
	return hold_table_apply(r->table, record, len, NULL, err);
}

static bool
print_summary_json(const struct origin *of, struct reading *r)
{
	struct hold_stats stats;
	struct buf b = BUF_INIT;

	hold_table_stats(r->table, &stats);
	buf_add_char(&b, '{');
	json_add_str_member(&b, "queue", of->queue);
	json_add_int_member(&b, "records", r->records);
	json_add_int_member(&b, "changes", r->changes);
	json_add_int_member(&b, "tornBytes", of->torn_bytes);
	if (of->log != NULL) {
		json_add_int_member(&b, "number", of->log->last);
		json_add_int_member(&b, "snapshot", of->log->snapshot);
	}
	json_add_member(&b, "holds");
	buf_add_char(&b, '{');
	for (int s = 0; s < HOLD__MAX; s++)
		if (stats.by_state[s] > 0)
			json_add_int_member(&b, hold_state_name((enum hold_state)s),
			    stats.by_state[s]);
	buf_add_char(&b, '}');
	json_add_int_member(&b, "orders", stats.orders);
	if (r->dump) {
		json_add_member(&b, "list");
		buf_printf(&b, "[%s]", buf_str(&r->list));
	}
	buf_add_char(&b, '}');
	b.bad = b.bad || r->list.bad;
	return ctl_print(&b);
}

static bool
print_summary(const struct origin *of, const struct reading *r)
{
	struct hold_stats stats;

	hold_table_stats(r->table, &stats);
	printf(tr("queue     %s\nrecords   %" PRId64 " (%" PRId64 " changes)\n",
		   "큐        %s\n기록      %" PRId64 " (바뀐 것 %" PRId64 ")\n"),
	    of->queue, r->records, r->changes);
	if (of->log != NULL)
		printf(tr("number    %" PRId64 " of the log in MongoDB; snapshot %" PRId64 "\n",
			   "번호      MongoDB의 공유 기록 %" PRId64 "번까지; 스냅샷 %" PRId64 "\n"),
		    of->log->last, of->log->snapshot);
	if (of->torn_bytes > 0)
		printf(
		    tr("torn end  %" PRId64
		       " bytes: the daemon cuts them at its next start and keeps them aside; nothing "
		       "that was answered is in them\n",
			"끊긴 끝   %" PRId64
			"바이트: 데몬이 다음에 시작할 때 잘라 따로 둡니다. 답한 "
			"것은 여기에 없습니다\n"),
		    of->torn_bytes);
	fputs(tr("holds     ", "잡은 것   "), stdout);
	for (int s = 0; s < HOLD__MAX; s++)
		if (stats.by_state[s] > 0)
			printf("%s %" PRId64 "  ", hold_state_name((enum hold_state)s),
			    stats.by_state[s]);
	printf(tr("\norders    %" PRId64 " remembered\n", "\n주문      %" PRId64 "건 기억\n"),
	    stats.orders);
	return true;
}

/* ---- the commands */

static bool
print(const struct origin *of, struct reading *r, struct error *err)
{
	return (r->json ? print_summary_json(of, r) : print_summary(of, r)) ||
	    error_set(err, ERR_INTERNAL, "out of memory, or standard output is gone");
}

static bool
read_copy(const char *copy, struct reading *r, struct error *err)
{
	struct journal_options options = { .io = &disk_system_io,
		.boot_id = clock_boot_id(),
		.now = clock_now() };
	struct journal_report report;
	struct journal *j = NULL;
	bool ok;

	if (!journal_open(copy, &options, replay, r, &j, &report, err))
		return false;
	ok = !report.is_new ||
	    error_set(err, ERR_NOT_FOUND, tr("no journal is there", "저널이 없습니다"));
	ok = ok &&
	    print(&(struct origin){ .queue = journal_queue_id(j), .torn_bytes = report.torn_bytes },
		r, err);
	journal_close(&j);
	return ok;
}

/* A compaction may take a file away while it is copied: then anew. */
static bool
read_directory(const char *dir, struct reading *r, struct error *err)
{
	char copy[PATH_CAP];
	bool ok = false;

	for (int i = 0;
	     i < TRIES && !(ok = make_copy(dir, copy, err)) && err->code == ERR_NOT_FOUND; i++)
		;
	if (!ok)
		return false;
	ok = read_copy(copy, r, err);
	remove_copy(copy);
	return ok;
}

static bool
read_shared_log(const struct conf *conf, struct reading *r, struct error *err)
{
	struct flow f = { 0 };
	struct store_queue_log log;
	bool ok = ctl_open(&f, conf, CTL_STORE, err) &&
	    store_queue_log_read(f.store, &log, replay, r, err) &&
	    print(&(struct origin){ .queue = log.queue_id, .log = &log }, r, err);

	ctl_close(&f);
	return ok;
}

static enum ctl_exit
read_journal(const struct options *o, const struct conf *conf, bool dump)
{
	const struct hold_limits limits = { .max_per_user = conf->max_holds_per_user,
		.guard_ms = conf->guard_ms,
		.window_ms = 900000,
		.max_tries_per_min = conf->max_refused_tokens,
		.removed_answer_ms = 600000,
		.gone_memory_ms = 86400000,
		.order_memory_ms = 35LL * 86400000 };
	struct reading r = { .dump = dump, .json = o->json };
	struct error err;
	bool ok;

	error_clear(&err);
	r.table = hold_table_new(&limits);
	if (r.table == NULL)
		ok = error_set(&err, ERR_INTERNAL, "out of memory");
	else if (o->n_args == 0 && conf->queue_log == QUEUE_LOG_MONGODB)
		ok = read_shared_log(conf, &r, &err);
	else
		ok = read_directory(o->n_args > 0 ? o->args[0] : conf->queue_dir, &r, &err);
	hold_table_free(&r.table);
	buf_clear(&r.list);
	return ok ? CTL_OK : ctl_complain("journal", &err);
}

enum ctl_exit
ctl_journal_check(const struct options *o, const struct conf *conf)
{
	return read_journal(o, conf, false);
}

enum ctl_exit
ctl_journal_dump(const struct options *o, const struct conf *conf)
{
	return read_journal(o, conf, true);
}
