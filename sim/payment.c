#include "config.h"

#include "sim/payment.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"

void
unsure_init(struct unsure *u)
{
	*u = (struct unsure){ .replayed_approve = -702 };
}

bool
refuse(struct refusal *no, int64_t code)
{
	*no = (struct refusal){ .code = code };
	return false;
}

static bool
internal(struct refusal *no, const struct error *err)
{
	log_event(LOG_LEVEL_ERROR, "not_done", KV_ERR(err));
	return refuse(no, -500);
}

static bool
check_merchant(const struct sim *sim, const struct params *ps, struct refusal *no)
{
	const char *cid = params_text(ps, "cid"), *cid_secret = params_text(ps, "cid_secret");
	bool known = false;

	for (size_t i = 0; i < sim->n_cids; i++)
		known = known || strcmp(sim->cids[i], cid) == 0;
	if (!known)
		return refuse(no, -731);
	if (secret_is_set(&sim->cid_secret) &&
	    (cid_secret == NULL || strcmp(cid_secret, sim->cid_secret.text) != 0))
		return refuse(no, -733);
	return true;
}

/* -- what is asked */

/* clang-format off */
#define SECRET_CHARACTERS "0123456789abcdefghijklmnopqrstuvwxyz"
#define ALNUM SECRET_CHARACTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define WON 100000000000
#define COMMON_RULES \
	{ "cid",		RULE_TEXT, true,  10, 10, NULL, NULL }, \
	{ "cid_secret",		RULE_TEXT, false, 24, 24, NULL, SECRET_CHARACTERS }

static const struct param_rule ready_rules[] = {
	COMMON_RULES,
	{ "partner_order_id",	RULE_TEXT, true,  1, 100, NULL, NULL },
	{ "partner_user_id",	RULE_TEXT, true,  1, 100, NULL, NULL },
	{ "item_name",		RULE_TEXT, true,  1, 100, NULL, NULL },
	{ "item_code",		RULE_TEXT, false, 1, 100, NULL, NULL },
	{ "quantity",		RULE_INT,  true,  1, INT32_MAX, NULL, NULL },
	{ "total_amount",	RULE_INT,  true,  0, WON, NULL, NULL },
	{ "tax_free_amount",	RULE_INT,  true,  0, WON, NULL, NULL },
	{ "vat_amount",		RULE_INT,  false, 0, WON, NULL, NULL },
	{ "green_deposit",	RULE_INT,  false, 0, WON, NULL, NULL },
	{ "approval_url",	RULE_URL,  true,  1, 255, NULL, NULL },
	{ "cancel_url",		RULE_URL,  true,  1, 255, NULL, NULL },
	{ "fail_url",		RULE_URL,  true,  1, 255, NULL, NULL },
	{ "available_cards",	RULE_CARDS, false, 0, 0, NULL, NULL },
	{ "payment_method_type", RULE_TEXT, false, 1, 20, NULL, NULL },
	{ "install_month",	RULE_INT,  false, 0, 12, NULL, NULL },
	{ "use_share_installment", RULE_TEXT, false, 1, 1, "|Y|N|", NULL },
	{ "custom_json",	RULE_MAP,  false, 0, 0, NULL, NULL },
	{ "redirect_scheme_url", RULE_TEXT, false, 1, 1000, NULL, NULL },
};
static const struct param_rule approve_rules[] = {
	COMMON_RULES,
	{ "tid",		RULE_TEXT, true,  1, 20, NULL, ALNUM },
	{ "partner_order_id",	RULE_TEXT, true,  1, 100, NULL, NULL },
	{ "partner_user_id",	RULE_TEXT, true,  1, 100, NULL, NULL },
	{ "pg_token",		RULE_TEXT, true,  1, 255, NULL, NULL },
	{ "payload",		RULE_TEXT, false, 1, 200, NULL, NULL },
	{ "total_amount",	RULE_INT,  false, 0, WON, NULL, NULL },
};
static const struct param_rule cancel_rules[] = {
	COMMON_RULES,
	{ "tid",		RULE_TEXT, true,  1, 20, NULL, ALNUM },
	{ "cancel_amount",	RULE_INT,  true,  1, WON, NULL, NULL },
	{ "cancel_tax_free_amount", RULE_INT, true, 0, WON, NULL, NULL },
	{ "cancel_vat_amount",	RULE_INT,  false, 0, WON, NULL, NULL },
	{ "cancel_available_amount", RULE_INT, false, 0, WON, NULL, NULL },
	{ "payload",		RULE_TEXT, false, 1, 200, NULL, NULL },
};
static const struct param_rule order_rules[] = {
	COMMON_RULES,
	{ "tid",		RULE_TEXT, true,  1, 20, NULL, ALNUM },
};
/* clang-format on */

