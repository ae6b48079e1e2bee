"""The simulator alone: what it takes and refuses in both generations of the API, the user's pages, the control side, and each fault as a
raw client on a socket sees it."""
import datetime
import errno
import http.client
import json
import os
import pathlib
import re
import resource
import signal
import socket
import struct
import subprocess
import threading
import time
import urllib.parse

import pytest

from booking_site import Simulator, at_once, eventually, http_call

BUILD = pathlib.Path(os.environ.get("ROOMPAY_BUILD", pathlib.Path(__file__).resolve().parents[2] / "build"))
KEY, ADMIN, CID = "DEV0123456789ABCDEF0123456789ABCDEF01234", "0123456789abcdef0123456789abcdef", "TC0ONETIME"
GENERATIONS = ["current", "legacy"]
KST = datetime.timezone(datetime.timedelta(hours=9))


def secret_file(path, text):
    path.touch(0o600)           # others must not be able to read it
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
        argv = [BUILD / "sim/kakaopay-sim", "--port", self.port, "--key-file", self.folder / "key",
                "--admin-key-file", self.folder / "admin", "--cid", CID + ",TCSUBSCRIP", "--state-file", self.folder / "state", *self.more]
        before = log.read_text().count("event=listening") if log.exists() else 0
        with open(log, "ab") as out:
            self.process = subprocess.Popen([str(a) for a in argv], stdout=out, stderr=out, stdin=subprocess.DEVNULL)
        eventually(lambda: log.read_text().count("event=listening") > before or self.process.poll() is not None, 20, 0.01)
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
            return {"Authorization": "KakaoAK " + ADMIN, "Content-Type": "application/x-www-form-urlencoded;charset=utf-8"}
        return {"Authorization": "SECRET_KEY " + KEY, "Content-Type": "application/json"}

    @staticmethod
    def body(generation, fields):
        return (urllib.parse.urlencode(fields) if generation == "legacy" else json.dumps(fields)).encode()

    def call(self, generation, call, fields, **headers):
        headers = {**self.headers(generation), **{k.replace("_", "-"): v for k, v in headers.items()}}
        return http_call("POST", self.url + self.path(generation, call), self.body(generation, fields), headers)

    @staticmethod
    def order(**changes):
        fields = {"cid": CID, "partner_order_id": "ord-1001", "partner_user_id": "u-77", "item_name": "스터디룸 2시간", "quantity": 1,
                  "total_amount": 2200, "tax_free_amount": 0, "approval_url": "https://shop.example/ok", "cancel_url":
                  "https://shop.example/cancel", "fail_url": "https://shop.example/fail", **changes}
        return {k: v for k, v in fields.items() if v is not None}

    def ready(self, generation="current", **changes):
        a = self.call(generation, "ready", self.order(**changes))
        assert a.status == 200, a
        return a.body

    @staticmethod
    def approval(tid, token, **changes):
        return {"cid": CID, "tid": tid, "partner_order_id": "ord-1001", "partner_user_id": "u-77", "pg_token": token, **changes}

    def approve(self, tid, token, generation="current", **changes):
        return self.call(generation, "approve", self.approval(tid, token, **changes))

    def cancel(self, tid, amount, generation="current", **more):
        return self.call(generation, "cancel", {"cid": CID, "tid": tid, "cancel_amount": amount, "cancel_tax_free_amount": 0, **more})

    def inquire(self, tid, generation="current"):
        return self.call(generation, "order", {"cid": CID, "tid": tid})

    def status(self, tid):
        return self.inquire(tid).body["status"]

    def paid(self, generation="current", method=None, **changes):
        """Ready, the user authenticates, approve: the tid and approve's answer."""
        tid = self.ready(generation, **changes)["tid"]
        token = self.control.pay(tid, **({"method": method} if method else {}))
        a = self.approve(tid, token, generation, **{k: v for k, v in changes.items() if k in ("partner_order_id", "cid")})
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
        return (f"POST {self.path(generation, call)} HTTP/1.1\r\nHost: x\r\n{head}Content-Length: {len(body)}\r\n\r\n").encode() + body

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


@pytest.fixture(scope="module")
def _sim(tmp_path_factory):
    program = Program(tmp_path_factory.mktemp("sim"))
    yield program
    assert program.end() == 0


@pytest.fixture
def sim(_sim):
    _sim.control.post("/reset")
    return _sim


@pytest.fixture
def own(tmp_path):
    """A simulator that the test may stop."""
    program = Program(tmp_path)
    yield program
    program.end()


def refusal(generation, a):
    """(HTTP status, code) of a refusal, which must have the shape of its generation."""
    code, text = ("code", "msg") if generation == "legacy" else ("error_code", "error_message")
    assert a.headers["content-type"].lower() == "application/json;charset=utf-8", a
    assert set(a.body) <= {code, text, "extras"} and type(a.body[code]) is int and a.body[text], a
    return a.status, a.body[code]


def message(a):
    return a.body.get("msg") or a.body.get("error_message")


# -- the way of a payment


@pytest.mark.parametrize("generation", GENERATIONS)
def test_a_payment(sim, generation):
    a = sim.ready(generation, item_code="A-1")
    tid = a["tid"]
    assert re.fullmatch(r"T[0-9a-f]{19}", tid)
    created = datetime.datetime.strptime(a["created_at"], "%Y-%m-%dT%H:%M:%S").replace(tzinfo=KST)
    assert abs(created.timestamp() - time.time()) < 5
    assert int(tid[1:8], 16) == int(created.timestamp()) & 0xfffffff
    urls = [a[k] for k in ("next_redirect_app_url", "next_redirect_mobile_url", "next_redirect_pc_url", "android_app_scheme",
                           "ios_app_scheme")]
    assert len(set(re.findall(r"[0-9a-f]{64}", " ".join(urls)))) == 1
    assert all(u.startswith(sim.url + "/mockup/") for u in urls[:3])
    assert all(u.startswith("kakaotalk://kakaopay/pg?url=" + sim.url + "/pay/mockup/") for u in urls[3:])
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
        "tid": tid, "cid": CID, "partner_order_id": "ord-1001", "partner_user_id": "u-77", "payment_method_type": "MONEY",
        "item_name": "스터디룸 2시간", "item_code": "A-1", "quantity": 1, "payload": "att-1", "created_at": a["created_at"],
        "amount": {"total": 2200, "tax_free": 0, "vat": 200, "point": 0, "discount": 0, "green_deposit": 0}}
    c = sim.inquire(tid, generation).body
    assert c["status"] == "SUCCESS_PAYMENT" and c["approved_at"] == b.body["approved_at"] and "canceled_at" not in c
    assert c["cancel_available_amount"] == c["amount"] == b.body["amount"] and c["canceled_amount"]["total"] == 0
    action, = c["payment_action_details"]
    assert (action["aid"], action["payment_action_type"], action["amount"]) == (b.body["aid"], "PAYMENT", 2200)
    capture, = sim.control.captures("ord-1001")
    assert (capture["tid"], capture["aid"], capture["amount"]["total"]) == (tid, b.body["aid"], 2200)
    assert sim.control.order(tid) == c


