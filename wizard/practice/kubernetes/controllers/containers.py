"""What containers do, as far as their commands tell, what keeps them from it, a pod's status."""

from __future__ import annotations

import hashlib
import re
import shlex
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wizard.practice.kubernetes.controllers.base import condition
from wizard.practice.kubernetes.faults import NEVER_READY
from wizard.practice.kubernetes.json_tools import amount, clone, dig, now

if TYPE_CHECKING:
    from wizard.practice.kubernetes.api import Api

Json = dict[str, Any]

_SHELLS = ("sh", "ash", "bash", "dash")
_UNREAD = re.compile(r"[|$`<>(){}*?]|&(?!&)")
_VOLUMES = (("Secret", "secret", "secretName"), ("ConfigMap", "configMap", "name"))
_REFERENCES = {
    "secretKeyRef": "Secret",
    "configMapKeyRef": "ConfigMap",
    "secretRef": "Secret",
    "configMapRef": "ConfigMap",
}
_RESOLVER = "10.96.0.10:53"
NODE = "practice-node"
NODE_ADDRESS = "10.0.0.2"
_UNMADE = ("ContainerCreating", "PodInitializing")
_LISTS = (("initContainerStatuses", "initContainers"), ("containerStatuses", "containers"))


@dataclass(frozen=True)
class Run:
    """One run of a process: how long it takes, its exit code and what it writes."""

    seconds: float
    code: int
    output: str = ""


def run_of(container: Json) -> Run | None:
    """The run of a command that is nothing but echo, sleep, true, false and exit; None of others.

    Commands of a manifest are never run on this machine.
    """
    argv = [*(container.get("command") or []), *(container.get("args") or [])]
    if len(argv) == 3 and argv[0].rpartition("/")[2] in _SHELLS and argv[1] == "-c":
        return _script(str(argv[2]).replace(">&2", ""))
    return _script(shlex.join(argv)) if argv else None


def _script(text: str) -> Run | None:
    whole = Run(0.0, 0)
    if _UNREAD.search(text):
        return None
    for statement in re.split(r"[;\n]", text):
        for step in statement.split("&&"):
            words = shlex.split(step)
            one = _step(words[words[:1] == ["exec"] :])
            if one is None:
                return None
            whole = Run(whole.seconds + one.seconds, one.code, whole.output + one.output)
            if words[:1] in (["exec"], ["exit"]):
                return whole
            if one.code:
                break
    return whole


def _step(words: list[str]) -> Run | None:
    match words:
        case [] | ["true"] | [":"] | ["exit"]:
            return Run(0.0, 0)
        case ["false"]:
            return Run(0.0, 1)
        case ["echo", *told]:
            return Run(0.0, 0, " ".join(told) + "\n")
        case ["exit", code] if code.isdigit():
            return Run(0.0, int(code))
        case ["sleep", time] if time.replace(".", "", 1).isdigit():
            return Run(float(time), 0)
    return None


def never_ready(container: Json) -> bool:
    """Whether a readiness probe runs a command that fails."""
    command = dig(container, "readinessProbe", "exec", "command")
    run = run_of({"command": command}) if command else None
    return run is not None and run.code != 0


def pull_problem(image: str, *, absent: bool) -> str:
    """Why an image cannot be pulled, or "": no such host (`.invalid`), or not in the registry."""
    host, slash, rest = image.partition("/")
    if not slash or not re.search(r"[.:]", host):
        host, rest = "docker.io", image if slash else f"library/{image}"
    name, tag = (rest.rpartition("@" if "@" in rest else ":")[::2]) if ":" in rest else (rest, "")
    full = f"{host}/{name}:{tag or 'latest'}" if "@" not in rest else f"{host}/{rest}"
    start = f'failed to pull and unpack image "{full}": failed to resolve reference "{full}": '
    if host.endswith(".invalid"):
        url = f"https://{host}/v2/{name}/manifests/{tag or 'latest'}"
        return f'{start}failed to do request: Head "{url}": dial tcp: lookup {host} on ' + (
            f"{_RESOLVER}: no such host"
        )
    return f"{start}{full}: not found" if absent else ""


def unschedulable(nodes: list[Json], pod: Json) -> str:
    """Why no node takes a pod, or ""; each pod is weighed alone."""
    causes = Counter[str]()
    for node in nodes:
        labels = dig(node, "metadata", "labels", default={})
        if not dig(pod, "spec", "nodeSelector", default={}).items() <= labels.items():
            told = ["node(s) didn't match Pod's node affinity/selector"]
        else:
            told = [
                f"Insufficient {name}"
                for name, most in dig(node, "status", "allocatable", default={}).items()
                if _requested(pod, name) > amount(most)
            ]
        causes.update(told)
        if not told:
            return ""
    return no_node(", ".join(f"{number} {cause}" for cause, number in sorted(causes.items())))


