"""The simulator: which keys, parameters, forms and bodies it takes, in both generations of the API."""

import json
import urllib.parse

import pytest
from booking_site import http_call
from sim_program import ADMIN, CID, GENERATIONS, KEY, Program, message, refusal, secret_file


@pytest.mark.parametrize(
    ("generation", "key", "want"),
    [
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
    ],
)
def test_keys(sim, generation, key, want):
    headers = sim.headers(generation)
    headers.pop("Authorization")
    if key is not None:
        headers["Authorization"] = key
    a = http_call(
        "POST", sim.url + sim.path(generation, "ready"), sim.body(generation, sim.order()), headers
    )
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
            assert (
                program.call(
                    "current", "ready", program.order(), Authorization=f"{word} {'A' * 40}"
                ).status
                == status
            )
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
        b = sim.call(
            "legacy",
            "approve",
            sim.approval(tid, sim.control.pay(tid)),
            Authorization="Bearer user-token",
        )
        assert (b.status, b.body) == (401, gone)
        assert (
            sim.call("current", "ready", sim.order(), Authorization="Bearer user-token").status
            == 401
        )
    finally:
        sim.control.post("/user-token", {"token": ""})
    assert ready("user-token").status == 401


REQUIRED = {
    "ready": [
        "cid",
        "partner_order_id",
        "partner_user_id",
        "item_name",
        "quantity",
        "total_amount",
        "tax_free_amount",
        "approval_url",
        "cancel_url",
        "fail_url",
    ],
    "approve": ["cid", "tid", "partner_order_id", "partner_user_id", "pg_token"],
    "cancel": ["cid", "tid", "cancel_amount", "cancel_tax_free_amount"],
    "order": ["cid", "tid"],
}


def full(call):
    return {
        "ready": Program.order(),
        "approve": Program.approval("T0", "x"),
        "order": {"cid": CID, "tid": "T0"},
        "cancel": {"cid": CID, "tid": "T0", "cancel_amount": 1, "cancel_tax_free_amount": 0},
    }[call]


@pytest.mark.parametrize("generation", GENERATIONS)
@pytest.mark.parametrize(("call", "name"), [(c, n) for c in REQUIRED for n in REQUIRED[c]])
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
    ("cid", "TC0ONETIM"),
    ("cid", "TC0ONETIMEX"),
    ("cid_secret", "short"),
    ("cid_secret", "A" * 24),
    ("partner_order_id", LONG),
    ("partner_user_id", LONG),
    ("item_name", LONG),
    ("item_code", LONG),
    ("quantity", "one"),
    ("quantity", "1.5"),
    ("quantity", "-1"),
    ("quantity", "0"),
    ("total_amount", "2200won"),
    ("total_amount", "-1"),
    ("total_amount", "9" * 19),
    ("tax_free_amount", "x"),
    ("vat_amount", "1e3"),
    ("install_month", "13"),
    ("approval_url", "https://shop.example/" + "a" * 240),
    ("cancel_url", "ftp://shop.example/"),
    ("fail_url", "https://shop.example/a b"),
    ("fail_url", "https:///x"),
    ("available_cards", "HANA"),
    ("available_cards", '["NOBANK"]'),
    ("available_cards", '{"a":"b"}'),
    ("use_share_installment", "X"),
    ("custom_json", '["a"]'),
    ("custom_json", '{"a":1}'),
]


@pytest.mark.parametrize("generation", GENERATIONS)
@pytest.mark.parametrize(("name", "value"), BAD)
def test_a_parameter_out_of_its_limits_is_named(sim, generation, name, value):
    a = sim.call(generation, "ready", sim.order(**{name: value}))
    assert (
        refusal(generation, a) == (400, -2)
        and message(a) == f"invalid param({name} has invalid value)"
    ), a


def test_lengths_count_characters_not_bytes(sim):
    assert sim.ready(item_name="가" * 100, partner_order_id="나" * 100)
    assert sim.ready(
        "legacy", item_name="가" * 100, approval_url="https://shop.example/" + "a" * 234
    )


