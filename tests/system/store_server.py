"""The store that development, tests and benchmarks start for themselves where MONGODB_URI names
none: mongod, as a replica set of one member, or FerretDB where that is asked for or all there is.

As a program: store_server.py BUILD_DIR DIR [PORT] starts one in DIR, prints its URI, and stops it
when it gets SIGTERM."""

import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import time

from mongo_set import MongoSet, MongoSetError
from ports import free_port

SWITCH = "ROOMPAY_STORE"
# What no query of ours may do: read a whole collection, or sort in memory. MongoDB itself keeps a
# note of each that does, in system.profile of the database; plans.py reads them.
UNINDEXED = '{ appName: "roompay", $or: [ { planSummary: /COLLSCAN/ }, { hasSortStage: true } ] }'


class StoreError(Exception):
    pass


def choose(build):
    """The engine and its program, as dev/engine says it. Its file may have come after a build."""
    wanted, build = os.environ.get(SWITCH, ""), pathlib.Path(build).resolve()
    if wanted not in ("", "mongod", "ferretdb"):
        raise StoreError(f"{SWITCH} is '{wanted}': it is mongod, ferretdb, or not set")
    mongod = shutil.which("mongod") or build / "mongod"
    if wanted != "ferretdb" and pathlib.Path(mongod).exists():
        return "mongod", str(mongod)
    if wanted != "mongod" and (build / "store").exists():
        return "ferretdb", str(build / "store")
    raise StoreError(f"no {wanted or 'store'} in {build}: run dev/build, or set MONGODB_URI")


class FerretDB:
    """FerretDB over SQLite: it speaks MongoDB's protocol, is no replica set and elects nobody."""

    def __init__(self, program, dir, port=None, label="store"):
        self.program, self.path, self.port = program, pathlib.Path(dir) / label, port or free_port()
        self.log = self.path.with_suffix(".log")
        self.uri = f"mongodb://127.0.0.1:{self.port}/"
        self.process = None

    def start(self, seconds=20):
        self.path.mkdir(parents=True, exist_ok=True)
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [self.program, "--listen-addr", f"127.0.0.1:{self.port}", "--dir", str(self.path)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        end = time.monotonic() + seconds
        while not self._listens():
            if self.process.poll() is not None or time.monotonic() > end:
                raise StoreError(f"FerretDB is not there; its log is {self.log}")
            time.sleep(0.02)

    def _listens(self):
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
            return True
        except OSError:
            return False

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(20)


class MongoDB(MongoSet):
    """A set of one member."""

    def __init__(self, program, dir, port=None, label="store"):
        super().__init__(
            program,
            dir,
            label=label,
            ports=[port or free_port()],
            options=("--profile", "1", "--profileFilter", UNINDEXED),
        )
        self.port = self.members[0].port

    @property
    def process(self):
        return self.members[0].process

    def start(self, seconds=30):
        try:
            super().start(seconds)
        except MongoSetError as e:
            raise StoreError(str(e)) from None


def store_server(build, dir, port=None, label="store"):
    """Not started yet: start(), stop(), uri, port, process."""
    engine, program = choose(build)
    return {"mongod": MongoDB, "ferretdb": FerretDB}[engine](program, dir, port, label)


def version(uri):
    """What answers at this URI, for reports: "MongoDB 6.0.5, replica set of 1"."""
    import pymongo

    with pymongo.MongoClient(uri, serverSelectionTimeoutMS=5000) as client:
        hello, info = client.admin.command("hello"), client.admin.command("buildInfo")
    if any(name.startswith("ferretdb") for name in info):
        return "FerretDB"
    hosts = len(hello.get("hosts", []))
    return f"MongoDB {info['version']}, " + (f"replica set of {hosts}" if hosts else "standalone")


def main():
    build, dir, port = sys.argv[1], sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else None
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    signal.signal(signal.SIGINT, lambda *_: sys.exit(0))
    try:
        server = store_server(build, dir, port)
        server.start()
    except StoreError as e:
        sys.exit(f"store_server: {e}")
    try:
        print(server.uri, flush=True)
        signal.pause()
    finally:
        server.stop()


if __name__ == "__main__":
    main()
