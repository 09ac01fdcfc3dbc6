"""Rules of the kind "this field holds that", one a line, and what messages say of them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

Json = dict[str, Any]
Cause = tuple[str, str]

_ALNUM = "alphanumeric characters"
_FORMS = {  # name: regular expression, its text, the longest text
    "label": (
        "[a-z0-9]([-a-z0-9]*[a-z0-9])?",
        f"a lowercase RFC 1123 label must consist of lower case {_ALNUM} or '-', and must start "
        "and end with an alphanumeric character (e.g. 'my-name',  or '123-abc'",
        63,
    ),
    "subdomain": (
        r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*",
        f"a lowercase RFC 1123 subdomain must consist of lower case {_ALNUM}, '-' or '.', and must "
        "start and end with an alphanumeric character (e.g. 'example.com'",
        253,
    ),
    "key": (
        "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]",
        f"name part must consist of {_ALNUM}, '-', '_' or '.', and must start and end with an "
        "alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc'",
        63,
    ),
    "value": (
        "(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?",
        f"a valid label must be an empty string or consist of {_ALNUM}, '-', '_' or '.', and must "
        "start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345'",
        63,
    ),
    "data": (
        "[-._a-zA-Z0-9]+",
        f"a valid config key must consist of {_ALNUM}, '-', '_' or '.' (e.g. 'key.name',  or "
        "'KEY_NAME',  or 'key-name'",
        253,
    ),
    "share": (
        "[0-9]+%",
        "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  "
        "or '93%'",
        9,
    ),
}
_POD = """
volumes[].name required label unique
containers required
{c}[].name required label unique
{c}[].image required
{c}[].imagePullPolicy in:Always,IfNotPresent,Never
{c}[].terminationMessagePolicy in:FallbackToLogsOnError,File
{c}[].ports[].containerPort required port
{c}[].ports[].hostPort port
{c}[].ports[].protocol in:SCTP,TCP,UDP
{c}[].env[].name required variable
{c}[].volumeMounts[].name required volume
{c}[].volumeMounts[].mountPath required once
{c}[].livenessProbe.httpGet.port port
{c}[].livenessProbe.tcpSocket.port port
{c}[].readinessProbe.httpGet.port port
{c}[].readinessProbe.tcpSocket.port port
{c}[].startupProbe.httpGet.port port
restartPolicy in:Always,Never,OnFailure
terminationGracePeriodSeconds natural
"""
_SERVICE = """
spec.ports[].name label
spec.ports[].port port
spec.ports[].protocol in:SCTP,TCP,UDP
spec.ports[].targetPort port
spec.type in:ClusterIP,ExternalName,LoadBalancer,NodePort
"""
_WORKLOAD = """
spec.replicas natural
spec.minReadySeconds natural
spec.revisionHistoryLimit natural
spec.strategy.rollingUpdate.maxUnavailable natural share
spec.strategy.rollingUpdate.maxSurge natural share
spec.progressDeadlineSeconds natural
"""
_JOB = "spec.{parallelism,completions,backoffLimit,activeDeadlineSeconds} natural"
_TABLE: dict[str, str] = {
    **dict.fromkeys(("Deployment", "ReplicaSet", "StatefulSet", "DaemonSet"), _WORKLOAD),
    "Service": _SERVICE,
    "Job": _JOB,
    "CronJob": "spec.schedule required",
    "Lease": "spec.leaseDurationSeconds positive\nspec.leaseTransitions natural",
    "RoleBinding": "roleRef.kind in:Role,ClusterRole\nroleRef.name required",
    "ClusterRoleBinding": "roleRef.kind in:ClusterRole\nroleRef.name required",
    "HorizontalPodAutoscaler": "spec.maxReplicas positive",
    "Scale": "spec.replicas natural",
}
_LONGEST_PORT = 15
_VARIABLE = (
    "a valid environment variable name must consist only of printable ASCII characters other "
    "than '='"
)
_NUMBERS: dict[str, tuple[Callable[[int], bool], str]] = {
    "natural": (lambda value: value >= 0, "must be greater than or equal to 0"),
    "positive": (lambda value: value > 0, "must be greater than 0"),
    "port": (lambda value: 1 <= value <= 65535, "must be between 1 and 65535, inclusive"),
}


def shown(value: Any) -> str:
    """A value as messages show it."""
    return json.dumps(value, separators=(",", ":"), sort_keys=True)


def refused(field: str, value: Any, told: str) -> Cause:
    """A value that is not valid."""
    return field, f"Invalid value: {shown(value)}: {told}"


def misformed(form: str, text: str) -> str:
    """What is wrong with a text that shall be a label, subdomain, key, value or data, or ""."""
    pattern, told, longest = _FORMS[form]
    if len(text) > longest:
        part = "name part " if form == "key" else ""
        return f"{part}must be no more than {longest} characters"
    if re.fullmatch(pattern, text):
        return ""
    return f"{told}, regex used for validation is '{pattern}')"


def _problem(check: str, value: Any, before: list[Any], volumes: list[str]) -> str:
    """What one check says of a value, or ""."""
    empty = value in (None, "", [], {})
    if check == "required" or empty:
        return "Required value" if empty and check == "required" else ""
    name, _, words = check.partition(":")
    known = {"in": words.split(","), "volume": volumes}.get(name)
    if known is not None and value not in known:
        listed = ", ".join(shown(one) for one in known)
        told = f"Unsupported value: {shown(value)}: supported values: {listed}"
        return f"Not found: {shown(value)}" if name == "volume" else told
    if check == "unique" and value in before:
        return f"Duplicate value: {shown(value)}"
    told = _told(check, value)
    if check == "once" and value in before:
        told = "must be unique"
    return f"Invalid value: {shown(value)}: {told}" if told else ""


def _told(check: str, value: Any) -> str:
    if isinstance(value, int):
        right, told = _NUMBERS.get(check, (lambda _: True, ""))
        return "" if right(value) else told
    if check in _FORMS:
        return misformed(check, value)
    if check == "port" and len(value) > _LONGEST_PORT:
        return f"must be no more than {_LONGEST_PORT} characters"
    odd = check == "variable" and ("=" in value or not value.isascii() or not value.isprintable())
    return _VARIABLE if odd else ""


def _values(value: Any, path: list[str], at: str) -> Iterator[tuple[str, str, Any]]:
    """The fields that a path names: (the list they are of, field, value)."""
    step = path[0]
    name = step.removesuffix("[]")
    found = value.get(name) if isinstance(value, dict) else None
    here = f"{at}.{name}".removeprefix(".")
    if len(path) == 1:
        yield at.rpartition("[")[0], here, found
    elif step.endswith("[]"):
        for n, one in enumerate(found or []):
            yield from _values(one, path[1:], f"{here}[{n}]")
    elif found is not None:
        yield from _values(found, path[1:], here)


def _broken(table: str, obj: Json, at: str, volumes: list[str]) -> Iterator[Cause]:
    for line in table.strip().splitlines():
        path, *checks = line.split()
        names = re.search(r"\{(.*)\}", path)
        for one in names[1].split(",") if names else [""]:
            seen: dict[str, list[Any]] = {}
            steps = re.sub(r"\{.*\}", one, path).split(".")
            for listed, field, value in _values(obj, steps, at):
                before = seen.setdefault(listed, [])
                told = (_problem(check, value, before, volumes) for check in checks)
                yield from [(field, text) for text in told if text][:1]
                before.append(value)


def of_kind(kind: str, obj: Json) -> Iterator[Cause]:
    """The causes that the lines of a kind tell."""
    yield from _broken(_TABLE.get(kind, ""), obj, "", [])


def of_pod(spec: Json, at: str, claims: list[Json]) -> Iterator[Cause]:
    """The causes in a pod's spec at that place; `claims` are mounted as volumes are."""
    volumes = [one.get("name", "") for one in spec.get("volumes") or []]
    volumes += [one["metadata"]["name"] for one in claims]
    yield from _broken(_POD.replace("{c}", "{initContainers,containers}"), spec, at, volumes)
