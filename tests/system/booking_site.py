"""The booking site as the tests see it: its gateway and reservation service talk to roompay, its users talk to KakaoPay."""

import http.client
import json
import re
import secrets
import threading
import time
import urllib.parse
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import answers

CID = "TC0ONETIME"

# The table of errors in doc/http.md. code: status, whether Retry-After is told, what `charged` may say (None: absent).
PROBLEMS = {
    "malformed-json": (400, False, {None}),
    "unauthenticated": (401, False, {None}),
    "forbidden": (403, False, {None}),
    "no-route": (404, False, {None}),
    "no-hold": (404, False, {None}),
    "method-not-allowed": (405, False, {None}),
    "too-large": (413, False, {None}),
    "unsupported-media-type": (415, False, {None}),
    "invalid-fields": (422, False, {None}),
    "unknown-merchant": (422, False, {None}),
    "slot-held": (409, True, {None}),
    "slot-sold": (409, True, {None}),
    "order-already-paid": (409, False, {True}),
    "payment-in-progress": (409, True, {True, False, "unknown"}),
    "payment-declined": (402, False, {False}),
    "token-refused": (409, False, {False, "unknown"}),
    "hold-expired": (410, False, {False, "unknown"}),
    "too-many-holds": (429, True, {None}),
    "too-many-requests": (429, True, {None}),
    "provider-unreachable": (502, False, {True, False, "unknown"}),
    "provider-error": (502, False, {True, False, "unknown"}),
    "provider-busy": (503, True, {True, False, "unknown"}),
    "queue-unavailable": (503, True, {True, False, "unknown"}),
    "store-unavailable": (503, True, {True, False, "unknown"}),
    "not-ready": (503, True, {True, False, "unknown"}),
    "internal-error": (500, False, {True, False, "unknown"}),
    "no-payment": (404, False, {None}),
    "payment-in-review": (409, False, {True}),
    "refund-in-progress": (409, True, {True}),
    "refund-exceeds": (409, False, {True}),
    "refund-mismatch": (409, False, {True}),
    "refund-declined": (402, False, {True}),
    "cross-origin": (403, False, {None}),
    "not-known": (404, False, {None}),
    "not-in-this-state": (409, False, {None}),
    "refund-repeated": (409, False, {None}),
}


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


def check_problem(a, about_orders=True):
    """An answer of roompay's that is no success has the shape of RFC 9457 and of the table in doc/http.md."""
    p, code = a.body, a.code
    assert a.headers["content-type"].startswith("application/problem+json"), a
    assert code in PROBLEMS, a
    status, retry, charged = PROBLEMS[code]
    assert p["type"] == "urn:roompay:problem:" + code and p["status"] == a.status == status, a
    assert p["title"] and p["detail"] and a.headers["content-language"] in ("ko", "en"), a
    assert p["requestId"] == a.headers["x-request-id"], a
    assert (
        p.get("charged") in (charged if about_orders else {None})
        and p.get("charged", "") is not None
    ), a
    assert ("retry-after" in a.headers) == retry, a
    assert ("errors" in p) == (code == "invalid-fields") and ("conflicts" in p) == (
        code in ("slot-held", "slot-sold")
    ), a
    if code == "invalid-fields":
        assert p["errors"] and all(
            set(e) == {"pointer", "code", "detail"} and all(e.values()) for e in p["errors"]
        ), a
        assert all(e["pointer"].startswith("/") for e in p["errors"]), a
    if code in ("slot-held", "slot-sold"):
        assert p["conflicts"] and all(
            set(c) <= {"day", "startTime", "endTime", "state"} for c in p["conflicts"]
        ), a
    if code in ("payment-declined", "refund-declined"):
        assert type(p["provider"]["code"]) is int and type(p["provider"]["message"]) is str, a
    assert "www-authenticate" in a.headers if code == "unauthenticated" else True, a
    assert "allow" in a.headers if code == "method-not-allowed" else True, a


