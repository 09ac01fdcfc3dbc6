"""What a new plan would do differently from one that was approved."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict

from wizard.formats.blocks import Facts, Page, Section
from wizard.formats.plan import answer_line, precondition_value
from wizard.planning.differences import Difference, essence, rendered_otherwise
from wizard.record import replace
from wizard.records.changes import Exact, FactKind
from wizard.records.plan import Plan, PlannedChange, PlannedStep, short

SCHEMA_VERSION = "1.0"
NONE = "none"
TARGET = ("namespace", "release", "cluster_uid", "namespace_uid", "database",
          "system_identifier", "organizations_oid")  # fmt: skip
INPUTS = ("chart", "chart_version", "chart_digest")
COMPLETE = "whether it is complete"


def compare(old: Plan, new: Plan) -> Iterator[Difference]:
    """Everything that the new plan rests on or does, and the old one otherwise.

    Both have to have the same key for their hashes.
    """
    for names, was, now in (
        (TARGET, old.target, new.target),
        (INPUTS, old.inputs, new.inputs),
    ):
        for name in names:
            yield from _pair(name.replace("_", " "), getattr(was, name), getattr(now, name))
    yield from _maps("answer ", _answers(old), _answers(new))
    for it in _maps("content of ", _files(old), _files(new)):
        yield replace(it, kind=FactKind.FILE)
    yield from _pair("order of the steps", " ".join(old.order), " ".join(new.order))
    for before, after in zip(old.steps, new.steps, strict=False):
        yield from _step(old, new, before, after)
    yield from _pair(COMPLETE, _complete(old), _complete(new))


def comparison(old_id: str, new_id: str, found: Sequence[Difference]) -> Page:
    """The comparison as a page."""
    document = {
        "schema_version": SCHEMA_VERSION,
        "plan": old_id,
        "new_plan": new_id,
        "same": not found,
        "differences": [
            {name: value for name, value in asdict(it).items() if name != "kind"} for it in found
        ],
    }
    count = f"{len(found)} thing{'s differ' if len(found) != 1 else ' differs'}"
    verdict = f"{count} from plan {old_id[:12]}."
    if not found:
        verdict = f"A new plan would do the same as plan {old_id[:12]}."
    sections = []
    for it in found:
        rows = [("approved", it.planned), ("now", it.now), ("changed by", it.who)]
        sections.append(Section(it.what, (Facts([row for row in rows if row[1]]),)))
    tone = "changes" if found else "good"
    return Page("Comparison", new_id[:12], verdict, tone, document, (), sections)


def _step(old: Plan, new: Plan, before: PlannedStep, after: PlannedStep) -> Iterator[Difference]:
    name = f"step {before.number}, {before.title}"
    was, now = before.change, after.change
    yield from _pair(name, _items(was), _items(now))
    if not was or not now:
        return
    kinds = {it.name: it.kind for it in (*was.preconditions, *now.preconditions)}
    for it in _maps("", _rests_on(old, was, now), _rests_on(new, now, was)):
        yield replace(it, kind=kinds.get(it.what, ""))
    yield from rendered_otherwise(was.rendered, now.rendered)
    if [essence(it) for it in was.exact] != [essence(it) for it in now.exact]:
        texts = [it.text for it in was.exact] != [it.text for it in now.exact]
        told = _exact if texts else _parameters
        yield from _pair(f"{name}: exactly", told(was.exact), told(now.exact))


def _pair(what: str, old: str, new: str) -> Iterator[Difference]:
    if old != new:
        yield Difference(what, short(old) or NONE, short(new) or NONE)


def _maps(prefix: str, old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[Difference]:
    for name in dict.fromkeys((*old, *new)):
        yield from _pair(prefix + name, old.get(name, ""), new.get(name, ""))


def _answers(plan: Plan) -> dict[str, str]:
    """What was told; where it came from makes no difference."""
    told = plan.inputs.answers
    return {it.name: answer_line(it).partition(" = ")[2].rpartition(", from ")[0] for it in told}


def _files(plan: Plan) -> dict[str, str]:
    return {file.path: file.before for file in plan.inputs.values}


def _items(change: PlannedChange | None) -> str:
    return "; ".join(change.items) if change else "nothing to do"


def _rests_on(plan: Plan, change: PlannedChange, other: PlannedChange) -> dict[str, str]:
    """Each precondition; part by part where both plans know the parts."""
    known = {it.name for it in other.preconditions if it.parts}
    found: dict[str, str] = {}
    for it in change.preconditions:
        if it.parts and it.name in known:
            found |= {f"{it.name}: {part.name}": part.value for part in it.parts}
        else:
            found[it.name] = it.value if it.value and not it.after else precondition_value(plan, it)
    return found


def _exact(exact: Sequence[Exact]) -> str:
    """On one line: it is compared by eye."""
    return " | ".join(" ".join((*it.text.split(), *it.parameters)) for it in exact)


def _parameters(exact: Sequence[Exact]) -> str:
    return " ".join(parameter for it in exact for parameter in it.parameters)


def _complete(plan: Plan) -> str:
    lacking = ", ".join(consent.what for consent in plan.consents)
    return "yes" if plan.exit_code == 0 else f"no (exit code {plan.exit_code}) {lacking}".strip()
