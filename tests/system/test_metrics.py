"""GET /metrics: every count is what happened, over all workers; alert rules, dashboard and operations guide speak of metrics that exist, and of all of them."""

import json
import os
import pathlib
import re
import resource
import signal
import time

import pytest
from booking_site import PROBLEMS, eventually, http_call, new_id
from conftest import make
from stack import is_alive

TOP = pathlib.Path(__file__).resolve().parents[2]
NAME = re.compile(r"\broompay_[a-z_]+")


@pytest.fixture(scope="module", params=["spawn-fcgi", "master"])
def site(request):
    yield from make(
        workers=4, mode=request.param, auto_remove=False, conf={"queue": {"sold_guard": 1}}
    )


def scrape(site, caller="operator"):
    headers = {"Authorization": "Bearer " + site.stack.tokens[caller]} if caller else {}
    return http_call("GET", site.base + "/metrics", headers=headers)


def series(site):
    a = scrape(site)
    assert a.status == 200 and a.headers["content-type"].startswith("text/plain; version=0.0.4"), a
    out = {}
    for line in a.raw.decode().splitlines():
        if line.startswith("#"):
            continue
        m = re.fullmatch(r'([a-z_]+(?:\{(?:[a-z]+="[^"\\\n]*",?)*\})?) (-?[0-9.e+]+)', line)
        assert m, line
        assert m[1] not in out, "twice: " + line
        out[m[1]] = float(m[2])
    return out


def family(name):
    return re.sub(r"_(bucket|sum|count)$", "", name)


def told(site):
    return dict(re.findall(r"^# TYPE (\S+) (\S+)$", scrape(site).raw.decode(), re.M))


def test_a_payment_is_counted_once(site):
    before = series(site)

    def rise(name):
        return series(site).get(name, 0) - before.get(name, 0)

    body, user = site.booking(room=new_id()), "u-1"
    a = site.ready(body)
    room = body["reservationInfo"]["roomId"]
    assert site.ready(site.booking(user="u-2", room=room)).code == "slot-held"
    assert (
        series(site)['roompay_holds{state="ready"}'] == before['roompay_holds{state="ready"}'] + 1
    )
    assert site.approve(user, room, site.sim.pay(a.body["tid"])).status == 200
    assert rise('roompay_requests_total{route="payReady",status="200"}') == 1
    assert rise('roompay_requests_total{route="payReady",status="409"}') == 1
    assert (
        rise('roompay_problems_total{code="slot-held"}') == 1
        and rise("roompay_queue_conflicts_total") == 1
    )
    assert rise('roompay_requests_total{route="approvePayment",status="200"}') == 1
    assert rise('roompay_request_seconds_count{route="approvePayment"}') == 1
    assert (
        rise('roompay_provider_calls_total{call="ready",outcome="ok"}') == 1
        and rise('roompay_provider_calls_total{call="approve",outcome="ok"}') == 1
    )
    eventually(
        lambda: rise('roompay_deliveries_total{peer="reservation",result="acknowledged"}') == 1
    )
    assert (
        rise("roompay_journal_sync_seconds_count") >= 3
        and rise("roompay_journal_records_total") >= 3
    )
    now = series(site)
    assert (
        now["roompay_queue_up"] == 1
        and now["roompay_open_items"] >= 0
        and abs(time.time() - now["roompay_courier_look_timestamp_seconds"]) < 10
    )
    assert now['roompay_holds{state="approved"}'] >= 1


def test_buckets_grow(site):
    now = series(site)
    by_labels = {}
    for name, value in now.items():
        m = re.fullmatch(r'(\w+)_bucket\{(.*?),?le="([^"]+)"\}', name)
        if m:
            by_labels.setdefault((m[1], m[2]), []).append((float(m[3]), value))
    assert by_labels
    for (name, labels), buckets in by_labels.items():
        assert (
            buckets == sorted(buckets)
            and [v for _, v in buckets] == sorted(v for _, v in buckets)
            and buckets[-1][0] == float("inf")
        )
        count = now[
            f"{name}_count" + (f"{{{labels}}}" if labels or f"{name}_count{{}}" in now else "")
        ]
        assert buckets[-1][1] == count


