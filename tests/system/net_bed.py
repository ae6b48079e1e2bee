"""Hosts of their own on one machine: a network namespace each, joined by a bridge that lives in the
namespace of the process that makes them. All addresses are 127.77.0.N: they exist inside these
namespaces only, and no packet can leave them.

    run_inside([PROGRAM...], DIR)   starts a program where it may make them
    with Bed(["db-0", "one"]) as bed: subprocess.run([*bed["one"].enter, "ip", "addr"])

The new process is the first of a process namespace. When it ends, however it ends, the kernel kills
what it started and the namespaces are gone; so is its directory for files, which is kept in memory.
"""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
NET = "127.77.0."
WORLD = 1  # the number of the bridge, where the process itself is
NOWHERE = "02:77:00:00:00:ff"  # no host has it: what is sent there is lost without a word
INSIDE = "ROOMPAY_BED"  # the directory for files; set where the namespaces are there
UNSHARE = ["unshare", "--net", "--pid", "--mount", "--fork", "--kill-child", "--mount-proc"]
KEEP = "ROOMPAY_KEEP"  # set: the directory stays, with all logs
AS_ROOT = ["--user", "--map-root-user"]
WITH_US = ["setpriv", "--pdeathsig", "KILL"]  # even when we are killed


class BedError(Exception):
    pass


def unshare():
    """The command that makes the namespaces; None where this user may not."""
    if shutil.which("unshare") is None or shutil.which("ip") is None:
        return None
    for command in (UNSHARE, UNSHARE + AS_ROOT):
        probe = [*command, "sh", "-c", "ip link add probe type bridge && mount -t tmpfs t /mnt"]
        if subprocess.run(probe, capture_output=True, check=False).returncode == 0:
            return command
    return None


def why_not():
    """Why no hosts can be made here; None: they can."""
    if unshare() is None:
        return "network namespaces cannot be made here (root or user namespaces, iproute2)"
    return None


def run_inside(argv, directory, **options):
    """Runs this program where hosts can be made; its files are below the directory, in memory."""
    command = unshare()
    if command is None:
        raise BedError(why_not())
    in_memory = "" if KEEP in os.environ else 'mount -t tmpfs -o size=8g bed "$0" && '
    inner = in_memory + 'cd "$0" && "$@"; exit $?'
    env = {**os.environ, "TMPDIR": str(directory), INSIDE: str(directory)}
    env.pop("MONGODB_URI", None)  # out of reach from there
    return subprocess.Popen(
        [*WITH_US, *command, "sh", "-c", inner, str(directory), *map(str, argv)],
        env=env,
        start_new_session=True,
        **options,
    )


