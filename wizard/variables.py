"""The variables of a command's own options: LANGSMITH_AUDIT_EVENTS_SINCE is `events --since`.

Those of the shared options are in `wizard.options`. A flag wins over a variable, also over that of
an option that does not go together with it.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping, Sequence
from typing import Any

from wizard.options import PREFIX, SWITCHES
from wizard.problems import unusable

OTHERWISE = "what the option takes"
_TOLD = r"\[[A-Z_]+\]$"


def tell(parser: argparse.ArgumentParser, command: str) -> set[str]:
    """Put the variables into the help; the names of the options that have one of these."""
    own = set()
    for action in parser._actions:
        told = action.help is argparse.SUPPRESS or re.search(_TOLD, action.help or "")
        if action.option_strings and not told and action.dest != "help":
            flag = next(it for it in action.option_strings if it.startswith("--"))
            variable = PREFIX + f"{command}_{flag[2:]}".upper().replace("-", "_")
            action.help = f"{action.help or ''} [{variable}]".lstrip()
            own.add(action.dest)
    return own


def take(
    parser: argparse.ArgumentParser,
    command: str,
    arguments: Sequence[str],
    environ: Mapping[str, str],
) -> None:
    """Make defaults of the variables that are set.

    Raises:
        Problem: LSA901, one cannot be read as what the option wants.
    """
    if not any(name.startswith(f"{PREFIX}{command.upper()}_") for name in environ):
        return
    typed = {word.partition("=")[0] for word in arguments}
    for action in parser._actions:
        told = re.search(_TOLD, action.help or "")
        variable = told[0][1:-1] if told else ""
        if not variable.startswith(f"{PREFIX}{command.upper()}_") or not environ.get(variable):
            continue
        rivals = [it for group in parser._mutually_exclusive_groups
                  if action in group._group_actions for it in group._group_actions]  # fmt: skip
        if not typed & {flag for it in (action, *rivals) for flag in it.option_strings}:
            action.default = _value(parser, action, variable, environ[variable])


def _value(
    parser: argparse.ArgumentParser, action: argparse.Action, variable: str, text: str
) -> Any:
    if action.nargs == 0:
        if text.strip().lower() not in SWITCHES:
            raise unusable(variable, "true or false", OTHERWISE)
        return SWITCHES[text.strip().lower()]
    several = isinstance(action, argparse._AppendAction)
    between = r"\n" if "=" in str(action.metavar) else r"[\s,]+"
    try:
        found = [_one(parser, action, it) for it in re.split(between, text) if it] if several else (
            _one(parser, action, text))  # fmt: skip
    except argparse.ArgumentError as error:
        wanted = f"as the option wants it: {error.message}"
        raise unusable(variable, wanted, OTHERWISE) from None
    return found


def _one(parser: argparse.ArgumentParser, action: argparse.Action, text: str) -> Any:
    value = parser._get_value(action, text)
    parser._check_value(action, value)
    return value
