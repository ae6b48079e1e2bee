"""Three machines behind a load balancer, each a network namespace with everything; MongoDB on three
more (machine_failures.py). `make check-machines` runs the large form; SEED=N repeats a run."""

import os
import pathlib

import machine_failures
import machine_guide
import net_bed
import pytest
from conftest import BUILD
from stack import TOP

SEED = os.environ.get("SEED", "1")
SIZE = os.environ.get("ROOMPAY_MACHINES", "small")
LOG = "mongodb"
CHECKER = pathlib.Path(BUILD, "linear-check")
HISTORIES = {"small": 20, "large": 200}[SIZE]
CASES = machine_failures.SIZES[SIZE]["cases"] or [name for name, _ in machine_failures.CASES]


@pytest.fixture(scope="module", autouse=True)
def bed():
    reason = machine_failures.why_not(BUILD)
    if reason:
        pytest.skip(f"left out: {reason}")


@pytest.fixture(scope="module")
def result(bed):
    print(f"SEED={SEED}")
    return machine_failures.run_inside(BUILD, "--size", SIZE, "--seed", SEED, "--log", LOG)


@pytest.mark.parametrize("case", CASES)
def test_payments_go_on(result, case):
    row = next(r for r in result["cases"] if r["case"] == case)
    assert row["captures"] == row["documents"] == row["deliveries"] > 0, row
    assert row["wrong"] == 0, (row, result["wrong"])
    assert row["beyond_s"] <= row["allowed_s"], row


def test_nobody_is_told_of_a_machine_that_leaves_in_order(result):
    """On a busy host roompay itself may say that it is busy; that is another thing."""
    row = next(r for r in result["cases"] if r["case"] == "machine stopped in order")
    assert row["lost"] == 0, row


def test_no_answer_was_untrue_and_no_holds_met(result):
    assert result["wrong"] == []


def test_the_judge_finds_one_journal_on_three_machines():
    result = machine_failures.run_inside(BUILD, "--copied", "--seed", SEED, "--log", "disk")
    assert any("at the same time" in sentence for sentence in result["wrong"]), result


def test_the_guide_leads_from_one_machine_to_three_under_load():
    result = machine_guide.run_inside(BUILD, "--seed", SEED)
    row = result["cases"][0]
    assert row["captures"] == row["documents"] == row["deliveries"] > 40, row
    assert result["wrong"] == [] and row["pause_s"] < 30, result


@pytest.mark.skipif(not CHECKER.exists(), reason="no checker: dev/build checker, which needs Go")
def test_histories_of_all_machines_have_an_order():
    result = net_bed.result_of(
        TOP / "tests/prove/linear_machines.py",
        *(BUILD, "--histories", str(HISTORIES), "--seed", SEED, "--plant", "3"),
        timeout=1800,
    )
    assert result["histories"] == HISTORIES and result["calls"] > HISTORIES * 100, result
    assert sum(result["planted"].values()) > 10, result


@pytest.mark.skipif(SIZE == "small", reason="two minutes: make check-machines")
def test_an_older_database_is_put_back_under_running_machines():
    result = machine_failures.run_inside(BUILD, "--put-back", "--seed", SEED)
    row = result["cases"][0]
    assert row["captures"] == row["documents"] == row["deliveries"] > 0, row
    assert result["wrong"] == [] and min(row["told_log_behind"]) > 0, result
