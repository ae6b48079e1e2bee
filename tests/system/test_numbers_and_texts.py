"""How numbers may be written, which texts are taken, how stored texts are shown, and that KakaoPay takes whatever we take."""

import csv
import io
import json
import random
import unicodedata
import urllib.parse

import pytest
from booking_site import Site, eventually, http_call, new_id
from conftest import MANY, make


def post(site, path, raw, caller="gateway"):
    return http_call(
        "POST",
        site.base + path,
        raw.encode(),
        {"Authorization": "Bearer " + site.tokens[caller], "Content-Type": "application/json"},
    )


def written(body, **numbers):
    """The body as JSON, with these members' numbers in another spelling."""
    raw = json.dumps(body)
    for name, text in numbers.items():
        value = next(part[name] for part in (body, body.get("paymentInfo", {})) if name in part)
        assert raw.count(f'"{name}": {value}') == 1
        raw = raw.replace(f'"{name}": {value}', f'"{name}": {text}')
    return raw


# -- numbers


@pytest.mark.parametrize("text", ["11000", "11000.0", "1.1e4", "1.1E+4", "11000000e-3", "0.11e5"])
def test_an_integer_is_one_however_it_is_written(site, text):
    body = Site.booking(user="u-" + new_id(), total=11000)
    a = post(
        site,
        "/payReady",
        written(body, total_amount=text, quantity="0.1e1", tax_free_amount="-0.0"),
    )
    assert a.status == 200, a
    again = site.ready(body)
    assert again.replayed and again.body["tid"] == a.body["tid"], again  # the same business fields
    b = site.approve(
        body["userInfo"]["userId"], body["reservationInfo"]["roomId"], site.sim.pay(a.body["tid"])
    )
    assert (
        b.body["payment"]["amount"]["total"] == 11000 and type(b.body["payment"]["quantity"]) is int
    ), b
    (capture,) = site.sim.captures(body["paymentInfo"]["partner_order_id"])
    assert capture["amount"]["total"] == 11000
    # a removal at the same moment may take the ledger's next number: then the courier ends the refund
    eventually(lambda: site.held(body["reservationInfo"]["roomId"]) == [])
    refund = {
        "tid": a.body["tid"],
        "refundId": "r-" + new_id(),
        "reason": "손님 요청",
        "cancel_amount": 11000,
    }
    c = post(site, "/cancelPayment", written(refund, cancel_amount=text), "refund")
    assert c.status == 200 and (c.body["amount"], c.body["left"]) == (11000, 0), c
    same = site.ask("/cancelPayment", refund, "refund")
    assert same.replayed and same.body == c.body, same


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("1.5", "type"),
        ("1e-1", "type"),
        ("1e-400", "type"),
        ("2200.0000000000000000000001", "type"),
        ("1e400", "out-of-range"),
        ("1e999999999999", "out-of-range"),
        ("-1e400", "out-of-range"),
        ("0e5", "out-of-range"),
        ("1e10", "out-of-range"),
        ('"2200"', "type"),
    ],
)
def test_what_is_no_integer_in_range_is_named(site, text, code):
    a = post(site, "/payReady", written(Site.booking(), total_amount=text))
    assert a.status == 422 and [(e["pointer"], e["code"]) for e in a.body["errors"]] == [
        ("/paymentInfo/total_amount", code)
    ], a


@pytest.mark.parametrize("text", ["01e1", "1.e1", ".1e1", "1e", "+1", "0x1", "1_0"])
def test_what_is_no_number_of_json_is_no_json(site, text):
    assert (
        post(site, "/payReady", written(Site.booking(), total_amount=text)).code == "malformed-json"
    )


def test_hours_and_days(site):
    body = Site.booking(user="u-" + new_id(), start=(9.5,), end=(12,))
    raw = json.dumps(body)
    a = post(
        site,
        "/payReady",
        raw.replace("[9.5]", "[95e-1]")
        .replace('"day": [1]', '"day": [1.0]')
        .replace("[12]", "[1.2e1]"),
    )
    assert a.status == 200, a
    assert site.ready(body).replayed  # [95e-1] is [9.5]
    (held,) = site.get("/queue?roomId=" + body["reservationInfo"]["roomId"]).body
    assert (held["day"], held["startTime"], held["endTime"]) == (1, 9.5, 12)
    b = site.approve(
        body["userInfo"]["userId"], body["reservationInfo"]["roomId"], site.sim.pay(a.body["tid"])
    )
    assert b"95e-1" in b.raw  # and the calendar gets what was sent


