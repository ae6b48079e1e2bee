/*
 * What a command lists: a table for people, JSON for programs. A cell is typed, so that each of the
 * two gets what it needs: a time is "2026-03-05 10:20:30" of Korea in the table and RFC 3339 in UTC
 * in JSON; nothing is "-" in the table and an absent member in JSON.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "ctl/command.h"

enum {
	ROWS_RIGHT = 1, /* at the right of its column: numbers */
	ROWS_WHOLE = 2, /* never shortened: somebody pastes it */
	ROWS_WRAP = 4,	/* of the last column: what does not fit goes on in the next line */
};

struct column {
	const char *member;   /* in JSON; NULL: the column is for people */
	const char *title[2]; /* in the table, English and Korean; NULL: the column is for programs
			       */
	int drop; /* where the table is too wide, the column with the highest goes; 0: none */
	unsigned flags;
};

struct cell {
	enum { CELL_NOTHING, CELL_TEXT, CELL_INT, CELL_TIME, CELL_BOTH } type;
	const char *text;
	const char *json; /* CELL_BOTH: JSON text; NULL: absent */
	int64_t n;
};
struct cell cell_text(const char *text); /* NULL and "" are nothing */
struct cell cell_int(int64_t n);
struct cell cell_time(int64_t wall_ms); /* 0 is nothing */
struct cell cell_both(const char *text, const char *json);

struct rows {
	const struct column *columns;
	size_t n_columns;
	char **table, **json; /* n_columns each; json NULL: absent */
	size_t n, cap;	      /* cells */
	bool bad;	      /* no memory */
};

#define ROWS(of) \
	{ \
		.columns = (of), .n_columns = sizeof(of) / sizeof((of)[0]) \
	}

void rows_add(struct rows *r, const struct cell *cells); /* n_columns of them; copied */
/* An array of the rows, or the members of row i as one object. */
void rows_format(const struct rows *r, struct buf *out);
void rows_format_one(const struct rows *r, size_t i, struct buf *out);
/*
 * Prints all, and empties. A table is no wider than the terminal, 80 columns where there is none,
 * but for --wide; what it leaves out or shortens is said on standard error. False: no memory, or
 * standard output is gone. `none`: a sentence for people where there is no row.
 */
bool rows_print(struct rows *r, const struct options *o, const char *none);
void rows_clear(struct rows *r);
