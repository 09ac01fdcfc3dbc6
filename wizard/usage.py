"""How a command line is explained and mended: help on a screen, and what was meant."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Collection, Iterable, Sequence
from typing import NoReturn

from wizard.safe import safe

COMMON = (
    "help", "context", "namespace", "release", "values", "database", "org", "all", "only_off",
    "one_rollout", "gitops", "answers", "verbose", "yes", "no_input",
)  # fmt: skip
"""The shared options that `--help` shows; `--help-all` shows the others too."""
PLACE = ("help", "context", "namespace", "release", "values", "org", "all")
"""Those of a command that has many of its own."""
WIDTH = 96
"""Columns that a line of the short help takes at most."""
HEADS = 27
"""Columns of an option and its value up to which its text stands beside it."""
MOST = 12
"""A command's own options up to which all of them are shown."""

MEANT = {
    "positive_seconds": "a time above zero and below a day, such as 90s, 10m or 1h30m",
    "waited": "0, or a time below a day, such as 90s, 10m or 1h30m",
    "lasting": "a time up to a year, such as 90m, 12h or 7d",
    "int": "a whole number",
}
"""What a value is, by the name of what reads it."""

EXIT_CODES = """exit codes:
  0 fine, done, nothing to do        6 changes pending (plan --detailed-exitcode)
  1 unexpected error                 7 plan refused (apply)
  2 usage or missing input           8 declined before any change
  3 a check failed                   9 stopped with changes made
  4 warnings only (--fail-on warn)  10 failed and fully undone
  5 unknown, or nothing checked    130 interrupted (143: terminated; 141: output closed)
"""

EXAMPLES = {
    "run": "langsmith-audit -n langsmith -f values.yaml",
    "plan": "langsmith-audit plan -n langsmith -f values.yaml --all -o plan.json",
    "show": "langsmith-audit show plan.json --format html > plan.html",
    "apply": "langsmith-audit apply plan.json --approve 3f9c1a7be204",
    "check": "langsmith-audit check -n langsmith --format json",
    "undo": "langsmith-audit undo",
    "orgs": "langsmith-audit orgs --search acme --format csv",
    "events": "langsmith-audit events --since 7d --operation create_api_key",
    "values": "langsmith-audit values values.yaml --write",
    "runs": "langsmith-audit runs",
    "rbac": "langsmith-audit rbac --for run -n langsmith | kubectl apply -f -",
    "cronjob": "langsmith-audit cronjob -n langsmith | kubectl apply -f -",
    "image": "langsmith-audit image > Dockerfile",
    "explain": "langsmith-audit explain LSA812",
    "completion": "langsmith-audit completion bash > ~/.local/share/bash-completion/completions/"
    "langsmith-audit",
    "practice": "langsmith-audit practice --scenario crash-loop",
}
"""The first line of each command's help."""


class _Formatter(argparse.RawDescriptionHelpFormatter):
    """It knows its width: argparse makes one an option, and each would import shutil for it."""

    def __init__(self, prog: str) -> None:
        try:
            width = int(os.environ.get("COLUMNS", ""))
        except ValueError:
            try:
                width = os.get_terminal_size(sys.__stdout__.fileno()).columns or 80  # type: ignore[union-attr]
            except (AttributeError, ValueError, OSError):
                width = 80
        super().__init__(prog, width=width - 2)  # two columns are left free, as argparse does


