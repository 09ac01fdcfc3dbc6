"""What the real server fills in when an object arrives, so that clients see no phantom changes."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING, Any

from wizard.practice.kubernetes.json_tools import canonical_quantity, dig

if TYPE_CHECKING:
    from collections.abc import Callable

Json = dict[str, Any]

_MODE = 0o644
_FALSE_OMITTED = ("hostNetwork", "hostPID", "hostIPC")


def _probe(probe: Json) -> None:
    probe.setdefault("timeoutSeconds", 1)
    probe.setdefault("periodSeconds", 10)
    probe.setdefault("successThreshold", 1)
    probe.setdefault("failureThreshold", 3)
    if "httpGet" in probe:
        probe["httpGet"].setdefault("path", "/")
        probe["httpGet"].setdefault("scheme", "HTTP")
    if "grpc" in probe:
        probe["grpc"].setdefault("service", "")
    if probe.get("initialDelaySeconds") == 0:
        del probe["initialDelaySeconds"]


def _pull_policy(image: str) -> str:
    tail = image.rsplit("/", 1)[-1]
    latest = "@" not in tail and (":" not in tail or tail.endswith(":latest"))
    return "Always" if latest else "IfNotPresent"


def _variable(variable: Json) -> None:
    if variable.get("value") == "":
        del variable["value"]
    source = variable.get("valueFrom") or {}
    if "fieldRef" in source:
        source["fieldRef"].setdefault("apiVersion", "v1")
    if "resourceFieldRef" in source:
        source["resourceFieldRef"].setdefault("divisor", "0")


def _hooks(container: Json) -> None:
    """Probes and lifecycle hooks."""
    for name in ("livenessProbe", "readinessProbe", "startupProbe"):
        if name in container:
            _probe(container[name])
    for moment in ("postStart", "preStop"):
        request = dig(container, "lifecycle", moment, "httpGet")
        if request is not None:
            request.setdefault("path", "/")
            request.setdefault("scheme", "HTTP")


def _container(container: Json) -> None:
    container.setdefault("terminationMessagePath", "/dev/termination-log")
    container.setdefault("terminationMessagePolicy", "File")
    container.setdefault("imagePullPolicy", _pull_policy(str(container.get("image", ""))))
    container.setdefault("resources", {})
    for port in container.get("ports") or []:
        port.setdefault("protocol", "TCP")
    for variable in container.get("env") or []:
        _variable(variable)
    for mount in container.get("volumeMounts") or []:
        if mount.get("readOnly") is False:
            del mount["readOnly"]
    _hooks(container)
    for flag in ("stdin", "stdinOnce", "tty"):
        if container.get(flag) is False:
            del container[flag]


def _volume(volume: Json) -> None:
    if not set(volume) - {"name"}:
        volume["emptyDir"] = {}
    for source in ("secret", "configMap", "downwardAPI", "projected"):
        if source in volume:
            volume[source].setdefault("defaultMode", _MODE)
    if "hostPath" in volume:
        volume["hostPath"].setdefault("type", "")
    for source in dig(volume, "projected", "sources", default=[]):
        if "serviceAccountToken" in source:
            source["serviceAccountToken"].setdefault("expirationSeconds", 3600)


def default_pod_spec(spec: Json) -> None:
    """Fill in what the server fills in; changes `spec`."""
    spec.setdefault("restartPolicy", "Always")
    spec.setdefault("terminationGracePeriodSeconds", 30)
    spec.setdefault("dnsPolicy", "ClusterFirst")
    spec.setdefault("securityContext", {})
    spec.setdefault("schedulerName", "default-scheduler")
    if spec.get("serviceAccountName"):
        spec["serviceAccount"] = spec["serviceAccountName"]
    for flag in _FALSE_OMITTED:
        if spec.get(flag) is False:
            del spec[flag]
    for container in [*(spec.get("initContainers") or []), *(spec.get("containers") or [])]:
        _container(container)
    for volume in spec.get("volumes") or []:
        _volume(volume)


_EMPTY_MAPS = frozenset(
    {
        "labels",
        "annotations",
        "nodeSelector",
        "matchLabels",
        "data",
        "stringData",
        "binaryData",
        "limits",
        "requests",
    }
)
_KEPT_LISTS = frozenset({"rules", "containers"})
_QUANTITY_MAPS = frozenset({"limits", "requests", "capacity", "hard", "used"})
_QUANTITY_FIELDS = frozenset({"sizeLimit", "averageValue", "divisor"})
_RBAC = "rbac.authorization.k8s.io"


def normalise(value: Any, name: str = "") -> Any:
    """Drop nulls and what Go's omitempty drops; write quantities in their canonical form."""
    if isinstance(value, dict):
        kept = {key: normalise(one, key) for key, one in value.items() if one is not None}
        if name in _QUANTITY_MAPS:
            return {
                key: canonical_quantity(one) if isinstance(one, str | int | float) else one
                for key, one in kept.items()
            }
        return {key: one for key, one in kept.items() if not _omitted(key, one)}
    if isinstance(value, list):
        return [normalise(one) for one in value]
    if name in _QUANTITY_FIELDS and isinstance(value, str | int | float):
        return canonical_quantity(value)
    return value


