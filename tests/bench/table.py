#!/usr/bin/env python3
"""Every figure of roompay's speed in one table, as ratios within one run: whole payments against a
peer in Node on a replica set of one and of three members, the store's commands and the CPU time of
each program for a payment, how late the reservation service heard, one payment alone, a refused
payReady against the null FastCGI application, and durable holds at 64 clients against Redis and
beanstalkd.

    tests/bench/table.py BUILD_DIR [--seconds 8] [--clients 32] [--workers 40] [--only PART,...]

Parts: payments, set, refused, hold. A part whose tools are missing is left out, and the table says
so: payments and set need node and npm (18 or newer), refused needs wrk, hold needs redis-server
(beanstalkd is a second peer, if it is there). `make bench` installs all of them first, when it is
root. It takes two minutes. Absolute figures are those of
this machine; only ratios within one run can be compared with those of another."""

import argparse
import os
import pathlib
import platform
import shutil
import statistics
import sys
import tempfile
import traceback

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import holds
import payments
import run


class Table:
    """Rows: what was measured, its value, the aim."""

    def __init__(self):
        self.failed = []

    def head(self, text):
        print(f"\n{text}")

    def row(self, what, value, aim="", digits=2):
        print(f"  {what:58} {value:10.{digits}f}   {aim}", flush=True)

    def say(self, what, why):
        print(f"  {what:58} {'-':>10}   {why}", flush=True)


def missing(*programs):
    return [p for p in programs if shutil.which(p) is None]


def of_payments(t, args, members):
    t.head(
        f"Whole payments, {args.clients} buyers, {args.workers} workers, "
        f"replica set of {members}, {args.seconds} s"
    )
    told = payments.measured(
        argparse.Namespace(
            build=args.build,
            seconds=args.seconds,
            clients=args.clients,
            workers=args.workers,
            members=members,
            provider_ms=0,
            no_peer=False,
        )
    )
    ours, peer = told.rows
    # the members of a set read each other with getMore
    commands = sum(n for kind, n in ours["commands"].items() if kind != "getMore")
    cpu = {k: v for k, v in ours["cpu_ms"].items() if k != "mongod"}
    t.row("payments a second against the peer", ours["rate"] / peer["rate"], ">= 0.5")
    t.row("  of roompay, a second", ours["rate"], digits=0)
    t.row("  of the peer, a second", peer["rate"], digits=0)
    t.row("commands of the store, a payment", commands, "<= 14")
    t.row("CPU of all our programs, ms a payment", sum(cpu.values()), "<= 1.5")
    for name, ms in cpu.items():
        t.row(f"  {name}", ms)
    t.row("  against the peer's", sum(cpu.values()) / peer["cpu_ms"]["peer"])
    t.row("CPU of mongod, ms a payment", ours["cpu_ms"]["mongod"], "<= 1.8")
    t.row("  against the peer's", ours["cpu_ms"]["mongod"] / peer["cpu_ms"]["mongod"])
    t.row("first try of payment.approved after the answer, p50, ms", ours["first_p50_ms"])
    t.row("  p99, ms", ours["first_p99_ms"], "< 100", 1)
    t.row("most messages in the outbox", max(ours["backlog"], default=0), digits=0)
    t.row("after the last payment everything was delivered in, s", ours["drained_s"])
    t.row("one payment alone, all three queries, p50, ms", ours["alone_ms"], "<= 5")
    t.row("  of the peer", peer["alone_ms"])
    if ours["unheard"]:
        t.failed.append(f"{ours['unheard']} payments were never delivered")


def of_refused(t, args):
    t.head(
        f"A refused payReady behind the same web server, 8 workers, 16 clients, {args.seconds} s"
    )
    rows = run.refused(args.build, max(args.seconds // 2, 2))
    null, ours = rows["null"], rows["ours"]
    t.row("requests a second against the null application", ours["rate"] / null["rate"], ">= 0.75")
    t.row("  of roompay, a second", ours["rate"], digits=0)
    t.row("  of the null application, a second", null["rate"], digits=0)
    t.row("CPU of a worker, us a request", ours["cpu_us"], digits=0)
    t.row("  of the null application", null["cpu_us"], digits=0)
    t.failed += [f"{r['wrong']} wrong answers" for r in rows.values() if r["wrong"]]


def of_holds(t, args):
    t.head(f"Durable holds, 64 clients, 3 rounds of {args.seconds / 4:g} s in turns, medians")
    names = ["roompay", "redis"] + ([] if missing("beanstalkd") else ["beanstalkd"])
    build = pathlib.Path(args.build).resolve()
    rounds = holds.rounds_of(build, tempfile.gettempdir(), names, 64, args.seconds / 4, rounds=3)
    mid = {
        name: {k: statistics.median(r[k] for r in found) for k in ("rate", "p50", "p99")}
        for name, found in rounds.items()
    }
    ours = mid["roompay"]
    for name in names[1:]:
        aims = (">= 1.55", "<= 1.0") if name == "redis" else ("", "")
        t.row(f"holds a second against {name}", ours["rate"] / mid[name]["rate"], aims[0])
        t.row(f"  p99 against {name}'s", ours["p99"] / mid[name]["p99"], aims[1])
    for name in names:
        t.row(f"  {name}: a second", mid[name]["rate"], digits=0)
        t.row(f"  {name}: p99, us", mid[name]["p99"], digits=0)
    if "beanstalkd" not in names:
        t.say("against beanstalkd", "not installed; as root: dev/install bench")


PARTS = {
    "payments": (("node", "npm"), lambda t, args: of_payments(t, args, 1)),
    "set": (("node", "npm"), lambda t, args: of_payments(t, args, 3)),
    "refused": (("wrk",), of_refused),
    "hold": (("redis-server",), of_holds),
}


def main():
    p = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    p.add_argument("build")
    p.add_argument("--seconds", type=int, default=8)
    p.add_argument("--clients", type=int, default=32)
    p.add_argument("--workers", type=int, default=40)
    p.add_argument("--only", default=",".join(PARTS))
    args = p.parse_args()
    t = Table()
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, Linux {platform.release()}, "
        f"load {os.getloadavg()[0]:.1f} before"
    )
    print(f"{'':60} {'measured':>10}   aim")
    for name in args.only.split(","):
        tools, measure = PARTS[name]
        if missing(*tools):
            t.head(name)
            t.say(
                "not measured",
                f"not installed: {', '.join(missing(*tools))}; as root: dev/install bench",
            )
            continue
        try:
            measure(t, args)
        except Exception:  # the other parts are worth their time
            traceback.print_exc()
            t.failed.append(f"{name}: see above")
    for why in t.failed:
        print(f"\nwrong: {why}")
    return 1 if t.failed else 0


if __name__ == "__main__":
    sys.exit(main())
