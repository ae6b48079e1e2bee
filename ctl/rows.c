#include "config.h"

#include "ctl/rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/text.h"
#include "json/write.h"

enum { COLUMNS_MAX = 16 };

void
rows_add(struct rows *r, const char *const *cells)
{
	if (r->n + r->n_columns > r->cap) {
		size_t cap = r->cap == 0 ? 16 * r->n_columns : 2 * r->cap;
		char **more = realloc(r->cells, cap * sizeof(*more));

		if (more == NULL) {
			r->bad = true;
			return;
		}
		r->cells = more;
		r->cap = cap;
	}
	for (size_t i = 0; i < r->n_columns; i++) {
		r->cells[r->n] = strdup(cells[i]);
		r->bad = r->bad || r->cells[r->n] == NULL;
		r->n++;
	}
}

/* Columns that a terminal takes for it: Hangul and its like take two. */
static size_t
width_of(const char *text)
{
	const unsigned char *p = (const unsigned char *)text;
	size_t n = 0;

	for (; *p != '\0'; p++)
		if ((*p & 0xc0) != 0x80)
			n += *p >= 0xe1 && *p < 0xf8 ? 2 : 1;
	return n;
}

/* Cells come here visible: no escape of a stranger's reaches the terminal. */
static void
print_cell(const char *text, size_t width, bool right, bool last)
{
	size_t w = width_of(text), pad = width > w ? width - w : 0;

	if (right)
		printf("%*s", (int)pad, "");
	fputs(text, stdout);
	if (!right && !last)
		printf("%*s", (int)pad, "");
	fputs(last ? "\n" : "  ", stdout);
}

static void
print_table(const struct rows *r)
{
	size_t width[COLUMNS_MAX];

	for (size_t c = 0; c < r->n_columns; c++) {
		width[c] = width_of(r->columns[c] + (r->columns[c][0] == '#'));
		for (size_t i = c; i < r->n; i += r->n_columns)
			if (width_of(r->cells[i]) > width[c])
				width[c] = width_of(r->cells[i]);
	}
	for (size_t c = 0; c < r->n_columns; c++)
		print_cell(r->columns[c] + (r->columns[c][0] == '#'), width[c], r->columns[c][0] == '#', c + 1 == r->n_columns);
	for (size_t i = 0; i < r->n; i++)
		print_cell(r->cells[i], width[i % r->n_columns], r->columns[i % r->n_columns][0] == '#', i % r->n_columns + 1 == r->n_columns);
}

static bool
make_visible(struct rows *r)
{
	for (size_t i = 0; i < r->n; i++) {
		struct buf b = BUF_INIT;

		if (!text_has_hidden(r->cells[i]))
			continue;
		text_add_visible(&b, r->cells[i]);
		if (b.bad) {
			buf_clear(&b);
			return false;
		}
		free(r->cells[i]);
		r->cells[i] = buf_take(&b);
	}
	return true;
}

static bool
print_json(const struct rows *r)
{
	struct buf b = BUF_INIT;
	bool ok;

	buf_add_char(&b, '[');
	for (size_t i = 0; i < r->n; i++) {
		size_t c = i % r->n_columns;

		if (c == 0)
			buf_add_str(&b, i > 0 ? ",\n{" : "{");
		if (r->columns[c][0] == '#')
			json_add_raw_member(&b, r->columns[c] + 1, r->cells[i]);
		else
			json_add_str_member(&b, r->columns[c], r->cells[i]);
		if (c + 1 == r->n_columns)
			buf_add_char(&b, '}');
	}
	buf_add_str(&b, "]");
	ok = !b.bad && puts(buf_str(&b)) >= 0;
	buf_clear(&b);
	return ok;
}

bool
rows_print(struct rows *r, bool json, const char *none)
{
	bool ok = !r->bad && (json || make_visible(r));

	if (ok && json)
		ok = print_json(r);
	else if (ok && r->n == 0)
		puts(none);
	else if (ok)
		print_table(r);
	for (size_t i = 0; i < r->n; i++)
		free(r->cells[i]);
	free(r->cells);
	r->cells = NULL;
	r->n = r->cap = 0;
	return ok;
}
