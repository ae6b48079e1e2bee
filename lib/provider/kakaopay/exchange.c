#include "config.h"

#include "provider/kakaopay/exchange.h"

#include <assert.h>
#include <curl/curl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/secret.h"
#include "provider/trust.h"

enum { CONNECT_TIMEOUT_MS = 1500, HEADER_MAX = 8192 };

struct exchange {
	CURL *curl;
};

struct exchange *
exchange_new(struct error *err)
{
	struct exchange *x = calloc(1, sizeof(*x));
	struct sigaction pipe;

	if (x == NULL || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
		free(x);
		error_set(err, ERR_INTERNAL, "libcurl does not start");
		return NULL;
	}
	x->curl = curl_easy_init();
	if (x->curl == NULL) {
		error_set(err, ERR_INTERNAL, "out of memory");
		exchange_free(&x);
		return NULL;
	}
	if (sigaction(SIGPIPE, NULL, &pipe) == 0 && pipe.sa_handler == SIG_DFL)
		signal(SIGPIPE, SIG_IGN);
	return x;
}

void
exchange_free(struct exchange **x)
{
	if (*x == NULL)
		return;
	curl_easy_cleanup((*x)->curl);
	curl_global_cleanup();
	free(*x);
	*x = NULL;
}

static size_t
take_body(char *data, size_t size, size_t n, void *ctx)
{
	struct buf *body = ctx;

	buf_add(body, data, size * n);
	return body->bad ? 0 : size * n; /* anything but size * n ends the transfer */
}

/* close(2) on this socket sends a reset and drops what the kernel has not delivered yet. */
static int
reset_on_close(void *ctx, curl_socket_t fd, curlsocktype purpose)
{
	struct linger now = { .l_onoff = 1, .l_linger = 0 };

	(void)ctx;
	(void)purpose;
	return setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now)) == 0 ? CURL_SOCKOPT_OK
									     : CURL_SOCKOPT_ERROR;
}

static struct curl_slist *
add_header(struct curl_slist *list, const char *name, const char *value)
{
	char line[HEADER_MAX];
	struct curl_slist *longer = NULL;
	int n;

	line[0] = '\0';
	n = snprintf(line, sizeof(line), "%s: %s", name, value);
	if (n > 0 && (size_t)n < sizeof(line))
		longer = curl_slist_append(list, line);
	secret_wipe(line, strlen(line));
	return longer;
}

static void
free_headers(struct curl_slist *list)
{
	for (struct curl_slist *h = list; h != NULL; h = h->next)
		secret_wipe(h->data, strlen(h->data));
	curl_slist_free_all(list);
}

static struct curl_slist *
make_headers(const struct exchange_request *rq)
{
	const char *const rows[][2] = { { "Authorization", rq->authorization },
		{ "Content-Type", rq->content_type }, { "Accept", "application/json" } };
	struct curl_slist *list = NULL, *longer;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		longer = add_header(list, rows[i][0], rows[i][1]);
		if (longer == NULL) {
			free_headers(list);
			return NULL;
		}
		list = longer;
	}
	return list;
}

/*
 * One request, and never a second one on our behalf: HTTP/1.1 (HTTP/2 sends refused streams again),
 * no redirects, no authentication rounds, no proxy, no netrc; with `fresh` no connection that may
 * be dead. QUICK_EXIT: a resolver that hangs is left behind rather than waited for.
 */
