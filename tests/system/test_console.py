"""The operator's console: its pages, and the API that it and programs use. What roompayctl says is
held against the same schemas (ctl_json.py)."""

import csv
import hashlib
import http.client
import io
import json
import re
import secrets
import time
import urllib.parse

import pytest
from booking_site import CID, eventually, http_call, new_id
from conftest import make
from stack import PREFIX, TOP

API = "/console/api"
TODAY = time.strftime("%Y-%m-%d", time.gmtime(time.time() + 9 * 3600))
ACTIONS = {
    "settle": {"tid": "T1"},
    "refund": {"tid": "T1", "refundId": "r-1"},
    "release": {"tid": "T1"},
    "retry": {"id": "payment.approved.T1"},
    "retryAll": {},
    "test": {"peer": "gateway"},
    "adopt": {},
}
READS = (
    "me",
    "status",
    "waiting",
    "holds",
    "payments",
    "refunds",
    "deliveries",
    f"settlement?day={TODAY}",
    f"reconcile?day={TODAY}",
)


@pytest.fixture(scope="module")
def site():
    token = secrets.token_urlsafe(24)
    conf = {
        "queue": {"max_holds_per_user": 1000},
        "caller alice": {  # one of the two merchants
            "roles": "operator",
            "cids": CID,
            "token_sha256": hashlib.sha256(token.encode()).hexdigest(),
        },
    }
    for s in make(workers=6, auto_remove=False, conf=conf):
        s.tokens["alice"] = token
        yield s


def get(site, path, caller="viewer", **headers):
    return site.get(f"{API}/{path}", caller, **headers)


def act(site, action, caller="operator", **body):
    return site.ask(f"{API}/{action}", body, caller)


def all_of(site, path, name, caller="viewer"):
    """A list from its first piece to its last."""
    found, cursor = [], ""
    while cursor is not None:
        a = get(site, path + ("&" if "?" in path else "?") + "limit=2" + cursor, caller)
        assert a.status == 200, a
        found += a.body[name]
        cursor = a.body["next"] and "&cursor=" + a.body["next"]
    return found


def notes(site, order):
    return [
        (e["kind"], e.get("who"), e["by"], e.get("reason"))
        for e in site.db.ledger.find({"partner_order_id": order}).sort("n", 1)
    ]


def left_unknown(site, **changes):
    """An approve whose answer is lost, after KakaoPay took the money."""
    body, opened = site.opened(**changes)
    tid = opened.body["tid"]
    token = site.sim.pay(tid)
    site.sim.fault("approve", "close-after", tid=tid)
    site.sim.fault("order", "http-500", 1000, tid=tid)
    a = site.approve(body["userInfo"]["userId"], body["reservationInfo"]["roomId"], token)
    assert a.status == 202 and a.body["charged"] == "unknown", a
    return body, tid


# --- pages


def page(site, path, **headers):
    return http_call("GET", site.base + path, None, headers)


def test_the_page_and_its_headers(site):
    a = page(site, "/console/")
    assert a.status == 200 and a.raw == (TOP / "console/index.html").read_bytes()
    assert a.headers["content-type"] == "text/html; charset=utf-8"
    assert a.headers["content-security-policy"] == (
        "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
        "object-src 'none'"
    )
    assert a.headers["x-content-type-options"] == "nosniff"
    assert a.headers["referrer-policy"] == "no-referrer"
    assert a.headers["cross-origin-opener-policy"] == "same-origin"
    assert a.headers["cross-origin-resource-policy"] == "same-origin"
    assert a.headers["cache-control"] == "no-cache"
    same = page(site, "/console/index.html", If_None_Match="no")
    assert same.status == 200 and same.raw == a.raw


def test_a_page_that_did_not_change_is_not_sent_again(site):
    etag = page(site, "/console/").headers["etag"]
    for sent in (etag, "W/" + etag, f'"other", {etag}'):
        a = page(site, "/console/", **{"If-None-Match": sent})
        assert a.status == 304 and a.raw == b"" and a.headers["etag"] == etag
    assert page(site, "/console/", **{"If-None-Match": '"other"'}).status == 200


