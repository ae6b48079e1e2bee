/* Faults on demand, each a rule for one kind of call, and latencies.
 * src: KakaoPay API notes, faults; doc/simulator.md */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "sim/state.h"
#include "site/limit.h"

enum call { CALL_READY, CALL_APPROVE, CALL_CANCEL, CALL_ORDER, CALL_PAGE, CALL__MAX };
const char *call_name(enum call c);
bool call_parse(const char *word, enum call *c);

enum fault_kind {
	FAULT_NONE,
	FAULT_DELAY,
	FAULT_CLOSE_BEFORE,
	FAULT_CLOSE_AFTER,
	FAULT_RESET,
	FAULT_RESET_AFTER,
	FAULT_HTTP_500,
	FAULT_HTTP_503,
	FAULT_HTML_502,
	FAULT_EMPTY_BODY,
	FAULT_TRUNCATED_JSON,
	FAULT_ERROR,
	FAULT_USER_LOCKED,
	FAULT_BANK_FIRM_UNKNOWN,
	FAULT_CARD_REFUSED,
	FAULT_EXTRA_MEMBERS,
	FAULT_MISSING_MEMBERS,
	FAULT_UNKNOWN_STATUS,
	FAULT_WRONG_TOTAL,
	FAULT_WRONG_TAX_FREE,
	FAULT_WRONG_VAT,
	FAULT_WRONG_QUANTITY,
	FAULT_WRONG_PARTNER_ORDER_ID,
	FAULT_WRONG_PARTNER_USER_ID,
	FAULT_WRONG_TID,
	FAULT_WRONG_CID,
	FAULT_DUPLICATE_REDIRECT,
	FAULT_NO_REDIRECT,
	FAULT__MAX
};
const char *fault_name(enum fault_kind k);
bool fault_parse(const char *word, enum fault_kind *k);
/* The call is carried out, and only its answer is wrong. */
bool fault_lets_through(enum fault_kind k);
bool fault_fits(enum fault_kind k, enum call c);

struct fault {
	unsigned id; /* 1, 2, ... in the order of adding */
	enum fault_kind kind;
	enum call call;
	bool after_commit;    /* the call is done first, then the fault */
	int64_t delay_ms;     /* before the call is done, or after it with after_commit */
	int64_t code;	      /* of FAULT_ERROR */
	char method_code[33]; /* of its extras; "": the usual one */
	char tid[SIM_ID_CAP]; /* "": any */
	char partner_order_id[ORDER_CAP]; /* "": any */
	int64_t times;			  /* left; 0: without end */
	double share;			  /* of the calls that fit: 0..1 */
	uint64_t random;		  /* each rule has its own sequence */
	int64_t hits;
};

enum { FAULTS_MAX = 256 };
struct faults {
	struct fault rules[FAULTS_MAX];
	size_t n;
	unsigned last_id;
	uint64_t seed;
	int64_t latency_ms[CALL__MAX]; /* before each such call is done */
};

void faults_init(struct faults *f, uint64_t seed);
/* Fill in *r but for id, random and hits. ERR_BUSY: there are too many rules. */
bool faults_add(struct faults *f, const struct fault *r, unsigned *id, struct error *err)
    __attribute__((warn_unused_result));
size_t faults_clear(struct faults *f); /* the rules; latencies stay */
/* Finds the first rule for this call and uses it up by one. *hit stays FAULT_NONE if none applies.
 */
void faults_pick(struct faults *f, enum call call, const char *tid, const char *partner_order_id,
    struct fault *hit);
