/*
 * KakaoPay as the tests of the flows play it. It keeps the truth: what was captured and refunded of
 * each tid, and how often it was asked. Each of its calls is a step (flow_steps.h). The tids are
 * T1, T2, ... in the order of the ready calls; each is a payment of 2200 won.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "money/attempt.h"
#include "provider/provider.h"

enum { TIDS = 16, NOT_TAKEN = false, TAKEN = true };

struct kakao {
	/* what comes next: see kakao_answers */
	enum provider_outcome answer, ready_answer;
	bool commits;
	int64_t code;
	bool checks_token; /* the token of T1 is "T1", any other is refused */
	/* what an inquiry shows */
	bool inquiry_silent, strange, wrong_total;
	bool inquiry_lags;		 /* what was captured is not seen yet */
	enum provider_status pending_as; /* while nothing was captured */
	/* how often it was asked */
	int readies, approves, inquiries, cancels;
	struct provider_approve last;
	/* the truth, by the number in the tid */
	bool captured[TIDS];
	int64_t canceled[TIDS]; /* won */
	char order[TIDS][ORDER_CAP];
	int captures, cancels_done;
	int gone; /* cancels that were carried out under the refundId "gone" */
	/* may fail the test: called before money moves */
	void (*before_capture)(const char *tid);
	void (*before_cancel)(const char *tid);
};
extern struct kakao kakao;
extern bool kakao_is_asked; /* an approve or cancel has reached it, its answer is on the way */
extern struct provider kakao_provider;

void kakao_reset(void);
/* The answer to an approve or cancel from now on, and whether the money moves (TAKEN). */
void kakao_answers(enum provider_outcome answer, bool commits);
int kakao_captures_of(const char *order);
