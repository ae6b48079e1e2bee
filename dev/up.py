"""Starts the whole stack, takes one real payment through the three queries as a user with a browser
would, and says what to try next."""

import base64
import functools
import html
import http.server
import json
import os
import pathlib
import re
import signal
import sys
import threading
import urllib.parse

from booking_site import Site, eventually, http_call
from example_site import ExampleSite, NoSite
from ports import free_port
from stack import Stack, StackError
from store_server import StoreError
from up_options import read_options

TOKENS = ("gateway", "reservation", "refund", "operator")
PEERS = ("gateway", "reservation")


def known_values(path):
    """NAME -> value of the `export NAME='value'` lines of an earlier run."""
    if path is None or not pathlib.Path(path).exists():
        return {}
    return dict(re.findall(r"^export (\w+)='([^']*)'$", pathlib.Path(path).read_text(), re.M))


class Development(Stack):
    """The stack of the tests, with a port, tokens and receivers that a developer chooses."""

    def __init__(self, build, options, example, say):
        self.options, self.known = options, known_values(options.env_file)
        self.example = example
        conf = {f"deliver {peer}": {"url": url} for peer, url in self.receivers().items()}
        # A master keeps its workers' log; spawn-fcgi would throw it away.
        super().__init__(build, mode="master", conf=conf, say=say)

    def own_receivers(self):
        urls = {"gateway": self.options.gateway_url, "reservation": self.options.reservation_url}
        return {peer: url for peer, url in urls.items() if url is not None}

    def receivers(self):
        """Without a developer's own the example site gets the messages, where there is one."""
        if self.own_receivers() or self.example is None:
            return self.own_receivers()
        return {peer: self.example.hook(peer) for peer in PEERS}

    def start_example(self):
        if self.example is None:
            return
        self.say("starting the example site")
        env = {
            **self.environment(""),
            "SITE_URL": self.example.url,
            "MONGODB_URI": self.mongo_uri,
            "ROOMPAY_DATABASE": self.database_name,
            "SITE_DATABASE": self.site_database(),
        }
        self.example.start(env, self.dir / "example-site.log")

    def site_database(self):
        return self.database_name + "_site"

    def __exit__(self, *exc):
        if self.example is not None:
            self.example.stop()
            if not self.store_is_ours:
                self.database().client.drop_database(self.site_database())
        return super().__exit__(*exc)

    def _write_files(self):
        if self.options.port is not None:
            self.web_address = ("127.0.0.1", self.options.port)
            self.web_url = f"http://127.0.0.1:{self.options.port}"
            self.base_url = self.web_url + self.prefix
        for name in TOKENS:
            self.tokens[name] = self.known.get(name.upper(), self.tokens[name])
        for peer in (self.gateway, self.reservation):
            secret = self.known.get(f"{peer.name.upper()}_WEBHOOK", "")
            if secret.startswith("whsec_"):
                peer.key = base64.b64decode(secret.removeprefix("whsec_"))
        super()._write_files()

    def environment(self, site_url):
        env = {"BASE": self.base_url, "SIM": self.sim_url, "SITE": site_url}
        env.update((name.upper(), self.tokens[name]) for name in TOKENS)
        env.update(
            (
                f"{peer.upper()}_WEBHOOK",
                "whsec_" + base64.b64encode(getattr(self, peer).key).decode(),
            )
            for peer in PEERS
        )
        env["ROOMPAY_CONF"] = str(self.conf_path)
        return env


def write_env_file(path, env):
    text = "".join(f"export {name}='{value}'\n" for name, value in env.items())
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(fd, "w") as f:
        f.write("# dev/up wrote this. Tokens and secrets are used again by the next run.\n" + text)


class ReturnPage(http.server.BaseHTTPRequestHandler):
    """Where KakaoPay sends a user back to, while there is no site: shows what came."""

    def do_GET(self):
        parts = urllib.parse.urlsplit(self.path)
        rows = "".join(
            f"<tr><td>{html.escape(k)}</td><td><code>{html.escape(v)}</code></td></tr>"
            for k, v in urllib.parse.parse_qsl(parts.query)
        )
        text = (
            f"<!doctype html><meta charset=utf-8><title>roompay dev/up</title>"
            f"<h1>KakaoPay sent the user back to {html.escape(parts.path)}</h1>"
            f"<table>{rows}</table><p>/ok: call approvePayment with this pg_token. "
            f"/cancel, /fail: call removePaymentInQueue.</p>"
        ).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *args):
        pass


def serve_return_page():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", free_port()), ReturnPage)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}"


def browse(page_url):
    """The user: opens KakaoPay's page, presses the button that pays, and is sent back; returns the
    pg_token of that redirect."""
    page = http_call("GET", page_url)
    assert page.status == 200, page
    forms = re.findall(r'<form[^>]*action="([^"]*)"', page.raw.decode())
    pay = next(f for f in forms if "pay" in f.rsplit("/", 1)[-1])
    back = http_call(
        "POST",
        urllib.parse.urljoin(page_url, pay),
        b"",
        {"Content-Type": "application/x-www-form-urlencoded"},
    )
    assert back.status in (302, 303), back
    query = urllib.parse.urlsplit(back.headers["location"]).query
    return urllib.parse.parse_qs(query)["pg_token"][0]


