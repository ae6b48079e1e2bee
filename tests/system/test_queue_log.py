"""The queue on a log in MongoDB: the conformance tests of the queue, on a real replica set; and two
machines, each with web server, workers, daemon and courier, on one log."""

import itertools
import os
import pathlib
import random
import re
import signal
import socket
import subprocess
import threading
import time

import plans
import pymongo
import pytest
from booking_site import Site, at_once, eventually, new_id
from conftest import BUILD
from ports import free_port
from stack import Stack, StackError, children
from store_server import choose, store_server

BUILD = pathlib.Path(BUILD).resolve()
pytestmark = pytest.mark.skipif(
    choose(BUILD)[0] != "mongod", reason="the shared log needs a replica set of MongoDB"
)
PROGRAMS = ("test_queue", "test_queue_connection", "test_queue_restart", "test_queue_waiting")


@pytest.fixture(scope="module")
def log_server(tmp_path_factory):
    server = store_server(BUILD, tmp_path_factory.mktemp("log"))
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def log_uri(log_server):
    return log_server.uri


@pytest.mark.parametrize("program", PROGRAMS)
def test_conformance(program, log_uri):
    done = subprocess.run(
        [BUILD / "tests/conform" / program],
        capture_output=True,
        text=True,
        timeout=120,
        env={
            **os.environ,
            "CMOCKA_MESSAGE_OUTPUT": "TAP",
            "ROOMPAY_QUEUED": str(BUILD / "queued/roompay-queued"),
            "ROOMPAY_TEST_LOG_URI": log_uri,
        },
    )
    failed = [line for line in done.stdout.splitlines() if line.startswith("not ok")]
    assert done.returncode == 0 and not failed, done.stdout + done.stderr
    assert "\nok 1 - " in done.stdout or done.stdout.startswith("ok 1 - ")


class World(Stack):
    """What the machines of a site share: simulator, receivers, database."""

    ORDER = ("sim",)


class Machine(Stack):
    ORDER = ("queued", "workers", "web", "courier")


@pytest.fixture
def machines(log_uri):
    """Two machines with a daemon each, on one log."""
    conf = {"queue": {"log": "mongodb"}}
    with World(BUILD, mongo_uri=log_uri) as world:
        made = [
            Machine(BUILD, workers=6, conf=conf, mongo_uri=log_uri, world=world) for _ in range(2)
        ]
        with made[0] as one, made[1] as two:
            yield one, two


def wait_until_ready(site):
    eventually(lambda: site.get("/readyz").status == 200, 20)


def order_lines(machine):
    files = sorted((machine.dir / "queue").glob("orders-*"))
    return [line for f in files for line in f.read_text().splitlines() if line]


def test_two_machines_are_one_queue(machines):
    one, two = (Site(m) for m in machines)
    wait_until_ready(one)
    wait_until_ready(two)
    for i in range(10):
        room = new_id()
        tries = at_once(
            [lambda s=s, r=room: s.ready(user=f"u-{s.base}-{i}", room=r) for s in (one, two)]
        )
        assert sorted(a.status for a in tries) == [200, 409], tries
        assert next(a for a in tries if a.status == 409).code == "slot-held"
    body, opened = one.opened(user="u-both")
    token = one.sim.pay(opened.body["tid"])
    room = body["reservationInfo"]["roomId"]
    done = two.approve("u-both", room, token)
    assert done.status == 200 and done.body["charged"] is True, done
    again = one.approve("u-both", room, token)
    assert again.status == 200 and again.replayed, again
    assert len(one.sim.captures(body["paymentInfo"]["partner_order_id"])) == 1
    # each machine's own disk has what became of the order, whoever decided it
    for m in machines:
        eventually(
            lambda m=m: (
                {"approving", "approved"}
                <= {line.split()[1] for line in order_lines(m) if opened.body["tid"] in line}
            )
        )
        assert any(" approving " in line and " key=" in line for line in order_lines(m))


