"""kill -9 of a worker, a gatherer, the queue, the courier and the store at every step of payReady, approve, removal and refund; then a restart, and the world must be whole.

Steps are not guessed and nothing sleeps to hit one: tests/prove/killpoint.c, preloaded into the worker (or the gatherer, the daemon, the courier), counts what leaves the program
and kills at the chosen one. kakaopay-sim's list of captures is the judge."""

import argparse
import json
import mmap
import pathlib
import struct
import sys
import tempfile
import time

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parents[1] / "system")]
from booking_site import Site, eventually, new_id  # noqa: E402
from mongo_set import MongoSet  # noqa: E402
from stack import Stack, name_of  # noqa: E402
from store_server import choose  # noqa: E402

CONF = {"fcgi": {"deadline": 5000}, "queue": {"max_holds_per_user": 1000}}
STEPS_MAX = 200
ROWS = [  # who counts its steps, who dies, in which query
    ("workers", "workers", "payReady"),
    ("workers", "workers", "approve"),
    ("workers", "workers", "removal"),
    ("workers", "workers", "refund"),
    ("workers", "queued", "payReady"),
    ("workers", "queued", "approve"),
    ("workers", "queued", "removal"),
    ("workers", "queued", "refund"),
    ("workers", "courier", "approve"),
    ("workers", "courier", "refund"),
    ("workers", "store", "payReady"),
    ("workers", "store", "approve"),
    ("workers", "store", "removal"),
    ("workers", "store", "refund"),
    ("queued", "queued", "payReady"),
    ("queued", "queued", "approve"),
    ("queued", "queued", "removal"),
    ("courier", "courier", "approve"),
    ("courier", "courier", "refund"),
    ("courier", "store", "approve"),
]

PRIMARY_ROWS = [
    *(("workers", "primary", what) for what in ("payReady", "approve", "removal", "refund")),
    ("courier", "primary", "approve"),
]
# The courier never rests: so many of its steps are looked at.
COURIER_STEPS = {"courier": 40, "store": 16, "primary": 16}
GATHERERS = {"light gatherer": "roompay-light", "heavy gatherer": "roompay-heavy"}
GATHERER_ROWS = [  # what one of them is asked in the other queries: nothing
    *(("light gatherer", "light gatherer", what) for what in ("payReady", "removal", "refund")),
    *(("heavy gatherer", "heavy gatherer", what) for what in ("approve", "removal", "refund")),
]


class Control:
    """The numbers that killpoint.c shares with us."""

    def __init__(self, path):
        path.write_bytes(bytes(64))
        self.path = path
        with open(path, "r+b") as file:
            self.map = mmap.mmap(file.fileno(), 64)

    def __getitem__(self, i):
        return struct.unpack_from("q", self.map, 8 * i)[0]

    def __setitem__(self, i, value):
        struct.pack_into("q", self.map, 8 * i, value)

    ARMED, COUNT, AT, PID, AFTER, FIRED, SIGNAL, COUNTER = range(8)

    def arm(self, at, pid=0, after=0, signum=0, counter=0):
        self[self.ARMED] = 0
        self[self.COUNT], self[self.AT], self[self.PID], self[self.AFTER], self[self.FIRED] = (
            0,
            at,
            pid,
            after,
            0,
        )
        self[self.SIGNAL], self[self.COUNTER] = signum, counter
        self[self.ARMED] = 1

    def disarm(self):
        self[self.ARMED] = self[self.AT] = 0
        time.sleep(0.002)  # who is about to die does so
        return self[self.FIRED]


