"""The accept loop of one worker, spoken to in raw FastCGI: whatever a peer does or leaves undone, the next one is served within a second, and a request that
was taken is answered whole, also while the worker is told to end."""

import collections
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import threading
import time

import fastcgi as f
import pytest
from booking_site import CID, eventually, new_id
from stack import PREFIX, children, connects, is_alive, is_gatherer

APPROVE = b'{"pg_token":"abc","userId":"nobody","roomId":"0123456789abcdef01234567"}'


class Lone:
    """One worker (or a master) on a socket of its own, beside a running site."""

    def __init__(self, stack, tmp_path, master=None):
        self.token, self.path = stack.tokens["gateway"], str(tmp_path / "lone.sock")
        self.log_path = tmp_path / "lone.log"
        program, conf = str(stack.build / "fcgi/roompay.fcgi"), str(stack.conf_path)
        with socket.socket(socket.AF_UNIX) as s, open(self.log_path, "ab") as log:
            s.bind(self.path)
            s.listen(100)
            more = ["--workers", str(master)] if master else []
            self.process = subprocess.Popen(
                [program, "-c", conf, *more], stdin=s.fileno(), stdout=log, stderr=log
            )

    @property
    def log(self):
        return self.log_path.read_text()

    def ask(self, path="/livez", method="GET", body=b""):
        return f.call(
            self.path, f.head(path, len(body), method, self.token, prefix=PREFIX) + f.stdin(body)
        )

    def is_well(self, within=0.2):
        status, _, seconds = self.ask()
        assert status == 200 and seconds < within, (status, seconds, self.log)

    def workers(self):
        return [p for p in children(self.process.pid) if not is_gatherer(p)]

    def gatherers(self):
        return [p for p in children(self.process.pid) if is_gatherer(p)]

    def close(self):
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(20)


@pytest.fixture
def lone(site, tmp_path):
    lone = Lone(site.stack, tmp_path)
    eventually(lambda: lone.ask()[0] == 200)
    yield lone
    lone.close()


@pytest.fixture
def master(site, tmp_path):
    lone = Lone(site.stack, tmp_path, master=2)
    eventually(lambda: lone.ask()[0] == 200 and len(lone.workers()) == 2)
    yield lone
    lone.close()


HEAD = f.head("/approvePayment", len(APPROVE), token="x", prefix=PREFIX)
STALLS = {
    "nothing at all": b"",
    "half a record header": b"\x01\x01\x00",
    "a header without its content": f.begin()[:8],
    "half of the parameters": HEAD[:-20],
    "no body": HEAD,
    "half of the body": HEAD + f.record(f.STDIN, APPROVE[:10]),
    "a body without its end": HEAD + f.record(f.STDIN, APPROVE[:-1]),
    "an abort": f.begin() + f.record(f.ABORT, b""),
    "an unknown management record": f.record(99, b"12345678", request=0),
    "HTTP": b"GET / HTTP/1.0\r\n\r\n",
    "zeros": b"\0" * 512,
    "an endless parameter": f.begin() + f.record(f.PARAMS, b"\xff\xff\xff\x00\x01name"),
}


@pytest.mark.parametrize("what", STALLS)
def test_a_peer_that_stalls_frees_the_worker(lone, what):
    s = f.connect(lone.path)
    s.sendall(STALLS[what])
    time.sleep(0.05)
    lone.is_well(within=2.3)  # it waited behind the stalled one
    lone.is_well()
    s.close()
    assert lone.process.poll() is None, lone.log


@pytest.mark.parametrize("what", STALLS)
def test_a_peer_that_leaves_frees_the_worker_at_once(lone, what):
    s = f.connect(lone.path)
    s.sendall(STALLS[what])
    s.close()
    lone.is_well(within=0.7)
    assert lone.process.poll() is None, lone.log


def test_a_peer_that_sends_a_byte_now_and_then(lone):
    s = f.connect(lone.path)
    raw = HEAD + f.stdin(APPROVE)

    def trickle():
        try:
            for b in raw:
                s.sendall(bytes([b]))
                time.sleep(0.1)
        except OSError:
            pass

    t = threading.Thread(target=trickle)
    t.start()
    time.sleep(0.05)
    lone.is_well(within=2.3)
    t.join()
    s.close()


