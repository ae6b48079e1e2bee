"""purchase.py BASE SIM GATEWAY REFUND: a purchase and a refund with a client that was generated from doc/openapi.json."""

import json
import sys
import urllib.request

from generated import AuthenticatedClient, models
from generated.api.history import get_order
from generated.api.payments import approve_payment, cancel_payment, pay_ready

BASE, SIM, GATEWAY, REFUND = sys.argv[1:]
ROOM, ORDER = "64f1c0ffee0123456789abcd", "order-1001"
gateway = AuthenticatedClient(base_url=BASE, token=GATEWAY)
refund = AuthenticatedClient(base_url=BASE, token=REFUND)


def booking(user):
    payment = models.PaymentInfo(
        cid="TC0ONETIME",
        partner_order_id=ORDER,
        partner_user_id=user,
        item_name="스터디룸 A",
        quantity=1,
        total_amount=11000,
        tax_free_amount=0,
        approval_url="https://s.example/ok",
        cancel_url="https://s.example/no",
        fail_url="https://s.example/no",
    )
    times = models.ReservationInfo(room_id=ROOM, day=[6], start_time=[19], end_time=[21])
    return models.ReadyRequest(
        user_info=models.UserInfo(user_id=user), payment_info=payment, reservation_info=times
    )


def user_pays(tid):
    data = json.dumps({"tid": tid}).encode()
    with urllib.request.urlopen(SIM + "/control/pay", data) as answer:
        return json.load(answer)["pg_token"]


ready = pay_ready.sync(client=gateway, body=booking("jisoo"))
assert isinstance(ready, models.Ready) and ready.hold.user_id == "jisoo", ready
held = pay_ready.sync(client=gateway, body=booking("minji"))
assert isinstance(held, models.Problem) and held.code == models.ProblemCode.PAYMENT_IN_PROGRESS, (
    held
)
assert held.charged in (False, "unknown") and held.status == 409, held

approve = models.ApproveRequest(pg_token=user_pays(ready.tid), user_id="jisoo", room_id=ROOM)
paid = approve_payment.sync(client=gateway, body=approve)
assert (
    isinstance(paid, models.Approved)
    and paid.charged is True
    and paid.payment.amount.total == 11000
), paid

back = cancel_payment.sync(
    client=refund,
    body=models.RefundRequest(
        tid=ready.tid, refund_id="r-1", reason="one hour less", cancel_amount=1000
    ),
)
assert isinstance(back, models.Refunded) and back.left == 10000, back
order = get_order.sync(client=gateway, cid="TC0ONETIME", partner_order_id=ORDER)
assert (
    isinstance(order, models.Order) and order.charged is True and order.next_ == models.Next.NOTHING
), order
assert [a.refunded for a in order.attempts] == [1000]
print("bought, and a part given back")
