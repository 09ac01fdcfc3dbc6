"""`langsmith-audit values`, run as a user runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

A, D = "AUDIT_LOGS_ENABLED", "DEFAULT_ORG_FEATURE_CAN_USE_AUDIT_LOGS"
PLAIN = "backend:\n  name: backend  # ours\n"
RIGHT = f'commonEnv: [{{name: {A}, value: "true"}}, {{name: {D}, value: "true"}}]\n'
KEYS = {"file", "outcome", "finding", "line", "message", "lines_added", "tokens_replaced"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in {"a.yaml": PLAIN, "b.yaml": RIGHT, "c.yaml": "a: [\n"}.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def values(
    folder: Path, *arguments: str, path: Path | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "wizard", "values", *arguments],
        cwd=folder,
        env=os.environ
        | {
            "LANGSMITH_AUDIT_STATE_DIR": str(folder / "state"),
            "PATH": f"{path or folder}:{os.defpath}",
        },
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )


def lines(done: subprocess.CompletedProcess[str]) -> list[dict]:
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_diff_is_shown_and_nothing_written(folder: Path) -> None:
    done = values(folder, "a.yaml")
    assert (done.returncode, done.stderr) == (0, "")
    assert "a.yaml:3: to be added" in done.stdout
    assert f"\n+      - name: {A}\n" in done.stdout
    assert "--write" in done.stdout
    assert (folder / "a.yaml").read_text() == PLAIN
    assert not (folder / "state").exists()


def test_write_writes_and_keeps_the_old_content(folder: Path) -> None:
    assert values(folder, "a.yaml", "--write").returncode == 0
    assert (folder / "a.yaml").read_text().startswith(PLAIN + "  deployment:\n    extraEnv:\n")
    copies = list((folder / "state" / "values").iterdir())
    assert [copy.read_text() for copy in copies] == [PLAIN]
    again = values(folder, "a.yaml", "--write", "--format", "ndjson")
    assert [line["outcome"] for line in lines(again)] == ["noop"]


def test_helm_itself_confirms_what_is_written(folder: Path, helm: Path) -> None:
    (folder / "a.yaml").write_text(PLAIN + "  big: 123456789012345678901\n  gone: null\n  e: 1e3\n")
    done = values(folder, "a.yaml", "--write", "--format", "json", path=helm.parent)
    (told,) = json.loads(done.stdout)["files"]
    assert (told["written"], told["confirmed_by_helm"]) == (True, True), done.stdout
    (folder / "a.yaml").write_text(PLAIN)
    assert (
        "helm reads it as it was meant"
        in values(folder, "a.yaml", "--write", path=helm.parent).stdout
    )


def test_without_helm_nothing_is_said_to_be_confirmed(folder: Path) -> None:
    assert "helm was not asked" in values(folder, "a.yaml", "--write").stdout


def test_what_helm_reads_otherwise_is_not_written(folder: Path, helm: Path) -> None:
    """A helm that has a value of its own for the file, as a wrapper around it may give it."""
    wrapper = folder / "helm"
    wrapper.write_text(f'#!/bin/sh\nexec {helm} "$@" --set backend.name=other\n')
    wrapper.chmod(0o755)
    done = values(folder, "a.yaml", "--write", "--format", "json")
    (told,) = json.loads(done.stdout)["files"]
    assert (done.returncode, told["finding"], told["written"]) == (3, "LSA337", False)
    assert (folder / "a.yaml").read_text() == PLAIN


def test_ndjson_has_one_line_a_file(folder: Path) -> None:
    done = values(folder, "a.yaml", "b.yaml", "c.yaml", "--format", "ndjson")
    found = lines(done)
    assert done.returncode == 3
    assert all(set(line) == KEYS for line in found)
    assert [(it["file"], it["outcome"]) for it in found] == [
        ("a.yaml", "insert"),
        ("b.yaml", "noop"),
        ("c.yaml", "refuse"),
    ]
    assert (found[0]["line"], found[0]["lines_added"], found[0]["tokens_replaced"]) == (3, 6, 0)
    assert (found[2]["finding"], found[2]["line"]) == ("LSA312", 2)


def test_json_is_one_document(folder: Path) -> None:
    done = values(folder, "a.yaml", "b.yaml", "--format", "json")
    document = json.loads(done.stdout)
    assert (done.returncode, document["schema_version"]) == (0, "1.0")
    first = document["files"][0]
    assert set(first) > KEYS
    assert first["names"] == [A, D]
    assert first["diff"].startswith("--- a/a.yaml\n")
    assert first["written"] is False


def test_one_bad_file_does_not_stop_the_others(folder: Path) -> None:
    done = values(folder, "missing.yaml", "c.yaml", ".", "a.yaml", "--write", "--format", "ndjson")
    assert done.returncode == 2
    assert [line["outcome"] for line in lines(done)] == ["refuse", "refuse", "refuse", "insert"]
    assert [line["finding"] for line in lines(done)] == ["LSA301", "LSA312", "LSA301", "LSA304"]
    assert (folder / "a.yaml").read_text() != PLAIN
    assert (folder / "c.yaml").read_text() == "a: [\n"


def test_strange_names_and_contents_are_shown_safely(folder: Path) -> None:
    name = "ä\x1b[31m漢.yaml"
    (folder / name).write_bytes(b"a: \xff\n")
    done = values(folder, name)
    assert done.returncode == 3
    assert "\x1b" not in done.stdout
    (folder / "e.yaml").write_text("a: \x1b[31m\n")
    assert "\x1b" not in values(folder, "e.yaml").stdout


def test_names_of_files_that_are_no_text(folder: Path) -> None:
    name = os.fsencode(folder) + b"/\xff\xfe.yaml"
    try:
        Path(os.fsdecode(name)).write_text(PLAIN)
    except OSError:
        pytest.skip("the file system wants names in UTF-8")
    for form in ("text", "json", "ndjson"):
        done = values(folder, os.fsdecode(name), "--format", form)
        assert (done.returncode, done.stderr) == (0, "")


def test_an_output_that_knows_only_ascii(folder: Path) -> None:
    (folder / "a.yaml").write_text("backend:\n  名: 値\n", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "wizard", "values", "a.yaml"],
        cwd=folder,
        env=os.environ | {"PYTHONIOENCODING": "ascii"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_no_file_is_a_wrong_invocation(folder: Path) -> None:
    assert values(folder).returncode == 2


def test_the_sops_command_names_the_file(folder: Path) -> None:
    (folder / "s.yaml").write_text("a: ENC[x]\nsops:\n  mac: x\n")
    assert "sops edit s.yaml" in values(folder, "s.yaml").stdout


def test_check_tells_ci_where_an_edit_is_needed(folder: Path) -> None:
    (folder / "wrong.yaml").write_text("backend: {deployment: {extraEnv: []}}\n")
    said = {"a.yaml": "to be added", "b.yaml": "already set", "c.yaml": "refused"}
    said["wrong.yaml"] = "to be replaced"
    for name, words in said.items():
        done = values(folder, name, "--check")
        assert done.returncode == (0 if name == "b.yaml" else 3)
        assert f": {words}  " in done.stdout
    assert (folder / "a.yaml").read_text() == PLAIN
    assert values(folder, "b.yaml", "a.yaml", "--check", "--format", "json").returncode == 3
    assert values(folder, "missing.yaml", "a.yaml", "--check").returncode == 2
    assert values(folder, "a.yaml", "--check", "--write").returncode == 2
    assert ": added  " in values(folder, "a.yaml", "--write").stdout
    assert values(folder, "a.yaml", "--check").returncode == 0


def test_the_values_of_others_are_shown_to_those_who_want_it(folder: Path) -> None:
    (folder / "other.yaml").write_text("backend:\n  deployment:\n    host: inner.example\n")
    for form in ("text", "json"):
        assert "inner.example" not in values(folder, "other.yaml", "--format", form).stdout
        shown = values(folder, "other.yaml", "--format", form, "--show-values")
        assert "inner.example" in shown.stdout


def test_a_secret_beside_the_edit_is_not_shown(folder: Path) -> None:
    text = 'backend:\n  deployment:\n    password: "hunter2hunter2"\n'
    (folder / "secret.yaml").write_text(text)
    for form in ("text", "json"):
        done = values(folder, "secret.yaml", "--format", form)
        assert "AUDIT_LOGS_ENABLED" in done.stdout
        assert "hunter2hunter2" not in done.stdout + done.stderr
