"""Which fields a kind has and of which type: from the client's models, or a definition's schema."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

from wizard.practice.kubernetes.json_tools import words

if TYPE_CHECKING:
    from wizard.practice.kubernetes.kinds import Kind

Json = dict[str, Any]

Path = tuple[str | int, ...]

_PLAIN = {"str": "string", "bool": "bool", "int": "int32", "datetime": "time", "bytes": "bytes"}
_LIST = re.compile(r"[Ll]ist\[(.*)\]")
_MAP = re.compile(r"[Dd]ict[(\[]str, (.*)[)\]]")
_LONG = words(
    "generation observedGeneration terminationGracePeriodSeconds activeDeadlineSeconds "
    "deletionGracePeriodSeconds expirationSeconds tolerationSeconds runAsUser runAsGroup fsGroup"
)
"""Numbers of 64 bits, which the models do not tell apart."""
_MICRO = frozenset({"renewTime", "acquireTime", "eventTime"})
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
_MICRO_TIME = re.compile(_TIME.pattern.replace(r"(\.\d+)?", r"\.\d{6}"))
_BASE64 = re.compile(r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")
_QUANTITIES = words(
    "limits requests capacity hard used allocatable overhead default defaultRequest max min "
    "sizeLimit averageValue divisor"
)


def _any() -> Type:
    return ANY


@dataclass(frozen=True)
class Type:
    """What a value may be.

    Attributes:
        kind: struct, map, list, string, int32, int64, bool, time, bytes or any.
        go: how Go names it (`[]v1.EnvVar`).
        fields: of a struct, by name.
        item: of a list or map.
        open: a struct that keeps fields which it does not declare.
        rules: a definition's schema, for what it asks beyond the type.
    """

    kind: str
    go: str = ""
    fields: Callable[[], Mapping[str, Type]] = dict
    item: Callable[[], Type] = _any
    open: bool = False
    rules: Json = field(default_factory=dict, compare=False)


ANY = Type("any")


@dataclass(frozen=True)
class Wrong:
    """A value of another type than its field has; `struct` is what holds the field."""

    path: Path
    struct: str
    wanted: Type
    value: Any


@cache
def _model(name: str) -> dict[str, Type]:
    import kubernetes.client.models as models

    model = getattr(models, name)
    return {
        model.attribute_map[key]: _builtin(text, model.attribute_map[key])
        for key, text in model.openapi_types.items()
    }


@cache
def _builtin(text: str, name: str) -> Type:
    if found := _LIST.fullmatch(text):
        below = _builtin(found[1], name)
        return Type("list", f"[]{below.go}", item=lambda: below)
    if found := _MAP.fullmatch(text):
        below = _builtin(found[1], name)
        return Type("map", f"map[string]{below.go}", item=lambda: below)
    if text == "object" or name in _QUANTITIES:
        return ANY
    if name in _MICRO:
        return Type("time", "v1.MicroTime")
    if text in _PLAIN:
        plain = "int64" if text == "int" and name in _LONG else _PLAIN[text]
        return Type(plain, plain)
    version = re.match(r"(?:Core)?(V\d+(?:(?:alpha|beta)\d+)?)(.*)", text)
    if version is None:
        return ANY
    return Type("struct", f"{version[1].lower()}.{version[2]}", fields=lambda: _model(text))


def _defined(schema: Json) -> Type:
    kind = schema.get("type", "")
    properties: Json = schema.get("properties") or {}
    more = schema.get("additionalProperties")
    is_open = bool(schema.get("x-kubernetes-preserve-unknown-fields"))
    if kind == "object" and isinstance(more, dict):
        return Type("map", kind, item=lambda: _defined(more), rules=schema)
    if kind == "object":
        fields = {name: _defined(one) for name, one in properties.items()}
        is_open = is_open or more is True
        return Type("struct", kind, fields=lambda: fields, open=is_open, rules=schema)
    if kind == "array":
        return Type("list", kind, item=lambda: _defined(schema.get("items") or {}), rules=schema)
    plain = {"string": "string", "integer": "int64", "boolean": "bool"}.get(kind, "any")
    return Type(plain, kind, rules=schema)


def type_of(kind: Kind) -> Type:
    """The type of a kind's objects; ANY where nothing is known about it."""
    if kind.custom:
        if not kind.schema:
            return ANY
        whole = _defined(kind.schema)
        head = {"apiVersion": _builtin("str", ""), "kind": _builtin("str", "")}
        fields = {**whole.fields(), **head, "metadata": _builtin("V1ObjectMeta", "")}
        return Type("struct", kind.kind, fields=lambda: fields, open=whole.open, rules=kind.schema)
    for name in (f"{kind.version.capitalize()}{kind.kind}", f"CoreV1{kind.kind}"):
        try:
            fields = _model(name)
        except AttributeError:
            continue
        return Type("struct", f"{kind.version}.{kind.kind}", fields=fields.copy)
    return ANY


