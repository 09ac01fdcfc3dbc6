"""LangSmith's API as one target reaches it: with which key, for which organization, within what.

It tells what the server itself says of the key's organization and its audit log.
"""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from wizard.problems import Exit, Problem
from wizard.record import dataclass, field

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager, ExitStack
    from datetime import datetime
    from uuid import UUID

    from wizard.settings import Target
    from wizard.systems.kubernetes.forward import LocalForward
    from wizard.systems.langsmith.api import (
        About,
        AuditLogPage,
        CurrentOrganization,
        LangSmithApi,
        OwnKey,
    )
    from wizard.systems.release.installation import Installation


API_FACTOR = 2
"""LangSmith may think about an answer for this times the limit to connect."""
REFUSED = "LSA812"
NOT_REACHED = ("LSA804", "LSA805", "LSA806")
"""The API's address is of no use from here: no such name, nobody listens, nothing in time."""


class Asking:
    """Asks the API with a target's key; what it opens is closed with `looks`."""

    def __init__(self, target: Target, looks: ExitStack) -> None:
        self._target = target
        self._looks = looks

    def served(self, url: str, installation: Callable[[], Installation]) -> Served:
        """What it says of the one chosen organization; of several of the key's own, or the first.

        Raises:
            Problem: it does not answer as documented; an address that cannot be reached is told
                with the way past what is in front of the backend.
        """
        try:
            return what_it_serves(*self._chosen(url))
        except Problem as problem:
            if problem.id not in NOT_REACHED:
                raise
            past = f"or go to the backend itself: {_past_the_front(installation())}"
            raise problem.but(next_step=f"{problem.next_step}; {past}") from problem

    def served_through(self, opening: AbstractContextManager[LocalForward]) -> Served:
        """The same through a forwarded port.

        Raises:
            Problem: the port cannot be forwarded, or LangSmith does not answer as documented.
        """
        forward = self._looks.enter_context(opening)
        try:
            return what_it_serves(*self._chosen(f"http://{forward.host}:{forward.port}"))
        except Problem:
            if forward.problem:
                raise forward.problem from None
            raise

    def log(self, url: str) -> LangSmithApi:
        """The API for reading the log of the chosen organization, or of the key's own."""
        from wizard.settings import organization_id

        chosen = [organization_id(text) for text in self._target.selection.ids]
        return self._api(url, chosen[0] if chosen else None)

    def refusal(self, url: str, problem: Problem) -> Problem:
        """A refusal of the log as it is told where the organization itself is asked about."""
        if problem.id == "LSA823":
            try:
                self._chosen(url)
            except Problem as told:
                return told
        return problem

    def organization(self, url: str, id: UUID) -> CurrentOrganization:
        """What it says of an organization; of the key's own, where the key has no other.

        Raises:
            Problem: it does not answer as documented.
        """
        return self._api(url, id).organization()

    def _chosen(self, url: str) -> tuple[LangSmithApi, CurrentOrganization]:
        from wizard.settings import organization_id

        chosen = [organization_id(text) for text in self._target.selection.ids]
        api = self._api(url, chosen[0] if len(chosen) == 1 else None)
        try:
            organization = api.organization()
        except Problem as problem:
            if problem.id != REFUSED or len(chosen) != 1:
                raise
            raise self._of_another(url, problem, chosen[0]) from None
        if len(chosen) > 1 and organization.id not in chosen:
            api = self._api(url, chosen[0])
            organization = api.organization()
        return api, organization

    def _of_another(self, url: str, problem: Problem, chosen: UUID) -> Problem:
        """The refusal, with the key's own organization where it says which that is."""
        try:
            own = self._api(url, None).organization()
        except Problem:
            return problem
        if own.id == chosen:
            return problem
        name = f"{own.display_name} ({own.id})"
        return problem.but(
            what=f"The key is of organization {name}, and LangSmith refuses it for {chosen}",
            next_step=f"choose the key's own organization: --org {own.id}; or use a key that an "
            f"admin of {chosen} made",
        )

    def _api(self, url: str, organization: UUID | None) -> LangSmithApi:
        from wizard.systems.langsmith.api import LangSmithApi

        api = LangSmithApi(
            url,
            self._target.api_key,
            organization=organization,
            ca_file=self._target.ca_file,
            connect_limit=self._target.connect_limit,
            read_limit=self._target.connect_limit * API_FACTOR,
        )
        self._looks.callback(api.close)
        return api


CLOUD = "smith.langchain.com"


