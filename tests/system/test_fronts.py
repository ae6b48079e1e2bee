"""One suite behind every front end, each with its sample from etc/. What a front end forces to be otherwise is a row of FORCED, and is tested too."""

import gzip
import http.client
import json
import os
import signal
import socket
import threading
import time

import pytest
from booking_site import at_once, eventually, http_call, new_id
from fronts import FORCED, FRONTS, MORE, WORKERS, Front, web_uid
from stack import PREFIX, Stack, is_alive

SHOWN = [n for n in FRONTS if n not in MORE or "ROOMPAY_FRONTS" in os.environ]
MANY = {
    "queue": {
        "max_holds_per_user": 1000,
        "allow_uids": f"{os.geteuid()}, {web_uid()}"
        if web_uid() != os.geteuid()
        else str(os.geteuid()),
    }
}
SEEN = {
    "fcgi": {"metrics_addresses": "127.0.0.1", "trusted_proxies": "127.0.0.1"}
}  # /metrics shows whose address the front passes on


@pytest.fixture(scope="session")
def _behind():
    with Stack(os.environ.get("ROOMPAY_BUILD", "build"), workers=2, conf={**MANY, **SEEN}) as stack:
        yield stack


@pytest.fixture(scope="session", params=SHOWN)
def front(request, _behind):
    with Front(_behind, request.param) as f:
        yield f


BAD_BODIES = {
    "an empty body": (b"", 400),
    "no JSON": (b"pay", 400),
    "an array": (b"[]", 400),
    "a member twice": (b'{"tid":"a","tid":"b"}', 400),
    "half an object": (b'{"tid":', 400),
    "two objects": (b"{}{}", 400),
    "invalid UTF-8": (b'{"tid":"\xff"}', 400),
    "an escaped NUL": (b'{"tid":"\\u0000"}', 400),
    "too deep": (b'{"a":' * 9 + b"1" + b"}" * 9, 400),
    "NaN": (b'{"a":NaN}', 400),
    "no member": (b"{}", 422),
    "an unknown member": (
        b'{"pg_token":"a","userId":"u","roomId":"0123456789abcdef01234567","more":1}',
        422,
    ),
    "16 KiB": (b"{}" + b" " * 16382, 422),
    "a byte over 16 KiB": (b"{}" + b" " * 16383, 413),
    "1 MiB": (b"x" * (1 << 20), 413),
}
PATHS = {  # case: method, path, caller, status
    "livez": ("GET", "/livez", None, 200),
    "readyz": ("GET", "/readyz", "operator", 200),
    "no token": ("GET", "/queue", None, 401),
    "another role": ("GET", "/queue", "reservation", 403),
    "no route": ("GET", "/nothing", "gateway", 404),
    "below a route": ("GET", "/livez/more", "gateway", 404),
    "the prefix alone": ("GET", "/", "gateway", 404),
    "GET of a query": ("GET", "/payReady", "gateway", 405),
    "PUT": ("PUT", "/approvePayment", "gateway", 405),
    "DELETE": ("DELETE", "/payReady", "gateway", 405),
    "POST of health": ("POST", "/livez", None, 405),
    "PUT of health": ("PUT", "/livez", None, 405),
    "a query string": ("GET", "/queue?roomId=0123456789abcdef01234567", "operator", 200),
    "an encoded query string": (
        "GET",
        "/orders?cid=TC0ONETIME&partner_order_id=%EC%8A%A4%20%2B1",
        "gateway",
        200,
    ),
    "a query string that is wrong": ("GET", "/queue?roomId=x", "operator", 422),
}


@pytest.mark.parametrize("case", BAD_BODIES)
def test_body(front, case):
    body, status = BAD_BODIES[case]
    a = front.site.ask("/approvePayment", body, Content_Type="application/json")
    assert a.status == status and "x-request-id" in a.headers, a


@pytest.mark.parametrize("case", PATHS)
def test_path(front, case):
    method, path, caller, status = PATHS[case]
    a = front.site.ask(
        path, None if method == "GET" else b"{}", caller, method, Content_Type="application/json"
    )
    assert a.status == status and "x-request-id" in a.headers, a