def test_what_is_owed_and_since_when(site):
    site.stack.reservation.fail(500, 1)
    body = site.booking(room=new_id())
    a = site.ready(body)
    assert (
        site.approve("u-1", body["reservationInfo"]["roomId"], site.sim.pay(a.body["tid"])).status
        == 200
    )
    eventually(
        lambda: (
            series(site).get('roompay_deliveries_total{peer="reservation",result="failed"}', 0) >= 1
        )
    )
    now = eventually(
        lambda: (lambda s: s if s.get("roompay_outbox_messages", 0) >= 1 else None)(series(site))
    )
    assert abs(time.time() - now["roompay_outbox_oldest_timestamp_seconds"]) < 30
    eventually(
        lambda: (
            series(site)["roompay_outbox_messages"] == 0
            and series(site)["roompay_outbox_oldest_timestamp_seconds"] == 0
        ),
        15,
    )


def test_nobody_else_reads_them(site):
    assert scrape(site, None).status == 401 and scrape(site, "gateway").status == 403
    text = scrape(site).raw.decode()
    assert not any(secret in text for secret in site.stack.tokens.values()) and "u-1" not in text


def test_an_address_that_is_named_needs_no_token():
    for addresses, status in (("::1, 127.0.0.1", 200), ("::1, 127.0.0.2", 401)):
        for site in make(workers=1, conf={"fcgi": {"metrics_addresses": addresses}}):
            assert scrape(site, None).status == status
            assert http_call("GET", site.base + "/readyz").status == status
            assert http_call("GET", site.base + "/queue?roomId=" + "0" * 24).status == 401


def test_a_queue_that_is_away_is_a_value(site):
    site.stack.kill("queued")
    try:
        assert series(site)["roompay_queue_up"] == 0
    finally:
        site.stack.start("queued")
    eventually(lambda: series(site)["roompay_queue_up"] == 1)


def test_each_program_counts_its_errors(site):
    """What the alert rules look at: the queue's, the courier's, a worker's, the master's."""

    def seen(event):
        return series(site).get(f'roompay_error_events_total{{event="{event}"}}', 0)

    (queued,) = site.stack.pids_of("queued")
    resource.prlimit(
        queued, resource.RLIMIT_FSIZE, (1, resource.RLIM_INFINITY)
    )  # its disk takes no more: what it cannot write down it does not answer
    assert site.ready(site.booking(room=new_id())).code == "queue-unavailable"
    eventually(lambda: seen("stopped_without_answering") >= 1)
    site.stack.kill("queued")
    try:
        eventually(lambda: seen("queue_away") >= 1)
        assert site.ready(site.booking(room=new_id())).status == 503
    finally:
        site.stack.start("queued")
    if site.stack.mode == "master":
        site.stack.conf_path.write_text(
            (text := site.stack.conf_path.read_text()) + "nonsense = 1\n"
        )
        os.kill(site.stack.pids_of("workers")[0], signal.SIGHUP)
        eventually(lambda: seen("reload_refused") >= 1)
        site.stack.conf_path.write_text(text)
    eventually(lambda: site.get("/readyz").status == 200)


def test_workers_that_die_lose_no_count(site):
    before = series(site)
    name = 'roompay_requests_total{route="livez",status="200"}'
    for _ in range(20):
        assert site.get("/livez").status == 200
    eventually(
        lambda: series(site).get(name, 0) - before.get(name, 0) >= 20
    )  # a worker counts after it has answered
    killed = site.stack.worker_pids()[:2]
    for pid in killed:
        os.kill(pid, signal.SIGKILL)
    eventually(lambda: not any(is_alive(pid) for pid in killed))
    eventually(lambda: series(site).get(name, 0) - before.get(name, 0) >= 20)


