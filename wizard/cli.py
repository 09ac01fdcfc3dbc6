"""The front doors: one subcommand, one entry in COMMANDS.

Nothing that takes long to import is imported before a command needs it: `--help` and `--version`
answer faster than helm does.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, NamedTuple

from wizard import __version__
from wizard.problems import Exit, Problem

if TYPE_CHECKING:
    import argparse
    from collections.abc import Collection, Sequence

    from wizard.options import Option

GROUPS = ("target", "organizations", "conduct", "limits")
"""The headings under which the shared options are listed."""
HELP = frozenset({"-h", "--help", "--help-all"})


class Command(NamedTuple):
    """A subcommand: one line of help, the module with its `main(args)`, and its options.

    `shared` says whether it takes the options that tell the target, `reaching` whether only those
    that say how to reach it, and `reads` whether those of a change are left out of its help (they
    are taken all the same: one line of options serves every command). Its own options are in
    `wizard.arguments`; those with a shared one's name are in `own`.
    With `ahead` the database's driver is imported beside the command, in a process of its own.
    """

    help: str
    module: str
    shared: bool = False
    reaching: bool = False
    reads: bool = False
    own: tuple[str, ...] = ()
    ahead: bool = False


COMMANDS: dict[str, Command] = {
    "run": Command("the wizard: look, ask, change, confirm", "wizard.commands.run", shared=True),
    "plan": Command("the dry run: every change, none made", "wizard.commands.plan", shared=True),
    "show": Command("a plan as it was made, offline", "wizard.commands.show"),
    "apply": Command(
        "exactly what a plan says, or nothing", "wizard.commands.apply", shared=True, reaching=True
    ),
    "check": Command(
        "the health check: reads only",
        "wizard.commands.check",
        shared=True,
        reads=True,
        ahead=True,
        own=("context",),
    ),
    "undo": Command("put back what a run changed", "wizard.commands.undo", shared=True),
    "orgs": Command(
        "the organizations and their state", "wizard.commands.orgs", shared=True, reads=True
    ),
    "events": Command(
        "the audit log: into a terminal, a file, a SIEM",
        "wizard.commands.events",
        shared=True,
        reads=True,
        own=("all", "only_off"),
    ),
    "values": Command("edit values files, without a cluster", "wizard.commands.values"),
    "runs": Command("what was done from this machine", "wizard.commands.runs"),
    "rbac": Command(
        "the rights that a command needs, as YAML or SQL",
        "wizard.commands.rbac",
        shared=True,
        reads=True,
    ),
    "cronjob": Command(
        "the health check as a CronJob, as YAML",
        "wizard.commands.cronjob",
        shared=True,
        reads=True,
    ),
    "image": Command("a Dockerfile for the CronJob's image", "wizard.commands.image"),
    "explain": Command("what a finding means, offline", "wizard.commands.explain"),
    "completion": Command("completion for a shell, or the man page", "wizard.completion"),
    "practice": Command("a practice cluster to rehearse on", "wizard.practice.command"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command, and turn whatever ends it into an exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    name = arguments[0] if arguments else ""
    if name not in COMMANDS or not COMMANDS[name].ahead or HELP & {*arguments}:
        return _answered(arguments)
    from wizard.systems.postgres import driver

    with driver.ahead():
        return _answered(arguments)


def _answered(arguments: list[str]) -> int:
    from wizard.console import output

    output.prepare()
    code: int = Exit.OK
    try:
        code = _ended(arguments)
        output.flushed()
    except BrokenPipeError:
        code = Exit.STOPPED if code == Exit.STOPPED else Exit.UNREAD
    except OSError as error:
        output.silence()
        problem = output.not_written(error)
        told = _report(problem) if problem else _defect(error)
        code = code if code == Exit.STOPPED else told
    output.silence()
    if not _by_nagios(arguments):
        return int(code)
    from wizard.formats.nagios import code_of

    return code_of(code)


def _by_nagios(arguments: list[str]) -> bool:
    """Whether a server asks that knows four codes alone, whatever ends the check."""
    if arguments[:1] != ["check"]:
        return False
    import re

    from wizard.formats import OF_CHECKS

    typed = re.findall(r"(?:--format|--output|--out|-o)[ =](\S*)", " ".join(arguments))
    variable = os.environ.get("LANGSMITH_AUDIT_CHECK_FORMAT")
    return next((it for it in reversed(typed) if it in OF_CHECKS), variable) == "nagios"


def _tell_nagios(arguments: list[str], why: str) -> None:
    """Nagios reads standard output alone."""
    from wizard.safe import safe

    if _by_nagios(arguments):
        sys.stdout.write(f"LANGSMITH AUDIT UNKNOWN - {safe(why).replace('|', '/')}\n")


def _ended(arguments: list[str]) -> int:
    from wizard.console import output
    from wizard.console.interrupts import until_hangup, unwinding

    try:
        with unwinding(), until_hangup():
            return int(_dispatch(arguments))
    except Problem as problem:
        _tell_nagios(arguments, problem.what)
        return _report(problem)
    except KeyboardInterrupt as interrupt:
        return int(getattr(interrupt, "exit", Exit.INTERRUPTED))
    except SystemExit as ended:  # argparse's
        if ended.code:
            _tell_nagios(arguments, "the command line is not understood")
        return int(ended.code or 0)
    except Exception as error:
        ours = isinstance(error, OSError) and output.not_written(error)
        if ours or isinstance(error, BrokenPipeError):
            raise
        return _defect(error)


def _dispatch(arguments: list[str]) -> int:
    _refuse_odd(arguments)
    name = arguments[0] if arguments else "run"
    if name in ("-h", "--help", "help"):
        return _help(arguments[1:])
    if name in ("-V", "--version", "version"):
        sys.stdout.write(f"langsmith-audit {__version__}\n")
        return Exit.OK
    if name.startswith("-"):
        name, arguments = "run", ["run", *arguments]
    if name not in COMMANDS:
        return _unknown(name)
    if name == "run" and "--dry-run" in arguments:
        name, arguments = "plan", [it for it in arguments if it != "--dry-run"]
    return _run(name, arguments[1:])


def _help(words: list[str]) -> int:
    if words and words[0] in COMMANDS:
        return _run(words[0], ["--help"])
    if words[:1] == ["exit-codes"]:
        from wizard.usage import EXIT_CODES

        sys.stdout.write(EXIT_CODES)
        return Exit.OK
    width = max(map(len, COMMANDS))
    commands = "\n".join(f"  {name:<{width}}  {it.help}" for name, it in COMMANDS.items())
    sys.stdout.write(
        "Turn on audit logs in a self-hosted LangSmith, and keep checking that they work.\n\n"
        "  langsmith-audit -n langsmith -f values.yaml\n\n"
        f"commands (without one: run):\n{commands}\n\n"
        "langsmith-audit COMMAND --help   its options\n"
        "langsmith-audit help exit-codes  how a command ends\n"
        "langsmith-audit explain LSA812   what a message means\n"
    )
    return Exit.OK


def _unknown(name: str) -> int:
    from wizard.safe import safe
    from wizard.usage import meant

    near = meant(name, COMMANDS)
    sys.stderr.write(f"✗ There is no command {safe(name)}\n")
    sys.stderr.write(f"  did you mean {near}?\n" if near else "")
    sys.stderr.write("  next: langsmith-audit --help\n")
    return Exit.USAGE


def _refuse_odd(arguments: list[str]) -> None:
    """What is typed goes into journals, plans and requests (but of `values`), which are UTF-8."""
    from wizard.safe import is_text

    if arguments[:1] == ["values"]:
        return
    for number, word in enumerate(arguments, 1):
        if not is_text(word):
            raise Problem(
                "LSA901",
                f"Argument {number} is not UTF-8 text",
                on="this invocation",
                next_step="type it in UTF-8, or give the file a name that is",
                exit=Exit.USAGE,
            )


def parser_of(name: str) -> argparse.ArgumentParser:
    """The parser of a command's arguments."""
    from wizard import variables
    from wizard.arguments import ARGUMENTS
    from wizard.usage import Parser

    command = COMMANDS[name]
    parser = Parser(name, command.help)
    if command.shared:
        add_shared(parser, reaching=command.reaching, reads=command.reads, without=command.own)
    if name in ARGUMENTS:
        ARGUMENTS[name](parser)
    _as_elsewhere(parser)
    parser.own = variables.tell(parser, name)
    return parser


