"""use.py TREE BUILD: what an administrator does with the installed package, by doc/operations.md and the man pages, on a machine that systemd runs: from the secrets to a
payment behind Apache and one behind lighttpd, then what the guide says for later: reload, a program that dies, keys as credentials, the logs, an upgrade, removal."""

import http.server
import json
import pathlib
import re
import secrets
import shutil
import socket
import sys
import tempfile
import threading
import time
import typing

from booking_site import http_call
from machine import Machine
from ports import free_port
from stack import connects, wait_for
from store_server import store_server

TOP = pathlib.Path(__file__).resolve().parents[2]
CONF = "/etc/roompay/roompay.conf"
UNITS = ("roompay-queued.service", "roompay-courier.service", "roompay.socket", "roompay.service")


class Reservation(http.server.BaseHTTPRequestHandler):
    got: typing.ClassVar[list] = []

    def do_POST(self):
        self.got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *args):
        pass


class Site:
    def __init__(self, machine, store_uri):
        self.machine, self.store_uri = machine, store_uri
        self.guide = (TOP / "doc/operations.md").read_text()
        self.peer = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Reservation)
        threading.Thread(target=self.peer.serve_forever, daemon=True).start()
        self.sim_port, self.apache_port, self.lighttpd_port = free_port(), free_port(), free_port()
        self.fronts = {"Apache": self.apache_port, "lighttpd": self.lighttpd_port}
        self.secrets, self.payments = {}, 0

    def by_the_guide(self, line):
        """Runs a line that stands in the guide."""
        assert f"`{line}`" in self.guide, line
        return self.machine.shell(line)

    def secret(self, name, text):
        self.secrets[name] = text
        self.machine.write("/etc/roompay/secrets/" + name, text + "\n", "root:roompay", "0640")

    def conf(self, change):
        path = self.machine.tree / CONF.lstrip("/")
        path.write_text(change(path.read_text()))

    def state(self, unit, prop):
        return self.machine.run("systemctl", "show", "-P", prop, unit).strip()

    def pay(self, front):
        """One payment, from payReady to the reservation in the calendar."""
        base = f"http://127.0.0.1:{self.fronts[front]}/pay"

        def ask(method, path, body=None, caller="gateway"):
            """As a careful gateway does: a 503 is asked again when Retry-After is over."""
            for _ in range(5):
                a = http_call(
                    method,
                    base + path,
                    body,
                    {"Authorization": "Bearer " + self.tokens[caller]["token"]},
                )
                if a.status != 503:
                    break
                time.sleep(int(a.headers.get("retry-after", 1)))
            return a

        assert http_call("GET", base + "/livez").status == 200
        a = ask("GET", "/readyz", caller="operator")
        assert a.status == 200 and a.body["ready"], a
        room = secrets.token_hex(12)
        urls = {k: "https://study.test/" + k for k in ("approval_url", "cancel_url", "fail_url")}
        a = ask(
            "POST",
            "/payReady",
            {
                "userInfo": {"userId": "u-1"},
                "reservationInfo": {"day": [1], "startTime": [9], "endTime": [10], "roomId": room},
                "paymentInfo": {
                    "cid": "TC0ONETIME",
                    "partner_order_id": "o-" + room,
                    "partner_user_id": "p",
                    "item_name": "스터디룸",
                    "quantity": 1,
                    "total_amount": 2200,
                    "tax_free_amount": 0,
                    **urls,
                },
            },
        )
        assert a.status == 200, a
        token = http_call(
            "POST", f"http://127.0.0.1:{self.sim_port}/control/pay", {"tid": a.body["tid"]}
        ).body["pg_token"]
        a = ask("POST", "/approvePayment", {"pg_token": token, "userId": "u-1", "roomId": room})
        assert a.status == 200 and a.body["charged"] is True, a
        tid = a.body["payment"]["tid"]
        wait_for(
            lambda: any(m["data"].get("tid") == tid for m in Reservation.got),
            10,
            "payment.approved did not come",
        )
        a = ask(
            "POST",
            "/removePaymentInQueue",
            {"userId": "u-1", "roomId": room, "tid": tid},
            caller="reservation",
        )
        assert a.status == 200 and a.body["removed"] is True, a
        self.payments += 1
        self.secrets[f"pg_token {self.payments}"] = token
        return tid

    def metrics(self, front):
        return http_call(
            "GET",
            f"http://127.0.0.1:{self.fronts[front]}/pay/metrics",
            headers={"Authorization": "Bearer " + self.tokens["operator"]["token"]},
        ).raw.decode()


