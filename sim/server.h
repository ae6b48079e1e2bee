/* HTTP by libmicrohttpd, in one thread and in a loop of our own. A handler gets a whole request. It
 * answers it, or lets it wait: then the connection is suspended and delays nobody. Only server.c
 * knows libmicrohttpd. */
#pragma once

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"

enum { BODY_MAX = 64 * 1024 };

enum answer_how {
	ANSWER_SEND,
	ANSWER_CLOSE, /* the connection ends without a byte */
	ANSWER_RESET, /* the same, by a TCP reset */
};

struct answer {
	enum answer_how how;
	int status;
	const char *type;  /* Content-Type, static; NULL: none */
	char *location;	   /* of a redirect; freed by the server */
	const char *allow; /* of a 405, static */
	struct buf body;
};

struct server;
struct request {
	const char *method; /* "GET", ... */
	char *path;	    /* before the first '?', as it was sent */
	const char *query;  /* after it, "" for none; as it was sent */
	struct buf body;    /* bad: longer than BODY_MAX */
	struct answer answer;
	void *work;		       /* the handler's own */
	void (*work_free)(void *work); /* NULL: nothing to free */

	/* The server's. */
	struct server *server;
	void *connection; /* struct MHD_Connection */
	enum { REQUEST_RECEIVING, REQUEST_WAITING, REQUEST_ANSWERED } phase;
	void (*then)(struct request *rq);
	int64_t due_ms; /* boot time */
	bool is_suspended;
	struct request *prev, *next; /* of those that wait, the earliest first */
};

typedef void server_handler(struct request *rq, void *ctx);

/* port 0: any free one, see server_port. ERR_INPUT: address; ERR_INTERNAL: cannot listen. */
bool server_open(struct server **sv, const char *address, int port, server_handler *handler,
    void *ctx, struct error *err) __attribute__((warn_unused_result));
/* Requests that still wait are closed without an answer and not carried out. */
void server_close(struct server **sv);
int server_port(const struct server *sv);
size_t server_count_waiting(const struct server *sv);
/* Serves until a signal sets *stop. The signals must be blocked; `unblocked` is the mask for
 * waiting. */
void server_run(struct server *sv, const volatile sig_atomic_t *stop, const sigset_t *unblocked);

/* What a handler does, exactly one of the two: */
void request_answer(struct request *rq); /* rq->answer is complete */
/* `then` is called later, not from here */
void request_wait(struct request *rq, int64_t ms, void (*then)(struct request *rq));

const char *request_header(const struct request *rq, const char *name); /* NULL: not sent */
