"""The proofs of tests/prove at a size that fits here; `make prove` runs them whole."""

import os
import pathlib
import subprocess
import sys

import pytest

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "prove"))
import chaos
import kept
import kill_points
import mutate
import prove
from conftest import BUILD
from store_server import choose

BUILD = pathlib.Path(BUILD).resolve()
ours = pytest.mark.skipif(
    "MONGODB_URI" in os.environ, reason="the store at MONGODB_URI is not ours to kill"
)


def test_the_model_of_a_room_takes_what_may_happen_and_nothing_else():
    done = subprocess.run([BUILD / "linear-test"], capture_output=True, text=True)
    assert done.returncode == 0 and "PASS" in done.stdout, done.stdout + done.stderr


def test_the_queue_is_linearizable_and_planted_violations_are_found():
    result = prove.histories(BUILD, prove.SMALL["histories"])
    assert (
        result["calls"] > 500
        and result["cut_off"] > 0
        and result["kills"] >= 20
        and len(result["planted"]) == 9
    )


@ours
def test_kill_points():
    result = kill_points.run(BUILD, stride=prove.SMALL["stride"], both=False)
    assert result["kill_points"] > 30


@ours
def test_kill_points_of_a_primary():
    engine, mongod = choose(BUILD)
    if engine != "mongod":
        pytest.skip("no mongod: no replica set")
    assert (
        kill_points.run_primary(BUILD, mongod, stride=prove.SMALL["primary_stride"])["kill_points"]
        > 5
    )


@ours
def test_chaos():
    result = chaos.run(
        BUILD, seed=int(os.environ.get("ROOMPAY_SEED", "1")), payments=prove.SMALL["payments"]
    )
    assert result["inserts_checked"] > 500
    if choose(BUILD)[0] == "mongod":
        assert result["inserts_waited"] > 200


def test_the_table_of_guards_follows_the_code():
    assert mutate.stale(prove.TOP) == []


def test_a_guard_that_is_taken_away_is_noticed():
    result = mutate.run(prove.TOP, BUILD, mutate.FEW)
    assert result["noticed"] == result["mutants"] == len(mutate.FEW), result


PARTS = ["one", "machines", "mutants"]


def run_parts(top, build, seed, failing=()):
    """Which parts ran, and which failed."""
    ran = []

    def run(key):
        ran.append(key)
        assert key not in failing
        return {"found": key}

    before = kept.Kept(top, build, {"seed": seed})
    chosen = [(key, key, lambda key=key: run(key)) for key in PARTS]
    done, failed = prove.prove(chosen, before)
    assert all(part["result"] == {"found": key} for key, part in done.items())
    return ran, failed


def test_a_proof_goes_on_where_it_was(tmp_path):
    top, build = tmp_path / "top", tmp_path / "build"
    git = ["git", "-C", top, "-c", "user.name=n", "-c", "user.email=e@example.org"]
    top.mkdir()
    for argv in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "one"]):
        subprocess.run([*git, *argv], check=True)
    assert run_parts(top, build, 1, failing=("machines",)) == (PARTS, ["machines"])
    assert run_parts(top, build, 1) == (["machines"], [])
    assert run_parts(top, build, 1) == ([], [])
    assert run_parts(top, build, 2) == (PARTS, [])
    (top / "changed").write_text("")
    for _ in range(2):
        assert run_parts(top, build, 2) == (PARTS, [])
    (top / "changed").unlink()
    assert run_parts(top, build, 2) == ([], [])
    for name, again in (
        ("doc/a.md", []),
        ("tests/conform/a.c", ["mutants"]),
        ("tests/system/machine_failures.py", ["machines"]),
        ("lib/a.c", PARTS),
        ("tests/prove/chaos.py", []),
        ("tests/prove/linear.py", PARTS),
    ):
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_text("")
        subprocess.run([*git, "add", "."], check=True)
        subprocess.run([*git, "commit", "-q", "-m", name], check=True)
        assert run_parts(top, build, 2) == (again, []), name
