"""All proofs, and doc/proof.md with their figures: `make prove`.

A part that passed is kept in BUILD/prove, and the next run with the same seed takes it from there
while nothing that the part reads has changed (kept.py): a run that was stopped goes on. Nothing is
kept of a tree with changes. When a part fails the others still run; then doc/proof.md is not
written, and the program ends with 1.
--small: the sizes of dev/test; nothing is kept or written."""

import argparse
import json
import os
import pathlib
import platform
import re
import subprocess
import sys
import textwrap
import time
import traceback

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parent)]
import chaos  # noqa: E402
import kept  # noqa: E402
import kill_points  # noqa: E402
import linear  # noqa: E402
import machine_failures  # noqa: E402
import mutate  # noqa: E402
import net_bed  # noqa: E402
import set_failures  # noqa: E402
from store_server import choose  # noqa: E402

TOP = pathlib.Path(__file__).resolve().parents[2]
FULL = {
    "states": 1000000,
    "scenes": 60000,
    "stride": 1,
    "both": True,
    "payments": 10000,
    "pause": 1.0,
    "mutants": None,
    "histories": 1000,
    "primary_stride": 1,
    "set": set_failures.LONG,
    "machines": True,
}
SMALL = {
    "states": 20000,
    "scenes": 2000,
    "stride": 9,
    "both": False,
    "payments": 150,
    "pause": 2.0,
    "mutants": mutate.FEW,
    "histories": 20,
    "primary_stride": 9,
    "set": set_failures.SHORT,
    "machines": False,
}


def say(line):
    print(f"  {line}", flush=True)


def crash_states(build, states, seed=1):
    began = time.monotonic()
    done = subprocess.run(
        [str(build / "tests/unit/test_crash_states")],
        capture_output=True,
        text=True,
        env={**os.environ, "ROOMPAY_CRASH_STATES": str(states), "ROOMPAY_SEED": str(seed)},
    )
    text = done.stdout + done.stderr
    found = re.search(r"crash states: (\d+) of (\d+) runs", text)
    assert done.returncode == 0 and found and int(found[1]) >= states, text[-2000:]
    return {
        "states": int(found[1]),
        "runs": int(found[2]),
        "seed": seed,
        "seconds": round(time.monotonic() - began),
    }


def scenes(build, wanted):
    began = time.monotonic()
    done = subprocess.run(
        [str(build / "tests/unit/test_flow_scenes")],
        capture_output=True,
        text=True,
        env={**os.environ, "ROOMPAY_SCENES": str(wanted)},
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-2000:]
    found = re.search(r"scenes: (\d+)", done.stdout + done.stderr)
    return {
        "random_scenes": wanted,
        "enumerated_scenes": int(found[1]),
        "seconds": round(time.monotonic() - began),
    }


def histories(build, wanted, seed=1, jobs=1):
    return linear.run(
        build / "queued/roompay-queued", build / "linear-check", wanted, seed, jobs=jobs, say=say
    )


def with_set(build, run):
    """None: no mongod here, so no replica set."""
    engine, mongod = choose(build)
    return run(mongod) if engine == "mongod" else None


def check_failures(r):
    """A payment that waits longer than it may is a failure, too. Rows without an allowance are not
    of one failure: several at random, or a database put back."""
    late = [c for c in r["cases"] if "allowed_s" in c and c["beyond_s"] > c["allowed_s"]]
    assert not late and not r["wrong"], f"late: {late}, wrong: {r['wrong']}"


def set_of_three(build, size):
    r = with_set(build, lambda mongod: set_failures.run(build, mongod, size, say=say))
    if r is not None:
        say("\n  ".join(set_failures.lines(r)))
        check_failures(r)
    return r


def with_machines(build, run):
    """None: no namespaces, no mongod or no haproxy here. tests/system/test_machines.py is the small
    form."""
    return None if machine_failures.why_not(build) else run()


def machines_fail(build, *argv, timeout):
    r = machine_failures.run_inside(build, *argv, timeout=timeout)
    for case in r["cases"]:
        say(json.dumps(case))
    check_failures(r)
    return r


def histories_of_machines(build, wanted, seed):
    found = net_bed.result_of(
        TOP / "tests/prove/linear_machines.py",
        *(build, "--histories", str(wanted), "--seed", str(seed), "--plant", "3"),
        timeout=7200,
    )
    say(json.dumps(found))
    missing = [kind for kind, times in found["planted"].items() if times == 0]
    assert not missing, f"nothing could be planted of: {missing}"
    return found


