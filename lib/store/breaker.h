/*
 * When a peer is away nobody waits for it: calls fail at once, and one of them a second looks whether it
 * is back. Shared by all processes that use the peer: a peer that hangs costs one worker a moment each
 * second, not every worker. Time is an argument: CLOCK_BOOTTIME ms, the same in all processes. No locks: a
 * process may die at any point, the next second another one looks.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum { BREAKER_PROBE_MS = 1000 };	/* at most one probe in this time */

struct breaker {		/* zero: closed */
	atomic_bool open;
	atomic_int_fast64_t next_probe_ms;
	atomic_uint_fast32_t closings;	/* times it was closed again: older connections are not to be trusted */
	atomic_uint_fast32_t probes;	/* how many there were */
	atomic_int_fast64_t worked_ms;	/* when a call last worked, for anybody */
};

enum breaker_answer { BREAKER_GO, BREAKER_PROBE /* and report how it went */, BREAKER_AWAY };

enum breaker_answer breaker_ask(struct breaker *b, int64_t now_ms);
void breaker_worked(struct breaker *b, int64_t now_ms);		/* a call did */
/*
 * A call that began at began_ms did not work: who comes next may look at once. Unless another one worked
 * meanwhile: then the peer is there for others, and only slow, or this caller's connection was bad.
 */
void breaker_failed(struct breaker *b, int64_t began_ms, int64_t now_ms);
void breaker_still_away(struct breaker *b, int64_t now_ms);	/* a probe did */
void breaker_succeeded(struct breaker *b);			/* a probe */
int64_t breaker_wait_ms(struct breaker *b, int64_t now_ms);	/* until breaker_ask does not say AWAY */

/*
 * The one that this user's programs share under a name (letters, digits, '-'): in shared memory, which
 * goes with the last of them. Where none is to be had, one of our own. NULL: no memory.
 */
struct breaker_handle {
	struct breaker *b;
	struct breaker own;
	int fd;
	char path[128];
};
struct breaker_handle *breaker_open(const char *name);
void breaker_close(struct breaker_handle **h);
