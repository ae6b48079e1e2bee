"""GET /payments and /payments/{tid}: who may see what, pages that nothing moves, and CSV that a spreadsheet cannot be fooled by."""

import csv
import datetime
import io
import time
import urllib.parse

import pytest
from booking_site import eventually, http_call, new_id
from conftest import make


@pytest.fixture(scope="module")
def site():
    yield from make(workers=4, auto_remove=False)


def history(site, caller="operator", accept=None, tid=None, **query):
    query = {k.rstrip("_"): v for k, v in query.items()}
    headers = {
        "Authorization": "Bearer " + site.stack.tokens[caller],
        **({"Accept": accept} if accept else {}),
    }
    path = "/payments" + ("/" + tid if tid else "")
    return http_call(
        "GET",
        site.base + path + ("?" + urllib.parse.urlencode(query) if query else ""),
        headers=headers,
    )


def tids(a):
    assert a.status == 200, a
    return [p["tid"] for p in a.body["payments"]]


def walk(site, limit, **query):
    got, cursor, pages = [], {}, 0
    while True:
        a = history(site, limit=limit, **query, **cursor)
        got += tids(a)
        pages += 1
        assert len(a.body["payments"]) <= limit and pages < 50
        if a.body["next"] is None:
            return got
        cursor = {"cursor": a.body["next"]}


def newest_first(paid):
    """KakaoPay's times are whole seconds: among equals the tid decides."""
    return [tid for _, tid in sorted(((p[3]["approved_at"], p[0]) for p in paid), reverse=True)]


def pay(site, user, room=None, **payment):
    body = site.booking(user=user, room=room or new_id(), **payment)
    a = site.ready(body)
    assert a.status == 200, a
    room = body["reservationInfo"]["roomId"]
    b = site.approve(user, room, site.sim.pay(a.body["tid"]))
    assert b.status == 200, b
    return a.body["tid"], room, body["paymentInfo"]["partner_order_id"], b.body["payment"]


def test_filters_and_pages(site):
    user = "u-" + new_id()
    paid = [pay(site, user) for _ in range(5)]
    other = pay(site, "o-" + new_id(), room=None)
    newest = newest_first(paid)
    for limit in (1, 2, 5, 100):
        assert walk(site, limit, userId=user) == newest
    assert tids(history(site, partner_order_id=paid[2][2])) == [paid[2][0]]
    assert tids(history(site, roomId=paid[3][1].upper())) == [paid[3][0]]
    assert tids(history(site, userId=user, roomId=paid[3][1])) == [paid[3][0]]
    assert (
        tids(history(site, userId="nobody")) == []
        and history(site, userId="nobody").body["next"] is None
    )
    assert other[0] in tids(history(site)) and tids(history(site, cid="TCSUBSCRIP")) == []
    assert {**paid[4][3], "state": "approved", "refunded": 0} in history(site, userId=user).body[
        "payments"
    ]
    # a payment while somebody reads: no page is moved, nothing comes twice
    first = history(site, userId=user, limit=2)
    time.sleep(1.1)
    late = pay(site, user)[0]
    rest = history(site, userId=user, limit=100, cursor=first.body["next"])
    assert tids(first) + tids(rest) == newest and late not in tids(rest)
    assert late in tids(history(site, userId=user))


def test_by_time(site):
    user = "u-" + new_id()
    one = pay(site, user)[3]
    at = one["approved_at"]
    assert tids(history(site, userId=user, from_=at)) == [one["tid"]]
    assert tids(history(site, userId=user, to=at)) == []
    kst = at[:10] + "T23:59:59.999+14:00"
    assert history(site, userId=user, to=kst).status == 200
    assert tids(history(site, userId=user, from_="2020-01-01", to="2099-12-31")) == [one["tid"]]


@pytest.mark.parametrize(
    ("query", "pointer", "code"),
    [
        ({"limit": "0"}, "/limit", "out-of-range"),
        ({"limit": "101"}, "/limit", "out-of-range"),
        ({"limit": "x"}, "/limit", "type"),
        ({"from_": "yesterday"}, "/from", None),
        ({"from_": "2026-02-30"}, "/from", "format"),
        ({"to": "2026-01-01", "from_": "2026-01-02"}, "/to", "out-of-range"),
        ({"cursor": "x"}, "/cursor", "format"),
        ({"cursor": "ff."}, "/cursor", "format"),
        ({"cursor": "ffffffffffffffff.T"}, "/cursor", "format"),
        ({"roomId": "zz"}, "/roomId", None),
        ({"cid": "short"}, "/cid", None),
        ({"userid": "x"}, "/userid", "unknown-member"),
        ({"userId": "x" * 101}, "/userId", "too-long"),
    ],
)
def test_a_wrong_question(site, query, pointer, code):
    a = history(site, **query)
    assert (
        a.status == 422
        and a.body["errors"][0]["pointer"] == pointer
        and code in (None, a.body["errors"][0]["code"])
    ), a.body