def test_numbers_of_a_query_string(site):
    for limit, status in (
        ("1", 200),
        ("1.0", 200),
        ("1e1", 200),
        ("100", 200),
        ("1.5", 422),
        ("1e3", 422),
        ("0", 422),
        ("-0", 422),
        ("", 422),
        ("1e999999999", 422),
        ("x", 422),
    ):
        a = site.get("/payments?limit=" + limit)
        assert a.status == status, (limit, a)


def test_the_order_of_members_and_the_spelling_of_texts_make_no_new_payment(site):
    body, _first = site.opened(user="u-" + new_id(), item_name="방")
    body = {k: dict(reversed(v.items())) for k, v in reversed(body.items())}
    raw = json.dumps(body)
    assert "\\ubc29" in raw and post(site, "/payReady", raw).replayed
    assert post(site, "/payReady", json.dumps(body, ensure_ascii=False, indent=1)).replayed


# -- texts

HIDDEN = [
    "\u0080",
    "\u009b",
    "\u00ad",
    "\u034f",
    "\u061c",
    "\u115f",
    "\u1160",
    "\u180e",
    "\u200b",
    "\u200e",
    "\u200f",
    "\u2028",
    "\u2029",
    "\u202a",
    "\u202e",
    "\u2060",
    "\u2066",
    "\u2069",
    "\u206a",
    "\u3164",
    "\ufdd0",
    "\ufdef",
    "\ufeff",
    "\uffa0",
    "\ufff9",
    "\ufffe",
    "\uffff",
    "\U0001fffe",
    "\U000e0001",
    "\U000e0041",
    "\U0010ffff",
    "\x01",
    "\n",
    "\x7f",
]
FIELDS = [
    "paymentInfo/partner_order_id",
    "paymentInfo/partner_user_id",
    "paymentInfo/item_name",
    "paymentInfo/item_code",
    "userInfo/userId",
    "userId",
]


def with_text(pointer, text):
    body = Site.booking(user="u-" + new_id())
    if pointer == "userId":
        del body["userInfo"]
    at = body
    *way, last = pointer.split("/")
    for step in way:
        at = at[step]
    at[last] = text
    return body


@pytest.mark.parametrize("pointer", FIELDS)
def test_what_hides_or_reorders_is_refused(site, pointer):
    for c in HIDDEN:
        a = site.ready(with_text(pointer, f"room{c}7"))
        assert a.status == 422 and [(e["pointer"], e["code"]) for e in a.body["errors"]] == [
            ("/" + pointer, "character")
        ], (ascii(c), a)


@pytest.mark.parametrize("pointer", FIELDS)
def test_blanks_alone_are_no_text(site, pointer):
    for text in (" ", "  ", "\u3000", "\u00a0\u2003", "\u200d", "\ufe0f\u200c", "\u2800"):
        a = site.ready(with_text(pointer, text))
        assert a.status == 422 and [(e["pointer"], e["code"]) for e in a.body["errors"]] == [
            ("/" + pointer, "blank")
        ], (ascii(text), a)


def test_so_it_is_in_the_other_queries(site):
    room = new_id()
    for c in HIDDEN:
        text, quoted = f"a{c}b", urllib.parse.quote(f"a{c}b")
        if ord(c) >= 0x80:  # the web server refuses the others in a URL by itself
            for query, name in (
                (f"/orders?cid=TC0ONETIME&partner_order_id={quoted}", "partner_order_id"),
                (f"/payments?userId={quoted}", "userId"),
                (f"/payments?partner_order_id={quoted}", "partner_order_id"),
            ):
                a = site.get(query)
                assert a.status == 422 and [
                    (e["pointer"], e["code"]) for e in a.body["errors"]
                ] == [("/" + name, "character")], (ascii(c), a)
        for a, name in (
            (site.approve(text, room, "token"), "userId"),
            (site.remove(text, room), "userId"),
            (
                site.ask(
                    "/cancelPayment", {"tid": "T1", "refundId": "r", "reason": text}, "refund"
                ),
                "reason",
            ),
            (
                site.ask(
                    "/cancelPayment", {"tid": "T1", "refundId": text, "reason": "r"}, "refund"
                ),
                "refundId",
            ),
            (site.ready(custom_json={"text": text}), "paymentInfo/custom_json/text"),
        ):
            assert a.status == 422 and [(e["pointer"], e["code"]) for e in a.body["errors"]] == [
                ("/" + name, "character")
            ], (ascii(c), a)
    for c in set(HIDDEN) - {"\n"}:
        body = Site.booking()
        body["reservationInfo"]["memo"] = {"lines": ["1\r\n\t2", f"a{c}b"]}
        a = site.ready(body)
        assert a.status == 422 and [(e["pointer"], e["code"]) for e in a.body["errors"]] == [
            ("/reservationInfo/memo/lines/1", "character")
        ], (ascii(c), a)