class Buyers:
    """They pay for few times of few rooms, through one machine, until they are told to stop."""

    ROOMS, STARTS = [f"{i:024x}" for i in range(1, 60)], range(8, 20, 2)

    def __init__(self, site, name):
        self.site, self.name = site, name
        self.wanted, self.paid_at = {}, []  # order -> room and start
        self.ends = False
        self.threads = [threading.Thread(target=self.buy, args=(i,)) for i in range(3)]
        for t in self.threads:
            t.start()

    def buy(self, i):
        n = 0
        while not self.ends:
            n += 1
            order, user = f"o-{self.name}-{i}-{n}", f"u-{self.name}-{i}-{n}"
            room, start = random.choice(self.ROOMS), random.choice(self.STARTS)
            self.wanted[order] = (room, start)
            try:
                a = self.site.ready(
                    user=user, room=room, order=order, start=(start,), end=(start + 2,)
                )
                if a.status == 200:
                    token = self.site.sim.pay(a.body["tid"])
                    if self.site.approve(user, room, token).status == 200:
                        self.paid_at.append(time.monotonic())
            except OSError:
                pass

    def stop(self):
        self.ends = True
        for t in self.threads:
            t.join()


def test_a_daemon_is_killed_and_the_other_machine_goes_on(machines):
    sites = [Site(m) for m in machines]
    for s in sites:
        wait_until_ready(s)
    buyers = [Buyers(s, f"{i}") for i, s in enumerate(sites)]
    time.sleep(2)
    machines[0].kill("queued")
    killed_at = time.monotonic()
    time.sleep(3)
    machines[0].start("queued")
    began_at = time.monotonic()
    time.sleep(2)
    for b in buyers:
        b.stop()
    others = [t for t in buyers[1].paid_at if killed_at < t < began_at]
    gaps = [b - a for a, b in itertools.pairwise([killed_at, *others, began_at])]
    assert max(gaps) < 1.5, gaps
    eventually(lambda: sites[0].paid(user="u-last")[2].status == 200)
    captured = [c["partner_order_id"] for c in sites[0].sim.captures()]
    assert len(captured) == len(set(captured)) > 20
    wanted = buyers[0].wanted | buyers[1].wanted
    times = [wanted[o] for o in captured if o in wanted]
    assert len(times) == len(set(times)), "one time was sold twice"
    eventually(lambda: {p["partner_order_id"] for p in sites[1].payments()} == set(captured), 20)


def test_a_standalone_server_is_refused_with_what_to_do(tmp_path):
    port = free_port()
    (tmp_path / "db").mkdir()
    server = subprocess.Popen(
        [
            choose(BUILD)[1],
            "--dbpath",
            tmp_path / "db",
            "--port",
            str(port),
            "--bind_ip",
            "127.0.0.1",
        ],
        stdout=subprocess.DEVNULL,
    )
    try:
        machine = Machine(
            BUILD, conf={"queue": {"log": "mongodb"}}, mongo_uri=f"mongodb://127.0.0.1:{port}/"
        )
        with pytest.raises(StackError) as told:
            machine.start("queued")
        machine.__exit__(None, None, None)
        assert "ended with 3" in str(told.value) and "--replSet" in str(told.value), told.value
    finally:
        server.kill()
        server.wait()


def test_the_helper_is_killed_and_the_daemon_ends_and_comes_back(machines):
    one = machines[0]
    helper = children(one.processes["queued"].pid)
    assert len(helper) == 1
    os.kill(helper[0], signal.SIGKILL)
    assert one.processes["queued"].wait(5) == 4
    assert "roompay-queue-log has ended" in one.log_tail("queued")
    one.start("queued")
    wait_until_ready(Site(one))


def test_a_database_that_stands_still_is_away_and_comes_back(machines, log_server):
    site = Site(machines[0])
    wait_until_ready(site)
    log_server.members[0].suspend()
    try:
        time.sleep(2)
        a = site.ready()
        assert a.status == 503, a
        assert "log_away" in machines[0].log_tail("queued")
    finally:
        log_server.members[0].resume()
    eventually(lambda: site.ready().status == 200, 15)
    assert "log_well" in machines[0].log_tail("queued")


