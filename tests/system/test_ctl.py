"""roompayctl as an operator uses it: what it shows is so, what it changes is in the ledger with its reason, and it refuses what would lose money."""

import datetime
import hashlib
import json
import os
import pty
import re
import subprocess
import time
import urllib.request

import pytest
from booking_site import eventually, new_id
from conftest import make


@pytest.fixture(scope="module")
def site():
    yield from make(workers=4, auto_remove=False, conf={"queue": {"sold_guard": 1}})


def ctl(site, *argv, code=0):
    return site.stack.ctl(*argv, code=code)


def listed(site, *argv, code=0):
    return json.loads(ctl(site, *argv, "--json", code=code))


def seconds_until(text):
    at = datetime.datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%f%z")
    return (at - datetime.datetime.now(datetime.UTC)).total_seconds()


def opened(site, user=None):
    body = site.booking(user=user or "u-" + new_id(), room=new_id())
    a = site.ready(body)
    assert a.status == 200, a
    return (
        a.body["tid"],
        body["userInfo"]["userId"],
        body["reservationInfo"]["roomId"],
        body["paymentInfo"]["partner_order_id"],
    )


def paid(site, **more):
    tid, user, room, order = opened(site, **more)
    a = site.approve(user, room, site.sim.pay(tid))
    assert a.status == 200, a
    return tid, user, room, order


def events(site, order):
    return listed(site, "payment", "show", "TC0ONETIME", order)


def test_holds(site):
    tid, user, room, order = opened(site)
    rows = listed(site, "holds", "list", "--room", room.upper())
    assert [(r["tid"], r["state"], r["userId"], r["partner_order_id"]) for r in rows] == [
        (tid, "ready", user, order)
    ]
    assert (
        rows[0]["intervals"] == [{"day": 1, "startTime": 10, "endTime": 12}]
        and 500 < seconds_until(rows[0]["expiresAt"]) < 601
    )
    assert (
        tid in ctl(site, "holds", "list")
        and listed(site, "holds", "list", "--user", "nobody") == []
    )
    assert "KakaoPay" in ctl(site, "holds", "show", tid, "--lang", "en") and "카카오페이" in ctl(
        site, "holds", "show", tid, "--lang", "ko"
    )
    ctl(site, "holds", "show", "T0", code=1)
    ctl(site, "holds", "release", tid, code=2)  # no reason
    assert "dry run" in ctl(site, "holds", "release", tid, "--dry-run") and listed(
        site, "holds", "list", "--room", room
    )
    assert "is released" in ctl(site, "holds", "release", tid, "--reason", "the user called")
    assert listed(site, "holds", "list", "--room", room) == []
    assert site.approve(user, room, site.sim.pay(tid)).status != 200 and not site.sim.captures(
        order
    )
    ctl(site, "holds", "release", tid, "--reason", "again", code=1)


def test_a_paid_hold_is_released_with_its_reason(site):
    tid, _user, room, order = paid(site)
    assert [r["state"] for r in listed(site, "holds", "list", "--room", room)] == ["approved"]
    ctl(site, "holds", "release", tid, "--reason", "booked by hand, ticket 7")
    assert listed(site, "holds", "list", "--room", room) == []
    kinds = [(e["kind"], e["by"], e.get("reason")) for e in events(site, order)]
    assert ("note", "ctl", "booked by hand, ticket 7") in kinds and kinds[-1][0] == "removed"
    assert len(site.sim.captures(order)) == 1


def test_payments_are_listed_shown_and_explained(site):
    tid, user, room, order = paid(site)
    row = listed(site, "payment", "list", "--user", user)
    assert [(r["tid"], r["partner_order_id"], r["amount"]["total"]) for r in row] == [
        (tid, order, 2200)
    ]
    assert listed(site, "payment", "list", "--room", room)[0]["tid"] == tid
    assert listed(site, "payment", "list", "--user", user, "--to", "2020-01-01") == []
    assert "no payment" in ctl(site, "payment", "list", "--user", "nobody")
    assert [e["kind"] for e in events(site, order)][:2] == ["approving", "approved"]
    assert tid in ctl(site, "payment", "show", tid)
    english, korean = (
        ctl(site, "payment", "explain", tid, "--lang", "en"),
        ctl(site, "payment", "explain", "TC0ONETIME", order, "--lang", "ko"),
    )
    assert (
        "The customer is charged 2200 won." in english
        and "고객에게 2200원이 청구되었습니다." in korean
    )
    assert listed(site, "payment", "explain", tid)[0]["charged"] is True
    assert (
        listed(site, "payment", "explain", "TC0ONETIME", "nobody-" + new_id())[0]["state"] == "none"
    )
    ctl(site, "payment", "show", "T0", code=1)
    open_tid = opened(site)[0]
    assert "not charged" in ctl(site, "payment", "explain", open_tid, "--lang", "en")