@pytest.mark.parametrize(
    "text",
    [
        "👨‍👩‍👧 가족실",
        "❤️",
        "1️⃣",
        "👍🏽",
        "🇰🇷",
        unicodedata.normalize("NFD", "한글 é"),
        "שלום",
        "مرحبا",
        "می‌خواهم",
        "葛󠄀",
        "ﬁ",
        "㈜한국",
        "a\u00a0b",
    ],
)
def test_what_people_type_is_taken_and_comes_back(site, text):
    user = text + new_id()[:4]
    body, ready = site.opened(user=user, order=text + new_id()[:8], item_name=text)
    a = site.approve(user, body["reservationInfo"]["roomId"], site.sim.pay(ready.body["tid"]))
    assert a.status == 200 and a.body["payment"]["item_name"] == text, a
    (doc,) = site.payments(body["paymentInfo"]["partner_order_id"])
    assert doc["userId"] == user and doc["item_name"] == text


def test_an_order_in_nfc_and_the_same_in_nfd_are_two(site):
    tail = new_id()
    nfc, nfd = ("주문-" + tail, unicodedata.normalize("NFD", "주문-") + tail)
    assert nfc != nfd and unicodedata.normalize("NFC", nfd) == nfc
    tids = {}
    for order in (nfc, nfd):
        user, room = "u-" + new_id(), new_id()
        a = site.ready(user=user, room=room, order=order)
        assert a.status == 200, a
        assert site.approve(user, room, site.sim.pay(a.body["tid"])).body["charged"] is True
        tids[order] = a.body["tid"]
    for order in (nfc, nfd):
        assert [t["tid"] for t in site.order(order).body["attempts"]] == [tids[order]]
        assert [c["tid"] for c in site.sim.captures(order)] == [tids[order]]


def test_what_was_stored_before_is_shown_with_escapes(site):
    """A document of the time before these rules: nobody who looks at it is misled."""
    user = "u-" + new_id()
    body, ready = site.opened(user=user)
    tid = ready.body["tid"]
    assert site.approve(user, body["reservationInfo"]["roomId"], site.sim.pay(tid)).status == 200
    bad = "방\u202e1\u009b2J\u200b"
    shown = "방\\u202e1\\u009b2J\\u200b"
    assert (
        site.db.payments.update_one({"tid": tid}, {"$set": {"item_name": bad}}).modified_count == 1
    )
    a = site.get(f"/payments?userId={user}", Accept="text/csv")
    (row,) = csv.DictReader(io.StringIO(a.raw.decode("utf-8-sig")))
    assert row["item_name"] == shown and bad.encode() not in a.raw
    a = site.get(f"/payments?userId={user}")
    assert (
        shown.encode() in a.raw and a.body["payments"][0]["item_name"] == bad
    )  # the same text to a parser
    for argv in (
        ["payment", "list", "--user", user],
        ["--json", "payment", "list", "--user", user],
        ["payment", "refund", tid, "--dry-run"],
    ):
        text = site.stack.ctl(*argv)
        assert tid in text and "\u202e" not in text and "\u009b" not in text, text


# -- whatever we take, KakaoPay takes


@pytest.mark.parametrize(
    "url",
    [
        "HTTPS://SITE.EXAMPLE/OK",
        "Https://Site.Example:8443?Q",
        "HTTP://LOCALHOST/x",
        "http://[::1]:80/",
        "https://[FE80::1]/X",
        "https://a",
    ],
)
def test_the_case_of_scheme_and_host_makes_no_difference(site, url):
    a = site.ready(approval_url=url, cancel_url=url, fail_url=url, redirect_scheme_url=url)
    assert a.status == 200, a
    token = site.sim.pay(a.body["tid"])
    assert site.approve("u-1", a.body["hold"]["roomId"], token).status == 200


@pytest.mark.parametrize(
    "url", ["http://127.999.9.9/ok", "http://127.1/ok", "http://127.0.0.1.:80/ok"]
)
def test_a_host_that_only_looks_like_loopback(site, url):
    a = site.ready(approval_url=url)
    assert a.status == 422 and [(e["pointer"], e["code"]) for e in a.body["errors"]] == [
        ("/paymentInfo/approval_url", "url-not-https")
    ], a