class Run:
    TRIES = 1  # so many queries without such a step are the proof that there is none

    def __init__(self, build, mongo_uri=None, **more):
        more = {"workers": 1, **more}
        self.stack = Stack(build, auto_remove=False, conf=CONF, mongo_uri=mongo_uri, **more)
        self.controls = {}
        self.seen = []  # (what, user, room, order, tid, pg_token, refundId)
        self.points = 0

    def __enter__(self):
        so = self.stack.build / "tests/prove/killpoint.so"
        for name in ("workers", "queued", "courier"):
            control = Control(pathlib.Path(self.stack.dir) / f"{name}.killpoint")
            self.controls[name] = control
            self.stack.preload[name] = {"LD_PRELOAD": str(so), "KILLPOINT": str(control.path)}
        self.stack.__enter__()
        self.site = Site(self.stack)
        return self

    def __exit__(self, *exc):
        self.site.db.client.close()
        self.stack.__exit__(*exc)

    # -- the queries. A request whose server dies has no answer

    def ask(self, what):
        try:
            return what()
        except OSError:
            return None

    def query(self, what, c):
        s, (user, room, _order) = self.site, c["who"]
        if what == "payReady":
            return self.ask(lambda: s.ready(c["body"]))
        if what == "approve":
            return self.ask(lambda: s.approve(user, room, c["token"]))
        if what == "removal":
            return self.ask(lambda: s.remove(user, room, c["tid"]))
        return self.ask(lambda: s.refund(c["tid"], c["refund"], 1000))

    def prepared(self, what):
        s, user, room, order = self.site, "u-" + new_id(), new_id(), "o-" + new_id()
        c = {
            "what": what,
            "who": (user, room, order),
            "body": s.booking(user=user, room=room, order=order),
            "refund": "r-1",
        }
        if what != "payReady":
            a = eventually(
                lambda: [
                    a
                    for a in [self.ask(lambda: s.ready(c["body"]))]
                    if a is not None and a.status == 200
                ],
                20,
            )[0]
            c["tid"] = a.body["tid"]
            c["token"] = s.sim.pay(c["tid"])
        if what in ("removal", "refund"):
            eventually(
                lambda: [
                    a for a in [self.query("approve", c)] if a is not None and a.status == 200
                ],
                20,
            )
        return c

    def victim(self, dies):
        return self.stack._targets(dies)[0]

    def counter(self, counts):
        """Whose steps, where several processes could count them; 0: there is one."""
        return 0

    def has_died(self, dies):
        return self.stack._gone(dies, 10)

    def all_up(self):
        """Everything that died is started again. A worker that found queue or store away looks again after a second."""
        for name in self.stack.ORDER:
            if not self.stack._targets(name):
                self.stack.processes.pop(name, None)
                self.stack.pids.pop(name, None)
                self.stack.start(name)
        eventually(
            lambda: (
                self.ask(lambda: self.site.get("/readyz")) is not None
                and self.site.get("/readyz").status == 200
            ),
            30,
        )

    def point(self, counts, dies, what, at, after):
        """False: the query has no such step."""
        c = self.prepared(what)
        pid = 0 if counts == dies else self.victim(dies)
        self.controls[counts].arm(at, pid, after, counter=self.counter(counts))
        self.query(what, c)
        if counts == "courier" or (dies == "courier" and counts != "courier"):
            end = time.monotonic() + 1.5
            while (
                self.controls[counts][Control.FIRED] == 0
                and counts == "courier"
                and time.monotonic() < end
            ):
                time.sleep(0.01)
        fired = self.controls[counts].disarm()
        self.seen.append(c)
        if fired:
            self.points += 1
            assert self.has_died(dies)
            self.all_up()
            if at % 2:  # half of the gateways ask again, the others leave it to the courier
                self.query(what, c)
        return bool(fired)

    # -- the end

    def captured(self, c):
        return [x for x in self.captures if x["partner_order_id"] == c["who"][2]]

    def settle(self):
        """What was captured is stored, recorded and told by nobody but the courier."""
        self.captures = self.site.sim.captures()

        def whole():
            paid = {p["tid"] for p in self.site.db.payments.find()}
            approved = {e["tid"] for e in self.site.db.ledger.find({"kind": "approved"})}
            tids = {x["tid"] for x in self.site.sim.captures()}
            return tids <= paid and tids <= approved

        eventually(whole, 60, 0.5)
        self.tell({"type": "payment.approved"})

    def tell(self, what):
        """Every such message is taken. One that many couriers died with has its next try ten minutes
        later: the operator asks for it. One that was taken may stand there until then, where
        the server was away for its removal."""
        db = self.site.db

        def untold():
            owed = [m["_id"] for m in db.outbox.find(what, {"_id": 1})]
            taken = {"message_id": {"$in": owed}, "acknowledged": True}
            return set(owed) - {d["message_id"] for d in db.deliveries.find(taken)}

        def is_told():
            try:
                return eventually(lambda: not untold(), 60, 0.5)
            except AssertionError:
                return False

        if is_told():
            return
        argv = ("deliveries", "retry", "--all", "--reason", "couriers died with it")
        asked = self.stack.ctl(*argv, code=None)
        if is_told():
            return
        ids = {"$in": sorted(untold())}
        messages = list(db.outbox.find({"_id": ids}))
        tries = list(db.deliveries.find({"message_id": ids}))
        raise AssertionError(f"never taken: {messages}, {tries}; {asked}")

    def repeat(self):
        """The users come back."""
        s = self.site
        for c in self.seen:
            user, room, _order = c["who"]
            if c["what"] == "payReady":
                a = eventually(
                    lambda: [
                        a for a in [self.query("payReady", c)] if a is not None and a.status == 200
                    ],
                    30,
                    0.3,
                )[0]
                c["tid"] = a.body["tid"]
                c["token"] = s.sim.pay(c["tid"])
            a = eventually(
                lambda: [a for a in [s.approve(user, room, c["token"])] if a.status == 200], 30, 0.3
            )[0]
            assert a.body["charged"] is True, (c, a)
            if c["what"] == "refund":
                a = eventually(
                    lambda: [a for a in [self.query("refund", c)] if a.status == 200], 200, 0.5
                )[0]
                assert a.body["canceled"] == 1000, (c, a)
            assert s.remove(user, room, c["tid"]).body["removed"] is True, c

    def judge(self):
        s = self.site
        self.captures = s.sim.captures()
        received = {
            m["data"]["tid"]
            for m in list(self.stack.reservation.received)
            if m["type"] == "payment.approved"
        }
        taken = {d["message_id"] for d in s.db.deliveries.find({"acknowledged": True})}
        for c in self.seen:
            _user, room, order = c["who"]
            assert f"payment.approved.{c['tid']}" in taken, c
            mine, stored = self.captured(c), s.payments(order)
            assert len(mine) == len(stored) == 1, (c, mine, stored)
            assert stored[0]["tid"] == mine[0]["tid"] == c["tid"] in received, c
            assert s.held(room) == [], c
            if c["what"] == "refund":
                assert s.sim.order(c["tid"])["canceled_amount"]["total"] == 1000, c
        assert s.db.open.count_documents({}) == 0, list(s.db.open.find())
        assert self.stack.reservation.bad == [] and self.stack.gateway.bad == []
        return {
            "kill_points": self.points,
            "orders": len(self.seen),
            "captures": len(self.captures),
        }


