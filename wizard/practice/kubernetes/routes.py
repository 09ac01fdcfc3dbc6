"""From a path of the API to group, version, resource, namespace, name and subresource."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from wizard.practice.kubernetes import protobuf
from wizard.practice.kubernetes.errors import ApiError

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
    """One request that the API answered, for tests that compare what was really touched.

    Attributes:
        verb: as RBAC names it: get, list, watch, create, update, patch, delete, deletecollection.
        status: the HTTP status of the answer; 101 for an upgraded connection.
        dry_run: asked with `dryRun=All`, so nothing was written.
    """

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
    namespace = ""
    if rest[0] == "namespaces" and len(rest) > 2 and rest[2] not in _NAMESPACE_SUBRESOURCES:
        namespace, rest = rest[1], rest[2:]
    resource, name, subresource = (*rest[:3], "", "", "")[:3]
    return Route(group, version, resource, namespace, name, subresource)


def verb_of(method: str, route: Route, *, watch: bool) -> str:
    """The RBAC verb of a request.

    Raises:
        ApiError: 405 for a method that no resource has.
    """
    if method in ("GET", "HEAD"):
        if watch:
            return "watch"
        return "get" if route.name else "list"
    if method == "DELETE":
        return "delete" if route.name else "deletecollection"
    if method in _METHODS:
        return _METHODS[method]
    raise ApiError(405, "the server does not allow this method on the requested resource")


def decode_body(body: bytes, content_type: str) -> Any:
    """The JSON value in a request body: JSON, YAML or protobuf.

    Raises:
        ApiError: 400, when the body cannot be read.
    """
    if not body:
        return None
    if content_type.startswith(protobuf.CONTENT_TYPE):
        return protobuf.decode(body)
    try:
        return json.loads(body)
    except ValueError as problem:
        if "yaml" not in content_type:
            raise ApiError(400, f"the body could not be decoded: {problem}") from problem
    return _yaml(body)


def _yaml(body: bytes) -> Any:
    import yaml

    try:
        return yaml.safe_load(body)
    except yaml.YAMLError as problem:
        raise ApiError(400, f"the body could not be decoded: {problem}") from problem