PIECES = [
    "a",
    "Z",
    "9",
    " ",
    "가",
    "\u1100\u1161",
    "é",
    "👨‍👩‍👧",
    "❤️",
    "שלום",
    "م",
    "\u00a0",
    "\u3000",
    '"',
    "\\",
    "/",
    "&",
    "=",
    "+",
    "%",
    "%41",
    "#",
    "<",
    "'",
    ";",
    ",",
    "{}",
    "[1]",
    "null",
    "~",
    "\u202e",
    "\u009b",
    "\ufffd",
    "\ue000",
    "\U0010fffd",
    "𝒳",
    "?",
    "|",
    "​",
]
URLS = [
    "https://s.example/ok",
    "HTTPS://S.EXAMPLE",
    "https://s.example:443?x=1&y",
    "http://127.0.0.1:1/",
    "HTTP://localhost",
    "http://[::1]",
    "https://[2001:DB8::1]:8443/%E2%80%AE",
    "https://s.example/'();*",
    "https://xn--hq1bm8jm9l.example/",
    "https://s.example/" + "x" * 237,
    "https://s.example/" + "x" * 238,
    "http://s.example/",
    "https://s.example/#f",
    "studyroom://paid",
    "https://s_t.example/",
    "https://s..example/",
    "https://s.example/[x]|^`{}",
    "https://s.example:0/",
    "https://1.2.3.4",
    "https://s.example./x",
    "https://-s.example",
]


def text_of(rng, longest=100):
    return "".join(rng.choice(PIECES) for _ in range(rng.choice([1, 2, 3, 7, 20, longest])))[
        : rng.choice([longest, longest + 1])
    ]


def number_of(rng, largest):
    return rng.choice([0, 1, 2, largest // 2, largest, largest, largest + 1, -1, 1.0, 3.5])


def random_info(rng):
    """A paymentInfo of which about every second is right."""
    info = {
        "total_amount": rng.choice([1, 1000, 999999999, 1000000000, 1000000000, 1000000001]),
        "partner_order_id": text_of(rng)[:91] + new_id()[:9],
    }
    if rng.random() < 0.5:
        info["total_amount"] = float(info["total_amount"])
    total = int(info["total_amount"])
    makers = {
        "item_name": text_of,
        "partner_user_id": text_of,
        "item_code": text_of,
        "quantity": lambda r: number_of(r, 1000000),
        "tax_free_amount": lambda r: number_of(r, total),
        "vat_amount": lambda r: number_of(r, total),
        "green_deposit": lambda r: number_of(r, total),
        "install_month": lambda r: number_of(r, 12),
        "payment_method_type": lambda r: r.choice(["CARD", "MONEY", "card", ""]),
        "use_share_installment": lambda r: r.choice(["Y", "N", "y"]),
        "available_cards": lambda r: r.sample(
            ["SHINHAN", "KB", "WOORI(ONLY)", "SC", "BC", "KAKAOPAY", "JEJU"], r.randint(0, 6)
        ),
        "custom_json": lambda r: {text_of(r, 8): text_of(r, 30) for _ in range(r.randint(0, 5))},
        "redirect_scheme_url": lambda r: r.choice(URLS),
        "approval_url": lambda r: r.choice(URLS),
        "cancel_url": lambda r: r.choice(URLS),
        "fail_url": lambda r: r.choice(URLS),
    }
    for name in rng.sample(list(makers), rng.randint(0, 4)):
        info[name] = makers[name](rng)
    return info


@pytest.fixture(scope="module")
def both():
    """A merchant of each generation of KakaoPay's API: forms and JSON are two ways to be misread."""
    yield from make(
        workers=4,
        merchants={"TC0ONETIME": "secret_key", "TCSUBSCRIP": "admin_key"},
        conf={**MANY, "caller gateway": {"cids": "TC0ONETIME, TCSUBSCRIP"}},
    )


@pytest.mark.parametrize("cid", ["TC0ONETIME", "TCSUBSCRIP"])
def test_what_we_take_kakaopay_takes(both, cid):
    rng, ends = random.Random("taken " + cid), {200: 0, 422: 0}
    for _ in range(400):
        body = Site.booking(user="u-" + new_id(), cid=cid)
        body["paymentInfo"].update(random_info(rng))
        a = both.ready(body)
        assert a.status in ends, (
            json.dumps(body),
            a,
        )  # never 502: the caller could not know which field it is
        ends[a.status] += 1
    assert min(ends.values()) > 80, ends
