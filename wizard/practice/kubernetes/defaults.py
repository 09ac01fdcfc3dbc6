"""What the real server fills in when an object arrives, so that clients see no phantom changes."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from functools import cache
from typing import TYPE_CHECKING, Any

from wizard.practice.kubernetes.json_tools import canonical_quantity, clone, dig, words

if TYPE_CHECKING:
    from collections.abc import Callable

Json = dict[str, Any]

_EMPTY_MAPS = words(
    "labels annotations nodeSelector matchLabels data stringData binaryData limits requests"
)
_QUANTITY_MAPS = words("limits requests capacity hard used")
_QUANTITY_FIELDS = words("sizeLimit averageValue divisor")

# Of each place the defaults, `name=JSON`; `name!JSON` drops that value instead. Maps on the way are
# made; `?` is only for a map that is there, `(name=a|b)` for one that says so, `[]` for each item.
_POD_SPEC = """
. restartPolicy="Always" terminationGracePeriodSeconds=30 dnsPolicy="ClusterFirst"
. securityContext={} schedulerName="default-scheduler"
. hostNetwork!false hostPID!false hostIPC!false
{c}[] terminationMessagePath="/dev/termination-log" terminationMessagePolicy="File" resources={}
{c}[] stdin!false stdinOnce!false tty!false
{c}[].ports[] protocol="TCP"
{c}[].env[] value!""
{c}[].env[].valueFrom?.fieldRef? apiVersion="v1"
{c}[].env[].valueFrom?.resourceFieldRef? divisor="0"
{c}[].volumeMounts[] readOnly!false
{c}[].{p}? timeoutSeconds=1 periodSeconds=10 successThreshold=1 failureThreshold=3
{c}[].{p}? initialDelaySeconds!0
{c}[].{p}?.grpc? service=""
{c}[].{p}?.httpGet? path="/" scheme="HTTP"
{c}[].lifecycle?.{postStart,preStop}?.httpGet? path="/" scheme="HTTP"
volumes[].{secret,configMap,downwardAPI,projected}? defaultMode=420
volumes[].hostPath? type=""
volumes[].projected?.sources[].serviceAccountToken? expirationSeconds=3600
""".replace("{c}", "{initContainers,containers}").replace(
    "{p}", "{livenessProbe,readinessProbe,startupProbe}"
)
_JOB = """
spec parallelism=1 backoffLimit=6 completionMode="NonIndexed" suspend=false
spec podReplacementPolicy="TerminatingOrFailed"
spec.template metadata={}
"""
_BINDING = """
roleRef apiGroup="rbac.authorization.k8s.io"
subjects[](kind=User|Group) apiGroup="rbac.authorization.k8s.io"
"""
_TABLE = {
    "Deployment": """
spec replicas=1 revisionHistoryLimit=10 progressDeadlineSeconds=600 paused!false minReadySeconds!0
spec.strategy type="RollingUpdate"
spec.strategy(type=RollingUpdate).rollingUpdate maxUnavailable="25%" maxSurge="25%"
spec.template metadata={}
""",
    "ReplicaSet": "spec replicas=1\nspec.template metadata={}",
    "StatefulSet": """
spec replicas=1 podManagementPolicy="OrderedReady" revisionHistoryLimit=10 serviceName=""
spec persistentVolumeClaimRetentionPolicy={"whenDeleted":"Retain","whenScaled":"Retain"}
spec.updateStrategy type="RollingUpdate"
spec.updateStrategy(type=RollingUpdate).rollingUpdate partition=0
spec.volumeClaimTemplates[] kind="PersistentVolumeClaim" apiVersion="v1" status={"phase":"Pending"}
spec.volumeClaimTemplates[].spec volumeMode="Filesystem"
spec.template metadata={}
""",
    "DaemonSet": """
