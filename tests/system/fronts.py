"""roompay.fcgi behind each way to run it, beside a running site: the web server's sample from etc/ with only its paths changed."""

import os
import pathlib
import pwd
import re
import shutil
import signal
import socket
import subprocess

from booking_site import Site, http_call
from ports import free_port
from stack import PREFIX, TOP, StackError, children, connects, is_alive, wait_for

WORKERS = 4
MODULES = pathlib.Path("/usr/lib/apache2/modules")
WEB_USER = "www-data"
# front: who owns the workers, which sample
FRONTS = {
    "lighttpd": ("master", "lighttpd.conf"),
    "lighttpd bin-path": (None, "lighttpd-bin-path.conf"),
    "mod_fcgid": (None, "apache-fcgid.conf"),
    "mod_proxy_fcgi": ("master", "apache-proxy-fcgi.conf"),
    "nginx": ("master", "nginx.conf"),
    "spawn-fcgi -F": ("spawn-fcgi -F", "lighttpd.conf"),
    "spawn-fcgi": ("spawn-fcgi", "lighttpd.conf"),
    "systemd fd 3": ("fd 3", "lighttpd.conf"),
    "systemd fd 0": ("fd 0", "lighttpd.conf"),
}
MORE = {"nginx"}  # installed by hand: only by `make check-fronts`
# (front, case) -> what is true there instead, and why
FORCED = {
    (
        "mod_proxy_fcgi",
        "a stalled client",
    ): "Apache hands a request over before it has read its body: each holds a worker for a second, then it is cut",
    (
        "mod_fcgid",
        "a client that leaves",
    ): "mod_fcgid looks for a free process in steps of a second",
    (
        "spawn-fcgi -F",
        "reload",
    ): "workers without a master only end at SIGHUP: nobody starts others",
    (
        "spawn-fcgi -F",
        "a killed worker is replaced",
    ): "spawn-fcgi looks after nobody: the others go on",
    (
        "mod_fcgid",
        "reload",
    ): "Apache's gentle restart ends the workers at once: a request that was just being handed to one is a 500 or 503, or is not answered at all",
}
SYSTEMD = {  # what it does; tests/package/use.py has a real one
    "fd 3": 'LISTEN_PID=$$ LISTEN_FDS=1 SYSTEMD_EXEC_PID=$$ exec "$@" 3<&0 </dev/null',
    "fd 0": 'SYSTEMD_EXEC_PID=$$ exec "$@"',
}


def web_uid():
    return pwd.getpwnam(WEB_USER).pw_uid if os.geteuid() == 0 else os.geteuid()


def program(name):
    found = shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin")
    if found is None:
        raise StackError(
            f"{name} is not installed: dev/install test (nginx: apt-get install nginx-light)"
        )
    return found


def descendants(pid):
    return [p for child in children(pid) for p in (child, *descendants(child))]


