#include "config.h"

#include "sim/dial.h"

#include <json-c/json.h>
#include <string.h>

#include "json/write.h"

enum { MS_MAX = 600000, CLOCK_MAX_S = 1000000000 };

/* -- faults, latency, clock */

struct fault_in {
	char call[16], fault[32], tid[SIM_ID_CAP], partner_order_id[ORDER_CAP], method_code[33];
	int64_t times, delay_ms, code;
	const struct json_object *share, *after_commit;
};
static const struct field_rule fault_rules[] = {
	STR_FIELD(fault_in, call, true, 1, 15, NULL),
	STR_FIELD(fault_in, fault, true, 1, 31, NULL),
	STR_FIELD(fault_in, tid, false, 1, 20, NULL),
	STR_FIELD(fault_in, partner_order_id, false, 1, 100, NULL),
	STR_FIELD(fault_in, method_code, false, 1, 32, NULL),
	INT_FIELD(fault_in, times, false, 0, INT64_MAX),
	INT_FIELD(fault_in, delay_ms, false, 0, MS_MAX),
	INT_FIELD(fault_in, code, false, -99999, -1),
	{ "share", FIELD_ANY, false, 0, 0, FIELD_AT(fault_in, share), NULL },
	{ "after_commit", FIELD_ANY, false, 0, 0, FIELD_AT(fault_in, after_commit), NULL },
};

/* Checks what the rules cannot express. NULL: all is well. */
static const char *
fault_from(const struct fault_in *in, struct fault *f)
{
	if (!call_parse(in->call, &f->call))
		return "/call: ready, approve, cancel, order or page";
	if (!fault_parse(in->fault, &f->kind))
		return "/fault: no such fault";
	if (!fault_fits(f->kind, f->call))
		return "/fault: not on this call";
	if (in->share != NULL) {
		f->share = json_object_get_double(in->share);
		if ((!json_object_is_type(in->share, json_type_double) &&
			!json_object_is_type(in->share, json_type_int)) ||
		    !(f->share >= 0 && f->share <= 1))
			return "/share: a number from 0 to 1";
	}
	if (in->after_commit != NULL && !json_object_is_type(in->after_commit, json_type_boolean))
		return "/after_commit: true or false";
	if (f->kind == FAULT_ERROR && in->code == 0)
		return "/code: error needs one";
	if (f->kind == FAULT_DELAY && in->delay_ms == 0)
		return "/delay_ms: delay needs it";
	f->after_commit = in->after_commit != NULL && json_object_get_boolean(in->after_commit);
	return NULL;
}

void
dial_post_faults(struct control *c)
{
	struct fault_in in = { .times = -1 };
	struct fault f = { .share = 1 };
	struct error err;
	const char *wrong;
	unsigned id;

	if (!READ_BODY(c, fault_rules, &in))
		return;
	wrong = fault_from(&in, &f);
	if (wrong != NULL) {
		control_answer_error(c, 400, wrong);
		return;
	}
	f.times = in.times >= 0 ? in.times : in.share == NULL; /* a share alone: without end */
	f.delay_ms = in.delay_ms;
	f.code = in.code;
	memcpy(f.tid, in.tid, sizeof(f.tid));
	memcpy(f.partner_order_id, in.partner_order_id, sizeof(f.partner_order_id));
	memcpy(f.method_code, in.method_code, sizeof(f.method_code));
	if (!faults_add(&c->sim->faults, &f, &id, &err)) {
		control_answer_failure(c, &err);
		return;
	}
	buf_printf(c->out, "{\"id\":%u}", id);
	control_answer(c, 200);
}

static void
write_fault(struct buf *out, const struct fault *f)
{
	control_separate(out);
	buf_add_char(out, '{');
	json_add_int_member(out, "id", f->id);
	json_add_str_member(out, "call", call_name(f->call));
	json_add_str_member(out, "fault", fault_name(f->kind));
	json_add_bool_member(out, "after_commit", f->after_commit);
	json_add_int_member(out, "delay_ms", f->delay_ms);
	json_add_int_member(out, "code", f->code);
	json_add_str_member(out, "tid", f->tid);
	json_add_str_member(out, "partner_order_id", f->partner_order_id);
	json_add_int_member(out, "times", f->times);
	json_add_member(out, "share");
	buf_printf(out, "%g", f->share);
	json_add_int_member(out, "hits", f->hits);
	buf_add_char(out, '}');
}

void
dial_add_faults(struct control *c)
{
	json_add_member(c->out, "faults");
	buf_add_char(c->out, '[');
	for (size_t i = 0; i < c->sim->faults.n; i++)
		write_fault(c->out, &c->sim->faults.rules[i]);
	buf_add_char(c->out, ']');
}

void
dial_get_faults(struct control *c)
{
	buf_add_char(c->out, '{');
	dial_add_faults(c);
	buf_add_char(c->out, '}');
	control_answer(c, 200);
}

void
dial_delete_faults(struct control *c)
{
	buf_printf(c->out, "{\"removed\":%zu}", faults_clear(&c->sim->faults));
	control_answer(c, 200);
}