def test_card_has_card_info_and_money_has_none(sim):
    tid, paid = sim.paid(payment_method_type="CARD", install_month=3)
    assert paid["payment_method_type"] == "CARD"
    assert paid["card_info"]["install_month"] == "03" and "purchase_corp" not in paid["card_info"]
    assert all(type(v) is str for v in paid["card_info"].values())
    assert sim.inquire(tid).body["selected_card_info"]["install_month"] == 3
    _, paid = sim.paid("legacy", method="CARD")
    assert paid["card_info"]["purchase_corp_code"] == "01" and paid["card_info"]["install_month"] == "00"
    _, paid = sim.paid(payment_method_type="MONEY", )
    assert paid["payment_method_type"] == "MONEY" and "card_info" not in paid


@pytest.mark.parametrize("total, tax_free, vat", [(2200, 0, 200), (5900, 0, 536), (270600, 0, 24600), (2100, 100, 182), (1, 0, 0),
                                                  (5, 0, 0), (6, 0, 1), (100, 100, 0)])
def test_vat_is_an_eleventh_rounded_half_up(sim, total, tax_free, vat):
    _, paid = sim.paid(total_amount=total, tax_free_amount=tax_free)
    assert paid["amount"] == {"total": total, "tax_free": tax_free, "vat": vat, "point": 0, "discount": 0, "green_deposit": 0}


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
    a = http_call("POST", sim.url + "/v1/payment/ready?" + query, b"", {"Authorization": "KakaoAK " + ADMIN})
    assert a.status == 200, a
    query = urllib.parse.urlencode({"cid": CID, "tid": a.body["tid"]})
    a = http_call("GET", sim.url + "/v1/payment/order?" + query, None, {"Authorization": "KakaoAK " + ADMIN})
    assert a.status == 200 and a.body["status"] == "READY" and a.body["item_name"] == "스터디룸 2시간"


# -- keys


@pytest.mark.parametrize("generation, key, want", [
    ("current", "SECRET_KEY " + KEY, (200, None)),
    ("current", "DEV_SECRET_KEY " + KEY, (200, None)),
    ("current", "SECRET_KEY " + KEY[:-1], (401, -401)),
    ("current", "SECRET_KEY " + ADMIN, (401, -401)),
    ("current", "KakaoAK " + ADMIN, (401, -401)),
    ("current", "Bearer " + KEY, (401, -401)),
    ("current", None, (400, -400)),
    ("legacy", "KakaoAK " + ADMIN, (200, None)),
    ("legacy", "KakaoAK " + ADMIN + "0", (401, -401)),
    ("legacy", "SECRET_KEY " + KEY, (401, -401)),
    ("legacy", "Bearer " + ADMIN, (401, -401)),
    ("legacy", None, (401, -401)),
])
def test_keys(sim, generation, key, want):
    headers = sim.headers(generation)
    headers.pop("Authorization")
    if key is not None:
        headers["Authorization"] = key
    a = http_call("POST", sim.url + sim.path(generation, "ready"), sim.body(generation, sim.order()), headers)
    assert "www-authenticate" not in a.headers
    assert (a.status == 200) if want[0] == 200 else (refusal(generation, a) == want), a
    assert KEY not in a.raw.decode() and ADMIN not in a.raw.decode()


def test_a_live_key_does_not_come_as_a_dev_key(tmp_path):
    program = Program(tmp_path)
    try:
        secret_file(tmp_path / "key", "A" * 40)
        program.end()
        program.start()
        for word, status in (("SECRET_KEY", 200), ("DEV_SECRET_KEY", 401)):
            assert program.call("current", "ready", program.order(), Authorization=f"{word} {'A' * 40}").status == status
    finally:
        program.end()


def test_bearer_is_accepted_by_ready_alone_and_only_when_switched_on(sim):
    def ready(token):
        return sim.call("legacy", "ready", sim.order(), Authorization="Bearer " + token)
    gone = {"msg": "this access token does not exist", "code": -401}
    assert (ready("user-token").status, ready("user-token").body) == (401, gone)
    sim.control.post("/user-token", {"token": "user-token"})
    try:
        a = ready("user-token")
        assert a.status == 200, a
        assert (ready("other-token").status, ready("other-token").body) == (401, gone)
        tid = a.body["tid"]
        b = sim.call("legacy", "approve", sim.approval(tid, sim.control.pay(tid)), Authorization="Bearer user-token")
        assert (b.status, b.body) == (401, gone)
        assert sim.call("current", "ready", sim.order(), Authorization="Bearer user-token").status == 401
    finally:
        sim.control.post("/user-token", {"token": ""})
    assert ready("user-token").status == 401


# -- parameters

REQUIRED = {
    "ready": ["cid", "partner_order_id", "partner_user_id", "item_name", "quantity", "total_amount", "tax_free_amount", "approval_url",
              "cancel_url", "fail_url"],
    "approve": ["cid", "tid", "partner_order_id", "partner_user_id", "pg_token"],
    "cancel": ["cid", "tid", "cancel_amount", "cancel_tax_free_amount"],
    "order": ["cid", "tid"],
}


def full(call):
    return {"ready": Program.order(), "approve": Program.approval("T0", "x"), "order": {"cid": CID, "tid": "T0"},
            "cancel": {"cid": CID, "tid": "T0", "cancel_amount": 1, "cancel_tax_free_amount": 0}}[call]


@pytest.mark.parametrize("generation", GENERATIONS)
@pytest.mark.parametrize("call, name", [(c, n) for c in REQUIRED for n in REQUIRED[c]])
def test_a_missing_parameter_is_named(sim, generation, call, name):
    for how in ("absent", "empty"):
        fields = full(call)
        del fields[name]
        if how == "empty":
            fields[name] = ""
        a = sim.call(generation, call, fields)
        assert refusal(generation, a) == (400, -2) and message(a) == f"{name} can't be null.", a
        assert "extras" not in a.body