def no_node(causes: str) -> str:
    """The scheduler's words for a pod that the one node does not take."""
    return (
        f"0/1 nodes are available: {causes}. no new claims to deallocate, preemption: 0/1 nodes "
        "are available: 1 Preemption is not helpful for scheduling."
    )


def _requested(pod: Json, name: str) -> float:
    requests = (dig(one, "resources", "requests", default={}) for one in pod["spec"]["containers"])
    return sum(float(amount(one.get(name) or "0")) for one in requests)


def missing_reference(api: Api, pod: Json, container: Json) -> str:
    """What a required Secret or ConfigMap reference of the environment lacks, or ""."""
    sources = [one.get("valueFrom") or {} for one in container.get("env") or []]
    for source in [*sources, *(container.get("envFrom") or [])]:
        for field, kind in _REFERENCES.items():
            reference = source.get(field) or {}
            if reference and not reference.get("optional"):
                told = _lacks(api, kind, pod["metadata"]["namespace"], reference)
                if told:
                    return told
    return ""


def _lacks(api: Api, kind: str, namespace: str, reference: Json) -> str:
    name, key = reference["name"], reference.get("key")
    found = api.find(kind, namespace, name)
    if found is None:
        return f'{kind.lower()} "{name}" not found'
    if key and key not in {**(found.get("data") or {}), **(found.get("binaryData") or {})}:
        return f"couldn't find key {key} in {kind} {namespace}/{name}"
    return ""


def missing_volume(api: Api, pod: Json) -> str:
    """What the kubelet says of a volume whose Secret or ConfigMap is not there, or ""."""
    for volume in pod["spec"].get("volumes") or []:
        for kind, field, name in _VOLUMES:
            source = volume.get(field) or {}
            if source and not source.get("optional"):
                told = _lacks(api, kind, pod["metadata"]["namespace"], {"name": source.get(name)})
                if told:
                    return f'MountVolume.SetUp failed for volume "{volume["name"]}" : {told}'
    return ""


def full_name(pod: Json) -> str:
    """`NAME_NAMESPACE(UID)`, as the kubelet calls a pod."""
    meta = pod["metadata"]
    return f"{meta['name']}_{meta['namespace']}({meta['uid']})"


def status_of(pod: Json, name: str) -> Json:
    """The status of a container, init containers too; {} when there is none."""
    every: list[Json] = [
        one for field, _ in _LISTS for one in dig(pod, "status", field, default=[])
    ]
    return next((one for one in every if one["name"] == name), {})


def scheduled(pod: Json) -> Json:
    """Bound to the node; the containers are being created."""
    changed: Json = clone(pod)
    changed["spec"]["nodeName"] = NODE
    status = changed["status"]
    status |= {"startTime": now(), "hostIP": NODE_ADDRESS, "hostIPs": [{"ip": NODE_ADDRESS}]}
    status["resources"] = {}
    reason = "PodInitializing" if pod["spec"].get("initContainers") else "ContainerCreating"
    for field, containers in _LISTS:
        if pod["spec"].get(containers):
            status[field] = [_container(one, reason) for one in pod["spec"][containers]]
    _condition(changed, "PodScheduled", "True")
    return settled(changed)


def unscheduled(pod: Json, text: str) -> Json:
    """No node takes it."""
    changed: Json = clone(pod)
    changed["status"]["phase"] = "Pending"
    _condition(changed, "PodScheduled", "False", "Unschedulable", text)
    return changed


def ready(pod: Json, address: str, *, is_up: bool = True) -> Json:
    """Every container runs, after the init containers; `is_up` also Ready."""
    changed: Json = clone(pod)
    for one in pod["spec"].get("initContainers") or []:
        exited(changed, one["name"], 0)
    for one in pod["spec"]["containers"]:
        started(changed, one["name"], is_up=is_up)
    return settled(changed, address)


def started(pod: Json, name: str, *, is_up: bool) -> None:
    """Let a container run; changes `pod`."""
    one = status_of(pod, name)
    if "running" not in one["state"]:
        one["state"] = {"running": {"startedAt": now()}}
    _created(pod, one)
    one |= {"started": True, "ready": is_up}


def exited(pod: Json, name: str, code: int) -> None:
    """Let a container's process end; changes `pod`."""
    one = status_of(pod, name)
    if dig(one, "state", "terminated", "exitCode") == code:
        return
    begun = dig(one, "state", "running", "startedAt", default=now())
    _created(pod, one)
    one["state"] = {
        "terminated": {
            "exitCode": code,
            "reason": "Error" if code else "Completed",
            "startedAt": begun,
            "finishedAt": now(),
            "containerID": one["containerID"],
        }
    }
    one |= {"started": False, "ready": code == 0 and one in _init_statuses(pod)}


def restarted(pod: Json, name: str, waits: Json | None = None) -> None:
    """Count a restart of a container that ended, or let it wait for one; changes `pod`."""
    one = status_of(pod, name)
    one["lastState"] = one["state"]
    if waits is None:
        one["restartCount"] += 1
        one["state"] = {"running": {"startedAt": now()}}
    else:
        one["state"] = {"waiting": waits}
    one |= {"ready": False, "started": False}


