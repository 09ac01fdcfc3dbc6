"""A disk that is full, read-only or gone stops a run before it acts, not after."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from leftovers import NOTHING, entries, refused, started, trace, writes
from terminal import CONFIRM, YES, Terminal, told

ALL = ("run", "--yes", "--all")

pytestmark = pytest.mark.skipif(os.name != "posix", reason="limits of a POSIX system")


def mounted(folder: Path, *options: str) -> bool:
    """Whether a file system in memory could be mounted there; only root may."""
    folder.mkdir()
    mount = shutil.which("mount")
    if not mount or sys.platform != "linux" or os.geteuid() != 0:
        return False
    command = [mount, "-t", "tmpfs", *options, "tmpfs", str(folder)]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


@pytest.fixture(params=["full", "read-only"])
def small(request, tmp_path) -> Iterator[Path]:
    """A state folder on a disk of 256 kB, or one that is read-only."""
    folder = tmp_path / "disk"
    options = {"full": ("-o", "mode=700,size=256k"), "read-only": ("-o", "mode=700,ro")}[
        request.param
    ]
    if not mounted(folder, *options):
        pytest.skip("nothing may be mounted here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_no_room_or_no_right_to_write_stops_before_anything_is_changed(cluster, small) -> None:
    before = trace(cluster)
    cluster.kubernetes.requests.clear()
    answer = started(cluster, ALL, {"LANGSMITH_AUDIT_STATE_DIR": str(small)})
    refused(cluster, answer, 5, "LSA902", NOTHING)
    assert trace(cluster) == before
    assert writes(cluster) == []


def test_a_limit_on_files_stops_before_anything_is_changed(cluster) -> None:
    before = trace(cluster)
    # 512 kB for the tool alone: the file of a measured process would reach the limit itself.
    unmeasured = ("env", "-u", "COVERAGE_PROCESS_CONFIG")
    limited = [*unmeasured, "bash", "-c", 'ulimit -f 512; exec "$@"', "bash"]
    answer = started(cluster, ALL, before=limited)
    refused(cluster, answer, 5, "LSA902", NOTHING)
    after = trace(cluster)
    assert (after.values, after.rows, after.revisions) == (
        before.values, before.rows, before.revisions
    )  # fmt: skip
    assert [one["event"] for one in entries(cluster)] == ["begin"]


def test_a_journal_that_vanishes_stops_before_the_next_change(cluster) -> None:
    with Terminal(env=told(cluster)) as terminal:
        terminal.answer(CONFIRM, YES)
        terminal.wait_for("has both variables")
        terminal.wait_for(CONFIRM)
        before = trace(cluster)
        shutil.rmtree(cluster.home / "state" / "runs")
        terminal.send(YES)
        terminal.wait_for("LSA902")
        terminal.wait_for("has both variables")
        assert terminal.end() == 9
    after = trace(cluster)
    assert (after.rows, after.revisions, after.backend) == (
        before.rows, before.revisions, before.backend
    )  # fmt: skip
