"""The verbs on resources: from a decoded request to the object, list or Status that answers it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from wizard.practice.kubernetes.api import Api
from wizard.practice.kubernetes.apply import apply_merge
from wizard.practice.kubernetes.defaults import normalise
from wizard.practice.kubernetes.deletion import answers_object
from wizard.practice.kubernetes.errors import ApiError
from wizard.practice.kubernetes.json_tools import canonical, clone
from wizard.practice.kubernetes.patches import json_patch, merge_patch
from wizard.practice.kubernetes.selectors import field_selector, label_selector
from wizard.practice.kubernetes.strategic import strategic_merge
from wizard.practice.kubernetes.validation import go_type, mistyped

if TYPE_CHECKING:
    from wizard.practice.kubernetes.kinds import Kind
    from wizard.practice.kubernetes.routes import Route

Json = dict[str, Any]
Answer = tuple[int, Json]

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
APPLY = "application/apply-patch+yaml"
_STATUS = "status"


def matcher(query: Mapping[str, str]) -> Callable[[Json], bool]:
    """The test of a request's label and field selectors."""
    labels = label_selector(query.get("labelSelector", ""))
    fields = field_selector(query.get("fieldSelector", ""))
    return lambda obj: labels(obj) and fields(obj)


def select(api: Api, kind: Kind, route: Route, query: Mapping[str, str]) -> list[Json]:
    """The objects that a list, watch or deletecollection is about."""
    matches = matcher(query)
    namespace = route.namespace or None
    found = [obj for obj in api.store.items(kind.key, namespace) if matches(obj)]
    if route.name:
        found = [obj for obj in found if obj["metadata"]["name"] == route.name]
    return found


def object_list(kind: Kind, objects: list[Json], metadata: Json) -> Json:
    """`PodList` and so on; the items of built-in kinds do not repeat kind and apiVersion."""
    items = objects
    if not kind.custom:
        repeated = ("kind", "apiVersion")
        items = [{key: one for key, one in obj.items() if key not in repeated} for obj in objects]
    return {
        "kind": f"{kind.kind}List",
        "apiVersion": kind.api_version,
        "metadata": metadata,
        "items": items,
    }


def success(kind: Kind, obj: Json) -> Json:
    """The Status that answers a finished delete."""
    details = {"name": obj["metadata"]["name"], "group": kind.group, "kind": kind.plural}
    details["uid"] = obj["metadata"]["uid"]
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success",
        "details": {key: value for key, value in details.items() if value},
    }


