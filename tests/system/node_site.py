"""Sites and programs of Node that the tests run: they are installed from their lock files in a fresh folder."""

import functools
import os
import re
import shutil
import subprocess

import pytest

NODE_MIN = 18


@functools.cache
def node():
    """The program; skips where there is none that is new enough."""
    program = shutil.which("node")
    if program is None or shutil.which("npm") is None:
        pytest.skip("node and npm are not in the PATH")
    version = subprocess.run(
        [program, "--version"], capture_output=True, text=True, check=True
    ).stdout
    if int(re.match(r"v(\d+)", version)[1]) < NODE_MIN:
        pytest.skip(f"node is {version.strip()}, and {NODE_MIN} is needed")
    return program


def npm(folder, *arguments):
    done = subprocess.run(
        ["npm", *arguments, "--no-audit", "--no-fund", "--no-update-notifier"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def install(source, folder):
    """A copy of the project `source`, with the packages of its lock file."""
    node()
    shutil.copytree(
        source, folder, ignore=shutil.ignore_patterns("node_modules"), dirs_exist_ok=True
    )
    npm(folder, "ci", "--prefer-offline")
    return folder


class NodeSite:
    """with NodeSite(folder, "site.mjs", env) as site: the program, until the end."""

    def __init__(self, folder, script, env):
        self.log = folder / "site.log"
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                [node(), script], cwd=folder, env={**os.environ, **env}, stdout=log, stderr=log
            )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(20)
