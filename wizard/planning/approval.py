"""What has to hold before a plan is applied; all of it is looked at before the first write.

The plan is read as it was approved: its settings, its signature, and whether it was applied before.
The marks of an applied plan are in the journal and on the backend's workload: an annotation needs
no right that the change does not need anyway (a ConfigMap or a Lease would need `create`), replaces
no pod, and is left alone by helm.

Signatures are detached ones, made with `ssh-keygen -Y sign -n langsmith-audit-plan -f KEY
plan.json`; the signature is then in `plan.json.sig` (ssh-keygen(1), "ALLOWED SIGNERS").

`apply` goes by the rows that the plan names: who came since is left alone. More than 1,000 are
named by a fingerprint alone, and who came since makes that plan stale. A plan is used up when its
first change is begun: what a half applied one left is for `apply` of the same plan, undo or a new
plan. `run` does not go on with it, since its options are not what was approved. A step whose
change was registered and not recorded counts as made when it proposes nothing more; one that was
made and proposes something was taken back, and the plan is refused.
"""

from __future__ import annotations

import re
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from wizard.options import BY_NAME, REACHING, SELECTING, STEP_NAMES, Kind
from wizard.problems import Exit, Problem
from wizard.records.journal import runs
from wizard.records.plan import Plan
from wizard.records.plan_reading import GENERATION, Reading
from wizard.settings import Settings
from wizard.systems.access import Systems
from wizard.systems.calls import environment

SHORTEST = 12
"""Characters of the id that are enough to approve it."""


def refuse_unfit(reading: Reading, path: Path, approved: str | None) -> None:
    """Refuse what can be told without the cluster.

    Raises:
        Problem: LSA912 altered or not of this version, LSA913 expired, LSA914 not complete,
            LSA915 not approved; all of exit 7.
    """
    plan = reading.plan
    if reading.altered:
        raise _refused("LSA912", "The plan was altered: its id does not match its content", path,
                       "use the file as it was made, or make a new plan")  # fmt: skip
    if reading.newer or [step.name for step in plan.steps] != list(STEP_NAMES):
        raise _refused("LSA912", f"The plan is of version {plan.tool.version}, which knows more "
                       "than this one; it can be shown, not applied", path,
                       f"apply it with langsmith-audit {plan.tool.version}")  # fmt: skip
    rests_on = {it.kind for _, change in plan.planned for it in change.preconditions}
    if GENERATION in rests_on:
        raise _refused("LSA912", f"The plan is of version {plan.tool.version}, an earlier one: it "
                       "rests on a generation, which the mark of an apply itself raises", path,
                       "make a new plan; plan --compare shows what differs")  # fmt: skip
    if plan.expired(datetime.now(UTC)):
        raise _refused("LSA913", f"The plan expired at {plan.expires_at}", path,
                       "make a new plan; plan --compare shows what differs")  # fmt: skip
    if plan.exit_code != Exit.OK or plan.consents:
        raise _refused("LSA914", "The plan is not complete", path,
                       "langsmith-audit show tells what it lacks; make a new plan")  # fmt: skip
    _refuse_unapproved(reading, path, approved)


def _refuse_unapproved(reading: Reading, path: Path, approved: str | None) -> None:
    if approved is None and not reading.plan.needs_approval:
        return
    wanted = f"--approve {reading.id[:SHORTEST]}"
    if approved is None:
        raise _refused("LSA915", "The plan asks to be approved by its id", path,
                       f"once it is approved: {wanted}")  # fmt: skip
    given = approved.lower()
    if len(given) < SHORTEST or not reading.id.startswith(given):
        raise _refused("LSA915", f"This is plan {reading.id[:SHORTEST]}, not the approved one",
                       path, f"get this plan approved, then {wanted}")  # fmt: skip


def _refused(id: str, what: str, path: Path, next_step: str) -> Problem:
    return Problem(id, what, on=f"file {path}", next_step=next_step, exit=Exit.REFUSED)


MARK = "langsmith-audit/applied-plan"
NO_RIGHT = "LSA207"


def applied_before(systems: Systems, id: str, besides: str = "") -> str:
    """When and where the plan was applied, begun at least; empty when it was not.

    `besides` is the run that is asking.
    """
    for run in reversed(runs()):
        for entry in run.entries:
            if run.id != besides and entry["event"] == "begin" and entry.get("plan") == id:
                return f"by run {run.id} of this machine, at {entry['at']}"
    about = systems.workload.live()["metadata"]
    mark = str((about.get("annotations") or {}).get(MARK, ""))
    found, _, when = mark.partition(" ")
    if besides and when.endswith(f" run {besides}"):
        return ""
    return f"as the annotation {MARK} of {systems.workload.on} says: {when}" if found == id else ""


def mark(systems: Systems, id: str, run: str) -> str:
    """Mark the plan as applied in the cluster; why that could not be done, else empty."""
    text = f"{id} {datetime.now(UTC).isoformat(timespec='seconds')} run {run}"
    try:
        systems.workload.annotate(MARK, text)
    except Problem as problem:
        if problem.id != NO_RIGHT:
            raise
        return problem.what
    return ""


