/* Answers: lines into a peer's buffer. The peer has news from then on. To say something to NULL
 * does nothing: the client is gone. */
#pragma once

#include "queued/state.h"

void say(struct commands *c, struct peer *p, const struct proto_message *m);
/* A line that is already formatted. */
void say_line(struct commands *c, struct peer *p, const struct buf *line);
/* WORD message=MESSAGE; message "": WORD alone. */
void say_message(struct commands *c, struct peer *p, const char *tag, const char *word,
    const char *message);
void say_wait(struct commands *c, struct peer *p, const char *tag);
/* failure: why the call failed that it waited for; "": not known. */
void say_in_progress(struct commands *c, struct peer *p, const char *tag, const char *failure);
void say_pokes(struct commands *c, struct peer *p, const char *tag);
