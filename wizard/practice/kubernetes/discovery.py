"""Discovery, aggregated and per group, the version, and a stub of OpenAPI v3."""

from __future__ import annotations

import hashlib
from typing import Any

from wizard.practice.kubernetes.json_tools import canonical, without_empty
from wizard.practice.kubernetes.kinds import Kind, Kinds

Json = dict[str, Any]

AGGREGATED = "apidiscovery.k8s.io"
VERSION: Json = {
    **dict.fromkeys(("major", "emulationMajor", "minCompatibilityMajor"), "1"),
    "minor": "33",
    "emulationMinor": "33",
    "minCompatibilityMinor": "32",
    "gitVersion": "v1.33.4",
    "gitCommit": "0" * 40,
    "gitTreeState": "clean",
    "buildDate": "2026-01-01T00:00:00Z",
    "goVersion": "go1.24",
    "compiler": "gc",
    "platform": "linux/amd64",
}
_SUB_KINDS = {
    "scale": ("autoscaling", "v1", "Scale", ["get", "patch", "update"]),
    "eviction": ("policy", "v1", "Eviction", ["create"]),
    "finalize": ("", "v1", "Namespace", ["update"]),
    "token": ("authentication.k8s.io", "v1", "TokenRequest", ["create"]),
    "exec": ("", "v1", "PodExecOptions", ["create", "get"]),
    "attach": ("", "v1", "PodAttachOptions", ["create", "get"]),
    "portforward": ("", "v1", "PodPortForwardOptions", ["create", "get"]),
    "log": ("", "v1", "Pod", ["get"]),
}
# Strategic merge is served but not told here: kubectl would then look for every field's schema.
_PATCHES = (
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/apply-patch+yaml",
)


def _groups(kinds: Kinds) -> dict[str, dict[str, list[Kind]]]:
    groups: dict[str, dict[str, list[Kind]]] = {}
    for kind in kinds.all():
        groups.setdefault(kind.group, {}).setdefault(kind.version, []).append(kind)
    return groups


def _gvk(kind: Kind) -> Json:
    return {"group": kind.group, "version": kind.version, "kind": kind.kind}


def _aggregated_resource(kind: Kind) -> Json:
    entry: Json = {
        "resource": kind.plural,
        "responseKind": _gvk(kind),
        "scope": "Namespaced" if kind.namespaced else "Cluster",
        "singularResource": kind.singular,
        **_offered(kind),
    }
    if kind.subresources:
        entry["subresources"] = [_aggregated_subresource(kind, one) for one in kind.subresources]
    return entry


def _offered(kind: Kind) -> Json:
    more = without_empty(shortNames=list(kind.short), categories=list(kind.categories))
    return {"verbs": list(kind.verbs), **more}


def _aggregated_subresource(kind: Kind, name: str) -> Json:
    default = (kind.group, kind.version, kind.kind, ["get", "patch", "update"])
    group, version, kind_name, verbs = _SUB_KINDS.get(name, default)
    return {
        "subresource": name,
        "responseKind": {"group": group, "version": version, "kind": kind_name},
        "verbs": verbs,
    }


def aggregated(kinds: Kinds, *, core: bool) -> Json:
    """APIGroupDiscoveryList of /api (core) or /apis."""
    items = []
    for group, versions in _groups(kinds).items():
        if (group == "") is not core:
            continue
        listed = [
            {
                "version": name,
                "resources": [_aggregated_resource(kind) for kind in found],
                "freshness": "Current",
            }
            for name, found in versions.items()
        ]
        meta: Json = {"creationTimestamp": None}
        if group:
            meta["name"] = group
        items.append({"metadata": meta, "versions": listed})
    answer = {"kind": "APIGroupDiscoveryList", "apiVersion": f"{AGGREGATED}/v2"}
    return {**answer, "metadata": {}, "items": items}


def etag(document: Json) -> str:
    """A strong ETag of a document."""
    return '"' + hashlib.sha256(canonical(document).encode()).hexdigest()[:32].upper() + '"'


def core_versions(address: str) -> Json:
    """/api for clients that do not ask for the aggregated form."""
    return {
        "kind": "APIVersions",
        "versions": ["v1"],
        "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": address}],
    }


