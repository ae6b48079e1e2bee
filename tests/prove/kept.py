"""What `make prove` has proven so far, part by part, in BUILD/prove.

A part that passed is not run again while it would prove the same: a clean tree in which nothing that
the part reads has changed, the same seed, sizes and kind of store. So a run that was stopped, or of
which one part failed, goes on where it was."""

import json
import subprocess

OURS = ":!doc/proof.md"  # what a run writes itself is no change
# What no part reads: documents, other tests, and what only starts the parts and keeps their figures.
NO_PART = (
    "doc/",
    "CHANGELOG.md",
    "tests/bench/",
    "tests/system/test_",
    "tests/prove/kept.py",
    "tests/prove/prove.py",
)
# What only these parts read.
READ_BY = {
    "tests/conform/": ("mutants",),
    "tests/prove/chaos.py": ("chaos",),
    "tests/prove/mutate.py": ("mutants",),
    "tests/system/machine_failures.py": ("put_back", "machines"),
}


def _git(top, *argv):
    done = subprocess.run(["git", "-C", top, *argv], capture_output=True, text=True)
    return done.stdout.strip() if done.returncode == 0 else None


def commit_of(top):
    """The commit, and whether the tree is that commit's. (None, False): this is no checkout."""
    changes = _git(top, "status", "--porcelain", "--", ".", OURS)
    return _git(top, "rev-parse", "HEAD"), changes == ""


class Kept:
    def __init__(self, top, directory, of):
        """of: what else makes it another run."""
        self.top, self.directory = top, directory
        self.commit, self.is_clean = commit_of(top)
        self.of = {"commit": self.commit, **of}

    def _path(self, key):
        return self.directory / f"{key}.json"

    def _has_what_it_read(self, key, commit):
        if commit == self.commit:
            return True
        changed = _git(self.top, "diff", "--name-only", commit, self.commit)
        unread = NO_PART + tuple(f for f, readers in READ_BY.items() if key not in readers)
        return changed is not None and all(f.startswith(unread) for f in changed.splitlines())

    def get(self, key):
        """The part as it was kept, and at which commit; None: it is to be run."""
        try:
            found = json.loads(self._path(key).read_text())
        except (OSError, ValueError):
            return None
        commit = found["of"]["commit"]
        same = {**found["of"], "commit": None} == {**self.of, "commit": None}
        if not self.is_clean or not same or not self._has_what_it_read(key, commit):
            return None
        return {**found["part"], "commit": commit}

    def put(self, key, part):
        self.check_same_tree()
        if not self.is_clean:
            return
        self.directory.mkdir(exist_ok=True)
        whole = self._path(key).with_suffix(".new")
        whole.write_text(json.dumps({"of": self.of, "part": part}))
        whole.replace(self._path(key))

    def check_same_tree(self):
        now = commit_of(self.top)
        assert now == (self.commit, self.is_clean), "the tree has changed since the run began"
