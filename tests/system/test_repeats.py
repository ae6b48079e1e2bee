"""Who repeats a call makes nothing grow: not the ledger, not the work items, not what the next call costs."""

import time

import pytest
from booking_site import eventually, new_id
from conftest import make

SECONDS = 15
A_MINUTE = 5  # sends of one tid, and inquiries by callers


@pytest.fixture(scope="module")
def site():
    yield from make(workers=4, auto_remove=False)


def events(site, order):
    return [e["kind"] for e in site.db.ledger.find({"partner_order_id": order}).sort("n", 1)]


def calls_of(site, kind, tid):
    return [c for c in site.calls(kind) if c.get("tid") == tid]


def repeat(call, seconds):
    """(status, code or state, Retry-After, milliseconds) of every call."""
    seen, until = [], time.monotonic() + seconds
    while time.monotonic() < until:
        begun = time.monotonic()
        a = call()
        seen.append(
            (
                a.status,
                a.body.get("code") or a.body.get("state"),
                a.headers.get("retry-after"),
                (time.monotonic() - begun) * 1000,
            )
        )
        time.sleep(0.02)
    return seen


def test_an_attempt_that_stays_unknown_costs_the_same_however_often_it_is_asked_for(site):
    body, ready = site.opened(user="never-authenticated")
    tid, order, room = (
        ready.body["tid"],
        body["paymentInfo"]["partner_order_id"],
        body["reservationInfo"]["roomId"],
    )
    token = new_id()
    site.sim.fault(
        "approve", "close-before", tid=tid
    )  # the answer is lost; the user has not authenticated at all
    assert site.approve("never-authenticated", room, token).status == 202
    seen = repeat(lambda: site.approve("never-authenticated", room, token), SECONDS)
    kinds, items = events(site, order), site.db.open.count_documents({"tid": tid})
    sends, inquiries = calls_of(site, "approve", tid), calls_of(site, "order", tid)
    times = sorted(ms for *_, ms in seen)
    print(
        f"{len(seen)} calls in {SECONDS} s, median {times[len(times) // 2]:.1f} ms: {len(kinds)} events, {items} work items, {len(sends)} sends, {len(inquiries)} inquiries"
    )
    assert {(status, state) for status, state, *_ in seen} == {(202, "unknown")}
    assert len(seen) > 20  # else nothing was repeated
    assert len(sends) <= A_MINUTE and kinds.count("approving") == len(sends)
    assert len(kinds) <= 2 * A_MINUTE
    assert items == 1
    assert (
        len(inquiries) <= 2 * A_MINUTE + 1
    )  # the callers', and the courier's at growing distances
    assert int(seen[-1][2]) >= 30  # Retry-After: when the next one will do something

    # The user finishes after all. Once the minute is over the call does something again, and the money is taken once.
    token = site.sim.pay(tid)
    time.sleep(int(seen[-1][2]))
    paid = site.approve("never-authenticated", room, token)
    assert (paid.status, paid.body["state"]) == (200, "approved"), paid
    assert len(site.sim.captures(order)) == 1 and site.db.open.count_documents({"tid": tid}) == 1
    assert site.remove("never-authenticated", room, tid).body["removed"] is True
    eventually(lambda: site.db.open.count_documents({"tid": tid}) == 0)


def test_a_refund_that_is_not_carried_out_is_tried_five_times_a_minute(site):
    body, _, paid = site.paid(user="refunded")
    tid, order = paid.body["payment"]["tid"], body["paymentInfo"]["partner_order_id"]
    site.sim.fault(
        "cancel", "error", times=0, tid=tid, code=-9798
    )  # KakaoPay's system is being checked: nothing was done
    seen = repeat(lambda: site.refund(tid, "again"), 5)
    kinds = events(site, order)
    print(
        f"{len(seen)} cancels in 5 s: {len(kinds)} events, {len(calls_of(site, 'cancel', tid))} sent"
    )
    assert [(status, code) for status, code, *_ in seen[:A_MINUTE]] == [
        (502, "provider-error")
    ] * A_MINUTE
    assert {(status, code) for status, code, *_ in seen[A_MINUTE:]} == {(429, "too-many-requests")}
    assert (
        kinds.count("refunding")
        == kinds.count("refund_failed")
        == len(calls_of(site, "cancel", tid))
        == A_MINUTE
    )
    assert int(seen[-1][2]) >= 30
