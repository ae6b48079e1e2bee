"""Are three queues on one log linearizable? The clients of linear.py, spread over the daemons of three
machines; each machine, and each member of the replica set with the log, is a network namespace of its
own. Meanwhile daemons are killed and stopped, machines lose the database, packets are slow, and the
set loses its primary. Porcupine looks for one order of all calls of all machines.

    linear_machines.py BUILD [--histories 20] [--seed N]"""

import argparse
import concurrent.futures
import json
import os
import pathlib
import random
import shutil
import signal
import sys
import tempfile
import time

sys.path[:0] = [
    str(pathlib.Path(__file__).resolve().parents[1] / "system"),
    str(pathlib.Path(__file__).resolve().parent),
]
import linear  # noqa: E402
import net_bed  # noqa: E402
from machines import DBS, NAMES, DbSet  # noqa: E402
from set_failures import QUICK  # noqa: E402
from store_server import choose  # noqa: E402

SIDE_BY_SIDE = 6  # rounds at a time
CLIENTS = 6  # of a round
ROUND_S = 4.0
# As the daemon does it (queued/rule.c): a deadline of this machine's is written down 2 s later.
GRACE_MS = {"disk": 2000, "mongodb": 4000}
SKEW_MS = 10
# A machine that hears nothing of the database for a second says so. The log's records may come
# later than the rest: after a cut, TCP tries again later and later.
STALE_MS = 3000
PACE_S = 0.03  # a client waits up to so long before each call


class Daemon(linear.Daemon):
    def __init__(self, program, host, uri, log):
        self.host = host
        more = f"log = {log}\n" if log != "disk" else ""
        self.more = [("[store]\nuri = mongodb://127.0.0.1:1/", f"{more}[store]\nuri = {uri}")]
        super().__init__(program, admit=False)

    def settings(self, text):
        for was, now in self.more:
            assert was in text
            text = text.replace(was, now)
        return text

    def command(self):
        return [*self.host.enter, *super().command()]

    def signal(self, number):
        os.killpg(self.process.pid, number)

    def kill(self):
        self.assert_alive()
        self.signal(signal.SIGKILL)
        self.process.wait()
        self.start()

    def close(self):
        self.signal(signal.SIGKILL)
        self.process.wait()


