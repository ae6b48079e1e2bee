"""Three machines fail in every way, while users pay through the balancer.

For each failure: how long was no payment approved, how many users were told to come again, and was
any answer untrue? In the end what was captured is stored and delivered, and no two users ever had a
hold on the same time of a room. Runs in namespaces (net_bed.py), small or large, from a seed:

    machine_failures.py BUILD [--size small] [--seed N] [--case "machine killed"]"""

import argparse
import collections
import contextlib
import json
import os
import pathlib
import random
import shutil
import sys
import tempfile
import threading
import time

import net_bed
import set_failures
from booking_site import Site, eventually, new_id
from failing_set import Watch
from machines import Machines
from set_failures import QUICK, Failures, Load
from stack import StackError
from store_server import choose

HOT_ROOMS = 3
CHAOS = "one after another"
CHAOS_LIMIT_S = 2400
SLOW_CASES = (
    "machine frozen until the log was compacted",
    "clock half a second off",
    "clock two seconds off",
)
SMALL = {
    "settings": QUICK,
    "away_s": 3,
    "stopped_s": 6,
    "lone_s": 1.5,
    "per_s": 8,
    "deadline_ms": 6000,
    "cases": ("machine stopped in order", "machine killed", "primary killed"),
}
LARGE = {
    **SMALL,
    "away_s": 5,
    "stopped_s": 15,
    "cases": None,
    "queue": {"log_keep": 30, "log_snapshot_every": 20},
}
# A snapshot has all holds and orders of the run, in the end some MiB.
PROVE = {
    **LARGE,
    "stopped_s": 6,
    "per_s": 24,
    "captures": 10000,
    "queue": {"log_keep": 30, "log_snapshot_every": 200},
}
SIZES = {"small": SMALL, "large": LARGE, "prove": PROVE}


class Grants:
    """Who certainly had a hold on which time of a room, and when: from the moment at which it was
    told 200 to the moment before it was first given up."""

    def __init__(self):
        self.lock, self.of_room = threading.Lock(), collections.defaultdict(list)
        self.by_tid = {}

    def granted(self, room, span, order, tid):
        grant = {"span": span, "order": order, "from": time.monotonic(), "to": None}
        with self.lock:
            self.of_room[room].append(grant)
            self.by_tid[tid] = grant

    def given_up(self, tid):
        with self.lock:
            if tid in self.by_tid and self.by_tid[tid]["to"] is None:
                self.by_tid[tid]["to"] = time.monotonic()

    def overlaps(self):
        found = []
        for room, grants in self.of_room.items():
            for i, a in enumerate(grants):
                for b in grants[i + 1 :]:
                    if self._meet(a, b):
                        found.append(f"{room}: {a['order']} and {b['order']} at the same time")
        return found

    @staticmethod
    def _meet(a, b):
        if a["order"] == b["order"]:
            return False
        together = a["span"][0] < b["span"][1] and b["span"][0] < a["span"][1]
        late, early = max(a["from"], b["from"]), [t for t in (a["to"], b["to"]) if t is not None]
        return together and all(late < t for t in early)


class Crowd(Load):
    """Every second visitor wants a time that others want, too."""

    def __init__(self, site, per_s, seed, grants):
        super().__init__(site, per_s)
        self.rng, self.grants = random.Random(seed), grants
        self.hot = [new_id() for _ in range(HOT_ROOMS)]
        self.told = collections.defaultdict(collections.Counter)  # case -> answer -> how often
        self.refused = 0

    def _note(self, a):
        """Told in the case that runs now: a visitor of the one before may meet its failure."""
        with self.lock:
            told = self.told[self.case]
            told["no answer" if a is None else f"{a.status} {a.code or ''}".strip()] += 1

    def _pay(self, case, n, end):
        with self.lock:
            rng = random.Random(self.rng.random())
        hot = n % 2 == 0
        start = rng.randrange(8, 16)
        span = (start, start + rng.choice((1, 2)))
        user, order = f"{'hot' if hot else 'u'}-{case}-{n}", f"{case}-{n}-{new_id()[:6]}"
        body = self.site.booking(
            user=user,
            order=order,
            room=rng.choice(self.hot) if hot else None,
            start=(span[0],),
            end=(span[1],),
        )
        room = body["reservationInfo"]["roomId"]
        a = self._until(
            end,
            lambda: self.site.ready(body),
            lambda a: self._look_at_ready(case, order, a),
            ("slot-held", "slot-sold"),
        )
        if a.status != 200:
            self.refused += 1
            return
        tid = a.body["tid"]
        self.grants.granted(room, span, order, tid)
        with self.lock:
            self.orders[order] = (case, tid)
        if hot and rng.random() < 0.3:
            self._give_up(user, room, tid, end)
        else:
            self._confirm(case, n, (user, room, order, tid), end)

    def _look_at_ready(self, case, order, a):
        fine = (200, 409, 500, 502, 503, 504)
        if a is not None and a.status not in fine:
            self._complain(case, f"payReady of {order}: {a}")

    def _give_up(self, user, room, tid, end):
        self.grants.given_up(tid)
        self._until(
            end,
            lambda: self.site.remove(user, room, caller="gateway"),
            lambda a: None,
            ("no-hold",),
        )

    def _confirm(self, case, n, who, end):
        user, room, order, tid = who
        token = self.site.sim.pay(tid)
        began = time.monotonic()
        truth = set_failures.Truth(self.site, tid, lambda s: self._complain(case, f"{order}: {s}"))
        first = self._until(end, lambda: self.site.approve(user, room, token), truth.look)
        with self.lock:
            self.paid.append(time.monotonic())
            self.waits[case] = max(self.waits.get(case, 0), time.monotonic() - began)
        if n % 3 == 0 and n % 2:  # comes back: the same answer, or none, but never another one
            again = self._until(end, lambda: self.site.approve(user, room, token), truth.look)
            if again.body != first.body:
                self._complain(case, f"{order}: {first} and then {again}")


