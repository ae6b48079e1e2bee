/* What a command lists: a table for people, a JSON array of objects for programs. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct rows {
	const char *const *columns;	/* "tid", "#total": with # a number in JSON; the table shows it at the right */
	size_t n_columns;
	char **cells;			/* n_columns each */
	size_t n, cap;			/* cells */
	bool bad;			/* no memory */
};

#define ROWS(names) { .columns = (names), .n_columns = sizeof(names) / sizeof((names)[0]) }
void rows_add(struct rows *r, const char *const *cells);	/* n_columns of them; copied */
/* Prints all, and empties. False: no memory, or stdout is gone. `none`: a sentence for people where there is no row. */
bool rows_print(struct rows *r, bool json, const char *none);
