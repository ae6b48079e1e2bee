"""A Debian tree started as a machine of its own: systemd is its first process (systemd-nspawn), the loopback is ours."""

import os
import pathlib
import pty
import subprocess
import threading

from stack import StackError, children, is_alive, wait_for


class Machine:
    def __init__(self, tree):
        self.tree, self.console = pathlib.Path(tree), []
        ours, its = pty.openpty()
        self.nspawn = subprocess.Popen(
            [
                "systemd-nspawn",
                "--quiet",
                "--register=no",
                "--keep-unit",
                "--resolv-conf=off",
                "--timezone=off",
                "--link-journal=no",
                "-D",
                str(tree),
                "-b",
            ],
            stdin=its,
            stdout=its,
            stderr=its,
            start_new_session=True,
        )
        os.close(its)
        threading.Thread(target=self._listen, args=(ours,), daemon=True).start()
        try:
            wait_for(self._find_init, 30, "nothing was started in the tree")
            wait_for(
                lambda: (
                    self.attempt("systemctl", "is-system-running").stdout.strip()
                    in ("running", "degraded")
                ),
                60,
                "systemd does not come up",
            )
        except StackError as e:
            self.stop()
            raise StackError(f"{e}: {''.join(self.console)[-3000:]}") from None

    def _listen(self, fd):
        while True:
            try:
                self.console.append(os.read(fd, 4096).decode(errors="replace"))
            except OSError:
                return

    def _find_init(self):
        if self.nspawn.poll() is not None:
            raise StackError(f"systemd-nspawn ended with {self.nspawn.returncode}")
        self.init = next(
            (
                p
                for p in children(self.nspawn.pid)
                if pathlib.Path(f"/proc/{p}/comm").read_text().strip() == "systemd"
            ),
            None,
        )
        return self.init is not None

    def attempt(self, *argv, **more):
        enter = [
            "nsenter",
            "--target",
            str(self.init),
            "--all",
            "--root",
            "--wd",
            "env",
            "-i",
            "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
            "LC_ALL=C.UTF-8",
            "DEBIAN_FRONTEND=noninteractive",
        ]
        return subprocess.run(
            [*enter, *argv],
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=300,
            **more,
        )

    def run(self, *argv, code=0):
        """What it writes; it must end with this code."""
        done = self.attempt(*argv)
        if done.returncode != code:
            raise StackError(
                f"{' '.join(argv)} ended with {done.returncode}:\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
            )
        return done.stdout

    def succeeds(self, *argv):
        return self.attempt(*argv).returncode == 0

    def shell(self, line, code=0):
        return self.run("sh", "-c", line, code=code)

    def write(self, path, text, owner="root:root", mode="0644"):
        inside = self.tree / path.lstrip("/")
        inside.parent.mkdir(parents=True, exist_ok=True)
        inside.write_text(text)
        self.run("chown", owner, path)
        self.run("chmod", mode, path)

    def journal(self, *argv):
        self.run("journalctl", "--sync")
        return self.run("journalctl", "-o", "cat", "--no-pager", *argv)

    def stop(self):
        for _ in range(2):  # the second ends it at once
            if self.nspawn.poll() is None:
                self.nspawn.terminate()
                try:
                    self.nspawn.wait(30)
                except subprocess.TimeoutExpired:
                    pass
        if getattr(self, "init", None) and is_alive(self.init):
            os.kill(self.init, 9)
