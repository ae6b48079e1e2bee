#!/usr/bin/env python3
"""The queue on a log in MongoDB: a replica set of three members and several daemons, all on this
host. Beside it, in the same run: bare inserts one after another, and the daemon with its journal on
disk.

    tests/bench/shared_queue.py BUILD_DIR [--seconds 5] [--daemons 3] [--many 10] [--dir DIR]
"""

import argparse
import contextlib
import os
import pathlib
import platform
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "system"))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "prove"))
import pymongo
from linear import CONF
from mongo_set import MongoSet
from store_server import choose


def ask(path, line):
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(10)
        s.connect(path)
        s.sendall(line)
        return s.makefile("rb").readline()


def counts(path):
    text = ask(path, b"1 stats\n").decode()
    return {k: int(v) for k, v in re.findall(r"(\w+):(\d+)", text)}


class Daemon:
    """uri "": with its journal on disk."""

    def __init__(self, build, top, uri="", database=""):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="bench-log-", dir=top))
        self.socket = str(self.dir / "queue.sock")
        conf = CONF.format(dir=self.dir, hash="1".zfill(64))
        if uri:
            conf = conf.replace("[store]\nuri = mongodb://127.0.0.1:1/", f"[store]\nuri = {uri}")
            conf = conf.replace("\n[caller g]", f"\ndatabase = {database}\n[caller g]")
            conf = conf.replace("[queue]\n", "[queue]\nlog = mongodb\n")
        (self.dir / "roompay.conf").write_text(conf)
        self.argv = [str(build / "queued/roompay-queued"), "-c", str(self.dir / "roompay.conf")]

    def __enter__(self):
        with open(self.dir / "log", "ab") as log:
            self.process = subprocess.Popen(self.argv, stdin=subprocess.DEVNULL, stderr=log)
        end = time.monotonic() + 20
        while time.monotonic() < end:
            with contextlib.suppress(OSError):
                assert b" ok" in ask(self.socket, b"1 admit adopted=0 token=0\n")
                return self
            time.sleep(0.01)
        raise RuntimeError((self.dir / "log").read_text()[-2000:])

    def __exit__(self, *exc):
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.dir)


@contextlib.contextmanager
def daemons(build, top, n, uri="", database=""):
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(Daemon(build, top, uri, database)) for _ in range(n)]


def load(build, servers, clients, seconds, kind="roompay"):
    """clients: on all servers together."""
    sockets = ",".join(s.socket for s in servers)
    p = subprocess.run(
        [build / "tests/bench/queue_load", kind, sockets, str(clients), str(seconds)],
        capture_output=True,
        text=True,
        timeout=seconds + 60,
        check=True,
    )
    n, took, p50, p99, refused, p999 = (float(x) for x in p.stdout.split()[1:])
    assert kind == "hot" or refused == 0, p.stderr
    return {"rate": n / took, "granted": n - refused, "p50": p50, "p99": p99, "p999": p999}


