"""The model of the shared log (doc/scale-out.md): all states of small sizes; `make check-model` for the larger ones."""

import os
import pathlib
import shutil
import subprocess

import pytest
from stack import TOP


@pytest.mark.skipif(shutil.which("spin") is None, reason="spin is not installed")
def test_the_shared_log_holds_in_all_states_and_only_with_its_guards():
    env = {**os.environ, "CC": os.environ.get("CC", "cc")}
    done = subprocess.run(
        [pathlib.Path(TOP) / "tests/model/check.sh", "small"],
        capture_output=True,
        text=True,
        env=env,
        timeout=600,
    )
    lines = done.stdout.splitlines()
    assert done.returncode == 0 and lines[-1] == f"1..{len(lines) - 1}", done.stdout + done.stderr
    assert sum(line.startswith("ok") for line in lines) == len(lines) - 1 >= 12, done.stdout