LONG = "가" * 101
BAD = [
    ("cid", "TC0ONETIM"), ("cid", "TC0ONETIMEX"), ("cid_secret", "short"), ("cid_secret", "A" * 24),
    ("partner_order_id", LONG), ("partner_user_id", LONG), ("item_name", LONG), ("item_code", LONG),
    ("quantity", "one"), ("quantity", "1.5"), ("quantity", "-1"), ("quantity", "0"), ("total_amount", "2200won"), ("total_amount", "-1"),
    ("total_amount", "9" * 19), ("tax_free_amount", "x"), ("vat_amount", "1e3"), ("install_month", "13"),
    ("approval_url", "https://shop.example/" + "a" * 240), ("cancel_url", "ftp://shop.example/"), ("fail_url", "https://shop.example/a b"),
    ("fail_url", "https:///x"), ("available_cards", "HANA"), ("available_cards", '["NOBANK"]'), ("available_cards", '{"a":"b"}'),
    ("use_share_installment", "X"), ("custom_json", '["a"]'), ("custom_json", '{"a":1}'),
]


@pytest.mark.parametrize("generation", GENERATIONS)
@pytest.mark.parametrize("name, value", BAD)
def test_a_parameter_out_of_its_limits_is_named(sim, generation, name, value):
    a = sim.call(generation, "ready", sim.order(**{name: value}))
    assert refusal(generation, a) == (400, -2) and message(a) == f"invalid param({name} has invalid value)", a


def test_lengths_count_characters_not_bytes(sim):
    assert sim.ready(item_name="가" * 100, partner_order_id="나" * 100)
    assert sim.ready("legacy", item_name="가" * 100, approval_url="https://shop.example/" + "a" * 234)


def test_parameters_of_the_wrong_json_type_are_refused(sim):
    for name, value in (("item_name", 5), ("item_name", ["x"]), ("quantity", True), ("quantity", 1.5), ("total_amount", {}),
                        ("partner_order_id", False), ("available_cards", ["NOBANK"]), ("custom_json", {"a": 1})):
        a = sim.call("current", "ready", sim.order(**{name: value}))
        assert refusal("current", a) == (400, -2) and name in message(a), a
    assert sim.ready(quantity=1.0, total_amount=2200.0)
    assert sim.ready(available_cards=["HANA", "BC"], custom_json={"return_custom_url": "shop://"}, use_share_installment="Y")
    assert sim.ready("legacy", available_cards='["HANA","BC"]', custom_json='{"return_custom_url":"shop://"}')


def test_null_is_missing(sim):
    body = json.dumps({**sim.order(), "item_name": None}).encode()
    a = http_call("POST", sim.url + "/online/v1/payment/ready", body, sim.headers("current"))
    assert refusal("current", a) == (400, -2) and message(a) == "item_name can't be null."


def test_json_sent_to_legacy_and_forms_sent_to_current_miss_every_field(sim):
    body = json.dumps(sim.order()).encode()
    for content_type in ("application/json", "application/x-www-form-urlencoded"):
        a = http_call("POST", sim.url + "/v1/payment/ready", body, {**sim.headers("legacy"), "Content-Type": content_type})
        assert refusal("legacy", a) == (400, -2) and message(a) == "cid can't be null."
    a = http_call("POST", sim.url + "/online/v1/payment/ready", urllib.parse.urlencode(sim.order()).encode(),
                  {**sim.headers("current"), "Content-Type": "application/x-www-form-urlencoded"})
    assert refusal("current", a) == (400, -2) and message(a) == "cid can't be null."


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"cid":"TC0ONETIME",}', b"\xff", b'{"cid":"TC0ONETIME"} x', b""])
def test_what_is_not_a_json_object_is_refused(sim, body):
    a = http_call("POST", sim.url + "/online/v1/payment/ready", body, sim.headers("current"))
    assert refusal("current", a) == (400, -2), a


def test_forms_that_are_not_utf8_are_refused(sim):
    for item in ("%FF", "%ED%A0%80", "a%00b", "%C0%AF"):
        body = urllib.parse.urlencode(sim.order(item_name=None)) + "&item_name=" + item
        a = http_call("POST", sim.url + "/v1/payment/ready", body.encode(), sim.headers("legacy"))
        assert refusal("legacy", a) == (400, -2) and message(a) == "invalid param(item_name has invalid value)", item


def test_a_form_is_decoded_as_forms_are(sim):
    body = urllib.parse.urlencode(sim.order(item_name=None)) + "&item_name=a+b%2Bc%26%EC%BB%A4%zz%"
    a = http_call("POST", sim.url + "/v1/payment/ready", body.encode(), sim.headers("legacy"))
    assert sim.control.order(a.body["tid"])["item_name"] == "a b+c&커%zz%"


@pytest.mark.parametrize("generation", GENERATIONS)
def test_amounts_that_contradict_each_other_are_refused(sim, generation):
    for changes, code in (({"total_amount": 0}, -725), ({"tax_free_amount": 2201}, -722), ({"vat_amount": 2201}, -722),
                          ({"vat_amount": 2101, "tax_free_amount": 100}, -722), ({"payment_method_type": "BITCOIN"}, -705)):
        assert refusal(generation, sim.call(generation, "ready", sim.order(**changes))) == (400, code), changes
    assert sim.ready(generation, vat_amount=2100, tax_free_amount=100)


@pytest.mark.parametrize("generation", GENERATIONS)
def test_paths_and_methods_that_do_not_exist(sim, generation):
    for call in ("readyy", "page", "", "ready/"):
        assert refusal(generation, sim.call(generation, call, {})) == (404, -404)
    a = http_call("GET", sim.url + sim.path(generation, "approve"), None, sim.headers(generation))
    assert refusal(generation, a) == (404, -404)
    assert http_call("GET", sim.url + "/nothing").status == 404


def test_a_body_too_long_is_refused(sim):
    a = http_call("POST", sim.url + "/online/v1/payment/ready", b" " * 70000 + b"{}", sim.headers("current"))
    assert refusal("current", a) == (400, -2)
    assert sim.ready()


def test_a_cid_secret_is_asked_for_when_there_is_one(tmp_path):
    secret_file(tmp_path / "secret", "a1" * 12)
    program = Program(tmp_path, "--cid-secret-file", tmp_path / "secret")
    try:
        for given, want in ((None, -733), ("b1" * 12, -733), ("a1" * 12, None)):
            a = program.call("current", "ready", program.order(cid_secret=given))
            assert (a.status == 200) if want is None else (refusal("current", a) == (400, want)), a
    finally:
        program.end()


# -- refusals of approve


