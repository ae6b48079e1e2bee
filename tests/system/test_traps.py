"""Traps that services of this kind fell into, each with a test that carries its name. Some stand elsewhere: `old URL returned for different times`,
`only the last of two intervals guarded`, `user ids visible to others` (test_ready, test_errors), `a time-out reported as failure`,
`any non-2xx approve taken as not charged`, `amounts never compared` (test_faults), `paid reported as not found on reload` (test_approve)."""

import threading
import time

from booking_site import at_once, eventually, new_id


def test_the_hold_is_taken_before_the_provider_is_asked(site):
    room = new_id()
    site.sim.latency("ready", 800)
    try:
        box = []
        t = threading.Thread(target=lambda: box.append(site.ready(user="a", room=room)))
        t.start()
        eventually(lambda: site.held(room), seconds=0.7)
        b = site.ready(user="b", room=room)
        t.join()
    finally:
        site.sim.latency("ready", 0)
    assert b.code == "slot-held" and b.seconds < 0.3 and box[0].status == 200


def test_an_expiry_sweep_throws_away_nothing_else(brief):  # holds live 2 s
    rooms = [new_id() for _ in range(5)]
    for i, room in enumerate(rooms):
        brief.opened(user=f"u{i}", room=room)
        time.sleep(0.5)
    kept = brief.opened(user="late", room=new_id())[0]["reservationInfo"]["roomId"]
    eventually(lambda: brief.held(rooms[0]) == [], seconds=3)
    assert brief.held(kept) != []
    assert brief.ready(user="b", room=kept).code == "slot-held"
    assert brief.ready(user="b", room=rooms[0]).status == 200


def test_hour_zero_is_a_time(site):
    room = new_id()
    _body, _a = site.opened(user="a", room=room, start=[0], end=[2])
    assert site.ready(user="b", room=room, start=[0], end=[1]).code == "slot-held"
    assert site.ready(user="b", room=room, start=[2], end=[3]).status == 200


def test_an_expired_hold_that_nobody_wanted_is_taken_again(brief):
    body, ready = brief.opened(user="a")
    room = body["reservationInfo"]["roomId"]
    token = brief.sim.pay(ready.body["tid"])
    eventually(lambda: brief.held(room) == [], seconds=4)
    a = brief.approve("a", room, token)
    assert a.status == 200, a


def test_an_expired_hold_that_somebody_wanted_is_never_charged(brief):
    body, ready = brief.opened(user="a")
    room, order = body["reservationInfo"]["roomId"], body["paymentInfo"]["partner_order_id"]
    token = brief.sim.pay(ready.body["tid"])
    eventually(lambda: brief.held(room) == [], seconds=4)
    assert brief.ready(user="b", room=room).status == 200
    a = brief.approve("a", room, token)
    assert (a.status, a.code) == (410, "hold-expired") and a.body["charged"] is False, a
    time.sleep(2.5)  # also after the rival's hold is gone again
    a = brief.approve("a", room, token)
    assert (a.status, a.code) == (410, "hold-expired"), a
    assert brief.sim.captures(order) == []


def test_expiry_during_an_approve_changes_nothing(brief):
    body, ready = brief.opened(user="a")
    room = body["reservationInfo"]["roomId"]
    token = brief.sim.pay(ready.body["tid"])
    brief.sim.latency("approve", 3000)
    try:
        box = []
        t = threading.Thread(target=lambda: box.append(brief.approve("a", room, token)))
        t.start()
        end = time.monotonic() + 2.8
        while time.monotonic() < end:
            b = brief.ready(user="b", room=room)
            assert b.code == "slot-held", b
            time.sleep(0.1)
        t.join()
    finally:
        brief.sim.latency("approve", 0)
    assert box[0].status == 200, box


def test_a_second_removal_does_not_crash(site):
    body, _token, a = site.paid(user="a-" + new_id())
    user, room = body["userInfo"]["userId"], body["reservationInfo"]["roomId"]
    answers = at_once([lambda: site.remove(user, room, a.body["payment"]["tid"])] * 6)
    assert {x.status for x in answers} == {200} and all(x.body["removed"] for x in answers), answers


def test_not_found_does_not_crash(site):
    for _ in range(20):
        assert site.approve("x", new_id(), "f" * 20).code == "no-hold"
        assert site.remove("x", new_id()).body == {"removed": False}
    assert site.get("/livez", caller=None).status == 200


def test_a_capture_has_its_record_even_if_the_worker_is_killed(fresh):
    """The worker is killed while KakaoPay works; the next approvePayment of the same payment finds the capture."""
    body, ready = fresh.opened(user="a")
    room, order = body["reservationInfo"]["roomId"], body["paymentInfo"]["partner_order_id"]
    token = fresh.sim.pay(ready.body["tid"])
    fresh.sim.fault("approve", "delay", tid=ready.body["tid"], delay_ms=1500, after_commit=True)
    box = []
    t = threading.Thread(target=lambda: box.append(fresh.approve("a", room, token)))
    t.start()
    eventually(lambda: fresh.sim.captures(order), seconds=1.4)
    fresh.stack.kill("workers")
    t.join()
    assert box[0].status in (500, 502, 503), box
    fresh.stack.start("workers")

    def final():
        a = fresh.approve("a", room, token)
        assert a.body.get("charged") is not False, a
        return a if a.status == 200 else None

    eventually(final, seconds=25, every=1)
    assert len(fresh.sim.captures(order)) == 1 and len(fresh.payments(order)) == 1
