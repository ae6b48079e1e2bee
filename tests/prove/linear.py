"""Is the queue linearizable? Concurrent clients ask a real roompay-queued, while it is killed (kill -9)
and started again, and write down what they asked, when, and what it said. The checker in
tests/prove/linear (Porcupine) then looks, room by room, for one order of all calls that explains
every answer. It also changes answers of the true histories and must find each of these violations.

A history is one round: new rooms, a few clients, at least one kill."""

import argparse
import concurrent.futures
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

GUARD_MS = 1000
ANSWER_S = 30
FOREVER = 2**63 - 1
IN_DOUBT = "not known in time"  # of `unavailable`: only then it may have acted
AWAY_PAUSE_S = 0.1
CONF = """[site]
replay_key_file = /nonexistent
redirect_hosts = study.test
[queue]
socket = {dir}/queue.sock
dir = {dir}/queue
sold_guard = 0
max_holds_per_user = 1000
max_calls_ready = 1000
max_calls = 1000
[store]
uri = mongodb://127.0.0.1:1/
[caller g]
roles = gateway
cids = TC0ONETIME
token_sha256 = {hash}
[merchant TC0ONETIME]
mode = secret_key
key_file = /nonexistent
"""
PLAIN = "!#$&()*+,-./:;<>?@[]^_`{|}~"  # what quote() leaves as it is, beside letters and digits


def boot_ns():
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def boot_ms(after):
    return boot_ns() // 1000000 + after


class NotSent(Exception):
    """Nobody listened: it was no call."""


class CutOff(Exception):
    """The daemon was killed before it answered: the call may have acted or not."""


class Client:
    """One connection at a time; a call at a time."""

    def __init__(self, path):
        self.path, self.sock, self.file, self.n = path, None, None, 0

    def ask(self, verb, **args):
        """The answer: its word, and its arguments."""
        self.connect()
        self.n += 1
        words = [
            f"{k}={urllib.parse.quote(str(v), safe=PLAIN)}" for k, v in args.items() if v != ""
        ]
        try:
            self.sock.sendall(" ".join([str(self.n), verb, *words]).encode() + b"\n")
            return self.answer()
        except TimeoutError:
            raise AssertionError(f"{verb}: no answer within {ANSWER_S} s") from None
        except OSError:
            self.sock.close()
            self.sock = None
            raise CutOff from None

    def connect(self):
        if self.sock is not None:
            return
        sock = socket.socket(socket.AF_UNIX)
        sock.settimeout(ANSWER_S)
        try:
            sock.connect(self.path)
        except OSError:
            sock.close()
            raise NotSent from None
        self.sock, self.file = sock, sock.makefile("rb")

    def answer(self):
        while True:
            line = self.file.readline().decode().split()
            if not line:
                raise ConnectionError
            if line[1] != "wait":
                return line[1], {
                    k: urllib.parse.unquote(v) for k, v in (w.split("=", 1) for w in line[2:])
                }


