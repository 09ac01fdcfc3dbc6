"""Every controller, and those of a few lines: addresses, claims, budgets, autoscalers, kinds."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from wizard.practice.kubernetes.controllers.base import Controller, Key, condition, is_ready, key_of
from wizard.practice.kubernetes.controllers.deployments import Deployments, Rollouts
from wizard.practice.kubernetes.controllers.garbage import Garbage, Namespaces
from wizard.practice.kubernetes.controllers.jobs import Jobs
from wizard.practice.kubernetes.controllers.pods import Pods
from wizard.practice.kubernetes.controllers.rolling import share
from wizard.practice.kubernetes.controllers.sets import ReplicaSets, StatefulSets
from wizard.practice.kubernetes.defaults import cluster_address
from wizard.practice.kubernetes.json_tools import clone, dig, without_empty
from wizard.practice.kubernetes.pod_limits import used_of
from wizard.practice.kubernetes.selectors import selects

if TYPE_CHECKING:
    from wizard.practice.kubernetes.controllers.base import Context
    from wizard.practice.kubernetes.store import Event

Json = dict[str, Any]


class Services(Controller):
    """Gives Services of type LoadBalancer their address, unless the faults say there is none."""

    kind = "Service"

    def sync(self, obj: Json) -> None:
        """Write status.loadBalancer."""
        changed = clone(obj)
        balanced = dig(obj, "spec", "type") == "LoadBalancer"
        if balanced and self.context.faults.load_balancer:
            address = "172.18." + cluster_address(*key_of(obj))[3:].partition(".")[2]
            changed["status"] = {"loadBalancer": {"ingress": [{"ip": address, "ipMode": "VIP"}]}}
        else:
            changed["status"] = {"loadBalancer": {}}
        self.api.change(changed)


class Claims(Controller):
    """Binds PersistentVolumeClaims."""

    kind = "PersistentVolumeClaim"

    def sync(self, obj: Json) -> None:
        """Bind one claim to a volume of its own."""
        if dig(obj, "status", "phase") == "Bound":
            return
        changed = clone(obj)
        changed["spec"]["volumeName"] = f"pvc-{obj['metadata']['uid']}"
        modes, capacity = (
            dig(obj, "spec", "accessModes", default=[]),
            dig(obj, "spec", "resources", "requests"),
        )
        changed["status"] = {
            "phase": "Bound",
            "accessModes": modes,
            **without_empty(capacity=clone(capacity)),
        }
        self.api.change(changed)


class Budgets(Controller):
    """Counts for PodDisruptionBudgets."""

    kind = "PodDisruptionBudget"

    def keys(self, event: Event, kind: str) -> Iterable[Key]:
        """A budget, or every budget of the namespace in which a pod changed."""
        if kind == self.kind:
            yield key_of(event.object)
        elif kind == "Pod":
            yield from map(key_of, self.api.items(self.kind, event.object["metadata"]["namespace"]))

    def sync(self, obj: Json) -> None:
        """Write the status of one budget."""
        namespace = obj["metadata"]["namespace"]
        pods = [
            pod
            for pod in self.api.items("Pod", namespace)
            if selects(dig(obj, "spec", "selector"), dig(pod, "metadata", "labels", default={}))
        ]
        healthy = sum(map(is_ready, pods))
        if "maxUnavailable" in obj["spec"]:
            wanted = len(pods) - share(obj["spec"]["maxUnavailable"], len(pods), up=True)
        else:
            wanted = share(obj["spec"].get("minAvailable", 1), len(pods), up=True)
        allowed = max(0, healthy - max(0, wanted))
        changed = clone(obj)
        status = changed.setdefault("status", {})
        status |= {
            "observedGeneration": obj["metadata"].get("generation", 1),
            "expectedPods": len(pods),
            "currentHealthy": healthy,
            "desiredHealthy": max(0, wanted),
            "disruptionsAllowed": allowed,
        }
        reason = "SufficientPods" if allowed else "InsufficientPods"
        told = {"observedGeneration": status["observedGeneration"]}
        condition(status, "DisruptionAllowed", str(allowed > 0), reason, "", **told)
        status["conditions"][-1].setdefault("message", "")
        self.api.change(changed)


class Quotas(Controller):
    """Counts for ResourceQuotas."""

    kind = "ResourceQuota"

    def keys(self, event: Event, kind: str) -> Iterable[Key]:
        """A quota, or every quota of the namespace in which something came, went or changed."""
        namespace = event.object["metadata"].get("namespace")
        if kind != "Event" and namespace:
            yield from map(key_of, self.api.items(self.kind, namespace))

    def sync(self, obj: Json) -> None:
        """Write the status of one quota."""
        hard = dig(obj, "spec", "hard", default={})
        status = {"hard": clone(hard), "used": used_of(self.api.store, obj)}
        self.api.change({**clone(obj), "status": status})


class Autoscalers(Controller):
    """Keeps an autoscaled workload within the bounds; there is no load to scale by."""

    kind = "HorizontalPodAutoscaler"

    def sync(self, obj: Json) -> None:
        """Set the target's replicas where they are out of bounds."""
        target = dig(obj, "spec", "scaleTargetRef", default={})
        kind = self.api.kinds.by_name(str(target.get("kind", "")))
        if kind is None:
            return
        namespace = obj["metadata"]["namespace"]
        found = self.api.store.get(kind.key, namespace, str(target.get("name", "")))
        if found is None:
            return
        replicas = int(dig(found, "spec", "replicas", default=1))
        lowest, highest = obj["spec"]["minReplicas"], obj["spec"]["maxReplicas"]
        wanted = min(max(replicas, lowest), highest)
        if wanted != replicas:
            scaled = clone(found)
            scaled["spec"]["replicas"] = wanted
            self.api.change(scaled)
        changed = clone(obj)
        status = changed.setdefault("status", {})
        status |= {"currentReplicas": replicas, "desiredReplicas": wanted}
        condition(status, "AbleToScale", "True", "ReadyForNewScale", "")
        self.api.change(changed)