def test_money_is_given_back(site):
    tid, _, _, order = paid(site)
    assert "now 2200 go back, and 0 stay" in ctl(site, "payment", "refund", tid, "--dry-run")
    assert site.sim.order(tid)["status"] == "SUCCESS_PAYMENT"
    one = ctl(
        site, "payment", "refund", tid, "--amount", "500", "--id", "r1", "--reason", "a broken lamp"
    )
    assert "given back 500 won" in one and one == ctl(
        site, "payment", "refund", tid, "--amount", "500", "--id", "r1", "--reason", "a broken lamp"
    )
    ctl(
        site,
        "payment",
        "refund",
        tid,
        "--amount",
        "5000",
        "--id",
        "r2",
        "--reason",
        "too much",
        code=1,
    )
    ctl(site, "payment", "refund", tid, "--amount", "x", "--reason", "no number", code=2)
    assert "2200 in all, 0 left" in ctl(site, "payment", "refund", tid, "--reason", "the rest")
    assert "given back" in ctl(site, "payment", "explain", tid, "--lang", "en").lower()
    assert "a broken lamp" in ctl(site, "payment", "show", "TC0ONETIME", order)
    ctl(site, "payment", "refund", "T0", "--reason", "nobody's", code=1)


def test_a_payment_in_review_is_settled(site):
    tid, user, room, order = opened(site)
    site.sim.fault("approve", "wrong-total")
    a = site.approve(user, room, site.sim.pay(tid))
    if a.body.get("state") != "review":
        pytest.fail(f"no review: {a}")
    assert listed(site, "payment", "explain", tid)[0]["state"] == "review"
    ctl(site, "holds", "release", tid, "--reason", "no", code=1)  # it may be charged
    ctl(site, "payment", "settle", tid, "--as", "maybe", "--reason", "x", code=2)
    ctl(
        site, "payment", "settle", tid, "--as", "declined", "--reason", "x", code=1
    )  # KakaoPay took the money
    assert "dry run" in ctl(site, "payment", "settle", tid, "--as", "approved", "--dry-run")
    assert "is now approved" in ctl(
        site,
        "payment",
        "settle",
        tid,
        "--as",
        "approved",
        "--reason",
        "console says 2200, ticket 9",
    )
    last = events(site, order)[-1]
    assert (last["kind"], last["by"], last["reason"]) == (
        "approved",
        "ctl",
        "console says 2200, ticket 9",
    )
    eventually(lambda: any(m["data"]["tid"] == tid for m in site.stack.reservation.received), 10)
    assert listed(site, "holds", "list", "--room", room)[0]["state"] == "approved"
    ctl(site, "payment", "settle", tid, "--as", "approved", "--reason", "again", code=1)


def ends(site, message):
    return [t["end"] for t in listed(site, "deliveries", "show", message)["attempts"]]


def test_deliveries(site):
    site.stack.reservation.fail(500, 1)
    tid, *_ = paid(site)
    name = "payment.approved." + tid
    row = eventually(
        lambda: [
            r for r in listed(site, "deliveries", "list") if r["id"] == name and r["tries"] == 1
        ]
    )[0]
    assert row["peer"] == "reservation" and row["state"] == "waiting"
    assert 3 < seconds_until(row["nextTryAt"]) <= 5 and 0 <= -seconds_until(row["lastTryAt"]) < 2
    eventually(lambda: ends(site, name) == ["failed"])
    assert "dry run" in ctl(site, "deliveries", "retry", name, "--dry-run")
    began = time.monotonic()
    ctl(site, "deliveries", "retry", name, "--reason", "the calendar is back")
    eventually(lambda: ends(site, name) == ["failed", "acknowledged"], 4)
    assert time.monotonic() - began < 4  # the schedule says 5 s
    assert "not owed any more" in ctl(site, "deliveries", "show", name)
    ctl(site, "deliveries", "retry", name, "--reason", "again", code=1)
    ctl(site, "deliveries", "show", "payment.approved.T0", code=1)
    assert "the calendar is back" in ctl(site, "payment", "show", tid)


