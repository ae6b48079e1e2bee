#include "config.h"

#include "queued/disk_log.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "queue/disk/journal.h"

enum {
	SPARE_AGAIN_MS = 1000,	    /* after the disk was full */
	SNAPSHOT_AGAIN_MS = 60000,  /* after one that failed */
	SNAPSHOT_NICE = 10,	    /* whoever waits for an answer goes first */
	OUTCOME_ROOM = 1024 * 1024, /* bytes of the last segment, kept for outcomes */
};

struct disk_log {
	struct commit_log log; /* first: a disk_log is a commit_log */
	struct journal *journal;
	struct hold_table *table;
	struct order_log *orders;
	int64_t next_spare_boot_ms, next_snapshot_boot_ms;
	bool is_full;	    /* the log has said that the disk is full */
	pid_t snapshot_pid; /* 0: none is being made */
};

static struct disk_log *
disk_of(struct commit_log *l)
{
	return (struct disk_log *)(void *)l;
}

static const struct journal *
journal_of(const struct commit_log *l)
{
	return ((const struct disk_log *)(const void *)l)->journal;
}

/* ---- batches */

static bool
stage(struct commit_log *l, const void *record, size_t len, struct error *err)
{
	return journal_append(disk_of(l)->journal, record, len, err);
}

/* After a failed write or sync nobody knows what is on the disk. It is never retried. */
static enum commit_result
commit(struct commit_log *l, struct error *err)
{
	return journal_sync(disk_of(l)->journal, err) ? COMMIT_DONE : COMMIT_BROKEN;
}

/* ---- room */

/* A full disk is logged once, and once when it has room again. Returns when to try again. */
static int64_t
make_room(struct disk_log *d, struct now now)
{
	struct error err;

	if (journal_has_spare(d->journal))
		return INT64_MAX;
	if (now.boot_ms < d->next_spare_boot_ms)
		return d->next_spare_boot_ms;
	if (journal_make_spare(d->journal, &err)) {
		if (d->is_full)
			log_event(LOG_LEVEL_INFO, "journal_has_room",
			    KV_BOOL("holds_refused", false));
		d->is_full = false;
		return INT64_MAX;
	}
	if (!d->is_full)
		log_event(LOG_LEVEL_ERROR, "journal_no_room", KV_BOOL("holds_refused", true),
		    KV_ERR(&err),
		    KV_STR("meaning", "new holds are refused; payments under way go on"),
		    KV_STR("todo", "free disk space in [queue] dir; the rest happens by itself"));
	d->is_full = true;
	d->next_spare_boot_ms = now.boot_ms + SPARE_AGAIN_MS;
	return d->next_spare_boot_ms;
}

/* The segment in use has room for outcomes. Only the spare has room for all that may become of a
 * new hold. */
static bool
has_room(struct commit_log *l, enum verb_promise promise, struct now now)
{
	struct disk_log *d = disk_of(l);

	if (promise == PROMISE_NOTHING || journal_has_spare(d->journal))
		return true;
	if (promise == PROMISE_OUTCOME && journal_left(d->journal) > OUTCOME_ROOM)
		return true;
	return make_room(d, now) == INT64_MAX;
}

/* ---- snapshots */

static void
log_failure(const char *error)
{
	log_event(LOG_LEVEL_ERROR, "snapshot_failed", KV_STR("error", error),
	    KV_STR("meaning", "nothing is lost; the journal grows until a snapshot succeeds"),
	    KV_STR("todo", "see the error; the daemon tries again every minute"));
}

static bool
snapshot_source(void *table, journal_emit *emit, void *ctx)
{
	return hold_table_snapshot(table, emit, ctx);
}

/* The child has a copy of the table as it is now, and the daemon goes on. */
static void
snapshot_child(struct disk_log *d)
{
	struct error err;
	bool done;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setpriority(PRIO_PROCESS, 0, SNAPSHOT_NICE);
	/* after a power failure the log of orders is mended from the segments that go now */
	done = order_log_sync(d->orders, &err) &&
	    journal_snapshot_write(d->journal, snapshot_source, d->table, &err);
	if (!done)
		log_failure(err.msg);
	_exit(done ? 0 : 1);
}

static bool
start_snapshot(struct disk_log *d, struct now now, struct error *err)
{
	sigset_t all, old;

	if (d->orders == NULL || d->snapshot_pid != 0 || now.boot_ms < d->next_snapshot_boot_ms ||
	    !journal_wants_snapshot(d->journal) || !journal_has_spare(d->journal))
		return true;
	d->next_snapshot_boot_ms = now.boot_ms + SNAPSHOT_AGAIN_MS;
	if (!journal_snapshot_begin(d->journal, now, err))
		return false;
	sigfillset(&all); /* the child must not write into the loop's signal pipe */
	sigprocmask(SIG_SETMASK, &all, &old);
	d->snapshot_pid = fork();
	if (d->snapshot_pid == 0)
		snapshot_child(d);
	sigprocmask(SIG_SETMASK, &old, NULL);
	if (d->snapshot_pid > 0)
		return true;
	d->snapshot_pid = 0;
	journal_snapshot_abandon(d->journal);
	log_failure(strerror(errno));
	return true;
}

static void
end_snapshot(struct disk_log *d)
{
	struct journal_size size;
	struct error err;
	int status;

	if (d->snapshot_pid == 0 || waitpid(d->snapshot_pid, &status, WNOHANG) != d->snapshot_pid)
		return;
	d->snapshot_pid = 0;
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
		journal_snapshot_abandon(d->journal);
		return; /* the child has logged why */
	}
	if (!journal_snapshot_finish(d->journal, &err)) {
		log_failure(err.msg);
		return;
	}
	d->next_snapshot_boot_ms = 0;
	journal_size(d->journal, &size);
	log_event(LOG_LEVEL_INFO, "snapshot_done", KV_INT("bytes", size.snapshot_bytes),
	    KV_INT("segments", size.segments));
}