@pytest.mark.parametrize("generation", GENERATIONS)
def test_refusals_of_approve_in_their_order(sim, generation):
    def refused(code, token="f" * 20, **changes):
        a = sim.approve(tid, token, generation, **changes)
        assert refusal(generation, a) == (400, code), a
        assert sim.control.captures() == []
        return a
    tid = sim.ready(generation)["tid"]
    a = refused(-701)
    assert a.body["extras"] == {"method_result_code": "9999", "method_result_message": "결제 실패. 잠시 후 재시도 바랍니다."}
    token = sim.control.pay(tid)
    a = refused(-708)
    assert "extras" not in a.body
    refused(-706, token, partner_order_id="ord-1002")
    a = refused(-707, token, partner_user_id="u-78")
    assert message(a) == "partner user id is different when you ordered!"
    refused(-704, token, total_amount=2199)
    refused(-731, token, cid="TC0UNKNOWN")
    refused(-721, token, cid="TCSUBSCRIP")          # another merchant's tid
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
    assert int(other[1:8], 16) - int(tid[1:8], 16) in range(870, 876)       # ids follow the clock
    sim.control.clock(15 * 60)
    assert refusal(generation, sim.approve(tid, token, generation)) == (400, -723)
    assert refusal(generation, sim.approve(done, "x", generation)) == (400, -702)       # paid is paid
    a = http_call("GET", page["next_redirect_pc_url"])
    assert (a.status, a.headers["location"]) == (303, "https://shop.example/fail")
    assert http_call("POST", sim.url + "/control/pay", {"tid": page["tid"]}).status == 409
    assert sim.status(tid) == "AUTH_PASSWORD"       # no status says that it is expired
    sim.control.clock(15 * 60 - 30)
    assert sim.approve(tid, token, generation).status == 200


@pytest.mark.parametrize("how, status", [("quit", "QUIT_PAYMENT"), ("fail", "FAIL_AUTH_PASSWORD")])
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
        assert http_call("POST", sim.url + "/control/step", {"tid": tid, "status": word}).status == 200, word
        assert sim.status(tid) == word
        assert refusal("current", sim.approve(tid, "x")) == (400, -701)
    assert http_call("POST", sim.url + "/control/step", {"tid": tid, "status": "OPEN_PAYMENT"}).status == 409
    for word in ("READY", "AUTH_PASSWORD", "SUCCESS_PAYMENT", "CANCEL_PAYMENT", "PART_CANCEL_PAYMENT", "NONSENSE"):
        assert http_call("POST", sim.url + "/control/step", {"tid": tid, "status": word}).status in (400, 409), word
    token = sim.control.pay(tid)
    assert sim.approve(tid, token).status == 200
    for word in pending + ["QUIT_PAYMENT", "FAIL_PAYMENT", "FAIL_AUTH_PASSWORD"]:
        assert http_call("POST", sim.url + "/control/step", {"tid": tid, "status": word}).status == 409, word


# -- cancel


@pytest.mark.parametrize("generation", GENERATIONS)
def test_cancelling_in_parts(sim, generation):
    tid = sim.ready(generation)["tid"]
    assert refusal(generation, sim.cancel(tid, 2200, generation)) == (400, -784)        # nothing was paid
    token = sim.control.pay(tid)
    assert refusal(generation, sim.cancel(tid, 2200, generation)) == (400, -784)
    paid = sim.approve(tid, token, generation).body
    assert refusal(generation, sim.cancel(tid, 2201, generation)) == (400, -710)
    assert refusal(generation, sim.cancel(tid, 1000, generation, cancel_available_amount=2199)) == (400, -722)
    assert refusal(generation, sim.cancel(tid, 1000, generation, cancel_tax_free_amount=1)) == (400, -722)
    assert refusal(generation, sim.cancel(tid, 0, generation)) == (400, -2)
    a = sim.cancel(tid, 1100, generation, cancel_available_amount=2200, payload="r-1")
    assert a.status == 200, a
    assert a.body["status"] == "PART_CANCEL_PAYMENT" and a.body["payload"] == "r-1" and a.body["aid"] != paid["aid"]
    assert a.body["amount"] == paid["amount"] and a.body["approved_at"] == paid["approved_at"]
    parts = ("approved_cancel_amount", "canceled_amount", "cancel_available_amount")
    assert [(a.body[p]["total"], a.body[p]["vat"]) for p in parts] == [(1100, 100), (1100, 100), (1100, 100)]
    # the guard against a second cancel of the same
    assert refusal(generation, sim.cancel(tid, 1100, generation, cancel_available_amount=2200)) == (400, -722)
    assert refusal(generation, sim.cancel(tid, 1101, generation)) == (400, -710)
    b = sim.cancel(tid, 300, generation).body
    assert [(b[p]["total"], b[p]["vat"]) for p in parts] == [(300, 27), (1400, 127), (800, 73)]
    c = sim.cancel(tid, 800, generation, cancel_available_amount=800).body
    assert c["status"] == "CANCEL_PAYMENT"
    assert [(c[p]["total"], c[p]["vat"]) for p in parts] == [(800, 73), (2200, 200), (0, 0)]
    assert refusal(generation, sim.cancel(tid, 1, generation)) == (400, -784)
    d = sim.inquire(tid, generation).body
    assert d["status"] == "CANCEL_PAYMENT" and d["canceled_at"] == c["canceled_at"]
    assert [(x["payment_action_type"], x["amount"]) for x in d["payment_action_details"]] == [("PAYMENT", 2200), ("CANCEL", 1100),
                                                                                           ("CANCEL", 300), ("CANCEL", 800)]
    assert [x["amount"]["total"] for x in sim.control.get("/cancels")["cancels"]] == [1100, 300, 800]
    capture, = sim.control.captures()
    assert capture["canceled_amount"]["total"] == 2200
    assert refusal(generation, sim.approve(tid, token, generation)) == (400, -702)


def test_tax_free_parts_must_fit_what_is_left(sim):
    tid, _ = sim.paid(total_amount=3000, tax_free_amount=1000)
    for amount, tax_free, vat, code in ((1500, 1600, None, -722), (500, 1001, None, -722), (2900, 0, None, -722), (3000, 900, None, -722),
                                        (100, 0, 101, -722), (3000, 1000, 181, -722)):
        more = {"cancel_tax_free_amount": tax_free, **({} if vat is None else {"cancel_vat_amount": vat})}
        assert refusal("current", sim.cancel(tid, amount, **more)) == (400, code), (amount, tax_free, vat)
    a = sim.cancel(tid, 2000, cancel_tax_free_amount=500, cancel_vat_amount=130)
    assert a.status == 200 and a.body["cancel_available_amount"] == {"total": 1000, "tax_free": 500, "vat": 52, "point": 0, "discount": 0,
                                                                     "green_deposit": 0}
    assert sim.cancel(tid, 1000, cancel_tax_free_amount=500).body["approved_cancel_amount"]["vat"] == 52


def test_many_small_cancels_never_give_back_more_vat_than_was_paid(sim):
    tid, paid = sim.paid(total_amount=18)       # VAT 2; each third would round up to 1
    assert paid["amount"]["vat"] == 2
    assert [sim.cancel(tid, 6).body["approved_cancel_amount"]["vat"] for _ in range(3)] == [1, 1, 0]
    assert sim.status(tid) == "CANCEL_PAYMENT"


