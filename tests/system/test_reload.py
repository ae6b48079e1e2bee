"""SIGHUP again and again under load, behind a real web server: every request gets its whole answer, and a wrong configuration changes nothing."""

import os
import signal
import threading

import pytest
from booking_site import Site, eventually, new_id
from stack import Stack

REQUESTS, RELOADS, WORKERS = 10000, 50, 2


@pytest.fixture
def site():
    with Stack(
        os.environ.get("ROOMPAY_BUILD", "build"),
        workers=WORKERS,
        mode="master",
        conf={"queue": {"max_holds_per_user": 1000}},
    ) as stack:
        site = Site(stack)
        yield site
        site.db.client.close()


def test_no_request_is_lost_over_fifty_reloads(site):
    wrong, answered, stop = [], [0], threading.Event()

    def calls():
        while not stop.is_set():
            try:
                a = site.approve("u-" + new_id(), new_id(), "abc")
            except Exception as e:
                wrong.append(repr(e))
                return
            if a.code != "no-hold":
                wrong.append(a)
            answered[0] += 1

    threads = [threading.Thread(target=calls) for _ in range(4)]
    for t in threads:
        t.start()
    reloads = 0
    while not wrong and (reloads < RELOADS or answered[0] < REQUESTS):
        before = set(site.stack.worker_pids())
        os.kill(site.stack.processes["workers"].pid, signal.SIGHUP)
        eventually(
            lambda: (
                len(set(site.stack.worker_pids()) - before) == WORKERS
                and not before & set(site.stack.worker_pids())
            ),
            20,
        )
        reloads += 1
    stop.set()
    for t in threads:
        t.join()
    assert wrong == [] and answered[0] >= REQUESTS and reloads >= RELOADS, (
        wrong[:3],
        answered,
        reloads,
    )


def test_a_wrong_configuration_is_refused_and_the_old_one_stays(site):
    before, text = set(site.stack.worker_pids()), site.stack.conf_path.read_text()
    eventually(lambda: "event=" in site.stack.log_tail("courier"))  # it has read the file
    for n, more in enumerate(
        ("[fcgi]\nworkers = many\n", "[merchant X]\nmode = none\n", "[nonsense]\nx = 1\n")
    ):
        site.stack.conf_path.write_text(text + more)
        os.kill(site.stack.processes["workers"].pid, signal.SIGHUP)
        eventually(lambda: site.stack.log_tail("workers", 1000).count("reload_refused") == n + 1)
        assert site.get("/readyz").status == 200
    assert set(site.stack.worker_pids()) == before
    site.stack.conf_path.write_text(text.replace(f"workers = {WORKERS}", "workers = 3"))
    os.kill(site.stack.processes["workers"].pid, signal.SIGHUP)
    eventually(lambda: len(set(site.stack.worker_pids()) - before) == 3, 10)
    assert site.get("/readyz").status == 200