def _as_elsewhere(parser: argparse.ArgumentParser) -> None:
    """`-o` is the format, as with kubectl and helm, or the file where a command has one."""
    flags = {it.option_strings[0]: it for it in parser._actions if it.option_strings}
    taken = {word for it in flags.values() for word in it.option_strings}
    to_file = next((it for it in flags.values() if it.dest == "output"), None)
    format = next((it for it in flags.values() if it.dest == "format"), None)
    for action, word in ((to_file, "--out"), (to_file, "-o"), (format, "-o")):
        if action and word not in taken:
            taken.add(word)
            action.option_strings = [*action.option_strings, word]
            parser._option_string_actions[word] = action


def _run(name: str, arguments: list[str]) -> int:
    import importlib

    from wizard import variables
    from wizard.console.waiting import Waiting
    from wizard.formats import OF_CHECKS
    from wizard.safe import show_whole_ids

    command, parser = COMMANDS[name], parser_of(name)
    variables.take(parser, name, arguments, os.environ)
    parsed = parser.parse_args(arguments)
    if name == "cronjob":  # what the pod is given is refused here, and not at night
        parser_of("check").parse_args(parsed.check)
    file = str(getattr(parsed, "output", None) or "")
    if file in OF_CHECKS and hasattr(parsed, "format"):  # `-o json`, as other programs have it
        parsed.output, parsed.format = None, file
    whole = getattr(parsed, "verbose", False) or getattr(parsed, "details", False)
    if command.shared:
        from wizard.settings import settings_from

        parsed.settings = settings_from(vars(parsed), os.environ)
        whole = whole or parsed.settings.get("verbose")
    show_whole_ids(whole=bool(whole))
    with Waiting("starting"):
        module = importlib.import_module(command.module)
    return int(module.main(parsed))