def test_the_door_leads_to_the_page(site):
    a = page(site, "/console")
    assert a.status == 308 and a.headers["location"].endswith(PREFIX + "/console/")


@pytest.mark.parametrize(
    "path",
    [
        "/console/no.js",
        "/console/../roompay.conf",
        "/console/%2e%2e/roompay.conf",
        "/console/..%2f..%2fetc/passwd",
        "/console//etc/passwd",
        "/console/Makefile.inc",
        "/console/index.html/",
        "/console/api/",
        "/console/api/no",
    ],
)
def test_nothing_but_its_own_files(site, path):
    connection = http.client.HTTPConnection(*site.stack.web_address, timeout=10)
    connection.request("GET", PREFIX + path)
    answer = connection.getresponse()
    assert answer.status in (400, 403, 404), answer.status
    answer.read()


# --- who may


def test_who_asks(site):
    a, b = get(site, "me", "operator"), get(site, "me", "viewer")
    assert (a.body["name"], a.body["role"]) == ("operator", "operator")
    assert (b.body["name"], b.body["role"]) == ("viewer", "viewer")
    assert set(a.body["cids"]) == {"TC0ONETIME", "TCSUBSCRIP"} and a.body["time_unit"] == "hour"


@pytest.mark.parametrize("read", READS)
def test_reads_are_for_operators_and_viewers(site, read):
    assert get(site, read, "viewer").status == 200
    assert get(site, read, "operator").status == 200
    for caller, status, code in (
        (None, 401, "unauthenticated"),
        ("gateway", 403, "forbidden"),
        ("reservation", 403, "forbidden"),
        ("refund", 403, "forbidden"),
    ):
        a = get(site, read, caller)
        assert (a.status, a.code) == (status, code), (read, caller, a)


@pytest.mark.parametrize("action", ACTIONS)
def test_actions_are_for_operators_alone(site, action):
    body = {**ACTIONS[action], "reason": "because"}
    for caller, status, code in (
        (None, 401, "unauthenticated"),
        ("viewer", 403, "forbidden"),
        ("gateway", 403, "forbidden"),
        ("refund", 403, "forbidden"),
    ):
        a = act(site, action, caller, **body)
        assert (a.status, a.code) == (status, code), (action, caller, a)


@pytest.mark.parametrize("action", ACTIONS)
def test_no_other_site_can_act(site, action):
    body = {**ACTIONS[action], "reason": "because"}
    for headers in (
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
    ):
        a = site.ask(f"{API}/{action}", body, "operator", **headers)
        assert (a.status, a.code) == (403, "cross-origin"), (action, headers, a)
    a = site.ask("/console/api/me", None, "operator", "GET", Origin="https://evil.example")
    assert (a.status, a.code) == (403, "cross-origin"), a
    a = site.ask("/console/api/me", None, "operator", "GET", Origin=site.stack.web_url)
    assert a.status == 200, a


@pytest.mark.parametrize("action", ACTIONS)
def test_bodies_are_checked(site, action):
    path = f"{API}/{action}"
    a = site.ask(path, b"{" + b" " * 20000 + b"}", "operator", Content_Type="application/json")
    assert (a.status, a.code) == (413, "too-large"), a
    a = site.ask(path, b"[]", "operator", Content_Type="application/json")
    assert (a.status, a.code) == (400, "malformed-json"), a
    a = site.ask(path, b"{}", "operator", Content_Type="text/plain")
    assert (a.status, a.code) == (415, "unsupported-media-type"), a
    a = act(site, action, **ACTIONS[action], more=1)
    assert ("/more", "unknown-member") in [(e["pointer"], e["code"]) for e in a.body["errors"]], a


