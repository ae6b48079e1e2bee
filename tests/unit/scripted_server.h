/*
 * A server on loopback that does what a script says: one action a request, in the order of their
 * arrival.
 */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

enum action {
	ACT_CLOSE,  /* no answer (also what follows the last action) */
	ACT_ANSWER, /* the body, and keep the connection */
	ACT_SILENT, /* no answer, keep it open */
	ACT_CUT,    /* half of the body, then close */
	ACT_BIG,    /* 64 KiB + 1 */
	ACT_FULL,   /* 64 KiB */
};

enum { ACTIONS_MAX = 8, CONNS_MAX = 8 };

struct server {
	int listener, stop[2], port;
	pthread_t thread;
	enum action actions[ACTIONS_MAX];
	const char *status, *body; /* "400 Bad Request" */
	bool hang_up_on_tls;
	atomic_int accepted, requests, resets, closes;
	char last[40000]; /* the last request */
	struct conn {
		int fd;
		size_t len;
		char in[40000];
	} conns[CONNS_MAX];
};

/* It listens; server_go answers. */
struct server *server_start(const enum action *actions, size_t n);
#define SERVER(...) \
	server_start((const enum action[]){ __VA_ARGS__ }, \
	    COUNT(((const enum action[]){ __VA_ARGS__ })))
void server_go(struct server *s);
void server_stop(struct server *s); /* and frees it */

int listen_on_loopback(int *port); /* bound, not yet listening */
void sleep_ms(int ms);
/* Fails the test when the counter has not come to the value in three seconds. */
void wait_for(atomic_int *counter, int value);
