"""How lines are folded and ids are shown, at any width."""

import io
import re

import pytest
from rich.console import Console
from rich.text import Text

from wizard.console.screen import Command, Folded, exact_block, facts_table, hanging, is_command
from wizard.records.changes import Exact
from wizard.safe import show_whole_ids

ID = "3f1c2b8e-5a47-4d0c-9c3e-7b1f64a2d905"
SQL = """SET config = COALESCE(config, '{}'::jsonb) || '{"can_use_audit_logs": true}'::jsonb"""
PATH = "+ spec.template.spec.containers[backend].env[DEFAULT_ORG_FEATURE_CAN_USE_AUDIT_LOGS].value"
HELM = "helm --kube-context practice rollback langsmith 1 -n langsmith --wait --timeout 1800s"


@pytest.fixture(autouse=True)
def brief():
    show_whole_ids(whole=False)
    yield
    show_whole_ids(whole=False)


def drawn(block, width, *, terminal=True):
    file = io.StringIO()
    Console(file=file, width=width, force_terminal=terminal, color_system=None).print(block)
    return file.getvalue()


@pytest.mark.parametrize("width", [40, 60, 80, 200])
@pytest.mark.parametrize("line", [SQL, PATH, "# more ti me, and a comment that is long enough"])
def test_sql_and_diffs_are_folded_between_words(line, width):
    lines = drawn(exact_block(Exact("diff", line)), width).splitlines()
    assert max(map(len, lines)) <= width
    assert re.sub(r"\s", "", "".join(lines)) == re.sub(r"\s", "", line)
    if line is not PATH:
        assert " ".join(" ".join(lines).split()) == line


def test_a_text_in_quotes_is_folded_only_where_it_must_be():
    lines = drawn(Folded(SQL, ""), 70).splitlines()
    assert [it.strip() for it in lines][-1] == """'{"can_use_audit_logs": true}'::jsonb"""


@pytest.mark.parametrize("width", [60, 80])
def test_a_command_is_broken_at_its_options_wherever_it_stands(width):
    for block in (Command(HELM, 8), facts_table([("undo", HELM)])):
        lines = drawn(block, width).splitlines()
        assert all(it.endswith(" \\") for it in lines[:-1])
        assert all(it.strip().startswith(("-", "rollback", "langsmith", "1")) for it in lines[1:])
        text = " ".join(it.removesuffix("\\").strip() for it in lines)
        assert text.removeprefix("undo: ") == HELM


@pytest.mark.parametrize(
    ("text", "whether"),
    [
        (HELM, True),
        ("langsmith-audit undo 20261129T180132Z-f216ce", True),
        ("langsmith-audit run looks again and goes on", False),
        ("kubectl get pods shows it", False),
        ("wait for it; langsmith-audit runs lists all", False),
    ],
)
def test_a_sentence_is_no_command(text, whether):
    assert is_command(text) is whether


def test_ids_are_quiet_in_a_terminal_and_whole_where_that_is_asked_for():
    line = hanging(Text(f"organization Meridian Freight ({ID}) is on"))
    assert drawn(line, 100).strip() == "organization Meridian Freight (3f1c2b8e…) is on"
    assert ID in drawn(line, 100, terminal=False)
    assert ID in drawn(hanging(Text(f"--org {ID}"), ids=True), 100)
    show_whole_ids(whole=True)
    assert ID in drawn(line, 100)
