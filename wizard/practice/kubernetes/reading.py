"""Request bodies as the real server reads them: JSON, types, unknown fields, and its texts."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from wizard.practice.kubernetes.errors import ApiError, cause, rejected
from wizard.practice.kubernetes.json_tools import canonical, compact
from wizard.practice.kubernetes.schema import (
    Path,
    Type,
    Wrong,
    dotted,
    fits,
    is_set,
    list_keys,
    parts,
    pruned,
    type_of,
    unknown,
    wrong,
)

if TYPE_CHECKING:
    from wizard.practice.kubernetes.kinds import Kind

Json = dict[str, Any]

_PREVIEW = 300
_KEY_PROBLEM = "Expecting property name enclosed in double quotes"
_JSON_PROBLEMS = {
    _KEY_PROBLEM: "looking for beginning of object key string",
    "Expecting value": "looking for beginning of value",
    "Expecting ':' delimiter": "after object key",
    "Expecting ',' delimiter": "after object key:value pair",
    "Extra data": "after top-level value",
}
_KINDS = {"struct": "map", "int32": "numeric (int or float)", "int64": "numeric (int or float)"}
_KINDS |= {"bool": "boolean", "time": "string", "bytes": "string"}


class Doubled(dict[str, Any]):
    """A JSON object in which some keys stood twice; the last one counts, objects are merged."""

    keys_twice: tuple[str, ...] = ()


@dataclass
class Ask:
    """How a client wants its write to be taken, unknown fields with Strict, Warn or Ignore."""

    manager: str = ""
    dry_run: bool = False
    force: bool = False
    content_type: str = ""
    validation: str = "Warn"
    warnings: list[str] = field(default_factory=list)


def _pairs(pairs: list[tuple[str, Any]]) -> Json:
    found = Doubled()
    for key, value in pairs:
        if key in found:
            found.keys_twice = (*found.keys_twice, key)
            if isinstance(found[key], dict) and isinstance(value, dict):
                before = found[key]
                value = Doubled({**before, **value})  # noqa: PLW2901
                value.keys_twice = getattr(before, "keys_twice", ())
        found[key] = value
    return found if found.keys_twice else dict(found)


def parse_json(body: bytes) -> Any:
    """The JSON value of a body."""
    text = body.decode(errors="replace")
    try:
        return json.loads(text, object_pairs_hook=_pairs)
    except json.JSONDecodeError as problem:
        if problem.pos >= len(text):
            raise ValueError("unexpected end of JSON input") from None
        told = _JSON_PROBLEMS.get(problem.msg, "in string literal")
        raise ValueError(f"invalid character {text[problem.pos]!r} {told}") from None


def parse_object(body: bytes, kind: Kind) -> Json:
    """The object in the body of a POST or PUT."""
    try:
        found = parse_json(body)
        if isinstance(found, dict):
            return found
        struct = 'struct { APIVersion string "json:\\"apiVersion,omitempty\\""; '
        struct += 'Kind string "json:\\"kind,omitempty\\"" }'
        told = f"json: cannot unmarshal {go_type(found)} into Go value of type {struct}"
    except ValueError as problem:
        told = str(problem)
    shown = body.decode(errors="replace") if body[:1] in (b"{", b"") else body.hex()
    shown = shown if len(shown) <= _PREVIEW else shown[:_PREVIEW] + " ..."
    raise ApiError(
        400,
        f"the object provided is unrecognized (must be of type {kind.kind}): couldn't get "
        f"version/kind; json parse error: {told} ({shown or '<empty>'})",
    )


def parse_patch(body: bytes, content_type: str) -> Any:
    """The patch in a body: a list for JSON patch, else an object."""
    prefix = "" if "strategic" in content_type else "error decoding patch: "
    try:
        found = parse_json(body)
    except ValueError as problem:
        raise ApiError(400, f"{prefix}{problem}") from problem
    wanted, named = dict, "map[string]interface {}"
    if "json-patch" in content_type:
        wanted, named = list, "[]handlers.jsonPatchOp"  # type: ignore[assignment]
    if not isinstance(found, wanted):
        told = f"json: cannot unmarshal {go_type(found)} into Go value of type {named}"
        raise ApiError(400, prefix + told)
    return found


def _twice(value: Any, path: Path = ()) -> Iterator[Path]:
    below: Iterable[tuple[str | int, Any]] = ()
    if isinstance(value, dict):
        below = value.items()
    elif isinstance(value, list):
        below = enumerate(value)
    for name, one in below:
        yield from _twice(one, (*path, name))
    if isinstance(value, Doubled):
        yield from ((*path, key) for key in value.keys_twice)


def read(kind: Kind, obj: Json, ask: Ask) -> Json:
    """The object of a POST or PUT, checked for types, without what the kind does not know."""
    told, found = _checked(kind, obj, ask, unmarshalled)
    if told:
        kept = f'{kind.kind} in version "{kind.version}" cannot be handled as a {kind.kind}: {told}'
        raise ApiError(400, kept)
    return found


def read_patched(kind: Kind, obj: Json, patch: Any, ask: Ask) -> Json:
    """As `read`, of what a patch has made of an object; 422 tells the patch or the whole object."""
    strategic = "strategic" in ask.content_type
    told, found = _checked(kind, obj, ask, _unconverted if strategic else unmarshalled)
    if told:
        raise bad_patch(go_print(patch) if strategic else compact(obj).decode(), told)
    return found


def _checked(kind: Kind, obj: Json, ask: Ask, worded: Callable[[Wrong], str]) -> tuple[str, Json]:
    """What is wrong with an object, or "", and the object without what its kind does not know."""
    wanted = type_of(kind)
    if not kind.custom and (problem := next(wrong(obj, wanted), None)) is not None:
        return worded(problem), obj
    strict = [f'unknown field "{dotted(path)}"' for path in unknown(obj, wanted)]
    strict += [f'duplicate field "{dotted(path)}"' for path in _twice(obj)]
    if strict and ask.validation == "Strict":
        return f"strict decoding error: {', '.join(strict)}", obj
    if ask.validation != "Ignore":
        ask.warnings += strict
    return "", dict(pruned(obj, wanted))


def bad_patch(shown: str, told: str) -> ApiError:
    """422 for a patch whose outcome is no object of the kind."""
    message = f"Invalid value: {json.dumps(shown, ensure_ascii=False)}: {told}"
    details = {"causes": [cause("patch", message)]}
    return ApiError(422, f' "" is invalid: patch: {message}', details=details)


def unmarshalled(problem: Wrong) -> str:
    """Go's text for a value of the wrong type."""
    if isinstance(problem.value, str) and problem.wanted.kind == "time":
        return _misread_time(problem.value, micro=problem.wanted.go == "v1.MicroTime")
    if isinstance(problem.value, str) and problem.wanted.kind == "bytes":
        place = len(re.match(r"[A-Za-z0-9+/]*", problem.value)[0])  # type: ignore[index]
        return f"illegal base64 data at input byte {place}"
    names = ".".join(step for step in problem.path if isinstance(step, str))
    return (
        f"json: cannot unmarshal {go_type(problem.value)} into Go struct field "
        f"{problem.struct}.{names} of type {problem.wanted.go}"
    )


