"""Payments of a service that roompay replaced: documents as Mongoose wrote them stand beside ours."""
import csv
import datetime
import io
import json
import random
import subprocess

import bson
import pytest
from booking_site import Site, eventually, new_id
from conftest import BUILD, make
from stack import Stack

KST = datetime.timedelta(hours=9)
UTC = datetime.UTC


def whole_seconds(minutes_ago):
    now = datetime.datetime.now(UTC).replace(microsecond=0, tzinfo=None)
    return now - datetime.timedelta(minutes=minutes_ago)


def mongoose(minutes_ago=60, late=KST, without=(), **members):
    """KakaoPay's approve answer through the site's schema, saved a second later. late: what the
    host's time zone made of a time without an offset."""
    at = whole_seconds(minutes_ago)
    inserted = at + datetime.timedelta(seconds=1)
    doc = {
        "_id": bson.ObjectId(int(inserted.replace(tzinfo=UTC).timestamp()).to_bytes(4, "big") + random.randbytes(8)),
        "aid": "A" + new_id()[:19], "tid": "T" + new_id()[:19], "cid": "TC0ONETIME",
        "partner_order_id": "old-" + new_id(), "partner_user_id": "p-old", "payment_method_type": "MONEY",
        "item_name": "스터디룸", "quantity": 1, "userId": "old-" + new_id(),
        "amount": {"total": 2200, "tax_free": 0, "vat": 200.0},         # no point, no discount
        "created_at": at - datetime.timedelta(seconds=40) + late, "approved_at": at + late, "__v": 0,
        **members}
    return {k: v for k, v in doc.items() if k not in without}


SHAPES = {
    "as usual": mongoose(),
    "all numbers doubles": mongoose(quantity=1.0, amount={"total": 2200.0, "tax_free": 0.0, "vat": 200.0, "point": 0.0, "discount": 0.0}),
    "all numbers 64 bits": mongoose(quantity=bson.Int64(1), amount={"total": bson.Int64(2200), "vat": bson.Int64(200)}),
    "without aid": mongoose(without=["aid"]),
    "with members of its own": mongoose(payload="방 3", card_info={"bin": "621640"}, sid=None),
    "with null": mongoose(aid=None, item_name=None),
    "without much": mongoose(without=["aid", "item_name", "partner_user_id", "payment_method_type", "quantity", "amount"]),
    "a way to pay that nobody foresaw": mongoose(payment_method_type="A WAY TO PAY THAT NOBODY EVER FORESAW"),
    "dates that are right": mongoose(late=KST * 0),
}


@pytest.fixture(scope="module")
def site():
    for s in make(workers=2):
        s.db.payments.insert_many(SHAPES.values())
        yield s


def utc(d):
    return d.strftime("%Y-%m-%dT%H:%M:%S.000Z")


def test_the_history_has_them(site):
    for name, doc in SHAPES.items():
        a = site.get("/payments?userId=" + doc["userId"])
        assert a.status == 200, (name, a)
        (p,) = a.body["payments"]
        assert (p["tid"], p["state"], p["refunded"]) == (doc["tid"], "approved", 0), name
        assert p["approved_at"] == utc(doc["approved_at"]), name
        assert p["amount"]["total"] == doc.get("amount", {}).get("total", 0) and p["amount"]["point"] == 0, name
        assert p.get("aid") == doc.get("aid") and p["quantity"] == doc.get("quantity", 0), name
    a = site.get("/payments?limit=100", Accept="text/csv")
    rows = {r["tid"]: r for r in csv.DictReader(io.StringIO(a.raw.decode("utf-8-sig")))}
    assert {d["tid"] for d in SHAPES.values()} <= set(rows)
    assert {d["tid"] for d in SHAPES.values()} <= {p["tid"] for p in ctl(site, "payment", "list")}


def ctl(site, *words, code=0):
    return json.loads(site.stack.ctl(*words, "--json", code=code))


def test_one_of_them(site):
    """Whoever asks about such an order must not hear that nothing was charged."""
    for name, doc in SHAPES.items():
        tid, order = doc["tid"], doc["partner_order_id"]
        a = site.get("/payments/" + tid)
        assert (a.status, a.body["state"], a.body["charged"], a.body["next"]) == (200, "approved", True, "nothing"), (name, a)
        assert a.body["userId"] == doc["userId"] and "roomId" not in a.body, name
        a = site.order(order)
        assert (a.body["state"], a.body["charged"], a.body["attempts"][0]["tid"]) == ("approved", True, tid), (name, a)
        (said,) = ctl(site, "payment", "explain", tid)
        assert (said["state"], said["charged"]) == ("approved", True), name
    assert ctl(site, "payment", "show", tid) == []
    assert "before roompay" in site.stack.ctl("payment", "show", tid)
    assert site.order("nobody-" + new_id()).body["charged"] is False


def test_a_refund_of_one_is_refused(site):
    """The ledger does not know what was given back of it already."""
    a = site.refund(SHAPES["as usual"]["tid"])
    assert a.status in (404, 409) and site.calls("cancel") == [], a


def test_the_day_is_compared(site):
    day = (SHAPES["dates that are right"]["approved_at"] + KST).strftime("%Y-%m-%d")
    mine = {r["tid"]: r["difference"] for r in ctl(site, "reconcile", "--day", day, code=1) if "tid" in r}
    assert mine[SHAPES["dates that are right"]["tid"]] == "silent"      # the simulator never heard of it


def test_beside_them_all_goes_on(site):
    body, _, b = site.paid()
    assert b.status == 200, b
    (doc,) = site.payments(body["paymentInfo"]["partner_order_id"])
    assert site.get("/payments/" + doc["tid"]).body["charged"] is True
    site.db.payments.update_one({"_id": doc["_id"]}, {"$unset": {"amount": 1}})     # what is ours must be whole
    try:
        assert site.get("/payments/" + doc["tid"]).status == 500
    finally:
        site.db.payments.replace_one({"_id": doc["_id"]}, doc)
    assert site.stack.ctl("migrate", "--reason", "test")


def test_a_tid_that_stands_twice_is_named():
    """The index cannot be made: nothing is taken, and everybody who is asked says why."""
    with Stack(BUILD, workers=2, mode="master") as stack:      # looking for them is no query with an index
        s = Site(stack)
        twice = mongoose()
        s.stack.stop("courier")
        s.stack.stop("workers")
        s.db.payments.drop_indexes()
        s.db.meta.delete_one({"_id": "schema"})
        s.db.payments.insert_many([twice, {**twice, "_id": bson.ObjectId()}])
        said = migrate_error(s)
        assert twice["tid"] in said and "migrating.md" in said, said
        s.stack.start("workers")
        assert s.ready().status == 503
        log = s.stack.log_tail("workers", 50)
        assert twice["tid"] in log and "migrating.md" in log, log
        s.db.payments.delete_one({"tid": twice["tid"]})
        assert eventually(lambda: s.ready().status == 200)
        s.stack.start("courier")


def migrate_error(s):
    done = subprocess.run([str(s.stack.build / "ctl" / "roompayctl"), "-c", str(s.stack.conf_path), "migrate", "--reason", "test"],
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    return done.stderr
