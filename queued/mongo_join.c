/* How a daemon joins the log: the newest snapshot, then every record, up to the end. */
#include "config.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/random.h"
#include "queued/mongo_state.h"

enum { WAIT_MS = 200 };

struct joining {
	struct mongo_log *m;
	uint64_t records;
	bool told_trying;
};

static bool
is_told_to_end(void)
{
	sigset_t pending;

	return sigpending(&pending) == 0 &&
	    (sigismember(&pending, SIGTERM) == 1 || sigismember(&pending, SIGINT) == 1);
}

static bool
apply(void *ctx, const void *record, size_t len, struct error *err)
{
	struct joining *j = ctx;

	j->records++;
	return hold_table_apply(j->m->table, record, len, NULL, err);
}

static void
tell_trying(struct joining *j, const struct log_frame *f)
{
	char why[160];

	snprintf(why, sizeof(why), "%.*s", (int)f->text_len, f->text);
	if (!j->told_trying)
		log_event(LOG_LEVEL_WARN, "log_not_reached", KV_STR("error", why),
		    KV_STR("meaning", "no queue: nobody can open or confirm a payment"),
		    KV_STR("todo", "see to MongoDB and [store] uri; the daemon goes on trying"));
	j->told_trying = true;
}

/* What may come at any time. False: the join has failed. */
static bool
take_other(struct joining *j, const struct log_frame *f, struct error *err)
{
	if (f->kind == LOG_TRYING)
		tell_trying(j, f);
	else if (f->kind == LOG_REFUSED || f->kind == LOG_HOLE)
		return error_set(err, ERR_INTERNAL, "%.*s", (int)f->text_len, f->text);
	else if (f->kind == LOG_PART)
		return mongo_each_record(f, apply, j, err);
	else if (f->kind == LOG_RECORD) {
		if (!mongo_fits(j->m, f, err) || !mongo_each_record(f, apply, j, err))
			return false;
		mongo_advance(j->m, f->n, f->nonce, f->by);
	} else if (!mongo_note_health(j->m, f))
		return error_set(err, ERR_INTERNAL, "the helper says %s out of turn",
		    log_frame_name(f->kind));
	return true;
}

/* f->kind is 0 where none came for a while. */
static bool
next_frame(struct joining *j, struct log_frame *f, struct error *err)
{
	enum log_helper_news news = log_helper_wait(&j->m->helper, f, WAIT_MS);

	if (news == HELPER_GONE)
		return error_set(err, ERR_INTERNAL,
		    "roompay-queue-log has ended: its own line says why");
	if (news == HELPER_NOTHING) {
		memset(f, 0, sizeof(*f));
		if (is_told_to_end())
			return error_set(err, ERR_NONE, "stopped while it waited for the log");
	}
	return true;
}

/* Waits for a frame of this kind. Behind: nothing more will come. */
static bool
wait_for(struct joining *j, enum log_frame_kind kind, struct log_frame *f, struct error *err)
{
	while (!j->m->behind) {
		if (!next_frame(j, f, err))
			return false;
		if (f->kind == kind)
			return true;
		if (f->kind != 0 && !take_other(j, f, err))
			return false;
	}
	return true;
}

/* A new log cannot tell whether the site had another queue before. Two machines may do this at the
 * same time: one of them has number 1. */
static bool
close_table(struct joining *j, struct error *err)
{
	struct mongo_log *m = j->m;
	struct buf records = BUF_INIT;
	struct hold_answer a;
	struct log_frame f;
	uint64_t nonce = 0;
	bool ok;

	memset(&a, 0, sizeof(a));
	ok = random_fill(&nonce, sizeof(nonce), err) &&
	    hold_table_close(m->table, mongo_time(&m->log, clock_now()), &a, err);
	nonce |= 1;
	if (ok) {
		log_records_add(&records, a.record.data, a.record.len);
		mongo_send_batch(m, &records, nonce);
	}
	while (ok && m->n == 0 && !m->behind) {
		ok = next_frame(j, &f, err);
		if (ok && f.kind == LOG_ACK) {
			ok = apply(j, a.record.data, a.record.len, err);
			mongo_advance(m, 1, nonce, m->turn.me);
		} else if (ok && f.kind != 0) {
			ok = take_other(j, &f, err);
		}
	}
	hold_answer_clear(&a);
	buf_clear(&records);
	if (ok)
		log_event(LOG_LEVEL_WARN, "log_new", KV_STR("queue", m->queue),
		    KV_STR("meaning",
			"the database had no log; nothing is granted before the site's other "
			"programs admit this queue"),
		    KV_STR("todo", "a new site: nothing; a lost log: roompayctl queue adopt"));
	return ok;
}

/* The mark is of this log, or of one that was given up. */
static void
compare_mark(const struct mongo_log *m)
{
	if (m->mark.queue[0] != '\0' && strcmp(m->mark.queue, m->queue) != 0)
		log_event(LOG_LEVEL_WARN, "log_is_another", KV_STR("queue", m->queue),
		    KV_STR("before", m->mark.queue),
		    KV_STR("meaning", "this machine was in another log before; that one is over"),
		    KV_STR("todo", "after roompayctl queue adopt: nothing; else see [store] uri"));
}

/* The daemon serves, so that everybody hears why nothing is granted. */
static bool
join_fenced(struct mongo_log *m)
{
	memcpy(m->queue, m->mark.queue, sizeof(m->queue));
	m->n = m->mark.n;
	m->nonce = m->mark.nonce;
	return true;
}

bool
mongo_join(struct mongo_log *m, int64_t quiet_ms, struct error *err)
{
	struct joining j = { .m = m };
	int64_t began_ms = clock_boot_ms();
	struct log_frame f = {
		.kind = LOG_OPEN,
		.n = m->mark.n,
		.nonce = m->mark.nonce,
		.prev = LOG_FRAME_VERSION,
		.by = m->turn.me,
		.text = m->mark.queue,
		.text_len = strlen(m->mark.queue),
	};
	bool ok;

	log_helper_send(&m->helper, &f);
	if (!wait_for(&j, LOG_OPENED, &f, err))
		return false;
	if (m->behind)
		return join_fenced(m);
	snprintf(m->queue, sizeof(m->queue), "%.*s", (int)f.text_len, f.text);
	compare_mark(m);
	log_helper_send(&m->helper, &(struct log_frame){ .kind = LOG_LOAD });
	if (!wait_for(&j, LOG_LOADED, &f, err))
		return false;
	if (m->behind)
		return join_fenced(m);
	m->n = m->floor = m->seen = f.n;
	m->nonce = f.nonce;
	log_helper_send(&m->helper,
	    &(struct log_frame){ .kind = LOG_FOLLOW, .n = m->n, .nonce = m->nonce });
	ok = wait_for(&j, LOG_END, &f, err) && (m->n > 0 || m->behind || close_table(&j, err));
	if (ok)
		log_event(LOG_LEVEL_INFO, "log_joined", KV_STR("queue", m->queue),
		    KV_INT("number", m->n), KV_INT("records", j.records),
		    KV_INT("ms", clock_boot_ms() - began_ms));
	hold_table_stay_quiet(m->table,
	    hold_table_time(m->table, mongo_time(&m->log, clock_now())).boot_ms + quiet_ms);
	return ok;
}
