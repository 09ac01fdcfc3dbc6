"""`langsmith-audit explain`: the catalogue of findings, without a cluster."""

import os

import forked
import pytest

from wizard.problems import Exit, catalogue


@pytest.mark.parametrize("id", ["LSA207", "lsa207"])
def test_an_entry_is_told_whole(id: str) -> None:
    answer = forked.call(("explain", id), os.environ)
    entry = catalogue()["LSA207"]
    assert (answer.returncode, answer.stderr) == (Exit.OK, "")
    told = " ".join(answer.stdout.split())
    assert told.startswith(f"LSA207 {entry.title}")
    for text in (entry.meaning, f"What to do next {entry.next_step}", f"Source {entry.source}"):
        assert " ".join(text.split()) in told
    assert max(map(len, answer.stdout.splitlines())) <= 80


def test_without_an_id_all_are_listed() -> None:
    answer = forked.call(("explain",), os.environ)
    assert [line.split()[0] for line in answer.stdout.splitlines()] == list(catalogue())


def test_one_that_is_not_there_is_told_with_where_they_are() -> None:
    answer = forked.call(("explain", "LSA000"), os.environ)
    assert (answer.returncode, answer.stdout) == (Exit.USAGE, "")
    assert "LSA000" in answer.stderr
    assert "next: langsmith-audit explain lists them all\n" in answer.stderr


def test_the_operations_by_category_and_version() -> None:
    text = forked.call(("explain", "operations"), os.environ).stdout
    assert "32 at 0.12.33, 73 at 0.12.34, 74 at 0.13.3, 102 at 0.13.32, 117 at 0.13.37, 329" in text
    part = text[text.index("SSO configuration") :]
    assert part.split()[2] == "0.12.34"
    assert max(map(len, text.splitlines()[2:])) <= 98
