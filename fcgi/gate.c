#include "config.h"

#include "fcgi/gate.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"

enum { TRY_EVERY_MS = 1000 };

static enum flow_result
look(struct flow *f, int64_t deadline_boot_ms, struct error *err)
{
	struct queue_greeting hello;
	struct queue_answer qa;

	if (!store_prepare(f->store, deadline_boot_ms, err)) {
		error_wrap(err, "prepare the store");
		return FR_STORE_UNAVAILABLE;
	}
	if (!queue_hello(f->queue, &hello, deadline_boot_ms, err)) {
		error_wrap(err, "greet the queue");
		return FR_QUEUE_UNAVAILABLE;
	}
	if (!store_claim_queue(f->store, hello.id, deadline_boot_ms, err)) {
		error_wrap(err, "claim queue %s", hello.id);
		return err->code == ERR_CONFLICT ? FR_NOT_READY : FR_STORE_UNAVAILABLE;
	}
	queue_expect(f->queue, hello.id);
	if (strcmp(hello.fence, "new") == 0 && !queue_admit(f->queue, false, 0, deadline_boot_ms, &qa, err)) {
		error_wrap(err, "admit the queue");
		return FR_QUEUE_UNAVAILABLE;
	}
	log_event(LOG_LEVEL_INFO, "gate_open", KV_STR("queue", hello.id));
	return FR_OK;
}

void
gate_try(struct gate *g, struct flow *f, int64_t limit_ms)
{
	int64_t now = clock_boot_ms();
	struct error err = { 0 };

	if (f->gate == FR_OK || now < g->next_try_boot_ms)
		return;
	f->gate = look(f, now + limit_ms, &err);
	g->next_try_boot_ms = clock_boot_ms() + TRY_EVERY_MS;
	snprintf(g->why, sizeof(g->why), "%s", err.msg);
	if (f->gate != FR_OK)
		log_event(LOG_LEVEL_ERROR, "gate_closed", KV_ERR(&err));
}
