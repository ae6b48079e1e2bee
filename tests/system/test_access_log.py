"""Who was not let in stands in the log with an address, and fail2ban's filter finds those that guess tokens, and nobody else."""

import configparser
import os
import pathlib
import re
import shutil
import subprocess

import pytest
from booking_site import http_call
from conftest import make
from stack import TOP

SETTINGS = pathlib.Path(os.environ.get("FAIL2BAN_SETTINGS", "/etc/fail2ban"))
FILTER = TOP / "etc/fail2ban-filter.conf"
GUESSER = "198.51.100.1"
# token, X-Forwarded-For: what is asked; the last of each row is whether it is a guess
ASKED = [
    ("Bearer guess-1", GUESSER, True),
    ("Bearer guess-2", "192.0.2.1, " + GUESSER, True),
    ("Basic Zzo6", "::ffff:" + GUESSER, True),
    (
        "Bearer g",
        "x event=access_denied address=192.0.2.66 status=401 token=unknown",
        True,
    ),  # no address: the proxy's own
    (None, "198.51.100.2", False),
    ("gateway", "198.51.100.3", False),
    ("operator", "198.51.100.4", False),
]
FOUND = [GUESSER] * 3 + ["127.0.0.1"]


def knock(site):
    for token, forwarded, _ in ASKED:
        headers = {"X-Forwarded-For": forwarded, "X-Request-Id": "event_access_denied"}
        if token is not None:
            headers["Authorization"] = token if " " in token else "Bearer " + site.tokens[token]
        http_call("GET", site.base + "/readyz", None, headers)
    http_call("GET", site.base + "/livez", None, {"X-Forwarded-For": "198.51.100.5"})


@pytest.fixture(scope="module", params=["logfmt", "json"])
def log(request):
    for site in make(
        mode="master",
        workers=1,
        conf={"fcgi": {"trusted_proxies": "127.0.0.1"}, "site": {"log_format": request.param}},
    ):
        knock(site)
        yield site.stack.dir / "workers.log"


def patterns():
    """The filter's own, as fail2ban reads them, for lines without syslog's prefix."""
    conf = configparser.RawConfigParser()
    conf.read(FILTER)
    text = (
        conf["Definition"]["failregex"]
        .replace("%(__prefix_line)s", "")
        .replace("<ADDR>", r"(?P<address>[0-9a-f:.]+)")
    )
    return [re.compile(p) for p in text.splitlines()]


def test_each_request_has_an_address(log):
    lines = [x for x in log.read_text().splitlines() if re.search(r'event"?[=:]"?request\b', x)]
    for address in (GUESSER, "198.51.100.2", "198.51.100.3", "198.51.100.4", "198.51.100.5"):
        assert any(re.search(rf'address"?[=:]"?{re.escape(address)}\b', x) for x in lines), address


def test_the_filter_finds_who_guesses(log):
    lines = log.read_text().splitlines()
    assert [m["address"] for x in lines for p in patterns() if (m := p.search(x))] == FOUND
    for address in ("198.51.100.2", "198.51.100.3"):  # shown, not counted
        assert (
            sum(
                re.search('event"?[=:]"?access_denied', x) is not None and address in x
                for x in lines
            )
            == 1
        )


def test_what_a_client_writes_cannot_name_another(log):
    """The same words inside of a value."""
    line = next(
        x
        for x in log.read_text().splitlines()
        if patterns()[0].search(x) or patterns()[1].search(x)
    )
    fake = f'ts=2026-01-01T00:00:00.000Z level=info prog=roompay.fcgi pid=1 event=request req=a method="{line}"'
    assert not any(p.search(fake) for p in patterns())


@pytest.mark.parametrize(
    "prefix",
    [
        "",
        "Nov 29 09:00:00 web roompay.fcgi[77]: ",
        "2026-11-29T09:00:00.123456+00:00 web roompay.fcgi[77]: ",
    ],
)
def test_fail2ban_finds_the_same(log, tmp_path, prefix):
    tool = shutil.which("fail2ban-regex")
    if tool is None:
        pytest.skip("fail2ban is not installed: apt-get install fail2ban")
    shutil.copy(FILTER, tmp_path / "roompay.conf")
    shutil.copy(SETTINGS / "filter.d/common.conf", tmp_path)
    lines = tmp_path / "log"
    lines.write_text("".join(prefix + x + "\n" for x in log.read_text().splitlines()))
    done = subprocess.run(
        [tool, "-c", SETTINGS, "--out", "<ip>", lines, tmp_path / "roompay.conf"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout.split(), done.returncode) == (FOUND, 0), done