def cancel_outside(site, tid, amount):
    """Somebody in the merchant's console: KakaoPay's own API, not ours."""
    body = json.dumps(
        {"cid": "TC0ONETIME", "tid": tid, "cancel_amount": amount, "cancel_tax_free_amount": 0}
    ).encode()
    rq = urllib.request.Request(
        site.stack.sim_url + "/online/v1/payment/cancel",
        body,
        {
            "Authorization": "SECRET_KEY " + site.stack.kakaopay_key,
            "Content-Type": "application/json",
        },
    )
    with urllib.request.urlopen(rq, timeout=10) as r:
        assert r.status == 200


def test_reconcile(site):
    today = (datetime.datetime.utcnow() + datetime.timedelta(hours=9)).strftime("%Y-%m-%d")
    ctl(site, "reconcile", code=2)
    ctl(site, "reconcile", "--day", "yesterday", code=2)
    fine, outside = paid(site), paid(site)
    cancel_outside(site, outside[0], 700)
    rows = {r["tid"]: r for r in listed(site, "reconcile", "--day", today, code=1)}
    assert fine[0] not in rows and (
        rows[outside[0]]["difference"],
        rows[outside[0]]["canceled"],
    ) == ("refunded-outside", 700)
    assert listed(site, "reconcile", "--day", "2020-01-01") == []


def test_long_work_shows_how_far_it_is(site):
    """On a terminal alone; there the line is wiped at the end."""
    paid(site)
    today = (datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=9)).strftime("%Y-%m-%d")
    ours, its = pty.openpty()
    argv = [
        str(site.stack.build / "ctl/roompayctl"),
        "-c",
        str(site.stack.conf_path),
        "reconcile",
        "--day",
        today,
    ]
    subprocess.run(argv, stdout=subprocess.DEVNULL, stderr=its, timeout=60)
    os.close(its)
    said = os.read(ours, 100000).decode()
    os.close(ours)
    shown = re.findall(r"\rasking KakaoPay: \[(#*) *\] (\d+)/(\d+) ", said)
    assert shown and all(
        int(n) <= int(of) and len(bar) == 30 * int(n) // int(of) for bar, n, of in shown
    ), said
    assert int(shown[0][2]) == len(site.payments()) and "\r\x1b[K" in said
    assert "asking" not in subprocess.run(argv, capture_output=True, text=True, timeout=60).stderr


