"""Messages by an operator's hand: all that is owed, what a receiver has lost, and one that only tries the way."""

import json
import time

import pytest
from booking_site import eventually, new_id
from conftest import make


@pytest.fixture(scope="module")
def site():
    yield from make(workers=4, auto_remove=False, conf={"queue": {"sold_guard": 1}})


def js(site, *argv, code=0):
    return json.loads(site.stack.ctl("deliveries", *argv, "--json", code=code))


def paid(site):
    body, ready = site.opened(user="u-" + new_id())
    tid, user, room = (
        ready.body["tid"],
        body["userInfo"]["userId"],
        body["reservationInfo"]["roomId"],
    )
    assert site.approve(user, room, site.sim.pay(tid)).status == 200
    return tid, user, room


def heard(peer, tid, kind):
    return [m for m in list(peer.received) if m["type"] == kind and m["data"].get("tid") == tid]


def owed(site):
    return site.db.outbox.count_documents({})


def settle_down(site):
    eventually(lambda: owed(site) == 0, 15)


def test_all_that_is_owed_is_tried_at_once(site):
    settle_down(site)
    site.stack.reservation.fail(500, 3)
    tids = [paid(site)[0] for _ in range(3)]
    eventually(
        lambda: (
            site.db.deliveries.count_documents(
                {"ended": True, "tid": {"$exists": False}, "status": 500}
            )
            >= 3
        )
    )
    began = time.monotonic()
    assert js(site, "retry", "--all", "--dry-run")["found"] == 3
    assert js(site, "retry", "--all", "--peer", "gateway", "--reason", "r")["found"] == 0
    assert js(site, "retry", "--all", "--since", "2030-01-01", "--reason", "r")["found"] == 0
    done = js(
        site,
        "retry",
        "--all",
        "--peer",
        "reservation",
        "--since",
        "2020-01-01",
        "--reason",
        "the calendar is back",
    )
    assert (done["found"], done["retried"], done["failed"], done["more"]) == (3, 3, 0, False)
    eventually(lambda: all(heard(site.stack.reservation, t, "payment.approved") for t in tids), 4)
    assert time.monotonic() - began < 4.5  # the schedule says 5 s
    assert site.db.ledger.count_documents({"kind": "note", "reason": "the calendar is back"}) == 3


def test_what_was_acknowledged_is_sent_again_from_the_ledger(site):
    tid, _user, _room = paid(site)
    name = "payment.approved." + tid
    (first,) = eventually(lambda: heard(site.stack.reservation, tid, "payment.approved"))
    settle_down(site)
    site.stack.ctl("deliveries", "retry", name, "--reason", "r", code=1)  # it was taken: say so
    assert js(site, "retry", name, "--again", "--dry-run")["retried"] is False and owed(site) == 0
    js(site, "retry", name, "--again", "--reason", "their disk died")
    _, second = eventually(
        lambda: (
            len(heard(site.stack.reservation, tid, "payment.approved")) == 2
            and heard(site.stack.reservation, tid, "payment.approved")
        )
    )
    assert second["id"] == first["id"] == name and second["data"] == first["data"]
    settle_down(site)
    site.stack.ctl("deliveries", "retry", "payment.approved.T0", "--again", "--reason", "r", code=1)
    site.stack.ctl("deliveries", "retry", "nonsense", "--again", "--reason", "r", code=1)


