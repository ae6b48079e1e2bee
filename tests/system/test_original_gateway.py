"""examples/original-gateway-adapter between packets and roompay, and the switch from a service of that kind."""

import contextlib
import datetime
import functools
import json
import pathlib
import queue
import shutil
import socket
import sys
import threading

import pytest
from booking_site import Site, eventually, http_call, new_id
from conftest import BUILD, make
from node_site import NodeSite, install, node, npm
from ports import free_port
from stack import TOP, Stack

sys.path.insert(0, str(TOP / "dev"))
import example_site

ADAPTER = "examples/original-gateway-adapter"


class Lines:
    """Packets of a connection, one a line."""

    def __init__(self, sock):
        self.sock = sock

    def read(self, take):
        threading.Thread(target=self._read, args=[take], daemon=True).start()

    def _read(self, take):
        with contextlib.suppress(OSError), self.sock.makefile(encoding="utf-8") as lines:
            for line in lines:
                take(json.loads(line))

    def send(self, packet):
        self.sock.sendall((json.dumps(packet, ensure_ascii=False) + "\n").encode())


class Gateway:
    """Sends a query and waits for the packet with its key, whoever caused it."""

    def __init__(self, port):
        self.waiting, self.n = {}, 0
        self.lines = Lines(socket.create_connection(("127.0.0.1", port)))
        self.lines.read(self._take)

    def _take(self, packet):
        assert packet["headers"]["nextQuery"] == "apigateway", packet
        self.waiting[packet["key"]].put(packet)

    def begin(self, query, **params):
        self.n += 1
        answer = self.waiting[self.n] = queue.Queue()
        headers = {"method": "POST", "curQuery": "apigateway", "nextQuery": query}
        self.lines.send(
            {"key": self.n, "headers": {**headers, "endQuery": "apigateway", "params": params}}
        )
        return answer

    def ask(self, query, **params):
        """(method, body) of the answer"""
        packet = self.begin(query, **params).get(timeout=40)
        return packet["headers"]["method"], packet["body"]


class Reservation:
    """Adds what it is told to its calendar and asks for the removal; or says what `says` holds."""

    def __init__(self):
        self.calendar, self.others, self.says = [], [], None
        self.server = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self.server.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                lines = Lines(self.server.accept()[0])
                lines.read(functools.partial(self._take, lines))

    def _take(self, lines, packet):
        headers, params = packet["headers"], packet["headers"]["params"]
        if headers["nextQuery"] != "addReservation":
            return self.others.append(packet)
        if self.says is not None:
            if self.says:
                headers = {**headers, "method": "ERROR", "nextQuery": "apigateway"}
                lines.send({**packet, "headers": headers, "body": self.says})
            return None
        self.calendar.append(params)
        params = {"userId": params["userId"], "roomId": params["reservationInfo"]["roomId"]}
        headers = {**headers, "curQuery": "addReservation", "nextQuery": "removePaymentInQueue"}
        return lines.send({**packet, "headers": {**headers, "params": params}})


def wanted(user, room, start=10, end=12, order=None, **info):
    """What the old gateway sends: numbers as texts, `days`, no addresses."""
    return {
        "userId": user,
        "paymentInfo": {
            "cid": "TC0ONETIME",
            "partner_order_id": order or "o-" + new_id(),
            "partner_user_id": user,
            "item_name": "스터디룸 2시간",
            "quantity": "1",
            "total_amount": "2200",
            "tax_free_amount": 0,
            **info,
        },
        "reservationInfo": {
            "roomId": room,
            "days": [1],
            "startTime": [start],
            "endTime": [end],
        },
    }


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    """The adapter as its package.json installs it, beside a client that was built."""
    node()
    built = pathlib.Path(BUILD).resolve() / "example-site"
    example_site.build(built, print)
    top = tmp_path_factory.mktemp("adapter")
    (top / "clients").mkdir()
    (top / "clients/node").symlink_to(built / "clients/node")
    shutil.copytree(TOP / ADAPTER, top / ADAPTER, ignore=shutil.ignore_patterns("node_modules"))
    npm(top / ADAPTER, "ci", "--offline")
    return top / ADAPTER


def environment(stack, reservation, port, hooks):
    secrets = {
        f"{n.upper()}_WEBHOOK": (stack.dir / f"{n}-webhook").read_text().strip()
        for n in ("gateway", "reservation")
    }
    return {
        **secrets,
        "BASE": stack.base_url,
        "GATEWAY": stack.tokens["gateway"],
        "RESERVATION": stack.tokens["reservation"],
        "SITE": "https://site.example",
        "PORT": str(port),
        "HOOK_PORT": str(hooks),
        "RESERVATION_SERVICE": reservation.address,
    }