@pytest.mark.parametrize("action", [a for a in ACTIONS if a != "test"])
@pytest.mark.parametrize(
    ("reason", "code"),
    [
        (None, "required"),
        ("", "too-short"),
        ("   ", "blank"),
        ("x" * 101, "too-long"),
        ("a\u202eb", "character"),
        (7, "type"),
    ],
)
def test_a_reason_is_needed(site, action, reason, code):
    more = {} if reason is None else {"reason": reason}
    a = act(site, action, **ACTIONS[action], **more)
    assert a.status == 422 and [(e["pointer"], e["code"]) for e in a.body["errors"]] == [
        ("/reason", code)
    ], a


def test_another_merchants_payment_is_not_there(site):
    body = site.booking(cid="TCSUBSCRIP")
    opened = site.ask("/payReady", body, "other").body
    tid, order = opened["tid"], body["paymentInfo"]["partner_order_id"]
    hold = opened["hold"]
    approve = {"pg_token": site.sim.pay(tid), "userId": hold["userId"], "roomId": hold["roomId"]}
    assert site.ask("/approvePayment", approve, "other").status == 200
    eventually(lambda: get(site, "deliveries/payment.approved." + tid).body["attempts"])
    for path in (f"payments/{tid}", f"holds/{tid}", f"deliveries/payment.approved.{tid}"):
        assert get(site, path, "alice").code == "not-known", path
        assert get(site, path, "viewer").status == 200, path
    ask = urllib.parse.urlencode({"cid": "TCSUBSCRIP", "partner_order_id": order})
    assert get(site, "orders?" + ask, "alice").code == "forbidden"
    assert get(site, "payments?tid=" + tid, "alice").body["payments"] == []
    assert get(site, "payments?cid=TCSUBSCRIP", "alice").code == "forbidden"
    assert all(p["cid"] == CID for p in get(site, "payments", "alice").body["payments"])
    assert all(h["cid"] == CID for h in get(site, "holds", "alice").body["holds"])
    for action, more, code in (
        ("settle", {"tid": tid}, "not-known"),
        ("release", {"tid": tid}, "not-known"),
        ("refund", {"tid": tid, "refundId": "r"}, "no-payment"),
        ("refund", {"tid": tid, "dryRun": True}, "no-payment"),
        ("retry", {"id": "queue.removed." + tid}, "not-known"),
        ("retry", {"id": "payment.approved." + tid, "again": True}, "not-known"),
    ):
        assert act(site, action, "alice", reason="mine?", **more).code == code, action
    assert [kind for kind, *_ in notes(site, order)] == ["approving", "approved"]


# --- reads


def test_status_says_what_roompayctl_says(site):
    a, said = get(site, "status", Accept_Language="en"), site.stack.ctl("status", "--json")
    ours, theirs = a.body, json.loads(said)
    assert ours["ready"] is True and ours["detail"] == "payments can be taken"
    assert {k: ours[k] for k in ("ready", "detail", "store", "queue", "siteQueue")} == {
        k: theirs[k] for k in ("ready", "detail", "store", "queue", "siteQueue")
    }
    assert get(site, "status", Accept_Language="ko").body["detail"] == "결제를 받고 있습니다"


def test_payments_are_found_by_everything(site):
    body, _, paid = site.paid(user="finder-" + new_id())
    tid = paid.body["payment"]["tid"]
    other, _, _ = site.paid(user="finder-" + new_id())
    filters = {
        "tid": tid,
        "userId": body["userInfo"]["userId"],
        "partner_order_id": body["paymentInfo"]["partner_order_id"],
        "roomId": body["reservationInfo"]["roomId"],
    }
    for name, value in filters.items():
        a = get(site, "payments?" + urllib.parse.urlencode({name: value}))
        assert [p["tid"] for p in a.body["payments"]] == [tid], (name, a)
    assert tid in [p["tid"] for p in all_of(site, "payments?day=" + TODAY, "payments")]
    assert all_of(site, "payments?day=2020-01-01", "payments") == []
    assert get(site, "payments?tid=Tnobody").body == {"payments": [], "next": None}
    assert site.refund(tid, amount=200).status == 200
    found = [p["tid"] for p in all_of(site, "payments?state=part_refunded", "payments")]
    assert tid in found
    assert tid not in [p["tid"] for p in all_of(site, "payments?state=approved", "payments")]
    a = get(site, "payments?day=2020-01-01&from=2020-01-01")
    assert [(e["pointer"], e["code"]) for e in a.body["errors"]] == [("/day", "both-spellings")]
    a = get(site, "payments?state=paid&day=yesterday12&limit=0&cursor=!&more=1")
    assert {(e["pointer"], e["code"]) for e in a.body["errors"]} == {
        ("/state", "unknown-word"),
        ("/day", "format"),
        ("/limit", "out-of-range"),
        ("/cursor", "format"),
        ("/more", "unknown-member"),
    }