class Resources:
    """Writes on behalf of a client."""

    def __init__(self, api: Api) -> None:
        self.api = api

    def create(
        self,
        kind: Kind,
        route: Route,
        body: Any,
        manager: str,
        *,
        dry_run: bool,
    ) -> Answer:
        """POST of a new object."""
        obj = _object(body)
        _check_kind(kind, obj)
        _refuse_mistyped(kind, obj)
        made = self.api.create(kind, route.namespace, obj, manager=manager, dry_run=dry_run)
        return 201, made

    def update(
        self,
        kind: Kind,
        route: Route,
        body: Any,
        manager: str,
        *,
        dry_run: bool,
    ) -> Answer:
        """PUT of an object or of its status."""
        obj = _object(body)
        _check_kind(kind, obj)
        _refuse_mistyped(kind, obj)
        if (obj.get("metadata") or {}).get("name", route.name) != route.name:
            raise ApiError(400, "the name of the object does not match the name on the URL")
        obj = {**obj, "metadata": {**(obj.get("metadata") or {}), "name": route.name}}
        done = self.api.update(
            kind,
            route.namespace,
            route.name,
            obj,
            manager=manager,
            dry_run=dry_run,
            subresource=route.subresource,
        )
        return 200, done

    def patch(
        self,
        kind: Kind,
        route: Route,
        body: Any,
        content_type: str,
        manager: str,
        *,
        dry_run: bool,
        force: bool,
    ) -> Answer:
        """PATCH of any of the four kinds."""
        if content_type == APPLY:
            return self._apply(kind, route, _object(body), manager, dry_run=dry_run, force=force)
        with self.api.store.lock:
            old = self.api.read(kind, route.namespace, route.name)
            fresh = patched(kind, old, body, content_type)
            problem = next(mistyped(fresh), None) if not kind.custom else None
            if problem is not None:
                told = f"cannot convert {_go_kind(problem[3])} to {problem[2]}"
                message = f'Invalid value: "{canonical(body)}": {told}'
                raise ApiError(422, f' "" is invalid: patch: {message}')
            done = self.api.update(
                kind,
                route.namespace,
                route.name,
                fresh,
                manager=manager,
                dry_run=dry_run,
                subresource=route.subresource,
            )
        return 200, done

    def _apply(
        self, kind: Kind, route: Route, config: Json, manager: str, *, dry_run: bool, force: bool
    ) -> Answer:
        if not manager:
            raise ApiError(400, "PatchOptions.meta.k8s.io is invalid: fieldManager is required")
        _check_kind(kind, config)
        self._refuse_untyped(kind, route, config)
        config = config if kind.custom else normalise(config)
        config = {**config, "metadata": {**(config.get("metadata") or {}), "name": route.name}}
        if "managedFields" in config["metadata"]:
            raise ApiError(400, "metadata.managedFields must be nil")
        with self.api.store.lock:
            live = self.api.store.get(kind.key, route.namespace, route.name)
            merged = apply_merge(
                live,
                config,
                manager,
                custom=kind.custom,
                force=force,
                subresource=route.subresource,
            )
            if live is None:
                made = self.api.create(kind, route.namespace, merged, dry_run=dry_run, owned=True)
                return 201, made
            done = self.api.update(
                kind,
                route.namespace,
                route.name,
                merged,
                dry_run=dry_run,
                owned=True,
                subresource=route.subresource,
            )
        return 200, done

    def _refuse_untyped(self, kind: Kind, route: Route, config: Json) -> None:
        problem = None if kind.custom else next(mistyped(config), None)
        if problem is None:
            return
        path, _, wanted, value = problem
        wanted = "numeric (int or float)" if wanted.startswith("int") else wanted
        told = str(value).lower() if isinstance(value, bool) else str(value)
        raise ApiError(
            500,
            f"failed to create typed patch object ({route.namespace}/{route.name}; "
            f"{kind.api_version}, Kind={kind.kind}): {path}: expected {wanted}, got "
            f"&value.valueUnstructured{{Value:{told}}}",
        )

    def delete(self, kind: Kind, route: Route, options: Json) -> Answer:
        """DELETE of one object."""
        obj, gone = self.api.delete(kind, route.namespace, route.name, options)
        return 200, success(kind, obj) if gone and not answers_object(kind) else obj

    def delete_all(
        self, kind: Kind, route: Route, options: Json, query: Mapping[str, str]
    ) -> Answer:
        """DELETE of a collection."""
        found = select(self.api, kind, route, query)
        for obj in found:
            meta = obj["metadata"]
            self.api.delete(kind, meta.get("namespace", ""), meta["name"], options)
        return 200, object_list(kind, found, {"resourceVersion": str(self.api.store.version)})


def patched(kind: Kind, old: Json, body: Any, content_type: str) -> Json:
    """The object after a JSON, merge or strategic merge patch.

    Raises:
        ApiError: 415 for a patch type that the kind does not take.
    """
    if content_type == JSON_PATCH and isinstance(body, list):
        return json_patch(old, body)
    if content_type == MERGE_PATCH and isinstance(body, dict):
        return dict(merge_patch(clone(old), body))
    if content_type == STRATEGIC and isinstance(body, dict) and not kind.custom:
        return strategic_merge(clone(old), body)
    supported = [JSON_PATCH, MERGE_PATCH, APPLY, *([] if kind.custom else [STRATEGIC])]
    raise ApiError(
        415,
        "the body of the request was in an unknown format - accepted media types include: "
        + ", ".join(supported),
    )


def _object(body: Any) -> Json:
    if not isinstance(body, dict):
        raise ApiError(400, "the body of the request must be an object")
    return body


def _check_kind(kind: Kind, obj: Json) -> None:
    sent = (obj.get("apiVersion", kind.api_version), obj.get("kind", kind.kind))
    if sent != (kind.api_version, kind.kind):
        raise ApiError(
            400,
            f"the API version in the data ({sent[0]}, Kind={sent[1]}) does not match the expected "
            f"API version ({kind.api_version}, Kind={kind.kind})",
        )


def _refuse_mistyped(kind: Kind, obj: Json) -> None:
    problem = None if kind.custom else next(mistyped({**obj, "kind": kind.kind}), None)
    if problem is None:
        return
    _, field, wanted, value = problem
    raise ApiError(
        400,
        f'{kind.kind} in version "{kind.version}" cannot be handled as a {kind.kind}: json: '
        f"cannot unmarshal {go_type(value)} into Go struct field {field} of type {wanted}",
    )


def _go_kind(value: Any) -> str:
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int):
        return "int64"
    return {float: "float64", str: "string"}.get(type(value), "interface {}")
