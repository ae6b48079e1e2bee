#include "config.h"

#include "ctl/explain.h"

#include <stdlib.h>
#include <string.h>

enum { EN, KO };

/* clang-format off */
static const struct row { const char *state; struct { const char *happened, *next; } text[2]; } rows[] = {
	{ "none", { { "Nobody has tried to pay for this order.", "Nothing. Is the order's number right?" },
		{ "이 주문은 결제를 시도한 적이 없습니다.", "할 일이 없습니다. 주문 번호가 맞는지 확인하세요." } } },
	{ "held", { { "The time is held, and KakaoPay is being asked to open the payment.", "Wait some seconds and look again." },
		{ "시간을 잡아 두고 카카오페이에 결제 준비를 요청하고 있습니다.", "몇 초 뒤에 다시 확인하세요." } } },
	{ "ready", { { "The payment is open at KakaoPay; the user has not confirmed it to us yet.", "Nothing: the user may pay until the hold expires. To free the time now: roompayctl holds release TID." },
		{ "카카오페이 결제창이 열려 있고, 사용자가 아직 결제를 마치지 않았습니다.", "할 일이 없습니다. 유효 시간이 지나면 저절로 풀립니다. 지금 풀려면 roompayctl holds release TID." } } },
	{ "approving", { { "KakaoPay is being asked to take the money.", "Wait half a minute and look again; the courier finds out how it ended." },
		{ "카카오페이에 승인을 요청하고 있습니다.", "30초쯤 뒤에 다시 확인하세요. 결과는 courier가 알아냅니다." } } },
	{ "unknown", { { "KakaoPay was asked to take the money, and its answer never came.", "The courier inquires at growing distances. If it lasts longer than 20 minutes: roompayctl payment settle TID." },
		{ "카카오페이에 승인을 요청했지만 답을 받지 못했습니다.", "courier가 계속 조회합니다. 20분 넘게 이 상태라면 roompayctl payment settle TID." } } },
	{ "review", { { "What KakaoPay says does not fit what was asked for, or it said nothing for hours. Nothing more happens by itself.", "Compare with KakaoPay's console, then roompayctl payment settle TID --as approved or --as declined." },
		{ "카카오페이의 답이 요청한 내용과 다르거나, 여러 시간 동안 답이 없었습니다. 저절로 진행되지 않습니다.", "카카오페이 콘솔과 비교한 뒤 roompayctl payment settle TID --as approved 또는 --as declined." } } },
	{ "approved", { { "The money was taken and the payment is recorded.", "Nothing. Is the room not in the calendar? roompayctl deliveries list." },
		{ "결제가 승인되고 기록되었습니다.", "할 일이 없습니다. 예약이 달력에 없다면 roompayctl deliveries list." } } },
	{ "declined", { { "KakaoPay refused, or the user quit. This attempt can never be charged.", "Nothing. The user may start again." },
		{ "카카오페이가 거절했거나 사용자가 그만두었습니다. 이 시도로는 결제될 수 없습니다.", "할 일이 없습니다. 사용자가 처음부터 다시 결제할 수 있습니다." } } },
	{ "unbookable", { { "The money was taken, and the reservation service says that it cannot book the time.", "Book by hand, or give the money back: roompayctl payment refund TID." },
		{ "결제는 되었지만 예약 서비스가 예약할 수 없다고 답했습니다.", "직접 예약하거나 환불하세요: roompayctl payment refund TID." } } },
	{ "refunded", { { "The money was taken, and all of it was given back.", "Nothing." },
		{ "결제된 금액을 모두 환불했습니다.", "할 일이 없습니다." } } },
	{ "part_refunded", { { "The money was taken, and a part of it was given back.", "Nothing." },
		{ "결제된 금액의 일부를 환불했습니다.", "할 일이 없습니다." } } },
	{ "refund_unknown", { { "A refund was asked for, and its end is not known yet.", "The courier inquires. Other refunds of this payment wait until then." },
		{ "환불을 요청했지만 결과를 아직 모릅니다.", "courier가 조회하고 있습니다. 그동안 이 결제의 다른 환불은 기다립니다." } } },
	{ "expired", { { "The hold's time ran out before the user paid. Approving now takes the time again if it is still free.", "Nothing." },
		{ "결제하기 전에 유효 시간이 지났습니다. 지금 승인하면 시간이 비어 있을 때만 다시 잡습니다.", "할 일이 없습니다." } } },
	{ "fenced", { { "The user started another payment, or somebody else got the time. This attempt can never be charged.", "Nothing. The user may start again." },
		{ "사용자가 다른 결제를 시작했거나 다른 사람이 그 시간을 잡았습니다. 이 시도로는 결제될 수 없습니다.", "할 일이 없습니다. 사용자가 처음부터 다시 결제할 수 있습니다." } } },
	{ "removed", { { "The hold was dropped before anything was charged.", "Nothing. The user may start again." },
		{ "결제되기 전에 잡아 둔 시간을 풀었습니다.", "할 일이 없습니다. 사용자가 처음부터 다시 결제할 수 있습니다." } } },
};
static const struct row strange = { "", { { "This program does not know the state.", "Is roompayctl as new as the other programs?" },
	{ "이 프로그램이 모르는 상태입니다.", "roompayctl이 다른 프로그램과 같은 판인지 확인하세요." } } };

static const char *const charged_texts[2][4] = {
	[EN] = { [FC_ABSENT] = "", [FC_FALSE] = "The customer is not charged.", [FC_TRUE] = "The customer is charged.",
		[FC_UNKNOWN] = "It is not known whether the customer is charged." },
	[KO] = { [FC_ABSENT] = "", [FC_FALSE] = "고객에게 청구되지 않았습니다.", [FC_TRUE] = "고객에게 청구되었습니다.", [FC_UNKNOWN] = "고객에게 청구되었는지 아직 모릅니다." },
};
/* clang-format on */

bool
explain_is_korean(const char *lang)
{
	static const char *const names[] = { "LC_ALL", "LC_MESSAGES", "LANG" };

	for (size_t i = 0; lang == NULL && i < sizeof(names) / sizeof(names[0]); i++)
		if (getenv(names[i]) != NULL && getenv(names[i])[0] != '\0')
			lang = getenv(names[i]);
	return lang != NULL && strncmp(lang, "ko", 2) == 0;
}

struct explanation
explain_state(const char *state, enum flow_charged charged, bool korean)
{
	const struct row *r = &strange;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (strcmp(rows[i].state, state) == 0)
			r = &rows[i];
	return (struct explanation){ r->text[korean].happened, charged_texts[korean][charged], r->text[korean].next };
}