def test_lists_as_csv(site):
    body, _, paid = site.paid()
    tid = paid.body["payment"]["tid"]
    assert site.refund(tid, amount=100).status == 200
    for path, name in (
        ("payments?tid=" + tid, "tid"),
        ("refunds?userId=" + urllib.parse.quote(body["userInfo"]["userId"]), "tid"),
        ("settlement?day=" + TODAY, "cid"),
    ):
        a = get(site, path, Accept="text/csv")
        assert a.status == 200 and a.headers["content-type"].startswith("text/csv"), a
        rows = list(csv.DictReader(io.StringIO(a.raw.decode("utf-8-sig"))))
        assert rows and (tid if name == "tid" else CID) in [r[name] for r in rows]
    a = get(site, "payments?limit=1", Accept="text/csv")
    link = re.fullmatch(r'<(.+)>; rel="next"', a.headers["link"])[1]
    assert link.startswith(PREFIX + "/console/api/payments?limit=1&cursor=")


def test_one_payments_story(site):
    body, _, paid = site.paid()
    tid, order = paid.body["payment"]["tid"], body["paymentInfo"]["partner_order_id"]

    def is_delivered():
        tries = get(site, "payments/" + tid).body["deliveries"][0]["attempts"]
        return tries and tries[0]["end"] == "acknowledged"

    eventually(is_delivered)
    a = get(site, "payments/" + tid, Accept_Language="en")
    s = a.body
    assert (s["partner_order_id"], s["state"], s["charged"], s["refunded"]) == (
        order,
        "approved",
        True,
        0,
    )
    assert [e["kind"] for e in s["events"]] == ["approving", "approved"]
    assert s["events"][0]["happened"] == "KakaoPay is asked to take the money."
    assert s["events"][0]["who"] == "gateway" and s["events"][0]["by"] == "fcgi"
    assert s["attempts"][0]["customer"] == "The customer is charged 2200 won."
    assert s["payment"]["tid"] == tid and s["hold"]["tid"] == tid
    assert s["deliveries"][0]["id"] == "payment.approved." + tid
    assert s["deliveries"][0]["attempts"][0]["end"] == "acknowledged"
    ask = urllib.parse.urlencode({"cid": CID, "partner_order_id": order})
    b = get(site, "orders?" + ask, Accept_Language="en").body
    assert b == {k: v for k, v in s.items() if k != "tid"}
    korean = get(site, "payments/" + tid, Accept_Language="ko").body
    assert korean["events"][0]["happened"] == "카카오페이에 승인을 요청합니다."
    for path in ("payments/Tnobody", "payments/" + "T" * 30, "deliveries/no", "holds/Tnobody"):
        assert get(site, path).code == "not-known", path
    ask = urllib.parse.urlencode({"cid": CID, "partner_order_id": "nobody's"})
    assert get(site, "orders?" + ask).code == "not-known"


def test_live_holds(site):
    room = new_id()
    opened = [site.opened(room=room, user=f"h-{i}", start=(8 + i,), end=(9 + i,)) for i in range(3)]
    tids = {a.body["tid"] for _, a in opened}
    assert {h["tid"] for h in all_of(site, "holds?roomId=" + room.upper(), "holds")} == tids
    hold = get(site, "holds/" + opened[0][1].body["tid"]).body
    assert hold["state"] == "ready" and hold["roomId"] == room
    assert hold["intervals"] == [{"day": 1, "startTime": 8, "endTime": 9}]
    assert [h["tid"] for h in get(site, "holds?userId=h-1").body["holds"]] == [
        opened[1][1].body["tid"]
    ]