def _omitted(key: str, value: Any) -> bool:
    if value == [] and isinstance(value, list):
        return key not in _KEPT_LISTS
    return value == {} and isinstance(value, dict) and key in _EMPTY_MAPS


def _deployment(obj: Json) -> None:
    spec = obj.setdefault("spec", {})
    spec.setdefault("replicas", 1)
    strategy = spec.setdefault("strategy", {})
    strategy.setdefault("type", "RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        rolling = strategy.setdefault("rollingUpdate", {})
        rolling.setdefault("maxUnavailable", "25%")
        rolling.setdefault("maxSurge", "25%")
    spec.setdefault("revisionHistoryLimit", 10)
    spec.setdefault("progressDeadlineSeconds", 600)
    for field in ("paused", "minReadySeconds"):
        if not spec.get(field, True):
            del spec[field]
    _template(spec)


def _template(spec: Json) -> None:
    template = spec.setdefault("template", {})
    template.setdefault("metadata", {})
    default_pod_spec(template.setdefault("spec", {}))


def _replica_set(obj: Json) -> None:
    spec = obj.setdefault("spec", {})
    spec.setdefault("replicas", 1)
    _template(spec)


def _stateful_set(obj: Json) -> None:
    spec = obj.setdefault("spec", {})
    spec.setdefault("replicas", 1)
    spec.setdefault("podManagementPolicy", "OrderedReady")
    update = spec.setdefault("updateStrategy", {})
    update.setdefault("type", "RollingUpdate")
    if update["type"] == "RollingUpdate":
        update.setdefault("rollingUpdate", {}).setdefault("partition", 0)
    spec.setdefault("revisionHistoryLimit", 10)
    spec.setdefault("serviceName", "")
    spec.setdefault(
        "persistentVolumeClaimRetentionPolicy", {"whenDeleted": "Retain", "whenScaled": "Retain"}
    )
    for claim in spec.get("volumeClaimTemplates") or []:
        claim.setdefault("kind", "PersistentVolumeClaim")
        claim.setdefault("apiVersion", "v1")
        claim.setdefault("spec", {}).setdefault("volumeMode", "Filesystem")
        claim.setdefault("status", {"phase": "Pending"})
    _template(spec)


def _daemon_set(obj: Json) -> None:
    spec = obj.setdefault("spec", {})
    update = spec.setdefault("updateStrategy", {"type": "RollingUpdate"})
    if update.get("type") == "RollingUpdate":
        update.setdefault("rollingUpdate", {"maxSurge": 0, "maxUnavailable": 1})
    spec.setdefault("revisionHistoryLimit", 10)
    _template(spec)


def job_spec(spec: Json) -> None:
    """Defaults of a Job's spec, also inside a CronJob."""
    if "completions" not in spec and "parallelism" not in spec:
        spec["completions"] = 1
    spec.setdefault("parallelism", 1)
    spec.setdefault("backoffLimit", 6)
    spec.setdefault("completionMode", "NonIndexed")
    spec.setdefault("suspend", False)
    spec.setdefault("podReplacementPolicy", "TerminatingOrFailed")
    _template(spec)


def _cron_job(obj: Json) -> None:
    spec = obj.setdefault("spec", {})
    spec.setdefault("concurrencyPolicy", "Allow")
    spec.setdefault("suspend", False)
    spec.setdefault("successfulJobsHistoryLimit", 3)
    spec.setdefault("failedJobsHistoryLimit", 1)
    job_spec(spec.setdefault("jobTemplate", {}).setdefault("spec", {}))


def cluster_address(namespace: str, name: str) -> str:
    """A stable address in 10.96.0.0/12 for a Service."""
    digest = hashlib.sha256(f"{namespace}/{name}".encode()).digest()
    return f"10.{96 + digest[0] % 16}.{digest[1]}.{digest[2] or 1}"


def _service(obj: Json) -> None:
    spec = obj.setdefault("spec", {})
    kind = spec.setdefault("type", "ClusterIP")
    spec.setdefault("sessionAffinity", "None")
    for port in spec.get("ports") or []:
        port.setdefault("protocol", "TCP")
        port.setdefault("targetPort", port.get("port"))
    if kind == "ExternalName":
        return
    address = cluster_address(obj["metadata"].get("namespace", ""), obj["metadata"]["name"])
    spec["clusterIP"] = spec.get("clusterIP") or address
    spec["clusterIPs"] = [spec["clusterIP"]]
    spec.setdefault("ipFamilies", ["IPv4"])
    spec.setdefault("ipFamilyPolicy", "SingleStack")
    spec.setdefault("internalTrafficPolicy", "Cluster")
    if kind in ("NodePort", "LoadBalancer"):
        spec.setdefault("externalTrafficPolicy", "Cluster")
        _node_ports(obj, spec)
    if kind == "LoadBalancer":
        spec.setdefault("allocateLoadBalancerNodePorts", True)


def _node_ports(obj: Json, spec: Json) -> None:
    digest = hashlib.sha256(obj["metadata"]["name"].encode()).digest()
    for n, port in enumerate(spec.get("ports") or []):
        port.setdefault("nodePort", 30000 + (digest[0] * 256 + digest[1] + n) % 2768)


def _secret(obj: Json) -> None:
    plain = obj.pop("stringData", None) or {}
    encoded = {key: base64.b64encode(str(one).encode()).decode() for key, one in plain.items()}
    if encoded or obj.get("data"):
        obj["data"] = {**(obj.get("data") or {}), **encoded}
    obj.setdefault("type", "Opaque")


def _network_policy(obj: Json) -> None:
    spec = obj.setdefault("spec", {})
    egress = ["Egress"] if "egress" in spec else []
    spec.setdefault("policyTypes", ["Ingress", *egress])


def _claim(obj: Json) -> None:
    spec = obj.setdefault("spec", {})
    spec.setdefault("volumeMode", "Filesystem")
    spec.setdefault("storageClassName", "standard")


def _autoscaler(obj: Json) -> None:
    obj.setdefault("spec", {}).setdefault("minReplicas", 1)


def _binding(obj: Json) -> None:
    obj.setdefault("roleRef", {}).setdefault("apiGroup", _RBAC)
    for subject in obj.get("subjects") or []:
        if subject.get("kind") in ("User", "Group"):
            subject.setdefault("apiGroup", _RBAC)


def _namespace(obj: Json) -> None:
    labels = obj["metadata"].setdefault("labels", {})
    labels["kubernetes.io/metadata.name"] = obj["metadata"]["name"]
    obj.setdefault("spec", {}).setdefault("finalizers", ["kubernetes"])
    obj.setdefault("status", {}).setdefault("phase", "Active")


def _definition(obj: Json) -> None:
    spec = obj.setdefault("spec", {})
    spec.setdefault("conversion", {"strategy": "None"})
    names = spec.setdefault("names", {})
    names.setdefault("singular", str(names.get("kind", "")).lower())
    names.setdefault("listKind", f"{names.get('kind', '')}List")


def _limits(obj: Json) -> None:
    for item in dig(obj, "spec", "limits", default=[]):
        if item.get("type") == "Container":
            most, least = item.get("max") or {}, item.get("min") or {}
            item["default"] = {**most, **(item.get("default") or {})}
            given = {**least, **(item.get("defaultRequest") or {})}
            item["defaultRequest"] = {**item["default"], **given}
            for name in ("default", "defaultRequest"):
                if not item[name]:
                    del item[name]


def _pod(obj: Json) -> None:
    spec = obj.setdefault("spec", {})
    default_pod_spec(spec)
    spec.setdefault("enableServiceLinks", True)
    spec.setdefault("priority", 0)
    spec.setdefault("preemptionPolicy", "PreemptLowerPriority")
    if not spec.get("serviceAccountName"):
        spec["serviceAccountName"] = spec["serviceAccount"] = "default"
    for container in [*(spec.get("initContainers") or []), *(spec.get("containers") or [])]:
        limits = dig(container, "resources", "limits", default={})
        if limits:
            requests = container["resources"].setdefault("requests", {})
            container["resources"]["requests"] = {**limits, **requests}


_DEFAULTS: dict[str, Callable[[Json], None]] = {
    "Deployment": _deployment,
    "ReplicaSet": _replica_set,
    "StatefulSet": _stateful_set,
    "DaemonSet": _daemon_set,
    "Job": lambda obj: job_spec(obj.setdefault("spec", {})),
    "NetworkPolicy": _network_policy,
    "CronJob": _cron_job,
    "Service": _service,
    "Secret": _secret,
    "PersistentVolumeClaim": _claim,
    "HorizontalPodAutoscaler": _autoscaler,
    "RoleBinding": _binding,
    "ClusterRoleBinding": _binding,
    "Namespace": _namespace,
    "CustomResourceDefinition": _definition,
    "LimitRange": _limits,
    "Pod": _pod,
}


def apply_defaults(obj: Json) -> Json:
    """The object with its kind's defaults filled in; changes and returns `obj`."""
    if (setter := _DEFAULTS.get(obj.get("kind", ""))) is not None:
        setter(obj)
    return obj
