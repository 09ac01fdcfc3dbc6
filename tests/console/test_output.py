"""Streams that nobody reads, that are full, or that lack a character: exit codes as documented."""

from __future__ import annotations

import contextlib
import csv
import fcntl
import io
import json
import os
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from pathlib import Path

import forked
import pytest
from leftovers import entries, in_background, trace

from wizard.console.output import folded
from wizard.practice.cluster import PracticeCluster

pytestmark = pytest.mark.skipif(os.name != "posix", reason="pipes and devices of POSIX")
SEVERAL = "Émile – 東京 🦊"


@contextlib.contextmanager
def unread() -> Iterator[int]:
    """A pipe whose reader has left."""
    read, write = os.pipe()
    os.close(read)
    yield write
    os.close(write)


def ended(arguments: tuple[str, ...], env: dict[str, str], out: int, err: int | None = None) -> int:
    nothing = os.open(os.devnull, os.O_RDWR)
    streams = (nothing, out, nothing if err is None else err)
    code = forked.shared().start(arguments, env, streams).wait(120)
    os.close(nothing)
    return code


ALONE = [("explain",), ("explain", "LSA101"), ("--help",), ("run", "--help"), ("help",), ("runs",)]


@pytest.mark.parametrize("arguments", ALONE, ids=" ".join)
def test_nobody_reads_what_is_only_told(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    env = dict(os.environ) | {"LANGSMITH_AUDIT_STATE_DIR": str(tmp_path)}
    with unread() as pipe:
        assert ended(arguments, env, pipe, pipe) == 141
    with open("/dev/full", "w") as full:  # noqa: PTH123 - a handle is what is wanted
        assert ended(arguments, env, full.fileno()) == 5


@pytest.mark.parametrize(
    "command",
    [("check",), ("check", "--format", "json"), ("plan", "--all"), ("orgs",)],
    ids=" ".join,
)
def test_nobody_reads_what_was_looked_at(cluster: PracticeCluster, command) -> None:
    with unread() as pipe:
        assert ended(command, cluster.environment(), pipe) == 141
        assert ended(command, cluster.environment(), pipe, pipe) == 141


def test_nobody_reads_a_run_from_its_start(cluster: PracticeCluster) -> None:
    before = trace(cluster)
    with unread() as pipe:
        assert ended(("run", "--yes", "--all"), cluster.environment(), pipe, pipe) == 141
    assert trace(cluster) == before


def test_a_run_that_is_not_read_any_more_ends_at_a_safe_point(
    cluster: PracticeCluster, run
) -> None:
    before = cluster.values.read_bytes()
    wizard = in_background(cluster, "run", "--yes", "--all")
    assert wizard.stdout
    for line in wizard.stdout:
        if "has both variables" in line:
            break
    wizard.stdout.close()
    assert wizard.wait(120) == 9
    assert cluster.values.read_bytes() != before
    events = [entry["event"] for entry in entries(cluster)]
    assert events.count("intent") == events.count("done") >= 1, "what was begun came to its end"
    answer = run("run", "--yes", "--all")
    assert answer.returncode == 0, answer.stderr
    assert "was left unfinished" in answer.stderr
    assert cluster.kubernetes.list("Lease", cluster.namespace) == []


def test_a_full_disk_under_the_conversation_stops_no_run(cluster: PracticeCluster) -> None:
    with open("/dev/full", "w") as full:  # noqa: PTH123
        assert ended(("run", "--yes", "--all"), cluster.environment(), 1, full.fileno()) == 0
        assert ended(("check", "--all"), cluster.environment(), full.fileno()) == 5


def test_what_was_written_is_a_change(tmp_path: Path) -> None:
    file = tmp_path / "values.yaml"
    file.write_text("backend: {}\n")
    env = dict(os.environ) | {"LANGSMITH_AUDIT_STATE_DIR": str(tmp_path / "state")}
    with unread() as pipe:
        assert ended(("values", str(file)), env, pipe, pipe) == 141
        assert ended(("values", "--write", str(file)), env, pipe, pipe) == 9
    assert "AUDIT_LOGS_ENABLED" in file.read_text()


def told(arguments: tuple[str, ...], env: dict[str, str]) -> bytes:
    """Standard output in a locale that has ASCII alone."""
    command = [sys.executable, "-m", "wizard", *arguments]
    plain = {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0", "LC_ALL": "C"}
    done = subprocess.run(command, env=env | plain, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_locale_that_lacks_a_character(cluster: PracticeCluster) -> None:
    with cluster.connect() as database:
        id = str(cluster.organizations["on"])
        database.execute("UPDATE organizations SET display_name = %s WHERE id = %s", (SEVERAL, id))
    env = cluster.environment()
    orgs = ("orgs", "--org", id, "--format")
    assert b"\\xc9mile \\u2013 \\u6771\\u4eac \\U0001f98a" in told((*orgs, "text"), env)
    (row,) = csv.DictReader(io.StringIO(told((*orgs, "csv"), env).decode()))
    assert row["display_name"] == SEVERAL
    assert json.loads(told((*orgs, "ndjson"), env))["display_name"] == SEVERAL
    (one,) = json.loads(told((*orgs, "json"), env))["organizations"]
    assert one["display_name"] == SEVERAL
    assert b"crash-loop" in told(("practice", "--list"), dict(os.environ))
    assert b"LSA101" in told(("explain",), dict(os.environ))


@pytest.mark.parametrize(
    "locale", [{"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}, {"LC_ALL": "C"}]
)
def test_marks_are_written_in_ascii_where_the_locale_has_none_of_them(locale) -> None:
    code = (
        "from wizard.console import output; output.prepare(); import sys;"
        "sys.stdout.write('✓ 1 → 2 ○ ● … ü \\u202e 🚀'); assert not output.encodable('●')"
    )
    env = {name: text for name, text in os.environ.items() if not name.startswith(("LC_", "LANG"))}
    env |= locale
    told = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, check=True)
    assert told.stdout == b"+ 1 -> 2 o * ... \\xfc \\u202e \\U0001f680"


@pytest.mark.parametrize("width", [30, 80])
def test_a_line_is_folded_between_words_in_a_terminal_alone(width: int) -> None:
    line = "  next: " + "name-it with-- --values and so on " * 4 + "x" * 100
    ours, its = os.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))
    with os.fdopen(its, "w") as terminal:
        lines = folded(line, terminal).split("\n")
        assert " ".join(it.strip() for it in lines) == line.strip()
        assert max(map(len, lines[:-1])) < width
        assert all(it.startswith("    ") for it in lines[1:])
        assert folded("short", terminal) == "short"
    os.close(ours)
    assert folded(line, io.StringIO()) == line
    assert folded(line, None) == line
