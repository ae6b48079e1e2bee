"""Is the queue linearizable? Concurrent clients write down what they asked of a real roompay-queued, when, and what it said, while it is killed (kill -9) and started again;
then a checker looks, room by room, for one order of all that explains every answer.

The checker keeps every world that is possible after each answer (Wing and Gong's search, taken forward in time): a world is the state of the room and which of the calls under way
have taken effect in it. A call that was cut off by a kill may have taken effect or not, but not after the kill. An answer that fits no world is a violation. `planted` shows
that it finds one: it changes one answer of a true history and expects a violation."""
import argparse
import json
import pathlib
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

LIVE = {"held", "ready", "approving", "approved"}
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


class Client:
    """One connection; every call is written down."""

    def __init__(self, world):
        self.world, self.sock, self.n = world, None, 0

    def ask(self, verb, **args):
        """(word, arguments), or None: cut off, or (self.sent is false) never sent."""
        self.n += 1
        self.sent = False
        try:
            if self.sock is None:
                self.sock = socket.socket(socket.AF_UNIX)
                self.sock.settimeout(10)
                self.sock.connect(self.world.path)
                self.file = self.sock.makefile("rb")
            words = [f"{k}={urllib.parse.quote(str(v), safe='!#$&()*+,-./:;<>?@[]^_`{|}~')}" for k, v in args.items() if v != ""]
            self.sent = True
            self.sock.sendall(f"{self.n} {verb} {' '.join(words)}".rstrip().encode() + b"\n")
            while True:
                line = self.file.readline().decode().split()
                if not line:
                    raise OSError("closed")
                if line[1] != "wait":
                    return line[1], {k: urllib.parse.unquote(v) for k, v in (w.split("=", 1) for w in line[2:])}
        except OSError:
            if self.sock is not None:
                self.sock.close()
            self.sock = None
            return None

    def call(self, where, op, verb, **args):
        """As ask, recorded: op is what the model understands."""
        with self.world.lock:
            self.world.clock += 1
            begun = self.world.clock
            at = len(self.world.history)
            self.world.history.append(None)
        said = self.ask(verb, **args)
        with self.world.lock:
            self.world.clock += 1
            if said is None and not self.sent:      # nobody listened: it was no call
                return said
            self.world.history[at] = {"room": where, "op": op, "begun": begun, "ended": self.world.clock, "said": said}
        return said


