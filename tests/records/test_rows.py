"""The rows' prior states: inline or in a file, read the same way, never read half."""

import json
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from wizard.problems import Problem
from wizard.records.rows import RowsFile, changes, rows

OFF = {"shape": "object", "present": True, "value": "false", "rest": "ab"}
ROWS = [
    {"id": f"00000000-0000-0000-0000-{n:012}", **OFF, "display_name": f"é{n}"} for n in range(5)
]


def written(folder: Path) -> dict[str, Any]:
    file = RowsFile(folder / "rows.ndjson")
    for part in (ROWS[:2], ROWS[2:]):
        lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in part)
        file.add(lines.encode(), len(part))
    told = file.seal()
    file.close()
    return told


@pytest.mark.parametrize("sealed", [True, False], ids=["after", "before"])
def test_a_file_and_a_list_are_read_the_same(tmp_path, sealed) -> None:
    told = written(tmp_path)
    assert told["count"] == 5
    entry: Mapping[str, Any] = {"rows": told if sealed else {"file": "rows.ndjson", "count": 5}}
    assert list(rows(tmp_path, entry)) == list(rows(tmp_path, {"rows": ROWS})) == ROWS
    found = list(changes(tmp_path, entry))
    assert found == list(changes(tmp_path, {"rows": ROWS}))
    assert found[3]["before"] == OFF
    assert found[3]["after"] == {**OFF, "value": "true"}
    assert found[3]["display_name"] == "é3"
    assert list(changes(tmp_path, {"rows": ROWS, "changes": found[:1]})) == found[:1]
    assert stat.S_IMODE((tmp_path / "rows.ndjson").stat().st_mode) == 0o600


def test_a_file_that_is_not_whole_gives_no_row(tmp_path) -> None:
    told = written(tmp_path)
    file = tmp_path / "rows.ndjson"
    whole = file.read_bytes()
    lines = whole.splitlines(keepends=True)
    torn = [b"", whole[:-1], whole[:-70], b"".join(lines[:-1]), b"".join(lines[1:])]
    for text in (*torn, whole.replace(b"false", b"true!")):
        file.write_bytes(text)
        with pytest.raises(Problem) as caught:
            next(rows(tmp_path, {"rows": told}))
        assert caught.value.id == "LSA548"
        assert list(rows(tmp_path, {"rows": {"file": "rows.ndjson", "count": 5}})) == []
    file.write_bytes(whole)
    with pytest.raises(Problem):
        next(rows(tmp_path, {"rows": {**told, "count": 6}}))
    file.unlink()
    with pytest.raises(Problem):
        next(rows(tmp_path, {"rows": told}))


def test_a_file_is_never_written_over(tmp_path) -> None:
    written(tmp_path)
    with pytest.raises(Problem) as caught:
        RowsFile(tmp_path / "rows.ndjson")
    assert caught.value.id == "LSA548"


def test_a_write_that_fails_is_told(tmp_path) -> None:
    file = RowsFile(tmp_path / "rows.ndjson")
    file.close()
    with pytest.raises(Problem) as caught:
        file.add(b"{}\n", 1)
    assert "no change is made" in caught.value.what
