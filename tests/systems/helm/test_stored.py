"""What helm has stored, told as helm 3 and 4 tell it; anything else is left to helm."""

import base64
import copy
import gzip
import json
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from wizard.practice.cluster import PracticeCluster
from wizard.settings import settings_from, target_from
from wizard.systems.access import Systems
from wizard.systems.helm import stored
from wizard.systems.helm.records import read_release, read_revision, took
from wizard.systems.helm.stored import NotARecord, read_record, unpacked
from wizard.systems.release.records import record_of, stored_revisions
from wizard.systems.values.as_helm import without_nulls

NAMESPACE = "langsmith"
CHART = {
    "Chart.yaml": "apiVersion: v2\nname: small\nversion: 1.0.0-rc.1\nappVersion: '7'\n"
    "dependencies: [{name: below, version: 1.0.0}]\n",
    "charts/below/Chart.yaml": "apiVersion: v2\nname: below\nversion: 1.0.0\n",
    "charts/below/values.yaml": "own: 1\nname: below\n",
    "values.yaml": """\
none: null
top: {}
deep: {keep: 1, drop: 2, also: {more: null, less: [1, null]}}
becomes: {a: table}
number: 7.0
list: [{a: null}, 2]
below: {name: from above}
""",
    "templates/map.yaml": """\
apiVersion: v1
kind: ConfigMap
metadata: {name: "{{ .Release.Name }}-map"}
data: {all: {{ .Values | toJson | quote }}}
""",
    "templates/hook.yaml": """\
# a comment of its own
apiVersion: v1
kind: ConfigMap
metadata:
  name: "{{ .Release.Name }}-hook"
  annotations: {helm.sh/hook: "pre-upgrade,post-install"}
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: "{{ .Release.Name }}-other"
  annotations: {helm.sh/hook: post-rollback, helm.sh/hook-weight: "-5"}
""",
}
GIVEN = """\
gone: null
top: {nested: null, kept: x}
deep: {drop: null, also: {more: 1, absent: null}}
becomes: text
exponent: 1e3
large: 12345678901234567890
exact: 9007199254740993
whole: 7.0
tiny: 1.5e-7
huge: 1e21
minus: -0.0
text: "é < & > \\u2028 😀 \\\\ud83d"
list: [null, {a: null}, 1.0]
global: {g: 1}
"""


@pytest.fixture
def chart(tmp_path: Path) -> str:
    for name, text in CHART.items():
        path = tmp_path / "small" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (tmp_path / "given.yaml").write_text(GIVEN)
    return str(tmp_path / "small")


def asked(cluster: PracticeCluster, *words: str) -> str:
    answer = cluster.run_helm(*words, "--namespace", NAMESPACE)
    assert answer.returncode == 0, answer.stderr
    return answer.stdout


def exactly(values: object) -> str:
    """Values as text: in Python 7.0 equals 7, and True equals 1."""
    return json.dumps(values, sort_keys=True)


def agrees(cluster: PracticeCluster, systems: Systems, name: str) -> list[str]:
    """Hold every revision of a release against helm's own words; the statuses."""
    history = json.loads(asked(cluster, "history", name, "-o", "json"))
    listed = json.loads(asked(cluster, "list", "-a" if is_3(cluster) else "--no-headers=false",
                              "-o", "json"))  # fmt: skip
    labels = stored_revisions(systems.cluster, NAMESPACE, name)
    told = [(row["revision"], row["status"]) for row in history]
    assert [(it.revision, it.status) for it in labels] == told
    for row in history:
        number = row["revision"]
        found = record_of(systems.cluster, NAMESPACE, name, number)
        assert found is not None
        at = (name, "--revision", str(number))
        assert found.row == read_revision(row)
        assert found.manifest == asked(cluster, "get", "manifest", *at)
        assert found.hooks == asked(cluster, "get", "hooks", *at)
        given = json.loads(asked(cluster, "get", "values", *at, "-o", "json"))
        assert exactly(found.user_values) == exactly(given or {})
        every = json.loads(asked(cluster, "get", "values", *at, "--all", "-o", "json"))
        assert exactly(found.computed_values) == exactly(without_nulls(every))
        status = json.loads(asked(cluster, "status", *at, "-o", "json"))
        assert found.took == took(status)
        assert found.release.updated == status["info"]["last_deployed"]
    newest = record_of(systems.cluster, NAMESPACE, name, history[-1]["revision"])
    assert newest is not None
    (row,) = (it for it in listed if it["name"] == name)
    assert vars(newest.release) | {"updated": ""} == vars(read_release(row)) | {"updated": ""}
    return [row["status"] for row in history]


def is_3(cluster: PracticeCluster) -> bool:
    return cluster.run_helm("version", "--short").stdout.startswith("v3")


@pytest.fixture
def user(
    cluster: PracticeCluster, helm: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Systems]:
    cluster.use_helm(helm)
    for name, text in cluster.environment().items():
        monkeypatch.setenv(name, text)
    return Systems(target_from(settings_from({}, cluster.environment())))


