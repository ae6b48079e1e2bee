"""Hundreds of users on few rooms, while KakaoPay fails in every way it knows, the store's network drops, delays and resets, and all programs are killed again and again.

Seeded: users, faults and kills follow from --seed. kakaopay-sim's list of captures is the judge: at most one capture an order, each stored as it was captured, told to the
reservation service, and answered truly; no two paid holds of a room at the same time; in the end nothing is open, owed or held."""

import argparse
import json
import os
import pathlib
import random
import signal
import sys
import threading
import time
from collections import Counter, defaultdict

sys.path[:0] = [
    str(pathlib.Path(__file__).resolve().parents[1] / "system"),
    str(pathlib.Path(__file__).resolve().parent),
]
import leaks  # noqa: E402
from booking_site import Site, eventually  # noqa: E402
from stack import Stack  # noqa: E402
from store_proxy import StoreProxy  # noqa: E402
from store_server import version  # noqa: E402

SHARES = {"drop_request": 0.0005, "drop_answer": 0.0005, "delay": 0.002, "reset": 0.0005}
FAULTS = [  # call, fault, share, more
    ("approve", "close-before", 0.02, {}),
    ("approve", "close-after", 0.02, {"after_commit": True}),
    ("approve", "reset-after", 0.01, {"after_commit": True}),
    ("approve", "html-502", 0.01, {"after_commit": True}),
    ("approve", "http-500", 0.01, {}),
    ("approve", "truncated-json", 0.01, {"after_commit": True}),
    ("approve", "error", 0.01, {"code": -10}),
    ("approve", "error", 0.01, {"code": -704}),
    ("approve", "delay", 0.01, {"delay_ms": 6000}),
    ("approve", "wrong-total", 0.002, {"after_commit": True}),
    ("approve", "missing-members", 0.01, {"after_commit": True}),
    ("ready", "close-after", 0.01, {}),
    ("ready", "http-500", 0.01, {}),
    ("ready", "delay", 0.01, {"delay_ms": 1000}),
    ("order", "http-500", 0.05, {}),
    ("order", "close-before", 0.03, {}),
    ("order", "delay", 0.02, {"delay_ms": 1500}),
    ("cancel", "close-after", 0.05, {"after_commit": True}),
    ("cancel", "http-500", 0.03, {}),
    ("cancel", "error", 0.02, {"code": -10}),
]
SWITCHES = [  # what KakaoPay's documents leave open: each way, in turn
    ("replayed_approve", [-702, -708, -723, -785]),
    ("inquiry_lag_s", [0, 2]),
    ("inquiry_lag_hides", [False, True]),
    ("approve_after_window", [False, True]),
    ("wrong_token_consumes", [False, True]),
    ("cancel_available_ignored", [False, True]),
    ("vat_rounding", [0, 1, -1]),
    ("approve_and_cancel_both", [False, True]),
]
KILLS = ["workers", "workers", "workers", "queued", "courier", "queued", "courier", "store"]


