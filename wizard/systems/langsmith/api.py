"""LangSmith's API, as far as audit logs need it. Source: LangSmith's API reference."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import unquote, urlsplit, urlunsplit

from wizard.problems import Exit, Problem
from wizard.record import dataclass, field
from wizard.systems.langsmith.answers import json_object, json_value, unexpected
from wizard.systems.langsmith.http import Limits, Reply, Transport

if TYPE_CHECKING:
    from uuid import UUID

BARS = ("disabled", "member_disabled", "ip_allowlist_enabled", "tier")
"""Members of `orgs/current/info` that can explain a refusal."""
SERVICE_KEY = "lsv2_sk_"
"""How keys of an organization begin; a person's own begin with lsv2_pt_."""
MANAGE = "organization:manage"
_LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})
_BEHIND_BASE = r"(?i:/api(/v1)?|/o/[0-9a-f-]{36}(/.*)?)/*$"


@dataclass(frozen=True)
class CurrentOrganization:
    """The key's organization, as the server sees it (`GET /api/v1/orgs/current/info`).

    Attributes:
        permissions: of the key in this organization; None when the answer has none.
        can_use_audit_logs: the value that the server uses; None when the answer has none.
        bars: what of the organization may be the reason of a refusal, as the answer says it.
    """

    id: UUID
    display_name: str
    permissions: tuple[str, ...] | None
    can_use_audit_logs: bool | None

    bars: Mapping[str, Any] = field(default_factory=dict)

    @property
    def said(self) -> str:
        """What the server says of audit logs, in a word."""
        return {True: "yes", False: "no", None: "nothing"}[self.can_use_audit_logs]

    @property
    def may_manage(self) -> bool | None:
        """Whether the key may read audit logs; None when the answer does not say."""
        return None if self.permissions is None else MANAGE in self.permissions


@dataclass(frozen=True)
class AuditLogPage:
    """A page of the audit log.

    Attributes:
        given: what the server gave as events.
        cursor: leads to the next page; None on the last one.
    """

    given: list[Any]
    cursor: str | None

    @property
    def items(self) -> list[dict[str, Any]]:
        """The events as they came, without what is none."""
        return [event for event in self.given if isinstance(event, dict)]

    @property
    def problems(self) -> tuple[str, ...]:
        """What is wrong with the events' shape, by event number from 0."""
        from wizard.systems.langsmith.ocsf import check_event

        return tuple(
            f"event {number}: {line}"
            for number, event in enumerate(self.given)
            for line in check_event(event)
        )


class About(NamedTuple):
    """The app version, and when the licence ends (None where that is not told)."""

    version: str
    license_ends: datetime | None


class OwnKey(NamedTuple):
    """When the API key ends; None where it never does."""

    ends: datetime | None