def test_all_that_a_receiver_lost_since_then(site):
    settle_down(site)
    time.sleep(0.05)
    since = (
        time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime()) + f".{int(time.time() * 1000) % 1000:03}Z"
    )
    one, two = paid(site), paid(site)
    for peer in (site.stack.reservation, site.stack.gateway):
        peer.received.clear()
    for tid, user, room in (one, two):
        eventually(lambda: site.db.outbox.count_documents({"_id": "payment.approved." + tid}) == 0)
        site.remove(user, room, tid)
    assert site.refund(one[0], "r-1", 500).status == 200
    assert site.refund(one[0], "r-2").status == 200
    settle_down(site)
    before = {
        p.name: [(m["id"], m["data"]) for m in p.received]
        for p in (site.stack.reservation, site.stack.gateway)
    }
    for peer in (site.stack.reservation, site.stack.gateway):
        peer.received.clear()
    site.stack.ctl(
        "deliveries", "retry", "--all", "--again", "--reason", "r", code=2
    )  # since when?
    done = js(site, "retry", "--all", "--again", "--since", since, "--reason", "lost")
    assert (done["found"], done["failed"]) == (2 + 2 + 4, 0), (
        done
    )  # approved, removed, two refunds to each of two
    settle_down(site)
    got = {
        p.name: [(m["id"], m["data"]) for m in p.received]
        for p in (site.stack.reservation, site.stack.gateway)
    }
    assert sorted(i for i, _ in got["gateway"]) == sorted(i for i, _ in before["gateway"])
    assert dict(got["gateway"]) == dict(before["gateway"])
    ids = [i for i, _ in got["reservation"] if one[0] in i]
    assert (
        ids[0] == "payment.approved." + one[0]
        and ids[1:] == sorted(ids[1:], key=lambda i: int(i.split(".")[3]))
        and len(ids) == 3
    )
    assert len([i for i, _ in got["reservation"] if two[0] in i]) == 1


def test_a_withdrawn_message_is_never_sent(site):
    site.stack.stop("courier")
    tid, _user, _room = paid(site)
    assert site.refund(tid, "r-1").status == 200
    site.stack.start("courier")
    settle_down(site)
    assert not heard(site.stack.reservation, tid, "payment.approved")
    assert "withdrawn" in json.dumps(js(site, "show", "payment.approved." + tid))
    site.stack.ctl(
        "deliveries", "retry", "payment.approved." + tid, "--again", "--reason", "r", code=1
    )
    time.sleep(0.3)
    assert not heard(site.stack.reservation, tid, "payment.approved") and owed(site) == 0


def test_a_new_receiver_is_tried(site):
    settle_down(site)
    tested = js(site, "test", "reservation")
    assert tested["acknowledged"] is True and tested["status"] == 204 and tested["ms"] < 3000
    message = next(m for m in site.stack.reservation.received if m["type"] == "roompay.test")
    assert (
        message["id"] == tested["id"] and message["data"] == {} and not site.stack.reservation.bad
    )
    site.stack.gateway.fail(500, 1)
    refused = js(site, "test", "gateway", code=1)
    assert (refused["posted"], refused["acknowledged"], refused["status"]) == (True, False, 500)
    assert owed(site) == 0  # and is not tried on
    assert "taken" in site.stack.ctl("deliveries", "test", "gateway", "--lang", "en")
    site.stack.ctl("deliveries", "test", "nobody", code=2)
    key, site.stack.gateway.key = site.stack.gateway.key, b"another key"
    assert js(site, "test", "gateway", code=1)["status"] == 401
    site.stack.gateway.key = key
    site.stack.gateway.bad.clear()


def test_without_a_courier_a_test_message_does_not_stay(site):
    settle_down(site)
    site.stack.stop("courier")
    try:
        assert "no courier took it" in site.stack.ctl(
            "deliveries", "test", "gateway", "--lang", "en", code=1
        )
        assert owed(site) == 0
    finally:
        site.stack.start("courier")


@pytest.mark.parametrize(
    "argv",
    [
        ["retry", "--reason", "r"],
        ["retry", "m", "--all", "--reason", "r"],
        ["retry", "m", "--peer", "gateway", "--reason", "r"],
        ["retry", "--all", "--peer", "x", "--reason", "r"],
        ["retry", "--all", "--since", "then", "--reason", "r"],
        ["retry", "--all"],
    ],
)
def test_usage(site, argv):
    assert site.stack.ctl("deliveries", *argv, code=2) == ""