class Daemon:
    """roompay-queued alone, on the log of a database of its own or of another daemon's."""

    def __init__(self, log_uri, database, keys="", env=None):
        self.machine = Machine(
            BUILD,
            conf={
                "queue": {"log": "mongodb", "max_calls_ready": 1000, **dict(keys)},
                "store": {"database": database},
            },
            mongo_uri=log_uri,
        )
        self.machine.preload["queued"] = env or {}
        self.machine.start("queued")

    def ask(self, line):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(5)
            s.connect(self.machine.queue_socket)
            s.sendall(b"t " + line.encode() + b"\n")
            return s.makefile("rb").readline().decode().removeprefix("t ").strip()

    def hold(self, user, room=1):
        boot = int(time.clock_gettime(time.CLOCK_BOOTTIME) * 1000)
        return self.ask(
            f"hold cid=TC0ONETIME order=o-{user} user={user} room={room:024x} set=600-720 "
            f"fingerprint=ab attempt={{}} ttl_ms=600000 call_ms=60000 deadline={boot + 3000}"
        )

    def count(self, name):
        return int(re.search(rf"\b{name}:(\d+)", self.ask("stats"))[1])

    @property
    def process(self):
        return self.machine.processes["queued"]

    def signal(self, number):
        """To the daemon and its helper."""
        for pid in [*children(self.process.pid), self.process.pid]:
            os.kill(pid, number)

    def close(self):
        if "queued" in self.machine.processes and self.process.poll() is None:
            self.signal(signal.SIGCONT)
            self.machine.kill("queued")
        self.machine.__exit__(None, None, None)


@pytest.fixture
def daemons(log_uri):
    made, database = [], "roompay_log_" + new_id()

    def make(*keys, **env):
        made.append(Daemon(log_uri, database, keys, env))
        return made[-1]

    make.log = pymongo.MongoClient(log_uri)[database]
    yield make
    for d in made:
        d.close()


def test_old_numbers_are_deleted_and_who_stood_still_starts_again(daemons):
    short = (("log_keep", 10), ("log_snapshot_every", 10))
    one, two = daemons(*short), daemons(*short)
    assert one.ask("admit adopted=0 token=0") == "ok"
    assert one.hold("first").startswith("ok ")
    eventually(lambda: two.count("log_number") == one.count("log_number"))
    two.signal(signal.SIGSTOP)
    stood_at = one.count("log_number")
    for i in range(30):
        assert one.hold(f"u{i}", room=2 + i).startswith("ok ")

    eventually(lambda: not daemons.log.queue_log.count_documents({"n": {"$lte": stood_at + 1}}), 40)
    snapshot = daemons.log.queue_snapshots.find_one(sort=[("_id", -1)])
    left = {d["n"] for d in daemons.log.queue_log.find()}
    # nothing is deleted that no snapshot has
    assert left >= set(range(snapshot["n"] + 1, one.count("log_number") + 1))
    three = daemons(*short)
    assert three.count("log_number") == one.count("log_number")
    assert three.hold("late").startswith("slot-held ")
    assert three.hold("new", room=99).startswith("ok ")
    # its next number was used and deleted: it must not go on from where it stood
    two.signal(signal.SIGCONT)
    assert two.process.wait(20) == 4
    assert "stood still" in two.machine.log_tail("queued")
    two.machine.start("queued")
    eventually(lambda: two.count("log_number") == one.count("log_number"))
    assert two.hold("late").startswith("slot-held ")


def test_a_machine_joins_while_another_one_writes(daemons):
    one, two = (daemons(("log_snapshot_every", 10)) for _ in range(2))
    assert one.ask("admit adopted=0 token=0") == "ok"
    stop = threading.Event()

    def write(writer):
        for i in range(5000):
            if stop.is_set():
                break
            assert one.hold(f"w{writer}-{i}", room=1000 * (1 + writer) + i % 1000)

    writers = [threading.Thread(target=write, args=(n,)) for n in range(4)]
    for t in writers:
        t.start()
    try:
        for _ in range(6):
            two.machine.kill("queued")
            before = one.count("log_number")
            two.machine.start("queued")  # raises if it ends
            assert two.count("log_number") >= before
    finally:
        stop.set()
        for t in writers:
            t.join()