def say(line):
    print("   " + line, flush=True)


def from_secrets_to_programs(s):
    m = s.machine
    s.secret("kakaopay-key", "DEV" + secrets.token_hex(18).upper())
    s.secret("replay-key", s.by_the_guide("head -c 32 /dev/urandom | base64").strip())
    for name in ("reservation-webhook", "gateway-webhook"):
        s.secret(name, s.by_the_guide("echo whsec_$(head -c 32 /dev/urandom | base64)").strip())
    s.tokens = {
        name: json.loads(m.run("roompayctl", "token", "new", "--json"))
        for name in ("gateway", "reservation", "operator")
    }
    s.secrets |= {"token of " + name: t["token"] for name, t in s.tokens.items()}
    m.write("/root/sim-key", s.secrets["kakaopay-key"] + "\n", mode="0600")
    m.run(
        "systemd-run",
        "--unit=sim",
        "kakaopay-sim",
        "--port",
        str(s.sim_port),
        "--key-file",
        "/root/sim-key",
        "--cid",
        "TC0ONETIME",
    )

    def fill(text):
        for t in s.tokens.values():
            text = text.replace("0" * 64, t["token_sha256"], 1)
        text = text.replace("mongodb://127.0.0.1:27017/", s.store_uri)
        text = re.sub(
            r"^url = https://.*$",
            f"url = http://127.0.0.1:{s.peer.server_port}/hooks",
            text,
            flags=re.M,
        )
        text = text.replace("redirect_hosts = study.example.com", "redirect_hosts = study.test")
        return text.replace(
            "mode = secret_key\n", f"mode = secret_key\nbase_url = http://127.0.0.1:{s.sim_port}\n"
        )

    s.conf(fill)
    say(s.by_the_guide("roompayctl config check").strip())
    s.by_the_guide("systemctl enable --now roompay-queued roompay-courier roompay.socket roompay")
    wait_for(lambda: m.succeeds("roompayctl", "status"), 20, "payments cannot be taken")
    for unit in UNITS:
        assert s.state(unit, "ActiveState") == "active", unit
    say(s.by_the_guide("roompayctl status").strip().splitlines()[-1])


def behind_web_servers(s):
    m = s.machine
    examples = m.tree / "usr/share/doc/roompay/examples"
    m.write("/etc/apache2/ports.conf", f"Listen 127.0.0.1:{s.apache_port}\n")
    m.write(
        "/etc/apache2/conf-available/roompay.conf",
        (examples / "apache-proxy-fcgi.conf").read_text() + "ServerName localhost\n",
    )
    s.by_the_guide("a2enmod proxy proxy_fcgi")
    m.run("a2enconf", "roompay")
    m.run("systemctl", "restart", "apache2")
    m.write(
        "/etc/lighttpd/conf-available/90-roompay.conf", (examples / "lighttpd.conf").read_text()
    )
    path = m.tree / "etc/lighttpd/lighttpd.conf"
    path.write_text(
        re.sub(
            r"^server.port\s*=.*$",
            f'server.port = {s.lighttpd_port}\nserver.bind = "127.0.0.1"',
            path.read_text(),
            flags=re.M,
        ).replace('include_shell "/usr/share/lighttpd/use-ipv6.pl', "#")
    )
    m.run("lighttpd-enable-mod", "roompay")
    m.run("systemctl", "restart", "lighttpd")
    for n, front in enumerate(s.fronts, 1):
        wait_for(
            lambda: connects(socket.AF_INET, ("127.0.0.1", s.fronts[front])),
            20,
            f"{front} is not there",
        )
        tid = s.pay(front)
        assert f'roompay_requests_total{{route="approvePayment",status="200"}} {n}' in s.metrics(
            front
        )
        say(f"a payment behind {front}: ready, approved, delivered, removed")
    assert "청구되었습니다" in m.run("roompayctl", "payment", "explain", tid, "--lang", "ko")
    assert "no difference" in m.run(
        "roompayctl",
        "reconcile",
        "--day",
        time.strftime("%Y-%m-%d", time.gmtime(time.time() + 9 * 3600)),
    )


