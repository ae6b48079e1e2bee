#include "config.h"

#include "operate/status.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

enum { LOOK_MS = 5000, LIST_MAX = 10000 };

static int64_t
deadline(void)
{
	return clock_boot_ms() + LOOK_MS;
}

/* The order that the queue was told of last stands in the ledger, else the database is an older
 * copy. */
static bool
ledger_is_old(struct flow *f, struct operate_status *s, bool *old)
{
	struct ledger_event e;
	bool found = true;

	*old = false;
	if (s->hello.last_n == 0)
		return true;
	if (!store_ledger_get(f->store, s->hello.cid, s->hello.order, s->hello.last_n, &e, &found,
		deadline(), &s->store_err))
		return false;
	if (found)
		ledger_event_clear(&e);
	*old = !found;
	return true;
}

static enum operate_site
fenced(struct operate_status *s, enum site_fence f)
{
	s->fence = f;
	return OPERATE_FENCED;
}

/* As site_open decides, but nothing is claimed, admitted or made. */
static enum operate_site
judge(struct flow *f, struct operate_status *s)
{
	enum site_fence told;
	bool old;

	if (!s->store)
		return fenced(s, SITE_STORE_AWAY);
	if (!s->queue)
		return fenced(s, SITE_QUEUE_AWAY);
	if ((told = site_fence_of_word(s->hello.fence)) != SITE_OPEN)
		return fenced(s, told);
	if (s->claim.number == 0)
		return OPERATE_FIRST_QUEUE;
	if (strcmp(s->claim.queue_id, s->hello.id) != 0)
		return fenced(s, SITE_OTHER_QUEUE);
	if (strcmp(s->hello.fence, "new") == 0 && s->claim.number > 1)
		return fenced(s, SITE_ADOPTING);
	if (!ledger_is_old(f, s, &old))
		return fenced(s, SITE_STORE_AWAY);
	if (old)
		return fenced(s, SITE_OLD_DATABASE);
	return strcmp(s->hello.fence, "no-room") == 0 ? OPERATE_NO_ROOM : OPERATE_OPEN;
}

static void
count_owed(struct flow *f, struct operate_status *s)
{
	struct store_message *messages = NULL;
	struct store_work *items = NULL;
	struct error ignored;
	size_t n = 0, n_items = 0;

	s->has_owed = store_outbox_list(f->store, LIST_MAX, &messages, &n, deadline(), &ignored) &&
	    store_work_list(f->store, LIST_MAX, &items, &n_items, deadline(), &ignored);
	if (s->has_owed) {
		s->owed = (int64_t)n;
		s->owed_since_ms = n > 0 ? messages[0].at_ms : 0;
		s->owed_more = n == LIST_MAX;
		s->open = (int64_t)n_items;
		s->open_since_ms = n_items > 0 ? items[0].at_ms : 0;
	}
	for (size_t i = 0; i < n; i++)
		store_message_clear(&messages[i]);
	free(messages);
	free(items);
}

/* A number of the queue's counts; 0 where it does not tell it. */
static int64_t
count_in(const char *json, const char *name)
{
	char member[40];
	const char *at;

	snprintf(member, sizeof(member), "\"%s\":", name);
	at = strstr(json, member);
	return at == NULL ? 0 : strtoll(at + strlen(member), NULL, 10);
}

static void
count_log(struct operate_status *s, const char *json)
{
	s->members = count_in(json, "members");
	s->has_log = strstr(json, "\"log_number\":") != NULL;
	s->log_number = count_in(json, "log_number");
	s->log_behind = count_in(json, "log_behind");
	s->log_heard_ms = count_in(json, "log_heard_ms");
	s->log_clock_ms = count_in(json, "log_clock_ms");
}

static void
count_holds(struct flow *f, struct operate_status *s)
{
	struct buf json = BUF_INIT;
	struct error ignored;

	s->has_holds = queue_stats(f->queue, &json, deadline(), &ignored);
	for (int i = 0; s->has_holds && i < HOLD__MAX; i++)
		s->holds[i] = count_in(buf_str(&json), hold_state_name((enum hold_state)i));
	if (s->has_holds)
		count_log(s, buf_str(&json));
	buf_clear(&json);
}

void
operate_status(struct flow *f, struct operate_status *out)
{
	memset(out, 0, sizeof(*out));
	out->store = store_claim_get(f->store, &out->claim, deadline(), &out->store_err);
	out->queue = queue_hello(f->queue, &out->hello, deadline(), &out->queue_err);
	out->site = judge(f, out);
	out->courier = operate_courier(f->conf->metrics_dir, &out->courier_looked_ms);
	if (out->store)
		count_owed(f, out);
	if (out->queue)
		count_holds(f, out);
}

/* The same sentences as readyz, which are English alone. */
static const char *
fence_text(enum site_fence f, bool korean)
{
	static const char *const words[] = {
		[SITE_OPEN] = "",
		[SITE_STORE_AWAY] = "데이터베이스가 답하지 않습니다",
		[SITE_QUEUE_AWAY] = "큐가 답하지 않습니다: systemctl status roompay-queued",
		[SITE_OTHER_QUEUE] =
		    "데이터베이스는 다른 큐를 이 사이트의 큐로 알고 있습니다. 그 저널을 되돌려 놓거나 roompayctl queue "
		    "adopt",
		[SITE_ADOPTING] =
		    "받아들인 큐에 roompay-courier가 원장의 내용을 알려 주는 중입니다. 기다리세요",
		[SITE_OLD_DATABASE] = "데이터베이스가 큐보다 오래되었습니다: roompayctl restore",
		[SITE_LOG_AWAY] =
		    "이 서버는 1초 넘게 데이터베이스의 소식을 듣지 못해 아무것도 정하지 않습니다. MongoDB를 확인하세요",
		[SITE_CLOCK_OFF] =
		    "이 서버의 시계가 데이터베이스와 1초 넘게 달라 아무것도 정하지 않습니다. 시계를 맞추세요",
		[SITE_OLD_LOG] =
		    "데이터베이스가 이 서버가 읽은 큐의 기록보다 오래되었습니다. 가장 새 백업을 되돌려 놓거나 "
		    "roompayctl restore",
	};

	return korean ? words[f] : site_fence_text(f);
}

const char *
operate_status_text(const struct operate_status *s, bool korean)
{
	switch (s->site) {
	case OPERATE_FIRST_QUEUE:
		return korean
		    ? "사이트에 아직 큐가 없습니다. 먼저 시작하는 프로그램이 이 큐를 씁니다"
		    : "the site has no queue yet: the first program that serves takes this one";
	case OPERATE_NO_ROOM:
		return korean
		    ? "큐의 디스크가 가득 차 새로 잡지 않습니다. 공간을 비우세요"
		    : "the queue's disk is full, and it grants nothing new: make room there";
	case OPERATE_FENCED:
		return fence_text(s->fence, korean);
	case OPERATE_OPEN:
		break;
	}
	return korean ? "결제를 받고 있습니다" : "payments can be taken";
}
