"""MongoDB stopped, hanging; queue stopped; KakaoPay stopped: nothing is charged, clear answers, and everything works again by itself."""

import pytest
from booking_site import eventually, new_id


def ready_to_pay(site):
    user = "u-" + new_id()
    body, ready = site.opened(user=user)
    return body, user, body["reservationInfo"]["roomId"], site.sim.pay(ready.body["tid"])


def works_again(site, body, user, room, token, seconds=8):
    def paid():
        a = site.approve(user, room, token)
        return a if a.status == 200 else None

    eventually(paid, seconds=seconds, every=0.3)
    order = body["paymentInfo"]["partner_order_id"]
    assert len(site.sim.captures(order)) == 1 and len(site.payments(order)) == 1
    assert eventually(
        lambda: site.ready(user="u-" + new_id()).status == 200, seconds=seconds, every=0.3
    )


@pytest.mark.parametrize("how", ["stop", "suspend"])
def test_store_away(fresh, how):
    body, user, room, token = ready_to_pay(fresh)
    order = body["paymentInfo"]["partner_order_id"]
    getattr(fresh.stack, how)("store")
    a = fresh.approve(user, room, token)
    assert (a.status, a.code) == (503, "store-unavailable") and int(a.headers["retry-after"]) > 0, a
    assert a.body["charged"] in (False, "unknown") and a.seconds < 14
    b = fresh.ready(user="u-" + new_id())
    assert (b.status, b.code) == (503, "store-unavailable"), b
    # the breaker is open: the next ones are told at once
    again = [fresh.ready(user="u-" + new_id()) for _ in range(10)]
    assert all(x.code == "store-unavailable" for x in again)
    assert sorted(x.seconds for x in again)[4] < 0.2, again
    assert fresh.get("/livez", caller=None).status == 200
    assert (
        fresh.ready(user="b", room=room).code == "slot-held"
    )  # a refusal by the queue costs no look into the store
    assert fresh.sim.captures(order) == []
    fresh.stack.resume("store") if how == "suspend" else fresh.stack.start("store")
    works_again(fresh, body, user, room, token)


def test_queue_away(fresh):
    body, user, room, token = ready_to_pay(fresh)
    fresh.stack.kill("queued")
    a = fresh.approve(user, room, token)
    assert (a.status, a.code) == (503, "queue-unavailable") and "retry-after" in a.headers, a
    b = fresh.ready(user="u-" + new_id())
    assert (b.status, b.code) == (503, "queue-unavailable"), b
    assert fresh.sim.captures(body["paymentInfo"]["partner_order_id"]) == []
    fresh.stack.start("queued")
    works_again(fresh, body, user, room, token)


def test_queue_hanging(fresh):
    body, user, room, token = ready_to_pay(fresh)
    fresh.stack.suspend("queued")
    a = fresh.approve(user, room, token)
    assert (a.status, a.code) == (503, "queue-unavailable") and a.seconds < 14, a
    fresh.stack.resume("queued")
    works_again(fresh, body, user, room, token)


def test_kakaopay_away(fresh):
    body, user, room, token = ready_to_pay(fresh)
    fresh.stack.stop("sim")
    a = fresh.approve(user, room, token)
    assert (a.status, a.code) == (502, "provider-unreachable") and a.body["charged"] is False, a
    b = fresh.ready(user="u-" + new_id())
    assert (b.status, b.code) == (502, "provider-unreachable"), b
    fresh.stack.start("sim")
    works_again(fresh, body, user, room, token)


def test_reservation_away_delays_nothing_but_its_own_delivery(fresh):
    fresh.stack.reservation.fail(status=503, times=2)
    _body, _token, a = fresh.paid(user="a")
    assert a.status == 200
    tid = a.body["payment"]["tid"]
    _other, _, _b = fresh.paid(user="b")
    eventually(
        lambda: [d for d in fresh.stack.reservation.received if d["data"]["tid"] == tid],
        seconds=60,
        every=0.2,
    )
    ids = {d["id"] for d in fresh.stack.reservation.attempts if d["tid"] == tid}
    assert len(ids) == 1  # every try under the same message id


def test_everything_is_remembered_through_kill_of_all(fresh):
    body, user, room, token = ready_to_pay(fresh)
    done, t2, paid = fresh.paid(user="paid")
    fresh.stack.kill_all()
    fresh.stack.start_all()
    eventually(lambda: fresh.ready(user="b", room=room).code == "slot-held", seconds=3)
    assert (
        eventually(
            lambda: [
                a.body
                for a in [fresh.approve("paid", done["reservationInfo"]["roomId"], t2)]
                if a.status == 200
            ],
            seconds=3,
        )[0]
        == paid.body
    )
    works_again(fresh, body, user, room, token)
