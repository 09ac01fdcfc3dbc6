"""Server-side apply: merge what a manager applies, drop what it no longer does, see conflicts."""

from __future__ import annotations

import json
from typing import Any

from wizard.practice.kubernetes.errors import ApiError
from wizard.practice.kubernetes.json_tools import canonical, clone, now, words
from wizard.practice.kubernetes.schema import is_atomic_map, is_set, list_keys
from wizard.practice.kubernetes.stamps import JOB_LABELS, same

Json = dict[str, Any]

FieldPath = tuple[str, ...]
"""Steps of FieldsV1: `f:name`, `k:{"name":"x"}`, `v:"text"`, and `.` for the item itself."""

_SERVERS = words(
    "name namespace uid creationTimestamp resourceVersion generation managedFields selfLink"
)
"""Fields of the metadata that nobody owns."""


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
    return {path: value for path, value in found.items() if not _unowned(path)}


def _unowned(path: FieldPath) -> bool:
    if path[:1] == ("f:metadata",):
        return len(path) == 1 or path[1].removeprefix("f:") in _SERVERS
    return path[:1] in ((), ("f:apiVersion",), ("f:kind",))


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


Owner = tuple[str, str, str]  # manager, operation, subresource
Owners = dict[Owner, set[FieldPath]]

_ALLOTTED = {
    "Service": ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy", "nodePort"),
    "Namespace": ("finalizers",),
    "Job": ("selector", *JOB_LABELS),
}
"""Fields of a spec that the server fills in after it has noted who wrote what."""


def _owner(entry: Json) -> Owner:
    return (entry["manager"], entry["operation"], entry.get("subresource", ""))


def owners_of(obj: Json | None) -> Owners:
    """Who owns what, from metadata.managedFields."""
    entries = ((obj or {}).get("metadata") or {}).get("managedFields") or []
    return {_owner(entry): from_fields(entry.get("fieldsV1") or {}) for entry in entries}


def _write_owners(
    obj: Json, owners: Owners, touched: Owner, before: Json | None, *, changed: bool = True
) -> None:
    entries = ((before or {}).get("metadata") or {}).get("managedFields") or []
    known = {_owner(entry): entry for entry in entries}
    listed = []
    for owner, paths in owners.items():
        if not paths:
            continue
        manager, operation, subresource = owner
        fields = to_fields(paths)
        old = known.get(owner)
        fresh = old is None or (owner == touched and old["fieldsV1"] != fields)
        entry = {
            "manager": manager,
            "operation": operation,
            "apiVersion": obj["apiVersion"],
            "time": now() if fresh or old is None else old.get("time"),
            "fieldsType": "FieldsV1",
            "fieldsV1": fields,
        }
        if (fresh and not changed) or not entry["time"]:
            del entry["time"]
        if subresource:
            entry["subresource"] = subresource
        listed.append(entry)
    obj["metadata"].pop("managedFields", None)
    obj["metadata"] |= {"managedFields": listed} if listed else {}


def track_update(
    before: Json | None,
    after: Json,
    manager: str,
    *,
    custom: bool,
    subresource: str = "",
    sent: Json | None = None,
) -> None:
    """Note in `after` that `manager` wrote the fields in which it differs from `before`.

    What the server allots belongs to nobody unless it was in what was `sent`.
    """
    owner: Owner = (manager, "Update", subresource)
    owners = owners_of(before)
    old = leaves(before, custom=custom) if before else {}
    new = leaves(after, custom=custom)
    changed = {path for path, value in new.items() if path not in old or old[path] != value}
    if not subresource:
        changed = {path for path in changed if path[0] != "f:status"}
    allotted = _ALLOTTED.get(after["kind"], ()) if not custom else ()
    given = (sent or {}).get("spec") or {}
    given = given if after["kind"] != "Job" or given.get("manualSelector") else {}
    kept = {f"f:{name}" for name in allotted if name not in given}
    changed = {path for path in changed if not kept.intersection(path)}
    for other, paths in owners.items():
        paths.intersection_update(new)
        if other != owner:
            paths.difference_update(changed)
    owners.setdefault(owner, set()).update(changed)
    _write_owners(after, owners, owner, before)