def test_a_day_is_settled_and_reconciled_in_pieces(site):
    for _ in range(3):
        site.paid()
    total, cursor, pieces = {}, "", 0
    counts, differences, done = 0, [], 0
    while cursor is not None:
        a = get(site, f"settlement?day={TODAY}{cursor}")
        for m in a.body["merchants"]:
            t = total.setdefault(m["cid"], dict.fromkeys(m.keys() - {"cid"}, 0))
            for k in t:
                t[k] += m[k]
        cursor = a.body["next"] and "&cursor=" + a.body["next"]
    said = json.loads(site.stack.ctl("settlement", "--day", TODAY, "--json"))
    assert total == {m["cid"]: {k: v for k, v in m.items() if k != "cid"} for m in said}
    cursor = ""
    while cursor is not None:
        a = get(site, f"reconcile?day={TODAY}{cursor}")
        assert a.status == 200 and done <= a.body["done"] <= a.body["all"], a
        done, pieces = a.body["done"], pieces + 1
        counts += sum(a.body["counts"].values())
        differences += a.body["differences"]
        cursor = a.body["next"] and "&cursor=" + a.body["next"]
    assert counts == done >= 3 and pieces >= 1
    said = json.loads(site.stack.ctl("reconcile", "--day", TODAY, "--json", code=None))
    assert sorted(d["tid"] for d in differences) == sorted(d["tid"] for d in said)
    for bad in ("day=2026-13-01", "day=2026", "", f"day={TODAY}&cursor=x", f"day={TODAY}&cid=no"):
        assert get(site, "reconcile?" + bad).status == 422, bad
        assert get(site, "settlement?" + bad).status == 422, bad


def test_a_slow_kakaopay_makes_more_pieces_not_longer_ones(site):
    site.sim.latency("order", 1200)
    try:
        done, cursor, pieces, seen = 0, "", 0, []
        while cursor is not None and pieces < 4:
            a = get(site, f"reconcile?day={TODAY}{cursor}")
            assert a.status == 200 and a.seconds < 6, a
            seen.append(sum(a.body["counts"].values()))
            done, pieces = a.body["done"], pieces + 1
            cursor = a.body["next"] and "&cursor=" + a.body["next"]
    finally:
        site.sim.latency("order", 0)
    assert pieces > 1 and sum(seen) == done and all(n <= 4 for n in seen), (seen, done)


# --- actions


def test_money_that_waits_is_shown_and_settled(site):
    body, tid = left_unknown(site, user="w-" + new_id())
    order = body["paymentInfo"]["partner_order_id"]
    (w,) = [
        p for p in get(site, "waiting", Accept_Language="en").body["payments"] if p["tid"] == tid
    ]
    assert (w["state"], w["charged"], w["partner_order_id"]) == ("unknown", "unknown", order)
    assert "never came" in w["happened"] and w["customer"].startswith("It is not known")
    a = act(site, "settle", tid=tid, reason="it waits")
    assert (a.status, a.code) == (409, "not-in-this-state"), a
    site.sim.no_faults()
    a = act(site, "settle", tid=tid, dryRun=True)
    assert a.status == 200 and (a.body["before"], a.body["state"]) == ("unknown", "approved"), a
    assert not site.payments(order)
    a = act(site, "settle", tid=tid, reason="it waits too long")
    assert a.status == 200 and (a.body["state"], a.body["dryRun"]) == ("approved", False), a
    assert ("approved", "operator", "fcgi", "it waits too long") in notes(site, order)
    assert len(site.payments(order)) == 1
    assert tid not in [p["tid"] for p in get(site, "waiting").body["payments"]]
    a = act(site, "settle", tid=tid, reason="again")
    assert (a.status, a.code) == (409, "not-in-this-state"), a
    assert act(site, "settle", tid="Tnobody", reason="x").code == "not-known"
    a = act(site, "settle", tid=tid, reason="x", **{"as": "paid"})
    assert [(e["pointer"], e["code"]) for e in a.body["errors"]] == [("/as", "unknown-word")]