def the_web_server_reads_no_secret(s):
    """Its user may connect to the FastCGI socket, and to nothing else."""
    m = s.machine
    as_web = ["runuser", "-u", "www-data", "--"]
    for path in (CONF, *("/etc/roompay/secrets/" + n for n in ("kakaopay-key", "replay-key"))):
        m.run(*as_web, "cat", path, code=1)
    m.run(*as_web, "ls", "/var/lib/roompay", code=2)
    for path, may in (("/run/roompay/fcgi.sock", True), ("/run/roompay/queue.sock", False)):
        m.run(*as_web, "test", "-w", path, code=0 if may else 1)
    assert s.state("roompay.service", "User") == "roompay"
    say("the web server's user: the FastCGI socket, no secret, no queue")


def reload_and_restart(s):
    m = s.machine
    main = s.state("roompay.service", "MainPID")
    good = (m.tree / CONF.lstrip("/")).read_text()
    s.conf(lambda t: t.replace("workers = 40", "workers = many"))
    m.run("roompayctl", "config", "check", code=2)
    s.by_the_guide("systemctl reload roompay")
    wait_for(
        lambda: "reload_refused" in m.journal("-u", "roompay"), 10, "the wrong file was not refused"
    )
    s.pay("Apache")
    s.conf(lambda t: good.replace("workers = 40", "workers = 3"))
    s.by_the_guide("systemctl reload roompay")
    s.by_the_guide("systemctl restart roompay-queued")
    wait_for(lambda: "event=reloaded workers=3" in m.journal("-u", "roompay"), 10, "not reloaded")
    s.pay("lighttpd")
    assert s.state("roompay.service", "MainPID") == main
    say("reload: a wrong file is refused, a good one taken, the master stays")
    for unit in ("roompay-queued.service", "roompay-courier.service", "roompay.service"):
        pid = s.state(unit, "MainPID")
        m.run("kill", "-9", pid)
        wait_for(
            lambda: (
                s.state(unit, "ActiveState") == "active"
                and s.state(unit, "MainPID") not in ("0", pid)
            ),
            20,
            f"{unit} did not come back",
        )
    wait_for(lambda: m.succeeds("roompayctl", "status"), 20, "payments cannot be taken")
    s.pay("Apache")
    say("killed one after the other, all programs come back by themselves")


def drop_in(s, unit, text):
    s.machine.write(f"/etc/systemd/system/{unit}.d/test.conf", text)
    s.machine.run("systemctl", "daemon-reload")


