"""etc/prometheus-alerts.yml as Prometheus understands it: for each alert a history of series in which it fires, and it alone; and one in which none does.
promtool takes JSON for YAML."""

import json
import os
import pathlib
import re
import shutil
import subprocess

import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("ROOMPAY_BUILD", TOP / "build"))
RULES = TOP / "etc/prometheus-alerts.yml"
PROMTOOL = shutil.which("promtool") or str(BUILD / "promtool")
MINUTES = 120
AT = 60  # the trouble begins at this minute, at 3600 s of promtool's clock

# series -> values, a minute apart. Names of labels as the page has them.
QUIET = {
    'roompay_build_info{version="0.1.0"}': f"1x{MINUTES}",
    "roompay_queue_up": f"1x{MINUTES}",
    "roompay_courier_look_timestamp_seconds": f"0+60x{MINUTES}",
    "roompay_unknown_oldest_timestamp_seconds": f"0x{MINUTES}",
    "roompay_outbox_oldest_timestamp_seconds": f"0x{MINUTES}",
    'roompay_holds{state="review"}': f"0x{MINUTES}",
    'roompay_error_events_total{event="double_capture"}': f"3x{MINUTES}",
    'roompay_error_events_total{event="queue_away"}': f"0+1x{MINUTES}",
    'roompay_problems_total{code="slot-held"}': f"0+10x{MINUTES}",
    'roompay_problems_total{code="internal-error"}': f"2x{MINUTES}",
    'roompay_provider_calls_total{call="approve",outcome="ok"}': f"0+90x{MINUTES}",
    'roompay_provider_calls_total{call="approve",outcome="unknown"}': f"0+10x{MINUTES}",
    'roompay_provider_seconds_bucket{call="approve",le="5"}': f"0+100x{MINUTES}",
    'roompay_provider_seconds_bucket{call="approve",le="+Inf"}': f"0+100x{MINUTES}",
    'roompay_journal_sync_seconds_bucket{le="0.25"}': f"0+100x{MINUTES}",
    'roompay_journal_sync_seconds_bucket{le="+Inf"}': f"0+100x{MINUTES}",
    "roompay_log_heard_seconds": f"0.1x{MINUTES}",
    "roompay_log_clock_seconds": f"0.02x{MINUTES}",
    "roompay_log_behind": f"3x{MINUTES}",
    "roompay_log_number": f"0+600x{MINUTES}",
    "roompay_log_snapshot": f"0+600x{MINUTES}",
    "roompay_log_appends_total": f"0+600x{MINUTES}",
    "roompay_log_lost_total": f"0+1200x{MINUTES}",
}


def then(before, after):
    """These values until the trouble begins, those after it."""
    return f"{before}x{AT - 1} {after}x{MINUTES - AT}"


def born(event, name="roompay_error_events_total", label="event"):
    """A counter that nobody knew before, and that never rises again."""
    return {f'{name}{{{label}="{event}"}}': f"_x{AT - 1} 1x{MINUTES - AT}"}


def rising(code):
    return {f'roompay_problems_total{{code="{code}"}}': f"0+1x{MINUTES}"}


