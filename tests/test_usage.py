"""Help that fits a screen, and errors that say what was meant."""

import pytest

from wizard.cli import COMMANDS, main, parser_of
from wizard.options import positive_seconds
from wizard.settings import Problem, settings_from
from wizard.usage import EXAMPLES


@pytest.mark.parametrize("command", COMMANDS)
def test_help_fits_a_screen_and_begins_with_an_example_that_is_understood(command, capsys):
    assert main([command, "--help"]) == 0
    told = capsys.readouterr().out
    assert len(told.splitlines()) <= 32
    assert max(map(len, told.splitlines())) <= 100
    assert told.splitlines()[2] == f"  {EXAMPLES[command]}"
    words = EXAMPLES[command].partition(" |")[0].partition(" >")[0].split()[1:]
    words = words[1:] if words[0] == command else words
    parser_of(command).parse_args(words)
    assert main([command, "--help-all"]) == 0
    whole = capsys.readouterr().out
    missing = [it for it in told.split() if it.startswith("--") and it.strip(",") not in whole]
    assert missing == []


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        (["rnu"], ["✗ There is no command rnu", "  did you mean run?"]),
        (["run", "--namspace"], ["✗ run has no option --namspace", "  did you mean --namespace?"]),
        (["plan", "--database", "dirct"], ["✗ --database cannot be dirct: it is one of auto, "
         "port-forward, exec, direct, pod, manual", "  did you mean direct?"]),
        (["show", "x", "--format", "hmtl"], ["✗ --format/-o cannot be hmtl: it is one of text, "
         "markdown, html, json, yaml", "  did you mean html?"]),
        (["run", "--patience", "soon"], ["✗ --patience cannot be soon: it is a time above zero and "
         "below a day, such as 90s, 10m or 1h30m"]),
        (["run", "--values"], ["✗ -f/--values needs a value after it"]),
        (["zzz"], ["✗ There is no command zzz"]),
        (["values", "x", "\x1b[2J"], []),
    ],
)  # fmt: skip
def test_an_error_is_three_lines_with_what_was_meant(typed, told, capsys):
    assert main(typed) == 2
    lines = capsys.readouterr().err.splitlines()
    assert "\x1b" not in "".join(lines)
    if told:
        assert lines[:-1] == told
        assert lines[-1].startswith("  next: langsmith-audit ")
    assert len(lines) <= 3


def test_help_and_version_by_any_name(capsys):
    for words in (["help", "exit-codes"], ["help", "undo"], ["version"], ["--version"], ["help"]):
        assert main(words) == 0
    told = capsys.readouterr().out
    assert "130 interrupted" in told
    assert "langsmith-audit undo: put back" in told
    assert told.count("langsmith-audit 0.") == 2


def test_explain_takes_the_number_alone(capsys):
    assert main(["explain", "812"]) == 0
    assert capsys.readouterr().out.startswith("LSA812 ")


def test_o_is_the_format_as_elsewhere_or_a_file(capsys, tmp_path):
    assert parser_of("orgs").parse_args(["-o", "csv"]).format == "csv"
    assert parser_of("plan").parse_args(["-o", "plan.json"]).output == "plan.json"
    assert parser_of("plan").parse_args(["--out", "p"]).output == "p"
    assert main(["runs", "-o", "json"]) == 0
    assert capsys.readouterr().out.startswith("{")


def test_dry_run_is_the_plan(capsys):
    assert main(["run", "--dry-run", "--help"]) == 0
    assert capsys.readouterr().out.startswith("langsmith-audit plan:")


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("1.5", 1.5), ("90s", 90), ("10m", 600), ("1h30m", 5400)]
)
def test_times_are_typed_as_elsewhere(text, seconds):
    assert positive_seconds(text) == seconds


@pytest.mark.parametrize("text", ["", "m", "0", "0m", "-1", "25h", "10 m", "1d", "nan", "inf"])
def test_what_is_no_time_is_refused(text):
    with pytest.raises(ValueError):
        positive_seconds(text)


def test_all_namespaces_leave_a_variable_aside_and_no_flag():
    environ = {"LANGSMITH_AUDIT_NAMESPACE": "x"}
    assert not settings_from({"all_namespaces": True}, environ).told("namespace")
    with pytest.raises(Problem, match="given together"):
        settings_from({"all_namespaces": True, "namespace": "x"}, {})
