"""Two runs on one release cannot overlap on this machine."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator

from wizard.exits import Exit
from wizard.problems import Problem
from wizard.records.journal import state_folder
from wizard.target import Place


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
