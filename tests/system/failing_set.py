"""A replica set that can be made to fail in every way that one machine allows, and a watch on it:
since when has nobody been primary? The members are called by the addresses of set_net.py's
proxies."""

import itertools
import pathlib
import shutil
import socket
import struct
import subprocess
import sys
import threading
import time

import bson
from mongo_set import MongoSet
from ports import free_port
from pymongo.errors import PyMongoError

NET = pathlib.Path(__file__).resolve().parent / "set_net.py"
POLL_S = 0.05
OP_MSG = 2013
WRITE_MS = 20000
SERIES = 6  # so many writes approvePayment waits for; payReady for none


class FailingSet(MongoSet):
    """with FailingSet(mongod, dir, members=3) as s: s.cut([0], [1, 2]) ... s.mend()"""

    def __init__(self, mongod, dir, members=3, **more):
        ports = [free_port() for _ in range(members)]
        self.doors = [free_port() for _ in range(members)]
        self.net = None
        super().__init__(
            mongod,
            dir,
            members,
            ports=ports,
            addresses=[f"127.0.0.1:{p}" for p in self.doors],
            **more,
        )

    # -- the network

    def _tell(self, line):
        self.net.stdin.write(line + "\n")
        self.net.stdin.flush()
        answer = self.net.stdout.readline()
        assert answer == "ok\n", (line, answer)

    def _tell_pids(self):
        self._tell(
            "pids " + " ".join(str(m.process.pid if m.is_running() else 0) for m in self.members)
        )

    def cut(self, *groups):
        """No byte passes between members of different groups. Clients reach all of them."""
        self._tell_pids()
        self._tell("cut " + " ".join("".join(map(str, g)) for g in groups))

    def mend(self):
        self._tell("mend")

    # -- members

    def start(self, seconds=60):
        if self.net is None:
            self.net = subprocess.Popen(
                [
                    sys.executable,
                    str(NET),
                    *(f"{d}:{m.port}" for d, m in zip(self.doors, self.members, strict=False)),
                ],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                start_new_session=True,
            )
            assert self.net.stdout.readline() == "ready\n"
        for m in self.members:
            if not m.is_running():
                m.start()
        self._tell_pids()  # before the first of them connects to another
        super().start(seconds)

    def kill_member(self, i):
        """Its port refuses connections from now on, as that of a dead process does."""
        self.members[i].kill()
        self._tell(f"listen {i} 0")

    def start_member(self, i):
        self.members[i].start()
        self._tell(f"listen {i} 1")
        self._tell_pids()

    def wipe_member(self, i):
        shutil.rmtree(self.members[i].path)

    def step_down(self, i, seconds=10):
        with self.members[i].client() as c:
            try:
                c.admin.command("replSetStepDown", seconds)
            except PyMongoError:
                pass  # some versions close the connection before they answer

    def rolled_back(self, i):
        """What this member took back: collection's uuid -> documents."""
        found = {}
        for f in sorted((self.members[i].path / "rollback").glob("**/*.bson")):
            found.setdefault(f.parent.name, []).extend(bson.decode_all(f.read_bytes()))
        return found

    def __exit__(self, *exc):
        super().__exit__(*exc)
        if self.net is not None:
            self.net.stdin.close()
            try:
                self.net.wait(5)
            except subprocess.TimeoutExpired:
                self.net.kill()
                self.net.wait()


class Hello:
    """Asks one member who it is, over a connection of its own; an answer that takes longer than
    `seconds` is none."""

    def __init__(self, host, port, seconds=0.3):
        self.host, self.port, self.seconds, self.sock = host, port, seconds, None

    def close(self):
        if self.sock is not None:
            self.sock.close()
            self.sock = None

    def _exactly(self, n):
        data = b""
        while len(data) < n:
            more = self.sock.recv(n - len(data))
            if not more:
                raise OSError("closed")
            data += more
        return data

    def ask(self):
        body = bson.encode({"hello": 1, "$db": "admin"})
        try:
            if self.sock is None:
                self.sock = socket.create_connection((self.host, self.port), self.seconds)
            self.sock.settimeout(self.seconds)
            self.sock.sendall(struct.pack("<iiiiIB", 21 + len(body), 1, 0, OP_MSG, 0, 0) + body)
            size = struct.unpack("<i", self._exactly(4))[0]
            return bson.decode(self._exactly(size - 4)[17:])
        except OSError:
            self.close()
            return None


class Watch:
    """When was a primary seen that the majority can follow, and when did the majority take as many
    writes, one after another, as a payment needs? After an election the second may come much later.
    A secondary that read its oplog from a member that stands still must first give that connection
    up; until then it tells of its progress with its heartbeats alone, and a write takes as long as
    the distance between two of them (MongoDB's own: 2 s).

    `useless`: members that may still call themselves primary, but are cut off; until they say
    otherwise."""

    def __init__(self, members):
        self.last = [None] * len(members)
        self.useless = set()
        self.seen = []  # times at which some useful member was primary
        self.wrote = []  # times at which such a series of writes had reached the majority
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._poll, args=(i, Hello(m.host, m.port)), daemon=True)
            for i, m in enumerate(members)
        ]
        self._threads += [
            threading.Thread(target=self._write, args=(i, m), daemon=True)
            for i, m in enumerate(members)
        ]

    def _poll(self, i, hello):
        while not self._stop.wait(POLL_S):
            answer = hello.ask()
            self.last[i] = answer
            if answer is None:
                continue
            if not answer.get("isWritablePrimary"):
                self.useless.discard(i)
            elif i not in self.useless:
                self.seen.append(time.monotonic())
        hello.close()

    def _write(self, i, member):
        """A write that waits for its majority returns as soon as there is one."""
        series = 0
        with member.client(
            w="majority",
            journal=True,
            wtimeoutMS=WRITE_MS,
            socketTimeoutMS=WRITE_MS + 1000,
            serverSelectionTimeoutMS=300,
            retryWrites=False,
        ) as c:
            while not self._stop.wait(0 if series else POLL_S):
                if not (self.last[i] or {}).get("isWritablePrimary"):
                    series = 0
                    continue
                try:
                    c["watch"]["writes"].replace_one(
                        {"_id": i}, {"_id": i, "at": time.time()}, upsert=True
                    )
                    series = (series + 1) % SERIES
                    if series == 0:
                        self.wrote.append(time.monotonic())
                except PyMongoError:
                    series = 0

    def primary(self):
        found = [
            i
            for i, a in enumerate(self.last)
            if a and a.get("isWritablePrimary") and i not in self.useless
        ]
        return found[0] if found else None

    def is_whole(self):
        """One primary, and all others follow it."""
        roles = [
            (a or {}).get("isWritablePrimary", False) + 2 * (a or {}).get("secondary", False)
            for a in self.last
        ]
        return sorted(roles) == [1] + [2] * (len(roles) - 1)

    def __enter__(self):
        for t in self._threads:
            t.start()
        return self

    def __exit__(self, *exc):
        self._stop.set()
        for t in self._threads:
            t.join(5)


def longest_gap(times, begin, end):
    """The longest time between begin and end in which nothing happened."""
    marks = [begin, *sorted(t for t in times if begin < t < end), end]
    return max(b - a for a, b in itertools.pairwise(marks))
