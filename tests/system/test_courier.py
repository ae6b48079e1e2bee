"""Deliveries: signed, each message under its one id and on its own schedule, first tried at once, owed until they are acknowledged."""

import base64
import email.utils
import secrets
import statistics
import threading
import time

import pytest
from booking_site import at_once, eventually, new_id
from conftest import MANY, make

HANGS_S = 30


@pytest.fixture(scope="module")
def cut_off():
    """A site whose courier was killed in the middle of a post, and the tid of that message. Its story takes half a minute: it begins before the
    other tests of this file and is looked at by the last one."""
    for site in make(workers=8, auto_remove=False, conf={**MANY, "courier": {"parallel": 16}}):
        body, ready = site.opened(user="u-" + new_id())
        tid = ready.body["tid"]
        site.stack.reservation.hang(tid, HANGS_S)
        site.approve(
            body["userInfo"]["userId"], body["reservationInfo"]["roomId"], site.sim.pay(tid)
        )
        eventually(lambda: attempts(site, tid))
        site.stack.kill("courier")
        site.stack.reservation.hang(tid, 0)
        site.stack.start("courier")
        yield site, tid


@pytest.fixture
def site(cut_off):
    return cut_off[0]


def attempts(site, tid):
    return [a for a in list(site.stack.reservation.attempts) if a["tid"] == tid]


def delivered(site, tid):
    return [m for m in list(site.stack.reservation.received) if m["data"]["tid"] == tid]


def pay(site, **peer_does):
    """A payment; before its capture the reservation service is told how to behave. Its tid."""
    body, ready = site.opened(user="u-" + new_id())
    tid = ready.body["tid"]
    if "hang" in peer_does:
        site.stack.reservation.hang(tid, peer_does["hang"])
    if "fail" in peer_does:
        site.stack.reservation.fail(*peer_does["fail"])
    a = site.approve(
        body["userInfo"]["userId"], body["reservationInfo"]["roomId"], site.sim.pay(tid)
    )
    assert a.status == 200, a
    return tid


def test_the_first_try_comes_at_once(site):
    late = []
    for _ in range(20):
        tid = pay(site)
        answered = time.time()
        late.append(eventually(lambda: attempts(site, tid), every=0.005)[0]["at"] - answered)
    assert statistics.median(late) < 0.1 and max(late) < 2, late


def test_a_message_is_what_standard_webhooks_say(site):
    tid = pay(site)
    (message,) = eventually(lambda: delivered(site, tid))
    assert (
        site.stack.reservation.bad == [] and site.stack.gateway.bad == []
    )  # every signature so far was right
    assert (
        set(message) == {"id", "at", "type", "timestamp", "data"}
        and message["type"] == "payment.approved"
    )
    assert set(message["data"]) == {"userId", "roomId", "tid", "reservationInfo", "payment"}
    assert message["timestamp"].endswith("Z") and message["data"]["payment"]["tid"] == tid


def test_a_message_that_is_not_taken_is_sent_again_and_delays_no_other(site):
    refused = pay(site, fail=(503, 1))
    eventually(lambda: attempts(site, refused))
    strays = pay(site, fail=(302, 1))
    eventually(lambda: attempts(site, strays))
    hangs = pay(site, hang=3)
    eventually(lambda: attempts(site, hangs))
    began = time.time()
    for _ in range(5):
        tid = pay(site)
        eventually(lambda: delivered(site, tid), seconds=1)
    assert not delivered(site, hangs) and time.time() - began < 2
    for tid in (refused, strays):
        eventually(lambda: delivered(site, tid), seconds=8)
        one, two = attempts(site, tid)
        assert (
            one["id"] == two["id"]
            and one["body"] == two["body"]
            and 4.9 < two["at"] - one["at"] < 7
        ), (one, two)
    assert site.stack.reservation.strayed == []
    assert len(delivered(site, hangs)) == 1 and len(attempts(site, hangs)) == 1
    eventually(
        lambda: site.db.outbox.count_documents({"tid": {"$in": [refused, strays, hangs]}}) == 0
    )
    tries = [d for d in site.db.deliveries.find() if refused in str(d["_id"])]
    assert len(tries) == 2, tries


def put_off(site, status, *says):
    """Seconds between the first try, refused with this status and these headers, and the second."""
    tid = pay(site, fail=(status, 1, *says))
    eventually(lambda: delivered(site, tid), seconds=15, every=0.01)
    one, two = attempts(site, tid)
    return two["at"] - one["at"]


def in_seconds(n):
    return email.utils.formatdate(time.time() + n, usegmt=True)


def test_a_receiver_says_when_the_next_try_may_come(site):
    assert 8 <= put_off(site, 503, ("Retry-After", "8")) < 10
    assert 8 <= put_off(site, 429, ("retry-after", " 3"), ("RETRY-AFTER", "8")) < 10  # the latest
    assert 6.9 < put_off(site, 503, ("Retry-After", in_seconds(8.5))) < 10  # in whole seconds
    for says in ("2", "-8", "soon", in_seconds(-60)):
        assert 4.9 < put_off(site, 503, ("Retry-After", says)) < 7, says  # the schedule's 5 s
    assert 4.9 < put_off(site, 500, ("Retry-After", "60")) < 7  # 429 and 503 alone


