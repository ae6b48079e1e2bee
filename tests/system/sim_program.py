"""kakaopay-sim alone, as a raw client of both generations of the API drives it. The fixtures `sim` and `own_sim` are in conftest.py."""

import datetime
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import urllib.parse

from booking_site import Simulator, eventually, http_call

BUILD = pathlib.Path(
    os.environ.get("ROOMPAY_BUILD", pathlib.Path(__file__).resolve().parents[2] / "build")
)
KEY, ADMIN, CID = (
    "DEV0123456789ABCDEF0123456789ABCDEF01234",
    "0123456789abcdef0123456789abcdef",
    "TC0ONETIME",
)
GENERATIONS = ["current", "legacy"]
KST = datetime.timezone(datetime.timedelta(hours=9))


def secret_file(path, text):
    path.touch(0o600)  # others must not be able to read it
    path.write_text(text)
    return path


class Program:
    def __init__(self, folder, *more):
        self.folder, self.more, self.port, self.process = folder, more, 0, None
        secret_file(folder / "key", KEY + "\n")
        secret_file(folder / "admin", ADMIN + "\n")
        self.start()

    def start(self):
        log = self.folder / "log"
        argv = [
            BUILD / "sim/kakaopay-sim",
            "--port",
            self.port,
            "--key-file",
            self.folder / "key",
            "--admin-key-file",
            self.folder / "admin",
            "--cid",
            CID + ",TCSUBSCRIP",
            "--state-file",
            self.folder / "state",
            *self.more,
        ]
        before = log.read_text().count("event=listening") if log.exists() else 0
        with open(log, "ab") as out:
            self.process = subprocess.Popen(
                [str(a) for a in argv], stdout=out, stderr=out, stdin=subprocess.DEVNULL
            )
        eventually(
            lambda: (
                log.read_text().count("event=listening") > before or self.process.poll() is not None
            ),
            20,
            0.01,
        )
        assert self.process.poll() is None, log.read_text()
        self.url = re.findall(r"url=(\S+)", log.read_text())[-1]
        self.port = urllib.parse.urlsplit(self.url).port
        self.control = Simulator(self.url)
        return self

    def end(self, number=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(20)

    # -- the API

    @staticmethod
    def path(generation, call):
        return ("/v1/payment/" if generation == "legacy" else "/online/v1/payment/") + call

    @staticmethod
    def headers(generation):
        if generation == "legacy":
            return {
                "Authorization": "KakaoAK " + ADMIN,
                "Content-Type": "application/x-www-form-urlencoded;charset=utf-8",
            }
        return {"Authorization": "SECRET_KEY " + KEY, "Content-Type": "application/json"}

    @staticmethod
    def body(generation, fields):
        return (
            urllib.parse.urlencode(fields) if generation == "legacy" else json.dumps(fields)
        ).encode()

    def call(self, generation, call, fields, **headers):
        headers = {
            **self.headers(generation),
            **{k.replace("_", "-"): v for k, v in headers.items()},
        }
        return http_call(
            "POST", self.url + self.path(generation, call), self.body(generation, fields), headers
        )

    @staticmethod
    def order(**changes):
        fields = {
            "cid": CID,
            "partner_order_id": "ord-1001",
            "partner_user_id": "u-77",
            "item_name": "스터디룸 2시간",
            "quantity": 1,
            "total_amount": 2200,
            "tax_free_amount": 0,
            "approval_url": "https://shop.example/ok",
            "cancel_url": "https://shop.example/cancel",
            "fail_url": "https://shop.example/fail",
            **changes,
        }
        return {k: v for k, v in fields.items() if v is not None}

    def ready(self, generation="current", **changes):
        a = self.call(generation, "ready", self.order(**changes))
        assert a.status == 200, a
        return a.body

    @staticmethod
    def approval(tid, token, **changes):
        return {
            "cid": CID,
            "tid": tid,
            "partner_order_id": "ord-1001",
            "partner_user_id": "u-77",
            "pg_token": token,
            **changes,
        }

    def approve(self, tid, token, generation="current", **changes):
        return self.call(generation, "approve", self.approval(tid, token, **changes))

    def cancel(self, tid, amount, generation="current", **more):
        return self.call(
            generation,
            "cancel",
            {"cid": CID, "tid": tid, "cancel_amount": amount, "cancel_tax_free_amount": 0, **more},
        )

    def inquire(self, tid, generation="current"):
        return self.call(generation, "order", {"cid": CID, "tid": tid})

    def status(self, tid):
        return self.inquire(tid).body["status"]

    def paid(self, generation="current", method=None, **changes):
        """Ready, the user authenticates, approve: the tid and approve's answer."""
        tid = self.ready(generation, **changes)["tid"]
        token = self.control.pay(tid, **({"method": method} if method else {}))
        a = self.approve(
            tid,
            token,
            generation,
            **{k: v for k, v in changes.items() if k in ("partner_order_id", "cid")},
        )
        assert a.status == 200, a
        return tid, a.body

    def unsure(self, name, value):
        self.control.post("/unsure", {"name": name, "value": value})

    # -- a raw client

    def connect(self):
        s = socket.create_connection(("127.0.0.1", self.port), timeout=20)
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return s

    def bytes_of(self, generation, call, fields):
        body = self.body(generation, fields)
        head = "".join(f"{k}: {v}\r\n" for k, v in self.headers(generation).items())
        return (
            f"POST {self.path(generation, call)} HTTP/1.1\r\nHost: x\r\n{head}Content-Length: {len(body)}\r\n\r\n"
        ).encode() + body

    def raw(self, call, fields, generation="current"):
        """All that a client sees until the end of the connection: (bytes, "end" or "reset")."""
        with self.connect() as s:
            request = self.bytes_of(generation, call, fields)
            s.sendall(request.replace(b"Host: x\r\n", b"Host: x\r\nConnection: close\r\n"))
            got = b""
            while True:
                try:
                    piece = s.recv(65536)
                except ConnectionResetError:
                    return got, "reset"
                if not piece:
                    return got, "end"
                got += piece


def refusal(generation, a):
    """(HTTP status, code) of a refusal, which must have the shape of its generation."""
    code, text = ("code", "msg") if generation == "legacy" else ("error_code", "error_message")
    assert a.headers["content-type"].lower() == "application/json;charset=utf-8", a
    assert set(a.body) <= {code, text, "extras"} and type(a.body[code]) is int and a.body[text], a
    return a.status, a.body[code]


def message(a):
    return a.body.get("msg") or a.body.get("error_message")


def to_approve(sim):
    """A payment that waits for approve: (tid, the fields of the call)."""
    tid = sim.ready()["tid"]
    return tid, sim.approval(tid, sim.control.pay(tid))


def forms(page):
    """What a browser without scripts would offer: action -> fields with their first or checked value."""
    found = {}
    for attributes, inside in re.findall(r"<form([^>]*)>(.*?)</form>", page, re.S):
        assert 'method="post"' in attributes
        found[re.search(r'action="([^"]*)"', attributes)[1]] = dict(
            re.findall(r'name="([^"]*)" value="([^"]*)" checked', inside)
        )
    return found


def press(url, what, fields=b""):
    """Opens the page and presses one of its buttons: pay, cancel or fail."""
    page = http_call("GET", url)
    assert page.status == 200 and "<script" not in page.raw.decode(), page
    action = next(a for a in forms(page.raw.decode()) if a.rsplit("/", 1)[1] == what)
    return http_call(
        "POST",
        urllib.parse.urljoin(url, action),
        fields,
        {"Content-Type": "application/x-www-form-urlencoded"},
    )
