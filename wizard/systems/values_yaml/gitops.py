"""Where the values are in a file that is a manifest: Flux, Argo CD, k3s."""

from __future__ import annotations

import re

from wizard.systems.values_yaml.model import Refusal
from wizard.systems.values_yaml.outline import Node

_API_VERSION = re.compile(r"(?:[a-z0-9.-]+/)?v\d+(?:(?:alpha|beta)\d+)?")
_ARGO = ("source", "helm", "valuesObject")


def child(node: Node | None, key: str) -> Node | None:
    """The value of a key, when the node is a mapping that has it."""
    if node is None or node.kind != "mapping":
        return None
    for name, value in reversed(node.pairs):
        if name.value == key:
            return value
    return None


def prefix(root: Node | None) -> tuple[str, ...]:
    """The keys down to the values: none in a plain values file.

    Raises:
        Refusal: a manifest whose values are inside a literal string, or not there at all.
    """
    version, kind = _text(child(root, "apiVersion")), _text(child(root, "kind"))
    if root is None or child(root, "metadata") is None or not _API_VERSION.fullmatch(version):
        return ()
    group = version.partition("/")[0]
    if kind == "HelmRelease" and group in ("helm.toolkit.fluxcd.io", "helm.fluxcd.io"):
        return _flux(root)
    if kind == "Application" and group == "argoproj.io":
        return _argo(root, ("spec",))
    if kind == "ApplicationSet" and group == "argoproj.io":
        return _argo(root, ("spec", "template", "spec"))
    if kind == "HelmChart" and group == "helm.cattle.io":
        raise _literal(child(child(root, "spec"), "valuesContent") or root, "spec.valuesContent")
    if kind in ("ConfigMap", "Secret") and version == "v1":
        data = child(root, "data") or child(root, "stringData") or root
        raise _literal(data, "data")
    if kind:
        raise Refusal(
            "LSA334",
            f"The file is a Kubernetes manifest of kind {kind}, not a values file",
            "name the values file, a Flux HelmRelease or an Argo CD Application",
            at=root.start,
        )
    return ()


def _flux(root: Node) -> tuple[str, ...]:
    values = child(child(root, "spec"), "values")
    if values is not None and values.kind == "scalar" and not values.null:
        raise _literal(values, "spec.values")
    return ("spec", "values")


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
