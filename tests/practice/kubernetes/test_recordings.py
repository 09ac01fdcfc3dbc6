"""The practice API held against recordings of a real API server (recordings/cases).

What differs and is accepted stands in recordings/accepted.yaml, each entry with its reason; one
that no longer differs fails, too, so that the list only shrinks.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
import yaml
from api_answers import step_differences
from replay import Run, Server

from wizard.practice.kubernetes import LocalCommand, PracticeKubernetes

Json = dict[str, Any]

RECORDINGS = Path(__file__).parent / "recordings"
CASES = sorted((RECORDINGS / "cases").glob("*.json"))
ACCEPTED = yaml.safe_load((RECORDINGS / "accepted.yaml").read_text(encoding="utf-8"))
IMAGE = "docker.io/redis:7"


@pytest.fixture(scope="module")
def kube() -> Iterator[PracticeKubernetes]:
    cluster = PracticeKubernetes(pod_ready_after=0.3, job_takes=0.3)
    cluster.exec_handler = lambda pod, container, argv: LocalCommand(
        argv, {"PATH": "/usr/bin:/bin"}
    )
    cluster.start()
    cluster.faults.forbid("*", "*", "*", "rec-rights-refused")
    yield cluster
    cluster.stop()


def everywhere(path: str, real: object, ours: object) -> bool:
    """Whether one of the general rules covers a difference."""
    told = f"{path}: {json.dumps(real)} -> {json.dumps(ours)}"
    return any(re.fullmatch(rule["pattern"], told, re.DOTALL) for rule in ACCEPTED["everywhere"])


def covers(entry: Json, step: int, path: str) -> bool:
    steps = entry["step"] if isinstance(entry["step"], list) else [entry["step"]]
    return step in steps and fnmatchcase(path, entry["path"].replace("[", "[[]"))


@pytest.mark.parametrize("file", CASES, ids=lambda file: file.stem)
def test_the_practice_api_answers_as_the_real_one(kube: PracticeKubernetes, file: Path) -> None:
    case = json.loads(file.read_text(encoding="utf-8"))
    answered = Run(Server(kube), case, IMAGE).run()
    found = [
        (step, path, real, ours)
        for step, (recorded, now) in enumerate(zip(case["steps"], answered["steps"], strict=True))
        if step not in case.get("timing", [])
        for path, real, ours in step_differences(recorded["answer"], now["answer"])
        if not everywhere(path, real, ours)
    ]
    entries = ACCEPTED["cases"].get(file.stem, [])
    used = [any(covers(entry, step, path) for step, path, _, _ in found) for entry in entries]
    told = [
        f"step {step} {path}\n    real: {json.dumps(real)}\n    ours: {json.dumps(ours)}"
        for step, path, real, ours in found
        if not any(covers(entry, step, path) for entry in entries)
    ]
    assert not told, "\n".join([file.stem, *told])
    idle = [entry for entry, was in zip(entries, used, strict=True) if not was]
    assert not idle, f"no longer differs: {idle}"


def test_every_accepted_difference_is_of_a_recorded_case() -> None:
    named = set(ACCEPTED["cases"])
    assert named <= {file.stem for file in CASES}
    assert all(entry["reason"] for entries in ACCEPTED["cases"].values() for entry in entries)
