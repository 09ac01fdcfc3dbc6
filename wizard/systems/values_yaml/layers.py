"""Several values files: the one that the edit goes into, and what the others decide."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from wizard.systems.values_yaml.common import Common
from wizard.systems.values_yaml.editing import View, edit_view, refused
from wizard.systems.values_yaml.model import Edit, LayeredEdit, Outcome, Refusal

_WHERE = "backend.deployment.extraEnv"


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
    beside, decider = _common(layers, views)
    if beside.refusal and decider is not None and decider != chosen:
        other, bytes_ = layers[decider]
        return LayeredEdit(
            other, refused(bytes_, beside.refusal), "its commonEnv is the one in force"
        )
    try:
        made = edit_view(views[chosen], beside)
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
        return defining[-1], f"{many} defines {_WHERE}"
    none = f"no file defines {_WHERE}" + (", or a null deletes it" if cuts else "")
    named = [i for i in numbers if layers[i][0] == into]
    if named:
        return named[-1], f"it was named, and {none}"
    having = [i for i in numbers if views[i].has_backend]
    if having:
        return having[-1], f"{none}; it is the last one that has backend"
    return len(layers) - 1, f"{none}; it is the last one"


def _common(
    layers: Sequence[tuple[Path, bytes]], views: Sequence[View]
) -> tuple[Common, int | None]:
    for number in reversed(range(len(layers))):
        if views[number].common.defined:
            found = views[number].common
            if found.refusal:
                found.refusal = views[number].placed(found.refusal)
            return found, number
    return Common(), None


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
        f"write out in full what is wanted here, with {_WHERE}, then run this again",
        at=node.start if node else None,
    )
    return refused(made.data, views[chosen].placed(refusal))
