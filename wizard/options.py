"""Every option as data: its flag, its environment variable, its prompt and its type.

The command line, the prompts and the list of missing answers are all made from the one table.

argparse reads it, not a larger library: `--help` and `--version` may take 1.5 times `helm
version`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from wizard.record import dataclass

PREFIX = "LANGSMITH_AUDIT_"


class Kind(StrEnum):
    """The shape of an option's value."""

    TEXT = "text"
    CHOICE = "choice"
    SECONDS = "seconds"
    SWITCH = "switch"
    LIST = "list"
    PATHS = "paths"
    SECRET = "secret"  # noqa: S105 - a kind of value, not a value


@dataclass(frozen=True)
class Option:
    """One thing that can be told to the program.

    Attributes:
        name: how the code calls it.
        flags: what is typed; empty for what must never be on a command line.
        variable: the environment variable that says the same.
        also: other tools' variables that say it where nothing else does, the first one first.
        help: one line for `--help`.
        ask: the prompt's text; empty when it is never asked.
        group: the heading under which `--help` lists it.
        default: the value when nothing is said.
    """

    name: str
    flags: tuple[str, ...]
    variable: str
    help: str
    kind: Kind = Kind.TEXT
    choices: tuple[str, ...] = ()
    default: Any = None
    ask: str = ""
    group: str = "target"
    metavar: str = ""
    also: tuple[str, ...] = ()


_UNITS = {"s": 1, "m": 60, "h": 3600}


def positive_seconds(text: str) -> float:
    """Seconds above zero and below a day (`90`, `90s`, `10m`, `1h30m`); else a ValueError."""
    parts = re.findall(r"(\d+)([smh])", text)
    whole = bool(parts) and "".join(map("".join, parts)) == text
    seconds = float(sum(int(n) * _UNITS[unit] for n, unit in parts)) if whole else float(text)
    if not 0 < seconds <= 86_400:
        raise ValueError(text)
    return seconds


def _option(name: str, flags: str, help: str, **more: Any) -> Option:
    variable = more.pop("variable", PREFIX + name.upper())
    return Option(name, tuple(flags.split()), variable, help, **more)


STEP_NAMES = (
    "chart_version", "values_file", "helm_upgrade", "organizations", "backend_restart",
    "audit_table", "audit_api",
)  # fmt: skip
"""The names of the steps; here without their modules, which take long to import."""

ENDPOINTS = ("LANGSMITH_ENDPOINT", "LANGCHAIN_ENDPOINT")
"""Where LangSmith's SDKs send the key to."""

