"""clients/node against the real programs: packed, installed in a fresh project, type-checked, and told what to call."""

import json
import os
import queue
import re
import shutil
import subprocess
import threading
import time

import answers
import pytest
from booking_site import eventually
from conftest import make
from node_site import node, npm
from ports import free_port
from stack import TOP

FRESH = TOP / "tests/system/node_client"


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    """(a folder with the client's development tools, the packed client)"""
    node()
    top = tmp_path_factory.mktemp("clients")
    shutil.copytree(
        TOP / "clients/node",
        top / "clients/node",
        ignore=shutil.ignore_patterns("node_modules", "dist"),
    )
    (top / "doc").mkdir()
    shutil.copy(TOP / "doc/openapi.json", top / "doc")
    npm(top / "clients/node", "ci", "--prefer-offline")
    packed = npm(top / "clients/node", "pack", "--silent").split()[-1]
    return top / "clients/node", top / "clients/node" / packed


@pytest.fixture(scope="module")
def project(package, tmp_path_factory):
    """A fresh project that has installed the package and compiled against its types."""
    tools, packed = package
    folder = tmp_path_factory.mktemp("fresh")
    shutil.copytree(FRESH, folder, dirs_exist_ok=True)
    npm(folder, "install", "--offline", str(packed))
    (folder / "node_modules/@types").mkdir()
    for name in ("@types/node", "undici-types"):
        (folder / "node_modules" / name).symlink_to(tools / "node_modules" / name)
    done = subprocess.run(
        [node(), tools / "node_modules/typescript/bin/tsc", "-p", "."],
        cwd=folder,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    return folder


class Driver:
    """drive.ts, to which each call is a line."""

    def __init__(self, folder, base, hook_port, secrets, tokens):
        self.tokens, self.n, self.waiting = tokens, 0, {}
        env = {
            **os.environ,
            "BASE": base,
            "HOOK_PORT": str(hook_port),
            "SECRETS": " ".join(secrets),
        }
        self.process = subprocess.Popen(
            [node(), "out/drive.js"],
            cwd=folder,
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert json.loads(self.process.stdout.readline()) == {"ready": True}
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            answer = json.loads(line)
            self.waiting.pop(answer["id"]).put(answer)

    def begin(self, call, *args, caller="gateway", **more):
        self.n += 1
        answer = self.waiting[self.n] = queue.Queue()
        self.process.stdin.write(
            json.dumps(
                {"id": self.n, "call": call, "args": args, "token": self.tokens[caller], **more}
            )
            + "\n"
        )
        self.process.stdin.flush()
        return answer

    def ask(self, call, *args, **more):
        return self.begin(call, *args, **more).get(timeout=60)

    def ok(self, call, *args, **more):
        answer = self.ask(call, *args, **more)
        assert "error" not in answer, answer
        return answer.get("ok")

    def error(self, call, *args, **more):
        answer = self.ask(call, *args, **more)
        assert "error" in answer, answer
        return answer["error"]

    def close(self):
        self.process.stdin.close()
        self.process.wait(20)


@pytest.fixture(scope="module")
def site():
    port = free_port()
    for site in make(
        conf={
            "deliver gateway": {"url": f"http://127.0.0.1:{port}/hook"},
            "queue": {"max_holds_per_user": 1000},
        }
    ):
        site.hook_port = port
        yield site


@pytest.fixture(scope="module")
def client(site, project):
    ours = (site.stack.dir / "gateway-webhook").read_text().strip()
    other = (site.stack.dir / "reservation-webhook").read_text().strip()
    driver = Driver(project, site.base, site.hook_port, [other, ours], site.tokens)
    yield driver
    driver.close()


@pytest.fixture(autouse=True)
def no_faults(site):
    yield
    site.sim.no_faults()


def opened(client, site, **changes):
    body = site.booking(**changes)
    ready = client.ok("payReady", body)
    return (
        body,
        ready,
        {"userId": body["userInfo"]["userId"], "roomId": body["reservationInfo"]["roomId"]},
    )


def test_there_is_a_function_for_each_query(client):
    ids = {o["operationId"] for _, _, o in answers.operations() if o["tags"] != ["console"]}
    ids -= {"payRead", "inspectQueue"}
    assert ids | {"constructor", "payments"} == set(client.ok("methods"))


def test_a_whole_purchase(client, site):
    body, ready, who = opened(client, site, user="minji")
    assert client.ok("payReady", body)["tid"] == ready["tid"]
    token = site.sim.pay(ready["tid"])
    paid = client.ok("approvePayment", {"pg_token": token, **who})
    assert (paid["charged"], paid["state"]) == (True, "approved")
    assert client.ok("approvePayment", {"pg_token": token, **who}) == paid
    tid, order = ready["tid"], body["paymentInfo"]["partner_order_id"]
    assert (
        client.ok("removePaymentInQueue", {**who, "tid": tid}, caller="reservation")["removed"]
        is True
    )
    refund = {"tid": tid, "refundId": "r-" + tid, "cancel_amount": 1000, "reason": "손님 요청"}
    assert client.ok("cancelPayment", refund, caller="refund")["left"] == 1200
    (listed,) = client.ok("listRefunds", {"partner_order_id": order})["refunds"]
    assert listed["tid"] == tid, listed
    seen = client.ok("getOrder", {"cid": "TC0ONETIME", "partner_order_id": order})
    assert (seen["state"], seen["charged"], seen["refunded"], seen["next"]) == (
        "part_refunded",
        True,
        1000,
        "nothing",
    )
    assert client.ok("getPayment", tid, {"userId": "minji"})["payment"] == paid["payment"]
    assert len(site.sim.captures(order)) == 1


def test_the_history_is_read_page_by_page(client, site):
    tids = [site.paid(user="hana", day=[d])[2].body["payment"]["tid"] for d in (1, 2, 3)]
    page = client.ok("listPayments", {"userId": "hana", "limit": 2})
    assert len(page["payments"]) == 2 and page["next"]
    assert sorted(client.ok("payments", {"userId": "hana", "limit": 1})) == sorted(tids)


def test_health(client, site):
    assert client.ok("getLive") == {"live": True}
    assert client.ok("getReady", caller="operator")["ready"] is True
    assert "roompay_" in client.ok("getMetrics", caller="operator")
    assert client.ok("getOpenapi") == answers.DOC
    _, _, who = opened(client, site)
    assert client.ok("listHeld", {"roomId": who["roomId"]}) == site.held(who["roomId"])


def test_each_refusal_is_an_error_of_its_class(client, site):
    _, ready, who = opened(client, site, start=[10], end=[12])
    other = client.error(
        "payReady", site.booking(user="u-2", room=who["roomId"], start=[11], end=[13])
    )
    assert (other["name"], other["code"], other["status"], other["isRoompay"]) == (
        "SlotHeldError",
        "slot-held",
        409,
        True,
    )
    assert (
        other["conflicts"] == [{"day": 1, "startTime": 11, "endTime": 12}]
        and other["retryAfter"] > 0
        and "charged" not in other
    )
    wrong = client.error("payReady", site.booking(total=0, order="o" * 101))
    assert wrong["name"] == "InvalidFieldsError" and {e["pointer"] for e in wrong["errors"]} == {
        "/paymentInfo/total_amount",
        "/paymentInfo/partner_order_id",
    }
    assert (
        client.error("approvePayment", {"pg_token": "x", **who}, caller="reservation")["name"]
        == "ForbiddenError"
    )
    assert client.error("getPayment", "T1", {"userId": "u"})["name"] == "NoPaymentError"
    site.sim.fault("approve", "card-refused")
    declined = client.error("approvePayment", {"pg_token": site.sim.pay(ready["tid"]), **who})
    assert (declined["name"], declined["charged"]) == ("PaymentDeclinedError", False) and declined[
        "provider"
    ]["message"]
    assert re.fullmatch("[a-z-]+: .+", declined["message"]) and declined["requestId"]


def test_a_lost_answer_is_found_by_repeating(client, site):
    body, ready, who = opened(client, site)
    token = site.sim.pay(ready["tid"])
    site.sim.fault("approve", "close-after")
    site.sim.fault("order", "http-500", 1)
    assert client.ok("approvePayment", {"pg_token": token, **who})["charged"] is True
    assert len(site.sim.captures(body["paymentInfo"]["partner_order_id"])) == 1


def test_what_is_not_found_in_time_is_said_to_be_unknown(client, site):
    _, ready, who = opened(client, site)
    token = site.sim.pay(ready["tid"])
    site.sim.fault("approve", "close-after")
    site.sim.fault("order", "http-500", 3)
    later = client.ok("approvePayment", {"pg_token": token, **who}, options={"retryFor": 0})
    assert later == {"charged": "unknown", "state": "unknown", "tid": ready["tid"]}
    site.sim.no_faults()
    assert client.ok("approvePayment", {"pg_token": token, **who})["charged"] is True


def test_a_503_is_repeated_after_what_it_says(client, site):
    site.stack.stop("queued")
    answer = client.begin("payReady", site.booking())
    time.sleep(1.5)
    site.stack.start("queued")
    assert answer.get(timeout=60)["ok"]["hold"]["state"] == "ready"
    site.stack.stop("queued")
    try:
        refused = client.error("payReady", site.booking(), options={"retryFor": 0})
        assert refused["name"] == "QueueUnavailableError" and refused["charged"] in (
            False,
            "unknown",
        )
    finally:
        site.stack.start("queued")
    eventually(lambda: client.ok("getReady", caller="operator")["ready"], 20)


def test_a_call_that_was_aborted_may_be_made_again(client, site):
    body, ready, who = opened(client, site)
    token = site.sim.pay(ready["tid"])
    site.sim.latency("approve", 1500)
    began = time.monotonic()
    aborted = client.error("approvePayment", {"pg_token": token, **who}, abortAfter=300)
    assert aborted["name"] == "TimeoutError" and time.monotonic() - began < 1.4
    site.sim.latency("approve", 0)
    assert client.ok("approvePayment", {"pg_token": token, **who})["charged"] is True
    assert len(site.sim.captures(body["paymentInfo"]["partner_order_id"])) == 1


def test_no_answer_says_that_the_money_is_unknown(client, site):
    nobody = f"http://127.0.0.1:{free_port()}/pay"
    e = client.error(
        "approvePayment",
        {"pg_token": "x", "userId": "u", "roomId": "0" * 24},
        base=nobody,
        options={"retryFor": 0},
    )
    assert (e["name"], e["code"], e["charged"]) == ("NoAnswerError", "no-answer", "unknown")
    began = time.monotonic()
    e = client.error(
        "getOrder",
        {"cid": "TC0ONETIME", "partner_order_id": "o"},
        base=site.stack.web_url + "/elsewhere",
    )
    assert e["name"] == "NoAnswerError" and "404" in e["cause"] and time.monotonic() - began < 2


def test_webhooks_are_verified_over_the_raw_bytes(client, site):
    before = len(client.ok("messages"))
    _, _, paid = site.paid()
    assert paid.status == 200
    messages = eventually(lambda: client.ok("messages")[before:], 20)
    assert messages[0] == {
        "type": "queue.removed",
        "raw": "ok",
        "text": "ok",
        "several": "ok",
        "other secret": "signature",
        "changed": "signature",
        "late": "timestamp",
        "none": "header",
        "parsed": messages[0]["parsed"],
    }
    assert messages[0]["parsed"].startswith("TypeError: body: the raw bytes")


def test_it_can_be_required_and_has_no_dependencies(project):
    code = "const c = require('@roompay/client'); console.log(typeof c.Roompay, typeof c.verifyWebhook, new c.SlotHeldError({ code: 'slot-held' }).name)"
    done = subprocess.run(
        [node(), "--input-type=commonjs", "-e", code], cwd=project, capture_output=True, text=True
    )
    assert done.stdout == "function function SlotHeldError\n", done
    manifest = json.loads((project / "node_modules/@roompay/client/package.json").read_text())
    assert "dependencies" not in manifest and manifest["engines"]["node"] == ">=18"


def test_the_document_breaks_no_rule_of_a_linter(package):
    tools, _ = package
    done = subprocess.run(
        [node(), "lint-openapi.mjs", TOP / "doc/openapi.json"],
        cwd=tools,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0 and done.stdout == "", done
    broken = tools / "broken.json"
    broken.write_text(
        json.dumps({**answers.DOC, "tags": []}).replace(
            '"operationId": "getOrder"', '"operationId": "payReady"'
        )
    )
    done = subprocess.run(
        [node(), "lint-openapi.mjs", broken], cwd=tools, capture_output=True, text=True
    )
    assert done.returncode == 1 and "operation-operationId-unique" in done.stdout, done
