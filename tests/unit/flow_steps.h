/*
 * The steps of a call: each word to the queue, each write to the store and each request to the
 * provider is one. Any of them can fail, which is what a crash at that step leaves behind. Before
 * any of them a whole other call can run. The linker puts these steps before the real functions
 * (-Wl,--wrap, see FLOW_STEPS), and before the clock.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum { ONCE = 1, FROM_THEN_ON = 1000 };

extern bool queue_is_deaf; /* it hears no outcome and no removal */
extern bool first_is_dead; /* the first call's guard ended it while it stood still */

struct store;

void steps_reset(void);
/* A store in memory. Who comes in between is another process: what the first call has put, and
 * still waits for with a later put, does not change for that. */
struct store *steps_open_store(void);
/* Counts from here on: the next step is number 1. */
void steps_begin(void);
int steps_count(void);

/* These begin to count, too. from 0: none fails. */
void fail_steps(int from, int count);
void fail_no_more(void);
void at_step(int n, void (*intruder)(void));
void no_intruder(void);
/* Inside of the other call: its own steps are not counted and do not fail. */
bool is_intruder(void);

/* A step of what is neither queue nor store. */
void visit_step(void);

/* Everybody's clock. */
void pass_ms(int64_t ms);
int64_t passed_ms(void);
