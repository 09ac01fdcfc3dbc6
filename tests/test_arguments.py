"""What each command takes, told without what acts on it, and the same as what acts on it knows."""

import json
import subprocess
import sys

import pytest
import yaml

from wizard.arguments import STATES, WALKS
from wizard.cli import COMMANDS, parser_of
from wizard.commands import orgs
from wizard.engine.rights import NEEDS
from wizard.events.wanted import STATUSES
from wizard.formats.yaml import as_yaml
from wizard.records.findings import State

ACTS = ("wizard.commands", "wizard.engine", "wizard.practice", "wizard.systems", "rich", "yaml")


def choices(command, option):
    actions = parser_of(command)._actions
    return next(tuple(it.choices) for it in actions if option in it.option_strings)


def test_no_help_imports_what_acts():
    code = (
        "import sys; from wizard.cli import main\n"
        f"assert [main([it, '--help']) for it in {list(COMMANDS)!r}] == [0] * {len(COMMANDS)}\n"
        f"print([it for it in sys.modules if it.startswith({ACTS!r})], file=sys.stderr)"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stderr == "[]\n"


def test_what_can_be_chosen_is_what_is_known():
    assert set(choices("orgs", "--format")) == set(orgs._WRITERS)
    assert tuple(NEEDS) == WALKS
    assert tuple(map(str, State)) == STATES
    assert choices("events", "--status") == STATUSES


@pytest.mark.parametrize("command", ["plan", "show", "check", "orgs", "runs"])
def test_results_are_to_be_had_as_yaml(command):
    assert "yaml" in choices(command, "--format")


@pytest.mark.parametrize("command", ["orgs", "runs"])
def test_lists_are_to_be_had_wide(command):
    assert "wide" in choices(command, "--format")


def test_organizations_as_yaml_are_those_of_the_json(cluster, run):
    told = [run("orgs", "-o", it).stdout for it in ("json", "yaml")]
    assert json.loads(told[0]) == yaml.safe_load(told[1])
    none = run("orgs", "-o", "yaml", "--search", "zzz").stdout
    assert yaml.safe_load(none)["organizations"] == []


def test_wide_organizations_tell_what_is_stored(cluster, run):
    lines = run("orgs", "-o", "wide").stdout.splitlines()
    assert "CONFIG   STORED" in lines[0]
    assert any("sql null  nothing" in it for it in lines)
    assert any("object   false" in it for it in lines)


def test_a_check_as_yaml_is_its_json(cluster, run):
    told = [run("check", "-o", it).stdout for it in ("json", "yaml")]
    documents = [json.loads(told[0]), yaml.safe_load(told[1])]
    assert documents[0]["summary"] == documents[1]["summary"]
    assert documents[0].keys() == documents[1].keys()


def test_yaml_escapes_what_a_terminal_would_take_harm_of():
    assert as_yaml({"name": "Zürich"}) == "name: Zürich\n"
    odd = {"name": "a\x1b[2J\u202eb", "other": "ü"}
    told = as_yaml(odd)
    assert told.isascii()
    assert yaml.safe_load(told) == odd
