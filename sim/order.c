#include "config.h"

#include "sim/order.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static const char *const status_names[] = {
	[STATUS_READY] = "READY",
	[STATUS_SEND_TMS] = "SEND_TMS",
	[STATUS_OPEN_PAYMENT] = "OPEN_PAYMENT",
	[STATUS_SELECT_METHOD] = "SELECT_METHOD",
	[STATUS_ARS_WAITING] = "ARS_WAITING",
	[STATUS_AUTH_PASSWORD] = "AUTH_PASSWORD",
	[STATUS_SUCCESS_PAYMENT] = "SUCCESS_PAYMENT",
	[STATUS_PART_CANCEL_PAYMENT] = "PART_CANCEL_PAYMENT",
	[STATUS_CANCEL_PAYMENT] = "CANCEL_PAYMENT",
	[STATUS_QUIT_PAYMENT] = "QUIT_PAYMENT",
	[STATUS_FAIL_AUTH_PASSWORD] = "FAIL_AUTH_PASSWORD",
	[STATUS_FAIL_PAYMENT] = "FAIL_PAYMENT",
};
static_assert(sizeof(status_names) / sizeof(status_names[0]) == STATUS__MAX,
    "each status has its name");

/* clang-format off */
#define TO(s) (1u << STATUS_##s)
#define USER_STOPS (TO(QUIT_PAYMENT) | TO(FAIL_AUTH_PASSWORD))
static const unsigned legal[STATUS__MAX] = {
	[STATUS_READY]		= TO(SEND_TMS) | TO(OPEN_PAYMENT) | USER_STOPS,
	[STATUS_SEND_TMS]	= TO(OPEN_PAYMENT) | USER_STOPS,
	[STATUS_OPEN_PAYMENT]	= TO(SELECT_METHOD) | USER_STOPS,
	[STATUS_SELECT_METHOD]	= TO(ARS_WAITING) | TO(AUTH_PASSWORD) | USER_STOPS,
	[STATUS_ARS_WAITING]	= TO(AUTH_PASSWORD) | USER_STOPS,
	[STATUS_AUTH_PASSWORD]	= TO(SUCCESS_PAYMENT) | TO(FAIL_PAYMENT) | USER_STOPS,
	[STATUS_SUCCESS_PAYMENT] = TO(PART_CANCEL_PAYMENT) | TO(CANCEL_PAYMENT),
	[STATUS_PART_CANCEL_PAYMENT] = TO(PART_CANCEL_PAYMENT) | TO(CANCEL_PAYMENT),
	/* the others are final */
};
/* clang-format on */

const char *
status_name(enum status s)
{
	assert(s < STATUS__MAX);
	return status_names[s];
}

bool
status_parse(const char *word, enum status *s)
{
	for (size_t i = 0; i < STATUS__MAX; i++)
		if (strcmp(word, status_names[i]) == 0) {
			*s = (enum status)i;
			return true;
		}
	return false;
}

bool
status_is_legal(enum status from, enum status to)
{
	return (legal[from] & (1u << to)) != 0;
}

bool
status_is_pending(enum status s)
{
	return s <= STATUS_AUTH_PASSWORD;
}

struct order *
order_new(void)
{
	return calloc(1, sizeof(struct order));
}

void
order_free(struct order **op)
{
	struct order *o = *op;

	if (o == NULL)
		return;
	for (size_t i = 0; i < o->n_cancels; i++)
		free(o->cancels[i].payload);
	free(o->cancels);
	free(o->steps);
	free(o->payload);
	free(o->partner_order_id);
	free(o->partner_user_id);
	free(o->item_name);
	free(o->item_code);
	free(o->approval_url);
	free(o->cancel_url);
	free(o->fail_url);
	free(o);
	*op = NULL;
}

static void
amount_add(struct amount *to, const struct amount *a, int sign)
{
	to->total += sign * a->total;
	to->tax_free += sign * a->tax_free;
	to->vat += sign * a->vat;
	to->point += sign * a->point;
	to->discount += sign * a->discount;
	to->green_deposit += sign * a->green_deposit;
}

void
order_view_at(const struct order *o, int64_t real_ms, struct order_view *v)
{
	memset(v, 0, sizeof(*v));
	v->status = STATUS_READY; /* also for an order younger than that */
	for (size_t i = 0; i < o->n_steps; i++)
		if (o->steps[i].real_ms <= real_ms)
			v->status = o->steps[i].status;
	v->is_captured = o->is_captured && o->approved_real_ms <= real_ms;
	if (!v->is_captured)
		return;
	v->left = o->amount;
	for (size_t i = 0; i < o->n_cancels && o->cancels[i].real_ms <= real_ms; i++) {
		amount_add(&v->canceled, &o->cancels[i].amount, 1);
		amount_add(&v->left, &o->cancels[i].amount, -1);
		v->n_cancels++;
	}
}

void
order_view_now(const struct order *o, struct order_view *v)
{
	order_view_at(o, INT64_MAX, v);
}
