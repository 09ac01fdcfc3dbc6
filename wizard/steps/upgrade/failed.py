"""What is there after a failed upgrade or restart: evidence, redacted, read without failing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, TypeVar

from wizard.article import WANTED
from wizard.problems import Problem
from wizard.records.findings import Evidence
from wizard.systems.kubernetes.events import events_about
from wizard.systems.redact import redact, secret_literals
from wizard.systems.workload.hook_jobs import HookJob, hook_jobs

if TYPE_CHECKING:
    from wizard.systems.access import Systems
    from wizard.systems.workload import Pod, RolloutStatus

LOG_LINES = 200
SHOWN_LINES = 5
EVENTS_SHOWN = 5

T = TypeVar("T")


def aftermath(systems: Systems, problem: Problem) -> Evidence:
    """Release, history, pods, hook Jobs, events and logs as they are now.

    Whatever cannot be read says why in its place.
    """
    systems.forget()
    hide = _secrets(systems)
    cluster, target = systems.cluster, systems.target
    sections = {"what happened": "\n".join((f"{problem.id} {problem.what}", *problem.detail))}
    sections["release"] = _text(lambda: _release(systems))
    sections["rollout"] = sections["hook Jobs"] = "none"
    status = _read(sections, "rollout", None, lambda: _status(systems))
    jobs: tuple[HookJob, ...] = ()
    jobs = _read(
        sections,
        "hook Jobs",
        jobs,
        lambda: hook_jobs(cluster, systems.installation.namespace, target.release),
    )
    sections["live"] = _text(lambda: _live(systems, status))
    if status:
        pods = [f"pod {pod.name} on {pod.node or 'no node'}: {pod.words}, image {pod.image}"
                for pod in status.pods]  # fmt: skip
        sections["rollout"] = "\n".join((status.counts, *pods))
    if jobs:
        sections["hook Jobs"] = "\n".join(f"{job.name}: {job.words}" for job in jobs)
    blocking = _blocking(status, jobs)
    sections["events"] = _text(lambda: "\n".join(_events(systems, status, jobs)) or "none")
    events = sections["events"].splitlines()
    logs = {pod.name: _log(systems, pod) for pod in blocking}
    sections |= {f"log of pod {name}": text for name, text in logs.items()}
    sections = {title: redact(text, hide) for title, text in sections.items()}
    summary = [*sections["release"].splitlines()[:1], sections["live"]]
    summary += _told(blocking, logs, events)
    return Evidence(tuple(redact(line, hide) for line in summary if line), sections)


def _told(blocking: list[Pod], logs: dict[str, str], events: list[str]) -> Iterator[str]:
    """The pod that blocks, its node, the end of its log, and the events about it."""
    for pod in blocking[:1]:
        node = f"on node {pod.node}" if pod.node else "on no node yet"
        yield f"blocking: pod {pod.name} {node}: {pod.words}, {pod.restarted}"
        for line in logs[pod.name].splitlines()[-SHOWN_LINES:]:
            yield f"  log: {line}"
        for event in [it for it in events if pod.name in it][-EVENTS_SHOWN:]:
            yield f"  event: {event}"
    if not blocking:
        yield from (f"event: {it}" for it in events[-EVENTS_SHOWN:] if it.startswith("! "))


def _blocking(status: RolloutStatus | None, jobs: tuple[HookJob, ...]) -> list[Pod]:
    """The pods that stand in the way: of failed hook Jobs, then new ones that are not ready."""
    found = [job.pods[0] for job in jobs if job.pods and (job.state == "failed" or job.stuck)]
    if status:
        found += [
            pod
            for pod in status.pods
            if pod.owner == status.newest and not pod.ready and not pod.terminating
        ]
    return found[:4]


def _release(systems: Systems) -> str:
    history = systems.history
    last = history[-1]
    head = f"release {systems.target.release}: revision {last.revision} is {last.status}"
    rows = [f"{it.revision}  {it.updated}  {it.status}  {it.chart}  {it.description}"
            for it in history[-10:]]  # fmt: skip
    return "\n".join((head, *rows))


def _live(systems: Systems, status: RolloutStatus | None) -> str:
    """What is effective, whatever the release says of itself."""
    lacking = systems.lacking_live
    said = "has both variables" if not lacking else f"lacks {' and '.join(lacking)}"
    ready = [pod for pod in status.pods if pod.ready and not pod.terminating] if status else []
    having = [pod for pod in ready if all(pod.env.get(name) == "true" for name in WANTED)]
    pods = f"{len(having)} of {len(ready)} ready pods run with both"
    return f"what is live: the backend's template {said}; {pods}"


def _events(systems: Systems, status: RolloutStatus | None, jobs: tuple[HookJob, ...]) -> list[str]:
    pods = [*(status.pods if status else ()), *(pod for job in jobs for pod in job.pods)]
    names = {systems.installation.backend.name, *(job.name for job in jobs)}
    names |= {pod.name for pod in pods} | {pod.name.rsplit("-", 1)[0] for pod in pods}
    found = events_about(systems.cluster, systems.installation.namespace, names)
    return [f"{'! ' if it.warning else ''}{it.at} {it.line}" for it in found[-50:]]


def _log(systems: Systems, pod: Pod) -> str:
    """The end of a pod's log; of its last run where it was restarted since."""
    namespace = systems.installation.namespace
    problem: Problem | None = None
    for previous in (True, False) if pod.restarts else (False,):
        try:
            return systems.cluster.log(
                pod.name, namespace, pod.container, lines=LOG_LINES, previous=previous
            )
        except Problem as found:
            problem = found
    return f"(no log: {problem.what})" if problem else ""


def _read(sections: dict[str, str], title: str, otherwise: T, read: Callable[[], T]) -> T:
    try:
        return read()
    except Problem as problem:
        sections[title] = f"(not read: {problem.what})"
        return otherwise


def _status(systems: Systems) -> RolloutStatus | None:
    return systems.workload.status()


def _text(read: Callable[[], str]) -> str:
    try:
        return read()
    except Problem as problem:
        return f"(not read: {problem.what})"


def _secrets(systems: Systems) -> set[str]:
    """Every secret of the values, deployed and in the files, and the API key."""
    found = {systems.target.api_key} - {""}
    for name in ("deployed_values", "file_values"):
        try:
            found |= secret_literals(getattr(systems, name))
        except Problem:
            continue
    return found
