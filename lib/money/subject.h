/* Whose payment: what names one attempt wherever it goes. */
#pragma once

#include "site/limit.h"

struct subject {
	char cid[CID_CAP];     /* merchant */
	char order[ORDER_CAP]; /* partner_order_id */
	char user[USER_CAP];   /* userId */
	char room[ROOM_CAP];   /* roomId */
	char tid[TID_CAP];     /* of the attempt; "": none */
};
