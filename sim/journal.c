#include "config.h"

#include "sim/journal.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/log.h"
#include "json/strict.h"
#include "json/write.h"

static const char *const event_names[] = {
	[CHANGE_CLOCK] = "clock",
	[CHANGE_READY] = "ready",
	[CHANGE_STEP] = "step",
	[CHANGE_PAY] = "pay",
	[CHANGE_CAPTURE] = "capture",
	[CHANGE_CANCEL] = "cancel",
};
static_assert(sizeof(event_names) / sizeof(event_names[0]) == CHANGE__MAX,
    "each change has its name");

/* -- writing */

static void
add_amount(struct buf *b, const struct amount *a)
{
	json_add_member(b, "amount");
	buf_add_char(b, '{');
	json_add_int_member(b, "total", a->total);
	json_add_int_member(b, "tax_free", a->tax_free);
	json_add_int_member(b, "vat", a->vat);
	json_add_int_member(b, "point", a->point);
	json_add_int_member(b, "discount", a->discount);
	json_add_int_member(b, "green_deposit", a->green_deposit);
	buf_add_char(b, '}');
}

static void
add_order(struct buf *b, const struct order *o)
{
	json_add_str_member(b, "page_id", o->page_id);
	json_add_bool_member(b, "legacy", o->legacy);
	json_add_str_member(b, "cid", o->cid);
	json_add_str_member(b, "partner_order_id", o->partner_order_id);
	json_add_str_member(b, "partner_user_id", o->partner_user_id);
	json_add_str_member(b, "item_name", o->item_name);
	json_add_str_member_if(b, "item_code", o->item_code);
	json_add_str_member(b, "approval_url", o->approval_url);
	json_add_str_member(b, "cancel_url", o->cancel_url);
	json_add_str_member(b, "fail_url", o->fail_url);
	json_add_str_member_if(b, "method", o->method);
	json_add_int_member(b, "quantity", o->quantity);
	json_add_int_member(b, "install_month", o->install_month);
	json_add_int_member(b, "at_ms", o->created_ms);
	add_amount(b, &o->amount);
}

/* A capture or a cancel: money that moved. */
static void
add_movement(struct buf *b, const struct change *c)
{
	json_add_str_member(b, "aid", c->aid);
	json_add_str_member_if(b, "sid", c->sid);
	if (c->payload != NULL)
		json_add_str_member(b, "payload", c->payload);
	json_add_int_member(b, "at_ms", c->at_ms);
	json_add_int_member(b, "real_ms", c->real_ms);
}

static void
add_change(struct buf *b, const struct change *c)
{
	switch (c->kind) {
	case CHANGE_CLOCK:
		json_add_int_member(b, "offset_ms", c->offset_ms);
		break;
	case CHANGE_READY:
		add_order(b, c->order);
		break;
	case CHANGE_STEP:
		json_add_str_member(b, "status", status_name(c->to));
		json_add_int_member(b, "real_ms", c->real_ms);
		break;
	case CHANGE_PAY:
		json_add_str_member(b, "method", c->method);
		json_add_str_member(b, "pg_token", c->pg_token);
		json_add_int_member(b, "real_ms", c->real_ms);
		break;
	case CHANGE_CAPTURE:
		add_movement(b, c);
		break;
	case CHANGE_CANCEL:
		add_movement(b, c);
		add_amount(b, &c->amount);
		break;
	case CHANGE__MAX:
		break;
	}
}

/* One write for a line. A part of a line is taken back, so that the file holds whole lines only. */
static bool
write_line(struct journal *j, const struct buf *b, struct error *err)
{
	off_t end = lseek(j->fd, 0, SEEK_END);
	ssize_t n = end < 0 ? -1 : write(j->fd, b->data, b->len);

	if (n == (ssize_t)b->len)
		return true;
	error_sys(err, ERR_INTERNAL, "cannot write the state file");
	if (n > 0 && ftruncate(j->fd, end) != 0)
		error_wrap(err, "and a part of a line stays in it");
	return false;
}

