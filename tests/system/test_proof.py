"""The proofs of tests/prove at a size that fits here; `make prove` runs them whole."""
import os
import pathlib
import sys

import pytest

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "prove"))
import chaos  # noqa: E402
import kill_points  # noqa: E402
import linear  # noqa: E402
import mutate  # noqa: E402
import prove  # noqa: E402
from conftest import BUILD  # noqa: E402

BUILD = pathlib.Path(BUILD).resolve()
ours = pytest.mark.skipif("MONGODB_URI" in os.environ, reason="the store at MONGODB_URI is not ours to kill")


def test_the_queue_is_linearizable_and_a_planted_violation_is_found():
    result = linear.run(BUILD / "queued/roompay-queued", *prove.SMALL["linear"][0])
    assert result["calls"] > 500 and result["kills"] >= 4


@ours
def test_kill_points():
    result = kill_points.run(BUILD, stride=prove.SMALL["stride"], both=False)
    assert result["kill_points"] > 30


@ours
def test_chaos():
    result = chaos.run(BUILD, seed=int(os.environ.get("ROOMPAY_SEED", "1")), payments=prove.SMALL["payments"])
    assert result["inserts_checked"] > 500


def test_a_guard_that_is_taken_away_is_noticed():
    result = mutate.run(prove.TOP, BUILD, mutate.FEW)
    assert result["noticed"] == result["mutants"] == len(mutate.FEW), result