def listens(port):
    with contextlib.suppress(OSError):
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    return False


def hooks_at(port):
    url = f"http://127.0.0.1:{port}/hooks/"
    return {f"deliver {n}": {"url": url + n} for n in ("gateway", "reservation")}


@contextlib.contextmanager
def running(folder, script, env):
    with NodeSite(folder, script, env) as site:
        eventually(lambda: site.process.poll() is not None or listens(int(env["PORT"])), 20)
        assert site.process.poll() is None, site.log.read_text()
        yield site


@pytest.fixture(scope="module")
def stage(program):
    port, hooks, reservation = free_port(), free_port(), Reservation()
    for site in make(workers=4, conf={**hooks_at(hooks), "queue": {"max_holds_per_user": 1000}}):
        env = environment(site.stack, reservation, port, hooks)
        env["CANCEL_QUERY"] = "cancelReservation"
        site.env, site.program, site.reservation = env, program, reservation
        with running(program, "adapter.js", env):
            site.gateway = Gateway(port)
            yield site


@pytest.fixture(autouse=True)
def calm(request):
    yield
    if "stage" in request.fixturenames:
        stage = request.getfixturevalue("stage")
        stage.reservation.says = None
        stage.sim.no_faults()


def tid_of(site, order):
    """The old gateway never sees it."""
    return eventually(
        lambda: next(
            (c["tid"] for c in site.calls("ready") if c["partner_order_id"] == order), None
        )
    )


def opened(site, user, room, **changes):
    params = wanted(user, room, **changes)
    method, body = site.gateway.ask("inspectQueue", **params)
    assert (method, body["status"]) == ("REPLY", 200) and body["nextUrl"].startswith("http"), body
    return params, tid_of(site, params["paymentInfo"]["partner_order_id"])


def approve(site, user, room, token):
    return site.gateway.ask("approvePayment", pg_token=token, userId=user, roomId=room)


def test_a_purchase_in_packets(stage):
    user, room = "u-" + new_id(), new_id()
    params, tid = opened(stage, user, room)
    order = params["paymentInfo"]["partner_order_id"]
    token = stage.sim.pay(tid)
    method, body = approve(stage, user, room, token)
    assert (method, body["status"]) == ("REPLY", 200), body
    assert body["reservationInfo"] == params["reservationInfo"]
    info = body["paymentInfo"]
    assert (info["partner_order_id"], info["total_amount"]) == (order, 2200)
    (added,) = [a for a in stage.reservation.calendar if a["tid"] == tid]
    assert (added["userId"], added["reservationInfo"]) == (user, params["reservationInfo"])
    assert stage.held(room) == [] and len(stage.sim.captures(order)) == 1
    assert approve(stage, user, room, token) == (method, body)  # a reload
    assert len(stage.sim.captures(order)) == 1
    (call,) = [c for c in stage.calls("ready") if c["tid"] == tid]
    assert call["status"] == 200
    stage.refund(tid)
    gone = eventually(lambda: [p for p in stage.reservation.others if tid in str(p)])
    assert gone[0]["headers"]["nextQuery"] == "cancelReservation"


def test_the_shape_of_the_readme(stage):
    """`userInfo` and `day` instead of `userId` and `days`; a token of KakaoPay's that nobody needs."""
    user, room, order = "u-" + new_id(), new_id(), "o-" + new_id()
    params = wanted(user, room, order=order)
    params["userInfo"] = {"userId": params.pop("userId"), "kakaoAccessToken": "a-token"}
    params["reservationInfo"]["day"] = params["reservationInfo"].pop("days")
    method, body = stage.gateway.ask("inspectQueue", **params)
    assert (method, body["status"]) == ("REPLY", 200), body
    method, body = approve(stage, user, room, stage.sim.pay(tid_of(stage, order)))
    assert (method, body["reservationInfo"]) == ("REPLY", params["reservationInfo"])


def test_a_reload_after_the_adapter_was_started_again(stage):
    user, room = "u-" + new_id(), new_id()
    _, tid = opened(stage, user, room)
    token = stage.sim.pay(tid)
    method, body = approve(stage, user, room, token)
    env = {**stage.env, "PORT": str(free_port()), "HOOK_PORT": str(free_port())}
    with running(stage.program, "adapter.js", env):
        again = Gateway(int(env["PORT"])).ask(
            "approvePayment", pg_token=token, userId=user, roomId=room
        )
    assert again[1]["reservationInfo"] == body["reservationInfo"] and again[0] == method == "REPLY"