spec updateStrategy={"type":"RollingUpdate"} revisionHistoryLimit=10
spec.updateStrategy(type=RollingUpdate) rollingUpdate={"maxSurge":0,"maxUnavailable":1}
spec.template metadata={}
""",
    "Job": _JOB,
    "CronJob": """
spec concurrencyPolicy="Allow" suspend=false successfulJobsHistoryLimit=3 failedJobsHistoryLimit=1
"""
    + _JOB.replace("spec", "spec.jobTemplate.spec"),
    "Service": """
spec type="ClusterIP" sessionAffinity="None"
spec.ports[] protocol="TCP"
spec(type=ClusterIP|NodePort|LoadBalancer) ipFamilies=["IPv4"] ipFamilyPolicy="SingleStack"
spec(type=ClusterIP|NodePort|LoadBalancer) internalTrafficPolicy="Cluster"
spec(type=NodePort|LoadBalancer) externalTrafficPolicy="Cluster"
spec(type=LoadBalancer) allocateLoadBalancerNodePorts=true
""",
    "Secret": '. type="Opaque"',
    "PersistentVolumeClaim": 'spec volumeMode="Filesystem" storageClassName="standard"',
    "HorizontalPodAutoscaler": "spec minReplicas=1",
    "RoleBinding": _BINDING,
    "ClusterRoleBinding": _BINDING,
    "Namespace": 'spec finalizers=["kubernetes"]\nstatus phase="Active"',
    "CustomResourceDefinition": 'spec conversion={"strategy":"None"}',
    "Pod": 'spec enableServiceLinks=true priority=0 preemptionPolicy="PreemptLowerPriority"',
}
_TEMPLATE = ("spec", "template", "spec")
POD_AT = {
    "Pod": ("spec",),
    "CronJob": ("spec", "jobTemplate", *_TEMPLATE),
    **dict.fromkeys(("Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "Job"), _TEMPLATE),
}
"""Where the pod's spec is in an object of a kind."""
_STEP = re.compile(r"(\w+)(\[\])?(\?)?(?:\((\w+)=(.*)\))?")


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
    return (value == [] and key not in ("rules", "containers")) or (
        value == {} and key in _EMPTY_MAPS
    )


def _paths(path: str) -> list[str]:
    """A path for each of the names in braces."""
    found = re.search(r"\{(.*?)\}", path)
    if found is None:
        return [path]
    ways = (path.replace(found[0], name, 1) for name in found[1].split(","))
    return [one for way in ways for one in _paths(way)]


@cache
def _lines(table: str) -> list[tuple[tuple[str, ...], bool, Any]]:
    """Of each default: the steps to it, whether it is dropped, and the value."""
    listed = []
    for line in table.strip().splitlines():
        place, *pairs = line.split(" ")
        for at in _paths(place):
            for pair in pairs:
                name, mark, value = re.split("([=!])", pair, maxsplit=1)
                steps = (*at.split("."), name) if at != "." else (name,)
                listed.append((steps, mark == "!", json.loads(value)))
    return listed


def _fill(holder: Any, steps: tuple[str, ...], drop: bool, value: Any) -> None:  # noqa: FBT001
    name, each, there, key, words_of = _STEP.fullmatch(steps[0]).groups()  # type: ignore[union-attr]
    if len(steps) > 1:
        optional = drop or each or there or key
        found = holder.get(name) if optional else holder.setdefault(name, {})
        for one in (found if each else [found]) if found is not None else []:
            if not key or one.get(key) in words_of.split("|"):
                _fill(one, steps[1:], drop, value)
    elif not drop:
        holder.setdefault(name, clone(value))
    elif name in holder and holder[name] == value:
        del holder[name]


def cluster_address(namespace: str, name: str) -> str:
    """A stable address in 10.96.0.0/12 for a Service."""
    digest = hashlib.sha256(f"{namespace}/{name}".encode()).digest()
    return f"10.{96 + digest[0] % 16}.{digest[1]}.{digest[2] or 1}"


