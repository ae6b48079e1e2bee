"""The whole of roompay on loopback: store, simulator, queue daemon, workers, web server, courier and two stand-ins, in a fresh directory with free ports.
Used by dev/up, by the tests and by the benchmarks. Everything that is started here is stopped here, by its process id."""

import base64
import hashlib
import os
import pathlib
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

import ctl_json
import pymongo
from booking_site import http_call
from peer import Peer
from ports import free_port
from store_server import StoreError, store_server

TOP = pathlib.Path(__file__).resolve().parents[2]
PREFIX = "/pay"


class StackError(Exception):
    pass


def wait_for(what, seconds, sentence):
    end = time.monotonic() + seconds
    while not what():
        if time.monotonic() > end:
            raise StackError(sentence)
        time.sleep(0.02)


def connects(family, address):
    with socket.socket(family) as s:
        s.settimeout(1)
        try:
            s.connect(address)
            return True
        except OSError:
            return False


def is_alive(pid):
    try:
        state = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in "ZX"


def children(pid):
    """Those of all its threads."""
    out = []
    for task in pathlib.Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            out += map(int, task.read_text().split())
        except (FileNotFoundError, ProcessLookupError):
            pass
    return out


def name_of(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/comm").read_text().strip()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def is_gatherer(pid):
    return name_of(pid) in ("roompay-light", "roompay-heavy")


class Stack:
    """with Stack(build_dir, workers=8, mode="spawn-fcgi", conf={"queue": {"sold_guard": 5}}, auto_remove=True) as stack: ...
    mode: spawn-fcgi (workers without a master; their logs are lost) or master. prefix: what stands before /payReady. merchants: cid -> KakaoPay mode.
    mongo_uri: of a server that its owner starts, stops and throws away. address: where its web server and stand-ins listen, one of 127.0.0.0/8. enter: what
    stands before each program's arguments. world: another Stack whose keys, tokens, simulator, stand-ins and database this one uses."""

    ORDER = ("store", "sim", "queued", "workers", "web", "courier")
    OF_THE_WORLD = (
        "tokens",
        "kakaopay_key",
        "admin_key",
        "replay_key",
        "sim_url",
        "database_name",
        "mongo_uri",
        "reservation",
        "gateway",
        "calendar",
    )

    def __init__(
        self,
        build,
        workers=8,
        mode="spawn-fcgi",
        conf=None,
        auto_remove=True,
        null_app=False,
        prefix=PREFIX,
        merchants=None,
        say=lambda line: None,
        mongo_uri=None,
        address="127.0.0.1",
        enter=(),
        world=None,
    ):
        self.build = pathlib.Path(build).resolve()
        self.workers, self.mode, self.more_conf, self.say = workers, mode, conf or {}, say
        self.null_app, self.prefix = null_app, prefix
        self.address, self.enter, self.world = address, enter, world
        self.merchants = {
            "TC0ONETIME": "secret_key",
            "TCSUBSCRIP": "secret_key",
            **(merchants or {}),
        }
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="roompay-"))
        self.preload = {}  # name -> environment that its program gets beside ours
        self.processes, self.pids = {}, {}  # what we are the parent of; what spawn-fcgi left behind
        self.null = []
        self.calendar = []  # what the reservation service added
        self.auto_remove = auto_remove
        self.patience = 30  # how often the reservation service tries a removal, twice a second
        self.tokens = {
            name: secrets.token_urlsafe(24)
            for name in ("gateway", "reservation", "operator", "viewer", "refund", "other")
        }
        self.queue_socket, self.fcgi_socket = (
            str(self.dir / "queue.sock"),
            str(self.dir / "fcgi.sock"),
        )
        self.web_address = (address, free_port())
        self.web_url = f"http://{address}:{self.web_address[1]}"
        self.base_url = self.web_url + prefix
        self.null_url = self.web_url + "/null"
        self.sim_port = free_port()
        self.sim_url = f"http://{address}:{self.sim_port}"
        self.database_name = "roompay_" + secrets.token_hex(6)
        given = mongo_uri or os.environ.get("MONGODB_URI")
        self.store_is_ours, self.leaves_database = given is None, mongo_uri is not None
        self.store = store_server(self.build, self.dir) if self.store_is_ours else None
        self.mongo_uri = self.store.uri if self.store_is_ours else given
        self.kakaopay_key = "DEV" + secrets.token_hex(19)[:37].upper()
        self.admin_key = secrets.token_hex(16)
        self.replay_key = secrets.token_hex(32)
        if world is None:
            self.reservation = Peer("reservation", self._reserve, address)
            self.gateway = Peer("gateway", address=address)
        else:
            vars(self).update({name: getattr(world, name) for name in self.OF_THE_WORLD})
        self._write_files()

    # -- files

    def _secret(self, name, text):
        path = self.dir / name
        path.write_text(text + "\n")
        path.chmod(0o600)
        return str(path)

    def _write_files(self):
        for d in ("queue", "web"):
            (self.dir / d).mkdir()
        key_file = self._secret("kakaopay-key", self.kakaopay_key)
        admin_key_file = self._secret("admin-key", self.admin_key)

        def whsec(peer):
            return self._secret(
                peer.name + "-webhook", "whsec_" + base64.b64encode(peer.key).decode()
            )

        both = "TC0ONETIME, TCSUBSCRIP"
        callers = {
            "gateway": ("gateway", "TC0ONETIME"),
            "reservation": ("reservation", both),
            "operator": ("operator", both),
            "viewer": ("viewer", both),
            "refund": ("refund", both),
            "other": ("gateway", "TCSUBSCRIP"),
        }

        def merchant(cid):
            mode = self.merchants[cid]
            return {
                "mode": mode,
                "key_file": key_file if mode == "secret_key" else admin_key_file,
                "base_url": self.sim_url,
            }

        store = {"database": self.database_name}
        if "@" in self.mongo_uri:
            store["uri_file"] = self._secret("store-uri", self.mongo_uri)
        else:
            store["uri"] = self.mongo_uri
        conf = {
            "site": {
                "replay_key_file": self._secret("replay-key", self.replay_key),
                "metrics_dir": self.dir / "metrics",
            },
            "fcgi": {"socket": self.fcgi_socket, "workers": self.workers, "prefix": self.prefix},
            "console": {"serve": "yes", "dir": TOP / "console"},
            "queue": {"socket": self.queue_socket, "dir": self.dir / "queue"},
            "store": store,
            "deliver reservation": {
                "url": self.reservation.url,
                "key_file": whsec(self.reservation),
            },
            "deliver gateway": {"url": self.gateway.url, "key_file": whsec(self.gateway)},
            "merchant TC0ONETIME": merchant("TC0ONETIME"),
            "merchant TCSUBSCRIP": merchant("TCSUBSCRIP"),
        }
        for name, (roles, cids) in callers.items():
            conf["caller " + name] = {
                "roles": roles,
                "cids": cids,
                "token_sha256": hashlib.sha256(self.tokens[name].encode()).hexdigest(),
            }
        for section, keys in self.more_conf.items():
            conf.setdefault(section, {}).update(keys)
        self.conf_path = self.dir / "roompay.conf"
        self.conf_path.write_text(
            "".join(
                f"[{s}]\n" + "".join(f"{k} = {v}\n" for k, v in keys.items()) + "\n"
                for s, keys in conf.items()
            )
        )
        self.conf_path.chmod(0o600)
        fronts = {self.prefix or "/": self.fcgi_socket}
        if self.null_app:
            fronts["/null"] = str(self.dir / "null.sock")
        rows = ",\n".join(
            f'  "{p}" => (( "socket" => "{s}", "check-local" => "disable" ))'
            for p, s in fronts.items()
        )
        (self.dir / "lighttpd.conf").write_text(
            'server.modules = ( "mod_fastcgi" )\n'
            f'server.bind = "{self.address}"\nserver.port = {self.web_address[1]}\nserver.document-root = "{self.dir / "web"}"\n'
            f'server.errorlog = "{self.dir / "lighttpd-error.log"}"\nserver.max-request-size = 8192\nserver.listen-backlog = 1024\n'
            f"fastcgi.server = (\n{rows}\n)\n"
        )

    # -- processes

    def _spawn(self, name, *argv, env=None):
        with open(self.dir / f"{name}.log", "ab") as log:
            self.processes[name] = subprocess.Popen(
                [str(a) for a in (*self.enter, *argv)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.dir,
                env={**os.environ, **self.preload.get(name, {}), **(env or {})},
                start_new_session=True,
            )

    def _up(self, name, what, seconds=20):
        def check():
            p = self.processes.get(name)
            if p is not None and p.poll() is not None:
                raise StackError(f"{name} ended with {p.returncode}:\n{self.log_tail(name)}")
            return what()

        wait_for(check, seconds, f"{name} is not there after {seconds} s:\n{self.log_tail(name)}")

    def log_tail(self, name, lines=15):
        path = self.dir / f"{name}.log"
        return (
            "\n".join(path.read_text(errors="replace").splitlines()[-lines:])
            if path.exists()
            else "(no log)"
        )

    def _start_store(self):
        if not self.store_is_ours:
            return
        try:
            self.store.start()
        except StoreError as e:
            raise StackError(str(e)) from None
        finally:
            if self.store.process is not None:
                self.processes["store"] = self.store.process

    def _start_sim(self):
        self._spawn(
            "sim",
            self.build / "sim/kakaopay-sim",
            "--listen",
            self.address,
            "--port",
            self.sim_port,
            "--key-file",
            self.dir / "kakaopay-key",
            "--admin-key-file",
            self.dir / "admin-key",
            "--cid",
            "TC0ONETIME,TCSUBSCRIP",
            "--state-file",
            self.dir / "sim.state",
        )
        self._up("sim", lambda: connects(socket.AF_INET, (self.address, self.sim_port)))

    def _start_queued(self):
        self._spawn("queued", self.build / "queued/roompay-queued", "-c", self.conf_path)
        self._up("queued", lambda: connects(socket.AF_UNIX, self.queue_socket))

    def _start_courier(self, name="courier"):
        self._spawn(name, self.build / "courier/roompay-courier", "-c", self.conf_path)

    def _spawn_fcgi(self, name, sock, count, *argv):
        """spawn-fcgi leaves its children to init: we keep their numbers. stderr goes to our log."""
        pid_file = self.dir / f"{name}.pids"
        with open(self.dir / f"{name}.log", "ab") as log:
            subprocess.run(
                [
                    "spawn-fcgi",
                    "-s",
                    sock,
                    "-M",
                    "0660",
                    "-F",
                    str(count),
                    "-P",
                    str(pid_file),
                    "--",
                    *map(str, argv),
                ],
                check=True,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.dir,
                env={**os.environ, **self.preload.get(name, {})},
            )
        return [int(p) for p in pid_file.read_text().split()]

    def _start_workers(self):
        program = self.build / "fcgi/roompay.fcgi"
        if self.mode == "spawn-fcgi":
            self.pids["workers"] = self._spawn_fcgi(
                "workers", self.fcgi_socket, self.workers, program, "-c", self.conf_path
            )
        else:
            # a worker that had just begun when its master was killed ends a moment later
            wait_for(
                lambda: not connects(socket.AF_UNIX, self.fcgi_socket),
                10,
                "the workers of before still serve",
            )
            self._spawn("workers", program, "-c", self.conf_path)
        self._up("workers", lambda: connects(socket.AF_UNIX, self.fcgi_socket))
        if self.null_app and not self.null:
            self.null = self._spawn_fcgi(
                "null",
                str(self.dir / "null.sock"),
                self.workers,
                self.build / "tests/bench/null_fcgi",
            )

    def _start_web(self):
        self._spawn(
            "web",
            shutil.which("lighttpd", path=os.environ["PATH"] + ":/usr/sbin"),
            "-D",
            "-f",
            self.dir / "lighttpd.conf",
        )

        def lives():
            try:
                return http_call("GET", self.base_url + "/livez", timeout=2).status == 200
            except OSError:
                return False

        self._up("web", lives)

    def start(self, name):
        if name != "store" or self.store_is_ours:
            self.say(f"starting {name}")
        getattr(self, "_start_" + name)()

    def _targets(self, name):
        p = self.processes.get(name)
        if p is not None:
            return [p.pid] if p.poll() is None else []
        return [pid for pid in self.pids.get(name, []) if is_alive(pid)]

    def _signal(self, name, number):
        if name == "store" and not self.store_is_ours:
            import pytest

            pytest.skip("the store at MONGODB_URI is not ours to stop")
        for pid in self._targets(name):
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                pass

    def _gone(self, name, seconds):
        def gone():
            return not self._targets(name)

        try:
            wait_for(gone, seconds, "")
        except StackError:
            return False
        self.processes.pop(name, None)
        self.pids.pop(name, None)
        return True

    def stop(self, name, how=signal.SIGTERM):
        self._signal(name, signal.SIGCONT)
        self._signal(name, how)
        if not self._gone(name, 20):
            self._signal(name, signal.SIGKILL)
            self._gone(name, 5)
            raise StackError(f"{name} did not end within 20 s of {how}:\n{self.log_tail(name)}")

    def kill(self, name):
        if name == "workers" and self.mode != "spawn-fcgi":
            for pid in self.worker_pids() + self.gatherer_pids():
                os.kill(pid, signal.SIGKILL)
        self._signal(name, signal.SIGKILL)
        assert self._gone(name, 10)

    def suspend(self, name):
        self._signal(name, signal.SIGSTOP)

    def resume(self, name):
        self._signal(name, signal.SIGCONT)

    def start_all(self):
        for name in self.ORDER:
            if not self._targets(name):
                self.start(name)

    def stop_all(self):
        for name in reversed(self.ORDER):
            if name in self.processes or name in self.pids:
                self.stop(name)

    def restart_all(self):
        self.stop_all()
        self.start_all()

    def kill_all(self):
        for name in self.ORDER:
            self.kill(name)

    def ctl(self, *argv, code=0):
        """roompayctl's answer; it must end with this code (None: with any)."""
        done = subprocess.run(
            [str(self.build / "ctl" / "roompayctl"), "-c", str(self.conf_path), *argv],
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert code in (None, done.returncode), done
        if "--json" in argv and done.stdout:
            ctl_json.check(argv, done.stdout)
        return done.stdout

    def worker_pids(self):
        if self.mode == "spawn-fcgi":
            return self._targets("workers")
        return [p for p in children(self.processes["workers"].pid) if not is_gatherer(p)]

    def gatherer_pids(self):
        """The master's two processes that ask the database for all workers."""
        if self.mode == "spawn-fcgi":
            return []
        return [p for p in children(self.processes["workers"].pid) if is_gatherer(p)]

    def null_pids(self):
        return self.null

    def pids_of(self, name):
        """All processes behind this name, those of a master included."""
        return self._targets(name) + (
            self.worker_pids() + self.gatherer_pids()
            if name == "workers" and self.mode != "spawn-fcgi"
            else []
        )

    def secrets(self):
        """What nobody but its owner may ever see: its name -> as it may be written somewhere."""
        both = {
            "webhook key of " + p.name: base64.b64encode(p.key).decode()
            for p in (self.reservation, self.gateway)
        }
        return {
            **{"token of " + name: t for name, t in self.tokens.items()},
            **both,
            "secret key": self.kakaopay_key,
            "admin key": self.admin_key,
            "replay key": self.replay_key,
        }

    # -- what others see

    def database(self):
        return pymongo.MongoClient(self.mongo_uri, serverSelectionTimeoutMS=5000)[
            self.database_name
        ]

    def _reserve(self, message):
        """What the reservation service does with payment.approved: adds it to its calendar and drops the hold."""
        if message["type"] != "payment.approved":
            return 204
        data = message["data"]
        self.calendar.append(data)
        if self.auto_remove:

            def remove():
                body = {"userId": data["userId"], "roomId": data["roomId"], "tid": data["tid"]}
                for _ in range(self.patience):
                    try:
                        a = http_call(
                            "POST",
                            self.base_url + "/removePaymentInQueue",
                            body,
                            {"Authorization": "Bearer " + self.tokens["reservation"]},
                        )
                        if a.status == 200:
                            return
                    except OSError:
                        pass
                    time.sleep(0.5)

            threading.Thread(target=remove, daemon=True).start()
        return 204

    def __enter__(self):
        try:
            self.start_all()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, *exc):
        trouble = []
        for name in reversed(self.ORDER):
            try:
                if name == "store" and self.store_is_ours:
                    self.kill(name)  # what it holds is thrown away
                elif name in self.processes or name in self.pids:
                    self.stop(name)
            except StackError as e:
                trouble.append(str(e))
        for pid in self.null:
            if is_alive(pid):
                os.kill(pid, signal.SIGTERM)
        if self.world is None:
            self.reservation.close()
            self.gateway.close()
        if not self.store_is_ours and not self.leaves_database:
            pymongo.MongoClient(self.mongo_uri).drop_database(self.database_name)
        if exc[0] is None and not trouble and "ROOMPAY_KEEP" not in os.environ:
            shutil.rmtree(self.dir, ignore_errors=True)
        else:
            self.say(f"logs are in {self.dir}")
        if trouble and exc[0] is None:
            raise StackError("\n".join(trouble))
