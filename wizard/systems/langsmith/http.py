"""HTTP to LangSmith: one GET with limits that hold, and every failure told as a Problem.

The key goes to the one host it is meant for: redirects are not followed, and no exception of the
HTTP library, whose text may quote headers or proxy passwords, leaves this file.
"""

from __future__ import annotations

import ssl
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase, HTTPBasicAuth
from urllib3.exceptions import HTTPError, NameResolutionError

from wizard.problems import Exit, Problem
from wizard.systems.calls import logged

LARGEST = 20_000_000
"""Bytes of an answer; a page of 100 events is far below."""
_CHUNK = 65_536


@dataclass(frozen=True)
class Reply:
    """An HTTP answer: status, headers (names in lower case) and body."""

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def is_html(self) -> bool:
        """Whether this is a page for a browser."""
        start = self.body[:200].lstrip().lower()
        return "html" in self.headers.get("content-type", "") or start.startswith(
            (b"<!doctype html", b"<html")
        )


@dataclass(frozen=True)
class Limits:
    """Seconds to connect, seconds of silence, and seconds for the whole answer."""

    connect: float
    read: float

    @property
    def total(self) -> float:
        """No answer may take longer, however it drips."""
        return self.connect + self.read


class Transport:
    """GETs from one base URL."""

    def __init__(
        self,
        base_url: str,
        headers: Mapping[str, str],
        *,
        login: tuple[str, str] | None,
        ca_file: Path | None,
        limits: Limits,
    ) -> None:
        self.base_url = base_url
        self._limits = limits
        self._session = requests.Session()
        self._session.headers.update(headers)
        self._session.auth = HTTPBasicAuth(*login) if login else _NoNetrc()
        if ca_file or base_url.startswith("https:"):  # to read the system's takes time
            self._session.mount("https://", _SystemTrust(_trust(ca_file)))

    def close(self) -> None:
        """End the connections."""
        self._session.close()

    def get(self, path: str, parameters: Mapping[str, str] | None = None) -> Reply:
        """GET a path below the base URL; redirects come back as they are.

        Raises:
            Problem: LSA804 to LSA810, LSA818.
        """
        url = self.base_url + path
        answers: list[Reply | Problem] = []

        def ask() -> None:
            answers.append(self._ask(url, parameters))

        # A thread of its own: no socket timeout ends a name look-up or a dripping header.
        worker = threading.Thread(target=ask, daemon=True)
        with logged("http", f"GET {url}") as asked:
            worker.start()
            worker.join(self._limits.total)
            answer = answers[0] if answers else self._too_slow(url)
            if isinstance(answer, Problem):
                raise answer from None
            asked.ended = str(answer.status)
        return answer

    def _ask(self, url: str, parameters: Mapping[str, str] | None) -> Reply | Problem:
        try:
            with self._session.get(
                url,
                params=parameters,
                timeout=(self._limits.connect, self._limits.read),
                allow_redirects=False,
                stream=True,
            ) as response:
                return _read(url, response)
        except (requests.exceptions.RequestException, HTTPError, ValueError) as error:
            return self._problem(url, error)

    def _problem(self, url: str, error: Exception) -> Problem:
        kinds = requests.exceptions
        if isinstance(error, kinds.ProxyError):
            return _problem("LSA809", "the proxy does not work", url,
                            "check HTTPS_PROXY, or put the host into NO_PROXY")  # fmt: skip
        if isinstance(error, kinds.SSLError):
            return _tls(url, error)
        if isinstance(error, kinds.ConnectTimeout):
            return _problem(
                "LSA806", f"no connection within {self._limits.connect:g} seconds", url,
                "check the URL, the firewall and the VPN; --connect-limit gives it more time",
            )  # fmt: skip
        if isinstance(error, kinds.ReadTimeout) or "timed out" in str(error):
            return _problem(
                "LSA807", f"connected, but silent for {self._limits.read:g} seconds", url,
                "look at the backend pods and at what is in front of them",
            )  # fmt: skip
        return _unreachable(url, error)

    def _too_slow(self, url: str) -> Problem:
        return _problem(
            "LSA807", f"no complete answer within {self._limits.total:g} seconds", url,
            "look at the name server, the backend pods and what is in front of them",
        )  # fmt: skip


