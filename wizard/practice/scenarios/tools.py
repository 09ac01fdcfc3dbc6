"""The registry of scenarios, and what they are made of: edits, the live backend, helm cut short."""

from __future__ import annotations

import difflib
import inspect
import io
import subprocess
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wizard.problems import Exit, Problem

if TYPE_CHECKING:
    from wizard.practice.cluster import PracticeCluster

Json = dict[str, Any]
Stage = Callable[["PracticeCluster"], None]

SCENARIOS: dict[str, Scenario] = {}
"""Every scenario by its name, in the order in which they are listed."""

GROUPS = {
    "crash-loop": "New pods or hook Jobs fail",
    "admission-refusal": "Something refuses the change",
    "pending-install": "helm was cut short, or is at work",
    "drift-changed-key": "The values file is not the deployed one",
    "certificate-noise": "The chart renders something else each time",
    "fullname-override": "Other names and numbers of pods",
    "repo-missing": "Charts and their repository",
    "layered-values": "Other values files, namespaces and releases",
    "live-edit": "Somebody changed the cluster beside helm",
    "argocd": "Somebody else owns the release or its objects",
    "argo-rollout": "Other workloads and rollouts",
}
"""The headings of `--list`, each before the scenario that it begins with."""

BACKEND = "langsmith-backend"
SEEN_LIMIT = 30.0
"""Seconds within which helm must have come to where it is cut short."""

VARIABLES = (
    {"name": "AUDIT_LOGS_ENABLED", "value": "true"},
    {"name": "DEFAULT_ORG_FEATURE_CAN_USE_AUDIT_LOGS", "value": "true"},
)


@dataclass(frozen=True)
class Scenario:
    """A situation to rehearse: what it stages and, after the colon, what a user should see."""

    name: str
    line: str
    stage: Stage


def scenario(stage: Stage) -> Stage:
    """Register a function: `lost_salt` becomes `lost-salt`, the docstring becomes the line."""
    line = " ".join((inspect.getdoc(stage) or "").split())
    add(stage.__name__.replace("_", "-"), line, stage)
    return stage


def add(name: str, line: str, stage: Stage) -> None:
    """Register a scenario of a table."""
    SCENARIOS[name] = Scenario(name, line, stage)


def named(name: str) -> Scenario:
    """The scenario of that name; a Problem when there is none."""
    if name in SCENARIOS:
        return SCENARIOS[name]
    near = difflib.get_close_matches(name, SCENARIOS, n=3, cutoff=0.5)
    meant = f"perhaps {' or '.join(near)}; " if near else ""
    raise Problem(
        "LSA958",
        f"there is no scenario {name}",
        on="--scenario",
        next_step=f"{meant}langsmith-audit practice --list shows them all",
        exit=Exit.USAGE,
    )


def stage(cluster: PracticeCluster, scenario: Scenario) -> None:
    """Bring a cluster that has just come up into the situation, without waiting for slow pods."""
    cluster.say(f"Scenario {scenario.name}. {scenario.line}")
    with cluster.at_once():
        scenario.stage(cluster)


def listing(columns: int) -> str:
    """Every name with its line under the heading of its group, folded at `columns`."""
    width = max(map(len, SCENARIOS))
    lines = []
    for one in SCENARIOS.values():
        lines += ["", GROUPS[one.name]] if one.name in GROUPS else []
        first, then = f"  {one.name:<{width}}  ", " " * (width + 4)
        lines.append(textwrap.fill(one.line, columns, initial_indent=first, subsequent_indent=then))
    return "\n".join(lines[1:]) + "\n"


def edit_values(cluster: PracticeCluster, change: Mapping[str, Any]) -> None:
    """Merge keys into the values file; its comments stay. A value None takes the key away."""
    from ruamel.yaml import YAML

    yaml = YAML()
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.width = 4096
    values = yaml.load(cluster.values.read_text(encoding="utf-8"))
    _merge(values, change)
    text = io.StringIO()
    yaml.dump(values, text)
    cluster.write_private(cluster.values, text.getvalue())


def _merge(values: Any, change: Mapping[str, Any]) -> None:
    for key, value in change.items():
        if value is None:
            values.pop(key, None)
        elif isinstance(value, Mapping) and isinstance(values.get(key), Mapping):
            _merge(values[key], value)
        else:
            values[key] = value


