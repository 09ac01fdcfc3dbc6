"""From a path of the API to group, version, resource, namespace, name and subresource."""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from wizard.practice.kubernetes import protobuf
from wizard.practice.kubernetes.errors import ApiError, not_allowed
from wizard.practice.kubernetes.reading import parse_object, parse_patch

if TYPE_CHECKING:
    from wizard.practice.kubernetes.kinds import Kind

Json = dict[str, Any]

_METHODS = {"POST": "create", "PUT": "update", "PATCH": "patch"}
_NAMESPACE_SUBRESOURCES = ("status", "finalize")


@dataclass(frozen=True)
class Route:
    """What a path names; empty strings where it names nothing."""

    group: str
    version: str
    resource: str
    namespace: str = ""
    name: str = ""
    subresource: str = ""


@dataclass(frozen=True)
class Request:
    """One request that the API answered, its verb as RBAC names it: what was really touched."""

    verb: str
    group: str
    resource: str
    subresource: str
    namespace: str
    name: str
    user_agent: str
    status: int
    dry_run: bool


def parse(path: str) -> Route | None:
    """The route of a resource path, or None for any other path."""
    parts = [unquote(part) for part in path.strip("/").split("/")]
    if parts[:2] == ["api", "v1"]:
        group, version, rest = "", "v1", parts[2:]
    elif parts[0] == "apis" and len(parts) > 3:
        group, version, rest = parts[1], parts[2], parts[3:]
    else:
        return None
    if not rest or not rest[0]:
        return None
    if rest[0] == "watch":
        rest = rest[1:]
    namespace = ""
    if rest[:1] == ["namespaces"] and len(rest) > 2 and rest[2] not in _NAMESPACE_SUBRESOURCES:
        namespace, rest = rest[1], rest[2:]
    resource, name, subresource = (*rest[:3], "", "", "")[:3]
    return Route(group, version, resource, namespace, name, subresource)


def verb_of(method: str, route: Route, *, watch: bool) -> str:
    """The RBAC verb of a request."""
    if method in ("GET", "HEAD"):
        if watch and not (route.name and route.subresource):
            return "watch"
        return "get" if route.name else "list"
    if method == "DELETE":
        return "delete" if route.name else "deletecollection"
    below = bool(route.name) if method in ("PUT", "PATCH") else bool(route.subresource)
    if method in _METHODS and (below or (method == "POST" and not route.name)):
        return _METHODS[method]
    raise not_allowed()


def decode_body(body: bytes, content_type: str, kind: Kind) -> Any:
    """The value in a request body: JSON, YAML or protobuf."""
    if content_type.startswith(protobuf.CONTENT_TYPE):
        return protobuf.decode(body)
    if content_type.endswith("yaml"):
        return _yaml(body)
    if "patch" in content_type:
        return parse_patch(body, content_type)
    return parse_object(body, kind)


def _yaml(body: bytes) -> Any:
    import yaml

    with contextlib.suppress(ValueError):
        return json.loads(body)
    try:
        return yaml.safe_load(body)
    except yaml.YAMLError as problem:
        line = getattr(getattr(problem, "problem_mark", None), "line", 0) + 1
        told = "error decoding YAML: error converting YAML to JSON: yaml: line "
        raise ApiError(400, f"{told}{line}: did not find expected node content") from problem