struct latency_in {
	char call[16];
	int64_t ms;
};
static const struct field_rule latency_rules[] = {
	STR_FIELD(latency_in, call, true, 1, 15, NULL),
	INT_FIELD(latency_in, ms, true, 0, MS_MAX),
};

void
dial_post_latency(struct control *c)
{
	struct latency_in in = { .ms = 0 };
	enum call call;

	if (!READ_BODY(c, latency_rules, &in))
		return;
	if (!call_parse(in.call, &call)) {
		control_answer_error(c, 400, "/call: ready, approve, cancel, order or page");
		return;
	}
	c->sim->faults.latency_ms[call] = in.ms;
	control_answer_ok(c);
}

struct clock_in {
	int64_t offset_s;
};
static const struct field_rule clock_rules[] = { INT_FIELD(clock_in, offset_s, true, -CLOCK_MAX_S,
    CLOCK_MAX_S) };

void
dial_post_clock(struct control *c)
{
	struct clock_in in = { 0 };
	struct error err;

	if (!READ_BODY(c, clock_rules, &in))
		return;
	if (state_set_clock(&c->sim->state, in.offset_s * 1000, &err))
		control_answer_ok(c);
	else
		control_answer_failure(c, &err);
}

/* -- what is not established */

enum switch_kind { SWITCH_BOOL, SWITCH_INT };
/* clang-format off */
static const struct {
	const char *name;
	enum switch_kind kind;
	size_t offset;
	int64_t min, max;
} switches[] = {
	{ "replayed_approve",		SWITCH_INT,  offsetof(struct unsure, replayed_approve), -799, -701 },
	{ "inquiry_lag_s",		SWITCH_INT,  offsetof(struct unsure, inquiry_lag_s), 0, 60 },
	{ "inquiry_lag_hides",		SWITCH_BOOL, offsetof(struct unsure, inquiry_lag_hides), 0, 1 },
	{ "approve_after_window",	SWITCH_BOOL, offsetof(struct unsure, approve_after_window), 0, 1 },
	{ "wrong_token_consumes",	SWITCH_BOOL, offsetof(struct unsure, wrong_token_consumes), 0, 1 },
	{ "cancel_available_ignored",	SWITCH_BOOL, offsetof(struct unsure, cancel_available_ignored), 0, 1 },
	{ "vat_rounding",		SWITCH_INT,  offsetof(struct unsure, vat_rounding), -1, 1 },
	{ "approve_and_cancel_both",	SWITCH_BOOL, offsetof(struct unsure, approve_and_cancel_both), 0, 1 },
};
/* clang-format on */

static bool
set_switch(struct unsure *u, size_t i, const struct json_object *v)
{
	char *at = (char *)u + switches[i].offset;
	int64_t n;

	if (switches[i].kind == SWITCH_BOOL) {
		if (!json_object_is_type(v, json_type_boolean))
			return false;
		*(bool *)at = json_object_get_boolean(v);
		return true;
	}
	n = json_object_get_int64(v);
	if (!json_object_is_type(v, json_type_int) || n < switches[i].min || n > switches[i].max)
		return false;
	*(int64_t *)at = n;
	return true;
}

struct unsure_in {
	char name[32];
	const struct json_object *value;
};
static const struct field_rule unsure_rules[] = {
	STR_FIELD(unsure_in, name, true, 1, 31, NULL),
	{ "value", FIELD_ANY, true, 0, 0, FIELD_AT(unsure_in, value), NULL },
};

void
dial_post_unsure(struct control *c)
{
	struct unsure_in in = { .value = NULL };

	if (!READ_BODY(c, unsure_rules, &in))
		return;
	for (size_t i = 0; i < sizeof(switches) / sizeof(switches[0]); i++) {
		if (strcmp(switches[i].name, in.name) != 0)
			continue;
		if (set_switch(&c->sim->unsure, i, in.value))
			control_answer_ok(c);
		else
			control_answer_error(c, 400, "/value: not one that this switch takes");
		return;
	}
	control_answer_error(c, 400, "/name: no such switch");
}

void
dial_add_switches(struct control *c)
{
	const char *u = (const char *)&c->sim->unsure;

	json_add_member(c->out, "unsure");
	buf_add_char(c->out, '{');
	for (size_t i = 0; i < sizeof(switches) / sizeof(switches[0]); i++) {
		if (switches[i].kind == SWITCH_BOOL)
			json_add_bool_member(c->out, switches[i].name,
			    *(const bool *)(u + switches[i].offset));
		else
			json_add_int_member(c->out, switches[i].name,
			    *(const int64_t *)(u + switches[i].offset));
	}
	buf_add_char(c->out, '}');
}

struct token_in {
	char token[513];
};
static const struct field_rule token_rules[] = { STR_FIELD(token_in, token, true, 0, 128, NULL) };

/* The one user token that the legacy ready accepts; "": it accepts none. */
void
dial_post_user_token(struct control *c)
{
	struct token_in in = { "" };

	if (!READ_BODY(c, token_rules, &in))
		return;
	secret_clear(&c->sim->user_token);
	if (in.token[0] != '\0' && !secret_set(&c->sim->user_token, in.token))
		control_answer_error(c, 500, "out of memory");
	else
		control_answer_ok(c);
}