def agreed(target: Target, own: str | None) -> str | None:
    """The address to ask: the one that was told, else the release's own.

    Raises:
        Problem: LSA826, what leads LangSmith's SDKs leads elsewhere than to this release, or the
            address is LangChain's cloud: the key is sent nowhere.
    """
    from urllib.parse import urlsplit

    from wizard.systems.langsmith.api import base_of

    told = target.url or own
    hosts = [urlsplit(base_of(url)).hostname or "" for url in (told, own) if url]
    cloud = bool(hosts) and f".{hosts[0]}".endswith(f".{CLOUD}")
    if not cloud and not (target.endpoint and len(set(hosts)) > 1):
        return told
    what = "is LangChain's own cloud" if cloud else f"is not the release's own address ({hosts[1]})"
    raise Problem(
        "LSA826",
        f"{hosts[0]} {what}; the key was not sent",
        on=f"environment variable {target.endpoint}" if target.endpoint else "LangSmith's URL",
        next_step="say which LangSmith is meant, with a key of its own: --url "
        + (f"https://{hosts[1]}" if len(hosts) > 1 else "URL"),
        exit=Exit.USAGE,
    )


def _past_the_front(installation: Installation) -> str:
    """How a person forwards a port of the backend, which serves the API by itself."""
    backend = installation.backend
    kind = "deployment" if backend.kind == "Deployment" else "service"
    what = f"{kind}/{backend.name} {backend.port}:{backend.port}"
    url = f"http://127.0.0.1:{backend.port}"
    return f"kubectl port-forward -n {installation.namespace} {what}, and --url {url}"


@dataclass(frozen=True)
class Served:
    """What the server itself says: the key's organization, and a page of its audit log.

    Attributes:
        api: what it was asked through.
        range: the two times between which the log was asked for.
        took: seconds until the page was there.
    """

    url: str
    organization: CurrentOrganization
    page: AuditLogPage | None
    refused: Problem | None = field(default=None)
    api: LangSmithApi | None = field(default=None, repr=False, compare=False)
    range: tuple[datetime, datetime] | None = field(default=None, compare=False)
    took: float = field(default=0.0, compare=False)

    @property
    def on(self) -> bool:
        """The server says that the organization has audit logs, and the endpoint answers."""
        return bool(self.organization.can_use_audit_logs) and self.page is not None


def what_it_serves(api: LangSmithApi, organization: CurrentOrganization) -> Served:
    """The organization's newest page of 30 days, or why the endpoint does not give it."""
    from datetime import UTC, datetime, timedelta

    now, began = datetime.now(UTC), time.monotonic()
    between = now - timedelta(days=30), now + timedelta(minutes=1)
    page = refused = None
    try:
        page = api.audit_logs(start=between[0], end=between[1], limit=PAGE)
    except Problem as problem:
        refused = problem
    took = time.monotonic() - began
    return Served(api.base_url, organization, page, refused, api, between, took)


PAGE = 10
"""Events of the first page; two of them are held against one of twice as many."""

T = TypeVar("T")


@dataclass(frozen=True)
class Sounded:
    """What else the API tells, asked side by side; a problem in the place of what it did not tell.

    Attributes:
        about: what the server says of itself.
        key: the API key among those that it may list; None where it is not told.
        second: the page behind the first one; None where there is none.
        whole: twice as many events as the first page has, from the same beginning; None where there
            is no second page.
    """

    about: About | Problem
    key: OwnKey | Problem | None
    second: AuditLogPage | Problem | None
    whole: AuditLogPage | Problem | None


def sound(served: Served) -> Sounded:
    """Ask for it, each on its own."""
    from concurrent.futures import ThreadPoolExecutor

    api, page = served.api, served.page
    assert api  # noqa: S101 - told to the type checker
    start, end = served.range or (None, None)

    def of(cursor: str | None, limit: int) -> AuditLogPage | None:
        if page is None or not page.cursor or start is None or end is None:
            return None
        return api.audit_logs(start=start, end=end, limit=limit, cursor=cursor)

    cursor = page.cursor if page else None
    calls = (api.about, api.own_key, partial(of, cursor, PAGE), partial(of, None, 2 * PAGE))
    with ThreadPoolExecutor(len(calls)) as threads:
        found: list[Any] = list(threads.map(_answer, calls))
    return Sounded(*found)


def _answer(call: Callable[[], T]) -> T | Problem:
    try:
        return call()
    except Problem as problem:
        return problem