class Parser(argparse.ArgumentParser):
    """A command's arguments, with the short help, and errors of three lines."""

    def __init__(self, command: str, help: str) -> None:
        super().__init__(
            prog=f"langsmith-audit {command}",
            description=help,
            formatter_class=_Formatter,
            allow_abbrev=False,
            add_help=False,
            conflict_handler="resolve",  # a command may take a shared flag for its own
        )
        self.command, self._about = command, help
        self.own: set[str] = set()
        add = self.add_argument
        add("-h", "--help", action=_Short, help="this page; --help-all has every option")
        add("--help-all", action="help", help=argparse.SUPPRESS)

    def error(self, message: str) -> NoReturn:
        """Say what is wrong, what may have been meant, and where help is; exit 2."""
        told, meant = self._understood(message)
        lines = [f"✗ {safe(told)}", *([f"  did you mean {meant}?"] if meant else [])]
        lines.append(f"  next: {self.prog} --help")
        self.exit(2, "\n".join(lines) + "\n")

    def _understood(self, message: str) -> tuple[str, str]:
        unknown = re.fullmatch(r"unrecognized arguments: (\S+)(.*)", message, re.DOTALL)
        if unknown:
            word = unknown[1].partition("=")[0]
            flags = [it for action in self._actions for it in action.option_strings]
            what = "option" if word.startswith("-") else "argument"
            return f"{self.command} has no {what} {word}", meant(word, flags)
        chosen = re.fullmatch(
            r"argument (\S+): invalid choice: '?(.*?)'? \(choose from (.*)\)", message, re.DOTALL
        )
        if chosen:
            among = [it.strip(" '") for it in chosen[3].split(",")]
            told = f"{chosen[1]} cannot be {chosen[2]}: it is one of {', '.join(among)}"
            return told, meant(chosen[2], among)
        value = re.fullmatch(r"argument (\S+): invalid (\w+) value: '?(.*?)'?", message, re.DOTALL)
        if value:
            told = f": it is {MEANT[value[2]]}" if value[2] in MEANT else ""
            return f"{value[1]} cannot be {value[3]}{told}", ""
        alone = re.fullmatch(r"argument (\S+): expected (?:one|at least one) argument", message)
        if alone:
            return f"{alone[1]} needs a value after it", ""
        lacking = re.fullmatch(r"the following arguments are required: (.*)", message)
        return (f"{self.command} needs {lacking[1]}" if lacking else message), ""

    def short_help(self) -> str:
        """The page that fits a screen: an example, then the options that most need."""
        shared: list[argparse.Action] = []
        own: list[argparse.Action] = []
        for action in self._actions:
            if action.help is not argparse.SUPPRESS:
                told = "[LANGSMITH_AUDIT_" in (action.help or "") and action.dest not in self.own
                shared_one = told or action.dest == "help"
                (shared if shared_one else own).append(action)
        shown = [it for it in shared if it.dest in (PLACE if len(own) > 1 else COMMON)]
        lines = [f"{self.prog}: {self._about}", "", f"  {EXAMPLES.get(self.command, '')}", ""]
        lines += _lines([*own[:MOST], *shown])
        more = len(shared) - len(shown) + len(own[MOST:])
        lines += ["", f"{more} more options: {self.prog} --help-all"] if more else [""]
        lines.append("Every option has a variable (--help-all).")
        lines.append("Exit codes: langsmith-audit help exit-codes")
        return "\n".join(lines) + "\n"


class _Short(argparse.Action):
    def __init__(self, option_strings: Sequence[str], dest: str, help: str) -> None:
        super().__init__(option_strings, dest, nargs=0, default=argparse.SUPPRESS, help=help)

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        sys.stdout.write(parser.short_help() if isinstance(parser, Parser) else "")
        parser.exit()


def _widest() -> int:
    """Columns of a line: those of the terminal, where it is narrower than the page may be."""
    try:
        return min(os.get_terminal_size(sys.stdout.fileno()).columns, WIDTH)
    except (OSError, ValueError, AttributeError):
        return WIDTH


def _lines(actions: Iterable[argparse.Action]) -> list[str]:
    """A line an option, cut where it is longer than a terminal is wide."""
    rows = []
    for it in actions:
        value = "" if it.nargs == 0 else it.metavar or "|".join(map(str, it.choices or [it.dest]))
        flags = ", ".join(it.option_strings) or str(value)
        head = f"{flags} {value}".rstrip() if it.option_strings else flags
        text = re.sub(r" ?\[\w+\]$", "", it.help or "")
        text = text or ("how it is shown" if it.dest == "format" else "")
        rows.append((head, text % vars(it) if "%" in text else text))
    width = max((len(head) for head, _ in rows if len(head) <= HEADS), default=0)
    widest = _widest()
    found = []
    for head, text in rows:
        long = len(head) > width
        found += [f"  {head}"] if long else []
        line = f"  {'' if long else head:<{width}}  {text}"
        found.append(line if len(line) <= widest else line[: widest - 1].rstrip() + "…")
    return [it.rstrip() for it in found]


def perhaps(word: str, known: Collection[str]) -> str:
    """The same for a sentence that goes on: `perhaps values; `."""
    near = meant(word, known) or meant(word, {it.lower(): it for it in known})
    return f"perhaps {near}; " if near else ""


def meant(word: str, known: Collection[str]) -> str:
    """What is nearest to a word of those that are known; empty where nothing is near."""
    import difflib

    near = difflib.get_close_matches(word.lower(), known, n=1, cutoff=0.6)
    return near[0] if near else ""
