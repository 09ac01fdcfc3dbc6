"""The backend as it runs: its template, its pods, and what the next rollout will meet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from wizard.article import WANTED
from wizard.checks.check import Check, Sight
from wizard.checks.words import counted, span
from wizard.records.findings import Finding, State, passed
from wizard.steps.procedure import the_step
from wizard.steps.rights import BACKEND, BUDGETS
from wizard.steps.server_default import does_without
from wizard.steps.step import Access

if TYPE_CHECKING:
    from wizard.systems.workload import Pod

UPGRADE, RESTART = the_step("helm_upgrade"), the_step("backend_restart")
QUOTAS = Access("kubernetes", "list", "resourcequotas")
LATELY = timedelta(hours=24)
"""A restart within this is warned of."""
COUNTED = {
    "pods": ("", "", Decimal(1)),
    "count/pods": ("", "", Decimal(1)),
    "cpu": ("requests", "cpu", None),
    "memory": ("requests", "memory", None),
    "requests.cpu": ("requests", "cpu", None),
    "requests.memory": ("requests", "memory", None),
    "limits.cpu": ("limits", "cpu", None),
    "limits.memory": ("limits", "memory", None),
}
"""What a quota may limit of a pod, and where its containers say how much they take of it."""


def template(sight: Sight) -> Iterator[Finding]:
    """The live template has both variables, and the release too."""
    yield from sight.observed(UPGRADE).findings


def in_pods(sight: Sight) -> Finding:
    """Every running pod has both variables."""
    systems = sight.systems
    subject = _subject(sight)
    running = _staying(systems.workload.pods())
    lacking = {
        pod.name: [name for name in WANTED if pod.env.get(name) != "true"] for pod in running
    }
    lines = tuple(
        f"pod {name}: lacks {' and '.join(lack)}" for name, lack in lacking.items() if lack
    )
    if not running:
        message = "No pod of the backend runs"
        return Finding(
            "LSA610", State.FAIL, subject, message, (), "kubectl describe pods tells why"
        )
    if not lines:
        message = f"Each of the {counted(len(running), 'running pod')} has both variables"
        return passed("LSA610", subject, message)
    if does_without(systems):
        message = "The server has audit logs without the variables in its pods"
        return Finding("LSA610", State.INFO, subject, message, lines)
    if systems.lacking_live:
        message = "Not looked at: because of LSA402, the template lacks them too"
        return Finding("LSA908", State.NOT_RUN, subject, message, because="LSA402")
    message = f"{len(lines)} of {counted(len(running), 'running pod')} lack a variable"
    step = f"the template has them, so restart: {systems.workload.restart_command}"
    return Finding("LSA610", State.FAIL, subject, message, lines, step)


def pods(sight: Sight) -> Iterator[Finding]:
    """No pod is older than the last update of organizations, and no rollout is under way."""
    yield from sight.observed(RESTART).findings


def ready(sight: Sight) -> Finding:
    """As many pods are ready as there shall be."""
    status = sight.systems.workload.status()
    message = f"{status.ready} of {counted(status.desired, 'pod')} are ready"
    if status.ready >= status.desired > 0:
        return passed("LSA611", _subject(sight), message)
    lines = tuple(f"pod {pod.name}: {pod.words}" for pod in status.pods if not pod.ready)
    state = State.WARN if status.ready else State.FAIL
    step = "kubectl describe pods tells why; kubectl get events too"
    return Finding("LSA611", state, _subject(sight), message, lines, step)


def restarts(sight: Sight) -> Finding:
    """No container was started again, and if so, why and when."""
    found = [pod for pod in _staying(sight.systems.workload.pods()) if pod.restarts]
    if not found:
        return passed("LSA612", _subject(sight), "No container of the backend was started again")
    now = datetime.now(UTC)
    lines = tuple(
        f"pod {pod.name}: {counted(pod.restarts, 'restart')}"
        + (f", last {pod.ended or 'ended'} {span((now - pod.ended_at).total_seconds())} ago"
           if pod.ended_at else "")
        for pod in found
    )  # fmt: skip
    late = [pod for pod in found if pod.ended_at is None or now - pod.ended_at <= LATELY]
    many = counted(sum(pod.restarts for pod in found), "restart")
    when = "in the last 24 hours" if late else "more than 24 hours ago"
    message = f"Containers of the backend were started again, {when}: {many}"
    step = f"kubectl logs {found[0].name} --previous -c {found[0].container} tells why"
    state = State.WARN if late else State.INFO
    return Finding("LSA612", state, _subject(sight), message, lines, step)


def image(sight: Sight) -> Finding:
    """All pods run one image, of the chart's own version."""
    found = {pod.image for pod in _staying(sight.systems.workload.pods())}
    app = sight.systems.release.app_version
    evidence = tuple(sorted(found))
    if len(found) > 1:
        message = f"The pods run {len(found)} different images"
        step = "a rollout is under way, or stands: kubectl rollout status tells"
        return Finding("LSA613", State.WARN, _subject(sight), message, evidence, step)
    tags = {_tag(it) for it in found}
    if not app or tags == {app}:
        return passed("LSA613", _subject(sight), f"The pods run {app or 'one image'}", *evidence)
    message = f"The pods run {', '.join(tags) or 'nothing'}; the chart's own version is {app}"
    return Finding("LSA613", State.INFO, _subject(sight), message, evidence)


