"""What each command takes besides the options that all share, told without what acts on it.

So `--help` is drawn, and a command line completed, without the imports of a command.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from wizard import __version__
from wizard.formats import FORMATS, OF_CHECKS
from wizard.formats.events import FORMATS as OF_EVENTS
from wizard.options import PREFIX, positive_seconds

if TYPE_CHECKING:
    import argparse
    from datetime import timedelta

LISTS = ("text", "wide", "json", "yaml")
"""The formats of a list for people and programs."""
SHELLS, MAN = ("bash", "zsh", "fish", "powershell", "tcsh"), "man"
OPERATIONS = "operations"
DEFAULT_LIMIT = 10
"""Events that are shown where nobody says how many."""
WALKS = ("check", "events", "plan", "run", "apply", "undo")
"""The commands whose rights can be printed."""
SECRETS, DATABASE, PROOF = "secrets", "database", "proof"
"""Parts of a walk's rights."""
ROLE = "langsmith_audit"
"""What the login of its own is called in PostgreSQL."""
STATES = ("pass", "info", "warn", "fail", "unknown", "skip", "not-run")
CHARTS = ("0.12.32", "0.12.33", "0.13.37", "0.16.5")
"""The chart versions that can be practised on."""

LASTING = "7d"
"""How long a plan may be applied: a week has one change window in most houses."""
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}
_LONGEST = 366


def lasting(text: str) -> timedelta:
    """The time; ValueError when it is none, or more than a year."""
    match = re.fullmatch(r"(\d{1,6})([mhd])", text.strip())
    if not match:
        raise ValueError(text)
    from datetime import timedelta

    found = timedelta(**{_UNITS[match[2]]: int(match[1])})
    if not timedelta(0) < found <= timedelta(days=_LONGEST):
        raise ValueError(text)
    return found


def waited(text: str) -> float:
    """Seconds, of which 0 are none: it is checked once; ValueError when it is no time."""
    return 0.0 if text == "0" else positive_seconds(text)