class Chaos:
    def __init__(self, build, seed, payments, users, rooms, kill_every_s, pause_s, say):
        self.random, self.seed, self.wanted, self.users, self.rooms, self.kill_every_s, self.say = (
            random.Random(seed),
            seed,
            payments,
            users,
            rooms,
            kill_every_s,
            say,
        )
        self.pause_s = pause_s
        conf = {
            "fcgi": {"deadline": 6000, "workers": 24},
            "queue": {"max_holds_per_user": 3, "sold_guard": 0},
        }
        self.stack = Stack(build, workers=24, mode="master", conf=conf, auto_remove=True)
        self.stack.patience = 600  # a store that was killed is away for long on a busy host
        self.proxy = (
            StoreProxy(self.stack.store.port, seed, SHARES) if self.stack.store_is_ours else None
        )
        if self.proxy is not None:
            text, uri = self.stack.conf_path.read_text(), self.stack.mongo_uri
            assert uri in text
            self.stack.conf_path.write_text(
                text.replace(uri, uri.replace(f":{self.stack.store.port}/", f":{self.proxy.port}/"))
            )
        self.stop = threading.Event()
        self.lock = threading.Lock()
        self.paid, self.started, self.wrong, self.kills = 0, 0, [], Counter()
        self.turned = Counter()
        self.orders = {}  # order -> (user, room, tid, pg_token, day, hour)
        self.refunded = set()
        self.answers = Counter()

    def note(self, what, a=None):
        with self.lock:
            self.answers[what if a is None else f"{what} {a.code or a.status}"] += 1

    def complain(self, sentence):
        with self.lock:
            self.wrong.append(sentence)

    def ask(self, what):
        try:
            return what()
        except (OSError, AssertionError) as e:
            if isinstance(e, AssertionError):
                text = str(e)
                if "502" not in text and "503" not in text and "500" not in text:
                    self.complain(text[:500])
            return None

    # -- one user

    def visit(self, rng, n):
        site, user = self.site, f"u-{rng.randrange(self.users)}"
        room = f"{rng.randrange(self.rooms):024x}"
        day, hour = rng.randrange(7), rng.randrange(23)
        self.stop.wait(rng.random() * self.pause_s)
        order = f"o-{self.seed}-{threading.get_ident()}-{n}"
        body = site.booking(
            user=user,
            room=room,
            order=order,
            day=(day,),
            start=(hour,),
            end=(hour + 1 + rng.randrange(2) * 0.5,),
        )
        a = self.ask(lambda: site.ready(body))
        self.note("payReady", a)
        if a is None or a.status != 200:
            return
        tid = a.body["tid"]
        if rng.random() < 0.05:
            return  # goes away
        try:
            token = site.sim.pay(tid)
        except (OSError, AssertionError):
            return
        with self.lock:
            self.orders[order] = (user, room, tid, token, day, hour, body)
        # of this order alone: the same three texts are the same call, and have its answer for ever
        wrong = f"wrong-{order}"
        said_false = False
        for _ in range(1 + rng.randrange(4)):
            b = self.ask(lambda: site.approve(user, room, token if rng.random() < 0.95 else wrong))
            self.note("approve", b)
            if b is not None and b.body is not None and b.status in (200, 202, 402, 409, 410):
                captured = (
                    list(site.sim.captures(order))
                    if b.body.get("charged") is not None and rng.random() < 0.2
                    else None
                )
                if (
                    captured is not None
                    and b.body.get("charged") is True
                    and b.code is None
                    and not captured
                ):
                    self.complain(f"{order}: charged is true and there is no capture: {b}")
                if b.status in (402, 410) and captured:
                    self.complain(f"{order}: {b.status} after a capture: {b}")
            if b is not None and b.status == 200:
                with self.lock:
                    self.paid += 1
                break
            if b is not None and b.status in (402, 410):
                said_false = True
                break
            time.sleep(rng.random() * 0.3)
        if not said_false and rng.random() < 0.05:
            c = self.ask(lambda: site.refund(tid, f"r-{n}", 1000 if rng.random() < 0.5 else None))
            self.note("cancelPayment", c)
            if c is not None and c.status in (200, 202):
                with self.lock:
                    self.refunded.add(order)

    def user(self, i):
        rng, n = random.Random(self.seed * 1000 + i), 0
        while not self.stop.is_set():
            n += 1
            self.visit(rng, n)

    # -- the killer

    def killer(self):
        while not self.stop.wait(self.random.uniform(0.5, 1.5) * self.kill_every_s):
            name = self.random.choice(KILLS)
            self.kills[name] += 1
            try:
                if name == "workers" and self.random.random() < 0.7:
                    pids = self.stack.worker_pids() + self.stack.gatherer_pids()
                    os.kill(self.random.choice(pids), signal.SIGKILL)
                    continue
                self.stack.kill(name)
                self.stop.wait(self.random.uniform(0, 1))
                self.stack.start(name)
            except (ProcessLookupError, IndexError):
                pass

    def turn_switches(self):
        """One of them, now and then."""
        rng = random.Random(self.seed + 7)
        while not self.stop.wait(1):
            name, values = rng.choice(SWITCHES)
            try:
                self.site.sim.post("/unsure", {"name": name, "value": rng.choice(values)})
                self.turned[name] += 1
            except OSError:
                pass

    # -- the run

    def faults(self, on):
        sim = self.site.sim
        sim.no_faults()
        if not on:
            for name, values in SWITCHES:
                sim.post("/unsure", {"name": name, "value": values[0]})
        for call, fault, share, more in FAULTS if on else ():
            sim.post("/faults", {"call": call, "fault": fault, "share": share, **more})
        if self.proxy is not None:
            self.proxy.shares = SHARES if on else {}

    def run(self):
        began = time.monotonic()
        with self.stack as stack:
            self.site = Site(stack)
            self.faults(True)
            threads = [
                threading.Thread(target=self.user, args=(i,), daemon=True)
                for i in range(min(40, self.users))
            ]
            others = [
                threading.Thread(target=self.killer, daemon=True),
                threading.Thread(target=self.turn_switches, daemon=True),
            ]
            for t in [*threads, *others]:
                t.start()
            last = began
            while self.paid < self.wanted:
                time.sleep(0.5)
                if time.monotonic() - last > 20:
                    last = time.monotonic()
                    self.say(
                        f"{self.paid} paid, {sum(self.kills.values())} kills, {self.proxy.faults if self.proxy else 0} store faults, {last - began:.0f} s"
                    )
                assert time.monotonic() - began < 60 + self.wanted, "too slow"
            self.stop.set()
            for t in [*threads, *others]:
                t.join(60)
            self.say(
                f"{self.paid} paid, {sum(self.kills.values())} kills: all users come back, then the judge, {time.monotonic() - began:.0f} s"
            )
            self.faults(False)
            stack.start_all()
            result = self.judge()
            result.update(
                seconds=round(time.monotonic() - began),
                seed=self.seed,
                store=version(stack.mongo_uri),
            )
            assert leaks.in_logs(self.site) == []
            self.site.db.client.close()
            return result

    def kinds(self):
        """What the ledger says of each tid, in its order."""
        found = defaultdict(list)
        for e in self.site.db.ledger.find({}, {"tid": 1, "kind": 1}).sort("n"):
            found[e.get("tid")].append(e["kind"])
        return found

    def unsettled(self):
        """Messages, captures and work items that somebody should have ended. A work item may be left to
        an operator, or its end was concluded from readings: it is looked at again for an hour."""
        db, kinds = self.site.db, self.kinds()
        stored = {p["tid"] for p in db.payments.find({}, {"tid": 1})}
        return [
            *(f"message {m['_id']}" for m in db.outbox.find({}, {"_id": 1})),
            *(
                f"{c['tid']} is not stored"
                for c in self.site.sim.captures()
                if c["tid"] not in stored
            ),
            *(
                f"{i}, {kinds[i['tid']]}"
                for i in db.open.find()
                if not {"review", "declined"} & set(kinds[i["tid"]])
            ),
        ]

    def judge(self):
        site = self.site
        eventually(lambda: self.ask(lambda: site.get("/readyz").status) == 200, 60, 0.5)
        # every user comes back once more: what is not final by then is found out by inquiry
        left = {
            order: who
            for order, who in self.orders.items()
            if site.db.open.count_documents({"tid": who[2]})
        }
        captured = {c["partner_order_id"] for c in site.sim.captures()}
        left = {order: who for order, who in left.items() if order not in captured}
        end = (
            time.monotonic() + 150
        )  # KakaoPay's window and the second reading: nobody waits longer
        while left and time.monotonic() < end:
            for order, (user, room, _tid, token, *_rest) in list(left.items()):
                b = self.ask(lambda: site.approve(user, room, token))
                if b is not None and (
                    b.status in (200, 402, 410)
                    or b.code in ("no-hold", "order-already-paid", "token-refused")
                ):
                    del left[order]
            time.sleep(1)
        self.wrong += [f"{order}: no end" for order in left]
        try:
            eventually(lambda: not self.unsettled(), 300, 3)
        except AssertionError:
            self.wrong += [f"not settled: {what}" for what in self.unsettled()[:5]]
        reviews = {tid for tid, kinds in self.kinds().items() if "review" in kinds}
        captures = site.sim.captures()
        by_order = Counter(c["partner_order_id"] for c in captures)
        self.wrong += [f"{o}: {n} captures" for o, n in by_order.items() if n > 1]
        stored = {p["tid"]: p for p in site.db.payments.find()}
        told = {
            m["data"]["tid"]
            for m in list(self.stack.reservation.received)
            if m["type"] == "payment.approved"
        }
        withdrawn = {
            d["message_id"].removeprefix("payment.approved.")
            for d in site.db.deliveries.find({"withdrawn": True})
        }
        for c in captures:
            p = stored.get(c["tid"])
            if p is None:
                self.wrong.append(f"{c['tid']}: captured and not stored")
            elif c["tid"] not in reviews and p["amount"]["total"] != c["amount"]["total"]:
                self.wrong.append(f"{c['tid']}: stored with another amount")
            if c["tid"] not in told | withdrawn | reviews:
                self.wrong.append(f"{c['tid']}: nobody was told")
        extra = set(stored) - {c["tid"] for c in captures}
        self.wrong += [f"{t}: stored and not captured" for t in extra]
        ours = Counter()
        for e in site.db.ledger.find({"kind": {"$in": ["refunded", "part_refunded"]}}):
            ours[e["tid"]] += e["refund"]["amount"]
        for tid in ours.keys() | {self.orders[order][2] for order in self.refunded}:
            back = site.sim.order(tid)["canceled_amount"]["total"]
            if back != ours[tid] and tid not in reviews:
                self.wrong.append(f"{tid}: {back} won went back, the ledger tells of {ours[tid]}")
        for peer in (self.stack.reservation, self.stack.gateway):
            if peer.bad:
                self.wrong.append(f"{peer.name} got a message that is not signed")
        if self.proxy is not None and self.proxy.wrong:
            self.wrong += self.proxy.wrong[:5]
        return {
            "payments": len(captures),
            "orders": len(self.orders),
            "kills": dict(self.kills),
            "switches": dict(self.turned),
            "store_faults": self.proxy.faults if self.proxy else 0,
            "inserts_checked": self.proxy.inserts if self.proxy else 0,
            "inserts_waited": self.proxy.waited if self.proxy else 0,
            "refunds": len(self.refunded),
            "reviews": len(reviews),
            "answers": dict(self.answers.most_common(30)),
            "wrong": self.wrong[:20],
        }


def run(
    build,
    seed=1,
    payments=300,
    users=300,
    rooms=6,
    kill_every_s=1.5,
    pause_s=2.0,
    say=lambda line: None,
):
    result = Chaos(build, seed, payments, users, rooms, kill_every_s, pause_s, say).run()
    assert result["wrong"] == [], result
    return result


if __name__ == "__main__":
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("build")
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--payments", type=int, default=300)
    p.add_argument("--users", type=int, default=300)
    p.add_argument("--rooms", type=int, default=6)
    p.add_argument("--kill-every", type=float, default=1.5)
    p.add_argument("--pause", type=float, default=2.0, help="seconds that a user thinks, at most")
    a = p.parse_args()
    print(
        json.dumps(
            run(
                pathlib.Path(a.build),
                a.seed,
                a.payments,
                a.users,
                a.rooms,
                a.kill_every,
                a.pause,
                lambda line: print(line, flush=True),
            )
        )
    )
