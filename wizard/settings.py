"""What was told for the options, and what a run acts on: the target that is made of the answers.

Flags win over variables, variables over what is asked, and that over the default. Organization ids
are read here too, as people give them: a UUID, or a LangSmith UI URL with one in its path.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from wizard.options import (
    BY_NAME,
    ENDPOINTS,
    NOT_AGAIN,
    OPTIONS,
    SELECTING,
    SWITCHES,
    Kind,
    Option,
    positive_seconds,
)
from wizard.problems import Exit, Problem, unusable
from wizard.record import dataclass, field
from wizard.safe import cut, is_text

if TYPE_CHECKING:
    from uuid import UUID


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
    _everywhere(settings)
    return settings


def _everywhere(settings: Settings) -> None:
    """With `-A` a variable's namespace is left aside; one that is typed is another thing."""
    if not settings.get("all_namespaces") or not settings.told("namespace"):
        return
    if settings.origins["namespace"].startswith("flag"):
        raise Problem(
            "LSA901",
            "--namespace and --all-namespaces are given together",
            on="this invocation",
            next_step="give one of them",
            exit=Exit.USAGE,
        )
    del settings.values["namespace"], settings.origins["namespace"]


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
        if text.strip().lower() not in SWITCHES:
            raise _unusable(option, "true or false")
        return SWITCHES[text.strip().lower()]
    if option.kind is Kind.SECONDS:
        try:
            return positive_seconds(text)
        except ValueError:
            raise _unusable(option, "a number of seconds above zero") from None
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


def _unusable(option: Option, wanted: str) -> Problem:
    return unusable(option.variable, wanted, wanted)


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

    def organization_ids(self) -> list[UUID]:
        """The ids, each once.

        Raises:
            Problem: LSA506, one is none.
        """
        return list(dict.fromkeys(map(organization_id, self.ids)))


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
    "namespace": (_LABEL, 63, "lower-case letters, digits and -, 63 at most"),
    "release": (rf"{_LABEL}(?:\.{_LABEL})*", 53, "lower-case, as helm takes it"),
}
"""What Kubernetes and helm take as names; they go into paths and URLs."""


def _named(settings: Settings, name: str) -> str:
    """The name of a namespace or release; empty where nobody told it.

    Raises:
        Problem: LSA901, it can be none.
    """
    text = str(settings.get(name) or "")
    pattern, longest, words = _NAMES[name]
    if text and (len(text) > longest or not re.fullmatch(pattern, text)):
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
    told = {it.name: _meant(settings, it) for it in OPTIONS if it.name in Target.__annotations__}
    url = settings.origins.get("url", "")
    origins = [settings.origins.get(name, "") for name in ("release", "namespace")]
    of_sdk = url.endswith(ENDPOINTS)
    told |= {
        "namespace": _named(settings, "namespace"),
        "release": _named(settings, "release") or "langsmith",
        "selection": Selection(
            tuple(settings.get("org") or ()),
            bool(settings.get("all")),
            bool(settings.get("only_off")),
        ),
        "endpoint": url.removeprefix("variable ") if of_sdk else "",
        "repository": settings.get("repo_url") if settings.get("repo_update") else "",
        "found": next((origin for origin in origins if origin.startswith("found")), ""),
        "typed": tuple(_typed(settings)),
    }
    return Target(**told)


def _meant(settings: Settings, option: Option) -> Any:
    """The value as the target has it."""
    value = settings.get(option.name)
    if option.kind is Kind.SWITCH:
        return bool(value)
    if option.kind is Kind.SECRET:
        return value or ""
    if option.kind is Kind.PATHS:
        return tuple(map(Path, value or ()))
    if option.kind is Kind.LIST:
        return frozenset(value or ())
    if option.metavar == "FILE":
        return Path(value) if value else None
    return value


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


_UUID = r"(?i:[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12})"
_SHOWN = 80


def organization_id(text: str) -> UUID:
    """The organization's id in a UUID or a UI URL (`https://host/o/<uuid>/settings`).

    In a URL the UUID after `/o/` counts, else the only one in the path.

    Raises:
        Problem: LSA506 (usage) when there is none, or more than one that could be meant.
    """
    from uuid import UUID  # it asks for the platform, which few runs need to know

    text = text.strip()
    if re.fullmatch(_UUID, text):
        return UUID(text)
    found = _in_path(text) if "/" in text else None
    if found is not None:
        return found
    find = "langsmith-audit orgs lists the ids"
    word = text.removesuffix("…")  # a terminal shows the beginning of an id so
    if "/" not in word and word.isprintable() and len(word) <= _SHOWN:
        find = f"langsmith-audit orgs --search {quote(word)} may find it"
    raise Problem(
        "LSA506",
        f"not an organization id: {_shown(text)}",
        on="organization id",
        next_step=f"give the UUID, or the address of the organization's page in LangSmith; {find}",
        exit=Exit.USAGE,
    )


def _in_path(text: str) -> UUID | None:
    from uuid import UUID

    try:
        path = urlsplit(text).path
    except ValueError:
        return None
    parts = path.split("/")
    ids = [part for part in parts if re.fullmatch(_UUID, part)]
    marked = [b for a, b in pairwise(parts) if a == "o" and b in ids]
    chosen = marked or ids
    return UUID(chosen[0]) if len(set(chosen)) == 1 else None


def _shown(text: str) -> str:
    """The text, shortened, on one line, and without what a URL may hold besides its path."""
    if "//" in text:
        text = text.split("?")[0].split("#")[0]
        text = re.sub(r"//[^/@]*@", "//", text)
    text = text.encode("unicode_escape").decode("ascii") if not text.isprintable() else text
    return repr(cut(text, _SHOWN))
