"""What a payReady carries and where it goes: amounts are compared, optional parameters reach KakaoPay, the calendar's data comes back as sent."""

import datetime
import json
import time

import pytest
from booking_site import Site, eventually, http_call, new_id


def order_of(body):
    return body["paymentInfo"]["partner_order_id"]


def room_of(body):
    return body["reservationInfo"]["roomId"]


@pytest.mark.parametrize(
    ("given", "amount"),
    [
        (dict(total_amount=2200), dict(total=2200, tax_free=0, vat=200)),
        (dict(total_amount=2200, vat_amount=100), dict(total=2200, tax_free=0, vat=100)),
        (dict(total_amount=2200, vat_amount=0), dict(total=2200, tax_free=0, vat=0)),
        (dict(total_amount=2100, tax_free_amount=100), dict(total=2100, tax_free=100, vat=182)),
        (dict(total_amount=2200, tax_free_amount=2200), dict(total=2200, tax_free=2200, vat=0)),
        (
            dict(total_amount=2200, tax_free_amount=200, vat_amount=2000),
            dict(total=2200, tax_free=200, vat=2000),
        ),
        (dict(total_amount=1), dict(total=1, tax_free=0, vat=0)),
        (
            dict(total_amount=1000000000, quantity=1000000),
            dict(total=1000000000, tax_free=0, vat=90909091),
        ),
    ],
)
def test_amounts(site, given, amount):
    body = Site.booking(user="u-" + new_id(), **given)
    a = site.ready(body)
    assert a.status == 200, a
    b = site.approve(body["userInfo"]["userId"], room_of(body), site.sim.pay(a.body["tid"]))
    want = {**amount, "point": 0, "discount": 0}
    assert (
        b.status == 200 and b.body["state"] == "approved" and b.body["payment"]["amount"] == want
    ), b
    (doc,) = site.payments(order_of(body))
    assert doc["amount"] == want and doc["quantity"] == given.get("quantity", 1)
    (capture,) = site.sim.captures(order_of(body))
    assert {k: capture["amount"][k] for k in amount} == amount


@pytest.mark.parametrize(("vat_amount", "state"), [(200, "review"), (None, "approved")])
def test_vat_is_compared_only_where_it_was_asked_for(site, vat_amount, state):
    body, ready = site.opened(
        user="u-" + new_id(), **({} if vat_amount is None else {"vat_amount": vat_amount})
    )
    site.sim.fault("approve", "wrong-vat", tid=ready.body["tid"])
    token = site.sim.pay(ready.body["tid"])
    a = site.approve(body["userInfo"]["userId"], room_of(body), token)
    assert a.status == 200 and a.body["charged"] is True and a.body["state"] == state, a
    assert a.body["payment"]["amount"]["vat"] != 200
    again = site.approve(body["userInfo"]["userId"], room_of(body), token)
    assert again.replayed and again.body == a.body
    assert len(site.sim.captures(order_of(body))) == len(site.payments(order_of(body))) == 1


@pytest.mark.parametrize("wrong", ["partner-user-id", "tid", "cid"])
def test_an_answer_about_somebody_else_is_never_taken_for_ours(site, wrong):
    """The capture stands, and no other payment's ids get into the records."""
    body, ready = site.opened(user="u-" + new_id())
    site.sim.fault("approve", "wrong-" + wrong, tid=ready.body["tid"])
    a = site.approve(body["userInfo"]["userId"], room_of(body), site.sim.pay(ready.body["tid"]))
    assert a.status in (200, 202) and a.body["charged"] is not False, a
    assert len(site.sim.captures(order_of(body))) == 1
    assert {d["tid"] for d in site.payments(order_of(body))} <= {ready.body["tid"]}
    if a.status == 200:
        assert (
            a.body["state"] in ("approved", "review")
            and a.body["payment"]["tid"] == ready.body["tid"]
        ), a


def test_optional_parameters_reach_kakaopay(site):
    body, ready = site.opened(
        user="u-" + new_id(),
        item_code="room-7/가",
        payment_method_type="CARD",
        install_month=3,
        available_cards=["HANA", "BC"],
        use_share_installment="N",
        custom_json={"return_custom_url": "app://back"},
        quantity=2,
        vat_amount=0,
    )
    token = site.sim.pay(ready.body["tid"])
    told = site.sim.order(ready.body["tid"])
    assert (
        told["item_code"] == "room-7/가"
        and told["payment_method_type"] == "CARD"
        and told["selected_card_info"]["install_month"] == 3
    )
    assert (
        told["quantity"] == 2
        and told["amount"]["vat"] == 0
        and told["item_name"] == "스터디룸 2시간"
    )
    a = site.approve(body["userInfo"]["userId"], room_of(body), token)
    assert a.status == 200 and a.body["payment"]["payment_method_type"] == "CARD", a


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("item_code", "x" * 101),
        ("payment_method_type", "CASH"),
        ("install_month", 13),
        ("install_month", -1),
        ("available_cards", ["NOPE"]),
        ("available_cards", []),
        ("use_share_installment", "X"),
        ("custom_json", {"a": 1}),
        ("custom_json", "x"),
        ("vat_amount", "200"),
        ("green_deposit", -1),
    ],
)
def test_optional_parameters_are_checked(site, name, value):
    a = site.ready(**{name: value})
    assert (a.status, a.code) == (422, "invalid-fields"), a
    assert all(e["pointer"].startswith("/paymentInfo/" + name) for e in a.body["errors"]), a