@pytest.mark.parametrize("query", ["removeInQueue", "removePaymentInQueue"])
def test_a_user_who_gives_up(stage, query):
    user, room = "u-" + new_id(), new_id()
    params, _ = opened(stage, user, room)
    method, body = stage.gateway.ask(query, userId=user, roomId=room)
    assert (method, body["status"]) == ("REPLY", 200) and stage.held(room) == []
    assert body["reservationInfo"] == params["reservationInfo"]
    assert body["paymentInfo"]["partner_order_id"] == params["paymentInfo"]["partner_order_id"]
    assert stage.gateway.ask(query, userId=user, roomId=new_id())[1]["status"] == 404


def test_a_time_that_somebody_pays_for_is_no_error_packet(stage):
    room = new_id()
    opened(stage, "u-1", room)
    method, body = stage.gateway.ask("payReady", **wanted("u-2", room, start=11, end=13))
    assert (method, body["err"], body["status"]) == ("REPLY", True, 200) and body["msg"], body
    assert body["code"] == "slot-held"


def test_refusals_are_400_or_404(stage):
    user, room = "u-" + new_id(), new_id()
    method, body = approve(stage, user, room, "nothing")
    assert (method, body["err"], body["status"], body["code"]) == ("ERROR", True, 404, "no-hold")
    _, tid = opened(stage, user, room)
    method, body = approve(stage, user, room, "wrong")
    assert (method, body["status"], body["code"]) == ("ERROR", 400, "token-refused"), body
    stage.sim.fault("approve", "card-refused")
    method, body = approve(stage, user, room, stage.sim.pay(tid))
    assert (method, body["status"], body["charged"]) == ("ERROR", 400, False) and body["msg"], body
    method, body = stage.gateway.ask("inspectQueue", **wanted(user, room, total_amount="much"))
    assert (method, body["status"]) == ("ERROR", 400) and "total_amount" in body["msg"], body
    assert stage.gateway.ask("inspectQueue")[1]["status"] == 400
    assert stage.gateway.ask("toString")[1]["status"] == 404


def test_a_lost_answer_is_charged_once_and_booked(stage):
    user, room = "u-" + new_id(), new_id()
    params, tid = opened(stage, user, room)
    stage.sim.fault("approve", "close-after")
    stage.sim.fault("order", "http-500", 1)
    method, body = approve(stage, user, room, stage.sim.pay(tid))
    assert (method, body["status"]) == ("REPLY", 200), body
    assert len(stage.sim.captures(params["paymentInfo"]["partner_order_id"])) == 1
    assert [a["tid"] for a in stage.reservation.calendar].count(tid) == 1


def test_a_reservation_service_that_cannot_book(stage):
    user, room = "u-" + new_id(), new_id()
    params, tid = opened(stage, user, room)
    stage.reservation.says = {"err": True, "status": 409, "msg": "이미 예약된 시간입니다."}
    method, body = approve(stage, user, room, stage.sim.pay(tid))
    assert (method, body) == ("ERROR", stage.reservation.says)
    order = params["paymentInfo"]["partner_order_id"]
    eventually(lambda: stage.order(order).body["state"] == "unbookable")


def test_a_message_comes_again_until_the_calendar_has_it(stage):
    user, room = "u-" + new_id(), new_id()
    _, tid = opened(stage, user, room)
    stage.reservation.says = {"err": True, "status": 500, "msg": "잠시 후에"}
    method, body = approve(stage, user, room, stage.sim.pay(tid))
    assert (method, body["status"]) == ("ERROR", 500) and stage.held(room) != []
    stage.reservation.says = None
    eventually(lambda: tid in [a["tid"] for a in stage.reservation.calendar], 20)
    eventually(lambda: stage.held(room) == [])


def test_packets_are_found_whatever_separates_them(stage):
    with socket.create_connection(("127.0.0.1", int(stage.env["PORT"]))) as sock:
        packet = {"key": '"}{\\', "headers": {"nextQuery": "none}", "endQuery": "apigateway"}}
        text = json.dumps(packet).encode()
        sock.sendall(b"\0\0\0\x40" + text[:20])
        sock.sendall(text[20:] + text + b"\0" + text)
        lines = [json.loads(sock.makefile().readline()) for _ in range(1)]
        assert lines[0]["key"] == packet["key"] and lines[0]["body"]["status"] == 404
        sock.sendall(b"{" * 70_000)
        sock.settimeout(10)
        with contextlib.suppress(OSError):
            while sock.recv(65536):
                pass
    assert stage.gateway.ask("none")[1]["status"] == 404  # the others go on


