#include "config.h"

#include "operate/explain.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

/* English, Korean. */
static const struct row {
	const char *state;
	struct explanation in[2];
} rows[] = {
	{ "none",
	    { { "Nobody has tried to pay for this order.", "Nothing. Is the order's number right?",
		  { NULL } },
		{ "이 주문은 결제를 시도한 적이 없습니다.",
		    "할 일이 없습니다. 주문 번호가 맞는지 확인하세요.", { NULL } } } },
	{ "held",
	    { { "The time is held, and KakaoPay is being asked to open the payment.",
		  "Wait some seconds and look again.", { NULL } },
		{ "시간을 잡아 두고 카카오페이에 결제 준비를 요청하고 있습니다.",
		    "몇 초 뒤에 다시 확인하세요.", { NULL } } } },
	{ "ready",
	    { { "The payment is open at KakaoPay; the user has not confirmed it to us yet.",
		  "Nothing: the user may pay until the hold expires. To free the time now:",
		  { "holds release %s --reason 'the user gave up'" } },
		{ "카카오페이 결제창이 열려 있고, 사용자가 아직 결제를 마치지 않았습니다.",
		    "할 일이 없습니다. 유효 시간이 지나면 저절로 풀립니다. 지금 풀려면:",
		    { "holds release %s --reason '사용자가 결제를 그만둠'" } } } },
	{ "approving",
	    { { "KakaoPay is being asked to take the money.",
		  "Wait half a minute and look again; the courier finds out how it ended.",
		  { NULL } },
		{ "카카오페이에 승인을 요청하고 있습니다.",
		    "30초쯤 뒤에 다시 확인하세요. 결과는 courier가 알아냅니다.", { NULL } } } },
	{ "unknown",
	    { { "KakaoPay was asked to take the money, and its answer never came.",
		  "The courier inquires at growing distances. If it lasts longer than 20 minutes:",
		  { "payment settle %s --reason 'no end after 20 minutes'" } },
		{ "카카오페이에 승인을 요청했지만 답을 받지 못했습니다.",
		    "courier가 계속 조회합니다. 20분 넘게 이 상태라면:",
		    { "payment settle %s --reason '20분이 지나도 결과를 모름'" } } } },
	{ "review",
	    { { "What KakaoPay says does not fit what was asked for, or it said nothing for hours. Nothing "
		"more happens by itself.",
		  "Compare with KakaoPay's console. Then, where it shows the payment, the first of these, "
		  "else the second:",
		  { "payment settle %s --as approved --reason 'paid by the console'",
		      "payment settle %s --as declined --reason 'not paid by the console'" } },
		{ "카카오페이의 답이 요청한 내용과 다르거나, 여러 시간 동안 답이 없었습니다. 저절로 진행되지 "
		  "않습니다.",
		    "카카오페이 콘솔과 비교하세요. 결제가 있으면 첫째, 없으면 둘째:",
		    { "payment settle %s --as approved --reason '콘솔에 결제가 있음'",
			"payment settle %s --as declined --reason '콘솔에 결제가 없음'" } } } },
	{ "approved",
	    { { "The money was taken and the payment is recorded.",
		  "Nothing. If the room is not in the calendar, look whether the message is still owed:",
		  { "deliveries show payment.approved.%s" } },
		{ "결제가 승인되고 기록되었습니다.",
		    "할 일이 없습니다. 예약이 달력에 없다면 메시지가 전해졌는지 보세요:",
		    { "deliveries show payment.approved.%s" } } } },
	{ "declined",
	    { { "KakaoPay refused, or the user quit. This attempt can never be charged.",
		  "Nothing. The user may start again.", { NULL } },
		{ "카카오페이가 거절했거나 사용자가 그만두었습니다. 이 시도로는 결제될 수 없습니다.",
		    "할 일이 없습니다. 사용자가 처음부터 다시 결제할 수 있습니다.", { NULL } } } },
	{ "unbookable",
	    { { "The money was taken, and the reservation service says that it cannot book the time.",
		  "Book by hand, or give the money back:",
		  { "payment refund %s --reason 'the time cannot be booked'" } },
		{ "결제는 되었지만 예약 서비스가 예약할 수 없다고 답했습니다.",
		    "직접 예약하거나 환불하세요:",
		    { "payment refund %s --reason '예약할 수 없는 시간'" } } } },
	{ "refunded",
	    { { "The money was taken, and all of it was given back.", "Nothing.", { NULL } },
		{ "결제된 금액을 모두 환불했습니다.", "할 일이 없습니다.", { NULL } } } },
	{ "part_refunded",
	    { { "The money was taken, and a part of it was given back.",
		  "Nothing. To give back the rest:",
		  { "payment refund %s --reason 'the rest too'" } },
		{ "결제된 금액의 일부를 환불했습니다.", "할 일이 없습니다. 나머지도 환불하려면:",
		    { "payment refund %s --reason '나머지도 환불'" } } } },
	{ "refund_unknown",
	    { { "A refund was asked for, and its end is not known yet.",
		  "The courier inquires. Other refunds of this payment wait until then.",
		  { NULL } },
		{ "환불을 요청했지만 결과를 아직 모릅니다.",
		    "courier가 조회하고 있습니다. 그동안 이 결제의 다른 환불은 기다립니다.",
		    { NULL } } } },
	{ "expired",
	    { { "The hold's time ran out before the user paid. Approving now takes the time again if it is "
		"still free.",
		  "Nothing.", { NULL } },
		{ "결제하기 전에 유효 시간이 지났습니다. 지금 승인하면 시간이 비어 있을 때만 다시 잡습니다.",
		    "할 일이 없습니다.", { NULL } } } },
	{ "fenced",
	    { { "The user started another payment, or somebody else got the time. This attempt can never be "
		"charged.",
		  "Nothing. The user may start again.", { NULL } },
		{ "사용자가 다른 결제를 시작했거나 다른 사람이 그 시간을 잡았습니다. 이 시도로는 결제될 수 "
		  "없습니다.",
		    "할 일이 없습니다. 사용자가 처음부터 다시 결제할 수 있습니다.", { NULL } } } },
	{ "removed",
	    { { "The hold was dropped before anything was charged.",
		  "Nothing. The user may start again.", { NULL } },
		{ "결제되기 전에 잡아 둔 시간을 풀었습니다.",
		    "할 일이 없습니다. 사용자가 처음부터 다시 결제할 수 있습니다.", { NULL } } } },
};
static const struct row strange = { "",
	{ { "This program does not know the state.", "Is roompayctl as new as the other programs?",
	      { "--version" } },
	    { "이 프로그램이 모르는 상태입니다.",
		"roompayctl이 다른 프로그램과 같은 판인지 확인하세요.", { "--version" } } } };

