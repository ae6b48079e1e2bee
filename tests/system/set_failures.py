"""A replica set of three fails in every way, while payments go on through the three queries.

For each failure: how long was there no primary, and how long was no payment approved? No answer may
be untrue, and in the end what was captured is stored and delivered. `make prove` runs the long form
with MongoDB's own settings; dev/test a short one with a set that elects sooner."""

import argparse
import itertools
import json
import os
import pathlib
import random
import shutil
import tempfile
import threading
import time

from booking_site import Site, eventually, new_id
from failing_set import FailingSet, Watch, longest_gap
from stack import Stack

BEYOND_S = 3.0  # how much longer than MongoDB itself payments may be away
TRIES = 2  # the better counts: another program may have had the processor
CALM = 3  # processes that want a processor, for each that there is: so many are ours
QUICK = {"electionTimeoutMillis": 2000, "heartbeatIntervalMillis": 500, "heartbeatTimeoutSecs": 2}
MONGODBS_OWN = {"electionTimeoutMillis": 10000}
SHORT = {
    "settings": QUICK,
    "away_s": 4,
    "stopped_s": 10,
    "lone_s": 1.5,
    "per_s": 6,
    "deadline_ms": 6000,
}
LONG = {
    "settings": MONGODBS_OWN,
    "away_s": 15,
    "stopped_s": 40,
    "lone_s": 6,
    "per_s": 8,
    "deadline_ms": 13000,
}
# Visitors at a time, and in seconds of arrivals. Those who asked a machine that is frozen wait until
# it goes on; there must be room for others meanwhile, or it looks as if nobody could pay.
LIVE_MIN, LIVE_ARRIVALS_S = 40, 5
PAUSE_S = 0.5  # before a visitor asks again
LONG_WAIT_S = 20  # who waits longer is told of in the result
VISIT_S = 150  # no visitor tries longer


class Load:
    """Visitors who come at a steady rate, however long those before them must wait. Each opens an
    order, pays, and repeats approvePayment until it is told 200."""

    def __init__(self, site, per_s):
        self.site, self.per_s, self.case = site, per_s, "before"
        self.live_max = max(LIVE_MIN, LIVE_ARRIVALS_S * per_s)
        self.paid, self.wrong, self.orders = [], [], {}  # orders: order -> (case, tid)
        self.slow = []
        self.waits = {}  # case -> longest seconds from approve to 200
        self.lock, self.stop, self.visitors = threading.Lock(), threading.Event(), []
        self.usher = threading.Thread(target=self._usher, daemon=True)

    def __enter__(self):
        self.usher.start()
        return self

    def __exit__(self, *exc):
        self.stop.set()
        self.usher.join(10)

    def _usher(self):
        n = 0
        while not self.stop.wait(1 / self.per_s):
            self.visitors = [t for t in self.visitors if t.is_alive()]
            if len(self.visitors) < self.live_max:
                n += 1
                t = threading.Thread(target=self._visit, args=(self.case, n), daemon=True)
                self.visitors.append(t)
                t.start()

    def drain(self, seconds=VISIT_S):
        """Nobody new comes in; those who are inside end."""
        self.stop.set()
        self.usher.join(10)
        end = time.monotonic() + seconds
        for t in self.visitors:
            t.join(max(0.1, end - time.monotonic()))
        self.wrong += [
            (self.case, "a visitor is still waiting") for t in self.visitors if t.is_alive()
        ]

    def _complain(self, case, sentence):
        with self.lock:
            self.wrong.append((case, sentence))

    # -- one visitor

    def _visit(self, case, n):
        try:
            self._pay(case, n, time.monotonic() + VISIT_S)
        except Exception as e:  # whatever it was: the case is not proven
            self._complain(case, f"{type(e).__name__}: {e}"[:600])

    def _note(self, a):
        """Each answer; None: there was none."""

    def _until(self, end, call, look, also=()):
        """Asks until the answer is 200, or has one of these codes. look: is told of every answer, and
        of a repeat (None)."""
        while time.monotonic() < end:
            try:
                a = call()
            except OSError:
                a = None
            self._note(a)
            if a is not None:
                look(a)
                if a.status == 200 or a.code in also:
                    return a
            time.sleep(PAUSE_S * random.uniform(0.7, 1.3))
            look(None)
        raise AssertionError("not within its time")

    def _pay(self, case, n, end):
        site, user, order = self.site, f"u-{case}-{n}", f"{case}-{n}-{new_id()[:6]}"
        body = site.booking(user=user, order=order)
        room = body["reservationInfo"]["roomId"]

        def look_at_ready(a):
            if (
                a is not None
                and a.status not in (200, 500, 503)
                and a.code != "payment-in-progress"
            ):
                self._complain(case, f"payReady of {order}: {a}")

        tid = self._until(end, lambda: site.ready(body), look_at_ready).body["tid"]
        with self.lock:
            self.orders[order] = (case, tid)
        token = site.sim.pay(tid)
        began = time.monotonic()
        teller = Truth(site, tid, lambda sentence: self._complain(case, f"{order}: {sentence}"))
        first = self._until(end, lambda: site.approve(user, room, token), teller.look)
        with self.lock:
            self.paid.append(time.monotonic())
            wait = time.monotonic() - began
            self.waits[case] = max(self.waits.get(case, 0), wait)
            if wait > LONG_WAIT_S:
                self.slow.append(
                    f"{order} {tid}: {wait:.1f} s: "
                    + ", ".join(h for h, _ in itertools.groupby(teller.heard))
                )
        if n % 3 == 0:  # comes back: the same answer, or none, but never another one
            again = self._until(end, lambda: site.approve(user, room, token), teller.look)
            if again.body != first.body:
                self._complain(case, f"{order}: {first} and then {again}")


