"""Queue and store do not belong together any more: the journal of the queue is lost, or an older backup of the database was put back. Nothing is granted,
nothing is charged twice, and what the ledger knows as paid is answered as before."""

import shutil

import pytest
from booking_site import eventually


def lose_the_journal(stack):
    stack.kill("queued")
    for path in (stack.dir / "queue").iterdir():
        path.unlink()
    stack.start("queued")


def test_a_lost_journal_is_another_queue(fresh):
    paid, token, first = fresh.paid(user="payer")
    eventually(
        lambda: fresh.held(paid["reservationInfo"]["roomId"]) == []
    )  # reservation has called removePaymentInQueue
    removal = fresh.remove("payer", paid["reservationInfo"]["roomId"], first.body["payment"]["tid"])
    body, ready = fresh.opened(user="a")
    room, order = body["reservationInfo"]["roomId"], body["paymentInfo"]["partner_order_id"]
    pg_token = fresh.sim.pay(ready.body["tid"])
    lose_the_journal(fresh.stack)

    def nothing_is_granted_and_nothing_is_forgotten():
        # a worker that found no queue at all looks again after a second
        eventually(
            lambda: all(fresh.approve("a", room, pg_token).code == "not-ready" for _ in range(24)),
            every=0.2,
        )
        for _ in range(10):  # each of the workers finds out by itself
            for a in (
                fresh.approve("a", room, pg_token),
                fresh.ready(user="b"),
                fresh.ready(body),
                fresh.remove("a", room, caller="gateway"),
            ):
                assert (a.status, a.code) == (503, "not-ready") and a.body[
                    "charged"
                ] == "unknown", a
            assert fresh.get("/queue?roomId=" + room).code == "not-ready"
            z = fresh.get("/readyz")
            assert (
                z.status == 503
                and z.body["ready"] is False
                and "roompayctl queue adopt" in z.body["fence"]
            ), z
            again = fresh.approve("payer", paid["reservationInfo"]["roomId"], token)
            assert again.status == 200 and again.replayed and again.body == first.body, again
            b = fresh.remove(
                "payer", paid["reservationInfo"]["roomId"], first.body["payment"]["tid"]
            )
            assert b.status == 200 and b.body == removal.body, b
        assert fresh.get("/livez", caller=None).status == 200
        assert fresh.sim.captures(order) == [] and len(fresh.sim.captures()) == 1

    nothing_is_granted_and_nothing_is_forgotten()
    fresh.stack.stop("workers")
    fresh.stack.stop("queued")
    fresh.stack.start("queued")
    fresh.stack.start("workers")
    nothing_is_granted_and_nothing_is_forgotten()
    assert fresh.ready_calls(order) == 1


def test_a_site_without_any_claim_takes_its_first_queue(fresh):
    z = fresh.get("/readyz")
    assert z.status == 200 and z.body == {
        "ready": True,
        "store": "ok",
        "queue": "ok",
        "courier": z.body["courier"],
        "fence": None,
        "draining": False,
    }, z


def put_back(stack, backup):
    stack.stop("store")
    shutil.rmtree(stack.dir / "store")
    shutil.copytree(backup, stack.dir / "store")
    stack.start("store")


def test_an_older_backup_of_the_database_charges_nobody_again(fresh, tmp_path):
    if not fresh.stack.store_is_ours:
        pytest.skip("the store at MONGODB_URI is not ours to put back")
    body, ready = fresh.opened(user="a")
    other, other_ready = fresh.opened(user="b")
    room, order = body["reservationInfo"]["roomId"], body["paymentInfo"]["partner_order_id"]
    token = fresh.sim.pay(ready.body["tid"])
    fresh.stack.stop("courier")
    fresh.stack.stop("store")
    shutil.copytree(fresh.stack.dir / "store", tmp_path / "backup")
    fresh.stack.start("store")
    paid = eventually(
        lambda: [a for a in [fresh.approve("a", room, token)] if a.status == 200], every=0.3
    )[0]
    assert paid.body["charged"] is True
    put_back(fresh.stack, tmp_path / "backup")
    assert fresh.payments(order) == []  # the store knows nothing of it

    def is_told():
        a = fresh.get("/readyz")
        return a.status == 503 and "older than the queue: roompayctl restore" in (
            a.body["fence"] or ""
        )

    eventually(is_told, every=0.3)
    for _ in range(5):
        a = fresh.approve("a", room, token)
        assert (a.status, a.code) == (503, "store-unavailable") and a.body[
            "charged"
        ] is not False, a
        b = fresh.ready(body)
        assert (b.status, b.code) == (409, "order-already-paid") and b.body["charged"] is True, b
    assert fresh.ready(user="c", room=room).code == "slot-held"
    fresh.stack.kill("queued")  # it remembers through a crash
    fresh.stack.start("queued")
    assert (
        fresh.approve("a", room, token).code == "store-unavailable"
        and fresh.ready(body).code == "order-already-paid"
    )
    assert len(fresh.sim.captures(order)) == 1
    # whose ledger is not behind is served
    assert (
        fresh.approve(
            "b", other["reservationInfo"]["roomId"], fresh.sim.pay(other_ready.body["tid"])
        ).status
        == 200
    )
