"""Are three queues on one log linearizable? The clients of linear.py, spread over the daemons of three
machines; each machine, and each member of the replica set with the log, is a network namespace of its
own. Meanwhile daemons are killed and stopped, machines lose the database, packets are slow, and the
set loses its primary. Porcupine looks for one order of all calls of all machines.

    linear_machines.py BUILD [--histories 20] [--seed N]

Every third portion of histories has daemons that die and nothing else, every third one failure after
another, every third a machine and the database that fail at the same time. A seed makes the same
calls and failures again, not the same moments: a portion that nothing explains is kept in BUILD."""

import argparse
import collections
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

SIDE_BY_SIDE = 8  # rounds at a time
CLIENTS = 6  # of a round
ROUND_S = 4.0
LAST_S = 1.3  # before the end of a round no failure begins any more
# Often a snapshot is written, read by who joins, and what is older than it is deleted.
LOG = "log = mongodb\nlog_snapshot_every = 200\nlog_keep = 120\n"
# As the daemon does it (queued/rule.c): a deadline of this machine's is written down 2 s later.
GRACE_MS = {"disk": 2000, "mongodb": 4000}
SKEW_MS = 10
# A machine that hears nothing of the database for a second says so. The log's records may come
# later than the rest: after a cut, TCP tries again later and later.
STALE_MS = 3000
PACE_S = 0.03  # a client waits up to so long before each call


class Daemon(linear.Daemon):
    PATIENCE_S = 30  # it waits for a primary

    def __init__(self, program, host, uri, log):
        self.host, self.joins_failed = host, 0
        more = LOG if log != "disk" else ""
        self.more = [("[store]\nuri = mongodb://127.0.0.1:1/", f"{more}[store]\nuri = {uri}")]
        super().__init__(program, admit=False)

    def settings(self, text):
        for was, now in self.more:
            assert was in text
            text = text.replace(was, now)
        return text

    def command(self):
        return [*self.host.enter, *super().command()]

    def start(self):
        """As systemd does it: who lost the database while it read the log begins again."""
        for left in (2, 1, 0):
            try:
                super().start()
                return
            except RuntimeError:
                if left == 0 or self.process.poll() is None:
                    raise
                self.joins_failed += 1

    def signal(self, number):
        os.killpg(self.process.pid, number)

    def kill(self):
        self.assert_alive()
        self.signal(signal.SIGKILL)
        self.await_end()
        self.start()

    def close(self):
        if self.process.poll() is None:
            self.signal(signal.SIGKILL)
            self.await_end()


class Site:
    def __init__(self, program, mongod, dir, log):
        self.bed = net_bed.Bed([*DBS, *NAMES])
        self.bed.__enter__()
        self.set = DbSet(self.bed, mongod, dir, settings=QUICK)
        self.set.start(60)
        names = NAMES[:1] if log == "disk" else NAMES  # one journal, one daemon
        self.daemons = [Daemon(program, self.bed[name], self.set.uri, log) for name in names]
        for d in self.daemons:  # all of them know then that the queue is open
            word = linear.Client(d.path).ask("admit", adopted=0, token=0)[0]
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

    CALM = (kill_daemon,)  # nobody misses news of the log
    OF_MACHINES = (kill_daemon, kill_daemon, stop_daemon, cut_off, slow)
    OF_DATABASE = (step_down, kill_primary, cut_primary)
    KINDS = ((CALM,), (OF_MACHINES + OF_DATABASE,), (OF_MACHINES, OF_DATABASE))

    def fail(self, failures, rng, until):
        """A failure, and another one if there is time; which."""
        done = []
        time.sleep(rng.uniform(0.2, 0.9))
        while not done or time.monotonic() < until - LAST_S:
            failure = rng.choice(failures)
            failure(self, rng)
            done.append(failure.__name__)
            time.sleep(rng.uniform(0.3, 0.8))
        return done


