/* How far a long work is, on a terminal's standard error; elsewhere nothing. */
#pragma once

#include <stddef.h>

void progress_show(const char *what, size_t done, size_t all); /* all: at least done */
void progress_end(void);				       /* wipes the line */