ORIGIN = "the plan"
_TEXTS = (Kind.TEXT, Kind.CHOICE)


def settings_of(plan: Plan, told: Settings, *, exactly: bool) -> Settings:
    """What was told here, and from the plan what was not.

    With `exactly`, only how the systems are reached is taken from here, and the organizations are
    those whose rows the plan names, whoever is there by now.

    Raises:
        Problem: LSA921, the plan has an answer that this version does not take.
    """
    settings = Settings()
    for name, value in told.values.items():
        if name in REACHING or not exactly:
            settings.put(name, value, told.origins[name])
    chosen = any(settings.told(name) for name in SELECTING)
    for answer in plan.inputs.answers:
        if chosen and answer.name in SELECTING:
            continue
        if answer.name in REACHING and exactly and answer.name != "context":
            continue
        if not settings.told(answer.name) and answer.value is not None:
            settings.put(answer.name, _taken(answer.name, answer.value), ORIGIN)
    if exactly:
        _settle(plan, settings)
    return settings


def _settle(plan: Plan, settings: Settings) -> None:
    """What was a default when the plan was made is the plan's own word now."""
    target = plan.target
    settings.put("namespace", target.namespace, ORIGIN)
    settings.put("release", target.release, ORIGIN)
    if plan.inputs.chart_version:
        settings.put("chart_version", plan.inputs.chart_version, ORIGIN)
    rows = [it for _, change in plan.planned for it in change.exact if it.kind == "sql"]
    if rows and rows[0].parameters and not settings.told("org"):
        for name in ("all", "only_off"):
            settings.values.pop(name, None)
        settings.put("org", list(rows[0].parameters), ORIGIN)


def _taken(name: str, value: Any) -> Any:
    """The value, when it is what the option takes."""
    option = BY_NAME.get(name)
    kind = option.kind if option else None
    words = value if isinstance(value, list) else [value]
    fits = (
        (kind is Kind.SWITCH and isinstance(value, bool))
        or (kind in (Kind.LIST, Kind.PATHS) and isinstance(value, list))
        or (kind in _TEXTS and isinstance(value, str))
        or (kind is Kind.SECONDS and isinstance(value, int) and 0 < value <= 86_400)
    )
    texts = kind in (Kind.SWITCH, Kind.SECONDS) or all(isinstance(word, str) for word in words)
    if option and fits and texts and (not option.choices or set(words) <= set(option.choices)):
        return value
    raise Problem(
        "LSA921",
        f"The plan's answer for {name} is none that this version takes",
        on=f"answer {name} of the plan",
        next_step="make a new plan with this version",
        exit=Exit.REFUSED,
    )


NAMESPACE = "langsmith-audit-plan"
LIMIT = 20.0
"""Seconds; a key in a hardware token is not asked for to verify."""


def signer(plan: Path, data: bytes, signature: Path, allowed: Path) -> str:
    """Who signed the plan's file, whose bytes are `data`: the allowed signers that have the key.

    A pattern of the file names nobody, so it is told as one; with it the key.

    Raises:
        Problem: LSA916, it is not verified, for whatever reason.
    """
    common = ["-s", str(signature), "-f", str(allowed), "-n", NAMESPACE]
    found = _ssh_keygen(plan, ["-Y", "find-principals", *common], b"").splitlines()
    names = [name for name in found if not set(name) & set("*?!")]
    if not found:
        raise _not_verified(plan, ("no allowed signer has this key",))
    said = _ssh_keygen(plan, ["-Y", "verify", "-I", (names or found)[0], *common], data)
    key = re.search(r"with (\S+ key \S+)", said)
    whose = " or ".join(names) or f"one of {' or '.join(found)}"
    return f"{whose} ({key[1]})" if key else whose


def _ssh_keygen(plan: Path, argv: list[str], data: bytes) -> str:
    try:
        done = subprocess.run(
            ["ssh-keygen", *argv],
            input=data,
            capture_output=True,
            env=environment(),
            timeout=LIMIT,
            check=False,
        )
    except OSError as error:
        raise _not_verified(plan, (f"ssh-keygen cannot be run: {error.strerror}",)) from None
    except subprocess.TimeoutExpired:
        raise _not_verified(plan, (f"ssh-keygen did not end within {LIMIT:.0f} s",)) from None
    if done.returncode != 0:
        words = (done.stdout + done.stderr).decode("utf-8", "replace").strip()
        raise _not_verified(plan, tuple(words.splitlines()[:5]))
    return done.stdout.decode("utf-8", "replace")


def _not_verified(plan: Path, words: tuple[str, ...]) -> Problem:
    return Problem(
        "LSA916",
        "The plan's signature is not verified",
        on=f"file {plan}",
        next_step=f"have this very file signed: ssh-keygen -Y sign -n {NAMESPACE} -f KEY {plan}; "
        "give the allowed signers with --allowed-signers",
        exit=Exit.REFUSED,
        detail=words,
    )