bool
journal_write(struct journal *j, const struct change *c, struct error *err)
{
	struct buf b = BUF_INIT;
	bool done;

	if (j->fd < 0 || j->is_reading)
		return true;
	buf_add_char(&b, '{');
	json_add_str_member(&b, "event", event_names[c->kind]);
	if (c->order != NULL)
		json_add_str_member(&b, "tid", c->order->tid);
	add_change(&b, c);
	buf_add_str(&b, "}\n");
	done = b.bad ? error_set(err, ERR_INTERNAL, "out of memory") : write_line(j, &b, err);
	buf_clear(&b);
	return done;
}

bool
journal_empty(struct journal *j, struct error *err)
{
	return j->fd < 0 || ftruncate(j->fd, 0) == 0 ||
	    error_sys(err, ERR_INTERNAL, "cannot empty the state file");
}

/* -- reading */

/* A member's text, NULL where it is not there. Borrowed from the tree. */
static const char *
text_of(const struct json_object *line, const char *name)
{
	struct json_object *v;

	if (!json_object_object_get_ex(line, name, &v) || !json_object_is_type(v, json_type_string))
		return NULL;
	return json_object_get_string(v);
}

static int64_t
int_of(const struct json_object *line, const char *name)
{
	struct json_object *v;

	return json_object_object_get_ex(line, name, &v) ? json_object_get_int64(v) : 0;
}

static void
fixed_of(const struct json_object *line, const char *name, char *out, size_t cap)
{
	const char *text = text_of(line, name);

	snprintf(out, cap, "%s", text == NULL ? "" : text);
}

/* Copies into *out. A required text that is not there becomes "", so that nobody meets NULL. */
static bool
copy_of(const struct json_object *line, const char *name, bool required, char **out)
{
	const char *text = text_of(line, name);

	if (text == NULL && !required)
		return true;
	*out = strdup(text == NULL ? "" : text);
	return *out != NULL;
}

static void
read_amount(const struct json_object *line, struct amount *a)
{
	struct json_object *v;

	if (!json_object_object_get_ex(line, "amount", &v))
		return;
	a->total = int_of(v, "total");
	a->tax_free = int_of(v, "tax_free");
	a->vat = int_of(v, "vat");
	a->point = int_of(v, "point");
	a->discount = int_of(v, "discount");
	a->green_deposit = int_of(v, "green_deposit");
}

static bool
read_order(const struct json_object *line, struct order *o, struct error *err)
{
	struct json_object *v;

	if (!copy_of(line, "partner_order_id", true, &o->partner_order_id) ||
	    !copy_of(line, "partner_user_id", true, &o->partner_user_id) ||
	    !copy_of(line, "item_name", true, &o->item_name) ||
	    !copy_of(line, "item_code", false, &o->item_code) ||
	    !copy_of(line, "approval_url", true, &o->approval_url) ||
	    !copy_of(line, "cancel_url", true, &o->cancel_url) ||
	    !copy_of(line, "fail_url", true, &o->fail_url))
		return error_set(err, ERR_INTERNAL, "out of memory");
	fixed_of(line, "tid", o->tid, sizeof(o->tid));
	fixed_of(line, "page_id", o->page_id, sizeof(o->page_id));
	fixed_of(line, "cid", o->cid, sizeof(o->cid));
	fixed_of(line, "method", o->method, sizeof(o->method));
	o->method_fixed = o->method[0] != '\0';
	o->legacy = json_object_object_get_ex(line, "legacy", &v) && json_object_get_boolean(v);
	o->quantity = int_of(line, "quantity");
	o->install_month = int_of(line, "install_month");
	o->created_ms = int_of(line, "at_ms");
	read_amount(line, &o->amount);
	return true;
}

static bool
read_kind(const struct json_object *line, struct change *c, struct error *err)
{
	const char *event = text_of(line, "event");

	if (event == NULL)
		return error_set(err, ERR_INPUT, "no event");
	for (size_t i = 0; i < CHANGE__MAX; i++)
		if (strcmp(event, event_names[i]) == 0) {
			c->kind = (enum change_kind)i;
			return true;
		}
	return error_set(err, ERR_INPUT, "unknown event %s", event);
}

