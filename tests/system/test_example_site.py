"""examples/booking-site, as dev/up starts it: what its users see, and what roompay has of it."""

import base64
import hmac
import http.cookiejar
import json
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

import pytest
from booking_site import Simulator, at_once, eventually, http_call
from node_site import node
from stack import TOP
from test_up import exports, up

ROOM = "64f1c0ffee0123456789ab01"


class Browser:
    """A user with cookies who follows redirects and presses buttons."""

    def __init__(self, site):
        self.site = site
        self.opener = urllib.request.build_opener(
            urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
        )

    def open(self, url, form=None, **headers):
        data = None if form is None else urllib.parse.urlencode(form).encode()
        request = urllib.request.Request(
            urllib.parse.urljoin(self.site, url), data, {"Accept-Language": "en", **headers}
        )
        try:
            with self.opener.open(request, timeout=40) as r:
                self.url, self.text, self.status = r.url, r.read().decode(), r.status
        except urllib.error.HTTPError as e:
            self.url, self.text, self.status = e.url, e.read().decode(), e.code
        return self

    def book(self, slot):
        return self.open("/book", {"room": ROOM, "slot": slot})

    def press(self, button):
        """A button of KakaoPay's page, which sends the user back to the site."""
        action = next(
            f
            for f in re.findall(r'<form[^>]*action="([^"]*)"', self.text)
            if f.endswith("/" + button)
        )
        return self.open(urllib.parse.urljoin(self.url, action), {})

    def says(self, words, seconds=20):
        page = self.url
        return eventually(lambda: words in self.open(page).text and self, seconds, 0.3)

    def slot(self, value):
        """free, held, sold or mine."""
        page = self.open(f"/grid?room={ROOM}").text
        return re.search(rf'value="{value}"\s+class="slot (\w+)"', page)[1]


@pytest.fixture(scope="module")
def env(tmp_path_factory):
    node()
    file = tmp_path_factory.mktemp("up") / "roompay.env"
    with up("--env-file", file) as run:
        try:
            text = ""
            while "Ctrl-C stops everything." not in text:
                line = run.stdout.readline()
                assert line, text
                text += line
            url = re.search(r"See it: open (\S+) in a browser", text)[1]
            yield {**exports(file), "URL": url, "SAID": text}
        finally:
            run.send_signal(signal.SIGINT)


@pytest.fixture
def sim(env):
    yield Simulator(env["SIM"])
    Simulator(env["SIM"]).no_faults()


@pytest.fixture
def day(env):
    """The second day of the calendar: nothing of it is past."""
    page = Browser(env["URL"]).open(f"/grid?room={ROOM}").text
    return re.findall(r'value="(\d)-9"', page)[1]


def captures(sim, browser):
    order = browser.url.rsplit("/", 1)[1]
    return [c["amount"] if isinstance(c.get("amount"), int) else c for c in sim.captures(order)]


def test_the_payment_of_dev_up_went_through_the_site(env):
    assert (
        "removePaymentInQueue          called by the reservation service: the time is booked"
        in env["SAID"]
    )


def test_a_purchase_is_booked_and_a_refund_frees_the_time(env, sim, day):
    user, other = Browser(env["URL"]), Browser(env["URL"])
    user.book(f"{day}-14-2")
    assert user.url.startswith(env["SIM"]) and other.slot(f"{day}-15") == "held"
    user.press("pay").says("Booked")
    assert (user.slot(f"{day}-14"), other.slot(f"{day}-14"), other.slot(f"{day}-16")) == (
        "mine",
        "sold",
        "free",
    )
    assert "14:00–16:00" in user.open("/me").text and "₩11,000" in user.text
    user.open(re.search(r'href="(/orders/[^"]+)"', user.text)[1])
    assert len(captures(sim, user)) == 1 and "KakaoPay Money" in user.text
    assert other.open(user.url).status == 404  # somebody else's order
    user.open(user.url + "/refund", {}).says("Refunded")
    eventually(lambda: other.slot(f"{day}-14") == "free", 10)


def test_two_users_fight_for_one_time(env, day):
    users = [Browser(env["URL"]) for _ in range(2)]
    at_once([lambda u=u: u.book(f"{day}-9-1") for u in users])
    lost = [u for u in users if u.url.startswith(env["URL"])]
    assert len(lost) == 1 and "somebody is paying for this time" in lost[0].text
    (won,) = [u for u in users if u not in lost]
    assert "You stopped paying" in won.press("cancel").text
    assert lost[0].book(f"{day}-9-1").url.startswith(env["SIM"])
    lost[0].press("cancel")


