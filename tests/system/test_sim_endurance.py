"""The simulator: many clients, hostile ones, restarts, kill -9 and a full disk."""

import http.client
import json
import resource
import signal
import subprocess
import time

import pytest
from booking_site import eventually
from sim_program import ADMIN, BUILD, CID, KEY, press, refusal, to_approve


def test_five_hundred_connections_at_once_with_a_latency(sim):
    sim.control.latency("ready", 2000)
    request = sim.bytes_of("current", "ready", sim.order())
    socks = [sim.connect() for _ in range(600)]
    try:
        began = time.monotonic()
        for s in socks:
            s.sendall(request)
        sent = time.monotonic() - began
        assert (
            sim.call("current", "order", {"cid": CID, "tid": "T0"}).seconds < 1.5
        )  # nobody else waits
        answers = [s.recv(4096) for s in socks]
        took = time.monotonic() - began
    finally:
        for s in socks:
            s.close()
    assert all(a.startswith(b"HTTP/1.1 200") for a in answers)
    assert 1.99 < took < 3 + sent, took
    assert sim.control.get("/state")["orders"] == 600


def test_a_connection_is_kept_for_many_calls(sim):
    conn = http.client.HTTPConnection("127.0.0.1", sim.port, timeout=10)
    sock = None
    for _ in range(50):
        conn.request(
            "POST",
            "/online/v1/payment/ready",
            sim.body("current", sim.order()),
            sim.headers("current"),
        )
        assert conn.getresponse().read()
        sock = sock or conn.sock
        assert conn.sock is sock and sock is not None
    conn.close()


def test_what_is_cut_or_nonsense_harms_nobody(sim):
    for junk in (
        b"\0" * 5000,
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST /online/v1/payment/ready HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n",
        b"POST /control/pay HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{",
        b"GET /" + b"a" * 100000,
    ):
        with sim.connect() as s:
            try:
                s.sendall(junk)
            except (BrokenPipeError, ConnectionResetError):
                pass
    assert sim.ready()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_restart_keeps_everything_that_was_answered(own_sim, number):
    done, _ = own_sim.paid(item_code="c", method="CARD", partner_order_id='o "가"')
    part, _ = own_sim.paid("legacy")
    own_sim.cancel(part, 700)
    open_tid, token = (t := own_sim.ready()["tid"]), own_sim.control.pay(t)
    quit_tid = own_sim.ready()["tid"]
    own_sim.control.post("/quit", {"tid": quit_tid})
    fresh = own_sim.ready(payment_method_type="MONEY")
    own_sim.control.clock(60)
    tids = [done, part, open_tid, quit_tid, fresh["tid"]]
    before = (
        [own_sim.control.order(t) for t in tids],
        own_sim.control.get("/captures"),
        own_sim.control.get("/cancels"),
    )
    status = own_sim.end(number)
    assert status == (0 if number == signal.SIGTERM else -9)
    own_sim.start()
    assert (
        [own_sim.control.order(t) for t in tids],
        own_sim.control.get("/captures"),
        own_sim.control.get("/cancels"),
    ) == before
    assert own_sim.control.get("/state")["offset_s"] == 60
    assert refusal("current", own_sim.approve(done, token, partner_order_id='o "가"')) == (
        400,
        -702,
    )
    assert own_sim.approve(open_tid, token).status == 200
    assert (
        press(fresh["next_redirect_pc_url"], "pay", b"method=CARD").status == 303
    )  # the same port, the same page
    assert own_sim.inquire(fresh["tid"]).body["payment_method_type"] == "MONEY"
    assert own_sim.cancel(part, 1500).body["status"] == "CANCEL_PAYMENT"


def test_kill_during_a_delayed_answer_keeps_the_capture(own_sim):
    tid, fields = to_approve(own_sim)
    own_sim.control.fault("approve", "delay", delay_ms=5000, after_commit=True)
    with own_sim.connect() as s:
        s.sendall(own_sim.bytes_of("current", "approve", fields))
        eventually(lambda: own_sim.control.captures(), 3)
        own_sim.end(signal.SIGKILL)
        own_sim.start()
    assert len(own_sim.control.captures()) == 1 and own_sim.status(tid) == "SUCCESS_PAYMENT"


