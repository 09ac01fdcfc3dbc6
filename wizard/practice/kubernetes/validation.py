"""What the real server refuses: names, fields that do not fit, changes of what cannot change."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from wizard.practice.kubernetes.defaults import POD_AT
from wizard.practice.kubernetes.errors import invalid
from wizard.practice.kubernetes.json_tools import amount as parsed
from wizard.practice.kubernetes.json_tools import dig
from wizard.practice.kubernetes.rules import misformed, of_kind, of_pod, refused, shown
from wizard.practice.kubernetes.schema import ANY, Type, dotted, type_of, wrong
from wizard.practice.kubernetes.selectors import selects

if TYPE_CHECKING:
    from wizard.practice.kubernetes.kinds import Kind

Json = dict[str, Any]
Cause = tuple[str, str]

_SECRET_BYTES = 1024 * 1024
_DNS_LABEL_KINDS = {"Namespace", "Service"}
_FINALIZERS = {"foregroundDeletion", "orphan", "kubernetes"}
_FREE_NAMES = {"Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding", "Event"}
_NODE_PORTS = (30000, 32767)
_POD_SPECS = tuple(dict.fromkeys(POD_AT.values()))
_STATEFUL_MUTABLE = (
    *("replicas", "ordinals", "template", "updateStrategy", "revisionHistoryLimit"),
    *("persistentVolumeClaimRetentionPolicy", "minReadySeconds"),
)


def _name(kind: Kind, name: str) -> Iterator[Cause]:
    told = ""
    if kind.kind in _DNS_LABEL_KINDS:
        told = "must not contain dots" if "." in name else misformed("label", name)
    elif kind.kind not in _FREE_NAMES:
        told = misformed("subdomain", name)
    if told:
        yield refused("metadata.name", name, told)


def _marks(meta: Json) -> Iterator[Cause]:
    for field in ("labels", "annotations"):
        for key, value in (meta.get(field) or {}).items():
            prefix, _, last = key.rpartition("/")
            if told := misformed("key", last):
                yield refused(f"metadata.{field}", key, told)
            elif prefix and (told := misformed("subdomain", prefix)):
                yield refused(f"metadata.{field}", key, f"prefix part {told}")
            if field == "labels" and (told := misformed("value", value)):
                yield refused(f"metadata.{field}", value, told)


def _references(meta: Json) -> Iterator[Cause]:
    for n, name in enumerate(meta.get("finalizers") or []):
        if "/" not in name and name not in _FINALIZERS:
            told = "name is neither a standard finalizer name nor is it fully qualified"
            yield refused(f"metadata.finalizers[{n}]", name, told)
    for n, owner in enumerate(meta.get("ownerReferences") or []):
        for name in ("apiVersion", "kind", "name", "uid"):
            if not owner.get(name):
                at = f"metadata.ownerReferences[{n}].{name}"
                yield refused(at, owner.get(name) or "", "must not be empty")


def _data(obj: Json) -> Iterator[Cause]:
    entries = {**(obj.get("data") or {}), **(obj.get("binaryData") or {})}
    for key in entries:
        if told := misformed("data", key):
            yield refused(f"data[{key}]", key, told)
    secret = obj["kind"] == "Secret"
    size = sum(len(value) * (3 / 4 if secret else 1) for value in entries.values())
    if size > _SECRET_BYTES:
        told = f"Too long: may not be more than {_SECRET_BYTES} bytes"
        yield "data" if secret else "[]", told


def _pods(obj: Json) -> Iterator[Cause]:
    at = POD_AT[obj["kind"]]
    place, spec = ".".join(at), dig(obj, *at, default={})
    yield from of_pod(spec, place, dig(obj, "spec", "volumeClaimTemplates", default=[]))
    for listed in ("initContainers", "containers"):
        for n, container in enumerate(spec.get(listed) or []):
            yield from _container(container, f"{place}.{listed}[{n}]")


def _container(container: Json, at: str) -> Iterator[Cause]:
    for n, variable in enumerate(container.get("env") or []):
        if variable.get("value") and variable.get("valueFrom") is not None:
            told = "may not be specified when `value` is not empty"
            yield refused(f"{at}.env[{n}].valueFrom", "", told)
    limits = dig(container, "resources", "limits", default={})
    for name, amount in dig(container, "resources", "requests", default={}).items():
        bound = limits.get(name)
        if bound is not None and parsed(amount) > parsed(bound):
            told = f"must be less than or equal to {name} limit of {bound}"
            yield refused(f"{at}.resources.requests", amount, told)


def _workload(obj: Json) -> Iterator[Cause]:
    spec = obj["spec"]
    selector, labels = spec.get("selector"), dig(spec, "template", "metadata", "labels")
    if selector is None:
        yield "spec.selector", "Required value"
    elif not selector:
        told = f"empty selector is invalid for {obj['kind'].lower()}"
        yield refused("spec.selector", {}, told)
    if not selects(selector, labels or {}):
        told = "`selector` does not match template `labels`"
        yield refused("spec.template.metadata.labels", labels, told)
    yield from _pods(obj)
    yield from _policy(spec, ("Always",))
    if obj["kind"] == "Deployment":
        yield from _strategy(spec)


def _policy(spec: Json, supported: tuple[str, ...]) -> Iterator[Cause]:
    policy = dig(spec, "template", "spec", "restartPolicy", default="Always")
    if policy not in supported:
        listed = ", ".join(shown(one) for one in supported)
        told = f"Unsupported value: {shown(policy)}: supported values: {listed}"
        yield "spec.template.spec.restartPolicy", told


def _strategy(spec: Json) -> Iterator[Cause]:
    found, at = spec.get("strategy") or {}, "spec.strategy"
    kind, rolling = found.get("type"), found.get("rollingUpdate")
    if kind not in ("Recreate", "RollingUpdate"):
        value = f'{{"Type":{shown(kind)},"RollingUpdate":{shown(rolling)}}}'
        listed = '"Recreate", "RollingUpdate"'
        yield at, f"Unsupported value: {value}: supported values: {listed}"
    elif kind == "Recreate" and rolling is not None:
        told = "Forbidden: may not be specified when strategy `type` is 'Recreate'"
        yield f"{at}.rollingUpdate", told
    elif rolling and all(rolling.get(one) in (0, "0%") for one in ("maxSurge", "maxUnavailable")):
        told = "may not be 0 when `maxSurge` is 0"
        yield refused(f"{at}.rollingUpdate.maxUnavailable", rolling["maxUnavailable"], told)
    deadline = spec.get("progressDeadlineSeconds")
    if deadline is not None and deadline <= spec.get("minReadySeconds", 0):
        told = "must be greater than minReadySeconds"
        yield refused("spec.progressDeadlineSeconds", deadline, told)


def _job(obj: Json) -> Iterator[Cause]:
    yield from _pods(obj)
    yield from _policy(obj["spec"], ("OnFailure", "Never"))


def _service(obj: Json) -> Iterator[Cause]:
    spec = obj["spec"]
    ports, kind = spec.get("ports") or [], spec.get("type")
    if not ports and spec.get("clusterIP") != "None" and kind != "ExternalName":
        yield "spec.ports", "Required value"
    first, last = _NODE_PORTS
    for n, port in enumerate(ports):
        if len(ports) > 1 and not port.get("name"):
            yield f"spec.ports[{n}].name", "Required value"
        if port.get("nodePort") and not first <= port["nodePort"] <= last:
            told = "provided port is not in the valid range. The range of valid ports is "
            yield refused(f"spec.ports[{n}].nodePort", port["nodePort"], f"{told}{first}-{last}")
    if kind == "ExternalName" and not spec.get("externalName"):
        yield "spec.externalName", "Required value"


def _role(obj: Json) -> Iterator[Cause]:
    for n, rule in enumerate(obj.get("rules") or []):
        if not rule.get("verbs"):
            yield f"rules[{n}].verbs", "Required value: verbs must contain at least one value"


_RULES: dict[str, Callable[[Json], Iterator[Cause]]] = {
    **dict.fromkeys(("Pod", "CronJob"), _pods),
    **dict.fromkeys(("Deployment", "ReplicaSet", "StatefulSet", "DaemonSet"), _workload),
    **dict.fromkeys(("Secret", "ConfigMap"), _data),
    **dict.fromkeys(("Role", "ClusterRole"), _role),
    "Job": _job,
    "Service": _service,
}


def _custom(kind: Kind, obj: Json) -> Iterator[Cause]:
    """What a definition's schema says of an object."""
    for problem in wrong(obj, type_of(kind)):
        found = {"str": "string", "int": "integer", "bool": "boolean", "list": "array"}
        given = found.get(type(problem.value).__name__, "object")
        at, value = dotted(problem.path), problem.wanted.go
        told = f'Invalid value: "{given}": {at} in body must be of type {value}: "{given}"'
        yield at, told
        if at == "spec.replicas" and "scale" in kind.subresources:
            told = f".spec.replicas accessor error: {problem.value} is of the type {given}"
            yield ".spec.replicas", f"Invalid value: 0: {told}, expected int64"
    yield from _asked(obj, type_of(kind), "")