@pytest.mark.parametrize(
    ("path", "caller", "status"),
    [
        ("/livez", None, 200),
        ("/openapi.json", None, 200),
        ("/readyz", "operator", 200),
        ("/queue", None, 401),
        ("/nothing", None, 404),
    ],
)
def test_head_is_get_without_the_body(front, path, caller, status):
    a, b = front.site.ask(path, None, caller, "GET"), front.site.ask(path, None, caller, "HEAD")
    assert (a.status, b.status, b.raw) == (status, status, b"") and "x-request-id" in b.headers, b
    for name in (
        "content-type",
        "content-length",
        "cache-control",
    ):  # mod_proxy_fcgi sends GET's answer in chunks, without a length
        assert a.headers.get(name, "none") in (b.headers.get(name), "none"), (
            name,
            a.headers,
            b.headers,
        )
    assert "content-type" in a.headers and b.headers["x-request-id"] != a.headers["x-request-id"]


@pytest.mark.parametrize(
    ("path", "allow"), [("/livez", "GET, HEAD, OPTIONS"), ("/payReady", "POST, OPTIONS")]
)
def test_options_tells_the_methods_and_nothing_else(front, path, allow):
    a = front.site.ask(
        path,
        None,
        None,
        "OPTIONS",
        Origin="https://site.example",
        Access_Control_Request_Method="POST",
    )
    assert (a.status, a.raw, a.headers["allow"]) == (204, b"", allow) and not [
        h for h in a.headers if h.startswith("access-control")
    ], a


def test_the_address_of_the_client_and_no_ranges(front):
    assert front.site.ask("/metrics", None, None, "GET").status == 200
    for forwarded, status in (
        ("198.51.100.1", 401),
        ("127.0.0.1, 198.51.100.1", 401),
        ("198.51.100.1, 127.0.0.1", 401),
        ("127.0.0.1", 200),
    ):
        assert (
            front.site.ask("/metrics", None, None, "GET", X_Forwarded_For=forwarded).status
            == status
        ), forwarded
    whole = front.site.ask("/openapi.json", None, None, "GET")
    part = front.site.ask("/openapi.json", None, None, "GET", Range="bytes=0-9")
    assert (part.status, part.raw) == (200, whole.raw) and "content-range" not in part.headers, part


def test_the_console(front):
    """Pages, sign-in and an action, without further settings; from inside alone."""
    site, base = front.site, front.site.base
    page = http_call("GET", base + "/console/")
    assert page.status == 200 and page.headers["content-type"].startswith("text/html"), page
    assert "default-src 'self'" in page.headers["content-security-policy"], page
    again = http_call("GET", base + "/console/", None, {"If-None-Match": page.headers["etag"]})
    assert (again.status, again.raw) == (304, b""), again
    door = http_call("GET", base + "/console")
    assert door.status == 308 and door.headers["location"].endswith(PREFIX + "/console/"), door
    script = http_call("GET", base + "/console/app.js")
    assert script.headers["content-type"].startswith("text/javascript"), script
    assert http_call("GET", base + "/console/no.js").code == "no-route"
    own = f"http://127.0.0.1:{front.port}"
    for path, caller, origin, status in (
        ("/me", "viewer", own, 200),
        ("/me", None, own, 401),
        ("/me", "viewer", "http://evil.example", 403),
        ("/payments?limit=1", "viewer", own, 200),
    ):
        a = site.ask("/console/api" + path, None, caller, "GET", Origin=origin)
        assert a.status == status, (path, a)
    for caller, site_says, status in (
        ("operator", "same-origin", 200),
        ("operator", "cross-site", 403),
        ("viewer", "same-origin", 403),
    ):
        a = site.ask("/console/api/test", {"peer": "gateway"}, caller, Sec_Fetch_Site=site_says)
        assert a.status == status, a
    front.stop_web()
    front.outside = True
    front.start_web()
    try:
        for path in ("/console", "/console/", "/console/app.js", "/console/api/me"):
            assert http_call("GET", base + path).status == 403, path
        assert site.get("/livez").status == 200
    finally:
        front.stop_web()
        front.outside = False
        front.start_web()


@pytest.mark.parametrize(("coding", "status"), [("gzip", 415), ("br", 415), ("identity", 422)])
def test_content_encoding(front, coding, status):
    a = front.site.ask(
        "/approvePayment",
        gzip.compress(b"{}") if coding == "gzip" else b"{}",
        Content_Type="application/json",
        Content_Encoding=coding,
    )
    assert a.status == status and a.headers.get("accept-encoding") == (
        "identity" if status == 415 else None
    ), a


