"""How holds end: replaced, given up, expired, declined, removed; and what is said of them afterwards."""

import threading

import pytest
from booking_site import Site, eventually, new_id


def who(body):
    return (
        body["userInfo"]["userId"],
        body["reservationInfo"]["roomId"],
        body["paymentInfo"]["partner_order_id"],
    )


def unknown(site):
    """A payment whose approve has no certain end: (body, pg_token, tid)."""
    body, ready = site.opened(user="u-" + new_id())
    user, room, _ = who(body)
    token = site.sim.pay(ready.body["tid"])
    site.sim.fault("approve", "close-before", tid=ready.body["tid"])
    a = site.approve(user, room, token)
    assert a.status == 202, a
    return body, token, ready.body["tid"]


def test_a_replacement_that_fails_leaves_the_old_hold_as_it_was(site):
    body, first = site.opened(user="u-" + new_id())
    user, room, order = who(body)
    changed = Site.booking(user=user, room=room, order=order, start=[14], end=[16])
    for fault, given in (
        ("http-500", {}),
        ("error", {"code": -401}),
        ("close-after", {"times": 2}),
    ):
        site.sim.fault("ready", fault, partner_order_id=order, **given)
        a = site.ready(changed)
        assert (a.status, a.code, a.body["charged"]) == (502, "provider-error", False), a
        site.sim.no_faults()
        assert [(h["startTime"], h["endTime"], h["state"]) for h in site.held(room)] == [
            (10, 12, "ready")
        ]
    again = site.ready(body)
    assert again.replayed and again.body["tid"] == first.body["tid"], again
    assert site.ready(user="other", room=room, start=[14], end=[16]).status == 200
    a = site.approve(user, room, site.sim.pay(first.body["tid"]))
    assert a.status == 200 and a.body["payment"]["tid"] == first.body["tid"], a


def test_the_window_is_over_says_kakaopay(site):
    body, ready = site.opened(user="u-" + new_id())
    user, room, order = who(body)
    token = site.sim.pay(ready.body["tid"])
    site.sim.fault("approve", "error", code=-723, tid=ready.body["tid"])
    a = site.approve(user, room, token)
    assert (a.status, a.code, a.body["charged"]) == (410, "hold-expired", False), a
    again = site.approve(
        user, room, token
    )  # final for this tid, although KakaoPay would take it now
    assert (again.status, again.code) == (410, "hold-expired") and again.replayed, again
    assert site.sim.captures(order) == [] and site.held(room) == []
    assert site.ready(user="other", room=room).status == 200


def test_a_user_who_stopped_is_declined_once_the_inquiry_says_so(site):
    for how in ("quit", "fail"):
        body, ready = site.opened(user="u-" + new_id())
        user, room, order = who(body)
        site.sim.post("/" + how, {"tid": ready.body["tid"]})
        token = new_id()
        a = site.approve(user, room, token)
        assert (a.status, a.code, a.body["charged"]) == (402, "payment-declined", False), a
        assert site.held(room) == [] and site.approve(user, room, token).replayed
        again = site.ready(body)  # the same order may try again
        assert again.status == 200 and again.body["tid"] != ready.body["tid"]
        assert site.approve(user, room, site.sim.pay(again.body["tid"])).status == 200
        assert len(site.sim.captures(order)) == 1


def test_what_is_unknown_cannot_be_removed_or_replaced(site):
    body, token, tid = unknown(site)
    user, room, order = who(body)
    for a in (
        site.remove(user, room, caller="gateway"),
        site.remove(user, room, tid, caller="gateway"),
        site.ready(body),
        site.ready(user=user, room=room, start=[14], end=[16]),
        site.ready(user=user, order=order),
    ):
        assert (a.status, a.code, a.body["charged"]) == (409, "payment-in-progress", "unknown"), a
    assert site.remove(user, room, tid).body == {
        "removed": False
    }  # reservation removes what is approved
    assert [h["state"] for h in site.held(room)] == ["unknown"]
    assert site.approve(user, room, token).status == 200
    assert len(site.sim.captures(order)) == len(site.payments(order)) == 1


