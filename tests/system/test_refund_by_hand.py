"""payment refund by an operator's hand: a part is paid once for an id, or for a yes on a terminal."""

import json
import os
import pty
import pwd
import re
import select
import subprocess
import time

import pytest
from booking_site import eventually, new_id
from conftest import make


@pytest.fixture(scope="module")
def site():
    yield from make(workers=4, conf={"queue": {"sold_guard": 1}})


def paid(site):
    body, ready = site.opened(user="u-" + new_id())
    tid = ready.body["tid"]
    a = site.approve(
        body["userInfo"]["userId"], body["reservationInfo"]["roomId"], site.sim.pay(tid)
    )
    assert a.status == 200, a
    return tid


def back(site, tid):
    """Won that KakaoPay gave back."""
    return site.sim.order(tid).get("canceled_amount", {}).get("total", 0)


def refund(site, tid, *argv, code=0):
    run = [
        str(site.stack.build / "ctl/roompayctl"),
        "-c",
        str(site.stack.conf_path),
        "--lang",
        "en",
        "payment",
        "refund",
        tid,
        *argv,
    ]
    done = subprocess.run(run, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)
    assert done.returncode == code, done
    return done.stdout + done.stderr


def at_terminal(site, tid, answer, *argv):
    """The same on a terminal, where a person answers. Its exit status, and all that was shown."""
    run = [
        str(site.stack.build / "ctl/roompayctl"),
        "-c",
        str(site.stack.conf_path),
        "--lang",
        "en",
        "payment",
        "refund",
        tid,
        *argv,
    ]
    ours, its = pty.openpty()
    p = subprocess.Popen(run, stdin=its, stdout=its, stderr=its)
    os.close(its)
    shown, end = "", time.monotonic() + 30
    while time.monotonic() < end:
        try:
            if select.select([ours], [], [], 0.1)[0]:
                shown += os.read(ours, 65536).decode()
        except OSError:  # it has ended
            break
        if "(yes/no)" in shown and answer is not None:
            os.write(ours, answer.encode() + b"\n")
            answer = None
    os.close(ours)
    return p.wait(10), shown.replace("\r\n", "\n")


def test_a_part_run_twice_pays_once(site):
    tid = paid(site)
    assert (
        "--id" in refund(site, tid, "--amount", "500", "--reason", "a lamp", code=2)
        and back(site, tid) == 0
    )
    assert "--id" in refund(site, tid, "--amount", "500", "--reason", "a lamp", "--json", code=2)
    one = refund(site, tid, "--amount", "500", "--id", "lamp", "--reason", "a lamp")
    assert (
        one == refund(site, tid, "--amount", "500", "--id", "lamp", "--reason", "a lamp")
        and back(site, tid) == 500
    )


def test_the_same_amount_soon_again_needs_a_word(site):
    tid = paid(site)
    refund(site, tid, "--amount", "500", "--id", "lamp-1", "--reason", "a lamp")
    said = refund(site, tid, "--amount", "500", "--id", "lamp-2", "--reason", "a lamp", code=1)
    assert (
        "lamp-1" in said and "--again" in said and "lamp-2" not in said and back(site, tid) == 500
    )
    assert "--again" in refund(site, tid, "--amount", "500", "--id", "lamp-2", "--dry-run")
    refund(
        site, tid, "--amount", "501", "--id", "chair", "--reason", "a chair"
    )  # another amount is another matter
    refund(site, tid, "--amount", "500", "--id", "lamp-2", "--reason", "a second lamp", "--again")
    assert back(site, tid) == 1501
    old = site.db.ledger.find_one({"tid": tid, "kind": "part_refunded", "refund.id": "chair"})
    ten_minutes_ago = old["at"].timestamp() - 601
    for event in site.db.ledger.find({"tid": tid, "refund.id": "chair"}):
        site.db.ledger.update_one(
            {"_id": event["_id"]}, {"$set": {"at": type(old["at"]).fromtimestamp(ten_minutes_ago)}}
        )
    refund(site, tid, "--amount", "501", "--id", "chair-2", "--reason", "eleven minutes later")
    assert back(site, tid) == 2002


def test_on_a_terminal_a_person_sees_what_was_given_back_and_says_yes(site):
    tid = paid(site)
    refund(site, tid, "--amount", "300", "--id", "lamp", "--reason", "a lamp")
    for answer in ("no", "", "y", "yes please"):
        code, shown = at_terminal(site, tid, answer, "--amount", "500", "--reason", "a chair")
        assert code == 1 and "nothing was given back" in shown and back(site, tid) == 300, shown
    assert (
        "2200 won paid" in shown
        and re.search(r"given back +300 won .*\(lamp\)", shown)
        and "now 500 go back, and 1400 stay" in shown
    )
    code, shown = at_terminal(site, tid, "yes", "--amount", "500", "--reason", "a chair")
    assert code == 0 and back(site, tid) == 800, shown
    printed = re.search(r"\(refund (\S+)\)", shown)[1]
    assert [
        e["refund"]["id"]
        for e in site.db.ledger.find({"tid": tid, "kind": "part_refunded"}).sort("n")
    ] == ["lamp", printed]