/* round((total - tax_free) / 11), half up, and what the switch adds. */
static int64_t
usual_vat(const struct sim *sim, int64_t total, int64_t tax_free)
{
	int64_t vat = (total - tax_free + 5) / 11 + sim->unsure.vat_rounding;

	if (vat > total - tax_free)
		vat = total - tax_free;
	return vat < 0 ? 0 : vat;
}

static bool
read_amounts(const struct payment_call *c, struct amount *a, struct refusal *no)
{
	params_int(c->params, "total_amount", &a->total);
	params_int(c->params, "tax_free_amount", &a->tax_free);
	params_int(c->params, "green_deposit", &a->green_deposit);
	if (a->total == 0)
		return refuse(no, -725);
	if (a->tax_free > a->total || a->green_deposit > a->total)
		return refuse(no, -722);
	if (!params_int(c->params, "vat_amount", &a->vat))
		a->vat = usual_vat(c->sim, a->total, a->tax_free);
	return a->vat <= a->total - a->tax_free || refuse(no, -722);
}

static bool
copy_param(const struct payment_call *c, const char *name, char **out)
{
	const char *text = params_text(c->params, name);

	if (text == NULL)
		return true;
	*out = strdup(text);
	return *out != NULL;
}

static bool
do_ready(struct payment_call *c, struct refusal *no)
{
	const char *method = params_text(c->params, "payment_method_type");
	struct order *o = order_new(), *added;
	struct error err;
	bool done = false;

	if (method != NULL && strcmp(method, "CARD") != 0 && strcmp(method, "MONEY") != 0) {
		refuse(no, -705);
		goto out;
	}
	if (o == NULL || !copy_param(c, "partner_order_id", &o->partner_order_id) ||
	    !copy_param(c, "partner_user_id", &o->partner_user_id) ||
	    !copy_param(c, "item_name", &o->item_name) ||
	    !copy_param(c, "item_code", &o->item_code) ||
	    !copy_param(c, "approval_url", &o->approval_url) ||
	    !copy_param(c, "cancel_url", &o->cancel_url) ||
	    !copy_param(c, "fail_url", &o->fail_url)) {
		refuse(no, -500);
		goto out;
	}
	if (!read_amounts(c, &o->amount, no))
		goto out;
	params_int(c->params, "quantity", &o->quantity);
	params_int(c->params, "install_month", &o->install_month);
	snprintf(o->cid, sizeof(o->cid), "%s", params_text(c->params, "cid"));
	snprintf(o->method, sizeof(o->method), "%s", method == NULL ? "" : method);
	o->method_fixed = method != NULL;
	o->legacy = c->legacy;
	done = state_add(&c->sim->state, &o, &added, &err) || internal(no, &err);
	if (done) {
		message_ready(c->reply, added, c->sim->base_url, c->twist);
		memcpy(c->made_tid, added->tid, sizeof(c->made_tid));
	}
out:
	order_free(&o);
	return done;
}

/* The order of the tid, if it is this merchant's. */
static struct order *
find_order(const struct payment_call *c, struct refusal *no)
{
	struct order *o = state_find(&c->sim->state, params_text(c->params, "tid"));

	if (o == NULL || strcmp(o->cid, params_text(c->params, "cid")) != 0) {
		refuse(no, -721);
		return NULL;
	}
	return o;
}

static bool
is_param(const struct payment_call *c, const char *name, const char *want)
{
	return strcmp(params_text(c->params, name), want) == 0;
}

static bool
check_token(const struct payment_call *c, struct order *o, struct refusal *no)
{
	struct error err;

	if (is_param(c, "pg_token", o->pg_token))
		return true;
	if (c->sim->unsure.wrong_token_consumes &&
	    !state_step(&c->sim->state, o, STATUS_FAIL_PAYMENT, &err))
		return internal(no, &err);
	return refuse(no, -708);
}

/* KakaoPay's order of these checks is not documented. */
static bool
may_approve(const struct payment_call *c, struct order *o, struct refusal *no)
{
	const struct sim *sim = c->sim;
	int64_t total;

	if (!is_param(c, "partner_order_id", o->partner_order_id))
		return refuse(no, -706);
	if (!is_param(c, "partner_user_id", o->partner_user_id))
		return refuse(no, -707);
	if (o->is_captured)
		return refuse(no, sim->unsure.replayed_approve);
	if (!status_is_pending(o->status))
		return refuse(no, -783);
	if (order_is_expired(&sim->state, o) && !sim->unsure.approve_after_window)
		return refuse(no, -723);
	if (o->status != STATUS_AUTH_PASSWORD)
		return refuse(no, -701);
	if (!check_token(c, o, no))
		return false;
	if (params_int(c->params, "total_amount", &total) && total != o->amount.total)
		return refuse(no, -704);
	return true;
}

