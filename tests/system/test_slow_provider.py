"""KakaoPay answering after 10 s, with more users than workers: it delays nobody else."""

import threading
import time

from booking_site import Site, new_id


def in_background(calls):
    box = [None] * len(calls)

    def run(i):
        box[i] = calls[i]()

    threads = [threading.Thread(target=run, args=(i,)) for i in range(len(calls))]
    for t in threads:
        t.start()
    return box, threads


def test_refusals_replays_and_health_keep_their_speed(
    fresh,
):  # 8 workers: payReady up to 4 calls, approvals up to 6
    held_body, _held = fresh.opened(user="holder")
    room = held_body["reservationInfo"]["roomId"]
    paid, token, _first = fresh.paid(user="payer")
    waiting, w_ready = fresh.opened(user="waiting")
    w_token = fresh.sim.pay(w_ready.body["tid"])
    fresh.sim.latency("ready", 10000)
    fresh.sim.latency("approve", 3000)
    try:
        box, threads = in_background(
            [lambda: fresh.ready(user="slow-" + new_id()) for _ in range(12)]
        )
        time.sleep(1)
        refused = [a for a in box if a is not None]
        assert len(refused) == 8 and {(a.status, a.code) for a in refused} == {
            (503, "provider-busy")
        }, box
        assert all(a.seconds < 1 and int(a.headers["retry-after"]) > 0 for a in refused)
        for _ in range(20):
            for a, want in (
                (fresh.ready(user="b", room=room), 409),
                (fresh.ready(held_body), 200),
                (fresh.approve("payer", paid["reservationInfo"]["roomId"], token), 200),
                (fresh.get("/livez", caller=None), 200),
            ):
                assert a.status == want, a
                assert a.seconds < 0.1, a
        # money that waits goes before new holds
        b = fresh.approve("waiting", waiting["reservationInfo"]["roomId"], w_token)
        assert b.status == 200, b
        for t in threads:
            t.join()
        assert sum(a.status == 200 for a in box) == 4, box
    finally:
        fresh.sim.latency("ready", 0)
        fresh.sim.latency("approve", 0)


def test_surplus_waiters_are_told_at_once(fresh):
    body = Site.booking(user="a")
    fresh.sim.latency("ready", 10000)
    try:
        began = time.monotonic()
        box, threads = in_background([lambda: fresh.ready(body) for _ in range(20)])
        time.sleep(1.5)
        told = [a for a in box if a is not None]
        assert len(told) == 16 and {(a.status, a.code) for a in told} == {
            (409, "payment-in-progress")
        }, box
        assert all(a.seconds < 1 for a in told)
        for t in threads:
            t.join()
        got = [a for a in box if a.status == 200]
        assert len(got) == 4 and len({a.body["tid"] for a in got}) == 1
        assert 9 < time.monotonic() - began < 13
        assert fresh.ready_calls(body["paymentInfo"]["partner_order_id"]) == 1
    finally:
        fresh.sim.latency("ready", 0)
