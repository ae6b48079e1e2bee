"""A client that a generator makes of doc/openapi.json, without a word about us, buys and gives back. (TypeScript: test_node_client.py.)"""

import json
import os
import pathlib
import subprocess
import venv

import answers
import pytest
from stack import TOP

HERE = TOP / "tests/system"
BUILD = pathlib.Path(os.environ.get("ROOMPAY_BUILD", TOP / "build"))


@pytest.fixture(scope="module")
def generator():
    """Python with the generator, in an environment of its own; made once."""
    wanted, home = HERE / "generator.txt", BUILD / "generator"
    stamp = home / "stamp"
    if not stamp.exists() or stamp.read_text() != wanted.read_text():
        venv.create(home, clear=True, with_pip=True)
        subprocess.run(
            [home / "bin/pip", "install", "--quiet", "--disable-pip-version-check", "-r", wanted],
            check=True,
        )
        stamp.write_text(wanted.read_text())
    return home / "bin"


@pytest.fixture(scope="module")
def generated(generator, tmp_path_factory):
    folder = tmp_path_factory.mktemp("generated")
    env = {**os.environ, "PATH": f"{generator}:{os.environ['PATH']}"}
    done = subprocess.run(
        [
            generator / "openapi-python-client",
            "generate",
            "--path",
            TOP / "doc/openapi.json",
            "--meta",
            "none",
            "--output-path",
            folder / "generated",
            "--fail-on-warning",
        ],
        capture_output=True,
        text=True,
        env=env,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_nothing_is_left_out(generated):
    made = {p.stem for p in (generated / "generated/api").glob("*/*.py")} - {"__init__"}
    ids = {o["operationId"] for _, _, o in answers.operations()}
    assert {name.replace("_", "").lower() for name in made} == {i.lower() for i in ids}
    assert (generated / "generated/models/problem.py").exists() and (
        generated / "generated/models/ready.py"
    ).exists()


def test_it_buys_and_gives_back(fresh, generator, generated):
    tokens = fresh.tokens
    done = subprocess.run(
        [
            generator / "python",
            HERE / "generated_client/purchase.py",
            fresh.base,
            fresh.sim.base,
            tokens["gateway"],
            tokens["refund"],
        ],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(generated)},
        timeout=60,
    )
    assert done.stdout == "bought, and a part given back\n", done


def test_a_document_that_it_cannot_take_is_found(generator, tmp_path):
    schemas = {
        **answers.DOC["components"]["schemas"],
        "Charged": {"enum": [True, False, "unknown"]},
    }
    (tmp_path / "old.json").write_text(
        json.dumps({**answers.DOC, "components": {**answers.DOC["components"], "schemas": schemas}})
    )
    done = subprocess.run(
        [
            generator / "openapi-python-client",
            "generate",
            "--path",
            tmp_path / "old.json",
            "--meta",
            "none",
            "--output-path",
            tmp_path / "out",
            "--fail-on-warning",
        ],
        capture_output=True,
        text=True,
    )
    assert (
        done.returncode != 0
        and "Unable to process schema /components/schemas/Problem" in done.stdout + done.stderr
    )
