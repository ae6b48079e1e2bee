/* A proxy between a program and the server, to lose what is on the way: a process of its own, told
 * by shared memory what to do with requests that carry a word. Stop it: the server is gone. Suspend
 * it (SIGSTOP): the server hangs. */
#pragma once

#include <sys/types.h>

enum proxy_fault {
	PROXY_FAITHFUL,
	PROXY_LOSE_ANSWER,
	PROXY_LOSE_REQUEST,
	PROXY_MUTE,	     /* forwarded, then never answered */
	PROXY_MISS_MAJORITY, /* the answer says: done, but not by the majority in time */
	PROXY_NOT_PRIMARY,   /* the answer says: not primary (any more), although it is done */
	PROXY_OTHER_TERM,    /* the answer says: done, by a primary of another election */
};

struct proxy_orders {
	enum proxy_fault fault;
	int times; /* left */
	char word[64];
	int seen; /* requests with the word that reached the server */
};

struct proxy { /* zero before the first start */
	pid_t pid;
	int port;		     /* the same after each start */
	int to_port;		     /* of the server, on 127.0.0.1 */
	struct proxy_orders *orders; /* shared */
};

void proxy_start(struct proxy *x);
void proxy_stop(struct proxy *x);
void proxy_free(struct proxy *x);
void proxy_order(struct proxy *x, enum proxy_fault f, int times, const char *word);
