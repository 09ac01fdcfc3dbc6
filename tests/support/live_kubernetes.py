"""Any Kubernetes, with the part of PracticeKubernetes' interface that scenarios and tests need."""

from __future__ import annotations

import contextlib
import threading
import time

import yaml
from kubernetes import config
from kubernetes.dynamic import DynamicClient
from kubernetes.dynamic.exceptions import (
    ForbiddenError,
    NotFoundError,
    ResourceNotFoundError,
    UnprocessibleEntityError,
)
from kubernetes.dynamic.resource import ResourceList
from live_faults import CannotStage, LiveFaults

SLOWER = 6
"""How many times as long as the practice cluster a real one may take to show something."""

POLL = 0.1
"""Seconds between two looks, where the practice cluster would tell of each change."""

STRATEGIC = "application/strategic-merge-patch+json"
MERGE = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
CUSTOM = (".io/v1alpha1", "fluxcd.io/v2")


class LiveKubernetes:
    """Reads and writes as PracticeKubernetes does, through the Python client.

    Attributes:
        made: (kind, name) of the cluster-wide objects that scenarios have made.
        others: ends who else acts on the cluster meanwhile.
    """

    def __init__(self, kubeconfig):
        self._kubeconfig = kubeconfig
        self._client = DynamicClient(config.new_client_from_config(str(kubeconfig)))
        self.faults = LiveFaults(self)
        self.made = []
        self.others = contextlib.ExitStack()
        self._written = None

    def __getattr__(self, name):
        raise CannotStage(f"{name} is the practice cluster's own")

    def resource(self, kind):
        """The served resource of a kind; the core group and the preferred version come first."""
        found = self._client.resources.search(kind=kind)
        if not found:
            raise ResourceNotFoundError(kind)
        return sorted(found, key=lambda one: (not one.preferred, bool(one.group)))[0]

    def resource_named(self, plural):
        """The served resource of that name; the preferred version comes first."""
        found = [one for one in self.everything() if one.name == plural]
        return sorted(found, key=lambda one: not one.preferred)[0]

    def everything(self):
        """Every resource that is served."""
        found = self._client.resources.search()
        return [one for one in found if one.name and not isinstance(one, ResourceList)]

    def served(self, obj):
        """The resource of an object's own version; a cluster may be too old or too new for it."""
        try:
            return self._client.resources.get(api_version=obj["apiVersion"], kind=obj["kind"])
        except ResourceNotFoundError:
            raise CannotStage(f"{obj['kind']} {obj['apiVersion']} is not served here") from None

    def get(self, kind, namespace, name):
        try:
            return self.resource(kind).get(name=name, namespace=namespace).to_dict()
        except (NotFoundError, ResourceNotFoundError):
            return None

    def list(self, kind, namespace=None, labels=None):
        selector = ",".join(f"{key}={value}" for key, value in (labels or {}).items())
        try:
            found = self.resource(kind).get(namespace=namespace, label_selector=selector)
        except ResourceNotFoundError:
            return []
        return found.to_dict()["items"]

    def delete(self, kind, namespace, name):
        try:
            self.resource(kind).delete(name=name, namespace=namespace)
        except NotFoundError:
            return

    def until(self, true, *, timeout):
        timeout *= SLOWER
        ends = time.monotonic() + timeout
        while not true():
            if time.monotonic() > ends:
                raise TimeoutError(f"not seen within {timeout:.0f} s")
            time.sleep(POLL)

    def whenever(self, act):
        """Call `act` again and again in a thread of its own, until `others` is closed."""
        over = threading.Event()

        def react():
            while not over.wait(POLL):
                act()

        thread = threading.Thread(target=react, daemon=True)
        self.others.callback(thread.join)
        self.others.callback(over.set)
        thread.start()

    def acting_as(self, manager):
        return LiveSomeone(self, manager)

    @property
    def namespace(self):
        """Where the kubeconfig that was written last leads to."""
        return self._written[1]

    def act_as(self, user):
        """Let the kubeconfig that was written last act as another user."""
        path, namespace = self._written
        self.write_kubeconfig(path, namespace=namespace, user=user)

    def write_kubeconfig(self, path, *, namespace="default", user=""):
        """Let the current context lead to another namespace, and act as another user."""
        self._written = path, namespace
        document = yaml.safe_load(self._kubeconfig.read_text())
        for context in document["contexts"]:
            if context["name"] == document["current-context"]:
                context["context"]["namespace"] = namespace
                login = context["context"]["user"]
        for entry in document["users"]:
            if user and entry["name"] == login:
                entry["user"]["as"] = user
        path.touch(mode=0o600)
        path.write_text(yaml.safe_dump(document))


class LiveSomeone:
    """A client with a field manager of its own."""

    def __init__(self, kubernetes, manager):
        self._kubernetes = kubernetes
        self._manager = manager

    def create(self, obj):
        meta = obj["metadata"]
        definition = obj["kind"] == "CustomResourceDefinition"
        if definition and self._kubernetes.get(obj["kind"], None, meta["name"]):
            raise CannotStage(f"{meta['name']} is there already, and its controller would act")
        if "namespace" not in meta:
            self._kubernetes.made.append((obj["kind"], meta["name"]))
        made = self._kubernetes.served(obj).create(
            body=obj, namespace=meta.get("namespace"), field_manager=self._manager
        )
        return made.to_dict()

    def try_to_create(self, obj, namespace):
        """What the server would make of an object."""
        tried = self._kubernetes.served(obj).create(
            body=obj, namespace=namespace, field_manager=self._manager, dry_run="All"
        )
        return tried.to_dict()

    def refused(self, plural, namespace, name):
        """Whether the server would refuse a change of an object."""
        resource = self._kubernetes.resource_named(plural)
        change = {"metadata": {"annotations": {"lsa-trial": "yes"}}}
        about = {"namespace": namespace, "field_manager": self._manager, "dry_run": "All"}
        try:
            resource.patch(body=change, name=name, content_type=MERGE, **about)
        except (ForbiddenError, UnprocessibleEntityError):
            return True
        return False

    def patch(self, kind, namespace, name, change):
        resource = self._kubernetes.resource(kind)
        custom = resource.group_version.endswith(CUSTOM)
        done = resource.patch(
            body=change,
            name=name,
            namespace=namespace,
            content_type=MERGE if custom else STRATEGIC,
            field_manager=self._manager,
        )
        return done.to_dict()

    def delete(self, kind, namespace, name):
        self._kubernetes.delete(kind, namespace, name)

    def take_over(self, other):
        """Be the manager of every field that another manager has in the release's namespace."""
        for resource in self._kubernetes.everything():
            if resource.namespaced and {"list", "patch"} <= set(resource.verbs):
                for obj in self._listed(resource):
                    self._rename(resource, obj, other)

    def _listed(self, resource):
        try:
            return resource.get(namespace=self._kubernetes.namespace).to_dict()["items"]
        except NotFoundError:  # its definition is gone since the resources were asked for
            return []

    def _rename(self, resource, obj, other):
        meta = obj["metadata"]
        entries = meta.get("managedFields") or []
        if other not in {entry["manager"] for entry in entries}:
            return
        mine = [
            {**entry, "manager": self._manager if entry["manager"] == other else entry["manager"]}
            for entry in entries
        ]
        resource.patch(
            body=[{"op": "replace", "path": "/metadata/managedFields", "value": mine}],
            name=meta["name"],
            namespace=meta["namespace"],
            content_type=JSON_PATCH,
            field_manager=self._manager,
        )