def test_an_older_database_is_a_fence_on_every_machine(daemons):
    one, two = daemons(), daemons()
    assert one.ask("admit adopted=0 token=0") == "ok"
    assert one.hold("u1").startswith("ok ")
    eventually(lambda: two.count("log_number") == one.count("log_number"))
    for d in (one, two):
        d.machine.kill("queued")
    last = daemons.log.queue_log.find_one(sort=[("_id", -1)])
    daemons.log.queue_log.delete_one({"_id": last["_id"]})
    one.machine.start("queued")
    assert "fence=log-behind" in one.ask("hello")
    assert one.hold("u2", room=2).startswith("unavailable ")
    os.unlink(two.machine.dir / "queue" / "log-mark")  # it remembers nothing, and hears of it
    two.machine.start("queued")
    eventually(lambda: "fence=log-behind" in two.ask("hello"))
    assert two.hold("u2", room=2).startswith("unavailable ")
    for d in (one, two):
        d.machine.kill("queued")
    daemons.log.queue_log.insert_one(last)  # the newest copy is back
    daemons.log.meta.delete_one({"_id": "queue_log_fence"})
    one.machine.start("queued")
    assert one.hold("u2", room=2).startswith("ok ")


def test_writes_that_the_database_refuses_are_counted_and_go_on_by_themselves(daemons):
    d = daemons()
    assert d.ask("admit adopted=0 token=0") == "ok"
    assert d.hold("u1").startswith("ok ")
    counted = d.machine.dir / "metrics" / "queued.metrics"
    assert b"log_append_refused" not in counted.read_bytes()
    daemons.log.command("collMod", "queue_log", validator={"n": {"$lt": 0}})
    assert d.hold("u2", room=2).startswith("unavailable ")
    eventually(lambda: b"log_append_refused" in counted.read_bytes())  # RoompayLogRefused
    daemons.log.command("collMod", "queue_log", validator={})
    eventually(lambda: d.hold("u3", room=3).startswith("ok "))


def test_no_query_of_the_log_reads_a_whole_collection(daemons):
    for command in ({"profile": 0}, {"profile": 1, "filter": {"appName": "roompay"}}):
        daemons.log.command(command)
    one, two = daemons(("log_snapshot_every", 20)), daemons()
    assert one.ask("admit adopted=0 token=0") == "ok"
    eventually(lambda: two.count("log_number") == one.count("log_number"))
    for i in range(40):
        assert (one, two)[i % 2].hold(f"u{i}", room=1 + i).startswith("ok ")
    assert "no-hold" in two.ask("find-tid tid=T-nothing")
    assert plans.noted(daemons.log)  # it was watched
    assert plans.unindexed(daemons.log) == []


def test_a_machine_with_a_wrong_clock_serves_nothing(daemons, tmp_path):
    off = tmp_path / "off"
    off.write_text("500")
    preload = {"LD_PRELOAD": str(BUILD / "tests/prove/clock_off.so"), "CLOCK_OFF": str(off)}
    right, wrong = daemons(), daemons(**preload)
    assert right.ask("admit adopted=0 token=0") == "ok"
    eventually(lambda: wrong.count("log_number") == right.count("log_number"))
    assert wrong.hold("half").startswith("ok ")  # half a second is nothing
    assert right.hold("other").startswith("slot-held ")
    off.write_text("2000")
    eventually(lambda: "fence=clock-off" in wrong.ask("hello"))
    assert wrong.hold("u2", room=2).startswith("unavailable ")
    assert right.hold("u2", room=2).startswith("ok ")
    off.write_text("0")
    eventually(lambda: "fence=" not in wrong.ask("hello"))
    assert wrong.hold("u3", room=3).startswith("ok ")
    assert "timedatectl" in wrong.machine.log_tail("queued")


def test_a_final_no_is_never_said_from_an_old_table(daemons):
    """The other machine's helper stands still while something is granted, and is asked at once."""
    one, two = daemons(), daemons()
    assert one.ask("admit adopted=0 token=0") == "ok"
    for i in range(20):
        (helper,) = children(two.process.pid)
        os.kill(helper, signal.SIGSTOP)
        found = re.search(r"id=(\d+)", one.hold(f"u{i}", room=1 + i))
        assert one.ask(f"ready id={found[1]} tid=T{i} answer={{}}").startswith("ok ")
        os.kill(helper, signal.SIGCONT)
        assert two.ask(f"find-tid tid=T{i}").startswith("ok "), i
    assert two.count("log_barriers") >= 1
