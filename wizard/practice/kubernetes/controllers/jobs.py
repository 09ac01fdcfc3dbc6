"""Jobs: pods that run to their end, tries that fail, and what happens to a Job afterwards."""

from __future__ import annotations

import time
from typing import Any

from wizard.practice.kubernetes.controllers.base import (
    Context,
    Controller,
    age,
    condition,
    is_done,
    is_ending,
    is_ready,
    key_of,
    told_true,
)
from wizard.practice.kubernetes.json_tools import clone, dig, now, without_empty

Json = dict[str, Any]


def _restarts(pod: Json) -> int:
    """How often the containers of a pod were tried again, one more for each that is crashing."""
    if pod["spec"].get("restartPolicy") != "OnFailure":
        return 0
    return sum(
        int(one["restartCount"]) + ("waiting" in one["state"] and bool(one["lastState"]))
        for one in dig(pod, "status", "containerStatuses", default=[])
    )


class Jobs(Controller):
    """The Job controller. A try that fails is a new pod, also with restartPolicy OnFailure."""

    kind = "Job"
    source = "job-controller"
    owns = ("Pod",)

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._not_before: dict[str, float] = {}

    def sync(self, obj: Json) -> None:
        """Start, count or finish the Job."""
        if is_ending(obj):
            return
        if ended := told_true(obj, "Complete", "Failed"):
            self._expire(obj, ended["lastTransitionTime"])
            return
        pods = self.api.owned("Pod", obj)
        changed = clone(obj)
        status = changed.setdefault("status", {})
        succeeded = [pod for pod in pods if dig(pod, "status", "phase") == "Succeeded"]
        failed = [pod for pod in pods if dig(pod, "status", "phase") == "Failed"]
        again = sum(map(_restarts, pods))
        active = [pod for pod in pods if not is_done(pod) and not is_ending(pod)]
        spec, lost = obj["spec"], 0
        wanted = int(spec.get("completions") or 1)
        self._suspend(changed, suspended=bool(spec.get("suspend")))
        verdict = self._verdict(obj, status, len(succeeded) >= wanted, len(failed) or again)
        if verdict:
            self._finish(changed, verdict)
        if verdict or spec.get("suspend"):
            for pod in active:
                self.delete(pod)
            lost, active = len(active) if verdict else 0, []
        else:
            active = self._fill(obj, active, wanted - len(succeeded), len(failed))
        self._count(status, active, len(succeeded), len(failed) + lost)
        for one in status.get("conditions") or []:
            one.setdefault("lastProbeTime", one["lastTransitionTime"])
        self.api.change(changed)

    def _suspend(self, job: Json, *, suspended: bool) -> None:
        """Stop the clock of a suspended Job, and start it with one that goes on."""
        status = job["status"]
        if suspended:
            status.pop("startTime", None)
        else:
            status.setdefault("startTime", now())
        if suspended == bool(told_true(job, "Suspended")):
            return
        word = "Suspended" if suspended else "Resumed"
        text = f"Job {word.lower()}"
        condition(status, "Suspended", str(suspended), f"Job{word}", text)
        self.tell(job, word, text)

    def _verdict(self, obj: Json, status: Json, enough: bool, failed: int) -> str:  # noqa: FBT001
        """Complete, the reason for having failed, or ""."""
        if enough:
            return "Complete"
        if failed > int(obj["spec"].get("backoffLimit", 6)):
            return "BackoffLimitExceeded"
        limit = obj["spec"].get("activeDeadlineSeconds")
        if limit is None or "startTime" not in status:
            return ""
        left = float(limit) - age(status["startTime"])
        if left <= 0:
            return "DeadlineExceeded"
        self.again(key_of(obj), left + 0.1)
        return ""

    def _finish(self, job: Json, verdict: str) -> None:
        status = job["status"]
        if verdict == "Complete":
            text = "Reached expected number of succeeded pods"
            condition(status, "SuccessCriteriaMet", "True", "CompletionsReached", text)
            condition(status, "Complete", "True", "CompletionsReached", text)
            status["completionTime"] = now()
            self.tell(job, "Completed", "Job completed")
        else:
            text = {
                "BackoffLimitExceeded": "Job has reached the specified backoff limit",
                "DeadlineExceeded": "Job was active longer than specified deadline",
            }[verdict]
            condition(status, "FailureTarget", "True", verdict, text)
            condition(status, "Failed", "True", verdict, text)
            self.tell(job, verdict, text, warning=True)

    def _fill(self, job: Json, active: list[Json], left: int, failed: int) -> list[Json]:
        """Start pods up to the parallelism; after a failure only once the retry time is over."""
        uid = job["metadata"]["uid"]
        room = min(int(job["spec"].get("parallelism", 1)), left) - len(active)
        noted = int(dig(job, "status", "failed", default=0))
        if failed > noted:
            self._not_before[uid] = time.monotonic() + self.context.times.retry
        wait = self._not_before.get(uid, 0.0) - time.monotonic()
        if room > 0 and wait > 0:
            self.again(key_of(job), wait)
            return active
        return [*active, *self.start_pods(job, room)[0]]

    def _count(self, status: Json, active: list[Json], succeeded: int, failed: int) -> None:
        for field in ("active", "succeeded", "failed"):
            status.pop(field, None)
        status |= without_empty(active=len(active), succeeded=succeeded, failed=failed)
        ready = sum(map(is_ready, active))
        status |= {"ready": ready, "terminating": 0, "uncountedTerminatedPods": {}}

    def _expire(self, job: Json, ended: str) -> None:
        """Delete a finished Job once its ttlSecondsAfterFinished is over."""
        limit = job["spec"].get("ttlSecondsAfterFinished")
        if limit is None:
            return
        left = float(limit) - age(ended)
        if left > 0:
            self.again(key_of(job), left + 0.1)
        else:
            self.delete(job, propagationPolicy="Background")