def _group(group: str, versions: dict[str, list[Kind]]) -> Json:
    listed = [{"groupVersion": f"{group}/{name}", "version": name} for name in versions]
    return {"name": group, "versions": listed, "preferredVersion": listed[0]}


def group_list(kinds: Kinds) -> Json:
    """/apis for clients that do not ask for the aggregated form."""
    groups = [_group(group, versions) for group, versions in _groups(kinds).items() if group]
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}


def one_group(kinds: Kinds, group: str) -> Json | None:
    """/apis/GROUP, or None where no such group is served."""
    versions = _groups(kinds).get(group)
    if not group or not versions:
        return None
    return {"kind": "APIGroup", "apiVersion": "v1", **_group(group, versions)}


def resource_list(kinds: Kinds, group: str, version: str) -> Json | None:
    """/api/v1 or /apis/GROUP/VERSION, or None where it is not served."""
    found = _groups(kinds).get(group, {}).get(version)
    if not found:
        return None
    resources: list[Json] = []
    for kind in found:
        resources.append(_listed(kind))
        for name in kind.subresources:
            sub = _aggregated_subresource(kind, name)
            resources.append(
                {
                    "name": f"{kind.plural}/{name}",
                    "singularName": "",
                    "namespaced": kind.namespaced,
                    **_foreign(kind, sub["responseKind"]),
                    "verbs": sub["verbs"],
                }
            )
    answer = {"kind": "APIResourceList", "apiVersion": "v1", "resources": resources}
    return {**answer, "groupVersion": f"{group}/{version}" if group else version}


def _foreign(kind: Kind, answered: Json) -> Json:
    """What a subresource answers with; group and version are told where they are others."""
    if (answered["group"], answered["version"]) in ((kind.group, kind.version), ("", "v1")):
        return {"kind": answered["kind"]}
    return answered


def _listed(kind: Kind) -> Json:
    return {
        "name": kind.plural,
        "singularName": kind.singular,
        "namespaced": kind.namespaced,
        "kind": kind.kind,
        **_offered(kind),
    }


def openapi_index(kinds: Kinds) -> Json:
    """/openapi/v3: where each group-version's document is."""
    paths = {}
    for group, versions in _groups(kinds).items():
        for version in versions:
            place = f"apis/{group}/{version}" if group else f"api/{version}"
            digest = hashlib.sha256(f"{place}{kinds.changed}".encode()).hexdigest()[:32].upper()
            paths[place] = {"serverRelativeURL": f"/openapi/v3/{place}?hash={digest}"}
    return {"paths": paths}


def _parameters(kind: Kind) -> list[Json]:
    asked: Json = {"in": "query", "schema": {"type": "string", "uniqueItems": True}}
    place: Json = {"in": "path", "required": True, "schema": {"type": "string"}}
    names = ("dryRun", "fieldManager", "fieldValidation", "force")
    places = ("namespace", "name") if kind.namespaced else ("name",)
    return [{"name": one, **asked} for one in names] + [{"name": one, **place} for one in places]


def openapi_document(kinds: Kinds, group: str, version: str) -> Json | None:
    """A stub: the paths that can be patched, with their parameters; no field is described."""
    found = _groups(kinds).get(group, {}).get(version)
    if not found:
        return None
    paths: Json = {}
    schemas: Json = {}
    for kind in found:
        base = f"/apis/{group}/{version}" if group else f"/api/{version}"
        home = "/namespaces/{namespace}" if kind.namespaced else ""
        schema = f"{group or 'core'}.{version}.{kind.kind}"
        gvk = _gvk(kind)
        schemas[schema] = {
            "type": "object",
            "x-kubernetes-preserve-unknown-fields": True,
            "x-kubernetes-group-version-kind": [gvk],
        }
        content = {one: {"schema": {"type": "object"}} for one in _PATCHES}
        paths[f"{base}{home}/{kind.plural}/{{name}}"] = {
            "patch": {
                "operationId": f"patch{kind.kind}",
                "parameters": _parameters(kind),
                "requestBody": {"content": content},
                "responses": {"200": {"description": "OK"}},
                "x-kubernetes-action": "patch",
                "x-kubernetes-group-version-kind": gvk,
            }
        }
    return {
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": VERSION["gitVersion"]},
        "paths": paths,
        "components": {"schemas": schemas},
    }
