"""Fixtures: the site on a whole stack. `site` is shared by the tests of a run; the others are for tests that stop things or need other settings."""

import os
import pathlib

import leaks
import plans
import pytest
import set_failures
from booking_site import Site
from fronts import FORCED, FRONTS
from sim_program import Program
from stack import Stack

BUILD = os.environ.get("ROOMPAY_BUILD", pathlib.Path(__file__).resolve().parents[2] / "build")


MANY = {"queue": {"max_holds_per_user": 1000}}  # tests that share a site share their users


def make(**options):
    with Stack(BUILD, **options) as stack:
        site = Site(stack)
        yield site
        if stack.store_is_ours and stack.pids_of("store"):
            assert plans.unindexed(site.db) == []
        site.db.client.close()  # else the store waits for it before it ends
        assert leaks.in_logs(site) == []


@pytest.fixture(scope="session")
def _site():
    yield from make(conf=MANY)


@pytest.fixture
def site(_site):
    """A stack of 8 spawn-fcgi workers that all tests share: users, rooms and orders are new in each."""
    yield _site
    _site.sim.no_faults()


@pytest.fixture(scope="session")
def wide():
    """24 workers, for twenty at once."""
    yield from make(workers=24, conf=MANY)


@pytest.fixture(scope="session")
def calm():
    """The reservation service does not call removePaymentInQueue by itself."""
    yield from make(auto_remove=False, conf=MANY)


@pytest.fixture(scope="session")
def brief():
    """Holds live 2 s."""
    yield from make(conf={**MANY, "merchant TC0ONETIME": {"hold_ttl": 2}})


@pytest.fixture
def fresh():
    """For tests that stop or kill something."""
    yield from make()


@pytest.fixture(scope="session")
def _sim(tmp_path_factory):
    program = Program(tmp_path_factory.mktemp("sim"))
    yield program
    assert program.end() == 0


@pytest.fixture
def sim(_sim):
    """A simulator that all tests share; each begins with an empty one."""
    _sim.control.post("/reset")
    return _sim


@pytest.fixture
def own_sim(tmp_path):
    """A simulator that the test may stop."""
    program = Program(tmp_path)
    yield program
    program.end()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A failed test shows the ends of the logs."""
    outcome = yield
    report = outcome.get_result()
    if report.when == "call" and report.failed:
        for value in getattr(item, "funcargs", {}).values():
            if isinstance(value, Site):
                for name in ("workers", "queued", "courier", "sim"):
                    report.sections.append((f"end of {name}.log", value.stack.log_tail(name, 12)))


def pytest_terminal_summary(terminalreporter):
    summarise_fronts(terminalreporter)
    for result in set_failures.DONE:
        terminalreporter.section("failures of a replica set of three")
        for line in set_failures.lines(result):
            terminalreporter.write_line(line)


def summarise_fronts(terminalreporter):
    """Cases x front ends."""
    rows = {}
    for status in ("passed", "failed", "error", "skipped"):
        for report in terminalreporter.stats.get(status, []):
            if "test_fronts.py" in report.nodeid and getattr(report, "when", "") in (
                "call",
                "setup",
            ):
                name = report.nodeid.split("[", 1)[-1].rstrip("]")
                front = max((f for f in FRONTS if name.startswith(f)), key=len, default=name)
                rows.setdefault(front, {}).setdefault(status, []).append(report.nodeid)
    if rows:
        terminalreporter.section("front ends")
        for front, found in rows.items():
            terminalreporter.write_line(
                f"{front:20}" + "  ".join(f"{len(n)} {status}" for status, n in found.items())
            )
        for (front, case), why in FORCED.items():
            if front in rows:
                terminalreporter.write_line(f"  {front}, {case}: {why}")
