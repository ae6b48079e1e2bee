"""Processes killed, stopped and hanging at the worst moments: at most one capture, exactly one record of it, holds in the right state, and everything
goes on."""

import os
import random
import signal
import threading
import time

import pytest
from booking_site import Site, eventually, new_id
from conftest import MANY, make
from stack import is_alive

DEADLINE_S = 5


@pytest.fixture(scope="module")
def frail():
    """A master with 12 workers and a short deadline; reservation removes nothing by itself."""
    for site in make(
        workers=12,
        mode="master",
        auto_remove=False,
        conf={**MANY, "fcgi": {"deadline": DEADLINE_S * 1000}},
    ):
        log = site.stack.dir / "workers.log"
        eventually(
            lambda: log.read_text().count("event=gate_open") == 12
        )  # each worker has found queue and store
        yield site


class Story:
    """One user's payment, up to the redirect."""

    def __init__(self, site):
        self.site = site
        self.body, self.ready = site.opened(user="u-" + new_id())
        self.user, self.room = (
            self.body["userInfo"]["userId"],
            self.body["reservationInfo"]["roomId"],
        )
        self.order, self.tid = self.body["paymentInfo"]["partner_order_id"], self.ready.body["tid"]
        self.token = site.sim.pay(self.tid)

    def approve(self):
        return self.site.approve(self.user, self.room, self.token)

    def remove(self):
        return self.site.remove(self.user, self.room, self.tid)

    def state(self):
        return [h["state"] for h in self.site.held(self.room)]

    def captures(self):
        return len(self.site.sim.captures(self.order))

    def records(self):
        return self.captures(), len(self.site.payments(self.order))

    def begin_approve(self):
        """In a thread: (box that gets the answer, thread)."""
        box = []
        t = threading.Thread(target=lambda: box.append(self.approve()))
        t.start()
        return box, t

    def pays_in_the_end(self, seconds=15):
        """The same call again, until it has its final answer: the user has paid, so that is a payment."""

        def final():
            a = self.approve()
            assert a.body.get("charged") is not False or a.status in (409, 502, 503), a
            return a if a.status == 200 else None

        a = eventually(final, seconds=seconds, every=0.5)
        assert a.body["payment"]["tid"] == self.tid and self.records() == (1, 1), (
            a,
            self.records(),
        )
        return a


@pytest.fixture
def story(frail):
    return Story(frail)


def restart_queue(site):
    site.stack.kill("queued")
    site.stack.start("queued")


def test_queue_killed_between_ready_and_approve(frail, story):
    other = frail.booking(user="other", room=story.room)
    restart_queue(frail)
    assert story.state() == ["ready"]
    assert frail.ready(story.body).replayed and frail.ready(other).code == "slot-held"
    assert story.approve().status == 200 and story.records() == (1, 1)
    assert frail.ready_calls(story.order) == 1


def test_queue_killed_between_approve_and_removal(frail, story):
    first = story.approve()
    restart_queue(frail)
    assert story.state() == ["approved"]
    assert frail.ready(user="other", room=story.room).code == "slot-held"
    again = story.approve()
    assert (
        again.replayed
        and again.body == first.body
        and frail.ready(story.body).code == "order-already-paid"
    )
    removed = story.remove()
    assert removed.body["removed"] is True and removed.body["payment"] == first.body["payment"], (
        removed
    )
    restart_queue(frail)
    assert story.state() == [] and frail.ready(user="other", room=story.room).code == "slot-sold"
    assert story.remove().body == removed.body and story.records() == (1, 1)


def test_queue_killed_while_kakaopay_works(frail, story):
    frail.sim.fault("approve", "delay", tid=story.tid, delay_ms=1000)
    box, t = story.begin_approve()
    eventually(lambda: story.state() == ["approving"], seconds=0.9, every=0.01)
    restart_queue(frail)
    assert (
        story.state() == ["approving"]
        and frail.ready(user="other", room=story.room).code == "slot-held"
    )
    t.join()
    assert box[0].status == 200 and story.records() == (1, 1), box
    assert story.state() == ["approved"] and story.remove().body["removed"] is True