def _asked(value: Any, wanted: Type, at: str) -> Iterator[Cause]:
    rules = wanted.rules
    listed = rules.get("enum")
    if listed and value not in listed:
        supported = ", ".join(shown(one) for one in listed)
        yield at, f"Unsupported value: {shown(value)}: supported values: {supported}"
    if isinstance(value, int) and value < rules.get("minimum", value):
        told = f"{at} in body should be greater than or equal to {rules['minimum']}"
        yield refused(at, value, told)
    if not isinstance(value, dict):
        return
    for name in rules.get("required") or []:
        if name not in value:
            yield f"{at}.{name}".removeprefix("."), "Required value"
    fields = wanted.fields()
    for name, one in value.items():
        yield from _asked(one, fields.get(name, ANY), f"{at}.{name}".removeprefix("."))


def validate(kind: Kind, obj: Json, old: Json | None = None) -> None:
    """Refuse what could not be stored, or could not come after `old`."""
    causes = [] if old else list(_name(kind, obj["metadata"]["name"]))
    causes += [*_marks(obj["metadata"]), *_references(obj["metadata"])]
    if kind.custom:
        causes += _custom(kind, obj)
    else:
        causes += of_kind(kind.kind, obj)
        causes += _RULES[kind.kind](obj) if kind.kind in _RULES else ()
    causes += _late_finalizers(old["metadata"], obj["metadata"]) if old else ()
    for change in _CHANGES.get(kind.kind, []) if old else []:
        causes += change(old or {}, obj)
    if causes:
        raise invalid(kind, obj["metadata"]["name"], causes)