def name_of(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/comm").read_text().strip()
    except (FileNotFoundError, ProcessLookupError):
        return ""


class Front:
    def __init__(self, stack, name):
        self.stack, self.name = stack, name
        self.owner, self.sample = FRONTS[name]
        self.dir = stack.dir / re.sub(r"\W+", "-", name)
        self.dir.mkdir()
        self.port, self.app, self.web, self.spawned = free_port(), None, None, []
        self.outside = False
        self.socket = str(self.dir / "fcgi.sock")
        self.log_path = self.dir / "log"
        self._let_web_user_in()
        self.site = Site(stack)
        self.site.base = f"http://127.0.0.1:{self.port}{PREFIX}"

    def _let_web_user_in(self):
        """What a package's maintainer scripts and an administrator do: the web server's user reads the settings and may speak to queue and workers."""
        uid = web_uid()
        self.program = self.dir / "roompay.fcgi"
        shutil.copy(self.stack.build / "fcgi/roompay.fcgi", self.program)
        self.conf = self.dir / "roompay.conf"
        text = self.stack.conf_path.read_text()
        self.conf.write_text(
            text.replace(f"socket = {self.stack.fcgi_socket}", f"socket = {self.socket}").replace(
                f"workers = {self.stack.workers}", f"workers = {WORKERS}"
            )
        )
        if os.geteuid() == 0:
            self.stack.dir.chmod(0o755)
            os.chown(self.dir, uid, -1)
            os.chown(self.stack.queue_socket, uid, -1)
            for p in self.stack.dir.iterdir():
                if p.is_file() and p.stat().st_mode & 0o777 == 0o600:
                    os.chown(p, uid, -1)

    def _sample(self):
        text = (TOP / "etc" / self.sample).read_text()
        if self.outside:  # of the networks that may use the console
            text = re.sub(r"127(\\?\.)", r"203\1", text)
        for ours, here in (
            ("/run/roompay/fcgi.sock", self.socket),
            ("/usr/libexec/roompay.fcgi", str(self.program)),
            ("/etc/roompay/roompay.conf", str(self.conf)),
        ):
            text = text.replace(ours, here)
        return text

    def _spawn(self, argv, **more):
        with open(self.log_path, "ab") as log:
            return subprocess.Popen(
                [str(a) for a in argv],
                stdin=more.pop("stdin", subprocess.DEVNULL),
                stdout=log,
                stderr=log,
                cwd=self.dir,
                start_new_session=True,
                **more,
            )

    # -- the application

    def start_app(self):
        argv = [self.program, "-c", self.conf]
        if self.owner == "master":
            self.app = self._spawn(argv)
        elif self.owner in ("spawn-fcgi", "spawn-fcgi -F"):
            many = self.owner == "spawn-fcgi -F"
            pids = self.dir / "pids"
            with open(self.log_path, "ab") as log:
                subprocess.run(
                    [
                        program("spawn-fcgi"),
                        "-s",
                        self.socket,
                        *(["-F", str(WORKERS)] if many else []),
                        "-P",
                        str(pids),
                        "--",
                        *map(str, argv),
                        *([] if many else ["--workers", str(WORKERS)]),
                    ],
                    check=True,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    cwd=self.dir,
                )
            self.spawned = [int(p) for p in pids.read_text().split()]
        elif self.owner in SYSTEMD:
            with socket.socket(socket.AF_UNIX) as s:
                s.bind(self.socket)
                s.listen(1024)
                self.app = self._spawn(
                    ["sh", "-c", SYSTEMD[self.owner], "sh", *argv], stdin=s.fileno()
                )
        if self.owner is not None:
            wait_for(
                lambda: connects(socket.AF_UNIX, self.socket),
                10,
                f"no application: {self.log_tail()}",
            )
            if os.geteuid() == 0:
                os.chown(self.socket, web_uid(), -1)

    def owners(self):
        """Who takes a signal for the application: a master, or spawn-fcgi's workers."""
        return [self.app.pid] if self.app is not None else self.spawned

    def stop_app(self):
        for pid in self.owners():
            if is_alive(pid):
                os.kill(pid, signal.SIGTERM)
        for pid in self.owners():
            wait_for(
                lambda: (self.app is not None and self.app.poll() is not None) or not is_alive(pid),
                20,
                f"{pid} does not end: {self.log_tail()}",
            )
        self.app, self.spawned = None, []
        if self.owner is not None and os.path.exists(self.socket):
            os.unlink(self.socket)  # spawn-fcgi's and systemd's

    def workers(self):
        roots = self.owners() or [self.web.pid]
        below = [p for root in roots for p in descendants(root) if name_of(p) == "roompay.fcgi"]
        return below or [p for p in roots if is_alive(p)]

    # -- the web server

    def start_web(self):
        conf = self.dir / "web.conf"
        if self.sample.startswith("lighttpd"):
            conf.write_text(
                f'server.bind = "127.0.0.1"\nserver.port = {self.port}\nserver.document-root = "{self.dir}"\nserver.errorlog = "{self.dir / "web.log"}"\n'
                + self._sample()
            )
            argv = [program("lighttpd"), "-D", "-f", conf]
        elif self.sample.startswith("apache"):
            modules = (
                ("mpm_event", "authz_core", "authz_host", "fcgid")
                if self.name == "mod_fcgid"
                else ("mpm_event", "authz_core", "authz_host", "proxy", "proxy_fcgi")
            )
            user = f"User {WEB_USER}\nGroup {WEB_USER}\n" if os.geteuid() == 0 else ""
            fcgid = (
                f"FcgidIPCDir {self.dir / 'ipc'}\nFcgidProcessTableFile {self.dir / 'fcgid.shm'}\n"
                if self.name == "mod_fcgid"
                else ""
            )
            conf.write_text(
                f"ServerRoot {self.dir}\nServerName 127.0.0.1\nListen 127.0.0.1:{self.port}\nPidFile {self.dir / 'web.pid'}\nDefaultRuntimeDir {self.dir}\n"
                f"Mutex file:{self.dir} default\nErrorLog {self.dir / 'web.log'}\nDocumentRoot {self.dir}\n{user}"
                + "".join(f"LoadModule {m}_module {MODULES}/mod_{m}.so\n" for m in modules)
                + fcgid
                + self._sample()
            )
            argv = [program("apache2"), "-D", "FOREGROUND", "-f", conf]
        else:
            user = f"user {WEB_USER};\n" if os.geteuid() == 0 else ""
            temp = "".join(
                f"{kind}_temp_path {self.dir / kind};\n"
                for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
            )
            conf.write_text(
                f"daemon off;\npid {self.dir / 'web.pid'};\nerror_log {self.dir / 'web.log'};\n{user}events {{ }}\nhttp {{\naccess_log off;\n{temp}"
                f"server {{\nlisten 127.0.0.1:{self.port} backlog=1024;\n{self._sample()}}}\n}}\n"
            )
            argv = [program("nginx"), "-c", conf, "-e", self.dir / "web.log"]
        self.web = self._spawn(argv)

        def lives():
            if self.web.poll() is not None:
                raise StackError(f"{self.name} ended: {self.log_tail()}")
            try:
                return http_call("GET", self.site.base + "/livez", timeout=2).status == 200
            except OSError:
                return False

        wait_for(lives, 20, f"{self.name} does not answer: {self.log_tail()}")

    def stop_web(self):
        if self.web is not None and self.web.poll() is None:
            self.web.terminate()
            self.web.wait(20)
        self.web = None

    def reload(self):
        """New settings for the workers: the master's signal, or the web server's own gentle restart where that owns the workers."""
        if self.owner is not None:
            for pid in self.owners():
                os.kill(pid, signal.SIGHUP)
        else:
            self.web.send_signal(signal.SIGUSR1)

    def log_tail(self):
        paths = (self.log_path, self.dir / "web.log")
        return "\n".join(
            "\n".join(p.read_text(errors="replace").splitlines()[-12:]) for p in paths if p.exists()
        )

    def __enter__(self):
        try:
            self.start_app()
            self.start_web()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exc):
        self.stop_web()
        self.stop_app()
        self.site.db.client.close()
