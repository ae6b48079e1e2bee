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
    site.stack.stop("courier")      # a new one looks at every item
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
    assert [e["kind"] for e in site.db.ledger.find({"tid": tid}).sort("n", 1)] == ["approving", "approved", "abandoned"]
    time.sleep(0.1)
    assert site.db.open.count_documents({"tid": tid}) == 1      # the payment's own item stays until its removal
