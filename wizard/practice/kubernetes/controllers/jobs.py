"""Jobs: pods that run to their end, tries that fail, and what happens to a Job afterwards."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

from wizard.practice.kubernetes.api import name_suffix
from wizard.practice.kubernetes.controllers.base import (
    Context,
    Controller,
    Key,
    condition,
    is_done,
    is_ending,
    is_ready,
    pod_from,
)
from wizard.practice.kubernetes.errors import ApiError
from wizard.practice.kubernetes.json_tools import clone, dig, now, parse_time

Json = dict[str, Any]

_SOURCE = "job-controller"


def _finished(job: Json) -> bool:
    return any(
        one["type"] in ("Complete", "Failed") and one["status"] == "True"
        for one in dig(job, "status", "conditions", default=[])
    )


def _restarts(pod: Json) -> int:
    """How often the containers of a pod were tried again, one more for each that is crashing."""
    if pod["spec"].get("restartPolicy") != "OnFailure":
        return 0
    return sum(
        int(one["restartCount"]) + ("waiting" in one["state"] and bool(one["lastState"]))
        for one in dig(pod, "status", "containerStatuses", default=[])
    )


def _age(text: str) -> float:
    return (datetime.now(UTC) - parse_time(text)).total_seconds()


class Jobs(Controller):
    """The Job controller. A try that fails is a new pod, also with restartPolicy OnFailure."""

    kind = "Job"
    owns = ("Pod",)

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._not_before: dict[str, float] = {}

    def sync(self, obj: Json) -> None:
        """Start, count or finish the Job."""
        key: Key = (obj["metadata"]["namespace"], obj["metadata"]["name"])
        if is_ending(obj):
            return
        if _finished(obj):
            self._expire(obj, key)
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
            self._end(active)
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
        was = any(
            one["type"] == "Suspended" and one["status"] == "True"
            for one in status.get("conditions") or []
        )
        if suspended:
            status.pop("startTime", None)
        else:
            status.setdefault("startTime", now())
        if suspended == was:
            return
        word = "Suspended" if suspended else "Resumed"
        text = f"Job {word.lower()}"
        condition(status, "Suspended", str(suspended), f"Job{word}", text)
        self.context.event(job, word, text, source=_SOURCE)

    def _end(self, pods: list[Json]) -> None:
        for pod in pods:
            meta = pod["metadata"]
            self.api.delete(self.api.named("Pod"), meta["namespace"], meta["name"])

    def _verdict(self, obj: Json, status: Json, enough: bool, failed: int) -> str:  # noqa: FBT001
        """Complete, the reason for having failed, or ""."""
        if enough:
            return "Complete"
        if failed > int(obj["spec"].get("backoffLimit", 6)):
            return "BackoffLimitExceeded"
        limit = obj["spec"].get("activeDeadlineSeconds")
        if limit is None or "startTime" not in status:
            return ""
        left = float(limit) - _age(status["startTime"])
        if left <= 0:
            return "DeadlineExceeded"
        self.again((obj["metadata"]["namespace"], obj["metadata"]["name"]), left + 0.1)
        return ""

    def _finish(self, job: Json, verdict: str) -> None:
        status = job["status"]
        if verdict == "Complete":
            text = "Reached expected number of succeeded pods"
            condition(status, "SuccessCriteriaMet", "True", "CompletionsReached", text)
            condition(status, "Complete", "True", "CompletionsReached", text)
            status["completionTime"] = now()
            self.context.event(job, "Completed", "Job completed", source=_SOURCE)
        else:
            text = {
                "BackoffLimitExceeded": "Job has reached the specified backoff limit",
                "DeadlineExceeded": "Job was active longer than specified deadline",
            }[verdict]
            condition(status, "FailureTarget", "True", verdict, text)
            condition(status, "Failed", "True", verdict, text)
            self.context.event(job, verdict, text, source=_SOURCE, warning=True)

    def _fill(self, job: Json, active: list[Json], left: int, failed: int) -> list[Json]:
        """Start pods up to the parallelism; after a failure only once the retry time is over."""
        meta = job["metadata"]
        room = min(int(job["spec"].get("parallelism", 1)), left) - len(active)
        noted = int(dig(job, "status", "failed", default=0))
        if failed > noted:
            self._not_before[meta["uid"]] = time.monotonic() + self.context.times.retry
        wait = self._not_before.get(meta["uid"], 0.0) - time.monotonic()
        if room > 0 and wait > 0:
            self.again((meta["namespace"], meta["name"]), wait)
            return active
        started = list(active)
        for _ in range(room):
            name = f"{meta['name']}-{name_suffix()}"
            pod = pod_from(job["spec"]["template"], job, name)
            pod["metadata"]["generateName"] = f"{meta['name']}-"
            try:
                started.append(self.api.create(self.api.named("Pod"), meta["namespace"], pod))
            except ApiError as refusal:
                if refusal.code != 403:
                    raise
                text = f"Error creating: {refusal.message}"
                self.context.event(job, "FailedCreate", text, source=_SOURCE, warning=True)
                self.again((meta["namespace"], meta["name"]), self.context.times.retry)
                break
            self.context.event(job, "SuccessfulCreate", f"Created pod: {name}", source=_SOURCE)
        return started

    def _count(self, status: Json, active: list[Json], succeeded: int, failed: int) -> None:
        numbers = {"active": len(active), "succeeded": succeeded, "failed": failed}
        for field, number in numbers.items():
            status.pop(field, None)
            if number:
                status[field] = number
        status["ready"] = sum(map(is_ready, active))
        status["terminating"] = 0
        status["uncountedTerminatedPods"] = {}

    def _expire(self, job: Json, key: Key) -> None:
        """Delete a finished Job once its ttlSecondsAfterFinished is over."""
        limit = job["spec"].get("ttlSecondsAfterFinished")
        if limit is None:
            return
        ended = [
            one["lastTransitionTime"]
            for one in job["status"]["conditions"]
            if one["type"] in ("Complete", "Failed")
        ]
        left = float(limit) - _age(ended[0])
        if left > 0:
            self.again(key, left + 0.1)
        else:
            self.api.delete(self.api.named("Job"), *key, {"propagationPolicy": "Background"})
