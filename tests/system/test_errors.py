"""The error table of doc/http.md: every row, every wrong field at once, in Korean and English."""

import json

import pytest
from booking_site import Site, http_call, new_id


def changed(path, value):
    body = Site.booking()
    at = body
    *way, last = path.split(".")
    for step in way:
        at = at[step]
    if value is KeyError:
        del at[last]
    else:
        at[last] = value
    return body


def pointers(a):
    return sorted(e["pointer"] for e in a.body["errors"])


WRONG_FIELDS = [
    ("paymentInfo.cid", "SHORT", "/paymentInfo/cid"),
    ("paymentInfo.cid", "TC0ONETIME1", "/paymentInfo/cid"),
    ("paymentInfo.partner_order_id", "", "/paymentInfo/partner_order_id"),
    ("paymentInfo.partner_order_id", "x" * 101, "/paymentInfo/partner_order_id"),
    ("paymentInfo.partner_user_id", KeyError, "/paymentInfo/partner_user_id"),
    ("paymentInfo.item_name", "가" * 101, "/paymentInfo/item_name"),
    ("paymentInfo.item_name", 7, "/paymentInfo/item_name"),
    ("paymentInfo.quantity", 0, "/paymentInfo/quantity"),
    ("paymentInfo.quantity", 1000001, "/paymentInfo/quantity"),
    ("paymentInfo.quantity", "1", "/paymentInfo/quantity"),
    ("paymentInfo.quantity", 1.5, "/paymentInfo/quantity"),
    ("paymentInfo.total_amount", 0, "/paymentInfo/total_amount"),
    ("paymentInfo.total_amount", 1000000001, "/paymentInfo/total_amount"),
    ("paymentInfo.total_amount", 2**64, "/paymentInfo/total_amount"),
    ("paymentInfo.tax_free_amount", -1, "/paymentInfo/tax_free_amount"),
    ("paymentInfo.tax_free_amount", 2201, "/paymentInfo/tax_free_amount"),
    ("paymentInfo.vat_amount", 2201, "/paymentInfo/vat_amount"),
    ("paymentInfo.approval_url", "http://site.example/ok", "/paymentInfo/approval_url"),
    ("paymentInfo.approval_url", "https://u:p@site.example/ok", "/paymentInfo/approval_url"),
    ("paymentInfo.approval_url", "https://site.example/ok#part", "/paymentInfo/approval_url"),
    ("paymentInfo.approval_url", "javascript:alert(1)", "/paymentInfo/approval_url"),
    ("paymentInfo.cancel_url", "/relative", "/paymentInfo/cancel_url"),
    ("paymentInfo.fail_url", "https://site.example/" + "x" * 240, "/paymentInfo/fail_url"),
    ("paymentInfo.cid_secret", "x" * 24, "/paymentInfo/cid_secret"),
    ("paymentInfo.no_such", 1, "/paymentInfo/no_such"),
    ("no_such", 1, "/no_such"),
    ("userInfo.userId", "", "/userInfo/userId"),
    ("userInfo.userId", "u" * 101, "/userInfo/userId"),
    ("reservationInfo.roomId", "xyz", "/reservationInfo/roomId"),
    ("reservationInfo.roomId", KeyError, "/reservationInfo/roomId"),
    ("reservationInfo.day", [8], "/reservationInfo/day/0"),
    ("reservationInfo.day", [-1], "/reservationInfo/day/0"),
    ("reservationInfo.day", [], "/reservationInfo/day"),
    ("reservationInfo.day", "1", "/reservationInfo/day"),
    ("reservationInfo.startTime", [12], "/reservationInfo/startTime/0"),
    ("reservationInfo.startTime", [10, 11], "/reservationInfo/startTime"),
    ("reservationInfo.endTime", [25], "/reservationInfo/endTime/0"),
    ("reservationInfo.endTime", [11.999], "/reservationInfo/endTime/0"),
]


@pytest.mark.parametrize(("path", "value", "pointer"), WRONG_FIELDS)
def test_each_wrong_field_is_named(site, path, value, pointer):
    a = site.ready(changed(path, value))
    assert (a.status, a.code) == (422, "invalid-fields"), a
    assert any(
        p == pointer or p.startswith(pointer) or (pointer.startswith(p) and p.count("/") >= 2)
        for p in pointers(a)
    ), a
    assert "charged" not in a.body