def other_shapes(s):
    """What roompay.conf(5) and roompay.fcgi(8) say that can be had: a socket on standard input, keys as credentials, the queue's group, syslog and JSON."""
    m = s.machine
    m.run("groupadd", "roompay-queue")
    m.run("usermod", "-a", "-G", "roompay-queue", "roompay")
    names = ("replay-key", "kakaopay-key", "reservation-webhook", "gateway-webhook")
    keys = "".join(f"LoadCredential={n}:/root/{n}\n" for n in names)
    drop_in(
        s,
        "roompay.service",
        "[Service]\nStandardInput=socket\nStandardOutput=journal\nStandardError=journal\n" + keys,
    )
    drop_in(s, "roompay-courier.service", "[Service]\n" + keys)
    for n in names:
        m.run("mv", "/etc/roompay/secrets/" + n, "/root/" + n)
    s.conf(
        lambda t: (
            re.sub(r"/etc/roompay/secrets/", "credential:", t)
            .replace("[site]\n", "[site]\nlog_format = json\nlog_to = syslog\n")
            .replace("[queue]\n", "[queue]\nsocket_group = roompay-queue\n")
        )
    )
    m.run("systemctl", "stop", "roompay.socket", "roompay")
    m.run("systemctl", "restart", "roompay-queued", "roompay-courier", "roompay.socket", "roompay")
    assert (
        m.run("stat", "-c", "%U:%G %a", "/run/roompay/queue.sock").strip()
        == "roompay:roompay-queue 660"
    )
    assert m.run("readlink", f"/proc/{s.state('roompay.service', 'MainPID')}/fd/0").startswith(
        "socket:"
    )
    s.pay("lighttpd")
    for name in ("roompay.fcgi", "roompay-queued", "roompay-courier"):
        lines = [
            json.loads(line) for line in m.journal("-t", name, "_TRANSPORT=syslog").splitlines()
        ]
        assert lines and all(line["prog"] and line["event"] for line in lines), name
    assert '"route":"approvePayment","status":200' in m.journal(
        "-t", "roompay.fcgi", "_TRANSPORT=syslog"
    )
    say("standard input as socket, systemd's credentials, the queue's group, JSON through syslog")


def upgrade(s):
    m = s.machine
    changed = (m.tree / CONF.lstrip("/")).read_text()
    m.shell("apt-get -qq -y install --reinstall /packages/roompay_*.deb")
    assert (m.tree / CONF.lstrip("/")).read_text() == changed
    m.run("systemctl", "restart", "roompay-queued", "roompay-courier")
    s.by_the_guide("systemctl reload roompay")
    s.pay("Apache")
    say("installed anew under a running site: settings kept, a payment")


def no_secret_was_logged(s):
    everything = s.machine.journal()
    assert everything.count("approvePayment") >= s.payments
    for name, text in s.secrets.items():
        assert text not in everything, name
    assert "SECCOMP" not in everything and "code=dumped" not in everything, everything[-2000:]
    say(
        f"{s.payments} payments, {len(everything.splitlines())} lines in the journal, no secret among them"
    )


def remove_and_purge(s):
    m = s.machine
    m.run("apt-get", "-qq", "-y", "remove", "roompay", "kakaopay-sim")
    for unit in UNITS:
        assert s.state(unit, "ActiveState") in ("inactive", "failed"), unit
    for path, there in (
        ("/usr/sbin/roompayctl", False),
        ("/usr/libexec/roompay.fcgi", False),
        (CONF, True),
        ("/var/lib/roompay/queue", True),
    ):
        m.run("test", "-e", path, code=0 if there else 1)
    m.run("apt-get", "-qq", "-y", "purge", "roompay")
    left = m.shell(
        "find /etc /var/lib /usr -name '*roompay*' -not -path '*/dpkg/*' -not -path '*/systemd/*' -not -path '*/apache2/*' -not -path '*/lighttpd/*'"
    ).split()
    assert left == [], left
    say("removed: settings and journal stay; purged: nothing is left")


def main():
    tree, store_dir = pathlib.Path(sys.argv[1]), tempfile.mkdtemp(prefix="roompay-store-")
    store = store_server(sys.argv[2], store_dir)
    store.start()
    machine = None
    try:
        machine = Machine(tree)
        s = Site(machine, store.uri)
        for step in (
            from_secrets_to_programs,
            behind_web_servers,
            the_web_server_reads_no_secret,
            reload_and_restart,
            other_shapes,
            upgrade,
            no_secret_was_logged,
            remove_and_purge,
        ):
            step(s)
    except BaseException:
        if machine is not None:
            print(machine.attempt("journalctl", "-n", "60", "--no-pager").stdout, file=sys.stderr)
        raise
    finally:
        if machine is not None:
            machine.stop()
        store.stop()
        shutil.rmtree(store_dir, ignore_errors=True)


if __name__ == "__main__":
    main()
