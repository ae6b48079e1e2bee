#!/usr/bin/env python3
"""Whole payments at full load, against a peer that keeps its queue in memory and writes one durable
document for each payment (payments/peer.mjs): the same buyers, the same simulator, the same kind of
database, one after the other in one run. Prints rates, CPU time of each program for a payment, the
commands that the database was given, and how late the reservation service heard.

    tests/bench/payments.py BUILD_DIR [--seconds 10] [--clients 32] [--workers 40] [--members 1]
                            [--provider-ms 0] [--no-peer]

--provider-ms: KakaoPay's ready and approve take so long, each: how many workers do so many buyers
need? --no-peer: without it. Only ratios within one run mean something. node and npm (18 or newer) are needed for this alone."""

import argparse
import json
import os
import pathlib
import platform
import subprocess
import sys
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "system"))

import booking_site  # noqa: E402
import node_site  # noqa: E402
from mongo_set import MongoSet  # noqa: E402
from ports import free_port  # noqa: E402
from run import cpu_seconds, pss_kib  # noqa: E402
from stack import Stack  # noqa: E402
from store_server import choose, version  # noqa: E402

KINDS = ("insert", "find", "getMore", "update", "delete")
OURS = ("workers", "courier", "queued", "web")


def commands(db):
    """So many of each kind has the server carried out."""
    told = db.client.admin.command("serverStatus")["metrics"]["commands"]
    return {k: told[k]["total"] for k in KINDS}


class Meter:
    """What a run cost: CPU time by program and commands, for each payment."""

    def __init__(self, groups, db):
        self.groups, self.db = groups, db
        self.cpu, self.commands = self._cpu(), commands(db)

    def _cpu(self):
        return {name: cpu_seconds(pids) for name, pids in self.groups.items()}

    def row(self, name, told):
        paid, now = max(told["paid"], 1), self._cpu()
        cpu = {k: (now[k] - v) / paid * 1e3 for k, v in self.cpu.items()}
        counts = {k: (n - self.commands[k]) / paid for k, n in commands(self.db).items()}
        return {"name": name, **told, "cpu_ms": cpu, "commands": counts}


class Backlog(threading.Thread):
    """How many messages are in the outbox, now and then, while the load goes on."""

    def __init__(self, db, seconds):
        super().__init__(daemon=True)
        self.outbox, self.every = db.outbox, min(5, seconds / 4)
        self.seen, self.over = [], threading.Event()

    def run(self):
        while not self.over.wait(self.every):
            self.seen.append(self.outbox.estimated_document_count())

    def end(self):
        self.over.set()
        self.join()
        return self.seen


def load(folder, env, seconds, clients, warm=lambda: None):
    """Pays for so long; `warm` is called when all connections are open, before what counts."""
    with subprocess.Popen(
        [node_site.node(), "load.mjs"],
        cwd=folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "SECONDS": str(seconds), "CLIENTS": str(clients), **env},
    ) as p:
        late = threading.Timer(seconds + 180, p.kill)
        late.start()
        try:
            assert p.stdout.readline() == "warm\n", "load.mjs has ended"
            warm()
            return json.loads(p.communicate("go\n")[0])
        finally:
            late.cancel()


def alone_ms(folder, env, args):
    """The three queries of one payment of one user, while nothing else is done: p50."""
    return load(folder, {**env, "ALONE": "1"}, min(args.seconds, 5), 1)["p50_ms"]


def of_roompay(stack, folder, hook, args, members):
    env = {
        "BASE": stack.base_url,
        "SIM": stack.sim_url,
        "HOOK_PORT": str(hook),
        "GATEWAY": stack.tokens["gateway"],
        "RESERVATION": stack.tokens["reservation"],
    }
    groups = {
        **{name: stack.pids_of(name) for name in OURS},
        "mongod": [m.process.pid for m in members],
    }
    alone = alone_ms(folder, env, args)
    measured, backlog = [], Backlog(stack.database(), args.seconds)

    def warm():
        measured.append(Meter(groups, stack.database()))
        backlog.start()

    told = load(folder, env, args.seconds, args.clients, warm)
    row = {**measured[0].row("roompay", told), "alone_ms": alone}
    row["backlog"] = backlog.end()
    row["workers_mib"] = sum(map(pss_kib, stack.pids_of("workers"))) / 1024
    row["connections"] = stack.database().client.admin.command("serverStatus")["connections"][
        "current"
    ]
    return row