OPTIONS: tuple[Option, ...] = (
    _option("kubeconfig", "--kubeconfig", "kubeconfig file (default: as kubectl finds it)", metavar="FILE"),
    _option(
        "context", "--context", "kubeconfig context", metavar="NAME",
        ask="Which Kubernetes context?",
    ),
    _option(
        "namespace", "-n --namespace", "namespace of the Helm release (default: found by looking)", metavar="NAME",
        ask="Which namespace is LangSmith's release in?",
    ),
    _option(
        "all_namespaces", "-A --all-namespaces",
        "look for the release in all namespaces, whatever the variable names", kind=Kind.SWITCH,
    ),
    _option(
        "release", "--release", "name of the Helm release (default: found by looking)",
        metavar="NAME",
        ask="What is the Helm release called?",
    ),
    _option(
        "values", "-f --values", "values file; repeat it in the order that helm gets them",
        kind=Kind.PATHS, metavar="FILE", ask="Which values file is the release installed from?",
    ),
    _option(
        "edit_file", "--edit-file",
        "the one of several values files to edit when none has backend.deployment.extraEnv",
        metavar="FILE",
    ),
    _option(
        "chart", "--chart",
        "chart reference, or 'stored': the chart in the release itself (default: langchain/langsmith)",
        metavar="REF", ask="Take the chart out of the release itself?",
        default="langchain/langsmith",
    ),
    _option(
        "chart_version", "--chart-version", "chart version (default: the one that is deployed)",
        metavar="VERSION",
    ),
    _option(
        "repo_update", "--repo-update",
        "add or refresh helm's repository of the chart where that is needed", kind=Kind.SWITCH,
        ask="Add or refresh helm's repository now?",
    ),
    _option(
        "repo_url", "--repo-url",
        "where --repo-update adds it from (default: https://langchain-ai.github.io/helm)",
        default="https://langchain-ai.github.io/helm", metavar="URL",
    ),
    _option(
        "database", "--database", "the way to PostgreSQL (default: auto)", kind=Kind.CHOICE,
        choices=("auto", "port-forward", "exec", "direct", "pod", "manual"), default="auto",
    ),
    _option(
        "database_url_file", "--database-url-file",
        "file with a libpq URL or connection string, to log in with directly", metavar="FILE",
    ),
    _option(
        "url", "--url", "LangSmith's URL (default: from the release)", metavar="URL",
        also=ENDPOINTS,
    ),
    _option("ca_file", "--ca-file", "certificates to trust for LangSmith's URL", metavar="FILE"),
    _option(
        "api_key_file", "--api-key-file", "file with an organization admin's API key",
        metavar="FILE",
    ),
    _option(
        "api_key", "", "an organization admin's API key", kind=Kind.SECRET,
        variable="LANGSMITH_API_KEY", also=("LANGCHAIN_API_KEY",), ask="API key of an organization admin (not shown):",
    ),
    _option(
        "org", "--org", "organization id or LangSmith UI URL; repeat it for several",
        kind=Kind.LIST, metavar="ID", group="organizations",
        ask="For which organizations?",
    ),
    _option("all", "--all", "all shared organizations", kind=Kind.SWITCH, group="organizations"),
    _option(
        "only_off", "--only-off", "all shared organizations with a stored false",
        kind=Kind.SWITCH, group="organizations",
    ),
    _option(
        "skip", "--skip", "leave a step out; repeat it: " + ", ".join(STEP_NAMES),
        kind=Kind.LIST, choices=STEP_NAMES, metavar="STEP", group="conduct",
    ),
    _option(
        "force", "--force", "make the documented change even where the server already has audit logs",
        kind=Kind.SWITCH, group="conduct",
    ),
    _option(
        "accept_drift", "--accept-drift",
        "upgrade although the values files would change other deployed values",
        kind=Kind.SWITCH, group="conduct", ask="Change these other deployed values too?",
    ),
    _option(
        "accept_chart_change", "--accept-chart-change",
        "raise the chart to the later --chart-version, with all that comes with it",
        kind=Kind.SWITCH, group="conduct", ask="Raise the chart's version too?",
    ),
    _option(
        "gitops", "--gitops",
        "run no helm: wait until the edited values file is brought to the cluster from git",
        kind=Kind.SWITCH, group="conduct",
        ask="Go through git instead: edit the file, and wait until it is brought to the cluster?",
    ),
    _option(
        "accept_owner", "--accept-owner",
        "upgrade with helm although Argo CD, Flux, Terraform or another owns the backend",
        kind=Kind.SWITCH, group="conduct", ask="Upgrade with helm all the same?",
    ),
    _option(
        "accept_render", "--accept-render",
        "upgrade although other objects would change with the same values and version",
        kind=Kind.SWITCH, group="conduct", ask="Change these other objects too?",
    ),
    _option(
        "accept_failed", "--accept-failed",
        "upgrade although the last operation on the release failed",
        kind=Kind.SWITCH, group="conduct", ask="Upgrade the failed release again?",
    ),
    _option(
        "accept_trigger", "--accept-trigger",
        "change organizations although the database itself changes more of their rows",
        kind=Kind.SWITCH, group="conduct", ask="Change these rows all the same?",
    ),
    _option(
        "one_rollout", "--one-rollout",
        "update the organizations before the upgrade, so that its rollout is the restart too",
        kind=Kind.SWITCH, group="conduct",
    ),
    _option(
        "unfinished", "--unfinished",
        "what to do about a run that was left unfinished (default: resume)", kind=Kind.CHOICE,
        choices=("resume", "undo", "leave"), default="resume", group="conduct",
        ask="What is to become of it?",
    ),
    _option(
        "on_failure", "--on-failure",
        "what to do when the upgrade failed (default: stop; in a terminal it is asked)",
        kind=Kind.CHOICE, choices=("stop", "rollback"), default="stop", group="conduct",
        ask="The upgrade failed. What now?",
    ),
    _option(
        "take_over", "--take-over",
        "take the release's Lease over from a run of another machine that is dead",
        kind=Kind.SWITCH, group="conduct", ask="Take it over?",
    ),
    _option(
        "answers", "--answers", "file with answers (YAML), as --save-answers writes it", metavar="FILE",
        group="conduct", ask="Go on with the answers of the run that was left?",
    ),
    _option(
        "save_answers", "--save-answers", "write what was answered to FILE, without secrets",
        metavar="FILE", group="conduct",
    ),
    _option("yes", "-y --yes", "take the defaults and confirm every change", kind=Kind.SWITCH, group="conduct"),
    _option(
        "verbose", "-v --verbose", "show the evidence of what is right, too", kind=Kind.SWITCH,
        group="conduct",
    ),
    _option(
        "quiet", "-q --quiet", "say only what is asked, what is wrong and how it ended",
        kind=Kind.SWITCH, group="conduct",
    ),
    _option("no_input", "--no-input", "never ask: report what is missing instead", kind=Kind.SWITCH, group="conduct"),
    _option(
        "upgrade_limit", "--upgrade-limit", "how long helm upgrade may take: 90, 10m, 1h (default: 30m)",
        kind=Kind.SECONDS, default=1800.0, metavar="TIME", group="limits",
    ),
    _option(
        "rollout_limit", "--rollout-limit", "how long a rollout may take (default: 10m)",
        kind=Kind.SECONDS, default=600.0, metavar="TIME", group="limits",
    ),
    _option(
        "patience", "--patience", "how long a rollout may stay stuck before it is given up (default: 30s)",
        kind=Kind.SECONDS, default=30.0, metavar="TIME", group="limits",
    ),
    _option(
        "connect_limit", "--connect-limit", "to reach the cluster, the database or the API; helm reads may take 3 times as long (default: 10s)",
        kind=Kind.SECONDS, default=10.0, metavar="TIME", group="limits",
    ),
    _option(
        "lock_limit", "--lock-limit", "how long to wait for a row lock (default: 5s)",
        kind=Kind.SECONDS, default=5.0, metavar="TIME", group="limits",
    ),
)  # fmt: skip