def _pod_spec(spec: Json) -> None:
    """What depends on other fields of a pod's spec."""
    if spec.get("serviceAccountName"):
        spec["serviceAccount"] = spec["serviceAccountName"]
    for container in [*(spec.get("initContainers") or []), *(spec.get("containers") or [])]:
        tail = str(container.get("image", "")).rsplit("/", 1)[-1]
        latest = "@" not in tail and (":" not in tail or tail.endswith(":latest"))
        container.setdefault("imagePullPolicy", "Always" if latest else "IfNotPresent")
    for volume in spec.get("volumes") or []:
        if not set(volume) - {"name"}:
            volume["emptyDir"] = {}


def _job(obj: Json) -> None:
    spec = obj["spec"]["jobTemplate"]["spec"] if obj["kind"] == "CronJob" else obj["spec"]
    if "completions" not in spec and "parallelism" not in spec:
        spec["completions"] = 1


def _service(obj: Json) -> None:
    spec, name = obj.setdefault("spec", {}), obj["metadata"]["name"]
    ports, kind = spec.get("ports") or [], spec.get("type", "ClusterIP")
    for port in ports:
        port.setdefault("targetPort", port.get("port"))
    if kind != "ExternalName":
        address = cluster_address(obj["metadata"].get("namespace", ""), name)
        spec["clusterIP"] = spec.get("clusterIP") or address
        spec["clusterIPs"] = [spec["clusterIP"]]
    if kind in ("NodePort", "LoadBalancer"):
        digest = hashlib.sha256(name.encode()).digest()
        for n, port in enumerate(ports):
            port.setdefault("nodePort", 30000 + (digest[0] * 256 + digest[1] + n) % 2768)


def _secret(obj: Json) -> None:
    plain = obj.pop("stringData", None) or {}
    encoded = {key: base64.b64encode(str(one).encode()).decode() for key, one in plain.items()}
    if encoded or obj.get("data"):
        obj["data"] = {**(obj.get("data") or {}), **encoded}


def _network_policy(obj: Json) -> None:
    spec = obj.setdefault("spec", {})
    spec.setdefault("policyTypes", ["Ingress", *(["Egress"] if "egress" in spec else [])])


def _namespace(obj: Json) -> None:
    labels = obj["metadata"].setdefault("labels", {})
    labels["kubernetes.io/metadata.name"] = obj["metadata"]["name"]


def _definition(obj: Json) -> None:
    names = obj.setdefault("spec", {}).setdefault("names", {})
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
    spec = obj["spec"]
    if not spec.get("serviceAccountName"):
        spec["serviceAccountName"] = spec["serviceAccount"] = "default"
    for container in [*(spec.get("initContainers") or []), *(spec.get("containers") or [])]:
        if limits := dig(container, "resources", "limits", default={}):
            requests = container["resources"].get("requests") or {}
            container["resources"]["requests"] = {**limits, **requests}


_COMPUTED: dict[str, Callable[[Json], None]] = {
    "Job": _job,
    "CronJob": _job,
    "NetworkPolicy": _network_policy,
    "Service": _service,
    "Secret": _secret,
    "Namespace": _namespace,
    "CustomResourceDefinition": _definition,
    "LimitRange": _limits,
    "Pod": _pod,
}
"""What no line can say; before the lines."""


def apply_defaults(obj: Json) -> Json:
    """The object with its kind's defaults filled in; changes and returns `obj`."""
    kind = obj.get("kind", "")
    spec = obj
    for step in POD_AT.get(kind, ()):
        spec = spec.setdefault(step, {})
    if kind in _COMPUTED:
        _COMPUTED[kind](obj)
    if kind in POD_AT:
        _pod_spec(spec)
        for line in _lines(_POD_SPEC):
            _fill(spec, *line)
    for line in _lines(_TABLE.get(kind, "")):
        _fill(obj, *line)
    return obj
