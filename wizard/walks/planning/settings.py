"""The settings that a plan was made with, for walks that go by a plan."""

from __future__ import annotations

from typing import Any

from wizard.exits import Exit
from wizard.options import BY_NAME, REACHING, Kind, Settings
from wizard.problems import Problem
from wizard.records.plan_file import Plan

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
    for answer in plan.inputs.answers:
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
