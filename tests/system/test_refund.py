"""cancelPayment: money goes back once for each refundId, never more than was paid, and everybody hears of it in order."""

import time
from collections import Counter

import pytest
from booking_site import at_once, eventually, new_id
from conftest import MANY, make
from test_courier import attempts, delivered


@pytest.fixture(scope="module")
def site():
    yield from make(workers=24, auto_remove=False, conf=MANY)


@pytest.fixture(autouse=True)
def no_faults(site):
    yield
    site.sim.no_faults()


def pay(site, **changes):
    """(payReady's body, tid) of a payment."""
    body, _, a = site.paid(user="u-" + new_id(), **changes)
    assert a.status == 200, a
    return body, a.body["payment"]["tid"]


def canceled(site, tid):
    return site.sim.order(tid)["canceled_amount"]["total"]


def kinds(site, tid):
    return [e["kind"] for e in site.db.ledger.find({"tid": tid}).sort("n", 1)]


def heard(peer, tid, kind):
    return [m for m in list(peer.received) if m["type"] == kind and m["data"]["tid"] == tid]


def test_parts_and_the_rest(site):
    _, tid = pay(site)
    eventually(lambda: delivered(site, tid))
    a = site.refund(tid, "r-1", 1000)
    assert a.status == 200 and a.body == {
        "refunded": True,
        "tid": tid,
        "state": "part_refunded",
        "amount": 1000,
        "canceled": 1000,
        "left": 1200,
    }
    again = site.refund(tid, "r-1", 1000)
    assert again.replayed and again.body == a.body
    assert site.refund(tid, "r-1", 999).code == "refund-mismatch"
    assert site.refund(tid, "r-2", 1201).code == "refund-exceeds"
    b = site.refund(tid, "r-3", caller="operator")
    assert b.body == {
        "refunded": True,
        "tid": tid,
        "state": "refunded",
        "amount": 1200,
        "canceled": 2200,
        "left": 0,
    }
    assert site.refund(tid, "r-4").code == "refund-exceeds"
    assert canceled(site, tid) == 2200 and site.sim.order(tid)["canceled_amount"]["vat"] == 200
    for peer in (site.stack.reservation, site.stack.gateway):
        one, two = eventually(
            lambda: (
                len(heard(peer, tid, "payment.refunded")) == 2
                and heard(peer, tid, "payment.refunded")
            )
        )
        assert [m["data"]["refundId"] for m in (one, two)] == ["r-1", "r-3"]
        assert (
            one["data"]["amount"] == {"total": 1000, "tax_free": 0, "vat": 91}
            and two["data"]["state"] == "refunded"
        )
    assert site.db.payments.count_documents({"tid": tid}) == 1


def test_who_may_ask(site):
    _, tid = pay(site)
    assert site.refund(tid, caller="gateway").code == "forbidden"
    assert site.refund(tid, caller="reservation").code == "forbidden"
    assert site.refund("T0000000000000000000").code == "no-payment"
    assert site.refund(tid, "no spaces").code == "invalid-fields"
    assert canceled(site, tid) == 0


def test_a_part_of_a_payment_with_a_tax_free_amount_must_say_its_own(site):
    body = site.booking(user="u-" + new_id())
    body["paymentInfo"].update(total_amount=3000, tax_free_amount=800)
    a = site.ready(body)
    token = site.sim.pay(a.body["tid"])
    assert (
        site.approve(body["userInfo"]["userId"], body["reservationInfo"]["roomId"], token).status
        == 200
    )
    tid = a.body["tid"]
    b = site.refund(tid, amount=1000)
    assert (
        b.code == "invalid-fields" and b.body["errors"][0]["pointer"] == "/cancel_tax_free_amount"
    )
    assert site.refund(tid, amount=1000, tax_free=900).code == "refund-exceeds"
    assert site.refund(tid, amount=1000, tax_free=300).status == 200
    assert site.refund(tid).body["left"] == 0
    assert site.sim.order(tid)["canceled_amount"] == {
        **site.sim.order(tid)["canceled_amount"],
        "total": 3000,
        "tax_free": 800,
        "vat": 200,
    }


def test_twenty_at_once_under_one_id_are_one_refund(site):
    _, tid = pay(site)
    answers = at_once([lambda: site.refund(tid, "r-1", 700)] * 20)
    assert {a.status for a in answers} <= {200, 202} and any(a.status == 200 for a in answers), (
        answers
    )
    assert site.refund(tid, "r-1", 700).status == 200
    assert canceled(site, tid) == 700


