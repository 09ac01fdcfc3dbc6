"""Defaults of a pod's spec, in pods and in pod templates alike."""

from __future__ import annotations

from typing import Any

from wizard.practice.kubernetes.json_tools import dig

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