class _NoNetrc(AuthBase):
    """Keeps requests from sending a password out of ~/.netrc."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        return request


class _SystemTrust(HTTPAdapter):
    """Trusts what the system trusts, besides the certificates that requests brings."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        super().__init__()

    def init_poolmanager(self, *args: Any, **more: Any) -> None:
        """Give every connection the context."""
        super().init_poolmanager(*args, ssl_context=self._context, **more)

    def proxy_manager_for(self, proxy: str, **more: Any) -> Any:
        """Give connections through a proxy the context too."""
        return super().proxy_manager_for(proxy, ssl_context=self._context, **more)


def _trust(ca_file: Path | None) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if ca_file is None:
        return context
    try:
        context.load_verify_locations(cafile=str(ca_file))
    except (OSError, ssl.SSLError) as error:
        why = (
            "is no certificate in PEM form" if isinstance(error, ssl.SSLError) else "cannot be read"
        )
        raise Problem(
            "LSA803",
            f"the certificate file {why}",
            on=str(ca_file),
            next_step="give the CA's certificate as a PEM file with --ca-file",
            exit=Exit.USAGE,
        ) from None
    return context


def _read(url: str, response: requests.Response) -> Reply | Problem:
    body = bytearray()
    for chunk in response.iter_content(_CHUNK):
        body += chunk
        if len(body) > LARGEST:
            return _problem("LSA818", f"the answer is larger than {LARGEST // 1_000_000} MB", url,
                            "check the URL: this is not LangSmith's API")  # fmt: skip
    headers = {name.lower(): value for name, value in response.headers.items()}
    return Reply(url, response.status_code, headers, bytes(body))


def _tls(url: str, error: BaseException) -> Problem:
    words = next((str(link) for link in _chain(error) if isinstance(link, ssl.SSLError)), "")
    lower = words.lower()
    if "hostname mismatch" in lower or "ip address mismatch" in lower:
        what, step = "the certificate is for another host", "use the name that the certificate has"
    elif "expired" in lower or "not yet valid" in lower:
        what, step = "the certificate is not valid now", "renew it, or check this machine's clock"
    elif "verify failed" in lower:
        what = "the certificate is not trusted"
        step = "give the CA's certificate with --ca-file"
    else:
        what = "no TLS connection comes about"
        step = "check the scheme (https or http) and the port"
    return _problem("LSA808", what, url, step, detail=(words,) if words else ())


def _unreachable(url: str, error: BaseException) -> Problem:
    links = list(_chain(error))
    if any(isinstance(link, NameResolutionError) for link in links):
        return _problem("LSA804", f"the name {urlsplit(url).hostname} cannot be resolved", url,
                        "check the URL, the name server and the VPN")  # fmt: skip
    if any(isinstance(link, ConnectionRefusedError) for link in links):
        return _problem("LSA805", "the connection is refused: nothing listens there", url,
                        "check the URL's host and port, and that LangSmith runs")  # fmt: skip
    reasons = [link.strerror for link in links if isinstance(link, OSError) and link.strerror]
    return _problem(
        "LSA810", "the connection was not made, or was cut before the answer was complete", url,
        "check the URL, and what is in front of LangSmith", detail=tuple(reasons[:1]),
    )  # fmt: skip


def _chain(error: BaseException | None) -> list[BaseException]:
    """The error and everything that it wraps: causes, contexts, arguments and reasons."""
    found: list[BaseException] = []
    waiting = [error]
    while waiting:
        link = waiting.pop()
        if link is None or link in found:
            continue
        found.append(link)
        inner = (*link.args, getattr(link, "reason", None), link.__cause__, link.__context__)
        waiting += [part for part in inner if isinstance(part, BaseException)]
    return found


def _problem(
    id: str, what: str, url: str, next_step: str, *, detail: tuple[str, ...] = ()
) -> Problem:
    return Problem(id, what, on=url, next_step=next_step, exit=Exit.UNKNOWN, detail=detail)