def mutants(build, only):
    r = mutate.run(TOP, build, only, say)
    bad = [f"{m['guard']}: {m['why']}" for m in r["table"] if not m["noticed"]]
    assert not bad, "guards that no test stands for:\n" + "\n".join(bad)
    return r


def parts(build, size, seed):
    """Key, title, and how it is run. A part that cannot be run here has no result (None)."""
    limit = 2 * machine_failures.CHAOS_LIMIT_S
    of_primary = size["primary_stride"]
    return [
        ("crash", "crash states of the journal", lambda: crash_states(build, size["states"], seed)),
        (
            "scenes",
            "scenes: every call into every step of every other",
            lambda: scenes(build, size["scenes"]),
        ),
        (
            "linear",
            "linearizability of the queue",
            lambda: histories(build, size["histories"], seed, jobs=2),
        ),
        (
            "kill",
            "kill points",
            lambda: kill_points.run(build, stride=size["stride"], both=size["both"], say=say),
        ),
        (
            "primary",
            "kill points of a primary",
            lambda: with_set(build, lambda m: kill_points.run_primary(build, m, of_primary, say)),
        ),
        ("set", "failures of a replica set", lambda: set_of_three(build, size["set"])),
        (
            "chaos",
            "chaos",
            lambda: chaos.run(
                build, seed=seed, payments=size["payments"], pause_s=size["pause"], say=say
            ),
        ),
        *(of_machines(build, size["histories"], str(seed), limit) if size["machines"] else []),
        ("mutants", "mutation gate", lambda: mutants(build, size["mutants"])),
    ]


def of_machines(build, wanted, seed, limit):
    return [
        (
            "put_back",
            "three machines: an older database is put back",
            lambda: with_machines(
                build, lambda: machines_fail(build, "--put-back", "--seed", seed, timeout=900)
            ),
        ),
        (
            "machines",
            "three machines: failures",
            lambda: with_machines(
                build,
                lambda: machines_fail(build, "--size", "prove", "--seed", seed, timeout=limit),
            ),
        ),
        (
            "machine_histories",
            "three machines: linearizability",
            lambda: with_machines(build, lambda: histories_of_machines(build, wanted, seed)),
        ),
    ]


def summary(title, part):
    left_out = ("rows", "table", "answers", "wrong", "cases")
    r = part["result"] or {"none": "not possible here"}
    return f"{title}: " + json.dumps({k: v for k, v in r.items() if k not in left_out})


def run_part(run):
    began, at = time.monotonic(), time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
    result = run()
    return {"began": at, "seconds": round(time.monotonic() - began), "result": result}


def prove(chosen, before=None):
    """What each part found, and the titles of those that failed. before: a Kept, or nothing."""
    done, failed = {}, []
    for key, title, run in chosen:
        part = before.get(key) if before else None
        if part is not None:
            print(f"{title}: kept from {part['began']}", flush=True)
        else:
            print(f"{title} ...", flush=True)
            try:
                part = run_part(run)
                if before and part["result"] is not None:
                    before.put(key, part)
            except Exception:
                traceback.print_exc()
                print(f"{title}: FAILED", flush=True)
                failed.append(title)
                continue
        done[key] = part
        print(f"{summary(title, part)} ({part['seconds']} s)", flush=True)
    return done, failed


def figures(done, before):
    """What doc/proof.md tells: the results, when, and of which commit."""
    r = {key: part["result"] for key, part in done.items()}
    r["began"] = min(part["began"] for part in done.values())
    r["minutes"] = round(sum(part["seconds"] for part in done.values()) / 60)
    r["commit"] = (before.commit or "unknown")[:12] + ("" if before.is_clean else " with changes")
    earlier = {part.get("commit", before.commit)[:12] for part in done.values()} - {r["commit"]}
    if earlier:
        r["commit"] += " (what reads nothing that has changed since: " + ", ".join(earlier) + ")"
    return r


