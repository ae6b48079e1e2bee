"""The legacy API from end to end: one merchant with the admin key alone, one whose ready goes with the user's own token."""

import pytest
from booking_site import Site, eventually, new_id
from conftest import MANY, make

MODES = {"TC0ONETIME": "user_token", "TCSUBSCRIP": "admin_key"}
USER_TOKEN = "Kakao-" + new_id() + "_~user.token"


@pytest.fixture(scope="module")
def legacy():
    for site in make(
        workers=4, merchants=MODES, conf={**MANY, "caller gateway": {"cids": ", ".join(MODES)}}
    ):
        site.sim.post("/user-token", {"token": USER_TOKEN})
        yield site


def booking(cid, **changes):
    body = Site.booking(cid=cid, user="u-" + new_id(), **changes)
    if MODES[cid] == "user_token":
        body["userInfo"]["kakaoAccessToken"] = USER_TOKEN
    return body


def opened(site, cid):
    """(user, room, order, tid) of a payReady that must succeed."""
    body = booking(cid)
    a = site.ready(body)
    assert a.status == 200, a
    return (
        body["userInfo"]["userId"],
        body["reservationInfo"]["roomId"],
        body["paymentInfo"]["partner_order_id"],
        a.body["tid"],
    )


def settled(site, order):
    return len(site.sim.captures(order)), len(site.payments(order))


@pytest.mark.parametrize("cid", MODES)
def test_a_payment(legacy, cid):
    user, room, order, tid = opened(legacy, cid)
    token = legacy.sim.pay(tid)
    a = legacy.approve(user, room, token)
    assert a.status == 200 and a.body["charged"] is True and a.body["payment"]["tid"] == tid, a
    assert a.body["payment"]["amount"] == {
        "total": 2200,
        "tax_free": 0,
        "vat": 200,
        "point": 0,
        "discount": 0,
    }
    assert a.body["payment"]["item_name"] == "스터디룸 2시간" and a.body["payment"]["cid"] == cid
    (capture,) = legacy.sim.captures(order)
    assert capture["tid"] == tid and capture["amount"]["total"] == 2200 and capture["payload"]
    (doc,) = legacy.payments(order)
    assert doc["userId"] == user and doc["amount"]["total"] == 2200
    assert legacy.approve(user, room, token).body == a.body
    calls = [c for c in legacy.sim.get("/calls")["calls"] if c["tid"] == tid]
    assert [(c["call"], c["api"], c["status"]) for c in calls] == [
        ("ready", "legacy", 200),
        ("approve", "legacy", 200),
    ], calls
    eventually(lambda: legacy.held(room) == [])


def test_the_users_token_is_required_only_where_it_is_used(legacy):
    for token, code in (
        (KeyError, "required"),
        ("", None),
        (7, "type"),
        ("two words", "character"),
        ("x" * 4097, None),
    ):
        body = booking("TC0ONETIME")
        body["userInfo"]["kakaoAccessToken"] = token
        if token is KeyError:
            del body["userInfo"]["kakaoAccessToken"]
        a = legacy.ready(body)
        assert (a.status, a.code) == (422, "invalid-fields"), a
        (error,) = a.body["errors"]
        assert error["pointer"] == "/userInfo/kakaoAccessToken" and code in (error["code"], None), a
    body = booking("TCSUBSCRIP")  # elsewhere it is profile data
    body["userInfo"]["kakaoAccessToken"] = "two words"
    assert legacy.ready(body).status == 200


def test_a_token_that_kakaopay_does_not_know(legacy):
    body = booking("TC0ONETIME")
    body["userInfo"]["kakaoAccessToken"] = "Kakao-" + new_id()
    a = legacy.ready(body)
    assert (a.status, a.code, a.body["charged"]) == (502, "provider-error", False), a
    assert legacy.held(body["reservationInfo"]["roomId"]) == []
    body["userInfo"]["kakaoAccessToken"] = USER_TOKEN
    assert legacy.ready(body).status == 200


def test_another_token_is_the_same_business(legacy):
    body = booking("TC0ONETIME")
    first = legacy.ready(body)
    body["userInfo"]["kakaoAccessToken"] = "Kakao-" + new_id()
    again = legacy.ready(body)
    assert again.status == 200 and again.replayed and again.body["tid"] == first.body["tid"], again
    assert legacy.ready_calls(body["paymentInfo"]["partner_order_id"]) == 1


@pytest.mark.parametrize("cid", MODES)
def test_refused_tokens(legacy, cid):
    user, room, order, tid = opened(legacy, cid)
    a = legacy.approve(user, room, new_id())  # -701: the user has not finished
    assert (a.status, a.code, a.body["charged"]) == (409, "token-refused", False), a
    token = legacy.sim.pay(tid)
    a = legacy.approve(user, room, new_id())  # -708
    assert (a.status, a.code, a.body["charged"]) == (409, "token-refused", False), a
    codes = [c["code"] for c in legacy.sim.get("/calls?call=approve")["calls"] if c["tid"] == tid]
    assert codes == [-701, -708]
    assert legacy.approve(user, room, token).status == 200
    assert settled(legacy, order) == (1, 1)


@pytest.mark.parametrize("cid", MODES)
def test_a_method_that_refuses_for_certain(legacy, cid):
    user, room, order, tid = opened(legacy, cid)
    token = legacy.sim.pay(tid, method="CARD")
    legacy.sim.fault("approve", "card-refused", tid=tid)
    a = legacy.approve(user, room, token)
    assert (a.status, a.code, a.body["charged"]) == (402, "payment-declined", False), a
    assert a.body["provider"] == {
        "code": -780,
        "message": "approval failure!",
        "methodResultCode": "8326",
    }, a
    assert settled(legacy, order) == (0, 0)
    assert legacy.held(room) == []


@pytest.mark.parametrize("cid", MODES)
def test_a_method_that_is_not_sure(legacy, cid):
    user, room, order, tid = opened(legacy, cid)
    token = legacy.sim.pay(tid)
    legacy.sim.fault("approve", "user-locked", tid=tid)
    a = legacy.approve(user, room, token)
    assert (a.status, a.body["state"]) == (202, "unknown") and a.body["charged"] == "unknown", a
    assert legacy.approve(user, room, token).status == 200
    assert settled(legacy, order) == (1, 1)


@pytest.mark.parametrize("cid", MODES)
def test_a_lost_answer_is_found_by_inquiry(legacy, cid):
    user, room, order, tid = opened(legacy, cid)
    token = legacy.sim.pay(tid)
    legacy.sim.fault("approve", "close-after", tid=tid)
    a = legacy.approve(user, room, token)
    assert a.status == 200 and a.body["charged"] is True, a
    assert settled(legacy, order) == (1, 1)
    (inquiry,) = [c for c in legacy.sim.get("/calls?call=order")["calls"] if c["tid"] == tid]
    assert inquiry["api"] == "legacy" and inquiry["status"] == 200
