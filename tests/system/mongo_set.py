"""A MongoDB replica set on loopback: one member or more, each a mongod of its own, started and
stopped here. One member is enough for what a standalone server does not do: retryable writes,
`majority` and `linearizable` reads, an election after each start."""

import pathlib
import signal
import socket
import subprocess
import time

import pymongo
from ports import free_port
from pymongo.errors import OperationFailure, PyMongoError

# Small and quiet: many of these run side by side, each for a short time.
OPTIONS = (
    "--wiredTigerCacheSizeGB",
    "0.25",
    "--nounixsocket",
    "--setParameter",
    "diagnosticDataCollectionEnabled=false",
    "--setParameter",
    "shutdownTimeoutMillisForSignaledShutdown=100",
)
ALREADY_INITIALIZED = 23


class MongoSetError(Exception):
    pass


class Member:
    def __init__(self, mongod, path, port, address, options, host="127.0.0.1", enter=()):
        self.host = host
        self.argv = [*enter, str(mongod), "--dbpath", str(path), "--port", str(port)]
        self.argv += ["--bind_ip", host, *options]
        self.path, self.log, self.port, self.address = path, path.with_suffix(".log"), port, address
        self.process = None
        self.client_options = {}  # where it wants TLS

    def is_running(self):
        return self.process is not None and self.process.poll() is None

    def start(self):
        """Starts the process; whoever needs it to answer waits for the set."""
        self.path.mkdir(parents=True, exist_ok=True)
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                self.argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )

    def signal(self, number):
        if self.is_running():
            self.process.send_signal(number)

    def suspend(self):
        self.signal(signal.SIGSTOP)

    def resume(self):
        self.signal(signal.SIGCONT)

    def kill(self):
        self.signal(signal.SIGKILL)
        self._wait(10)

    def stop(self, seconds=30):
        self.resume()
        self.signal(signal.SIGTERM)
        self._wait(seconds)

    def _wait(self, seconds):
        if self.process is None:
            return
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise MongoSetError(
                f"mongod on port {self.port} did not end within {seconds} s:\n{self.tail()}"
            ) from None

    def client(self, **options):
        """To this member alone, whatever state it is in."""
        return pymongo.MongoClient(
            self.host,
            self.port,
            **{
                "directConnection": True,
                "serverSelectionTimeoutMS": 2000,
                **self.client_options,
                **options,
            },
        )

    def tail(self, lines=15):
        if not self.log.exists():
            return "(no log)"
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])


class MongoSet:
    """with MongoSet(mongod, dir, members=3) as s: MongoClient(s.uri)...
    settings: of the set's configuration. options: more arguments of each mongod. addresses: what
    the members are called in the set's configuration, where that is not where they listen.
    hosts: of each member the address on which it listens, and what stands before its arguments.
    oplog_mib: a member that missed more than this cannot follow any more."""

    def __init__(
        self,
        mongod,
        dir,
        members=1,
        name="roompay",
        label="store",
        settings=None,
        options=(),
        ports=None,
        addresses=None,
        hosts=None,
        oplog_mib=64,
    ):
        self.name, self.dir = name, pathlib.Path(dir)
        self.settings = {"electionTimeoutMillis": 1000, **(settings or {})}
        ports = ports or [free_port() for _ in range(members)]
        hosts = hosts or [("127.0.0.1", ())] * members
        addresses = addresses or [f"{h[0]}:{p}" for h, p in zip(hosts, ports, strict=True)]
        labels = [label] if members == 1 else [f"{label}-{i}" for i in range(members)]
        options = ("--replSet", name, "--oplogSize", str(oplog_mib), *OPTIONS, *options)
        self.members = [
            Member(mongod, self.dir / at, port, address, options, *host)
            for at, port, address, host in zip(labels, ports, addresses, hosts, strict=True)
        ]
        self.uri = f"mongodb://{','.join(addresses)}/?replicaSet={name}"

    def start(self, seconds=30):
        """Starts those that do not run, configures a new set, and waits for a primary."""
        for m in self.members:
            if not m.is_running():
                m.start()
        end = time.monotonic() + seconds
        self.wait_for_answers(end)
        self._initiate()
        self.wait_for_primary(end - time.monotonic())

    def stop(self):
        for m in reversed(self.members):
            m.resume()
            m.signal(signal.SIGTERM)
        for m in self.members:
            m.stop()

    def wait_for_answers(self, end):
        """Each member answers, configured or not."""
        for m in self.members:
            while not self._hello(m):
                if not m.is_running():
                    raise MongoSetError(f"mongod on port {m.port} ended:\n{m.tail()}")
                if time.monotonic() > end:
                    raise MongoSetError(f"mongod on port {m.port} does not answer:\n{m.tail()}")
                time.sleep(0.02)

    def _hello(self, member):
        if not member.is_running() or not self._listens(member):
            return None
        try:
            with member.client(serverSelectionTimeoutMS=1000) as c:
                return c.admin.command("hello")
        except PyMongoError:
            return None

    @staticmethod
    def _listens(member):
        """Asked first: after a refused connection PyMongo waits half a second."""
        try:
            socket.create_connection((member.host, member.port), 1).close()
            return True
        except OSError:
            return False

    def _initiate(self):
        config = {
            "_id": self.name,
            "settings": self.settings,
            "members": [{"_id": i, "host": m.address} for i, m in enumerate(self.members)],
        }
        with self.members[0].client() as c:
            try:
                c.admin.command("replSetInitiate", config)
            except OperationFailure as e:
                if e.code != ALREADY_INITIALIZED:
                    raise

    def primary(self):
        """The member that says of itself that it takes writes; None."""
        found = [m for m in self.members if (self._hello(m) or {}).get("isWritablePrimary")]
        return found[0] if found else None

    def wait_for_primary(self, seconds=30):
        end = time.monotonic() + seconds
        while True:
            found = self.primary()
            if found:
                return found
            if time.monotonic() > end:
                tails = "\n".join(m.tail(5) for m in self.members)
                raise MongoSetError(f"no primary within {seconds:.0f} s:\n{tails}")
            time.sleep(0.01)

    def client(self, **options):
        return pymongo.MongoClient(self.uri, **{"serverSelectionTimeoutMS": 5000, **options})

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exc):
        for m in self.members:
            m.resume()
            m.kill()