def _misread_time(value: str, *, micro: bool) -> str:
    part = ".000000" if micro else ""
    layout, rest, wanted = f"2006-01-02T15:04:05{part}Z07:00", value, "2006"
    if found := re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", value):
        rest, wanted = value[found.end() :], part or "Z07:00"
    return f'parsing time "{value}" as "{layout}": cannot parse "{rest}" as "{wanted}"'


def _unconverted(problem: Wrong) -> str:
    """The text for a value of the wrong type in a strategic merge patch."""
    wanted, value = problem.wanted.kind, problem.value
    given = {"bool": "bool", "string": "string", "object": "map", "array": "slice"}
    found = given.get(go_type(value)) or ("int64" if isinstance(value, int) else "float64")
    if wanted in ("struct", "map", "list"):
        told = {"struct": "struct from:", "map": "map from", "list": "slice from"}[wanted]
        return f"cannot restore {told} {found}"
    plain = {"time": "string", "bytes": "string"}.get(wanted, wanted)
    numbers = found in ("int64", "float64") and plain in ("string", "int32", "int64")
    return f"cannot convert {found} to {plain}" if numbers else f"unrecognized type: {plain}"


def refuse_untyped(kind: Kind, config: Json) -> None:
    """Refuse an applied configuration that its schema does not take."""
    told = list(_untyped(config, type_of(kind), (), ""))
    if told:
        group_version = kind.api_version if kind.group else f"/{kind.version}"
        meta = config.get("metadata") or {}
        place = f"{meta.get('namespace', '')}/{meta.get('name', '')}"
        text = told[0] if len(told) == 1 else "\n  ".join(["errors:", *told])
        raise rejected(
            f"failed to create typed patch object ({place}; {group_version}, Kind={kind.kind}): "
            + text
        )


def _untyped(value: Any, wanted: Type, names: tuple[str, ...], at: str) -> Iterator[str]:
    if value is None or wanted.kind == "any":
        return
    if not fits(value, wanted):
        kind = _KINDS.get(wanted.kind, wanted.kind)
        yield f"{at}: expected {kind}, got &value.valueUnstructured{{Value:{go_print(value)}}}"
    elif wanted.kind == "list":
        yield from _untyped_list(value, wanted, names, at)
    elif wanted.kind in ("struct", "map"):
        for name, one, below in parts(value, wanted):
            if below is None:
                yield f"{at}.{name}: field not declared in schema"
            else:
                yield from _untyped(one, below, (*names, str(name)), f"{at}.{name}")


def _untyped_list(value: list[Any], wanted: Type, names: tuple[str, ...], at: str) -> Iterator[str]:
    keys = list_keys(names, custom=wanted.go == "array")
    seen: set[str] = set()
    for n, one in enumerate(value):
        shown = f"[{n}]"
        if keys and isinstance(one, dict):
            pairs = {key: one.get(key, "TCP" if key == "protocol" else None) for key in keys}
            shown = "[" + ",".join(f"{key}={json.dumps(it)}" for key, it in pairs.items()) + "]"
        elif is_set(names):
            shown = f"[={json.dumps(one)}]"
        if shown in seen:
            yield f"{at}: duplicate entries for key {shown}"
        seen.add(shown)
        yield from _untyped(one, wanted.item(), names, at + shown)


def go_type(value: Any) -> str:
    """The name that Go's JSON decoder gives a value's type."""
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int):
        return "number"
    if isinstance(value, float):
        return f"number {value}"
    if isinstance(value, dict):
        return "object"
    return "array" if isinstance(value, list) else "string"


def go_print(value: Any) -> str:
    """A value as Go prints it: `map[a:1 b:[x y]]`."""
    if isinstance(value, dict):
        return "map[" + " ".join(f"{key}:{go_print(value[key])}" for key in sorted(value)) + "]"
    if isinstance(value, list):
        return "[" + " ".join(map(go_print, value)) + "]"
    if value is None:
        return "<nil>"
    return canonical(value) if isinstance(value, bool) else str(value)
