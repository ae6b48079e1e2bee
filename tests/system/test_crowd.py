"""Many at once: equal ones, different ones, more than there are workers."""

import threading

import pytest
from booking_site import Site, at_once, eventually, new_id
from conftest import MANY, make


@pytest.fixture(scope="module")
def eight():
    """8 workers of a master: approvals up to 6 calls and waiters."""
    yield from make(workers=8, mode="master", conf=MANY)


def order_of(body):
    return body["paymentInfo"]["partner_order_id"]


def room_of(body):
    return body["reservationInfo"]["roomId"]


def without_time_left(a):
    return {**a.body, "hold": {k: v for k, v in a.body["hold"].items() if k != "expiresIn"}}


def test_twenty_equal_approvals_with_eight_workers(eight):
    body, ready = eight.opened(user="a")
    token = eight.sim.pay(ready.body["tid"])
    eight.sim.latency("approve", 1500)
    try:
        answers = at_once([lambda: eight.approve("a", room_of(body), token)] * 20)
    finally:
        eight.sim.latency("approve", 0)
    won = [a for a in answers if a.status == 200]
    told = [a for a in answers if a.status != 200]
    assert (
        len(won) == 6
        and {a.raw for a in won} == {won[0].raw}
        and sum(not a.replayed for a in won) == 1
    ), answers
    assert {(a.status, a.code) for a in told} == {(409, "payment-in-progress")} and all(
        a.seconds < 1 for a in told
    ), told
    again = at_once([lambda: eight.approve("a", room_of(body), token)] * 20)
    assert {(a.status, a.raw) for a in again} == {(200, won[0].raw)} and all(
        a.replayed for a in again
    ), again
    assert len(eight.sim.captures(order_of(body))) == 1 and len(eight.payments(order_of(body))) == 1
    assert sum(1 for c in eight.calls("approve") if c["tid"] == ready.body["tid"]) == 1


def test_two_users_for_overlapping_times_over_24_workers(wide):
    for i in range(60):
        room = new_id()
        bodies = [
            Site.booking(user=u, room=room, day=[i % 8], start=[s], end=[s + 2])
            for u, s in (("a", 10), ("b", 11), ("c", 11.5))
        ]
        answers = at_once([lambda b=b: wide.ready(b) for b in bodies])
        assert sorted((a.status, a.code or "") for a in answers) == [
            (200, ""),
            (409, "slot-held"),
            (409, "slot-held"),
        ], answers
        assert len(wide.held(room)) == 1
        assert sum(wide.ready_calls(order_of(b)) for b in bodies) == 1


def test_a_changed_one_while_twenty_equal_ones_wait(wide):
    body = Site.booking(user="a")
    changed = Site.booking(user="a", room=room_of(body), order=order_of(body), start=[14], end=[16])
    wide.sim.latency("ready", 1000)
    try:
        box = []
        t = threading.Thread(target=lambda: box.extend(at_once([lambda: wide.ready(body)] * 20)))
        t.start()
        eventually(lambda: wide.held(room_of(body)), seconds=0.8)
        c = wide.ready(changed)
        t.join()
    finally:
        wide.sim.latency("ready", 0)
    assert (
        (c.status, c.code) == (409, "payment-in-progress")
        and c.body["charged"] is False
        and c.seconds < 0.5
    ), c
    assert [a.status for a in box] == [200] * 20 and len(
        {str(without_time_left(a)) for a in box}
    ) == 1, box
    assert wide.ready_calls(order_of(body)) == 1
    after = wide.ready(changed)
    assert after.status == 200 and after.body["tid"] != box[0].body["tid"], after


def test_twenty_equal_changed_ones_are_one_replacement(wide):
    body, first = wide.opened(user="a")
    old_token = wide.sim.pay(first.body["tid"])
    changed = Site.booking(user="a", room=room_of(body), order=order_of(body), start=[14], end=[16])
    wide.sim.latency("ready", 500)
    try:
        answers = at_once([lambda: wide.ready(changed)] * 20)
    finally:
        wide.sim.latency("ready", 0)
    assert [a.status for a in answers] == [200] * 20 and len(
        {str(without_time_left(a)) for a in answers}
    ) == 1, answers
    assert wide.ready_calls(order_of(body)) == 2
    old = wide.approve("a", room_of(body), old_token)
    assert old.status != 200 and wide.sim.captures(order_of(body)) == [], old
    token = wide.sim.pay(answers[0].body["tid"])
    assert wide.approve("a", room_of(body), token).status == 200


def test_different_wishes_of_one_user_at_once_leave_one_hold(wide):
    for _ in range(10):
        room, order = new_id(), "o-" + new_id()
        bodies = [
            Site.booking(user="a", room=room, order=order, start=[2 * i], end=[2 * i + 2])
            for i in range(5)
        ]
        answers = at_once([lambda b=b: wide.ready(b) for b in bodies])
        assert {(a.status, a.code or "") for a in answers} <= {
            (200, ""),
            (409, "payment-in-progress"),
        }, answers
        assert any(a.status == 200 for a in answers)
        assert len(wide.held(room)) == 1
        # only the last tid can be approved
        paid = [
            wide.approve("a", room, wide.sim.pay(a.body["tid"])) for a in answers if a.status == 200
        ]
        assert len(wide.sim.captures(order)) == sum(a.status == 200 for a in paid) == 1, paid
