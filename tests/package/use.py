"""use.py TREE STORE: what an administrator does after the package was installed (doc/operations.md, section 2), in a tree without an init system: the units' own
command lines are started as the units' user."""
import base64
import hashlib
import http.server
import json
import os
import pathlib
import re
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

from booking_site import http_call
from ports import free_port
from stack import connects, wait_for

tree, store = pathlib.Path(sys.argv[1]), sys.argv[2]
running = []


def inside(*argv, **more):
    return subprocess.run(["chroot", str(tree), *argv], check=True, capture_output=True, text=True, **more).stdout


def start(*argv, user=None):
    log = open(tree / "programs.log", "ab")
    how = ["chroot", "--userspec", f"{user}:{user}", "--groups", user, str(tree)] if user else []
    p = subprocess.Popen([*how, *argv], stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
    running.append(p)
    return p


def unit(name):
    text = (tree / "lib/systemd/system" / name).read_text()
    return re.search(r"^User=(\w+)$", text, re.M)[1], re.search(r"^ExecStart=(.*)$", text, re.M)[1].split()


def secret(name, text):
    path = tree / "etc/roompay/secrets" / name
    path.write_text(text + "\n")
    inside("chown", "root:roompay", "/etc/roompay/secrets/" + name)
    path.chmod(0o640)


class Reservation(http.server.BaseHTTPRequestHandler):
    got = []

    def do_POST(self):
        self.got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *args):
        pass


def say(line):
    print("   " + line, flush=True)


