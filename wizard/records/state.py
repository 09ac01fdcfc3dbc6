"""The state folder: where it is, that it is ours alone, this machine's id in it, and locks.

What is read there is believed (an undo writes what a journal says), so a folder or file that
belongs to somebody else, or that others may write, is refused, as ssh does with its keys.

Runs exclude each other by `flock` itself: filelock falls back to a file that outlives a kill where
there is no flock. The lock is named by the namespace's uid, and the Lease names lock and machine:
a run is dead where its own lock is free, or where nobody renewed its Lease while one watched.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shlex
import stat
from collections.abc import Iterator
from pathlib import Path

from wizard.files import FULL, make_private, open_private, read_file, write_private
from wizard.problems import Problem

VARIABLE = "LANGSMITH_AUDIT_STATE_DIR"
RUNS = "runs"
_LARGEST_ID = 1000


def state_folder() -> Path:
    """The folder of all runs: the variable's, or the platform's state folder.

    Raises:
        Problem: its name cannot be told in a journal.
    """
    if os.environ.get(VARIABLE):
        folder = Path(os.path.expanduser(os.environ[VARIABLE]))  # noqa: PTH111 - no error
    else:
        import platformdirs

        folder = platformdirs.user_state_path("langsmith-audit", appauthor=False)
    try:
        str(folder).encode()
    except UnicodeEncodeError:
        raise Problem(
            "LSA902",
            "The name of the state folder is not UTF-8; no change is made without a journal",
            on=str(folder),
            next_step=_elsewhere(),
        ) from None
    return folder


def made_private(*names: str) -> Path:
    """The state folder, or one in it, made if need be, and readable by its owner alone.

    Raises:
        Problem: LSA902 it cannot be made or used, LSA940 it is not ours alone.
    """
    folder = state_folder()
    with told_as_problem(folder):
        for name in ("", *names):
            folder = folder / name
            make_private(folder)
            refuse_foreign(folder)
            if stat.S_IMODE(folder.stat().st_mode) & 0o077:
                folder.chmod(0o700)
    return folder


@contextlib.contextmanager
def told_as_problem(path: Path) -> Iterator[None]:
    """What the system says of a path in the state folder becomes a Problem (LSA902)."""
    try:
        yield
    except OSError as error:
        raise not_written("The state folder cannot be used", error, path) from error


def refuse_foreign(path: Path) -> None:
    """Make sure that nobody but this user (and root, who may do all) can have written it.

    Raises:
        OSError: it cannot be looked at.
        Problem: LSA902 root's, LSA940 another's, or others may write it.
    """
    if not hasattr(os, "geteuid"):
        return
    facts = path.stat()
    if facts.st_uid == os.geteuid():
        if facts.st_mode & 0o022:
            raise Problem(
                "LSA940",
                "Other users may write it, so that what it says is not believed",
                on=str(path),
                next_step=f"look whether all in it is yours, then chmod -R go-rwx {_shown(path)}; "
                f"or {_elsewhere()}",
            )
    elif facts.st_uid == 0:
        raise Problem(
            "LSA902",
            "The state folder is root's, as a run with sudo leaves it; no change is made without "
            "it",
            on=str(path),
            next_step=f"sudo chown -R {os.geteuid()} {_shown(path)}, or {_elsewhere()}",
        )
    else:
        raise Problem(
            "LSA940",
            f"It belongs to another user (uid {facts.st_uid}), so that what it says is not "
            "believed",
            on=str(path),
            next_step=f"look who made it, and remove it; or {_elsewhere()}",
        )


def machine(*, make: bool) -> str:
    """A random id that names this state folder, and with it this machine; empty where none is made.

    Raises:
        Problem: it can neither be read nor made.
    """
    path = state_folder() / "machine"
    with told_as_problem(path):
        if make and not path.exists():
            draft = made_private() / f"machine.{secrets.token_hex(6)}"
            write_private(draft, secrets.token_hex(16).encode())
            draft.replace(path)
        if not path.exists():
            return ""
        refuse_foreign(path.parent)
        refuse_foreign(path)
        return read_file(path, _LARGEST_ID).decode("ascii", "replace").strip()


class Lock:
    """A lock by name that one process of this machine holds, until it ends in whatever way."""

    def __init__(self, name: str) -> None:
        """Raises: Problem, the folder of the locks cannot be used."""
        self.name = name
        self.path = made_private("locks") / f"{name}.lock"
        self._handle: int | None = None

    def acquire(self) -> bool:
        """Take it at once, or say that another process has it.

        Raises:
            Problem: LSA902, the file system has no locks, or the file cannot be opened.
        """
        import fcntl

        with told_as_problem(self.path):
            handle = open_private(self.path, os.O_RDWR)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            return False
        except OSError as error:
            os.close(handle)
            raise Problem(
                "LSA902",
                f"No lock can be held on the file system of the state folder: {error.strerror}; no "
                "change is made without one",
                on=str(self.path),
                next_step=f"set {VARIABLE} to a folder on a local disk",
            ) from None
        self._handle = handle
        return True

    def release(self) -> None:
        """Let go of it; the file stays, so that all who wait wait for the same one."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    def free(self) -> bool:
        """Whether no process holds it.

        Raises:
            Problem: see `acquire`.
        """
        if not self.acquire():
            return False
        self.release()
        return True


def _elsewhere() -> str:
    return f"set {VARIABLE} to a folder that is yours alone"


def not_written(what: str, error: OSError, path: Path) -> Problem:
    """The problem of a state folder that cannot be used, or of a file in it."""
    full = error.errno in FULL
    mend = "make room on its disk" if full else f"make {_shown(state_folder())} writable"
    return Problem(
        "LSA902",
        f"{what}: {error.strerror or type(error).__name__}; no change is made without it",
        on=str(path),
        next_step=f"{mend}, or set {VARIABLE} to a folder {'with room' if full else 'that is'}",
    )


def _shown(path: Path) -> str:
    return shlex.quote(str(path))
