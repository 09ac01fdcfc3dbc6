"""One run at a time: the file lock here, and the Lease where other machines see it."""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections.abc import Iterator

from wizard.console import screen
from wizard.console.progress import Progress
from wizard.engine.answers import Answers, Declined
from wizard.problems import Exit, Problem
from wizard.records.journal import is_here
from wizard.records.state import Lock, machine
from wizard.systems.access import Systems
from wizard.systems.kubernetes.lease import Holder, Lease

REFUSALS = ("LSA903", "LSA936", "LSA937")


def refuse_if_held(systems: Systems) -> None:
    """Tell at the start that another run is under way, before anything is looked at.

    Raises:
        Problem: LSA936, LSA903.
    """
    lease = _lease(systems)
    try:
        lease.refuse_if_held()
    except Problem as problem:
        if problem.id in REFUSALS:
            raise


@contextlib.contextmanager
def leased(
    systems: Systems, answers: Answers, progress: Progress, run: str, lock: Lock
) -> Iterator[Lease]:
    """Hold the release's Lease for the time of the block; the `lock` is held already.

    Without the right to it, or without a cluster that answers, the run goes on and says so. A
    process that is made to leave at once does not wait for it: it runs out by itself.

    Raises:
        Problem: LSA936, LSA937, LSA903.
        Declined: a dead run's Lease is not to be taken over.
    """
    lease = _lease(systems, lock.name)
    try:
        _take(lease, systems, answers, progress, run)
    except Problem as problem:
        if problem.id in REFUSALS:
            raise
        text = f"No Lease is kept, so only this machine knows of this run: {problem.what}"
        screen.talk().print(screen.info(text, "LSA938"))
    try:
        yield lease
    except KeyboardInterrupt:
        raise
    except BaseException:
        lease.release()
        raise
    else:
        lease.release()


def _take(lease: Lease, systems: Systems, answers: Answers, progress: Progress, run: str) -> None:
    try:
        lease.take(run, take_over=systems.target.take_over, waiting=progress.waiting)
    except Problem as problem:
        if problem.id != "LSA937" or not answers.confirms:
            raise
        screen.talk().print(screen.refusal_block(problem))
        if not answers.consent("take_over"):
            raise Declined from None
        lease.take(run, take_over=True, waiting=progress.waiting)


def _lease(systems: Systems, lock: str = "") -> Lease:
    place = systems.place
    return Lease(
        systems.cluster,
        place.namespace,
        place.release,
        machine=machine(make=bool(lock)),
        lock=lock,
        dead=lambda holder: _dead(holder, lock),
    )


def _dead(holder: Holder, held: str) -> bool:
    """Whether a run of this state folder has ended: its lock is free, or is the one `held` here."""
    if not re.fullmatch(r"[0-9a-f]{16}", holder.lock) or not is_here(holder.run):
        return False
    return holder.lock == held or Lock(holder.lock).free()


@contextlib.contextmanager
def locked(systems: Systems) -> Iterator[Lock]:
    """Hold the lock of a release for the time of the block.

    It goes by the namespace's uid, so that two names of one API server are one; where that may not
    be read by the server's URL, and the Lease alone tells who has the other name.

    Raises:
        Problem: another run holds it, or the state folder cannot be written.
    """
    place = systems.place
    uid = ""
    with contextlib.suppress(Problem):
        uid = systems.uid_of(place.namespace)
    key = f"{uid or place.server}\n{place.namespace}\n{place.release}"
    lock = Lock(hashlib.sha256(key.encode()).hexdigest()[:16])
    if not lock.acquire():
        raise Problem(
            "LSA903",
            "Another langsmith-audit on this machine is changing this release",
            on=f"release {place.release} in namespace {place.namespace}",
            next_step="wait for it, then run this again; langsmith-audit runs lists all runs",
            exit=Exit.FAILED,
        )
    try:
        yield lock
    finally:
        lock.release()
