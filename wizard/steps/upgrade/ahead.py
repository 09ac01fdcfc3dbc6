"""What the chart or the cluster holds in store for an upgrade, and the way round each.

A harmless way round is taken by itself: where helm's `--wait` can never succeed, the upgrade goes
without it, and the backend's rollout is waited for by this tool.

Values may have been written for another line of the chart than the one they are given to.

A budget does not stop a Deployment's rolling update, which is no eviction. All this is looked at
only where an upgrade is pending: a check of what is right costs nothing more.

Source: the chart's own templates/validate.yaml, and the Deployment of host-backend.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from wizard.article import at_least
from wizard.problems import Exit, Problem
from wizard.record import dataclass
from wizard.records.findings import Finding, State, failed, from_problem
from wizard.systems.kubernetes.cluster import BUDGETS, PODS, SERVICES
from wizard.systems.release.manifest import all_objects, objects_of
from wizard.systems.workload.waiting import covers, kept

if TYPE_CHECKING:
    from wizard.systems.access import Systems


WITHOUT_WAIT = "goes without helm's --wait; the backend's rollout is waited for all the same"
EVERYWHERE = ("apps/v1", "batch/v1", "rbac.authorization.k8s.io/v1", "networking.k8s.io/v1")
"""API versions that every cluster of today has, so that nobody need be asked."""
BACKFILL_CHECK = "backfill-check"


@dataclass(frozen=True)
class Hazards:
    """What may go wrong with the upgrade.

    Attributes:
        findings: a finding each, with its way round.
        wait: whether helm is to wait for the objects (`--wait`); False where it never could end.
        ways: the ways round that are taken by themselves, for the change's effect.
    """

    findings: tuple[Finding, ...] = ()
    wait: bool = True
    ways: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Hazard:
    finding: Finding
    wait: bool = True


def hazards(systems: Systems) -> Hazards:
    """Everything that is known to go wrong with an upgrade of this release, by looking.

    What cannot be looked at becomes a finding of its own and stops nothing.
    """
    found: list[_Hazard] = []
    for look in (_served, _load_balancers, _rollouts, _budgets, _hooks, _image, _values):
        try:
            found += list(look(systems))
        except Problem as problem:
            if problem.id == "LSA111":  # without helm there is no upgrade: a check may go without
                continue
            message = f"Not looked at: {problem.what}"
            told = Finding("LSA180", State.UNKNOWN, problem.on, message, (), problem.next_step)
            found.append(_Hazard(told))
    wait = all(each.wait for each in found)
    return Hazards(
        findings=tuple(each.finding for each in found),
        wait=wait,
        ways=() if wait else (WITHOUT_WAIT,),
    )


def refuse_unserved(systems: Systems) -> None:
    """Make sure that the cluster has every kind of the deployed release: helm asks for them.

    Raises:
        Problem: LSA138, it has not.
    """
    found: dict[str, list[str]] = {}
    for (kind, _, name), each in all_objects(systems.manifest, systems.release).items():
        version = str(each.get("apiVersion") or "")
        if "/" in version and version not in EVERYWHERE:
            found.setdefault(version, []).append(f"{kind} {name}")
    served = systems.cluster.versions() if found else frozenset()
    version = next((version for version in found if version not in served), "")
    if version:
        raise Problem(
            "LSA138",
            f"The deployed release holds {version}, which the cluster does not serve any more",
            on=systems.release.on,
            next_step="rewrite helm's record of it with its plugin mapkubeapis (helm plugin install"
            " https://github.com/helm/helm-mapkubeapis): helm mapkubeapis "
            f"{systems.target.release} -n {systems.target.namespace}; then again",
            exit=Exit.FAILED,
            detail=tuple(found[version]),
        )


def _served(systems: Systems) -> Iterator[_Hazard]:
    try:
        refuse_unserved(systems)
    except Problem as problem:
        if problem.id != "LSA138":
            raise
        yield _Hazard(from_problem(problem, State.FAIL))


def _load_balancers(systems: Systems) -> Iterator[_Hazard]:
    """helm 3 waits until every Service of type LoadBalancer has an address; helm 4 does not."""
    if systems.helm.major != 3:
        return
    for service in _objects(systems, "Service"):
        if _spec(service).get("type") != "LoadBalancer":
            continue
        name, namespace = _name(service), systems.installation.namespace
        live = systems.live_object(SERVICES, name, namespace) or {}
        balancer = (live.get("status") or {}).get("loadBalancer") or {}
        if not live or balancer.get("ingress") or _spec(live).get("externalIPs"):
            continue
        finding = Finding(
            "LSA170",
            State.INFO,
            f"Service {name} in namespace {namespace}",
            "It is of type LoadBalancer and has no address: helm 3 would wait for one in vain",
            (f"helm {systems.helm.version}",),
            f"nothing; the upgrade {WITHOUT_WAIT}",
        )
        yield _Hazard(finding, wait=False)


def _rollouts(systems: Systems) -> Iterator[_Hazard]:
    """helm 4's watcher cannot read the status of an Argo Rollout (helm/helm#32615)."""
    names = [_name(each) for each in _objects(systems, "Rollout")]
    if systems.helm.major < 4 or not names:
        return
    finding = Finding(
        "LSA171",
        State.INFO,
        f"Rollout {names[0]}" + (f" and {len(names) - 1} more" if names[1:] else ""),
        "helm 4 cannot wait for Argo Rollouts: it fails on their status",
        (f"helm {systems.helm.version}",),
        f"nothing; the upgrade {WITHOUT_WAIT}",
    )
    yield _Hazard(finding, wait=False)


