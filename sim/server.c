#include "config.h"

#include "sim/server.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <microhttpd.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "base/clock.h"

enum { CONNECTIONS_MAX = 8000, BACKLOG = 4096, HEADERS_MAX = 16 * 1024 };

struct server {
	struct MHD_Daemon *daemon;
	int epoll_fd, port;
	server_handler *handler;
	void *ctx;
	struct request *first, *last; /* those that wait, by due_ms */
	size_t n_waiting;
};

/* -- requests */

/* Called with the request line; what it returns is the request's con_cls from the first call of
 * on_access on. */
static void *
on_request_line(void *cls, const char *uri, struct MHD_Connection *connection)
{
	struct request *rq = calloc(1, sizeof(*rq));
	char *mark;

	if (rq == NULL)
		return NULL;
	rq->path = strdup(uri);
	if (rq->path == NULL) {
		free(rq);
		return NULL;
	}
	mark = strchr(rq->path, '?');
	if (mark != NULL)
		*mark++ = '\0';
	rq->query = mark == NULL ? "" : mark;
	rq->server = cls;
	rq->connection = connection;
	buf_init(&rq->body, BODY_MAX);
	return rq;
}

static void
unlink_waiting(struct request *rq)
{
	struct server *sv = rq->server;

	*(rq->prev == NULL ? &sv->first : &rq->prev->next) = rq->next;
	*(rq->next == NULL ? &sv->last : &rq->next->prev) = rq->prev;
	rq->prev = rq->next = NULL;
	sv->n_waiting--;
}

static void
on_completed(void *cls, struct MHD_Connection *connection, void **con_cls,
    enum MHD_RequestTerminationCode why)
{
	struct request *rq = *con_cls;

	(void)cls;
	(void)connection;
	(void)why;
	if (rq == NULL)
		return;
	if (rq->phase == REQUEST_WAITING)
		unlink_waiting(rq);
	if (rq->work_free != NULL)
		rq->work_free(rq->work);
	free(rq->answer.location);
	buf_clear(&rq->answer.body);
	buf_clear(&rq->body);
	free(rq->path);
	free(rq);
	*con_cls = NULL;
}

void
request_answer(struct request *rq)
{
	assert(rq->phase == REQUEST_RECEIVING);
	rq->phase = REQUEST_ANSWERED;
}

/* Most requests wait equally long, so the place of a new one is near the end. */
void
request_wait(struct request *rq, int64_t ms, void (*then)(struct request *rq))
{
	struct server *sv = rq->server;
	struct request *before = sv->last;

	assert(rq->phase == REQUEST_RECEIVING);
	rq->phase = REQUEST_WAITING;
	rq->then = then;
	rq->due_ms = clock_boot_ms() + ms;
	while (before != NULL && before->due_ms > rq->due_ms)
		before = before->prev;
	rq->prev = before;
	rq->next = before == NULL ? sv->first : before->next;
	*(rq->prev == NULL ? &sv->first : &rq->prev->next) = rq;
	*(rq->next == NULL ? &sv->last : &rq->next->prev) = rq;
	sv->n_waiting++;
}

const char *
request_header(const struct request *rq, const char *name)
{
	return MHD_lookup_connection_value(rq->connection, MHD_HEADER_KIND, name);
}

/* -- answers */

/* SO_LINGER would come too late, because libmicrohttpd shuts the sending side down before it
 * closes. A connect to AF_UNSPEC makes the kernel send the reset at once. */
static void
reset_connection(struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info =
	    MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	const struct sockaddr none = { .sa_family = AF_UNSPEC };
	int failed = info == NULL ? -1 : connect(info->connect_fd, &none, sizeof(none));

	(void)failed; /* the connection is closed anyway */
}

static enum MHD_Result
send_answer(struct request *rq, struct MHD_Connection *connection)
{
	struct answer *a = &rq->answer;
	struct MHD_Response *response;
	enum MHD_Result done;
	size_t len;
	char *text;

	if (a->how == ANSWER_RESET)
		reset_connection(connection);
	if (a->how != ANSWER_SEND)
		return MHD_NO; /* closes without a byte */
	len = a->body.len;
	text = buf_take(&a->body);
	if (text == NULL)
		return MHD_NO;
	response = MHD_create_response_from_buffer(len, text, MHD_RESPMEM_MUST_FREE);
	if (response == NULL) {
		free(text);
		return MHD_NO;
	}
	if (a->type != NULL)
		MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, a->type);
	if (a->location != NULL)
		MHD_add_response_header(response, MHD_HTTP_HEADER_LOCATION, a->location);
	if (a->allow != NULL)
		MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, a->allow);
	MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
	done = MHD_queue_response(connection, (unsigned)a->status, response);
	MHD_destroy_response(response);
	return done;
}

/* Called for the headers, for each piece of the body, for its end, and again when a suspended
 * connection goes on. */
static enum MHD_Result
on_access(void *cls, struct MHD_Connection *connection, const char *url, const char *method,
    const char *version, const char *upload, size_t *upload_len, void **con_cls)
{
	struct server *sv = cls;
	struct request *rq = *con_cls;

	(void)url;
	(void)version;
	if (rq == NULL)
		return MHD_NO;
	if (rq->method == NULL) {
		rq->method = method;
		return MHD_YES;
	}
	if (*upload_len > 0) {
		buf_add(&rq->body, upload, *upload_len);
		*upload_len = 0;
		return MHD_YES;
	}
	if (rq->phase == REQUEST_RECEIVING) {
		sv->handler(rq, sv->ctx);
		assert(rq->phase != REQUEST_RECEIVING);
	}
	if (rq->phase == REQUEST_ANSWERED)
		return send_answer(rq, connection);
	rq->is_suspended = true;
	MHD_suspend_connection(connection);
	return MHD_YES;
}

