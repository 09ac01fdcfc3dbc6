"""The generated parts of the pages under templates/docs, each between two marks in its page."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from pathlib import Path

from wizard.cli import COMMANDS, parser_of
from wizard.engine.rights import NEEDS
from wizard.events.wanted import CATEGORIES, documented
from wizard.formats.catalogue import AREAS
from wizard.options import BY_NAME, OPTIONS
from wizard.problems import catalogue
from wizard.systems.kubernetes.rbac import VERBS

DOCS = Path(__file__).parent.parent.parent / "templates" / "docs"
ANY = "<!-- {} -->\n"
_VARIABLE = re.compile(r" ?\[([A-Z_]+)\]$")


def options() -> Iterator[str]:
    """Each shared option, with the commands whose help has it."""
    shown = {name: set(_shown(name)) for name, it in COMMANDS.items() if it.shared}
    yield "| option | variable | what it is | `--help` of |"
    yield "|---|---|---|---|"
    for it in OPTIONS:
        flags = ", ".join(f"`{flag}`" for flag in it.flags) or "(none: never on a command line)"
        value = f" `{it.metavar or '|'.join(it.choices)}`" if it.metavar or it.choices else ""
        variables = ", else ".join(f"`{name}`" for name in (it.variable, *it.also))
        having = [name for name in shown if it.name in shown[name] or not it.flags]
        whose = "all of them" if len(having) == len(shown) else ", ".join(having)
        yield f"| {flags}{_cell(value)} | {variables} | {_cell(it.help)} | {whose} |"


def own_options() -> Iterator[str]:
    """The options that each command has besides."""
    for name in COMMANDS:
        found = [it for it in parser_of(name)._actions if _is_own(it)]
        if not found:
            continue
        yield from (f"### `{name}`", "", "| option | variable | what it is |", "|---|---|---|")
        for it in found:
            flags = ", ".join(f"`{flag}`" for flag in it.option_strings) or f"`{it.metavar}`"
            choices = "|".join(map(str, it.choices or ()))
            value = "" if it.nargs == 0 else str(it.metavar or choices or it.dest)
            told = f" `{value}`" if value and it.option_strings else ""
            variable = _VARIABLE.search(it.help or "")
            words = _VARIABLE.sub("", it.help or "").replace("%%", "%") or "how it is shown"
            shown = f"`{variable[1]}`" if variable else ""
            yield f"| {flags}{_cell(told)} | {shown} | {_cell(words)} |"
        yield ""


def _shown(command: str) -> Iterator[str]:
    own = COMMANDS[command].own
    for it in parser_of(command)._actions:
        if _is_shared(it) and it.dest not in own:
            yield it.dest


def _is_shared(it: argparse.Action) -> bool:
    return it.dest in BY_NAME and f"[{BY_NAME[it.dest].variable}]" in (it.help or "")


def _is_own(it: argparse.Action) -> bool:
    return it.help is not argparse.SUPPRESS and it.dest != "help" and not _is_shared(it)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def rights() -> Iterator[str]:
    """What each walk asks of the cluster."""
    found = {
        (it.group, it.what)
        for needs in NEEDS.values()
        for it in needs
        if it.system in ("kubernetes", "helm")
    }
    yield "| resource | API group | `check`, `orgs` | `plan` | `run`, `apply`, `undo` |"
    yield "|---|---|---|---|---|"
    for group, what in sorted(found):
        cells = " | ".join(_verbs(walk, group, what) for walk in ("check", "plan", "run"))
        yield f"| `{what}` | {group or 'core'} | {cells} |"


def _verbs(walk: str, group: str, what: str) -> str:
    """The verbs, in the order of RBAC; those in parentheses are done without."""
    walks = ("run", "apply", "undo") if walk == "run" else (walk,)
    mine = [
        it
        for each in walks
        for it in NEEDS[each]
        if it.system in ("kubernetes", "helm") and (it.group, it.what) == (group, what)
    ]
    firm = {it.verb for it in mine if not it.optional}
    verbs = sorted({it.verb for it in mine}, key=VERBS.index)
    return ", ".join(verb if verb in firm else f"({verb})" for verb in verbs)


def findings() -> Iterator[str]:
    """Every finding by what it is about."""
    entries = catalogue().values()
    for digit, area in AREAS.items():
        found = [it for it in entries if it.id[3] == digit]
        if found:
            yield from (f"## LSA{digit}xx: {area}", "", "| id | what | next |", "|---|---|---|")
            yield from (f"| {it.id} | {_cell(it.title)} | {_cell(it.next_step)} |" for it in found)
            yield ""


def operations() -> Iterator[str]:
    """The operations that are recorded, from which chart version on."""
    yield "| operation | what it is about | from chart |"
    yield "|---|---|---|"
    for name, (version, category) in sorted(documented().items()):
        yield f"| `{name}` | {CATEGORIES[category]} | {version} |"


PARTS = {
    "options.md": {"shared options": options, "own options": own_options},
    "rights.md": {"rights": rights},
    "findings.md": {"findings": findings},
    "operations.md": {"operations": operations},
}


def renewed(page: str) -> str:
    """The page with its generated parts as they are now."""
    text = (DOCS / page).read_text(encoding="utf-8")
    for name, part in PARTS[page].items():
        begin, end = ANY.format(f"begin {name}, by scripts/docs"), ANY.format(f"end {name}")
        before, found, rest = text.partition(begin)
        assert found, f"{page} has no {begin}"
        text = before + begin + "\n" + "\n".join(part()).rstrip() + "\n\n" + end
        text += rest.partition(end)[2]
    return text
