"""dev/up: what it prints and writes is what a site's developer works with."""

import os
import pathlib
import signal
import subprocess
import sys
import urllib.request

from booking_site import http_call
from stack import TOP

BUILD = os.environ.get("ROOMPAY_BUILD", str(TOP / "build"))


def up(*options):
    env = {**os.environ, "PYTHONPATH": f"{TOP / 'tests/system'}:{TOP / 'dev'}"}
    return subprocess.Popen(
        [sys.executable, "-B", str(TOP / "dev/up.py"), BUILD, *map(str, options)],
        stdout=subprocess.PIPE,
        text=True,
        env=env,
    )


def exports(path):
    lines = [line for line in path.read_text().splitlines() if line.startswith("export ")]
    return {
        name: value.strip("'")
        for name, _, value in (line.removeprefix("export ").partition("=") for line in lines)
    }


def test_tokens_stay_between_runs_and_a_returning_user_is_shown_what_came_back(tmp_path):
    file = tmp_path / "roompay.env"
    with up("--env-file", file, "--no-site") as run:
        text = ""
        while "Ctrl-C stops everything." not in text:
            line = run.stdout.readline()
            assert line, text
            text += line
        env = exports(file)
        assert file.stat().st_mode & 0o777 == 0o600
        a = http_call(
            "GET", env["BASE"] + "/readyz", None, {"Authorization": "Bearer " + env["OPERATOR"]}
        )
        assert a.status == 200, a
        with urllib.request.urlopen(env["SITE"] + "/ok?order=o-1&pg_token=%3Cb%3E") as page:
            shown = page.read().decode()
        assert "<code>o-1</code>" in shown and "<code>&lt;b&gt;</code>" in shown
        logs = pathlib.Path(env["ROOMPAY_CONF"]).parent
        assert "worker_started" in (logs / "workers.log").read_text()
        run.send_signal(signal.SIGINT)
        assert run.wait(30) == 0
        assert run.stdout.read().endswith("stopping\nstopped\n")
    with up("--env-file", file, "--once") as run:
        assert "approvePayment           200" in run.stdout.read()
        assert run.wait(30) == 0
    again = exports(file)
    for name in (
        "GATEWAY",
        "RESERVATION",
        "REFUND",
        "OPERATOR",
        "GATEWAY_WEBHOOK",
        "RESERVATION_WEBHOOK",
    ):
        assert env[name] == again[name], name


def test_messages_go_to_the_receivers_that_are_named(tmp_path):
    url = "http://127.0.0.1:1/hooks"
    with up(
        "--once",
        "--env-file",
        tmp_path / "env",
        "--reservation-url",
        url,
        "--site",
        "http://127.0.0.1:2",
    ) as run:
        text = run.stdout.read()
        assert run.wait(30) == 0
    assert f"no payment is made: messages go to {url}" in text
    assert '"approval_url": "http://127.0.0.1:2/ok?order=order-1001"' in text
    assert "stand-in" not in text