def bare_inserts(uri, seconds):
    """One after another, each acknowledged by a majority with its journal."""
    concern = pymongo.WriteConcern("majority", j=True)
    with pymongo.MongoClient(uri, serverSelectionTimeoutMS=5000) as client:
        bare = client.bench.get_collection("bare", write_concern=concern)
        bare.insert_one({"_id": -1})
        times, n, end = [], 0, time.monotonic() + seconds
        while time.monotonic() < end:
            began = time.monotonic()
            bare.insert_one({"_id": n, "records": b"x" * 300})
            times.append((time.monotonic() - began) * 1e6)
            n += 1
        client.drop_database("bench")
    times.sort()
    return {"rate": n / seconds, "p50": times[n // 2], "p99": times[n * 99 // 100]}


def say(what, r, more=""):
    tail = f"{r['p999']:9.0f}" if "p999" in r else " " * 9
    print(f"{what:44} {r['rate']:8.0f} {r['p50']:8.0f} {r['p99']:8.0f} {tail}  {more}", flush=True)


def rounds_of(servers):
    all_counts = [counts(s.socket) for s in servers]
    names = ("log_appends", "log_records", "log_lost", "log_append_us")
    total = {k: sum(c[k] for c in all_counts) for k in names}
    append_us = total["log_append_us"] / max(total["log_appends"], 1)
    return append_us, (
        f"append {append_us:.0f} us, batch {total['log_records'] / max(total['log_appends'], 1):.1f}, "
        f"lost {total['log_lost'] / max(total['log_appends'], 1):.2f} for each won"
    )


def measure(args, build, uri):
    print(f"{'':44} {'a second':>8} {'p50 us':>8} {'p99 us':>8} {'p999 us':>9}")
    bare = bare_inserts(uri, args.seconds)
    say("bare inserts, one after another", bare)
    with daemons(build, args.dir, 1) as disk:
        one_disk = load(build, disk, 1, args.seconds)
        say("1 client, journal on disk", one_disk)
    with daemons(build, args.dir, 1, uri, "one") as one:
        r = load(build, one, 1, args.seconds)
        added = r["p50"] - one_disk["p50"]
        say("1 client, log in MongoDB", r, f"adds {added / bare['p50']:.2f} of a bare insert")
        r = load(build, one, 64, args.seconds)
        say("64 clients, 1 daemon", r, f"{r['rate'] / bare['rate']:.1f} times bare")
    with daemons(build, args.dir, args.daemons, uri, "three") as three:
        r = load(build, three, 64, args.seconds)
        times = f"{r['rate'] / bare['rate']:.1f} times bare; {rounds_of(three)[1]}"
        say(f"64 clients, {args.daemons} daemons", r, times)
    with daemons(build, args.dir, args.many, uri, "many") as many:
        load(build, many, 4 * args.many, 1)  # who was never heard of has no place in the line yet
        r = load(build, many, 4 * args.many, args.seconds)
        append_us, rounds = rounds_of(many)
        slow = f"slowest in 1000: {r['p999'] * bare['rate'] / 1e6:.1f} bare inserts, "
        slow += f"{r['p999'] / append_us:.1f} of its own appends; {rounds}"
        say(f"{4 * args.many} clients, {args.many} daemons", r, slow)
    hot_room(args, build, uri)


def hot_room(args, build, uri):
    with daemons(build, args.dir, 1) as disk:
        alone = load(build, disk, 1000, args.seconds, "hot")
        say("hot room: 1000 clients, journal on disk", alone, f"{alone['granted']:.0f} granted")
    with daemons(build, args.dir, args.daemons, uri, "hot") as three:
        before = sum(counts(s.socket)["log_appends"] for s in three)
        r = load(build, three, 1000, args.seconds, "hot")
        wrote = sum(counts(s.socket)["log_appends"] for s in three) - before
        say(
            f"hot room: 1000 clients, {args.daemons} daemons",
            r,
            f"{r['granted']:.0f} granted, {wrote} appends; {r['rate'] / alone['rate']:.2f} of disk",
        )


def main():
    p = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    p.add_argument("build")
    p.add_argument("--seconds", type=float, default=5)
    p.add_argument("--daemons", type=int, default=3)
    p.add_argument("--many", type=int, default=10)
    p.add_argument("--dir", default=tempfile.gettempdir(), help="a real disk")
    args = p.parse_args()
    build = pathlib.Path(args.build).resolve()
    engine, mongod = choose(build)
    if engine != "mongod":
        sys.exit("the shared log needs mongod: dev/build store")
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, Linux {platform.release()}; "
        f"a set of three members on this host; {args.seconds:g} s each"
    )
    with (
        tempfile.TemporaryDirectory(prefix="bench-set-", dir=args.dir) as dir,
        MongoSet(mongod, dir, members=3) as s,
    ):
        measure(args, build, s.uri)


if __name__ == "__main__":
    main()
