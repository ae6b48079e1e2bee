"""The simulator: each fault as a raw client on a socket sees it."""

import json
import socket
import struct
import threading
import time

import pytest
from booking_site import eventually, http_call
from sim_program import CID, GENERATIONS, refusal, to_approve


def split(raw):
    head, _, body = raw.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    headers = {k.lower(): v for k, v in (line.split(": ", 1) for line in lines[1:])}
    return int(lines[0].split()[1]), headers, body


SILENT = [
    ("close-before", False, "end"),
    ("close-after", True, "end"),
    ("reset", False, "reset"),
    ("reset-after", True, "reset"),
]


@pytest.mark.parametrize(("fault", "captured", "ends"), SILENT)
@pytest.mark.parametrize("delay_ms", [0, 150])
def test_a_connection_that_ends_without_a_byte(sim, fault, captured, ends, delay_ms):
    tid, fields = to_approve(sim)
    sim.control.fault("approve", fault, tid=tid, delay_ms=delay_ms)
    began = time.monotonic()
    assert sim.raw("approve", fields) == (b"", ends)
    assert time.monotonic() - began >= delay_ms / 1000
    assert len(sim.control.captures()) == captured
    assert sim.status(tid) == ("SUCCESS_PAYMENT" if captured else "AUTH_PASSWORD")
    record = sim.control.get("/calls?call=approve")["calls"][-1]
    assert (record["fault"], record["status"], record["answered"]) == (fault, 0, True)


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize(
    ("fault", "status", "content_type", "body"),
    [
        ("http-500", 500, "text/plain", b"Internal Server Error\n"),
        ("http-503", 503, "text/plain", b"Service Unavailable\n"),
        ("html-502", 502, "text/html", None),
        ("empty-body", 200, None, b""),
    ],
)
def test_answers_of_a_gateway(sim, fault, status, content_type, body, after):
    _tid, fields = to_approve(sim)
    sim.control.fault("approve", fault, after_commit=after)
    got_status, headers, got = split(sim.raw("approve", fields)[0])
    assert got_status == status and headers.get("content-type") == content_type
    assert (got == body) if body is not None else got.startswith(b"<html>")
    assert int(headers["content-length"]) == len(got)
    assert len(sim.control.captures()) == after
    if not after:  # one shot: the next one is right
        assert split(sim.raw("approve", fields)[0])[0] == 200


@pytest.mark.parametrize("call", ["ready", "approve", "cancel", "order"])
@pytest.mark.parametrize(
    "fault",
    [
        "http-500",
        "http-503",
        "html-502",
        "empty-body",
        "truncated-json",
        "close-before",
        "reset",
        "error",
    ],
)
def test_each_call_has_its_faults_and_does_nothing_then(sim, call, fault):
    tid, token = (t := sim.ready()["tid"]), sim.control.pay(t)
    if call in ("cancel", "order"):
        sim.approve(tid, token)
    fields = {
        "ready": sim.order(),
        "approve": sim.approval(tid, token),
        "order": {"cid": CID, "tid": tid},
        "cancel": {"cid": CID, "tid": tid, "cancel_amount": 2200, "cancel_tax_free_amount": 0},
    }[call]
    before = sim.control.get("/state")
    sim.control.fault(call, fault, **({"code": -500} if fault == "error" else {}))
    raw, _ = sim.raw(call, fields)
    assert not raw or split(raw)[0] != 200 or fault in ("empty-body", "truncated-json")
    after = sim.control.get("/state")
    assert [after[k] - before[k] for k in ("orders", "captures", "cancels")] == [0, 0, 0] and after[
        "faults"
    ] == []
    assert split(sim.raw(call, fields)[0])[0] == 200


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("call", ["approve", "order", "ready", "cancel"])
def test_truncated_json_is_a_whole_answer_of_half_a_text(sim, call, after):
    tid, token = (t := sim.ready()["tid"]), sim.control.pay(t)
    if call == "cancel":
        sim.approve(tid, token)
    fields = {
        "ready": sim.order(),
        "approve": sim.approval(tid, token),
        "order": {"cid": CID, "tid": tid},
        "cancel": {"cid": CID, "tid": tid, "cancel_amount": 2200, "cancel_tax_free_amount": 0},
    }[call]
    sim.control.fault(call, "truncated-json", after_commit=after)
    status, headers, body = split(sim.raw(call, fields)[0])
    assert status == 200 and int(headers["content-length"]) == len(body) > 0
    assert headers["content-type"].lower() == "application/json;charset=utf-8"
    with pytest.raises(json.JSONDecodeError):
        json.loads(body)
    if call == "approve":
        assert len(sim.control.captures()) == after