REACHING = ("kubeconfig", "context", "api_key_file", "api_key", "ca_file", "yes", "no_input",
            "connect_limit", "lock_limit", "rollout_limit", "patience", "on_failure",
            "unfinished", "take_over")  # fmt: skip
"""How this machine reaches the systems, what it may ask and how long it waits: told anew where
a plan says all the rest."""

CHANGING = ("repo_update", "repo_url", "accept_drift", "accept_chart_change", "accept_owner",
            "accept_render", "accept_failed", "accept_trigger", "one_rollout", "unfinished", "on_failure",
            "take_over", "yes", "upgrade_limit", "rollout_limit", "patience")  # fmt: skip
"""What matters to a change alone, and to nothing that only reads."""

SELECTING = ("org", "all", "only_off")
"""The ways to choose organizations, of which one is taken."""

NOT_AGAIN = ("kubeconfig", "context", "namespace", "release", "yes", "no_input", "unfinished",
             "take_over", "save_answers", "verbose", "quiet", "all_namespaces")  # fmt: skip
"""What a command that goes on says otherwise, or must not say by itself."""

BY_NAME: Mapping[str, Option] = {option.name: option for option in OPTIONS}


SWITCHES = {"1": True, "true": True, "yes": True, "on": True}
SWITCHES |= {"0": False, "false": False, "no": False, "off": False}
"""What a variable may say of a switch."""
