"""The simulator: the way of a payment from ready to capture, and every refusal of approve."""

import datetime
import re
import time
import urllib.parse

import pytest
from booking_site import at_once, http_call
from sim_program import ADMIN, CID, GENERATIONS, KST, message, refusal


@pytest.mark.parametrize("generation", GENERATIONS)
def test_a_payment(sim, generation):
    a = sim.ready(generation, item_code="A-1")
    tid = a["tid"]
    assert re.fullmatch(r"T[0-9a-f]{19}", tid)
    created = datetime.datetime.strptime(a["created_at"], "%Y-%m-%dT%H:%M:%S").replace(tzinfo=KST)
    assert abs(created.timestamp() - time.time()) < 5
    assert int(tid[1:8], 16) == int(created.timestamp()) & 0xFFFFFFF
    urls = [
        a[k]
        for k in (
            "next_redirect_app_url",
            "next_redirect_mobile_url",
            "next_redirect_pc_url",
            "android_app_scheme",
            "ios_app_scheme",
        )
    ]
    assert len(set(re.findall(r"[0-9a-f]{64}", " ".join(urls)))) == 1
    assert all(u.startswith(sim.url + "/mockup/") for u in urls[:3])
    assert all(
        u.startswith("kakaotalk://kakaopay/pg?url=" + sim.url + "/pay/mockup/") for u in urls[3:]
    )
    if generation == "legacy":
        assert a["tms_result"] is False
        assert [u.rsplit("/", 1)[1] for u in urls[:3]] == ["aInfo", "mInfo", "info"]
    else:
        assert "tms_result" not in a
        assert [u.split("/")[5] for u in urls[:3]] == ["mobile-app", "mobile-web", "pc"]
    assert sim.status(tid) == "READY"
    token = sim.control.pay(tid)
    assert re.fullmatch(r"[0-9a-f]{20}", token)
    assert sim.status(tid) == "AUTH_PASSWORD" and sim.control.captures() == []
    b = sim.approve(tid, token, generation, payload="att-1", total_amount=2200)
    assert b.status == 200, b
    assert re.fullmatch(r"A[0-9a-f]{19}", b.body["aid"]) and b.body["aid"][1:] != tid[1:]
    assert {k: b.body[k] for k in b.body if k not in ("aid", "approved_at")} == {
        "tid": tid,
        "cid": CID,
        "partner_order_id": "ord-1001",
        "partner_user_id": "u-77",
        "payment_method_type": "MONEY",
        "item_name": "스터디룸 2시간",
        "item_code": "A-1",
        "quantity": 1,
        "payload": "att-1",
        "created_at": a["created_at"],
        "amount": {
            "total": 2200,
            "tax_free": 0,
            "vat": 200,
            "point": 0,
            "discount": 0,
            "green_deposit": 0,
        },
    }
    c = sim.inquire(tid, generation).body
    assert (
        c["status"] == "SUCCESS_PAYMENT"
        and c["approved_at"] == b.body["approved_at"]
        and "canceled_at" not in c
    )
    assert (
        c["cancel_available_amount"] == c["amount"] == b.body["amount"]
        and c["canceled_amount"]["total"] == 0
    )
    (action,) = c["payment_action_details"]
    assert (action["aid"], action["payment_action_type"], action["amount"]) == (
        b.body["aid"],
        "PAYMENT",
        2200,
    )
    (capture,) = sim.control.captures("ord-1001")
    assert (capture["tid"], capture["aid"], capture["amount"]["total"]) == (
        tid,
        b.body["aid"],
        2200,
    )
    assert sim.control.order(tid) == c


def test_card_has_card_info_and_money_has_none(sim):
    tid, paid = sim.paid(payment_method_type="CARD", install_month=3)
    assert paid["payment_method_type"] == "CARD"
    assert paid["card_info"]["install_month"] == "03" and "purchase_corp" not in paid["card_info"]
    assert all(type(v) is str for v in paid["card_info"].values())
    assert sim.inquire(tid).body["selected_card_info"]["install_month"] == 3
    _, paid = sim.paid("legacy", method="CARD")
    assert (
        paid["card_info"]["purchase_corp_code"] == "01"
        and paid["card_info"]["install_month"] == "00"
    )
    _, paid = sim.paid(
        payment_method_type="MONEY",
    )
    assert paid["payment_method_type"] == "MONEY" and "card_info" not in paid


@pytest.mark.parametrize(
    ("total", "tax_free", "vat"),
    [
        (2200, 0, 200),
        (5900, 0, 536),
        (270600, 0, 24600),
        (2100, 100, 182),
        (1, 0, 0),
        (5, 0, 0),
        (6, 0, 1),
        (100, 100, 0),
    ],
)
def test_vat_is_an_eleventh_rounded_half_up(sim, total, tax_free, vat):
    _, paid = sim.paid(total_amount=total, tax_free_amount=tax_free)
    assert paid["amount"] == {
        "total": total,
        "tax_free": tax_free,
        "vat": vat,
        "point": 0,
        "discount": 0,
        "green_deposit": 0,
    }


def test_vat_that_was_sent_counts(sim):
    _, paid = sim.paid(vat_amount=7, green_deposit=300)
    assert paid["amount"]["vat"] == 7 and paid["amount"]["green_deposit"] == 300


def test_a_recurring_cid_gets_a_sid(sim):
    _, paid = sim.paid(cid="TCSUBSCRIP")
    assert re.fullmatch(r"S[0-9a-f]{19}", paid["sid"])


def test_numbers_may_come_as_strings_but_answers_carry_numbers(sim):
    _, paid = sim.paid(quantity="3", total_amount="2200", tax_free_amount="0")
    assert paid["quantity"] == 3 and paid["amount"]["total"] == 2200