class MachineFailures(Failures):
    def __init__(self, build, mongod, size, seed, log, say=lambda line: None):
        self.size, self.say, self.rows, self.build = size, say, [], build
        self.seed, self.log, self.mongod = seed, log, mongod
        self.rng, self.grants = random.Random(seed), Grants()
        self.dir = tempfile.mkdtemp(prefix="roompay-machines-")

    # -- the run

    @contextlib.contextmanager
    def site_of_machines(self, **more):
        conf = {
            "fcgi": {"deadline": self.size["deadline_ms"], "drain": 4},
            "queue": {"sold_guard": 0, "max_holds_per_user": 1000, **self.size.get("queue", {})},
        }
        with Machines(
            self.build, self.mongod, self.dir, self.log, conf, self.size["settings"], **more
        ) as self.all:
            self.set, self.machines, self.world = self.all.set, self.all.machines, self.all.world
            self.site = Site(self.world)
            self.notice_removals()
            yield
            self.site.db.client.close()

    def notice_removals(self):
        """The reservation service is about to remove a paid hold: from now on it may be gone."""
        take = self.world.reservation.on_message

        def noticed(message):
            self.grants.given_up(message["data"].get("tid"))
            return take(message)

        self.world.reservation.on_message = noticed
        self.world.patience = 2 * set_failures.VISIT_S

    def run_all(self, names):
        wanted = names or self.size["cases"]
        with self.site_of_machines(), Watch(self.set.members) as self.watch:
            eventually(self.watch.is_whole, 60, 0.1)
            self.all.wait_until_ready()
            with Crowd(self.site, self.size["per_s"], self.seed, self.grants) as self.load:
                for name, case in CASES:
                    if wanted is None or name in wanted:
                        self.measure(name, case)
                self.fail_at_random()
                self.load.drain()
            self.judge()

    def fail_at_random(self):
        """One failure after another, until so many have paid."""
        wanted, done = self.size.get("captures", 0), collections.Counter()
        self.load.case, end = CHAOS, time.monotonic() + CHAOS_LIMIT_S
        while len(self.load.paid) < wanted:
            assert time.monotonic() < end, f"{len(self.load.paid)} of {wanted} payments in time"
            name, case = self.rng.choice([c for c in CASES if c[0] not in SLOW_CASES])
            self.say(f"{name} ...")
            case(self)
            self.settled()
            done[name] += 1
            self.say(
                f"{name}: {len(self.load.paid)} of {wanted} paid, {sum(done.values())} failures"
            )
        if wanted:
            zero = {member: 0 for _, member, form in COLUMNS if form != "{}"}
            self.rows.append({**zero, "case": CHAOS, "failures": dict(done)})

    def judge(self):
        super().judge()
        self.load.wrong += [("end", s) for s in self.grants.overlaps()]
        self.load.wrong += [
            ("end", f"{peer.name} got a message that is not signed")
            for peer in (self.world.reservation, self.world.gateway)
            if peer.bad
        ]
        for row in self.rows:
            told = self.load.told[row["case"]]
            row["told"] = dict(told.most_common())
            # not roompay's own: a web server or the balancer had nobody to ask
            row["lost"] = sum(
                n
                for what, n in told.items()
                if what == "no answer" or what in ("502", "503", "504")
            )
            row["errors"] = sum(
                n for what, n in told.items() if what[:3] not in ("200", "202", "409")
            )

    def measure_once(self, name, case):
        row = super().measure_once(name, case)
        row["allowed_s"] = round(ALLOWED_S.get(name, 2.0) * self.business(), 1)
        return row

    @staticmethod
    def business():
        """Where other programs want the processors too, everything takes longer."""
        return max(1, os.getloadavg()[0] / (set_failures.CALM * os.cpu_count()))

    def victim(self):
        return self.rng.choice(self.machines[self.log == "disk" :])

    # -- failures of machines. Each ends what it did; measure waits until payments flow

    def stop_in_order(self):
        m = self.victim()
        m.leave(self.size["away_s"])
        m.start_all()

    def kill_machine(self):
        m = self.victim()
        m.kill_all()
        time.sleep(self.size["away_s"])
        m.start_all()

    def lose_machine(self):
        """Its power: nobody is told."""
        m = self.victim()
        self.all.bed.unplug(m.name)
        m.kill_all()
        time.sleep(self.size["away_s"])
        self.all.bed.plug(m.name)
        m.start_all()

    def freeze_machine(self):
        m = self.victim()
        m.suspend_all()
        try:
            time.sleep(self.size["stopped_s"])
        finally:
            m.resume_all()

    def log_numbers(self):
        """The first and the last number that the log has."""
        log = self.site.db.queue_log
        found = (log.find_one({}, {"_id": 1}, sort=[("_id", way)]) for way in (1, -1))
        return [int(d["_id"].split(":")[1]) for d in found]

    def freeze_past_compaction(self):
        """Until the log has deleted what this machine did not read, and more."""
        m = self.victim()
        stood_at = self.log_numbers()[1]
        m.suspend_all()
        try:
            eventually(lambda: self.log_numbers()[0] > stood_at + 1, 180, 1)
        finally:
            m.resume_all()
        eventually(m.is_ready, 30, 0.2)
        return {"stood_at": stood_at, "log_begins_at": self.log_numbers()[0]}

    def clock_half_a_second_off(self):
        self.run_with_clock_off(self.victim(), 500, True)

    def clock_two_seconds_off(self):
        """This machine serves nothing; the others do."""
        self.run_with_clock_off(self.victim(), 2000, False)

    def run_with_clock_off(self, m, ms, serves):
        m.set_clock_off(ms)
        try:
            eventually(lambda: m.is_ready() == serves, 20, 0.2)
            time.sleep(self.size["away_s"])
            if serves:  # a busy host is not ready at every moment
                eventually(m.is_ready, 5, 0.2)
            else:
                assert not m.is_ready(), f"{m.name} with a clock {ms} ms off"
        finally:
            m.set_clock_off(0)
        eventually(m.is_ready, 20, 0.2)

    def cut_off_machine(self):
        m = self.victim()
        self.all.cut_off(m)
        try:
            time.sleep(self.size["stopped_s"])
        finally:
            self.all.mend(m)

    def slow_machine(self):
        m = self.victim()
        self.all.bed.delay(m.name, 20, 20, self.seed)
        try:
            time.sleep(self.size["stopped_s"])
        finally:
            self.all.bed.delay(m.name, 0)

    def kill_programs(self):
        """One after another, anywhere."""
        end = time.monotonic() + self.size["stopped_s"]
        while time.monotonic() < end:
            m = self.victim()
            name = self.rng.choice(m.ORDER)
            m.kill(name)
            time.sleep(self.rng.uniform(0.2, 1))
            m.start(name)


