"""The user presses cancel on KakaoPay's page and the site calls nothing: GET /orders finds it out, frees the room, and charges nobody."""

import threading

import pytest
from booking_site import eventually, new_id
from sim_program import press


def order_of(site, body):
    p = body["paymentInfo"]
    a = site.get(
        f"/orders?cid={p['cid']}&partner_order_id={p['partner_order_id']}", caller="gateway"
    )
    assert a.status == 200, a
    return a.body


def inquiries(site, tid):
    return sum(c["tid"] == tid for c in site.sim.get("/calls?call=order")["calls"])


@pytest.mark.parametrize("button", ["cancel", "fail"])
def test_a_button_of_kakaopays_page(fresh, button):
    site, room = fresh, new_id()
    body, a = site.opened(room=room)
    assert site.ready(user="other", room=room).code == "slot-held"
    press(a.body["next_redirect_pc_url"], button)
    found = order_of(site, body)
    assert (found["state"], found["charged"], found["next"]) == ("removed", False, "start-again"), (
        found
    )
    assert site.get("/queue?roomId=" + room).body == []
    assert site.ready(user="other", room=room).status == 200
    late = site.approve(body["userInfo"]["userId"], room, "any-token")
    assert (late.status, late.code, late.body["charged"]) == (410, "hold-expired", False), late
    assert site.sim.captures(body["paymentInfo"]["partner_order_id"]) == []
    b = site.ready(body)  # the user begins again: another attempt of the same order
    assert b.code == "slot-held", b


def test_a_user_who_still_pays_is_asked_about_once_a_minute_and_loses_nothing(fresh):
    site = fresh
    body, a = site.opened()
    tid = a.body["tid"]
    for _ in range(20):
        assert order_of(site, body)["next"] == "pay"
    assert inquiries(site, tid) == 1
    token = site.sim.pay(tid)
    assert (
        site.approve(body["userInfo"]["userId"], body["reservationInfo"]["roomId"], token).status
        == 200
    )
    assert order_of(site, body)["state"] == "approved" and inquiries(site, tid) == 1


def test_whoever_was_first_wins(fresh):
    """approvePayment and GET /orders at the same moment, again and again: charged and approved, or free and not charged."""
    site, ends = fresh, set()
    for i in range(12):
        body, a = site.opened(user=f"u-{i}")
        tid, room = a.body["tid"], body["reservationInfo"]["roomId"]
        token = site.sim.pay(tid)
        if i % 2:
            site.sim.post("/quit", {"tid": tid})
        looker = threading.Thread(target=order_of, args=(site, body))
        looker.start()
        approved = site.approve(f"u-{i}", room, token)
        looker.join()
        paid = len(site.sim.captures(body["paymentInfo"]["partner_order_id"]))
        found = eventually(
            lambda body=body: (lambda o: o if o["charged"] in (True, False) else None)(
                order_of(site, body)
            )
        )
        assert paid == (approved.status == 200) == (found["charged"] is True), (approved, found)
        ends.add(approved.status)
    assert 200 in ends and ends - {200}, ends
