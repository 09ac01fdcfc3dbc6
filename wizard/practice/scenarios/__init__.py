"""Situations of real installations, staged on the practice cluster; one function is one scenario.

To add one: a function with the decorator `scenario` in the module of its topic. Its name is the
name on the command line, its docstring the line of `--list`.
"""

from wizard.practice.scenarios import (  # noqa: F401 - they register themselves
    charts,
    drift,
    failures,
    hooks,
    names,
    owners,
    states,
    workloads,
)
from wizard.practice.scenarios.registry import SCENARIOS, Scenario, listing, named, stage

__all__ = ["SCENARIOS", "Scenario", "listing", "named", "stage"]