def enable_in_values(cluster: PracticeCluster) -> None:
    """Write both variables into the values file, as the documented procedure says."""
    kept = [{"name": "ASYNCPG_POOL_MAX_SIZE", "value": "8"}]
    variables = [dict(one) for one in VARIABLES]
    edit_values(cluster, {"backend": {"deployment": {"extraEnv": kept + variables}}})


def reinstall(
    cluster: PracticeCluster,
    change: Mapping[str, Any] | None = None,
    *,
    rollouts: bool = False,
    **more: str,
) -> None:
    """Install anew with keys merged into the values file; `more` as `PracticeCluster.install`.

    `rollouts` installs Argo Rollouts before.
    """
    if change:
        edit_values(cluster, change)
    cluster.bare()
    if rollouts:
        cluster.kubernetes.serve_argo_rollouts()
    cluster.install(**more)


def make_namespace(cluster: PracticeCluster, name: str) -> None:
    """Create a namespace, as `kubectl create namespace` does."""
    body: Json = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    cluster.kubernetes.acting_as("kubectl-create").create(body)


def backend_of(cluster: PracticeCluster, kind: str = "Deployment", name: str = BACKEND) -> Json:
    """The live backend."""
    found = cluster.kubernetes.get(kind, cluster.namespace, name)
    if found is None:
        raise LookupError(f"{kind} {name}")
    return found


def backend_env(cluster: PracticeCluster) -> dict[str, str]:
    """The plain variables of the live backend."""
    (container,) = backend_of(cluster)["spec"]["template"]["spec"]["containers"]
    return {one["name"]: one.get("value", "") for one in container["env"]}


def set_env(cluster: PracticeCluster, manager: str, **variables: str) -> None:
    """Give the live backend variables behind helm's back, and wait until its pods have them."""
    env = [{"name": name, "value": value} for name, value in variables.items()]
    patch_backend(
        cluster,
        {"spec": {"template": {"spec": {"containers": [{"name": "backend", "env": env}]}}}},
        manager=manager,
    )
    settled(cluster)


def patch_backend(
    cluster: PracticeCluster, change: Json, *, manager: str = "kubectl-patch"
) -> None:
    """Patch the live Deployment as somebody else."""
    cluster.kubernetes.acting_as(manager).patch("Deployment", cluster.namespace, BACKEND, change)


def settled(cluster: PracticeCluster) -> None:
    """Wait until the backend's rollout is through and its old pods are gone."""

    def through() -> bool:
        backend = backend_of(cluster)
        status, wanted = backend.get("status", {}), backend["spec"].get("replicas", 1)
        counts = [status.get(key) for key in ("replicas", "updatedReplicas", "availableReplicas")]
        seen = status.get("observedGeneration") == backend["metadata"]["generation"]
        return seen and counts == [wanted] * 3 and not status.get("terminatingReplicas")

    cluster.kubernetes.until(through, timeout=SEEN_LIMIT)


def revision_status(cluster: PracticeCluster, revision: int) -> str:
    """What helm has noted of a revision; "" when there is none."""
    name = f"sh.helm.release.v1.{cluster.release}.v{revision}"
    secret = cluster.kubernetes.get("Secret", cluster.namespace, name)
    return "" if secret is None else str(secret["metadata"]["labels"]["status"])


def start_helm(cluster: PracticeCluster, *arguments: str) -> subprocess.Popen[bytes]:
    """Start helm and go on; whoever starts it ends it."""
    return subprocess.Popen(
        [str(cluster.helm), *arguments],
        env=cluster.environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def kill_helm(cluster: PracticeCluster, *arguments: str, when: Callable[[], bool]) -> None:
    """Start helm, and end it with SIGKILL once `when` is true, before it gets any further."""
    helm = start_helm(cluster, *arguments)
    try:
        cluster.kubernetes.until(when, timeout=SEEN_LIMIT)
    finally:
        with cluster.kubernetes.faults.held():
            helm.kill()
            helm.wait()


def upgrade_arguments(cluster: PracticeCluster) -> tuple[str, ...]:
    """`helm upgrade` of the release, its chart version pinned, from the values file."""
    return (
        *("upgrade", cluster.release, cluster.chart, "--version", cluster.chart_version),
        *("--namespace", cluster.namespace, "--values", str(cluster.values)),
    )
