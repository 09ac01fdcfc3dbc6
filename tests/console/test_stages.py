"""Where a walk is: done, now, to come."""

import io

import pytest
from rich.console import Console

from wizard.console.stages import Stage, Stand, Trail, overview
from wizard.records.findings import Finding, State

STEPS = [(2, "The values file"), (3, "The Helm release"), (4, "The organizations")]


def drawn(renderable, width):
    out = Console(file=io.StringIO(), width=width, force_terminal=False)
    out.print(renderable)
    return out.file.getvalue()


def test_a_trail_names_the_steps_where_there_is_room():
    trail = Trail(STEPS, {2}, 3)
    assert drawn(trail, 80).rstrip() == "   ✓ 2 values file  » 3 Helm release  · 4 organizations"
    assert drawn(trail, 40).rstrip() == "   ✓ 2  » 3  · 4"


@pytest.mark.parametrize("width", [60, 80, 200])
def test_an_overview_is_as_wide_as_the_terminal_and_folds_at_words(width):
    news = Finding("LSA175", State.INFO, "release x", "Hooks " * 12, ("seen",), "type this")
    warned = Finding("LSA587", State.WARN, "all", "A stored false", ("seen",), "type that")
    lines = [
        Stage(3, "The Helm release", Stand.TODO, "The backend runs without " + "word " * 9),
        Stage(
            4,
            "The organizations",
            Stand.OPEN,
            "Wrong",
            "organization a",
            State.FAIL,
            [warned, news],
        ),
        Stage(7, "The audit-logs API", Stand.LATER, "asked again at the end"),
    ]
    shown = drawn(overview(lines), width)
    assert max(map(len, shown.splitlines())) <= width
    assert "  ○ 3 The Helm release      The backend runs without word" in shown
    assert "  ✗ 4 The organizations     Wrong  organization a" in shown
    assert "  · 7 The audit-logs API    asked again" in shown
    assert "→ type that" in shown
    assert "type this" not in shown