class Definitions(Controller):
    """Serves the kinds that CustomResourceDefinitions define."""

    kind = "CustomResourceDefinition"

    def keys(self, event: Event, kind: str) -> Iterable[Key]:
        """A definition; one that is gone takes its kind with it."""
        if kind == self.kind:
            if event.type == "DELETED":
                self.api.kinds.define(self.api.items(self.kind))
            yield "", event.object["metadata"]["name"]

    def sync(self, obj: Json) -> None:
        """Establish one definition."""
        self.api.kinds.define(self.api.items(self.kind))
        changed = clone(obj)
        status = changed.setdefault("status", {})
        status["acceptedNames"] = clone(obj["spec"]["names"])
        status["storedVersions"] = [
            one["name"] for one in obj["spec"]["versions"] if one.get("storage")
        ]
        condition(status, "NamesAccepted", "True", "NoConflicts", "no conflicts found")
        text = "the initial names have been accepted"
        condition(status, "Established", "True", "InitialNamesAccepted", text)
        self.api.change(changed)


class DaemonSets(Controller):
    """Reports DaemonSets as settled; their pods are not staged."""

    kind = "DaemonSet"

    def sync(self, obj: Json) -> None:
        """Write a status that says: one node, one pod."""
        changed = clone(obj)
        numbers = ("current", "desired", "updated")
        changed["status"] = {
            **{f"{name}NumberScheduled": 1 for name in numbers},
            "numberMisscheduled": 0,
            "numberReady": 1,
            "numberAvailable": 1,
            "observedGeneration": obj["metadata"]["generation"],
        }
        self.api.change(changed)


def all_controllers(context: Context) -> list[Controller]:
    """One of each."""
    classes: list[type[Controller]] = [
        Namespaces,
        Definitions,
        Deployments,
        Rollouts,
        ReplicaSets,
        StatefulSets,
        Jobs,
        Pods,
        Garbage,
        Services,
        Claims,
        Budgets,
        Quotas,
        Autoscalers,
        DaemonSets,
    ]
    return [one(context) for one in classes]
