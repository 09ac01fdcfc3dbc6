"""The parts of the in-process API that are plain functions."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wizard.practice.kubernetes.apply import from_fields, leaves, to_fields
from wizard.practice.kubernetes.errors import ApiError
from wizard.practice.kubernetes.json_tools import canonical_quantity
from wizard.practice.kubernetes.patches import json_patch, merge_patch, strategic_merge
from wizard.practice.kubernetes.routes import parse
from wizard.practice.kubernetes.selectors import selects

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["a", "b", "c"]), inner, max_size=3)
    ),
    max_leaves=12,
)
OBJECTS = st.dictionaries(st.sampled_from(["a", "b", "c"]), JSON, max_size=3)


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("1000m", "1"),
        ("1500m", "1500m"),
        ("0.5", "500m"),
        (0.5, "500m"),
        (2, "2"),
        ("100000", "100k"),
        ("1024Mi", "1Gi"),
        ("1.5Gi", "1536Mi"),
        ("1000Mi", "1000Mi"),
        ("1500M", "1500M"),
        ("0", "0"),
        ("1e3", "1e3"),
        ("512Ki", "512Ki"),
        ("0.5Ki", "512"),
    ],
)
def test_canonical_quantities(written: str | float, canonical: str) -> None:
    assert canonical_quantity(written) == canonical


@pytest.mark.parametrize("written", ["", "m", "1.5.2", "ten", "1 Gi"])
def test_what_is_no_quantity(written: str) -> None:
    with pytest.raises(ValueError, match="^" + written.replace(".", r"\.") + "$"):
        canonical_quantity(written)


def worth(text: str) -> Decimal:
    binary = {"Ki": Decimal(1024), "Mi": Decimal(1024**2), "Gi": Decimal(1024**3)}
    decimal = {"m": -3, "k": 3, "M": 6, "G": 9, "T": 12}
    factors = binary | {suffix: Decimal(1).scaleb(power) for suffix, power in decimal.items()}
    for suffix, factor in factors.items():
        if text.endswith(suffix):
            return Decimal(text.removesuffix(suffix)) * factor
    return Decimal(text)


@given(st.integers(1, 10**7), st.sampled_from(["", "m", "k", "M", "Ki", "Mi"]))
def test_canonical_quantities_keep_their_worth(number: int, suffix: str) -> None:
    written = f"{number}{suffix}"
    canonical = canonical_quantity(written)
    assert canonical_quantity(canonical) == canonical
    if canonical[-2:] not in ("Ti", "Pi"):
        assert worth(canonical) == worth(written)


@given(OBJECTS, OBJECTS)
def test_merge_patch_twice_is_once(target: dict[str, Any], patch: dict[str, Any]) -> None:
    once = merge_patch(target, patch)
    assert merge_patch(once, patch) == once


@given(OBJECTS)
def test_field_sets_survive_their_written_form(obj: dict[str, Any]) -> None:
    paths = set(leaves(obj, custom=False))
    assert from_fields(to_fields(paths)) == paths


def test_merge_patch_leaves_its_target_alone() -> None:
    target = {"a": {"b": 1}}
    assert merge_patch(target, {"a": {"b": None, "c": [None]}}) == {"a": {"c": [None]}}
    assert target == {"a": {"b": 1}}


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "remove", "path": "/nosuch"},
        {"op": "replace", "path": "/list/7", "value": 1},
        {"op": "test", "path": "/list/0", "value": 2},
        {"op": "turn", "path": "/list"},
        {"op": "add", "path": "list", "value": 1},
    ],
)
def test_json_patches_that_cannot_be_carried_out(operation: dict[str, Any]) -> None:
    with pytest.raises(ApiError) as refusal:
        json_patch({"list": [1]}, [operation])
    assert refusal.value.code == 422


def test_json_patch_moves_and_copies() -> None:
    operations = [
        {"op": "copy", "from": "/a", "path": "/b"},
        {"op": "move", "from": "/a", "path": "/c~1d"},
    ]
    assert json_patch({"a": [1]}, operations) == {"b": [1], "c/d": [1]}


def test_strategic_merge_directives() -> None:
    target = {
        "metadata": {"finalizers": ["a", "b"]},
        "spec": {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}},
    }
    patch = {
        "metadata": {"$deleteFromPrimitiveList/finalizers": ["a"], "finalizers": ["c"]},
        "spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}},
    }
    assert strategic_merge(target, patch) == {
        "metadata": {"finalizers": ["c", "b"]},
        "spec": {"strategy": {"type": "Recreate"}},
    }
    replaced = strategic_merge({"data": {"a": "1"}}, {"data": {"$patch": "replace", "b": "2"}})
    assert replaced == {"data": {"b": "2"}}
    with pytest.raises(ApiError):
        strategic_merge({}, {"spec": {"containers": [{"image": "x"}]}})


def test_strategic_merge_tells_service_ports_from_container_ports() -> None:
    service = {"spec": {"ports": [{"port": 80, "targetPort": 1}]}}
    patch = {"spec": {"ports": [{"port": 80, "targetPort": 2}]}}
    assert strategic_merge(service, patch) == {"spec": {"ports": [{"port": 80, "targetPort": 2}]}}
    container = {"name": "a", "ports": [{"containerPort": 80}]}
    more = {"name": "a", "ports": [{"containerPort": 81}]}
    merged = strategic_merge({"containers": [container]}, {"containers": [more]})
    assert merged["containers"][0]["ports"] == [{"containerPort": 81}, {"containerPort": 80}]


def test_selects_by_expressions() -> None:
    selector = {
        "matchLabels": {"app": "web"},
        "matchExpressions": [
            {"key": "tier", "operator": "In", "values": ["a", "b"]},
            {"key": "old", "operator": "DoesNotExist"},
        ],
    }
    assert selects(selector, {"app": "web", "tier": "a"})
    assert not selects(selector, {"app": "web", "tier": "c"})
    assert not selects(selector, {"app": "web", "tier": "a", "old": ""})
    assert not selects(None, {})
    assert selects({}, {"any": "thing"})


def test_routes() -> None:
    found = parse("/apis/apps/v1/namespaces/one/deployments/web/status")
    assert found is not None
    assert (found.group, found.namespace, found.name) == ("apps", "one", "web")
    assert found.subresource == "status"
    namespace = parse("/api/v1/namespaces/one")
    assert namespace is not None
    assert (namespace.resource, namespace.name, namespace.namespace) == ("namespaces", "one", "")
    assert parse("/version") is None
    assert parse("/api/v1") is None