def quotas(sight: Sight) -> Finding:
    """Quotas leave room for the pod that a rollout adds."""
    systems = sight.systems
    live = systems.workload.live()["spec"]["template"]["spec"]
    wanted, tight, unknown = _wanted(live), [], []
    for quota in systems.quotas:
        hard = (quota.get("spec") or {}).get("hard") or {}
        used = (quota.get("status") or {}).get("used")
        for name, most in hard.items():
            if name not in COUNTED:
                continue
            told = f"quota {quota['metadata']['name']}: {name}"
            if used is None or name not in used:
                unknown.append(f"{told} {most}, how much is used it does not say")
            elif _amount(used[name]) + wanted[name] > _amount(most):
                tight.append(f"{told}: {used[name]} of {most} used, a pod takes {wanted[name]}")
    where = f"namespace {systems.installation.namespace}"
    if tight:
        message = "A quota leaves no room for the pod that the next rollout adds"
        step = "raise the quota, or lower what is used, before the next upgrade or restart"
        return Finding("LSA614", State.WARN, where, message, tuple(tight), step)
    if unknown:
        message = "Whether a quota leaves room for one more pod is not known"
        return Finding("LSA614", State.UNKNOWN, where, message, tuple(unknown))
    message = "No quota limits the next rollout"
    if systems.quotas:
        names = ", ".join(str(it["metadata"]["name"]) for it in systems.quotas)
        message = f"There is room for the pod that a rollout adds (quota {names})"
    return passed("LSA614", where, message)


def budget(sight: Sight) -> Finding:
    """No disruption budget keeps the pods from being replaced."""
    workload, subject = sight.systems.workload, _subject(sight)
    if sight.systems.installation.backend.kind != "Rollout":
        return passed("LSA615", subject, "Its rollout evicts no pod, so that no budget stops it")
    why = workload.budget_in_the_way(workload.live())
    if not why:
        return passed("LSA615", subject, "No disruption budget stops a restart")
    message = f"A restart would never end: it evicts, and {why}"
    step = "add a replica, or lower the budget's minAvailable: kubectl get pdb"
    return Finding("LSA615", State.WARN, subject, message, (), step)


def moves(sight: Sight) -> Finding:
    """A new template would replace the pods."""
    sight.systems.workload.must_roll()
    return passed("LSA616", _subject(sight), "It is not paused: a new template replaces the pods")


def _subject(sight: Sight) -> str:
    backend = sight.systems.installation.backend
    return f"{backend.kind} {backend.name}"


def _staying(found: Sequence[Pod]) -> list[Pod]:
    return [pod for pod in found if not pod.terminating and not pod.finished]


def _tag(image: str) -> str:
    return image.partition("@")[0].rpartition("/")[2].partition(":")[2]


def _wanted(pod: Mapping[str, Any]) -> dict[str, Decimal]:
    """How much of each a pod of this template takes."""
    return {
        name: fixed
        if fixed is not None
        else sum(
            (
                _amount(((each.get("resources") or {}).get(kind) or {}).get(what, 0))
                for each in pod.get("containers") or []
            ),
            Decimal(0),
        )
        for name, (kind, what, fixed) in COUNTED.items()
    }


def _amount(text: object) -> Decimal:
    from wizard.steps.upgrade.live_drift import quantity

    found = quantity(text)
    return found if isinstance(found, Decimal) else Decimal(0)


UP = ("LSA230",)
CHECKS = (
    Check("LSA401", "the backend has both variables", template, UPGRADE.access, UP, UPGRADE.name),
    Check("LSA610", "every running pod has both", in_pods, BACKEND, UP, UPGRADE.name),
    Check(
        "LSA691",
        "the pods are younger than the last update of organizations",
        pods,
        RESTART.access,
        UP,
        RESTART.name,
    ),
    Check("LSA611", "all pods are ready", ready, BACKEND, UP, RESTART.name),
    Check("LSA612", "no container was started again", restarts, BACKEND, UP, RESTART.name),
    Check("LSA613", "the pods run the chart's image", image, BACKEND, UP, RESTART.name),
    Check("LSA614", "quotas leave room for a rollout", quotas, (QUOTAS,), UP, RESTART.name),
    Check("LSA615", "no budget stops a restart", budget, (BUDGETS,), UP, RESTART.name),
    Check("LSA616", "the backend is not paused", moves, BACKEND, UP, RESTART.name),
)
