"""The status of a pod at each point of its life."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from wizard.practice.kubernetes.controllers.base import condition
from wizard.practice.kubernetes.faults import NEVER_READY
from wizard.practice.kubernetes.json_tools import clone, dig, now

if TYPE_CHECKING:
    from wizard.practice.kubernetes.api import Api

Json = dict[str, Any]

NODE = "practice-node"
NODE_ADDRESS = "10.0.0.2"
_BACK_OFF = "back-off 10s restarting failed container"


def scheduled(pod: Json) -> Json:
    """Bound to the node; the containers are being created."""
    changed: Json = clone(pod)
    changed["spec"]["nodeName"] = NODE
    status = changed["status"]
    status["phase"] = "Pending"
    status["startTime"] = now()
    status["hostIP"] = NODE_ADDRESS
    status["hostIPs"] = [{"ip": NODE_ADDRESS}]
    condition(status, "PodScheduled", "True", "", "")
    waiting = {"waiting": {"reason": "ContainerCreating"}}
    _conditions(changed, is_up=False)
    status["containerStatuses"] = [
        _container(one, waiting, is_up=False) for one in changed["spec"]["containers"]
    ]
    return changed


def unschedulable(pod: Json) -> Json:
    """No node takes it."""
    changed: Json = clone(pod)
    changed["status"]["phase"] = "Pending"
    text = "0/1 nodes are available: 1 Insufficient memory."
    condition(changed["status"], "PodScheduled", "False", "Unschedulable", text)
    return changed


def ready(pod: Json, address: str, *, is_up: bool = True) -> Json:
    """Running; `is_up` also Ready."""
    changed: Json = clone(pod)
    status = changed["status"]
    status["phase"] = "Running"
    if address:
        _addressed(status, address)
    for old in status.get("containerStatuses") or []:
        if "running" not in (old.get("state") or {}):
            old["state"] = {"running": {"startedAt": now()}}
        old["started"] = True
        old["ready"] = is_up
    for old, container in zip(
        status.get("containerStatuses") or [], pod["spec"]["containers"], strict=False
    ):
        old["imageID"] = _image_id(container["image"])
        old["containerID"] = "containerd://" + _digest(pod["metadata"]["uid"], container["name"])
    if pod["spec"].get("initContainers"):
        status["initContainerStatuses"] = [
            _finished(_container(one, {}, is_up=True), 0) for one in pod["spec"]["initContainers"]
        ]
    _conditions(changed, is_up=is_up)
    return changed


def failing(pod: Json, reason: str, address: str) -> Json:
    """A pod that does not get up, as the reason says."""
    if reason == NEVER_READY:
        return ready(pod, address, is_up=False)
    changed: Json = clone(pod)
    status = changed["status"]
    waiting: Json = {"reason": reason}
    if reason == "CrashLoopBackOff":
        status["phase"] = "Running"
        _addressed(status, address)
        waiting["message"] = _BACK_OFF
    elif reason == "ImagePullBackOff":
        waiting["message"] = f'Back-off pulling image "{pod["spec"]["containers"][0]["image"]}"'
    elif reason == "CreateContainerConfigError":
        waiting["message"] = 'secret "langsmith-extra" not found'
    for one in status.get("containerStatuses") or []:
        if dig(one, "state", "waiting", "reason") == reason:
            continue
        one["state"] = {"waiting": waiting}
        one["ready"] = one["started"] = False
        if reason == "CrashLoopBackOff":
            one["restartCount"] = one.get("restartCount", 0) + 1
            one["lastState"] = {"terminated": _terminated(1)}
    _conditions(changed, is_up=False)
    return changed


def ended(pod: Json, *, succeeded: bool) -> Json:
    """A pod whose containers ran to their end; changes and returns `pod`."""
    status = pod["status"]
    status["phase"] = "Succeeded" if succeeded else "Failed"
    for one in status.get("containerStatuses") or []:
        _finished(one, 0 if succeeded else 1)
    reason = "PodCompleted" if succeeded else "PodFailed"
    condition(status, "Ready", "False", reason, "")
    condition(status, "ContainersReady", "False", reason, "")
    return pod


def _finished(one: Json, code: int) -> Json:
    one["state"] = {"terminated": _terminated(code)}
    one["ready"] = code == 0 and one.get("ready", False)
    one["started"] = False
    return one


def _terminated(code: int) -> Json:
    moment = now()
    return {
        "exitCode": code,
        "reason": "Error" if code else "Completed",
        "startedAt": moment,
        "finishedAt": moment,
    }


def _addressed(status: Json, address: str) -> None:
    status["podIP"] = address
    status["podIPs"] = [{"ip": address}]


def _conditions(pod: Json, *, is_up: bool) -> None:
    status = pod["status"]
    names = " ".join(one["name"] for one in pod["spec"]["containers"])
    reason = "" if is_up else "ContainersNotReady"
    text = "" if is_up else f"containers with unready status: [{names}]"
    condition(status, "PodReadyToStartContainers", "True", "", "")
    condition(status, "Initialized", "True", "", "")
    condition(status, "Ready", str(is_up), reason, text)
    condition(status, "ContainersReady", str(is_up), reason, text)


def _digest(*parts: str) -> str:
    return hashlib.sha256("/".join(parts).encode()).hexdigest()


def _image_id(image: str) -> str:
    repository = image.partition("@")[0]
    head, colon, tag = repository.rpartition(":")
    if colon and "/" not in tag:
        repository = head
    return f"{repository}@sha256:{_digest(image)}"


def _container(container: Json, state: Json, *, is_up: bool) -> Json:
    return {
        "name": container["name"],
        "image": container["image"],
        "imageID": "",
        "ready": is_up,
        "started": is_up,
        "restartCount": 0,
        "state": state,
        "lastState": {},
    }


def _references(container: Json) -> Iterator[tuple[str, Json]]:
    """The Secrets and ConfigMaps that a container's environment refers to."""
    for variable in container.get("env") or []:
        source = variable.get("valueFrom") or {}
        yield "Secret", source.get("secretKeyRef") or {}
        yield "ConfigMap", source.get("configMapKeyRef") or {}
    for source in container.get("envFrom") or []:
        yield "Secret", source.get("secretRef") or {}
        yield "ConfigMap", source.get("configMapRef") or {}


def missing_reference(api: Api, pod: Json) -> str:
    """What a required Secret or ConfigMap reference of the environment lacks, or ""."""
    namespace = pod["metadata"]["namespace"]
    for container in pod["spec"]["containers"]:
        for kind, reference in _references(container):
            if reference and not reference.get("optional"):
                told = _lacks(api, kind, namespace, reference)
                if told:
                    return told
    return ""


def _lacks(api: Api, kind: str, namespace: str, reference: Json) -> str:
    name, key = reference["name"], reference.get("key")
    found = api.find(kind, namespace, name)
    if found is None:
        return f'Error: {kind.lower()} "{name}" not found'
    if key and key not in {**(found.get("data") or {}), **(found.get("binaryData") or {})}:
        return f"Error: couldn't find key {key} in {kind} {namespace}/{name}"
    return ""
