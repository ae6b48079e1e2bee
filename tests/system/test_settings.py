"""What roompay.conf changes: the unit of time, the hosts of redirect URLs, the prefix, rotated tokens; behind a master with a socket of its own."""

import hashlib
import pathlib
import secrets
import subprocess

import pytest
from booking_site import Site, eventually, new_id
from conftest import BUILD, MANY, make
from stack import TOP

OLD, NEW = secrets.token_urlsafe(24), secrets.token_urlsafe(24)
CONF = {
    **MANY,
    "site": {"time_unit": "minute", "redirect_hosts": "site.example, 127.0.0.1"},
    "caller twin": {
        "roles": "gateway",
        "cids": "TC0ONETIME",
        "token_sha256": ", ".join(hashlib.sha256(t.encode()).hexdigest() for t in (OLD, NEW)),
    },
}


@pytest.fixture(scope="module")
def other():
    for site in make(workers=3, mode="master", prefix="", conf=CONF):
        site.tokens.update(old=OLD, new=NEW)
        yield site


def minutes(**changes):
    return Site.booking(**{"start": [570], "end": [690], **changes})


def test_without_a_prefix_the_routes_stand_at_the_top(other):
    body = minutes(user="a")
    a = other.ready(body)
    assert a.status == 200, a
    room, token = body["reservationInfo"]["roomId"], other.sim.pay(a.body["tid"])
    b = other.approve("a", room, token)
    assert b.status == 200 and b.body["reservationInfo"] == body["reservationInfo"], b
    eventually(lambda: other.held(room) == [])
    assert other.approve("a", room, token).replayed
    assert other.ask("/pay/payReady", body).code == "no-route"
    assert other.ask("/payReady/", body).code == "no-route"
    assert other.get("/livez", caller=None).status == 200


def test_minutes_of_the_day(other):
    room = new_id()
    assert other.ready(minutes(user="a", room=room)).status == 200
    a = other.ready(minutes(user="b", room=room, start=[689], end=[750]))
    assert a.code == "slot-held" and a.body["conflicts"] == [
        {"day": 1, "startTime": 689, "endTime": 690}
    ], a
    assert other.ready(minutes(user="b", room=room, start=[690], end=[750])).status == 200
    assert other.ready(minutes(user="c", room=room, start=[0], end=[570])).status == 200
    held = other.held(room)
    assert [(h["day"], h["startTime"], h["endTime"]) for h in held] == [
        (1, 570, 690),
        (1, 690, 750),
        (1, 0, 570),
    ], held
    assert other.ready(minutes(day=[1], start=[0], end=[1440])).status == 200


@pytest.mark.parametrize(
    ("start", "end", "pointer"),
    [
        (0, 1441, "/reservationInfo/endTime/0"),
        (-1, 60, "/reservationInfo/startTime/0"),
        (9.5, 60, "/reservationInfo/startTime/0"),
        (60, 60, "/reservationInfo/startTime/0"),
    ],
)
def test_what_is_no_minute(other, start, end, pointer):
    a = other.ready(minutes(start=[start], end=[end]))
    assert (a.status, a.code) == (422, "invalid-fields") and [
        e["pointer"] for e in a.body["errors"]
    ] == [pointer], a


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        ("https://site.example", True),
        ("https://SITE.example:8443", True),
        ("http://127.0.0.1:8080", True),
        ("https://127.0.0.1", True),
        ("https://www.site.example", False),
        ("https://site.example.evil.example", False),
        ("https://evilsite.example", False),
        ("https://site.example@evil.example", False),
        ("http://site.example", False),
        ("http://localhost:8080", False),
        ("https://site.example.", False),
    ],
)
def test_only_these_hosts_may_be_redirected_to(other, host, allowed):
    for name in ("approval_url", "cancel_url", "fail_url"):
        a = other.ready(minutes(**{name: host + "/back?x=1"}))
        assert (a.status == 200) == allowed, a
        if not allowed:
            assert [e["pointer"] for e in a.body["errors"]] == ["/paymentInfo/" + name], a


def test_while_a_token_is_changed_both_are_good(other):
    for caller in ("old", "new"):
        assert other.ask("/payReady", minutes(), caller).status == 200
    other.tokens["cut"] = OLD[:-1]
    a = other.ask("/payReady", minutes(), "cut")
    assert (a.status, a.code) == (401, "unauthenticated"), a


def test_the_sample_as_it_is_opens_no_door():
    """Each placeholder is told; whoever starts the sample unchanged is not served by anybody's token."""
    done = subprocess.run(
        [pathlib.Path(BUILD) / "ctl/roompayctl", "-c", TOP / "etc/roompay.conf", "config", "check"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2, done
    for told in (
        "[site] redirect_hosts is the sample's",
        "[deliver reservation] url is the sample's",
        "[deliver gateway] url is the sample's",
        "[caller gateway] token_sha256 is a placeholder",
        "[caller reservation] token_sha256 is a placeholder",
        "[caller operator] token_sha256 is a placeholder",
    ):
        assert told in done.stderr, done.stderr


def test_the_manuals_least_configuration_opens_no_door(tmp_path):
    """The example of roompay.conf(5), pasted."""
    page = (TOP / "man/roompay.conf.5").read_text()
    example = page.split("The least that works", 1)[1].split("indent\n", 1)[1].split(".Ed", 1)[0]
    conf = tmp_path / "roompay.conf"
    conf.write_text(example)
    done = subprocess.run(
        [pathlib.Path(BUILD) / "ctl/roompayctl", "-c", conf, "config", "check"],
        capture_output=True,
        text=True,
    )
    assert (
        done.returncode == 2 and "[caller gateway] token_sha256 must be the SHA-256" in done.stderr
    ), done
