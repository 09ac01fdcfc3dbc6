"""Every option as data, and what a run acts on: the target that is made of the answers.

Flags win over variables, variables over what is asked, and that over the default. The command
line, the prompts and the list of missing answers are all made from the one table. Organization ids
are read here too, as people give them: a UUID, or a LangSmith UI URL with one in its path.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import pairwise
from pathlib import Path
from shlex import quote
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from wizard.problems import Exit, Problem

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
    _option("yes", "-y --yes", "take the defaults and confirm every change", kind=Kind.SWITCH, group="conduct"),
    _option("no_input", "--no-input", "never ask: report what is missing instead", kind=Kind.SWITCH, group="conduct"),
    _option(
        "upgrade_limit", "--upgrade-limit", "seconds that helm upgrade may take (default: 1800)",
        kind=Kind.SECONDS, default=1800.0, metavar="SECONDS", group="limits",
    ),
    _option(
        "rollout_limit", "--rollout-limit", "seconds that a rollout may take (default: 600)",
        kind=Kind.SECONDS, default=600.0, metavar="SECONDS", group="limits",
    ),
    _option(
        "patience", "--patience", "seconds that a rollout may stay stuck before it is given up (default: 30)",
        kind=Kind.SECONDS, default=30.0, metavar="SECONDS", group="limits",
    ),
    _option(
        "connect_limit", "--connect-limit", "seconds to reach the cluster, the database or the API; helm reads may take 3 times as long (default: 10)",
        kind=Kind.SECONDS, default=10.0, metavar="SECONDS", group="limits",
    ),
    _option(
        "lock_limit", "--lock-limit", "seconds to wait for a row lock (default: 5)",
        kind=Kind.SECONDS, default=5.0, metavar="SECONDS", group="limits",
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

BY_NAME: Mapping[str, Option] = {option.name: option for option in OPTIONS}


@dataclass
class Settings:
    """What was told so far, and where each value came from."""

    values: dict[str, Any] = field(default_factory=dict)
    origins: dict[str, str] = field(default_factory=dict)

    def get(self, name: str) -> Any:
        """The value of an option, or its default."""
        return self.values.get(name, BY_NAME[name].default)

    def told(self, name: str) -> bool:
        """Whether somebody said it, by flag, variable or prompt."""
        return name in self.values

    def put(self, name: str, value: Any, origin: str) -> None:
        """Take a value, with the words that say where it came from."""
        self.values[name] = value
        self.origins[name] = origin


def settings_from(arguments: Mapping[str, Any], environ: Mapping[str, str]) -> Settings:
    """Flags first, then variables.

    Raises:
        Problem: a variable that cannot be read as what the option wants.
    """
    settings = Settings()
    for option in OPTIONS:
        given = arguments.get(option.name)
        if given not in (None, False, []):
            settings.put(option.name, _from_home(option, given), f"flag {option.flags[-1]}")
            continue
        told = [name for name in (option.variable, *option.also) if environ.get(name, "")]
        if told:
            if not is_text(environ[told[0]]):
                raise _unusable(option, "UTF-8 text")
            value = _from_variable(option, environ[told[0]])
            if value is not False:
                settings.put(option.name, _from_home(option, value), f"variable {told[0]}")
    _choose_one(settings)
    return settings


def _choose_one(settings: Settings) -> None:
    """A choice by flag leaves the variables' one aside; of two of a kind none wins silently."""
    told = [name for name in SELECTING if settings.told(name)]
    typed = [name for name in told if settings.origins[name].startswith("flag")]
    if len(typed or told) > 1:
        names = " and ".join(settings.origins[name].split()[-1] for name in typed or told)
        raise Problem(
            "LSA901",
            f"{names} are given together, and each chooses other organizations",
            on="this invocation",
            next_step="give one of --org, --all, --only-off",
            exit=Exit.USAGE,
        )
    for name in set(told) - set(typed) if typed else ():
        del settings.values[name]


def _from_variable(option: Option, text: str) -> Any:
    if option.kind is Kind.SWITCH:
        return _switch(option, text)
    if option.kind is Kind.SECONDS:
        return _seconds(option, text)
    if option.kind is Kind.PATHS:
        return [part for part in text.split(os.pathsep) if part]
    words = text.replace(",", " ").split() if option.kind is Kind.LIST else [text]
    if option.choices and not set(words) <= set(option.choices):
        raise _unusable(option, "one of " + ", ".join(option.choices))
    return words if option.kind is Kind.LIST else text


