"""Answers of another shape than Kubernetes documents: told with the place, never an exit code 1."""

from __future__ import annotations

import json
import random
import re
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from wizard.engine.look import look
from wizard.problems import Problem
from wizard.steps.procedure import STEPS
from wizard.systems.access import Systems
from wizard.systems.kubernetes.shapes import ELSEWHERE, ENTERED, OPAQUE, _wrong, odd
from wizard.systems.reach.http import Answer, Wire

METADATA = {"name": "x"}
CONTAINER = {"name": "backend", "env": [{"name": "A", "value": "b"}]}
POD = {"kind": "Pod", "metadata": METADATA, "spec": {"containers": [CONTAINER]}}
TEMPLATE = {"metadata": {"labels": {"env": "prod"}}, "spec": {"containers": [CONTAINER]}}
DEPLOYMENT = {
    "kind": "Deployment",
    "metadata": {**METADATA, "annotations": {"spec": "x"}, "creationTimestamp": None},
    "spec": {"replicas": 2, "selector": {"matchLabels": {"ports": "x"}}, "template": TEMPLATE},
    "status": {"conditions": [{"type": "Available", "status": "True"}]},
}

OF_LINUX = {"linux": {"uid": 0, "gid": 0, "supplementalGroups": [0]}}
SCHEMA = {"openAPIV3Schema": {"properties": {"env": {"type": "array", "items": {}}}}}
DEFINITION = {"conversion": {"strategy": "None"}, "versions": [{"name": "v1", "schema": SCHEMA}]}


def changed(document: dict[str, Any], path: str, value: object) -> dict[str, Any]:
    copy: dict[str, Any] = json.loads(json.dumps(document))
    *way, last = path.split(".")
    node: Any = copy
    for key in way:
        node = node[int(key)] if key.isdecimal() else node[key]
    node[int(last) if last.isdecimal() else last] = value
    return copy


@pytest.mark.parametrize(
    "document",
    [
        POD,
        DEPLOYMENT,
        {"kind": "PodList", "items": None, "metadata": None},
        {"kind": "PodList", "items": [{**POD, "kind": None}]},
        {**POD, "status": {"containerStatuses": [{"name": "backend", "user": OF_LINUX}]}},
        {"kind": "Lease", "metadata": METADATA, "spec": {"strategy": "OldestEmulationVersion"}},
        {"kind": "LimitRange", "metadata": METADATA, "spec": {"limits": [{"type": "Pod"}]}},
        {"kind": "CustomResourceDefinition", "metadata": METADATA, "spec": DEFINITION},
        {"kind": "ConfigMap", "metadata": METADATA, "data": {"env": "x", "spec": "y"}},
        {"kind": "SelfSubjectAccessReview", "metadata": {}, "status": {"allowed": True}},
        {"kind": "APIResourceList", "resources": [{"name": "pods"}]},
        {"kind": "APIGroupList", "groups": [{"name": "apps", "versions": [{"version": "v1"}]}]},
        {"kind": "APIVersions", "versions": ["v1"]},
        {"kind": "PartialObjectMetadataList", "items": [{"metadata": METADATA}]},
    ],
)
def test_what_is_documented_passes(document: dict[str, Any]) -> None:
    assert odd(document, custom=False) == ""


def test_what_is_null_is_as_what_is_not_there() -> None:
    document = changed(DEPLOYMENT, "spec.replicas", None)
    assert odd(document, custom=False) == ""
    assert "replicas" not in document["spec"]
    assert "creationTimestamp" not in document["metadata"]


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"kind": 7}, "kind is no text"),
        ({"kind": "Pod"}, "metadata has no name"),
        ({"kind": "PodList", "items": 7}, "items is no list"),
        ({"kind": "PodList", "items": {"a": 1}}, "items is no list"),
        ({"kind": "PodList", "items": [None]}, "items[0] is no object"),
        ({"kind": "PodList", "items": [POD, 7]}, "items[1] is no object"),
        ({"kind": "PodList", "items": [POD, []]}, "items[1] is no object"),
        ({"kind": "PodList", "items": [], "metadata": 7}, "metadata is no mapping"),
        ({"kind": "PodList", "items": [{"metadata": {"name": 7}}]}, "items[0].metadata has no"),
        (changed(POD, "metadata", []), "metadata has no name"),
        (changed(POD, "metadata.labels", "x"), "metadata.labels is no mapping"),
        (changed(POD, "metadata.uid", 7), "metadata.uid is no text"),
        (changed(POD, "spec", 7), "spec is no mapping"),
        (changed(POD, "spec", None), "spec.containers is missing"),
        (changed(POD, "spec.containers", []), "spec.containers is missing"),
        (changed(POD, "spec.containers", 7), "spec.containers is no list of mappings"),
        (changed(POD, "spec.containers", [None]), "spec.containers is no list of mappings"),
        (changed(POD, "spec.containers.0.name", None), "spec.containers has an entry without name"),
        (changed(POD, "spec.containers.0.env", {"A": "b"}), "containers[0].env is no list"),
        (changed(DEPLOYMENT, "spec.replicas", "two"), "spec.replicas is no number"),
        (changed(DEPLOYMENT, "spec.replicas", True), "spec.replicas is no number"),
        (changed(DEPLOYMENT, "spec.template", []), "spec.template is no mapping"),
        (changed(DEPLOYMENT, "spec.template.spec", {}), "spec.template.spec.containers is missing"),
        (changed(DEPLOYMENT, "status", "fine"), "status is no mapping"),
        (changed(DEPLOYMENT, "status.conditions.0.status", 1), "conditions has an entry without"),
        ({"kind": "APIResourceList", "resources": [7]}, "resources is no list"),
        ({"kind": "APIGroupList", "groups": [{"versions": 7}]}, "groups[0].versions is no list"),
        ({"kind": "SelfSubjectAccessReview", "status": []}, "status is no mapping"),
        ({"kind": "Secret", "metadata": METADATA, "data": "x"}, "data is no mapping"),
    ],
)
def test_what_is_not_is_told_with_its_place(document: dict[str, Any], words: str) -> None:
    assert words in odd(document, custom=False)


