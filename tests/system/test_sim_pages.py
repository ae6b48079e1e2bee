"""The simulator: the user's pages, and where they lead."""

import http.client
import re

import pytest
from booking_site import http_call
from sim_program import GENERATIONS, forms, press


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
    assert press(url, "pay").headers["location"] == b.headers["location"]  # a double click
    assert sim.control.pay(a["tid"]) == token
    assert sim.approve(a["tid"], token, generation).status == 200
    page = http_call("GET", url)
    assert page.status == 200 and forms(page.raw.decode()) == {}


@pytest.mark.parametrize(
    ("url", "want"),
    [
        ("https://shop.example/ok", "https://shop.example/ok?pg_token=TOKEN"),
        ("https://shop.example/ok?", "https://shop.example/ok?pg_token=TOKEN"),
        ("https://shop.example/ok?a=b", "https://shop.example/ok?a=b&pg_token=TOKEN"),
        ("https://shop.example/ok?a=b&", "https://shop.example/ok?a=b&pg_token=TOKEN"),
        ("https://shop.example/ok#part?", "https://shop.example/ok?pg_token=TOKEN#part?"),
    ],
)
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


@pytest.mark.parametrize(
    ("what", "status"), [("cancel", "QUIT_PAYMENT"), ("fail", "FAIL_AUTH_PASSWORD")]
)
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
    a = sim.ready(
        item_name=evil, partner_order_id=evil, approval_url='https://shop.example/"><script>'
    )
    sim.control.fault("page", "duplicate-redirect")
    for page in (
        http_call("GET", a["next_redirect_pc_url"]),
        press(a["next_redirect_pc_url"], "pay"),
    ):
        text = page.raw.decode()
        assert "<script" not in text and "&lt;script&gt;" in text


def test_pages_that_do_not_exist(sim):
    a = sim.ready()
    page = re.search(r"[0-9a-f]{64}", a["next_redirect_pc_url"])[0]
    for path in (
        f"/mockup/bridge/pc/pg/one-time/payment/{'0' * 64}",
        f"/page/{'0' * 64}/pay",
        f"/page/{page}/other",
        f"/page/{page}",
        f"/mockup/v1/{page}x/info",
        f"/mockup/v1/{page[:63]}/info",
    ):
        assert http_call("POST" if path.endswith("pay") else "GET", sim.url + path).status == 404, (
            path
        )
    for method, path, allow in (
        ("GET", f"/page/{page}/pay", "POST"),
        ("POST", f"/mockup/v1/{page}/info", "GET"),
    ):
        b = http_call(method, sim.url + path)
        assert (b.status, b.headers["allow"]) == (405, allow)
    assert sim.status(a["tid"]) == "READY"


def test_page_faults(sim):
    a = sim.ready()
    sim.control.fault("page", "no-redirect", tid=a["tid"])
    b = press(a["next_redirect_pc_url"], "pay")
    assert b.status == 200 and "location" not in b.headers and "pg_token" not in b.raw.decode()
    assert sim.status(a["tid"]) == "AUTH_PASSWORD"  # paid in the app, and nobody came back
    sim.control.fault("page", "duplicate-redirect", tid=a["tid"])
    b = press(a["next_redirect_pc_url"], "pay")
    assert b.status == 200
    assert (
        b.raw.decode().count("https://shop.example/ok?pg_token=" + sim.control.pay(a["tid"])) == 3
    )  # frame, refresh, link
    a = sim.ready()
    sim.control.fault("page", "close-before")
    with pytest.raises(http.client.RemoteDisconnected):
        press(a["next_redirect_pc_url"], "pay")
    assert sim.status(a["tid"]) == "OPEN_PAYMENT"
    sim.control.fault("page", "close-after")
    with pytest.raises(http.client.RemoteDisconnected):
        press(a["next_redirect_pc_url"], "pay")
    assert sim.status(a["tid"]) == "AUTH_PASSWORD"
