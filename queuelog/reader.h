/* The thread that follows the log: a change stream, or a poll where the server has none. It also
 * compares the clocks, and looks at the newest snapshot from time to time. */
#pragma once

#include "queuelog/state.h"

/* Begins with what comes after state_last. False: no thread. */
bool reader_start(struct state *s);
