"""approvePayment and removePaymentInQueue: one capture, one document, and the same answer for ever."""

import datetime

from booking_site import Site, at_once, eventually, new_id

MEMBERS = {
    "_id",
    "aid",
    "amount",
    "approved_at",
    "cid",
    "created_at",
    "item_name",
    "partner_order_id",
    "partner_user_id",
    "payment_method_type",
    "quantity",
    "tid",
    "userId",
}


def order_of(body):
    return body["paymentInfo"]["partner_order_id"]


def room_of(body):
    return body["reservationInfo"]["roomId"]


def test_a_payment_is_captured_stored_and_told(site):
    body, _token, a = site.paid(user="a")
    assert a.status == 200 and a.body["charged"] is True and a.body["state"] == "approved", a
    assert a.body["reservationInfo"] == body["reservationInfo"]
    payment = a.body["payment"]
    assert payment["partner_order_id"] == order_of(body) and payment["userId"] == "a"
    assert payment["amount"] == {
        "total": 2200,
        "tax_free": 0,
        "vat": 200,
        "point": 0,
        "discount": 0,
    }
    captures = site.sim.captures(order_of(body))
    assert len(captures) == 1 and captures[0]["tid"] == payment["tid"]
    assert len(site.payments(order_of(body))) == 1


def test_a_reader_that_shares_no_code_finds_the_sites_document(site):
    body, _token, _a = site.paid(user="reader")
    (doc,) = site.payments(order_of(body))
    assert set(doc) == MEMBERS
    assert type(doc["amount"]) is dict and set(doc["amount"]) == {
        "discount",
        "point",
        "tax_free",
        "total",
        "vat",
    }
    assert all(type(v) is int for v in doc["amount"].values()) and type(doc["quantity"]) is int
    assert isinstance(doc["approved_at"], datetime.datetime) and isinstance(
        doc["created_at"], datetime.datetime
    )
    assert doc["userId"] == "reader" and doc["item_name"] == "스터디룸 2시간"
    told = site.sim.order(doc["tid"])
    kst = datetime.timezone(datetime.timedelta(hours=9))
    for member in ("created_at", "approved_at"):
        at = datetime.datetime.fromisoformat(told[member]).replace(tzinfo=kst)
        assert doc[member].replace(tzinfo=datetime.UTC) == at, member


def test_twenty_at_once_are_one_capture_and_twenty_equal_answers(wide):
    body, ready = wide.opened(user="a")
    token = wide.sim.pay(ready.body["tid"])
    wide.sim.latency("approve", 300)
    try:
        answers = at_once([lambda: wide.approve("a", room_of(body), token)] * 20)
    finally:
        wide.sim.latency("approve", 0)
    assert [a.status for a in answers] == [200] * 20, answers
    assert len({a.raw for a in answers}) == 1
    assert sum(not a.replayed for a in answers) == 1
    assert len(wide.sim.captures(order_of(body))) == 1
    assert len(wide.payments(order_of(body))) == 1
    assert sum(1 for c in wide.calls("approve") if c.get("tid") == ready.body["tid"]) == 1


def test_the_same_call_gets_the_same_answer_after_everything(fresh):
    body, token, first = fresh.paid(user="a")
    eventually(
        lambda: fresh.held(room_of(body)) == []
    )  # reservation has called removePaymentInQueue
    again = fresh.approve("a", room_of(body), token)
    assert again.status == 200 and again.replayed and again.body == first.body
    fresh.stack.restart_all()
    again = fresh.approve("a", room_of(body), token)
    assert again.status == 200 and again.replayed and again.body == first.body, again
    fresh.sim.clock(24 * 3600)
    again = fresh.approve("a", room_of(body), token)
    assert again.status == 200 and again.body == first.body
    assert len(fresh.sim.captures(order_of(body))) == 1
    # and the order is paid, also as far as payReady is concerned
    body["userInfo"]["userId"] = "a"
    a = fresh.ready(body)
    assert (a.status, a.code) == (409, "order-already-paid") and a.body["charged"] is True, a


def test_wrong_tokens_before_the_right_one(site):
    body, ready = site.opened(user="a")
    token = site.sim.pay(ready.body["tid"])
    for i in range(3):
        a = site.approve("a", room_of(body), f"{i:020x}")
        assert (a.status, a.code) == (409, "token-refused") and a.body["charged"] is False, a
    a = site.approve("a", room_of(body), token)
    assert a.status == 200, a
    a = site.approve("a", room_of(body), "0" * 20)
    assert (a.status, a.code) == (409, "order-already-paid"), a
    assert len(site.sim.captures(order_of(body))) == 1


def test_wrong_tokens_at_the_same_time_as_the_right_one(wide):
    for _ in range(10):
        body, ready = wide.opened(user="a-" + new_id())
        user = body["userInfo"]["userId"]
        token = wide.sim.pay(ready.body["tid"])
        calls = [lambda i=i: wide.approve(user, room_of(body), f"{i:020x}") for i in range(3)]
        answers = at_once([*calls, lambda: wide.approve(user, room_of(body), token)])
        assert answers[-1].status == 200, answers
        assert {a.code for a in answers[:-1]} <= {"token-refused", "order-already-paid"}, answers
        assert len(wide.sim.captures(order_of(body))) == 1


def test_before_the_user_has_finished_nothing_is_refused_for_good(site):
    body, ready = site.opened(user="a")
    a = site.approve("a", room_of(body), "f" * 20)
    assert (a.status, a.code) == (409, "token-refused"), a
    assert site.approve("a", room_of(body), site.sim.pay(ready.body["tid"])).status == 200