def test_twenty_at_once_under_twenty_ids_never_give_more_than_was_paid(site):
    _, tid = pay(site)
    answers = at_once([lambda i=i: site.refund(tid, f"r-{i}", 300) for i in range(20)])
    by = Counter(a.code or a.status for a in answers)
    assert set(by) <= {200, "refund-in-progress", "refund-exceeds"} and by[200] >= 1, by
    for i in range(20):
        site.refund(tid, f"r-{i}", 300)
    assert canceled(site, tid) == 2100
    assert kinds(site, tid).count("part_refunded") == 7 and "review" not in kinds(site, tid)


@pytest.mark.parametrize(
    "fault",
    [
        "close-after",
        "reset-after",
        "html-502",
        "empty-body",
        "http-500",
        "truncated-json",
        "wrong-tid",
    ],
)
def test_an_answer_that_is_lost_or_wrong_is_found_by_inquiry(site, fault):
    _, tid = pay(site)
    site.sim.fault("cancel", fault, tid=tid, after_commit=True)
    a = site.refund(tid, "r-1", 500)
    assert a.status == 200 and a.body["canceled"] == 500, a
    assert canceled(site, tid) == 500


def test_a_refund_whose_end_nobody_tells_is_settled_by_the_courier(site):
    _, tid = pay(site)
    eventually(lambda: delivered(site, tid))
    assert site.refund(tid, "r-0", 100).status == 200
    site.sim.fault("cancel", "delay", tid=tid, delay_ms=12000)
    began = time.monotonic()
    a = site.refund(tid, "r-1", 500)
    assert a.status == 202, a
    assert time.monotonic() - began < 14
    assert site.refund(tid, "r-1", 500).status in (200, 202)
    eventually(lambda: site.refund(tid, "r-1", 500).status == 200, 20, 0.5)
    assert canceled(site, tid) == 600
    eventually(
        lambda: (
            [m["data"]["refundId"] for m in heard(site.stack.gateway, tid, "payment.refunded")]
            == ["r-0", "r-1"]
        )
    )


def test_a_certain_refusal_stays(site):
    _, tid = pay(site)
    site.sim.fault("cancel", "error", tid=tid, code=-721)
    a = site.refund(tid, "r-1", 500)
    assert a.code == "refund-declined" and a.body["provider"]["code"] == -721, a
    b = site.refund(tid, "r-1", 500)
    assert b.code == "refund-declined" and b.replayed
    assert site.refund(tid, "r-2", 500).status == 200
    assert canceled(site, tid) == 500


def test_what_was_not_executed_may_be_tried_again_under_its_id(site):
    _, tid = pay(site)
    site.sim.fault("cancel", "error", tid=tid, code=-10)  # quota
    assert site.refund(tid, "r-1", 500).code == "provider-error"
    assert site.refund(tid, "r-1", 500).status == 200
    assert canceled(site, tid) == 500


def test_a_refund_before_the_reservation_was_made_withdraws_it(site):
    site.stack.kill("courier")
    body, tid = pay(site)
    user, room = body["userInfo"]["userId"], body["reservationInfo"]["roomId"]
    assert site.refund(tid, "r-1").status == 200
    assert site.held(room) == []
    site.stack.start("courier")
    eventually(
        lambda: (
            heard(site.stack.gateway, tid, "queue.removed")
            and heard(site.stack.gateway, tid, "payment.refunded")
            and heard(site.stack.reservation, tid, "payment.refunded")
        )
    )
    assert heard(site.stack.gateway, tid, "queue.removed")[0]["data"]["state"] == "refunded"
    time.sleep(1)
    assert not [a for a in attempts(site, tid) if a["type"] == "payment.approved"]
    removed = site.remove(user, room, tid)
    assert (
        removed.body["removed"] is True and removed.body["state"] == "refunded" and removed.replayed
    )
    assert (
        site.db.open.count_documents({"tid": tid}) == 0
        and site.db.outbox.count_documents({"tid": tid}) == 0
    )


def test_nobody_hears_of_a_refund_before_the_payment(site):
    site.stack.reservation.fail(503, 1)
    _, tid = pay(site)
    eventually(lambda: [a for a in attempts(site, tid) if a["status"] == 503])
    assert site.refund(tid, "r-1", 100).status == 200
    assert site.refund(tid, "r-2", 100).status == 200
    eventually(lambda: len(heard(site.stack.gateway, tid, "payment.refunded")) == 2, 25)
    order = [
        (m["type"], m["data"].get("refundId"))
        for m in list(site.stack.reservation.received)
        if m["data"]["tid"] == tid
    ]
    eventually(lambda: len(heard(site.stack.reservation, tid, "payment.refunded")) == 2, 25)
    (approved,) = delivered_approved(site, tid)
    assert all(
        m["at"] >= approved["at"] for m in heard(site.stack.gateway, tid, "payment.refunded")
    ), order
    for peer in (site.stack.gateway, site.stack.reservation):
        assert [m["data"]["refundId"] for m in heard(peer, tid, "payment.refunded")] == [
            "r-1",
            "r-2",
        ]


