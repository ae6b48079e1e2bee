/*
 * Circuit breaker. When a peer cannot be reached, calls fail at once, and one of them a second
 * probes whether it is back. All processes that use the peer share the breaker: a peer that hangs
 * costs one worker a moment each second, not every worker. Time is an argument: CLOCK_BOOTTIME in
 * ms, the same in all processes. No locks: a process may die at any point, and a second later
 * another one probes.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum { BREAKER_PROBE_MS = 1000 }; /* at most one probe in this time */

struct breaker { /* zero: closed */
	atomic_bool open;
	atomic_int_fast64_t next_probe_ms;
	atomic_uint_fast32_t closings; /* how often it closed: connections from before are stale */
	atomic_uint_fast32_t probes;   /* how many there were */
	atomic_int_fast64_t worked_ms; /* when a call last worked, for anybody */
};

enum breaker_answer { BREAKER_GO, BREAKER_PROBE /* and report the result */, BREAKER_AWAY };

enum breaker_answer breaker_ask(struct breaker *b, int64_t now_ms);
void breaker_worked(struct breaker *b, int64_t now_ms); /* a call worked */
/*
 * A call that began at began_ms failed: the next caller may probe at once. Does nothing if another
 * call worked meanwhile: then the peer is only slow, or this caller's connection was bad.
 */
void breaker_failed(struct breaker *b, int64_t began_ms, int64_t now_ms);
/* A probe failed: the next one a second after it began, or a moment from now if it took longer. */
void breaker_still_away(struct breaker *b, int64_t now_ms);
void breaker_succeeded(struct breaker *b, int64_t now_ms);  /* a probe worked */
int64_t breaker_wait_ms(struct breaker *b, int64_t now_ms); /* until the next probe may go */

/*
 * Opens the breaker that this user's programs share under a name (letters, digits, '-'). It is in
 * shared memory and removed with its last user. Without shared memory the process has its own.
 * NULL: no memory.
 */
struct breaker_handle {
	struct breaker *b;
	struct breaker own;
	int fd;
	char path[128];
};
struct breaker_handle *breaker_open(const char *name);
void breaker_close(struct breaker_handle **h);
