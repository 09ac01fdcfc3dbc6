"""Files of every kind: what is read is regular and bounded, what is private is so at once."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from pathlib import Path

import pytest

from wizard.files import make_private, read_file, replace_file, sync_folder, write_private

pytestmark = pytest.mark.skipif(os.name != "posix", reason="kinds and modes of POSIX")


@pytest.fixture(params=[0o000, 0o022, 0o277])
def umask(request):
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_what_is_no_regular_file_or_too_large_is_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with (tmp_path / "large").open("wb") as file:
        file.truncate(10**12)
    cases = {
        Path("/dev/zero"): "it is a device, not a regular file",
        tmp_path / "pipe": "it is a pipe, not a regular file",
        tmp_path: "it is a folder, not a regular file",
        tmp_path / "large": "it is larger than 10 bytes",
        tmp_path / "a\0b": "its name cannot be: .*null",
        tmp_path / ("x" * 5000): "File name too long",
    }
    for path, words in cases.items():
        with pytest.raises(OSError, match=words):
            read_file(path, 10)
    write_private(tmp_path / "ten", b"0123456789")
    assert read_file(tmp_path / "ten", 10) == b"0123456789"


def test_private_whatever_the_umask(tmp_path: Path, umask: int) -> None:
    make_private(tmp_path / "a" / "b" / "c")
    write_private(tmp_path / "a" / "file", b"x")
    found = [tmp_path / "a", tmp_path / "a" / "b", tmp_path / "a" / "b" / "c"]
    assert [mode(each) for each in found] == [0o700] * 3
    assert mode(tmp_path / "a" / "file") == 0o600
    with pytest.raises(FileExistsError):
        write_private(tmp_path / "a" / "file", b"y")


@pytest.mark.parametrize("place", ["", "/dev/shm"])
def test_a_file_is_replaced_as_a_whole_and_keeps_its_mode(tmp_path: Path, place: str) -> None:
    if place:  # a disk in memory is no device
        if not os.access(place, os.W_OK):
            pytest.skip(f"there is no {place} here")
        tmp_path = Path(tempfile.mkdtemp(dir=place, prefix="lsa-test-"))
    try:
        replaced_as_a_whole(tmp_path)
    finally:
        if place:
            shutil.rmtree(tmp_path)


def replaced_as_a_whole(tmp_path: Path) -> None:
    path, link = tmp_path / "plan.json", tmp_path / "link"
    replace_file(path, b"one")
    assert mode(path) == 0o666 & ~os.umask(os.umask(0o022))
    path.chmod(0o640)
    link.symlink_to(path)
    before = path.stat().st_ino
    with path.open("rb") as open_before:
        replace_file(link, b"two")
        assert open_before.read() == b"one"
    assert (path.read_bytes(), mode(path), link.is_symlink()) == (b"two", 0o640, True)
    assert path.stat().st_ino != before
    with pytest.raises(OSError, match="directory"):
        replace_file(tmp_path / "none" / "plan.json", b"")
    assert sorted(each.name for each in tmp_path.iterdir()) == ["link", "plan.json"]


@pytest.mark.skipif(not os.access("/dev", os.W_OK), reason="only root makes files in /dev")
def test_what_a_container_lays_over_a_device_stays_that_file() -> None:
    path = Path(f"/dev/lsa-test-{os.getpid()}")
    path.write_bytes(b"before, and longer")
    try:
        before = path.stat().st_ino
        replace_file(path, b"told")
        assert (path.read_bytes(), path.stat().st_ino) == (b"told", before)
    finally:
        path.unlink()


def test_what_is_no_file_is_written_as_it_is(capfd) -> None:
    replace_file(Path("/dev/stderr"), b"told")
    assert capfd.readouterr().err == "told"


def test_a_file_system_that_syncs_no_folder_is_gone_on_with(tmp_path: Path) -> None:
    sync_folder(Path("/proc"))  # it answers EINVAL
    with pytest.raises(FileNotFoundError):
        sync_folder(tmp_path / "none")
