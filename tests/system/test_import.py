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
        "_id": bson.ObjectId(
            int(inserted.replace(tzinfo=UTC).timestamp()).to_bytes(4, "big") + random.randbytes(8)
        ),
        "aid": "A" + new_id()[:19],
        "tid": "T" + new_id()[:19],
        "cid": "TC0ONETIME",
        "partner_order_id": "old-" + new_id(),
        "partner_user_id": "p-old",
        "payment_method_type": "MONEY",
        "item_name": "스터디룸",
        "quantity": 1,
        "userId": "old-" + new_id(),
        "amount": {"total": 2200, "tax_free": 0, "vat": 200.0},  # no point, no discount
        "created_at": at - datetime.timedelta(seconds=40) + late,
        "approved_at": at + late,
        "__v": 0,
        **members,
    }
    return {k: v for k, v in doc.items() if k not in without}


SHAPES = {
    "as usual": mongoose(),
    "all numbers doubles": mongoose(
        quantity=1.0,
        amount={"total": 2200.0, "tax_free": 0.0, "vat": 200.0, "point": 0.0, "discount": 0.0},
    ),
    "all numbers 64 bits": mongoose(
        quantity=bson.Int64(1), amount={"total": bson.Int64(2200), "vat": bson.Int64(200)}
    ),
    "without aid": mongoose(without=["aid"]),
    "with members of its own": mongoose(payload="방 3", card_info={"bin": "621640"}, sid=None),
    "with null": mongoose(aid=None, item_name=None),
    "without much": mongoose(
        without=["aid", "item_name", "partner_user_id", "payment_method_type", "quantity", "amount"]
    ),
    "a way to pay that nobody foresaw": mongoose(
        payment_method_type="A WAY TO PAY THAT NOBODY EVER FORESAW"
    ),
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
        assert (
            p["amount"]["total"] == doc.get("amount", {}).get("total", 0)
            and p["amount"]["point"] == 0
        ), name
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
        assert (a.status, a.body["state"], a.body["charged"], a.body["next"]) == (
            200,
            "approved",
            True,
            "nothing",
        ), (name, a)
        assert a.body["userId"] == doc["userId"] and "roomId" not in a.body, name
        a = site.order(order)
        assert (a.body["state"], a.body["charged"], a.body["attempts"][0]["tid"]) == (
            "approved",
            True,
            tid,
        ), (name, a)
        (said,) = ctl(site, "payment", "explain", tid)
        assert (said["state"], said["charged"]) == ("approved", True), name
    assert ctl(site, "payment", "show", tid) == []
    assert "before roompay" in site.stack.ctl("payment", "show", tid)
    assert site.order("nobody-" + new_id()).body["charged"] is False


@pytest.mark.parametrize("dates", [{}, {"approved_at": None}, {"approved_at": "2024-03-05"}])
def test_one_without_its_date(site, dates):
    """No list by time has it. Whoever asks about its order hears that it was charged."""
    doc = {**mongoose(without=["approved_at", "created_at"]), **dates}
    site.db.payments.insert_one(doc)
    try:
        a = site.order(doc["partner_order_id"])
        assert (a.body["charged"], a.body["attempts"][0]["tid"]) == (True, doc["tid"]), a
        a = site.get("/payments/" + doc["tid"])
        assert (a.status, a.body["charged"], a.body["state"]) == (200, True, "approved"), a
        a = site.get("/payments?partner_order_id=" + doc["partner_order_id"])
        assert [p["tid"] for p in a.body["payments"]] == [doc["tid"]], a
        lacks = ctl(site, "import", "check", code=None)["lacks"]
        assert ("approved_at" in lacks) == (dates.get("approved_at") is None)
        assert site.get("/payments?limit=100").status == 200
    finally:
        site.db.payments.delete_one({"_id": doc["_id"]})


def test_the_console_finds_them(site):
    """By tid, order and user; and tells one's story."""
    doc = SHAPES["as usual"]
    for search in ("tid", "partner_order_id", "userId"):
        a = site.get(f"/console/api/payments?{search}={doc[search]}")
        assert [p["tid"] for p in a.body["payments"]] == [doc["tid"]], (search, a)
    for name, doc in SHAPES.items():
        a = site.get("/console/api/payments/" + doc["tid"])
        assert a.status == 200, (name, a)


def test_a_refund_of_one_is_refused(site):
    """The ledger does not know what was given back of it already."""
    a = site.refund(SHAPES["as usual"]["tid"])
    assert a.status in (404, 409) and site.calls("cancel") == [], a


def test_the_day_is_compared(site):
    day = (SHAPES["dates that are right"]["approved_at"] + KST).strftime("%Y-%m-%d")
    mine = {
        r["tid"]: r["difference"]
        for r in ctl(site, "reconcile", "--day", day, code=1)
        if "tid" in r
    }
    assert (
        mine[SHAPES["dates that are right"]["tid"]] == "silent"
    )  # the simulator never heard of it


def test_beside_them_all_goes_on(site):
    body, _, b = site.paid()
    assert b.status == 200, b
    (doc,) = site.payments(body["paymentInfo"]["partner_order_id"])
    assert site.get("/payments/" + doc["tid"]).body["charged"] is True
    site.db.payments.update_one(
        {"_id": doc["_id"]}, {"$unset": {"amount": 1}}
    )  # what is ours must be whole
    try:
        assert site.get("/payments/" + doc["tid"]).status == 500
    finally:
        site.db.payments.replace_one({"_id": doc["_id"]}, doc)
    assert site.stack.ctl("migrate", "--reason", "test")


def test_a_tid_that_stands_twice_is_named():
    """The index cannot be made: nothing is taken, and everybody who is asked says why."""
    with Stack(
        BUILD, workers=2, mode="master"
    ) as stack:  # looking for them is no query with an index
        s = Site(stack)
        twice = mongoose()
        s.stack.stop("courier")
        s.stack.stop("workers")
        s.db.payments.drop_indexes()
        s.db.meta.delete_one({"_id": "schema"})
        s.db.payments.insert_many([twice, {**twice, "_id": bson.ObjectId()}])
        said = migrate_error(s)
        assert twice["tid"] in said and "import check" in said, said
        s.stack.start("workers")
        assert s.ready().status == 503
        log = s.stack.log_tail("workers", 50)
        assert twice["tid"] in log and "import check" in log, log
        s.db.payments.delete_one({"tid": twice["tid"]})
        assert eventually(lambda: s.ready().status == 200)
        s.stack.start("courier")


def migrate_error(s):
    done = subprocess.run(
        [
            str(s.stack.build / "ctl" / "roompayctl"),
            "-c",
            str(s.stack.conf_path),
            "migrate",
            "--reason",
            "test",
        ],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    return done.stderr


def check(site, *words, code=0):
    return ctl(site, "import", "check", *words, code=code)


@pytest.mark.parametrize(
    ("late", "minutes"),
    [
        (KST, 540),
        (KST * 0, 0),
        (datetime.timedelta(hours=3.5), 210),
        (datetime.timedelta(hours=17), 1020),
    ],
    ids=["a host in UTC", "in Seoul", "in Delhi", "in New York"],
)
def test_the_hosts_time_zone_is_found_and_mended(empty, late, minutes):
    docs = [mongoose(ago, late=late) for ago in (5, 3000, 500000)]
    docs[1]["_id"] = bson.ObjectId(
        int(docs[1]["_id"].generation_time.timestamp() + 200).to_bytes(4, "big") + b"slowly.."
    )  # a slow insertion
    strange = mongoose(late=KST + datetime.timedelta(minutes=12))
    body, _, _ = empty.paid()
    (ours,) = empty.payments(body["paymentInfo"]["partner_order_id"])
    empty.db.payments.insert_many([*docs, strange])
    before = everything(empty)
    r = check(empty)
    assert (r["foreign"], r["datesOdd"], r["datesLate"], r["toShift"]) == (
        4,
        1,
        *(2 * [3 if minutes else 0]),
    ) and r["ours"] >= 1, r
    assert {d["tid"] for d in r["documents"] if d.get("plan") == "shift"} == (
        {d["tid"] for d in docs} if minutes else set()
    )
    assert all(d["late_minutes"] == minutes for d in r["documents"] if d["dates"] == "late")
    assert r["lacks"] == {"amount.discount": 4, "amount.point": 4}
    check(empty, "--apply", "--dry-run")
    empty.stack.ctl("import", "check", "--apply", code=2)  # why?
    assert everything(empty) == before
    assert check(empty, "--apply", "--reason", "the old host was in UTC")["mended"] is True
    for d in docs:
        now = empty.db.payments.find_one({"_id": d["_id"]})
        assert now == {
            **d,
            "approved_at": d["approved_at"] - late,
            "created_at": d["created_at"] - late,
        }
    assert empty.db.payments.find_one({"_id": strange["_id"]}) == strange
    assert empty.db.payments.find_one({"_id": ours["_id"]}) == ours
    mended = everything(empty)
    r = check(empty, "--apply", "--reason", "again")
    assert (r["toShift"], r["datesRight"], r["datesOdd"]) == (0, 3, 1) and everything(
        empty
    ) == mended
    if minutes:
        assert "the old host was in UTC" in {d.get("reason") for d in empty.db.meta.find()}


def everything(site):
    return list(site.db.payments.find().sort("_id"))


@pytest.fixture(scope="module")
def _empty():
    with Stack(BUILD, workers=1) as stack:
        yield Site(stack)


@pytest.fixture
def empty(_empty):
    """No payment of another program."""
    _empty.db.payments.delete_many({"__v": 0})
    yield _empty
    _empty.db.payments.delete_many({"__v": 0})
    _empty.db.payments_twice.drop()


def again(doc, seconds=30, **members):
    at = doc["_id"].generation_time + datetime.timedelta(seconds=seconds)
    return {
        **doc,
        "_id": bson.ObjectId(int(at.timestamp()).to_bytes(4, "big") + random.randbytes(8)),
        **members,
    }


def test_second_copies_are_set_aside(empty):
    """Equal ones only: of others a person decides."""
    one, other, single = mongoose(), mongoose(), mongoose(late=KST * 0)
    copy, differs = again(one), again(other, amount={"total": 9900, "tax_free": 0, "vat": 900})
    empty.db.payments.drop_indexes()
    empty.db.payments.insert_many([one, copy, other, differs, single])
    r = check(empty, code=1)
    assert (r["toSetAside"], r["toShift"], r["tidsDiffer"]) == (1, 1, 2), r
    assert {d["id"]: (d["twice"], d.get("plan")) for d in r["documents"]} == {
        str(one["_id"]): ("first", "shift"),
        str(copy["_id"]): ("copy", "set-aside"),
        str(other["_id"]): ("differs", None),
        str(differs["_id"]): ("differs", None),
    }
    check(empty, "--apply", "--reason", "test", code=1)
    assert list(empty.db.payments_twice.find()) == [copy]
    right = {**one, "approved_at": one["approved_at"] - KST, "created_at": one["created_at"] - KST}
    assert list(empty.db.payments.find({"__v": 0}).sort("_id")) == sorted(
        [right, other, differs, single], key=lambda d: d["_id"]
    )
    assert other["tid"] in migrate_error(empty)
    empty.db.payments.delete_one({"_id": differs["_id"]})
    assert check(empty, "--apply", "--reason", "test")["toShift"] == 1
    empty.stack.ctl("migrate")
    assert empty.db.payments.index_information()["tid"]["unique"] is True


def test_an_order_with_a_ledger_is_left_alone(empty):
    body, _, _ = empty.paid()
    late = mongoose(partner_order_id=body["paymentInfo"]["partner_order_id"])
    empty.db.payments.insert_one(late)
    r = check(empty, "--apply", "--reason", "test")
    assert (r["withLedger"], r["toShift"]) == (1, 0) and empty.db.payments.find_one(
        {"_id": late["_id"]}
    ) == late


def test_it_is_said_in_words(empty):
    empty.db.payments.insert_one(mongoose(without=["aid"]))
    said = empty.stack.ctl("import", "check")
    assert "aid" in said and "nothing was changed" in said and "1 dates set right" in said, said
    assert "시각 1건" in empty.stack.ctl("import", "check", "--lang", "ko")
    assert "done: 1 dates" in empty.stack.ctl("import", "check", "--apply", "--reason", "test")
