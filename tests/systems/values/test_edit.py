"""The edit of one file: every case of the hostile set, and what holds for all of them."""

from __future__ import annotations

import json

import pytest
import yaml
from ruamel.yaml import YAML
from values_files.edited import EDITED, Edited
from values_files.refused import REFUSED

from wizard.problems import catalogue
from wizard.systems.values.diff import unified_diff
from wizard.systems.values.edit import edit
from wizard.systems.values.model import WANTED, EnvEntry, Outcome
from wizard.systems.values.reading import MAX_DEPTH

CHANGED = {name: case for name, case in EDITED.items() if case.outcome in ("insert", "update")}
EMPTY_TOKENS = {"[]", "[ ]", "{}", "~", "null", "Null"}


def test_the_hostile_set_is_large() -> None:
    assert len(REFUSED) + len(EDITED) >= 300


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    data, finding, line = REFUSED[name]
    made = edit(data)
    assert (made.outcome, made.finding) == (Outcome.REFUSE, finding), made.message
    assert made.data == data
    assert line is None or made.line == line
    assert made.next_step
    assert (made.lines_added, made.tokens_replaced, made.names) == (0, 0, ())
    assert finding in catalogue()


@pytest.mark.parametrize("name", EDITED)
def test_edited(name: str) -> None:
    case = EDITED[name]
    made = edit(case.before.encode())
    assert made.outcome == case.outcome, made.message
    assert made.data.decode() == case.after
    told = (made.line, made.lines_added, made.tokens_replaced)
    assert told == (case.line, case.lines_added, case.tokens_replaced)
    assert bool(made.names) == (case.outcome != "noop")
    assert made.finding in catalogue()


@pytest.mark.parametrize("name", CHANGED)
def test_a_second_time_there_is_nothing_to_do(name: str) -> None:
    data = CHANGED[name].after.encode()
    made = edit(data)
    assert made.outcome is Outcome.NOOP
    assert made.data == data


@pytest.mark.parametrize("name", CHANGED)
def test_every_old_byte_is_kept_in_order(name: str) -> None:
    case = CHANGED[name]
    left = iter(case.after)
    if case.outcome == "insert":
        assert all(character in left for character in case.before)
        assert case.tokens_replaced == 0
    else:
        assert case.tokens_replaced >= 1


@pytest.mark.parametrize("name", [n for n, c in CHANGED.items() if "\n" in c.before])
@pytest.mark.parametrize("newline", ["\r\n", "\r"])
def test_line_breaks_stay(name: str, newline: str) -> None:
    case = CHANGED[name]
    made = edit(case.before.replace("\n", newline).encode())
    assert made.data.decode() == case.after.replace("\n", newline)


@pytest.mark.parametrize("name", CHANGED)
def test_a_byte_order_mark_stays(name: str) -> None:
    case = CHANGED[name]
    made = edit(b"\xef\xbb\xbf" + case.before.encode())
    assert made.data == b"\xef\xbb\xbf" + case.after.encode()


@pytest.mark.parametrize("name", CHANGED)
def test_the_data_is_what_was_meant_to_loaders_too(name: str) -> None:
    """The proof compares events; here the loaded data is compared, by both libraries."""
    case = CHANGED[name]
    for load in (_load_11, _load_12):
        before, after = load(case.before), load(case.after)
        assert _without_ours(after, case) == _without_ours(before, case)
    listed = _env(_load_11(case.after))
    common = list(_load_11(case.after).get("commonEnv") or [])
    for entry in WANTED:
        wanted = {"name": entry.name, "value": entry.value}
        assert wanted in listed or wanted in common
        assert not (wanted in listed and wanted in common)


@pytest.mark.parametrize("name", [n for n, c in EDITED.items() if n.startswith("json")])
def test_json_stays_json(name: str) -> None:
    case = EDITED[name]
    json.loads(case.before)
    json.loads(case.after)


TABS = ["a: b\t\n", "a:\tb\n", "a: b\t# c\n", "a: 1\n  \t\nb: 2\n", "a: {b:\t1}\n", "a: x\ty\n"]
TABS += ["a: [1,\n\t2]\n", "a:\t# c\n  b: 1\n", 'a: "x"\t# c\n', "a\t: 1\n", "a: &x\t1\n"]
TABS += ["a: x\n  \ty\n", "a: x\t\n  y\n", "a: x \t y\t#z\n", "a: >\n  x\n  \ty\n", "a: 1\n...\t\n"]