def test_every_wrong_field_at_once(site):
    body = Site.booking()
    body["paymentInfo"].update(cid="x", quantity=0, total_amount=0, approval_url="nope")
    body["reservationInfo"].update(roomId="zz", day=[9])
    body["userInfo"]["userId"] = ""
    a = site.ready(body)
    assert a.code == "invalid-fields"
    for p in (
        "/paymentInfo/cid",
        "/paymentInfo/quantity",
        "/paymentInfo/total_amount",
        "/paymentInfo/approval_url",
        "/reservationInfo/roomId",
        "/userInfo/userId",
    ):
        assert p in pointers(a), (p, a)
    assert any(p.startswith("/reservationInfo/day") for p in pointers(a)), a
    assert all(e["code"] and e["detail"] for e in a.body["errors"])


def test_overlapping_intervals_of_one_request(site):
    a = site.ready(day=[1, 1], start=[10, 11], end=[12, 13])
    assert a.code == "invalid-fields", a


def test_past_midnight_is_two_intervals_and_says_so(site):
    a = site.ready(start=[22], end=[2])
    assert a.code == "invalid-fields"
    assert "24" in a.raw.decode(), a


def test_other_spellings_that_clients_use(site):
    body = Site.booking(day=[1, 2], start=[9, 9], end=[10, 10])
    r = body["reservationInfo"]
    r["days"], r["startTime"], r["endTime"] = r.pop("day"), 9, 10
    body["userId"] = body.pop("userInfo")["userId"]
    assert site.ready(body).status == 200
    body["reservationInfo"]["day"] = [1, 2]
    a = site.ready(body)
    assert (a.status, a.code) == (422, "invalid-fields"), a


@pytest.mark.parametrize("path", ["/payReady", "/payRead", "/inspectQueue"])
def test_aliases(site, path):
    assert site.ask(path, Site.booking()).status == 200


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"[]",
        b"{",
        b'{"a":1,}',
        b"{'a':1}",
        b'{"a":NaN}',
        b'{"a":1}x',
        b'{"a":1,"a":2}',
        b'{"a":"\\u0000"}',
        b'{"a":"\xff"}',
        b'{"a":"\xc0\x80"}',
        b'{"a":01}',
        b'{"a":"\t"}',
        b'{"a":"\\ud800"}',
        b"\xef\xbb\xbf{}",
        b'{"a":' * 9 + b"1" + b"}" * 9,
        b"null",
    ],
)
def test_what_is_not_one_strict_json_object(site, raw):
    a = http_call(
        "POST",
        site.base + "/payReady",
        raw,
        {"Authorization": "Bearer " + site.tokens["gateway"], "Content-Type": "application/json"},
    )
    assert (a.status, a.code) == (400, "malformed-json"), a


def test_rows_of_the_table_that_look_at_the_request_alone(site):
    auth = {"Authorization": "Bearer " + site.tokens["gateway"]}
    j = {"Content-Type": "application/json"}
    body = json.dumps(Site.booking()).encode()

    def ask(method="POST", path="/payReady", raw=body, **headers):
        return http_call(
            method, site.base + path, raw, {k.replace("_", "-"): v for k, v in headers.items()}
        )

    a = ask(**j)
    assert (a.status, a.code) == (401, "unauthenticated") and a.headers[
        "www-authenticate"
    ].startswith("Bearer"), a
    a = ask(Authorization="Bearer wrong", **j)
    assert (a.status, a.code) == (401, "unauthenticated")
    a = ask(Authorization="Bearer " + site.tokens["reservation"], **j)
    assert (a.status, a.code) == (403, "forbidden"), a
    a = ask(path="/nothing", **auth, **j)
    assert (a.status, a.code) == (404, "no-route")
    a = ask(method="PUT", **auth, **j)
    assert (a.status, a.code) == (405, "method-not-allowed") and a.headers[
        "allow"
    ] == "POST, OPTIONS"
    a = ask(**auth, Content_Type="text/plain")
    assert (a.status, a.code) == (415, "unsupported-media-type")
    a = ask(raw=body + b" " * 17000, **auth, **j)
    assert (a.status, a.code) == (413, "too-large")
    for x in (a,):
        assert x.headers["content-type"].startswith("application/problem+json")
        assert x.body["type"] == "urn:roompay:problem:" + x.code and x.body["status"] == x.status
        assert x.body["requestId"] == x.headers["x-request-id"]


