"""The rights that changes need, asked for before the first one is made: all that lack at once."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from wizard.exits import Exit
from wizard.problems import Problem
from wizard.procedure import STEPS
from wizard.records.changes import Change
from wizard.systems.access import Systems
from wizard.systems.chart_objects import UNSCOPED, resource_of
from wizard.systems.cluster_errors import Call, forbidden
from wizard.systems.manifest import documents

HOOKS = ("get", "list", "watch")
"""What helm does to wait for the end of a hook Job, besides creating and deleting it."""


@dataclass(frozen=True)
class Right:
    """One question to the API server; `namespace` is empty for the whole cluster."""

    verb: str
    what: str
    group: str
    namespace: str


def declared(systems: Systems, step: str) -> list[Right]:
    """Each right to write that a step declares; helm's Secrets are in the release's namespace."""
    found = [
        it
        for it in next(each.access for each in STEPS if each.name == step)
        if it.system == "kubernetes" and it.changes and "review" not in it.what
        if not (it.way or it.optional)
    ]
    if not found:
        return []
    release, here = systems.target.namespace, systems.installation
    return [
        Right(it.verb, it.what, it.group, release if it.what == "secrets" else here.namespace)
        for it in found
        if it.kind in ("", here.backend.kind)
    ]


def make_sure(systems: Systems, changes: Sequence[Change]) -> None:
    """Make sure of every right that the changes need; one that cannot be asked for is believed.

    Raises:
        Problem: rights are missing; all of them are named, with the rule that grants each.
    """
    wanted: dict[Right, None] = {}
    for change in changes:
        wanted |= dict.fromkeys(_needed(systems, change))
    lacking = [
        it for it in wanted if not systems.may(it.verb, it.what, it.group, it.namespace)
    ]  # fmt: skip
    if len(lacking) == 1:
        raise forbidden(_call(lacking[0]))
    if lacking:
        raise _several(lacking)


def _needed(systems: Systems, change: Change) -> Iterator[Right]:
    if change.register.get("gitops") or change.by_hand:
        return
    yield from declared(systems, change.step)
    if change.step == "helm_upgrade":
        yield from _of_helm(systems)


def _of_helm(systems: Systems) -> Iterator[Right]:
    """helm reads every object of the release before it changes any, and waits for its hooks."""
    namespace = systems.installation.namespace
    for _, text in documents(systems.manifest):
        kind = re.search(r"^kind: *[\"']?(\w+)", text, re.MULTILINE)
        version = re.search(r"^apiVersion: *[\"']?([\w./-]+)", text, re.MULTILINE)
        if kind and version:
            it = resource_of(kind[1], version[1])
            yield Right("get", it.plural, it.group, "" if it.kind in UNSCOPED else namespace)
    for verb in HOOKS:
        yield Right(verb, "jobs", "batch", namespace)


def _call(right: Right) -> Call:
    return Call(right.verb, right.what, right.group, "", right.namespace or None)


def _several(lacking: Sequence[Right]) -> Problem:
    lines = []
    for it in lacking:
        where = f"namespace {it.namespace}" if it.namespace else "the whole cluster"
        lines.append(
            f"You may not {it.verb} {it.what} in {where}: "
            f'apiGroups: ["{it.group}"], resources: ["{it.what}"], verbs: ["{it.verb}"]'
        )
    return Problem(
        "LSA143",
        f"You lack {len(lacking)} rights that the changes need",
        on="the Kubernetes API",
        next_step="ask for a Role with a rule for each line above (a ClusterRole for the whole "
        "cluster)",
        exit=Exit.UNKNOWN,
        detail=tuple(lines),
    )
