"""The walk down the path: what is there, what is missing, and what forbids a change.

In a file that is a manifest (Flux, Argo CD, k3s) the values are further down. In one that SOPS has
encrypted an edit from outside would break the signature.
"""

from __future__ import annotations

import re

from wizard.article import PLACE
from wizard.record import dataclass
from wizard.systems.values.as_helm import CORE
from wizard.systems.values.document import Document, Node, Part, entries, named, several
from wizard.systems.values.model import BY_HAND, Refusal

PATH = tuple(PLACE.split("."))
"""The chart's key for further environment variables of the backend."""


@dataclass
class Place:
    """How far the path goes.

    Attributes:
        node: the deepest node on the path that exists; None in an empty document.
        parent: the mapping that holds it; None at the top.
        key: its key node in the parent.
        missing: the keys below `node` that do not exist; empty when it is the list itself.
        obstacle: why it must not be changed, though it can be read.
    """

    node: Node | None
    parent: Node | None = None
    key: Node | None = None
    missing: tuple[str, ...] = ()
    obstacle: Refusal | None = None

    @property
    def reached(self) -> bool:
        """Whether the last key of the path is there."""
        return not self.missing and self.node is not None

    @property
    def cut(self) -> bool:
        """Whether the path ends in a null, which deletes what other layers have there."""
        return self.node is not None and self.parent is not None and self.node.null

    def obstruct(self, refusal: Refusal) -> None:
        """Note why it must not be changed; the first reason stays."""
        self.obstacle = self.obstacle or refusal


def follow(root: Node | None, keys: tuple[str, ...], *, to_list: bool) -> Place:
    """The place that `keys` lead to; its last node is a list (`to_list`) or a mapping.

    Raises:
        Refusal: a wrong shape or a duplicate key on the way.
    """
    place = Place(root)
    for number, key in enumerate(keys):
        place.missing = keys[number:]
        if not _enter(place, "mapping", keys[:number]) or not _step(place, key):
            return place
    place.missing = ()
    _enter(place, "sequence" if to_list else "mapping", keys)
    return place


def _enter(place: Place, kind: str, keys: tuple[str, ...]) -> bool:
    """Whether the node is of this kind and has something in it."""
    node = place.node
    if node is None:
        return False
    if node.kind == "alias":
        place.obstruct(_alias(node, keys))
        node = place.node = node.resolved
    elif node.shared:
        place.obstruct(_shared(node, keys))
    right = CORE + ("map" if kind == "mapping" else "seq")
    foreign = node.tag is not None and node.tag.startswith(CORE) and node.tag != right
    if is_empty(node) and node.tag in (None, right):
        if not keys and node.kind == "sequence":
            raise _shape(node, kind, keys)
        return False
    if node.kind != kind or foreign:
        raise _shape(node, kind, keys)
    return True


def _step(place: Place, key: str) -> bool:
    node = place.node
    assert node is not None  # noqa: S101 - for the type checker; `_enter` saw to it
    own = named(node, key)
    if len(own) > 1:
        raise duplicate(own[1][0], key)
    found = entries(node).get(key)
    if found is None:
        return False
    if found.through is not None:
        place.obstruct(
            Refusal(
                "LSA319",
                f"{key} comes in through a merge (<<), so it cannot be changed here alone",
                "write it out in full here, then run this again",
                at=found.through.start,
            )
        )
    elif found.key.kind == "alias":
        place.obstruct(_alias(found.key, (key,)))
    place.parent, place.key, place.node = node, found.key, found.value
    return True


def is_empty(node: Node) -> bool:
    """Whether it is null, `{}` or `[]`."""
    return node.null or (node.flow and not node.children)


def duplicate(key: Node, name: str) -> Refusal:
    """The refusal of a key that is there twice."""
    return Refusal(
        "LSA316",
        f"The key {name} is there twice; the later one hides the earlier",
        "make one of the two, then run this again",
        at=key.start,
    )


def _shape(node: Node, kind: str, keys: tuple[str, ...]) -> Refusal:
    is_now = {"scalar": "a single value", "mapping": "a mapping", "sequence": "a list"}[node.kind]
    if node.tag is not None:
        is_now += f" with the tag {node.tag.replace(CORE, '!!')}"
    wanted = {"mapping": "a mapping", "sequence": "a list"}[kind]
    if not keys:
        return Refusal(
            "LSA314",
            f"The top level of the file is {is_now}, not a mapping",
            "check that it is the right file",
            at=node.start,
        )
    where = ".".join(keys)
    return Refusal(
        "LSA315",
        f"{where} is {is_now}, where the chart wants {wanted}",
        f"make {where} {wanted}, then run this again",
        at=node.start,
    )


def _alias(node: Node, keys: tuple[str, ...]) -> Refusal:
    return Refusal(
        "LSA317",
        f"{'.'.join(keys)} is an alias (*{node.anchor}); a change would be made where it points to",
        "write it out in full here, then run this again",
        at=node.start,
    )