def test_a_refund_by_hand_pays_once(site):
    body, _, paid = site.paid(total=5000)
    tid, order = paid.body["payment"]["tid"], body["paymentInfo"]["partner_order_id"]
    plan = act(site, "refund", tid=tid, cancel_amount=1000, dryRun=True)
    assert plan.status == 200, plan
    assert {
        k: plan.body[k] for k in ("refunded", "amount", "canceled", "left", "past", "repeat")
    } == {
        "refunded": False,
        "amount": 1000,
        "canceled": 0,
        "left": 5000,
        "past": [],
        "repeat": False,
    }
    assert len(notes(site, order)) == 2  # nothing was written
    refund = {"tid": tid, "cancel_amount": 1000, "reason": "one hour less"}
    refund["refundId"] = plan.body["refundId"]
    answers = [act(site, "refund", **refund) for _ in range(2)]  # a double click
    assert [a.status for a in answers] == [200, 200]
    assert answers[1].headers["idempotent-replayed"] == "true"
    assert answers[0].body == answers[1].body
    assert (answers[0].body["canceled"], answers[0].body["left"]) == (1000, 4000)
    assert ("refunding", "operator", "fcgi", "one hour less") in notes(site, order)
    # another click, another id: the same amount within ten minutes
    again = {**refund, "refundId": "r-" + new_id()}
    a = act(site, "refund", **again)
    assert (a.status, a.code) == (409, "refund-repeated"), a
    assert a.body["twin"]["id"] == refund["refundId"] and a.body["twin"]["amount"] == 1000
    plan = act(site, "refund", **{**again, "dryRun": True})
    assert plan.body["twin"]["id"] == refund["refundId"] and len(plan.body["past"]) == 1
    a = act(site, "refund", **again, again=True)
    assert a.status == 200 and a.body["canceled"] == 2000, a
    assert act(site, "refund", **{**refund, "cancel_amount": 900}).code == "refund-mismatch"
    a = act(site, "refund", tid=tid, cancel_amount=9000, dryRun=True)
    assert (a.status, a.code) == (409, "refund-exceeds"), a
    a = act(site, "refund", tid=tid, cancel_amount=1, reason="x")
    assert [(e["pointer"], e["code"]) for e in a.body["errors"]] == [("/refundId", "required")]
    assert act(site, "refund", tid="Tnobody", refundId="r", reason="x").code == "no-payment"
    cancels = [c for c in site.calls("cancel") if c.get("tid") == tid]
    assert len(cancels) == 2, cancels


def test_a_part_of_a_payment_with_a_tax_free_amount_names_its_own(site):
    _, _, paid = site.paid(total=5000, tax_free_amount=1000)
    tid = paid.body["payment"]["tid"]
    for more in ({"dryRun": True}, {"refundId": "r-1", "reason": "x"}):
        a = act(site, "refund", tid=tid, cancel_amount=1000, **more)
        assert [(e["pointer"], e["code"]) for e in a.body["errors"]] == [
            ("/cancel_tax_free_amount", "required")
        ], a


def test_a_refund_whose_end_is_not_known(site):
    """The second click waits for the end that the courier finds; it sends nothing."""
    _, _, paid = site.paid(total=5000)
    tid = paid.body["payment"]["tid"]
    site.sim.fault("cancel", "close-after", tid=tid)
    refund = {"tid": tid, "refundId": "r-" + new_id(), "reason": "all"}
    a = act(site, "refund", **refund)
    assert a.status in (200, 202), a
    eventually(lambda: act(site, "refund", **refund).status == 200, 60)
    assert act(site, "refund", **refund).body["left"] == 0
    assert len([c for c in site.calls("cancel") if c.get("tid") == tid]) == 1


