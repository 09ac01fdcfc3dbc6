"""Reading and writing values files: atomic, and nothing of the file changes but its content."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import stat
from pathlib import Path

from wizard.files import FULL, create_private, make_private, read_file, sync_folder, write_private
from wizard.problems import Exit, Problem
from wizard.systems.values.reading import LIMIT


def read_values(path: Path) -> bytes:
    """The bytes of a values file.

    Raises:
        Problem: it is missing, not a regular file, unreadable, or larger than 1 MB.
    """
    try:
        return read_file(path, LIMIT)
    except OSError as error:
        if error.errno == errno.EFBIG:
            raise Problem(
                "LSA302",
                f"The file is larger than {LIMIT:,} bytes, the most that is read of a values file",
                on=str(path),
                next_step="check that it is the right file; if it is, put the two variables into "
                "a small values file of their own and name it last",
                exit=Exit.FAILED,
            ) from error
        raise Problem(
            "LSA301",
            f"The values file cannot be read: {_reason(error)}",
            on=str(path),
            next_step="check the path and the file's permissions, then run it again",
            exit=Exit.USAGE,
        ) from error


def write_values(path: Path, *, before: bytes, after: bytes, backup: Path | None = None) -> None:
    """Replace the content of a values file, if it still is `before`.

    The new content is written beside the file, synced and renamed over it; mode, owner, extended
    attributes and a symbolic link to it stay. With `backup`, the old content is kept there first,
    readable by its owner alone.

    Raises:
        Problem: the file has changed, or it or its folder cannot be written. Nothing was changed.
    """
    target = Path(os.path.realpath(path))
    _refuse_changed(path, before)
    if not os.access(target, os.W_OK):
        read_only = hasattr(os, "statvfs") and os.statvfs(target).f_flag & os.ST_RDONLY
        why = "the file system is read-only" if read_only else "it is write-protected"
        raise _unwritable(path, why)
    if backup is not None:
        _keep(backup, before)
    try:
        remove_leftovers(path)
        _replace(path, target, before, after)
    except OSError as error:
        mend = ROOM if error.errno in FULL else ""
        raise _unwritable(path, f"{_reason(error)} (in {target.parent})", mend) from error


def leftovers(path: Path) -> list[Path]:
    """Unfinished new contents beside a values file, as a process that was killed leaves them."""
    target = Path(os.path.realpath(path))
    start = f".{target.name[:200]}."
    ours = re.compile(re.escape(start) + r"[0-9a-f]{12}\.tmp")
    try:
        return sorted(each for each in target.parent.iterdir() if ours.fullmatch(each.name))
    except OSError:
        return []


def remove_leftovers(path: Path) -> int:
    """Remove them, and say how many there were: they hold what the values file holds."""
    found = leftovers(path)
    for each in found:
        each.unlink(missing_ok=True)
    return len(found)


def _replace(path: Path, target: Path, before: bytes, after: bytes) -> None:
    beside = target.with_name(f".{target.name[:200]}.{secrets.token_hex(6)}.tmp")
    try:
        with os.fdopen(create_private(beside), "wb") as file:
            file.write(after)
            _keep_facts(target, file.fileno())
            file.flush()
            os.fsync(file.fileno())
            _refuse_changed(path, before)
            if not os.path.samestat(beside.lstat(), os.fstat(file.fileno())):
                raise _unwritable(path, f"somebody else put another file at {beside}")
            beside.replace(target)
    finally:
        with contextlib.suppress(OSError):
            beside.unlink()
    with contextlib.suppress(OSError):
        sync_folder(target.parent)


def _keep_facts(source: Path, handle: int) -> None:
    """Owner, attributes and mode, by the open handle: its name may be another file's by now."""
    facts, now = source.stat(), os.fstat(handle)
    if hasattr(os, "fchown") and (now.st_uid, now.st_gid) != (facts.st_uid, facts.st_gid):
        os.fchown(handle, facts.st_uid, facts.st_gid)
    with contextlib.suppress(OSError):
        for name in os.listxattr(source) if hasattr(os, "listxattr") else ():
            with contextlib.suppress(OSError):
                os.setxattr(handle, name, os.getxattr(source, name))
    if hasattr(os, "fchmod"):
        os.fchmod(handle, stat.S_IMODE(facts.st_mode))


def _keep(backup: Path, data: bytes) -> None:
    try:
        make_private(backup.parent)
        if backup.exists() and backup.read_bytes() == data:
            return
        write_private(backup, data)
    except OSError as error:
        raise Problem(
            "LSA333",
            f"The old content could not be kept: {_reason(error)}; the file was not changed",
            on=str(backup),
            next_step=ROOM
            if error.errno in FULL
            else "make the folder writable, or set LANGSMITH_AUDIT_STATE_DIR to one that is",
            exit=Exit.FAILED,
        ) from error


def _refuse_changed(path: Path, before: bytes) -> None:
    if read_values(path) != before:
        raise Problem(
            "LSA331",
            "The file has changed since it was read; it was left as it is now",
            on=str(path),
            next_step="run it again, on the file as it is now",
            exit=Exit.FAILED,
        )


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


ROOM = "make room on its disk, then run it again"


def _unwritable(path: Path, why: str, mend: str = "") -> Problem:
    return Problem(
        "LSA332",
        f"The values file cannot be written: {why}; it was not changed",
        on=str(path),
        next_step=mend
        or "make it writable, or apply the diff that is shown where the file is kept",
        exit=Exit.FAILED,
    )
