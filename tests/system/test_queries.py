"""Each query of each program is carried out by an index, in the index's order: MongoDB tells of
every operation while everything that roompay does is done once."""

import itertools
import re
import shutil
import time
import urllib.parse

import plans
import pytest
from booking_site import eventually, http_call
from conftest import make
from test_adopt import QUICK, ready_again

DAY = time.strftime("%Y-%m-%d", time.gmtime(time.time() + 9 * 3600))
COLLECTIONS = {"payments", "ledger", "replay", "open", "outbox", "deliveries", "meta"}


@pytest.fixture(scope="module")
def site():
    for s in make(workers=4, conf=QUICK):
        if not s.stack.store_is_ours or any(
            n.startswith("ferretdb") for n in s.db.command("buildInfo")
        ):
            pytest.skip("only a mongod of ours tells how queries are carried out")
        yield s


def payments_and_refunds(site):
    """All ways to end, and refunds; what is left is the courier's."""
    done = [site.paid(user=u)[0] for u in ("a", "a", "b")]
    tids = [
        site.db.payments.find_one({"partner_order_id": b["paymentInfo"]["partner_order_id"]})["tid"]
        for b in done
    ]
    assert site.refund(tids[0], amount=1000).status == 200 and site.refund(tids[1]).status == 200
    for fault, more in (
        ("error", {"code": -704}),
        ("close-after", {"after_commit": True}),
        ("close-before", {}),
    ):
        body, ready = site.opened(user="c-" + fault)
        tid = ready.body["tid"]
        token = site.sim.pay(tid)
        site.sim.fault("approve", fault, tid=tid, **more)
        site.sim.fault("order", "http-500", times=2, tid=tid)
        site.approve("c-" + fault, body["reservationInfo"]["roomId"], token)
        site.approve("c-" + fault, body["reservationInfo"]["roomId"], token)
    body, ready = site.opened(user="e")  # another program has stored it under an _id of its own
    site.db.payments.insert_one({"tid": ready.body["tid"], "userId": "e"})
    site.approve("e", body["reservationInfo"]["roomId"], site.sim.pay(ready.body["tid"]))
    site.db.payments.delete_one({"tid": ready.body["tid"], "userId": "e"})
    return done, tids


def history(site, done):
    """Every set of filters, from the first page and from the second."""
    body = done[0]
    filters = {
        "userId": "a",
        "roomId": body["reservationInfo"]["roomId"],
        "partner_order_id": body["paymentInfo"]["partner_order_id"],
        "from": "2020-01-01",
        "to": "2099-12-31",
        "cid": "TC0ONETIME",
    }
    first = site.get("/payments?limit=1").body["next"]
    assert first is not None
    for n in range(len(filters) + 1):
        for names in itertools.combinations(filters, n):
            for more in ({}, {"limit": 1, "cursor": first}):
                a = site.get(
                    "/payments?"
                    + urllib.parse.urlencode({**{k: filters[k] for k in names}, **more})
                )
                assert a.status == 200, a


def other_reads(site, done, tids):
    for path in (
        "/payments/" + tids[0],
        "/queue?roomId=" + done[0]["reservationInfo"]["roomId"],
        "/readyz",
    ):
        assert site.get(path).status == 200, path
    assert http_call(
        "GET",
        site.base + "/metrics",
        headers={"Authorization": "Bearer " + site.tokens["operator"]},
    ).status in (200, 403, 404)
    for body in done:
        assert site.order(body["paymentInfo"]["partner_order_id"]).status == 200


def the_console(site, done, tids):
    """Every read of its API, with every filter, and what its actions look up."""
    order, room = done[0]["paymentInfo"]["partner_order_id"], done[0]["reservationInfo"]["roomId"]
    filters = ("", "userId=a", "partner_order_id=" + order, "day=" + DAY)
    lists = [f"{name}?limit=1&{f}" for name in ("payments", "refunds") for f in filters]
    lists.append("payments?limit=1&roomId=" + room)
    for path in (
        "status",
        "waiting",
        "holds?limit=1",
        "payments?state=refunded",
        "payments?tid=" + tids[0],
        "payments/" + tids[0],
        f"orders?cid=TC0ONETIME&partner_order_id={order}",
        "deliveries?limit=1",
        "deliveries?state=failing",
        "deliveries/payment.approved." + tids[0],
        "settlement?day=" + DAY,
        "reconcile?day=" + DAY,
        *lists,
    ):
        a = site.get("/console/api/" + path, "viewer")
        assert a.status == 200, (path, a)
        if a.body.get("next") is not None and "attempts" not in a.body:
            more = ("&" if "?" in path else "?") + "cursor=" + a.body["next"]
            assert site.get("/console/api/" + path + more, "viewer").status == 200, path
    for action, body in (
        ("settle", {"tid": tids[2]}),
        ("refund", {"tid": tids[2], "dryRun": True}),
        ("release", {"tid": tids[2]}),
        ("retry", {"id": "payment.approved." + tids[2]}),
        ("retryAll", {}),
        ("adopt", {}),
    ):
        a = site.ask("/console/api/" + action, {"reason": "test", **body}, "operator")
        assert a.status in (200, 404, 409), (action, a)


