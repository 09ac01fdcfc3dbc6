"""Situations of real installations, staged on the practice cluster; one function is one scenario.

To add one: a function with the decorator `scenario` in the module of its topic (its name is the
name on the command line, its docstring the line of `--list`), or a line in a table there.
"""

from wizard.practice.scenarios import failures, objects, releases  # noqa: F401 - they register
from wizard.practice.scenarios.tools import SCENARIOS, Scenario, listing, named, stage

__all__ = ["SCENARIOS", "Scenario", "listing", "named", "stage"]