def test_sigterm_with_calls_at_work_ends_at_once_and_does_not_do_them(own_sim):
    tid, fields = to_approve(own_sim)
    own_sim.control.latency("approve", 60000)
    with own_sim.connect() as s:
        s.sendall(own_sim.bytes_of("current", "approve", fields))
        eventually(lambda: own_sim.control.get("/state")["waiting"] == 1, 3)
        began = time.monotonic()
        assert own_sim.end() == 0
        assert time.monotonic() - began < 2
        assert s.recv(100) == b""
    own_sim.start()
    assert own_sim.control.captures() == [] and own_sim.status(tid) == "AUTH_PASSWORD"


def test_an_unfinished_last_line_is_cut_and_other_damage_stops_the_start(own_sim):
    tid, _ = own_sim.paid()
    own_sim.end()
    state = own_sim.folder / "state"
    whole = state.read_bytes()
    state.write_bytes(whole + b'{"event":"cancel","tid":"T')
    own_sim.start()
    assert own_sim.status(tid) == "SUCCESS_PAYMENT" and state.read_bytes() == whole
    own_sim.end()
    lines = whole.splitlines(keepends=True)
    for damaged in (
        b"".join([*lines[:1], b"{nonsense}\n", *lines[1:]]),
        b"".join(lines[1:]),
        whole + lines[-1],
    ):
        state.write_bytes(damaged)
        run = subprocess.run(
            [BUILD / "sim/kakaopay-sim", "--port", "0", "--state-file", state],
            capture_output=True,
            timeout=20,
        )
        assert run.returncode == 1 and b"line " in run.stderr, run
    state.write_bytes(whole)


def test_two_simulators_never_share_a_state_file(own_sim):
    run = subprocess.run(
        [BUILD / "sim/kakaopay-sim", "--port", "0", "--state-file", own_sim.folder / "state"],
        capture_output=True,
        timeout=20,
    )
    assert run.returncode == 1 and b"cannot lock" in run.stderr
    run = subprocess.run(
        [BUILD / "sim/kakaopay-sim", "--port", str(own_sim.port)], capture_output=True, timeout=20
    )
    assert run.returncode == 1 and b"cannot listen" in run.stderr


@pytest.mark.parametrize(
    ("more", "status"),
    [
        (["--port", "x"], 64),
        ([], 64),
        (["--port", "0", "--wrong"], 64),
        (["--port", "70000"], 64),
        (["--port", "0", "extra"], 64),
        (["--port", "0", "--cid", "short"], 1),
        (["--port", "0", "--key-file", "/nonexistent"], 1),
        (["--port", "0", "--listen", "localhost"], 1),
        (["--port", "0", "--base-url", "x"], 1),
        (["--help"], 0),
        (["--version"], 0),
    ],
)
def test_the_command_line(more, status):
    run = subprocess.run([BUILD / "sim/kakaopay-sim", *more], capture_output=True, timeout=20)
    assert run.returncode == status and run.stdout + run.stderr, run


def test_no_key_and_no_token_is_ever_written(own_sim):
    _tid, fields = to_approve(own_sim)
    own_sim.call("current", "approve", fields)
    own_sim.call("legacy", "ready", own_sim.order())
    log, calls = (own_sim.folder / "log").read_text(), json.dumps(own_sim.control.get("/calls"))
    for planted in (KEY, ADMIN, fields["pg_token"]):
        assert planted not in log and planted not in calls


def test_a_state_file_that_cannot_grow_refuses_and_keeps_what_was_answered(own_sim):
    tid, token = (t := own_sim.ready()["tid"]), own_sim.control.pay(t)
    size = (own_sim.folder / "state").stat().st_size
    resource.prlimit(
        own_sim.process.pid, resource.RLIMIT_FSIZE, (size + 100, size + 100)
    )  # room for a part of the next line
    a = own_sim.approve(tid, token)
    assert refusal("current", a) == (500, -500)
    assert own_sim.control.captures() == [] and own_sim.status(tid) == "AUTH_PASSWORD"
    assert (own_sim.folder / "state").stat().st_size == size
    assert own_sim.call("current", "ready", own_sim.order()).status == 500
    own_sim.end(signal.SIGKILL)
    own_sim.start()
    assert own_sim.approve(tid, token).status == 200 and len(own_sim.control.captures()) == 1
