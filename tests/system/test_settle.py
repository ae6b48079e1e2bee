"""What the courier brings to its end by itself: nobody calls approvePayment again."""

import time

import pytest
from booking_site import eventually
from conftest import make
from test_courier import delivered, pay


@pytest.fixture(scope="module")
def site():
    yield from make(workers=4, auto_remove=False)


def test_a_missing_payments_document_is_written_again(site):
    tid = pay(site)
    eventually(lambda: delivered(site, tid))
    site.db.payments.delete_one({"tid": tid})
    site.stack.stop("courier")  # a new one looks at every item
    site.stack.start("courier")
    eventually(lambda: site.db.payments.count_documents({"tid": tid}) == 1, 15)


def test_a_work_item_whose_number_was_never_taken_is_abandoned(site):
    tid = pay(site)
    item = site.db.open.find_one({"tid": tid})
    n = site.db.ledger.count_documents({"tid": tid})
    stale = dict(item, _id=f"{tid}#{n + 1}", n=n + 1)
    for member in ("at", "deadline"):
        stale[member] = item[member].replace(year=item[member].year - 1)
    site.db.open.insert_one(stale)
    eventually(lambda: site.db.open.count_documents({"_id": stale["_id"]}) == 0, 15)
    assert [e["kind"] for e in site.db.ledger.find({"tid": tid}).sort("n", 1)] == [
        "approving",
        "approved",
        "abandoned",
    ]
    time.sleep(0.1)
    assert (
        site.db.open.count_documents({"tid": tid}) == 1
    )  # the payment's own item stays until its removal


@pytest.fixture
def far():
    yield from make(workers=4, auto_remove=False, conf={"fcgi": {"deadline": 5000}})


def test_a_courier_on_a_second_machine_sends_and_inquires_and_leaves_the_queue_to_the_first(far):
    stack = far.stack
    other = stack.dir / "second.conf"
    other.write_text(stack.conf_path.read_text() + "[courier]\nqueue = no\n")
    stack.kill("courier")
    stack._spawn("second", stack.build / "courier/roompay-courier", "-c", other)
    try:
        tid = pay(far)
        eventually(lambda: delivered(far, tid))  # it delivers
        body, ready = far.opened(user="x")
        unknown, room = ready.body["tid"], body["reservationInfo"]["roomId"]
        far.sim.fault("approve", "close-after", tid=unknown, after_commit=True)
        far.sim.fault("order", "http-500", tid=unknown)  # the worker's own inquiry
        assert far.approve("x", room, far.sim.pay(unknown)).status == 202
        eventually(
            lambda: far.db.payments.count_documents({"tid": unknown}) == 1, 20
        )  # it inquires, writes, and delivers
        eventually(lambda: delivered(far, unknown))
        assert [h["state"] for h in far.held(room)] == ["unknown"]  # and says nothing to the queue
        assert far.db.open.count_documents({"tid": unknown}) == 1
        stack.start("courier")
        eventually(lambda: [h["state"] for h in far.held(room)] == ["approved"], 20)
        time.sleep(1)
        assert len(delivered(far, tid)) == len(delivered(far, unknown)) == 1
        assert far.remove("x", room, unknown).body["removed"] is True
    finally:
        stack.stop("second")