def test_a_closed_tab_is_found_again(env, day):
    user = Browser(env["URL"])
    user.book(f"{day}-11")
    kakaopay = user.url
    user.open("/me")
    user.open(re.search(r'href="(/orders/[^"]+)"', user.text)[1])
    assert "Waiting for your payment" in user.text and kakaopay in user.text
    assert "You stopped paying" in user.open(user.url + "/stop", {}).text
    assert user.slot(f"{day}-11") == "free"


def test_a_lost_answer_is_charged_once(env, sim, day):
    user = Browser(env["URL"])
    user.book(f"{day}-17")
    sim.fault("approve", "close-after")
    sim.fault("order", "http-500", 1)
    user.press("pay").says("Booked")
    assert len(captures(sim, user)) == 1


def test_a_refused_card_charges_nothing(env, sim, day):
    user = Browser(env["URL"])
    user.book(f"{day}-19")
    sim.fault("approve", "card-refused")
    assert "Nothing was charged" in user.press("pay").text and user.slot(f"{day}-19") == "free"


def test_other_sites_and_forged_messages_are_turned_away(env, day):
    user = Browser(env["URL"])
    assert (
        user.open(
            "/book", {"room": ROOM, "slot": f"{day}-20"}, Origin="https://evil.example"
        ).status
        == 403
    )
    assert (
        user.open("/hooks/gateway", {"x": "1"}, **{"Content-Type": "application/json"}).status
        == 401
    )
    assert (
        user.open("/hooks/reservation", {"x": "1"}, **{"Content-Type": "application/json"}).status
        == 401
    )
    assert "<b>x" not in user.open("/?taken=<b>x").text
    assert user.open("/language", {"lang": "ko", "to": "//evil.example"}).url.startswith(env["URL"])
    assert "조용한 스터디" in user.text


def test_without_node_dev_up_says_what_to_install(tmp_path):
    code = "import example_site\ntry: example_site.check_node()\nexcept example_site.NoSite as e: print(e)"
    env = {"PATH": str(tmp_path), "PYTHONPATH": str(TOP / "dev")}
    done = subprocess.run(
        [sys.executable, "-B", "-c", code], env=env, capture_output=True, text=True
    )
    assert done.stdout == "node and npm are not in the PATH (Debian: apt install nodejs npm)\n", (
        done
    )


def message(env, to, kind, data):
    """The answer of one of the site's services to a message of roompay's."""
    body = json.dumps({"type": kind, "timestamp": "t", "data": data}).encode()
    stamp, key = str(int(time.time())), base64.b64decode(env[to.upper() + "_WEBHOOK"][6:])
    signed = hmac.digest(key, f"m.{stamp}.".encode() + body, "sha256")
    headers = {
        "Content-Type": "application/json",
        "webhook-id": "m",
        "webhook-timestamp": stamp,
        "webhook-signature": "v1," + base64.b64encode(signed).decode(),
    }
    return http_call("POST", f"{env['URL']}/hooks/{to}", body, headers).status


def test_a_time_that_the_calendar_cannot_take_is_refused(env, day):
    def approved(tid, start, end, days=(int(day),)):
        info = {"day": days, "startTime": [start], "endTime": [end], "roomId": ROOM}
        data = {"userId": "u", "roomId": ROOM, "tid": tid, "reservationInfo": info, "payment": {}}
        return message(env, "reservation", "payment.approved", data)

    assert approved("T1", 12, 13) == 204
    assert approved("T1", 12, 13) == 204  # the same again is the same reservation
    assert approved("T2", 12, 14) == 409
    assert approved("T3", 13, 14) == 204
    assert approved("T4", 20, 21, (1, 2)) == 409  # it has no place for two intervals


def test_a_late_capture_corrects_what_the_page_has_said(env, day):
    user = Browser(env["URL"])
    user.book(f"{day}-18")
    assert "You stopped paying" in user.press("cancel").text
    data = {"partner_order_id": user.url.rsplit("/", 1)[1], "tid": "T9", "state": "review"}
    assert message(env, "gateway", "payment.resolved", {**data, "charged": True}) == 204
    assert "Somebody of ours has a look" in user.open(user.url).text
    assert message(env, "gateway", "queue.removed", data) == 204
    assert "Booked" in user.open(user.url).text
    assert message(env, "gateway", "payment.refunded", {**data, "state": "refunded"}) == 204
    assert message(env, "gateway", "queue.removed", data) == 204  # overtaken by the refund
    assert "Refunded" in user.open(user.url).text