class PrimaryRun(Run):
    """The primary of a replica set of three dies; the other two elect, then it comes back."""

    def __init__(self, build, mongo_set):
        self.set = mongo_set
        super().__init__(build, mongo_set.uri)

    def victim(self, dies):
        self.dying = self.set.wait_for_primary()
        return self.dying.process.pid

    def has_died(self, dies):
        self.dying.process.wait(10)
        return True

    def all_up(self):
        self.dying.start()
        self.set.wait_for_primary()
        super().all_up()


class GathererRun(Run):
    """One of the two processes through which all workers of a master ask the database dies; the
    worker asks by itself, and the master starts another one."""

    TRIES = 2  # a worker whose gatherer died asks by itself for up to 5 s; a new one asks at once

    def __init__(self, build):
        super().__init__(build, workers=2, mode="master")
        self.fired = True

    def __enter__(self):
        super().__enter__()
        for gatherer in GATHERERS:
            self.controls[gatherer] = self.controls["workers"]
        return self

    def find(self, gatherer):
        """Its process; 0: there is none."""
        pids = self.stack.gatherer_pids()
        return next((p for p in pids if name_of(p) == GATHERERS[gatherer]), 0)

    def counter(self, counts):
        if not self.fired:
            self.stack.kill("workers")
            self.all_up()
        self.dying = eventually(lambda: self.find(counts), 10, 0.05)
        time.sleep(0.25)  # so long a worker does not look for it
        return self.dying

    def point(self, *which):
        self.fired = super().point(*which)
        return self.fired

    def has_died(self, dies):
        return eventually(lambda: self.dying not in self.stack.gatherer_pids(), 10, 0.01)


def run_primary(build, mongod, stride=1, say=lambda line: None):
    """kill -9 of the primary at every stride-th step of each query."""
    with (
        tempfile.TemporaryDirectory(prefix="roompay-set-") as dir,
        MongoSet(mongod, dir, members=3) as s,
    ):
        return go(PrimaryRun(build, s), PRIMARY_ROWS, stride, 0, False, say)


def run(
    build,
    rows=ROWS,
    gatherer_rows=GATHERER_ROWS,
    stride=1,
    offset=0,
    both=True,
    say=lambda line: None,
):
    """Every stride-th step of each row, before it and (both) after it."""
    found = go(Run(build), rows, stride, offset, both, say)
    more = go(GathererRun(build), gatherer_rows, stride, offset, both, say)
    return {key: found[key] + more[key] for key in found}


def go(run, rows, stride, offset, both, say):
    began = time.monotonic()
    table = []
    with run as r:
        for counts, dies, what in rows:
            for after in (0, 1) if both else (0,):
                n = 0
                for at in range(1 + offset % stride, STEPS_MAX, stride):
                    tries = range(1 if counts == "courier" else r.TRIES)
                    fired = any(r.point(counts, dies, what, at, after) for _ in tries)
                    if not fired and counts != "courier":
                        break
                    n += 1
                    if counts == "courier" and at >= COURIER_STEPS[dies]:
                        break
                assert n > 0 or offset > 0, f"{counts} has no step in {what}"
                table.append(
                    {
                        "counts": counts,
                        "dies": dies,
                        "query": what,
                        "after": bool(after),
                        "points": n,
                    }
                )
                say(
                    f"{counts:14} {dies:14} {what:9} {'after' if after else 'before':6} {n:3} points, {time.monotonic() - began:.0f} s"
                )
        r.settle()
        r.repeat()
        r.tell({})
        eventually(lambda: r.site.db.open.count_documents({}) == 0, 30, 0.5)
        return {**r.judge(), "seconds": round(time.monotonic() - began), "rows": table}


if __name__ == "__main__":
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("build")
    p.add_argument("--stride", type=int, default=1)
    p.add_argument("--before-only", action="store_true")
    p.add_argument(
        "--primary",
        action="store_true",
        help="of a replica set of three, instead of everything else",
    )
    a = p.parse_args()
    if a.primary:
        print(
            json.dumps(
                run_primary(
                    pathlib.Path(a.build),
                    choose(a.build)[1],
                    a.stride,
                    lambda line: print(line, flush=True),
                )
            )
        )
        sys.exit()
    print(
        json.dumps(
            run(
                pathlib.Path(a.build),
                stride=a.stride,
                both=not a.before_only,
                say=lambda line: print(line, flush=True),
            )
        )
    )