const struct explanation *
explain_state(const char *state, bool korean)
{
	const struct row *r = &strange;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (strcmp(rows[i].state, state) == 0)
			r = &rows[i];
	return &r->in[korean];
}

static const char *const events[][2] = {
	[LK_APPROVING] = { "KakaoPay is asked to take the money.",
	    "카카오페이에 승인을 요청합니다." },
	[LK_APPROVED] = { "KakaoPay took the money, and the payment is recorded.",
	    "카카오페이가 승인했고 결제를 기록했습니다." },
	[LK_DECLINED] = { "KakaoPay refused, or the user quit. This attempt can never be charged.",
	    "카카오페이가 거절했거나 사용자가 그만두었습니다. 이 시도로는 결제될 수 없습니다." },
	[LK_REFUSED] = { "KakaoPay did not accept the token. Nothing was charged; the user may still pay.",
	    "카카오페이가 토큰을 받아들이지 않았습니다. 청구되지 않았고 아직 결제할 수 있습니다." },
	[LK_NOT_EXECUTED] = { "The request was not carried out. Nothing was charged; the user may still pay.",
	    "요청이 실행되지 않았습니다. 청구되지 않았고 아직 결제할 수 있습니다." },
	[LK_UNKNOWN] = { "KakaoPay's answer never came: the money may have been taken. The courier inquires.",
	    "카카오페이의 답을 받지 못했습니다. 청구되었을 수 있어 courier가 조회합니다." },
	[LK_REVIEW] = { "What KakaoPay says does not fit, or it said nothing for hours: a person decides.",
	    "카카오페이의 답이 맞지 않거나 여러 시간 동안 없었습니다. 담당자가 정합니다." },
	[LK_ABANDONED] = { "The request ended before anything was sent to KakaoPay.",
	    "카카오페이에 보내기 전에 요청이 끝났습니다." },
	[LK_REMOVED] = { "The hold was dropped.", "잡아 둔 시간을 풀었습니다." },
	[LK_UNBOOKABLE] = { "The reservation service says that it cannot book the time.",
	    "예약 서비스가 예약할 수 없다고 답했습니다." },
	[LK_REFUNDING] = { "KakaoPay is asked to give money back.",
	    "카카오페이에 환불을 요청합니다." },
	[LK_REFUNDED] = { "All of it was given back.", "결제된 금액을 모두 환불했습니다." },
	[LK_PART_REFUNDED] = { "A part of it was given back.", "일부를 환불했습니다." },
	[LK_REFUND_FAILED] = { "The refund was not made: nothing was given back by it.",
	    "환불되지 않았습니다. 이 요청으로 돌려준 금액은 없습니다." },
	[LK_REFUND_UNKNOWN] = { "Whether the refund was made is not known yet. The courier inquires.",
	    "환불되었는지 아직 모릅니다. courier가 조회합니다." },
	[LK_NOTE] = { "An operator did something about it.", "운영자가 조치했습니다." },
};
static_assert(sizeof(events) / sizeof(events[0]) == LK__MAX, "a sentence for each kind");

