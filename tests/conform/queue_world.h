/*
 * For the conformance tests of the queue: a queue in memory, or a real daemon ($ROOMPAY_QUEUED)
 * with its journal in a directory of its own, and other clients that speak the protocol by hand.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/types.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/error.h"
#include "queue/client/queue.h"

#define ROOM "64b000000000000000000001"
#define OTHER_ROOM "64b000000000000000000002"
#define CID "TC0ONETIME"

struct fixture {
	char dir[64], socket[100], conf[100];
	char database[64]; /* of the shared log; "": the log is on the disk */
	pid_t daemon;	   /* 0: none runs */
	struct queue *q;
	struct queue_answer a; /* the last one */
	struct error err;
};

/* The limits of the daemon, for queues in this process. */
extern const struct hold_limits daemon_limits;

/* A test's setup and teardown. The daemon is new and admitted: 4 ready calls, 6 in all. */
int setup_memory(void **state);
int setup_daemon(void **state);
/* The same on a log in MongoDB, at $ROOMPAY_TEST_LOG_URI, in a database of its own. */
int setup_mongodb(void **state);
int teardown(void **state);
/* Another daemon on the log of the first one, with a socket and a directory of its own. */
void open_second(const struct fixture *first, struct fixture *second);
void close_second(struct fixture *second);
#define ON_DAEMON(t) cmocka_unit_test_setup_teardown(t, setup_daemon, teardown)
#define ON_MONGODB(t) cmocka_unit_test_setup_teardown(t, setup_mongodb, teardown)

/* ---- the daemon */

void write_conf(struct fixture *f, const char *queue_keys);
/* The log is gone, as with a lost disk or database. */
void lose_log(struct fixture *f);
/* Starts the program; its standard error goes to this file in f->dir. */
pid_t spawn(struct fixture *f, const char *log_name);
void remove_tree(const char *dir);
void start_daemon(struct fixture *f);
int end_daemon(struct fixture *f, int signum); /* returns its wait status */
int exit_code(pid_t pid); /* of one that cannot start; -1: it did not end within 5 s */
/* A full disk: no file of the daemon may grow beyond this. */
void limit_files(struct fixture *f, rlim_t bytes);

/* ---- asking through the client library; answers in f->a */

int64_t soon(void); /* a deadline that is far enough away */
struct hold_request request(const char *user, const char *order, const char *set,
    const char *fingerprint);
void expect(struct fixture *f, bool done, enum hold_answer_code code, const char *what);
/* Holds, says ready, and returns the id. */
uint64_t open_hold(struct fixture *f, const char *user, const char *order, const char *set,
    const char *tid);
uint64_t approve(struct fixture *f, uint64_t id, int64_t n); /* returns the token */
int64_t count_of(struct fixture *f, const char *name);	     /* in the answer of stats */

/* ---- other clients of the daemon: lines by hand */

int dial(struct fixture *f);
void tell(int fd, const char *text);
void tell_hold(int fd, const char *tag, const char *user, const char *order, const char *set,
    const char *fingerprint, int64_t wait_ms);
bool is_readable(int fd, int timeout_ms);
/* One line within 3 s, without LF; "": the connection was closed. Takes nothing of the next
 * line. */
const char *hear(int fd);
void expect_line(int fd, const char *begins);