class World:
    def __init__(self, program):
        self.program, self.lock, self.clock, self.history, self.kills = program, threading.Lock(), 0, [], []
        self.tmp = tempfile.TemporaryDirectory(prefix="roompay-linear-")
        self.path = self.tmp.name + "/queue.sock"
        (pathlib.Path(self.tmp.name) / "roompay.conf").write_text(CONF.format(dir=self.tmp.name, hash="1".zfill(64)))
        self.tokens = {}
        self.start()
        assert Client(self).ask("admit", adopted=0, token=0)[0] == "ok"

    def start(self):
        with open(self.tmp.name + "/log", "ab") as log:
            self.daemon = subprocess.Popen([self.program, "-c", self.tmp.name + "/roompay.conf"], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        for _ in range(200):
            try:
                with socket.socket(socket.AF_UNIX) as s:
                    s.connect(self.path)
                    return
            except OSError:
                time.sleep(0.01)
        raise RuntimeError(pathlib.Path(self.tmp.name + "/log").read_text()[-2000:])

    def kill(self):
        self.daemon.send_signal(signal.SIGKILL)
        self.daemon.wait()
        with self.lock:             # what was asked before and has no answer is over
            self.clock += 1
            self.kills.append(self.clock)
        self.start()

    def close(self):
        self.daemon.kill()
        self.daemon.wait()
        self.tmp.cleanup()


def boot_ms(after):
    return int(time.clock_gettime(time.CLOCK_BOOTTIME) * 1000) + after


def live(world, seed, rooms, until):
    """One client: it opens, pays, gives up and looks, in rooms that it shares with the others."""
    rng, c, mine, n = random.Random(seed), Client(world), [], 0
    while time.monotonic() < until:
        time.sleep(rng.random() * 0.004)
        room = rng.choice(rooms)
        roll = rng.random()
        if roll < 0.45 or not mine:
            n += 1
            user, start = f"u{seed}-{n}", rng.randrange(30) * 30
            hold = {"room": room, "user": user, "set": f"{start}-{start + rng.choice((30, 60, 90))}"}
            a = c.call(room, ("hold", user, hold["set"]), "hold", cid="TC0ONETIME", order="o-" + user, user=user, room=room, set=hold["set"], fingerprint=user, attempt="{}",
                       ttl_ms=600000, call_ms=60000, deadline=boot_ms(8000))
            if a is None:
                a = c.call(room, ("find", user), "find", what="place", user=user, room=room)
            if a is not None and a[0] == "ok":
                mine.append({**hold, "id": a[1]["id"], "state": "held"})
                world.holds.append(mine[-1])
        elif roll < 0.55:
            c.call(room, ("list",), "list", room=room)
        else:
            h = rng.choice(mine if rng.random() < 0.8 else world.holds)
            step(world, c, rng, h)
            if rng.random() < 0.3 and h in mine:
                mine.remove(h)


def step(world, c, rng, h):
    what = rng.choice(("ready", "ready", "approve", "approve", "outcome", "outcome", "remove", "fail"))
    room, user = h["room"], h["user"]
    if what == "ready":
        c.call(room, ("ready", user), "ready", id=h["id"], tid="T" + h["id"], answer="{}")
    elif what == "fail":
        c.call(room, ("fail", user), "fail", id=h["id"], paid=0)
    elif what == "approve":
        h["n"] = h.get("n", 0) + 2
        a = c.call(room, ("approve", user), "approve", id=h["id"], n=h["n"], key="k" + user, deadline=boot_ms(20000))
        if a is not None and a[0] == "ok":
            h["token"] = a[1]["token"]
    elif what == "outcome" and "token" in h:
        outcome = rng.choice(("approved", "declined", "restored"))
        c.call(room, ("outcome", user, h["token"], outcome), "outcome", id=h["id"], token=h["token"], outcome=outcome, n=h["n"] + 1)
    elif what == "remove":
        by = rng.choice(("gateway", "reservation"))
        c.call(room, ("remove", user, by), "remove", id=h["id"], by=by, n=0)


# ---- the model of one room: user -> (state, set, token)

def minutes(text):
    a, b = text.split("-")
    return int(a), int(b)


def meet(text, other):
    (a, b), (c, d) = minutes(text), minutes(other)
    return c < b and a < d


def overlaps(state, text):
    return any(s in LIVE and meet(text, t) for s, t, _ in state.values())


def after(state, user, what, token=None):
    s, text, old = state[user]
    return {**state, user: (what, text, old if token is None else token)}


def apply(state, op, said):
    """The states after op where it may say this (None: whatever it said). Yields each."""
    word, args = said if said is not None else (None, {})

    def fits(*words):
        return word is None or word in words
    kind, user = op[0], op[1] if len(op) > 1 else None
    mine = state.get(user)
    what = mine[0] if mine else None
    if kind == "list":
        shown = sorted((t, s) for s, t, _ in state.values() if s in LIVE)
        said_list = sorted(tuple(x.split(":")) for x in args.get("held", "").split(",") if x)
        if word is None or (word == "ok" and shown == said_list):
            yield state
    elif kind == "find":
        if word is None or (word == "ok" and what is not None and args["state"] == what) or (word == "no-hold" and what in (None, "gone")):
            yield state
    elif kind == "hold":
        if mine is None:
            if word == "payment-in-progress":       # read after its deadline, on a machine that is busy: nothing was done
                yield state
            elif overlaps(state, op[2]):
                if fits("slot-held"):
                    yield state
            elif fits("ok"):
                yield {**state, user: ("held", op[2], "0")}
        elif fits("payment-in-progress", "replay"):
            yield state
    elif mine is None:
        if fits("no-hold", "fenced", "ok"):
            yield state
    elif kind == "ready":
        if what == "held":
            if fits("ok"):
                yield after(state, user, "ready")
        elif fits("ok" if what != "gone" else "fenced", "fenced", "payment-in-progress"):
            yield state
    elif kind == "fail":
        if what == "held":
            if fits("ok"):
                yield after(state, user, "gone")
        elif fits("ok"):
            yield state
    elif kind == "approve":
        if what == "ready":
            if word is None:
                yield after(state, user, "approving", "?")
            elif word == "ok":
                yield after(state, user, "approving", args["token"])
        elif fits("replay", "payment-in-progress") if what in ("approving", "held") else \
                fits("order-already-paid", "replay", "payment-in-progress") if what == "approved" else fits("fenced", "no-hold", "order-already-paid", "replay", "payment-in-progress"):
            yield state
    elif kind == "outcome":
        token, outcome = op[2], op[3]
        if what == "approving" and mine[2] in (token, "?"):
            if fits("ok"):
                yield after(state, user, {"approved": "approved", "declined": "declined", "restored": "ready"}[outcome])
        elif fits("stale-token", "ok", "no-hold"):
            if outcome == "approved" and mine[2] == token and what in ("ready", "declined", "removed") and word in (None, "ok"):
                # a capture is taken whatever was said before, unless somebody else has the time by then: the answer shows which
                if word is None or args["state"] == "approved":
                    yield after(state, user, "approved")
                if what != "ready" and (word is None or args["state"] != "approved"):
                    yield state
            else:
                yield state
    elif kind == "remove":
        if op[2] == "reservation":
            if what == "approved":
                if fits("ok"):
                    yield after(state, user, "removed")
            elif fits("replay" if what == "removed" else "no-hold", "no-hold", "payment-in-progress", "replay"):
                yield state
        elif what in ("held", "ready"):
            if fits("ok"):
                yield after(state, user, "removed" if what == "ready" else "gone")
        elif fits("order-already-paid", "payment-in-progress", "no-hold", "replay", "ok"):
            if word != "ok" or what in ("declined", "removed", "gone"):
                yield state


# ---- the search

class Possible:
    __slots__ = ("state", "done", "key")

    def __init__(self, state, done):
        self.state, self.done = state, done
        self.key = (frozenset(state.items()), done)


def take_what_changes_nothing(w, pending):
    """A call whose answer fits now and that leaves the state as it is may take effect at once: waiting could only lose it."""
    idle = {i for i, op in pending.items() if i not in w.done and op["said"] is not None and any(s == w.state for s in apply(w.state, op["op"], op["said"]))}
    return Possible(w.state, w.done | idle) if idle else w


def linearize(worlds, pending, must=None, limit=100000):
    """Every world that comes of letting pending calls take effect, in every order. must: keep those in which this call has."""
    seen, out = {}, []
    for w in worlds:
        w = take_what_changes_nothing(w, pending)
        seen[w.key] = w
    todo = list(seen.values())
    while todo:
        w = todo.pop()
        if must is None or must in w.done:
            out.append(w)
            if must is not None:
                continue
        for i, op in pending.items():
            if i in w.done:
                continue
            for state in apply(w.state, op["op"], op["said"]):
                x = take_what_changes_nothing(Possible(state, w.done | {i}), pending)
                if x.key not in seen:
                    seen[x.key] = x
                    todo.append(x)
        assert len(seen) < limit, "too many worlds"
    return out


def check_room(history, kills):
    """None, or the call whose answer fits no world."""
    events = sorted([(h["begun"], 0, h) for h in history] + [(h["ended"], 1, h) for h in history if h["said"] is not None] + [(k, 2, None) for k in kills], key=lambda e: e[0])
    worlds, pending = [Possible({}, frozenset())], {}
    for _, kind, h in events:
        if kind == 0:
            if h["said"] is not None or h["op"][0] not in ("list", "find"):      # a look that was cut off says nothing
                pending[h["begun"]] = h
        elif kind == 2:             # what was cut off has taken effect by now, or never will
            cut = {i for i, p in pending.items() if p["said"] is None}
            worlds = [Possible(w.state, w.done - cut) for w in linearize(worlds, pending)]
            worlds = list({w.key: w for w in worlds}.values())
            for i in cut:
                del pending[i]
        else:
            i = h["begun"]
            if i not in pending:
                continue
            worlds = linearize(worlds, pending, must=i)
            if not worlds:
                return h
            del pending[i]
            worlds = list({w.key: w for w in (Possible(w.state, w.done - {i}) for w in worlds)}.values())
    return None


def check(history, kills):
    rooms = {}
    for h in history:
        rooms.setdefault(h["room"], []).append(h)
    for calls in rooms.values():
        wrong = check_room(calls, kills)
        if wrong is not None:
            return wrong
    return None


def certain(calls, h):
    """The times in this room that are held for sure while h is asked: granted before, and nobody has asked yet to end them."""
    ended = {c["op"][1] for c in calls if c["op"][0] in ("fail", "outcome", "remove") and c["begun"] < h["ended"]}
    return [c["op"][2] for c in calls if c["op"][0] == "hold" and c["said"] and c["said"][0] == "ok" and c["ended"] < h["begun"] and c["op"][1] not in ended]


def planted(history, kills, rng, tries=20):
    """How many of `tries` changed answers are found. Of those that no order can explain: a hold that is granted over one that is there for sure, and such a one that is not listed."""
    rooms, plants, found = {}, ([], []), 0
    for h in history:
        rooms.setdefault(h["room"], []).append(h)
    for h in history:
        word, args = h["said"] or (None, {})
        if h["op"][0] == "hold" and word == "slot-held":
            if any(meet(h["op"][2], t) for t in certain(rooms[h["room"]], h)):
                plants[0].append((h, ("ok", {"id": "0"})))
        elif h["op"][0] == "list" and word == "ok" and args.get("held"):
            shown = args["held"].split(",")
            for gone in (x for x in shown if x.split(":")[0] in certain(rooms[h["room"]], h)):
                plants[1].append((h, ("ok", {"held": ",".join(x for x in shown if x != gone)})))
    for i in range(tries):
        h, lie = rng.choice(plants[i % 2])
        was, h["said"] = h["said"], lie
        found += check(rooms[h["room"]], kills) is not None
        h["said"] = was
    return found, tries


def run(program, seed=1, seconds=10, clients=6, rooms=4, kill_every_s=0.5):
    rng, began = random.Random(seed), time.monotonic()
    world = World(str(program))
    world.holds = []
    try:
        names = [f"{seed * 1000 + i:024x}" for i in range(rooms)]
        until = time.monotonic() + seconds
        rounds = 0
        while time.monotonic() < until:         # short rounds in new rooms: the search stays small
            rounds += 1
            names = [f"{seed:08x}{rounds:08x}{i:08x}" for i in range(rooms)]
            world.holds = []
            end = min(until, time.monotonic() + 2)
            threads = [threading.Thread(target=live, args=(world, f"{seed}{rounds}x{i}", names, end)) for i in range(clients)]
            for t in threads:
                t.start()
            while time.monotonic() < end:
                time.sleep(rng.uniform(0.5, 1.5) * kill_every_s)
                world.kill()
            for t in threads:
                t.join()
        history = [h for h in world.history if h is not None]
        wrong = check(history, world.kills)
        assert wrong is None, f"seed {seed}: no order of the calls explains {wrong}"
        found, tries = planted(history, world.kills, rng)
        assert found == tries, f"{tries - found} of {tries} planted violations were not found"
        return {"calls": len(history), "kills": len(world.kills), "rooms": rounds * rooms, "clients": clients, "planted_found": f"{found} of {tries}", "seed": seed,
                "seconds": round(time.monotonic() - began)}
    finally:
        world.close()


if __name__ == "__main__":
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("build")
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--seconds", type=float, default=10)
    a = p.parse_args()
    try:
        print(json.dumps(run(pathlib.Path(a.build).resolve() / "queued/roompay-queued", a.seed, a.seconds)))
    except AssertionError as e:
        sys.exit(f"linear.py: {e}")
