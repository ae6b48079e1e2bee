"""A site of several machines, each a network namespace of its own (net_bed.py): web server, workers,
queue daemon and courier on each; a replica set of three in three more; a balancer before them. The
simulator, the two receivers, and whoever asks, are the world."""

import itertools
import os
import pathlib
import re
import shutil
import signal
import subprocess
import threading
import time

from booking_site import http_call
from failing_set import FailingSet
from mongo_set import MongoSet
from net_bed import Bed
from stack import TOP, Stack, StackError, wait_for

NAMES = ("one", "two", "three")  # as in the sample of the balancer
DBS = ("db-0", "db-1", "db-2")
DB_PORT = 27017
LB_PORT = 8080


class DbSet(MongoSet):
    """A replica set whose members are hosts of the bed; it fails as failing_set.FailingSet does."""

    def __init__(self, bed, mongod, dir, **more):
        self.bed = bed
        super().__init__(
            mongod,
            dir,
            len(DBS),
            ports=[DB_PORT] * len(DBS),
            hosts=[(bed[name].address, bed[name].enter) for name in DBS],
            oplog_mib=1024,
            **more,
        )

    def cut(self, *groups):
        """Between members of different groups nothing passes. Machines reach all of them."""
        self.bed.cut_groups(*([DBS[i] for i in group] for group in groups))

    def mend(self):
        self.bed.cut_groups(DBS)

    def kill_member(self, i):
        self.members[i].kill()

    def start_member(self, i):
        self.members[i].start()

    step_down = FailingSet.step_down
    rolled_back = FailingSet.rolled_back


class World(Stack):
    """Everything that is not ours, and who asks. Its address is the balancer's."""

    ORDER = ("sim",)


class Machine(Stack):
    ORDER = ("queued", "workers", "web", "courier")

    def __init__(self, bed, name, build, world, conf, **more):
        self.name = name
        super().__init__(
            build,
            mode="master",
            conf=conf,
            mongo_uri=world.mongo_uri,
            address=bed[name].address,
            enter=bed[name].enter,
            world=world,
            **more,
        )
        self.leaves_database = True
        self.told_to_end = set(self.ORDER)

    # -- what systemd does: Restart=on-failure

    def start(self, name):
        try:
            super().start(name)
        except StackError as e:
            if "the log was compacted meanwhile" not in str(e):
                raise
            super().start(name)  # Restart=always: it begins again from the newest snapshot
        self.told_to_end.discard(name)

    def stop(self, name, how=signal.SIGTERM):
        self.told_to_end.add(name)
        super().stop(name, how)

    def kill(self, name):
        self.told_to_end.add(name)
        super().kill(name)

    def restart_what_ended(self):
        for name, p in list(self.processes.items()):
            if name not in self.told_to_end and p.poll() is not None:
                self.start(name)

    # -- the whole machine

    def _signal_all(self, number):
        """A master and its workers are one group, so none of them can start another meanwhile."""
        for p in self.processes.values():
            if p.poll() is None:
                os.killpg(p.pid, number)

    def kill_all(self):
        self.told_to_end.update(self.ORDER)
        self._signal_all(signal.SIGKILL)
        for p in self.processes.values():
            p.wait(10)
        self.processes.clear()

    def suspend_all(self):
        self._signal_all(signal.SIGSTOP)

    def resume_all(self):
        self._signal_all(signal.SIGCONT)

    def leave(self, pause_s):
        """In order: what answers first ends first. For a while its web server is alone, and says to
        whoever still comes that nobody serves the socket. SIGTERM would let lighttpd cut what it has
        in hand, and haproxy says 502 then."""
        self.stop("workers")
        time.sleep(pause_s)
        if "web" in self.ORDER:
            self.stop("web", signal.SIGINT)
        for name in ("courier", "queued"):
            if name in self.ORDER:
                self.stop(name)

    def set_clock_off(self, ms):
        """So wrong is the wall clock of its programs from now on."""
        off = self.dir / "clock-off"
        off.write_text(f"{ms}\n")
        preload = {
            "LD_PRELOAD": str(self.build / "tests/prove/clock_off.so"),
            "CLOCK_OFF": str(off),
        }
        if not self.preload:
            self.preload = dict.fromkeys(self.ORDER, preload)
            for name in self.ORDER:
                self.stop(name)
            self.start_all()

    def use_queue_of(self, other):
        """No daemon of its own: namespaces share the socket, which is a file."""
        text = self.conf_path.read_text()
        self.conf_path.write_text(text.replace(self.queue_socket, other.queue_socket))
        self.ORDER = tuple(name for name in self.ORDER if name != "queued")

    def copy_queue_of(self, other):
        """What one must never do: the same journal on two machines."""
        shutil.rmtree(self.dir / "queue")
        shutil.copytree(other.dir / "queue", self.dir / "queue")

    def is_ready(self):
        headers = {"Authorization": "Bearer " + self.tokens["operator"]}
        try:
            return http_call("GET", self.base_url + "/readyz", None, headers, 5).status == 200
        except OSError:
            return False