def _shared(node: Node, keys: tuple[str, ...]) -> Refusal:
    where = ".".join(keys) or "The top level"
    return Refusal(
        "LSA318",
        f"{where} has an anchor (&{node.anchor}) that is used elsewhere; a change goes there too",
        f"write one of the two out in full, then run this again; or {BY_HAND}",
        at=node.start,
    )


_API_VERSION = re.compile(r"(?:[a-z0-9.-]+/)?v\d+(?:(?:alpha|beta)\d+)?")
_ARGO = ("source", "helm", "valuesObject")


def child(node: Node | None, key: str) -> Node | None:
    """The value of a key, when the node is a mapping that has it."""
    found = named(node, key) if node is not None and node.kind == "mapping" else []
    return found[-1][1].resolved if found else None


def part_with_values(document: Document) -> Part:
    """The only document of a file; of several manifests, the only one that holds values.

    Raises:
        Refusal: several documents, and it is not clear which one is meant.
    """
    parts = document.parts
    if len(parts) == 1:
        return parts[0]
    manifests = all(_text(child(it.root, "apiVersion")) for it in parts)
    holding = [it for it in parts if manifests and _kind(it.root)[0] in _HOLDING]
    if len(holding) != 1:
        raise several(parts[1])
    return holding[0]


_HOLDING = ("HelmRelease", "Application", "ApplicationSet")


def _kind(root: Node | None) -> tuple[str, str, str]:
    """The kind, the group and the version of a manifest; empty for a plain values file."""
    version, kind = _text(child(root, "apiVersion")), _text(child(root, "kind"))
    if child(root, "metadata") is None or not _API_VERSION.fullmatch(version):
        return "", "", ""
    return kind, version.partition("/")[0], version


def prefix(root: Node | None) -> tuple[str, ...]:
    """The keys down to the values: none in a plain values file.

    Raises:
        Refusal: a manifest whose values are inside a literal string, or not there at all.
    """
    kind, group, version = _kind(root)
    if root is None or not kind:
        return ()
    if kind == "HelmRelease" and group in ("helm.toolkit.fluxcd.io", "helm.fluxcd.io"):
        values = child(child(root, "spec"), "values")
        if values is not None and values.kind == "scalar" and not values.null:
            raise _literal(values, "spec.values")
        return ("spec", "values")
    if kind == "Application" and group == "argoproj.io":
        return _argo(root, ("spec",))
    if kind == "ApplicationSet" and group == "argoproj.io":
        return _argo(root, ("spec", "template", "spec"))
    if kind == "HelmChart" and group == "helm.cattle.io":
        raise _literal(child(child(root, "spec"), "valuesContent") or root, "spec.valuesContent")
    if kind in ("ConfigMap", "Secret") and version == "v1":
        data = child(root, "data") or child(root, "stringData") or root
        raise _literal(data, "data")
    raise Refusal(
        "LSA334",
        f"The file is a Kubernetes manifest of kind {kind}, not a values file",
        "name the values file, a Flux HelmRelease or an Argo CD Application",
        at=root.start,
    )


def _argo(root: Node, above: tuple[str, ...]) -> tuple[str, ...]:
    spec: Node | None = root
    for key in above:
        spec = child(spec, key)
    sources = child(spec, "sources")
    if sources is not None:
        raise Refusal(
            "LSA315",
            "The Application has several sources, so it is not clear which one has the values",
            "add the two variables to spec.sources[].helm.valuesObject by hand",
            at=sources.start,
        )
    helm = child(child(spec, "source"), "helm")
    literal = child(helm, "values")
    whole = child(helm, "valuesObject")
    if whole is not None and whole.kind == "scalar" and not whole.null:
        raise _literal(whole, ".".join((*above, *_ARGO)))
    if literal is not None and whole is None and not literal.null:
        raise _literal(literal, ".".join((*above, "source", "helm", "values")))
    return (*above, *_ARGO)


def _text(node: Node | None) -> str:
    return node.value if node is not None and node.kind == "scalar" else ""


def _literal(node: Node, where: str) -> Refusal:
    return Refusal(
        "LSA329",
        f"The values are inside a literal string ({where}): YAML in YAML, which is not edited",
        "add the two variables inside the string by hand, or move the values to an object "
        "(Argo CD: spec.source.helm.valuesObject; Flux: spec.values)",
        at=node.start,
    )


def refuse_encrypted(root: Node | None, keys: tuple[str, ...]) -> None:
    """Refuse a file with SOPS's own block in it.

    Raises:
        Refusal: the file is encrypted with SOPS.
    """
    block = child(root, "sops")
    if root is None or block is None or block.kind != "mapping":
        return
    names = {key.data for key, _ in block.pairs}
    if "mac" in names or {"lastmodified", "version"} <= names:
        where = ".".join((*keys, PLACE))
        raise Refusal(
            "LSA327",
            "The file is encrypted with SOPS, which signs every value in it",
            f"sops edit FILE, and add the two variables to {where} there",
            at=next(key.start for key, value in root.pairs if value.resolved is block),
        )