@pytest.mark.parametrize("generation", GENERATIONS)
@pytest.mark.parametrize(
    ("code", "status"),
    [
        (-1, 400),
        (-2, 400),
        (-3, 403),
        (-4, 403),
        (-5, 403),
        (-6, 403),
        (-10, 400),
        (-401, 401),
        (-403, 403),
        (-404, 404),
        (-429, 429),
        (-500, 500),
        (-503, 503),
        (-9798, 503),
        (-702, 400),
        (-783, 400),
        (-797, 400),
        (-740, 400),
    ],
)
def test_error_has_the_http_status_of_its_code(sim, generation, code, status):
    tid, token = (t := sim.ready()["tid"]), sim.control.pay(t)
    sim.control.fault("approve", "error", code=code)
    a = sim.approve(tid, token, generation)
    assert refusal(generation, a) == (status, code) and "extras" not in a.body
    assert sim.control.captures() == [] and sim.status(tid) == "AUTH_PASSWORD"
    sim.control.fault("approve", "error", code=code, after_commit=True)
    assert refusal(generation, sim.approve(tid, token, generation)) == (status, code)
    assert len(sim.control.captures()) == 1


@pytest.mark.parametrize("generation", GENERATIONS)
@pytest.mark.parametrize(
    ("fault", "method_code", "status"),
    [
        ("user-locked", "USER_LOCKED", "AUTH_PASSWORD"),
        ("bank-firm-unknown", "BANK_FIRM_UNKNOWN", "AUTH_PASSWORD"),
        ("card-refused", "8326", "FAIL_PAYMENT"),
    ],
)
def test_a_method_that_refuses(sim, generation, fault, method_code, status):
    tid, token = (t := sim.ready()["tid"]), sim.control.pay(t)
    sim.control.fault("approve", fault)
    a = sim.approve(tid, token, generation)
    assert refusal(generation, a) == (400, -780)
    assert (
        a.body["extras"]["method_result_code"] == method_code
        and a.body["extras"]["method_result_message"]
    )
    assert sim.status(tid) == status and sim.control.captures() == []
    again = sim.approve(tid, token, generation)
    assert (
        again.status == 200
        if status == "AUTH_PASSWORD"
        else refusal(generation, again) == (400, -783)
    )


@pytest.mark.parametrize("fault", ["user-locked", "bank-firm-unknown"])
def test_a_method_that_says_no_and_does_it(sim, fault):
    tid, fields = to_approve(sim)
    sim.control.fault("approve", fault, after_commit=True)
    assert sim.call("current", "approve", fields).body["error_code"] == -780
    assert len(sim.control.captures()) == 1 and sim.status(tid) == "SUCCESS_PAYMENT"


def test_another_method_code_can_be_named(sim):
    _, fields = to_approve(sim)
    sim.control.fault("approve", "error", code=-780, method_code="6001")
    assert sim.call("current", "approve", fields).body["extras"]["method_result_code"] == "6001"
    tid, _ = sim.paid()
    sim.control.fault("cancel", "error", code=-781)
    assert sim.cancel(tid, 1).body["extras"] == {
        "method_result_code": "6666",
        "method_result_message": "원거래없음",
    }


def test_a_delay_before_and_after_the_commit(sim):
    for after in (False, True):
        tid, fields = to_approve(sim)
        sim.control.fault("approve", "delay", tid=tid, delay_ms=700, after_commit=after)
        box = []
        t = threading.Thread(target=lambda: box.append(sim.call("current", "approve", fields)))
        began = time.monotonic()
        t.start()
        time.sleep(0.35)
        assert sim.status(tid) == (
            "SUCCESS_PAYMENT" if after else "AUTH_PASSWORD"
        )  # and nobody else waits
        assert time.monotonic() - began < 0.6
        t.join()
        assert box[0].status == 200 and 0.69 < box[0].seconds < 2


def test_a_short_delay_overtakes_a_long_one(sim):
    one, two = sim.ready()["tid"], sim.ready()["tid"]
    sim.control.fault("order", "delay", tid=one, delay_ms=1200)
    sim.control.fault("order", "delay", tid=two, delay_ms=100)
    box = []
    t = threading.Thread(target=lambda: box.append(sim.inquire(one)))
    t.start()
    eventually(lambda: sim.control.get("/state")["waiting"] == 1, 2)
    assert 0.09 < sim.inquire(two).seconds < 0.8
    t.join()
    assert box[0].seconds > 1.19


def test_a_client_that_hangs_up_during_a_delay_is_charged_all_the_same(sim):
    _tid, fields = to_approve(sim)
    sim.control.latency("approve", 300)
    with sim.connect() as s:
        s.sendall(sim.bytes_of("current", "approve", fields))
        time.sleep(0.1)
    assert sim.control.captures() == []
    eventually(lambda: sim.control.captures(), 3)
    # also when it resets the connection
    _tid, fields = to_approve(sim)
    s = sim.connect()
    s.sendall(sim.bytes_of("current", "approve", fields))
    time.sleep(0.1)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    s.close()
    eventually(lambda: len(sim.control.captures()) == 2, 3)


