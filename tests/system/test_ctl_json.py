"""roompayctl for programs: every command's JSON, by doc/roompayctl.json; and for people: tables that fit."""

import json
import subprocess
import time

import ctl_json
import pytest
from booking_site import eventually, new_id
from conftest import make

TODAY = time.strftime("%Y-%m-%d", time.gmtime(time.time() + 9 * 3600))


@pytest.fixture(scope="module")
def site():
    yield from make(workers=4, auto_remove=False, conf={"queue": {"sold_guard": 1}})


def js(site, *argv, code=0):
    return json.loads(site.stack.ctl(*argv, "--json", code=code))


def paid(site):
    body, ready = site.opened(user="u-" + new_id())
    tid, user, room = (
        ready.body["tid"],
        body["userInfo"]["userId"],
        body["reservationInfo"]["roomId"],
    )
    assert site.approve(user, room, site.sim.pay(tid)).status == 200
    return tid, user, room, body["paymentInfo"]["partner_order_id"]


def walk(value):
    """Every member and item, at any depth."""
    if isinstance(value, dict):
        for name, one in value.items():
            yield name, one
            yield from walk(one)
    elif isinstance(value, list):
        for one in value:
            yield from walk(one)


def test_every_command_has_its_json(site, tmp_path):
    body, ready = site.opened(user="u-" + new_id())
    tid = ready.body["tid"]
    status = js(site, "status")
    assert status["ready"] is True and status["siteQueue"] == status["runningQueue"]
    assert js(site, "holds", "show", tid)["state"] == "ready"
    assert js(site, "holds", "list", "--room", body["reservationInfo"]["roomId"])[0]["tid"] == tid
    assert js(site, "holds", "release", tid, "--dry-run") == {
        "tid": tid,
        "removed": False,
        "state": "ready",
        "dryRun": True,
    }
    assert js(site, "holds", "release", tid, "--reason", "r") == {
        "tid": tid,
        "removed": True,
        "state": "ready",
        "dryRun": False,
    }
    site.stack.reservation.fail(503, 1, ("Retry-After", "30"))
    tid, user, room, order = paid(site)
    name = "payment.approved." + tid
    assert (
        js(site, "payment", "list", "--user", user)
        == site.get("/payments?userId=" + user).body["payments"]
    )
    assert [e["kind"] for e in js(site, "payment", "show", tid)] == ["approving", "approved"]
    explained = js(site, "payment", "explain", tid)[0]
    told = site.get(f"/orders?cid=TC0ONETIME&partner_order_id={order}").body["attempts"][0]
    assert {k: v for k, v in explained.items() if k in told} == told
    eventually(
        lambda: [a.get("status") for a in js(site, "deliveries", "show", name)["attempts"]] == [503]
    )
    owed = next(m for m in js(site, "deliveries", "list") if m["id"] == name)
    assert owed["state"] == "waiting" and owed["tries"] == 1
    shown = js(site, "deliveries", "show", name)
    assert (
        shown["body"]["data"]["tid"] == tid
        and shown["nextTryAt"] == shown["attempts"][0]["notBefore"] == owed["nextTryAt"]
    )
    assert js(site, "deliveries", "retry", name, "--dry-run") == {
        "id": name,
        "retried": False,
        "dryRun": True,
    }
    assert js(site, "deliveries", "retry", name, "--reason", "r") == {
        "id": name,
        "retried": True,
        "dryRun": False,
    }
    eventually(lambda: js(site, "deliveries", "show", name)["owed"] is False)
    assert js(site, "deliveries", "test", "gateway")["acknowledged"] is True
    assert js(site, "payment", "refund", tid, "--amount", "700", "--dry-run")["refunded"] is False
    back = js(site, "payment", "refund", tid, "--amount", "700", "--id", "r1", "--reason", "a lamp")
    assert (back["refunded"], back["refundId"], back["amount"], back["canceled"], back["left"]) == (
        True,
        "r1",
        700,
        700,
        1500,
    )
    event = js(site, "payment", "show", tid)[-1]
    assert event["refund"]["id"] == "r1" and event["refund"]["amount"] == 700
    assert (
        js(site, "refund", "list", "--day", TODAY)
        == site.get("/refunds?from=" + TODAY).body["refunds"]
    )
    day = {d["cid"]: d for d in js(site, "settlement", "--day", TODAY)}
    assert day["TC0ONETIME"] == {
        "cid": "TC0ONETIME",
        "captures": 1,
        "captured": 2200,
        "refunds": 1,
        "refunded": 700,
        "net": 1500,
    }
    assert (
        js(site, "refund", "opening", "--room", room, "--weekday", "mon", "--dry-run")["count"] == 1
    )
    assert js(site, "reconcile", "--day", TODAY) == []
    site.sim.fault("approve", "wrong-total")
    body, ready = site.opened(user="u-" + new_id())
    site.approve(
        body["userInfo"]["userId"],
        body["reservationInfo"]["roomId"],
        site.sim.pay(ready.body["tid"]),
    )
    settled = js(
        site, "payment", "settle", ready.body["tid"], "--as", "approved", "--reason", "console"
    )
    assert (settled["before"], settled["state"], settled["dryRun"]) == ("review", "approved", False)
    assert js(site, "queue", "adopt", "--dry-run")["adopted"] is False
    assert js(site, "restore", "--dry-run")["behind"] == 0
    assert js(site, "migrate") == {"migrated": True, "dryRun": False}
    assert js(site, "config", "check")["ok"] is True
    assert js(site, "journal", "check")["tornBytes"] == 0
    dump = js(site, "journal", "dump")
    assert len(dump["list"]) == dump["records"] and any(
        c["kind"] == "hold" for r in dump["list"] for c in r["changes"]
    )
    assert js(site, "import", "check")["foreign"] == 0
    js(site, "token", "new")
    site.stack.ctl("completion", "--json", code=2)
    shared_log_only = {"queue renew"}  # test_shared_log_tools.py
    assert ctl_json.seen | shared_log_only == set(ctl_json.FORMS["commands"])