def test_legacy_takes_parameters_from_the_query_string(sim):
    query = urllib.parse.urlencode(sim.order())
    a = http_call(
        "POST", sim.url + "/v1/payment/ready?" + query, b"", {"Authorization": "KakaoAK " + ADMIN}
    )
    assert a.status == 200, a
    query = urllib.parse.urlencode({"cid": CID, "tid": a.body["tid"]})
    a = http_call(
        "GET", sim.url + "/v1/payment/order?" + query, None, {"Authorization": "KakaoAK " + ADMIN}
    )
    assert (
        a.status == 200 and a.body["status"] == "READY" and a.body["item_name"] == "스터디룸 2시간"
    )


@pytest.mark.parametrize("generation", GENERATIONS)
def test_refusals_of_approve_in_their_order(sim, generation):
    def refused(code, token="f" * 20, **changes):
        a = sim.approve(tid, token, generation, **changes)
        assert refusal(generation, a) == (400, code), a
        assert sim.control.captures() == []
        return a

    tid = sim.ready(generation)["tid"]
    a = refused(-701)
    assert a.body["extras"] == {
        "method_result_code": "9999",
        "method_result_message": "결제 실패. 잠시 후 재시도 바랍니다.",
    }
    token = sim.control.pay(tid)
    a = refused(-708)
    assert "extras" not in a.body
    refused(-706, token, partner_order_id="ord-1002")
    a = refused(-707, token, partner_user_id="u-78")
    assert message(a) == "partner user id is different when you ordered!"
    refused(-704, token, total_amount=2199)
    refused(-731, token, cid="TC0UNKNOWN")
    refused(-721, token, cid="TCSUBSCRIP")  # another merchant's tid
    assert refusal(generation, sim.approve("T" + "0" * 19, token, generation)) == (400, -721)
    # none of these used the tid up
    assert sim.approve(tid, token, generation, total_amount="2200").status == 200
    for again in (token, "f" * 20):
        assert refusal(generation, sim.approve(tid, again, generation)) == (400, -702)
    assert len(sim.control.captures()) == 1


@pytest.mark.parametrize("generation", GENERATIONS)
def test_fifteen_minutes(sim, generation):
    tid, token = (t := sim.ready(generation)["tid"]), sim.control.pay(t)
    done, _ = sim.paid(generation)
    page = sim.ready(generation)
    sim.control.clock(15 * 60 - 30)
    other = sim.ready(generation)["tid"]
    assert int(other[1:8], 16) - int(tid[1:8], 16) in range(870, 876)  # ids follow the clock
    sim.control.clock(15 * 60)
    assert refusal(generation, sim.approve(tid, token, generation)) == (400, -723)
    assert refusal(generation, sim.approve(done, "x", generation)) == (400, -702)  # paid is paid
    a = http_call("GET", page["next_redirect_pc_url"])
    assert (a.status, a.headers["location"]) == (303, "https://shop.example/fail")
    assert http_call("POST", sim.url + "/control/pay", {"tid": page["tid"]}).status == 409
    assert sim.status(tid) == "AUTH_PASSWORD"  # no status says that it is expired
    sim.control.clock(15 * 60 - 30)
    assert sim.approve(tid, token, generation).status == 200


@pytest.mark.parametrize(
    ("how", "status"), [("quit", "QUIT_PAYMENT"), ("fail", "FAIL_AUTH_PASSWORD")]
)
def test_a_user_who_stops_cannot_be_charged(sim, how, status):
    tid = sim.ready()["tid"]
    token = sim.control.pay(tid)
    assert sim.control.post("/" + how, {"tid": tid}) == {"status": status}
    assert sim.status(tid) == status
    assert refusal("current", sim.approve(tid, token)) == (400, -783)
    assert http_call("POST", sim.url + "/control/pay", {"tid": tid}).status == 409
    paid, _ = sim.paid()
    assert http_call("POST", sim.url + "/control/" + how, {"tid": paid}).status == 409
    assert sim.status(paid) == "SUCCESS_PAYMENT"


def test_twenty_approves_at_once_are_one_capture(sim):
    tid = sim.ready()["tid"]
    token = sim.control.pay(tid)
    sim.control.latency("approve", 100)
    answers = at_once([lambda: sim.approve(tid, token)] * 20)
    assert sorted(a.status for a in answers) == [200] + [400] * 19
    assert {a.body["error_code"] for a in answers if a.status == 400} == {-702}
    assert len(sim.control.captures()) == 1


def test_every_step_between_statuses_is_legal_or_refused(sim):
    pending = ["SEND_TMS", "OPEN_PAYMENT", "SELECT_METHOD", "ARS_WAITING"]
    tid = sim.ready()["tid"]
    for word in pending:
        assert (
            http_call("POST", sim.url + "/control/step", {"tid": tid, "status": word}).status == 200
        ), word
        assert sim.status(tid) == word
        assert refusal("current", sim.approve(tid, "x")) == (400, -701)
    assert (
        http_call("POST", sim.url + "/control/step", {"tid": tid, "status": "OPEN_PAYMENT"}).status
        == 409
    )
    for word in (
        "READY",
        "AUTH_PASSWORD",
        "SUCCESS_PAYMENT",
        "CANCEL_PAYMENT",
        "PART_CANCEL_PAYMENT",
        "NONSENSE",
    ):
        assert http_call(
            "POST", sim.url + "/control/step", {"tid": tid, "status": word}
        ).status in (400, 409), word
    token = sim.control.pay(tid)
    assert sim.approve(tid, token).status == 200
    for word in [*pending, "QUIT_PAYMENT", "FAIL_PAYMENT", "FAIL_AUTH_PASSWORD"]:
        assert (
            http_call("POST", sim.url + "/control/step", {"tid": tid, "status": word}).status == 409
        ), word