def ended(site, tid):
    """The first try of its payment.approved, once its end is written down."""
    return site.db.deliveries.find_one({"message_id": "payment.approved." + tid, "ended": True})


def test_what_a_receiver_said_holds_for_the_next_courier(site):
    tid = pay(site, fail=(429, 1, ("Retry-After", "9")))
    eventually(lambda: ended(site, tid))
    site.stack._start_courier("courier2")
    try:
        site.stack.kill("courier")
        site.stack.start("courier")
        eventually(lambda: delivered(site, tid), seconds=15)
    finally:
        site.stack.stop("courier2")
    one, two = attempts(site, tid)
    assert 9 <= two["at"] - one["at"] < 12, (one, two)
    huge = pay(site, fail=(503, 1, ("Retry-After", "99999999999999999999")))
    last = eventually(lambda: ended(site, huge))  # six hours at most
    assert 6 * 3600 - 1 < (last["not_before"] - last["at"]).total_seconds() < 6 * 3600 + 5


def test_what_is_owed_while_no_courier_is_there_is_sent_when_it_comes(site):
    site.stack.kill("courier")
    tids = [pay(site) for _ in range(5)]
    time.sleep(0.3)
    assert not any(attempts(site, t) for t in tids)
    site.stack.start("courier")
    for tid in tids:
        eventually(lambda: delivered(site, tid))
    time.sleep(0.3)
    assert all(len(attempts(site, t)) == 1 for t in tids)


def test_two_couriers_deliver_each_message_once(site):
    site.stack._start_courier("courier2")
    try:
        eventually(lambda: "event=verified" in site.stack.log_tail("courier2"))
        tids, by = [], set()
        for _ in range(5):  # until both had work
            for _ in range(8):
                tids += at_once([lambda: pay(site)] * 4)
            for tid in tids:
                eventually(lambda: delivered(site, tid))
            by = {
                d["by"] for d in site.db.deliveries.find() if any(t in str(d["_id"]) for t in tids)
            }
            if len(by) == 2:
                break
        time.sleep(0.5)
        assert [len(attempts(site, t)) for t in tids] == [1] * len(tids)
        assert len(by) == 2, by
    finally:
        site.stack.stop("courier2")


def test_a_gateway_that_hangs_delays_nothing_for_reservation(site):
    gate = threading.Event()
    real = site.stack.gateway.take
    site.stack.gateway.take = lambda headers, body: (gate.wait(10), real(headers, body))[1]
    try:
        tids = []
        for _ in range(20):  # more than the posts that may be under way at a time
            body, ready = site.opened(user="u-" + new_id())
            user, room, tid = (
                body["userInfo"]["userId"],
                body["reservationInfo"]["roomId"],
                ready.body["tid"],
            )
            assert site.approve(user, room, site.sim.pay(tid)).status == 200
            assert site.remove(user, room, tid).body["removed"] is True
            tids.append(tid)
        last = pay(site)
        eventually(lambda: delivered(site, last), seconds=1)
    finally:
        gate.set()
        site.stack.gateway.take = real
    for tid in tids:
        eventually(
            lambda: [m for m in list(site.stack.gateway.received) if m["data"]["tid"] == tid]
        )


def test_a_receiver_changes_its_secret_without_a_gap(site):
    stack, old = site.stack, site.stack.reservation.key
    new, before = secrets.token_bytes(32), stack.conf_path.read_text()
    old_file = stack._secret("old-webhook", "whsec_" + base64.b64encode(old).decode())
    new_file = stack._secret("new-webhook", "whsec_" + base64.b64encode(new).decode())

    def courier_with(**keys):
        head, rest = before.split("[deliver reservation]\n", 1)
        body, tail = rest.split("\n\n", 1)
        url = next(line for line in body.splitlines() if line.startswith("url"))
        lines = [url] + [f"{k} = {v}" for k, v in keys.items()]
        stack.conf_path.write_text(
            head + "[deliver reservation]\n" + "\n".join(lines) + "\n\n" + tail
        )
        stack.stop("courier")
        stack.start("courier")

    try:
        courier_with(key_file=new_file, old_key_file=old_file)
        tid = pay(site)
        eventually(lambda: delivered(site, tid))  # it still has the old one
        stack.reservation.key = new
        tid = pay(site)
        eventually(lambda: delivered(site, tid))  # it has the new one
        courier_with(key_file=new_file)
        tid = pay(site)
        eventually(lambda: delivered(site, tid))
        stack.reservation.key = old
        tid, bad = pay(site), len(stack.reservation.bad)
        eventually(lambda: len(stack.reservation.bad) > bad)  # the old one is over
        assert not delivered(site, tid)
    finally:
        stack.reservation.key = old
        stack.conf_path.write_text(before)
        stack.stop("courier")
        stack.start("courier")
        stack.reservation.bad.clear()


def test_a_courier_killed_in_the_middle_of_a_post_leaves_it_to_the_next(cut_off):
    site, tid = cut_off
    eventually(lambda: len(attempts(site, tid)) == 2, seconds=30, every=0.2)
    one, two = attempts(site, tid)
    assert one["id"] == two["id"] and 24.5 < two["at"] - one["at"] < 30, (
        one,
        two,
    )  # 20 s that a post may take, then the first distance
    eventually(lambda: delivered(site, tid))