def failing(pod: Json, reason: str, address: str, messages: dict[str, str]) -> Json:
    """A pod that does not get up; messages are what each container waits with."""
    if reason == NEVER_READY:
        return ready(pod, address, is_up=False)
    changed: Json = clone(pod)
    for one in dig(changed, "status", "containerStatuses", default=[]):
        name = one["name"]
        if dig(one, "state", "waiting", "reason") == reason or name not in messages:
            continue
        if reason == "CrashLoopBackOff":
            exited(changed, name, 1)
            one["restartCount"] += 1
            restarted(changed, name, back_off(pod, name, 10))
        else:
            one["state"] = {"waiting": {"reason": reason, "message": messages[name]}}
    return settled(changed, address)


def back_off(pod: Json, name: str, seconds: int) -> Json:
    """What a container waits with that ended too often."""
    text = f"back-off {seconds}s restarting failed container={name} pod={full_name(pod)}"
    return {"reason": "CrashLoopBackOff", "message": text}


def ended(pod: Json, *, succeeded: bool) -> Json:
    """A pod whose containers ran to their end; changes and returns `pod`."""
    for one in pod["spec"]["containers"]:
        exited(pod, one["name"], 0 if succeeded else 1)
    return settled(pod)


def settled(pod: Json, address: str = "") -> Json:
    """Set phase and conditions by the containers' states; changes and returns `pod`."""
    status = pod["status"]
    if address:
        status["podIP"], status["podIPs"] = address, [{"ip": address}]
    mains, firsts = status.get("containerStatuses") or [], _init_statuses(pod)
    phase = _phase(mains, firsts, str(pod["spec"].get("restartPolicy")))
    status["phase"] = phase
    over = {"Succeeded": "PodCompleted", "Failed": "PodFailed"}.get(phase, "")
    made = any(dig(one, "state", "waiting", "reason") not in _UNMADE for one in mains + firsts)
    _condition(pod, "PodReadyToStartContainers", str(made and not over))
    left = [one["name"] for one in firsts if not one["ready"]]
    if left:
        text = f"containers with incomplete status: [{' '.join(left)}]"
        _condition(pod, "Initialized", "False", "ContainersNotInitialized", text)
    else:
        _condition(pod, "Initialized", "True", over if phase == "Succeeded" else "")
    unready = [one["name"] for one in mains if not one["ready"]]
    text = "" if over else f"containers with unready status: [{' '.join(unready)}]"
    for name in ("Ready", "ContainersReady"):
        if unready or left or over:
            _condition(pod, name, "False", over or "ContainersNotReady", text)
        else:
            _condition(pod, name, "True")
    return pod


def _phase(mains: list[Json], firsts: list[Json], policy: str) -> str:
    """Pending, Running, Succeeded or Failed."""
    codes = [dig(one, "state", "terminated", "exitCode") for one in mains]
    if policy == "Never" and any(dig(one, "state", "terminated", "exitCode") for one in firsts):
        return "Failed"
    if policy != "Always" and mains and None not in codes:
        if not any(codes):
            return "Succeeded"
        if policy == "Never":
            return "Failed"
    begun = any("waiting" not in one["state"] or one["lastState"] for one in mains)
    return "Running" if begun else "Pending"


def _condition(pod: Json, name: str, value: str, reason: str = "", message: str = "") -> None:
    told: Json = {"lastProbeTime": None}
    if "generation" in pod["metadata"]:
        told["observedGeneration"] = 1
        if pod["spec"].get("nodeName"):
            pod["status"]["observedGeneration"] = 1
    condition(pod["status"], name, value, reason, message, **told)


def _init_statuses(pod: Json) -> list[Json]:
    found: list[Json] = pod["status"].get("initContainerStatuses") or []
    return found


def _digest(*parts: str) -> str:
    return hashlib.sha256("/".join(parts).encode()).hexdigest()


def _image_id(image: str) -> str:
    repository = re.sub(r":[^/:]*$", "", image.partition("@")[0])
    return f"{repository}@sha256:{_digest(image)}"


def _created(pod: Json, one: Json) -> None:
    """The container is there: its ids, and what it is given."""
    for container in (*(pod["spec"].get("initContainers") or []), *pod["spec"]["containers"]):
        if container["name"] == one["name"]:
            one["imageID"] = _image_id(container["image"])
            run = _digest(pod["metadata"]["uid"], one["name"], str(one["restartCount"]))
            one["containerID"] = f"containerd://{run}"
            one["resources"] = clone(container.get("resources") or {})


def _container(container: Json, reason: str) -> Json:
    return {
        "name": container["name"],
        "image": container["image"],
        "imageID": "",
        "ready": False,
        "started": False,
        "restartCount": 0,
        "state": {"waiting": {"reason": reason}},
        "lastState": {},
    }