class LangSmithApi:
    """The API of one LangSmith with one key. Limits are in seconds."""

    def __init__(
        self,
        base_url: str,
        api_key: str,
        *,
        organization: UUID | None = None,
        ca_file: Path | None = None,
        connect_limit: float = 5,
        read_limit: float = 20,
    ) -> None:
        self.base_url, login = _base(base_url)
        self._key = _checked_key(api_key)
        self._secrets = (self._key, login[1] if login else "")
        headers = {"X-API-Key": self._key, "Accept": "application/json"}
        if organization is not None:
            headers["X-Organization-Id"] = str(organization)
        self._transport = Transport(
            self.base_url,
            headers,
            login=login,
            ca_file=ca_file,
            limits=Limits(connect_limit, read_limit),
        )

    def __repr__(self) -> str:
        return f"LangSmithApi({self.base_url!r})"

    def meanwhile(self, work: Callable[[], object]) -> None:
        """Do this, once, while the answer to the next request is waited for."""
        self._transport.meanwhile(work)

    def close(self) -> None:
        """End the connections."""
        self._transport.close()

    def organization(self) -> CurrentOrganization:
        """The key's organization and what the key may do there.

        Raises:
            Problem: LSA811 key, LSA812 another organization, LSA813 address, LSA814 a web page, …
        """
        reply, data = self._get("/api/v1/orgs/current/info")
        from uuid import UUID

        try:
            id = UUID(data["id"])
        except (KeyError, TypeError, ValueError, AttributeError):
            raise unexpected(reply, "the answer has no organization id") from None
        config = data.get("config")
        stored = config.get("can_use_audit_logs") if isinstance(config, dict) else None
        permissions = data.get("permissions")
        return CurrentOrganization(
            id=id,
            display_name=str(data.get("display_name") or ""),
            permissions=tuple(map(str, permissions)) if isinstance(permissions, list) else None,
            can_use_audit_logs=stored if isinstance(stored, bool) else None,
            bars={name: data[name] for name in BARS if name in data},
        )

    @property
    def certificate_ends(self) -> datetime | None:
        """When the server's certificate ends; None without TLS, or before anything was asked."""
        ends = self._transport.certificate_ends
        return None if ends is None else datetime.fromtimestamp(ends, UTC)

    def about(self) -> About:
        """What the server says of itself: through the frontend it is another workload's word.

        Raises:
            Problem: what any call can raise.
        """
        _, data = self._get("/api/v1/info")
        return About(str(data.get("version") or ""), moment(data.get("license_expiration_time")))

    def own_key(self) -> OwnKey | None:
        """The key among those that it may list; None where that is not told.

        Raises:
            Problem: what any call can raise; LSA812 where the key may not list them.
        """
        service = self._key.startswith(SERVICE_KEY)
        path = "/api/v1/orgs/current/service-keys" if service else "/api/v1/api-key/current"
        listed = json_value(self._transport.get(path), self._secrets)
        keys = [it for it in listed if isinstance(it, dict)] if isinstance(listed, list) else []
        ours = [it for it in keys if is_short_for(str(it.get("short_key") or ""), self._key)]
        if len(ours) != 1:
            return None
        return OwnKey(moment(ours[0].get("expires_at")))

    def audit_logs(
        self,
        *,
        start: datetime,
        end: datetime,
        limit: int = 10,
        cursor: str | None = None,
        operations: Sequence[str] = (),
        workspace: UUID | None = None,
    ) -> AuditLogPage:
        """A page of events between two times (with a time zone, inclusive); limit is 1 to 100.

        Raises:
            Problem: LSA821 role, LSA822 feature off, LSA823 refused, LSA824 not there, LSA817 not
                as documented, and what any call can raise.
        """
        asked: dict[str, str | Sequence[str]] = {
            "start_time": _iso(start), "end_time": _iso(end), "limit": str(limit),
            "cursor": cursor or "", "operations": operations, "workspace_id": str(workspace or ""),
        }  # fmt: skip
        parameters = {name: value for name, value in asked.items() if value}
        try:
            reply, data = self._get("/api/v1/audit-logs", parameters)
        except Problem as problem:
            raise self._explained(problem) from None
        items = data.get("items")
        if not isinstance(items, list) or "cursor" not in data:
            missing = "items" if not isinstance(items, list) else "cursor"
            raise unexpected(reply, f"the answer has no {missing}: it is not a page of audit logs")
        following = data["cursor"]
        return AuditLogPage(items, following if isinstance(following, str) and following else None)

    def operations(self) -> frozenset[str]:
        """The names of the operations that the server knows; empty where it has no such list.

        Raises:
            Problem: what any call can raise.
        """
        reply = self._transport.get("/api/v1/audit-logs/operations")
        try:
            data = json_value(reply, self._secrets)
        except Problem as problem:
            if reply.status in (403, 404, 405, 422) or problem.id == "LSA814":
                return frozenset()  # an older server; whether the log may be read is told by itself
            raise
        if isinstance(data, dict):
            data = next((it for it in data.values() if isinstance(it, list)), [])
        named = [it.get("name") if isinstance(it, dict) else it for it in data]
        return frozenset(it for it in named if isinstance(it, str))

    def ask(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        workspace: UUID | None = None,
    ) -> tuple[Reply, Any]:
        """Another call, in a workspace where one is named.

        Raises:
            Problem: what any call can raise; whether a write was made is not known where the
                connection failed.
        """
        import json

        headers = [("X-Tenant-Id", str(workspace))] if workspace else []
        headers += [("Content-Type", "application/json")] if body is not None else []
        data = json.dumps(body).encode() if body is not None else None
        reply = self._transport.ask(method, path, body=data, headers=headers)
        return reply, json_value(reply, self._secrets)

    def _get(
        self, path: str, parameters: Mapping[str, str | Sequence[str]] | None = None
    ) -> tuple[Reply, dict[str, Any]]:
        reply = self._transport.get(path, parameters)
        return reply, json_object(reply, self._secrets)

    def _explained(self, problem: Problem) -> Problem:
        """A refusal of audit-logs, told apart by what the server says of the organization."""
        if problem.id == "LSA813":
            return _told(
                problem, "LSA824", "LangSmith has no audit-logs here (404)",
                "check that the chart is 0.12.33 or newer, that AUDIT_LOGS_ENABLED is live in the "
                "backend pods, and the URL's base path",
            )  # fmt: skip
        if problem.id != "LSA812":
            return problem
        try:
            organization = self.organization()
        except Problem as second:
            evidence = (f"orgs/current/info: {second.what}",)
            return _told(problem, "LSA823", problem.what, problem.next_step, evidence)
        return _refused(problem, organization)