def _from_home(option: Option, value: Any) -> Any:
    """Paths with the home that a leading `~` stands for, where no shell has spelled it out."""
    if option.metavar != "FILE":
        return value
    if isinstance(value, list):
        return [os.path.expanduser(text) for text in value]  # noqa: PTH111 - a text it stays
    return os.path.expanduser(value)  # noqa: PTH111


def is_text(text: str) -> bool:
    """Whether it came as UTF-8; the system's names need not be."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _switch(option: Option, text: str) -> bool:
    words = {"1": True, "true": True, "yes": True, "on": True}
    words |= {"0": False, "false": False, "no": False, "off": False}
    if text.strip().lower() not in words:
        raise _unusable(option, "true or false")
    return words[text.strip().lower()]


def _seconds(option: Option, text: str) -> float:
    try:
        return positive_seconds(text)
    except ValueError:
        raise _unusable(option, "a number of seconds above zero") from None


def positive_seconds(text: str) -> float:
    """A number of seconds above zero and below a day; anything else is a ValueError."""
    seconds = float(text)
    if not 0 < seconds <= 86_400:
        raise ValueError(text)
    return seconds


def _unusable(option: Option, wanted: str) -> Problem:
    return Problem(
        "LSA901",
        f"{option.variable} is not {wanted}",
        on=f"environment variable {option.variable}",
        next_step=f"unset {option.variable}, or set it to {wanted}",
        exit=Exit.USAGE,
    )


STORED = "stored"
"""The chart reference that means the chart in the release itself."""


@dataclass(frozen=True)
class Selection:
    """Which organizations are meant.

    Attributes:
        ids: ids or UI URLs as they were given.
        all: every shared organization.
        only_off: every shared organization with a stored false.
    """

    ids: tuple[str, ...] = ()
    all: bool = False
    only_off: bool = False

    @property
    def made(self) -> bool:
        """Whether anything was selected at all."""
        return bool(self.ids) or self.all or self.only_off


@dataclass(frozen=True)
class Target:
    """One LangSmith release, and the answers for it. Limits are in seconds.

    Attributes:
        endpoint: the variable of LangSmith's SDKs that `url` comes from; empty for all else.
        repository: the URL of helm's repository that may be added or refreshed; empty: it may not.
        found: how the release was found, where nobody named it.
        typed: the words that say again what no variable says; see `wizard.aim`.
    """

    kubeconfig: Path | None
    context: str | None
    namespace: str
    release: str
    values: tuple[Path, ...]
    edit_file: Path | None
    chart: str
    chart_version: str | None
    database: str
    database_url_file: Path | None
    url: str | None
    ca_file: Path | None
    api_key: str = field(repr=False)
    selection: Selection
    skip: frozenset[str]
    force: bool
    accept_drift: bool
    accept_chart_change: bool
    take_over: bool
    accept_render: bool
    accept_failed: bool
    accept_owner: bool
    accept_trigger: bool
    gitops: bool
    upgrade_limit: float
    rollout_limit: float
    patience: float
    one_rollout: bool
    connect_limit: float
    lock_limit: float
    endpoint: str = ""
    repository: str = ""
    found: str = ""
    typed: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Place:
    """The release that a run acts on, as journals tell it from others."""

    server: str
    namespace: str
    release: str

    def as_json(self) -> dict[str, str]:
        """The place as a journal holds it."""
        return {"server": self.server, "namespace": self.namespace, "release": self.release}


_LABEL = r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?"
_NAMES = {
    "namespace": (re.compile(_LABEL), 63, "lower-case letters, digits and -, 63 at most"),
    "release": (re.compile(rf"{_LABEL}(?:\.{_LABEL})*"), 53, "lower-case, as helm takes it"),
}
"""What Kubernetes and helm take as names; they go into paths and URLs."""


def _named(settings: Settings, name: str) -> str:
    """The name of a namespace or release; empty where nobody told it.

    Raises:
        Problem: LSA901, it can be none.
    """
    text = str(settings.get(name) or "")
    pattern, longest, words = _NAMES[name]
    if text and (len(text) > longest or not pattern.fullmatch(text)):
        raise Problem(
            "LSA901",
            f"{_shown(text)} cannot be the name of a {name}: {words}",
            on=f"option --{name} ({settings.origins.get(name, 'default')})",
            next_step=f"give the {name}'s name; helm list --all-namespaces shows both",
            exit=Exit.USAGE,
        )
    return text


def target_from(settings: Settings) -> Target:
    """The target that the settings describe; what was not told has its default.

    Raises:
        Problem: LSA901, a name can be none.
    """
    return Target(
        kubeconfig=_path(settings.get("kubeconfig")),
        context=settings.get("context"),
        namespace=_named(settings, "namespace"),
        release=_named(settings, "release") or "langsmith",
        values=tuple(Path(name) for name in settings.get("values") or ()),
        edit_file=_path(settings.get("edit_file")),
        chart=settings.get("chart"),
        chart_version=settings.get("chart_version"),
        database=settings.get("database"),
        database_url_file=_path(settings.get("database_url_file")),
        url=settings.get("url"),
        ca_file=_path(settings.get("ca_file")),
        api_key=settings.get("api_key") or "",
        selection=Selection(
            tuple(settings.get("org") or ()),
            bool(settings.get("all")),
            bool(settings.get("only_off")),
        ),
        skip=frozenset(settings.get("skip") or ()),
        force=bool(settings.get("force")),
        accept_drift=bool(settings.get("accept_drift")),
        accept_chart_change=bool(settings.get("accept_chart_change")),
        take_over=bool(settings.get("take_over")),
        accept_render=bool(settings.get("accept_render")),
        accept_failed=bool(settings.get("accept_failed")),
        accept_owner=bool(settings.get("accept_owner")),
        accept_trigger=bool(settings.get("accept_trigger")),
        gitops=bool(settings.get("gitops")),
        upgrade_limit=settings.get("upgrade_limit"),
        rollout_limit=settings.get("rollout_limit"),
        patience=settings.get("patience"),
        one_rollout=bool(settings.get("one_rollout")),
        connect_limit=settings.get("connect_limit"),
        lock_limit=settings.get("lock_limit"),
        endpoint=settings.origins.get("url", "").removeprefix("variable ")
        if settings.origins.get("url", "").endswith(ENDPOINTS)
        else "",
        repository=settings.get("repo_url") if settings.get("repo_update") else "",
        found=_found(settings),
        typed=tuple(_typed(settings)),
    )


NOT_AGAIN = ("kubeconfig", "context", "namespace", "release", "yes", "no_input", "unfinished",
             "take_over")  # fmt: skip
"""What a command that goes on says otherwise, or must not say by itself."""


def _typed(settings: Settings) -> Iterator[tuple[str, str]]:
    """What a flag or a prompt said, as it is typed again; variables are there still."""
    for option in OPTIONS:
        told = settings.origins.get(option.name, "") if settings.told(option.name) else ""
        if option.name in NOT_AGAIN or not option.flags or not told.startswith(("flag", "prompt")):
            continue
        value = settings.get(option.name)
        if option.kind is Kind.SWITCH:
            yield option.name, option.flags[-1]
        elif option.kind is Kind.SECONDS:
            yield option.name, f"{option.flags[-1]} {value:g}"
        else:
            several = value if isinstance(value, list) else [value]
            yield option.name, " ".join(f"{option.flags[0]} {quote(str(it))}" for it in several)


def _found(settings: Settings) -> str:
    origins = (settings.origins.get(name, "") for name in ("release", "namespace"))
    return next((origin for origin in origins if origin.startswith("found")), "")


def _path(text: str | None) -> Path | None:
    return Path(text) if text else None


_UUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)
_SHOWN = 80


def organization_id(text: str) -> UUID:
    """The organization's id in a UUID or a UI URL (`https://host/o/<uuid>/settings`).

    In a URL the UUID after `/o/` counts, else the only one in the path.

    Raises:
        Problem: LSA506 (usage) when there is none, or more than one that could be meant.
    """
    text = text.strip()
    if _UUID.fullmatch(text):
        return UUID(text)
    if "/" in text:
        found = _in_path(text)
        if found is not None:
            return found
    raise Problem(
        "LSA506",
        f"not an organization id: {_shown(text)}",
        on="organization id",
        next_step="give the UUID, or the address of the organization's page in LangSmith; "
        "langsmith-audit orgs lists the ids",
        exit=Exit.USAGE,
    )


def _in_path(text: str) -> UUID | None:
    try:
        path = urlsplit(text).path
    except ValueError:
        return None
    parts = path.split("/")
    ids = [part for part in parts if _UUID.fullmatch(part)]
    marked = [b for a, b in pairwise(parts) if a == "o" and b in ids]
    chosen = marked or ids
    return UUID(chosen[0]) if len(set(chosen)) == 1 else None


def _shown(text: str) -> str:
    """The text, shortened, on one line, and without what a URL may hold besides its path."""
    if "//" in text:
        text = text.split("?")[0].split("#")[0]
        text = re.sub(r"//[^/@]*@", "//", text)
    text = text.encode("unicode_escape").decode("ascii") if not text.isprintable() else text
    return repr(text if len(text) <= _SHOWN else text[:_SHOWN] + "…")
