"""The registry of scenarios: a function each, its name and its docstring are all there is."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wizard.exits import Exit
from wizard.problems import Problem

if TYPE_CHECKING:
    from wizard.practice.cluster import PracticeCluster

Stage = Callable[["PracticeCluster"], None]

SCENARIOS: dict[str, Scenario] = {}
"""Every scenario by its name, in the order in which they are listed."""


@dataclass(frozen=True)
class Scenario:
    """A situation to rehearse.

    Attributes:
        name: as `--scenario` takes it.
        line: what it stages, and after the colon what a user should see.
        stage: brings a cluster that has just come up into the situation.
    """

    name: str
    line: str
    stage: Stage


def scenario(stage: Stage) -> Stage:
    """Register a function: `lost_salt` becomes `lost-salt`, the docstring becomes the line."""
    name = stage.__name__.replace("_", "-")
    SCENARIOS[name] = Scenario(name, " ".join((inspect.getdoc(stage) or "").split()), stage)
    return stage


def named(name: str) -> Scenario:
    """The scenario of that name.

    Raises:
        Problem: there is none.
    """
    if name in SCENARIOS:
        return SCENARIOS[name]
    near = difflib.get_close_matches(name, SCENARIOS, n=3, cutoff=0.5)
    meant = f"perhaps {' or '.join(near)}; " if near else ""
    raise Problem(
        "LSA958",
        f"there is no scenario {name}",
        on="--scenario",
        next_step=f"{meant}langsmith-audit practice --list shows them all",
        exit=Exit.USAGE,
    )


def stage(cluster: PracticeCluster, scenario: Scenario) -> None:
    """Bring a cluster that has just come up into the situation, without waiting for slow pods.

    Raises:
        Problem: helm does not do what the scenario needs.
    """
    cluster.say(f"Scenario {scenario.name}. {scenario.line}")
    with cluster.at_once():
        scenario.stage(cluster)


def listing() -> str:
    """Every name with its line, for `--list`."""
    width = max(map(len, SCENARIOS))
    return "".join(f"{one.name:<{width}}  {one.line}\n" for one in SCENARIOS.values())