@pytest.mark.parametrize("case", ["a wrong token", "another scheme", "a token that is cut"])
def test_token(front, case):
    token = front.site.tokens["operator"]
    header = {
        "a wrong token": "Bearer wrong",
        "another scheme": "Basic " + token,
        "a token that is cut": "Bearer " + token[:-1],
    }[case]
    a = http_call("GET", front.site.base + "/queue", None, {"Authorization": header})
    assert a.status == 401 and a.headers["www-authenticate"].startswith("Bearer"), a


@pytest.mark.parametrize(
    "case", ["text/plain", "application/json; charset=utf-8", "application/x-www-form-urlencoded"]
)
def test_content_type(front, case):
    a = front.site.ask("/approvePayment", b"{}", Content_Type=case)
    assert a.status == (422 if "json" in case else 415), a


@pytest.mark.parametrize("case", ["ko", "en"])
def test_language(front, case):
    a = front.site.ask(
        "/approvePayment", b"{}", Content_Type="application/json", Accept_Language=case
    )
    assert a.headers["content-language"] == case, a
    assert (max(a.body["detail"]) >= "가") == (case == "ko"), a


@pytest.mark.parametrize("case", ["a.b-c_1", "x" * 64, "x" * 65, "a b"])
def test_request_id(front, case):
    a = front.site.get("/livez", X_Request_Id=case)
    assert (a.headers["x-request-id"] == case) == (case in ("a.b-c_1", "x" * 64)), a


def chunked(front, path, pieces):
    c = http.client.HTTPConnection("127.0.0.1", front.port, timeout=20)
    try:
        c.request(
            "POST",
            PREFIX + path,
            iter(pieces),
            {
                "Authorization": "Bearer " + front.site.tokens["gateway"],
                "Content-Type": "application/json",
                "Transfer-Encoding": "chunked",
            },
            encode_chunked=True,
        )
        r = c.getresponse()
        return r.status, json.loads(r.read())
    finally:
        c.close()


@pytest.mark.parametrize("case", ["one chunk", "a byte a chunk", "over the limit"])
def test_chunked(front, case):
    body = b'{"pg_token":"abc","userId":"nobody","roomId":"0123456789abcdef01234567"}'
    pieces = {
        "one chunk": [body],
        "a byte a chunk": [body[i : i + 1] for i in range(len(body))],
        "over the limit": [b" " * 1000] * 20,
    }[case]
    status, p = chunked(front, "/approvePayment", pieces)
    assert (status, p["code"]) == (
        (413, "too-large") if case == "over the limit" else (404, "no-hold")
    )


def test_a_whole_payment(front):
    site, user, room, order = front.site, "u-" + new_id(), new_id(), "o-" + new_id()
    body = site.booking(user=user, room=room, order=order)
    a = site.ready(body)
    assert a.status == 200, a
    assert site.ready(body).replayed
    other = site.ready(user="u-" + new_id(), room=room)
    assert other.code == "slot-held" and int(other.headers["retry-after"]) > 0, other
    token = site.sim.pay(a.body["tid"])
    first, again = site.approve(user, room, token), site.approve(user, room, token)
    assert (
        first.status == again.status == 200
        and first.body == again.body
        and again.replayed
        and not first.replayed
    )
    assert first.body["payment"]["item_name"] == "스터디룸 2시간"
    assert len(site.sim.captures(order)) == 1
    eventually(lambda: site.remove(user, room, a.body["tid"]).body["removed"])
    assert site.refund(a.body["tid"]).body["refunded"] is True


def raw(front, head, body=b""):
    s = socket.create_connection(("127.0.0.1", front.port), timeout=20)
    s.sendall(head + body)
    return s


