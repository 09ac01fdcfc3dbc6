"""Every option of a command has a variable, which a flag wins over."""

import argparse

import pytest

from wizard import variables
from wizard.cli import COMMANDS, main, parser_of
from wizard.problems import Problem


def parsed(command: str, *arguments: str, **environ: str) -> argparse.Namespace:
    parser = parser_of(command)
    variables.take(parser, command, arguments, environ)
    return parser.parse_args(arguments)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_names_its_variable(command: str) -> None:
    actions = [it for it in parser_of(command)._actions if it.help is not argparse.SUPPRESS]
    told = [it.help.rpartition("[")[2] for it in actions if it.option_strings and it.dest != "help"]
    assert all(it.startswith("LANGSMITH_") and it.endswith("]") for it in told)
    assert sorted(set(told)) == sorted(told)


def test_a_variable_says_what_the_flag_says() -> None:
    told = parsed(
        "events",
        LANGSMITH_AUDIT_EVENTS_SINCE="7d",
        LANGSMITH_AUDIT_EVENTS_OPERATION="create_role, delete_api_key",
        LANGSMITH_AUDIT_EVENTS_AT_A_TIME="2",
        LANGSMITH_AUDIT_EVENTS_ALL="yes",
        LANGSMITH_AUDIT_EVENTS_SUMMARY="off",
        LANGSMITH_AUDIT_EVENTS_FORMAT="csv",
    )
    assert (told.since, told.operation) == ("7d", ["create_role", "delete_api_key"])
    assert (told.at_a_time, told.every, told.summary, told.format) == (2, True, False, "csv")
    told = parsed("check", LANGSMITH_AUDIT_CHECK_SKIP_FINDING="LSA101=not ours, yet\nLSA233=x")
    assert told.skip_finding == ["LSA101=not ours, yet", "LSA233=x"]


def test_a_flag_wins_also_over_what_does_not_go_together_with_it() -> None:
    told = parsed("events", "--since", "1h", "--all", LANGSMITH_AUDIT_EVENTS_SINCE="7d",
                  LANGSMITH_AUDIT_EVENTS_LIMIT="5")  # fmt: skip
    assert (told.since, told.every, told.limit) == ("1h", True, None)
    told = parsed("events", "--operation", "a", LANGSMITH_AUDIT_EVENTS_OPERATION="b")
    assert told.operation == ["a"]


@pytest.mark.parametrize(
    ("variable", "text"),
    [("AT_A_TIME", "many"), ("AT_A_TIME", "99"), ("STATUS", "good"), ("ALL", "perhaps")],
)
def test_one_that_cannot_be_read_is_refused(variable, text, capsys, monkeypatch) -> None:
    with pytest.raises(Problem, match=variable):
        parsed("events", **{f"LANGSMITH_AUDIT_EVENTS_{variable}": text})
    monkeypatch.setenv(f"LANGSMITH_AUDIT_EVENTS_{variable}", text)
    assert main(["events"]) == 2
    assert "LSA901" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "variable", "code"),
    [
        ([], "nagios", 3),
        (["-o", "nagios"], "", 3),
        (["--format=nagios"], "json", 3),
        (["--format", "json"], "nagios", 2),
    ],
)
def test_nagios_knows_four_codes_however_it_is_told(
    arguments, variable, code, capsys, monkeypatch
) -> None:
    monkeypatch.setenv("LANGSMITH_AUDIT_CHECK_FORMAT", variable)
    assert main(["check", "--nope", *arguments]) == code
    assert capsys.readouterr().out.startswith("LANGSMITH AUDIT UNKNOWN" if code == 3 else "")
