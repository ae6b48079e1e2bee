"""payReady: who gets a time, and what one request costs KakaoPay."""

import pytest
from booking_site import Site, at_once, new_id

pytestmark = pytest.mark.usefixtures("site")


def codes(answers):
    return sorted((a.status, a.code or "") for a in answers)


def test_of_two_users_for_overlapping_times_exactly_one_gets_them(site):
    for _ in range(200):
        room = new_id()
        one = Site.booking(user="a", room=room, start=[10], end=[12])
        two = Site.booking(user="b", room=room, start=[11], end=[13])
        answers = at_once([lambda: site.ready(one), lambda: site.ready(two)])
        assert codes(answers) == [(200, ""), (409, "slot-held")], answers
        orders = [one["paymentInfo"]["partner_order_id"], two["paymentInfo"]["partner_order_id"]]
        calls = [c for c in site.calls("ready") if c.get("partner_order_id") in orders]
        assert len(calls) == 1, calls
        assert len(site.held(room)) == 1


@pytest.mark.parametrize(
    ("first", "second", "fits"),
    [
        (dict(day=[1], start=[0], end=[24]), dict(day=[1], start=[0], end=[1]), False),
        (dict(day=[1], start=[0], end=[24]), dict(day=[1], start=[23], end=[24]), False),
        (dict(day=[1], start=[0], end=[24]), dict(day=[2], start=[0], end=[24]), True),
        (dict(day=[1], start=[0], end=[1]), dict(day=[1], start=[1], end=[2]), True),
        (dict(day=[1], start=[23], end=[24]), dict(day=[1], start=[0], end=[23]), True),
        (dict(day=[0], start=[10], end=[12]), dict(day=[7], start=[11], end=[13]), False),
        (dict(day=[0], start=[10], end=[12]), dict(day=[7], start=[12], end=[13]), True),
        (dict(day=[1], start=[10], end=[12]), dict(day=[1], start=[12], end=[14]), True),
        (dict(day=[1], start=[12], end=[14]), dict(day=[1], start=[10], end=[12]), True),
        (dict(day=[1], start=[10], end=[12]), dict(day=[1], start=[11.5], end=[14]), False),
        (dict(day=[1], start=[10], end=[11.5]), dict(day=[1], start=[11.5], end=[14]), True),
        (dict(day=[1, 1], start=[8, 14], end=[10, 16]), dict(day=[1], start=[9], end=[11]), False),
        (dict(day=[1, 1], start=[8, 14], end=[10, 16]), dict(day=[1], start=[15], end=[17]), False),
        (dict(day=[1, 1], start=[8, 14], end=[10, 16]), dict(day=[1], start=[10], end=[14]), True),
        (dict(day=[1, 3], start=[8, 8], end=[10, 10]), dict(day=[3], start=[9], end=[10]), False),
        (dict(day=[6, 0], start=[22, 0], end=[24, 2]), dict(day=[0], start=[1], end=[3]), False),
    ],
)
def test_half_open_weekly_intervals(site, first, second, fits):
    room = new_id()
    site.opened(user="a", room=room, **first)
    a = site.ready(user="b", room=room, **second)
    if fits:
        assert a.status == 200, a
    else:
        assert (a.status, a.code) == (409, "slot-held"), a
        assert a.body["conflicts"] and "retry-after" in a.headers
        assert b'"a"' not in a.raw and "charged" not in a.body


def test_conflicts_list_only_what_overlaps(site):
    room = new_id()
    site.opened(user="a", room=room, day=[1, 3], start=[8, 8], end=[10, 12])
    a = site.ready(user="b", room=room, day=[3, 4], start=[11, 0], end=[14, 24])
    assert a.code == "slot-held"
    assert a.body["conflicts"] == [{"day": 3, "startTime": 11, "endTime": 12}]


def test_another_room_is_another_time(site):
    site.opened(user="a", room=new_id())
    site.opened(user="b", room=new_id())