def _of_plan(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--format", choices=FORMATS, default="text")
    add("-o", "--output", metavar="FILE", help="write the plan as JSON to FILE")
    add("--detailed-exitcode", action="store_true", help="exit 6 when changes are pending")
    add("--details", action="store_true", help="all of it in a terminal too, not twenty lines")
    add(
        "--expires",
        type=lasting,
        default=LASTING,
        metavar="TIME",
        help=f"how long it may be applied: 90m, 12h, 7d (default: {LASTING})",
    )
    add(
        "--compare",
        metavar="PLAN",
        help="show only what is different from this plan; its answers count where none is given",
    )
    add("--ticket", default="", metavar="TEXT", help="the change ticket")
    add("--needs-approval", action="store_true", help="apply only with --approve and the plan's id")
    add("--reason", default="", metavar="TEXT", help="why the change is made")


def _of_show(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("plan", metavar="PLAN", help="a file that plan -o FILE wrote")
    add("--format", choices=FORMATS, default="text")
    add("--details", action="store_true", help="all of it in a terminal too, not twenty lines")


def _of_apply(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("plan", metavar="PLAN", help="a file that plan -o FILE wrote")
    add("--approve", metavar="ID", help="apply only this plan: its id, or its first 12 characters")
    add("--signature", metavar="FILE", help="a signature of the file by ssh-keygen -Y sign")
    add("--allowed-signers", metavar="FILE", help="who may sign plans, see ssh-keygen(1)")


def _of_check(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--format", choices=OF_CHECKS, default="text")
    several = parser.add_argument_group("several installations, side by side").add_argument
    several(
        "--context",
        action="append",
        dest="contexts",
        default=[],
        metavar="NAME",
        help=f"kubeconfig context; repeat it for several [{PREFIX}CONTEXT]",
    )
    several("--targets", type=Path, metavar="FILE", help="file with a table [[target]] each (TOML)")
    several("--at-once", type=int, default=4, metavar="N", help="so many at a time (default: 4)")
    parser.add_argument(
        "--output", type=Path, metavar="FILE", help="write the result there, whole or not at all"
    )
    parser.add_argument(
        "--verdict-file",
        type=Path,
        metavar="FILE",
        help="write the last line there, too (a pod's /dev/termination-log)",
    )
    _how_it_is_checked(parser)
    told = parser.add_argument_group("how much is told as text").add_argument
    told(
        "--show",
        action="append",
        choices=[*STATES, "all"],
        metavar="STATE",
        help="tell findings of this state one by one too; repeat it: " + ", ".join(STATES),
    )
    told("-v", "--verbose", action="store_true", help="every finding, with evidence")
    told("--since-last", action="store_true", help="only what has changed since the check before")
    told("-q", "--quiet", action="store_true", help="only what is not well")


def _how_it_is_checked(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("the check").add_argument
    add("--only", action="append", metavar="AREA|ID", help="look at this alone; repeat it")
    add("--list", action="store_true", help="the areas and checks, offline")
    add("--fail-on", choices=("fail", "warn"), default="fail", help="warn: exit 4 on warnings only")
    add(
        "--skip-finding",
        action="append",
        default=[],
        metavar="ID[:SUBJECT]=REASON[@UNTIL]",
        help="what does not count, SUBJECT with * and ?, UNTIL its last day (2026-12-31)",
    )
    add(
        "--suppressions",
        metavar="FILE",
        default=os.environ.get(f"{PREFIX}SUPPRESSIONS"),
        help=f"file with [[suppress]] tables: id, reason, subject, until [{PREFIX}SUPPRESSIONS]",
    )
    add(
        "--wait",
        type=waited,
        default=0.0,
        metavar="TIME",
        help="check again until all is well, as long as that may be (90s, 5m, 1h30m)",
    )
    add(
        "-t",
        "--time-limit",
        type=positive_seconds,
        metavar="TIME",
        help="end a check after this, and tell what was not run (for nagios: 30)",
    )
    add(
        "--with-helm",
        action="store_true",
        help="also see whether the helm on PATH goes with the cluster; else none is run",
    )
    add(
        "--events-state",
        type=Path,
        metavar="FILE",
        help="also see that the export that keeps its place there (events --state) keeps up",
    )
    add(
        "--events-within",
        type=lasting,
        default="1h",
        metavar="TIME",
        help="how old that place may be: 90m, 26h, 7d (default: 1h)",
    )
    add(
        "--prove",
        action="store_true",
        help="also make and delete one tag key, and find both events: this writes",
    )
    add(
        "--workspace",
        default=os.environ.get("LANGSMITH_WORKSPACE_ID") or None,
        metavar="ID",
        help="where --prove makes it (default: the first one) [LANGSMITH_WORKSPACE_ID]",
    )
    add(
        "--prove-within",
        type=positive_seconds,
        default=60.0,
        metavar="TIME",
        help="how long each event may take to appear (default: 60)",
    )


def _of_undo(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "run",
        metavar="RUN",
        nargs="?",
        help="the run to put back, by its id (default: the last one on this release that was "
        "not put back yet)",
    )


def _of_orgs(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--search", default="", metavar="TEXT", help="part of the name, or the id's beginning")
    add("--format", choices=(*LISTS, "ndjson", "csv"), default="text")


def _of_events(parser: argparse.ArgumentParser) -> None:
    which = parser.add_argument_group(
        "which events",
        "A time is RFC 3339 (2026-11-02T08:00:00Z; without a zone UTC), or a "
        "duration before now (90m, 1h30m, 7d, 2w). Both ends are in the range.",
    ).add_argument
    which(
        "--since",
        "--start",
        default="24h",
        metavar="TIME",
        help="from when on: 90m, 7d, 2026-11-02T08:00:00Z (default: 24h)",
    )
    which("--until", "--end", metavar="TIME", help="until when (default: now)")
    which(
        "--operation",
        action="append",
        default=[],
        metavar="NAME",
        help="such as create_api_key; repeat it for several",
    )
    which("--actor", default="", metavar="ID", help="of a user, or by a key")
    which("--status", default="", choices=("success", "failure", "unknown"), help="how it ended")
    group = parser.add_argument_group("how many, and how")
    many, how = group.add_mutually_exclusive_group().add_argument, group.add_argument
    many(
        "--limit",
        type=int,
        metavar="N",
        help=f"so many of the range, 1 to 100 (default: {DEFAULT_LIMIT})",
    )
    many("--all", dest="every", action="store_true", help="all of the range")
    how(
        "-o",
        "--format",
        choices=(*OF_EVENTS, "html"),
        default="table",
        help="html is for --summary (default: table)",
    )
    how("--summary", action="store_true", help="all of the range, counted, with bars")
    how("--follow", action="store_true", help="all of the range, and then what comes")
    how("--state", metavar="FILE", help="go on where the last run with it ended")
    how(
        "--source",
        choices=("api", "database", "both"),
        default="api",
        help="the API, the table audit_logs, or both compared (default: api)",
    )
    which("--workspace", metavar="ID", help="of one workspace")
    which("--resource", default="", metavar="ID", help="about a resource")
    _how_events_are_read(how)


def _how_events_are_read(how: Callable[..., object]) -> None:
    how(
        "--at-a-time",
        type=int,
        choices=range(1, 17),
        default=4,
        metavar="N",
        help="windows of a day that are read side by side (default: 4)",
    )
    how(
        "--ocsf",
        choices=("received", "strict"),
        default="received",
        help="the events as they came, or as valid OCSF 1.7.0 (default: received)",
    )
    how(
        "--envelope",
        choices=("none", "hec"),
        default="none",
        help="each event in the envelope of Splunk's HTTP Event Collector (default: none)",
    )
    how(
        "--lag",
        default="2m",
        metavar="TIME",
        help="how late an event may be recorded and still be found (default: 2m)",
    )
    how(
        "--heartbeat",
        default="1m",
        metavar="TIME",
        help="how often --follow says on standard error how it stands (default: 1m)",
    )


def _of_values(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("files", nargs="+", metavar="FILE", help="a values file")
    act = parser.add_mutually_exclusive_group().add_argument
    act("--write", action="store_true", help="write the files; else only show")
    act("--check", action="store_true", help="exit 3 where an edit is needed (for CI)")
    add(
        "--show-values",
        action="store_true",
        help="show the values of other keys in the diff; they may be secrets",
    )
    add("--format", choices=("text", "json", "ndjson"), default="text")


def _of_runs(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", nargs="?", help="one run in full, by its id")
    parser.add_argument("--format", choices=LISTS, default="text")


def _tiers(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--without",
        action="append",
        default=[],
        choices=(SECRETS, DATABASE),
        help=f"leave rights out: {SECRETS} (what helm recorded, and the way to the database; the "
        f"chart's version is told by labels then), or the way to the {DATABASE} alone",
    )
    parser.add_argument(
        "--with",
        dest="besides",
        action="append",
        default=[],
        choices=(DATABASE, PROOF),
        help=f"add rights: {DATABASE} (with --without {SECRETS}: the one Secret that leads to it, "
        f"by name), {PROOF} (what check --prove asks of LangSmith's API)",
    )


def _of_rbac(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--for",
        dest="walk",
        choices=WALKS,
        default="run",
        help="what is to be done with it (default: run)",
    )
    _tiers(parser)
    whom = parser.add_mutually_exclusive_group().add_argument
    whom(
        "--service-account",
        default="langsmith-audit",
        metavar="NAME",
        help="bind it to this ServiceAccount of the namespace (default: langsmith-audit)",
    )
    whom("--user", metavar="NAME", help="bind it to a user instead")
    whom("--group", metavar="NAME", help="bind it to a group instead")
    add("--sql", action="store_true", help="print the login for the database instead, as SQL")
    add("--sql-role", default=ROLE, metavar="NAME", help=f"what it is called (default: {ROLE})")
    add(
        "--sql-schema",
        default="public",
        metavar="NAME",
        help="the schema of LangSmith's tables (default: public)",
    )
    add(
        "--from-release",
        action="store_true",
        help="look at the release for what helm needs: the kinds in its manifest, its hooks, this "
        "helm's version (without it: those of a chart with few values, for helm 3 and 4)",
    )


def _of_cronjob(parser: argparse.ArgumentParser) -> None:
    _tiers(parser)
    add = parser.add_argument
    add("--name", default="langsmith-audit-check", help="what all of it is called")
    add(
        "--schedule",
        default="17 5 * * *",
        metavar="CRON",
        help='when (default: "17 5 * * *", every night)',
    )
    add("--time-zone", default="Etc/UTC", metavar="ZONE", help="the schedule's (default: UTC)")
    add(
        "--image",
        default=f"langsmith-audit:{__version__}",
        help="the image; langsmith-audit image prints its Dockerfile",
    )
    add(
        "--secret",
        default="langsmith-audit",
        metavar="NAME",
        help="the Secret with the key api-key, and with --database direct the key database-url",
    )
    add("--state-claim", metavar="NAME", help="a PersistentVolumeClaim that keeps the history")
    add(
        "--alert",
        choices=("operator", "file", "none"),
        default="operator",
        help="the alert rules as a PrometheusRule (default), as a rule file alone, or not",
    )
    add(
        "--stale-after",
        type=int,
        default=93_600,
        metavar="SECONDS",
        help="how old the last good result may be (default: 93600, 26 hours)",
    )
    add("check", nargs="*", metavar="OPTION", help="after --: options of check")


def _of_image(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--from-checkout",
        action="store_true",
        help="install what lies in the build's context (docker build -f - .), not the release",
    )


def _of_explain(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "id",
        nargs="?",
        metavar="ID",
        help=f"a finding's id, such as LSA101; or {OPERATIONS}: what LangSmith records",
    )
    add("--format", choices=("text", "html"), default="text", help="html: one page (default: text)")
    add("--output", metavar="FOLDER", help="write a page for each finding there, and a list")


def _of_completion(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("shell", choices=(*SHELLS, MAN), help="the shell, or man for the man page")


def _of_practice(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Bring up a practice cluster on this machine (the real helm, a real PostgreSQL, a "
        "Kubernetes API, a stand-in for LangSmith), run the wizard on it, and clean up."
    )
    add = parser.add_argument
    add("-y", "--yes", action="store_true", help="let the wizard run to the end without asking")
    add("--keep", action="store_true", help="leave the cluster running after the wizard")
    add("--helm", type=int, choices=(3, 4), help="helm's major version (default: the one on PATH)")
    add(
        "--chart-version",
        choices=CHARTS,
        default="0.12.33",
        help="the LangSmith chart that is installed at the start (default: 0.12.33)",
    )
    add("--scenario", metavar="NAME", default="", help="stage a situation of real installations")
    add("--list", action="store_true", help="list the scenarios, and end")
    add("--no-wizard", action="store_true", help="with --keep: bring the cluster up and leave it")
    add("--stop", metavar="DIR", help="end a cluster that was kept")
    add("wizard_options", nargs="*", metavar="OPTION", help="after --: options for the wizard")


ARGUMENTS: Mapping[str, Callable[[argparse.ArgumentParser], None]] = {
    "plan": _of_plan,
    "show": _of_show,
    "apply": _of_apply,
    "check": _of_check,
    "undo": _of_undo,
    "orgs": _of_orgs,
    "events": _of_events,
    "values": _of_values,
    "runs": _of_runs,
    "rbac": _of_rbac,
    "cronjob": _of_cronjob,
    "image": _of_image,
    "explain": _of_explain,
    "completion": _of_completion,
    "practice": _of_practice,
}
"""What adds the options of its own to a command's parser; `run` has none."""
