"""Starts the whole stack, takes one real payment through the three queries as a user with a browser would, and says what to try next."""
import json
import re
import signal
import sys
import urllib.parse

from booking_site import Site, eventually, http_call
from stack import Stack, StackError
from store_server import StoreError


def browse(page_url):
    """The user: opens KakaoPay's page, presses the button that pays, and is sent back; returns the pg_token of that redirect."""
    page = http_call("GET", page_url)
    assert page.status == 200, page
    forms = re.findall(r'<form[^>]*action="([^"]*)"', page.raw.decode())
    pay = next(f for f in forms if "pay" in f.rsplit("/", 1)[-1])
    back = http_call("POST", urllib.parse.urljoin(page_url, pay), b"", {"Content-Type": "application/x-www-form-urlencoded"})
    assert back.status in (302, 303), back
    return urllib.parse.parse_qs(urllib.parse.urlsplit(back.headers["location"]).query)["pg_token"][0]


def one_payment(site):
    body = site.booking(user="minji", start=[10], end=[12])
    room, order = body["reservationInfo"]["roomId"], body["paymentInfo"]["partner_order_id"]
    ready = site.ready(body)
    assert ready.status == 200, ready
    print(f"payReady                 200  tid {ready.body['tid']}, held until {ready.body['hold']['expiresAt']}")
    token = browse(ready.body["next_redirect_pc_url"])
    print("the user pays            at", ready.body["next_redirect_pc_url"])
    paid = site.approve("minji", room, token)
    assert paid.status == 200, paid
    print(f"approvePayment           200  {paid.body['payment']['amount']['total']} won, {paid.body['state']}")
    tid = paid.body["payment"]["tid"]
    told = eventually(lambda: [m for m in site.stack.gateway.received if m["data"]["tid"] == tid], 15)
    print("removePaymentInQueue          called by reservation; gateway was told", told[0]["type"])
    doc = site.db.payments.find_one({"partner_order_id": order})
    print("\nthe payment's document in the store:")
    print(json.dumps(doc, indent=2, ensure_ascii=False, default=str))
    return body


NEXT = """
What to try next ({when}):

  curl -s {base}/payReady -H 'Authorization: Bearer {gateway}' -H 'Content-Type: application/json' -d '{body}'

  open next_redirect_pc_url in a browser and pay: it is sent to approval_url?pg_token=..., a site that is not there; the token is in the address bar.
  Without a browser, with the tid of the answer:
  curl -s {sim}/control/pay -d '{{"tid":"..."}}'

  curl -s {base}/approvePayment -H 'Authorization: Bearer {gateway}' -H 'Content-Type: application/json' \\
    -d '{{"pg_token":"...","userId":"jisoo","roomId":"{room}"}}'

  the stand-in for the reservation service removes the hold by itself; the same again gets the same answer:
  curl -s {base}/removePaymentInQueue -H 'Authorization: Bearer {reservation}' -H 'Content-Type: application/json' \\
    -d '{{"tid":"...","userId":"jisoo","roomId":"{room}"}}'

  what became of the order, and a part of it given back (KakaoPay's console would show it: {sim}/control/orders/TID):
  curl -s '{base}/orders?cid=TC0ONETIME&partner_order_id={order}' -H 'Authorization: Bearer {gateway}'
  curl -s {base}/cancelPayment -H 'Authorization: Bearer {refund}' -H 'Content-Type: application/json' \\
    -d '{{"tid":"...","refundId":"refund-1","cancel_amount":1000,"reason":"to see it"}}'

  curl -s '{base}/queue?roomId={room}' -H 'Authorization: Bearer {operator}'
  curl -s {base}/readyz -H 'Authorization: Bearer {operator}'
  curl -s {sim}/control/captures
{files}"""

FILES = """
  {ctl} -c {conf} status
  configuration {conf}; logs in {dir} (the workers' own lines are not kept: spawn-fcgi gives them /dev/null)
"""


def main():
    build, once = sys.argv[1], "--once" in sys.argv[2:]
    signal.signal(signal.SIGINT, signal.default_int_handler)     # a shell's background job would ignore it
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        with Stack(build, say=lambda line: print(line, flush=True)) as stack:
            site = Site(stack)
            one_payment(site)
            body = site.booking(user="jisoo")
            print(NEXT.format(base=stack.base_url, sim=stack.sim_url, gateway=stack.tokens["gateway"], operator=stack.tokens["operator"],
                              reservation=stack.tokens["reservation"], refund=stack.tokens["refund"], order=body["paymentInfo"]["partner_order_id"], body=json.dumps(body, ensure_ascii=False),
                              room=body["reservationInfo"]["roomId"],
                              when="with dev/up alone: this run is over" if once else "tokens and ports are of this run",
                              files="" if once else FILES.format(ctl=stack.build / "ctl/roompayctl", conf=stack.conf_path, dir=stack.dir)), flush=True)
            if not once:
                print("Ctrl-C stops everything.", flush=True)
                try:
                    signal.pause()
                except KeyboardInterrupt:
                    pass
            print("stopping", flush=True)
        print("stopped")
    except KeyboardInterrupt:
        print("stopped")
    except (StackError, StoreError, AssertionError) as e:
        print(f"dev/up: {e}", file=sys.stderr)
        return 1
    return 0


sys.exit(main())