def play(site, rounds, seed, kind):
    """These rounds side by side, under the same failures: which."""
    end = time.monotonic() + ROUND_S
    guests = [
        linear.Guest(rnd, i, f"{seed}/{rnd.name}/{i}", PACE_S)
        for rnd in rounds
        for i in range(CLIENTS)
    ]
    with concurrent.futures.ThreadPoolExecutor(len(guests) + len(kind)) as pool:
        lives = [pool.submit(g.live, end) for g in guests]
        fails = [
            pool.submit(
                site.fail, failures, random.Random(f"{seed}/{rounds[0].name}/{len(failures)}"), end
            )
            for failures in kind
        ]
        for life in lives:
            life.result()
        done = [name for f in fails for name in f.result()]
    for d in site.daemons:
        d.assert_alive()
    return done


class Proof:
    """Histories by portions. While one is played, those before it are checked."""

    def __init__(self, build, site, dir, seed, log, tries):
        self.build, self.site, self.dir, self.seed = build, site, dir, seed
        self.log, self.tries = log, tries
        self.failures, self.results = collections.Counter(), []

    def record(self, first, last):
        rounds = [
            linear.Round(f"{self.seed}-{i}", self.site.paths(), 2, True) for i in range(first, last)
        ]
        kinds = self.site.KINDS
        self.failures.update(
            play(self.site, rounds, self.seed, kinds[first // SIDE_BY_SIDE % len(kinds)])
        )
        path = self.dir / f"{self.seed}-{first}.jsonl"
        with open(path, "w") as lines:
            for rnd in rounds:
                rnd.write(lines)
        return path

    def check(self, path):
        more = ("-grace-ms", GRACE_MS[self.log], "-skew-ms", SKEW_MS, "-stale-ms", STALE_MS)
        try:
            return linear.check(
                self.build / "linear-check", path, self.seed, self.tries, *map(str, more)
            )
        except AssertionError as e:
            kept = self.build / f"not-explained-{path.name}"
            shutil.copy(path, kept)
            again = f"linear-check {' '.join(map(str, more))} < {kept}"
            raise AssertionError(f"SEED={self.seed}: {e}\nto check it again: {again}") from None

    def run(self, histories, say):
        with concurrent.futures.ThreadPoolExecutor(1) as checkers:
            for first in range(0, histories, SIDE_BY_SIDE):
                last = min(first + SIDE_BY_SIDE, histories)
                path = self.record(first, last)
                self.results.append(checkers.submit(self.check, path))
                say(f"seed {self.seed}: {last} of {histories} histories, {dict(self.failures)}")
                for r in self.results:
                    if r.done():
                        r.result()  # a violation ends the run
            self.results = [r.result() for r in self.results]

    def planted(self):
        kinds = collections.Counter()
        for r in self.results:
            kinds.update({kind: p["tries"] for kind, p in r.get("planted", {}).items()})
        return dict(kinds)


def run(build, histories=20, seed=1, log="mongodb", tries=10, keep=None, say=lambda line: None):
    """keep: a directory for the histories, and for the picture of a violation."""
    engine, mongod = choose(build)
    assert engine == "mongod", "no mongod: no replica set"
    began, dir = time.monotonic(), pathlib.Path(tempfile.mkdtemp())
    site = Site(build / "queued/roompay-queued", mongod, dir, log)
    proof = Proof(build, site, pathlib.Path(keep) if keep else dir, seed, log, tries)
    try:
        proof.run(histories, say)
    finally:
        site.close()
        shutil.rmtree(dir, ignore_errors=True)
    return {
        "histories": histories,
        **{k: sum(r[k] for r in proof.results) for k in ("rooms", "calls", "cut_off")},
        "failures": dict(proof.failures),
        "joins_failed": sum(d.joins_failed for d in site.daemons),
        "planted": proof.planted(),
        "seed": seed,
        "seconds": round(time.monotonic() - began),
    }


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
