"""The edit of one values file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from wizard.systems.values_yaml.changes import Change, Growth, corrected
from wizard.systems.values_yaml.common import Common, common, refuse_both
from wizard.systems.values_yaml.environment import Environment, environment
from wizard.systems.values_yaml.gitops import prefix
from wizard.systems.values_yaml.guards import line_of
from wizard.systems.values_yaml.model import BY_HAND, WANTED, Edit, EnvEntry, Outcome, Refusal
from wizard.systems.values_yaml.path import PATH, Place, Walk
from wizard.systems.values_yaml.proof import Unproven, prove, spliced
from wizard.systems.values_yaml.reading import Reading, not_1_2
from wizard.systems.values_yaml.shapes import Content
from wizard.systems.values_yaml.sops import refuse_encrypted


class View:
    """What a values file has on the path and beside it.

    Raises:
        Refusal: the file cannot be edited, whatever the variables are.
    """

    def __init__(self, data: bytes, wanted: Sequence[EnvEntry] = WANTED) -> None:
        self.data = data
        self.wanted = tuple(wanted)
        self.reading = Reading(data)
        try:
            self._look()
        except Refusal as refusal:
            raise self.placed(refusal) from refusal

    def _look(self) -> None:
        root = self.reading.root
        self.prefix = prefix(root)
        refuse_encrypted(root, self.prefix)
        self.place: Place = Walk(self.reading).follow((*self.prefix, *PATH), to_list=True)
        values = Walk(self.reading).follow(self.prefix, to_list=False)
        mapping = None if values.missing else values.node
        self.common: Common = common(self.reading, mapping, self.wanted)
        self.has_backend = len(self.place.missing) < len(PATH) and root is not None
        self.environment = Environment()
        node = self.place.node
        if self.place.reached and node is not None and node.kind == "sequence":
            self.environment = environment(self.reading, node, self.wanted)

    def placed(self, refusal: Refusal) -> Refusal:
        """The refusal with its line."""
        if refusal.line is None and refusal.at is not None:
            refusal.line = line_of(self.reading.text, refusal.at)
        return refusal


@dataclass
class _Needs:
    """What has to be done to a list."""

    add: list[EnvEntry] = field(default_factory=list)
    correct: list[Change] = field(default_factory=list)
    names: list[str] = field(default_factory=list)


def edit(data: bytes, wanted: Sequence[EnvEntry] = WANTED) -> Edit:
    """Put the wanted variables into `backend.deployment.extraEnv`; change nothing else.

    Whatever the bytes are, the answer is an `Edit`; one that is not made says why and where.
    """
    try:
        return edit_view(View(data, wanted))
    except Refusal as refusal:
        return refused(data, refusal)


def edit_view(view: View, beside: Common | None = None) -> Edit:
    """The edit of a file that has been looked at.

    Args:
        view: the file.
        beside: the `commonEnv` that holds when another layer decides it.

    Raises:
        Refusal: the edit is not made.
    """
    try:
        return _edit(view, view.common if beside is None else beside)
    except Refusal as refusal:
        raise view.placed(refusal) from refusal


def refused(data: bytes, refusal: Refusal) -> Edit:
    """The answer that a refusal becomes."""
    line = refusal.line
    if line is None and refusal.at is not None:
        text = data.decode("utf-8", "replace").removeprefix("\ufeff")
        line = line_of(text, refusal.at)
    return Edit(
        Outcome.REFUSE, data, refusal.id, line, refusal.message, refusal.next_step, 0, 0, ()
    )


def _edit(view: View, beside: Common) -> Edit:
    repeated = view.environment.repeated()
    if repeated:
        raise repeated
    if beside.refusal:
        raise beside.refusal
    items = {name: found[0].item for name, found in view.environment.variables.items()}
    refuse_both(beside, items)
    needs = _needs(view, beside)
    if not needs.names:
        return _nothing(view, beside)
    if view.place.obstacle:
        raise view.place.obstacle
    for changes in _ways(view, needs):
        after = _proven(view, changes)
        if after is not None:
            return _answer(view, needs, changes, after)
    raise Refusal(
        "LSA330",
        "The edit could not be proven: read again, the result is not what was meant",
        BY_HAND,
        at=view.place.node.start if view.place.node else None,
    )


def _needs(view: View, beside: Common) -> _Needs:
    needs = _Needs()
    for entry in view.wanted:
        if entry.name in beside.right:
            continue
        found = view.environment.variables.get(entry.name)
        if not found:
            needs.add.append(entry)
            needs.names.append(entry.name)
            continue
        variable = found[0]
        if variable.problem:
            raise variable.problem
        if variable.right(entry.value):
            continue
        if variable.obstacle:
            raise variable.obstacle
        if variable.value is not None:
            needs.correct.append(corrected(view.reading, variable.value, entry.value))
            needs.names.append(entry.name)
    return needs


def _ways(view: View, needs: _Needs) -> Iterator[list[Change]]:
    if not needs.add:
        yield needs.correct
        return
    content = Content(view.place.missing, tuple(needs.add))
    for change in Growth(view.reading, view.place, content).ways():
        yield [*needs.correct, change]


def _proven(view: View, changes: list[Change]) -> str | None:
    before = view.reading.text
    splices = [splice for change in changes for splice in change.splices]
    swaps = [swap for change in changes for swap in change.swaps]
    after = spliced(before, splices)
    try:
        prove(before, after, splices, swaps)
    except Unproven as unproven:
        if unproven.reader == "ruamel.yaml" and unproven.unreadable:
            raise not_1_2(unproven.unreadable) from unproven
        return None
    return after


def _nothing(view: View, beside: Common) -> Edit:
    found = [it[0].item for it in view.environment.variables.values()]
    line = line_of(view.reading.text, found[0].start) if found else None
    where = "commonEnv" if beside.right and not found else "backend.deployment.extraEnv"
    if beside.right and found:
        where = "commonEnv and backend.deployment.extraEnv"
    message = f"All is there: {' and '.join(it.name for it in view.wanted)} in {where}"
    return Edit(Outcome.NOOP, view.data, "LSA303", line, message, "", 0, 0, ())


def _answer(view: View, needs: _Needs, changes: list[Change], after: str) -> Edit:
    reading = view.reading
    first = min(splice for change in changes for splice in change.splices)
    tokens = sum(change.tokens for change in changes)
    data = (reading.mark + after).encode()
    added = line_of(after, len(after)) - line_of(reading.text, len(reading.text))
    inserted = first.start == first.stop
    lead = len(first.text) - len(first.text.lstrip("\r\n")) if inserted else 0
    line = line_of(after, first.start + lead)
    names = " and ".join(needs.names)
    if tokens:
        verb, id, outcome = "Sets", "LSA305", Outcome.UPDATE
    else:
        verb, id, outcome = "Adds", "LSA304", Outcome.INSERT
    where = ".".join((*view.prefix, *PATH))
    message = f'{verb} {names} to "true" in {where}' if tokens else f"{verb} {names} to {where}"
    return Edit(outcome, data, id, line, message, "", added, tokens, tuple(needs.names))
