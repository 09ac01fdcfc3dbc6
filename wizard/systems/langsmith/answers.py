"""What LangSmith's answers other than the wished one mean, by status and body."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

from wizard.problems import Exit, Problem
from wizard.safe import cut
from wizard.systems.langsmith.http import Reply

_SHOWN = 300
DONE = (200, 201, 204)


class Later(Problem):
    """The server, or what is in front of it, cannot answer now, and may soon.

    Attributes:
        after: the seconds that it asks to be left alone (Retry-After); None where it does not say.
    """

    after: float | None = None


def json_object(reply: Reply, secrets: Iterable[str]) -> dict[str, Any]:
    """The JSON object of a good answer.

    Raises:
        Problem: see `json_value`; LSA817 also where it is no object.
    """
    data = json_value(reply, secrets)
    if not isinstance(data, dict):
        raise unexpected(reply, "the answer is not a JSON object", _said(reply, secrets))
    return data


def json_value(reply: Reply, secrets: Iterable[str]) -> Any:
    """The JSON of a good answer.

    Raises:
        Problem: LSA811 key, LSA812 refused, LSA813 not found, LSA814 a web page, LSA815 a redirect,
            LSA816 server error, LSA817 not the documented JSON, LSA819 too many requests, LSA820
            another status, LSA825 parameters.
    """
    import json  # while the first request is under way

    if reply.status not in DONE:
        raise _by_status(reply, _said(reply, secrets))
    if reply.status != 200 and not reply.body.strip():
        return None
    if reply.is_html:
        raise _problem(
            "LSA814",
            "the answer is a web page, not the API's JSON: the URL or its base path is wrong",
            reply,
            _said(reply, secrets),
            "give LangSmith's address with --url, with the base path if it has one "
            "(config.hostname and config.basePath)",
        )
    try:
        return json.loads(reply.body)
    except (ValueError, RecursionError):
        raise unexpected(reply, "the answer is not JSON", _said(reply, secrets)) from None


def unexpected(reply: Reply, what: str, said: tuple[str, ...] = ()) -> Problem:
    """An answer that is not as documented."""
    return _problem(
        "LSA817", what, reply, said,
        "check that the URL is LangSmith's, and compare with the API reference of your version",
    )  # fmt: skip


def _by_status(reply: Reply, said: tuple[str, ...]) -> Problem:
    status = reply.status
    if 300 <= status < 400:
        return _redirect(reply, said)
    if reply.is_html and status in (401, 403):
        return _problem(
            "LSA815", f"{status} with a web page: something in front of LangSmith wants a login",
            reply, said, "use a URL that does not pass the single sign-on proxy",
        )  # fmt: skip
    if status in _MEANINGS:
        id, what, step, exit = _MEANINGS[status]
        return _problem(id, f"{what} ({status})", reply, said, step, exit)
    if status >= 500:
        return _problem(
            "LSA816", f"LangSmith, or what is in front of it, has an error ({status})", reply, said,
            "look at the backend's log; try again when its pods are ready", Exit.UNKNOWN,
        )  # fmt: skip
    return _problem("LSA820", f"the answer is {status}", reply, said, "check the URL")


_MEANINGS = {
    401: (
        "LSA811",
        "LangSmith does not know the API key, or it has expired",
        "make a new key as an organization admin, and set LANGSMITH_API_KEY",
        Exit.FAILED,
    ),
    403: (
        "LSA812",
        "LangSmith refuses the API key here",
        "use a key that an admin of this organization made; check that --org is the key's own",
        Exit.FAILED,
    ),
    404: (
        "LSA813",
        "LangSmith does not have this address",
        "check the URL and its base path (config.basePath), and the version",
        Exit.FAILED,
    ),
    422: (
        "LSA825",
        "LangSmith does not take the parameters",
        "compare with the API reference of your version",
        Exit.FAILED,
    ),
    429: ("LSA819", "LangSmith has had too many requests", "try again later", Exit.UNKNOWN),
}


def _redirect(reply: Reply, said: tuple[str, ...]) -> Problem:
    there, here = urlsplit(reply.headers.get("location", "")), urlsplit(reply.url)
    if there.hostname == here.hostname and (there.scheme, here.scheme) == ("https", "http"):
        step = "give the URL with https"
    else:
        step = "give the URL that the API itself has; a login page in front of it takes no key"
    place = f"{there.scheme}://{there.hostname}" if there.hostname else ""
    return _problem(
        "LSA815", f"the answer sends us elsewhere ({reply.status}); the key was not sent there",
        reply, (*((f"to {place}{there.path}",) if place or there.path else ()), *said), step,
    )  # fmt: skip


def _said(reply: Reply, secrets: Iterable[str]) -> tuple[str, ...]:
    """The body in a line: a JSON `detail`, a page's title, or the text itself."""
    from wizard.systems.redact import redact

    text = reply.body[:20_000].decode("utf-8", "replace")
    if reply.is_html:
        title = re.search(r"<title[^>]*>(.*?)</title>", text, re.IGNORECASE | re.DOTALL)
        text = f"page: {title[1]}" if title else "page without a title"
    else:
        import json

        try:
            data = json.loads(text)
        except (ValueError, RecursionError):
            data = None
        if isinstance(data, dict) and isinstance(data.get("detail"), str):
            text = data["detail"]
    text = " ".join(redact(text, secrets).split())
    shown = cut(text, _SHOWN)
    return (f"answer: {shown}",) if shown else ()


def _problem(
    id: str,
    what: str,
    reply: Reply,
    said: tuple[str, ...],
    next_step: str,
    exit: Exit = Exit.FAILED,
) -> Problem:
    if reply.status != 429 and reply.status < 500:
        return Problem(id, what, on=reply.url, next_step=next_step, exit=exit, detail=said)
    later = Later(id, what, on=reply.url, next_step=next_step, exit=exit, detail=said)
    later.after = _seconds(reply.headers.get("retry-after", ""))
    return later


def _seconds(told: str) -> float | None:
    """Retry-After in seconds: a number, or a moment (RFC 9110)."""
    from email.utils import parsedate_to_datetime

    if told.strip().isdigit():
        return float(told)
    try:
        return max(0.0, parsedate_to_datetime(told).timestamp() - time.time())
    except ValueError:
        return None