def result_of(program, *argv, timeout):
    """The JSON that this Python program prints last, run with --inside in namespaces of its own.
    Everything is gone afterwards."""
    directory = tempfile.mkdtemp(prefix="roompay-bed-")
    first, *rest = argv
    p = run_inside(
        [sys.executable, "-B", program, first, "--inside", *rest],
        directory,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        out, _ = p.communicate(timeout=timeout)
    finally:
        p.kill()  # and with it all that it started
        p.wait()
        if KEEP not in os.environ:
            shutil.rmtree(directory, ignore_errors=True)
    assert p.returncode == 0, f"{program} {rest}: {p.returncode}\n{out}"
    return json.loads(out.splitlines()[-1])


def ip(commands, enter=()):
    """Several commands of ip(8) at once."""
    done = subprocess.run(
        [*enter, "ip", "-batch", "-"], input="\n".join(commands), text=True, capture_output=True
    )
    if done.returncode != 0:
        raise BedError(f"ip: {done.stderr}\n" + "\n".join(commands))


def let_loopback_out(devices, enter=()):
    """127.77.0.0/24 is another wire; of 127.0.0.0/8 a namespace keeps 127.0.0.1."""
    for device in devices:
        path = f"/proc/sys/net/ipv4/conf/{device}/route_localnet"
        subprocess.run([*enter, "sh", "-c", f"echo 1 > {path}"], check=True)
    ip(["link set lo up"], enter)
    ip(["addr del 127.0.0.1/8 dev lo", "addr add 127.0.0.1/32 dev lo"], enter)


def mac(number):
    return f"02:77:00:00:00:{number:02x}"


class Host:
    def __init__(self, name, number):
        self.name, self.number, self.address = name, number, f"{NET}{number}"
        self.port = f"v{number}"  # its end of the wire, in the namespace of the bridge
        self.relay = None  # what delays its packets
        self.holder, self.enter, self.device = None, [], "bed0"

    def make(self):
        """A process that does nothing keeps the namespace until processes use it."""
        self.holder = subprocess.Popen(
            ["unshare", "--net", "sh", "-c", "echo made; exec sleep infinity"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
        )
        if self.holder.stdout.readline() != b"made\n":
            raise BedError(f"no namespace for {self.name}")
        self.enter = ["nsenter", f"--net=/proc/{self.holder.pid}/ns/net", "--"]
        self.device = "eth0"
        ip(
            [
                f"link add {self.port} type veth peer name eth0 netns {self.holder.pid}",
                f"link set {self.port} master bed0 up",
            ]
        )
        let_loopback_out(["all", "eth0"], self.enter)
        ip(
            [
                f"link set eth0 address {mac(self.number)} up",
                f"addr add {self.address}/24 dev eth0",
            ],
            self.enter,
        )


class Bed:
    def __init__(self, names):
        self.world = Host("world", WORLD)
        self.hosts = {"world": self.world}
        for number, name in enumerate(names, WORLD + 1):
            self.hosts[name] = Host(name, number)

    def __getitem__(self, name):
        return self.hosts[name]

    def __enter__(self):
        ip([f"link add bed0 address {mac(WORLD)} type bridge", "link set bed0 up"])
        let_loopback_out(["all", "bed0"])
        ip([f"addr add {self.world.address}/24 dev bed0"])
        for host in self.hosts.values():
            if host is not self.world:
                host.make()
        for host in self.hosts.values():
            ip(
                [self._way(host, other, mac(other.number)) for other in self._others(host)],
                host.enter,
            )
        return self

    def __exit__(self, *exc):
        for host in self.hosts.values():
            if host.relay is not None:
                self.delay(host.name, 0)
            if host.holder is not None:
                host.holder.kill()
                host.holder.wait()
        ip(["link del bed0"])  # wires go with the namespaces

    def _others(self, host):
        return [h for h in self.hosts.values() if h is not host]

    @staticmethod
    def _way(host, other, to):
        """Neighbours are written down, nobody asks for them: a lost answer delays no mending."""
        return f"neigh replace {other.address} lladdr {to} dev {host.device} nud permanent"

    def _set_way(self, a, b, is_open):
        """What one sends to the other is lost from now on, both ways, or arrives again."""
        for x, y in ((a, b), (b, a)):
            x, y = self.hosts[x], self.hosts[y]
            ip([self._way(x, y, mac(y.number) if is_open else NOWHERE)], x.enter)

    def cut(self, a, b):
        self._set_way(a, b, False)

    def mend(self, a, b):
        self._set_way(a, b, True)

    def cut_groups(self, *groups):
        """Between hosts of different groups nothing passes; within one all does."""
        at = {name: i for i, group in enumerate(groups) for name in group}
        for a in at:
            for b in at:
                if a < b:
                    self._set_way(a, b, at[a] == at[b])

    def unplug(self, name):
        ip([f"link set {self.hosts[name].port} down"])

    def plug(self, name):
        ip([f"link set {self.hosts[name].port} up"])

    def delay(self, name, ms, jitter_ms=0, seed=1):
        """Each packet from and to this host takes so long; 0: as fast as it can."""
        host = self.hosts[name]
        near, far = f"d{host.number}", f"e{host.number}"
        if host.relay is not None:
            host.relay.send_signal(signal.SIGTERM)
            host.relay.wait()
            host.relay = None
            ip([f"link del {near}", f"link set {host.port} master bed0"])
        if ms == 0:
            return
        ip(
            [
                f"link add {near} type veth peer name {far}",
                f"link set {near} up",
                f"link set {host.port} nomaster",
                f"link set {far} master bed0 up",
            ]
        )
        host.relay = subprocess.Popen(
            [
                sys.executable,
                HERE / "net_delay.py",
                host.port,
                near,
                *map(str, (ms, jitter_ms, seed)),
            ]
        )
