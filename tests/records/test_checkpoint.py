"""The state of a reading: whole, of one query, and for one process at a time."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from databases import refused, told

from wizard.problems import Exit
from wizard.records.checkpoint import Checkpoint

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)


def test_it_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "state"
    with Checkpoint(path, {"of": "x"}) as kept:
        assert (kept.through, kept.seen) == (None, {})
        kept.save()
        assert not path.exists()
        assert kept.gave("a", NOW - timedelta(minutes=5))
        assert kept.gave("b", NOW)
        assert not kept.gave("b", NOW)
        kept.reached(NOW - timedelta(minutes=1))
        kept.reached(NOW - timedelta(hours=1))
        kept.save()
    with Checkpoint(path, {"of": "x"}) as kept:
        assert kept.through == NOW - timedelta(minutes=1)
        assert kept.seen == {"b": NOW}


def test_two_at_once_are_refused(tmp_path: Path) -> None:
    with Checkpoint(tmp_path / "s", {}), refused("LSA833"), Checkpoint(tmp_path / "s", {}):
        pass
    with Checkpoint(tmp_path / "s", {}):
        pass


def test_another_query_is_refused_with_what_differs(tmp_path: Path) -> None:
    with Checkpoint(tmp_path / "s", {"of": "https://a", "actor": "me"}) as kept:
        kept.reached(NOW)
        kept.save()
    with refused("LSA834") as caught, Checkpoint(tmp_path / "s", {"of": "https://b"}):
        pass
    assert "of: https://a then, https://b now" in told(caught.value)
    assert "actor: me then, None now" in told(caught.value)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"query": {}, "through": 1}', "\x00"])
def test_what_is_no_state(tmp_path: Path, text: str) -> None:
    (tmp_path / "s").write_text(text)
    with refused("LSA835") as caught, Checkpoint(tmp_path / "s", {}):
        pass
    assert caught.value.exit == Exit.USAGE


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with refused("LSA835"), Checkpoint(tmp_path / "no" / "s", {}):
        pass
    with refused("LSA835"), Checkpoint(tmp_path, {}):
        pass