def test_a_custom_resource_may_have_any_shape_but_for_its_metadata() -> None:
    custom = {"kind": "Application", "metadata": METADATA, "spec": [], "status": {"env": 7}}
    assert odd(custom, custom=True) == ""
    assert (
        odd(changed(custom, "metadata.labels", []), custom=True) == "metadata.labels is no mapping"
    )


UNREAD = ("flowcontrol.apiserver.k8s.io",)
"""Groups of which no object is in a release."""


@pytest.mark.live
@pytest.mark.live_only
def test_what_the_cluster_documents_has_no_other_shape(request: pytest.FixtureRequest) -> None:
    schemas = _documented(request.config.getoption("--live"))
    kinds = {
        told[0]["kind"]: schema
        for schema in schemas.values()
        if (told := schema.get("x-kubernetes-group-version-kind"))
        and not told[0]["kind"].endswith("List")
        and told[0]["group"] not in UNREAD
    }
    assert {"Deployment", "Pod", "Service"} <= kinds.keys()
    assert [*filter(None, (_other(kind, it, schemas) for kind, it in kinds.items()))] == []


def _documented(kubeconfig: str) -> dict[str, Any]:
    def get(path: str) -> dict[str, Any]:
        command = ["kubectl", "--kubeconfig", kubeconfig, "get", "--raw", path]
        told: dict[str, Any] = json.loads(subprocess.run(command, capture_output=True).stdout)
        return told

    index = get("/openapi/v3")["paths"].items()
    of_kubernetes = [
        one["serverRelativeURL"] for at, one in index if re.match(r"apis?/[\w.]+(/v\w+)?$", at)
    ]
    found: dict[str, Any] = {}
    for url in of_kubernetes:
        found |= get(url).get("components", {}).get("schemas", {})
    return found


def _other(kind: str, schema: dict[str, Any], schemas: dict[str, Any]) -> str:
    """The first place of a kind that is told as odd though it is as documented."""
    waiting, seen = [(kind, schema)], set()
    while waiting:
        at, one = waiting.pop()
        for key, value in one.get("properties", {}).items():
            it = _resolved(value, schemas)
            if (id(it), key) in seen or key in ELSEWHERE.get(kind, ()):
                continue
            seen.add((id(it), key))
            each = _resolved(it["items"], schemas) if it.get("type") == "array" else it
            shortest = dict.fromkeys(each.get("required", ()), "x")
            example = {"array": [shortest], "object": {}, "string": "x", "integer": 1}
            if _wrong(key, example.get(it.get("type", ""), 1)):
                return f"{at}.{key}"
            if key in ENTERED and key not in OPAQUE:
                waiting.append((f"{at}.{key}", each))
    return ""


def _resolved(schema: dict[str, Any], schemas: dict[str, Any]) -> dict[str, Any]:
    (schema,) = schema.get("allOf", [schema])
    at = schema.get("$ref", "").rpartition("/")[2]
    found: dict[str, Any] = schemas[at] if at else schema
    return found


VALUES: tuple[object, ...] = (None, 7, "x", [], {}, [None], [7], {"a": 7}, True)
MOST = 40


@pytest.mark.repeats
def test_no_answer_makes_a_check_end_unexpectedly(
    systems: Systems, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: dict[str, Any] = {}
    wrong: list[tuple[str, tuple[Any, ...], object]] = []
    ask = Wire.ask

    def answer(self: Wire, method: str, target: str, *rest: Any, **more: Any) -> Answer:
        given = ask(self, method, target, *rest, **more)
        path = target.partition("?")[0]
        document = json.loads(given.body)
        seen.setdefault(path, document)
        if wrong and wrong[-1][0] == path:
            _put(document, *wrong[-1][1:])
        return Answer(given.status, given.headers, json.dumps(document).encode())

    monkeypatch.setattr(Wire, "ask", answer)
    with Systems(systems.target, by_labels=True) as first:
        look(first, STEPS[:3])
    chance = random.Random(13)
    places = [(path, at) for path, document in sorted(seen.items()) for at in _places(document)]
    assert len(places) > MOST
    for path, at in chance.sample(places, MOST):
        wrong.append((path, at, chance.choice(VALUES)))
        with Systems(systems.target, by_labels=True) as again:
            try:
                look(again, STEPS[:3])
            except Problem:
                continue
            except Exception as error:
                raise AssertionError(wrong[-1]) from error


def _places(node: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    pairs = node.items() if isinstance(node, dict) else enumerate(node[:1])
    for key, value in pairs:
        yield (*at, key)
        if isinstance(value, dict | list) and key not in ("annotations", "labels", "managedFields"):
            yield from _places(value, (*at, key))


def _put(document: Any, at: tuple[Any, ...], value: object) -> None:
    for key in at[:-1]:
        document = document[key]
    document[at[-1]] = value
