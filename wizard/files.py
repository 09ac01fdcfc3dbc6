"""Files as every part reads and writes them.

What is read is a regular file and no larger than expected, so that a device or a pipe cannot hang
the program or fill its memory. What is written is on the disk whole or not at all, and what is
private is so from its first moment, whatever the umask.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from pathlib import Path

PRIVATE, PRIVATE_FOLDER = 0o600, 0o700
_READ = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0)
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""What the system says where there is no room left."""
_KINDS = {stat.S_IFDIR: "a folder", stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket"}


def read_file(path: Path, limit: int) -> bytes:
    """All bytes of a regular file.

    Raises:
        OSError: it cannot be read, is a device, a pipe or the like, or is larger than `limit`
            bytes (EFBIG); `strerror` says which.
    """
    try:
        _refuse_kind(path.stat().st_mode)  # opening a device may do something already
        handle = os.open(path, _READ | getattr(os, "O_BINARY", 0))
    except ValueError as error:
        raise OSError(errno.EINVAL, f"its name cannot be: {error}") from None
    with os.fdopen(handle, "rb") as file:
        facts = os.fstat(handle)
        _refuse_kind(facts.st_mode)
        data = file.read(limit + 1) if facts.st_size <= limit else b""
    if max(len(data), facts.st_size) > limit:
        raise OSError(errno.EFBIG, f"it is larger than {limit:,} bytes")
    return data


def _refuse_kind(mode: int) -> None:
    if not stat.S_ISREG(mode):
        kind = _KINDS.get(stat.S_IFMT(mode), "a device")
        raise OSError(errno.EINVAL, f"it is {kind}, not a regular file")


def create_private(path: Path, more: int = 0) -> int:
    """A handle to a new file that its owner alone may read and write; `more` open flags.

    Raises:
        OSError: it is there already, or cannot be made.
    """
    return open_private(path, _NEW | more)


def open_private(path: Path, flags: int) -> int:
    """The same for a file that may be there already.

    Raises:
        OSError: it cannot be opened or made, or is a symbolic link.
    """
    handle = os.open(path, flags | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), PRIVATE)
    try:
        if hasattr(os, "fchmod") and stat.S_IMODE(os.fstat(handle).st_mode) != PRIVATE:
            os.fchmod(handle, PRIVATE)  # a umask can take the owner's own rights away, too
    except BaseException:
        os.close(handle)
        raise
    return handle


def write_private(path: Path, data: bytes) -> None:
    """A new private file with this content, on the disk.

    Raises:
        OSError: it is there already, or cannot be written.
    """
    with os.fdopen(create_private(path), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def make_private(folder: Path) -> None:
    """Make a folder, and those above it that are not there, for their owner alone.

    Raises:
        OSError: one cannot be made.
    """
    if folder.is_dir():
        return
    if folder.parent != folder:
        make_private(folder.parent)
    with contextlib.suppress(FileExistsError):
        folder.mkdir(PRIVATE_FOLDER)
        folder.chmod(PRIVATE_FOLDER)
    folder.stat()


def _is_device(path: Path) -> bool:
    """Whether it is a stream, or a file that a container lays over one (/dev/termination-log)."""
    path = path.absolute()
    return any(map(path.is_relative_to, ("/dev", "/proc"))) and not path.is_relative_to("/dev/shm")  # noqa: S108


def replace_file(path: Path, data: bytes, *, mode: int | None = None) -> None:
    """Write a file beside its place and rename it, so that it is never there in part.

    Without a `mode` that of a file that is replaced stays; a new one has what the umask leaves.
    What is no regular file (a terminal, a pipe), or a stream of this process, is written as it is.

    Raises:
        OSError: it cannot be written; what was there is there still.
    """
    target = Path(os.path.realpath(path))
    if _is_device(path) or (target.exists() and not target.is_file()):
        path.write_bytes(data)
        return
    if mode is None and target.exists():
        mode = stat.S_IMODE(target.stat().st_mode)
    beside = target.with_name(f".{target.name[:200]}.{os.urandom(6).hex()}.tmp")
    try:
        with os.fdopen(os.open(beside, _NEW, 0o666), "wb") as file:
            if mode is not None:
                beside.chmod(mode)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(target)
    finally:
        beside.unlink(missing_ok=True)
    with contextlib.suppress(OSError):  # it is there
        sync_folder(target.parent)


_CANNOT = {errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EISDIR, errno.EBADF}
"""What file systems say that cannot bring a folder to the disk; its files are there."""


def sync_folder(folder: Path) -> None:
    """Bring the names in a folder to the disk, where its file system can.

    Raises:
        OSError: the folder cannot be opened, or the disk fails.
    """
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in _CANNOT:
            raise
    finally:
        os.close(handle)
