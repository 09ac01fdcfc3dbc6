"""A Lease in the release's namespace: which run is under way, whose, and until when it counts.

It is renewed by a thread while the run lasts, with times by the API server's clock. A run is dead
where its own lock is free, which only its own machine can tell, or where its Lease was not renewed:
that one is taken over only knowingly, and only after it was seen to stand still.
"""

from __future__ import annotations

import contextlib
import getpass
import platform
import re
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from wizard.problems import Exit, Problem
from wizard.record import dataclass
from wizard.systems.calls import poll
from wizard.systems.kubernetes.cluster import Cluster, Resource

LEASES = Resource("leases", "Lease", "coordination.k8s.io")
SECONDS = 30
"""How long a Lease counts after it was renewed; it is renewed three times as often."""
RUN = "langsmith-audit/run"
MACHINE = "langsmith-audit/machine"
LOCK = "langsmith-audit/lock"
_LONGEST = 3600
"""Seconds that a Lease can count; who writes more has written something else."""


@dataclass(frozen=True)
class Holder:
    """Who holds a Lease, for which run, under which lock, and until when."""

    who: str
    run: str
    machine: str
    lock: str
    until: datetime
    seconds: int
    version: str

    @property
    def told(self) -> str:
        """The holder in words."""
        return f"run {self.run or '?'} of {self.who}, held until {self.until:%Y-%m-%d %H:%M:%S} UTC"