def test_who_cannot_count_serves_all_the_same(site):
    metrics = site.stack.dir / "metrics"
    metrics.rename(site.stack.dir / "elsewhere")
    metrics.write_text("no directory")
    try:
        site.stack.stop("workers")
        site.stack.start("workers")
        assert eventually(lambda: site.get("/readyz").status == 200, 20)
    finally:
        metrics.unlink()
        (site.stack.dir / "elsewhere").rename(metrics)
        site.stack.stop("workers")
        site.stack.start("workers")


def test_readiness_tells_of_the_courier(site):
    eventually(lambda: site.get("/readyz").body["courier"] == "ok")
    (site.stack.dir / "metrics" / "courier.metrics").rename(site.stack.dir / "away")
    try:
        a = site.get("/readyz")
        assert a.status == 200 and a.body["courier"] == "unknown"
    finally:
        (site.stack.dir / "away").rename(site.stack.dir / "metrics" / "courier.metrics")


def test_a_file_of_another_version_is_replaced(site):
    path = site.stack.dir / "metrics" / "fcgi.metrics"
    path.unlink()
    path.write_bytes(b"another")
    site.stack.stop("workers")
    site.stack.start("workers")
    assert eventually(
        lambda: series(site).get('roompay_requests_total{route="metrics",status="200"}', 0) >= 1
    )


def test_rules_dashboard_and_guide_speak_of_what_exists(site):
    types = told(site)
    alerts = (TOP / "etc/prometheus-alerts.yml").read_text()
    dashboard = (TOP / "etc/grafana-dashboard.json").read_text()
    json.loads(dashboard)
    for text, where in ((alerts, "alert rules"), (dashboard, "dashboard")):
        names = {family(n) for n in NAME.findall(text)}
        assert names and names <= set(types), f"{where}: {names - set(types)}"
    assert {family(n) for n in NAME.findall(dashboard)} == set(types), (
        "a metric that no panel shows"
    )
    for guide in ("doc/operations.md", "doc/operations.ko.md"):
        text = (TOP / guide).read_text()
        named = set(re.findall(r"`(roompay_[a-z_]+)`", text))
        assert named == set(types), f"{guide}: {named ^ set(types)}"
        rules = re.findall(r"^  - alert: (\w+)$", alerts, re.M)
        assert sorted(re.findall(r"^### (Roompay\w+)$", text, re.M)) == sorted(rules), guide
    events = set(
        re.findall(
            r"log_event\(LOG_LEVEL_ERROR, \"(\w+)\"|alert\(.*?\"(\w+)\"|(?:once|complain)\(\w+, \"(\w+)\"|\] = \"(\w+)\"|\{ \"log-\w+\", \"(\w+)\"|\.event = \"(\w+)\"",
            "".join(
                p.read_text()
                for d in ("lib", "fcgi", "courier", "queued", "queuelog")
                for p in (TOP / d).rglob("*.c")
            ),
        )
    )
    events = {e for group in events for e in group if e}
    for match in re.findall(r'event(?:=~|=)"([a-z_|]+)"', alerts):
        assert set(match.split("|")) <= events, set(match.split("|")) - events
    outcomes = set(
        re.findall(r'PO_[A-Z_]+\] *= "([a-z_-]+)"', (TOP / "lib/provider/provider.c").read_text())
    )
    for match in re.findall(r'outcome=~"([a-z|-]+)"', alerts):
        assert set(match.split("|")) <= outcomes, outcomes
    for code in re.findall(r'code="([a-z-]+)"', alerts):
        assert code in PROBLEMS


def test_every_problem_code_is_documented():
    of_code = set(re.findall(r'\{ "([a-z-]+)", +[0-9]{3},', (TOP / "fcgi/problem.c").read_text()))
    of_page = set(
        re.findall(r"^\| [45][0-9]{2} \| `([a-z-]+)` \|", (TOP / "doc/http.md").read_text(), re.M)
    )
    assert len(of_code) > 25 and of_code == of_page == set(PROBLEMS), (
        of_code ^ of_page,
        of_code ^ set(PROBLEMS),
    )
