#include "config.h"

#include "ctl/rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "ctl/lang.h"
#include "json/write.h"

enum { COLUMNS_MAX = 20, NARROW = 80, SHORTEST = 8, WRAPPED = 24, GAP = 2 };

struct cell
cell_text(const char *text)
{
	bool some = text != NULL && text[0] != '\0';

	return (struct cell){ .type = some ? CELL_TEXT : CELL_NOTHING, .text = text };
}

struct cell
cell_int(int64_t n)
{
	return (struct cell){ .type = CELL_INT, .n = n };
}

struct cell
cell_time(int64_t wall_ms)
{
	return (struct cell){ .type = wall_ms != 0 ? CELL_TIME : CELL_NOTHING, .n = wall_ms };
}

struct cell
cell_both(const char *text, const char *json)
{
	return (struct cell){ .type = CELL_BOTH, .text = text, .json = json };
}

/* No escape of a stranger's reaches the terminal. */
static char *
visible(const char *text)
{
	struct buf b = BUF_INIT;

	text_add_visible(&b, text[0] != '\0' ? text : "-");
	return buf_take(&b);
}

static char *
text_of(const struct cell *c)
{
	switch (c->type) {
	case CELL_TEXT:
	case CELL_BOTH:
		return visible(c->text);
	case CELL_INT:
		return strdup(ctl_int(c->n));
	case CELL_TIME:
		return strdup(ctl_kst(c->n));
	case CELL_NOTHING:
		break;
	}
	return strdup("-");
}

/* NULL: absent. */
static char *
json_of(const struct cell *c, bool *bad)
{
	struct buf b = BUF_INIT;
	char iso[CLOCK_ISO_CAP], *json;

	if (c->type == CELL_NOTHING || (c->type == CELL_BOTH && c->json == NULL))
		return NULL;
	if (c->type == CELL_TEXT)
		json_add_string(&b, c->text);
	else if (c->type == CELL_INT)
		buf_add_int(&b, c->n);
	else if (c->type == CELL_BOTH)
		buf_add_str(&b, c->json);
	else {
		clock_format_iso(c->n, iso);
		json_add_string(&b, iso);
	}
	json = buf_take(&b);
	*bad = *bad || json == NULL;
	return json;
}

static bool
make_room(struct rows *r)
{
	size_t cap = r->cap == 0 ? 16 * r->n_columns : 2 * r->cap;
	char **more;

	if (r->n + r->n_columns <= r->cap)
		return true;
	more = reallocarray(r->table, cap, sizeof(*more));
	if (more == NULL)
		return false;
	r->table = more;
	more = reallocarray(r->json, cap, sizeof(*more));
	if (more == NULL)
		return false;
	r->json = more;
	r->cap = cap;
	return true;
}

void
rows_add(struct rows *r, const struct cell *cells)
{
	if (!make_room(r)) {
		r->bad = true;
		return;
	}
	for (size_t i = 0; i < r->n_columns; i++) {
		r->table[r->n] = text_of(&cells[i]);
		r->bad = r->bad || r->table[r->n] == NULL;
		r->json[r->n] = json_of(&cells[i], &r->bad);
		r->n++;
	}
}

/* -- JSON */

void
rows_format_one(const struct rows *r, size_t i, struct buf *out)
{
	const char *const *json = (const char *const *)r->json + i * r->n_columns;

	buf_add_char(out, '{');
	for (size_t c = 0; c < r->n_columns; c++)
		if (r->columns[c].member != NULL && json[c] != NULL)
			json_add_raw_member(out, r->columns[c].member, json[c]);
	buf_add_char(out, '}');
}

void
rows_format(const struct rows *r, struct buf *out)
{
	buf_add_char(out, '[');
	for (size_t i = 0; i < r->n / r->n_columns; i++) {
		buf_add_str(out, i > 0 ? ",\n" : "");
		rows_format_one(r, i, out);
	}
	buf_add_char(out, ']');
}

/* -- the table */

/* Columns that a terminal takes for the character at p: Hangul and its like take two. */
static size_t
width_at(const char *p)
{
	unsigned char c = (unsigned char)*p;

	return (c & 0xc0) == 0x80 ? 0 : c >= 0xe1 && c < 0xf8 ? 2 : 1;
}

static size_t
width_of(const char *text)
{
	size_t n = 0;

	for (; *text != '\0'; text++)
		n += width_at(text);
	return n;
}

/* Bytes of the longest beginning of text that is no wider than width. */
static size_t
fitting(const char *text, size_t width)
{
	const char *p = text;

	for (; *p != '\0' && width_at(p) <= width; p++)
		width -= width_at(p);
	return (size_t)(p - text);
}

static void
print_some(const char *text, size_t len)
{
	fwrite(text, 1, len, stdout);
}

static void
print_cell(const char *text, size_t width, bool right, bool last)
{
	size_t w = width_of(text), pad = width > w ? width - w : 0;

	if (right)
		printf("%*s", (int)pad, "");
	if (w <= width) {
		print_some(text, strlen(text));
	} else { /* too long: a part of it, and an ellipsis */
		size_t len = fitting(text, width - 1);

		print_some(text, len);
		fputs("\u2026", stdout);
		for (pad = width - 1; len > 0; len--)
			pad -= width_at(text + len - 1);
	}
	if (!right && !last)
		printf("%*s", (int)pad, "");
	fputs(last ? "\n" : "  ", stdout);
}

