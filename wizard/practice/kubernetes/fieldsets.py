"""Field sets as `metadata.managedFields` holds them (FieldsV1): who owns which field."""

from __future__ import annotations

import json
from typing import Any

from wizard.practice.kubernetes.json_tools import canonical
from wizard.practice.kubernetes.merge_keys import is_atomic_map, is_set, list_keys

Json = dict[str, Any]
FieldPath = tuple[str, ...]
"""Steps of FieldsV1: `f:name`, `k:{"name":"x"}`, `v:"text"`, and `.` for the item itself."""

_META = ("f:metadata",)
_OMITTED = (
    ("f:apiVersion",),
    ("f:kind",),
    ("f:metadata", "f:name"),
    ("f:metadata", "f:namespace"),
    ("f:metadata", "f:uid"),
    ("f:metadata", "f:creationTimestamp"),
    ("f:metadata", "f:resourceVersion"),
    ("f:metadata", "f:generation"),
    ("f:metadata", "f:managedFields"),
    ("f:metadata", "f:selfLink"),
)


def item_step(item: Json, keys: tuple[str, ...]) -> str:
    """The step that names one item of a keyed list."""
    named = {key: item[key] for key in keys if key in item}
    if "protocol" in keys:
        named.setdefault("protocol", "TCP")
    return "k:" + canonical(named)


def leaves(obj: Json, *, custom: bool) -> dict[FieldPath, Any]:
    """Every field that can be owned, with its value."""
    found: dict[FieldPath, Any] = {}
    _walk(obj, (), (), found, custom=custom)
    found.pop((), None)
    for path in [
        path for path in found if path[:1] in _OMITTED or path[:2] in _OMITTED or path == _META
    ]:
        del found[path]
    return found


def _walk(
    value: Any,
    names: tuple[str, ...],
    path: FieldPath,
    found: dict[FieldPath, Any],
    *,
    custom: bool,
) -> None:
    if isinstance(value, dict) and value and not is_atomic_map(names, custom=custom):
        for key, one in value.items():
            _walk(one, (*names, key), (*path, f"f:{key}"), found, custom=custom)
        return
    if isinstance(value, list):
        keys = list_keys(names, custom=custom)
        if is_set(names):
            found.update({(*path, "v:" + json.dumps(one)): one for one in value})
            return
        if keys and all(isinstance(one, dict) for one in value):
            for item in value:
                step = (*path, item_step(item, keys))
                found[(*step, ".")] = None
                for key, one in item.items():
                    _walk(one, (*names, key), (*step, f"f:{key}"), found, custom=custom)
            return
    found[path] = value


def to_fields(paths: set[FieldPath]) -> Json:
    """The nested FieldsV1 form."""
    tree: Json = {}
    for path in sorted(paths):
        place = tree
        for step in path:
            place = place.setdefault(step, {})
    return tree


def from_fields(tree: Json, above: FieldPath = ()) -> set[FieldPath]:
    """The paths of a FieldsV1 tree."""
    found: set[FieldPath] = set()
    for step, below in tree.items():
        path = (*above, step)
        if not below:
            found.add(path)
        else:
            found |= from_fields(below, path)
    return found


def spoken(path: FieldPath) -> str:
    """`.spec.containers[name="backend"].image`, as conflict messages name a field."""
    text = ""
    for step in path:
        kind, _, rest = step.partition(":")
        if kind == "f":
            text += f".{rest}"
        elif kind == "k":
            pairs = json.loads(rest).items()
            text += "[" + ",".join(f"{key}={json.dumps(value)}" for key, value in pairs) + "]"
        elif kind == "v":
            text += f"[={rest}]"
    return text