class Balancer:
    """haproxy with the sample of etc/, its addresses changed."""

    def __init__(self, bed, machines, dir, prefix):
        self.host, self.dir, self.process = bed["lb"], pathlib.Path(dir), None
        self.url = f"http://{self.host.address}:{LB_PORT}"
        text = (TOP / "etc/haproxy.cfg").read_text()
        text = text.replace("global\n", "global\n    log stdout format raw local0\n")
        text = text.replace("defaults\n", "defaults\n    log global\n    option httplog\n")
        text = text.replace("bind :80", f"bind {self.host.address}:{LB_PORT}")
        text = text.replace("/pay/", prefix + "/")
        for m in machines:
            address = f"{m.web_address[0]}:{m.web_address[1]}"
            text, n = re.subn(rf"(server {m.name}) \S+", rf"\1 {address}", text)
            assert n == 2, m.name
        (self.dir / "haproxy.cfg").write_text(text)

    def start(self):
        program = shutil.which("haproxy", path=os.environ["PATH"] + ":/usr/sbin")
        if program is None:
            raise StackError("haproxy is not installed: dev/install test")
        with open(self.dir / "haproxy.log", "ab") as log:
            self.process = subprocess.Popen(
                [*self.host.enter, program, "-db", "-f", str(self.dir / "haproxy.cfg")],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def stop(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait()


class Machines:
    """with Machines(build, mongod, dir, log="mongodb") as site: site.machines[0].kill_all() ...
    log: where the queues keep their journal: mongodb; or disk: the machines share the daemon of the
    first one. conf: more settings of all machines.
    started: how many machines run from the beginning."""

    def __init__(self, build, mongod, dir, log, conf=None, settings=None, workers=8, started=3):
        self.build, self.log, self.workers, self.started = build, log, workers, started
        self.dir, self.mongod, self.settings = pathlib.Path(dir), mongod, settings
        self.conf = {section: dict(keys) for section, keys in (conf or {}).items()}
        self.bed = Bed(["lb", *DBS, *NAMES])
        self.set = self.world = self.balancer = None
        self.machines, self.ended = [], threading.Event()

    def _restart_what_ended(self):
        while not self.ended.wait(0.3):
            for m in self.machines:
                try:
                    m.restart_what_ended()
                except StackError as e:
                    self.trouble.append(f"{m.name}: {e}")

    def _make(self):
        self.bed.__enter__()
        self.set = DbSet(self.bed, self.mongod, self.dir, settings=self.settings)
        self.set.start(60)
        self.world = World(self.build, mongo_uri=self.set.uri, address=self.bed["world"].address)
        balancer = self.bed["lb"].address
        self.conf.setdefault("fcgi", {}).update(
            {"metrics_addresses": balancer, "trusted_proxies": balancer}
        )
        if self.log != "disk":
            self.conf.setdefault("queue", {})["log"] = self.log
        self.machines = [
            Machine(self.bed, name, self.build, self.world, self.conf, workers=self.workers)
            for name in NAMES
        ]
        if self.log == "disk":
            for m in self.machines[1 : self.started]:
                m.use_queue_of(self.machines[0])
        self.balancer = Balancer(self.bed, self.machines, self.dir, self.world.prefix)
        self.world.base_url = self.balancer.url + self.world.prefix

    def __enter__(self):
        try:
            self._make()
            self.world.start_all()
            for m in self.machines[: self.started]:
                m.start_all()
            self.balancer.start()
            self.trouble = []  # what could not be started again
            threading.Thread(target=self._restart_what_ended, daemon=True).start()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def wait_until_ready(self, seconds=30):
        for m in self.machines[: self.started]:
            wait_for(m.is_ready, seconds, f"{m.name} is not ready:\n{m.log_tail('workers')}")

    def cut_off(self, machine):
        """The machine from the database, from all of it; clients reach the machine."""
        for db in DBS:
            self.bed.cut(machine.name, db)

    def mend(self, machine):
        for db in DBS:
            self.bed.mend(machine.name, db)

    def __exit__(self, *exc):
        """The kernel ends what is left, with the namespaces."""
        self.ended.set()
        for m in self.machines:
            m.kill_all()
        if self.balancer is not None:
            self.balancer.stop()
        if self.world is not None:
            self.world.__exit__(*exc)
        if self.set is not None:
            self.set.__exit__(*exc)
        self.bed.__exit__(*exc)

    def logs(self):
        dirs = [self.dir, *(m.dir for m in (self.world, *self.machines) if m is not None)]
        return itertools.chain.from_iterable(d.glob("*.log") for d in dirs)