@pytest.mark.skipif(
    not yaml.__with_libyaml__, reason="PyYAML itself refuses tabs; libyaml does not"
)
@pytest.mark.parametrize("text", TABS)
def test_tabs_within_lines_are_blanks(text: str) -> None:
    made = edit(text.encode())
    assert made.outcome is Outcome.INSERT, made.message
    after = yaml.load(made.data, Loader=yaml.CSafeLoader)
    assert after.pop("backend")["deployment"]["extraEnv"]
    assert after == yaml.load(text, Loader=yaml.CSafeLoader)


def test_variables_that_come_in_through_a_merge_are_seen() -> None:
    right = "".join(
        f'x{i}: &x{i} {{name: {it.name}, value: "true"}}\n' for i, it in enumerate(WANTED)
    )
    path = "backend:\n  deployment:\n    extraEnv:\n"
    assert edit((right + path + "      - <<: *x0\n      - <<: [*x1]\n").encode()).outcome == "noop"
    wrong = right.replace('"true"', "'no'")
    assert edit((wrong + path + "      - <<: *x0\n").encode()).finding == "LSA319"
    named = "n: &n AUDIT_LOGS_ENABLED\n" + path + "      - name: *n\n        value: 'no'\n"
    assert edit(named.encode()).names == tuple(it.name for it in WANTED)


REPOSITORY = """apiVersion: source.toolkit.fluxcd.io/v1
kind: OCIRepository
metadata: {name: langsmith}
"""
RELEASE = """apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {name: langsmith}
spec:
  values:
    config: {hostname: x}
    # the end
"""
ADDED = """    backend:
      deployment:
        extraEnv:
          - name: AUDIT_LOGS_ENABLED
            value: "true"
          - name: DEFAULT_ORG_FEATURE_CAN_USE_AUDIT_LOGS
            value: "true"
"""


@pytest.mark.parametrize(
    ("before", "behind"),
    [
        (f"---\n{REPOSITORY}---\n", ""),
        ("", f"---\n{REPOSITORY}"),
        ("# a\n---\n", f"...\n---\n{REPOSITORY}...\n"),
        (f"{REPOSITORY}--- # b\n", f"--- # c\n{REPOSITORY.replace('OCI', 'Helm')}"),
    ],
)
def test_a_flux_release_beside_its_repository(before: str, behind: str) -> None:
    """The only one of several manifests that holds values is the one that is edited."""
    made = edit((before + RELEASE + behind).encode())
    assert made.outcome is Outcome.INSERT, made.message
    assert made.data.decode() == before + RELEASE + ADDED + behind
    assert edit(made.data).outcome is Outcome.NOOP


def test_of_several_with_values_a_person_says_which_one() -> None:
    for other in (RELEASE, "a: 1\n"):
        assert edit(f"{RELEASE}---\n{other}".encode()).finding == "LSA313"


@pytest.mark.parametrize("libyaml", [True, False])
def test_as_many_levels_as_are_read(monkeypatch: pytest.MonkeyPatch, libyaml: bool) -> None:
    """The same with a reader that has a limit of its own and with one that has none."""
    if not libyaml:
        monkeypatch.delattr(yaml, "CSafeLoader", raising=False)
    below = MAX_DEPTH - 1
    deep = "".join(" " * depth + "a:\n" for depth in range(below)) + " " * below + "b: 1\n"
    made = edit(deep.encode())
    assert made.outcome is Outcome.INSERT, made.message
    assert made.data.startswith(deep.encode())
    for start, end in (("{b: ", "}"), ("[", "]")):
        flow = "a: " + start * below + end * below + "\n"
        assert edit(flow.encode()).outcome is Outcome.INSERT
        for more in (1, 5_000):
            text = "a: " + start * (below + more) + end * (below + more) + "\n"
            refused = edit(text.encode())
            assert (refused.finding, refused.line) == ("LSA336", 1)
            assert "helm" not in refused.message + refused.next_step