def test_who_may_ask(site):
    user = "u-" + new_id()
    tid, _, order, _ = pay(site, user)
    assert history(site, "gateway").status == 422  # one user or one order
    assert tids(history(site, "gateway", userId=user)) == [tid]
    assert tids(history(site, "gateway", partner_order_id=order)) == [tid]
    assert tids(history(site, "other", userId=user)) == []  # another cid's gateway
    assert history(site, "other", userId=user, cid="TC0ONETIME").status == 403
    assert history(site, "gateway", userId=user, cid="TCSUBSCRIP").status == 403
    assert history(site, cid="TCNOBODY00").status == 422
    assert (
        history(site, "reservation", userId=user).status == 403
        and history(site, "refund", userId=user).status == 403
    )
    assert history(site, tid=tid).body["state"] == "approved"
    assert history(site, "gateway", tid=tid).status == 422
    assert history(site, "gateway", tid=tid, userId=user).body["payment"]["tid"] == tid
    for caller, query in (
        ("gateway", {"userId": "another"}),
        ("gateway", {"partner_order_id": "another"}),
        ("other", {"userId": user}),
    ):
        a = history(site, caller, tid=tid, **query)
        assert (a.status, a.body["code"]) == (404, "no-payment")
    assert history(site, tid="T0000000000000000000").status == 404
    assert http_call("POST", site.base + "/payments/" + tid, {}).status == 405


def test_what_became_of_a_payment(site):
    user = "u-" + new_id()
    tid, room, _, payment = pay(site, user)
    a = history(site, tid=tid).body
    assert a["payment"] == payment and (
        a["charged"],
        a["refunded"],
        a["roomId"],
        a["userId"],
        a["next"],
    ) == (True, 0, room, user, "nothing")
    r = http_call(
        "POST",
        site.base + "/cancelPayment",
        {"tid": tid, "refundId": "r-" + new_id(), "reason": "test"},
        headers={"Authorization": "Bearer " + site.stack.tokens["refund"]},
    )
    assert r.status == 200, r
    a = eventually(
        lambda: (lambda b: b if b["state"] == "refunded" else None)(history(site, tid=tid).body)
    )
    assert a["refunded"] == payment["amount"]["total"] and a["payment"] == payment


def test_a_months_sum_is_right_after_refunds(site):
    """The list and the CSV tell what was given back, and when: total minus refunded is what stayed."""
    user = "u-" + new_id()
    whole, part, none = (pay(site, user)[0] for _ in range(3))
    assert (
        site.refund(part, "r-1", 700).status == 200 and site.refund(part, "r-2", 300).status == 200
    )
    assert site.refund(whole, "r-3").status == 200
    rows = {p["tid"]: p for p in history(site, userId=user).body["payments"]}
    assert {t: (rows[t]["state"], rows[t]["refunded"]) for t in rows} == {
        whole: ("refunded", 2200),
        part: ("part_refunded", 1000),
        none: ("approved", 0),
    }
    assert (
        "refunded_at" not in rows[none]
        and sum(p["amount"]["total"] - p["refunded"] for p in rows.values()) == 3400
    )
    last = site.db.ledger.find_one({"tid": part, "kind": "part_refunded", "refund.id": "r-2"})["at"]
    assert (
        rows[part]["refunded_at"]
        == last.strftime("%Y-%m-%dT%H:%M:%S.") + f"{last.microsecond // 1000:03}Z"
    )
    table = csv.DictReader(
        io.StringIO(history(site, accept="text/csv", userId=user).raw.decode("utf-8-sig"))
    )
    table = {r["tid"]: r for r in table}
    assert {t: (r["state"], int(r["refunded"])) for t, r in table.items()} == {
        t: (r["state"], r["refunded"]) for t, r in rows.items()
    }
    kst = last + datetime.timedelta(hours=9)
    assert (
        table[part]["refunded_at (KST)"] == kst.strftime("%Y-%m-%d %H:%M:%S")
        and table[none]["refunded_at (KST)"] == ""
    )


def refunds(site, accept=None, **filters):
    query = "&".join(f"{k}={urllib.parse.quote(str(v))}" for k, v in filters.items())
    return site.get("/refunds?" + query, **({"Accept": accept} if accept else {}))


