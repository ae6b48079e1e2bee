#include "config.h"

#include "fcgi/gate.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"

enum { TRY_EVERY_MS = 1000 };

void
gate_open(struct flow *f, const struct site *site)
{
	if (f->gate != FR_OK)
		log_event(LOG_LEVEL_INFO, "gate_open", KV_STR("queue", site->hello.id));
	f->gate = FR_OK;
}

void
gate_try(struct gate *g, struct flow *f, int64_t limit_ms)
{
	int64_t now = clock_boot_ms();
	struct error err = { 0 };
	struct site site;

	if (f->gate == FR_OK || now < g->next_try_boot_ms)
		return;
	if (site_open(f->store, f->queue, &site, now + limit_ms, &err)) {
		gate_open(f, &site);
	} else {
		log_event(LOG_LEVEL_ERROR, "gate_closed", KV_ERR(&err));
		f->gate = site_fence_result(site.fence);
	}
	g->next_try_boot_ms = clock_boot_ms() + TRY_EVERY_MS;
	text_copy(g->why, sizeof(g->why), err.msg);
}

void
gate_note(struct gate *g, struct flow *f, enum flow_result result)
{
	if (result != FR_NOT_READY || f->gate != FR_OK)
		return;
	f->gate = FR_NOT_READY;
	g->next_try_boot_ms = 0;
}
