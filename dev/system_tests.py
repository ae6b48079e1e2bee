"""The system tests, in two groups side by side: much of their time is waiting (for a retry, a
deadline, a server that is away), so two groups take little more time than the longer one.

    dev/system_tests.py BUILD_DIR

What fails beside the other group is run once more alone; if it passes then, the last lines say so.
Writes BUILD_DIR/system.xml. The last line of the output: passed, failed, skipped."""

import pathlib
import subprocess
import sys
import time
import xml.etree.ElementTree as ET

TESTS = pathlib.Path(__file__).resolve().parents[1] / "tests/system"
PYTEST = (sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q")
# Mostly waits. Together they take about as long as all others.
WAITING = (
    "adopt",
    "courier",
    "ctl_json",
    "edges",
    "faults",
    "fence",
    "gave_up",
    "messages_by_hand",
    "metrics",
    "original_gateway",
    "outages",
    "refund",
    "repeats",
    "settle",
    "traps",
)


def files(waiting):
    names = {f"test_{n}.py" for n in WAITING}
    return [str(f) for f in sorted(TESTS.glob("test_*.py")) if (f.name in names) == waiting]


def start(xml, tests, out=None):
    argv = [*PYTEST, "--junit-xml", str(xml), *tests]
    return subprocess.Popen(argv, stdout=out, stderr=out and subprocess.STDOUT)


def cases(xml):
    return list(ET.parse(xml).iter("testcase")) if xml.exists() else []


def is_wrong(case):
    return case.find("failure") is not None or case.find("error") is not None


def node(case):
    return f"{TESTS}/{case.get('classname').rsplit('.', 1)[-1]}.py::{case.get('name')}"


def side_by_side(build):
    """The cases of both groups; None: one of them did not come to its end."""
    xml = {w: build / f"system-{'waiting' if w else 'others'}.xml" for w in (True, False)}
    for x in xml.values():
        x.unlink(missing_ok=True)
    log = build / "system-waiting.log"
    with open(log, "wb") as out:
        running = start(xml[True], files(True), out), start(xml[False], files(False))
        codes = [p.wait() for p in running]
    print(log.read_text(errors="replace"), flush=True)
    whole = all(c in (0, 1) for c in codes) and all(x.exists() for x in xml.values())
    return [c for x in xml.values() for c in cases(x)] if whole else None


def again(build, wrong):
    """Those of them that fail alone, too."""
    xml = build / "system-again.xml"
    xml.unlink(missing_ok=True)
    print(f"once more, alone: {len(wrong)}", flush=True)
    start(xml, [node(c) for c in wrong]).wait()
    right = {node(c) for c in cases(xml) if not is_wrong(c)}
    for c in wrong:
        if node(c) in right:
            print(f"failed beside others, passed alone: {node(c).rsplit('/', 1)[-1]}")
    return [c for c in wrong if node(c) not in right]


def write(xml, found):
    suite = ET.Element("testsuite", name="system", tests=str(len(found)))
    suite.extend(found)
    ET.ElementTree(suite).write(xml)


def main():
    build, began = pathlib.Path(sys.argv[1]), time.monotonic()
    found = side_by_side(build)
    if found is None:
        print("the tests did not come to their end\n0 1 0")
        return 1
    wrong = [c for c in found if is_wrong(c)]
    write(build / "system.xml", found)
    if wrong:
        wrong = again(build, wrong)
    skipped = sum(c.find("skipped") is not None for c in found)
    print(f"system tests: {len(found)} in {time.monotonic() - began:.0f} s")
    print(len(found) - len(wrong) - skipped, len(wrong), skipped)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
