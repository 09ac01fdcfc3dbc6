"""A plan as a page, and its words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from wizard.console.stages import in_words
from wizard.formats import blocks
from wizard.options import BY_NAME
from wizard.problems import Exit
from wizard.records.changes import Exact, rendered_diff
from wizard.records.findings import Finding, State
from wizard.records.plan import (
    Answer,
    Plan,
    PlannedChange,
    PlannedStep,
    Precondition,
    ServerCheck,
    short,
)
from wizard.records.plan_json import ID

LEFT_OUT = "left out"
NOTHING_TO_DO = "Nothing to do."
_WHY: Mapping[int, str] = {
    Exit.FAILED: "a check failed",
    Exit.UNKNOWN: "not everything could be checked",
}
"""Why a plan is not complete; else it was refused."""


def plan_page(plan: Plan, document: Mapping[str, Any], notes: Sequence[str] = ()) -> blocks.Page:
    """The plan, whose JSON has its id; notes are what a reader has to know first."""
    id = str(document[ID])
    return blocks.Page(
        "Change plan",
        id[:12],
        verdict(plan),
        "bad" if plan.exit_code else "good" if plan.no_changes else "changes",
        document,
        target_rows(plan),
        [_section(plan, step) for step in plan.steps],
        header_rows(plan, id),
        notes,
        list(_ends(plan)),
        input_rows(plan),
    )


def _section(plan: Plan, step: PlannedStep) -> blocks.Section:
    return blocks.Section(
        step.title,
        list(_change(plan, step.change)) if step.change else (),
        step.number,
        state_of(step),
        "changes" if step.change else "right" if step.right else "open",
        step.findings,
        next_steps=not step.change,
    )


def _change(plan: Plan, change: PlannedChange) -> Iterator[blocks.Block]:
    yield blocks.Heading("This will be done")
    yield blocks.Items(change.items, change.details)
    yield from map(blocks.Code, (*change.exact, *rendered_diff(change.rendered)))
    for it in change.consents:
        subject = "needs a yes of its own"
        yield blocks.Note(Finding(it.id, State.FAIL, subject, it.what, it.detail, it.next_step))
    yield blocks.Facts(change_rows(plan, change))
    yield blocks.Basis([(one.name, precondition_value(plan, one)) for one in change.preconditions])


def _ends(plan: Plan) -> Iterator[blocks.Section]:
    """What follows the steps."""
    if plan.planned:
        mark = [f"apply also writes: {plan.mark}"] if plan.mark else []
        checks = blocks.Points([*plan.checks, *mark])
        yield blocks.Section("What will be checked afterwards", (checks,))
        yield blocks.Section(
            "What cannot be known beforehand", (blocks.Points(plan.cannot_be_known),)
        )
    if rights := rights_lines(plan):
        role = [blocks.Code(Exact("yaml", plan.rights.role))] if plan.rights.role else []
        yield blocks.Section("Rights in the cluster", (blocks.Points(rights), *role))


def verdict(plan: Plan) -> str:
    """The plan in one line."""
    if plan.consents:
        options = [consent.option for consent in plan.consents]
        flags = ", ".join(BY_NAME[it].flags[-1] if it in BY_NAME else it for it in options)
        return f"Not to be carried out without {flags}. Exit code {plan.exit_code}."
    if plan.exit_code != Exit.OK:
        why = _WHY.get(plan.exit_code, "it was refused")
        return f"No complete plan: {why}. Exit code {plan.exit_code}."
    if not plan.planned:
        left = ", ".join(step.name for step in plan.steps if state_of(step) == LEFT_OUT)
        return f"Nothing to do in what was looked at; left out: {left}." if left else NOTHING_TO_DO
    count = f"{several(plan.changes, 'change')} in {several(len(plan.planned), 'step')}"
    rollouts = f"{several(plan.rollouts, 'rollout')} of the backend"
    rollouts += " (1 with --one-rollout)" if plan.rollouts > 1 else ""
    more = len(plan.rights.lacking)
    lacks = f" Whoever applies it needs {several(more, 'right')} that its maker lacks."
    return f"{count}, {rollouts}. Nothing was changed.{lacks if more else ''}"


def state_of(step: PlannedStep) -> str:
    """What a plan does about a step, in a few words."""
    if step.change:
        return several(len(step.change.items), "change")
    if all(finding.state is State.SKIP for finding in step.findings):
        return LEFT_OUT
    return "right already" if step.right else "looked at"


def header_rows(plan: Plan, id: str) -> list[tuple[str, str]]:
    """What the plan is, a row each; what is empty is left out."""
    numbers = [plan.numbers.get(name, 0) for name in plan.order]
    order = f"steps {', '.join(map(str, numbers))}" if numbers != sorted(numbers) else ""
    rows = [
        ("plan", id),
        ("made", f"{moment(plan.created.at)} by {plan.created.by} on {plan.created.host}"),
        ("with", f"{plan.tool.name} {plan.tool.version}"),
        ("expires", moment(plan.expires_at)),
        ("order", order),
        ("ticket", plan.ticket),
        ("reason", plan.reason),
        ("approval", f"apply --approve {id[:12]}" if plan.needs_approval else ""),
    ]
    return [row for row in rows if row[1]]


def target_rows(plan: Plan) -> list[tuple[str, str]]:
    """What the plan is for, a row each."""
    target = plan.target
    rows = [
        ("context", target.context),
        ("api server", target.api_server),
        ("namespace", target.namespace),
        ("release", target.release),
        ("revision", target.revision),
        ("chart", target.chart),
        ("cluster uid", target.cluster_uid),
        ("namespace uid", target.namespace_uid),
        ("database", target.database),
        ("database system", target.system_identifier),
        ("table oid", target.organizations_oid),
    ]
    found = [row for row in rows if row[1]]
    return found + [("not read", line) for line in target.unread]


def input_rows(plan: Plan) -> list[tuple[str, str]]:
    """What the plan was made from, a row each."""
    inputs = plan.inputs
    rows = [
        ("chart", f"{inputs.chart} {inputs.chart_version}".strip()),
        ("chart digest", inputs.chart_digest or f"none: {inputs.no_digest}"),
        ("helm", inputs.helm),
    ]
    for file in inputs.values:
        edited = "edited by this plan" if file.before != file.after else "not edited"
        rows.append(("values file", f"{file.path} ({edited}, {short(file.before)})"))
    rows += [("answer", answer_line(answer)) for answer in inputs.answers]
    return [row for row in rows if row[1]]


def rights_lines(plan: Plan) -> list[str]:
    """What whoever applies the plan needs in the cluster, in words; the Role comes after it."""
    rights, found = plan.rights, []
    if rights.granted and not (rights.lacking or rights.not_told):
        has = "the right" if len(rights.granted) == 1 else f"all {len(rights.granted)} rights"
        found.append(f"its maker has {has} that applying it needs")
    if rights.not_told:
        count = several(len(rights.not_told), "right")
        found.append(f"the API server did not say who has {count} that applying it needs")
    if rights.lacking:
        found.append(
            f"whoever applies it needs {several(len(rights.lacking), 'right')} that its maker "
            "lacks; this grants them:"
        )
    return found


def answer_line(answer: Answer) -> str:
    """An answer with where it came from; a secret is only said to be there."""
    value = answer.value
    if value is None:
        text = "(secret)"
    elif isinstance(value, bool):
        text = "yes" if value else "no"
    else:
        text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return f"{answer.name} = {text}, from {answer.origin}"


def change_rows(plan: Plan, change: PlannedChange) -> list[tuple[str, str]]:
    """What a change means, a row each."""
    rows = [("effect", change.effect), ("risk", change.risk)]
    if change.duration:
        took = f"about {in_words(max(change.duration.seconds, 1))} ({change.duration.source})"
        rows.append(("duration", took))
    rows.append(("reversible", f"{change.reversible.value}: {change.because}"))
    rows.append(("undo", change.undo))
    if change.after:
        number = plan.numbers.get(change.after, "?")
        rows.append(("depends on", f"step {number}, which has not happened yet"))
    rows += [("server check", server_line(check)) for check in change.server_checks]
    return [row for row in rows if row[1]]


def precondition_value(plan: Plan, one: Precondition) -> str:
    """The value; a keyed hash is cut, because nobody compares it by eye."""
    value = short(one.value) if one.value else ""
    if not one.after:
        return value
    after = f"after step {plan.numbers.get(one.after, '?')}"
    return f"{after}: {value}" if value else after


def server_line(check: ServerCheck) -> str:
    """What the API server said."""
    if check.outcome == "accepted":
        return f"accepted by the API server (dry run): {check.what}"
    if check.outcome == "refused":
        return f"refused by the API server (dry run): {check.what}, because {check.because}"
    return f"could not be simulated: {check.what}, because {check.because}"


def moment(text: str) -> str:
    """A time as a person reads it, in UTC when it is."""
    return text.replace("T", " ").replace("+00:00", " UTC")


def several(number: int, what: str) -> str:
    """A count with its noun."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
