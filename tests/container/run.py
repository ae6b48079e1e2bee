"""run.py COMPOSE: starts the services of compose.yaml with podman, in their order and with their
options, on a network that has nothing but its loopback; then uses them as a site's visitor and a
site's operator would."""

import contextlib
import ctypes
import json
import os
import re
import subprocess
import sys
import time

import yaml
from booking_site import eventually, http_call
from test_example_site import Browser

PREFIX = "roompay-check-"
ROOM = "64f1c0ffee0123456789ab01"
SITE, KAKAOPAY = "http://127.0.0.1:8080", "http://127.0.0.1:8090"
ROOMPAY = "http://127.0.0.1:8081/pay"
CLONE_NEWNET = 0x40000000


def podman(*argv, code=0, timeout=120):
    done = subprocess.run(["podman", *argv], capture_output=True, text=True, timeout=timeout)
    assert code in (None, done.returncode), (argv, done.stdout[-2000:], done.stderr[-2000:])
    return done.stdout.strip() if code == 0 else done


class Services:
    def __init__(self, path):
        with open(path) as f:
            self.spec = yaml.safe_load(f)
        self.all = self.spec["services"]

    def options(self, name, s):
        """What compose makes of a service. A member that is not known here is not tried: an error."""
        s = dict(s)
        for nothing in ("build", "depends_on", "restart", "logging", "healthcheck", "ports"):
            s.pop(nothing, None)
        image, command = s.pop("image"), [str(c) for c in s.pop("command", [])]
        network = s.pop("network_mode", None)
        shared = network and "container:" + PREFIX + network.removeprefix("service:")
        out = ["--name", PREFIX + name, "--network", shared or "none"]
        grace = int(s.pop("stop_grace_period", "10s").rstrip("s"))
        out += ["--stop-timeout", str(grace)]
        if s.pop("read_only"):
            out += ["--read-only", "--read-only-tmpfs=false"]
        for member, flag in (
            ("cap_drop", "--cap-drop"),
            ("security_opt", "--security-opt"),
            ("tmpfs", "--tmpfs"),
        ):
            for value in s.pop(member, []):
                out += [flag, value]
        for volume in s.pop("volumes", []):
            out += ["-v", PREFIX + volume]
        for member, flag in (("user", "--user"), ("stop_signal", "--stop-signal")):
            if member in s:
                out += [flag, s.pop(member)]
        assert s == {}, (name, s)
        return [*out, "--no-healthcheck", image, *command]

    def order(self):
        done = []
        while len(done) < len(self.all):
            ready = [
                n
                for n, s in self.all.items()
                if n not in done and set(s.get("depends_on", {})) <= set(done)
            ]
            assert ready, "the services wait for each other in a circle"
            done += ready
        return done

    def up(self):
        for name in self.order():
            service = self.all[name]
            for other, wanted in service.get("depends_on", {}).items():
                self.wait(other, wanted["condition"])
            podman("run", "-d", *self.options(name, service))
            print(f"   {name}", flush=True)
        for name, service in self.all.items():
            if "healthcheck" in service:
                self.wait(name, "service_healthy")

    def wait(self, name, condition):
        if condition == "service_healthy":
            eventually(lambda: self.is_healthy(name), 60, 0.5)
        elif condition == "service_completed_successfully":
            assert podman("wait", PREFIX + name) == "0", self.log(name)

    def is_healthy(self, name):
        if not self.is_running(name):
            raise AssertionError(f"{name} has ended:\n" + self.log(name))
        kind, *argv = self.all[name]["healthcheck"]["test"]
        assert kind == "CMD"
        return podman("exec", PREFIX + name, *argv, code=None).returncode == 0

    def is_running(self, name):
        return podman("inspect", "-f", "{{.State.Running}}", PREFIX + name) == "true"

    def long_running(self):
        return [n for n, s in self.all.items() if s["restart"] != "no"]

    def log(self, name):
        done = podman("logs", PREFIX + name, code=None)
        return done.stdout[-3000:] + done.stderr[-3000:]

    def down(self, volumes):
        for name in reversed(self.order()):
            podman("rm", "-f", "-t", "5", PREFIX + name, code=None)
        if volumes:
            for name in self.spec["volumes"]:
                podman("volume", "rm", "-f", PREFIX + name, code=None)

    @contextlib.contextmanager
    def network(self):
        """This program stands where the containers are."""
        pid = podman("inspect", "-f", "{{.State.Pid}}", PREFIX + "net")
        own, theirs = (os.open(f"/proc/{p}/ns/net", os.O_RDONLY) for p in ("self", pid))
        setns = ctypes.CDLL(None, use_errno=True).setns
        assert setns(theirs, CLONE_NEWNET) == 0
        try:
            yield
        finally:
            assert setns(own, CLONE_NEWNET) == 0
            os.close(own)
            os.close(theirs)


