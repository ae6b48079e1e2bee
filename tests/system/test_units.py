"""The systemd units as they are installed."""
import os
import pathlib
import re
import subprocess

import pytest

BUILD = pathlib.Path(os.environ.get("ROOMPAY_BUILD", pathlib.Path(__file__).resolve().parents[2] / "build"))
UNITS = {"roompay.service": "fcgi/roompay.fcgi", "roompay-courier.service": "courier/roompay-courier", "roompay-queued.service": "queued/roompay-queued"}


@pytest.mark.parametrize("unit", UNITS)
def test_a_unit_is_hardened(unit):
    """2.0 of 10 at most; --threshold takes tenths."""
    done = subprocess.run(["systemd-analyze", "security", "--offline=true", "--threshold=20", "--no-pager", str(BUILD / "etc" / unit)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr
    assert re.search(r"Overall exposure level for .*: [01]\.[0-9]|: 2\.0", done.stdout), done.stdout[-300:]


@pytest.mark.parametrize("unit", UNITS)
def test_a_unit_starts_what_is_installed(unit):
    found = re.search(r"^ExecStart=(\S+) -c (\S+)$", (BUILD / "etc" / unit).read_text(), re.M)
    assert found and pathlib.Path(found[1]).is_absolute() and "@" not in found[0], found
    assert pathlib.Path(found[1]).name == pathlib.Path(UNITS[unit]).name and (BUILD / UNITS[unit]).exists()
    assert found[2].endswith("/roompay/roompay.conf")