def test_a_payment_with_a_cup_deposit_is_not_cancelled_in_parts(sim):
    tid, _ = sim.paid(green_deposit=300)
    assert refusal("current", sim.cancel(tid, 1000)) == (400, -784)
    a = sim.cancel(tid, 2200)
    assert a.status == 200 and a.body["canceled_amount"]["green_deposit"] == 300


def test_two_cancels_at_once_take_no_more_than_was_paid(sim):
    tid, _ = sim.paid()
    answers = at_once([lambda: sim.cancel(tid, 1500)] * 8)
    assert sorted(a.status for a in answers) == [200] + [400] * 7
    assert {a.body["error_code"] for a in answers if a.status == 400} == {-710}


def test_a_cancel_from_outside_is_seen_by_the_inquiry(sim):
    tid, _ = sim.paid()
    assert sim.control.post("/cancel", {"tid": tid, "amount": 700})["status"] == "PART_CANCEL_PAYMENT"
    assert sim.inquire(tid).body["cancel_available_amount"]["total"] == 1500
    sim.control.post("/cancel", {"tid": tid})
    assert sim.status(tid) == "CANCEL_PAYMENT"
    assert http_call("POST", sim.url + "/control/cancel", {"tid": tid}).status == 409


# -- the user's pages


def forms(page):
    """What a browser without scripts would offer: action -> fields with their first or checked value."""
    found = {}
    for attributes, inside in re.findall(r"<form([^>]*)>(.*?)</form>", page, re.S):
        assert 'method="post"' in attributes
        found[re.search(r'action="([^"]*)"', attributes)[1]] = dict(re.findall(r'name="([^"]*)" value="([^"]*)" checked', inside))
    return found


def press(url, what, fields=b""):
    page = http_call("GET", url)
    assert page.status == 200 and "<script" not in page.raw.decode(), page
    action = next(a for a in forms(page.raw.decode()) if a.rsplit("/", 1)[1] == what)
    return http_call("POST", urllib.parse.urljoin(url, action), fields, {"Content-Type": "application/x-www-form-urlencoded"})


@pytest.mark.parametrize("generation", GENERATIONS)
@pytest.mark.parametrize("device", ["app", "mobile", "pc"])
def test_the_user_pays_on_the_page(sim, generation, device):
    a = sim.ready(generation, approval_url="https://shop.example/ok?o=1&x=%20")
    url = a[f"next_redirect_{device}_url"]
    page = http_call("GET", url).raw.decode()
    assert "스터디룸 2시간" in page and "2,200원" in page and "결제하기" in page and "Pay" in page
    assert [f.rsplit("/", 1)[1] for f in forms(page)] == ["pay", "cancel", "fail"]
    assert sim.status(a["tid"]) == "OPEN_PAYMENT"
    b = press(url, "pay")
    assert b.status == 303
    before, token = re.fullmatch(r"(.*)&pg_token=([0-9a-f]{20})", b.headers["location"]).groups()
    assert before == "https://shop.example/ok?o=1&x=%20"
    assert sim.status(a["tid"]) == "AUTH_PASSWORD"
    assert press(url, "pay").headers["location"] == b.headers["location"]       # a double click
    assert sim.control.pay(a["tid"]) == token
    assert sim.approve(a["tid"], token, generation).status == 200
    page = http_call("GET", url)
    assert page.status == 200 and forms(page.raw.decode()) == {}


@pytest.mark.parametrize("url, want", [
    ("https://shop.example/ok", "https://shop.example/ok?pg_token=TOKEN"),
    ("https://shop.example/ok?", "https://shop.example/ok?pg_token=TOKEN"),
    ("https://shop.example/ok?a=b", "https://shop.example/ok?a=b&pg_token=TOKEN"),
    ("https://shop.example/ok?a=b&", "https://shop.example/ok?a=b&pg_token=TOKEN"),
    ("https://shop.example/ok#part?", "https://shop.example/ok?pg_token=TOKEN#part?"),
])
def test_the_token_is_appended_by_question_mark_or_ampersand(sim, url, want):
    a = sim.ready(approval_url=url)
    location = press(a["next_redirect_pc_url"], "pay").headers["location"]
    assert location == want.replace("TOKEN", sim.control.pay(a["tid"]))


def test_the_method_is_chosen_on_the_page(sim):
    a = sim.ready()
    fields = forms(http_call("GET", a["next_redirect_pc_url"]).raw.decode())
    assert next(v for k, v in fields.items() if k.endswith("/pay")) == {"method": "MONEY"}
    press(a["next_redirect_pc_url"], "pay", b"method=CARD")
    assert sim.inquire(a["tid"]).body["payment_method_type"] == "CARD"
    a = sim.ready(payment_method_type="MONEY")
    press(a["next_redirect_pc_url"], "pay", b"method=CARD")
    assert sim.inquire(a["tid"]).body["payment_method_type"] == "MONEY"


@pytest.mark.parametrize("what, status", [("cancel", "QUIT_PAYMENT"), ("fail", "FAIL_AUTH_PASSWORD")])
def test_the_user_cancels_or_fails_on_the_page(sim, what, status):
    a = sim.ready()
    b = press(a["next_redirect_mobile_url"], what)
    assert (b.status, b.headers["location"]) == (303, "https://shop.example/" + what)
    assert sim.status(a["tid"]) == status
    # these URLs change nothing once it is paid
    a = sim.ready()
    url = a["next_redirect_pc_url"]
    action = next(f for f in forms(http_call("GET", url).raw.decode()) if f.endswith("/" + what))
    assert sim.approve(a["tid"], sim.control.pay(a["tid"])).status == 200
    assert http_call("POST", sim.url + action, b"").status == 303
    assert sim.status(a["tid"]) == "SUCCESS_PAYMENT"


def test_pages_escape_what_the_merchant_sent(sim):
    evil = "\"><script>alert('x')</script>&amp;"
    a = sim.ready(item_name=evil, partner_order_id=evil, approval_url="https://shop.example/\"><script>")
    sim.control.fault("page", "duplicate-redirect")
    for page in (http_call("GET", a["next_redirect_pc_url"]), press(a["next_redirect_pc_url"], "pay")):
        text = page.raw.decode()
        assert "<script" not in text and "&lt;script&gt;" in text