def is_confined(services):
    """Nobody is root, can write into its image, or can get more rights."""
    for name in services.long_running():
        status = podman("exec", PREFIX + name, "cat", "/proc/1/status")
        field = dict(re.findall(r"^(\w+):\s*(.*)$", status, re.M))
        assert "0" not in field["Uid"].split() and int(field["CapEff"], 16) == 0, (name, status)
        assert int(field["CapBnd"], 16) == 0 and field["NoNewPrivs"] == "1", (name, status)
        for path in ("/usr/x", "/x"):
            done = podman("exec", PREFIX + name, "touch", path, code=None)
            assert done.returncode != 0 and "Read-only" in done.stderr, (name, done)


def has_no_secret(services):
    """Neither in the images nor in the logs, the environment or the command lines."""
    env = podman("exec", PREFIX + "site", "cat", "/etc/booking-site/env")
    secrets = re.findall(r"^export (?:\w+_WEBHOOK|\w*KEY|[A-Z]+)='([^']{20,})'", env, re.M)
    secrets = [s for s in secrets if not s.startswith(("http:", "mongodb:"))]
    keys = podman("exec", PREFIX + "queue", "sh", "-c", "cat /etc/roompay/secrets/*").split()
    assert len(secrets) == 7 and len(keys) == 4, (secrets, keys)
    shown = podman("inspect", *(PREFIX + n for n in services.all))
    shown += "".join(services.log(n) for n in services.all)
    assert [s for s in secrets + keys if s in shown] == []
    for image in {s["image"] for s in services.all.values() if "localhost/" in s["image"]}:
        found = podman("run", "--rm", "--network", "none", "--entrypoint", "find", image,
            "/etc/roompay", "/etc/booking-site", "-type", "f", code=None)  # fmt: skip
        assert found.stdout == "", (image, found)


def buys(day_hours):
    user = Browser(SITE)
    page = user.open(f"/grid?room={ROOM}").text
    day = re.findall(r'value="(\d)-9"', page)[1]
    user.book(f"{day}-{day_hours}")
    assert user.url.startswith(KAKAOPAY), (user.url, user.text[:2000])
    return user.press("pay").says("Booked")


def operators_token():
    env = podman("exec", PREFIX + "site", "cat", "/etc/booking-site/env")
    return re.search("OPERATOR='(.*)'", env)[1]


def is_shut(url, status):
    a = http_call("GET", url)
    assert a.status == status, a


def use(services):
    print("== a visitor buys")
    with services.network():
        user = buys("14-2")
        is_shut(SITE + "/hooks/gateway", 403)
        is_shut(KAKAOPAY + "/control/captures", 403)
        is_shut(ROOMPAY + "/readyz", 401)
        operator = {"Authorization": "Bearer " + operators_token()}
        assert http_call("GET", ROOMPAY + "/console/").status == 200
        seen = http_call("GET", ROOMPAY + "/console/api/payments", headers=operator)
        assert seen.status == 200 and len(seen.body["payments"]) == 1, seen
    print("== rights and secrets")
    is_confined(services)
    has_no_secret(services)
    print("== kill -9 of everything that roompay is, and a start again")
    for name in ("workers", "queue", "courier", "mongodb"):
        podman("kill", "-s", "KILL", PREFIX + name)
        podman("wait", PREFIX + name)
    for name in ("mongodb", "queue", "workers", "courier"):
        podman("start", PREFIX + name)
    for name in ("queue", "workers", "web", "site"):
        services.wait(name, "service_healthy")
    with services.network():
        assert "Booked" in user.open(user.url).text
        buys("17-1")
    print("== an orderly stop")
    for name in reversed(services.order()):
        if name not in services.long_running() or name == "net":
            continue
        began = time.monotonic()
        podman("stop", PREFIX + name)
        code = podman("inspect", "-f", "{{.State.ExitCode}}", PREFIX + name)
        print(f"   {name}: exit {code} after {time.monotonic() - began:.1f} s")
        assert code in ("0", "130", "143"), services.log(name)  # 137: it had to be killed
    return user


def main():
    services = Services(sys.argv[1])
    services.down(volumes=True)
    try:
        print("== every service")
        services.up()
        user = use(services)
        print("== once more, with the same volumes")
        services.down(volumes=False)
        services.up()
        with services.network():
            assert "Booked" in user.open(user.url).text
            buys("19-1")
        captures = podman("exec", PREFIX + "sim", "curl", "-s", "127.0.0.1:8091/control/captures")
        assert len(json.loads(captures)["captures"]) == 3
    except BaseException:
        for name in services.all:
            print(f"--- log of {name}\n" + services.log(name), file=sys.stderr)
        raise
    finally:
        services.down(volumes=True)
    print("containers: every service of compose.yaml was built, used, killed and started again")


main()
