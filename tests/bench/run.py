#!/usr/bin/env python3
"""Side by side behind the same web server, in one run: the null FastCGI application, a refused payReady (slot-held), a replayed payReady, and the whole
three-query flow. Prints rates, CPU time per request of the workers, PSS per worker, and ratios to the null application.

    tests/bench/run.py BUILD_DIR [--seconds 5] [--workers 8] [--clients 16]
"""

import argparse
import json
import os
import pathlib
import platform
import subprocess
import sys
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "system"))

from booking_site import Site, new_id  # noqa: E402
from stack import Stack  # noqa: E402

WRK_SCRIPT = """
wrk.method = "POST"
wrk.body = [==[%s]==]
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Authorization"] = "Bearer %s"
local wrong = 0
function response(status) if status ~= %d then wrong = wrong + 1 end end
done = function(summary, latency)
  io.write(string.format("RESULT %%d %%d %%d %%d %%d\\n", summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
           summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout))
end
"""


def cpu_seconds(pids):
    tick = os.sysconf("SC_CLK_TCK")
    total = 0
    for pid in pids:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        total += int(fields[11]) + int(fields[12])
    return total / tick


def pss_kib(pid):
    for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1])
    return 0


def wrk(url, body, token, status, seconds, clients):
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as f:
        f.write(WRK_SCRIPT % (json.dumps(body), token, status))
        f.flush()
        out = subprocess.run(
            ["wrk", "-t", "2", "-c", str(clients), "-d", f"{seconds}s", "-s", f.name, url],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
    line = next(x for x in out.splitlines() if x.startswith("RESULT"))
    n, us, p50, p99, errors = map(int, line.split()[1:])
    other = next((int(x.split(":")[1]) for x in out.splitlines() if "Non-2xx" in x), 0)
    wrong = (other if status < 400 else n - other) + errors
    return {"n": n, "rate": n / us * 1e6, "p50_ms": p50 / 1e3, "p99_ms": p99 / 1e3, "wrong": wrong}


def flow(site, seconds, clients):
    """Whole payments, each by one simulated user: payReady, pay at the simulator, approvePayment; reservation removes by itself."""
    end, times, lock = time.monotonic() + seconds, [], threading.Lock()

    def user():
        while time.monotonic() < end:
            began = time.monotonic()
            _body, _token, a = site.paid(user="u-" + new_id())
            assert a.status == 200, a
            with lock:
                times.append(time.monotonic() - began)

    began = time.monotonic()
    threads = [threading.Thread(target=user) for _ in range(clients)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    times.sort()
    return {
        "n": len(times),
        "rate": len(times) / (time.monotonic() - began),
        "p50_ms": times[len(times) // 2] * 1e3,
        "p99_ms": times[int(len(times) * 0.99)] * 1e3,
        "wrong": 0,
    }


def measured(name, pids, run):
    before = cpu_seconds(pids)
    row = run()
    row.update(
        name=name,
        cpu_us=(cpu_seconds(pids) - before) / max(row["n"], 1) * 1e6,
        pss=sum(map(pss_kib, pids)) / len(pids),
    )
    return row


def refused(build, seconds, workers=8, clients=16, rounds=3):
    """The null application and a refused payReady in turns: the median of each."""
    found = {"null": [], "ours": []}
    with Stack(build, workers=workers, null_app=True) as stack:
        site = Site(stack)
        room = new_id()
        site.opened(user="holder", room=room)
        body, token = Site.booking(user="other", room=room), stack.tokens["gateway"]
        kinds = {
            "null": (stack.null_pids(), stack.null_url),
            "ours": (stack.worker_pids(), site.base),
        }
        for _ in range(rounds):
            for name, (pids, base) in kinds.items():
                row = measured(
                    name,
                    pids,
                    lambda base=base: wrk(base + "/payReady", body, token, 409, seconds, clients),
                )
                found[name].append(row)
    return {k: sorted(v, key=lambda r: r["rate"])[rounds // 2] for k, v in found.items()}


def main():
    p = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    p.add_argument("build")
    p.add_argument("--seconds", type=int, default=5)
    p.add_argument("--workers", type=int, default=8)
    p.add_argument("--clients", type=int, default=16)
    args = p.parse_args()
    rows = []
    for mode in ("spawn-fcgi", "master"):
        with Stack(
            args.build, workers=args.workers, mode=mode, null_app=(mode == "spawn-fcgi")
        ) as stack:
            site = Site(stack)
            room = new_id()
            held, _ = site.opened(user="holder", room=room)
            refused = Site.booking(user="other", room=room)
            token = stack.tokens["gateway"]
            pids = stack.worker_pids()
            if mode == "spawn-fcgi":
                rows.append(
                    measured(
                        "null application",
                        stack.null_pids(),
                        lambda: wrk(
                            stack.null_url + "/payReady",
                            refused,
                            token,
                            409,
                            args.seconds,
                            args.clients,
                        ),
                    )
                )
            rows.append(
                measured(
                    f"refused payReady, {mode}",
                    pids,
                    lambda: wrk(
                        site.base + "/payReady", refused, token, 409, args.seconds, args.clients
                    ),
                )
            )
            rows.append(
                measured(
                    f"replayed payReady, {mode}",
                    pids,
                    lambda: wrk(
                        site.base + "/payReady", held, token, 200, args.seconds, args.clients
                    ),
                )
            )
            rows.append(
                measured(
                    f"three-query flow, {mode}",
                    pids,
                    lambda: flow(site, args.seconds, min(args.clients, 4)),
                )
            )
    floor = rows[0]["rate"]
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, {args.workers} workers, {args.clients} clients, {args.seconds} s each"
    )
    print(
        f"{'':32} {'per s':>9} {'/ null':>7} {'p50 ms':>8} {'p99 ms':>8} {'CPU us':>8} {'PSS KiB':>8} {'wrong':>6}"
    )
    for r in rows:
        print(
            f"{r['name']:32} {r['rate']:9.0f} {r['rate'] / floor:7.2f} {r['p50_ms']:8.2f} {r['p99_ms']:8.2f} {r['cpu_us']:8.0f} "
            f"{r['pss']:8.0f} {r['wrong']:6}"
        )
    return 1 if any(r["wrong"] for r in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
