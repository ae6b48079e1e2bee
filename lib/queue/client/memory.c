/* A queue without a daemon, for tests: the same lines, carried out on a hold_table in this process.
 * There is nobody to wait for: where the daemon would let a request wait, this answers in-progress.
 * Nothing is kept on disk. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "booking/hold_table.h"
#include "queue/wire/inquiry_limit.h"
#include "queue/wire/proto.h"
#include "queue/client/queue.h"
#include "queue/client/transport.h"
#include "queue/wire/verb.h"

static const char own_id[] = "6d656d6f727900000000000000000000";

struct memory {
	struct transport transport; /* first: this is a transport */
	struct hold_table *table;
	struct now (*clock)(void);
	int64_t pokes;
	struct inquiry_limit inquiries;
};

static bool
apply(struct memory *m, const struct buf *record, struct error *err)
{
	struct hold_changes changed;

	return record->len == 0 ||
	    hold_table_apply(m->table, record->data, record->len, &changed, err);
}

static bool
expire(struct memory *m, struct now now, struct error *err)
{
	struct buf record = BUF_INIT;
	int64_t next_boot_ms;
	bool done;

	do {
		buf_clear(&record);
		done = hold_table_expire(m->table, now, &record, &next_boot_ms, err) &&
		    apply(m, &record, err);
	} while (done && record.len > 0);
	buf_clear(&record);
	return done;
}

static bool
decide(struct memory *m, const struct verb *verb, const struct proto_message *rq, struct now now,
    struct buf *answer, struct error *err)
{
	static const struct hold_load nothing_to_do = { .max_ready = 1000, .max_all = 1000 };
	struct hold_answer a;
	struct proto_message said;
	struct buf conflicts = BUF_INIT;
	bool done;

	memset(&a, 0, sizeof(a));
	done = verb->decide(m->table, rq, &nothing_to_do, now, &a, err);
	if (done) {
		if (a.code == HA_WAIT)
			a = (struct hold_answer){
				.code = HA_IN_PROGRESS,
				.retry_ms = 1000,
				.record = a.record,
			};
		verb_answer(&said, rq->tag, &a, &conflicts);
		proto_format(&said, answer); /* before apply: it borrows from the table */
		done = apply(m, &a.record, err);
	}
	buf_clear(&conflicts);
	hold_answer_clear(&a);
	return done;
}

static void
look(struct memory *m, enum verb_id id, const struct proto_message *rq, struct buf *answer)
{
	struct proto_message said;
	struct buf text = BUF_INIT;
	uint64_t next = 0;
	int64_t again_ms;

	proto_begin(&said, rq->tag, "ok");
	if (id == VERB_HELLO) {
		verb_hello(&said, rq->tag, m->table, "");
		proto_set_text(&said, ARG_QUEUE, own_id);
	} else if (id == VERB_LIST) {
		verb_list(m->table, proto_text(rq, ARG_ROOM), (uint64_t)proto_num(rq, ARG_AFTER),
		    m->clock(), &text, &next);
		proto_set_text(&said, ARG_HELD, buf_str(&text));
	} else if (id == VERB_STATS) {
		verb_stats(m->table, &text);
		proto_set_text(&said, ARG_COUNTS, buf_str(&text));
	} else if (id == VERB_INQUIRE) {
		again_ms = inquiry_limit_take(&m->inquiries, (uint64_t)proto_num(rq, ARG_ID),
		    m->clock().boot_ms);
		if (again_ms > 0)
			proto_set_num(&said, ARG_RETRY_MS, again_ms);
	} else if (id == VERB_POKE)
		m->pokes++;
	else if (id == VERB_WATCH)
		proto_set_num(&said, ARG_POKES, m->pokes);
	if (next != 0)
		proto_set_num(&said, ARG_NEXT, (int64_t)next);
	proto_format(&said, answer);
	buf_clear(&text);
}

static bool
answer_line(struct memory *m, char *line, size_t len, struct proto_message *rq, struct buf *answer,
    struct error *err)
{
	struct now now = m->clock();
	enum verb_id id;

	if (proto_parse(line, len, rq, err) != PROTO_OK || !verb_check(rq, &id, err) ||
	    !expire(m, now, err))
		return false;
	if (verb_get(id)->decide != NULL)
		return decide(m, verb_get(id), rq, now, answer, err);
	look(m, id, rq, answer);
	return true;
}

static bool
exchange(struct transport *t, const char *tag, const struct buf *line, bool waits,
    int64_t deadline_boot_ms, struct buf *answer, struct error *err)
{
	struct memory *m = (struct memory *)(void *)t;
	struct buf copy = BUF_INIT;
	struct proto_message rq;
	struct error why = { 0 };

	(void)waits;
	(void)deadline_boot_ms;
	if (t->expected[0] != '\0' && strcmp(t->expected, own_id) != 0)
		return error_set(err, ERR_CONFLICT, "the queue in memory is not %s", t->expected);
	buf_add(&copy, line->data, line->len);
	if (!copy.bad && !answer_line(m, copy.data, copy.len - 1, &rq, answer, &why)) {
		buf_reset(answer);
		proto_begin(&rq, tag, "error");
		proto_set_text(&rq, ARG_MESSAGE, why.msg);
		proto_format(&rq, answer);
	}
	buf_clear(&copy);
	if (answer->bad || answer->len == 0)
		return error_set(err, ERR_INTERNAL, "out of memory");
	answer->data[--answer->len] = '\0';
	return true;
}

static void
reset(struct transport *t)
{
	(void)t;
}

static void
memory_free(struct transport **t)
{
	struct memory *m = (struct memory *)(void *)*t;

	if (m == NULL)
		return;
	hold_table_free(&m->table);
	free(m);
	*t = NULL;
}

struct queue *
queue_open_memory(const struct hold_limits *limits, struct now (*clock)(void))
{
	struct memory *m = calloc(1, sizeof(*m));

	if (m == NULL || (m->table = hold_table_new(limits)) == NULL) {
		free(m);
		return NULL;
	}
	m->transport.exchange = exchange;
	m->transport.reset = reset;
	m->transport.free = memory_free;
	m->clock = clock;
	return queue_over(&m->transport);
}