def _refused(problem: Problem, organization: CurrentOrganization) -> Problem:
    name = f"organization {organization.display_name} ({organization.id})"
    if organization.may_manage is False:
        return _told(
            problem, "LSA821",
            f"the key may not read audit logs: it lacks {MANAGE} in {name} (403)",
            "use the key of an Organization Admin or Organization Operator",
        )  # fmt: skip
    if organization.can_use_audit_logs is False:
        return _told(
            problem, "LSA822",
            f"audit logs are off for {name}, says the server (403)",
            "turn them on in the database, then restart the backend: it keeps what it read "
            "when it started",
        )  # fmt: skip
    says = f"orgs/current/info says can_use_audit_logs: {organization.said}"
    return _told(
        problem, "LSA823", f"LangSmith refuses the audit log of {name} (403)",
        "check the key's role, that --org is the key's organization, and the licence (Enterprise)",
        (says,),
    )  # fmt: skip


def _told(
    problem: Problem, id: str, what: str, next_step: str, evidence: tuple[str, ...] = ()
) -> Problem:
    detail = problem.detail + evidence
    return Problem(id, what, on=problem.on, next_step=next_step, exit=Exit.FAILED, detail=detail)


def base_of(url: str) -> str:
    """The URL as requests go to it, without credentials and what people paste behind it.

    Raises:
        Problem: LSA801, it is none.
    """
    return _base(url)[0]


def _base(text: str) -> tuple[str, tuple[str, str] | None]:
    """The URL without credentials, `/api/v1`, query and trailing slash; and the credentials.

    Without a scheme it is https, and http for this machine, as LangSmith's chart reads it.
    """
    text = bare(text)
    if "://" not in text:
        host = urlsplit("//" + text).hostname or ""
        text = ("http://" if host in _LOCAL else "https://") + text
    try:
        parts = urlsplit(text)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        raise _not_a_url() from None
    if parts.scheme not in ("http", "https") or not parts.hostname or re.search(r"\s", text):
        raise _not_a_url()
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    path = re.sub(_BEHIND_BASE, "", parts.path.rstrip("/")).rstrip("/")
    login = None
    if parts.username:
        login = (unquote(parts.username), unquote(parts.password or ""))
    return urlunsplit((parts.scheme, host + port, path, "", "")), login


def _not_a_url() -> Problem:
    return Problem(
        "LSA801",
        "the URL is not understood",
        on="LangSmith's URL",
        next_step="give it as https://host, with the base path if there is one",
        exit=Exit.USAGE,
    )


def bare(text: str) -> str:
    """A key or a URL without the blanks and quotes around it, as LangSmith's SDKs take it."""
    return text.strip().removeprefix("\ufeff").strip().strip('"').strip("'")


_ODD = (
    ("\ufeff", "a byte order mark"),
    ("\"'`\u2018\u2019\u201c\u201d", "a quotation mark"),
    (" \t\n\r\v\f\xa0\u200b", "a blank or a line break"),
)


def _checked_key(key: str) -> str:
    key = bare(key)
    if re.fullmatch(r"[!-~]+", key) and not set(key) & set(_ODD[1][0]):
        return key
    odd = next((name for marks, name in _ODD if set(marks) & set(key)), "another letter than ASCII")
    raise Problem(
        "LSA802",
        f"the API key has {odd} in it, which no key has" if key else "the API key is empty",
        on="API key",
        next_step="set LANGSMITH_API_KEY, or give a file with nothing but the key (--api-key-file)",
        exit=Exit.USAGE,
    )


def moment(told: object) -> datetime | None:
    """A time in ISO 8601, or in seconds since 1970; None for anything else."""
    try:
        if isinstance(told, str):
            found = datetime.fromisoformat(told)
            return found if found.tzinfo else found.replace(tzinfo=UTC)
        if isinstance(told, int | float) and not isinstance(told, bool):
            return datetime.fromtimestamp(told, UTC)
    except (ValueError, OverflowError, OSError):
        pass
    return None


def is_short_for(short: str, key: str) -> bool:
    """Whether a shortened key (`lsv2_pt_ab...89`, or its end alone) can be this one."""
    begin, dots, end = short.replace("…", "...").partition("...")
    if not dots:
        begin, end = "", short
    return len(begin + end) >= LEAST and key.startswith(begin) and key.endswith(end)


LEAST = 4
"""Characters by which a key is known again."""


def _iso(time: datetime) -> str:
    """A time as the API takes it: ISO 8601 in UTC."""
    if time.tzinfo is None:
        raise ValueError("a time without a time zone")
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z")
