/* The records that are stored, beside those of lib/money. shape.h says how each becomes a document.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "money/payment.h"
#include "money/subject.h"
#include "site/limit.h"

enum store_put { STORE_OURS, STORE_TAKEN };
enum { MESSAGE_ID_CAP = 160 };

/*
 * A work item: something may be under way for this tid. _id = "<tid>#<n>". Only the writer who is
 * about to take order#n puts it, and its id never comes again.
 */
struct store_work {
	struct subject of;
	int64_t n; /* the ledger number that its writer is about to take */
	int64_t at_ms;
	int64_t deadline_ms; /* wall: by then its writer has taken the number, or given up */
	uint64_t hold_id;
};

/* A message that is owed. _id = the webhook-id, "<type>.<tid>[.<more>]": it never changes. */
struct store_message {
	char id[MESSAGE_ID_CAP];
	char type[33]; /* payment.approved, queue.removed, payment.resolved, payment.refunded */
	char peer[17]; /* reservation, gateway */
	char tid[TID_CAP];
	int64_t at_ms;	  /* wall: owed since */
	char *body;	  /* JSON {type, timestamp, data}; heap */
	int64_t again_ms; /* wall: an operator asked for one more try; 0: nobody did */
	/* filled by store_outbox_tries, from `deliveries` */
	int64_t tries;
	int64_t last_try_ms;   /* wall; 0: none */
	int64_t not_before_ms; /* as the last try says */
};
void store_message_clear(struct store_message *m);

/* One try of a delivery. _id = "<message id>#<number>": who inserts it has claimed the try. */
struct store_try {
	char message_id[MESSAGE_ID_CAP];
	int64_t number; /* 1, 2, ... */
	int64_t at_ms;
	char by[64]; /* the courier that claimed it */
	bool ended, acknowledged;
	bool withdrawn;	       /* not a try: the message is owed no more, and nobody sends it */
	int64_t status;	       /* HTTP; 0: no answer */
	int64_t not_before_ms; /* wall: the receiver's Retry-After; 0: it gave none */
	char error[200];
};

/* A replay key leads to the order whose attempt answers the same call for ever. */
struct store_replay {
	char key[KEY_CAP], cid[CID_CAP], partner_order_id[ORDER_CAP];
	int64_t n;
};

/* Where a page of the history ended. */
struct store_mark {
	int64_t approved_at_ms;
	char tid[TID_CAP];
};
/* What a page of the history asks for; "" and 0: not asked for. */
struct store_history {
	char user_id[USER_CAP], partner_order_id[ORDER_CAP], room_id[ROOM_CAP];
	const char *const *cids; /* of one of these; borrowed */
	size_t n_cids;
	int64_t from_ms, to_ms;	 /* from <= approved_at < to */
	struct store_mark after; /* behind this payment; tid "": from the newest */
	size_t limit;		 /* 1 or more */
	bool refunds;		 /* set by store_refunds */
};

/* A document in `payments` that another program wrote. */
struct store_foreign {
	char id[25];	     /* _id, in hex */
	int64_t inserted_ms; /* as the _id says */
	uint32_t lacks;	     /* bits: store_foreign_member */
	struct payment payment;
};
const char *store_foreign_member(unsigned bit); /* "amount.point"; NULL: after the last */
#define STORE_SET_ASIDE "payments_twice"	/* where those go that stand there twice */
struct store_foreign_page {
	struct store_foreign *list; /* free */
	size_t n, seen;		    /* seen: with ours; 0: it is the end */
	char last_id[25];	    /* "" before the first page */
};
