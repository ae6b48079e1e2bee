"""A stand-in for a service that gets messages of the courier's."""

import base64
import hashlib
import hmac
import http.server
import json
import secrets
import threading
import time

import answers

ELSEWHERE = "/elsewhere"


class Peer:
    """A stand-in for a service that gets deliveries: checks the Standard Webhooks signature, keeps what it got, and can be told to fail, to hang
    or to send the courier elsewhere."""

    def __init__(self, name, on_message=None, address="127.0.0.1"):
        self.name, self.on_message = name, on_message
        self.key = secrets.token_bytes(32)
        self.received, self.attempts, self.bad = [], [], []
        self.strayed = []  # who followed a redirect
        self.says = []  # headers of its refusals, (name, value)
        self._fail, self._hang, self._lock = [], {}, threading.Lock()
        peer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                if self.path == ELSEWHERE:
                    return self.do_GET()
                status = peer.take(self.headers, body)
                self.send_response(status)
                if status not in (200, 204):
                    for name, value in peer.says:
                        self.send_header(name, value)
                if 300 <= status < 400:
                    self.send_header("Location", ELSEWHERE)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return None

            def do_GET(self):
                peer.strayed.append((self.command, self.path))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer((address, 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://{address}:{self.server.server_port}/hooks/roompay"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def fail(self, status, times, *says):
        """The next deliveries are answered with this status, and with these headers beside it."""
        with self._lock:
            self._fail, self.says = [status] * times, list(says)

    def hang(self, tid, seconds):
        """Deliveries about this payment get no answer for so long."""
        with self._lock:
            self._hang[tid] = seconds

    def take(self, headers, body):
        msg_id, stamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
        want = base64.b64encode(
            hmac.new(self.key, f"{msg_id}.{stamp}.".encode() + body, hashlib.sha256).digest()
        ).decode()
        given = [s for s in headers.get("webhook-signature", "").split() if s.startswith("v1,")]
        if (
            not any(hmac.compare_digest(s[3:], want) for s in given)
            or abs(time.time() - int(stamp or 0)) > 300
        ):
            self.bad.append({"id": msg_id, "body": body})
            return 401
        message = json.loads(body)
        answers.check_message(message)  # one that is not in openapi.json gets no answer
        with self._lock:
            status = self._fail.pop(0) if self._fail else 204
            self.attempts.append(
                {
                    "id": msg_id,
                    "type": message["type"],
                    "tid": message["data"].get("tid"),
                    "status": status,
                    "at": time.time(),
                    "body": body,
                }
            )
            hang = self._hang.get(message["data"].get("tid"), 0)
        time.sleep(hang)
        if status == 204:
            if self.on_message is not None:
                status = self.on_message(message)
            self.received.append({"id": msg_id, "at": time.time(), **message})
        return status

    def close(self):
        self.server.shutdown()
        self.server.server_close()
