"""Measures what the simulation must know of MongoDB, on a replica set of three on this host:
measure.py BUILD > tests/sim-scale/measured.txt. Two minutes; nothing else should run meanwhile."""

import pathlib
import resource
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "system"))
from mongo_set import MongoSet  # noqa: E402
from pymongo import WriteConcern  # noqa: E402
from pymongo.errors import PyMongoError  # noqa: E402

RECORD = 500  # bytes of a hold's record
CASES = (  # name, kind, threads, bytes
    ("insert", "insert", 1, RECORD),
    ("insert_16", "insert", 1, 16 * RECORD),
    ("insert_256", "insert", 1, 256 * RECORD),
    ("insert_by_8", "insert", 8, RECORD),
    ("insert_by_32", "insert", 32, RECORD),
    ("taken", "taken", 1, RECORD),
    ("race_of_3", "race", 3, RECORD),
    ("race_of_10", "race", 10, RECORD),
    ("next", "next", 1, RECORD),
    ("absent", "absent", 1, RECORD),
    ("stream_of_1", "stream", 2, RECORD),
    ("stream_of_3", "stream", 4, RECORD),
    ("stream_of_10", "stream", 11, RECORD),
)
TICKS_A_SECOND = 100


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_A_SECOND


def own_seconds():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def measure(program, mongo, case, seconds):
    name, kind, threads, size = case
    primary = mongo.primary()
    pids = [m.process.pid for m in mongo.members]
    before, own_before = [cpu_seconds(p) for p in pids], own_seconds()
    out = subprocess.run(
        [program, mongo.uri, kind, str(threads), str(size), str(seconds)],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    used = [cpu_seconds(p) - b for p, b in zip(pids, before, strict=True)]
    of_primary = used[pids.index(primary.process.pid)]
    figures = dict(line.split() for line in out.splitlines())
    n = int(figures["done"]) + int(figures["lost"])
    print(f"{name}.a_second {n / seconds:.0f}")
    for key, value in figures.items():
        if key.startswith("p") or (key == "lost" and value != "0"):
            print(f"{name}.{key} {value}")
    print(f"{name}.cpu_primary_us {of_primary / n * 1e6:.0f}")
    print(f"{name}.cpu_others_us {(sum(used) - of_primary) / n * 1e6:.0f}")
    print(f"{name}.cpu_client_us {(own_seconds() - own_before) / n * 1e6:.0f}")
    sys.stdout.flush()


def measure_idle(mongo, seconds):
    """What the set uses while nobody asks for anything."""
    pids = [m.process.pid for m in mongo.members]
    before = sum(cpu_seconds(p) for p in pids)
    time.sleep(seconds)
    print(f"idle.cpu_share {(sum(cpu_seconds(p) for p in pids) - before) / seconds:.3f}")


def measure_election(mongo):
    """How long no write gets through after the primary was killed."""
    with mongo.client(serverSelectionTimeoutMS=500, retryWrites=False) as c:
        log = c.measure.get_collection(
            "queue_log", write_concern=WriteConcern(w="majority", j=True)
        )
        mongo.primary().kill()
        began = time.monotonic()
        while time.monotonic() - began < 60:
            try:
                log.insert_one({})
                break
            except PyMongoError:
                pass
    print(f"election.ms {(time.monotonic() - began) * 1000:.0f}")


def main():
    build = pathlib.Path(sys.argv[1])
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 6
    program = str(build / "tests/sim-scale/measure")
    settings = {"electionTimeoutMillis": 10000}  # MongoDB's default
    with (
        tempfile.TemporaryDirectory() as dir,
        MongoSet(build / "mongod", dir, members=3, settings=settings) as mongo,
    ):
        print("# measured by tests/sim-scale/measure.py; times in microseconds")
        measure_idle(mongo, seconds)
        for case in CASES:
            measure(program, mongo, case, seconds)
        measure_election(mongo)


main()
