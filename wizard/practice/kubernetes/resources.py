"""The verbs on resources: from a decoded request to the object, list or Status that answers it."""

from __future__ import annotations

import base64
import contextlib
import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from wizard.practice.kubernetes.api import Api
from wizard.practice.kubernetes.apply import apply_merge
from wizard.practice.kubernetes.defaults import normalise
from wizard.practice.kubernetes.deletion import answers_object
from wizard.practice.kubernetes.errors import (
    STATUS,
    ApiError,
    details_of,
    invalid,
    invalid_options,
    rejected,
)
from wizard.practice.kubernetes.json_tools import clone, compact
from wizard.practice.kubernetes.patches import json_patch, merge_patch, strategic_merge
from wizard.practice.kubernetes.reading import Ask, bad_patch, read, read_patched, refuse_untyped
from wizard.practice.kubernetes.selectors import field_selector, label_selector
from wizard.practice.kubernetes.store import Store, object_key

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wizard.practice.kubernetes.kinds import Kind
    from wizard.practice.kubernetes.routes import Route

Json = dict[str, Any]


def _unreadable(text: str) -> ApiError:
    return ApiError(400, f'strconv.ParseInt: parsing "{text}": invalid syntax')


def check_version_query(query: Mapping[str, str], store: Store, *, watch: bool = False) -> None:
    """Refuse what cannot be listed, or watched from."""
    sent, match = query.get("resourceVersion", ""), query.get("resourceVersionMatch", "")
    if query.get("sendInitialEvents") and match != "NotOlderThan":
        told = "Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"
        raise invalid_options("ListOptions", "resourceVersionMatch", told)
    if match and not sent and not watch:
        told = "Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided"
        raise invalid_options("ListOptions", "resourceVersionMatch", told)
    seconds = query.get("timeoutSeconds") or "0"
    if not seconds.isdigit():
        raise _unreadable(seconds)
    if sent and not sent.isdigit():
        told = f'resourceVersion: Invalid value: "{sent}": strconv.ParseUint: '
        told += f'parsing "{sent}": invalid syntax'
        raise rejected(told) if watch else ApiError(400, f"invalid resource version: {told}")
    if sent and not watch and int(sent) > store.version:
        told = f"Timeout: Too large resource version: {sent}, current: {store.version}"
        cause = {"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}
        raise ApiError(504, told, details={"causes": [cause], "retryAfterSeconds": 1})
    if match == "Exact" and not watch and int(sent) != store.version:
        raise ApiError(410, "The resourceVersion for the provided list is too old.")


def page(objects: list[Json], query: Mapping[str, str], version: str) -> tuple[list[Json], Json]:
    """The part of a list that was asked for (`limit`, `continue`), and the list's metadata.

    As for a real server's cache, a list from resourceVersion 0 is never in parts.
    """
    try:
        size = int(query.get("limit") or "0")
    except ValueError:
        raise _unreadable(query["limit"]) from None
    try:
        after = json.loads(base64.urlsafe_b64decode(query.get("continue", "") or b"W10="))
    except ValueError:
        told = "invalid continue token: continue key is not valid"
        with contextlib.suppress(ValueError):
            first = base64.urlsafe_b64decode(query["continue"])[:1]
            shown = f"'\\x{first.hex()}'" if first > b"\x7f" else repr(first.decode())
            told += f": invalid character {shown} looking for beginning of value"
        raise ApiError(400, told) from None
    if not isinstance(after, list):
        raise ApiError(400, "continue key is not valid")
    left = [obj for obj in objects if list(object_key(obj)) > after]
    size = 0 if query.get("resourceVersion") == "0" else size
    if not 0 < size < len(left):
        return left, {"resourceVersion": version}
    last = json.dumps(object_key(left[size - 1])).encode()
    token = base64.urlsafe_b64encode(last).decode()
    metadata: Json = {"resourceVersion": version, "continue": token}
    if not (query.get("labelSelector") or query.get("fieldSelector")):
        metadata["remainingItemCount"] = len(left) - size
    return left[:size], metadata


Answer = tuple[int, Json]

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
APPLY = "application/apply-patch+yaml"
_VERSIONED = frozenset({"Lease"})
"""Built-in kinds of which an update must say which state it is made from."""
_LONGEST_MANAGER = 128


def matcher(kind: Kind, query: Mapping[str, str]) -> Callable[[Json], bool]:
    """The test of a request's label and field selectors."""
    labels = label_selector(query.get("labelSelector", ""))
    fields = field_selector(query.get("fieldSelector", ""), kind)
    return lambda obj: labels(obj) and fields(obj)


def select(api: Api, kind: Kind, route: Route, query: Mapping[str, str]) -> list[Json]:
    """The objects that a list, watch or deletecollection is about."""
    matches = matcher(kind, query)
    found = filter(matches, api.store.items(kind.key, route.namespace or None))
    return [obj for obj in found if route.name in ("", obj["metadata"]["name"])]


def object_list(kind: Kind, objects: list[Json], metadata: Json) -> Json:
    """`PodList` and so on; the items of built-in kinds do not repeat kind and apiVersion."""
    items = objects
    if not kind.custom:
        repeated = ("kind", "apiVersion")
        items = [{key: one for key, one in obj.items() if key not in repeated} for obj in objects]
    answer: Json = {"kind": f"{kind.kind}List", "apiVersion": kind.api_version}
    return {**answer, "metadata": metadata, "items": items}


def success(kind: Kind, obj: Json) -> Json:
    """The Status that answers a finished delete."""
    meta = obj["metadata"]
    details = details_of(kind, meta["name"], uid=meta["uid"])
    return {**STATUS, "status": "Success", "details": details}


class Resources:
    """Writes on behalf of a client."""

    def __init__(self, api: Api) -> None:
        self.api = api

    def create(self, kind: Kind, route: Route, body: Any, ask: Ask) -> Answer:
        """POST of a new object."""
        _check_kind(kind, body)
        return 201, self.api.create(kind, route.namespace, read(kind, body, ask), ask)

    def update(self, kind: Kind, route: Route, body: Any, ask: Ask) -> Answer:
        """PUT of an object or of its status."""
        _check_kind(kind, body)
        obj = read(kind, body, ask)
        if not (obj.get("metadata") or {}).get("name"):
            told = f"the name of the object ({route.name} based on URL) was undeterminable"
            raise ApiError(400, f"{told}: name must be provided")
        _check_name(route, obj)
        sent = (obj.get("metadata") or {}).get("resourceVersion")
        if not sent and (kind.custom or kind.kind in _VERSIONED):
            told = "Invalid value: 0: must be specified for an update"
            self.api.read(kind, route.namespace, route.name)
            raise invalid(kind, route.name, [("metadata.resourceVersion", told)], plural=True)
        return 200, self._changed(kind, route, obj, ask, patched=False)

    def patch(self, kind: Kind, route: Route, body: Any, ask: Ask) -> Answer:
        """PATCH of any of the four kinds."""
        if ask.content_type == APPLY:
            return self._apply(kind, route, body, ask)
        with self.api.store.lock:
            old = self.api.read(kind, route.namespace, route.name)
            fresh = patched(kind, old, body, ask.content_type)
            if (fresh.get("apiVersion"), fresh.get("kind")) != (kind.api_version, kind.kind):
                group_version = str(fresh.get("apiVersion"))
                told = f'no kind "{fresh.get("kind")}" is registered for version "{group_version}"'
                raise bad_patch(
                    compact(fresh).decode(), told + ' in scheme "pkg/runtime/scheme.go:111"'
                )
            fresh = read_patched(kind, fresh, body, ask)
            _check_name(route, fresh)
            return 200, self._changed(kind, route, fresh, ask, patched=True)

    def _changed(
        self, kind: Kind, route: Route, obj: Json, ask: Ask, *, owned: bool = False, patched: bool
    ) -> Json:
        place, sub = (route.namespace, route.name), route.subresource
        return self.api.update(
            kind, *place, obj, ask, owned=owned, subresource=sub, patched=patched
        )

    def _apply(self, kind: Kind, route: Route, config: Any, ask: Ask) -> Answer:
        _check_manager(ask.manager)
        config = config if isinstance(config, dict) else {}
        sent = (config.get("apiVersion", ""), config.get("kind", ""))
        if sent != (kind.api_version, kind.kind):
            group_version = sent[0] if "/" in sent[0] or not sent[0] else f"/{sent[0]}"
            raise ApiError(400, f"invalid object type: {group_version or '/'}, Kind={sent[1]}")
        _check_name(route, config)
        if "managedFields" in (config.get("metadata") or {}):
            raise ApiError(400, "metadata.managedFields must be nil")
        refuse_untyped(kind, config)
        config = config if kind.custom else normalise(config)
        config = {**config, "metadata": {**(config.get("metadata") or {}), "name": route.name}}
        with self.api.store.lock:
            live = self.api.store.get(kind.key, route.namespace, route.name)
            merged = apply_merge(
                live,
                config,
                ask.manager,
                custom=kind.custom,
                force=ask.force,
                subresource=route.subresource,
            )
            if live is None:
                merged["metadata"].pop("resourceVersion", None)
                return 201, self.api.create(kind, route.namespace, merged, ask, owned=True)
            return 200, self._changed(kind, route, merged, ask, owned=True, patched=True)

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
    """The object after a JSON, merge or strategic merge patch."""
    if content_type == JSON_PATCH and isinstance(body, list):
        return json_patch(old, body)
    if content_type == MERGE_PATCH and isinstance(body, dict):
        return dict(merge_patch(clone(old), body))
    if content_type == STRATEGIC and isinstance(body, dict) and not kind.custom:
        return strategic_merge(clone(old), body)
    supported = [JSON_PATCH, MERGE_PATCH, APPLY, *([] if kind.custom else [STRATEGIC])]
    told = "the body of the request was in an unknown format - accepted media types include: "
    raise ApiError(415, told + ", ".join(supported))


def _check_kind(kind: Kind, obj: Json) -> None:
    version, name = obj.get("apiVersion"), obj.get("kind")
    if name and name != kind.kind:
        told = f'{name} in version "{kind.version}" cannot be handled as a {kind.kind}: converting '
        raise ApiError(400, f"{told}(v1.{name}) to (core.{kind.kind}): unknown conversion")
    if version and version != kind.api_version:
        told = f"the API version in the data ({version}) does not match the expected API version "
        raise ApiError(400, f"{told}({kind.api_version})")


def _check_name(route: Route, obj: Json) -> None:
    name = (obj.get("metadata") or {}).get("name") or route.name
    if name != route.name:
        told = f"the name of the object ({name}) does not match the name on the URL ({route.name})"
        raise ApiError(400, told)


def _check_manager(manager: str) -> None:
    told = f"Too long: may not be more than {_LONGEST_MANAGER} bytes"
    told = told if manager else "Required value: is required for apply patch"
    if not manager or len(manager) > _LONGEST_MANAGER:
        raise invalid_options("PatchOptions", "fieldManager", told)
