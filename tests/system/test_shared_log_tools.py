"""What an operator sees of two machines on one log: status, metrics, readyz, the journal, restore."""

import json
import re
import shutil
import signal
import subprocess
import time

import pytest
from booking_site import Site, eventually, http_call, new_id
from conftest import BUILD
from store_server import choose, store_server
from test_queue_log import Machine, World, wait_until_ready

pytestmark = pytest.mark.skipif(
    choose(BUILD)[0] != "mongod", reason="the shared log needs a replica set of MongoDB"
)
CONF = {  # a new queue is quiet for 8 s
    "fcgi": {"deadline": 5000},
    "queue": {"log": "mongodb", "sold_guard": 1},
}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = store_server(BUILD, tmp_path_factory.mktemp("log"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def sites(server):
    """Two machines with a daemon each, on one log."""
    with World(BUILD, mongo_uri=server.uri) as world:
        one, two = (
            Machine(BUILD, workers=6, conf=CONF, mongo_uri=server.uri, world=world)
            for _ in range(2)
        )
        with one, two:
            both = [Site(one), Site(two)]
            for s in both:
                wait_until_ready(s)
            yield both


def series(site):
    headers = {"Authorization": "Bearer " + site.stack.tokens["operator"]}
    text = http_call("GET", site.base + "/metrics", headers=headers).raw.decode()
    return {k: float(v) for k, v in re.findall(r"^([a-z_]+(?:\{[^}]*\})?) (\S+)$", text, re.M)}


def status(site, code=0):
    return json.loads(site.stack.ctl("status", "--json", code=code))


def test_both_machines_tell_of_one_log(sites):
    for s in sites:
        s.opened(user="u-" + new_id())
    seen = [status(s) for s in sites]
    for one in seen:
        assert one["ready"] and one["siteQueue"] == one["runningQueue"], one
        assert one["members"] == 2 and one["holds"]["ready"] == 2, one
        assert one["log"]["number"] >= 4 and one["log"]["clockMs"] < 1000, one
    assert seen[0]["runningQueue"] == seen[1]["runningQueue"]
    assert "2 machines share it" in sites[1].stack.ctl("status")

    def counted():
        now = [series(s) for s in sites]
        numbers = {n["roompay_log_number"] for n in now}
        written = sum(n["roompay_log_appends_total"] for n in now)
        # number 1 closes a new log, before anything is counted
        return len(numbers) == 1 and written == numbers.pop() - 1 and now

    for now in eventually(counted, 10):
        assert now['roompay_holds{state="ready"}'] == 2 and now["roompay_log_machines"] == 2
        assert now["roompay_log_followed_total"] >= 1 and now["roompay_log_records_total"] >= 1
        assert now["roompay_log_heard_seconds"] < 1 and now["roompay_log_behind"] == 0


def test_the_journal_is_read_from_the_database(sites):
    _body, ready = sites[0].opened(user="a")
    said = json.loads(sites[1].stack.ctl("journal", "check", "--json"))
    assert said["queue"] == status(sites[0])["runningQueue"]
    assert said["number"] >= 2 and said["holds"] == {"ready": 1}
    assert f"tid={ready.body['tid']}" in sites[1].stack.ctl("journal", "dump")
    # a number that somebody took out
    log = sites[0].db.queue_log
    log.delete_one({"n": said["number"] - 1})
    assert "the log is damaged" in failed(sites[1], "journal", "check")


def test_any_machine_restores_what_another_took(sites):
    one, two = sites
    body, _token, paid = one.paid(user="payer")
    order = body["paymentInfo"]["partner_order_id"]
    room = body["reservationInfo"]["roomId"]
    eventually(
        lambda: (
            "approved" in "".join(p.read_text() for p in (two.stack.dir / "queue").glob("orders-*"))
        )
    )
    # an older copy of the ledger: without this order's last events
    for s in sites:
        for name in ("courier", "workers"):
            s.stack.stop(name)
    one.db.ledger.delete_many({"partner_order_id": order, "n": {"$gt": 1}})
    one.db.payments.delete_many({"partner_order_id": order})
    assert "behind 1" in two.stack.ctl("restore", "--dry-run")
    assert "written 1, failed 0" in two.stack.ctl("restore", "--reason", "backup of Monday")
    assert "behind 0" in one.stack.ctl("restore", "--reason", "again")
    for s in sites:
        for name in ("workers", "courier"):
            s.stack.start(name)
    for s in sites:
        wait_until_ready(s)
    again = eventually(
        lambda: [a for a in [two.approve("payer", room, "x")] if a.status in (200, 409)], 20
    )[0]
    assert again.code == "order-already-paid" or again.body["payment"] == paid.body["payment"]
    assert len(one.sim.captures(order)) == 1 and len(one.payments(order)) == 1


def test_a_database_that_stands_still_is_told(sites, server):
    one, two = sites
    assert one.get("/readyz").status == 200
    server.process.send_signal(signal.SIGSTOP)
    try:
        said = eventually(
            lambda: [a for a in [one.get("/readyz")] if a.status == 503 and a.body["fence"]], 10
        )[0]
        assert "has not heard of the database" in said.body["fence"], said
        assert not status(two, code=1)["ready"]
    finally:
        server.process.send_signal(signal.SIGCONT)
    began = time.monotonic()
    for s in sites:
        wait_until_ready(s)
    assert time.monotonic() - began < 15


PROGRAMS = ("courier", "workers", "queued")


def stop_everything(sites):
    for s in sites:
        for name in PROGRAMS:
            s.stack.stop(name)


def start_everything(sites):
    for s in sites:
        for name in reversed(PROGRAMS):
            s.stack.start(name)


def orders_of(site):
    return "".join(p.read_text() for p in (site.stack.dir / "queue").glob("orders-*"))


def test_an_older_database_put_back_is_restored_from_any_machine(sites, server, tmp_path):
    one, two = sites
    assert "uses the log" in failed(one, "queue", "renew", "--reason", "by mistake")
    one.paid(user="before")
    stop_everything(sites)
    server.stop()
    shutil.copytree(server.members[0].path, tmp_path / "backup")
    server.start()
    start_everything(sites)
    for s in sites:
        wait_until_ready(s)
    body, _token, first = one.paid(user="after")
    order, room = body["paymentInfo"]["partner_order_id"], body["reservationInfo"]["roomId"]
    eventually(lambda: first.body["payment"]["tid"] in orders_of(two))
    stop_everything(sites)
    server.stop()
    shutil.rmtree(server.members[0].path)
    shutil.copytree(tmp_path / "backup", server.members[0].path)
    server.start()
    start_everything(sites)
    for s in sites:
        said = eventually(
            lambda s=s: [a for a in [s.get("/readyz")] if a.status == 503 and a.body["fence"]], 20
        )[0]
        assert "older than what this machine has read" in said.body["fence"], said
        assert s.ready(user="nobody").status == 503
    assert status(two, code=1)["fence"] == "log-behind"
    # whoever did not take the payment restores it
    assert "written 1, failed 0" in two.stack.ctl("restore", "--reason", "backup of Monday")
    assert json.loads(two.stack.ctl("queue", "renew", "--dry-run", "--json"))["begun"] is False
    begun = json.loads(two.stack.ctl("queue", "renew", "--reason", "backup", "--json"))
    for s in sites:
        s.stack.stop("queued")
        s.stack.start("queued")
    eventually(lambda: status(one, code=1).get("runningQueue") == begun["log"], 20)
    assert "adopted" in one.stack.ctl("queue", "adopt", "--reason", "backup")
    for s in sites:
        eventually(lambda s=s: s.get("/readyz").status == 200, 40, 0.2)
    assert two.ready(body).code == "order-already-paid"
    assert two.ready(user="thief", room=room).code == "slot-held"
    assert len(one.sim.captures(order)) == 1 and len(one.payments(order)) == 1


def failed(site, *argv):
    """What roompayctl complains of."""
    done = subprocess.run(
        [str(site.stack.build / "ctl/roompayctl"), "-c", str(site.stack.conf_path), *argv],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1, done
    return done.stderr