def test_the_room_may_be_written_in_either_case(site):
    room = "ABCDEF" + new_id()[6:]
    site.opened(user="a", room=room)
    assert site.ready(user="b", room=room.lower()).code == "slot-held"


def test_the_same_again_is_answered_without_asking_kakaopay(site):
    body, first = site.opened(user="a")
    again = site.ready(body)
    assert again.status == 200 and again.replayed and not first.replayed
    for answer in (first.body, again.body):
        answer["hold"].pop("expiresIn")
    assert again.body == first.body
    assert site.ready_calls(body["paymentInfo"]["partner_order_id"]) == 1


def test_other_urls_are_still_the_same_business(site):
    body, first = site.opened(user="a")
    body["paymentInfo"]["approval_url"] = "https://site.example/elsewhere"
    again = site.ready(body)
    assert again.body["tid"] == first.body["tid"] and again.replayed


def test_other_times_get_a_new_payment_and_the_old_tid_is_dead(site):
    body, first = site.opened(user="a")
    room = body["reservationInfo"]["roomId"]
    body["reservationInfo"].update(startTime=[14], endTime=[16])
    second = site.ready(body)
    assert second.status == 200 and second.body["tid"] != first.body["tid"]
    old = site.approve("a", room, site.sim.pay(first.body["tid"]))
    assert old.status != 200, old
    assert site.sim.captures(body["paymentInfo"]["partner_order_id"]) == []
    # the old time is free again, the new one is not
    assert site.ready(user="b", room=room).status == 200
    assert site.ready(user="c", room=room, start=[15], end=[17]).code == "slot-held"
    new = site.approve("a", room, site.sim.pay(second.body["tid"]))
    assert new.status == 200 and new.body["payment"]["tid"] == second.body["tid"]


def test_a_fourth_hold_of_one_user_is_refused(fresh):
    user = "u-" + new_id()
    for _ in range(3):
        fresh.opened(user=user)
    a = fresh.ready(user=user)
    assert (a.status, a.code) == (429, "too-many-holds") and "charged" not in a.body
    assert int(a.headers["retry-after"]) > 0


def test_an_order_with_a_hold_elsewhere_moves_with_its_user(site):
    body, _first = site.opened(user="a")
    old_room = body["reservationInfo"]["roomId"]
    body["reservationInfo"]["roomId"] = new_id()
    second = site.ready(body)
    assert second.status == 200
    assert site.held(old_room) == []
    body["userInfo"]["userId"] = "b"
    body["reservationInfo"]["roomId"] = new_id()
    a = site.ready(body)
    assert (a.status, a.code) == (409, "payment-in-progress"), a


def test_the_user_gives_up_and_the_time_is_free(site):
    body, first = site.opened(user="a")
    room = body["reservationInfo"]["roomId"]
    gone = site.remove("a", room, caller="gateway")
    assert gone.status == 200 and gone.body["removed"] is True, gone
    late = site.approve("a", room, site.sim.pay(first.body["tid"]))
    assert (late.status, late.code) == (410, "hold-expired"), late
    assert late.body["charged"] is False
    assert site.ready(user="b", room=room).status == 200


def test_a_ready_that_fails_leaves_no_hold(site):
    room = new_id()
    site.sim.fault("ready", "http-500", partner_order_id="o-fail-" + room)
    a = site.ready(user="a", room=room, order="o-fail-" + room)
    assert (a.status, a.code) == (502, "provider-error"), a
    assert site.held(room) == []
    assert site.ready(user="b", room=room).status == 200


def test_twenty_equal_requests_are_one_call_and_twenty_equal_answers(wide):
    body = Site.booking(user="a")
    wide.sim.latency("ready", 300)
    try:
        answers = at_once([lambda: wide.ready(body)] * 20)
    finally:
        wide.sim.latency("ready", 0)
    assert [a.status for a in answers] == [200] * 20, answers
    assert len({a.body["tid"] for a in answers}) == 1
    assert sum(not a.replayed for a in answers) == 1
    assert wide.ready_calls(body["paymentInfo"]["partner_order_id"]) == 1