def check_answer(a, path, sent_id=None):
    """Every answer of roompay's that the tests see goes through here; of one to HEAD or OPTIONS there are only headers."""
    is_page = "/console/" in path and "/console/api/" not in path and a.status in (200, 304)
    assert 1 <= len(a.headers["x-request-id"]) <= 64, a
    assert a.headers["cache-control"] == ("no-cache" if is_page else "no-store"), a
    assert a.headers["x-content-type-options"] == "nosniff", a
    assert sent_id is None or a.headers["x-request-id"] == sent_id, a
    if "retry-after" in a.headers:
        assert int(a.headers["retry-after"]) >= 1, a
    if not a.raw:
        return
    if path.endswith("/readyz") and a.status in (200, 503):  # health, not a problem
        assert a.body["ready"] is (a.status == 200), a
    elif a.status >= 400:
        if "/console/" in path:  # of orders in refunds alone
            check_problem(a, "charged" in a.body)
        else:
            check_problem(a, about_orders=not path.endswith("/queue") and "/payments" not in path)
    elif a.status == 202:
        assert "retry-after" in a.headers and a.body["tid"], a
        if path.endswith("/cancelPayment"):
            assert a.body["refunded"] == "unknown", a
        else:
            assert (a.body["state"], a.body["charged"]) in [
                ("unknown", "unknown"),
                ("recording", True),
            ], a


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
        a = Answer(
            r.status, {k.lower(): v for k, v in r.getheaders()}, raw, time.monotonic() - began
        )
    finally:
        conn.close()
    if "x-request-id" in a.headers:  # roompay's, not the simulator's or the web server's own
        given = headers.get("X-Request-Id", "")
        answers.check(method, parts.path, a.status, a.headers.get("content-type", ""), a.raw)
        check_answer(a, parts.path, given if re.fullmatch("[A-Za-z0-9._-]{1,64}", given) else None)
    return a


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
        self.base = stack.base_url  # web server and prefix
        self.tokens = stack.tokens  # name of the caller -> bearer token
        self.sim = Simulator(stack.sim_url)
        self.db = stack.database()  # a PyMongo database: shares no code with us
        self.pg_tokens, self.urls, self.user_tokens = (
            set(),
            set(),
            set(),
        )  # seen by us, and to be seen by nobody else

    # -- what the gateway sends

    def ask(self, path, body, caller="gateway", method="POST", **headers):
        headers = {k.replace("_", "-"): v for k, v in headers.items()}
        if caller is not None:
            headers["Authorization"] = "Bearer " + self.tokens[caller]
        a = http_call(method, self.base + path, body, headers)
        assert "x-request-id" in a.headers or a.headers["content-type"].startswith("text/html"), (
            a
        )  # ours, or the web server's own
        self._note_secrets(body, a)
        return a

    def get(self, path, caller="operator", **headers):
        return self.ask(path, None, caller, "GET", **headers)

    def _note_secrets(self, body, a):
        if isinstance(body, dict):
            token = body.get("pg_token")
            self.pg_tokens |= {token} if isinstance(token, str) and len(set(token)) > 6 else set()
            user_token = body.get("userInfo", {}).get("kakaoAccessToken")
            self.user_tokens |= (
                {user_token} if isinstance(user_token, str) and len(set(user_token)) > 6 else set()
            )
            self.urls |= {
                v
                for k, v in body.get("paymentInfo", {}).items()
                if k.endswith("_url") and isinstance(v, str) and len(v) > 12
            }
        if isinstance(a.body, dict):
            self.urls |= {
                v
                for k, v in a.body.items()
                if k.startswith("next_redirect_") or k.endswith("_app_scheme")
            } - {""}

    @staticmethod
    def booking(
        user="u-1",
        room=None,
        order=None,
        day=(1,),
        start=(10,),
        end=(12,),
        total=2200,
        cid=CID,
        **info,
    ):
        """A payReady body as the site writes it."""
        return {
            "userInfo": {"userId": user},
            "paymentInfo": {
                "cid": cid,
                "partner_order_id": order or "o-" + new_id(),
                "partner_user_id": "p-" + user,
                "item_name": "스터디룸 2시간",
                "quantity": 1,
                "total_amount": total,
                "tax_free_amount": 0,
                "approval_url": "https://site.example/ok",
                "cancel_url": "https://site.example/cancel",
                "fail_url": "https://site.example/fail",
                **info,
            },
            "reservationInfo": {
                "day": list(day),
                "startTime": list(start),
                "endTime": list(end),
                "roomId": room or new_id(),
            },
        }

    def ready(self, body=None, **changes):
        return self.ask("/payReady", body or self.booking(**changes))

    def approve(self, user, room, pg_token, **headers):
        return self.ask(
            "/approvePayment", {"pg_token": pg_token, "userId": user, "roomId": room}, **headers
        )

    def remove(self, user, room, tid=None, caller="reservation"):
        return self.ask(
            "/removePaymentInQueue",
            {"userId": user, "roomId": room, **({"tid": tid} if tid else {})},
            caller=caller,
        )

    def refund(self, tid, refund_id=None, amount=None, tax_free=None, caller="refund", **headers):
        body = {"tid": tid, "refundId": refund_id or "r-" + new_id(), "reason": "손님 요청"}
        body.update(
            {
                k: v
                for k, v in (("cancel_amount", amount), ("cancel_tax_free_amount", tax_free))
                if v is not None
            }
        )
        return self.ask("/cancelPayment", body, caller, **headers)

    def order(self, order, cid=CID, caller="gateway"):
        return self.get(f"/orders?cid={cid}&partner_order_id={urllib.parse.quote(order)}", caller)

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
        return [
            c for c in (found["calls"] if isinstance(found, dict) else found) if c["call"] == kind
        ]

    def held(self, room):
        a = self.get("/queue?roomId=" + room)
        assert a.status == 200, a
        return a.body