def test_extra_and_missing_members(sim):
    plain = sim.ready()
    sim.control.fault("ready", "extra-members")
    assert set(sim.ready()) > set(plain)
    sim.control.fault("ready", "missing-members")
    assert set(plain) - set(sim.ready()) == {"android_app_scheme", "ios_app_scheme"}
    tid, token = (
        (t := sim.ready(item_code="x", payment_method_type="CARD")["tid"]),
        sim.control.pay(t),
    )
    sim.control.fault("approve", "missing-members")
    a = sim.approve(tid, token, payload="p").body
    assert not set(a) & {"item_code", "card_info", "payload"} and "green_deposit" not in a["amount"]
    assert {
        "aid",
        "tid",
        "cid",
        "partner_order_id",
        "partner_user_id",
        "payment_method_type",
        "item_name",
        "quantity",
        "amount",
        "created_at",
        "approved_at",
    } == set(a)
    sim.control.fault("order", "missing-members")
    b = sim.inquire(tid).body
    assert "approved_at" not in b and set(b["payment_action_details"][0]) == {
        "aid",
        "approved_at",
        "point_amount",
        "discount_amount",
        "payment_action_type",
    }
    tid, token = (t := sim.ready()["tid"]), sim.control.pay(t)
    sim.control.fault("approve", "extra-members")
    a = sim.approve(tid, token).body
    assert "new_member" in a and "new_deduction" in a["amount"] and a["amount"]["total"] == 2200


def test_a_status_that_nobody_knows(sim):
    tid, _ = sim.paid()
    sim.control.fault("order", "unknown-status", tid=tid, times=2)
    known = sim.control.order(tid)["status"]
    words = [sim.status(tid) for _ in range(3)]
    assert known == words[2] == "SUCCESS_PAYMENT" and words[0] == words[1] == "PAYMENT_ON_REVIEW"


@pytest.mark.parametrize(
    ("fault", "member"),
    [
        ("wrong-total", "amount"),
        ("wrong-tax-free", "amount"),
        ("wrong-vat", "amount"),
        ("wrong-quantity", "quantity"),
        ("wrong-partner-order-id", "partner_order_id"),
        ("wrong-partner-user-id", "partner_user_id"),
        ("wrong-tid", "tid"),
        ("wrong-cid", "cid"),
    ],
)
def test_an_answer_that_is_not_what_was_asked(sim, fault, member):
    tid, fields = to_approve(sim)
    sim.control.fault("approve", fault, tid=tid)
    a = sim.call("current", "approve", fields)
    assert a.status == 200
    right = sim.inquire(tid).body
    assert {k for k in a.body if k in right and a.body[k] != right[k]} == {member}
    assert len(sim.control.captures("ord-1001")) == 1


def test_which_calls_a_fault_meets(sim):
    def ready(order):
        return sim.call("current", "ready", sim.order(partner_order_id=order)).status

    sim.control.fault("ready", "http-500", times=2, partner_order_id="b")
    assert [ready("a"), ready("b"), ready("a"), ready("b"), ready("b")] == [200, 500, 200, 500, 200]
    one, two = sim.ready()["tid"], sim.ready()["tid"]
    sim.control.fault("order", "http-500", tid=two)
    assert [sim.inquire(t).status for t in (one, two, two)] == [200, 500, 200]
    sim.control.fault(
        "order", "http-500", partner_order_id="ord-1001"
    )  # the inquiry does not name it: the tid does
    assert [sim.inquire(one).status, sim.inquire(one).status] == [500, 200]
    sim.control.fault("ready", "http-500", times=0)  # without end
    assert {ready("x") for _ in range(10)} == {500}
    sim.control.no_faults()
    assert ready("x") == 200


def test_a_share_of_the_calls_and_the_same_share_next_time(sim):
    def run():
        sim.control.post("/reset")
        sim.control.post("/faults", {"call": "ready", "fault": "http-500", "share": 0.25})
        return [sim.call("current", "ready", sim.order()).status for _ in range(200)]

    first = run()
    assert 25 < first.count(500) < 75
    assert run() == first


def test_faults_that_make_no_sense_are_refused(sim):
    for body in (
        {},
        {"call": "ready"},
        {"call": "x", "fault": "reset"},
        {"call": "ready", "fault": "x"},
        {"call": "ready", "fault": "error"},
        {"call": "ready", "fault": "delay"},
        {"call": "ready", "fault": "card-refused"},
        {"call": "page", "fault": "error", "code": -1},
        {"call": "ready", "fault": "reset", "share": 2},
        {"call": "ready", "fault": "reset", "times": -1},
        {"call": "ready", "fault": "reset", "after_commit": 1},
        {"call": "ready", "fault": "reset", "color": "red"},
    ):
        a = http_call("POST", sim.url + "/control/faults", body)
        assert a.status == 400 and a.body["error"], body
    assert sim.control.get("/faults") == {"faults": []}