def test_what_is_being_approved_cannot_be_removed(site):
    body, ready = site.opened(user="u-" + new_id())
    user, room, order = who(body)
    token = site.sim.pay(ready.body["tid"])
    site.sim.fault("approve", "delay", tid=ready.body["tid"], delay_ms=800)
    box = []
    t = threading.Thread(target=lambda: box.append(site.approve(user, room, token)))
    t.start()
    eventually(
        lambda: [h["state"] for h in site.held(room)] == ["approving"], seconds=0.7, every=0.01
    )
    a = site.remove(user, room, caller="gateway")
    b = site.ready(body)
    t.join()
    assert (a.status, a.code) == (b.status, b.code) == (409, "payment-in-progress"), (a, b)
    assert a.body["charged"] == b.body["charged"] == "unknown"
    assert box[0].status == 200 and len(site.sim.captures(order)) == 1


def test_a_declined_order_may_try_again_and_again_until_it_is_paid(site):
    body, ready = site.opened(user="u-" + new_id())
    user, room, order = who(body)
    tids = [ready.body["tid"]]
    for _ in range(3):
        site.sim.fault("approve", "card-refused", tid=tids[-1])
        a = site.approve(user, room, site.sim.pay(tids[-1], method="CARD"))
        assert a.code == "payment-declined", a
        tids.append(site.ready(body).body["tid"])
    assert site.approve(user, room, site.sim.pay(tids[-1])).status == 200
    assert len(set(tids)) == 4 and [c["tid"] for c in site.sim.captures(order)] == [tids[-1]]
    assert len(site.payments(order)) == 1


def test_removal_without_a_tid_repeats_its_last_answer(calm):
    body, _token, a = calm.paid(user="u-" + new_id())
    user, room, _ = who(body)
    first = calm.remove(user, room)
    again = calm.remove(user, room)
    assert (
        first.body["removed"] is True
        and first.body["payment"] == a.body["payment"]
        and not first.replayed
    ), first
    assert again.body == first.body and again.replayed, again


def test_the_user_gives_up_twice_and_an_expired_hold(site, brief):
    body, ready = site.opened(user="u-" + new_id())
    user, room, _ = who(body)
    first, again = (site.remove(user, room, caller="gateway") for _ in range(2))
    assert first.body["removed"] is True and again.body == first.body and again.replayed, (
        first,
        again,
    )
    body, ready = brief.opened(user="u-" + new_id())
    user, room, order = who(body)
    token = brief.sim.pay(ready.body["tid"])
    eventually(lambda: brief.held(room) == [], seconds=4)
    assert brief.remove(user, room, ready.body["tid"], caller="gateway").body["removed"] is True
    a = brief.approve(user, room, token)  # fenced: not even taken again where its time is free
    assert (a.status, a.code, a.body["charged"]) == (410, "hold-expired", False), a
    assert brief.sim.captures(order) == []


def test_a_review_is_answered_alike_for_ever_and_keeps_its_time(site):
    body, ready = site.opened(user="u-" + new_id())
    user, room, order = who(body)
    token = site.sim.pay(ready.body["tid"])
    site.sim.fault("approve", "wrong-total", tid=ready.body["tid"])
    a = site.approve(user, room, token)
    assert a.status == 200 and a.body["state"] == "review", a
    assert site.approve(user, room, token).body == a.body
    assert site.approve(user, room, new_id()).code == "order-already-paid"
    again = site.ready(
        body
    )  # the queue alone refuses it, and does not know what the review is about
    assert (
        again.code in ("order-already-paid", "payment-in-progress")
        and again.body["charged"] is not False
    ), again
    b = site.remove(user, room, caller="gateway")
    assert (b.status, b.code) == (409, "order-already-paid"), b
    assert [h["state"] for h in site.held(room)] == ["review"] and len(
        site.sim.captures(order)
    ) == 1


@pytest.mark.parametrize("path", ["/approvePayment", "/removePaymentInQueue"])
def test_every_wrong_field_of_the_other_queries_at_once(site, path):
    caller = "gateway" if path == "/approvePayment" else "reservation"
    body = {"pg_token": "", "userId": "", "roomId": "xyz", "tid": "not a tid!", "more": 1}
    if path == "/removePaymentInQueue":
        del body["pg_token"]
    a = site.ask(path, body, caller)
    wrong = {e["pointer"] for e in a.body["errors"]}
    assert (a.status, a.code) == (422, "invalid-fields") and wrong == {"/" + m for m in body}, a
    assert {e["pointer"] for e in site.ask(path, {}, caller).body["errors"]} == {
        "/" + m for m in body
    } - {"/tid", "/more"}
    assert (
        site.ask(path, {}, None).code == "unauthenticated"
        and site.ask(path, {}, "refund").code == "forbidden"
    )