def fits(value: Any, wanted: Type) -> bool:
    """Whether the value itself is of the type, whatever is below it."""
    if wanted.kind in ("struct", "map"):
        return isinstance(value, dict)
    if wanted.kind == "list":
        return isinstance(value, list)
    if wanted.kind in ("string", "time", "bytes"):
        form = _BASE64 if wanted.kind == "bytes" else None
        if wanted.kind == "time":
            form = _MICRO_TIME if wanted.go == "v1.MicroTime" else _TIME
        return isinstance(value, str) and (form is None or form.fullmatch(value) is not None)
    if wanted.kind == "bool":
        return isinstance(value, bool)
    if wanted.kind in ("int32", "int64"):
        return isinstance(value, int) and not isinstance(value, bool)
    return True


def wrong(value: Any, wanted: Type, path: Path = (), struct: str = "") -> Iterator[Wrong]:
    """The values of a wrong type, in the order of the document. Null fits everything."""
    if value is None or wanted.kind == "any":
        return
    if not fits(value, wanted):
        yield Wrong(path, struct, wanted, value)
    elif wanted.kind == "struct":
        fields = wanted.fields()
        for name, one in value.items():
            if name in fields:
                below = wanted.go.rpartition(".")[2]
                yield from wrong(one, fields[name], (*path, name), below)
    elif wanted.kind == "map":
        for name, one in value.items():
            yield from wrong(one, wanted.item(), (*path, name), struct)
    elif wanted.kind == "list":
        for n, one in enumerate(value):
            yield from wrong(one, wanted.item(), (*path, n), struct)


def unknown(value: Any, wanted: Type, path: Path = ()) -> Iterator[Path]:
    """The paths of fields that the type does not have."""
    for name, one, below in parts(value, wanted):
        if below is None:
            yield (*path, name)
        else:
            yield from unknown(one, below, (*path, name))


def parts(value: Any, wanted: Type) -> Iterator[tuple[str | int, Any, Type | None]]:
    """What is in a value, with its type; None where the type does not have it."""
    if wanted.kind == "struct" and isinstance(value, dict):
        fields = wanted.fields()
        for name, one in value.items():
            yield name, one, fields.get(name, ANY if wanted.open else None)
    elif wanted.kind == "map" and isinstance(value, dict):
        yield from ((name, one, wanted.item()) for name, one in value.items())
    elif wanted.kind == "list" and isinstance(value, list):
        yield from ((n, one, wanted.item()) for n, one in enumerate(value))


def pruned(value: Any, wanted: Type) -> Any:
    """The value without the fields that the type does not have."""
    if wanted.kind not in ("struct", "map", "list"):
        return value
    known = ((name, one, below) for name, one, below in parts(value, wanted) if below is not None)
    kept = [(name, pruned(one, below)) for name, one, below in known]
    if isinstance(value, list):
        return [one for _, one in kept]
    return dict(kept) if isinstance(value, dict) else value


def dotted(path: Path) -> str:
    """`spec.containers[0].env`."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return text.removeprefix(".")


Names = Sequence[str]

# Which lists are merged by key, which are sets, and which maps are replaced whole: the real schemas
# say it field by field (`x-kubernetes-patch-merge-key`, `x-kubernetes-list-map-keys`,
# `x-kubernetes-map-type`); here by the field's name and, where one name means different things, by
# what stands above it.
CONTAINER_LISTS = frozenset({"containers", "initContainers", "ephemeralContainers"})

_BY_NAME: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(CONTAINER_LISTS, ("name",)),
    **dict.fromkeys(("env", "volumes", "resourceClaims", "schedulingGates"), ("name",)),
    "volumeMounts": ("mountPath",),
    "volumeDevices": ("devicePath",),
    "hostAliases": ("ip",),
    "topologySpreadConstraints": ("topologyKey", "whenUnsatisfiable"),
    "conditions": ("type",),
    "ownerReferences": ("uid",),
}
_ATOMIC_MAPS = words(
    "selector nodeSelector secretKeyRef configMapKeyRef fieldRef resourceFieldRef roleRef "
    "scaleTargetRef podSelector namespaceSelector labelSelector"
)


def list_keys(path: Names, *, custom: bool) -> tuple[str, ...]:
    """The keys by which server-side apply tells a list's items apart; () for an atomic list."""
    name = path[-1] if path else ""
    if custom and path[:1] != ("metadata",) and path[:1] != ["metadata"]:
        return ()
    if name == "ports":
        inside = CONTAINER_LISTS.intersection(path)
        return ("containerPort", "protocol") if inside else ("port", "protocol")
    if (name == "imagePullSecrets" and len(path) > 1) or tuple(path) == ("secrets",):
        return ("name",)
    return _BY_NAME.get(name, ())


def is_set(path: Names) -> bool:
    """Whether the list is a set of plain values."""
    return bool(path) and path[-1] == "finalizers"


def is_atomic_map(path: Names, *, custom: bool) -> bool:
    """Whether a map is owned and replaced as a whole under server-side apply."""
    atomic = bool(path) and (path[-1] in _ATOMIC_MAPS or tuple(path[-2:]) == ("service", "port"))
    return not custom and atomic


def strategic_key(path: Names) -> str:
    """The one key by which a strategic merge patch tells a list's items apart, or ""."""
    keys = list_keys(path, custom=False)
    return keys[0] if keys else ""
