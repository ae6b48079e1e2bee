"""refund opening: a room does not open on a day, and everybody who paid for it gets the money back, once."""

import json

import pytest
from booking_site import new_id
from conftest import make


@pytest.fixture(scope="module")
def site():
    yield from make(workers=4, conf={"queue": {"sold_guard": 0}})


def js(site, *argv, code=0):
    return json.loads(site.stack.ctl("refund", "opening", *argv, "--json", code=code))


def paid(site, room, day, start=10, end=12):
    body, ready = site.opened(
        user="u-" + new_id(), room=room, day=(day,), start=(start,), end=(end,)
    )
    tid = ready.body["tid"]
    a = site.approve(body["userInfo"]["userId"], room, site.sim.pay(tid))
    assert a.status == 200, a
    return tid


def back(site, tid):
    return site.sim.order(tid).get("canceled_amount", {}).get("total", 0)


def test_those_of_the_room_and_day_alone_and_each_once(site):
    room, other = new_id(), new_id()
    mine = [paid(site, room, 1, s, s + 1) for s in (9, 10, 11)]
    theirs = [paid(site, room, 2), paid(site, other, 1)]
    assert site.refund(mine[0], "by-hand", 700).status == 200  # a part went back before
    assert site.refund(mine[1], "whole").status == 200  # and one is refunded already
    where = ("--room", room.upper(), "--weekday", "mon")
    site.stack.ctl("refund", "opening", *where, "--reason", "a burst pipe", code=2)  # look first
    plan = js(site, *where, "--dry-run")
    assert (plan["count"], plan["amount"], plan["before"], plan["refunded"], plan["dryRun"]) == (
        3,
        1500 + 2200,
        1,
        0,
        True,
    )
    assert {p["tid"]: p["amount"] for p in plan["payments"]} == {
        mine[0]: 1500,
        mine[1]: 0,
        mine[2]: 2200,
    }
    assert back(site, mine[2]) == 0
    said = site.stack.ctl(
        "refund", "opening", *where, "--count", "4", "--reason", "a burst pipe", code=1
    )
    assert said == "" and back(site, mine[2]) == 0  # not what was looked at
    done = js(site, *where, "--count", "3", "--reason", "a burst pipe")
    assert (done["refunded"], done["amount"], done["before"], done["failed"], done["unknown"]) == (
        2,
        3700,
        1,
        0,
        0,
    )
    assert [back(site, t) for t in mine] == [2200] * 3 and [back(site, t) for t in theirs] == [0, 0]
    again = js(site, *where, "--count", "3", "--reason", "a burst pipe")
    assert (again["refunded"], again["before"]) == (0, 3) and [back(site, t) for t in mine] == [
        2200
    ] * 3
    assert (
        site.db.ledger.find_one({"tid": mine[2], "kind": "refunded"})["refund"]["id"]
        == f"opening-{room}-1"
    )
    assert site.stack.ctl("reconcile", "--day", "2020-01-01", "--lang", "en").startswith(
        "no difference"
    )


def test_hours_of_a_day(site):
    room = new_id()
    early, late = paid(site, room, 3, 9, 10), paid(site, room, 3, 10, 12)
    assert [
        p["tid"]
        for p in js(site, "--room", room, "--weekday", "3", "--hours", "9-10", "--dry-run")[
            "payments"
        ]
    ] == [early]
    assert [
        p["tid"]
        for p in js(
            site, "--room", room, "--weekday", "wed", "--hours", "11:30-23:00", "--dry-run"
        )["payments"]
    ] == [late]
    assert (
        js(site, "--room", room, "--weekday", "wed", "--hours", "12-13", "--dry-run")["count"] == 0
    )
    assert (
        js(site, "--room", room, "--weekday", "wed", "--to", "2020-01-01", "--dry-run")["count"]
        == 0
    )


def test_what_fails_stops_nobody_else_and_is_done_by_the_next_run(site):
    room = new_id()
    tids = [paid(site, room, 5, s, s + 1) for s in (9, 10, 11)]
    site.sim.fault("cancel", "error", tid=tids[1], code=-10)  # quota: not carried out
    where = ("--room", room, "--weekday", "fri", "--count", "3", "--reason", "no heating")
    one = js(site, *where, code=1)
    assert (one["refunded"], one["failed"]) == (2, 1) and [back(site, t) for t in tids] == [
        2200,
        0,
        2200,
    ]
    assert [p["end"] for p in one["payments"] if p["tid"] == tids[1]] == ["failed"]
    two = js(site, *where)
    assert (two["refunded"], two["before"], two["failed"]) == (1, 2, 0) and [
        back(site, t) for t in tids
    ] == [2200] * 3


@pytest.mark.parametrize(
    "argv",
    [
        ["--weekday", "mon", "--dry-run"],
        ["--room", "6" * 24, "--dry-run"],
        ["--room", "x", "--weekday", "1", "--dry-run"],
        ["--room", "6" * 24, "--weekday", "8", "--dry-run"],
        ["--room", "6" * 24, "--weekday", "1", "--hours", "12-10", "--dry-run"],
        ["--room", "6" * 24, "--weekday", "1", "--hours", "10", "--dry-run"],
        ["--room", "6" * 24, "--weekday", "1", "--count", "1"],
    ],
)
def test_usage(site, argv):
    assert site.stack.ctl("refund", "opening", *argv, code=2) == ""
