"""The booking site as the tests see it: its gateway and reservation service talk to roompay, its users talk to KakaoPay."""
import http.client
import json
import secrets
import threading
import time
import urllib.parse
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

CID = "TC0ONETIME"


@dataclass
class Answer:
    status: int
    headers: dict
    raw: bytes
    seconds: float
    body: dict = field(default=None)

    def __post_init__(self):
        if self.body is None and self.raw and "json" in self.headers.get("content-type", ""):
            self.body = json.loads(self.raw)

    @property
    def code(self):
        return self.body.get("code") if isinstance(self.body, dict) else None

    @property
    def replayed(self):
        return self.headers.get("idempotent-replayed") == "true"

    def __repr__(self):
        return f"<{self.status} {self.code or ''} {self.raw[:600]!r} in {self.seconds:.3f} s>"


def http_call(method, url, body=None, headers=None, timeout=40):
    """One request on a fresh connection. body: bytes, or anything that json.dumps takes."""
    parts = urllib.parse.urlsplit(url)
    conn = http.client.HTTPConnection(parts.hostname, parts.port, timeout=timeout)
    headers = dict(headers or {})
    if body is not None and not isinstance(body, bytes):
        body = json.dumps(body).encode()
        headers.setdefault("Content-Type", "application/json")
    began = time.monotonic()
    try:
        conn.request(method, parts.path + ("?" + parts.query if parts.query else ""), body, headers)
        r = conn.getresponse()
        raw = r.read()
        return Answer(r.status, {k.lower(): v for k, v in r.getheaders()}, raw, time.monotonic() - began)
    finally:
        conn.close()


def new_id():
    return secrets.token_hex(12)


def at_once(calls):
    """Runs the callables at the same instant, each in its thread; the results in order."""
    barrier = threading.Barrier(len(calls))

    def run(call):
        barrier.wait()
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return [f.result() for f in [pool.submit(run, c) for c in calls]]


def eventually(what, seconds=10, every=0.05):
    """The first true value of what(), or an assertion that it never came."""
    end = time.monotonic() + seconds
    while True:
        value = what()
        if value:
            return value
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        time.sleep(every)


class Simulator:
    """The control side of kakaopay-sim: the judge of every money test."""

    def __init__(self, base):
        self.base = base

    def get(self, path):
        a = http_call("GET", self.base + "/control" + path)
        assert a.status == 200, a
        return a.body

    def post(self, path, body=None):
        a = http_call("POST", self.base + "/control" + path, {} if body is None else body)
        assert a.status == 200, a
        return a.body

    def pay(self, tid, **more):
        """What the user's page does: returns the pg_token."""
        return self.post("/pay", {"tid": tid, **more})["pg_token"]

    def captures(self, order=None):
        found = self.get("/captures")
        found = found["captures"] if isinstance(found, dict) else found
        return [c for c in found if order is None or c["partner_order_id"] == order]

    def order(self, tid):
        return self.get("/orders/" + tid)

    def fault(self, call, fault, times=1, **more):
        return self.post("/faults", {"call": call, "fault": fault, "times": times, **more})

    def no_faults(self):
        a = http_call("DELETE", self.base + "/control/faults")
        assert a.status in (200, 204), a

    def latency(self, call, ms):
        return self.post("/latency", {"call": call, "ms": ms})

    def clock(self, offset_s):
        return self.post("/clock", {"offset_s": offset_s})


class Site:
    def __init__(self, stack):
        self.stack = stack
        self.base = stack.base_url          # web server and prefix
        self.tokens = stack.tokens          # name of the caller -> bearer token
        self.sim = Simulator(stack.sim_url)
        self.db = stack.database()          # a PyMongo database: shares no code with us

    # -- what the gateway sends

    def ask(self, path, body, caller="gateway", **headers):
        headers = {k.replace("_", "-"): v for k, v in headers.items()}
        if caller is not None:
            headers["Authorization"] = "Bearer " + self.tokens[caller]
        return http_call("POST", self.base + path, body, headers)

    def get(self, path, caller="operator", **headers):
        headers = {k.replace("_", "-"): v for k, v in headers.items()}
        if caller is not None:
            headers["Authorization"] = "Bearer " + self.tokens[caller]
        return http_call("GET", self.base + path, None, headers)

    @staticmethod
    def booking(user="u-1", room=None, order=None, day=(1,), start=(10,), end=(12,), total=2200, cid=CID, **info):
        """A payReady body as the seed writes it."""
        return {
            "userInfo": {"userId": user},
            "paymentInfo": {
                "cid": cid, "partner_order_id": order or "o-" + new_id(), "partner_user_id": "p-" + user, "item_name": "스터디룸 2시간",
                "quantity": 1, "total_amount": total, "tax_free_amount": 0,
                "approval_url": "https://site.example/ok", "cancel_url": "https://site.example/cancel",
                "fail_url": "https://site.example/fail", **info,
            },
            "reservationInfo": {"day": list(day), "startTime": list(start), "endTime": list(end), "roomId": room or new_id()},
        }

    def ready(self, body=None, **changes):
        return self.ask("/payReady", body or self.booking(**changes))

    def approve(self, user, room, pg_token, **headers):
        return self.ask("/approvePayment", {"pg_token": pg_token, "userId": user, "roomId": room}, **headers)

    def remove(self, user, room, tid=None, caller="reservation"):
        return self.ask("/removePaymentInQueue", {"userId": user, "roomId": room, **({"tid": tid} if tid else {})}, caller=caller)

    # -- stories

    def opened(self, **changes):
        """payReady that must succeed: (body that was sent, answer)."""
        body = self.booking(**changes)
        a = self.ready(body)
        assert a.status == 200, a
        return body, a

    def paid(self, **changes):
        """payReady, the user pays, approvePayment: (body, pg_token, approve's answer)."""
        body, a = self.opened(**changes)
        token = self.sim.pay(a.body["tid"])
        b = self.approve(body["userInfo"]["userId"], body["reservationInfo"]["roomId"], token)
        return body, token, b

    def payments(self, order=None):
        return list(self.db.payments.find({} if order is None else {"partner_order_id": order}))

    def ready_calls(self, order):
        """How often KakaoPay was asked to open this order."""
        return sum(1 for c in self.calls("ready") if c.get("partner_order_id") == order)

    def calls(self, kind):
        found = self.sim.get("/calls")
        return [c for c in (found["calls"] if isinstance(found, dict) else found) if c["call"] == kind]

    def held(self, room):
        a = self.get("/queue?roomId=" + room)
        assert a.status == 200, a
        return a.body