static bool
do_approve(struct payment_call *c, struct refusal *no)
{
	struct order *o = find_order(c, no);
	struct error err;

	if (o == NULL || !may_approve(c, o, no))
		return false;
	if (!state_capture(&c->sim->state, o, params_text(c->params, "payload"), &err))
		return internal(no, &err);
	message_approve(c->reply, o, c->legacy, c->twist);
	return true;
}

/* The parts must fit what is left: nothing below 0 now, and nothing that could never be cancelled
 * later. */
static bool
fits(const struct amount *a, const struct amount *left)
{
	int64_t total = left->total - a->total, tax_free = left->tax_free - a->tax_free,
		vat = left->vat - a->vat;

	return a->tax_free <= a->total && a->vat <= a->total - a->tax_free && tax_free >= 0 &&
	    vat >= 0 && vat <= total - tax_free;
}

static bool
read_cancel(const struct payment_call *c, const struct order *o, const struct order_view *v,
    struct amount *a, struct refusal *no)
{
	int64_t available;

	params_int(c->params, "cancel_amount", &a->total);
	params_int(c->params, "cancel_tax_free_amount", &a->tax_free);
	if (params_int(c->params, "cancel_available_amount", &available) &&
	    available != v->left.total && !c->sim->unsure.cancel_available_ignored) {
		refuse(no, -722);
		snprintf(no->msg, sizeof(no->msg), "cancel_available_amount is different!");
		return false;
	}
	if (a->total > v->left.total)
		return refuse(no, -710);
	if (!params_int(c->params, "cancel_vat_amount", &a->vat)) {
		a->vat = usual_vat(c->sim, a->total, a->tax_free);
		if (a->vat > v->left.vat || a->total == v->left.total)
			/* roundings of parts never add up to more or less than the whole */
			a->vat = v->left.vat;
	}
	if (a->total < v->left.total && o->amount.green_deposit > 0) {
		refuse(no, -784);
		snprintf(no->msg, sizeof(no->msg),
		    "payment with green_deposit can't be canceled partially!");
		return false;
	}
	if (a->total == v->left.total)
		a->green_deposit = v->left.green_deposit;
	return fits(a, &v->left) || refuse(no, -722);
}

static bool
do_cancel(struct payment_call *c, struct refusal *no)
{
	struct order *o = find_order(c, no);
	const char *payload = params_text(c->params, "payload");
	struct amount a = { 0 };
	struct order_view v;
	struct error err;

	if (o == NULL)
		return false;
	order_view_now(o, &v);
	if (!v.is_captured || v.left.total == 0)
		return refuse(no, -784);
	if (!read_cancel(c, o, &v, &a, no))
		return false;
	if (!state_cancel(&c->sim->state, o, &a, payload, &err))
		return internal(no, &err);
	message_cancel(c->reply, o, payload, c->twist);
	return true;
}

static bool
do_order(struct payment_call *c, struct refusal *no)
{
	const struct unsure *u = &c->sim->unsure;
	struct order *o = find_order(c, no);
	int64_t then = clock_wall_ms() - u->inquiry_lag_s * 1000;

	if (o == NULL)
		return false;
	if (u->inquiry_lag_s == 0)
		then = INT64_MAX;
	else if (u->inquiry_lag_hides && o->steps[0].real_ms > then)
		return refuse(no, -721);
	message_order(c->reply, o, then, c->twist);
	return true;
}

static const struct {
	const struct param_rule *rules;
	size_t n_rules;
	bool (*run)(struct payment_call *c, struct refusal *no);
} calls[] = {
#define CALL(name) \
	{ \
		name##_rules, sizeof(name##_rules) / sizeof(name##_rules[0]), do_##name \
	}
	[CALL_READY] = CALL(ready),
	[CALL_APPROVE] = CALL(approve),
	[CALL_CANCEL] = CALL(cancel),
	[CALL_ORDER] = CALL(order),
};

bool
payment_check(const struct payment_call *c, struct refusal *no)
{
	refuse(no, -2);
	return params_check(c->params, calls[c->call].rules, calls[c->call].n_rules, no->msg,
		   sizeof(no->msg)) &&
	    check_merchant(c->sim, c->params, no);
}

bool
payment_run(struct payment_call *c, struct refusal *no)
{
	return calls[c->call].run(c, no);
}