def _late_finalizers(old: Json, new: Json) -> Iterator[Cause]:
    fresh = [one for one in new.get("finalizers") or [] if one not in (old.get("finalizers") or [])]
    if fresh and "deletionTimestamp" in old:
        listed = ", ".join(shown(one) for one in fresh)
        told = "Forbidden: no new finalizers can be added if the object is being deleted, "
        told += f"found new finalizers []string{{{listed}}}"
        yield from [("metadata.finalizers", told)] * 2  # the real server looks twice


def warnings(obj: Json) -> Iterator[str]:
    """What the real server warns of although it stores it."""
    for at in _POD_SPECS:
        for listed in ("initContainers", "containers"):
            for n, container in enumerate(dig(obj, *at, listed, default=[])):
                names = [one.get("name") for one in container.get("env") or []]
                for m, name in enumerate(names):
                    if name in names[:m]:
                        where = f"{'.'.join(at)}.{listed}[{n}].env[{m}]"
                        told = f'hides previous definition of "{name}", which may be dropped'
                        yield f"{where}: {told} when using apply"


def _stateful(old: Json, new: Json) -> Iterator[Cause]:
    fields = (set(old["spec"]) | set(new["spec"])) - set(_STATEFUL_MUTABLE)
    if any(old["spec"].get(field) != new["spec"].get(field) for field in fields):
        *first, last = (f"'{name}'" for name in _STATEFUL_MUTABLE)
        told = "Forbidden: updates to statefulset spec for fields other than "
        yield "spec", f"{told}{', '.join(first)} and {last} are forbidden"


def _fixed(*path: str, told: str = "field is immutable") -> Callable[[Json, Json], Iterator[Cause]]:
    def causes(old: Json, new: Json) -> Iterator[Cause]:
        if dig(old, *path) is not None and dig(old, *path) != dig(new, *path):
            yield refused(".".join(path), dig(new, *path), told)

    return causes


def _role_ref(old: Json, new: Json) -> Iterator[Cause]:
    if old.get("roleRef") != new.get("roleRef"):
        given = new.get("roleRef") or {}
        names = {"APIGroup": "apiGroup", "Kind": "kind", "Name": "name"}
        value = {name: given.get(field, "") for name, field in names.items()}
        yield refused("roleRef", value, "cannot change roleRef")


def _sealed(old: Json, new: Json) -> Iterator[Cause]:
    if not old.get("immutable"):
        return
    told = "Forbidden: field is immutable when `immutable` is set"
    if not new.get("immutable"):
        yield "immutable", told
    if old.get("data") != new.get("data"):
        yield "data", told


def _job_selector(old: Json, new: Json) -> Iterator[Cause]:
    selector = dig(new, "spec", "selector")
    if selector != dig(old, "spec", "selector") and not dig(new, "spec", "manualSelector"):
        yield refused("spec.selector", selector, "`selector` not auto-generated")
        labels = dig(new, "spec", "template", "metadata", "labels")
        told = "`selector` does not match template `labels`"
        yield from [refused("spec.template.metadata.labels", labels, told)] * 2
    yield from _fixed("spec", "selector")(old, new)


def _address(old: Json, new: Json) -> Iterator[Cause]:
    kinds = {dig(old, "spec", "type"), dig(new, "spec", "type")}
    before, now = (dig(one, "spec", "clusterIPs", default=[]) for one in (old, new))
    if before and before != now and "ExternalName" not in kinds:
        yield refused("spec.clusterIPs[0]", now, "may not change once set")


_CHANGES: dict[str, list[Callable[[Json, Json], Iterator[Cause]]]] = {
    **{kind: [_fixed("spec", "selector")] for kind in ("Deployment", "ReplicaSet", "DaemonSet")},
    "StatefulSet": [_stateful],
    "Job": [_job_selector, _fixed("spec", "template", "spec"), _fixed("spec", "completions")],
    "Secret": [_sealed, _fixed("type")],
    "ConfigMap": [_sealed],
    "Service": [_address],
    **{kind: [_role_ref] for kind in ("RoleBinding", "ClusterRoleBinding")},
    "PersistentVolumeClaim": [_fixed("spec", "storageClassName"), _fixed("spec", "accessModes")],
}