class Truth:
    """Holds what one visitor is told against the provider's own books."""

    def __init__(self, site, tid, complain):
        self.site, self.tid, self.complain = site, tid, complain
        self.denied = None  # the answer that said "not charged", until the next approve
        self.heard = []

    def captured(self):
        return self.site.sim.order(self.tid)["status"] == "SUCCESS_PAYMENT"

    def look(self, a):
        if a is None:
            if self.denied is not None and self.captured():
                self.complain(f"captured after {self.denied}")
            self.denied = None
            return
        charged = a.body.get("charged") if isinstance(a.body, dict) else None
        self.heard.append(f"{a.code or a.status} {charged} in {a.seconds:.1f} s")
        if a.status == 200 and charged is not True:
            self.complain(f"200 without charged: {a}")
        if charged is True and not self.captured():
            self.complain(f"not captured, and told {a}")
        if charged is False:
            self.denied = a
            if self.captured():
                self.complain(f"captured, and told {a}")
        if a.status in (402, 404, 410, 422) or a.code == "token-refused":
            self.complain(f"declined: {a}")


class Failures:
    def __init__(self, build, mongod, size, say=lambda line: None):
        self.size, self.say, self.rows = size, say, []
        self.dir = tempfile.mkdtemp(prefix="roompay-set-")
        self.set = FailingSet(mongod, self.dir, settings=size["settings"])
        self.build = build

    def run(self, names=None):
        try:
            self.run_all(names)
        finally:
            if "ROOMPAY_KEEP" not in os.environ:
                shutil.rmtree(self.dir, ignore_errors=True)
        return {
            "cases": self.rows,
            "wrong": [f"{c}: {s}" for c, s in self.load.wrong[:20]],
            "slow": self.load.slow,
        }

    def run_all(self, names):
        with self.set, Watch(self.set.members) as self.watch:
            eventually(self.watch.is_whole, 60, 0.1)
            conf = {"fcgi": {"deadline": self.size["deadline_ms"]}, "queue": {"sold_guard": 0}}
            with Stack(
                self.build, workers=12, mode="master", conf=conf, mongo_uri=self.set.uri
            ) as stack:
                stack.patience = 2 * VISIT_S
                self.site = Site(stack)
                with Load(self.site, self.size["per_s"]) as self.load:
                    for name, case in CASES:
                        if names is None or name in names:
                            self.measure(name, case)
                    self.load.drain()
                self.judge()
                self.site.db.client.close()

    # -- one case

    def paid_since(self, t):
        return [p for p in self.load.paid if p > t]

    def settled(self):
        """The set is whole, and payments flow."""
        now, enough = time.monotonic(), self.size["per_s"]
        try:
            eventually(
                lambda: self.watch.is_whole() and len(self.paid_since(now)) > enough, 120, 0.1
            )
        except AssertionError:
            roles = [(a or {}).get("isWritablePrimary") for a in self.watch.last]
            raise AssertionError(
                f"not settled after {self.load.case}: {len(self.paid_since(now))} payments, "
                f"primary or not: {roles}, wrong: {self.load.wrong[-5:]}"
            ) from None

    def measure(self, name, case):
        row = self.measure_once(name, case)
        for _ in range(TRIES - 1):
            if row["beyond_s"] <= row["allowed_s"]:
                break
            self.say(f"again: {row}")
            row = min(row, self.measure_once(name, case), key=lambda r: r["beyond_s"])
        self.rows.append(row)
        self.say(f"{name}: {row}")

    def measure_once(self, name, case):
        self.settled()
        self.load.case = name
        began = time.monotonic()
        more = case(self) or {}
        self.settled()
        end = time.monotonic()
        no_primary, no_write, no_payment = (
            longest_gap(times, began, end)
            for times in (self.watch.seen, self.watch.wrote, self.load.paid)
        )
        return {
            "case": name,
            "no_primary_s": round(no_primary, 1),
            "no_write_s": round(no_write, 1),
            "no_payment_s": round(no_payment, 1),
            "beyond_s": round(no_payment - max(no_primary, no_write), 1),
            "allowed_s": round(allowed_s(), 1),
            "seconds": round(end - began),
            **more,
        }

    def others(self, i):
        return [k for k in range(len(self.set.members)) if k != i]

    def new_primary(self, seconds=60):
        return eventually(
            lambda: [p for p in [self.watch.primary()] if p is not None], seconds, 0.02
        )[0]

    # -- the failures. Each ends what it did; measure waits until the set is whole

    def step_down(self):
        self.set.step_down(self.new_primary())

    def kill_primary(self):
        p = self.new_primary()
        self.set.kill_member(p)
        time.sleep(self.size["away_s"])
        self.new_primary()
        self.set.start_member(p)

    def suspend_primary(self):
        p = self.new_primary()
        self.set.members[p].suspend()
        try:
            time.sleep(self.size["stopped_s"])
        finally:
            self.watch.useless.add(p)  # it wakes up and believes what it believed
            self.set.members[p].resume()

    def cut_primary(self):
        p = self.new_primary()
        self.watch.useless.add(p)
        self.set.cut([p], self.others(p))
        try:
            self.new_primary()
            time.sleep(self.size["away_s"])
        finally:
            self.set.mend()

    def kill_secondary(self):
        s = self.others(self.new_primary())[0]
        self.set.kill_member(s)
        time.sleep(self.size["away_s"])
        self.set.start_member(s)

    def kill_two(self):
        p = self.new_primary()
        gone = [p, self.others(p)[0]]
        for i in gone:
            self.set.kill_member(i)
        time.sleep(self.size["away_s"])
        for i in gone:
            self.set.start_member(i)

    def wipe_secondary(self):
        s = self.others(self.new_primary())[0]
        self.set.kill_member(s)
        self.set.wipe_member(s)
        self.set.start_member(s)

    def force_rollback(self):
        """For a while nobody has a majority, and the old primary goes on; then the others elect."""
        p = self.new_primary()
        a, b = self.others(p)
        self.watch.useless.add(p)
        self.set.cut([p], [a], [b])
        with self.set.members[p].client(w=1) as c:
            c.other.get_collection("lost").insert_one(
                {"_id": new_id(), "told": "by the lone primary alone"}
            )
        try:
            time.sleep(self.size["lone_s"])
            self.set.cut([p], [a, b])
            self.new_primary()
        finally:
            self.set.mend()
        eventually(lambda: self.set.rolled_back(p), 120, 0.2)  # it may call itself secondary before
        return self.look_at_rollback(p)

    def look_at_rollback(self, p):
        """How many documents of which collection the lone primary took back."""
        found = self.set.rolled_back(p)
        names = {bytes(c["info"]["uuid"]).hex(): c["name"] for c in self.site.db.list_collections()}
        kinds = {}
        for uuid, docs in found.items():
            name = names.get(uuid.replace("-", ""), "others")
            kinds[name] = kinds.get(name, 0) + len(docs)
        return {"rolled_back": kinds}

    # -- the end

    def judge(self):
        """Captures = documents = deliveries, for each case; nothing is left open."""
        site, wrong = self.site, self.load.wrong
        eventually(lambda: site.get("/readyz").status == 200, 30, 0.5)
        try:
            eventually(
                lambda: (
                    site.db.outbox.count_documents({}) == 0
                    and site.db.open.count_documents({}) == 0
                ),
                90,
                0.5,
            )
        except AssertionError:
            wrong.append(
                (
                    "end",
                    f"not settled: {list(site.db.open.find().limit(3))}",
                )
            )
        captured = [c["tid"] for c in site.sim.captures()]
        stored = [d["tid"] for d in site.db.payments.find()]
        told = {}
        for m in site.stack.reservation.received:
            if m["type"] == "payment.approved":
                told.setdefault(m["data"]["tid"], set()).add(m["id"])
        for row in self.rows:
            tids = {tid for case, tid in self.load.orders.values() if case == row["case"]}
            row["captures"] = sum(t in tids for t in captured)
            row["documents"] = sum(t in tids for t in stored)
            row["deliveries"] = sum(t in told for t in tids)
            row["longest_wait_s"] = round(self.load.waits.get(row["case"], 0), 1)
            row["wrong"] = sum(case == row["case"] for case, _ in wrong)
        if not sorted(captured) == sorted(stored) == sorted(told):
            wrong.append(
                (
                    "end",
                    f"{len(captured)} captures, {len(stored)} documents, {len(told)} deliveries",
                )
            )
        wrong += [("end", f"{tid} under {ids}") for tid, ids in told.items() if len(ids) > 1]