const char *
explain_event(enum ledger_kind k, bool korean)
{
	assert(k < LK__MAX);
	return events[k][korean];
}

/* A payment of which something was given back. */
static void
explain_refunded(struct buf *out, int64_t refunded, int64_t total, bool korean)
{
	if (total >= 0 && refunded >= total)
		buf_printf(out,
		    korean ? "청구된 %" PRId64 "원을 모두 돌려받아 고객이 낸 돈은 없습니다."
			   : "The customer got all %" PRId64 " won back and has paid nothing.",
		    total);
	else if (total >= 0)
		buf_printf(out,
		    korean ? "고객이 낸 돈은 %" PRId64 "원입니다: %" PRId64
			     "원이 청구되었고 %" PRId64 "원을 돌려받았습니다."
			   : "The customer has paid %" PRId64 " won: charged %" PRId64
			     ", given back %" PRId64 ".",
		    total - refunded, total, refunded);
	else
		buf_printf(out,
		    korean ? "고객에게 청구되었고 %" PRId64 "원을 돌려받았습니다."
			   : "The customer was charged, and got %" PRId64 " won back.",
		    refunded);
}

void
explain_charged(struct buf *out, const struct flow_order_attempt *t, int64_t total, bool korean)
{
	bool part_is_open = strcmp(t->state, "refund_unknown") == 0;

	if (t->charged == FC_TRUE && t->refunded > 0)
		explain_refunded(out, t->refunded, total, korean);
	else if (t->charged == FC_TRUE && total >= 0)
		buf_printf(out,
		    korean ? "고객에게 %" PRId64 "원이 청구되었습니다."
			   : "The customer is charged %" PRId64 " won.",
		    total);
	else if (t->charged == FC_TRUE)
		buf_add_str(out, korean ? "고객에게 청구되었습니다." : "The customer is charged.");
	else if (t->charged == FC_FALSE)
		buf_add_str(out,
		    korean ? "고객에게 청구되지 않았습니다." : "The customer is not charged.");
	else if (t->charged == FC_UNKNOWN)
		buf_add_str(out,
		    korean ? "고객에게 청구되었는지 아직 모릅니다."
			   : "It is not known whether the customer is charged.");
	if (part_is_open)
		buf_add_str(out,
		    korean ? " 요청한 환불이 되었는지는 아직 모릅니다."
			   : " Whether the refund that was asked for was made is not known yet.");
}

bool
explain_command(struct buf *out, const struct explanation *e, int i, const char *tid)
{
	const char *at;

	if (i >= EXPLAIN_COMMANDS || e->commands[i] == NULL)
		return false;
	at = strstr(e->commands[i], "%s");
	if (at == NULL)
		buf_printf(out, "roompayctl %s", e->commands[i]);
	else
		buf_printf(out, "roompayctl %.*s%s%s", (int)(at - e->commands[i]), e->commands[i],
		    tid, at + 2);
	return true;
}
