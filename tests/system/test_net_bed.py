"""The bed of namespaces itself: nothing is left of it, however it ends."""

import signal
import subprocess
import sys
import time

import net_bed
import pytest
from booking_site import eventually

SLEEPER = "import subprocess, sys; subprocess.run(['sleep', sys.argv[1]])"
STARTER = "import net_bed, sys; net_bed.run_inside(sys.argv[2:], sys.argv[1]).wait()"


def pids_of(seconds):
    found = subprocess.run(["pgrep", "-f", f"^sleep {seconds}$"], capture_output=True, text=True)
    return found.stdout.split()


@pytest.mark.skipif(net_bed.why_not() is not None, reason=f"left out: {net_bed.why_not()}")
def test_nothing_is_left_when_whoever_started_it_is_killed(tmp_path):
    seconds = str(1000 + time.time_ns() % 1000000)  # a name for the process
    starter = subprocess.Popen(
        [sys.executable, "-c", STARTER, tmp_path, sys.executable, "-c", SLEEPER, seconds],
        cwd=net_bed.HERE,
    )
    eventually(lambda: pids_of(seconds), 20)
    starter.send_signal(signal.SIGKILL)
    starter.wait()
    eventually(lambda: not pids_of(seconds), 10)
