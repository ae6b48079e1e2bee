"""How many commands the store is given for an undisturbed payment. One more is a mistake, or a
change of this table: MongoDB tells of every operation while a few payments are made."""

import collections
import time

import plans
import pytest
from booking_site import eventually
from conftest import make

PAYMENTS = 10
# From payReady to the last delete, one payment at a time: 20. Under load the courier and a master's
# gatherers do many in one command, and it is 3 to 4.
WORKER = {
    ("ledger", "query"): 2,  # payReady, removePaymentInQueue: the whole chain each time
    ("replay", "insert"): 1,
    ("open", "insert"): 1,
    ("ledger", "insert"): 3,  # approving, approved, removed
    ("payments", "insert"): 1,
    ("payments", "query"): 1,  # removePaymentInQueue: does it stand?
    ("outbox", "insert"): 2,  # payment.approved, queue.removed
    ("open", "remove"): 1,
}
COURIER = {
    ("outbox", "query"): 2,  # what is new, with each poke
    ("deliveries", "insert"): 2,  # the claim of a try, its end, the message's end
    ("deliveries", "update"): 2,
    ("outbox", "remove"): 2,
}
SHARED = {("outbox", "query"), ("outbox", "remove")}  # one may do for both messages of a payment
POLLS = {("open", "query"), ("meta", "query"), ("meta", "insert"), ("meta", "update")}


@pytest.fixture
def site():
    for s in make(workers=4):
        if not s.stack.store_is_ours or any(
            n.startswith("ferretdb") for n in s.db.command("buildInfo")
        ):
            pytest.skip("only a mongod of ours tells what it was asked")
        yield s


def nothing_is_left(site):
    return not site.db.open.count_documents({}) and not site.db.outbox.count_documents({})


def given(site):
    found = collections.Counter(
        (p["ns"].split(".", 1)[1], p["op"])
        for p in site.db.get_collection("system.profile").find({"appName": "roompay"})
    )
    return {k: n for k, n in found.items() if k not in POLLS}


def test_an_undisturbed_payment_needs_no_more_commands_than_these(site):
    site.paid(user="first")
    eventually(lambda: nothing_is_left(site))
    time.sleep(1.5)  # the next look at the whole outbox is some seconds away
    plans.take_note_of_all(site.db)
    for n in range(PAYMENTS):
        _body, _token, a = site.paid(user=f"u{n}")
        assert a.status == 200, a
        eventually(lambda: nothing_is_left(site), 10, 0.02)
    site.db.command("profile", 0)
    found = given(site)
    assert set(found) == set(WORKER) | set(COURIER), found
    for kind, n in {**WORKER, **COURIER}.items():
        least = n / 2 if kind in SHARED else n
        assert found[kind] >= least * PAYMENTS, (kind, found)  # else the table is out of date
    # a poll of the courier's may fall between, and a slow machine lets it overtake the worker
    assert sum(found[k] for k in WORKER) <= (sum(WORKER.values()) + 0.4) * PAYMENTS, found
    assert sum(found[k] for k in COURIER) <= (sum(COURIER.values()) + 0.9) * PAYMENTS, found