def test_refunds_are_listed_by_day(site):
    user = "u-" + new_id()
    one, two = pay(site, user)[0], pay(site, user)[0]
    assert refunds(site, userId=user).body == {"refunds": [], "next": None}
    assert (
        site.refund(one, "r-1", 700).status == 200
        and site.refund(two, "r-2").status == 200
        and site.refund(one, "r-3", 100).status == 200
    )
    rows = refunds(site, userId=user).body["refunds"]
    assert [
        (r["tid"], r["refundId"], r["amount"]["total"], r["canceled"], r["state"]) for r in rows
    ] == [
        (one, "r-3", 100, 800, "part_refunded"),
        (two, "r-2", 2200, 2200, "refunded"),
        (one, "r-1", 700, 700, "part_refunded"),
    ]
    first = refunds(site, userId=user, limit=2).body
    rest = refunds(site, userId=user, limit=2, cursor=first["next"]).body
    assert first["refunds"] + rest["refunds"] == rows and rest["next"] is None
    kst = datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=9)
    day, after = kst.strftime("%Y-%m-%d"), (kst + datetime.timedelta(days=1)).strftime("%Y-%m-%d")
    assert len(refunds(site, userId=user, **{"from": day, "to": after}).body["refunds"]) == 3
    assert (
        refunds(site, userId=user, to=day).body["refunds"] == []
        and refunds(site, userId=user, **{"from": after}).body["refunds"] == []
    )
    table = list(
        csv.DictReader(
            io.StringIO(refunds(site, accept="text/csv", userId=user).raw.decode("utf-8-sig"))
        )
    )
    assert [(t["tid"], t["refundId"], t["amount"]) for t in table] == [
        (r["tid"], r["refundId"], str(r["amount"]["total"])) for r in rows
    ]
    page = refunds(site, accept="text/csv", userId=user, limit=2)
    assert "/refunds?" in page.headers["link"]
    assert site.get("/refunds", caller="gateway").status == 422  # whose?
    assert len(site.get("/refunds?userId=" + user, caller="gateway").body["refunds"]) == 3
    assert (
        site.get("/refunds?userId=" + user, caller="other").body["refunds"] == []
    )  # another merchant's
    assert (
        site.get("/refunds", caller="reservation").status == 403
        and site.get("/refunds", caller=None).status == 401
    )


def test_csv(site):
    user = "=HYPERLINK(1)" + new_id()
    names = ["=1+1", "@x", "+1", "-1", 'say "hi", 스터디룸']
    paid = [pay(site, user, item_name=n) for n in names]
    a = history(site, accept="text/csv", userId=user, limit=3)
    assert a.status == 200 and a.headers["content-type"].startswith("text/csv; charset=utf-8")
    assert a.raw.startswith(b"\xef\xbb\xbf") and a.raw.endswith(b"\r\n")
    rows = list(csv.DictReader(io.StringIO(a.raw.decode("utf-8-sig"))))
    assert [r["tid"] for r in rows] == newest_first(paid)[:3]
    link = a.headers["link"]
    assert link.endswith('>; rel="next"') and "userId=" in link and "limit=3" in link
    b = http_call(
        "GET",
        site.stack.web_url + link[1 : link.index(">")],
        headers={"Authorization": "Bearer " + site.stack.tokens["operator"], "Accept": "text/csv"},
    )
    assert b.status == 200 and "link" not in b.headers
    rows += list(csv.DictReader(io.StringIO(b.raw.decode("utf-8-sig"))))
    assert sorted(r["item_name"] for r in rows) == sorted(["'=1+1", "'@x", "'+1", "'-1", names[4]])
    assert all(
        r["userId"] == "'" + user and not any(v[:1] in "=+@" for v in r.values() if v) for r in rows
    )
    utc = {p[0]: p[3]["approved_at"] for p in paid}[rows[0]["tid"]]
    kst = datetime.datetime.fromisoformat(utc.replace("Z", "+00:00")) + datetime.timedelta(hours=9)
    assert rows[0]["approved_at (KST)"] == kst.strftime("%Y-%m-%d %H:%M:%S")
    assert (
        history(site, accept="application/json, text/csv;q=0", userId=user).headers["content-type"]
        == "application/json"
    )
    assert (
        history(site, accept="text/csv;charset=utf-8; q=0.5, */*;q=0.1", userId=user)
        .headers["content-type"]
        .startswith("text/csv")
    )


def test_no_history_without_the_database(site):
    site.stack.kill("store")
    try:
        a = history(site, userId="x")
        assert (a.status, a.body["code"]) == (503, "store-unavailable")
        assert history(site, tid="T1").status == 503
    finally:
        site.stack.start("store")
    eventually(lambda: history(site, userId="x").status == 200, 20)


def test_a_payment_that_names_another_order_is_in_review(site):
    """KakaoPay answered another order than was asked: what it answered is stored, and its order's ledger knows nothing of it."""
    user = "u-" + new_id()
    site.sim.fault("approve", "wrong-partner-order-id")
    body, ready = site.opened(user=user)
    a = site.approve(user, body["reservationInfo"]["roomId"], site.sim.pay(ready.body["tid"]))
    assert a.status == 200 and a.body["state"] == "review", a
    (listed,) = history(site, userId=user).body["payments"]
    assert listed["state"] == "review"
    assert listed["partner_order_id"] != body["paymentInfo"]["partner_order_id"]