static void
resume(struct request *rq)
{
	rq->is_suspended = false;
	MHD_resume_connection(rq->connection);
}

/* -- the loop */

static void
run_due(struct server *sv)
{
	int64_t now = clock_boot_ms();

	while (sv->first != NULL && sv->first->due_ms <= now) {
		struct request *rq = sv->first;

		unlink_waiting(rq);
		rq->phase = REQUEST_RECEIVING;
		rq->then(rq);
		assert(rq->phase != REQUEST_RECEIVING);
		if (rq->phase == REQUEST_ANSWERED)
			resume(rq);
	}
}

/* Milliseconds until the next deadline; -1: there is none. */
static int64_t
next_turn_ms(const struct server *sv)
{
	MHD_UNSIGNED_LONG_LONG mhd;
	int64_t ms = -1, due;

	if (MHD_get_timeout(sv->daemon, &mhd) == MHD_YES)
		ms = mhd > INT_MAX ? INT_MAX : (int64_t)mhd;
	if (sv->first == NULL)
		return ms;
	due = sv->first->due_ms - clock_boot_ms();
	if (due < 0)
		due = 0;
	return ms < 0 || due < ms ? due : ms;
}

void
server_run(struct server *sv, const volatile sig_atomic_t *stop, const sigset_t *unblocked)
{
	struct pollfd pfd = { .fd = sv->epoll_fd, .events = POLLIN };

	while (!*stop) {
		int64_t ms = next_turn_ms(sv);
		struct timespec ts = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

		if (ppoll(&pfd, 1, ms < 0 ? NULL : &ts, unblocked) < 0 && errno != EINTR)
			break;
		run_due(sv);
		MHD_run(sv->daemon); /* last: nothing but this call takes up what was resumed */
	}
}

/* -- opening and closing */

static bool
parse_address(const char *text, int port, struct sockaddr_storage *out, struct error *err)
{
	struct sockaddr_in *in = (struct sockaddr_in *)out;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)out;

	memset(out, 0, sizeof(*out));
	if (inet_pton(AF_INET, text, &in->sin_addr) == 1) {
		in->sin_family = AF_INET;
		in->sin_port = htons((uint16_t)port);
		return true;
	}
	if (inet_pton(AF_INET6, text, &in6->sin6_addr) == 1) {
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons((uint16_t)port);
		return true;
	}
	return error_set(err, ERR_INPUT, "%s is not an IP address", text);
}

static void
raise_descriptors(void)
{
	struct rlimit lim;

	if (getrlimit(RLIMIT_NOFILE, &lim) != 0)
		return;
	lim.rlim_cur = lim.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &lim) != 0)
		return; /* then there are fewer connections */
}

bool
server_open(struct server **out, const char *address, int port, server_handler *handler, void *ctx,
    struct error *err)
{
	struct sockaddr_storage addr;
	const union MHD_DaemonInfo *info;
	unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME;
	struct server *sv;

	if (!parse_address(address, port, &addr, err))
		return false;
	sv = calloc(1, sizeof(*sv));
	if (sv == NULL)
		return error_set(err, ERR_INTERNAL, "out of memory");
	sv->handler = handler;
	sv->ctx = ctx;
	if (addr.ss_family == AF_INET6)
		flags |= MHD_USE_IPv6;
	raise_descriptors();
	errno = 0;
	sv->daemon =
	    MHD_start_daemon(flags, (uint16_t)port, NULL, NULL, on_access, sv, MHD_OPTION_SOCK_ADDR,
		(struct sockaddr *)&addr, MHD_OPTION_URI_LOG_CALLBACK, on_request_line, sv,
		MHD_OPTION_NOTIFY_COMPLETED, on_completed, sv, MHD_OPTION_CONNECTION_LIMIT,
		(unsigned)CONNECTIONS_MAX, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HEADERS_MAX,
		MHD_OPTION_LISTEN_BACKLOG_SIZE, (unsigned)BACKLOG, MHD_OPTION_END);
	if (sv->daemon == NULL) {
		free(sv);
		return error_sys(err, ERR_INTERNAL, "cannot listen on %s port %d", address, port);
	}
	info = MHD_get_daemon_info(sv->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	sv->epoll_fd = info->epoll_fd;
	info = MHD_get_daemon_info(sv->daemon, MHD_DAEMON_INFO_BIND_PORT);
	sv->port = info->port;
	*out = sv;
	return true;
}

/* libmicrohttpd must not be stopped with connections suspended. */
void
server_close(struct server **svp)
{
	struct server *sv = *svp;

	if (sv == NULL)
		return;
	while (sv->first != NULL) {
		struct request *rq = sv->first;

		unlink_waiting(rq);
		rq->phase = REQUEST_ANSWERED;
		rq->answer.how = ANSWER_CLOSE;
		resume(rq);
	}
	MHD_run(sv->daemon);
	MHD_stop_daemon(sv->daemon);
	free(sv);
	*svp = NULL;
}

int
server_port(const struct server *sv)
{
	return sv->port;
}

size_t
server_count_waiting(const struct server *sv)
{
	return sv->n_waiting;
}