class Lease:
    """The Lease of one release, held by a run of this `machine` under the `lock` of that name.

    `dead` says of a holder on this machine whether its own lock proves that it has ended.
    """

    def __init__(
        self,
        cluster: Cluster,
        namespace: str,
        release: str,
        *,
        machine: str,
        lock: str = "",
        dead: Callable[[Holder], bool],
    ) -> None:
        self._cluster = cluster
        self._namespace = namespace
        self._release = release
        self.name = f"langsmith-audit-{release}"[:253]
        self._machine = machine
        self._lock = lock
        self._dead_here = dead
        self._over = threading.Event()
        self._thread: threading.Thread | None = None
        self._run = ""
        self._lost: Problem | None = None

    def holder(self) -> Holder | None:
        """Who holds it now; none when there is no Lease or it was given back."""
        found = self._cluster.get(LEASES, self.name, self._namespace)
        return _read(found) if found else None

    def refuse_if_held(self) -> None:
        """Make sure that no other run is under way.

        Raises:
            Problem: LSA936, LSA903 one of this machine; and what the API server refuses.
        """
        holder = self.holder()
        if holder and holder.until > self._cluster.now() and not self._proven_dead(holder):
            raise self._under_way(holder)

    def take(self, run: str, *, take_over: bool, waiting: Callable[[str, float], None]) -> None:
        """Take the Lease, and keep renewing it until `release`.

        `waiting` is told while a Lease is watched before it is taken over. One that a dead run of
        this machine left is taken at once.

        Raises:
            Problem: LSA936 another run is under way (LSA903 one of this machine), LSA937 a dead one
                holds it and `take_over` is not given; and what the API server refuses.
        """
        holder = self.holder()
        if holder and not self._proven_dead(holder):
            self._make_sure(holder, take_over=take_over, waiting=waiting)
        try:
            self._write(run, holder)
        except Problem:
            self.refuse_if_held()  # somebody was faster
            raise
        self._run = run
        self._thread = threading.Thread(target=self._renew, name="lease", daemon=True)
        self._thread.start()

    def release(self) -> None:
        """Stop renewing, and remove the Lease if it is still this run's."""
        self._over.set()
        if self._thread:
            self._thread.join(SECONDS)
        with contextlib.suppress(Problem):  # it runs out by itself
            holder = self.holder()
            if holder and self._ours(holder):
                self._cluster.delete(LEASES, self.name, self._namespace, version=holder.version)

    def check(self) -> None:
        """Make sure before a change that nobody has taken it over meanwhile.

        It is asked for now: a machine that slept has missed what was done until it woke up.

        Raises:
            Problem: LSA936.
        """
        if self._thread:
            with contextlib.suppress(Problem):
                self._renew_once()
        if self._lost:
            raise self._lost

    def _make_sure(
        self, holder: Holder, *, take_over: bool, waiting: Callable[[str, float], None]
    ) -> None:
        over = holder.until <= self._cluster.now()
        if not take_over:
            raise self._dead(holder) if over else self._under_way(holder)
        # What has run out needs to miss one renewal alone; whose clock ran ahead, all of its time.
        limit = (holder.seconds / 3 if over else holder.seconds) + 2
        what = f"watching whether {holder.who} still renews its Lease ({limit:.0f} s)"
        for spent in poll(limit):
            waiting(what, spent)
            now = self.holder()
            if now and now.version != holder.version:
                raise self._under_way(now)

    def _proven_dead(self, holder: Holder) -> bool:
        return self._here(holder) and self._dead_here(holder)

    def _here(self, holder: Holder) -> bool:
        return bool(self._machine) and holder.machine == self._machine

    def _ours(self, holder: Holder) -> bool:
        return (holder.run, holder.machine) == (self._run, self._machine)

    def _write(self, run: str, holder: Holder | None) -> None:
        body = self._body(run)
        if holder is None:
            self._cluster.create(LEASES, self._namespace, body)
            return
        body["metadata"]["resourceVersion"] = holder.version
        self._cluster.patch(LEASES, self.name, self._namespace, body, strategic=False)

    def _body(self, run: str) -> dict[str, Any]:
        now = f"{self._cluster.now():%Y-%m-%dT%H:%M:%S.%fZ}"
        try:
            user = getpass.getuser()
        except (OSError, KeyError):  # no such user in a container
            user = "unknown"
        return {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": LEASES.kind,
            "metadata": {
                "name": self.name,
                "namespace": self._namespace,
                "annotations": {RUN: run, MACHINE: self._machine, LOCK: self._lock},
            },
            "spec": {
                "holderIdentity": f"{user}@{platform.node()}",
                "leaseDurationSeconds": SECONDS,
                "acquireTime": now,
                "renewTime": now,
            },
        }

    def _renew(self) -> None:
        """Renew until the run is over; whatever goes wrong, the run goes on."""
        while not self._over.wait(SECONDS / 3):
            with contextlib.suppress(Problem):
                self._renew_once()
            if self._lost:
                return

    def _renew_once(self) -> None:
        holder = self.holder()
        if holder is None:
            self._lost = Problem(
                "LSA936",
                "The Lease of this run is gone: another run took it over and has ended, or "
                "somebody deleted it",
                on=f"Lease {self.name} in namespace {self._namespace}",
                next_step="langsmith-audit run looks again, and goes on from what is there",
                exit=Exit.FAILED,
            )
        elif not self._ours(holder):
            self._lost = self._under_way(holder)
        else:
            self._write(self._run, holder)

    def _under_way(self, holder: Holder) -> Problem:
        here = self._here(holder)
        return Problem(
            "LSA903" if here else "LSA936",
            f"Another langsmith-audit is changing this release: {holder.told}",
            on=f"Lease {self.name} in namespace {self._namespace}",
            next_step="wait for it; langsmith-audit runs lists all runs of this machine"
            if here
            else "wait for it; when its machine is gone, --take-over watches whether the Lease is "
            f"still renewed ({holder.seconds} s), and takes it",
            exit=Exit.FAILED,
        )

    def _dead(self, holder: Holder) -> Problem:
        return Problem(
            "LSA937",
            f"A run from another machine was left in the middle: {holder.told}",
            on=f"Lease {self.name} in namespace {self._namespace}",
            next_step="its journal is on that machine, and only there it can be undone; "
            "--take-over goes on from what is there",
            exit=Exit.FAILED,
        )


def _read(found: Mapping[str, Any]) -> Holder | None:
    spec, meta = _map(found.get("spec")), _map(found.get("metadata"))
    who = str(spec.get("holderIdentity") or "")
    notes = _map(meta.get("annotations"))
    told = spec.get("leaseDurationSeconds")
    seconds = told if isinstance(told, int) and 0 < told <= _LONGEST else SECONDS
    renewed = _time(str(spec.get("renewTime") or spec.get("acquireTime") or ""))
    return Holder(
        who or "nobody",
        str(notes.get(RUN, "")),
        str(notes.get(MACHINE, "")),
        str(notes.get(LOCK, "")),
        renewed + timedelta(seconds=seconds if who else 0),
        seconds,
        str(meta.get("resourceVersion", "")),
    )


def _map(found: Any) -> Mapping[str, Any]:
    return found if isinstance(found, Mapping) else {}


_LATEST = datetime.max.replace(tzinfo=UTC) - timedelta(seconds=_LONGEST)


def _time(text: str) -> datetime:
    """A MicroTime; what cannot be read is long ago."""
    match = re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", text)
    try:
        told = datetime.fromisoformat(match[0] if match else "").replace(tzinfo=UTC)
    except ValueError:
        return datetime.fromtimestamp(0, UTC)
    return min(told, _LATEST)