def test_a_peer_that_does_not_stop_sending(lone):
    s = f.connect(lone.path)
    s.sendall(f.head("/approvePayment", 10**9, token=lone.token, prefix=PREFIX))
    stop = time.monotonic() + 3

    def flood():
        try:
            while time.monotonic() < stop:
                s.sendall(f.record(f.STDIN, b"x" * 60000))
        except OSError:
            pass

    t = threading.Thread(target=flood)
    t.start()
    time.sleep(0.05)
    lone.is_well(within=2.5)
    out, _ = f.read_answer(s)
    assert out.startswith(b"Status: 413 "), out
    t.join()
    s.close()


# What a worker asks of the kernel for one refused payReady. Those of the queue: send, receive.
TURN = """epoll_wait accept4 recvfrom read sendto recvfrom write write close"""


def test_a_refused_pay_ready_takes_no_system_call_more_than_these(site, lone, tmp_path):
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")
    room = new_id()
    site.opened(user="holder", room=room)
    body = json.dumps(site.booking(user="other", room=room)).encode()
    told = tmp_path / "told"

    def refused():
        status, out, _ = lone.ask("/payReady", "POST", body)
        assert status == 409 and b"slot-held" in out, out

    refused()  # memory is reserved, the queue is connected
    argv = ["strace", "-o", str(told), "-p", str(lone.process.pid)]
    with subprocess.Popen(argv, stderr=subprocess.PIPE) as tracer:
        tracer.stderr.readline()  # "attached"
        for _ in range(20):
            refused()
        tracer.send_signal(signal.SIGINT)
        tracer.wait(10)
    # random bytes for request ids are read for many at once; an idle worker looks around
    calls = re.findall(r"^(?!getrandom|restart_syscall)([a-z_0-9]+)\(", told.read_text(), re.M)
    turns = " ".join(calls).replace("epoll_wait epoll_wait", "epoll_wait").split(" close")
    turns = [t.strip() + " close" for t in turns[1:-1]]  # the first is seen from its middle
    # where the worker was faster than its peer, a timer guards the read
    in_time = [t.replace(" setitimer read setitimer ", " read ") for t in turns]
    assert len(turns) >= 15 and set(in_time) == {TURN}, collections.Counter(turns)
    assert turns.count(TURN) > len(turns) / 2, collections.Counter(turns)


def test_a_body_over_the_limit_is_not_read(lone):
    status, out, seconds = lone.ask("/approvePayment", "POST", b"x" * 16385)
    assert status == 413 and b"too-large" in out and seconds < 0.5
    status, out, seconds = lone.ask(
        "/approvePayment", "POST", b"x" * (1 << 20)
    )  # a peer that sends all of it before it reads
    assert status == 413 and seconds < 0.5
    status, out, _ = lone.ask("/approvePayment", "POST", b"{}" + b" " * 16382)
    assert status == 422, out
    lone.is_well()


@pytest.mark.parametrize("length", ["-1", "1e3", "x", "99999999999999999999", "0x10"])
def test_a_length_that_is_no_number(lone, length):
    status, out, _ = f.call(
        lone.path,
        f.head("/approvePayment", length, token=lone.token, prefix=PREFIX) + f.stdin(APPROVE),
    )
    assert status in (0, 413), out
    lone.is_well()


def test_a_kept_connection_is_closed_after_its_answer(lone):
    with f.connect(lone.path) as s:
        s.sendall(f.head("/livez", 0, "GET", keep=True, prefix=PREFIX) + f.stdin(b""))
        out, ended = f.read_answer(s)  # returns at the end of the connection
        assert ended and out.startswith(b"Status: 200 ")
    lone.is_well()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGHUP])
def test_a_request_in_hand_is_answered_whole_when_told_to_end(lone, number):
    with f.connect(lone.path) as s:
        raw = f.head("/approvePayment", len(APPROVE), token=lone.token, prefix=PREFIX) + f.stdin(
            APPROVE
        )
        s.sendall(raw[:-20])
        time.sleep(0.2)  # the worker reads the body
        lone.process.send_signal(number)
        time.sleep(0.2)
        s.sendall(raw[-20:])
        out, ended = f.read_answer(s)
    assert ended and out.startswith(b"Status: 404 ") and b"no-hold" in out, out
    lone.process.wait(5)
    assert lone.process.returncode == 0, lone.log


