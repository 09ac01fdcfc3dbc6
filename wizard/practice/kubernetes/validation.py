"""What the real server refuses: wrong types, missing fields, changes of what cannot change."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from wizard.practice.kubernetes.errors import invalid
from wizard.practice.kubernetes.json_tools import canonical, dig
from wizard.practice.kubernetes.selectors import selects

if TYPE_CHECKING:
    from wizard.practice.kubernetes.kinds import Kind

Json = dict[str, Any]
Cause = tuple[str, str]

_NAME = re.compile(r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$")
_LABEL_LENGTH, _NAME_LENGTH, _SECRET_BYTES = 63, 253, 1024 * 1024
_DNS_LABEL_KINDS = {"Namespace", "Service"}
_FREE_NAMES = {"Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding", "Event"}
_STATEFUL_MUTABLE = frozenset(
    {
        "replicas",
        "ordinals",
        "template",
        "updateStrategy",
        "revisionHistoryLimit",
        "persistentVolumeClaimRetentionPolicy",
        "minReadySeconds",
    }
)
_TEMPLATED = {"Deployment", "ReplicaSet", "StatefulSet", "DaemonSet"}


def pod_spec_at(obj: Json) -> tuple[str, Json | None]:
    """Where the object's pod spec is (`spec.template.spec`), and the spec."""
    kind = obj.get("kind")
    if kind == "Pod":
        return "spec", dig(obj, "spec")
    if kind == "CronJob":
        path: tuple[str, ...] = ("spec", "jobTemplate", "spec", "template", "spec")
    else:
        path = ("spec", "template", "spec")
    return ".".join(path), dig(obj, *path)


def mistyped(obj: Json) -> Iterator[tuple[str, str, str, Any]]:
    """Values of a wrong type: (path with item keys, plain path, wanted type, value)."""
    for name in ("labels", "annotations"):
        for key, value in (dig(obj, "metadata", name, default={}) or {}).items():
            if not isinstance(value, str):
                yield f".metadata.{name}.{key}", f"ObjectMeta.metadata.{name}", "string", value
    if obj.get("kind") == "ConfigMap":
        for key, value in (obj.get("data") or {}).items():
            if not isinstance(value, str):
                yield f".data.{key}", "ConfigMap.data", "string", value
    replicas = dig(obj, "spec", "replicas")
    if isinstance(replicas, bool | str):
        yield ".spec.replicas", f"{obj['kind']}Spec.spec.replicas", "int32", replicas
    where, spec = pod_spec_at(obj)
    for listed in ("initContainers", "containers"):
        for container in dig(spec, listed, default=[]):
            yield from _mistyped_container(container, f"{where}.{listed}")


def _mistyped_container(container: Json, where: str) -> Iterator[tuple[str, str, str, Any]]:
    at = f'.{where}[name="{container.get("name", "")}"]'
    for variable in container.get("env") or []:
        value = variable.get("value")
        if value is not None and not isinstance(value, str):
            path = f'{at}.env[name="{variable.get("name", "")}"].value'
            yield path, f"EnvVar.{where}.env.value", "string", value
    for name in ("command", "args"):
        for n, value in enumerate(container.get(name) or []):
            if not isinstance(value, str):
                yield f"{at}.{name}[{n}]", f"Container.{where}.{name}", "string", value
    if not isinstance(container.get("image", ""), str):
        yield f"{at}.image", f"Container.{where}.image", "string", container["image"]


def go_type(value: Any) -> str:
    """The name that Go's JSON decoder gives a value's type."""
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, dict):
        return "object"
    return "array" if isinstance(value, list) else "string"


def _required(value: Any, field: str) -> Iterator[Cause]:
    if value in (None, "", [], {}):
        yield field, "Required value"


def _name_causes(kind: Kind, name: str) -> Iterator[Cause]:
    if kind.kind in _FREE_NAMES:
        return
    limit = _LABEL_LENGTH if kind.kind in _DNS_LABEL_KINDS else _NAME_LENGTH
    if len(name) > limit:
        yield "metadata.name", f'Invalid value: "{name}": must be no more than {limit} characters'
    if not _NAME.match(name):
        yield (
            "metadata.name",
            f'Invalid value: "{name}": a lowercase RFC 1123 subdomain must consist of lower case '
            "alphanumeric characters, '-' or '.', and must start and end with an alphanumeric "
            "character",
        )