def test_a_merchant_that_is_not_configured(site):
    a = site.ready(cid="TCSEQUENCE")
    assert (a.status, a.code) == (422, "unknown-merchant"), a


def test_a_caller_sees_and_touches_only_its_own_cids(site):
    a = site.ready(cid="TCSUBSCRIP")  # configured, but not this caller's
    assert (a.status, a.code) == (403, "forbidden"), a
    body = Site.booking(cid="TCSUBSCRIP", user="theirs")
    a = site.ask("/payReady", body, caller="other")
    assert a.status == 200, a
    room = body["reservationInfo"]["roomId"]
    token = site.sim.pay(a.body["tid"])
    b = site.approve("theirs", room, token)
    assert (b.status, b.code) == (404, "no-hold"), b
    b = site.remove("theirs", room, caller="gateway")
    assert b.body == {"removed": False}, b
    assert site.sim.captures(body["paymentInfo"]["partner_order_id"]) == []
    c = site.ask(
        "/approvePayment", {"pg_token": token, "userId": "theirs", "roomId": room}, caller="other"
    )
    assert c.status == 200
    d = site.approve("theirs", room, token)
    assert (d.status, d.code) == (404, "no-hold"), d


def test_a_room_has_one_calendar_for_all_merchants(site):
    """Held times are no record of a merchant: whoever offers the room must see them, and payReady would refuse them. Nobody learns whose they are."""
    body = Site.booking(cid="TCSUBSCRIP", user="theirs-" + new_id())
    room = body["reservationInfo"]["roomId"]
    assert site.ask("/payReady", body, caller="other").status == 200
    held = site.get("/queue?roomId=" + room, caller="gateway")
    assert held.status == 200 and held.raw == site.get("/queue?roomId=" + room, caller="other").raw
    assert [set(x) for x in held.body] == [{"day", "startTime", "endTime", "state"}] * len(
        held.body
    ) and held.body
    refused = site.ready(room=room)
    assert refused.code == "slot-held"
    assert refused.body["conflicts"] == [
        {k: v for k, v in x.items() if k != "state"} for x in held.body
    ]
    for a in (held, refused):
        for secret in (
            body["userInfo"]["userId"],
            body["paymentInfo"]["partner_order_id"],
            "TCSUBSCRIP",
        ):
            assert secret.encode() not in a.raw


def test_korean_and_english(site):
    a = site.ask(
        "/payReady", changed("paymentInfo.cid", "x"), Accept_Language="ko-KR,ko;q=0.9,en;q=0.5"
    )
    b = site.ask(
        "/payReady", changed("paymentInfo.cid", "x"), Accept_Language="en-US,en;q=0.9,ko;q=0.1"
    )
    assert a.code == b.code == "invalid-fields"
    assert any("가" <= ch <= "힣" for ch in a.body["title"] + a.body["detail"])
    assert a.body["title"] != b.body["title"] and (b.body["title"] + b.body["detail"]).isascii()
    assert any("가" <= ch <= "힣" for ch in a.body["errors"][0]["detail"])


def test_the_request_id_is_taken_or_made(site):
    a = site.ask("/payReady", Site.booking(), X_Request_Id="abc.DEF-1_2")
    assert a.headers["x-request-id"] == "abc.DEF-1_2"
    a = site.ask("/payReady", Site.booking(), X_Request_Id="not valid!")
    assert a.headers["x-request-id"] not in ("", "not valid!")


def test_user_ids_of_others_are_never_shown(site):
    room, secret_user = new_id(), "someone-" + new_id()
    site.opened(user=secret_user, room=room)
    for a in (site.ready(user="b", room=room), site.get("/queue?roomId=" + room)):
        assert secret_user.encode() not in a.raw


def test_open_and_closed_doors(site):
    assert site.get("/livez", caller=None).status == 200
    assert site.get("/readyz").status == 200
    assert site.get("/queue?roomId=" + new_id(), caller=None).status == 401