def one_payment(site):
    body = site.booking(user="minji", start=[10], end=[12])
    room, order = body["reservationInfo"]["roomId"], body["paymentInfo"]["partner_order_id"]
    ready = site.ready(body)
    assert ready.status == 200, ready
    until = ready.body["hold"]["expiresAt"]
    print(f"payReady                 200  tid {ready.body['tid']}, held until {until}")
    token = browse(ready.body["next_redirect_pc_url"])
    print("the user pays            at", ready.body["next_redirect_pc_url"])
    paid = site.approve("minji", room, token)
    assert paid.status == 200, paid
    payment = paid.body["payment"]
    print(f"approvePayment           200  {payment['amount']['total']} won, {paid.body['state']}")
    eventually(lambda: site.held(room) == [], 15)
    print("removePaymentInQueue          called by the reservation service: the time is booked")
    doc = site.db.payments.find_one({"partner_order_id": order})
    print("\nthe payment's document in the store:")
    print(json.dumps(doc, indent=2, ensure_ascii=False, default=str))


def booking_for(site, site_url):
    back = {
        f"{to}_url": f"{site_url}/{page}?order=order-1001"
        for to, page in (("approval", "ok"), ("cancel", "cancel"), ("fail", "fail"))
    }
    return site.booking(
        user="jisoo",
        order="order-1001",
        room="64f1c0ffee0123456789abcd",
        day=[6],
        start=[19],
        end=[21],
        total=11000,
        **back,
    )


NEXT = """
What to try next, in another terminal ({when}):

{exports}

  hold a time and open a payment:
  curl -s $BASE/payReady -H "Authorization: Bearer $GATEWAY" -H 'Content-Type: application/json' \\
    -d '{body}'

  open next_redirect_pc_url in a browser and pay: the page that you are sent to shows the pg_token.
  Without a browser, with the tid of the answer:
  curl -s $SIM/control/pay -d '{{"tid":"..."}}'

  take the money:
  curl -s $BASE/approvePayment -H "Authorization: Bearer $GATEWAY" \\
    -H 'Content-Type: application/json' \\
    -d '{{"pg_token":"...","userId":"jisoo","roomId":"64f1c0ffee0123456789abcd"}}'

  {removal}
  curl -s $BASE/removePaymentInQueue -H "Authorization: Bearer $RESERVATION" \\
    -H 'Content-Type: application/json' \\
    -d '{{"tid":"...","userId":"jisoo","roomId":"64f1c0ffee0123456789abcd"}}'

  what became of the order, and a part of it given back:
  curl -s "$BASE/orders?cid=TC0ONETIME&partner_order_id=order-1001" \\
    -H "Authorization: Bearer $GATEWAY"
  curl -s $BASE/cancelPayment -H "Authorization: Bearer $REFUND" \\
    -H 'Content-Type: application/json' \\
    -d '{{"tid":"...","refundId":"refund-1","cancel_amount":1000,"reason":"to see it"}}'

  what is held, whether payments are taken, what the simulator has captured:
  curl -s "$BASE/queue?roomId=64f1c0ffee0123456789abcd" -H "Authorization: Bearer $OPERATOR"
  curl -s $BASE/readyz -H "Authorization: Bearer $OPERATOR"
  curl -s $SIM/control/captures

  the operator's console, with the token of OPERATOR: {console}
"""

STAND_IN = """the reservation service of dev/up has removed the hold by itself; the same again gets
  the same answer:"""
OWN = "your reservation service removes the hold, when the reservation is in its calendar:"

FILES = """
  {ctl} -c $ROOMPAY_CONF status
  settings, and the log of each program (*.log): {dir}
"""


def say_what_next(stack, site, site_url):
    env = stack.environment(site_url)
    if stack.options.env_file is not None:
        write_env_file(stack.options.env_file, env)
        exports = f"  . {pathlib.Path(stack.options.env_file).resolve()}"
    else:
        exports = "\n".join(
            f"  export {name}='{value}'"
            for name, value in env.items()
            if not name.endswith("_WEBHOOK")
        )
    body = json.dumps(booking_for(site, site_url), ensure_ascii=False)
    when = "with dev/up alone: this run is over" if stack.options.once else "tokens are of this run"
    removal = OWN if stack.options.reservation_url else STAND_IN
    console = f"{stack.base_url}/console/"
    print(
        NEXT.format(when=when, exports=exports, body=body, removal=removal, console=console),
        end="",
    )
    if not stack.options.once:
        print(FILES.format(ctl=stack.build / "ctl/roompayctl", dir=stack.dir))


def see_it(stack):
    if stack.example is not None:
        print(f"\nSee it: open {stack.example.url} in a browser, choose a time, and pay.")


def run(stack):
    site = Site(stack)
    stack.start_example()
    see_it(stack)
    site_url = stack.options.site or serve_return_page()
    receivers = stack.own_receivers()
    if receivers:
        print("no payment is made: messages go to", ", ".join(receivers.values()))
    else:
        one_payment(site)
    say_what_next(stack, site, site_url.rstrip("/"))
    if not stack.options.once:
        see_it(stack)
        print("Ctrl-C stops everything.", flush=True)
        try:
            signal.pause()
        except KeyboardInterrupt:
            pass
    print("stopping", flush=True)


def example_site(build, options):
    """None: --once, receivers of the developer's own, --no-site, or no Node."""
    if options.once or options.no_site or options.gateway_url or options.reservation_url:
        return None
    try:
        say = functools.partial(print, flush=True)
        return ExampleSite(build, options.site_port or free_port(), say)
    except NoSite as e:
        print(f"there is no example site: {e}")
        return None


def main():
    options = read_options(sys.argv[2:])
    # a shell's background job would ignore it
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        example = example_site(sys.argv[1], options)
        say = functools.partial(print, flush=True)
        with Development(sys.argv[1], options, example, say) as stack:
            run(stack)
        print("stopped")
    except KeyboardInterrupt:
        print("stopped")
    except (StackError, StoreError, NoSite, AssertionError) as e:
        print(f"dev/up: {e}", file=sys.stderr)
        return 1
    return 0


sys.exit(main())
