"""The queue on a log in MongoDB: the conformance tests of the queue, on a real replica set."""

import os
import pathlib
import subprocess

import pytest
from conftest import BUILD
from store_server import choose, store_server

BUILD = pathlib.Path(BUILD).resolve()
pytestmark = pytest.mark.skipif(
    choose(BUILD)[0] != "mongod", reason="the shared log needs a replica set of MongoDB"
)
PROGRAMS = ("test_queue", "test_queue_connection", "test_queue_restart", "test_queue_waiting")


@pytest.fixture(scope="module")
def log_uri(tmp_path_factory):
    server = store_server(BUILD, tmp_path_factory.mktemp("log"))
    server.start()
    yield server.uri
    server.stop()


@pytest.mark.parametrize("program", PROGRAMS)
def test_conformance(program, log_uri):
    done = subprocess.run(
        [BUILD / "tests/conform" / program],
        capture_output=True,
        text=True,
        timeout=120,
        env={
            **os.environ,
            "CMOCKA_MESSAGE_OUTPUT": "TAP",
            "ROOMPAY_QUEUED": str(BUILD / "queued/roompay-queued"),
            "ROOMPAY_TEST_LOG_URI": log_uri,
        },
    )
    failed = [line for line in done.stdout.splitlines() if line.startswith("not ok")]
    assert done.returncode == 0 and not failed, done.stdout + done.stderr
    assert "\nok 1 - " in done.stdout or done.stdout.startswith("ok 1 - ")
