"""The site of the integration guide, doc/examples/site.mjs, takes payments from what dev/up writes."""

import contextlib
import pathlib
import re
import shutil
import signal
import urllib.parse

import pytest
from booking_site import Simulator, eventually, http_call
from node_site import NodeSite, install
from ports import free_port
from stack import TOP
from test_up import exports, up

HERE = pathlib.Path(__file__).resolve().parent


class Visitor:
    """A user with a browser: books on the site, and presses a button on KakaoPay's page."""

    def __init__(self, env):
        self.site, self.sim, self.env = env["SITE"], Simulator(env["SIM"]), env

    def book(self, user, start=19):
        times = {"day": [6], "startTime": [start], "endTime": [start + 2]}
        body = {"userId": user, "roomId": "64f1c0ffee0123456789abcd", "times": times}
        return http_call("POST", self.site + "/orders", body)

    def press(self, page_url, button):
        """The address that KakaoPay sends the user to."""
        page = http_call("GET", page_url)
        action = next(
            f
            for f in re.findall(r'<form[^>]*action="([^"]*)"', page.raw.decode())
            if button in f.rsplit("/", 1)[-1]
        )
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        return http_call("POST", urllib.parse.urljoin(page_url, action), b"", form).headers[
            "location"
        ]

    def state(self, order):
        return http_call("GET", f"{self.site}/orders/{order}").body["state"]

    def becomes(self, order, state, seconds=20):
        eventually(lambda: self.state(order) == state, seconds)

    def opens(self, url):
        """The last word of the page: the order's state."""
        return http_call("GET", url).raw.decode().split()[-1]

    def ask(self, path, body, caller):
        return http_call(
            "POST", self.env["BASE"] + path, body, {"Authorization": "Bearer " + self.env[caller]}
        )


@contextlib.contextmanager
def running_site(folder):
    """dev/up, and the folder's site.mjs with what dev/up wrote."""
    url, file = f"http://127.0.0.1:{free_port()}", folder / "roompay.env"
    with up(
        "--env-file",
        file,
        "--site",
        url,
        "--gateway-url",
        url + "/hooks/gateway",
        "--reservation-url",
        url + "/hooks/reservation",
    ) as run:
        try:
            text = ""
            while "Ctrl-C stops everything." not in text:
                line = run.stdout.readline()
                assert line, text
                text += line
            env = exports(file)
            with NodeSite(folder, "site.mjs", {**env, "PORT": url.rsplit(":", 1)[1]}) as site:
                eventually(lambda: site.process.poll() is not None or answers(url), 20)
                assert site.process.poll() is None, site.log.read_text()
                yield Visitor(env)
        finally:
            run.send_signal(signal.SIGINT)


def answers(url):
    try:
        return http_call("GET", url + "/nothing").status == 404
    except OSError:
        return False


@pytest.fixture(scope="module")
def visitor(tmp_path_factory):
    folder = install(HERE / "guide_site", tmp_path_factory.mktemp("site"))
    shutil.copy(TOP / "doc/examples/site.mjs", folder / "site.mjs")
    with running_site(folder) as visitor:
        yield visitor


def test_a_purchase_is_booked_once_and_given_back(visitor):
    booked = visitor.book("minji").body
    back = visitor.press(booked["redirect"], "pay")
    assert visitor.opens(back) in ("paid", "booked")
    visitor.becomes(booked["order"], "booked")
    assert visitor.opens(back) == "booked"  # a reload of the page
    (capture,) = visitor.sim.captures(booked["order"])
    refund = {"tid": capture["tid"], "refundId": "refund-1", "reason": "손님 요청"}
    given_back = visitor.ask("/cancelPayment", refund, "REFUND")
    assert given_back.status == 200 and given_back.body["left"] == 0, given_back
    visitor.becomes(booked["order"], "refunded")
    assert visitor.opens(back) == "refunded"


def test_a_user_who_gives_up_frees_the_time_for_the_next(visitor):
    first = visitor.book("minji", 8).body
    other = visitor.book("jisoo", 9)
    assert other.status == 409 and other.body["code"] == "slot-held", other
    assert other.body["conflicts"] == [{"day": 6, "startTime": 9, "endTime": 10}]
    assert visitor.opens(visitor.press(first["redirect"], "cancel")) == "cancelled"
    assert visitor.book("jisoo", 9).status == 200
    assert visitor.sim.captures(first["order"]) == []


def test_a_capture_whose_answer_is_lost_is_found_by_the_same_call(visitor):
    booked = visitor.book("suho", 12).body
    visitor.sim.fault("approve", "close-after")
    visitor.sim.fault("order", "http-500", 2)
    assert visitor.opens(visitor.press(booked["redirect"], "pay")) in ("paid", "booked")
    visitor.becomes(booked["order"], "booked")
    assert len(visitor.sim.captures(booked["order"])) == 1


def test_nobody_else_writes_into_the_calendar(visitor):
    forged = http_call(
        "POST",
        visitor.site + "/hooks/reservation",
        {"type": "payment.approved", "data": {"tid": "T1"}},
        {"webhook-id": "x", "webhook-timestamp": "1", "webhook-signature": "v1,AAAA"},
    )
    assert forged.status == 401