def _budgets(systems: Systems) -> Iterator[_Hazard]:
    """PodDisruptionBudgets that can never be met, or that let no pod go.

    A rolling update is no eviction, so a budget does not stop it; but helm 4 waits until each
    budget of the release is met, and a node cannot be drained meanwhile.
    """
    names = {_name(each) for each in _objects(systems, "PodDisruptionBudget")}
    namespace = systems.installation.namespace
    budgets = systems.cluster.list(BUDGETS, namespace) if names else []
    pods = systems.cluster.list(PODS, namespace) if budgets else []
    for live in budgets:
        name = _name(live)
        desired, expected = kept(live, pods)
        if name not in names or not expected:
            continue
        subject = f"PodDisruptionBudget {name} in namespace {namespace}"
        counts = (f"{desired} of {expected} pods must stay healthy",)
        if desired > expected and systems.helm.major >= 4:
            message = "It asks for more pods than there are: helm 4 would wait for them in vain"
            step = f"nothing for the upgrade, which {WITHOUT_WAIT}"
            told = Finding("LSA172", State.WARN, subject, message, counts, step)
            yield _Hazard(told, wait=False)
        elif desired >= expected and _evicted(systems, live):
            message = "It lets no pod go: an Argo Rollout restarts by evicting its pods, in vain"
            step = "--one-rollout needs no restart of its own; or add a replica, or lower "
            told = Finding("LSA173", State.WARN, subject, message, counts, step + "minAvailable")
            yield _Hazard(told)
        elif desired >= expected:
            message = "It lets no pod go: the rolling update does not mind, a node's drain waits"
            step = "drain no node during the upgrade; or add a replica, or lower minAvailable"
            yield _Hazard(Finding("LSA173", State.INFO, subject, message, counts, step))


def _evicted(systems: Systems, budget: Mapping[str, Any]) -> bool:
    """Whether the budget is about the backend, and that is a Rollout (`spec.restartAt` evicts)."""
    if systems.installation.backend.kind != "Rollout":
        return False
    return covers(budget, systems.workload.live()["spec"]["template"])


def _hooks(systems: Systems) -> Iterator[_Hazard]:
    """Hook Jobs that run at every upgrade and fail at the first error, or block."""
    once = []
    for job in objects_of(systems.hooks, ("Job",), systems.release):
        if BACKFILL_CHECK in _name(job):
            yield _Hazard(_backfill(systems, _name(job)))
        elif _spec(job).get("backoffLimit") == 0:
            once.append(_name(job))
    if once:
        message = "These hook Jobs are not tried again: a passing error marks the release failed"
        step = "nothing now; should one fail, the backend runs as upgraded, and the upgrade can "
        subject = f"release {systems.target.release}"
        told = Finding(
            "LSA175", State.INFO, subject, message, tuple(once), step + "be made once more"
        )
        yield _Hazard(told)


def _backfill(systems: Systems, job: str) -> Finding:
    return Finding(
        "LSA174",
        State.INFO,
        f"hook Job {job}",
        "It stops the upgrade while a backfill is unfinished, before anything is changed",
        next_step=f"nothing now; should it fail, kubectl logs job/{job} "
        f"-n {systems.installation.namespace} names the backfill: upgrade when that is done",
    )


def _image(systems: Systems) -> Iterator[_Hazard]:
    """Another image tag than the one that runs: the nodes must be able to pull it."""
    target, release = systems.target, systems.release
    if not _readable(systems):
        return
    old = new = release.app_version
    if target.chart_version not in (None, release.chart_version):
        new = systems.chart_facts(target.chart, str(target.chart_version)).app_version
    old, new = _tag(systems.deployed_values) or old, _tag(systems.file_values) or new
    if new == old:
        return
    message = f"The backend's image changes from {old} to {new}: every node must be able to pull it"
    step = "with a registry of your own, copy the new images there first"
    yield _Hazard(Finding("LSA179", State.WARN, "the backend's image", message, (), step))


def _values(systems: Systems) -> Iterator[_Hazard]:
    """Values files that were written for another chart line."""
    if not _readable(systems):
        return
    version = systems.target.chart_version or systems.release.chart_version
    for finding in line_findings(systems.file_values, version):
        yield _Hazard(finding)


def _readable(systems: Systems) -> bool:
    """Whether there are values files to go by; what is wrong with them the values step tells."""
    return bool(systems.target.values) and systems.values_edit.edit.outcome != "refuse"


def _objects(systems: Systems, kind: str) -> list[dict[str, Any]]:
    return objects_of(systems.manifest, (kind,), systems.release)


def _tag(values: Mapping[str, Any]) -> str:
    images = values.get("images")
    image = images.get("backendImage") if isinstance(images, Mapping) else None
    return str(image.get("tag") or "") if isinstance(image, Mapping) else ""


def _name(object_: Mapping[str, Any]) -> str:
    return str(object_["metadata"]["name"])


def _spec(object_: Mapping[str, Any]) -> Mapping[str, Any]:
    return object_.get("spec") or {}


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
