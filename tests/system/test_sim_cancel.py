"""The simulator: cancels never give back more than was paid, in all and of each part."""

import pytest
from booking_site import at_once, http_call
from sim_program import GENERATIONS, refusal


@pytest.mark.parametrize("generation", GENERATIONS)
def test_cancelling_in_parts(sim, generation):
    tid = sim.ready(generation)["tid"]
    assert refusal(generation, sim.cancel(tid, 2200, generation)) == (400, -784)  # nothing was paid
    token = sim.control.pay(tid)
    assert refusal(generation, sim.cancel(tid, 2200, generation)) == (400, -784)
    paid = sim.approve(tid, token, generation).body
    assert refusal(generation, sim.cancel(tid, 2201, generation)) == (400, -710)
    assert refusal(generation, sim.cancel(tid, 1000, generation, cancel_available_amount=2199)) == (
        400,
        -722,
    )
    assert refusal(generation, sim.cancel(tid, 1000, generation, cancel_tax_free_amount=1)) == (
        400,
        -722,
    )
    assert refusal(generation, sim.cancel(tid, 0, generation)) == (400, -2)
    a = sim.cancel(tid, 1100, generation, cancel_available_amount=2200, payload="r-1")
    assert a.status == 200, a
    assert (
        a.body["status"] == "PART_CANCEL_PAYMENT"
        and a.body["payload"] == "r-1"
        and a.body["aid"] != paid["aid"]
    )
    assert a.body["amount"] == paid["amount"] and a.body["approved_at"] == paid["approved_at"]
    parts = ("approved_cancel_amount", "canceled_amount", "cancel_available_amount")
    assert [(a.body[p]["total"], a.body[p]["vat"]) for p in parts] == [
        (1100, 100),
        (1100, 100),
        (1100, 100),
    ]
    # the guard against a second cancel of the same
    assert refusal(generation, sim.cancel(tid, 1100, generation, cancel_available_amount=2200)) == (
        400,
        -722,
    )
    assert refusal(generation, sim.cancel(tid, 1101, generation)) == (400, -710)
    b = sim.cancel(tid, 300, generation).body
    assert [(b[p]["total"], b[p]["vat"]) for p in parts] == [(300, 27), (1400, 127), (800, 73)]
    c = sim.cancel(tid, 800, generation, cancel_available_amount=800).body
    assert c["status"] == "CANCEL_PAYMENT"
    assert [(c[p]["total"], c[p]["vat"]) for p in parts] == [(800, 73), (2200, 200), (0, 0)]
    assert refusal(generation, sim.cancel(tid, 1, generation)) == (400, -784)
    d = sim.inquire(tid, generation).body
    assert d["status"] == "CANCEL_PAYMENT" and d["canceled_at"] == c["canceled_at"]
    assert [(x["payment_action_type"], x["amount"]) for x in d["payment_action_details"]] == [
        ("PAYMENT", 2200),
        ("CANCEL", 1100),
        ("CANCEL", 300),
        ("CANCEL", 800),
    ]
    assert [x["amount"]["total"] for x in sim.control.get("/cancels")["cancels"]] == [
        1100,
        300,
        800,
    ]
    (capture,) = sim.control.captures()
    assert capture["canceled_amount"]["total"] == 2200
    assert refusal(generation, sim.approve(tid, token, generation)) == (400, -702)


def test_tax_free_parts_must_fit_what_is_left(sim):
    tid, _ = sim.paid(total_amount=3000, tax_free_amount=1000)
    for amount, tax_free, vat, code in (
        (1500, 1600, None, -722),
        (500, 1001, None, -722),
        (2900, 0, None, -722),
        (3000, 900, None, -722),
        (100, 0, 101, -722),
        (3000, 1000, 181, -722),
    ):
        more = {
            "cancel_tax_free_amount": tax_free,
            **({} if vat is None else {"cancel_vat_amount": vat}),
        }
        assert refusal("current", sim.cancel(tid, amount, **more)) == (400, code), (
            amount,
            tax_free,
            vat,
        )
    a = sim.cancel(tid, 2000, cancel_tax_free_amount=500, cancel_vat_amount=130)
    assert a.status == 200 and a.body["cancel_available_amount"] == {
        "total": 1000,
        "tax_free": 500,
        "vat": 52,
        "point": 0,
        "discount": 0,
        "green_deposit": 0,
    }
    assert (
        sim.cancel(tid, 1000, cancel_tax_free_amount=500).body["approved_cancel_amount"]["vat"]
        == 52
    )


def test_many_small_cancels_never_give_back_more_vat_than_was_paid(sim):
    tid, paid = sim.paid(total_amount=18)  # VAT 2; each third would round up to 1
    assert paid["amount"]["vat"] == 2
    assert [sim.cancel(tid, 6).body["approved_cancel_amount"]["vat"] for _ in range(3)] == [1, 1, 0]
    assert sim.status(tid) == "CANCEL_PAYMENT"


def test_a_payment_with_a_cup_deposit_is_not_cancelled_in_parts(sim):
    tid, _ = sim.paid(green_deposit=300)
    assert refusal("current", sim.cancel(tid, 1000)) == (400, -784)
    a = sim.cancel(tid, 2200)
    assert a.status == 200 and a.body["canceled_amount"]["green_deposit"] == 300


def test_two_cancels_at_once_take_no_more_than_was_paid(sim):
    tid, _ = sim.paid()
    answers = at_once([lambda: sim.cancel(tid, 1500)] * 8)
    assert sorted(a.status for a in answers) == [200] + [400] * 7
    assert {a.body["error_code"] for a in answers if a.status == 400} == {-710}


def test_a_cancel_from_outside_is_seen_by_the_inquiry(sim):
    tid, _ = sim.paid()
    assert (
        sim.control.post("/cancel", {"tid": tid, "amount": 700})["status"] == "PART_CANCEL_PAYMENT"
    )
    assert sim.inquire(tid).body["cancel_available_amount"]["total"] == 1500
    sim.control.post("/cancel", {"tid": tid})
    assert sim.status(tid) == "CANCEL_PAYMENT"
    assert http_call("POST", sim.url + "/control/cancel", {"tid": tid}).status == 409