def test_queue_killed_while_ready_is_at_work(frail):
    body = Site.booking(user="u-" + new_id())
    room = body["reservationInfo"]["roomId"]
    frail.sim.fault(
        "ready", "delay", partner_order_id=body["paymentInfo"]["partner_order_id"], delay_ms=600
    )
    box = []
    t = threading.Thread(target=lambda: box.append(frail.ready(body)))
    t.start()
    eventually(lambda: frail.held(room), seconds=0.5, every=0.01)
    restart_queue(frail)
    assert frail.ready(user="other", room=room).code == "slot-held"
    t.join()
    assert box[0].status == 200 and [h["state"] for h in frail.held(room)] == ["ready"], box
    assert frail.ready(body).body["tid"] == box[0].body["tid"]


def test_queue_hangs_right_after_the_capture(frail, story):
    frail.sim.fault("approve", "delay", tid=story.tid, delay_ms=700, after_commit=True)
    box, t = story.begin_approve()
    eventually(story.captures, seconds=0.6, every=0.01)
    frail.stack.suspend("queued")
    try:
        t.join()
    finally:
        frail.stack.resume("queued")
    a = box[0]
    assert (
        a.status == 200
        and a.body["charged"] is True
        and a.seconds < DEADLINE_S + 2
        and story.records() == (1, 1)
    ), a
    assert story.approve().body == a.body
    assert frail.ready(user="other", room=story.room).code in ("slot-held", "slot-sold")
    assert story.remove().body["removed"] is True and story.state() == []
    eventually(
        lambda: [m for m in frail.stack.reservation.received if m["data"]["tid"] == story.tid]
    )


def test_queue_killed_right_after_the_capture(frail, story):
    """It is told by the next call that finds the payment."""
    frail.sim.fault("approve", "delay", tid=story.tid, delay_ms=700, after_commit=True)
    box, t = story.begin_approve()
    eventually(story.captures, seconds=0.6, every=0.01)
    frail.stack.kill("queued")
    t.join()
    frail.stack.start("queued")
    assert box[0].status == 200 and box[0].body["charged"] is True and story.records() == (1, 1), (
        box
    )
    assert frail.ready(user="other", room=story.room).code == "slot-held"
    assert story.remove().body["removed"] is True and story.state() == []


@pytest.mark.parametrize("how", ["suspend", "kill"])
def test_store_gone_right_after_the_capture(frail, how):
    story = Story(frail)
    frail.sim.fault("approve", "delay", tid=story.tid, delay_ms=700, after_commit=True)
    box, t = story.begin_approve()
    eventually(story.captures, seconds=0.6, every=0.01)
    getattr(frail.stack, how)("store")
    try:
        t.join()
        a = box[0]
        assert (a.status, a.body["state"], a.body["charged"]) == (202, "recording", True), a
        assert a.body["tid"] == story.tid and a.seconds < DEADLINE_S + 3
        b = frail.ready(user="other", room=story.room)
        assert b.code == "slot-held", b
    finally:
        frail.stack.resume("store") if how == "suspend" else frail.stack.start("store")
    assert story.pays_in_the_end().body["charged"] is True
    assert story.remove().body["removed"] is True and story.records() == (1, 1)
    eventually(
        lambda: [m for m in frail.stack.reservation.received if m["data"]["tid"] == story.tid]
    )


def test_workers_stopped_in_the_middle_of_approve_never_send_later(frail):
    """One is surely stopped while KakaoPay works: the kernel ends it a second after its deadline, stopped or not. The others are stopped wherever
    they are; when they go on their deadlines are over, and they must not send."""
    sure = Story(frail)
    stories = [Story(frail) for _ in range(8)]
    frail.sim.fault("approve", "delay", tid=sure.tid, delay_ms=1500)
    began = time.monotonic()  # on a busy machine seconds pass until its call is seen
    threads = [sure.begin_approve()[1]]
    eventually(lambda: [c for c in frail.calls("approve") if c["tid"] == sure.tid], every=0.01)
    pids = frail.stack.worker_pids()
    for s in stories:
        threads.append(s.begin_approve()[1])
        time.sleep(random.uniform(0, 0.003))
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        eventually(lambda: not all(is_alive(p) for p in pids), seconds=DEADLINE_S + 2)
        assert time.monotonic() - began > DEADLINE_S - 1
        time.sleep(1)  # by now every deadline and its second is over
        captured = {c["tid"] for c in frail.sim.captures()}
        assert sure.tid in captured
    finally:
        for pid in pids:
            if is_alive(pid):
                os.kill(pid, signal.SIGCONT)
    for t in threads:
        t.join()
    time.sleep(0.3)
    assert {c["tid"] for c in frail.sim.captures()} == captured
    for s in [sure, *stories]:
        s.pays_in_the_end()
    eventually(lambda: len(frail.stack.worker_pids()) == 12)