static bool
set_options(CURL *c, const struct exchange_request *rq, struct curl_slist *headers,
    struct buf *body, long timeout_ms)
{
	CURLcode bad = CURLE_OK;

#define SET(option, value) bad = bad != CURLE_OK ? bad : curl_easy_setopt(c, option, value)
	curl_easy_reset(c); /* keeps the connections */
	SET(CURLOPT_URL, rq->url);
	SET(CURLOPT_PROTOCOLS_STR, rq->plain_http ? "http,https" : "https");
	SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	SET(CURLOPT_FOLLOWLOCATION, 0L);
	SET(CURLOPT_SSL_VERIFYPEER, 1L);
	SET(CURLOPT_SSL_VERIFYHOST, 2L);
	SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	bad = bad != CURLE_OK ? bad : trust_keep(c, rq->url);
	SET(CURLOPT_NOSIGNAL, 1L);
	SET(CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_TIMEOUT_MS);
	SET(CURLOPT_TIMEOUT_MS, timeout_ms);
	SET(CURLOPT_PROXY, "");
	SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	SET(CURLOPT_USERAGENT, PACKAGE_NAME "/" PACKAGE_VERSION);
#if LIBCURL_VERSION_NUM >= 0x075700
	SET(CURLOPT_QUICK_EXIT, 1L);
#endif
	SET(CURLOPT_FRESH_CONNECT, rq->fresh ? 1L : 0L);
	SET(CURLOPT_FORBID_REUSE, rq->fresh ? 1L : 0L);
	SET(CURLOPT_SOCKOPTFUNCTION, rq->fresh ? reset_on_close : (curl_sockopt_callback)NULL);
	SET(CURLOPT_HTTPHEADER, headers);
	SET(CURLOPT_POSTFIELDSIZE, (long)rq->len);
	SET(CURLOPT_POSTFIELDS, rq->body);
	SET(CURLOPT_WRITEFUNCTION, take_body);
	SET(CURLOPT_WRITEDATA, body);
#undef SET
	return bad == CURLE_OK;
}

/* Codes that end a transfer before the request: DNS, connect, TLS, or their time-out. */
static bool
is_before_request(CURLcode rc)
{
	switch (rc) {
	case CURLE_COULDNT_RESOLVE_PROXY:
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_CONNECT:
	case CURLE_OPERATION_TIMEDOUT:
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_SSL_CIPHER:
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CACERT_BADFILE:
		return true;
	default:
		return false;
	}
}

/* Three witnesses, and one that speaks against it is enough: the code, the time at which the
 * request began, the bytes handed to the kernel. */
static enum exchange_sent
was_sent(CURL *c, CURLcode rc)
{
	curl_off_t pretransfer_us = 1;
	long request_bytes = 1;

	if (!is_before_request(rc) ||
	    curl_easy_getinfo(c, CURLINFO_PRETRANSFER_TIME_T, &pretransfer_us) != CURLE_OK ||
	    curl_easy_getinfo(c, CURLINFO_REQUEST_SIZE, &request_bytes) != CURLE_OK)
		return EXCHANGE_MAYBE_SENT;
	return pretransfer_us == 0 && request_bytes == 0 ? EXCHANGE_NOT_SENT : EXCHANGE_MAYBE_SENT;
}

bool
exchange_run(struct exchange *x, const struct exchange_request *rq, struct exchange_reply *reply,
    struct error *err)
{
	struct curl_slist *headers = make_headers(rq);
	int64_t left = rq->deadline_boot_ms - clock_boot_ms();
	bool ready;
	long status = 0;
	CURLcode rc;

	*reply = (struct exchange_reply){ .sent = EXCHANGE_NOT_SENT, .body = reply->body };
	buf_clear(&reply->body);
	buf_init(&reply->body, EXCHANGE_BODY_MAX);
	if (left <= 0) {
		free_headers(headers);
		reply->trouble = "the deadline is over";
		return true;
	}
	ready = headers != NULL &&
	    set_options(x->curl, rq, headers, &reply->body,
		left < LONG_MAX ? (long)left : LONG_MAX);
	if (!ready) {
		free_headers(headers);
		return error_set(err, ERR_INTERNAL, "libcurl takes no request");
	}
	rc = curl_easy_perform(x->curl);
	curl_easy_getinfo(x->curl, CURLINFO_RESPONSE_CODE, &status);
	reply->complete = rc == CURLE_OK;
	reply->status = (int)status;
	reply->sent = rc == CURLE_OK ? EXCHANGE_MAYBE_SENT : was_sent(x->curl, rc);
	reply->trouble = rc == CURLE_OK ? NULL : curl_easy_strerror(rc);
	curl_easy_reset(x->curl); /* forgets headers and body, which are the caller's to wipe */
	free_headers(headers);
	return true;
}