def test_pages_that_do_not_exist(sim):
    a = sim.ready()
    page = re.search(r"[0-9a-f]{64}", a["next_redirect_pc_url"])[0]
    for path in (f"/mockup/bridge/pc/pg/one-time/payment/{'0' * 64}", f"/page/{'0' * 64}/pay", f"/page/{page}/other", f"/page/{page}",
                 f"/mockup/v1/{page}x/info", f"/mockup/v1/{page[:63]}/info"):
        assert http_call("POST" if path.endswith("pay") else "GET", sim.url + path).status == 404, path
    for method, path, allow in (("GET", f"/page/{page}/pay", "POST"), ("POST", f"/mockup/v1/{page}/info", "GET")):
        b = http_call(method, sim.url + path)
        assert (b.status, b.headers["allow"]) == (405, allow)
    assert sim.status(a["tid"]) == "READY"


def test_page_faults(sim):
    a = sim.ready()
    sim.control.fault("page", "no-redirect", tid=a["tid"])
    b = press(a["next_redirect_pc_url"], "pay")
    assert b.status == 200 and "location" not in b.headers and "pg_token" not in b.raw.decode()
    assert sim.status(a["tid"]) == "AUTH_PASSWORD"      # paid in the app, and nobody came back
    sim.control.fault("page", "duplicate-redirect", tid=a["tid"])
    b = press(a["next_redirect_pc_url"], "pay")
    assert b.status == 200
    assert b.raw.decode().count("https://shop.example/ok?pg_token=" + sim.control.pay(a["tid"])) == 3      # frame, refresh, link
    a = sim.ready()
    sim.control.fault("page", "close-before")
    with pytest.raises(http.client.RemoteDisconnected):
        press(a["next_redirect_pc_url"], "pay")
    assert sim.status(a["tid"]) == "OPEN_PAYMENT"
    sim.control.fault("page", "close-after")
    with pytest.raises(http.client.RemoteDisconnected):
        press(a["next_redirect_pc_url"], "pay")
    assert sim.status(a["tid"]) == "AUTH_PASSWORD"


# -- faults as a raw client sees them


def split(raw):
    head, _, body = raw.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    headers = {k.lower(): v for k, v in (line.split(": ", 1) for line in lines[1:])}
    return int(lines[0].split()[1]), headers, body


def to_approve(sim):
    tid = sim.ready()["tid"]
    return tid, sim.approval(tid, sim.control.pay(tid))


SILENT = [("close-before", False, "end"), ("close-after", True, "end"), ("reset", False, "reset"), ("reset-after", True, "reset")]


@pytest.mark.parametrize("fault, captured, ends", SILENT)
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
@pytest.mark.parametrize("fault, status, content_type, body", [
    ("http-500", 500, "text/plain", b"Internal Server Error\n"), ("http-503", 503, "text/plain", b"Service Unavailable\n"),
    ("html-502", 502, "text/html", None), ("empty-body", 200, None, b"")])
def test_answers_of_a_gateway(sim, fault, status, content_type, body, after):
    tid, fields = to_approve(sim)
    sim.control.fault("approve", fault, after_commit=after)
    got_status, headers, got = split(sim.raw("approve", fields)[0])
    assert got_status == status and headers.get("content-type") == content_type
    assert (got == body) if body is not None else got.startswith(b"<html>")
    assert int(headers["content-length"]) == len(got)
    assert len(sim.control.captures()) == after
    if not after:       # one shot: the next one is right
        assert split(sim.raw("approve", fields)[0])[0] == 200


@pytest.mark.parametrize("call", ["ready", "approve", "cancel", "order"])
@pytest.mark.parametrize("fault", ["http-500", "http-503", "html-502", "empty-body", "truncated-json", "close-before", "reset", "error"])
def test_each_call_has_its_faults_and_does_nothing_then(sim, call, fault):
    tid, token = (t := sim.ready()["tid"]), sim.control.pay(t)
    if call in ("cancel", "order"):
        sim.approve(tid, token)
    fields = {"ready": sim.order(), "approve": sim.approval(tid, token), "order": {"cid": CID, "tid": tid},
              "cancel": {"cid": CID, "tid": tid, "cancel_amount": 2200, "cancel_tax_free_amount": 0}}[call]
    before = sim.control.get("/state")
    sim.control.fault(call, fault, **({"code": -500} if fault == "error" else {}))
    raw, _ = sim.raw(call, fields)
    assert not raw or split(raw)[0] != 200 or fault in ("empty-body", "truncated-json")
    after = sim.control.get("/state")
    assert [after[k] - before[k] for k in ("orders", "captures", "cancels")] == [0, 0, 0] and after["faults"] == []
    assert split(sim.raw(call, fields)[0])[0] == 200


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("call", ["approve", "order", "ready", "cancel"])
def test_truncated_json_is_a_whole_answer_of_half_a_text(sim, call, after):
    tid, token = (t := sim.ready()["tid"]), sim.control.pay(t)
    if call == "cancel":
        sim.approve(tid, token)
    fields = {"ready": sim.order(), "approve": sim.approval(tid, token), "order": {"cid": CID, "tid": tid},
              "cancel": {"cid": CID, "tid": tid, "cancel_amount": 2200, "cancel_tax_free_amount": 0}}[call]
    sim.control.fault(call, "truncated-json", after_commit=after)
    status, headers, body = split(sim.raw(call, fields)[0])
    assert status == 200 and int(headers["content-length"]) == len(body) > 0
    assert headers["content-type"].lower() == "application/json;charset=utf-8"
    with pytest.raises(ValueError):
        json.loads(body)
    if call == "approve":
        assert len(sim.control.captures()) == after


@pytest.mark.parametrize("generation", GENERATIONS)
@pytest.mark.parametrize("code, status", [(-1, 400), (-2, 400), (-3, 403), (-4, 403), (-5, 403), (-6, 403), (-10, 400), (-401, 401),
                                          (-403, 403), (-404, 404), (-429, 429), (-500, 500), (-503, 503), (-9798, 503),
                                          (-702, 400), (-783, 400),
                                          (-797, 400), (-740, 400)])
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
@pytest.mark.parametrize("fault, method_code, status", [("user-locked", "USER_LOCKED", "AUTH_PASSWORD"),
                                                        ("bank-firm-unknown", "BANK_FIRM_UNKNOWN", "AUTH_PASSWORD"),
                                                        ("card-refused", "8326", "FAIL_PAYMENT")])
def test_a_method_that_refuses(sim, generation, fault, method_code, status):
    tid, token = (t := sim.ready()["tid"]), sim.control.pay(t)
    sim.control.fault("approve", fault)
    a = sim.approve(tid, token, generation)
    assert refusal(generation, a) == (400, -780)
    assert a.body["extras"]["method_result_code"] == method_code and a.body["extras"]["method_result_message"]
    assert sim.status(tid) == status and sim.control.captures() == []
    again = sim.approve(tid, token, generation)
    assert again.status == 200 if status == "AUTH_PASSWORD" else refusal(generation, again) == (400, -783)


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
    assert sim.cancel(tid, 1).body["extras"] == {"method_result_code": "6666", "method_result_message": "원거래없음"}


