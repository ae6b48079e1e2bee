/* Answers: lines into a peer's buffer, and who has news for the end of the turn. A peer that is
 * NULL hears nothing. */
#pragma once

#include "queued/state.h"

void say(struct commands *c, struct peer *p, const struct proto_message *m);
/* A line that is already formatted. */
void say_line(struct commands *c, struct peer *p, const struct buf *line);
/* WORD message=MESSAGE, or WORD alone where the message is "". */
void say_message(struct commands *c, struct peer *p, const char *tag, const char *word,
    const char *message);
void say_wait(struct commands *c, struct peer *p, const char *tag);
/* failure: how the call ended that was waited for; "": nobody knows. */
void say_in_progress(struct commands *c, struct peer *p, const char *tag, const char *failure);
void say_pokes(struct commands *c, struct peer *p, const char *tag);
