#!/usr/bin/env python3
"""Durable holds, side by side in one run: roompay-queued, Redis 7 (appendfsync always, the same
overlap check as a Lua script) and beanstalkd (-f0, which checks nothing). Each has a Unix socket
and its files on the same disk. Then the restart with 100,000 live holds, and the memory that each
takes. Redis and beanstalkd are left out if they are not installed.

    tests/bench/holds.py BUILD_DIR [--seconds 5] [--rounds 3] [--dir DIR]
"""

import argparse
import os
import pathlib
import platform
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "prove"))
from linear import CONF

ANSWER = (
    '{"tid":"T5e6735e51aa00bc4411","page":"' + "0123456789abcdef" * 4 + '",'
    '"app":"https://online-pay.kakao.com/mockup/v1/*/aInfo",'
    '"mobile":"https://online-pay.kakao.com/mockup/v1/*/mInfo",'
    '"pc":"https://online-pay.kakao.com/mockup/v1/*/info",'
    '"android":"kakaotalk://kakaopay/pg?url%3Dhttps://online-pay.kakao.com/pay/mockup/*",'
    '"ios":"kakaotalk://kakaopay/pg?url%3Dhttps://online-pay.kakao.com/pay/mockup/*",'
    '"created":1700000000000,"offset":1700000000000}'
)
ATTEMPT = (
    '{"partner_user_id":"p-0123456789","item_name":"room","quantity":1,"total_amount":2200,'
    '"tax_free_amount":0,"intervals":"600-720","reservation_info":{"day":[1],"startTime":[10],'
    '"endTime":[12],"roomId":"64b000000000000000000001"}}'
)


def ask(path, line):
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(path)
        s.sendall(line)
        return s.recv(4096)


class Server:
    def __init__(self, name, top, build):
        self.name, self.dir = name, pathlib.Path(tempfile.mkdtemp(prefix=f"bench-{name}-", dir=top))
        self.socket = str(self.dir / "queue.sock")
        if name == "roompay":
            (self.dir / "roompay.conf").write_text(CONF.format(dir=self.dir, hash="1".zfill(64)))
            self.argv = [str(build / "queued/roompay-queued"), "-c", str(self.dir / "roompay.conf")]
        elif name == "redis":
            self.argv = [
                "redis-server",
                "--port",
                "0",
                "--unixsocket",
                self.socket,
                "--dir",
                str(self.dir),
            ]
            self.argv += ["--appendonly", "yes", "--appendfsync", "always", "--save", ""]
        else:
            self.argv = ["beanstalkd", "-l", "unix:" + self.socket, "-b", str(self.dir), "-f0"]

    def start(self):
        with open(self.dir / "log", "ab") as log:
            self.process = subprocess.Popen(
                self.argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log
            )
        for _ in range(2000):
            try:
                with socket.socket(socket.AF_UNIX) as s:
                    s.connect(self.socket)
                    return self
            except OSError:
                time.sleep(0.001)
        raise RuntimeError((self.dir / "log").read_text()[-1000:])

    def stop(self):
        self.process.kill()
        self.process.wait()

    def __enter__(self):
        self.start()
        if self.name == "roompay":
            assert b" ok" in ask(self.socket, b"1 admit adopted=0 token=0\n")
        return self

    def __exit__(self, *exc):
        self.stop()
        shutil.rmtree(self.dir)


def load(build, server, clients, seconds):
    argv = [
        str(build / "tests/bench/queue_load"),
        server.name,
        server.socket,
        str(clients),
        str(seconds),
    ]
    out = subprocess.run(argv, capture_output=True, text=True, check=True)
    n, took, p50, p99, refused = out.stdout.split()[1:6]
    assert int(refused) == 0, out.stderr
    return {"rate": int(n) / float(took), "p50": int(p50), "p99": int(p99)}


def rounds_of(build, top, names, clients, seconds, rounds):
    """Servers take turns, so that a noisy moment of the machine affects all of them."""
    rows = {name: [] for name in names}
    for _ in range(rounds):
        for name in names:
            with Server(name, top, build) as s:
                rows[name].append(load(build, s, clients, seconds))
    return rows


def rates(args, build, names):
    print(f"{'clients':>7} {'':11} {'holds/s':>9} {'p50 us':>8} {'p99 us':>8}   roompay is")
    for clients in (1, 16, 64):
        rows = rounds_of(build, args.dir, names, clients, args.seconds, args.rounds)
        ours = statistics.median(r["rate"] for r in rows["roompay"])
        for name in names:
            found = rows[name]
            rate = statistics.median(r["rate"] for r in found)
            p50, p99 = (statistics.median(r[p] for r in found) for p in ("p50", "p99"))
            times = "" if name == "roompay" else f"   {ours / rate:.2f} times as fast"
            print(f"{clients:7} {name:11} {rate:9.0f} {p50:8.0f} {p99:8.0f}{times}")


def hold_line(k, deadline):
    start = k % 40 * 120
    return (
        f"h hold cid=TC0ONETIME order=o-{k} user=u-{k} room={k // 40:024x} "
        f"set={start}-{start + 60} fingerprint={k:064x} attempt={ATTEMPT} "
        f"ttl_ms=3000000 call_ms=600000 deadline={deadline}\n"
    )


def fill(path, holds):
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(path)
        lines = s.makefile("rb")
        boot = int(time.clock_gettime(time.CLOCK_BOOTTIME) * 1000)
        for first in range(0, holds, 50):
            some = range(first, min(first + 50, holds))
            s.sendall("".join(hold_line(k, boot + 500000) for k in some).encode())
            ids = [lines.readline().split(b"id=")[1].split()[0].decode() for _ in some]
            s.sendall("".join(f"r ready id={i} tid=T{i} answer={ANSWER}\n" for i in ids).encode())
            assert all(b" ok " in lines.readline() for _ in some)


def rss_kib(pid):
    lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(x.split()[1]) for x in lines if x.startswith("VmRSS"))


def restart(args, build):
    with Server("roompay", args.dir, build) as s:
        empty = rss_kib(s.process.pid)
        fill(s.socket, args.holds)
        full = rss_kib(s.process.pid)
        times = []
        for _ in range(max(args.rounds, 3)):
            s.stop()
            began = time.monotonic()
            s.start()
            assert b"queue=" in ask(s.socket, b"1 hello\n")
            times.append((time.monotonic() - began) * 1000)
    print(
        f"{args.holds} ready holds: {(full - empty) / args.holds:.2f} KiB each (payReady's answer "
        f"{len(ANSWER)} bytes, attempt {len(ATTEMPT)}); serving again after kill -9 in "
        f"{statistics.median(times):.0f} ms (best {min(times):.0f}, worst {max(times):.0f})"
    )


def main():
    p = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    p.add_argument("build")
    p.add_argument("--seconds", type=float, default=5)
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--holds", type=int, default=100000)
    p.add_argument(
        "--dir",
        default=tempfile.gettempdir(),
        help="where the servers keep their files: a real disk",
    )
    args = p.parse_args()
    build = pathlib.Path(args.build).resolve()
    others = {"redis": "redis-server", "beanstalkd": "beanstalkd"}
    names = ["roompay"] + [name for name, program in others.items() if shutil.which(program)]
    stat = subprocess.run(["stat", "-f", "-c", "%T", args.dir], capture_output=True, text=True)
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, Linux {platform.release()}, "
        f"files on {stat.stdout.strip()}; {args.rounds} rounds of {args.seconds:g} s, medians"
    )
    rates(args, build, names)
    restart(args, build)


if __name__ == "__main__":
    sys.exit(main())
