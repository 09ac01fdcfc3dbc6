"""Without a terminal the same lines are written as rich would write them, and rich is not asked."""

import io
import subprocess
import sys

import pytest
from rich.console import Console

from wizard.console.paper import UNFOLDED, Block, Group, Hanging, Paper, Text

BLOCKS: list[Block] = [
    Text("words"),
    Text("two\nlines", "bold red"),
    Text.assemble("a", ("b", "dim"), Text("c", "green")),
    Text(""),
    Hanging(Text("✓", "bold green"), Text("told [not markup] :ok:"), indent=6),
    Hanging(Text(""), Text("one\ntwo  "), indent=4),
    Hanging(Text("name:", "dim"), Text("value"), indent=16),
    Hanging(Text("a name that is longer than its place:"), Text("value"), indent=16),
    Group(Text("one"), Group(Text("two"), Hanging(Text("-"), Text("three"), indent=3))),
]


@pytest.mark.parametrize("block", BLOCKS)
def test_a_file_gets_what_rich_would_write(block: Block) -> None:
    plain, rich = io.StringIO(), io.StringIO()
    Paper(plain).print(block)
    Console(file=rich, highlight=False, width=UNFOLDED, soft_wrap=True).print(block)
    assert plain.getvalue() == rich.getvalue()
    assert plain.getvalue().endswith("\n")


def test_colours_can_be_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    stream = io.StringIO()
    Paper(stream).print("words", "bold")
    assert stream.getvalue() == "\x1b[1mwords\x1b[0m\n"


def test_a_stream_that_was_closed_takes_nothing() -> None:
    Paper(None).print("words")


def test_rich_is_not_imported_for_a_file() -> None:
    code = "import sys; from wizard.console.paper import Paper; Paper(sys.stdout).print('words')"
    code += "; sys.exit('rich' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "words\n")
