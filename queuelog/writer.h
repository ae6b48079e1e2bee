/* The thread that appends, one document at a time, and that answers barriers. */
#pragma once

#include "queuelog/state.h"

struct writer;

struct writer *writer_start(struct state *s);
/* Takes over the frame, which it frees. Waits while the one before it is under way. */
void writer_give(struct writer *w, char *frame, size_t size);
