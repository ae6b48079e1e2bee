"""The simulator: switches for what is not established about KakaoPay, and the list of calls."""

import re
import threading
import time

import pytest
from booking_site import eventually, http_call
from sim_program import CID, refusal, to_approve


@pytest.mark.parametrize("code", [-702, -708, -723, -785])
def test_switch_replayed_approve(sim, code):
    sim.unsure("replayed_approve", code)
    _tid, fields = to_approve(sim)
    assert sim.call("current", "approve", fields).status == 200
    assert refusal("current", sim.call("current", "approve", fields)) == (400, code)
    assert len(sim.control.captures()) == 1


def test_switch_inquiry_lag(sim):
    sim.unsure("inquiry_lag_s", 1)
    tid, fields = to_approve(sim)
    assert sim.call("current", "approve", fields).status == 200
    assert sim.cancel(tid, 200).status == 200
    a = sim.inquire(tid).body
    assert a["status"] == "READY" and "approved_at" not in a and a["payment_action_details"] == []
    assert a["cancel_available_amount"]["total"] == 0 and "payment_method_type" not in a
    assert sim.control.order(tid)["status"] == "PART_CANCEL_PAYMENT"
    sim.unsure("inquiry_lag_hides", True)
    assert refusal("current", sim.inquire(tid)) == (400, -721)
    time.sleep(1.1)
    assert sim.inquire(tid).body == sim.control.order(tid)


def test_switch_approve_after_window(sim):
    _tid, fields = to_approve(sim)
    sim.control.clock(3600)
    assert refusal("current", sim.call("current", "approve", fields)) == (400, -723)
    sim.unsure("approve_after_window", True)
    assert sim.call("current", "approve", fields).status == 200


def test_switch_wrong_token_consumes(sim):
    sim.unsure("wrong_token_consumes", True)
    tid, fields = to_approve(sim)
    assert refusal("current", sim.approve(tid, "f" * 20)) == (400, -708)
    assert sim.status(tid) == "FAIL_PAYMENT"
    assert refusal("current", sim.call("current", "approve", fields)) == (400, -783)


def test_switch_cancel_available_ignored(sim):
    sim.unsure("cancel_available_ignored", True)
    tid, _ = sim.paid()
    assert sim.cancel(tid, 200, cancel_available_amount=1).status == 200


@pytest.mark.parametrize("more", [-1, 0, 1])
def test_switch_vat_rounding(sim, more):
    sim.unsure("vat_rounding", more)
    tid, paid = sim.paid()
    assert paid["amount"]["vat"] == 200 + more
    assert sim.paid(vat_amount=200)[1]["amount"]["vat"] == 200
    assert sim.paid(total_amount=100, tax_free_amount=100)[1]["amount"]["vat"] == 0
    assert sim.cancel(tid, 2200).body["cancel_available_amount"]["vat"] == 0


@pytest.mark.parametrize("both", [False, True])
def test_switch_approve_and_cancel_both(sim, both):
    sim.unsure("approve_and_cancel_both", both)
    tid, fields = to_approve(sim)
    sim.control.latency("approve", 500)
    box = []
    t = threading.Thread(target=lambda: box.append(sim.call("current", "approve", fields)))
    t.start()
    time.sleep(0.2)
    a = sim.cancel(tid, 2200)
    t.join()
    assert box[0].status == 200 and box[0].seconds > 0.49
    assert a.status == 200 if both else refusal("current", a) == (400, -785)
    assert sim.status(tid) == ("CANCEL_PAYMENT" if both else "SUCCESS_PAYMENT")
    assert len(sim.control.captures()) == 1


def test_switches_that_do_not_exist(sim):
    for name, value in (
        ("nothing", 1),
        ("inquiry_lag_s", 61),
        ("inquiry_lag_s", True),
        ("vat_rounding", 2),
        ("approve_after_window", 1),
    ):
        assert (
            http_call("POST", sim.url + "/control/unsure", {"name": name, "value": value}).status
            == 400
        ), name


def test_calls_are_told(sim):
    tid, _ = sim.paid(partner_order_id="mine")
    sim.approve(tid, "x", "legacy", partner_order_id="mine")
    sim.ready(partner_order_id="other")
    told = sim.control.get("/calls")
    assert [
        (c["call"], c["partner_order_id"], c["tid"] == tid, c["status"], c["code"])
        for c in told["calls"]
    ] == [
        ("ready", "mine", True, 200, 0),
        ("approve", "mine", True, 200, 0),
        ("approve", "mine", True, 400, -702),
        ("ready", "other", False, 200, 0),
    ]
    assert [c["api"] for c in told["calls"]] == ["current", "current", "legacy", "current"]
    assert [c["n"] for c in told["calls"]] == [1, 2, 3, 4] and told["last"] == 4
    assert all(c["cid"] == CID and re.fullmatch(r"20.*T.*Z", c["at"]) for c in told["calls"])
    assert [c["n"] for c in sim.control.get("/calls?since=2")["calls"]] == [3, 4]
    assert [
        c["n"] for c in sim.control.get("/calls?partner_order_id=mine&call=approve")["calls"]
    ] == [2, 3]
    sim.control.latency("ready", 400)
    t = threading.Thread(target=sim.ready)
    t.start()
    last = eventually(lambda: sim.control.get("/calls?since=4")["calls"], 2)[0]
    assert (last["answered"], last["status"]) == (False, 0)  # at work
    assert sim.control.get("/state")["waiting"] == 1
    t.join()
    assert sim.control.get("/calls?since=4")["calls"][0]["answered"]


def test_the_control_side_refuses_what_it_does_not_know(sim):
    for method, path, body, status in (
        ("POST", "/pay", {"tid": "T1"}, 404),
        ("POST", "/pay", {}, 400),
        ("POST", "/pay", b"{", 400),
        ("GET", "/orders/T1", None, 404),
        ("GET", "/nothing", None, 404),
        ("GET", "/pay", None, 405),
        ("POST", "/clock", {"offset_s": "1"}, 400),
        ("POST", "/latency", {"call": "ready", "ms": -1}, 400),
        ("POST", "/pay", {"tid": "T1", "method": "GOLD"}, 400),
        ("GET", "/calls?since=x", None, 400),
    ):
        assert http_call(method, sim.url + "/control" + path, body).status == status, path


def test_the_list_of_calls_is_json_whatever_was_sent(sim):
    for cid, tid, order in (("가" * 30, "나" * 30, "다" * 3000), ('"\\', "\t\n", "\u2028")):
        assert (
            sim.call(
                "current", "approve", {"cid": cid, "tid": tid, "partner_order_id": order}
            ).status
            == 400
        )
    body = b"cid=%FF%FE&tid=%C0%AF&partner_order_id=%00"
    assert (
        http_call("POST", sim.url + "/v1/payment/approve", body, sim.headers("legacy")).status
        == 400
    )
    assert len(sim.control.get("/calls")["calls"]) == 3
