"""Where a secret must not stand: our logs, the process list, the journal of the queue, the store. The tests know every secret of a run: the
stack made the keys, the site saw the tokens and the URLs."""

import itertools
import re

import bson

OURS = ("workers", "queued", "courier", "courier2", "web")


def keys_and_tokens(site):
    """What may be written down nowhere at all."""
    rows = dict(site.stack.secrets())
    rows |= {f"kakaoAccessToken {i}": t for i, t in enumerate(site.user_tokens)} | {
        f"pg_token {i}": t for i, t in enumerate(site.pg_tokens)
    }
    return {name: text.encode() for name, text in rows.items()}


def redirect_urls(site):
    return {f"redirect URL {u}": u.encode() for u in site.urls}


FEW = 200


def _begin_in(data, begins, size):
    """Which of these byte strings of one size stand in the data. None of them has a space in it."""
    found = set()
    for run in re.findall(rb"[^\s\0]{%d,}" % size, data):
        windows = (run[i : i + size] for i in range(len(run) - size + 1))
        found.update(begins.intersection(windows))
    return found


def _find(secrets, places):
    """Of many secrets only those are looked for whose first bytes stand there: a run of hours has
    more of them than its logs have lines."""
    size = min(map(len, secrets.values()), default=0)
    begins = {text[:size] for text in secrets.values()}
    found = []
    for where, data in places:
        seen = _begin_in(data, begins, size) if len(secrets) > FEW else begins
        found += [
            f"{name} in {where}"
            for name, text in secrets.items()
            if text[:size] in seen and text in data
        ]
    return found


def in_logs(site):
    names = [n + ".log" for n in OURS] + ["lighttpd-error.log"]
    logs = [(n, (site.stack.dir / n).read_bytes()) for n in names if (site.stack.dir / n).exists()]
    return _find(keys_and_tokens(site) | redirect_urls(site), logs)


def in_process_list(site):
    """Arguments and environment, of everybody's processes."""
    places = []
    for pid in itertools.chain.from_iterable(site.stack.pids_of(n) for n in (*OURS, "store")):
        for what in ("cmdline", "environ"):
            with open(f"/proc/{pid}/{what}", "rb") as f:
                places.append((f"/proc/{pid}/{what}", f.read()))
    return _find(keys_and_tokens(site) | redirect_urls(site), places)


def in_journal(site):
    files = [(p.name, p.read_bytes()) for p in (site.stack.dir / "queue").iterdir()]
    assert any(p.startswith("segment-") for p, _ in files)
    return _find(keys_and_tokens(site), files)


def in_store(site):
    names = site.db.list_collection_names()
    assert {"payments", "ledger", "deliveries"} <= set(names), names
    return _find(
        keys_and_tokens(site),
        [(n, b"".join(bson.encode(d) for d in site.db[n].find())) for n in names],
    )