def apply_merge(
    live: Json | None,
    config: Json,
    manager: str,
    *,
    custom: bool,
    force: bool = False,
    subresource: str = "",
) -> Json:
    """The live object with an applied configuration merged in, managedFields included."""
    owner: Owner = (manager, "Apply", subresource)
    owners = owners_of(live)
    wanted = leaves(config, custom=custom)
    present = leaves(live, custom=custom) if live else {}
    conflicts = [
        (other, path)
        for other, paths in owners.items()
        if other != owner
        for path in sorted(paths)
        if path in wanted and path in present and wanted[path] != present[path]
    ]
    if conflicts and not force:
        raise _conflict(conflicts, config["apiVersion"])
    merged: Json = _merge(clone(live) if live else {}, config, (), custom=custom)
    for other, path in conflicts:
        owners[other].discard(path)
    kept = set().union(*(paths for other, paths in owners.items() if other != owner))
    _remove_all(merged, owners.get(owner, set()) - set(wanted) - kept, kept)
    owners[owner] = set(wanted)
    still = leaves(merged, custom=custom)
    for paths in owners.values():
        paths.intersection_update(still)
    merged["metadata"].pop("managedFields", None)
    _write_owners(merged, owners, owner, live, changed=live is None or not same(live, merged))
    return merged


def _conflict(conflicts: list[tuple[Owner, FieldPath]], api_version: str) -> ApiError:
    managers: dict[str, list[str]] = {}
    causes = []
    for (manager, operation, subresource), path in conflicts:
        told = f'conflict with "{manager}"'
        told += f' with subresource "{subresource}"' if subresource else ""
        told += f" using {api_version}" if operation == "Update" else ""
        managers.setdefault(told, []).append(spoken(path))
        causes.append({"reason": "FieldManagerConflict", "message": told, "field": spoken(path)})
    parts = []
    for told, fields in managers.items():
        if len(fields) == 1:
            parts.append(f"{told}: {fields[0]}")
        else:
            parts.append(f"conflicts{told.removeprefix('conflict')}:\n- " + "\n- ".join(fields))
    plural = "" if len(conflicts) == 1 else "s"
    message = f"Apply failed with {len(conflicts)} conflict{plural}: " + "\n".join(parts)
    return ApiError(409, message, details={"causes": causes})


def _merge(live: Any, config: Any, names: tuple[str, ...], *, custom: bool) -> Any:
    if isinstance(config, dict) and isinstance(live, dict):
        if is_atomic_map(names, custom=custom):
            return clone(config)
        for key, value in config.items():
            live[key] = _merge(live.get(key), value, (*names, key), custom=custom)
        return live
    if isinstance(config, list) and isinstance(live, list):
        return _merge_list(live, config, names, custom=custom)
    return clone(config)


def _merge_list(
    live: list[Any], config: list[Any], names: tuple[str, ...], *, custom: bool
) -> list[Any]:
    if is_set(names):
        return [*live, *(one for one in config if one not in live)]
    keys = list_keys(names, custom=custom)
    if not keys or not all(isinstance(one, dict) for one in [*live, *config]):
        return [clone(one) for one in config]
    old = {item_step(one, keys): one for one in live}
    new = {item_step(one, keys): one for one in config}
    merged = {step: _merge(old.get(step), one, names, custom=custom) for step, one in new.items()}
    return [*merged.values(), *(one for step, one in old.items() if step not in new)]


def _find(holder: Any, step: str) -> Any:
    """The key or index of one step in a map or list, or None."""
    if step.startswith("f:"):
        name = step[2:]
        return name if isinstance(holder, dict) and name in holder else None
    if not isinstance(holder, list):
        return None
    return next((n for n, one in enumerate(holder) if _is_item(one, step)), None)


def _is_item(one: Any, step: str) -> bool:
    if step.startswith("v:"):
        return step == "v:" + json.dumps(one)
    keys = tuple(json.loads(step[2:]))
    return isinstance(one, dict) and item_step(one, keys) == step


def _remove_all(obj: Json, paths: set[FieldPath], kept: set[FieldPath]) -> None:
    """Take the fields out; a list item goes whole unless another manager owns part of it."""
    items = {path for path in paths if path[-1] == "."}
    whole = {path for path in items if not any(one[: len(path) - 1] == path[:-1] for one in kept)}
    for path in sorted(whole, key=len):
        _remove(obj, path)
    for path in sorted(paths - items):
        if not _names_its_item(path):
            _remove(obj, path)


def _names_its_item(path: FieldPath) -> bool:
    above = path[-2] if len(path) > 1 else ""
    return above.startswith("k:") and path[-1][2:] in json.loads(above[2:])


def _remove(obj: Json, path: FieldPath) -> None:
    """Take a field out, and the maps and lists that it leaves empty."""
    trail: list[tuple[Any, Any]] = []
    holder: Any = obj
    steps = path[:-1] if path[-1] == "." else path
    for step in steps:
        key = _find(holder, step)
        if key is None:
            return
        trail.append((holder, key))
        holder = holder[key]
    holder, key = trail.pop()
    del holder[key]
    while trail and not holder and isinstance(holder, dict | list):
        holder, key = trail.pop()
        del holder[key]