def patiently(ask, seconds=20):
    """As a gateway does: what is not served now is asked again. The first answer that is not "later"."""

    def served():
        try:
            a = ask()
        except OSError:
            return None
        return None if a.status in (202, 500, 502, 503) or a.code == "payment-in-progress" else a

    return eventually(served, seconds=seconds, every=0.2)


def test_gatherers_that_stand_still_are_passed_by(frail):
    """What many workers ask of the database goes through two processes. While these are stopped each worker asks by itself; when they go on, what was
    left with them is not done again."""
    gatherers = frail.stack.gatherer_pids()
    assert len(gatherers) == 2
    story = Story(frail)
    for pid in gatherers:
        os.kill(pid, signal.SIGSTOP)
    try:
        story.pays_in_the_end()
    finally:
        for pid in gatherers:
            os.kill(pid, signal.SIGCONT)
    time.sleep(0.5)
    assert frail.stack.gatherer_pids() == gatherers
    order = story.body["paymentInfo"]["partner_order_id"]
    assert [c["tid"] for c in frail.sim.captures(order)] == [story.tid]
    assert [p["tid"] for p in frail.payments(order)] == [story.tid]


def test_kill_9_of_anything_at_any_time(frail):
    """Payments go on while workers, queue and store are killed again and again. In the end each order has one capture and one record."""
    stop, stories, trouble = time.monotonic() + 5, [], []
    lock = threading.Lock()

    def customer():
        try:
            while time.monotonic() < stop:
                body = Site.booking(user="u-" + new_id())
                ready = patiently(lambda: frail.ready(body))
                assert ready.status == 200, ready
                user, room = body["userInfo"]["userId"], body["reservationInfo"]["roomId"]
                token = frail.sim.pay(ready.body["tid"])
                with lock:
                    stories.append((body, ready.body["tid"], token))
                a = patiently(lambda: frail.approve(user, room, token))
                assert (
                    a.status == 200
                    and a.body["charged"] is True
                    and a.body["payment"]["tid"] == ready.body["tid"]
                ), a
        except BaseException as e:
            trouble.append(e)

    customers = [threading.Thread(target=customer) for _ in range(4)]
    for t in customers:
        t.start()
    rng = random.Random(7)
    while time.monotonic() < stop:
        time.sleep(rng.uniform(0.05, 0.3))
        name = rng.choice(["workers", "workers", "workers", "queued", "store"])
        if name == "workers":
            pids = frail.stack.worker_pids() + frail.stack.gatherer_pids()
            for pid in rng.sample(pids, min(3, len(pids))):
                os.kill(pid, signal.SIGKILL)
        elif name != "store" or frail.stack.store_is_ours:
            frail.stack.kill(name)
            frail.stack.start(name)
    for t in customers:
        t.join()
    assert trouble == [], trouble
    assert len(stories) >= 10
    for body, tid, _token in stories:
        order = body["paymentInfo"]["partner_order_id"]
        assert [c["tid"] for c in frail.sim.captures(order)] == [tid] and [
            p["tid"] for p in frail.payments(order)
        ] == [tid]
        assert (
            frail.remove(body["userInfo"]["userId"], body["reservationInfo"]["roomId"], tid).body[
                "removed"
            ]
            is True
        )
    # what is not delivered yet is owed: a try that was cut off counts for its whole 20 s
    tids = {tid for _, tid, _ in stories}
    told = {m["data"]["tid"] for m in list(frail.stack.reservation.received)}
    owed = {m["tid"] for m in frail.db.outbox.find({"type": "payment.approved"})}
    assert tids <= told | owed and len(tids & told) > len(tids) // 2
    ids = {(m["tid"], m["id"]) for m in list(frail.stack.reservation.attempts) if m["tid"] in tids}
    assert len(ids) == len({tid for tid, _ in ids})  # each under one id