def test_a_difference_has_its_json(site):
    tid, *_ = paid(site)
    site.db.payments.update_one({"tid": tid}, {"$set": {"amount.total": 9900}})
    try:
        row = next(r for r in js(site, "reconcile", "--day", TODAY, code=1) if r["tid"] == tid)
        assert (row["difference"], row["total"], row["refunded"]) == ("amount", 9900, 0)
    finally:
        site.db.payments.update_one({"tid": tid}, {"$set": {"amount.total": 2200}})


def test_the_forms_can_fail():
    ctl_json.check(("migrate",), '{"migrated": true, "dryRun": false}')
    for said in (
        '{"migrated": true}',
        '{"migrated": "yes", "dryRun": false}',
        '{"migrated": true, "dryRun": false, "x": 1}',
    ):
        with pytest.raises(ctl_json.jsonschema.ValidationError):
            ctl_json.check(("migrate",), said)
    with pytest.raises(AssertionError):
        ctl_json.check(("dance",), "{}")


def width(line):
    return sum(2 if "\u1100" <= c <= "\uffdc" else 1 for c in line)


@pytest.mark.parametrize("lang", ["en", "ko"])
def test_tables_fit(site, lang):
    tid, _user, room, _order = paid(site)
    site.stack.reservation.fail(500, 2)
    site.stack.ctl(
        "payment",
        "refund",
        tid,
        "--amount",
        "100",
        "--id",
        "r-" + lang,
        "--reason",
        "a reason that is too long for a line of eighty columns",
    )
    eventually(lambda: "payment.refunded" in site.stack.ctl("deliveries", "list"))
    argvs = [
        ["holds", "list"],
        ["holds", "show", tid],
        ["payment", "list"],
        ["payment", "show", tid],
        ["deliveries", "list"],
        ["deliveries", "show", "payment.approved." + tid],
        ["status"],
        ["reconcile", "--day", TODAY],
    ]
    for argv in argvs:
        run = [
            str(site.stack.build / "ctl/roompayctl"),
            "-c",
            str(site.stack.conf_path),
            "--lang",
            lang,
            *argv,
        ]
        done = subprocess.run(run, capture_output=True, text=True, timeout=60)
        assert done.returncode in (0, argv[0] == "reconcile") and done.stdout, (
            done
        )  # 1: a difference
        lines = [line for line in done.stdout.splitlines() if not line.startswith("{")]
        assert max(map(width, lines)) <= 80, (argv, done.stdout)
        if "--wide" in done.stderr:
            wide = subprocess.run([*run, "--wide"], capture_output=True, text=True, timeout=60)
            assert (
                max(map(width, wide.stdout.splitlines())) > 80
                and "--wide" not in wide.stderr
                and "…" not in wide.stdout
            )
    said = site.stack.ctl("holds", "list", "--lang", lang)
    assert tid in said and room in said  # what is pasted is never shortened
    assert ("Mon 10:00-12:00" if lang == "en" else "월 10:00-12:00") in site.stack.ctl(
        "holds", "show", tid, "--lang", lang, "--wide"
    )


def test_what_cannot_look_says_nothing(site):
    tid, *_ = paid(site)
    name = "payment.approved." + tid
    away = {
        "store": [
            ["reconcile", "--day", TODAY],
            ["payment", "list"],
            ["payment", "show", tid],
            ["payment", "explain", tid],
            ["deliveries", "list"],
            ["deliveries", "show", name],
            ["payment", "refund", tid, "--reason", "r"],
            ["migrate"],
        ],
        "queued": [
            ["holds", "list"],
            ["holds", "show", tid],
            ["holds", "release", tid, "--reason", "r"],
            ["payment", "settle", tid, "--reason", "r"],
        ],
    }
    site.stack.stop("courier")
    for program, commands in away.items():
        site.stack.suspend(program)
        try:
            for argv in commands:
                for more in ([], ["--json"]):
                    run = [
                        str(site.stack.build / "ctl/roompayctl"),
                        "-c",
                        str(site.stack.conf_path),
                        *argv,
                        *more,
                    ]
                    done = subprocess.run(run, capture_output=True, text=True, timeout=90)
                    assert done.returncode == 1 and done.stdout == "" and done.stderr, (
                        program,
                        done,
                    )
                    break_off = program == "store" and argv[0] != "reconcile"
                    if break_off and argv != commands[1]:
                        break  # each waits for its deadline: JSON of two is enough
        finally:
            site.stack.resume(program)
    site.stack.start("courier")


@pytest.mark.parametrize(
    "argv",
    [
        ["holds", "list", "--room", "nonsense"],
        ["holds", "list", "--room", "6" * 23],
        ["holds", "list", "--cid", "NOSUCHCID0"],
        ["payment", "list", "--room", "nonsense"],
        ["payment", "list", "--cid", "x"],
        ["payment", "list", "--limit", "0"],
        ["payment", "list", "--limit", " 5"],
        ["payment", "list", "--from", "yesterday"],
        ["holds", "list", "--lang", "fr"],
        ["status", "--lang", ""],
        ["status", "--lang", "korean"],
    ],
)
def test_what_is_no_filter_is_a_mistake(site, argv):
    assert site.stack.ctl(*argv, code=2) == ""
