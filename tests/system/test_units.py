"""The systemd units as they are installed."""

import os
import pathlib
import re
import signal
import socket
import subprocess

import pytest
from stack import Stack

BUILD = pathlib.Path(
    os.environ.get("ROOMPAY_BUILD", pathlib.Path(__file__).resolve().parents[2] / "build")
)
UNITS = {
    "roompay.service": "fcgi/roompay.fcgi",
    "roompay-courier.service": "courier/roompay-courier",
    "roompay-queued.service": "queued/roompay-queued",
}


@pytest.mark.parametrize("unit", UNITS)
def test_a_unit_is_hardened(unit):
    """2.0 of 10 at most; --threshold takes tenths."""
    done = subprocess.run(
        [
            "systemd-analyze",
            "security",
            "--offline=true",
            "--threshold=20",
            "--no-pager",
            str(BUILD / "etc" / unit),
        ],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr
    assert re.search(r"Overall exposure level for .*: [01]\.[0-9]|: 2\.0", done.stdout), (
        done.stdout[-300:]
    )


@pytest.mark.parametrize("unit", UNITS)
def test_a_unit_starts_what_is_installed(unit):
    found = re.search(r"^ExecStart=(\S+) -c (\S+)$", (BUILD / "etc" / unit).read_text(), re.M)
    assert found and pathlib.Path(found[1]).is_absolute() and "@" not in found[0], found
    assert (
        pathlib.Path(found[1]).name == pathlib.Path(UNITS[unit]).name
        and (BUILD / UNITS[unit]).exists()
    )
    assert found[2].endswith("/roompay/roompay.conf")


def listener(path):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    s.bind(str(path))
    s.settimeout(15)
    return s


@pytest.mark.parametrize("name", ["queued", "courier", "workers"])
def test_a_program_tells_that_it_is_ready(name, tmp_path):
    with listener(tmp_path / "notify") as s, Stack(BUILD, workers=1, mode="master") as stack:
        stack.stop(name)
        stack.preload[name] = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "300000"}
        stack.start(name)
        assert s.recv(100) == b"READY=1"
        if name == "workers":
            assert [s.recv(100) for _ in range(3)] == [b"WATCHDOG=1"] * 3
            os.kill(stack.processes[name].pid, signal.SIGSTOP)  # who hangs says nothing
            s.settimeout(0.6)
            with pytest.raises(TimeoutError):  # noqa: PT012
                while True:
                    assert s.recv(100) == b"WATCHDOG=1"
            os.kill(stack.processes[name].pid, signal.SIGCONT)
            s.settimeout(15)
            stack.stop(name)
            told = []
            while not any(m.startswith(b"STOPPING=1") for m in told):
                told.append(s.recv(100))


def test_an_abstract_socket_is_told(tmp_path):
    name = "roompay-test-" + os.urandom(8).hex()
    with listener("\0" + name) as s, Stack(BUILD, workers=1, mode="master") as stack:
        stack.stop("workers")
        stack.preload["workers"] = {"NOTIFY_SOCKET": "@" + name}
        stack.start("workers")
        assert s.recv(100) == b"READY=1"