CASES = [
    ("machine stopped in order", MachineFailures.stop_in_order),
    ("machine killed", MachineFailures.kill_machine),
    ("machine without power", MachineFailures.lose_machine),
    ("machine frozen", MachineFailures.freeze_machine),
    ("machine frozen until the log was compacted", MachineFailures.freeze_past_compaction),
    ("clock half a second off", MachineFailures.clock_half_a_second_off),
    ("clock two seconds off", MachineFailures.clock_two_seconds_off),
    ("machine cut off from the database", MachineFailures.cut_off_machine),
    ("machine with slow packets", MachineFailures.slow_machine),
    ("programs killed", MachineFailures.kill_programs),
    ("primary steps down", Failures.step_down),
    ("primary killed", Failures.kill_primary),
    ("primary stopped", Failures.suspend_primary),
    ("primary cut off", Failures.cut_primary),
    ("two of three gone", Failures.kill_two),
    ("writes rolled back", Failures.force_rollback),
]
ALLOWED_S = {  # beyond MongoDB's own pause; 2 s where nothing stands here
    "machine stopped in order": 1.0,
    "machine killed": 1.0,
    "machine without power": 1.0,
    "machine frozen": 1.0,
    "machine frozen until the log was compacted": 1.0,
    "clock half a second off": 1.0,
    "clock two seconds off": 1.0,
    "machine cut off from the database": 1.0,
    "machine with slow packets": 1.0,
    "primary stopped": 3.0,
    "primary cut off": 3.0,
    "writes rolled back": 3.0,
}

COLUMNS = [*set_failures.COLUMNS, ("errors told", "errors", "{}")]


