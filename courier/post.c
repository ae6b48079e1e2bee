#include "config.h"

#include "courier/post.h"

#include <assert.h>
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/text.h"
#include "delivery/webhook.h"
#include "provider/trust.h"

enum { CONNECT_TIMEOUT_MS = 5000 };

/*
 * A receiver may be slow to accept connections: Node takes one in each turn of its event loop, and
 * under load a turn lasts 10 ms and more. What it has accepted is served in each turn. So a post
 * waits for a connection that is already there, and another one is opened only where it has waited
 * for OPEN_MS. Node closes what was idle for 5 s; what is closed while a post is on its way has
 * failed. So a connection is not used after four seconds (libcurl counts those that are over).
 */
enum { OPEN_AT_ONCE = 4, OPEN_MS = 10, IDLE_MAX_S = 3, WARM_MS = 2000, RECEIVERS = 2 };

struct receiver {
	const struct conf_peer *peer;
	struct task *line;	/* not begun */
	size_t n;		/* posts under way */
	size_t warm, peak;	/* so many were answered side by side: in the WARM_MS before, in
				   these */
	int64_t peak_boot_ms;	/* when these began */
	int64_t opened_boot_ms; /* the last time that more were begun than were warm */
};

struct post {
	struct poster *poster;
	struct receiver *to;
	struct post *next, *prev;
	struct task *task;
	CURL *curl;
	struct curl_slist *headers;
	bool in_head; /* between the status line and the empty line; trailers do not count */
	int64_t not_before_ms; /* the latest of what its Retry-After say; 0: they say nothing */
};

struct poster {
	uv_loop_t *loop;
	uv_timer_t timer;
	CURLM *multi;
	uv_timer_t opener;  /* when the next connection may be opened */
	struct post *posts; /* under way */
	struct receiver receivers[RECEIVERS];
	size_t n; /* with those that wait in line */
	void (*ended)(void *ctx, struct task *t);
	void *ctx;
};

/* libcurl's interest in one socket */
struct watch {
	uv_poll_t poll;
	struct poster *poster;
	curl_socket_t fd;
};

static void
post_free(struct post *po)
{
	if (po->curl != NULL) {
		curl_multi_remove_handle(po->poster->multi, po->curl);
		curl_easy_cleanup(po->curl);
	}
	curl_slist_free_all(po->headers);
	free(po);
}

static void
unlink_post(struct post *po)
{
	struct poster *p = po->poster;

	if (po->prev != NULL)
		po->prev->next = po->next;
	else
		p->posts = po->next;
	if (po->next != NULL)
		po->next->prev = po->prev;
	p->n--;
	po->to->n--;
}

static void
end_task(struct poster *p, struct task *t, long status, const char *error)
{
	t->try.ended = true;
	t->try.status = status;
	if (!webhook_may_put_off(status))
		t->try.not_before_ms = 0;
	t->try.acknowledged = error == NULL && status >= 200 && status < 300;
	text_copy(t->try.error, sizeof(t->try.error),
	    error != NULL	      ? error
		: t->try.acknowledged ? ""
				      : "not acknowledged");
	p->ended(p->ctx, t);
}

static void
end_post(CURL *curl, CURLcode rc)
{
	struct post *po = NULL;
	struct poster *p;
	struct task *t;
	long status = 0;

	curl_easy_getinfo(curl, CURLINFO_PRIVATE, (char **)&po);
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	p = po->poster;
	t = po->task;
	t->try.not_before_ms = po->not_before_ms;
	if (rc == CURLE_OK && po->to->n > po->to->peak)
		po->to->peak = po->to->n;
	unlink_post(po);
	post_free(po);
	end_task(p, t, status, rc == CURLE_OK ? NULL : curl_easy_strerror(rc));
}

static void go_on(struct poster *p);

static void
collect(struct poster *p)
{
	CURLMsg *m;
	int left;

	while ((m = curl_multi_info_read(p->multi, &left)) != NULL)
		if (m->msg == CURLMSG_DONE)
			end_post(m->easy_handle, m->data.result); /* frees what m points to: nothing
								     of it is read after */
	go_on(p);
}

/* -- the event loop */