def test_an_idle_worker_ends_at_once_and_cleanly(lone):
    began = time.monotonic()
    lone.process.terminate()
    lone.process.wait(5)
    assert lone.process.returncode == 0 and time.monotonic() - began < 1


def test_a_worker_told_to_end_during_a_silent_connection(lone):
    s = f.connect(lone.path)
    time.sleep(0.1)
    lone.process.terminate()
    lone.process.wait(5)
    assert lone.process.returncode == 0
    s.close()


def test_a_crashed_worker_is_replaced(master):
    before = set(master.workers())
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    began = time.monotonic()
    eventually(lambda: len(set(master.workers()) - before) == 2, seconds=3)
    assert time.monotonic() - began < 1
    assert master.ask()[0] == 200


def test_reload_replaces_every_worker_and_loses_no_request(master):
    before, bad, stop = set(master.workers()), [], threading.Event()

    def load():
        while not stop.is_set():
            status, out, _ = master.ask("/approvePayment", "POST", APPROVE)
            if status != 404:
                bad.append((status, out))

    threads = [threading.Thread(target=load) for _ in range(4)]
    for t in threads:
        t.start()
    master.process.send_signal(signal.SIGHUP)
    eventually(
        lambda: len(set(master.workers()) - before) == 2 and not before & set(master.workers()),
        seconds=10,
    )
    stop.set()
    for t in threads:
        t.join()
    assert bad == []


def test_no_worker_outlives_its_master(master):
    pids = master.workers() + master.gatherers()
    assert len(pids) == 4
    master.process.kill()
    master.process.wait(5)
    eventually(lambda: not any(is_alive(p) for p in pids), seconds=3)


def test_a_gatherer_that_dies_is_replaced_and_goes_last(master):
    before = set(master.gatherers())
    assert len(before) == 2
    for pid in before:
        os.kill(pid, signal.SIGTERM)  # it ends when its last worker has, not when it is told
    time.sleep(0.3)
    assert set(master.gatherers()) == before
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    eventually(lambda: len(master.gatherers()) == 2 and not before & set(master.gatherers()))
    after = master.gatherers()
    master.process.terminate()
    assert master.process.wait(10) == 0
    assert not any(is_alive(p) for p in after)


def test_a_master_with_a_socket_of_its_own(site, tmp_path):
    sock = tmp_path / "own.sock"
    conf = tmp_path / "roompay.conf"
    conf.write_text(site.stack.conf_path.read_text().replace(site.stack.fcgi_socket, str(sock)))
    argv = [str(site.stack.build / "fcgi/roompay.fcgi"), "-c", str(conf), "--workers", "1"]
    stale = socket.socket(socket.AF_UNIX)
    stale.bind(str(sock))
    stale.close()  # the file of somebody who is gone
    with open(tmp_path / "log", "ab") as log:
        one = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            eventually(lambda: connects(socket.AF_UNIX, str(sock)))
            assert sock.stat().st_mode & 0o777 == 0o660
            two = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, timeout=10)
            assert two.returncode == 1  # somebody serves it already
            assert connects(socket.AF_UNIX, str(sock))
        finally:
            one.terminate()
            one.wait(20)
    assert one.returncode == 0 and not sock.exists(), (tmp_path / "log").read_text()


def test_a_network_socket_is_refused(site, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as s:
        p = subprocess.run(
            [str(site.stack.build / "fcgi/roompay.fcgi"), "-c", str(site.stack.conf_path)],
            stdin=s.fileno(),
            capture_output=True,
            timeout=10,
        )
    assert p.returncode == 1 and b"Unix socket" in p.stderr


def test_check_says_every_mistake(site, tmp_path):
    program = str(site.stack.build / "fcgi/roompay.fcgi")
    assert (
        subprocess.run([program, "--check", "-c", str(site.stack.conf_path)], timeout=10).returncode
        == 0
    )
    bad = tmp_path / "bad.conf"
    bad.write_text(site.stack.conf_path.read_text() + "[fcgi]\nworkers = none\n[nonsense]\nx = 1\n")
    p = subprocess.run([program, "--check", "-c", str(bad)], capture_output=True, timeout=10)
    assert p.returncode == 1 and p.stderr.count(str(bad).encode() + b":") >= 2, p.stderr
    assert CID.encode() not in p.stderr
