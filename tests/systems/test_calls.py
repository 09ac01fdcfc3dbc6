"""Calls to other programs: what they get of this process's environment."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from wizard.planning import approval
from wizard.problems import Problem
from wizard.systems.calls import heard, logged
from wizard.systems.helm import process
from wizard.systems.helm.errors import Call

NEEDLES = {
    "LANGSMITH_API_KEY": "lsv2_needle",
    "LANGCHAIN_API_KEY": "needle",
    "PGPASSWORD": "needle",
    "PGPASSFILE": "needle",
}
CHILD = "import json, os, sys; json.dump(dict(os.environ), open(os.environ['TOLD'], 'w'))"
CALL = Call("helm list", "x")


def read(binary: Path) -> None:
    process.read([str(binary), "list"], CALL, limit=60)


def start(binary: Path) -> None:
    process.start([str(binary), "upgrade"]).wait(lambda _: None)


def verify(binary: Path) -> None:
    with pytest.raises(Problem):
        approval.signer(binary, b"", binary, binary)


def look_for(binary: Path) -> None:
    process.still_runs(os.getpid(), "python")


def test_a_call_ends_well_while_another_thread_imports_logging(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "logging", ModuleType("logging"))
    lines: list[str] = []
    with heard(lines.append), logged("helm", "helm list --token lsv2_pt_needle"):
        pass
    with logged("helm", "helm list"):
        pass
    (line,) = lines
    assert line.startswith("helm helm list --token *** → ok, ")


@pytest.mark.parametrize(
    ("name", "call"), [("helm", read), ("helm", start), ("ssh-keygen", verify), ("ps", look_for)]
)
def test_no_program_gets_the_secrets_of_this_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, call: Callable[[Path], None]
) -> None:
    binary = tmp_path / name
    binary.write_text(f"#!{sys.executable}\n{CHILD}\n")
    binary.chmod(0o700)
    monkeypatch.setattr(process, "LIMIT", 60.0)
    monkeypatch.setattr(approval, "LIMIT", 60.0)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setenv("TOLD", str(tmp_path / "told"))
    monkeypatch.setenv("AWS_PROFILE", "needed by a plugin of helm's")
    for variable, needle in NEEDLES.items():
        monkeypatch.setenv(variable, needle)
    call(binary)
    told = json.loads((tmp_path / "told").read_text())
    assert told["AWS_PROFILE"]
    assert [text for text in told.values() if "needle" in text] == []
