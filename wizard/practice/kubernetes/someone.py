"""What somebody else writes to the cluster: kubectl, a GitOps controller, a person in a hurry."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wizard.practice.kubernetes.json_tools import clone
from wizard.practice.kubernetes.reading import Ask
from wizard.practice.kubernetes.resources import MERGE_PATCH, STRATEGIC, Resources
from wizard.practice.kubernetes.routes import Route

if TYPE_CHECKING:
    from wizard.practice.kubernetes.api import Api
    from wizard.practice.kubernetes.kinds import Kind

Json = dict[str, Any]


class Someone:
    """A client with a field manager of its own, by the server's rules and without HTTP."""

    def __init__(self, api: Api, manager: str) -> None:
        self.manager = manager
        self._api = api
        self._resources = Resources(api)

    def create(self, obj: Json) -> Json:
        """POST an object.

        Raises:
            ApiError: the server refuses it.
        """
        kind = self._api.kind_of(obj)
        route = _route(kind, obj["metadata"].get("namespace", ""))
        return self._resources.create(kind, route, obj, Ask(self.manager))[1]

    def patch(self, kind: str, namespace: str, name: str, change: Json) -> Json:
        """Patch an object, as `kubectl patch` does: strategically, custom kinds by merge.

        Raises:
            ApiError: the server refuses it.
            KeyError: no such kind is served.
        """
        found = self._api.named(kind)
        form = MERGE_PATCH if found.custom else STRATEGIC
        route = _route(found, namespace, name)
        ask = Ask(self.manager, content_type=form)
        return self._resources.patch(found, route, change, ask)[1]

    def delete(self, kind: str, namespace: str, name: str) -> None:
        """Delete an object.

        Raises:
            ApiError: the server refuses it, or it is not there.
            KeyError: no such kind is served.
        """
        found = self._api.named(kind)
        self._resources.delete(found, _route(found, namespace, name), {})

    def take_over(self, other: str) -> None:
        """Be the manager of every field that another manager has, as if it had been written so."""
        with self._api.store.lock:
            for resource, obj in list(self._api.store.everything()):
                entries = obj["metadata"].get("managedFields") or []
                if any(entry["manager"] == other for entry in entries):
                    mine = clone(obj)
                    for entry in mine["metadata"]["managedFields"]:
                        if entry["manager"] == other:
                            entry["manager"] = self.manager
                    self._api.store.put(resource, mine)


def _route(kind: Kind, namespace: str, name: str = "") -> Route:
    return Route(kind.group, kind.version, kind.plural, namespace, name)