def every_command(site, done, tids):
    """of roompayctl: whatever its help lists."""
    ctl, order = site.stack.ctl, done[2]["paymentInfo"]["partner_order_id"]
    site.stack.reservation.fail(500, 100)
    site.paid(user="d")
    message = eventually(lambda: site.db.outbox.find_one({"peer": "reservation"}))["id"]
    why, open_tid = ("--reason", "test"), site.opened(user="e")[1].body["tid"]
    commands = {
        "status": [()],
        "holds list": [()],
        "holds show": [(open_tid,)],
        "holds release": [(open_tid, *why)],
        "payment list": [
            (),
            ("--user", "a"),
            ("--order", order),
            ("--room", done[2]["reservationInfo"]["roomId"]),
            ("--from", DAY),
            ("--cid", "TC0ONETIME"),
        ],
        "payment show": [(tids[2],), ("TC0ONETIME", order)],
        "payment explain": [(tids[2],), ("TC0ONETIME", order)],
        "payment settle": [(tids[2], *why)],
        "payment refund": [(tids[2], "--amount", "500", *why)],
        "deliveries list": [()],
        "deliveries show": [(message,)],
        "deliveries retry": [
            (message, *why),
            ("--all", *why),
            ("--all", "--again", "--since", DAY, *why),
        ],
        "deliveries test": [("gateway",)],
        "refund list": [(), ("--day", DAY), ("--user", "a"), ("--order", order)],
        "settlement": [("--day", DAY)],
        "refund opening": [
            ("--room", done[2]["reservationInfo"]["roomId"], "--weekday", "1", "--dry-run")
        ],
        "reconcile": [("--day", DAY)],
        "migrate": [()],
        "import check": [()],
        "restore": [why],
        "queue adopt": [why],
        "queue renew": [why],
    }
    without_store = {"journal check", "journal dump", "config check", "token new", "completion"}
    listed = set(re.findall(r"^  ([a-z]+(?: [a-z]+)?) ", ctl("--help"), re.MULTILINE))
    assert listed == set(commands) | without_store, (
        "a command of roompayctl that this test does not run"
    )
    for words, ways in commands.items():
        for arguments in ways:
            ctl(*words.split(), *arguments, code=None)
    site.stack.reservation.fail(500, 0)


def a_lost_journal(site):
    """The queue that takes its place is told of the orders of the last weeks."""
    site.stack.stop("queued")
    shutil.rmtree(site.stack.dir / "queue")
    (site.stack.dir / "queue").mkdir()
    site.stack.start("queued")
    site.stack.ctl("queue", "adopt", "--reason", "test")
    eventually(lambda: ready_again(site), 30, 0.2)


def form(p):
    """What is asked, without the values."""
    return p["collection"], p["op"], tuple(p["asked"]), tuple(p["sort"])


def index_wanted(p):
    """The member that its index begins with. Where two would do, either."""
    if "roomId" in p["asked"]:
        return {"roomId"}
    if p["collection"] == "ledger" and "kind" in p["asked"]:
        return {"kind"}
    one_of = {"partner_order_id", "userId"} & set(p["asked"])
    return one_of or set(itertools.islice(p["sort"], 1)) or set(p["asked"])


def test_each_query_of_each_program_has_its_index(site):
    plans.take_note_of_all(site.db)
    done, tids = payments_and_refunds(site)
    history(site, done)
    other_reads(site, done, tids)
    the_console(site, done, tids)
    every_command(site, done, tids)
    a_lost_journal(site)
    forms = {}
    for p in plans.noted(site.db):
        forms.setdefault(form(p), []).append(p)
        if p["plan"].startswith("IXSCAN"):
            first = re.match(r"IXSCAN { ([a-zA-Z_.]+): ", p["plan"])[1]
            assert first in index_wanted(p), p
        else:
            assert p["plan"] in ("IDHACK", "EOF"), p
    assert {f[0] for f in forms} == COLLECTIONS
    assert {
        ("payments", "query", ("tid",), ()),
        ("outbox", "update", ("_id",), ()),
        ("ledger", "query", ("at",), ("at",)),
    } <= set(forms)
    assert plans.unindexed(site.db) == []
    never = [f for f, found in forms.items() if {p["plan"] for p in found} == {"EOF"}]
    assert never == [], "asked only while the collection was not there: that shows nothing"