class Daemon:
    PATIENCE_S = 5

    def __init__(self, program, admit=True):
        self.program = program
        self.tmp = tempfile.TemporaryDirectory(prefix="roompay-linear-")
        self.path = self.tmp.name + "/queue.sock"
        conf = CONF.format(dir=self.tmp.name, hash="1".zfill(64)).replace(
            "sold_guard = 0", f"sold_guard = {GUARD_MS // 1000}"
        )
        pathlib.Path(self.tmp.name, "roompay.conf").write_text(self.settings(conf))
        self.start()
        assert not admit or Client(self.path).ask("admit", adopted=0, token=0)[0] == "ok"

    def settings(self, text):
        return text

    def command(self):
        return [self.program, "-c", self.tmp.name + "/roompay.conf"]

    def start(self):
        with open(self.tmp.name + "/log", "ab") as log:
            self.process = subprocess.Popen(
                self.command(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        for _ in range(100 * self.PATIENCE_S):
            if self.process.poll() is not None:
                break
            try:
                with socket.socket(socket.AF_UNIX) as s:
                    s.connect(self.path)
                    return
            except OSError:
                time.sleep(0.01)
        raise RuntimeError(pathlib.Path(self.tmp.name + "/log").read_text()[-2000:])

    def await_end(self):
        """Its children, too: they hold the lock a moment longer, and are killed with it."""
        self.process.wait()
        end = time.monotonic() + 10
        while time.monotonic() < end:
            try:
                os.killpg(self.process.pid, 0)
            except ProcessLookupError:
                return
            time.sleep(0.005)
        raise RuntimeError("a child of the killed daemon goes on")

    def kill(self):
        self.assert_alive()
        self.process.send_signal(signal.SIGKILL)
        self.await_end()
        self.start()

    def assert_alive(self):
        """One that ended by itself would pass for one that was killed."""
        if self.process.poll() is not None:
            log = pathlib.Path(self.tmp.name + "/log").read_text()
            raise AssertionError(
                f"the daemon ended by itself ({self.process.returncode}):\n{log[-2000:]}"
            )

    def close(self):
        self.process.kill()
        self.process.wait()
        self.tmp.cleanup()


class Round:
    """One history: what its clients share."""

    def __init__(self, name, paths, rooms, is_long):
        self.name, self.paths, self.is_long = name, paths, is_long
        self.rooms = [f"{name}-{i}" for i in range(rooms)]
        self.is_shared = len(paths) > 1
        self.calls, self.holds, self.lock = [], [], threading.Lock()

    def write(self, out):
        for c in self.calls:
            out.write(json.dumps({"history": self.name, **c}) + "\n")


class Guest:
    """One client of a round: it opens, pays, gives up and looks, in rooms that it shares with the others."""

    def __init__(self, rnd, number, seed, pace_s=0.004):
        self.round, self.number, self.rng, self.pace_s = rnd, number, random.Random(seed), pace_s
        self.client, self.opened = Client(rnd.paths[number % len(rnd.paths)]), 0

    def call(self, room, op, user, model, /, **args):
        """Asks, and writes it down: model is what the checker must know of it."""
        begun = boot_ns()
        line = {"room": room, "client": self.number, "op": op, "user": user, "call": begun, **model}
        try:
            word, said = self.client.ask(op, **args)
        except NotSent:
            return None, {}
        except CutOff:
            word, said = None, {}
        line["return"] = boot_ns()
        if word == "unavailable" and said.get("message") != IN_DOUBT:
            time.sleep(AWAY_PAUSE_S)  # it certainly did nothing: it was no call
            return None, {}
        if self.round.is_shared and word in (None, "unavailable"):
            line.update({"cut": True, "return": FOREVER})  # its record may be on its way to the log
        elif word is None:
            line["cut"] = True
        else:
            line.update(
                {"said": word, **{k: said[k] for k in ("state", "conflicts", "held") if k in said}},
                **{k: int(said[k]) for k in ("expires", "token") if k in said and k not in model},
            )
        if op.startswith("approve") and "deadline" in said:
            line["until"] = int(said["deadline"])
        self.round.calls.append(line)
        return word, said

    def live(self, until):
        while time.monotonic() < until:
            time.sleep(self.rng.random() * self.pace_s)
            room, roll = self.rng.choice(self.round.rooms), self.rng.random()
            holds = self.round.holds
            if roll < 0.3 or not holds:
                self.open(room)
            elif roll < 0.4:
                self.call(room, "list", "", {}, room=room)
            elif roll < 0.45:
                self.find(self.rng.choice(holds))
            else:
                # mostly of the last ones: the others are over
                self.step(holds[-1 - min(int(self.rng.expovariate(0.25)), len(holds) - 1)])

    def open(self, room):
        self.opened += 1
        rng, user, start = (
            self.rng,
            f"u{self.round.name}-{self.number}-{self.opened}",
            self.rng.randrange(24) * 30,
        )
        hold = {"room": room, "user": user, "n": 0, "tokens": []}
        ttl = rng.randrange(60, 500) if rng.random() < 0.4 else 600000
        call = rng.randrange(1, 500) if self.round.is_long and rng.random() < 0.3 else 60000
        model = {
            "start": start,
            "end": start + rng.choice((30, 60, 90)),
            "ttl_ms": ttl,
            "call_ms": call,
            "deadline": boot_ms(8000),
        }
        word, said = self.call(
            room,
            "hold",
            user,
            model,
            cid="TC0ONETIME",
            order="o-" + user,
            user=user,
            room=room,
            set=f"{model['start']}-{model['end']}",
            fingerprint=user,
            attempt="{}",
            ttl_ms=ttl,
            call_ms=call,
            deadline=model["deadline"],
        )
        if word in (None, "unavailable"):  # did it act? the answer tells its number, too
            word, said = self.find(hold)
        if word == "ok":
            self.round.holds.append({**hold, "id": said["id"]})

    def find(self, h):
        return self.call(
            h["room"], "find", h["user"], {}, what="place", user=h["user"], room=h["room"]
        )

    def step(self, h):
        what = self.rng.choice(
            (
                "find",
                "ready",
                "ready",
                "ready",
                "approve",
                "approve",
                "approve",
                "approve-first",
                "outcome",
                "outcome",
                "outcome",
                "remove",
                "fail",
            )
        )
        room, user = h["room"], h["user"]
        if what == "find":
            self.find(h)
        elif what == "ready":
            self.call(room, "ready", user, {}, id=h["id"], tid="T" + h["id"], answer="{}")
        elif what == "fail" and self.rng.random() < 0.3:
            self.call(room, "fail", user, {}, id=h["id"], paid=0)
        elif what == "approve":
            self.approve(h)
        elif what == "approve-first":
            self.approve_first(h)
        elif what == "outcome" and h["tokens"]:
            self.outcome(h)
        elif what == "remove":
            by = self.rng.choice(("gateway", "reservation", "reservation"))
            self.call(room, "remove", user, {"by": by}, id=h["id"], by=by, n=0)

    def approve(self, h):
        with (
            self.round.lock
        ):  # as the next number of a ledger; now and then it is one that was read long ago
            h["n"] += 2
            n = h["n"] if self.rng.random() < 0.9 else max(1, h["n"] - 4)
        model = {"n": n, "deadline": boot_ms(self.rng.randrange(50, 400))}
        word, said = self.call(
            h["room"], "approve", h["user"], model, id=h["id"], key="k" + h["user"], **model
        )
        if word == "ok":
            h["tokens"].append(int(said["token"]))

    def approve_first(self, h):
        model = {"n": 1, "deadline": boot_ms(self.rng.randrange(50, 400))}
        word, said = self.call(
            h["room"],
            "approve-first",
            h["user"],
            model,
            user=h["user"],
            room=h["room"],
            cids="TC0ONETIME,TC0MERCHNT",
            key="k" + h["user"],
            deadline=model["deadline"],
            until=model["deadline"],
        )
        if word == "ok":
            h["tokens"].append(int(said["token"]))

    def outcome(self, h):
        token = h["tokens"][-1] if self.rng.random() < 0.8 else self.rng.choice(h["tokens"])
        outcome = self.rng.choice(
            ("approved", "approved", "declined", "restored", "refused", "unknown")
        )
        model = {
            "token": token,
            "outcome": outcome,
            "n": h["n"] + 1 if self.rng.random() < 0.8 else 0,
        }
        self.call(h["room"], "outcome", h["user"], model, id=h["id"], **model)


def play(daemon, rnd, seed, clients, seconds):
    rng = random.Random(seed)
    end = time.monotonic() + seconds
    guests = [Guest(rnd, i, f"{seed}/{i}") for i in range(clients)]
    kills = 0
    with concurrent.futures.ThreadPoolExecutor(clients) as pool:
        lives = [pool.submit(g.live, end) for g in guests]
        while kills == 0 or time.monotonic() < end - 0.2:
            time.sleep(rng.uniform(0.15, 0.45))
            daemon.kill()
            kills += 1
        for life in lives:
            life.result()
    return kills


def record(program, path, seed, numbers, rooms, clients):
    """Plays the rounds with these numbers against one daemon and writes them to path. Every tenth one is
    long: long enough for what the daemon gives up after 2 s."""
    daemon, kills = Daemon(str(program)), 0
    try:
        with open(path, "w") as out:
            for i in numbers:
                rnd = Round(f"{seed}-{i}", [daemon.path], rooms, i % 10 == 0)
                kills += play(daemon, rnd, f"{seed}/{i}", clients, 3 if rnd.is_long else 0.6)
                daemon.assert_alive()
                rnd.write(out)
    finally:
        daemon.close()
    return kills


def check(checker, path, seed, tries, *more):
    argv = [
        str(checker),
        "-guard-ms",
        str(GUARD_MS),
        "-picture",
        str(path) + ".html",
        "-seed",
        str(seed),
        "-plant",
        str(tries),
        *more,
    ]
    with open(path, "rb") as histories:
        done = subprocess.run(argv, stdin=histories, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()[-4000:]
    return json.loads(done.stdout)


def portion(program, checker, path, seed, numbers, rooms, clients, tries):
    """Some of the histories, checked: what the checker says of them, and how often the daemon was killed."""
    kills = record(program, path, seed, numbers, rooms, clients)
    return {"kills": kills, **check(checker, path, seed, tries)}


PORTION = 25
SPARE = 6  # portions more, where a busy machine left no answer that could be changed


def run(
    program,
    checker,
    histories=20,
    seed=1,
    rooms=2,
    clients=6,
    jobs=1,
    tries=10,
    keep=None,
    say=lambda line: None,
):
    """keep: a directory for the histories, and for the picture of a violation. Without it they are removed
    when nothing was wrong."""
    began, n = time.monotonic(), -(-histories // PORTION)
    out, results = pathlib.Path(keep or tempfile.mkdtemp(prefix="roompay-histories-")), []

    def begin(pool, i, numbers):
        return pool.submit(
            portion,
            program,
            checker,
            out / f"{seed}-{i}.jsonl",
            seed,
            numbers,
            rooms,
            clients,
            tries,
        )

    def planted():
        kinds = {kind for r in results for kind in r.get("planted", {})}
        return {kind: sum(r["planted"][kind]["tries"] for r in results) for kind in kinds}

    with concurrent.futures.ProcessPoolExecutor(jobs) as pool:
        try:
            for p in concurrent.futures.as_completed(
                [begin(pool, i, range(i, histories, n)) for i in range(n)]
            ):
                results.append(p.result())
                say(f"seed {seed}: {len(results)} of {n} portions")
            while tries and min(planted().values()) == 0 and len(results) < n + SPARE:
                histories += 10
                results.append(begin(pool, len(results), range(histories - 10, histories)).result())
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    missing = [kind for kind, times in planted().items() if times == 0]
    assert not missing, f"nothing could be planted of: {missing}"
    if keep is None:
        shutil.rmtree(out)
    return {
        "histories": histories,
        **{k: sum(r[k] for r in results) for k in ("rooms", "calls", "cut_off", "kills")},
        "clients": clients,
        "kinds_of_answers": len({a for r in results for a in r["answers"]}),
        "planted": planted(),
        "seed": seed,
        "seconds": round(time.monotonic() - began),
    }


if __name__ == "__main__":
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("build")
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--histories", type=int, default=20)
    p.add_argument("--jobs", type=int, default=1)
    p.add_argument("--plant", type=int, default=10, help="violations of each kind to plant")
    p.add_argument(
        "--checker",
        help="the program of tests/prove/linear (dev/build checker); BUILD/linear-check",
    )
    p.add_argument("--keep", help="directory for the histories and the picture of a violation")
    a = p.parse_args()
    top = pathlib.Path(a.build).resolve()
    try:
        print(
            json.dumps(
                run(
                    top / "queued/roompay-queued",
                    a.checker or top / "linear-check",
                    a.histories,
                    a.seed,
                    jobs=a.jobs,
                    tries=a.plant,
                    keep=a.keep,
                    say=lambda line: print(line, file=sys.stderr),
                )
            )
        )
    except AssertionError as e:
        sys.exit(f"linear.py: {e}")