def request_head(front, length, *more):
    lines = [
        f"POST {PREFIX}/approvePayment HTTP/1.1",
        "Host: 127.0.0.1",
        "Authorization: Bearer " + front.site.tokens["gateway"],
        "Content-Type: application/json",
        f"Content-Length: {length}",
        *more,
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def is_well(front, within=1.0):
    a = front.site.get("/livez")
    assert a.status == 200 and a.seconds < within, a


@pytest.mark.parametrize("case", ["within its head", "within its body", "before its answer"])
def test_a_client_that_leaves(front, case):
    head, body = request_head(front, 2), b"{}"
    for _ in range(2 * WORKERS):
        sent = {
            "within its head": head[:40],
            "within its body": head + body[:1],
            "before its answer": head + body,
        }[case]
        raw(front, sent).close()
    is_well(front, 2.5 if (front.name, "a client that leaves") in FORCED else 1.5)


def test_clients_that_stall_take_no_worker(front):
    stalled = [raw(front, request_head(front, 100), b"{") for _ in range(3 * WORKERS)]
    is_well(front, 4.5 if (front.name, "a stalled client") in FORCED else 1.0)
    for s in stalled:
        s.close()


def test_expect_100_continue(front):
    with raw(front, request_head(front, 2, "Expect: 100-continue", "Connection: close")) as s:
        got = s.recv(4096)
        assert got.startswith(b"HTTP/1.1 100 "), got
        s.sendall(b"{}")
        while b"invalid-fields" not in got:
            piece = s.recv(65536)
            assert piece, got
            got += piece


def test_a_kept_client_connection(front):
    c = http.client.HTTPConnection("127.0.0.1", front.port, timeout=20)
    for _ in range(5):
        c.request("GET", PREFIX + "/livez")
        r = c.getresponse()
        assert r.status == 200 and r.read()
    c.close()


def test_a_hundred_at_once(front):
    answers = at_once(
        [
            lambda: front.site.ask(
                "/approvePayment",
                {"pg_token": "abc", "userId": "u-" + new_id(), "roomId": new_id()},
            )
        ]
        * 100
    )
    assert {a.code for a in answers} == {"no-hold"}


class Load:
    """Callers without a pause: what they got, and what was cut."""

    def __init__(self, front, n=4):
        self.answers, self.cut, self.stop = [], [], threading.Event()
        self.threads = [threading.Thread(target=self.run, args=(front,)) for _ in range(n)]

    def run(self, front):
        while not self.stop.is_set():
            try:
                self.answers.append(
                    front.site.ask(
                        "/approvePayment",
                        {
                            "pg_token": "abc",
                            "userId": "nobody",
                            "roomId": "0123456789abcdef01234567",
                        },
                    )
                )
            except (OSError, http.client.HTTPException) as e:
                self.cut.append(repr(e))

    def __enter__(self):
        for t in self.threads:
            t.start()
        time.sleep(0.2)
        return self

    def __exit__(self, *exc):
        self.stop.set()
        for t in self.threads:
            t.join()


def test_reload_under_load(front):
    before = set(front.workers())
    if front.name == "spawn-fcgi -F":  # FORCED
        front.reload()
        eventually(lambda: not any(is_alive(p) for p in before))
        front.stop_app()
        front.start_app()
        eventually(lambda: front.site.get("/livez").status == 200, 15)
        return
    with Load(front) as load:
        front.reload()
        eventually(lambda: not before & set(front.workers()), 20)
        eventually(lambda: front.site.get("/livez").status == 200, 10)
    good = [a for a in load.answers if a.code == "no-hold"]
    bad = [a for a in load.answers if a.code != "no-hold"]
    assert good
    assert (load.cut == [] and bad == []) or (front.name, "reload") in FORCED, (load.cut, bad)
    assert len(load.cut) <= len(load.threads) and all("timed out" in c for c in load.cut), load.cut
    assert {a.status for a in bad} <= {500, 502, 503}, bad


def test_a_killed_worker(front):
    killed = front.workers()[0]
    os.kill(killed, signal.SIGKILL)

    def recovered():
        return all(front.site.get("/livez").status == 200 for _ in range(2 * WORKERS))

    eventually(recovered, 10)
    if front.owner is not None and front.owner != "spawn-fcgi -F":
        eventually(lambda: len(set(front.workers()) - {killed}) == WORKERS)


def test_stop_under_load_cuts_no_answer(front):
    """The application is told to end while requests run: those in hand are answered whole; later ones get the web server's own error, and after the start all is well."""
    if front.owner is None:
        with Load(front) as load:
            front.stop_web()
            time.sleep(0.2)
        front.start_web()
    else:
        with Load(front) as load:
            front.stop_app()
            time.sleep(0.2)
        front.start_app()
    eventually(lambda: front.site.get("/livez").status == 200, 15)
    ours = [a for a in load.answers if "x-request-id" in a.headers]
    assert ours and {a.code for a in ours} == {"no-hold"}
    assert {a.status for a in load.answers if a not in ours} <= {500, 502, 503, 404}