def test_a_hold_is_released_with_who_and_why(site):
    body, _, paid = site.paid()
    tid, order = paid.body["payment"]["tid"], body["paymentInfo"]["partner_order_id"]
    a = act(site, "release", tid=tid, dryRun=True)
    assert a.status == 200 and a.body == {
        "tid": tid,
        "removed": False,
        "state": "approved",
        "dryRun": True,
    }
    assert get(site, "holds/" + tid).body["state"] == "approved"
    a = act(site, "release", tid=tid, reason="booked by hand")
    assert a.status == 200 and a.body["removed"] is True, a
    assert ("note", "operator", "fcgi", "booked by hand") in notes(site, order)
    a = act(site, "release", tid=tid, reason="again")
    assert a.code in ("not-in-this-state", "not-known"), a
    _, open_tid = left_unknown(site)
    a = act(site, "release", tid=open_tid, reason="x", caller="operator")
    assert (a.status, a.code) == (409, "not-in-this-state"), a
    site.sim.no_faults()
    assert act(site, "release", tid="Tnobody", reason="x").code == "not-known"


def test_messages_are_sent_once_more(site):
    peer = site.stack.reservation
    peer.fail(500, 3)
    made = [site.paid() for _ in range(3)]
    tids = [paid.body["payment"]["tid"] for _, _, paid in made]
    orders = [body["paymentInfo"]["partner_order_id"] for body, _, _ in made]
    ids = ["payment.approved." + t for t in tids]

    def failed():
        owed = {m["id"]: m for m in all_of(site, "deliveries?state=failing", "messages")}
        return all(i in owed and owed[i]["tries"] >= 1 for i in ids)

    peer.fail(500, 1000)
    eventually(failed, 20)
    waiting = {m["id"] for m in get(site, "waiting").body["messages"]}
    assert set(ids) <= waiting

    def has_failed():  # a try that is under way has no status yet
        shown = get(site, "deliveries/" + ids[0]).body
        assert shown["owed"] is True, shown
        return any(t.get("status") == 500 for t in shown["attempts"])

    eventually(has_failed)
    a = act(site, "retry", id=ids[0], dryRun=True)
    assert a.body == {"id": ids[0], "retried": False, "dryRun": True}
    peer.fail(500, 0)
    a = act(site, "retry", id=ids[0], reason="the calendar is back")
    assert a.body["retried"] is True, a
    eventually(lambda: get(site, "deliveries/" + ids[0]).body["owed"] is False, 20)
    assert ("note", "operator", "fcgi", "the calendar is back") in notes(site, orders[0])
    total, cursor = 0, None
    while True:
        more = {} if cursor is None else {"cursor": cursor}
        a = act(site, "retryAll", reason="all of them", peer="reservation", **more)
        assert a.status == 200 and a.body["failed"] == 0, a
        total, cursor = total + a.body["retried"], a.body["next"]
        if cursor is None:
            break
    assert total >= 0
    eventually(lambda: not any(get(site, "deliveries/" + i).body["owed"] for i in ids), 20)
    a = act(site, "retry", id=ids[0], reason="x")
    assert (a.status, a.code) == (409, "not-in-this-state"), a
    n = len([m for m in peer.received if m["id"] == ids[0]])
    assert act(site, "retry", id=ids[0], reason="they lost it", again=True).body["retried"] is True
    eventually(lambda: len([m for m in peer.received if m["id"] == ids[0]]) == n + 1, 20)
    assert act(site, "retry", id="no", reason="x").code == "not-known"


def test_a_test_message(site):
    a = act(site, "test", peer="gateway")
    assert a.status == 200 and a.body["acknowledged"] is True and a.body["status"] == 204, a
    assert get(site, "deliveries/" + a.body["id"]).body["owed"] is False
    a = act(site, "test", peer="nobody")
    assert [(e["pointer"], e["code"]) for e in a.body["errors"]] == [("/peer", "unknown-word")]


def test_adopt_finds_nothing_to_adopt(site):
    a = act(site, "adopt", reason="is it lost?")
    assert a.status == 200 and a.body["adopted"] is False, a