def delivered_approved(site, tid):
    return heard(site.stack.reservation, tid, "payment.approved")


def test_money_that_went_back_outside_stops_every_refund(site):
    _, tid = pay(site)
    site.sim.post("/cancel", {"tid": tid, "amount": 300, "tax_free": 0})
    assert site.refund(tid, "r-1", 100).code == "payment-in-review"
    assert site.refund(tid, "r-2").code == "payment-in-review"
    assert canceled(site, tid) == 300 and kinds(site, tid)[-1] == "review"


def test_what_cannot_be_booked_is_shown_and_kept(site):
    site.stack.reservation.fail(409, 1)
    _, tid = pay(site)
    eventually(lambda: "unbookable" in kinds(site, tid), 15)
    assert "event=unbookable" in site.stack.log_tail("courier", 200)
    time.sleep(1)
    assert (
        canceled(site, tid) == 0
        and len([a for a in attempts(site, tid) if a["type"] == "payment.approved"]) == 1
    )
    assert (
        site.order(site.db.payments.find_one({"tid": tid})["partner_order_id"]).body["next"]
        == "operator"
    )


def test_what_cannot_be_booked_is_refunded_where_the_merchant_wants_it():
    for site in make(
        workers=4, auto_remove=False, conf={"merchant TC0ONETIME": {"on_unbookable": "refund"}}
    ):
        site.stack.reservation.fail(422, 1)
        body, tid = pay(site)
        eventually(lambda: canceled(site, tid) == 2200, 15)
        eventually(lambda: heard(site.stack.gateway, tid, "payment.refunded"))
        assert "refundId" not in heard(site.stack.gateway, tid, "payment.refunded")[0]["data"]
        eventually(lambda: site.held(body["reservationInfo"]["roomId"]) == [])


def test_an_order_tells_where_it_stands(site):
    body = site.booking(user="u-" + new_id(), order="주문 1&" + new_id())
    order, user, room = (
        body["paymentInfo"]["partner_order_id"],
        body["userInfo"]["userId"],
        body["reservationInfo"]["roomId"],
    )
    a = site.order(order)
    assert (a.body["state"], a.body["charged"], a.body["next"], a.body["attempts"]) == (
        "none",
        False,
        "start-again",
        [],
    )
    tid = site.ready(body).body["tid"]
    a = site.order(order)
    assert (a.body["state"], a.body["charged"], a.body["next"]) == ("ready", False, "pay")
    assert a.body["attempts"][0]["tid"] == tid and a.body["attempts"][0]["expiresAt"].endswith("Z")
    assert site.approve(user, room, site.sim.pay(tid)).status == 200
    a = site.order(order)
    assert (a.body["state"], a.body["charged"], a.body["next"]) == (
        "approved",
        True,
        "nothing",
    ) and a.body["attempts"][0]["approvedAt"]
    assert site.refund(tid, "r-1", 500).status == 200
    a = site.order(order, caller="operator")
    assert (a.body["state"], a.body["charged"], a.body["refunded"]) == ("part_refunded", True, 500)
    assert site.order(order, caller="other").code == "forbidden"
    assert site.order(order, caller="reservation").code == "forbidden"
    assert site.get("/orders?cid=TC0ONETIME", "gateway").code == "invalid-fields"


def test_an_order_after_a_202(site):
    body, ready = site.opened(user="u-" + new_id())
    order, tid = body["paymentInfo"]["partner_order_id"], ready.body["tid"]
    site.sim.fault("approve", "delay", tid=tid, delay_ms=12000)
    a = site.approve(
        body["userInfo"]["userId"], body["reservationInfo"]["roomId"], site.sim.pay(tid)
    )
    assert a.status == 202, a
    assert site.order(order).body["charged"] in ("unknown", True)
    eventually(lambda: site.order(order).body["charged"] is True, 25, 0.5)


def test_refunds_over_the_legacy_api():
    for site in make(workers=4, auto_remove=False, merchants={"TC0ONETIME": "admin_key"}):
        _, tid = pay(site)
        assert site.refund(tid, "r-1", 1000).body["left"] == 1200
        assert site.refund(tid, "r-2").body["state"] == "refunded"
        assert canceled(site, tid) == 2200 and {c["api"] for c in site.calls("cancel")} == {
            "legacy"
        }