ERRORS = "roompay_error_events_total"
# alert: changes to QUIET (None: no such series), minutes after AT at which it fires and (or None) at which it does not yet or no more, labels of the alert
FIRES = {
    "RoompayNotScraped": ({'roompay_build_info{version="0.1.0"}': f"1x{AT} stale"}, 9, 1, {}),
    "RoompayQueueDown": ({"roompay_queue_up": then(1, 0)}, 2, -1, {}),
    "RoompayCourierStopped": (
        {"roompay_courier_look_timestamp_seconds": f"0+60x{AT} {60 * AT}x{MINUTES - AT - 1}"},
        5,
        1,
        {},
    ),
    "RoompayUnknownPayment": (
        {"roompay_unknown_oldest_timestamp_seconds": then(0, 60 * AT)},
        23,
        19,
        {},
    ),
    "RoompayReview": ({'roompay_holds{state="review"}': then(0, 1)}, 2, -1, {}),
    "RoompayMoneyEvent": (
        {f'{ERRORS}{{event="double_capture"}}': then(3, 4)},
        1,
        20,
        {"event": "double_capture"},
    ),
    "RoompayUnbookable": (born("unbookable"), 0, 20, {"event": "unbookable"}),
    "RoompayUndelivered": (
        {"roompay_outbox_oldest_timestamp_seconds": then(0, 60 * AT)},
        33,
        29,
        {},
    ),
    "RoompayHookGone": (born("hook_gone"), 0, 20, {"event": "hook_gone"}),
    "RoompayNotRemoved": (born("not_removed"), 0, 20, {"event": "not_removed"}),
    "RoompayStoreUnavailable": (rising("store-unavailable"), 0, None, {}),
    "RoompayNotReady": (rising("not-ready"), 0, None, {}),
    "RoompayInternalError": (
        born("internal-error", "roompay_problems_total", "code"),
        0,
        20,
        {"code": "internal-error"},
    ),
    "RoompayProviderFails": (
        {'roompay_provider_calls_total{call="approve",outcome="unknown"}': f"0+40x{MINUTES}"},
        0,
        None,
        {},
    ),
    "RoompayProviderSlow": (
        {
            'roompay_provider_seconds_bucket{call="approve",le="5"}': f"0+90x{MINUTES}",
            'roompay_provider_seconds_bucket{call="approve",le="10"}': f"0+100x{MINUTES}",
        },
        0,
        None,
        {},
    ),
    "RoompayBusy": (rising("provider-busy"), 0, None, {}),
    "RoompayJournalSlow": (
        {
            'roompay_journal_sync_seconds_bucket{le="0.25"}': f"0+90x{MINUTES}",
            'roompay_journal_sync_seconds_bucket{le="1"}': f"0+100x{MINUTES}",
        },
        0,
        None,
        {},
    ),
    "RoompayNoRoom": (born("journal_no_room"), 0, 20, {"event": "journal_no_room"}),
    "RoompayLogAway": ({"roompay_log_heard_seconds": then(0.1, 6)}, 2, -1, {}),
    "RoompayClockOff": ({"roompay_log_clock_seconds": then(0.02, 0.6)}, 6, 2, {}),
    "RoompayLogBehind": (born("log_behind"), 0, 20, {"event": "log_behind"}),
    "RoompayLogRefused": (born("log_append_refused"), 0, 20, {"event": "log_append_refused"}),
    "RoompayLogLag": ({"roompay_log_behind": then(3, 2000)}, 3, -1, {}),
    "RoompayLogContention": ({"roompay_log_lost_total": f"0+24000x{MINUTES}"}, 0, None, {}),
    "RoompayLogGrows": (
        {"roompay_log_snapshot": then(0, 0), "roompay_log_number": f"0+3000x{MINUTES}"},
        0,
        None,
        {},
    ),
    "RoompayWorkerStuck": (born("worker_stuck"), 0, 20, {"event": "worker_stuck"}),
}
# A reboot: counters begin anew, and the first thing that they count is trouble.
REBOOT = {f'{ERRORS}{{event="double_capture"}}': f"3x{AT - 1} _x2 1x{MINUTES - AT - 2}"}


def rules():
    """name -> its rule, as it stands in the file."""
    text = RULES.read_text()
    return {
        m[1]: {"severity": m[3], "summary": m[4].strip('"')}
        for m in re.finditer(
            r"- alert: (\w+)\n    expr: '(.*)'\n    for: \w+\n    labels:\n      severity: (\w+)\n    annotations:\n      summary: (.*)\n",
            text,
        )
    }


def fired(alert, labels):
    rule = rules()[alert]
    return [
        {
            "exp_labels": {"severity": rule["severity"], **labels},
            "exp_annotations": {"summary": rule["summary"]},
        }
    ]


def promtool(tmp_path, changes, expected):
    """expected: minute -> {alert: its labels}; each alert that is not named must not fire then."""
    series = {k: v for k, v in {**QUIET, **changes}.items() if v is not None}
    tests = [
        {
            "eval_time": f"{minute}m",
            "alertname": alert,
            "exp_alerts": fired(alert, firing[alert]) if alert in firing else [],
        }
        for minute, firing in expected.items()
        for alert in FIRES
    ]
    path = tmp_path / "test.yml"
    path.write_text(
        json.dumps(
            {
                "rule_files": [str(RULES)],
                "evaluation_interval": "1m",
                "tests": [
                    {
                        "interval": "1m",
                        "input_series": [{"series": k, "values": v} for k, v in series.items()],
                        "alert_rule_test": tests,
                    }
                ],
            }
        )
    )
    done = subprocess.run([PROMTOOL, "test", "rules", str(path)], capture_output=True, text=True)
    return done.returncode == 0, done.stdout + done.stderr


def test_the_rules_are_well_formed():
    done = subprocess.run([PROMTOOL, "check", "rules", str(RULES)], capture_output=True, text=True)
    assert done.returncode == 0 and set(rules()) == set(FIRES), done.stdout + done.stderr


def test_on_a_quiet_day_none_fires(tmp_path):
    ok, said = promtool(tmp_path, {}, {minute: {} for minute in (20, 60, 119)})
    assert ok, said


@pytest.mark.parametrize("alert", FIRES)
def test_an_alert_fires_alone(alert, tmp_path):
    changes, after, silent, labels = FIRES[alert]
    expected = {AT + after: {alert: labels}}
    if silent is not None:
        expected[AT + silent] = {}
    ok, said = promtool(tmp_path, changes, expected)
    assert ok, said


def test_the_first_trouble_after_a_reboot_is_told(tmp_path):
    ok, said = promtool(
        tmp_path, REBOOT, {AT + 3: {"RoompayMoneyEvent": {"event": "double_capture"}}}
    )
    assert ok, said


def test_a_silent_alert_is_found(tmp_path):
    """The tests themselves can fail."""
    ok, said = promtool(tmp_path, {}, {AT: {"RoompayQueueDown": {}}})
    assert not ok and "RoompayQueueDown" in said