static bool
tend(struct commit_log *l, struct now now, int64_t *next_boot_ms, struct error *err)
{
	struct disk_log *d = disk_of(l);

	*next_boot_ms = make_room(d, now);
	end_snapshot(d);
	if (!journal_prepare(d->journal) && !journal_remove_old(d->journal))
		return start_snapshot(d, now, err);
	*next_boot_ms = now.boot_ms; /* the next piece, after whoever waits */
	return true;
}

/* ---- looking */

static const char *
queue_id(const struct commit_log *l)
{
	return journal_queue_id(journal_of(l));
}

static const char *
fence(const struct commit_log *l)
{
	return journal_has_spare(journal_of(l)) ? "" : "no-room";
}

static void
add_counts(const struct commit_log *l, struct buf *counts)
{
	struct journal_size size;

	journal_size(journal_of(l), &size);
	buf_printf(counts, ",journal_records:%llu,journal_segments:%lld,snapshot_bytes:%lld",
	    (unsigned long long)size.last_seq, (long long)size.segments,
	    (long long)size.snapshot_bytes);
}

/* ---- begin and end */

static bool
replay(void *table, const void *record, size_t len, struct error *err)
{
	struct hold_changes changed;

	return hold_table_apply(table, record, len, &changed, err);
}

static void
log_replay(const struct journal *j, const struct journal_report *r, int64_t took_ms)
{
	if (r->torn_bytes > 0)
		log_event(LOG_LEVEL_WARN, "journal_torn_end", KV_INT("bytes", r->torn_bytes),
		    KV_STR("kept_in", r->torn_file),
		    KV_STR("meaning", "a crash cut off a write that nobody was answered; no loss"),
		    KV_STR("todo", "nothing; the file may be removed"));
	if (r->is_new)
		log_event(LOG_LEVEL_WARN, "journal_new", KV_STR("queue", journal_queue_id(j)),
		    KV_STR("meaning",
			"[queue] dir was empty; nothing is granted before the site's "
			"other programs admit this queue"),
		    KV_STR("todo", "a new site: nothing; a lost journal: roompayctl queue adopt"));
	else
		log_event(LOG_LEVEL_INFO, "journal_read", KV_STR("queue", journal_queue_id(j)),
		    KV_INT("records", r->records), KV_BOOL("same_boot", r->same_boot),
		    KV_INT("ms", took_ms));
}

/* Deadlines count from a boot of the machine. After another boot they are mapped, and written again
 * before anything is appended. */
static bool
rebase(struct disk_log *d, bool same_boot, struct now now, struct error *err)
{
	hold_table_rebase(d->table, same_boot, now);
	return same_boot ||
	    (journal_snapshot_begin(d->journal, now, err) &&
		journal_snapshot_write(d->journal, snapshot_source, d->table, err) &&
		journal_snapshot_finish(d->journal, err));
}

/* A new journal cannot tell whether the site had another queue before. */
static bool
close_table(struct disk_log *d, struct now now, struct error *err)
{
	struct hold_answer a;
	bool done = hold_table_close(d->table, now, &a, err);

	done = done && journal_append(d->journal, a.record.data, a.record.len, err) &&
	    hold_table_apply(d->table, a.record.data, a.record.len, NULL, err) &&
	    journal_sync(d->journal, err);
	hold_answer_clear(&a);
	return done;
}

static bool
open_journal(struct disk_log *d, const char *dir, int64_t quiet_ms, struct error *err)
{
	struct journal_options options = {
		.io = &disk_system_io,
		.boot_id = clock_boot_id(),
		.now = clock_now(),
	};
	struct journal_report report;

	if (mkdir(dir, 0700) != 0 && errno != EEXIST)
		return error_sys(err, ERR_INTERNAL, "make %s", dir);
	if (!journal_open(dir, &options, replay, d->table, &d->journal, &report, err))
		return false;
	log_replay(d->journal, &report, clock_boot_ms() - options.now.boot_ms);
	hold_table_stay_quiet(d->table, options.now.boot_ms + quiet_ms);
	if (report.is_new && !close_table(d, options.now, err))
		return false;
	journal_make_spare(d->journal, NULL); /* if it fails, tend logs it and tries again */
	return report.is_new || rebase(d, report.same_boot, clock_now(), err);
}

static void
close_log(struct commit_log **l)
{
	struct disk_log *d = disk_of(*l);

	if (d == NULL)
		return;
	if (d->snapshot_pid > 0) {
		kill(d->snapshot_pid, SIGKILL); /* the next start removes its unfinished file */
		waitpid(d->snapshot_pid, NULL, 0);
	}
	journal_close(&d->journal);
	free(d);
	*l = NULL;
}

bool
disk_log_open(const char *dir, int64_t quiet_ms, struct hold_table *table, struct commit_log **out,
    struct error *err)
{
	struct disk_log *d = calloc(1, sizeof(*d));

	*out = NULL;
	if (d == NULL)
		return error_set(err, ERR_INTERNAL, "out of memory");
	d->log = (struct commit_log){
		.may_lose = false,
		.stage = stage,
		.commit = commit,
		.has_room = has_room,
		.tend = tend,
		.queue_id = queue_id,
		.fence = fence,
		.add_counts = add_counts,
		.close = close_log,
	};
	d->table = table;
	*out = &d->log;
	if (open_journal(d, dir, quiet_ms, err))
		return true;
	close_log(out);
	return false;
}

void
disk_log_keep_orders(struct commit_log *l, struct order_log *orders)
{
	disk_of(l)->orders = orders;
}