def add_shared(
    parser: argparse.ArgumentParser,
    *,
    reaching: bool = False,
    reads: bool = False,
    without: Collection[str] = (),
) -> None:
    """The options that tell the target and the conduct, from the one table."""
    from wizard.options import CHANGING, OPTIONS, REACHING

    names = ("target", "conduct", "limits") if reaching else GROUPS
    groups = {name: parser.add_argument_group(name) for name in names}
    for option in OPTIONS:
        if (
            option.flags
            and option.name not in without
            and (not reaching or option.name in REACHING)
        ):
            _add(groups[option.group], option, hidden=reads and option.name in CHANGING)
    groups["target"].description = "The API key is read from LANGSMITH_API_KEY or --api-key-file."


def _add(group: argparse._ArgumentGroup, option: Option, *, hidden: bool) -> None:
    from argparse import SUPPRESS

    from wizard.options import Kind, positive_seconds

    help = SUPPRESS if hidden else f"{option.help} [{option.variable}]"
    if option.kind is Kind.SWITCH:
        group.add_argument(*option.flags, dest=option.name, action="store_true", help=help)
    elif option.kind in (Kind.LIST, Kind.PATHS):
        group.add_argument(
            *option.flags,
            dest=option.name,
            action="append",
            choices=option.choices or None,
            metavar=option.metavar or None,
            help=help,
        )
    elif option.kind is Kind.CHOICE:
        group.add_argument(*option.flags, dest=option.name, choices=option.choices, help=help)
    elif option.kind is Kind.SECONDS:
        group.add_argument(
            *option.flags,
            dest=option.name,
            type=positive_seconds,
            metavar=option.metavar,
            help=help,
        )
    else:
        group.add_argument(*option.flags, dest=option.name, metavar=option.metavar, help=help)


def _report(problem: Problem) -> int:
    import re

    from wizard.console.output import folded
    from wizard.safe import ID, brief_id, safe

    if not sys.stderr:
        return int(problem.exit)
    seen = sys.stderr.isatty()

    def told(text: str, *, ids: bool = False) -> None:
        shown = re.sub(ID, lambda it: brief_id(it[0]), text) if seen and not ids else text
        sys.stderr.write(folded(safe(shown), sys.stderr) + "\n")

    told(f"✗ {problem.what}  {problem.id}")
    told(f"  on: {problem.on}")
    for line in problem.detail:
        told(f"  | {line}")
    sys.stderr.write(safe(problem.paste, lines=True))
    told("  changed: nothing")
    told(f"  next: {problem.next_step}", ids=True)
    return int(problem.exit)


def _defect(error: Exception) -> int:
    """Say that it is a defect of ours; a traceback may quote secrets, so only on request."""
    if os.environ.get("LANGSMITH_AUDIT_DEBUG"):
        raise error
    print(  # noqa: T201 - before there is a console
        f"✗ An unexpected error: {type(error).__name__}  LSA999\n"
        "  This is a defect of langsmith-audit, not of your cluster.\n"
        "  next: run it again with LANGSMITH_AUDIT_DEBUG=1 and report what it prints",
        file=sys.stderr,
    )
    return int(Exit.UNEXPECTED)
