"""The operations guide's move from one machine to three, word for word, in the bed of namespaces and
under load: commands and settings are read from the page. Users pay all the while; the provider's
captures are the judge, as in machine_failures.py."""

import argparse
import json
import pathlib
import re
import shlex
import signal
import sys
import textwrap
import time

import machine_failures
import net_bed
import set_failures
from booking_site import Site, eventually
from machine_failures import Crowd, MachineFailures
from machines import Machines
from set_failures import QUICK
from stack import TOP

PAGE = TOP / "doc/operations.md"
HEAD = "## 10. From one machine to three"
BALANCER = "192.0.2.10"  # the page's; here it has another address
UNITS = {
    "roompay-queued": ("queued",),
    "roompay-courier": ("courier",),
    "roompay": ("workers", "web"),
    "roompay.socket": (),
}
SIZE = {"settings": QUICK, "deadline_ms": 5000, "per_s": 6}


def blocks():
    """Of the page's section: (kind, text), in its order."""
    text = PAGE.read_text().split(HEAD + "\n", 1)[1].split("\n## ", 1)[0]
    found = re.findall(r"^( *)```(\w+)\n(.*?)^ *```", text, re.M | re.S)
    return [(kind, textwrap.dedent(body)) for _, kind, body in found]


class Settings:
    """roompay.conf of a machine, changed as an administrator does."""

    def __init__(self, machine, balancer):
        self.path, self.balancer = machine.conf_path, balancer

    def apply(self, ini):
        text, section = self.path.read_text(), None
        for line in ini.replace(BALANCER, self.balancer).splitlines():
            if line.startswith("["):
                section = line
                continue
            key = line.split(" = ")[0]
            head, rest = text.split(section + "\n", 1)
            body, mark, tail = rest.partition("\n[")
            body = re.sub(rf"^{key} = .*\n", "", body, flags=re.M)
            text = head + section + "\n" + line + "\n" + body + mark + tail
        self.path.write_text(text)


class Guests(Crowd):
    """Who had not confirmed when the journal was given up starts again, uncharged."""

    restarted = 0

    def journal_is_gone(self):
        """What was held and not paid is certain no more."""
        with self.lock:
            paid = {tid for tid, _ in self.confirmed}
        for tid in [t for t in self.grants.by_tid if t not in paid]:
            self.grants.given_up(tid)

    confirmed = ()

    def _confirm(self, case, n, who, end):
        user, room, order, tid = who
        token = self.site.sim.pay(tid)
        truth = set_failures.Truth(self.site, tid, lambda s: self._complain(case, f"{order}: {s}"))

        def look(a):
            if a is None or a.status != 404:
                truth.look(a)

        a = self._until(end, lambda: self.site.approve(user, room, token), look, ("no-hold",))
        if a.status == 200:
            with self.lock:
                self.paid.append(time.monotonic())
                self.confirmed = (*self.confirmed, (tid, time.monotonic()))
        elif truth.captured():
            self._complain(case, f"{order}: captured, and told {a}")
        else:
            self.restarted += 1


class Guide(MachineFailures):
    def run_all(self, names):
        self.pages = blocks()
        conf = {
            "fcgi": {"deadline": SIZE["deadline_ms"]},
            "queue": {"sold_guard": 1, "max_holds_per_user": 1000},
        }
        with Machines(
            self.build, self.mongod, self.dir, "disk", conf, SIZE["settings"], started=1
        ) as self.all:
            self.set, self.machines, self.world = self.all.set, self.all.machines, self.all.world
            self.named = {m.name: m for m in self.machines}
            self.site = Site(self.world)
            self.notice_removals()
            self.all.wait_until_ready()
            with Guests(self.site, SIZE["per_s"], self.seed, self.grants) as self.load:
                self.load.case = "guide"
                self.follow()
                self.wait_for_payments(10)
                self.load.drain()
            self.rows = [{"case": "guide"}]
            self.judge()
            self.rows[0].update(
                restarted=self.load.restarted,
                pause_s=round(set_failures.longest_gap(self.load.paid, *self.switch), 1),
            )
            self.site.db.client.close()

    def wait_for_payments(self, n):
        before = len(self.load.paid)
        eventually(lambda: len(self.load.paid) >= before + n, 60, 0.1)

    # -- the page

    def follow(self):
        """Each step's settings come before its commands; step 3 says that `one` gets those of step
        2."""
        inis = [text for kind, text in self.pages if kind == "ini"]
        self.change("one", inis[0])
        steps = [text for kind, text in self.pages if kind == "console"]
        self.commands(steps[0])
        self.wait_for_payments(10)
        self.change("two", inis[1])
        self.change("three", inis[1])
        self.commands(steps[1])
        self.change("one", inis[1])
        began = time.monotonic()
        for text in steps[2:4]:
            self.commands(text)
        self.switch = (began, time.monotonic())
        for text in steps[4:]:
            self.wait_for_payments(10)
            self.commands(text)
        assert (len(inis), len(steps)) == (2, 6), "the page has other steps than this test"

    def change(self, name, ini):
        Settings(self.named[name], self.all.bed["lb"].address).apply(ini)

    def commands(self, text):
        for line in text.splitlines():
            name, command = re.fullmatch(r"(\w+)# (.+)", line).groups()
            words = shlex.split(command)
            self.say(line)
            if words[0] == "roompayctl":
                self.ctl(self.named[name], words[1:])
            else:
                self.systemctl(self.named[name], *words[1:])

    def ctl(self, machine, words):
        if words == ["status"]:  # "Ask until it says"
            eventually(lambda: "yes" if self.is_open(machine) else "", 60, 0.5)
        else:
            machine.ctl(*words)

    @staticmethod
    def is_open(machine):
        return "payments can be taken" in machine.ctl("status", code=None)

    def systemctl(self, machine, verb, *units):
        programs = [p for u in units if u != "--now" for p in UNITS[u]]
        if verb == "reload":
            machine._signal("workers", signal.SIGHUP)
        elif verb == "restart":
            for p in programs:
                machine.stop(p)
            if "queued" in programs:
                self.load.journal_is_gone()
            for p in programs:
                machine.start(p)
        elif verb == "stop":
            for p in programs:
                machine.stop(p)
        elif verb in ("enable", "start"):
            for p in programs:
                machine.start(p)
        else:
            raise AssertionError(f"systemctl {verb}: not a word of this test")


def run_inside(build, *argv, timeout=400):
    return net_bed.result_of(__file__, build, *argv, timeout=timeout)


if __name__ == "__main__":
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("build", type=pathlib.Path)
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--inside", action="store_true", help="the namespaces are there already")
    a = p.parse_args()
    if a.inside:
        say = lambda line: print(line, file=sys.stderr, flush=True)  # noqa: E731
        r = machine_failures.run(a.build, SIZE, a.seed, "disk", None, say, Guide)
    else:
        r = run_inside(a.build.resolve(), *sys.argv[2:])
    print(json.dumps(r))
