"""What the process of a container does, as far as its command tells; and what keeps it from it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wizard.practice.kubernetes.json_tools import amount, dig

if TYPE_CHECKING:
    from wizard.practice.kubernetes.api import Api

Json = dict[str, Any]

_SHELLS = ("sh", "ash", "bash", "dash")
_UNREAD = re.compile(r"[|$`<>(){}*?]|&(?!&)")
_VOLUMES = (("Secret", "secret", "secretName"), ("ConfigMap", "configMap", "name"))
_RESOLVER = "10.96.0.10:53"


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
    causes: dict[str, int] = {}
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
        for cause in told:
            causes[cause] = causes.get(cause, 0) + 1
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
    found = [
        dig(one, "resources", "requests", name, default="0") for one in pod["spec"]["containers"]
    ]
    return sum(float(amount(one)) for one in found)


def _references(container: Json) -> Iterator[tuple[str, Json]]:
    """The Secrets and ConfigMaps that a container's environment refers to."""
    for variable in container.get("env") or []:
        source = variable.get("valueFrom") or {}
        yield "Secret", source.get("secretKeyRef") or {}
        yield "ConfigMap", source.get("configMapKeyRef") or {}
    for source in container.get("envFrom") or []:
        yield "Secret", source.get("secretRef") or {}
        yield "ConfigMap", source.get("configMapRef") or {}


def missing_reference(api: Api, pod: Json, container: Json) -> str:
    """What a required Secret or ConfigMap reference of the environment lacks, or ""."""
    for kind, reference in _references(container):
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