/* All but the order of a READY. */
static bool
read_change(const struct json_object *line, struct change *c, struct error *err)
{
	const char *word = text_of(line, "status");

	if (!read_kind(line, c, err))
		return false;
	if (c->kind == CHANGE_STEP && (word == NULL || !status_parse(word, &c->to)))
		return error_set(err, ERR_INPUT, "no status");
	fixed_of(line, "tid", c->tid, sizeof(c->tid));
	fixed_of(line, "method", c->method, sizeof(c->method));
	fixed_of(line, "pg_token", c->pg_token, sizeof(c->pg_token));
	fixed_of(line, "aid", c->aid, sizeof(c->aid));
	fixed_of(line, "sid", c->sid, sizeof(c->sid));
	c->payload = text_of(line, "payload");
	c->at_ms = int_of(line, "at_ms");
	c->real_ms = int_of(line, "real_ms");
	c->offset_ms = int_of(line, "offset_ms");
	read_amount(line, &c->amount);
	return true;
}

static bool
redo_line(const char *text, size_t len, journal_redo *redo, void *ctx, struct error *err)
{
	struct change c = { .order = NULL };
	struct json_object *line = NULL;
	bool done = false;

	if (!strict_parse_object(text, len, STRICT_DEPTH, &line, err))
		return false;
	if (!read_change(line, &c, err))
		goto out;
	if (c.kind == CHANGE_READY && (c.order = order_new()) == NULL) {
		error_set(err, ERR_INTERNAL, "out of memory");
		goto out;
	}
	done = (c.order == NULL || read_order(line, c.order, err)) && redo(ctx, &c, err);
out:
	order_free(&c.order);
	json_object_put(line);
	return done;
}

static bool
redo_file(struct journal *j, FILE *f, journal_redo *redo, void *ctx, struct error *err)
{
	char *line = NULL;
	size_t cap = 0, n = 0;
	off_t whole = 0;
	bool done = false;
	ssize_t len;

	while ((len = getline(&line, &cap, f)) > 0) {
		if (line[len - 1] != '\n') {
			log_event(LOG_LEVEL_WARN, "state_cut", KV_INT("line", n + 1),
			    KV_INT("bytes", len));
			if (ftruncate(j->fd, whole) != 0) {
				error_sys(err, ERR_INTERNAL, "cannot cut the unfinished line %zu",
				    n + 1);
				goto out;
			}
			break;
		}
		n++;
		whole += len;
		if (!redo_line(line, (size_t)len - 1, redo, ctx, err)) {
			error_wrap(err, "line %zu", n);
			goto out;
		}
	}
	done = !ferror(f) || error_sys(err, ERR_INTERNAL, "cannot read");
out:
	free(line);
	return done;
}

bool
journal_open(struct journal *j, const char *path, journal_redo *redo, void *ctx, struct error *err)
{
	FILE *f = NULL;
	bool done;
	int fd;

	j->fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (j->fd < 0)
		return error_sys(err, ERR_INPUT, "cannot open %s", path);
	if (flock(j->fd, LOCK_EX | LOCK_NB) != 0)
		return error_sys(err, errno == EWOULDBLOCK ? ERR_BUSY : ERR_INTERNAL,
		    "cannot lock %s", path);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	f = fd < 0 ? NULL : fdopen(fd, "r");
	if (f == NULL) {
		error_sys(err, ERR_INTERNAL, "cannot read %s", path);
		if (fd >= 0)
			close(fd);
		return false;
	}
	j->is_reading = true;
	done = redo_file(j, f, redo, ctx, err) || error_wrap(err, "%s", path);
	j->is_reading = false;
	fclose(f);
	return done;
}

void
journal_close(struct journal *j)
{
	if (j->fd >= 0)
		close(j->fd);
	j->fd = -1;
}
