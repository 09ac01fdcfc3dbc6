"""Several values files: which one is edited, and what helm makes of all of them."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from wizard.systems.values.edit import edit_layers
from wizard.systems.values.model import Outcome, Refusal
from wizard.systems.values.reading import effective_values

A, D = "AUDIT_LOGS_ENABLED", "DEFAULT_ORG_FEATURE_CAN_USE_AUDIT_LOGS"
RIGHT = f'[{{name: {A}, value: "true"}}, {{name: {D}, value: "true"}}]'
NONE = "config: {hostname: x}\n"
BACKEND = "backend:\n  name: backend\n"
LISTED = "backend: {deployment: {extraEnv: [{name: X, value: b}]}}\n"


def layers(*texts: str) -> list[tuple[Path, bytes]]:
    return [(Path(f"{number}.yaml"), text.encode()) for number, text in enumerate(texts)]


def chosen(*texts: str, into: str | None = None) -> tuple[str, Outcome]:
    made = edit_layers(layers(*texts), into=Path(into) if into else None)
    assert made.why
    return made.path.name, made.edit.outcome


def test_the_last_file_that_defines_the_list() -> None:
    assert chosen(LISTED, NONE) == ("0.yaml", Outcome.INSERT)
    assert chosen(LISTED, LISTED, BACKEND) == ("1.yaml", Outcome.INSERT)
    assert chosen(NONE, LISTED, into="0.yaml") == ("1.yaml", Outcome.INSERT)


def test_an_empty_list_defines_it_too() -> None:
    assert chosen(LISTED, "backend: {deployment: {extraEnv: []}}") == ("1.yaml", Outcome.UPDATE)
    assert chosen(LISTED, "backend: {deployment: {extraEnv: }}") == ("1.yaml", Outcome.INSERT)


def test_the_named_file_when_none_defines_it() -> None:
    assert chosen(BACKEND, NONE, into="1.yaml") == ("1.yaml", Outcome.INSERT)


def test_the_last_file_with_backend_and_else_the_last() -> None:
    assert chosen(BACKEND, BACKEND, NONE) == ("1.yaml", Outcome.INSERT)
    assert chosen(NONE, NONE) == ("1.yaml", Outcome.INSERT)
    assert chosen("") == ("0.yaml", Outcome.INSERT)


def test_a_later_list_hides_the_right_one() -> None:
    right = f"backend: {{deployment: {{extraEnv: {RIGHT}}}}}\n"
    assert chosen(right, NONE) == ("0.yaml", Outcome.NOOP)
    assert chosen(right, LISTED) == ("1.yaml", Outcome.INSERT)
    assert chosen(LISTED, right) == ("1.yaml", Outcome.NOOP)


def test_common_env_of_another_layer_counts() -> None:
    assert chosen(f"commonEnv: {RIGHT}\n", LISTED) == ("1.yaml", Outcome.NOOP)
    half = f'commonEnv: [{{name: {A}, value: "true"}}]\n'
    made = edit_layers(layers(BACKEND, half))
    assert (made.path.name, made.edit.names) == ("0.yaml", (D,))


def test_a_later_common_env_replaces_the_earlier() -> None:
    made = edit_layers(layers(f"commonEnv: {RIGHT}\n{BACKEND}", "commonEnv: []\n"))
    assert (made.path.name, made.edit.names) == ("0.yaml", (A, D))
    made = edit_layers(layers(f"commonEnv: {RIGHT}\n{BACKEND}", "commonEnv: null\n"))
    assert made.edit.names == (A, D)


def test_a_wrong_common_env_is_told_of_its_own_file() -> None:
    made = edit_layers(layers(f"\ncommonEnv: [{{name: {A}, value: no}}]\n", LISTED))
    assert (made.path.name, made.edit.outcome) == ("0.yaml", Outcome.REFUSE)
    assert (made.edit.finding, made.edit.line) == ("LSA328", 2)


def test_in_common_env_and_in_the_list_of_another_layer() -> None:
    listed = f"backend: {{deployment: {{extraEnv: {RIGHT}}}}}\n"
    made = edit_layers(layers(f"commonEnv: {RIGHT}\n", listed))
    assert (made.path.name, made.edit.finding) == ("1.yaml", "LSA323")


def test_a_file_that_cannot_be_read_refuses_all() -> None:
    made = edit_layers(layers(LISTED, "a: [\n"))
    assert (made.path.name, made.edit.finding) == ("1.yaml", "LSA312")


def test_a_null_that_hides_earlier_files_is_not_filled() -> None:
    made = edit_layers(layers(BACKEND, "a: 1\nbackend: null\n"))
    assert (made.path.name, made.edit.finding, made.edit.line) == ("1.yaml", "LSA335", 2)
    assert chosen(NONE, "backend: null\n") == ("1.yaml", Outcome.UPDATE)


def test_a_null_in_an_earlier_file_does_not_matter() -> None:
    assert chosen("backend: null\n", BACKEND) == ("1.yaml", Outcome.INSERT)


def test_the_edit_makes_the_effective_values_right() -> None:
    files = layers(f"commonEnv: []\n{BACKEND}", LISTED, NONE)
    made = edit_layers(files)
    after = [made.edit.data if path == made.path else data for path, data in files]
    listed = effective_values(after)["backend"]["deployment"]["extraEnv"]
    assert listed == [
        {"name": "X", "value": "b"},
        {"name": A, "value": "true"},
        {"name": D, "value": "true"},
    ]
    assert (
        edit_layers(list(zip([it for it, _ in files], after, strict=True))).edit.outcome == "noop"
    )


def test_maps_merge_deep_lists_are_replaced_nulls_delete() -> None:
    first = b"a: {b: {c: 1, d: [1, 2]}, e: 5}\nf: 1\ng: {h: 1}\n"
    second = b"a: {b: {d: [3]}, e: null}\nf: {x: 1}\ng: 2\ni: ~\n"
    assert effective_values([first, second]) == {
        "a": {"b": {"c": 1, "d": [3]}},
        "f": {"x": 1},
        "g": 2,
    }
    assert effective_values([first, b"a: null\n", b"a: {z: 1}\n"])["a"] == {"z": 1}
    assert effective_values([b"", b"# c\n"]) == {}


def test_anchors_and_merges_are_resolved() -> None:
    data = b"x: &x {a: 1, b: 2}\nk: {<<: *x, b: 3}\nz: *x\nw: {<<: [{a: 9}, *x]}\n"
    values = effective_values([data, b"z: {a: 5}\n"])
    assert values["k"] == {"a": 1, "b": 3}
    assert values["z"] == {"a": 5, "b": 2}
    assert values["x"] == {"a": 1, "b": 2}
    assert values["w"] == {"a": 9, "b": 2}


def test_files_that_are_too_deep_or_too_many_are_refused_at_once() -> None:
    lines = ["a0: &a0 {x: 1}"]
    doubled = [f"a{i}: &a{i} {{l: *a{i - 1}, r: *a{i - 1}}}" for i in range(1, 60)]
    chained = [f"a{i}: &a{i} {{<<: *a{i - 1}, k{i}: 1}}" for i in range(1, 3000)]
    for more in (doubled, chained):
        with pytest.raises(Refusal, match="aliases written out"):
            effective_values(["\n".join(lines + more).encode()])
    nested = [f"a{i}: &a{i} [*a{i - 1}]" for i in range(1, 600)]
    for text in ("\n".join(lines + nested), *(_deep(levels) for levels in (400, 3000, 100_000))):
        with pytest.raises(Refusal, match="nests deeper than 400 levels") as refused:
            effective_values([text.encode()])
        assert refused.value.id == "LSA336"
    deep = _deep(399).encode()
    assert list(effective_values([deep, deep])) == ["a"]


def _deep(levels: int) -> str:
    return "a: " + "{b: " * levels + "}" * levels


@pytest.mark.parametrize("text", ["a: [\n", "- a\n", "text\n"])
def test_no_values(text: str) -> None:
    with pytest.raises(Refusal):
        effective_values([text.encode()])


def test_the_same_as_helm(helm3: Path, tmp_path: Path) -> None:
    """What helm itself makes of the files, shown by a chart that prints its values."""
    chart = tmp_path / "chart"
    (chart / "templates").mkdir(parents=True)
    (chart / "Chart.yaml").write_text("apiVersion: v2\nname: c\nversion: 0.1.0\n")
    (chart / "templates" / "all.yaml").write_text("values: {{ toJson .Values | quote }}\n")
    texts = [
        "a: {b: {c: 1, d: [1, 2]}, e: 5}\nf: {x: 1}\nw: yes\nt: 2001-12-14\ns: n\n",
        "a: {b: {d: [3]}, e: 6}\nx: &x {y: 1}\nz: {<<: *x, y: 2}\n",
    ]
    command = [str(helm3), "template", "r", str(chart)]
    for number, text in enumerate(texts):
        (tmp_path / f"{number}.yaml").write_text(text)
        command += ["-f", str(tmp_path / f"{number}.yaml")]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("HELM_")}
    done = subprocess.run(
        command,
        check=True,
        capture_output=True,
        text=True,
        env=clean | {"HELM_CACHE_HOME": str(tmp_path / "cache")},
    )
    line = next(it for it in done.stdout.splitlines() if it.startswith("values: "))
    helms = json.loads(json.loads(line.removeprefix("values: ")))
    assert effective_values([text.encode() for text in texts]) == helms
