#include "config.h"

#include "sim/journal.h"

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

/* -- writing */

/* One write a line. A part of a line is taken back, so that the file stays one of whole lines. */
static bool
put(struct state *s, struct buf *b, struct error *err)
{
	bool done = false;
	off_t end;
	ssize_t n;

	buf_add_str(b, "}\n");
	if (b->bad) {
		error_set(err, ERR_INTERNAL, "out of memory");
		goto out;
	}
	end = lseek(s->fd, 0, SEEK_END);
	n = end < 0 ? -1 : write(s->fd, b->data, b->len);
	done = n == (ssize_t)b->len;
	if (!done) {
		error_sys(err, ERR_INTERNAL, "cannot write the state file");
		if (n > 0 && ftruncate(s->fd, end) != 0)
			error_wrap(err, "and a part of a line stays in it");
	}
out:
	buf_clear(b);
	return done;
}

/* False: there is nothing to write to. */
static bool
begin(struct state *s, struct buf *b, const char *event, const char *tid)
{
	if (s->fd < 0 || s->is_replaying)
		return false;
	buf_add_char(b, '{');
	json_add_str_member(b, "event", event);
	if (tid != NULL)
		json_add_str_member(b, "tid", tid);
	return true;
}

static void
add_text(struct buf *b, const char *name, const char *text)
{
	if (text != NULL && text[0] != '\0')
		json_add_str_member(b, name, text);
}

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

bool
journal_clock(struct state *s, int64_t offset_ms, struct error *err)
{
	struct buf b = BUF_INIT;

	if (!begin(s, &b, "clock", NULL))
		return true;
	json_add_int_member(&b, "offset_ms", offset_ms);
	return put(s, &b, err);
}

bool
journal_ready(struct state *s, const struct order *o, struct error *err)
{
	struct buf b = BUF_INIT;

	if (!begin(s, &b, "ready", o->tid))
		return true;
	json_add_str_member(&b, "page_id", o->page_id);
	json_add_bool_member(&b, "legacy", o->legacy);
	json_add_str_member(&b, "cid", o->cid);
	json_add_str_member(&b, "partner_order_id", o->partner_order_id);
	json_add_str_member(&b, "partner_user_id", o->partner_user_id);
	json_add_str_member(&b, "item_name", o->item_name);
	add_text(&b, "item_code", o->item_code);
	json_add_str_member(&b, "approval_url", o->approval_url);
	json_add_str_member(&b, "cancel_url", o->cancel_url);
	json_add_str_member(&b, "fail_url", o->fail_url);
	add_text(&b, "method", o->method);
	json_add_int_member(&b, "quantity", o->quantity);
	json_add_int_member(&b, "install_month", o->install_month);
	json_add_int_member(&b, "at_ms", o->created_ms);
	add_amount(&b, &o->amount);
	return put(s, &b, err);
}

bool
journal_step(struct state *s, const struct order *o, enum status to, int64_t real_ms, struct error *err)
{
	struct buf b = BUF_INIT;

	if (!begin(s, &b, "step", o->tid))
		return true;
	json_add_str_member(&b, "status", status_name(to));
	json_add_int_member(&b, "real_ms", real_ms);
	return put(s, &b, err);
}

bool
journal_pay(struct state *s, const struct order *o, const char *method, const char *pg_token, int64_t real_ms, struct error *err)
{
	struct buf b = BUF_INIT;

	if (!begin(s, &b, "pay", o->tid))
		return true;
	json_add_str_member(&b, "method", method);
	json_add_str_member(&b, "pg_token", pg_token);
	json_add_int_member(&b, "real_ms", real_ms);
	return put(s, &b, err);
}

bool
journal_capture(struct state *s, const struct order *o, const struct capture *c, struct error *err)
{
	struct buf b = BUF_INIT;

	if (!begin(s, &b, "capture", o->tid))
		return true;
	json_add_str_member(&b, "aid", c->aid);
	add_text(&b, "sid", c->sid);
	if (c->payload != NULL)
		json_add_str_member(&b, "payload", c->payload);
	json_add_int_member(&b, "at_ms", c->at_ms);
	json_add_int_member(&b, "real_ms", c->real_ms);
	return put(s, &b, err);
}

bool
journal_cancel(struct state *s, const struct order *o, const struct cancel *c, struct error *err)
{
	struct buf b = BUF_INIT;

	if (!begin(s, &b, "cancel", o->tid))
		return true;
	json_add_str_member(&b, "aid", c->aid);
	if (c->payload != NULL)
		json_add_str_member(&b, "payload", c->payload);
	json_add_int_member(&b, "at_ms", c->at_ms);
	json_add_int_member(&b, "real_ms", c->real_ms);
	add_amount(&b, &c->amount);
	return put(s, &b, err);
}

