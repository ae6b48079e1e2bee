"""A run with everything in it: payments, refusals, faults, errors, outages, at the most talkative log level. Afterwards no token, key, pg_token or
redirect URL stands in a log of ours or in the process list, and no key or token in the queue's journal or in the store."""

import json
import os
import signal

import leaks
import pytest
from booking_site import Site, eventually, http_call, new_id
from conftest import MANY, make

USER_TOKEN = "canary-user-token-" + new_id()


@pytest.fixture
def loud():
    conf = {**MANY, "site": {"log_level": "debug"}, "fcgi": {"deadline": 6000}}
    for site in make(workers=4, mode="master", conf=conf, merchants={"TCSUBSCRIP": "user_token"}):
        site.sim.post("/user-token", {"token": USER_TOKEN})
        yield site


def booking(**changes):
    body = Site.booking(user="u-" + new_id(), **changes)
    for kind in ("approval_url", "cancel_url", "fail_url"):
        body["paymentInfo"][kind] = f"https://site.example/{kind}?canary={new_id()}"
    if body["paymentInfo"]["cid"] == "TCSUBSCRIP":
        body["userInfo"]["kakaoAccessToken"] = USER_TOKEN
    return body


def who(body):
    return body["userInfo"]["userId"], body["reservationInfo"]["roomId"]


def a_payment(site, caller="gateway", cid="TC0ONETIME"):
    body = booking(cid=cid)
    a = site.ask("/payReady", body, caller)
    assert a.status == 200, a
    user, room = who(body)
    token = site.sim.pay(a.body["tid"])
    site.pg_tokens.add(token)
    return {"pg_token": token, "userId": user, "roomId": room}, a.body["tid"], caller


def approve(site, story):
    return site.ask("/approvePayment", story[0], story[2])


def pay_and_repeat(site):
    for cid, caller in (("TC0ONETIME", "gateway"), ("TCSUBSCRIP", "other")):
        story = a_payment(site, caller, cid)
        assert approve(site, story).status == 200
        assert approve(site, story).replayed
        wrong = a_payment(site, caller, cid)
        assert (
            site.ask("/approvePayment", {**wrong[0], "pg_token": new_id()}, caller).code
            == "token-refused"
        )
        body = booking(cid=cid)
        assert (
            site.ask("/payReady", body, caller).status == 200
            and site.ask("/payReady", body, caller).replayed
        )


def meet_faults(site):
    for fault, given in (
        ("http-500", {}),
        ("html-502", {}),
        ("truncated-json", {}),
        ("missing-members", {}),
        ("close-before", {}),
        ("delay", {"delay_ms": 5500}),
        ("error", {"code": -401}),
        ("error", {"code": -2}),
        ("error", {"code": -9798}),
    ):
        site.sim.fault("ready", fault, **given)
        site.ready(booking())
        site.sim.no_faults()
    for fault, given in (
        ("http-500", {}),
        ("close-after", {}),
        ("truncated-json", {"after_commit": True}),
        ("card-refused", {}),
        ("wrong-total", {}),
        ("error", {"code": -401}),
        ("error", {"code": -708}),
        ("error", {"code": -723}),
        ("reset", {}),
        ("user-locked", {}),
    ):
        story = a_payment(site)
        site.sim.fault("approve", fault, tid=story[1], **given)
        approve(site, story)
        site.sim.no_faults()
        approve(site, story)