def test_records_are_told_as_helm_tells_them(
    cluster: PracticeCluster, user: Systems, chart: str, tmp_path: Path
) -> None:
    given = ("--values", str(tmp_path / "given.yaml"))
    typed = ("--set", "exact=9007199254740993", "--set-json", 'j={"a":7.0,"b":null,"c":1e3}')
    upgrade = ("upgrade", "small", chart)
    with user as systems:
        assert agrees(cluster, systems, "langsmith") == ["deployed"]
        asked(cluster, "install", "small", chart)
        asked(cluster, *upgrade, *given, *typed)
        assert agrees(cluster, systems, "small") == ["superseded", "deployed"]
        cluster.kubernetes.faults.forbid("patch", "configmaps")
        assert cluster.run_helm(*upgrade, "-n", NAMESPACE, "--set", "a=b").returncode != 0
        cluster.kubernetes.faults.clear()
        asked(cluster, "rollback", "small", "2")
        statuses = ["superseded", "superseded", "failed", "deployed"]
        assert agrees(cluster, systems, "small") == statuses
        asked(cluster, *upgrade, "--description", "password=hunter2")
        (*_, row) = (it.row for it in [record_of(systems.cluster, NAMESPACE, "small", 5)] if it)
        assert "hunter2" not in row.description


def test_records_in_config_maps_are_told_as_well(
    cluster: PracticeCluster,
    user: Systems,
    chart: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HELM_DRIVER", "configmap")
    cluster.variables["HELM_DRIVER"] = "configmap"
    try:
        asked(cluster, "install", "mapped", chart, "--values", str(tmp_path / "given.yaml"))
        with user as systems:
            assert agrees(cluster, systems, "mapped") == ["deployed"]
    finally:
        del cluster.variables["HELM_DRIVER"]


# What is none


RECORD: dict[str, Any] = {
    "name": "small",
    "namespace": NAMESPACE,
    "version": 1,
    "info": {"status": "deployed", "last_deployed": "2026-11-29T08:00:00Z"},
    "chart": {"metadata": {"name": "small", "version": "1.0.0"}, "values": {"a": 1}},
    "config": None,
    "manifest": "kind: A",
    "hooks": [{"path": "small/templates/hook.yaml", "manifest": "kind: B"}],
}


def packed(data: bytes) -> bytes:
    return base64.b64encode(gzip.compress(data, 9, mtime=0))


def read(document: Any) -> stored.Record:
    return read_record(unpacked(packed(json.dumps(document).encode())))


def test_a_record_without_what_may_lack() -> None:
    found = read(RECORD)
    assert (found.user_values, found.computed_values) == ({}, {"a": 1})
    assert (found.release.chart, found.release.app_version) == ("small-1.0.0", "")
    plain = base64.b64encode(json.dumps(RECORD).encode())  # as helm 2 and its drafts left it
    assert read_record(unpacked(plain)) == found
    bare = {**RECORD, "hooks": None, "manifest": ""}
    assert (read(bare).hooks, read(bare).manifest, read(bare).took) == ("", "\n", None)


PLACES: dict[tuple[str | int, ...], type] = {
    (): dict,
    ("name",): str,
    ("version",): int,
    ("info",): dict,
    ("info", "status"): str,
    ("chart",): dict,
    ("chart", "metadata"): dict,
    ("chart", "metadata", "version"): str,
    ("chart", "values"): dict,
    ("config",): dict,
    ("manifest",): str,
    ("hooks",): list,
    ("hooks", 0): dict,
    ("hooks", 0, "path"): str,
    ("hooks", 0, "manifest"): str,
}


@pytest.mark.parametrize("place", PLACES, ids=str)
def test_a_part_that_is_something_else(place: tuple[str | int, ...]) -> None:
    for other in (7, 1.5, True, "text", ["text"], {"a": 1}):
        if type(other) is not PLACES[place]:
            whole = {"": copy.deepcopy(RECORD)}
            node: Any = whole
            for key in ("", *place)[:-1]:
                node = node[key]
            node[("", *place)[-1]] = other
            with pytest.raises(NotARecord):
                read(whole[""])


@pytest.mark.parametrize(
    "data",
    [
        b"!",
        base64.b64encode(b"\x1f\x8b\x08"),
        base64.b64encode(gzip.compress(b"{}")[:-9]),
        packed(b"\xff{}"),
        packed(b"[" * 100_000),
        packed(b'{"a": NaN}'),
        packed(b'{"a": 1e400}'),
        packed(b'{"a": 1' + b"0" * 5000 + b"}"),
        packed(json.dumps({**RECORD, "manifest": "\ud800"}).encode()),
    ],
    ids=str.split("word magic cut bytes deep nan infinite long surrogate"),
)
def test_what_cannot_be_read(data: bytes) -> None:
    with pytest.raises(NotARecord):
        read_record(unpacked(data))


def test_a_bomb_costs_little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored, "MOST_BYTES", 4 << 20)
    long, wide = packed(b" " * (200 << 20)), packed(b"[" + b"[]," * 1_200_000 + b"[]]")
    tracemalloc.start()
    try:
        for bomb in (long, wide):
            with pytest.raises(NotARecord):
                unpacked(bomb)
        assert tracemalloc.get_traced_memory()[1] < 64 << 20
    finally:
        tracemalloc.stop()