def test_the_sixth_refused_token_in_a_minute_is_not_tried(site):
    body, _ready = site.opened(user="a")
    for i in range(5):
        assert site.approve("a", room_of(body), f"{i:020x}").code == "token-refused"
    a = site.approve("a", room_of(body), "5" * 20)
    assert (a.status, a.code) == (429, "too-many-requests") and int(a.headers["retry-after"]) > 0, a


def test_nothing_to_approve(site):
    a = site.approve("nobody", new_id(), "f" * 20)
    assert (a.status, a.code) == (404, "no-hold"), a


def test_a_second_order_for_the_same_room_leaves_the_first_guarded(calm):
    room, user = new_id(), "u-" + new_id()
    one, _, _a = calm.paid(user=user, room=room, start=[10], end=[12])
    two, ready = calm.opened(user=user, room=room, start=[14], end=[16])
    assert calm.ready(user="b", room=room, start=[11], end=[12]).code == "slot-held"
    assert calm.ready(user="b", room=room, start=[15], end=[16]).code == "slot-held"
    b = calm.approve(user, room, calm.sim.pay(ready.body["tid"]))
    assert b.status == 200
    # without a tid the oldest goes first
    first = calm.remove(user, room)
    assert first.body["removed"] is True and first.body["payment"]["partner_order_id"] == order_of(
        one
    )
    second = calm.remove(user, room)
    assert second.body["payment"]["partner_order_id"] == order_of(two)


def test_a_paid_order_cannot_be_opened_again_even_elsewhere(calm):
    body, _token, _a = calm.paid(user="a")
    body["reservationInfo"]["roomId"] = new_id()
    again = calm.ready(body)
    assert (again.status, again.code) == (409, "order-already-paid"), again
    assert again.body["charged"] is True


def test_removal_by_tid_is_repeatable_for_ever(calm):
    body, _token, a = calm.paid(user="a")
    tid = a.body["payment"]["tid"]
    first = calm.remove("a", room_of(body), tid)
    assert (
        first.status == 200
        and first.body["removed"] is True
        and first.body["payment"] == a.body["payment"]
    ), first
    assert first.body["reservationInfo"] == body["reservationInfo"]
    again = calm.remove("a", room_of(body), tid)
    assert again.body == first.body and again.replayed
    calm.stack.restart_all()
    assert calm.remove("a", room_of(body), tid).body == first.body


def test_removal_of_what_never_was(site):
    a = site.remove("nobody", new_id())
    assert a.status == 200 and a.body == {"removed": False}, a


def test_a_paid_time_stays_guarded_for_a_while_after_its_removal(calm):
    body, _token, _a = calm.paid(user="a", start=[10], end=[12])
    room = room_of(body)
    assert calm.remove("a", room).body["removed"] is True
    b = calm.ready(user="b", room=room, start=[11], end=[13])
    assert (b.status, b.code) == (409, "slot-sold") and int(b.headers["retry-after"]) > 0, b
    assert calm.ready(user="b", room=room, start=[12], end=[13]).status == 200


def test_reservation_cannot_remove_what_is_not_paid(site):
    body, _ready = site.opened(user="a")
    assert site.remove("a", room_of(body)).body == {"removed": False}
    assert len(site.held(room_of(body))) == 1


def test_gateway_cannot_remove_what_is_paid(calm):
    body, _token, a = calm.paid(user="a")
    b = calm.remove("a", room_of(body), a.body["payment"]["tid"], caller="gateway")
    assert (b.status, b.code) == (409, "order-already-paid") and b.body["charged"] is True, b


def test_reservation_and_gateway_are_told(site):
    body, _token, a = site.paid(user="told")
    tid = a.body["payment"]["tid"]
    seen = eventually(
        lambda: [d for d in site.stack.reservation.received if d["data"]["tid"] == tid]
    )
    assert (
        seen[0]["type"] == "payment.approved"
        and seen[0]["data"]["reservationInfo"] == body["reservationInfo"]
    )
    assert seen[0]["data"]["payment"] == a.body["payment"]
    back = eventually(lambda: [d for d in site.stack.gateway.received if d["data"]["tid"] == tid])
    assert back[0]["type"] == "queue.removed" and back[0]["data"]["partner_order_id"] == order_of(
        body
    )
    eventually(
        lambda: (
            site.db.outbox.count_documents({}) == 0
            or not [m for m in site.db.outbox.find() if m.get("tid") == tid]
        )
    )


def test_an_approve_of_the_old_tid_during_a_replacement_wins(site):
    body, ready = site.opened(user="a")
    room = room_of(body)
    token = site.sim.pay(ready.body["tid"])
    changed = Site.booking(user="a", room=room, order=order_of(body), start=[14], end=[16])
    site.sim.latency("ready", 1500)
    try:
        import threading

        box = []
        t = threading.Thread(target=lambda: box.append(site.ready(changed)))
        t.start()
        eventually(lambda: len(site.held(room)) == 2, seconds=1.4)  # both times are held meanwhile
        a = site.approve("a", room, token)
        t.join()
    finally:
        site.sim.latency("ready", 0)
    assert a.status == 200 and a.body["payment"]["tid"] == ready.body["tid"], a
    assert (box[0].status, box[0].code) in [
        (409, "payment-in-progress"),
        (409, "order-already-paid"),
    ], box
    assert len(site.sim.captures(order_of(body))) == 1
