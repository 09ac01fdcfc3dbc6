"""JSON Patch (RFC 6902), JSON Merge Patch (RFC 7386) and the strategic merge patch."""

from __future__ import annotations

import contextlib
from typing import Any

from wizard.practice.kubernetes.errors import ApiError, rejected
from wizard.practice.kubernetes.json_tools import clone
from wizard.practice.kubernetes.reading import go_print
from wizard.practice.kubernetes.schema import is_set, strategic_key

Json = dict[str, Any]


def merge_patch(target: Any, patch: Any) -> Any:
    """The target with the patch merged in; null removes a field. The target is left alone."""
    if not isinstance(patch, dict):
        return clone(patch)
    merged = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge_patch(merged.get(key), value)
    return merged


def _bad() -> ApiError:
    """The real server does not say which operation it was."""
    told = "the server rejected our request due to an error in our request"
    return ApiError(422, told, details={})


def _tokens(pointer: str) -> list[str]:
    if pointer and not pointer.startswith("/"):
        raise _bad()
    return [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]


def _step(holder: Any, token: str) -> Any:
    return holder[int(token)] if isinstance(holder, list) else holder[token]


def _value_at(document: Any, pointer: str) -> Any:
    for token in _tokens(pointer):
        document = _step(document, token)
    return document


def _insert(holder: Any, step: str, value: Any) -> None:
    if isinstance(holder, list):
        place = len(holder) if step == "-" else int(step)
        if not 0 <= place <= len(holder):
            raise IndexError(place)
        holder.insert(place, value)
    else:
        holder[step] = value


def _take(holder: Any, token: str) -> Any:
    value = _step(holder, token)
    if isinstance(holder, list):
        del holder[int(token)]
    else:
        del holder[token]
    return value


def _one(document: Any, operation: Json) -> Any:
    kind, tokens = operation.get("op"), _tokens(operation.get("path", ""))
    if kind == "test":
        found = None
        with contextlib.suppress(KeyError):
            found = _value_at(document, operation["path"])
        if found != operation.get("value"):
            raise _bad()
        return document
    if not tokens:
        return clone(operation.get("value"))
    holder = document
    for token in tokens[:-1]:
        holder = _step(holder, token)
    if kind == "remove":
        _take(holder, tokens[-1])
    elif kind == "add":
        _insert(holder, tokens[-1], clone(operation.get("value")))
    elif kind == "replace":
        _step(holder, tokens[-1])
        index: Any = int(tokens[-1]) if isinstance(holder, list) else tokens[-1]
        holder[index] = clone(operation.get("value"))
    elif kind in ("copy", "move"):
        value = clone(_value_at(document, operation["from"]))
        if kind == "move":
            *above, last = _tokens(operation["from"])
            _take(_value_at(document, "".join(f"/{token}" for token in above)), last)
        _insert(holder, tokens[-1], value)
    else:
        raise _bad()
    return document


def json_patch(target: Json, operations: list[Json]) -> Json:
    """The target with the operations carried out in order; the target is left alone."""
    document: Json = clone(target)
    try:
        for operation in operations:
            document = _one(document, operation)
    except (KeyError, IndexError, ValueError, TypeError, AttributeError) as problem:
        raise _bad() from problem
    return document


Path = tuple[str, ...]

_ORDER = "$setElementOrder/"
_DELETE = "$deleteFromPrimitiveList/"


def strategic_merge(target: Json, patch: Json, path: Path = ()) -> Json:
    """The target with the patch merged in by the built-in kinds' merge keys."""
    directive = patch.get("$patch")
    if directive == "replace":
        return {key: clone(value) for key, value in patch.items() if key != "$patch"}
    if directive == "delete":
        return {}
    if directive not in (None, "merge"):
        raise rejected(f"unknown patch type: {directive} in map: {go_print(patch)}")
    kept = patch.get("$retainKeys")
    merged = {key: value for key, value in target.items() if kept is None or key in kept}
    for key, value in patch.items():
        if key.startswith(_DELETE) and key.removeprefix(_DELETE) in merged:
            name = key.removeprefix(_DELETE)
            merged[name] = [one for one in merged[name] if one not in value]
    for key, value in patch.items():
        if not key.startswith("$"):
            _field(merged, key, value, patch.get(_ORDER + key), (*path, key))
    for key, value in patch.items():
        name = key.removeprefix(_ORDER)
        if key.startswith(_ORDER) and name not in patch and merged.get(name):
            merged[name] = _ordered(merged[name], merged[name], value, strategic_key((*path, name)))
    return merged


def _field(merged: Json, key: str, value: Any, order: list[Any] | None, path: Path) -> None:
    old = merged.get(key)
    if value is None or (isinstance(value, dict) and value.get("$patch") == "delete"):
        merged.pop(key, None)
    elif isinstance(value, dict):
        absent = old is None and value.get("$patch") == "replace"
        old = old if isinstance(old, dict) else {}
        merged[key] = {} if absent else strategic_merge(old, value, path)
    elif isinstance(value, list):
        merged[key] = _list(old or [], value, order, path)
    else:
        merged[key] = value


def _list(old: list[Any], patch: list[Any], order: list[Any] | None, path: Path) -> list[Any]:
    merge_key = strategic_key(path)
    if is_set(path):
        fresh = [*old, *(one for one in patch if one not in old)]
        return _ordered(fresh, old, order if order is not None else patch, "")
    if not merge_key or any(not isinstance(one, dict) for one in [*old, *patch]):
        return [_bare(one) for one in patch]
    if any(one == {"$patch": "replace"} for one in patch):
        return [clone(one) for one in patch if "$patch" not in one]
    for item in patch:
        if merge_key not in item:
            told = f"map: {go_print(item)} does not contain declared merge key: {merge_key}"
            raise rejected(told)
    if order is not None:
        _check_order(patch, order, merge_key)
    merged = list(old)
    for item in patch:
        _item(merged, item, merge_key, path)
    kept = [{merge_key: one[merge_key]} for one in patch if one.get("$patch") != "delete"]
    return _ordered(merged, old, kept if order is None else order, merge_key)


def _check_order(patch: list[Json], order: list[Any], merge_key: str) -> None:
    names = [one[merge_key] for one in patch if one.get("$patch") != "delete"]
    wanted = [one.get(merge_key) for one in order]
    if [name for name in wanted if name in names] != names:
        raise rejected(
            f"The order in patch list:\n{go_print(patch)}\n doesn't match $setElementOrder list:\n"
            f"{go_print(order)}\n"
        )


def _item(merged: list[Any], item: Json, merge_key: str, path: Path) -> None:
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


def _ordered(items: list[Any], old: list[Any], order: list[Any], merge_key: str) -> list[Any]:
    """Items in the wanted order. One that the order does not name goes before the next of those
    that it does when it stood so in the old list; else it goes behind.
    """

    def identity(item: Any) -> Any:
        return item.get(merge_key) if merge_key and isinstance(item, dict) else item

    rank = {name: n for n, name in enumerate(map(identity, order))}
    before = {identity(one): n for n, one in enumerate(old)}
    named = sorted((it for it in items if identity(it) in rank), key=lambda it: rank[identity(it)])
    others = [one for one in items if identity(one) not in rank]
    result: list[Any] = []
    while named and others:
        first, second = before.get(identity(others[0])), before.get(identity(named[0]))
        ahead = first is not None and second is not None and first < second
        result.append((others if ahead else named).pop(0))
    return [*result, *named, *others]