bool
journal_empty(struct state *s, struct error *err)
{
	return s->fd < 0 || ftruncate(s->fd, 0) == 0 || error_sys(err, ERR_INTERNAL, "cannot empty the state file");
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
redo_ready(struct state *s, const struct json_object *line, struct error *err)
{
	struct order *o = order_new(), *added;
	struct json_object *v;
	bool done = false;

	if (o == NULL || !copy_of(line, "partner_order_id", true, &o->partner_order_id) ||
	    !copy_of(line, "partner_user_id", true, &o->partner_user_id) || !copy_of(line, "item_name", true, &o->item_name) ||
	    !copy_of(line, "item_code", false, &o->item_code) || !copy_of(line, "approval_url", true, &o->approval_url) ||
	    !copy_of(line, "cancel_url", true, &o->cancel_url) || !copy_of(line, "fail_url", true, &o->fail_url)) {
		error_set(err, ERR_INTERNAL, "out of memory");
		goto out;
	}
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
	done = state_add(s, &o, &added, err);
out:
	order_free(&o);
	return done;
}

static bool
redo_step(struct state *s, struct order *o, const struct json_object *line, struct error *err)
{
	const char *word = text_of(line, "status");
	enum status to;

	if (word == NULL || !status_parse(word, &to))
		return error_set(err, ERR_INPUT, "no status");
	return state_step_at(s, o, to, int_of(line, "real_ms"), err);
}

static bool
redo_pay(struct state *s, struct order *o, const struct json_object *line, struct error *err)
{
	char method[8], pg_token[SIM_ID_CAP];

	fixed_of(line, "method", method, sizeof(method));
	fixed_of(line, "pg_token", pg_token, sizeof(pg_token));
	return state_pay_at(s, o, method, pg_token, int_of(line, "real_ms"), err);
}

static bool
redo_capture(struct state *s, struct order *o, const struct json_object *line, struct error *err)
{
	struct capture c = { .payload = text_of(line, "payload"), .at_ms = int_of(line, "at_ms"), .real_ms = int_of(line, "real_ms") };

	fixed_of(line, "aid", c.aid, sizeof(c.aid));
	fixed_of(line, "sid", c.sid, sizeof(c.sid));
	return state_capture_as(s, o, &c, err);
}

static bool
redo_cancel(struct state *s, struct order *o, const struct json_object *line, struct error *err)
{
	struct cancel c = { .payload = (char *)(uintptr_t)text_of(line, "payload"), .at_ms = int_of(line, "at_ms"),
		.real_ms = int_of(line, "real_ms") };

	fixed_of(line, "aid", c.aid, sizeof(c.aid));
	read_amount(line, &c.amount);
	return state_cancel_as(s, o, &c, err);
}

static const struct {
	const char *event;
	bool (*redo)(struct state *, struct order *, const struct json_object *, struct error *);
} events[] = {
	{ "step", redo_step },
	{ "pay", redo_pay },
	{ "capture", redo_capture },
	{ "cancel", redo_cancel },
};

static bool
redo(struct state *s, const struct json_object *line, struct error *err)
{
	const char *event = text_of(line, "event"), *tid = text_of(line, "tid");
	struct order *o;

	if (event == NULL)
		return error_set(err, ERR_INPUT, "no event");
	if (strcmp(event, "ready") == 0)
		return redo_ready(s, line, err);
	if (strcmp(event, "clock") == 0)
		return state_set_clock(s, int_of(line, "offset_ms"), err);
	o = tid == NULL ? NULL : state_find(s, tid);
	if (o == NULL)
		return error_set(err, ERR_INPUT, "unknown tid");
	for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++)
		if (strcmp(event, events[i].event) == 0)
			return events[i].redo(s, o, line, err);
	return error_set(err, ERR_INPUT, "unknown event %s", event);
}

static bool
redo_line(struct state *s, const char *text, size_t len, struct error *err)
{
	struct json_object *line = NULL;
	bool done;

	if (!strict_parse_object(text, len, STRICT_DEPTH, &line, err))
		return false;
	done = redo(s, line, err);
	json_object_put(line);
	return done;
}

static bool
redo_file(struct state *s, FILE *f, struct error *err)
{
	char *line = NULL;
	size_t cap = 0, n = 0;
	off_t whole = 0;
	bool done = false;
	ssize_t len;

	while ((len = getline(&line, &cap, f)) > 0) {
		if (line[len - 1] != '\n') {
			log_event(LOG_LEVEL_WARN, "state_cut", KV_INT("line", n + 1), KV_INT("bytes", len));
			if (ftruncate(s->fd, whole) != 0) {
				error_sys(err, ERR_INTERNAL, "cannot cut the unfinished line %zu", n + 1);
				goto out;
			}
			break;
		}
		n++;
		whole += len;
		if (!redo_line(s, line, (size_t)len - 1, err)) {
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
journal_open(struct state *s, const char *path, struct error *err)
{
	FILE *f = NULL;
	bool done;
	int fd;

	s->fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (s->fd < 0)
		return error_sys(err, ERR_INPUT, "cannot open %s", path);
	if (flock(s->fd, LOCK_EX | LOCK_NB) != 0)
		return error_sys(err, errno == EWOULDBLOCK ? ERR_BUSY : ERR_INTERNAL, "cannot lock %s", path);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	f = fd < 0 ? NULL : fdopen(fd, "r");
	if (f == NULL) {
		error_sys(err, ERR_INTERNAL, "cannot read %s", path);
		if (fd >= 0)
			close(fd);
		return false;
	}
	done = redo_file(s, f, err) || error_wrap(err, "%s", path);
	fclose(f);
	return done;
}
