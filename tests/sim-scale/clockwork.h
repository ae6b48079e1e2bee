/* Simulated time: what happens next, and random numbers that are the same on every machine. */
#pragma once

#include <stdint.h>

struct clockwork;
typedef void clockwork_fn(void *ctx);

struct clockwork *clockwork_new(void);
void clockwork_free(struct clockwork **c);
int64_t clockwork_now_us(const struct clockwork *c);
/* Calls fn at that time, or now if it is over. What is due at the same time is called in the order
 * of these calls. */
void clockwork_at(struct clockwork *c, int64_t at_us, clockwork_fn *fn, void *ctx);
void clockwork_run(struct clockwork *c, int64_t until_us);

struct dice {
	uint64_t x;
};
uint64_t dice_roll(struct dice *d);
uint64_t dice_below(struct dice *d, uint64_t n);
double dice_unit(struct dice *d); /* 0 <= x < 1 */
/* Time until the next of events that come at random, so many a second. */
int64_t dice_gap_us(struct dice *d, double a_second);

/* Times in microseconds, counted in buckets that are 3 % wide. */
enum { TIMES_BUCKETS = 1600 };
struct times {
	int64_t n, bucket[TIMES_BUCKETS];
};
void times_add(struct times *t, int64_t us);
double times_quantile_ms(const struct times *t, double share);
