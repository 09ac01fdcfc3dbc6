"""Strategic merge patch: lists merged by key, `$patch`, `$setElementOrder`, `$retainKeys`."""

from __future__ import annotations

from typing import Any

from wizard.practice.kubernetes.errors import ApiError
from wizard.practice.kubernetes.json_tools import clone
from wizard.practice.kubernetes.merge_keys import is_set, strategic_key

Json = dict[str, Any]
Path = tuple[str, ...]

_ORDER = "$setElementOrder/"
_DELETE = "$deleteFromPrimitiveList/"


def strategic_merge(target: Json, patch: Json, path: Path = ()) -> Json:
    """The target with the patch merged in by the built-in kinds' merge keys.

    Raises:
        ApiError: 400, when the patch has a directive of unknown meaning or an item without its key.
    """
    directive = patch.get("$patch")
    if directive == "replace":
        return {key: clone(value) for key, value in patch.items() if key != "$patch"}
    if directive == "delete":
        return {}
    merged = _retained(target, patch.get("$retainKeys"))
    for key, value in patch.items():
        if not key.startswith("$"):
            _field(merged, key, value, (*path, key))
    for key, value in patch.items():
        if key.startswith(_DELETE) and key.removeprefix(_DELETE) in merged:
            name = key.removeprefix(_DELETE)
            merged[name] = [one for one in merged[name] if one not in value]
        elif key.startswith(_ORDER) and merged.get(key.removeprefix(_ORDER)):
            name = key.removeprefix(_ORDER)
            merged[name] = _ordered(merged[name], value, strategic_key((*path, name)))
    return merged


def _retained(target: Json, keys: list[str] | None) -> Json:
    if keys is None:
        return dict(target)
    return {key: value for key, value in target.items() if key in keys}


def _field(merged: Json, key: str, value: Any, path: Path) -> None:
    if value is None:
        merged.pop(key, None)
    elif isinstance(value, dict):
        if value.get("$patch") == "delete":
            merged.pop(key, None)
            return
        old = merged.get(key)
        merged[key] = strategic_merge(old if isinstance(old, dict) else {}, value, path)
    elif isinstance(value, list):
        merged[key] = _list(merged.get(key) or [], value, path)
    else:
        merged[key] = value


def _list(old: list[Any], patch: list[Any], path: Path) -> list[Any]:
    if is_set(path):
        return [*old, *(one for one in patch if one not in old)]
    merge_key = strategic_key(path)
    if not merge_key or any(not isinstance(one, dict) for one in [*old, *patch]):
        return [_bare(one) for one in patch]
    if any(one == {"$patch": "replace"} for one in patch):
        return [clone(one) for one in patch if "$patch" not in one]
    merged = list(old)
    for item in patch:
        _item(merged, item, merge_key, path)
    return merged


def _item(merged: list[Any], item: Json, merge_key: str, path: Path) -> None:
    if merge_key not in item:
        where = ".".join(path)
        raise ApiError(
            400, f"map: {item} does not contain declared merge key: {merge_key} in {where}"
        )
    found = next((n for n, one in enumerate(merged) if one.get(merge_key) == item[merge_key]), None)
    if item.get("$patch") == "delete":
        if found is not None:
            del merged[found]
    elif found is None:
        merged.append(strategic_merge({}, item, path))
    else:
        merged[found] = strategic_merge(merged[found], item, path)


def _bare(value: Any) -> Any:
    """A value of an atomic list, without the directives that a client may leave in it."""
    if not isinstance(value, dict):
        return clone(value)
    return {key: clone(one) for key, one in value.items() if not key.startswith("$")}


def _ordered(items: list[Any], order: list[Any], merge_key: str) -> list[Any]:
    """Items in the wanted order; those that the order does not name keep their neighbours."""

    def identity(item: Any) -> Any:
        return item.get(merge_key) if merge_key and isinstance(item, dict) else item

    wanted = [identity(one) for one in order]
    rank = {name: n for n, name in enumerate(wanted)}
    listed = sorted(
        (one for one in items if identity(one) in rank), key=lambda one: rank[identity(one)]
    )
    result: list[Any] = []
    for item in items:
        if identity(item) in rank:
            result.append(listed.pop(0))
        else:
            result.append(item)
    return result
