"""Values that were written for another line of the chart than the one they are given to.

Source: the chart's own templates/validate.yaml, and the Deployment of host-backend.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from wizard.records.findings import Finding, State, failed
from wizard.steps.chart_version import at_least

SUBJECT = "the values files"

SCALED = (
    "aceBackend", "backend", "frontend", "hostBackend", "ingestQueue", "listener",
    "platformBackend", "playground", "queue",
)  # fmt: skip
"""The parts whose autoscaling keys moved under `hpa` and `keda` in 0.13.0."""

REMOVED_SCALING = ("createHpa", "enabled", "type")
AGENTS = {"fleet": False, "insights": True, "polly": True}
"""The agents of 0.15.1 and later, and whether the chart turns them on by default."""

HOST_BACKEND = ("PORT", "HOSTED_K8S_BASE_PATH", "HOSTED_K8S_CLUSTER_DOMAIN")
"""Variables that the chart itself gives to host-backend."""


def line_findings(values: Mapping[str, Any], version: str) -> tuple[Finding, ...]:
    """What the chart in `version` refuses or ignores of these values; keys only, no values."""
    return tuple(
        finding for look in (_scaling, _agents, _host_backend) for finding in look(values, version)
    )


def _scaling(values: Mapping[str, Any], version: str) -> Iterator[Finding]:
    blocks = {f"{part}.autoscaling": _at(values, part, "autoscaling") for part in SCALED}
    if at_least(version, "0.13.0"):
        gone = [f"{at}.{key}" for at, it in blocks.items() for key in REMOVED_SCALING if key in it]
        if gone:
            message = f"Chart {version} refuses autoscaling keys that 0.13.0 removed"
            step = "move them under autoscaling.hpa (or .keda) of the same part"
            yield failed("LSA176", SUBJECT, message, *gone, next_step=step)
        return
    new = [f"{at}.{key}" for at, it in blocks.items() for key in ("hpa", "keda") if key in it]
    if new:
        message = f"Chart {version} ignores autoscaling keys that came with 0.13.0"
        step = "give the files that belong to the deployed chart"
        yield Finding("LSA176", State.WARN, SUBJECT, message, tuple(new), step)


def _agents(values: Mapping[str, Any], version: str) -> Iterator[Finding]:
    if not at_least(version, "0.15.1"):
        return
    config = _at(values, "config")
    if not config.get("existingSecretName"):
        lacking = [
            f"{agent}.encryptionKey"
            for agent, default in AGENTS.items()
            if _at(values, agent).get("enabled", default)
            and not _at(values, agent).get("encryptionKey")
        ]
        if lacking:
            message = f"Chart {version} wants keys that were not needed before 0.15.1"
            step = "set them, or turn the part off (enabled: false)"
            yield failed("LSA177", SUBJECT, message, *lacking, next_step=step)
    moved = [f"config.{agent}" for agent in ("insights", "polly") if agent in config]
    if moved:
        message = f"Chart {version} refuses keys that 0.15.1 moved to the top level"
        step = "move config.insights and config.polly to insights and polly"
        yield failed("LSA177", SUBJECT, message, *moved, next_step=step)


def _host_backend(values: Mapping[str, Any], version: str) -> Iterator[Finding]:
    """From 0.14.0 host-backend gets `commonEnv` too, and a name twice ends the rendering."""
    part = _at(values, "hostBackend")
    config, deployment = _at(values, "config"), _at(values, "config", "deployment")
    on = part.get("enabled") or deployment.get("enabled")
    if not at_least(version, "0.14.0") or not on:
        return
    own = {*HOST_BACKEND, *_names(_at(part, "deployment").get("extraEnv"))}
    if config.get("basePath") or deployment.get("basePath"):
        own.add("HOST_DOCS_PREFIX")
    twice = sorted(own & set(_names(values.get("commonEnv"))))
    if twice:
        message = f"Chart {version} gives commonEnv to host-backend too, which then has names twice"
        step = "keep each variable in one place: commonEnv, or the extraEnv of the parts"
        yield failed("LSA178", SUBJECT, message, *twice, next_step=step)


def _at(values: Mapping[str, Any], *path: str) -> Mapping[str, Any]:
    node: Any = values
    for key in path:
        node = node.get(key) if isinstance(node, Mapping) else None
    return node if isinstance(node, Mapping) else {}


def _names(entries: Any) -> list[str]:
    if not isinstance(entries, list):
        return []
    return [str(each["name"]) for each in entries if isinstance(each, Mapping) and "name" in each]
