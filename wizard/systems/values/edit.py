"""The edit of a values file; of several, which one it goes into, and what the others decide."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from wizard.article import PLACE
from wizard.problems import Problem
from wizard.record import dataclass, field
from wizard.systems.values.changes import Change, Growth, corrected
from wizard.systems.values.document import line_of
from wizard.systems.values.environment import Common, Environment, common, environment, refuse_both
from wizard.systems.values.looks import Content
from wizard.systems.values.model import (
    BY_HAND,
    WANTED,
    Edit,
    EnvEntry,
    LayeredEdit,
    Outcome,
    Refusal,
)
from wizard.systems.values.path import (
    PATH,
    Place,
    follow,
    part_with_values,
    prefix,
    refuse_encrypted,
)
from wizard.systems.values.proof import proven, spliced
from wizard.systems.values.reading import read


class View:
    """What a values file has on the path and beside it.

    Raises:
        Refusal: the file cannot be edited, whatever the variables are.
    """

    def __init__(self, data: bytes, wanted: Sequence[EnvEntry] = WANTED) -> None:
        self.data = data
        self.wanted = tuple(wanted)
        self.document = read(data)
        self.text = self.document.text
        self.part = part_with_values(self.document)
        root = self.part.root
        self.prefix = prefix(root)
        refuse_encrypted(root, self.prefix)
        self.place: Place = follow(root, (*self.prefix, *PATH), to_list=True)
        values = follow(root, self.prefix, to_list=False)
        mapping = None if values.missing else values.node
        self.common: Common = common(mapping, self.wanted)
        self.has_backend = len(self.place.missing) < len(PATH) and root is not None
        self.environment = Environment()
        node = self.place.node
        if self.place.reached and node is not None and node.kind == "sequence":
            self.environment = environment(node, self.wanted)


def given_to_helm(data: bytes) -> dict[str, Any] | None:
    """What helm reads of an edited file; None of a manifest, which another gives to helm."""
    view = View(data)
    return None if view.prefix else view.document.values()


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
        view = View(data, wanted)
        return _edit(view, view.common)
    except Refusal as refusal:
        return refused(data, refusal)


def refused(data: bytes, refusal: Refusal) -> Edit:
    """The answer that a refusal becomes."""
    line = _line(data, refusal)
    return Edit(Outcome.REFUSE, data, refusal.id, line, refusal.what, refusal.next_step, 0, 0, ())


def of_file(refusal: Refusal, path: Path, data: bytes) -> Problem:
    """A refusal told of the file that it is about."""
    line = _line(data, refusal)
    on = f"values file {path}" + (f", line {line}" if line else "")
    step = refusal.next_step or f"mend it; langsmith-audit values {path} shows how it is read"
    return Problem(refusal.id, refusal.what, on=on, next_step=step, exit=refusal.exit)


def _line(data: bytes, refusal: Refusal) -> int | None:
    if refusal.line is not None or refusal.at is None:
        return refusal.line
    return line_of(data.decode("utf-8", "replace").removeprefix("\ufeff"), refusal.at)


def _edit(view: View, beside: Common) -> Edit:
    """The edit of a file that has been looked at; `beside` is the `commonEnv` that holds for it."""
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
            needs.correct.append(corrected(view.text, variable.value, entry.value))
            needs.names.append(entry.name)
    return needs


def _ways(view: View, needs: _Needs) -> Iterator[list[Change]]:
    if not needs.add:
        yield needs.correct
        return
    content = Content(view.place.missing, tuple(needs.add))
    for change in Growth(view.text, view.part, view.place, content).ways():
        yield [*needs.correct, change]


def _proven(view: View, changes: list[Change]) -> bytes | None:
    """The new bytes, if what helm reads of them is what was meant."""
    splices = [splice for change in changes for splice in change.splices]
    after = (view.document.mark + spliced(view.text, splices)).encode()
    try:
        reread = read(after)
    except Refusal:
        return None
    return after if proven(view.document, reread, [it.meant for it in changes]) else None


def _nothing(view: View, beside: Common) -> Edit:
    found = [it[0].item for it in view.environment.variables.values()]
    line = line_of(view.text, found[0].start) if found else None
    where = "commonEnv" if beside.right and not found else PLACE
    if beside.right and found:
        where = f"commonEnv and {PLACE}"
    message = f"All is there: {' and '.join(it.name for it in view.wanted)} in {where}"
    return Edit(Outcome.NOOP, view.data, "LSA303", line, message, "", 0, 0, ())


def _answer(view: View, needs: _Needs, changes: list[Change], data: bytes) -> Edit:
    after = read(data).text
    first = min(splice for change in changes for splice in change.splices)
    tokens = sum(change.tokens for change in changes)
    added = line_of(after, len(after)) - line_of(view.text, len(view.text))
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


def edit_layers(layers: Sequence[tuple[Path, bytes]], *, into: Path | None = None) -> LayeredEdit:
    """The edit that makes the effective values of several files right.

    A later file's list replaces an earlier one, so the edit goes into the last file that defines
    the list; when none does, into `into`, else into the last file that has `backend`, else into
    the last file. A null on the path hides what earlier files have there, so none of them will do.

    Args:
        layers: the files with their bytes, in helm's order.
        into: the file to use when none defines the list; one of the layers.
    """
    if not layers:
        raise ValueError("edit_layers wants one file at least")
    views: list[View] = []
    for path, data in layers:
        try:
            views.append(View(data))
        except Refusal as refusal:
            why = "without reading this file, the effective values cannot be told"
            return LayeredEdit(path, refused(data, refusal), why)
    chosen, why = _choose(layers, views, into)
    path, data = layers[chosen]
    defining = [number for number, view in enumerate(views) if view.common.defined]
    beside, decider = (views[defining[-1]].common, defining[-1]) if defining else (Common(), None)
    if beside.refusal and decider is not None and decider != chosen:
        other, bytes_ = layers[decider]
        return LayeredEdit(
            other, refused(bytes_, beside.refusal), "its commonEnv is the one in force"
        )
    try:
        made = _edit(views[chosen], beside)
    except Refusal as refusal:
        made = refused(data, refusal)
    return LayeredEdit(path, _checked(views, chosen, made), why)


def _choose(
    layers: Sequence[tuple[Path, bytes]], views: Sequence[View], into: Path | None
) -> tuple[int, str]:
    cuts = [i for i, view in enumerate(views) if view.place.cut and not view.place.reached]
    least = cuts[-1] if cuts else 0
    numbers = range(least, len(layers))
    defining = [i for i in numbers if views[i].place.reached]
    if defining:
        many = "the last file that" if len(layers) > 1 else "it"
        return defining[-1], f"{many} defines {PLACE}"
    none = f"no file defines {PLACE}" + (", or a null deletes it" if cuts else "")
    named = [i for i in numbers if layers[i][0] == into]
    if named:
        return named[-1], f"it was named, and {none}"
    having = [i for i in numbers if views[i].has_backend]
    if having:
        return having[-1], f"{none}; it is the last one that has backend"
    return len(layers) - 1, f"{none}; it is the last one"


def _checked(views: Sequence[View], chosen: int, made: Edit) -> Edit:
    """The edit, unless it brings back what a null deleted from the files before it."""
    place = views[chosen].place
    if made.outcome not in (Outcome.INSERT, Outcome.UPDATE) or not chosen or not place.cut:
        return made
    hidden = any(view.has_backend for view in views[:chosen])
    if not hidden or place.reached:
        return made
    node = place.node
    refusal = Refusal(
        "LSA335",
        "A null here deletes what the files before it have; with the variables in its place, "
        "that would come back",
        f"write out in full what is wanted here, with {PLACE}, then run this again",
        at=node.start if node else None,
    )
    return refused(views[chosen].data, refusal)
