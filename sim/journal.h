/* The state file: JSON lines, one for each change, written before the change is seen and read again at the next start. It survives the end
 * of the program, also by kill -9; it is not flushed to the disk, for a simulator need not survive its machine. */
#pragma once

#include "sim/state.h"

struct capture {
	char aid[SIM_ID_CAP], sid[SIM_ID_CAP];
	const char *payload;	/* NULL: none */
	int64_t at_ms, real_ms;
};

/* Locks the file, reads it into *s, and leaves it open in s->fd. A last line that was not finished is cut off. */
bool journal_open(struct state *s, const char *path, struct error *err) __attribute__((warn_unused_result));
bool journal_empty(struct state *s, struct error *err) __attribute__((warn_unused_result));

/* Each writes one line, or nothing where there is no file or the line is just being read from it. */
bool journal_clock(struct state *s, int64_t offset_ms, struct error *err) __attribute__((warn_unused_result));
bool journal_ready(struct state *s, const struct order *o, struct error *err) __attribute__((warn_unused_result));
bool journal_step(struct state *s, const struct order *o, enum status to, int64_t real_ms, struct error *err)
	__attribute__((warn_unused_result));
bool journal_pay(struct state *s, const struct order *o, const char *method, const char *pg_token, int64_t real_ms, struct error *err)
	__attribute__((warn_unused_result));
bool journal_capture(struct state *s, const struct order *o, const struct capture *c, struct error *err)
	__attribute__((warn_unused_result));
bool journal_cancel(struct state *s, const struct order *o, const struct cancel *c, struct error *err)
	__attribute__((warn_unused_result));

/* What a line that was read does: the changes of state.h with their ids and times given. */
bool state_step_at(struct state *s, struct order *o, enum status to, int64_t real_ms, struct error *err)
	__attribute__((warn_unused_result));
bool state_pay_at(struct state *s, struct order *o, const char *method, const char *pg_token, int64_t real_ms, struct error *err)
	__attribute__((warn_unused_result));
bool state_capture_as(struct state *s, struct order *o, const struct capture *c, struct error *err) __attribute__((warn_unused_result));
bool state_cancel_as(struct state *s, struct order *o, const struct cancel *c, struct error *err) __attribute__((warn_unused_result));