def test_forged_messages_are_turned_away(stage):
    for name in ("gateway", "reservation", "nobody"):
        url = f"http://127.0.0.1:{stage.env['HOOK_PORT']}/hooks/{name}"
        a = http_call("POST", url, {"type": "payment.approved"}, {"webhook-id": "x"})
        assert a.status == (404 if name == "nobody" else 401)


# --- the switch


@pytest.fixture(scope="module")
def old_program(tmp_path_factory):
    return install(TOP / "tests/system/old_service", tmp_path_factory.mktemp("old"))


@pytest.mark.parametrize("zone", ["UTC", "Asia/Seoul"])
def test_the_switch_loses_no_payment(program, old_program, zone):
    """As doc/migrating.md says: the same gateway, the same port, the same database."""
    port, hooks, reservation = free_port(), free_port(), Reservation()
    with Stack(BUILD, workers=2, mode="master", conf=hooks_at(hooks)) as stack:
        site = Site(stack)
        for name in ("courier", "workers", "queued"):
            stack.stop(name)
        old = {
            "SITE": "https://site.example",
            "SIM": stack.sim_url,
            "ADMIN_KEY": stack.admin_key,
            "MONGODB_URI": stack.mongo_uri,
            "DATABASE": stack.database_name,
            "PORT": str(port),
            "RESERVATION_SERVICE": reservation.address,
            "TZ": zone,
        }
        room, orders = new_id(), {name: "old-" + new_id() for name in ("ended", "late", "never")}
        with running(old_program, "service.mjs", old):
            site.gateway = Gateway(port)
            ended, late, never = (
                opened(site, "u-" + name, room, start=8 + 2 * i, end=10 + 2 * i, order=order)[1]
                for i, (name, order) in enumerate(orders.items())
            )
            method, body = approve(site, "u-ended", room, site.sim.pay(ended))
            assert (method, body["status"]) == ("REPLY", 200), body
            # The door is closed. Who has begun on the old way ends there.
            method, body = approve(site, "u-late", room, site.sim.pay(late))
            assert (method, body["status"]) == ("REPLY", 200), body
        docs = {d["tid"]: d for d in site.db.payments.find()}
        assert set(docs) == {ended, late} and all(d["__v"] == 0 for d in docs.values())
        again = dict(docs[ended], _id=type(docs[ended]["_id"])())
        site.db.payments.drop_indexes()
        site.db.payments.insert_one(again)  # a repeated approve had stored it twice
        mended = json.loads(
            stack.ctl("import", "check", "--apply", "--reason", "the switch", "--json")
        )
        assert mended["mended"] and mended["toSetAside"] == 1
        assert mended["toShift"] == (2 if zone == "UTC" else 0), mended
        stack.ctl("migrate", "--reason", "the switch")
        for name in ("queued", "workers", "courier"):
            stack.start(name)
        assert eventually(lambda: site.get("/readyz").status == 200, 20)
        with running(program, "adapter.js", environment(stack, reservation, port, hooks)):
            site.gateway = Gateway(port)
            # Who comes back later with a token of the old queue is not charged.
            method, body = approve(site, "u-never", room, site.sim.pay(never))
            assert (method, body["status"]) == ("ERROR", 404) and body["err"], body
            assert site.sim.captures(orders["never"]) == []
            _, new = opened(site, "u-new", room, start=20, end=22)
            method, body = approve(site, "u-new", room, site.sim.pay(new))
            assert (method, body["status"]) == ("REPLY", 200), body
        assert [a.get("tid") for a in reservation.calendar] == [None, None, new]
        shown_and_compared(site, stack, {ended, late, new}, orders["ended"])


def shown_and_compared(site, stack, tids, order):
    """Every payment stands once in the history, at its time, and KakaoPay's list says the same."""
    now = datetime.datetime.now(datetime.UTC)
    listed = site.get("/payments?limit=100").body["payments"]
    assert {p["tid"] for p in listed} == tids and len(listed) == 3, listed
    for p in listed:
        at = datetime.datetime.fromisoformat(p["approved_at"])
        assert abs((now - at).total_seconds()) < 120, p
    assert site.order(order).body["charged"] is True
    day = (now + datetime.timedelta(hours=9)).strftime("%Y-%m-%d")
    rows = json.loads(stack.ctl("reconcile", "--day", day, "--json", code=None))
    assert [r for r in rows if "difference" in r] == [], rows