def test_an_id_that_is_printed_is_in_the_ledger(site):
    tid = paid(site)
    said = refund(site, tid, "--amount", "5000", "--id", "much", "--reason", "too much", code=1)
    assert "much" not in said.replace("too much", "") and "2200 won were paid" in said
    site.sim.fault("cancel", "error", tid=tid, code=-10)  # quota: not executed
    said = refund(site, tid, "--reason", "all", code=1)
    ids = {e["refund"]["id"] for e in site.db.ledger.find({"tid": tid, "kind": "refunding"})}
    printed = set(re.findall(r"ctl-[0-9a-f]{16}", said))
    assert printed <= ids, (said, ids)
    whole = json.loads(refund(site, tid, "--reason", "all", "--json"))
    assert whole["refunded"] is True and whole["left"] == 0
    assert whole["refundId"] in {
        e["refund"]["id"] for e in site.db.ledger.find({"tid": tid, "kind": "refunded"})
    }
    said = refund(site, tid, "--reason", "once more", code=1)
    assert "ctl-" not in said and back(site, tid) == 2200
    eventually(lambda: "paid nothing" in site.stack.ctl("payment", "explain", tid, "--lang", "en"))


def as_user(site, uid, *argv, **env):
    """roompayctl as root, in the environment that sudo makes for this user."""
    run = [
        str(site.stack.build / "ctl/roompayctl"),
        "-c",
        str(site.stack.conf_path),
        "--lang",
        "en",
        *argv,
    ]
    done = subprocess.run(
        run,
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "SUDO_UID": str(uid), **env},
    )
    assert done.returncode == 0, done
    return done.stdout


@pytest.mark.skipif(os.getuid() != 0, reason="sudo's environment counts for root alone")
def test_who_did_it_stands_in_the_ledger(site):
    tid = paid(site)
    assert site.refund(tid, "r-http", 100, caller="operator").status == 200
    nobody, daemon = pwd.getpwnam("nobody").pw_uid, pwd.getpwnam("daemon").pw_uid
    as_user(
        site,
        nobody,
        "payment",
        "refund",
        tid,
        "--amount",
        "300",
        "--id",
        "r-ctl",
        "--reason",
        "a lamp",
    )
    as_user(
        site,
        54321,
        "payment",
        "refund",
        tid,
        "--amount",
        "400",
        "--id",
        "r-strange",
        "--reason",
        "a chair",
        SUDO_USER="operator",
    )
    who = {
        (e["kind"], e["refund"]["id"]): (e["by"], e.get("who"))
        for e in site.db.ledger.find({"tid": tid, "refund": {"$exists": True}})
    }
    for kind in ("refunding", "part_refunded"):
        assert who[kind, "r-http"] == ("fcgi", "operator") and who[kind, "r-ctl"] == (
            "ctl",
            "nobody",
        )
        assert who[kind, "r-strange"] == (
            "ctl",
            "uid 54321",
        )  # a name in the environment counts for nothing
    assert {
        e.get("who")
        for e in site.db.ledger.find({"tid": tid, "kind": {"$in": ["approving", "approved"]}})
    } == {"gateway"}
    shown = site.stack.ctl("payment", "show", tid, "--lang", "en", "--wide")
    assert "ctl (nobody)" in shown and "fcgi (operator)" in shown
    events = json.loads(site.stack.ctl("payment", "show", tid, "--json"))
    assert [(e["by"], e["who"]) for e in events][-1] == ("ctl", "uid 54321")
    assert json.loads(site.stack.ctl("payment", "explain", tid, "--json"))[0]["who"] == "uid 54321"
    assert "ctl (uid 54321)" in site.stack.ctl("payment", "explain", tid, "--lang", "en")
    assert "ctl (nobody)" in site.stack.ctl("refund", "list", "--lang", "en", "--wide")
    as_user(
        site,
        daemon,
        "deliveries",
        "retry",
        "payment.approved." + tid,
        "--again",
        "--reason",
        "lost",
    )
    assert site.db.ledger.find_one({"tid": tid, "kind": "note"})["who"] == "daemon"


def test_events_without_a_name_stay_valid(site):
    """Written before there were names."""
    tid = paid(site)
    site.db.ledger.update_many({"tid": tid}, {"$unset": {"who": ""}})
    events = json.loads(site.stack.ctl("payment", "show", tid, "--json"))
    assert [e["kind"] for e in events][:2] == ["approving", "approved"] and not any(
        "who" in e for e in events[:2]
    )
    assert site.refund(tid, "r-1").status == 200
