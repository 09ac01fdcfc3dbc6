"""Options: flags before variables before defaults; what cannot be read is told."""

import os

import pytest

from wizard.cli import main
from wizard.options import BY_NAME, CHANGING
from wizard.problems import Problem
from wizard.settings import Selection, settings_from, target_from


def test_flags_win_over_variables() -> None:
    settings = settings_from({"namespace": "a"}, {"LANGSMITH_AUDIT_NAMESPACE": "b"})
    assert settings.get("namespace") == "a"
    assert settings.origins["namespace"] == "flag --namespace"


def test_variables_win_over_defaults() -> None:
    settings = settings_from({}, {"LANGSMITH_AUDIT_CHART": "oci://x/langsmith"})
    assert settings.get("chart") == "oci://x/langsmith"
    assert settings.origins["chart"] == "variable LANGSMITH_AUDIT_CHART"
    assert not settings.told("database")
    assert settings.get("database") == "auto"


@pytest.mark.parametrize(
    ("environ", "url", "key", "endpoint"),
    [
        ({"LANGSMITH_ENDPOINT": "https://a"}, "https://a", "", "LANGSMITH_ENDPOINT"),
        ({"LANGCHAIN_ENDPOINT": "https://a"}, "https://a", "", "LANGCHAIN_ENDPOINT"),
        ({"LANGSMITH_ENDPOINT": "https://a", "LANGSMITH_AUDIT_URL": "https://b"},
         "https://b", "", ""),
        ({"LANGCHAIN_API_KEY": "old"}, None, "old", ""),
        ({"LANGCHAIN_API_KEY": "old", "LANGSMITH_API_KEY": "new"}, None, "new", ""),
    ],
)  # fmt: skip
def test_the_variables_of_langsmiths_sdks(
    environ: dict[str, str], url: str | None, key: str, endpoint: str
) -> None:
    target = target_from(settings_from({}, environ))
    assert (target.url, target.api_key, target.endpoint) == (url, key, endpoint)
    told = target_from(settings_from({"url": "https://told"}, environ))
    assert (told.url, told.endpoint) == ("https://told", "")


@pytest.mark.parametrize("name", [name for name, it in BY_NAME.items() if it.kind == "switch"])
@pytest.mark.parametrize(("word", "value"), [("1", True), ("TRUE", True), ("no", False)])
def test_switches_are_read(name: str, word: str, value: bool) -> None:
    settings = settings_from({}, {BY_NAME[name].variable: word})
    assert bool(settings.get(name)) is value


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("LANGSMITH_AUDIT_YES", "maybe"),
        ("LANGSMITH_AUDIT_LOCK_LIMIT", "soon"),
        ("LANGSMITH_AUDIT_LOCK_LIMIT", "0"),
        ("LANGSMITH_AUDIT_LOCK_LIMIT", "nan"),
        ("LANGSMITH_AUDIT_DATABASE", "telepathy"),
        ("LANGSMITH_AUDIT_SKIP", "audit_api nonsense"),
    ],
)
def test_what_cannot_be_read_is_told(variable: str, text: str) -> None:
    with pytest.raises(Problem) as told:
        settings_from({}, {variable: text})
    assert told.value.id == "LSA901"
    assert told.value.exit == 2
    assert variable in told.value.what


ORG, ALL, OFF = (f"LANGSMITH_AUDIT_{name}" for name in ("ORG", "ALL", "ONLY_OFF"))


@pytest.mark.parametrize(
    ("arguments", "environ", "chosen"),
    [
        ({"org": ["x"], "all": True}, {}, "--org and --all"),
        ({"all": True, "only_off": True}, {}, "--all and --only-off"),
        ({"org": ["x"], "all": True, "only_off": True}, {ALL: "1"}, "--org and --all and --only-"),
        ({}, {ORG: "x", OFF: "yes"}, f"{ORG} and {OFF}"),
        ({"all": True}, {ORG: "x", OFF: "1"}, Selection(all=True)),
        ({"org": ["x"]}, {ALL: "1"}, Selection(("x",))),
        ({"org": ["x"], "all": False}, {ALL: "0"}, Selection(("x",))),
        ({}, {OFF: "1", ALL: "0"}, Selection(only_off=True)),
    ],
)
def test_one_way_to_choose_organizations_is_taken(arguments, environ, chosen) -> None:
    if isinstance(chosen, Selection):
        assert target_from(settings_from(arguments, environ)).selection == chosen
        return
    with pytest.raises(Problem) as told:
        settings_from(arguments, environ)
    assert (told.value.id, told.value.exit) == ("LSA901", 2)
    assert chosen in told.value.what
    assert told.value.next_step == "give one of --org, --all, --only-off"


def test_the_target_has_everything_and_hides_the_key() -> None:
    environ = {
        "LANGSMITH_API_KEY": "lsv2_pt_hidden",
        "LANGSMITH_AUDIT_VALUES": "a.yaml:b.yaml",
        "LANGSMITH_AUDIT_ORG": "one, two",
    }
    target = target_from(settings_from({}, environ))
    assert [str(path) for path in target.values] == ["a.yaml", "b.yaml"]
    assert target.selection.ids == ("one", "two")
    assert target.api_key == "lsv2_pt_hidden"
    assert "hidden" not in repr(target)


@pytest.mark.parametrize(("command", "lists"), [("run", True), ("orgs", False), ("check", False)])
def test_what_only_reads_lists_no_option_of_a_change(
    capsys: pytest.CaptureFixture[str], command: str, lists: bool
) -> None:
    assert main([command, "--accept-drift", "--patience", "5", "--help-all"]) == 0
    told = capsys.readouterr().out
    assert {BY_NAME[name].flags[-1] in told.split() for name in CHANGING} == {lists}
    assert "--namespace" in told.split()


@pytest.mark.parametrize("name", [name for name, it in BY_NAME.items() if it.metavar == "FILE"])
def test_a_home_that_no_shell_has_spelled_out(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ann")
    option = BY_NAME[name]
    many = option.kind == "paths"
    for text, path in (("~/x", "/home/ann/x"), ("~nobody-here/x", "~nobody-here/x"), ("a~", "a~")):
        by_variable = settings_from({}, {option.variable: text})
        by_flag = settings_from({name: [text] if many else text}, {})
        assert by_variable.get(name) == by_flag.get(name) == ([path] if many else path)


@pytest.mark.parametrize("name", ["//", "..", "a/b", "a?x", "A", "a b", "ü", "-a", "x" * 64, "a\n"])
def test_what_can_be_no_name_goes_into_no_url(name: str) -> None:
    for option in ("namespace", "release"):
        with pytest.raises(Problem) as told:
            target_from(settings_from({option: name}, {}))
        assert (told.value.id, told.value.exit) == ("LSA901", 2)
    for good in ("a", "langsmith-2", "0a", "x" * 53):
        assert target_from(settings_from({"namespace": good, "release": good}, {})).release == good
    assert target_from(settings_from({"release": "a.b"}, {})).release == "a.b"


def test_what_is_no_utf_8_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    odd = os.fsdecode(b"a\xff")
    for words in (["plan", "--namespace", odd], ["show", odd], [odd]):
        assert main(words) == 2
        assert "is not UTF-8 text  LSA901" in capsys.readouterr().err
    with pytest.raises(Problem) as told:
        settings_from({}, {"LANGSMITH_AUDIT_CHART": odd})
    assert told.value.id == "LSA901"
