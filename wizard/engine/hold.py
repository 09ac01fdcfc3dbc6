"""One run at a time: the file lock here, and the Lease where other machines see it."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator

from wizard.console import screen
from wizard.console.progress import Progress
from wizard.engine.answers import Answers, Declined
from wizard.problems import Exit, Problem
from wizard.records.journal import state_folder
from wizard.settings import Place
from wizard.systems.access import Systems
from wizard.systems.kubernetes.lease import Lease

REFUSALS = ("LSA936", "LSA937")


def refuse_if_held(systems: Systems) -> None:
    """Tell at the start that a run of another machine is under way, before anything is looked at.

    Raises:
        Problem: LSA936.
    """
    try:
        _lease(systems).refuse_if_held()
    except Problem as problem:
        if problem.id in REFUSALS:
            raise


@contextlib.contextmanager
def leased(systems: Systems, answers: Answers, progress: Progress, run: str) -> Iterator[Lease]:
    """Hold the release's Lease for the time of the block; the file lock is held already.

    Without the right to it, or without a cluster that answers, the run goes on and says so. A
    process that is made to leave at once does not wait for it: it runs out by itself.

    Raises:
        Problem: LSA936, LSA937.
        Declined: a dead run's Lease is not to be taken over.
    """
    lease = _lease(systems)
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


def _lease(systems: Systems) -> Lease:
    place = systems.place
    return Lease(systems.cluster, place.namespace, place.release, str(state_folder().absolute()))


@contextlib.contextmanager
def locked(place: Place) -> Iterator[None]:
    """Hold the lock of a release for the time of the block.

    Raises:
        Problem: another run holds it, or the state folder cannot be written.
    """
    from filelock import FileLock, Timeout

    key = f"{place.server}\n{place.namespace}\n{place.release}"
    name = hashlib.sha256(key.encode()).hexdigest()[:16]
    folder = state_folder() / "locks"
    subject = f"release {place.release} in namespace {place.namespace}"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = FileLock(folder / f"{name}.lock", timeout=0, mode=0o600)
        lock.acquire()
    except Timeout:
        raise Problem(
            "LSA903",
            "Another langsmith-audit on this machine is changing this release",
            on=subject,
            next_step="wait for it, then run this again; langsmith-audit runs lists all runs",
            exit=Exit.FAILED,
        ) from None
    except OSError as error:
        raise Problem(
            "LSA902",
            f"The lock cannot be written: {error.strerror}; no change is made without it",
            on=str(folder),
            next_step="make it writable, or set LANGSMITH_AUDIT_STATE_DIR to a folder that is",
        ) from None
    try:
        yield
    finally:
        lock.release()