def ask_nonsense(site):
    """Secrets where they do not belong."""
    token, canary = site.tokens["gateway"], new_id()
    site.pg_tokens.add(canary)
    j = {"Content-Type": "application/json", "Authorization": "Bearer " + token}
    for raw in (
        f'{{"pg_token":"{canary}"',
        f'{{"pg_token":"{canary}","pg_token":"{canary}"}}',
        f'{{"pg_token":{{"{canary}":1}}}}',
        f'{{"{canary}":1}}',
        f'{{"pg_token":"{canary} {canary}","userId":"u","roomId":"{canary}x"}}',
        f"{canary}",
    ):
        http_call("POST", site.base + "/approvePayment", raw.encode(), j)
        http_call("POST", site.base + "/payReady", raw.encode(), j)
    for method, path in (
        ("GET", "/approvePayment"),
        ("POST", "/approvePayment"),
        ("POST", "/nothing"),
        ("GET", "/queue"),
        ("GET", "/" + canary),
    ):
        http_call(
            method,
            f"{site.base}{path}?pg_token={canary}&roomId={canary}",
            b"{}" if method == "POST" else None,
            j,
        )
    for value in (
        "Bearer " + canary,
        "Basic " + canary,
        canary,
        "Bearer " + token + canary,
        "bearer\t" + token,
    ):
        http_call("POST", site.base + "/payReady", b"{}", {**j, "Authorization": value})
    body = booking()
    body["paymentInfo"].update(
        approval_url=f"http://{canary}.example/",
        cancel_url=f"https://user:{canary}@site.example/",
        kakao_key=canary,
    )
    assert site.ready(body).code == "invalid-fields"
    body = booking(cid="TCSUBSCRIP")
    body["userInfo"]["kakaoAccessToken"] = f"two words {canary}"
    assert site.ask("/payReady", body, "other").code == "invalid-fields"
    http_call("POST", site.base + "/payReady", json.dumps(booking()).encode() + b" " * 20000, j)


def meet_outages(site):
    stack = site.stack
    for name, leave, come_back in (
        ("store", stack.suspend, stack.resume),
        ("queued", stack.kill, stack.start),
        ("sim", stack.stop, stack.start),
    ):
        story = a_payment(site)
        leave(name)
        approve(site, story)
        site.ready(booking())
        site.get("/readyz")
        come_back(name)
        if name == "sim":
            site.sim.post("/user-token", {"token": USER_TOKEN})
        eventually(lambda: approve(site, story).status == 200, seconds=15, every=0.3)
    os.kill(stack.worker_pids()[0], signal.SIGKILL)
    stack.reservation.fail(503, 2)
    pay_and_repeat(site)


def test_no_secret_is_written_down(loud):
    pay_and_repeat(loud)
    meet_faults(loud)
    ask_nonsense(loud)
    meet_outages(loud)
    eventually(
        lambda: len({m["tid"] for m in loud.stack.reservation.attempts if m["status"] == 503}) >= 1
    )
    # the search finds what stands there, and every log says much
    log = (loud.stack.dir / "workers.log").read_text()
    assert (
        "level=debug" in log
        and "event=kakaopay" in log
        and "event=gate_" in log
        and loud.payments()[0]["partner_order_id"] in log
    )
    assert all((loud.stack.dir / f"{n}.log").stat().st_size > 0 for n in ("queued", "courier"))
    assert len(loud.pg_tokens) > 15 and len(loud.urls) > 100 and USER_TOKEN in loud.user_tokens
    assert leaks.in_logs(loud) == []
    assert leaks.in_process_list(loud) == []
    assert leaks.in_journal(loud) == []
    assert leaks.in_store(loud) == []


def test_a_secret_that_stands_there_is_found(loud):
    """The search itself can fail."""
    story = a_payment(loud)
    for name, text in (
        ("queued.log", story[0]["pg_token"]),
        ("workers.log", loud.stack.admin_key),
        ("courier.log", loud.tokens["other"]),
    ):
        path = loud.stack.dir / name
        before = path.read_bytes()
        path.write_bytes(before + b"level=info x=" + text.encode() + b"\n")
        assert len(leaks.in_logs(loud)) == 1, name
        path.write_bytes(before)
    loud.db.deliveries.insert_one({"x": {"y": story[0]["pg_token"]}})
    loud.db.ledger.insert_one({"_id": "x"})
    loud.db.payments.insert_one({"tid": "x"})
    assert len(leaks.in_store(loud)) == 1


def test_a_secret_among_many_is_found():
    many = {f"token {i}": f"{i:06d}-{i * 7919:010x}".encode() for i in range(3 * leaks.FEW)}
    text = b"a=1 b=x" + many["token 333"] + b"y\n" + many["token 334"][:-1] + b"\n"
    assert leaks._find(many, [("log", text)]) == ["token 333 in log"]
