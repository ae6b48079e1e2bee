/* How often GET /orders may ask KakaoPay about a hold that waits for its user. No I/O. */
#pragma once

#include <stdint.h>

enum {
	INQUIRY_OF_HOLD_MS = 60000, /* the same hold again */
	INQUIRY_OF_ANY_MS = 1000,   /* any hold: so a slow KakaoPay takes one worker, not all */
	INQUIRY_KEPT = INQUIRY_OF_HOLD_MS / INQUIRY_OF_ANY_MS,
};

struct inquiry_limit {
	struct {
		uint64_t id; /* 0: none */
		int64_t boot_ms;
	} kept[INQUIRY_KEPT]; /* no more fit into the longer time */
	unsigned newest;
};

/* 0: granted, and noted. Else the ms after which it may be asked for again. */
int64_t inquiry_limit_take(struct inquiry_limit *l, uint64_t id, int64_t boot_ms);
