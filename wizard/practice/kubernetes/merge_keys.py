"""Which lists are merged by key, which are sets, and which maps are replaced whole.

The built-in kinds' schemas say this field by field (`x-kubernetes-patch-merge-key`,
`x-kubernetes-list-map-keys`, `x-kubernetes-map-type: atomic`); here by the field's name and, where
one name means different things, by what stands above it.
"""

from __future__ import annotations

from collections.abc import Sequence

Path = Sequence[str]

CONTAINER_LISTS = frozenset({"containers", "initContainers", "ephemeralContainers"})

_BY_NAME: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(CONTAINER_LISTS, ("name",)),
    "env": ("name",),
    "volumes": ("name",),
    "volumeMounts": ("mountPath",),
    "volumeDevices": ("devicePath",),
    "hostAliases": ("ip",),
    "topologySpreadConstraints": ("topologyKey", "whenUnsatisfiable"),
    "resourceClaims": ("name",),
    "schedulingGates": ("name",),
    "conditions": ("type",),
    "ownerReferences": ("uid",),
}
_ATOMIC_MAPS = frozenset(
    {
        "selector",
        "nodeSelector",
        "secretKeyRef",
        "configMapKeyRef",
        "fieldRef",
        "resourceFieldRef",
        "roleRef",
        "scaleTargetRef",
        "podSelector",
        "namespaceSelector",
        "labelSelector",
    }
)
_SETS = frozenset({"finalizers"})


def list_keys(path: Path, *, custom: bool) -> tuple[str, ...]:
    """The keys by which server-side apply tells a list's items apart; () for an atomic list."""
    name = path[-1] if path else ""
    if custom and path[:1] != ("metadata",) and path[:1] != ["metadata"]:
        return ()
    if name == "ports":
        inside = CONTAINER_LISTS.intersection(path)
        return ("containerPort", "protocol") if inside else ("port", "protocol")
    if name == "imagePullSecrets" or (name == "secrets" and len(path) == 1):
        return ("name",) if len(path) > 1 or name == "secrets" else ()
    return _BY_NAME.get(name, ())


def is_set(path: Path) -> bool:
    """Whether the list is a set of plain values."""
    return bool(path) and path[-1] in _SETS


def is_atomic_map(path: Path, *, custom: bool) -> bool:
    """Whether a map is owned and replaced as a whole under server-side apply."""
    atomic = bool(path) and (path[-1] in _ATOMIC_MAPS or tuple(path[-2:]) == ("service", "port"))
    return not custom and atomic


def strategic_key(path: Path) -> str:
    """The one key by which a strategic merge patch tells a list's items apart, or ""."""
    keys = list_keys(path, custom=False)
    return keys[0] if keys else ""
