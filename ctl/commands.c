/* The commands of roompayctl, a row each: usage, completion and the man page's check go by it. */
#include "config.h"

#include "ctl/command.h"

/* clang-format off */
static const struct command commands[] = {
	{ "status", "", "", { "does the site take payments, and if not, what to do",
		"결제를 받고 있는지, 아니라면 무엇을 해야 하는지" }, 0, ctl_status },
	{ "holds list", "", "room user cid", { "what the queue holds",
		"큐가 잡아 둔 시간" }, 0, ctl_holds_list },
	{ "holds show", "TID", "", { "one of them", "그중 하나" }, 0, ctl_holds_show },
	{ "holds release", "TID", "", { "drop it: one that may be charged must be settled first",
		"풀기: 청구되었을 수 있으면 먼저 settle" }, CTL_CHANGES, ctl_holds_release },
	{ "payment list", "", "user order room cid from to limit", { "payments, the newest first",
		"결제, 최근 것부터" }, 0, ctl_payment_list },
	{ "payment show", "TID|CID [ORDER]", "", { "the ledger of its order",
		"주문의 원장" }, 0, ctl_payment_show },
	{ "payment explain", "TID|CID [ORDER]", "", {
		"what happened, is the customer charged, what to do next",
		"무슨 일이 있었는지, 고객에게 청구되었는지, 다음에 할 일" }, 0, ctl_payment_explain },
	{ "payment settle", "TID", "as", {
		"ask KakaoPay, and give an open payment or one in review its end",
		"카카오페이에 물어 끝나지 않은 결제를 매듭짓기" }, CTL_CHANGES, ctl_payment_settle },
	{ "payment refund", "TID", "amount tax-free id again", { "give money back", "환불" }, CTL_CHANGES,
		ctl_payment_refund },
	{ "refund list", "", "day user order cid from to limit", { "refunds that were carried out",
		"실행된 환불" }, 0, ctl_refund_list },
	{ "refund opening", "", "room weekday hours from to cid count", {
		"a room does not open on a day: refund all who paid for it",
		"방이 열리지 않는 요일: 결제한 모두에게 환불" }, CTL_CHANGES, ctl_refund_opening },
	{ "settlement", "", "day", { "what a day brought, by merchant: captures, refunds, net",
		"하루의 결제, 환불, 차액을 가맹점별로" }, 0, ctl_settlement },
	{ "deliveries list", "", "", { "messages that are owed",
		"아직 전하지 못한 메시지" }, 0, ctl_deliveries_list },
	{ "deliveries show", "MESSAGE", "", { "one of them, with its tries",
		"그중 하나와 시도들" }, 0, ctl_deliveries_show },
	{ "deliveries retry", "[MESSAGE]", "all since peer again", {
		"try it, or all, once more; --again: what was acknowledged, too",
		"한 건 또는 전부 다시 보내기; --again: 이미 전한 것도" }, CTL_CHANGES, ctl_deliveries_retry },
	{ "deliveries test", "PEER", "", { "send a test message to reservation or gateway",
		"reservation이나 gateway에 시험 메시지 보내기" }, 0, ctl_deliveries_test },
	{ "queue adopt", "", "", {
		"take the queue that runs in the place of one whose journal was lost",
		"저널을 잃은 큐 대신 지금 도는 큐를 받아들이기" }, CTL_CHANGES, ctl_queue_adopt },
	{ "queue renew", "", "", {
		"begin a new log, where an older database was put back (log = mongodb)",
		"옛 데이터베이스를 되돌린 뒤 새 공유 기록 시작하기 (log = mongodb)" }, CTL_CHANGES, ctl_queue_renew },
	{ "restore", "", "", {
		"after an older database was put back: write what is missing again",
		"옛 데이터베이스를 되돌린 뒤: 빠진 것을 다시 쓰기" }, CTL_CHANGES, ctl_restore },
	{ "reconcile", "", "day", { "a day of the ledger against what KakaoPay says of it",
		"하루의 원장을 카카오페이와 비교" }, 0, ctl_reconcile },
	{ "migrate", "", "", { "make the indexes that are missing",
		"빠진 인덱스 만들기" }, 0, ctl_migrate },
	{ "import check", "", "apply", {
		"payments of an older service: what is wrong with them; --apply mends it",
		"옛 서비스의 결제에 무엇이 잘못되었는지; --apply는 고치기" }, 0, ctl_import_check },
	{ "journal check", "[DIR]", "", {
		"read the queue's journal as its daemon does, and change nothing",
		"큐의 저널을 데몬처럼 읽기만 하기" }, 0, ctl_journal_check },
	{ "journal dump", "[DIR]", "", { "the same, with every record",
		"같은 일을 하며 모든 기록을 보여 주기" }, 0, ctl_journal_dump },
	{ "config check", "", "", {
		"read the configuration and all its secrets as every program does",
		"설정과 비밀 파일을 모든 프로그램처럼 읽어 보기" }, CTL_BARE, ctl_config_check },
	{ "token new", "", "", { "a token for a caller, and its hash for roompay.conf",
		"호출자의 토큰과 roompay.conf에 쓸 해시" }, CTL_BARE, ctl_token_new },
	{ "completion", "[SHELL]", "", { "what bash, zsh or fish needs to complete all this",
		"bash, zsh, fish 자동 완성" }, CTL_BARE | CTL_NO_JSON, ctl_completion },
};
/* clang-format on */

const struct command *
ctl_command(size_t i)
{
	return i < sizeof(commands) / sizeof(commands[0]) ? &commands[i] : NULL;
}