static void
on_poll(uv_poll_t *handle, int status, int events)
{
	struct watch *w = handle->data;
	struct poster *p = w->poster;
	int flags = status < 0 ? CURL_CSELECT_ERR : 0, running;

	if (events & UV_READABLE)
		flags |= CURL_CSELECT_IN;
	if (events & UV_WRITABLE)
		flags |= CURL_CSELECT_OUT;
	curl_multi_socket_action(p->multi, w->fd, flags, &running); /* may end w */
	collect(p);
}

static void
on_timer(uv_timer_t *timer)
{
	struct poster *p = timer->data;
	int running;

	curl_multi_socket_action(p->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	collect(p);
}

static void
free_watch(uv_handle_t *handle)
{
	free(handle->data);
}

static struct watch *
new_watch(struct poster *p, curl_socket_t fd)
{
	struct watch *w = calloc(1, sizeof(*w));

	if (w == NULL)
		return NULL;
	w->poster = p;
	w->fd = fd;
	w->poll.data = w;
	if (uv_poll_init_socket(p->loop, &w->poll, fd) != 0) {
		free(w);
		return NULL;
	}
	curl_multi_assign(p->multi, fd, w);
	return w;
}

static int
on_socket(CURL *curl, curl_socket_t fd, int what, void *ctx, void *socket_ctx)
{
	struct poster *p = ctx;
	struct watch *w = socket_ctx;
	int events =
	    (what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0);

	(void)curl;
	if (what == CURL_POLL_REMOVE) {
		if (w != NULL) {
			uv_poll_stop(&w->poll);
			uv_close((uv_handle_t *)&w->poll, free_watch);
			curl_multi_assign(p->multi, fd, NULL);
		}
		return 0;
	}
	if (w == NULL && (w = new_watch(p, fd)) == NULL)
		return -1;
	return uv_poll_start(&w->poll, events, on_poll) == 0 ? 0 : -1;
}

static int
on_timeout(CURLM *multi, long timeout_ms, void *ctx)
{
	struct poster *p = ctx;

	(void)multi;
	if (timeout_ms < 0)
		uv_timer_stop(&p->timer);
	else /* 0 too: libcurl must not be called from here */
		uv_timer_start(&p->timer, on_timer, (uint64_t)timeout_ms, 0);
	return 0;
}

struct poster *
poster_new(uv_loop_t *loop, size_t posts_max, void (*ended)(void *ctx, struct task *t), void *ctx,
    struct error *err)
{
	struct poster *p = calloc(1, sizeof(*p));

	if (p == NULL || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK ||
	    (p->multi = curl_multi_init()) == NULL) {
		free(p);
		error_set(err, ERR_INTERNAL, "libcurl does not start");
		return NULL;
	}
	p->loop = loop;
	p->ended = ended;
	p->ctx = ctx;
	uv_timer_init(loop, &p->timer);
	uv_timer_init(loop, &p->opener);
	p->timer.data = p->opener.data = p;
	curl_multi_setopt(p->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
	curl_multi_setopt(p->multi, CURLMOPT_SOCKETDATA, p);
	curl_multi_setopt(p->multi, CURLMOPT_TIMERFUNCTION, on_timeout);
	curl_multi_setopt(p->multi, CURLMOPT_TIMERDATA, p);
	/* Else it keeps four for each post that is under way now, and closes the others. */
	curl_multi_setopt(p->multi, CURLMOPT_MAXCONNECTS, (long)posts_max);
	return p;
}

void
poster_close(struct poster *p)
{
	assert(p->n == 0);
	curl_multi_cleanup(p->multi); /* its last sockets go through on_socket */
	p->multi = NULL;
	uv_close((uv_handle_t *)&p->timer, NULL);
	uv_close((uv_handle_t *)&p->opener, NULL);
}

void
poster_free(struct poster **p)
{
	if (*p == NULL)
		return;
	curl_global_cleanup();
	free(*p);
	*p = NULL;
}

size_t
poster_count(const struct poster *p)
{
	return p->n;
}

static struct task *
take(struct receiver *to)
{
	struct task *t = to->line;

	if (t != NULL)
		to->line = t->next;
	return t;
}

void
poster_abandon(struct poster *p)
{
	while (p->posts != NULL) {
		struct post *po = p->posts;

		unlink_post(po);
		task_free(&po->task);
		post_free(po);
	}
	for (size_t i = 0; i < RECEIVERS; i++)
		for (struct task *t; (t = take(&p->receivers[i])) != NULL; p->n--)
			task_free(&t);
}

/* -- one post */

static bool
add_header(struct post *po, const char *name, const char *value)
{
	char line[512];
	struct curl_slist *longer;

	snprintf(line, sizeof(line), "%s: %s", name, value);
	longer = curl_slist_append(po->headers, line);
	if (longer != NULL)
		po->headers = longer;
	return longer != NULL;
}

/* Every try under the message's one id; the time is the try's. */
static bool
add_headers(struct post *po, struct error *err)
{
	const struct task *t = po->task;
	struct buf signature = BUF_INIT;
	int64_t now_s = clock_wall_ms() / 1000;
	char stamp[32];
	bool ok;

	if (!webhook_sign_header(&t->peer->key, &t->peer->old_key, t->message.id, now_s,
		t->message.body, &signature, err)) {
		buf_clear(&signature);
		return false;
	}
	snprintf(stamp, sizeof(stamp), "%lld", (long long)now_s);
	ok = add_header(po, "webhook-id", t->message.id) &&
	    add_header(po, "webhook-timestamp", stamp) &&
	    add_header(po, "webhook-signature", signature.data) &&
	    add_header(po, "Content-Type", "application/json");
	buf_clear(&signature);
	return ok || error_set(err, ERR_INTERNAL, "out of memory");
}

static size_t
drop_body(char *data, size_t size, size_t n, void *ctx)
{
	(void)data;
	(void)ctx;
	return size * n;
}

/*
 * One line of the answer's head, not terminated. An interim answer (1xx) has a head of its own:
 * each status line begins anew.
 */
static size_t
read_header(char *data, size_t size, size_t n, void *ctx)
{
	static const char name[] = "retry-after:";
	enum { NAME = sizeof(name) - 1 };
	struct post *po = ctx;
	size_t len = size * n;
	char value[128];
	int64_t at_ms;

	if (len >= 5 && memcmp(data, "HTTP/", 5) == 0) {
		po->in_head = true;
		po->not_before_ms = 0;
	} else if (len > 0 && (data[0] == '\r' || data[0] == '\n')) {
		po->in_head = false;
	} else if (po->in_head && len > NAME && len - NAME < sizeof(value) &&
	    strncasecmp(data, name, NAME) == 0) {
		snprintf(value, sizeof(value), "%.*s", (int)(len - NAME), data + NAME);
		at_ms = webhook_not_before_ms(value, clock_wall_ms());
		if (at_ms > po->not_before_ms)
			po->not_before_ms = at_ms;
	}
	return len;
}

static bool
set_options(struct post *po, struct error *err)
{
	const struct task *t = po->task;
	CURLcode bad = CURLE_OK;

#define SET(option, value) bad = bad != CURLE_OK ? bad : curl_easy_setopt(po->curl, option, value)
	SET(CURLOPT_PRIVATE, po);
	SET(CURLOPT_URL, t->peer->url);
	SET(CURLOPT_PROTOCOLS_STR, conf_is_loopback(t->peer->url) ? "http,https" : "https");
	SET(CURLOPT_FOLLOWLOCATION, 0L);
	SET(CURLOPT_SSL_VERIFYPEER, 1L);
	SET(CURLOPT_SSL_VERIFYHOST, 2L);
	SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	bad = bad != CURLE_OK ? bad : trust_keep(po->curl, t->peer->url);
	SET(CURLOPT_NOSIGNAL, 1L);
	SET(CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_TIMEOUT_MS);
	SET(CURLOPT_MAXAGE_CONN, (long)IDLE_MAX_S);
	SET(CURLOPT_TIMEOUT_MS, (long)WEBHOOK_POST_LIMIT_MS);
	SET(CURLOPT_PROXY, "");
	SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
#if LIBCURL_VERSION_NUM >= 0x075700
	SET(CURLOPT_QUICK_EXIT, 1L); /* a resolver that hangs must not hold the loop */
#endif
	SET(CURLOPT_USERAGENT, PACKAGE_NAME "/" PACKAGE_VERSION);
	SET(CURLOPT_HTTPHEADER, po->headers);
	SET(CURLOPT_POSTFIELDSIZE, (long)strlen(t->message.body));
	SET(CURLOPT_POSTFIELDS, t->message.body);
	SET(CURLOPT_WRITEFUNCTION, drop_body);
	SET(CURLOPT_HEADERFUNCTION, read_header);
	SET(CURLOPT_HEADERDATA, po);
#undef SET
	return bad == CURLE_OK ||
	    error_set(err, ERR_INTERNAL, "libcurl: %s", curl_easy_strerror(bad));
}

static struct post *
new_post(struct poster *p, struct task *t, struct error *err)
{
	struct post *po = calloc(1, sizeof(*po));

	if (po == NULL) {
		error_set(err, ERR_INTERNAL, "out of memory");
		return NULL;
	}
	po->poster = p;
	po->task = t;
	po->curl = curl_easy_init();
	if (po->curl == NULL)
		error_set(err, ERR_INTERNAL, "out of memory");
	else if (add_headers(po, err) && set_options(po, err) &&
	    curl_multi_add_handle(p->multi, po->curl) == CURLM_OK)
		return po;
	else if (err->code == ERR_NONE)
		error_set(err, ERR_INTERNAL, "libcurl takes no request");
	post_free(po);
	return NULL;
}

static void
begin(struct poster *p, struct receiver *to)
{
	struct error err = { 0 };
	struct task *t = take(to);
	struct post *po = new_post(p, t, &err);

	if (po == NULL) {
		p->n--;
		end_task(p, t, 0, err.msg);
		return;
	}
	po->to = to;
	to->n++;
	po->next = p->posts;
	if (p->posts != NULL)
		p->posts->prev = po;
	p->posts = po;
}

/* ---- when a post begins */

/* How many connections are likely to be there. */
static size_t
count_warm(struct receiver *to, int64_t now_boot_ms)
{
	if (now_boot_ms - to->peak_boot_ms >= WARM_MS) {
		to->warm = now_boot_ms - to->peak_boot_ms < 2 * WARM_MS ? to->peak : 0;
		to->peak = 0;
		to->peak_boot_ms = now_boot_ms;
	}
	return to->warm > to->peak ? to->warm : to->peak;
}

/* Begins what may begin. In how many ms the next one may, 0: none waits. */
static int64_t
begin_some(struct poster *p, struct receiver *to)
{
	int64_t now_boot_ms = clock_boot_ms();

	while (to->line != NULL) {
		if (to->n >= OPEN_AT_ONCE && to->n >= count_warm(to, now_boot_ms)) {
			if (now_boot_ms - to->opened_boot_ms < OPEN_MS)
				return to->opened_boot_ms + OPEN_MS - now_boot_ms;
			to->opened_boot_ms = now_boot_ms;
		}
		begin(p, to);
	}
	return 0;
}

static void
on_opener(uv_timer_t *timer)
{
	go_on(timer->data);
}

static void
go_on(struct poster *p)
{
	int64_t wait_ms = 0;

	for (size_t i = 0; i < RECEIVERS; i++) {
		int64_t ms = begin_some(p, &p->receivers[i]);

		if (ms > 0 && (wait_ms == 0 || ms < wait_ms))
			wait_ms = ms;
	}
	if (wait_ms > 0)
		uv_timer_start(&p->opener, on_opener, (uint64_t)wait_ms, 0);
}

static struct receiver *
receiver_of(struct poster *p, const struct conf_peer *peer)
{
	struct receiver *to = p->receivers;

	while (to->peer != NULL && to->peer != peer)
		to++;
	assert(to < p->receivers + RECEIVERS);
	to->peer = peer;
	return to;
}

void
poster_start(struct poster *p, struct task *t)
{
	struct receiver *to = receiver_of(p, t->peer);
	struct task **last = &to->line;

	while (*last != NULL)
		last = &(*last)->next;
	t->next = NULL;
	*last = t;
	p->n++;
	go_on(p);
}
