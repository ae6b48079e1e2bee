"""One payment and one refund through the generated client."""

import json
import os
import urllib.request

from roompay_client import AuthenticatedClient
from roompay_client.api.history import get_order
from roompay_client.api.payments import approve_payment, cancel_payment, pay_ready
from roompay_client.models import (
    Approved,
    ApproveRequest,
    Order,
    Ready,
    ReadyRequest,
    Refunded,
    RefundRequest,
)

ENV = os.environ
ORDER, ROOM = ENV["ORDER"], ENV["ROOM"]
gateway = AuthenticatedClient(base_url=ENV["BASE"], token=ENV["GATEWAY"])
refunds = AuthenticatedClient(base_url=ENV["BASE"], token=ENV["REFUND"])

back = {
    f"{to}_url": f"http://127.0.0.1:1/{to}?order={ORDER}" for to in ("approval", "cancel", "fail")
}
ready = pay_ready.sync(
    client=gateway,
    body=ReadyRequest.from_dict(
        {
            "userInfo": {"userId": "python"},
            "paymentInfo": {
                "cid": "TC0ONETIME",
                "partner_order_id": ORDER,
                "partner_user_id": "member-1",
                "item_name": "스터디룸 2시간",
                "quantity": 1,
                "total_amount": 11000,
                "tax_free_amount": 0,
                **back,
            },
            "reservationInfo": {"day": [6], "startTime": [19], "endTime": [21], "roomId": ROOM},
        }
    ),
)
assert isinstance(ready, Ready), ready

question = urllib.request.Request(
    ENV["SIM"] + "/control/pay", json.dumps({"tid": ready.tid}).encode()
)
with urllib.request.urlopen(question) as page:
    token = json.load(page)["pg_token"]
paid = approve_payment.sync(
    client=gateway, body=ApproveRequest(pg_token=token, user_id="python", room_id=ROOM)
)
assert isinstance(paid, Approved) and paid.charged is True, paid

refund = cancel_payment.sync(
    client=refunds,
    body=RefundRequest(tid=ready.tid, refund_id="r-1", cancel_amount=1000, reason="a test"),
)
assert isinstance(refund, Refunded) and refund.left == paid.payment.amount.total - 1000, refund
order = get_order.sync(client=gateway, cid="TC0ONETIME", partner_order_id=ORDER)
assert isinstance(order, Order) and order.state == "part_refunded", order
print(f"python: {order.state}, {refund.left} won left")
