"""examples/booking-site for dev/up: built in build/ where Node is there, and run."""

import os
import pathlib
import re
import shutil
import subprocess
import time
import urllib.request

TOP = pathlib.Path(__file__).resolve().parents[1]
NODE_MIN = 18
PARTS = ("clients/node", "examples/booking-site")
FILES = ("doc/openapi.json",)


class NoSite(Exception):
    """Why there is none, in words."""


def check_node():
    if shutil.which("node") is None or shutil.which("npm") is None:
        raise NoSite("node and npm are not in the PATH (Debian: apt install nodejs npm)")
    version = subprocess.run(["node", "--version"], capture_output=True, text=True).stdout.strip()
    if int((re.match(r"v(\d+)", version) or [0, 0])[1]) < NODE_MIN:
        raise NoSite(f"node is {version or 'broken'}, and {NODE_MIN} is needed")


def sources():
    """name -> text of what the build reads; a change of it builds again."""
    found = [TOP / f for f in FILES]
    for part in PARTS:
        for folder, dirs, names in os.walk(TOP / part):
            dirs[:] = [d for d in dirs if d not in ("node_modules", "dist")]
            found += [pathlib.Path(folder) / n for n in names if n != "schema.ts"]
    return {str(p.relative_to(TOP)): p.read_bytes() for p in sorted(found)}


def build(home, say):
    """Copies and builds client and site in `home`; once, until a file of theirs changes."""
    wanted = sources()
    stamp, text = home / "stamp", repr(wanted)
    if stamp.exists() and stamp.read_text() == text:
        return
    say("building: the example site (npm ci; once)")
    shutil.rmtree(home, ignore_errors=True)
    for name, content in wanted.items():
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_bytes(content)
    log = home / "npm.log"
    for part, command in ((PARTS[0], ["ci"]), (PARTS[0], ["run", "build"]), (PARTS[1], ["ci"])):
        with open(log, "ab") as out:
            done = subprocess.run(
                ["npm", *command, "--no-audit", "--no-fund"],
                cwd=home / part,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
            )
        if done.returncode != 0:
            raise NoSite(f"npm {' '.join(command)} failed: see {log}")
    stamp.write_text(text)


class ExampleSite:
    def __init__(self, build_dir, port, say):
        check_node()
        self.home = pathlib.Path(build_dir).resolve() / "example-site"
        build(self.home, say)
        self.url, self.process = f"http://127.0.0.1:{port}", None

    def hook(self, peer):
        return f"{self.url}/hooks/{peer}"

    def start(self, env, log_path):
        with open(log_path, "ab") as log:
            self.process = subprocess.Popen(
                ["node", "server.js"],
                cwd=self.home / PARTS[1],
                env={**os.environ, **env},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        end = time.monotonic() + 30
        while self.process.poll() is None and time.monotonic() < end:
            try:
                urllib.request.urlopen(self.url + "/me", timeout=5).close()
                return
            except OSError:
                time.sleep(0.1)
        self.stop()
        raise NoSite("it did not start:\n" + pathlib.Path(log_path).read_text()[-2000:])

    def stop(self):
        if self.process is not None:
            self.process.terminate()
            self.process.wait(20)
