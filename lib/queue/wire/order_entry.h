/* What the log of orders keeps of one order, and what `remember` tells a queue. */
#pragma once

#include <stdint.h>

#include "booking/hold.h"
#include "site/limit.h"

struct order_entry {
	enum hold_state state;
	char cid[CID_CAP], order[ORDER_CAP], user[USER_CAP], room[ROOM_CAP], tid[TID_CAP];
	char key[KEY_CAP]; /* "": not known here */
	char attempt[ATTEMPT_MAX];
	uint64_t token;
	int64_t n, last_n;
};