def _pod_spec_causes(obj: Json) -> Iterator[Cause]:
    where, spec = pod_spec_at(obj)
    if spec is None:
        return
    yield from _required(spec.get("containers"), f"{where}.containers")
    for listed in ("initContainers", "containers"):
        for n, container in enumerate(spec.get(listed) or []):
            yield from _required(container.get("name"), f"{where}.{listed}[{n}].name")
            yield from _required(container.get("image"), f"{where}.{listed}[{n}].image")
            for m, variable in enumerate(container.get("env") or []):
                yield from _required(variable.get("name"), f"{where}.{listed}[{n}].env[{m}].name")


def _selector_causes(obj: Json) -> Iterator[Cause]:
    selector = dig(obj, "spec", "selector")
    labels = dig(obj, "spec", "template", "metadata", "labels", default={})
    yield from _required(selector, "spec.selector")
    if selector and not selects(selector, labels):
        yield (
            "spec.template.metadata.labels",
            f"Invalid value: {canonical(labels)}: `selector` does not match template `labels`",
        )


def _job_causes(obj: Json) -> Iterator[Cause]:
    policy = dig(obj, "spec", "template", "spec", "restartPolicy")
    if policy not in ("Never", "OnFailure"):
        yield (
            "spec.template.spec.restartPolicy",
            f'Unsupported value: "{policy}": supported values: "OnFailure", "Never"',
        )


def validate(kind: Kind, obj: Json) -> None:
    """Refuse what could not be stored.

    Raises:
        ApiError: 422 with a cause for each field.
    """
    name = obj["metadata"]["name"]
    causes = list(_name_causes(kind, name))
    if not kind.custom and kind.kind not in ("ControllerRevision",):
        causes += _pod_spec_causes(obj)
    if kind.kind in _TEMPLATED:
        causes += _selector_causes(obj)
    if kind.kind == "Job":
        causes += _job_causes(obj)
    if kind.kind == "Service" and dig(obj, "spec", "type") != "ExternalName":
        headless = dig(obj, "spec", "clusterIP") == "None"
        causes += [] if headless else _required(dig(obj, "spec", "ports"), "spec.ports")
    if kind.kind in ("Secret", "ConfigMap") and _size(obj) > _SECRET_BYTES:
        causes.append(("data", f"Too long: may not be more than {_SECRET_BYTES} bytes"))
    if causes:
        raise invalid(kind, name, causes)


def _size(obj: Json) -> int:
    share = 3 / 4 if obj.get("kind") == "Secret" else 1
    return int(sum(len(value) for value in (obj.get("data") or {}).values()) * share)


def _immutable(field: str, value: Any) -> Cause:
    return field, f"Invalid value: {canonical(value)}: field is immutable"


def _stateful_change(old: Json, new: Json) -> Iterator[Cause]:
    fields = (set(old["spec"]) | set(new["spec"])) - _STATEFUL_MUTABLE
    if any(old["spec"].get(field) != new["spec"].get(field) for field in fields):
        yield (
            "spec",
            "Forbidden: updates to statefulset spec for fields other than 'replicas', 'ordinals', "
            "'template', 'updateStrategy', 'revisionHistoryLimit', "
            "'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden",
        )


def _fixed(*path: str) -> Callable[[Json, Json], Iterator[Cause]]:
    def causes(old: Json, new: Json) -> Iterator[Cause]:
        if dig(old, *path) is not None and dig(old, *path) != dig(new, *path):
            yield _immutable(".".join(path), dig(new, *path))

    return causes


_CHANGES: dict[str, list[Callable[[Json, Json], Iterator[Cause]]]] = {
    "Deployment": [_fixed("spec", "selector")],
    "ReplicaSet": [_fixed("spec", "selector")],
    "DaemonSet": [_fixed("spec", "selector")],
    "StatefulSet": [_stateful_change],
    "Job": [_fixed("spec", "template"), _fixed("spec", "selector"), _fixed("spec", "completions")],
    "Secret": [_fixed("type")],
    "RoleBinding": [_fixed("roleRef")],
    "ClusterRoleBinding": [_fixed("roleRef")],
    "PersistentVolumeClaim": [_fixed("spec", "storageClassName"), _fixed("spec", "accessModes")],
}


def validate_change(kind: Kind, old: Json, new: Json) -> None:
    """Refuse a change of what cannot change.

    Raises:
        ApiError: 422 with a cause for each field.
    """
    causes = [cause for rule in _CHANGES.get(kind.kind, []) for cause in rule(old, new)]
    if old.get("immutable") and old.get("data") != new.get("data"):
        causes.append(("data", "Forbidden: field is immutable when `immutable` is set"))
    if causes:
        raise invalid(kind, new["metadata"]["name"], causes)
