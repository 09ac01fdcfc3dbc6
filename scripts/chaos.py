"""Random kills: the unattended wizard, killed and resumed until it is done, or undone.

A story begins on a fresh practice cluster. The wizard is killed (KILL, TERM, HUP), or stopped and
continued (STOP, CONT), at random moments and started again until it ends by itself; every other
story is then undone, and the undo is killed in the same way. After each story the whole system is
compared with what was planned, or with what was there before, and every write is counted.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wizard.practice.cluster import PracticeCluster, Snapshot
from wizard.practice.helm_binary import helm_binary

LIMIT = 120.0
RUN = ("run", "--yes", "--all")
UNDO = ("undo", "--yes")
KILLS = (signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, signal.SIGSTOP)
"""A process that is stopped is continued after a while, and goes on."""
LONGEST_STOP = 3.0


@dataclass(frozen=True)
class Seen:
    """Everything that a run changes, with what counts its writes."""

    values: bytes
    revisions: tuple[str, ...]
    env: frozenset[str]
    rows: dict[str, tuple[Any, str]]
    generation: int
    beside: frozenset[str]

    @property
    def configs(self) -> dict[str, Any]:
        """What the rows hold."""
        return {name: config for name, (config, _) in self.rows.items()}


def see(cluster: PracticeCluster) -> Seen:
    """The cluster, its database and its values file as they are now."""
    live = cluster.kubernetes.get("Deployment", cluster.namespace, "langsmith-backend") or {}
    (container,) = live["spec"]["template"]["spec"]["containers"]
    helm = cluster.kubernetes.list("Secret", cluster.namespace, {"owner": "helm"})
    labels = sorted((int(it["metadata"]["labels"]["version"]), it["metadata"]["labels"]["status"])
                    for it in helm)  # fmt: skip
    with cluster.connect() as connection:
        found = connection.execute("SELECT id::text, config, xmin::text FROM organizations")
        rows = {id: (config, xmin) for id, config, xmin in found}
    return Seen(
        cluster.values.read_bytes(),
        tuple(f"{version} {status}" for version, status in labels),
        frozenset(entry["name"] for entry in container["env"]),
        rows,
        live["metadata"]["generation"],
        frozenset(path.name for path in cluster.home.iterdir() if path.name.endswith(".tmp")),
    )


class Chaos:
    """Stories on one cluster, until the kills are used up."""

    def __init__(self, cluster: PracticeCluster, fresh: Snapshot, seed: int) -> None:
        self._cluster = cluster
        self._fresh = fresh
        self._random = random.Random(seed)
        self.kills: Counter[str] = Counter()
        self.wrong: list[str] = []
        self.stories = 0

    def story(self, longest: float) -> None:
        """One job, killed until it is done; every other one is undone in the same way."""
        self._cluster.restore(self._fresh)
        before = see(self._cluster)
        self.stories += 1
        self._until_done(RUN, longest)
        done = see(self._cluster)
        self._compare_done(before, done)
        if self.stories % 2 == 0:
            self._until_done(UNDO, longest)
            self._compare_undone(before, see(self._cluster))

    def _until_done(self, words: tuple[str, ...], longest: float) -> None:
        rows = see(self._cluster).rows
        written: Counter[str] = Counter()
        for attempt in range(1, 100):
            moment = self._random.uniform(0.1, longest) if attempt < 12 else LIMIT
            code, said = self._run(words, moment)
            self._settle()
            now = see(self._cluster).rows
            written.update(id for id, row in now.items() if row[1] != rows[id][1])
            rows = now
            if code == 0:
                twice = [id for id, count in written.items() if count > 1]
                self._must(not twice, f"rows were written more than once: {twice}")
                return
            if code not in (9, 130, 143) and code >= 0:
                self._must(False, f"{words[0]} ended with {code}: {said[-800:]}")  # noqa: FBT003
                return
        self._must(False, f"{words[0]} never came to its end")  # noqa: FBT003

    def _run(self, words: tuple[str, ...], moment: float) -> tuple[int, str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "wizard", *words],
            env=self._cluster.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        how = self._random.choice(KILLS)
        already = self._entries()
        try:
            said, _ = process.communicate(timeout=moment)
            return process.returncode, said
        except subprocess.TimeoutExpired:
            process.send_signal(how)
        if how == signal.SIGSTOP:
            time.sleep(self._random.uniform(0.1, LONGEST_STOP))
            process.send_signal(signal.SIGCONT)
        said, _ = process.communicate(timeout=LIMIT)
        where = _told(self._entries()[len(already) :])
        if process.returncode or how == signal.SIGSTOP:
            self.kills[where] += 1
            print(f"  {words[0]}: {how.name} after {moment:5.2f} s, {where}")
        return process.returncode, said

    def _entries(self) -> list[dict[str, Any]]:
        """What all journals hold, oldest run first; a torn last line is left out."""
        journals = sorted((self._cluster.home / "state" / "runs").glob("*/journal.ndjson"))
        lines = (line for path in journals for line in path.read_text().splitlines(keepends=True))
        return [json.loads(line) for line in lines if line.endswith("\n")]

    def _settle(self) -> None:
        """helm and a rollout go on by themselves."""
        ends = time.monotonic() + LIMIT
        while not self._quiet():
            if time.monotonic() > ends:
                raise RuntimeError(f"helm is still at work after {LIMIT:.0f} s")
            time.sleep(0.05)

    def _quiet(self) -> bool:
        cluster = self._cluster
        live = cluster.kubernetes.get("Deployment", cluster.namespace, "langsmith-backend") or {}
        status = live["status"]
        rolled = status.get("observedGeneration") == live["metadata"]["generation"]
        counts = {status.get(name) for name in ("replicas", "updatedReplicas", "readyReplicas")}
        pending = any("pending" in each for each in see(cluster).revisions)
        return rolled and not pending and counts == {live["spec"]["replicas"]}

    def _compare_done(self, before: Seen, now: Seen) -> None:
        self._must(now.values.count(b"name: AUDIT_LOGS_ENABLED") == 1, "the file has it once")
        self._must(now.revisions == ("1 superseded", "2 deployed"), f"{now.revisions}")
        self._must("AUDIT_LOGS_ENABLED" in now.env, "the backend has the variables")
        self._must(now.generation == before.generation + 2, "one upgrade and one restart, not "
                   f"{now.generation - before.generation} rollouts")  # fmt: skip
        self._must(not now.beside, f"left beside the file: {set(now.beside)}")
        check = subprocess.run(
            [sys.executable, "-m", "wizard", "check", "--all"],
            env=self._cluster.environment(), capture_output=True, text=True, check=False,
        )  # fmt: skip
        self._must(check.returncode == 0, f"check says {check.returncode}: {check.stdout[-500:]}")

    def _compare_undone(self, before: Seen, now: Seen) -> None:
        self._must(now.values == before.values, "the file has its bytes back")
        self._must(now.env == before.env, "the backend has its variables back")
        self._must(now.configs == before.configs, "the rows have their state back")
        self._must(now.revisions[2:] == ("3 deployed",), f"one rollback, not {now.revisions}")
        self._must(not now.beside, f"left beside the file: {set(now.beside)}")

    def _must(self, fine: bool, what: str) -> None:  # noqa: FBT001
        if not fine:
            self.wrong.append(f"story {self.stories}: {what}")
            print(f"  WRONG: {what}")


def _told(written: list[dict[str, Any]]) -> str:
    """Where a process was, by the entries that it wrote."""
    if not written:
        return "before it wrote anything"
    last = written[-1]
    if last["event"] == "note" and "helm" in last:
        return "while helm was at work"
    return " ".join(filter(None, ("after", last["event"], last.get("step", ""))))


def main() -> int:
    """Run stories until the kills are used up; 1 when anything was wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=30, help="kills (default: 30)")
    parser.add_argument("--seed", type=int, default=None, help="repeat the moments of a run")
    args = parser.parse_args()
    seed = args.seed if args.seed is not None else random.SystemRandom().randrange(1_000_000)
    folder = Path(tempfile.mkdtemp(prefix="lsa-chaos-"))
    folder.chmod(0o711)
    cluster = PracticeCluster(
        folder / "cluster", helm=helm_binary(3), pod_ready_after=0.1, job_takes=0.1
    )
    cluster.up()
    try:
        chaos = Chaos(cluster, cluster.snapshot(), seed)
        began = time.monotonic()
        subprocess.run([sys.executable, "-m", "wizard", *RUN], env=cluster.environment(),
                       capture_output=True, check=True)  # fmt: skip
        longest = time.monotonic() - began
        print(f"seed {seed}; a run that is left alone takes {longest:.1f} s")
        while sum(chaos.kills.values()) < args.rounds and chaos.stories < 10 * args.rounds:
            chaos.story(longest)
    finally:
        cluster.down()
        shutil.rmtree(folder)
    print(f"{sum(chaos.kills.values())} kills in {chaos.stories} stories, "
          f"{time.monotonic() - began:.0f} s; {len(chaos.wrong)} wrong")  # fmt: skip
    for where, count in chaos.kills.most_common():
        print(f"  {count:3} {where}")
    return 1 if chaos.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