def machine():
    model = [
        line.split(":", 1)[1].strip()
        for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    memory = int(pathlib.Path("/proc/meminfo").read_text().split()[1]) // 1048576
    return f"{len(model)} x {model[0] if model else platform.machine()}, {memory} GiB, Linux {platform.release()}"


def in_short_lines(text):
    """Paragraphs of at most 100 characters a line; tables and headings as they are."""

    def fill(block):
        if block.startswith(("|", "#")):
            return block
        return textwrap.fill(block, 100, break_long_words=False, break_on_hyphens=False)

    return "\n\n".join(fill(block) for block in text.rstrip("\n").split("\n\n")) + "\n"


def table(head, rows):
    return "\n".join(
        [
            "| " + " | ".join(head) + " |",
            "|" + " --- |" * len(head),
            *("| " + " | ".join(str(c) for c in r) + " |" for r in rows),
        ]
    )


def primary_report(r):
    if r is None:
        return "The primary of a replica set was not killed: there was no mongod."
    return (
        f"With the primary of a replica set of three as the program that dies: {r['kill_points']} kills, {r['orders']} orders, "
        f"{r['captures']} captures = documents, {r['seconds']} s."
    )


def set_report(r):
    if r is None:
        return "Not shown: there was no mongod."
    rolled = sum(sum(c.get("rolled_back", {}).values()) for c in r["cases"])
    return f"""{table([head for head, _, _ in set_failures.COLUMNS], set_failures.rows(r))}

"No primary": no member was primary that a majority could follow. "No 6 writes": MongoDB did not take six writes one after another with `w: majority, j: true`, as many as a payment waits
for. "No payment": nobody was told 200 by approvePayment. "Beyond": how much longer that was than the longer of the other two. "Longest wait": of one visitor, from the first approvePayment to
the 200. {rolled} documents of the lone primary were rolled back; nobody had been told anything about them that was not true afterwards."""


def machines_report(r):
    failures, h = r["machines"], r["machine_histories"]
    if failures is None or h is None:
        return "Not shown: no network namespaces, no mongod or no haproxy here."
    captures = sum(c["captures"] for c in failures["cases"])
    told = [head for head, _, _ in machine_failures.COLUMNS]
    return f"""{table(told, machine_failures.rows(failures))}

{captures:,} captures, as many documents and deliveries, and no two users had a hold on the same time of a room. An older copy of the database was put back under running machines: all
of them told it, and nobody was charged until the newest copy was there again. {h["histories"]:,} histories of three machines ({h["calls"]:,} calls, {h["cut_off"]:,} of them without an answer),
under {sum(h["failures"].values())} failures: an order was found for each, and each of {sum(h["planted"].values())} planted violations was found. Seed {h["seed"]}."""


def report(r):
    kill, chaos_, crash, lin, mut = r["kill"], r["chaos"], r["crash"], r["linear"], r["mutants"]
    by_victim = {}
    for row in kill["rows"]:
        by_victim.setdefault((row["counts"], row["dies"]), {})
        key = row["query"]
        by_victim[(row["counts"], row["dies"])][key] = (
            by_victim[(row["counts"], row["dies"])].get(key, 0) + row["points"]
        )
    queries = ("payReady", "approve", "removal", "refund")
    return f"""# Proof

Written by `make prove` ({r["began"]}, {r["minutes"]} minutes, commit {r["commit"]}, on {
        machine()
    }, store: {chaos_["store"]}). `make prove PROVE_SEED=N` begins from another seed;
`tests/prove/prove.py BUILD --small` is what `dev/test` runs. Each part below is a program of its own in `tests/prove` and takes `--seed`.

What is proven are the ten invariants of [guarantees.md](guarantees.md), under every failure that these programs can produce. What is not: a store that breaks its promise of `w: majority, j: true`, a disk that
answers a sync and has not written, and the loss of journal and database at the same time.

## Crash states of the journal

`tests/unit/test_crash_states.c` (`ROOMPAY_CRASH_STATES`, `ROOMPAY_SEED`). Random runs of appends, syncs, snapshots and restarts are recorded system call by system call; every prefix is laid
out with what was not synced kept, lost, and torn by sectors; it must open, hold everything that was promised, nothing in half, and go on.

{crash["states"]:,} states of {crash["runs"]:,} runs, seeds from {crash["seed"]}, {
        crash["seconds"]
    } s: none lost anything.

## Every call into every step of every other

`tests/unit/test_flow_scenes.c` (`ROOMPAY_SCENES`). payReady, approve (right and wrong token), refunds, removals and the courier's settling, each with every other one coming in before each of its
steps, steps failing once or for good, workers that stand still for 9 s, 20 s and 700 s, and with nobody but the courier to finish.

{r["scenes"]["enumerated_scenes"]:,} scenes enumerated, {
        r["scenes"]["random_scenes"]:,} random ones with failing steps, {r["scenes"]["seconds"]} s.

## Linearizability of the queue

`tests/prove/linear.py` and `tests/prove/linear/`. Concurrent clients of a real roompay-queued that is killed and started again write down what they asked, when, and what it said.
[Porcupine](https://github.com/anishathalye/porcupine) looks for one order of all calls that explains every answer; the rules of a room are written for it once more, in Go.

{lin["histories"]:,} histories of {lin["rooms"]:,} rooms, {lin["calls"]:,} calls, of which {
        lin["cut_off"]:,} were cut off by {lin["kills"]:,} kills; seed {lin["seed"]}, {
        lin["seconds"]
    } s. All were explained.
Answers of these histories that were then changed on purpose, so that no order can explain them, were all found:

{table(["violation that was planted", "times"], sorted(lin["planted"].items()))}

## Kill points

`tests/prove/kill_points.py`, `killpoint.c`. kill -9 of each program at every step of each query, before and after it: a step is whatever leaves the program (bytes on a socket, writes and
syncs of a file), counted inside of it. Then everything is started again; half of the callers repeat their request, the others leave it to the courier.
The gatherers are the two processes through which the workers of a master ask the database: where one of them dies, the worker asks by itself, and the master starts another one.

{
        table(
            ["who counts", "who dies", *queries],
            [[c, d, *(n.get(q, "") for q in queries)] for (c, d), n in by_victim.items()],
        )
    }

{kill["kill_points"]} kills, {kill["orders"]} orders, {kill["seconds"]} s. In the end {
        kill["captures"]
    } captures = documents in `payments`, one an order, each delivered, no hold left, nothing open.

{primary_report(r["primary"])}

## Failures of a replica set

`tests/system/set_failures.py`. A MongoDB replica set of three members fails, while payments go on through the three queries. A primary is cut off by proxies on loopback between the members:
it loses the other two, and clients still reach it.

{set_report(r["set"])}

## Three machines

`tests/system/machine_failures.py` and `tests/prove/linear_machines.py`. Three machines with everything, each in a network namespace, a replica set of three in three more, a load balancer
before them. "Errors told": answers that made a user come again.

{machines_report(r)}

## Chaos

`tests/prove/chaos.py`. {
        chaos_[
            "orders"
        ]:,} orders of 300 users on 6 rooms, faults of KakaoPay in every call, each of its undocumented switches turned both ways, a proxy before the store that
drops requests and answers, delays and resets, and random kill -9 of everything. kakaopay-sim's list of captures is the judge of all invariants.

{
        table(
            ["", ""],
            [
                ["payments captured", f"{chaos_['payments']:,}"],
                ["refunds asked for", chaos_["refunds"]],
                ["kills", ", ".join(f"{k} {v}" for k, v in sorted(chaos_["kills"].items()))],
                ["faults of the store's network", chaos_["store_faults"]],
                [
                    "inserts that were seen to ask for `w: majority, j: true`, or to wait with a later one that did",
                    f"{chaos_['inserts_checked'] - chaos_['inserts_waited']:,} and {chaos_['inserts_waited']:,} (all)",
                ],
                ["switches turned", sum(chaos_["switches"].values())],
                [
                    "payments left for an operator (KakaoPay answered another amount)",
                    chaos_["reviews"],
                ],
                ["violations", len(chaos_["wrong"])],
                ["seed, seconds", f"{chaos_['seed']}, {chaos_['seconds']}"],
            ],
        )
    }

## Mutation gate

`tests/prove/mutate.py` takes away one guard at a time and shows that a test fails for it: {
        mut["noticed"]
    } of {mut["mutants"]}, {mut["seconds"]} s.

{
        table(
            ["guard", "in", "noticed by"],
            [
                [
                    m["guard"],
                    f"`{m['file']}`",
                    "`" + m["tests"].replace("system:", "tests/system/").replace(" ", "`, `") + "`",
                ]
                for m in mut["table"]
            ],
        )
    }
"""


def main():
    p = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    p.add_argument("build")
    p.add_argument("--small", action="store_true")
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--only", action="append", help="a part by its key; may come again")
    a = p.parse_args()
    build, size = pathlib.Path(a.build).resolve(), SMALL if a.small else FULL
    chosen = [part for part in parts(build, size, a.seed) if a.only is None or part[0] in a.only]
    if a.small:
        return 1 if prove(chosen)[1] else 0
    of = {"seed": a.seed, "size": size, "store": choose(build)[0]}
    before = kept.Kept(TOP, build / "prove", of)
    done, failed = prove(chosen, before)
    if failed:
        print("failed: " + "; ".join(failed) + ". doc/proof.md is as it was")
        return 1
    if a.only is None:
        before.check_same_tree()
        (TOP / "doc/proof.md").write_text(in_short_lines(report(figures(done, before))))
        print("doc/proof.md is written")
    return 0


if __name__ == "__main__":
    sys.exit(main())
