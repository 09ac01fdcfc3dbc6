"""`langsmith-audit completion bash`: what a shell completes the command line by; or the man page.

Contexts, namespaces and releases are asked of kubectl and helm at the moment of completing.
"""

from __future__ import annotations

import argparse
import sys

from wizard import __version__
from wizard.arguments import MAN
from wizard.problems import Exit

NAME = "langsmith-audit"
ASKED = {
    "context": "kubectl config get-contexts -o name",
    "namespace": "kubectl get namespaces -o name | cut -d/ -f2",
    "release": "helm list --all-namespaces --short",
    "id": f"{NAME} explain | cut -d' ' -f1",
    "run": f"{NAME} runs | grep -o '[0-9]*T[0-9]*Z-[0-9a-f]*'",
}
"""What completes the values of these options and arguments, as a shell asks for it."""
_OF_FILES = ("FILE", "PLAN")


def main(args: argparse.Namespace) -> Exit:
    """Print it."""
    if args.shell == MAN:
        sys.stdout.write(_man())
        return Exit.OK
    import shtab

    sys.stdout.write(str(shtab.complete(whole(), shell=args.shell)) + "\n")
    return Exit.OK


def whole() -> argparse.ArgumentParser:
    """The parser of the whole program, with what completes each value."""
    import shtab

    from wizard.cli import COMMANDS, parser_of

    parser = argparse.ArgumentParser(prog=NAME)
    commands = parser.add_subparsers(dest="command")
    for name, command in COMMANDS.items():
        commands.add_parser(name, help=command.help)
        commands.choices[name] = one = parser_of(name)
        for action in _shown(one):
            if action.dest in ASKED:
                action.complete = shtab.cmd(ASKED[action.dest])  # type: ignore[attr-defined]
            elif action.metavar in _OF_FILES:
                action.complete = shtab.FILE  # type: ignore[attr-defined]
    return parser


def _shown(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    return [it for it in parser._actions if it.help is not argparse.SUPPRESS]


def _man() -> str:
    from wizard.cli import COMMANDS, parser_of
    from wizard.usage import EXAMPLES, EXIT_CODES

    lines = [f'.TH LANGSMITH-AUDIT 1 "" "{NAME} {__version__}" "User Commands"', ".SH NAME"]
    lines += [f"{_roff(NAME)} \\- turn on audit logs in a self-hosted LangSmith, and check them"]
    lines += [".SH SYNOPSIS", f".B {_roff(NAME)}", "[COMMAND] [OPTIONS]"]
    for name, command in COMMANDS.items():
        lines += [f".SH {name.upper()}", _roff(command.help)]
        lines += [".PP", f".B {_roff(EXAMPLES[name])}"]
        for action in _shown(parser_of(name)):
            value = "" if action.nargs == 0 else str(action.metavar or action.dest)
            flags = ", ".join(action.option_strings) or value
            told = f"{flags} {value}" if value and action.option_strings else flags
            lines += [".TP", f".B {_roff(told)}", _roff((action.help or "").replace("%%", "%"))]
    lines += [".SH EXIT STATUS", ".nf", *map(_roff, EXIT_CODES.splitlines()[1:]), ".fi"]
    return "\n".join(lines) + "\n"


def _roff(text: str) -> str:
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return "\\&" + text if text.startswith((".", "'")) else text
