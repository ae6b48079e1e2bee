/* Requests of the console's API become typed structs, or a list of every field that is wrong. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "fcgi/request.h"
#include "operate/deliver.h"
#include "operate/message.h"
#include "operate/reconcile.h"
#include "operate/settle.h"
#include "operate/settlement.h"

struct console_list {		/* GET payments, GET refunds */
	struct store_history h; /* cids: the handler's to fill */
	char cid[CID_CAP];	/* "": any of the caller's */
	char tid[TID_CAP], state[24];
};
/* payments: tid and state are allowed, too. */
enum request_verdict console_read_list(const char *query, bool payments, struct console_list *out,
    struct field_errors *errors);

struct console_holds { /* GET holds */
	char user[USER_CAP], room[ROOM_CAP], cid[CID_CAP];
	size_t limit;
	uint64_t after; /* the hold that was looked at last; 0: the beginning */
};
enum request_verdict console_read_holds(const char *query, struct console_holds *out,
    struct field_errors *errors);
void console_holds_cursor(uint64_t after, struct buf *out);

struct console_owed { /* GET deliveries */
	char peer[12], state[12];
	struct operate_owed o; /* limit and mark */
};
enum request_verdict console_read_owed(const char *query, struct console_owed *out,
    struct field_errors *errors);
void console_owed_cursor(int64_t at_ms, size_t passed, struct buf *out);

struct console_day { /* GET settlement, GET reconcile */
	char day[11], cid[CID_CAP];
	int64_t from_ms, to_ms;
	struct operate_settlement_mark settlement;
	struct operate_reconcile_mark reconcile;
};
enum request_verdict console_read_settlement(const char *query, struct console_day *out,
    struct field_errors *errors);
void console_settlement_cursor(const struct operate_settlement_mark *m, struct buf *out);
enum request_verdict console_read_reconcile(const char *query, struct console_day *out,
    struct field_errors *errors);
void console_reconcile_cursor(const struct operate_reconcile_mark *m, struct buf *out);

enum console_action {
	CONSOLE_SETTLE,
	CONSOLE_REFUND,
	CONSOLE_RELEASE,
	CONSOLE_RETRY,
	CONSOLE_RETRY_ALL,
	CONSOLE_TEST,
	CONSOLE_ADOPT,
	CONSOLE__MAX
};
struct console_act { /* what the bodies of the actions hold; "" and -1: not given */
	char tid[TID_CAP], id[MESSAGE_ID_CAP], refund_id[REFUND_ID_CAP], reason[REASON_CAP];
	char as[12], peer[12], since[40], cursor[64];
	int64_t amount, tax_free; /* won */
	bool again, dry_run;
	/* of as, since, cursor */
	enum operate_end end;
	int64_t since_ms;
	struct operate_resend_mark mark;
};
/* A reason is required, but in a dry run, and of a test; a refundId likewise. */
enum request_verdict console_read_act(enum console_action what, const char *body, size_t len,
    struct console_act *out, struct field_errors *errors, struct error *err);