@pytest.mark.parametrize(
    "change",
    [
        dict(item_code="other"),
        dict(vat_amount=0),
        dict(item_name="다른 방"),
        dict(quantity=2),
        dict(total_amount=2300),
        dict(tax_free_amount=100),
        dict(partner_user_id="p-other"),
        dict(install_month=2),
        dict(payment_method_type="MONEY"),
    ],
)
def test_each_business_field_makes_a_new_payment(site, change):
    body, first = site.opened(user="u-" + new_id())
    body["paymentInfo"].update(change)
    time.sleep(0.02)
    second = site.ready(body)
    assert (
        second.status == 200 and second.body["tid"] != first.body["tid"] and not second.replayed
    ), second
    ends = [
        datetime.datetime.fromisoformat(a.body["hold"]["expiresAt"].rstrip("Z"))
        for a in (first, second)
    ]
    assert abs(ends[1] - ends[0]) < datetime.timedelta(
        milliseconds=5
    )  # the same time: the hold lives no longer than it would have


def test_reservation_info_is_carried_as_it_was_sent(site):
    body = Site.booking(user="u-" + new_id())
    body["reservationInfo"] |= {
        "memo": '창가 "자리" \\ / 😀',
        "extra": {"deep": [1, 2.50, None, True]},
        "big": 12345678901234567890,
    }
    a = site.ready(body)
    assert a.status == 200, a
    b = site.approve(body["userInfo"]["userId"], room_of(body), site.sim.pay(a.body["tid"]))
    assert b.body["reservationInfo"] == body["reservationInfo"], b
    assert b"2.5" in b.raw and b"12345678901234567890" in b.raw
    seen = eventually(
        lambda: [m for m in site.stack.reservation.received if m["data"]["tid"] == a.body["tid"]]
    )
    assert seen[0]["data"]["reservationInfo"] == body["reservationInfo"]
    body["reservationInfo"]["memo"] = "x" * 2048
    c = site.ready(body)
    assert (c.status, c.code) == (422, "invalid-fields") and [
        e["pointer"] for e in c.body["errors"]
    ] == ["/reservationInfo"], c


def test_profile_data_is_ignored_and_never_stored(site):
    canary = "profile-" + new_id()
    body = Site.booking(user="u-" + new_id())
    body["userInfo"] |= {"nickname": canary, "properties": {"image": canary}}
    a = site.ready(body)
    assert a.status == 200 and canary.encode() not in a.raw
    del body["userInfo"]["nickname"]
    assert site.ready(body).replayed
    assert (
        site.approve(body["userInfo"]["userId"], room_of(body), site.sim.pay(a.body["tid"])).status
        == 200
    )
    for name in site.db.list_collection_names():
        assert canary not in json.dumps(
            list(site.db[name].find({"partner_order_id": order_of(body)})), default=str
        )


def test_the_request_id_stands_in_the_ledger(site):
    body, ready = site.opened(user="u-" + new_id())
    rid = "trace." + new_id()
    a = site.approve(
        body["userInfo"]["userId"], room_of(body), site.sim.pay(ready.body["tid"]), X_Request_Id=rid
    )
    assert a.status == 200 and a.headers["x-request-id"] == rid
    events = list(site.db.ledger.find({"partner_order_id": order_of(body)}))
    assert {e["request_id"] for e in events if e["kind"] in ("approving", "approved")} == {rid}, (
        events
    )


def test_numbers_are_json_numbers_and_texts_count_characters(site):
    assert site.ready(item_name="가" * 100, order="😀" * 100).status == 200
    raw = json.dumps(Site.booking()).replace('"total_amount": 2200', '"total_amount": 22e2')
    a = http_call(
        "POST",
        site.base + "/payReady",
        raw.encode(),
        {"Authorization": "Bearer " + site.tokens["gateway"], "Content-Type": "application/json"},
    )
    assert a.status in (200, 422), a


def test_the_list_of_a_room_needs_a_room(site):
    for query in ("", "?roomId=", "?roomId=xyz", "?roomId=" + new_id() + "0", "?room=" + new_id()):
        a = site.get("/queue" + query)
        assert (a.status, a.code) == (422, "invalid-fields") and "/roomId" in [
            e["pointer"] for e in a.body["errors"]
        ], a
    assert site.get("/queue?roomId=" + new_id(), caller="gateway").body == []
    assert site.get("/queue?roomId=" + new_id(), caller="reservation").code == "forbidden"