def test_a_delay_before_and_after_the_commit(sim):
    for after in (False, True):
        tid, fields = to_approve(sim)
        sim.control.fault("approve", "delay", tid=tid, delay_ms=700, after_commit=after)
        box = []
        t = threading.Thread(target=lambda: box.append(sim.call("current", "approve", fields)))
        began = time.monotonic()
        t.start()
        time.sleep(0.35)
        assert sim.status(tid) == ("SUCCESS_PAYMENT" if after else "AUTH_PASSWORD")      # and nobody else waits
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
    tid, fields = to_approve(sim)
    sim.control.latency("approve", 300)
    with sim.connect() as s:
        s.sendall(sim.bytes_of("current", "approve", fields))
        time.sleep(0.1)
    assert sim.control.captures() == []
    eventually(lambda: sim.control.captures(), 3)
    # also when it resets the connection
    tid, fields = to_approve(sim)
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
    tid, token = (t := sim.ready(item_code="x", payment_method_type="CARD")["tid"]), sim.control.pay(t)
    sim.control.fault("approve", "missing-members")
    a = sim.approve(tid, token, payload="p").body
    assert not set(a) & {"item_code", "card_info", "payload"} and "green_deposit" not in a["amount"]
    assert {"aid", "tid", "cid", "partner_order_id", "partner_user_id", "payment_method_type", "item_name", "quantity", "amount",
            "created_at", "approved_at"} == set(a)
    sim.control.fault("order", "missing-members")
    b = sim.inquire(tid).body
    assert "approved_at" not in b and set(b["payment_action_details"][0]) == {"aid", "approved_at", "point_amount", "discount_amount",
                                                                              "payment_action_type"}
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


@pytest.mark.parametrize("fault, member", [("wrong-total", "amount"), ("wrong-tax-free", "amount"), ("wrong-vat", "amount"),
                                           ("wrong-quantity", "quantity"), ("wrong-partner-order-id", "partner_order_id"),
                                           ("wrong-partner-user-id", "partner_user_id"), ("wrong-tid", "tid"), ("wrong-cid", "cid")])
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
    sim.control.fault("order", "http-500", partner_order_id="ord-1001")         # the inquiry does not name it: the tid does
    assert [sim.inquire(one).status, sim.inquire(one).status] == [500, 200]
    sim.control.fault("ready", "http-500", times=0)                             # without end
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
    for body in ({}, {"call": "ready"}, {"call": "x", "fault": "reset"}, {"call": "ready", "fault": "x"},
                 {"call": "ready", "fault": "error"}, {"call": "ready", "fault": "delay"}, {"call": "ready", "fault": "card-refused"},
                 {"call": "page", "fault": "error", "code": -1},
                 {"call": "ready", "fault": "reset", "share": 2}, {"call": "ready", "fault": "reset", "times": -1},
                 {"call": "ready", "fault": "reset", "after_commit": 1}, {"call": "ready", "fault": "reset", "color": "red"}):
        a = http_call("POST", sim.url + "/control/faults", body)
        assert a.status == 400 and a.body["error"], body
    assert sim.control.get("/faults") == {"faults": []}


# -- what is not established


@pytest.mark.parametrize("code", [-702, -708, -723, -785])
def test_switch_replayed_approve(sim, code):
    sim.unsure("replayed_approve", code)
    tid, fields = to_approve(sim)
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
    tid, fields = to_approve(sim)
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
    for name, value in (("nothing", 1), ("inquiry_lag_s", 61), ("inquiry_lag_s", True), ("vat_rounding", 2), ("approve_after_window", 1)):
        assert http_call("POST", sim.url + "/control/unsure", {"name": name, "value": value}).status == 400, name


# -- the control side


def test_calls_are_told(sim):
    tid, _ = sim.paid(partner_order_id="mine")
    sim.approve(tid, "x", "legacy", partner_order_id="mine")
    sim.ready(partner_order_id="other")
    told = sim.control.get("/calls")
    assert [(c["call"], c["partner_order_id"], c["tid"] == tid, c["status"], c["code"]) for c in told["calls"]] == [
        ("ready", "mine", True, 200, 0), ("approve", "mine", True, 200, 0), ("approve", "mine", True, 400, -702),
        ("ready", "other", False, 200, 0)]
    assert [c["api"] for c in told["calls"]] == ["current", "current", "legacy", "current"]
    assert [c["n"] for c in told["calls"]] == [1, 2, 3, 4] and told["last"] == 4
    assert all(c["cid"] == CID and re.fullmatch(r"20.*T.*Z", c["at"]) for c in told["calls"])
    assert [c["n"] for c in sim.control.get("/calls?since=2")["calls"]] == [3, 4]
    assert [c["n"] for c in sim.control.get("/calls?partner_order_id=mine&call=approve")["calls"]] == [2, 3]
    sim.control.latency("ready", 400)
    t = threading.Thread(target=sim.ready)
    t.start()
    last = eventually(lambda: sim.control.get("/calls?since=4")["calls"], 2)[0]
    assert (last["answered"], last["status"]) == (False, 0)         # at work
    assert sim.control.get("/state")["waiting"] == 1
    t.join()
    assert sim.control.get("/calls?since=4")["calls"][0]["answered"]


def test_the_control_side_refuses_what_it_does_not_know(sim):
    for method, path, body, status in (("POST", "/pay", {"tid": "T1"}, 404), ("POST", "/pay", {}, 400), ("POST", "/pay", b"{", 400),
                                       ("GET", "/orders/T1", None, 404), ("GET", "/nothing", None, 404), ("GET", "/pay", None, 405),
                                       ("POST", "/clock", {"offset_s": "1"}, 400), ("POST", "/latency", {"call": "ready", "ms": -1}, 400),
                                       ("POST", "/pay", {"tid": "T1", "method": "GOLD"}, 400), ("GET", "/calls?since=x", None, 400)):
        assert http_call(method, sim.url + "/control" + path, body).status == status, path


# -- many, long, and through restarts


def test_five_hundred_connections_at_once_with_a_latency(sim):
    sim.control.latency("ready", 2000)
    request = sim.bytes_of("current", "ready", sim.order())
    socks = [sim.connect() for _ in range(600)]
    try:
        began = time.monotonic()
        for s in socks:
            s.sendall(request)
        sent = time.monotonic() - began
        assert sim.call("current", "order", {"cid": CID, "tid": "T0"}).seconds < 1.5       # nobody else waits
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
        conn.request("POST", "/online/v1/payment/ready", sim.body("current", sim.order()), sim.headers("current"))
        assert conn.getresponse().read()
        sock = sock or conn.sock
        assert conn.sock is sock and sock is not None
    conn.close()