def rows(result):
    return [[form.format(r[member]) for _, member, form in COLUMNS] for r in result["cases"]]


# -- planted: one journal on three machines


class Copied(MachineFailures):
    """What the judge must find: three machines that begin from copies of one journal, each for
    itself. It is the mistake of whoever copies a queue and does not take the old one away."""

    def run_all(self, names):
        with self.site_of_machines(started=1):
            one, *others = self.machines
            self.all.wait_until_ready()
            one.stop("queued")
            for m in others:
                m.copy_queue_of(one)
            one.start("queued")
            for m in others:
                m.start_all()
            for m in self.machines:
                eventually(m.is_ready, 30, 0.1)
            with Crowd(self.site, self.size["per_s"], self.seed, self.grants) as self.load:
                time.sleep(self.size["stopped_s"])
                self.load.stop.set()
            self.load.wrong = [("end", s) for s in self.grants.overlaps()]


class PutBack(MachineFailures):
    """An older copy of the database is put back under running machines: they notice, and nobody is
    charged until the newest copy is there again."""

    def copy(self, name):
        for m in self.set.members:
            shutil.copytree(m.path, self.copies / name / m.path.name)

    def put_back(self, name):
        for m in self.set.members:
            m.kill()
        for m in self.set.members:
            shutil.rmtree(m.path)
            shutil.copytree(self.copies / name / m.path.name, m.path)
        self.set.start(60)

    def copy_now(self, name):
        self.set.stop()
        self.copy(name)
        self.set.start(60)

    def wait_for_payments(self, n):
        before = len(self.load.paid)
        eventually(lambda: len(self.load.paid) >= before + n, 60, 0.1)

    def run_all(self, names):
        self.copies = pathlib.Path(self.dir) / "copies"
        with self.site_of_machines():
            self.all.wait_until_ready()
            with Crowd(self.site, self.size["per_s"], self.seed, self.grants) as self.load:
                self.load.case = "put back"
                self.wait_for_payments(10)
                self.copy_now("older")
                self.wait_for_payments(20)
                self.set.stop()
                self.copy("newest")
                self.put_back("older")
                row = self.look_at_fences()
                self.put_back("newest")
                for m in self.machines:  # a fence stays until the daemon looks again
                    m.stop("queued")
                    m.start("queued")
                for m in self.machines:
                    eventually(m.is_ready, 60, 0.2)
                self.wait_for_payments(10)
                self.load.drain()
            self.rows = [{"case": "put back", **row}]
            self.judge()

    def look_at_fences(self):
        time.sleep(3)
        captured = len(self.site.sim.captures())
        ready = []
        for _ in range(20):
            ready += [m.name for m in self.machines if m.is_ready()]
            time.sleep(0.2)
        said = [m.log_tail("queued", 1000).count("log_behind") for m in self.machines]
        more = len(self.site.sim.captures()) - captured
        if ready or more:
            self.load.wrong.append(("put back", f"ready: {ready}, {more} captures"))
        return {"told_log_behind": said}


def why_not(build):
    """Why there can be no machines here; None: there can."""
    if choose(build)[0] != "mongod":
        return "no mongod: no replica set"
    if shutil.which("haproxy", path=os.environ["PATH"] + ":/usr/sbin") is None:
        return "haproxy is not installed"
    return net_bed.why_not()


def run(
    build, size, seed=1, log="mongodb", names=None, say=lambda line: None, kind=MachineFailures
):
    engine, mongod = choose(build)
    if engine != "mongod":
        raise StackError("no mongod: no replica set")
    return {"seed": seed, **kind(build, mongod, size, seed, log, say).run(names)}


def run_inside(build, *argv, timeout=900):
    """Runs this program in namespaces of its own; its result. Everything is gone afterwards."""
    return net_bed.result_of(__file__, build, *argv, timeout=timeout)


if __name__ == "__main__":
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("build", type=pathlib.Path)
    p.add_argument("--size", choices=SIZES, default="small")
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--log", default="mongodb")
    p.add_argument("--case", action="append")
    p.add_argument("--captures", type=int, help="at least so many payments, under random failures")
    p.add_argument("--copied", action="store_true", help="one journal on three machines")
    p.add_argument("--put-back", action="store_true", help="an older database")
    p.add_argument("--inside", action="store_true", help="the namespaces are there already")
    a = p.parse_args()
    if not a.inside:
        r = run_inside(a.build.resolve(), *sys.argv[2:], timeout=2 * CHAOS_LIMIT_S)
    else:
        r = run(
            a.build.resolve(),
            {**SIZES[a.size], **({"captures": a.captures} if a.captures else {})},
            a.seed,
            a.log,
            a.case,
            lambda line: print(line, file=sys.stderr, flush=True),
            Copied if a.copied else PutBack if a.put_back else MachineFailures,
        )
    print(json.dumps(r))