CASES = [
    ("primary steps down", Failures.step_down),
    ("primary killed", Failures.kill_primary),
    ("primary stopped", Failures.suspend_primary),
    ("primary cut off", Failures.cut_primary),
    ("secondary killed", Failures.kill_secondary),
    ("two of three gone", Failures.kill_two),
    ("secondary wiped", Failures.wipe_secondary),
    ("writes rolled back", Failures.force_rollback),
]


def allowed_s():
    """Where other programs want the processors too, everything takes longer, so may this."""
    return BEYOND_S * max(1, os.getloadavg()[0] / (CALM * os.cpu_count()))


DONE = []  # results of this process: the tests print them at the end


def run(build, mongod, size, names=None, say=lambda line: None):
    DONE.append(Failures(build, mongod, size, say).run(names))
    return DONE[-1]


COLUMNS = [  # head, member, how it is written
    ("failure", "case", "{}"),
    ("no primary", "no_primary_s", "{:.1f} s"),
    ("no 6 writes", "no_write_s", "{:.1f} s"),
    ("no payment", "no_payment_s", "{:.1f} s"),
    ("beyond", "beyond_s", "{:.1f} s"),
    ("longest wait", "longest_wait_s", "{:.1f} s"),
    ("captures", "captures", "{}"),
    ("documents", "documents", "{}"),
    ("deliveries", "deliveries", "{}"),
    ("wrong answers", "wrong", "{}"),
]


def rows(result):
    return [[form.format(r[member]) for _, member, form in COLUMNS] for r in result["cases"]]


def lines(result):
    """The table of failures as text."""
    cells = [[head for head, _, _ in COLUMNS], *rows(result)]
    widths = [max(len(c[i]) for c in cells) for i in range(len(COLUMNS))]
    return [
        "  ".join(c[i].ljust(w) if i == 0 else c[i].rjust(w) for i, w in enumerate(widths))
        for c in cells
    ]


if __name__ == "__main__":
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("build")
    p.add_argument("--long", action="store_true")
    p.add_argument("--case", action="append")
    a = p.parse_args()
    top = pathlib.Path(a.build).resolve()
    r = run(
        top, top / "mongod", LONG if a.long else SHORT, a.case, lambda line: print(line, flush=True)
    )
    print("\n".join(lines(r)))
    print(json.dumps(r))
