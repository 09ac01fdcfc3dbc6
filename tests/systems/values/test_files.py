"""Reading and writing values files on a real file system."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from wizard.problems import Exit, Problem
from wizard.systems.values.files import read_values, write_values

BEFORE, AFTER = b"a: 1\r\n", b"a: 1\r\nb: 2\r\n"


@pytest.fixture
def values(tmp_path: Path) -> Path:
    path = tmp_path / "values.yaml"
    path.write_bytes(BEFORE)
    return path


def leftovers(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_content_is_replaced_and_nothing_is_left(values: Path) -> None:
    write_values(values, before=BEFORE, after=AFTER)
    assert values.read_bytes() == AFTER
    assert leftovers(values.parent) == ["values.yaml"]


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664, 0o755])
def test_the_mode_stays(values: Path, mode: int) -> None:
    values.chmod(mode)
    write_values(values, before=BEFORE, after=AFTER)
    assert stat.S_IMODE(values.stat().st_mode) == mode


@pytest.mark.skipif(os.name != "posix" or os.getuid() != 0, reason="only root can give files away")
def test_the_owner_stays(values: Path) -> None:
    os.chown(values, 12345, 54321)
    write_values(values, before=BEFORE, after=AFTER)
    assert (values.stat().st_uid, values.stat().st_gid) == (12345, 54321)


@pytest.mark.skipif(not hasattr(os, "setxattr"), reason="no extended attributes here")
def test_extended_attributes_stay(values: Path) -> None:
    try:
        os.setxattr(values, "user.note", b"kept")
    except OSError:
        pytest.skip("the file system has no extended attributes")
    write_values(values, before=BEFORE, after=AFTER)
    assert os.getxattr(values, "user.note") == b"kept"


def test_a_symbolic_link_stays(values: Path) -> None:
    link = values.parent / "elsewhere" / "link.yaml"
    link.parent.mkdir()
    link.symlink_to(Path("..") / "values.yaml")
    write_values(link, before=BEFORE, after=AFTER)
    assert link.is_symlink()
    assert values.read_bytes() == AFTER
    assert leftovers(link.parent) == ["link.yaml"]


def test_a_file_that_changed_is_left_alone(values: Path, tmp_path: Path) -> None:
    values.write_bytes(b"somebody: else\n")
    backup = tmp_path / "state" / "copy"
    with pytest.raises(Problem) as caught:
        write_values(values, before=BEFORE, after=AFTER, backup=backup)
    assert (caught.value.id, caught.value.exit) == ("LSA331", Exit.FAILED)
    assert values.read_bytes() == b"somebody: else\n"
    assert not backup.exists()


def test_the_old_content_is_kept_for_its_owner_alone(values: Path, tmp_path: Path) -> None:
    backup = tmp_path / "state" / "run" / "01-values.yaml"
    write_values(values, before=BEFORE, after=AFTER, backup=backup)
    assert backup.read_bytes() == BEFORE
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600
    values.write_bytes(BEFORE)
    write_values(values, before=BEFORE, after=AFTER, backup=backup)


def test_another_copy_is_never_overwritten(values: Path, tmp_path: Path) -> None:
    backup = tmp_path / "copy"
    backup.write_bytes(b"other: 1\n")
    with pytest.raises(Problem) as caught:
        write_values(values, before=BEFORE, after=AFTER, backup=backup)
    assert caught.value.id == "LSA333"
    assert backup.read_bytes() == b"other: 1\n"
    assert values.read_bytes() == BEFORE


def as_nobody(code: str, *arguments: str) -> str:
    """Run code without root's rights, which get around every permission."""
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


WRITE = """
import os, sys
from pathlib import Path
from wizard.problems import Problem
from wizard.systems.values.files import write_values
os.getuid() or (os.setgid(65534), os.setuid(65534))
try:
    write_values(Path(sys.argv[1]), before=b"a: 1\\r\\n", after=b"b: 1\\n")
except Problem as problem:
    print(problem.id, problem.what)
"""