def of_peer(stack, folder, args, members):
    port = free_port()
    env = {
        "PORT": str(port),
        "MONGODB_URI": stack.mongo_uri,
        "DATABASE": stack.database_name,
        "SIM": stack.sim_url,
        "KEY": stack.kakaopay_key,
    }
    with node_site.NodeSite(folder, "peer.mjs", env) as peer:
        end = time.monotonic() + 20
        while "ready" not in peer.log.read_text():
            assert peer.process.poll() is None and time.monotonic() < end, peer.log.read_text()
            time.sleep(0.05)
        env = {
            "BASE": f"http://127.0.0.1:{port}",
            "SIM": stack.sim_url,
            "GATEWAY": "",
            "RESERVATION": "",
        }
        groups = {"peer": [peer.process.pid], "mongod": [m.process.pid for m in members]}
        alone, measured = alone_ms(folder, env, args), []
        told = load(
            folder,
            env,
            args.seconds,
            args.clients,
            lambda: measured.append(Meter(groups, stack.database())),
        )
        return {**measured[0].row("peer", told), "alone_ms": alone}


def report(args, told, rows):
    ours = rows[0]
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, {told}, {args.clients} buyers, {args.workers} workers, {args.seconds} s each"
    )
    for r in rows:
        cpu = ", ".join(f"{k} {v:.2f}" for k, v in r["cpu_ms"].items())
        counts = ", ".join(f"{k} {v:.2f}" for k, v in r["commands"].items() if v > 0)
        print(
            f"{r['name']:8} {r['rate']:7.0f} payments/s   p50 {r['p50_ms']:.0f} ms, p99 {r['p99_ms']:.0f} ms   CPU ms a payment: {cpu}"
        )
        print(f"{'':8} {sum(r['commands'].values()):7.2f} commands a payment: {counts}")
    print(
        f"{'':8} memory of the workers {ours['workers_mib']:.0f} MiB, connections of mongod {ours['connections']}, refused and tried again {ours['again']}"
    )
    of_ours = sum(v for k, v in ours["cpu_ms"].items() if k != "mongod")
    for peer in rows[1:]:
        print(f"{'rate against the peer':56} {ours['rate'] / peer['rate']:8.2f}")
    print(f"{'CPU of all our programs, ms a payment':56} {of_ours:8.2f}")
    print(f"{'CPU of mongod, ms a payment':56} {ours['cpu_ms']['mongod']:8.2f}")
    print(f"{'commands a payment':56} {sum(ours['commands'].values()):8.2f}")
    print(
        f"{'first try of payment.approved after the answer, p50, ms':56} {ours['first_p50_ms']:8.1f}"
    )
    print(f"{'  p99, ms':56} {ours['first_p99_ms']:8.1f}")
    print(f"{'after the last payment everything was delivered in, s':56} {ours['drained_s']:8.2f}")
    print(f"{'messages in the outbox, now and then':56} {' '.join(map(str, ours['backlog']))}")
    print(f"{'never delivered':56} {ours['unheard']:8}")
    for r in rows:
        what = f"one payment alone, all three queries, p50, ms: {r['name']}"
        print(f"{what:56} {r['alone_ms']:8.1f}")


def measured(args):
    """What report prints: .store names the database, .rows are ours and the peer's."""
    with tempfile.TemporaryDirectory(prefix="roompay-bench-") as dir:
        folder = node_site.install(HERE / "payments", pathlib.Path(dir) / "payments")
        hook = free_port()
        url = f"http://127.0.0.1:{hook}/"
        conf = {"deliver reservation": {"url": url}, "deliver gateway": {"url": url}}
        with (
            MongoSet(choose(args.build)[1], pathlib.Path(dir), members=args.members) as store,
            Stack(
                args.build, workers=args.workers, mode="master", conf=conf, mongo_uri=store.uri
            ) as stack,
        ):
            sim = booking_site.Simulator(stack.sim_url)
            for call in ("ready", "approve"):
                sim.latency(call, args.provider_ms)
            rows = [of_roompay(stack, folder, hook, args, store.members)]
            # they poll: the peer has the machine for itself
            for name in ("courier", "web", "workers", "queued"):
                stack.stop(name)
            if not args.no_peer:
                rows.append(of_peer(stack, folder, args, store.members))
            return argparse.Namespace(store=version(store.uri), rows=rows)


def main():
    p = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    p.add_argument("build")
    p.add_argument("--seconds", type=int, default=10)
    p.add_argument("--clients", type=int, default=32)
    p.add_argument("--workers", type=int, default=40)
    p.add_argument("--members", type=int, default=1, help="of the replica set")
    p.add_argument("--provider-ms", type=int, default=0)
    p.add_argument("--no-peer", action="store_true")
    args = p.parse_args()
    told = measured(args)
    report(args, told.store, told.rows)
    return 1 if told.rows[0]["unheard"] else 0


if __name__ == "__main__":
    sys.exit(main())