class Site:
    def __init__(self, program, mongod, dir, log):
        self.bed = net_bed.Bed([*DBS, *NAMES])
        self.bed.__enter__()
        self.set = DbSet(self.bed, mongod, dir, settings=QUICK)
        self.set.start(60)
        names = NAMES[:1] if log == "disk" else NAMES  # one journal, one daemon
        self.daemons = [Daemon(program, self.bed[name], self.set.uri, log) for name in names]
        word = linear.Client(self.daemons[0].path).ask("admit", adopted=0, token=0)[0]
        assert word == "ok", word

    def paths(self):
        return [d.path for d in self.daemons * (len(NAMES) // len(self.daemons))]

    def close(self):
        for d in self.daemons:
            d.close()
        self.set.__exit__()
        self.bed.__exit__()

    # -- failures. Each is over when it returns

    def kill_daemon(self, rng):
        rng.choice(self.daemons).kill()

    def stop_daemon(self, rng):
        d = rng.choice(self.daemons)
        d.signal(signal.SIGSTOP)
        time.sleep(rng.choice((0.05, 0.3, 1.2, 2.5)))
        d.signal(signal.SIGCONT)

    def cut_off(self, rng):
        name = rng.choice(NAMES)
        for db in DBS:
            self.bed.cut(name, db)
        time.sleep(rng.choice((0.2, 1.0, 2.5)))
        for db in DBS:
            self.bed.mend(name, db)

    def slow(self, rng):
        name = rng.choice(NAMES)
        self.bed.delay(name, 5, 10, rng.randrange(1 << 30))
        time.sleep(1.5)
        self.bed.delay(name, 0)

    def step_down(self, rng):
        p = self.set.primary()
        if p is not None:
            self.set.step_down(self.set.members.index(p), 2)

    def kill_primary(self, rng):
        p = self.set.primary()
        if p is not None:
            p.kill()
            time.sleep(1)
            p.start()

    def cut_primary(self, rng):
        p = self.set.primary()
        if p is not None:
            i = self.set.members.index(p)
            self.set.cut([i], [k for k in range(len(DBS)) if k != i])
            time.sleep(rng.choice((1.0, 3.0)))
            self.set.mend()

    def nothing(self, rng):
        time.sleep(0.5)

    FAILURES = (
        kill_daemon,
        kill_daemon,
        stop_daemon,
        cut_off,
        slow,
        step_down,
        kill_primary,
        cut_primary,
        nothing,
    )

    CALM = (kill_daemon, nothing)  # nobody misses news of the log

    def fail(self, rng, until, calm):
        """A failure, and another one if there is time; how often which."""
        done = {}
        time.sleep(rng.uniform(0.3, 1.2))
        while time.monotonic() < until - 1.5:
            failure = rng.choice(self.CALM if calm else self.FAILURES)
            failure(self, rng)
            done[failure.__name__] = done.get(failure.__name__, 0) + 1
            time.sleep(rng.uniform(0.5, 1.0))
        return done


def play(site, rounds, seed, calm):
    """These rounds side by side, under the same failures."""
    end = time.monotonic() + ROUND_S
    guests = [
        linear.Guest(rnd, i, f"{seed}/{rnd.name}/{i}", PACE_S)
        for rnd in rounds
        for i in range(CLIENTS)
    ]
    with concurrent.futures.ThreadPoolExecutor(len(guests)) as pool:
        lives = [pool.submit(g.live, end) for g in guests]
        done = site.fail(random.Random(f"{seed}/{rounds[0].name}"), end - 0.3, calm)
        for life in lives:
            life.result()
    return done


def run(build, histories=20, seed=1, log="mongodb", tries=10, keep=None, say=lambda line: None):
    """keep: a directory for the histories, and for the picture of a violation."""
    engine, mongod = choose(build)
    assert engine == "mongod", "no mongod: no replica set"
    began, dir, failures, results = time.monotonic(), pathlib.Path(tempfile.mkdtemp()), {}, []
    out = pathlib.Path(keep) if keep else dir
    site = Site(build / "queued/roompay-queued", mongod, dir, log)
    try:
        with concurrent.futures.ThreadPoolExecutor(1) as checkers:
            for first in range(0, histories, SIDE_BY_SIDE):
                numbers = range(first, min(first + SIDE_BY_SIDE, histories))
                rounds = [linear.Round(f"{seed}-{i}", site.paths(), 2, True) for i in numbers]
                for name, n in play(site, rounds, seed, first // SIDE_BY_SIDE % 3 == 0).items():
                    failures[name] = failures.get(name, 0) + n
                path = out / f"{seed}-{first}.jsonl"
                with open(path, "w") as lines:
                    for rnd in rounds:
                        rnd.write(lines)
                results.append(checkers.submit(check, build, path, seed, tries, log))
                say(f"seed {seed}: {numbers[-1] + 1} of {histories} histories, {failures}")
            results = [r.result() for r in results]
    finally:
        site.close()
        shutil.rmtree(dir, ignore_errors=True)
    planted = {}
    for r in results:
        for kind, p in r.get("planted", {}).items():
            planted[kind] = planted.get(kind, 0) + p["tries"]
    return {
        "histories": histories,
        **{k: sum(r[k] for r in results) for k in ("rooms", "calls", "cut_off")},
        "failures": failures,
        "planted": planted,
        "seed": seed,
        "seconds": round(time.monotonic() - began),
    }


def check(build, path, seed, tries, log):
    more = ("-grace-ms", str(GRACE_MS[log]), "-skew-ms", str(SKEW_MS), "-stale-ms", str(STALE_MS))
    try:
        return linear.check(build / "linear-check", path, seed, tries, *more)
    except AssertionError as e:
        raise AssertionError(f"SEED={seed}: {e}") from None


def run_inside(build, *argv, timeout=3600):
    """Runs this program in namespaces of its own; its result."""
    return net_bed.result_of(__file__, build, *argv, timeout=timeout)


if __name__ == "__main__":
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("build", type=pathlib.Path)
    p.add_argument("--histories", type=int, default=20)
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--log", default="mongodb")
    p.add_argument("--plant", type=int, default=10, help="violations of each kind to plant")
    p.add_argument("--keep", help="directory for the histories and the picture of a violation")
    p.add_argument("--inside", action="store_true", help="the namespaces are there already")
    a = p.parse_args()
    if a.inside:
        r = run(
            a.build,
            a.histories,
            a.seed,
            a.log,
            a.plant,
            a.keep,
            lambda line: print(line, file=sys.stderr, flush=True),
        )
    else:
        r = run_inside(a.build.resolve(), *sys.argv[2:])
    print(json.dumps(r))
