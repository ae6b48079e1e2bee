"""A replica set of three fails in every way, in its short form; the table of failures is printed at
the end. `make prove` runs the long form, with MongoDB's own settings."""

import pytest
import set_failures
from conftest import BUILD
from store_server import choose


@pytest.fixture(scope="module")
def result():
    engine, mongod = choose(BUILD)
    if engine != "mongod":
        pytest.skip("no mongod: a replica set cannot fail here")
    return set_failures.run(BUILD, mongod, set_failures.SHORT)


@pytest.mark.parametrize("case", [name for name, _ in set_failures.CASES])
def test_payments_are_back_soon_after_mongodb(result, case):
    row = next(r for r in result["cases"] if r["case"] == case)
    assert row["captures"] == row["documents"] == row["deliveries"] > 0, row
    assert row["wrong"] == 0, (row, result["wrong"])
    assert row["beyond_s"] <= row["allowed_s"], row


def test_no_answer_was_untrue_and_nothing_is_left(result):
    assert result["wrong"] == []
    assert [r["rolled_back"] for r in result["cases"] if "rolled_back" in r] != []