/* The last column, over as many lines as it takes; they break at spaces where there are some. */
static void
print_wrapped(const char *text, size_t width, size_t indent)
{
	for (;;) {
		size_t len = fitting(text, width > 2 ? width : 2), space = len;

		while (text[len] != '\0' && space > 0 && text[space] != ' ')
			space--;
		if (text[len] != '\0' && space > 0)
			len = space;
		print_some(text, len);
		putchar('\n');
		text += len + (text[len] == ' ');
		if (*text == '\0')
			return;
		printf("%*s", (int)indent, "");
	}
}

struct layout {
	size_t width[COLUMNS_MAX];
	bool shown[COLUMNS_MAX];
	bool shortened;
};

/* least: a column that wraps counts as what is comfortable, however long its texts are. */
static size_t
total_of(const struct rows *r, const struct layout *l, bool least)
{
	size_t total = 0;

	for (size_t c = 0; c < r->n_columns; c++) {
		bool wraps = (r->columns[c].flags & ROWS_WRAP) != 0 && l->width[c] > WRAPPED;

		if (l->shown[c])
			total += (least && wraps ? WRAPPED : l->width[c]) + (total > 0 ? GAP : 0);
	}
	return total;
}

/* The column that goes first, or the widest that may be shortened; n_columns: none. */
static size_t
pick(const struct rows *r, const struct layout *l, bool drop)
{
	size_t best = r->n_columns;

	for (size_t c = 0; c < r->n_columns; c++) {
		if (!l->shown[c] ||
		    (drop ? r->columns[c].drop == 0
			  : (r->columns[c].flags & ROWS_WHOLE) != 0 || l->width[c] <= SHORTEST))
			continue;
		if (best == r->n_columns ||
		    (drop ? r->columns[c].drop > r->columns[best].drop
			  : l->width[c] > l->width[best]))
			best = c;
	}
	return best;
}

static void
lay_out(const struct rows *r, struct layout *l, size_t limit)
{
	size_t c;

	*l = (struct layout){ 0 };
	for (c = 0; c < r->n_columns; c++) {
		l->shown[c] = r->columns[c].title[0] != NULL;
		if (!l->shown[c])
			continue;
		l->width[c] = width_of(r->columns[c].title[ctl_is_korean()]);
		for (size_t i = c; i < r->n; i += r->n_columns)
			if (width_of(r->table[i]) > l->width[c])
				l->width[c] = width_of(r->table[i]);
	}
	while (limit > 0 && total_of(r, l, true) > limit && (c = pick(r, l, true)) < r->n_columns)
		l->shown[c] = false;
	while (
	    limit > 0 && total_of(r, l, false) > limit && (c = pick(r, l, false)) < r->n_columns) {
		l->width[c]--;
		l->shortened = l->shortened || (r->columns[c].flags & ROWS_WRAP) == 0;
	}
}

/* 0: as wide as it gets. */
static size_t
limit_of(const struct options *o)
{
	struct winsize size;

	if (o->wide)
		return 0;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
		return size.ws_col;
	return NARROW;
}

static void
print_line(const struct rows *r, const struct layout *l, const char *const *cells)
{
	size_t last = 0, before = 0;

	for (size_t c = 0; c < r->n_columns; c++)
		if (l->shown[c])
			last = c;
	for (size_t c = 0; c <= last; c++) {
		if (!l->shown[c])
			continue;
		if (c == last && (r->columns[c].flags & ROWS_WRAP) != 0)
			print_wrapped(cells[c], l->width[c], before);
		else
			print_cell(cells[c], l->width[c], (r->columns[c].flags & ROWS_RIGHT) != 0,
			    c == last);
		before += l->width[c] + GAP;
	}
}

static void
tell_left_out(const struct rows *r, const struct layout *l)
{
	const char *between = tr("left out: ", "뺀 열: ");
	bool some = false;

	for (size_t c = 0; c < r->n_columns; c++)
		if (!l->shown[c] && r->columns[c].title[0] != NULL) {
			fprintf(stderr, "%s%s", between, r->columns[c].title[ctl_is_korean()]);
			between = ", ";
			some = true;
		}
	if (some || l->shortened)
		fprintf(stderr, "%s%s\n", some ? "; " : "",
		    tr("--wide shows everything", "--wide는 모두 보여 줍니다"));
}

static void
print_table(const struct rows *r, const struct options *o)
{
	const char *titles[COLUMNS_MAX];
	struct layout l;

	lay_out(r, &l, limit_of(o));
	for (size_t c = 0; c < r->n_columns; c++)
		titles[c] = r->columns[c].title[ctl_is_korean()];
	print_line(r, &l, titles);
	for (size_t i = 0; i < r->n; i += r->n_columns)
		print_line(r, &l, (const char *const *)r->table + i);
	fflush(stdout);
	tell_left_out(r, &l);
}

void
rows_clear(struct rows *r)
{
	for (size_t i = 0; i < r->n; i++) {
		free(r->table[i]);
		free(r->json[i]);
	}
	free(r->table);
	free(r->json);
	r->table = r->json = NULL;
	r->n = r->cap = 0;
}

bool
rows_print(struct rows *r, const struct options *o, const char *none)
{
	struct buf b = BUF_INIT;
	bool ok = !r->bad;

	if (ok && o->json) {
		rows_format(r, &b);
		ok = ctl_print(&b);
	} else if (ok && r->n == 0) {
		puts(none);
	} else if (ok) {
		print_table(r, o);
	}
	rows_clear(r);
	return ok;
}