@pytest.mark.parametrize("name", ["YES", "on", "N", "null", "A-B", "1A", "true"])
def test_names_that_yaml_would_misread_are_quoted(name: str) -> None:
    made = edit(b"a: 1\n", (EnvEntry(name, "1"),))
    assert _env(_load_11(made.data.decode())) == [{"name": name, "value": "1"}]


def test_other_variables_can_be_wanted() -> None:
    made = edit(b"backend: {}\n", (EnvEntry("A", "b"),))
    assert made.names == ("A",)
    assert edit(made.data, (EnvEntry("A", "b"),)).outcome is Outcome.NOOP


def test_the_diff_has_only_the_new_lines() -> None:
    before = "".join(f"k{i}: {i}\n" for i in range(50)) + "backend:\n  name: x\nz: 1\n"
    made = edit(before.encode())
    diff = unified_diff(before.encode(), made.data, "values.yaml").splitlines()
    assert diff[:3] == ["--- a/values.yaml", "+++ b/values.yaml", "@@ -50,4 +50,10 @@"]
    assert [line for line in diff[3:] if line[0] == "-"] == []
    assert len([line for line in diff[3:] if line[0] == "+"]) == made.lines_added == 6


def test_the_diff_tells_of_a_missing_last_newline() -> None:
    assert unified_diff(b"a", b"a\nb", "f").splitlines()[3:] == [
        "-a",
        "\\ No newline at end of file",
        "+a",
        "+b",
        "\\ No newline at end of file",
    ]
    assert unified_diff(b"a", b"a", "f") == ""


def _load_11(text: str) -> dict:
    class Loader(yaml.SafeLoader):
        pass

    Loader.add_multi_constructor("!", lambda loader, tag, node: (tag, _plain(loader, node)))
    Loader.add_constructor("tag:yaml.org,2002:float", lambda loader, node: node.value)
    Loader.add_multi_constructor("tag:example", lambda loader, tag, node: (tag, node.value))
    Loader.add_constructor("tag:yaml.org,2002:merge", lambda loader, node: node.value)
    Loader.add_constructor(
        "tag:yaml.org,2002:map", lambda loader, node: _mapping(loader.construct_pairs(node, True))
    )
    return yaml.load(text, Loader=Loader) or {}


def _mapping(pairs: list) -> dict:
    return {key if isinstance(key, str) else repr(key): value for key, value in pairs}


def _plain(loader: yaml.SafeLoader, node: yaml.Node) -> object:
    if isinstance(node, yaml.MappingNode):
        return _mapping(loader.construct_pairs(node, True))
    return node.value


def _load_12(text: str) -> dict:
    loader = YAML(typ="rt", pure=True)
    loader.allow_duplicate_keys = True
    return loader.load(text) or {}


def _values(data: dict) -> dict:
    spec = data.get("spec", {}) if "metadata" in data else {}
    if data.get("kind") == "HelmRelease":
        return spec.setdefault("values", {})
    if data.get("kind") in ("Application", "ApplicationSet") and "metadata" in data:
        spec = spec["template"]["spec"] if "template" in spec else spec
        helm = spec["source"].setdefault("helm", {})
        return helm.setdefault("valuesObject", {})
    return data


def _unwrapped(value: object) -> object:
    return value[1] if isinstance(value, tuple) else value


def _env(data: dict) -> list:
    backend = _unwrapped(_values(data)["backend"])
    deployment = _unwrapped(backend["deployment"])
    return [dict(entry) for entry in deployment["extraEnv"]]


def _without_ours(data: dict, case: Edited) -> str:
    """The data as text, types included, without the path where it holds nothing but ours."""
    values = _values(data)
    names = {entry.name for entry in WANTED}
    backend = _unwrapped(values.get("backend")) or {}
    deployment = _unwrapped(backend.get("deployment")) or {}
    others = [
        entry for entry in deployment.get("extraEnv") or [] if dict(entry).get("name") not in names
    ]
    rest = [
        {key: value for key, value in level.items() if key != below}
        for level, below in ((values, "backend"), (backend, "deployment"), (deployment, "extraEnv"))
    ]
    return repr([dict(rest[0]), dict(rest[1]), dict(rest[2]), [dict(it) for it in others]])