def main():
    peer = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Reservation)
    threading.Thread(target=peer.serve_forever, daemon=True).start()
    store_port, sim_port, apache_port, lighttpd_port = (free_port() for _ in range(4))
    store_dir = tempfile.mkdtemp(prefix="roompay-store-")
    running.append(subprocess.Popen([store, "--listen-addr", f"127.0.0.1:{store_port}", "--dir", store_dir], stdin=subprocess.DEVNULL,
                                    stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True))

    # 1. secrets
    key = "DEV" + secrets.token_hex(18).upper()
    secret("replay-key", secrets.token_hex(32))
    secret("kakaopay-key", key)
    for name in ("reservation-webhook", "gateway-webhook"):
        secret(name, "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode())
    # 2. tokens
    tokens = {name: json.loads(inside("roompayctl", "token", "new", "--json")) for name in ("gateway", "reservation", "operator")}
    # 3. the one file
    conf = (tree / "etc/roompay/roompay.conf").read_text()
    for t in tokens.values():
        conf = conf.replace("0" * 64, t["token_sha256"], 1)
    conf = conf.replace("mongodb://127.0.0.1:27017/", f"mongodb://127.0.0.1:{store_port}/")
    conf = re.sub(r"^url = https://.*$", f"url = http://127.0.0.1:{peer.server_port}/hooks", conf, flags=re.M)
    conf = conf.replace("mode = secret_key\n", f"mode = secret_key\nbase_url = http://127.0.0.1:{sim_port}\n")
    (tree / "etc/roompay/roompay.conf").write_text(conf)
    say(inside("roompayctl", "config", "check").strip())
    inside("systemd-tmpfiles", "--create", "roompay.conf")
    # what the unit's StateDirectory makes
    inside("install", "-d", "-o", "roompay", "-g", "roompay", "-m", "0700", "/var/lib/roompay", "/var/lib/roompay/queue")

    # 4. the programs
    wait_for(lambda: connects(socket.AF_INET, ("127.0.0.1", store_port)), 20, "the store is not there")
    inside("install", "-m", "0600", "/etc/roompay/secrets/kakaopay-key", "/root/sim-key")
    start("chroot", str(tree), "kakaopay-sim", "--port", str(sim_port), "--key-file", "/root/sim-key", "--cid", "TC0ONETIME")
    for name in ("roompay-queued.service", "roompay-courier.service", "roompay.service"):
        user, argv = unit(name)
        start(*argv, user=user)
        if "queued" in name:
            wait_for(lambda: connects(socket.AF_UNIX, str(tree / "run/roompay/queue.sock")), 20, "the queue is not there")
    wait_for(lambda: connects(socket.AF_UNIX, str(tree / "run/roompay/fcgi.sock")), 20, "the master is not there")
    # the first program that serves claims the queue
    wait_for(lambda: subprocess.run(["chroot", str(tree), "roompayctl", "status"], capture_output=True).returncode == 0, 20, "payments cannot be taken")
    say(inside("roompayctl", "status").strip().splitlines()[-1])

    # 5. the web servers
    inside("usermod", "-a", "-G", "roompay", "www-data")
    examples = tree / "usr/share/doc/roompay/examples"
    (tree / "etc/apache2/ports.conf").write_text(f"Listen 127.0.0.1:{apache_port}\n")
    (tree / "etc/apache2/conf-available/roompay.conf").write_text((examples / "apache-proxy-fcgi.conf").read_text() + "ServerName localhost\n")
    inside("a2enmod", "proxy", "proxy_fcgi")
    inside("a2enconf", "roompay")
    start("chroot", str(tree), "sh", "-c", ". /etc/apache2/envvars && mkdir -p $APACHE_RUN_DIR && exec apache2 -DFOREGROUND")
    (tree / "etc/lighttpd/conf-available/90-roompay.conf").write_text((examples / "lighttpd.conf").read_text())
    main_conf = tree / "etc/lighttpd/lighttpd.conf"
    main_conf.write_text(re.sub(r"^server.port\s*=.*$", f'server.port = {lighttpd_port}\nserver.bind = "127.0.0.1"', main_conf.read_text(), flags=re.M)
                         .replace('include_shell "/usr/share/lighttpd/use-ipv6.pl', '#'))
    inside("lighttpd-enable-mod", "roompay")
    start("chroot", str(tree), "lighttpd", "-D", "-f", "/etc/lighttpd/lighttpd.conf")

    sim = f"http://127.0.0.1:{sim_port}"
    for n, (name, port) in enumerate((("Apache", apache_port), ("lighttpd", lighttpd_port)), 1):
        base = f"http://127.0.0.1:{port}/pay"
        wait_for(lambda: connects(socket.AF_INET, ("127.0.0.1", port)), 20, f"{name} is not there")

        def ask(method, path, body=None, caller="gateway"):
            return http_call(method, base + path, body, {"Authorization": "Bearer " + tokens[caller]["token"]})
        assert http_call("GET", base + "/livez").status == 200
        a = ask("GET", "/readyz", caller="operator")
        assert a.status == 200 and a.body["ready"], a
        room = secrets.token_hex(12)
        urls = {k: "https://study.example.com/" + k for k in ("approval_url", "cancel_url", "fail_url")}
        a = ask("POST", "/payReady", {
            "userInfo": {"userId": "u-1"}, "reservationInfo": {"day": [1], "startTime": [9], "endTime": [10], "roomId": room},
            "paymentInfo": {"cid": "TC0ONETIME", "partner_order_id": "o-" + room, "partner_user_id": "p", "item_name": "스터디룸", "quantity": 1,
                            "total_amount": 2200, "tax_free_amount": 0, **urls}})
        assert a.status == 200, a
        token = http_call("POST", sim + "/control/pay", {"tid": a.body["tid"]}).body["pg_token"]
        a = ask("POST", "/approvePayment", {"pg_token": token, "userId": "u-1", "roomId": room})
        assert a.status == 200 and a.body["charged"] is True, a
        tid = a.body["payment"]["tid"]
        wait_for(lambda: any(m["data"].get("tid") == tid for m in Reservation.got), 10, "payment.approved did not come")
        a = ask("POST", "/removePaymentInQueue", {"userId": "u-1", "roomId": room, "tid": tid}, caller="reservation")
        assert a.status == 200 and a.body["removed"] is True, a
        metrics = http_call("GET", base + "/metrics").raw.decode()     # the sample lets the machine itself in
        assert f'roompay_requests_total{{route="approvePayment",status="200"}} {n}' in metrics, metrics
        say(f"a payment behind {name}: ready, approved, delivered, removed")
    assert "고객에게 청구되었습니다" in inside("roompayctl", "payment", "explain", tid, "--lang", "ko")
    assert "no difference" in inside("roompayctl", "reconcile", "--day", time.strftime("%Y-%m-%d", time.gmtime(time.time() + 9 * 3600)))
    for page in ("7/roompay.7", "8/roompayctl.8", "5/roompay.conf.5"):
        assert (tree / f"usr/share/man/man{page}.gz").exists()
    assert oct((tree / "etc/roompay/roompay.conf").stat().st_mode & 0o777) == "0o640"


try:
    main()
except BaseException:
    print((tree / "programs.log").read_text(errors="replace")[-3000:] if (tree / "programs.log").exists() else "", file=sys.stderr)
    raise
finally:
    for p in reversed(running):
        if p.poll() is None:
            p.send_signal(signal.SIGTERM)
            try:
                p.wait(15)
            except subprocess.TimeoutExpired:
                p.kill()
