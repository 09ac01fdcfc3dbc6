"""The proof of a check: both events are found, and no tag key is left, whatever ends it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from wizard.engine.prove import lock_of
from wizard.practice.cluster import PracticeCluster
from wizard.practice.langsmith_api import TAG_KEYS, Answer, Api, Call
from wizard.practice.langsmith_store import Store
from wizard.settings import Place


@pytest.fixture
def cluster(well_cluster: PracticeCluster) -> PracticeCluster:
    for note in notes(well_cluster):
        note.unlink()
    return well_cluster


def tag_keys(cluster: PracticeCluster) -> list[str]:
    with cluster.connect() as database:
        return [key for (key,) in database.execute("SELECT key FROM tag_keys")]


def notes(cluster: PracticeCluster) -> list[Path]:
    return sorted((cluster.home / "state" / "proofs").glob("*"))


def proof_of(answer: subprocess.CompletedProcess[str]) -> dict[str, dict]:
    assert "Traceback" not in answer.stderr
    document = json.loads(answer.stdout)
    assert document["areas"][-1]["name"] == "proof"
    return {it["id"]: it for it in document["areas"][-1]["findings"]}


@pytest.fixture
def prove(cluster: PracticeCluster, run: Callable) -> Callable[..., tuple[int, dict]]:
    def call(*options: str, **env: str) -> tuple[int, dict]:
        answer = run("check", "--only", "api", "--prove", "--format", "json", *options, env=env)
        return answer.returncode, proof_of(answer)

    return call


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[Call]:
    """The calls for tag keys that the stand-in gets from now on."""
    heard: list[Call] = []
    original = Api.answer

    def answer(self, view, call):
        if call.path.startswith(TAG_KEYS):
            heard.append(call)
        return original(self, view, call)

    monkeypatch.setattr(Api, "answer", answer)
    return heard


def test_both_events_are_found_and_nothing_is_left(cluster, prove, calls) -> None:
    code, found = prove()
    assert (code, list(found)) == (0, ["LSA881"])
    told = found["LSA881"]
    assert (told["state"], told["check"]) == ("pass", "LSA881")
    assert "create_tag_key: found after" in told["evidence"][1]
    assert "delete_tag_key: found after" in told["evidence"][2]
    assert [it.method for it in calls] == ["POST", "DELETE"]
    assert len({it.headers["x-tenant-id"] for it in calls}) == 1
    made = json.loads(calls[0].body)["key"]
    assert made.startswith("langsmith-audit-proof-")
    assert calls[1].path.rsplit("/", 1)[1] in told["evidence"][0]
    assert (tag_keys(cluster), notes(cluster)) == ([], [])
    assert prove()[0] == 0
    assert json.loads(calls[2].body)["key"] != made


def test_nothing_is_written_unless_it_is_asked_for(cluster, run, calls) -> None:
    answer = run("check", "--format", "json")
    assert answer.returncode == 0
    assert [it["name"] for it in json.loads(answer.stdout)["areas"]].count("proof") == 0
    assert calls == []


def test_an_event_that_does_not_come_is_a_failure_and_nothing_is_left(
    cluster, prove, monkeypatch
) -> None:
    monkeypatch.setattr(Store, "record", lambda _self, _entry: None)
    code, found = prove("--prove-within", "0.5")
    assert (code, list(found)) == (3, ["LSA882"])
    assert found["LSA882"]["evidence"][1:] == [
        "create_tag_key: not found", "delete_tag_key: not found"
    ]  # fmt: skip
    assert (tag_keys(cluster), notes(cluster)) == ([], [])


def test_a_key_that_may_not_is_told_what_it_lacks(cluster, prove, monkeypatch) -> None:
    def refuse(*_args) -> tuple:
        from wizard.practice.langsmith_api import _Refused

        raise _Refused(403, "Forbidden")

    monkeypatch.setattr(Api, "_workspace_manager", refuse)
    code, found = prove()
    (told,) = found.values()
    assert (code, told["state"]) == (3, "fail")
    assert "workspaces:manage" in told["next_step"]
    assert notes(cluster) == []


def test_another_workspace_is_named(cluster, prove) -> None:
    code, found = prove(LANGSMITH_WORKSPACE_ID="00000000-0000-4000-8000-000000000000")
    assert code == 3
    assert "workspaces:manage" in json.dumps(found)


def lost(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Such a call for a tag key is made, and its answer is lost."""
    original = Api.answer

    def answer(self, view, call):
        told = original(self, view, call)
        hit = call.method == method and call.path.startswith(TAG_KEYS)
        return Answer(502, {"detail": "lost"}) if hit else told

    monkeypatch.setattr(Api, "answer", answer)


def test_a_tag_key_whose_answer_was_lost_is_found_and_deleted(cluster, prove, monkeypatch) -> None:
    lost("POST", monkeypatch)
    code, found = prove()
    assert (code, list(found)) == (5, ["LSA816"])
    assert (tag_keys(cluster), notes(cluster)) == ([], [])


def test_what_cannot_be_deleted_is_told_and_deleted_by_the_next_proof(
    cluster, prove, monkeypatch
) -> None:
    with monkeypatch.context() as staged:
        original = Api._delete_tag_key
        staged.setattr(Api, "_delete_tag_key", lambda *_: Answer(500, {"detail": "no"}))
        code, found = prove("--prove-within", "1")
        assert found["LSA884"]["state"] == "warn"
        assert (len(tag_keys(cluster)), len(notes(cluster))) == (1, 1)
        assert tag_keys(cluster)[0] in found["LSA884"]["message"]
        assert original is not Api._delete_tag_key
    code, found = prove()
    assert (code, list(found)) == (0, ["LSA881"])
    assert (tag_keys(cluster), notes(cluster)) == ([], [])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_a_signal_leaves_no_tag_key(cluster, prove, calls, monkeypatch, number) -> None:
    monkeypatch.setattr(Store, "record", lambda _self, _entry: None)
    process = subprocess.Popen(
        [sys.executable, "-m", "wizard", "check", "--only", "api", "--prove", "--format", "json"],
        env=cluster.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    while not tag_keys(cluster):
        assert process.poll() is None
        time.sleep(0.02)
    os.kill(process.pid, number)
    out, err = process.communicate(timeout=60)
    assert "Traceback" not in err
    if number == signal.SIGKILL:
        assert len(tag_keys(cluster)) == len(notes(cluster)) == 1
        monkeypatch.undo()
        assert prove()[0] == 0
    else:
        document = json.loads(out)
        assert document["exit_code"] == process.returncode == (143 if number == 15 else 130)
        assert document["areas"][-1]["findings"][0]["state"] == "not-run"
    assert (tag_keys(cluster), notes(cluster)) == ([], [])


def test_two_at_once_are_refused(cluster, prove, monkeypatch) -> None:
    monkeypatch.setenv("LANGSMITH_AUDIT_STATE_DIR", str(cluster.home / "state"))
    place = Place(cluster.kubernetes.url, cluster.namespace, cluster.release)
    lock = lock_of(place)
    assert lock_of(replace(place, release="other")).free()  # another release has its own
    assert lock.acquire()
    try:
        code, found = prove()
    finally:
        lock.release()
    assert (code, list(found), found["LSA883"]["state"]) == (5, ["LSA883"], "unknown")
