/* The state file: a JSON line for each change. A line is written before anybody sees its change,
 * and read again at the next start. So the state survives the end of the program, even by kill -9.
 * It is not synced: a simulator need not survive its machine. state.c carries changes out; this
 * only reads and writes them. */
#pragma once

#include "base/error.h"
#include "sim/order.h"

struct journal {
	int fd;		 /* -1: nothing is kept */
	bool is_reading; /* a change that was just read is not written again */
};

enum change_kind {
	CHANGE_CLOCK,
	CHANGE_READY,
	CHANGE_STEP,
	CHANGE_PAY,
	CHANGE_CAPTURE,
	CHANGE_CANCEL,
	CHANGE__MAX
};

struct change {
	enum change_kind kind;
	struct order *order;		       /* when it is written: of every kind but CLOCK */
	char tid[SIM_ID_CAP];		       /* when it was read: of whom */
	int64_t at_ms, real_ms;		       /* by the simulated clock and by the system's */
	int64_t offset_ms;		       /* CLOCK */
	enum status to;			       /* STEP */
	char method[8], pg_token[SIM_ID_CAP];  /* PAY */
	char aid[SIM_ID_CAP], sid[SIM_ID_CAP]; /* CAPTURE; CANCEL has no sid */
	const char *payload;  /* CAPTURE, CANCEL; NULL: none. Borrowed for the call */
	struct amount amount; /* CANCEL */
};

/* Carries out a change that was read. It takes over the order of a READY and sets c->order to NULL.
 */
typedef bool journal_redo(void *ctx, struct change *c, struct error *err);

/* Locks the file, reads it, and keeps it open. An unfinished last line is cut off. ERR_INPUT: this
 * is no state file; the message names the line. ERR_BUSY: another simulator has it. */
bool journal_open(struct journal *j, const char *path, journal_redo *redo, void *ctx,
    struct error *err) __attribute__((warn_unused_result));
void journal_close(struct journal *j);
bool journal_empty(struct journal *j, struct error *err) __attribute__((warn_unused_result));
/* Writes one line; does nothing where no file is kept. */
bool journal_write(struct journal *j, const struct change *c, struct error *err)
    __attribute__((warn_unused_result));