def test_parameters_of_the_wrong_json_type_are_refused(sim):
    for name, value in (
        ("item_name", 5),
        ("item_name", ["x"]),
        ("quantity", True),
        ("quantity", 1.5),
        ("total_amount", {}),
        ("partner_order_id", False),
        ("available_cards", ["NOBANK"]),
        ("custom_json", {"a": 1}),
    ):
        a = sim.call("current", "ready", sim.order(**{name: value}))
        assert refusal("current", a) == (400, -2) and name in message(a), a
    assert sim.ready(quantity=1.0, total_amount=2200.0)
    assert sim.ready(
        available_cards=["HANA", "BC"],
        custom_json={"return_custom_url": "shop://"},
        use_share_installment="Y",
    )
    assert sim.ready(
        "legacy", available_cards='["HANA","BC"]', custom_json='{"return_custom_url":"shop://"}'
    )


def test_null_is_missing(sim):
    body = json.dumps({**sim.order(), "item_name": None}).encode()
    a = http_call("POST", sim.url + "/online/v1/payment/ready", body, sim.headers("current"))
    assert refusal("current", a) == (400, -2) and message(a) == "item_name can't be null."


def test_json_sent_to_legacy_and_forms_sent_to_current_miss_every_field(sim):
    body = json.dumps(sim.order()).encode()
    for content_type in ("application/json", "application/x-www-form-urlencoded"):
        a = http_call(
            "POST",
            sim.url + "/v1/payment/ready",
            body,
            {**sim.headers("legacy"), "Content-Type": content_type},
        )
        assert refusal("legacy", a) == (400, -2) and message(a) == "cid can't be null."
    a = http_call(
        "POST",
        sim.url + "/online/v1/payment/ready",
        urllib.parse.urlencode(sim.order()).encode(),
        {**sim.headers("current"), "Content-Type": "application/x-www-form-urlencoded"},
    )
    assert refusal("current", a) == (400, -2) and message(a) == "cid can't be null."


@pytest.mark.parametrize(
    "body", [b"{", b"[]", b'{"cid":"TC0ONETIME",}', b"\xff", b'{"cid":"TC0ONETIME"} x', b""]
)
def test_what_is_not_a_json_object_is_refused(sim, body):
    a = http_call("POST", sim.url + "/online/v1/payment/ready", body, sim.headers("current"))
    assert refusal("current", a) == (400, -2), a


def test_forms_that_are_not_utf8_are_refused(sim):
    for item in ("%FF", "%ED%A0%80", "a%00b", "%C0%AF"):
        body = urllib.parse.urlencode(sim.order(item_name=None)) + "&item_name=" + item
        a = http_call("POST", sim.url + "/v1/payment/ready", body.encode(), sim.headers("legacy"))
        assert (
            refusal("legacy", a) == (400, -2)
            and message(a) == "invalid param(item_name has invalid value)"
        ), item


def test_a_form_is_decoded_as_forms_are(sim):
    body = urllib.parse.urlencode(sim.order(item_name=None)) + "&item_name=a+b%2Bc%26%EC%BB%A4%zz%"
    a = http_call("POST", sim.url + "/v1/payment/ready", body.encode(), sim.headers("legacy"))
    assert sim.control.order(a.body["tid"])["item_name"] == "a b+c&커%zz%"


@pytest.mark.parametrize("generation", GENERATIONS)
def test_amounts_that_contradict_each_other_are_refused(sim, generation):
    for changes, code in (
        ({"total_amount": 0}, -725),
        ({"tax_free_amount": 2201}, -722),
        ({"vat_amount": 2201}, -722),
        ({"vat_amount": 2101, "tax_free_amount": 100}, -722),
        ({"payment_method_type": "BITCOIN"}, -705),
    ):
        assert refusal(generation, sim.call(generation, "ready", sim.order(**changes))) == (
            400,
            code,
        ), changes
    assert sim.ready(generation, vat_amount=2100, tax_free_amount=100)


@pytest.mark.parametrize("generation", GENERATIONS)
def test_paths_and_methods_that_do_not_exist(sim, generation):
    for call in ("readyy", "page", "", "ready/"):
        assert refusal(generation, sim.call(generation, call, {})) == (404, -404)
    a = http_call("GET", sim.url + sim.path(generation, "approve"), None, sim.headers(generation))
    assert refusal(generation, a) == (404, -404)
    assert http_call("GET", sim.url + "/nothing").status == 404


def test_a_body_too_long_is_refused(sim):
    a = http_call(
        "POST", sim.url + "/online/v1/payment/ready", b" " * 70000 + b"{}", sim.headers("current")
    )
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