@pytest.fixture
def open_values(open_folder: Path) -> Path:
    path = open_folder / "values.yaml"
    path.write_bytes(BEFORE)
    return path


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
def test_a_write_protected_file(open_values: Path) -> None:
    open_values.chmod(0o444)
    assert as_nobody(WRITE, str(open_values)).startswith("LSA332 ")
    assert open_values.read_bytes() == BEFORE


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
def test_a_write_protected_folder(open_values: Path) -> None:
    open_values.chmod(0o666)
    open_values.parent.chmod(0o555)
    assert as_nobody(WRITE, str(open_values)).startswith("LSA332 ")
    open_values.parent.chmod(0o777)
    assert open_values.read_bytes() == BEFORE
    assert leftovers(open_values.parent) == ["values.yaml"]


@pytest.mark.skipif(os.name != "posix" or os.getuid() != 0, reason="only root can give files away")
def test_a_file_of_somebody_else_is_not_taken_over(open_values: Path) -> None:
    os.chown(open_values, 12345, 12345)
    open_values.chmod(0o666)
    open_values.parent.chmod(0o777)
    assert as_nobody(WRITE, str(open_values)).startswith("LSA332 ")
    assert open_values.read_bytes() == BEFORE
    assert leftovers(open_values.parent) == ["values.yaml"]


def test_a_read_only_file_system(tmp_path: Path) -> None:
    path = tmp_path / "mount"
    path.mkdir()
    if os.name != "posix" or shutil.which("mount") is None:
        pytest.skip("no mount here")
    options = ["-t", "tmpfs", "tmpfs", str(path)]
    if subprocess.run(["mount", *options], capture_output=True, check=False).returncode:
        pytest.skip("this user may not mount")
    try:
        (path / "values.yaml").write_bytes(BEFORE)
        subprocess.run(["mount", "-o", "remount,ro", str(path)], check=True)
        with pytest.raises(Problem) as caught:
            write_values(path / "values.yaml", before=BEFORE, after=AFTER)
        assert caught.value.id == "LSA332"
        assert "file system is read-only" in caught.value.what
    finally:
        subprocess.run(["umount", str(path)], check=True)


def problem(path: Path) -> Problem:
    with pytest.raises(Problem) as caught:
        read_values(path)
    return caught.value


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    paths = [tmp_path / "missing", tmp_path, loop, tmp_path / ("x" * 5000), Path("/dev/null")]
    for path in [*paths, tmp_path / "a\0b"]:
        found = problem(path)
        assert (found.id, found.exit) == ("LSA301", Exit.USAGE), path


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_named_pipe_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert problem(tmp_path / "pipe").id == "LSA301"


def test_a_large_file_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "large"
    with path.open("wb") as file:
        file.truncate(10**12)
    assert (problem(path).id, problem(path).exit) == ("LSA302", Exit.FAILED)


def test_a_megabyte_is_read(tmp_path: Path) -> None:
    path = tmp_path / "values.yaml"
    path.write_bytes(b"#" * 1024 * 1024)
    assert len(read_values(path)) == 1024 * 1024


@pytest.mark.skipif(os.name != "posix" or os.getuid() != 0, reason="only root can give files away")
def test_a_folder_of_somebody_else_gets_no_other_file(values, tmp_path, monkeypatch) -> None:
    """Whoever owns the folder puts a link under the temporary name, when it is on the disk."""
    victim = tmp_path / "elsewhere"
    victim.write_bytes(b"root's")
    victim.chmod(0o600)
    os.chown(values, 12345, 12345)
    values.chmod(0o666)
    sync = os.fsync

    def swap(handle: int) -> None:
        sync(handle)
        for each in values.parent.glob(".values.yaml.*.tmp"):
            each.unlink()
            each.symlink_to(victim)

    monkeypatch.setattr(os, "fsync", swap)
    with pytest.raises(Problem) as caught:
        write_values(values, before=BEFORE, after=AFTER)
    assert (caught.value.id, "another file" in caught.value.what) == ("LSA332", True)
    assert (victim.stat().st_uid, stat.S_IMODE(victim.stat().st_mode)) == (0, 0o600)
    assert victim.read_bytes() == b"root's"
    assert not values.is_symlink()
    assert values.read_bytes() == BEFORE