def test_what_is_cut_or_nonsense_harms_nobody(sim):
    for junk in (b"\0" * 5000, b"GET / HTTP/9.9\r\n\r\n",
                 b"POST /online/v1/payment/ready HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n",
                 b"POST /control/pay HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{", b"GET /" + b"a" * 100000):
        with sim.connect() as s:
            try:
                s.sendall(junk)
            except OSError as e:
                assert e.errno in (errno.EPIPE, errno.ECONNRESET)
    assert sim.ready()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_restart_keeps_everything_that_was_answered(own, number):
    done, _ = own.paid(item_code="c", method="CARD", partner_order_id="o \"가\"")
    part, _ = own.paid("legacy")
    own.cancel(part, 700)
    open_tid, token = (t := own.ready()["tid"]), own.control.pay(t)
    quit_tid = own.ready()["tid"]
    own.control.post("/quit", {"tid": quit_tid})
    fresh = own.ready(payment_method_type="MONEY")
    own.control.clock(60)
    tids = [done, part, open_tid, quit_tid, fresh["tid"]]
    before = [own.control.order(t) for t in tids], own.control.get("/captures"), own.control.get("/cancels")
    status = own.end(number)
    assert status == (0 if number == signal.SIGTERM else -9)
    own.start()
    assert ([own.control.order(t) for t in tids], own.control.get("/captures"), own.control.get("/cancels")) == before
    assert own.control.get("/state")["offset_s"] == 60
    assert refusal("current", own.approve(done, token, partner_order_id="o \"가\"")) == (400, -702)
    assert own.approve(open_tid, token).status == 200
    assert press(fresh["next_redirect_pc_url"], "pay", b"method=CARD").status == 303       # the same port, the same page
    assert own.inquire(fresh["tid"]).body["payment_method_type"] == "MONEY"
    assert own.cancel(part, 1500).body["status"] == "CANCEL_PAYMENT"


def test_kill_during_a_delayed_answer_keeps_the_capture(own):
    tid, fields = to_approve(own)
    own.control.fault("approve", "delay", delay_ms=5000, after_commit=True)
    with own.connect() as s:
        s.sendall(own.bytes_of("current", "approve", fields))
        eventually(lambda: own.control.captures(), 3)
        own.end(signal.SIGKILL)
        own.start()
    assert len(own.control.captures()) == 1 and own.status(tid) == "SUCCESS_PAYMENT"


def test_sigterm_with_calls_at_work_ends_at_once_and_does_not_do_them(own):
    tid, fields = to_approve(own)
    own.control.latency("approve", 60000)
    with own.connect() as s:
        s.sendall(own.bytes_of("current", "approve", fields))
        eventually(lambda: own.control.get("/state")["waiting"] == 1, 3)
        began = time.monotonic()
        assert own.end() == 0
        assert time.monotonic() - began < 2
        assert s.recv(100) == b""
    own.start()
    assert own.control.captures() == [] and own.status(tid) == "AUTH_PASSWORD"


def test_an_unfinished_last_line_is_cut_and_other_damage_stops_the_start(own):
    tid, _ = own.paid()
    own.end()
    state = own.folder / "state"
    whole = state.read_bytes()
    state.write_bytes(whole + b'{"event":"cancel","tid":"T')
    own.start()
    assert own.status(tid) == "SUCCESS_PAYMENT" and state.read_bytes() == whole
    own.end()
    lines = whole.splitlines(keepends=True)
    for damaged in (b"".join(lines[:1] + [b"{nonsense}\n"] + lines[1:]), b"".join(lines[1:]), whole + lines[-1]):
        state.write_bytes(damaged)
        run = subprocess.run([BUILD / "sim/kakaopay-sim", "--port", "0", "--state-file", state], capture_output=True, timeout=20)
        assert run.returncode == 1 and b"line " in run.stderr, run
    state.write_bytes(whole)


def test_two_simulators_never_share_a_state_file(own):
    run = subprocess.run([BUILD / "sim/kakaopay-sim", "--port", "0", "--state-file", own.folder / "state"], capture_output=True, timeout=20)
    assert run.returncode == 1 and b"cannot lock" in run.stderr
    run = subprocess.run([BUILD / "sim/kakaopay-sim", "--port", str(own.port)], capture_output=True, timeout=20)
    assert run.returncode == 1 and b"cannot listen" in run.stderr


@pytest.mark.parametrize("more, status", [(["--port", "x"], 64), ([], 64), (["--port", "0", "--wrong"], 64), (["--port", "70000"], 64),
                                          (["--port", "0", "extra"], 64), (["--port", "0", "--cid", "short"], 1),
                                          (["--port", "0", "--key-file", "/nonexistent"], 1), (["--port", "0", "--listen", "localhost"], 1),
                                          (["--port", "0", "--base-url", "x"], 1), (["--help"], 0), (["--version"], 0)])
def test_the_command_line(more, status):
    run = subprocess.run([BUILD / "sim/kakaopay-sim", *more], capture_output=True, timeout=20)
    assert run.returncode == status and run.stdout + run.stderr, run


def test_no_key_and_no_token_is_ever_written(own):
    tid, fields = to_approve(own)
    own.call("current", "approve", fields)
    own.call("legacy", "ready", own.order())
    log, calls = (own.folder / "log").read_text(), json.dumps(own.control.get("/calls"))
    for planted in (KEY, ADMIN, fields["pg_token"]):
        assert planted not in log and planted not in calls


def test_a_state_file_that_cannot_grow_refuses_and_keeps_what_was_answered(own):
    tid, token = (t := own.ready()["tid"]), own.control.pay(t)
    size = (own.folder / "state").stat().st_size
    resource.prlimit(own.process.pid, resource.RLIMIT_FSIZE, (size + 100, size + 100))      # room for a part of the next line
    a = own.approve(tid, token)
    assert refusal("current", a) == (500, -500)
    assert own.control.captures() == [] and own.status(tid) == "AUTH_PASSWORD"
    assert (own.folder / "state").stat().st_size == size
    assert own.call("current", "ready", own.order()).status == 500
    own.end(signal.SIGKILL)
    own.start()
    assert own.approve(tid, token).status == 200 and len(own.control.captures()) == 1


def test_the_list_of_calls_is_json_whatever_was_sent(sim):
    for cid, tid, order in (("가" * 30, "나" * 30, "다" * 3000), ("\"\\", "\t\n", "\u2028")):
        assert sim.call("current", "approve", {"cid": cid, "tid": tid, "partner_order_id": order}).status == 400
    body = b"cid=%FF%FE&tid=%C0%AF&partner_order_id=%00"
    assert http_call("POST", sim.url + "/v1/payment/approve", body, sim.headers("legacy")).status == 400
    assert len(sim.control.get("/calls")["calls"]) == 3
