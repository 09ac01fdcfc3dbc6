"""The chart's hook Jobs while helm runs them, in the order in which they were created.

A failing one is left to helm, which ends as soon as the Job has. One whose pod can never start is
not: helm would wait for its whole timeout.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wizard.record import dataclass
from wizard.systems.kubernetes.cluster import JOBS, PODS, Cluster
from wizard.systems.workload.pods import HOPELESS, Pod, read_pod
from wizard.systems.workload.status import owners

HOOK = "helm.sh/hook"
INSTANCE = "app.kubernetes.io/instance"
COUNTED = frozenset({"CrashLoopBackOff"})
"""What the Job itself counts and ends by its `backoffLimit`; helm then ends too."""


@dataclass(frozen=True)
class HookJob:
    """One hook Job.

    Attributes:
        state: `running`, `succeeded` or `failed`.
        words: the state with what explains it (`failed: BackoffLimitExceeded`).
        pods: its pods, the newest first.
    """

    name: str
    uid: str
    state: str
    words: str
    pods: tuple[Pod, ...] = ()

    @property
    def stuck(self) -> str:
        """Why it will neither succeed nor fail by itself; empty while it may."""
        if self.state != "running":
            return ""
        for pod in self.pods:
            if pod.reason in HOPELESS - COUNTED:
                return f"hook Job {self.name}, pod {pod.name}: {pod.reason}"
        return ""


def hook_jobs(
    cluster: Cluster, namespace: str, release: str, before: frozenset[str] = frozenset()
) -> tuple[HookJob, ...]:
    """The hook Jobs of a release that are there, the oldest first, but for those in `before`.

    Raises:
        Problem: Jobs or pods cannot be listed.
    """
    found = [
        job
        for job in cluster.list(JOBS, namespace)
        if _is_hook(job, release) and job["metadata"]["uid"] not in before
    ]
    if not found:
        return ()
    pods = [pod for pod in cluster.list(PODS, namespace) if owners(pod)]
    found.sort(key=lambda job: str(job["metadata"].get("creationTimestamp") or ""))
    return tuple(_read(job, pods) for job in found)


def _is_hook(job: Mapping[str, Any], release: str) -> bool:
    about = job["metadata"]
    if HOOK not in (about.get("annotations") or {}):
        return False
    return bool((about.get("labels") or {}).get(INSTANCE, release) == release)


def _read(job: Mapping[str, Any], pods: list[dict[str, Any]]) -> HookJob:
    about, status = job["metadata"], job.get("status") or {}
    uid = str(about["uid"])
    own = sorted(
        (read_pod(pod, "") for pod in pods if uid in owners(pod)),
        key=lambda pod: (pod.created is not None, pod.created, pod.name),
        reverse=True,
    )
    true = {
        str(it["type"]): str(it.get("reason") or "")
        for it in status.get("conditions") or []
        if it.get("status") == "True"
    }
    if "Complete" in true:
        return HookJob(str(about["name"]), uid, "succeeded", "succeeded", tuple(own))
    if "Failed" in true:
        words = f"failed: {true['Failed'] or 'no reason given'}"
        return HookJob(str(about["name"]), uid, "failed", words, tuple(own))
    return HookJob(str(about["name"]), uid, "running", _running(job, own), tuple(own))


def _running(job: Mapping[str, Any], pods: list[Pod]) -> str:
    failures = int((job.get("status") or {}).get("failed") or 0)
    words = "running" if pods else "waits for its pod"
    if pods and pods[0].reason:
        words = f"running, pod {pods[0].name}: {pods[0].reason}"
    if failures:
        limit = int((job.get("spec") or {}).get("backoffLimit", 6))
        words += f", failed {failures} of at most {limit + 1} times"
    return words