def test_setting_up(site, tmp_path):
    assert "are there" in ctl(site, "migrate") and "dry run" in ctl(site, "migrate", "--dry-run")
    site.db.payments.drop_index("user")
    ctl(site, "migrate")
    assert "user" in site.db.payments.index_information()
    assert "is in order" in ctl(site, "config", "check")
    t = json.loads(ctl(site, "token", "new", "--json"))
    assert hashlib.sha256(t["token"].encode()).hexdigest() == t["token_sha256"] and re.fullmatch(
        "[0-9a-f]{64}", t["token"]
    )
    assert t["token"] != json.loads(ctl(site, "token", "new", "--json"))["token"]
    bad = tmp_path / "roompay.conf"
    bad.write_text("[site]\ntime_unit = week\n")
    done = subprocess.run(
        [site.stack.build / "ctl/roompayctl", "-c", bad, "config", "check"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2 and f"{bad}:2: " in done.stderr


def test_a_database_of_an_earlier_version_gets_its_indexes_while_all_is_at_work(site):
    """Earlier versions had both over the whole ledger. All is found before, by the old ones, and
    after; programs of then ask what programs of now ask."""
    if any(n.startswith("ferretdb") for n in site.db.command("buildInfo")):
        pytest.skip("it has no index over a part of a collection")
    was = {
        "room": [("roomId", 1), ("payment.approved_at", -1), ("tid", -1)],
        "kind": [("kind", 1), ("at", -1), ("tid", -1)],
    }
    site.db.ledger.drop_index("room_paid")
    site.db.ledger.drop_index("refunded")
    for name, keys in was.items():
        site.db.ledger.create_index(keys, name=name)
    body, _, paid = site.paid(user="u-" + new_id())
    room, tid = body["reservationInfo"]["roomId"], paid.body["payment"]["tid"]
    assert site.refund(tid, amount=1000).status == 200

    def found():
        listed = json.loads(ctl(site, "payment", "list", "--room", room, "--json"))
        refunds = json.loads(ctl(site, "refund", "list", "--json"))
        return tid in json.dumps(listed) and tid in json.dumps(refunds)

    assert found()
    for _ in range(2):
        ctl(site, "migrate")
        names = set(site.db.ledger.index_information())
        assert {"room_paid", "refunded"} <= names and not names & set(was), names
        assert found()
    assert site.paid(user="u-" + new_id())[2].status == 200


@pytest.mark.parametrize(
    "argv",
    [
        ["holds"],
        ["payment", "show"],
        ["status", "x"],
        ["status", "--room", "x"],
        ["holds", "release", "T1", "--as", "x", "--reason", "r"],
        ["payment", "show", "a", "b", "c"],
        ["payment", "refund", "T1", "--tax-free", "1", "--reason", "r"],
    ],
)
def test_usage(site, argv):
    ctl(site, *argv, code=2)


def script_of(site, shell):
    script = site.stack.dir / ("completion." + shell)
    script.write_text(ctl(site, "completion", shell))
    return script


def complete_bash(site, line):
    words = line.split(" ")
    code = (
        f". {script_of(site, 'bash')}; COMP_WORDS=({' '.join(repr(w) for w in words)}); COMP_CWORD={len(words) - 1}; "
        '_roompayctl; echo "${COMPREPLY[@]}"'
    )
    return subprocess.run(
        ["bash", "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()


def complete_zsh(site, line):
    """zsh's completion widget is not to be had without a terminal: compadd and compdef are ours, the rest is the script."""
    words = line.split(" ")
    code = (
        'compdef() { :; }; _files() { :; }; compadd() { shift; print -l -- "${(@M)@:#${words[CURRENT]}*}"; }; '
        f"words=({' '.join(repr(w) for w in words)}); CURRENT={len(words)}; . {script_of(site, 'zsh')}; _roompayctl"
    )
    done = subprocess.run(["zsh", "-f", "-c", code], capture_output=True, text=True)
    assert done.returncode == 0 and not done.stderr, done
    return done.stdout.split()


def complete_fish(site, line):
    code = f"source {script_of(site, 'fish')}; complete -C {line!r}"
    done = subprocess.run(
        ["fish", "--no-config", "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, "HOME": str(site.stack.dir)},
    )
    assert done.returncode == 0 and not done.stderr, done
    return done.stdout.split()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(site, shell):
    complete = globals()["complete_" + shell]
    assert set(complete(site, "roompayctl hol")) == {"holds"} and set(
        complete(site, "roompayctl holds ")
    ) == {"list", "show", "release"}
    assert "--room" in complete(site, "roompayctl holds list --") and "--amount" not in complete(
        site, "roompayctl holds list --"
    )
    assert complete(site, "roompayctl payment refund T1 --am") == ["--amount"]
    assert "--again" in complete(
        site, "roompayctl payment refund T1 --amount 5 --"
    )  # 5 is no command's word
    assert complete(site, "roompayctl --reason holds pay") == ["payment"]
    assert "status" in complete(site, "roompayctl ") and len(complete(site, "roompayctl ")) >= 10


def test_completion_of_another_shell(site):
    ctl(site, "completion", "tcsh", code=2)


def run(site, *argv, **env):
    argv = [str(site.stack.build / "ctl/roompayctl"), "-c", str(site.stack.conf_path), *argv]
    return subprocess.run(
        argv, capture_output=True, text=True, timeout=60, env={**os.environ, **env}
    )


def test_an_unknown_command_is_named(site):
    done = run(site, "holds", "lsit", "--lang", "en")
    assert (
        done.returncode == 2
        and '"holds lsit"' in done.stderr
        and "holds list, holds show, holds release" in done.stderr
        and done.stdout == ""
    )
    done = run(site, "\x1b[2Jdance", "--lang", "en")
    assert done.returncode == 2 and "dance" in done.stderr and "\x1b" not in done.stderr
    assert len(done.stderr.splitlines()) == 1
    done = run(site, "status", "--colour", "--lang", "en")
    assert (
        done.returncode == 2
        and "--colour" in done.stderr
        and len(done.stderr.splitlines()) == 1
        and done.stdout == ""
    )
    done = run(site, "holds", "list", "--room")
    assert done.returncode == 2 and "--room" in done.stderr and len(done.stderr.splitlines()) == 1
    assert (
        "usage" in run(site, "--help", LC_ALL="C").stdout
        and "사용법" in run(site, "--help", "--lang", "ko", LC_ALL="C").stdout
    )


def test_status_tells_what_is_owed_and_held(site):
    before = listed(site, "status")
    assert before["courier"] == "ok" and before["version"] and before["ready"] is True
    opened(site)
    site.stack.reservation.fail(503, 1, ("Retry-After", "60"))
    tid, *_ = paid(site)
    eventually(
        lambda: [
            r for r in listed(site, "deliveries", "list") if tid in r["id"] and r["tries"] == 1
        ]
    )
    now = listed(site, "status")
    assert (
        now["holds"]["ready"] == before["holds"]["ready"] + 1
        and now["holds"]["approved"] == before["holds"]["approved"] + 1
    )
    assert (
        now["messagesOwed"] == before["messagesOwed"] + 1
        and -5 < seconds_until(now["oldestMessageAt"]) <= 0
    )
    assert now["openWork"] == before["openWork"] + 1
    text = ctl(site, "status", "--lang", "en")
    assert (
        "1 owed" in text
        and "deliveries list" in text
        and "looked" in text
        and text.splitlines()[-1].endswith("payments can be taken")
    )
    for word in ("claim", "verdict"):
        assert word not in text
    ctl(site, "deliveries", "retry", "payment.approved." + tid, "--reason", "r")
    site.stack.stop("courier")
    metrics = site.stack.dir / "metrics"
    for path in metrics.glob("courier*"):
        path.unlink()
    try:
        assert listed(site, "status")["courier"] == "unknown"
    finally:
        site.stack.start("courier")


KOREAN = re.compile("[가-힣]")


def test_with_a_korean_locale_everything_is_korean(site):
    tid, *_ = paid(site)
    for argv in (
        ["status"],
        ["holds", "list"],
        ["payment", "list"],
        ["payment", "show", tid],
        ["payment", "explain", tid],
        ["deliveries", "list"],
        ["deliveries", "show", "payment.approved." + tid],
        ["config", "check"],
        ["token", "new"],
        ["migrate"],
        ["journal", "check"],
        ["payment", "refund", tid, "--dry-run"],
        ["holds", "release", tid, "--dry-run"],
        ["queue", "adopt", "--dry-run"],
        ["restore", "--dry-run"],
        ["deliveries", "retry", "--all", "--dry-run"],
        ["reconcile", "--day", "2020-01-01"],
    ):
        for env in (
            {"LC_ALL": "ko_KR.UTF-8"},
            {"LC_ALL": "", "LC_MESSAGES": "", "LANG": "ko_KR.UTF-8"},
        ):
            done = run(site, *argv, **env)
            assert done.returncode in (0, 1) and KOREAN.search(done.stdout), (argv, done)
            assert not re.search(
                r"\b(nothing|dry run: nothing|would|there is|given back)\b", done.stdout
            ), (argv, done)
    for argv in (
        [],
        ["dance"],
        ["holds", "list", "x"],
        ["holds", "list", "--amount", "5"],
        ["holds", "release", tid],
        ["payment", "refund", tid, "--amount", "x", "--reason", "r"],
        ["payment", "list", "--from", "x"],
        ["holds", "list", "--room", "x"],
        ["--help"],
    ):
        done = run(site, *argv, LC_ALL="ko_KR.UTF-8")
        assert KOREAN.search(done.stdout + done.stderr), (argv, done)
    assert not KOREAN.search(run(site, "status", LC_ALL="en_US.UTF-8").stdout) and KOREAN.search(
        run(site, "status", "--lang", "ko", LC_ALL="C").stdout
    )


def test_a_terminal_is_not_fooled(site):
    body = site.booking(user="u-" + new_id(), room=new_id(), item_name="x")
    user = body["userInfo"]["userId"]
    a = site.ready(body)
    site.approve(user, body["reservationInfo"]["roomId"], site.sim.pay(a.body["tid"]))
    site.db.payments.update_one({"userId": user}, {"$set": {"item_name": "\x1b[2J evil"}})
    text = ctl(site, "payment", "list", "--user", user, "--wide")
    assert "\x1b" not in text and "\\u001b[2J evil" in text
