"""HTTP to LangSmith: one request with limits that hold, and every failure told as a Problem.

The key goes to the one host it is meant for: redirects are not followed, and no exception of a
library, whose text may quote headers or proxy passwords, leaves this file.
"""

from __future__ import annotations

import base64
import os
import ssl
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from urllib.parse import urlencode, urlsplit

from wizard.files import read_file
from wizard.problems import Exit, Problem
from wizard.record import dataclass
from wizard.systems.calls import logged
from wizard.systems.reach.failures import Failure, Kind
from wizard.systems.reach.http import Wire
from wizard.systems.reach.proxies import proxy_for
from wizard.systems.reach.trust import add, system_trust

LARGEST = 20_000_000
"""Bytes of an answer; a page of 100 events is far below."""
BUNDLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
"""The variables by which LangSmith's SDKs (requests) and curl are told of further certificates."""
AGENT = "langsmith-audit"


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
    """Seconds to connect, and seconds for the whole answer, however it drips."""

    connect: float
    answer: float


class Transport:
    """Requests to one base URL."""

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
        self._headers = [*headers.items(), ("User-Agent", AGENT)]
        if login:
            pair = base64.b64encode(":".join(login).encode()).decode()
            self._headers.append(("Authorization", f"Basic {pair}"))
        secure = base_url.startswith("https:")
        context = _trust(ca_file) if ca_file or secure else None  # to read the system's takes time
        try:
            proxy, _ = proxy_for(base_url, os.environ)
        except ValueError as error:
            raise Problem(
                "LSA809",
                f"{error} is no proxy's URL",
                on=f"environment variable {error}",
                next_step=f"set {error} to http://host:port, or unset it",
                exit=Exit.USAGE,
            ) from None
        self._wire = Wire(base_url, proxy=proxy, context=context, connect_limit=limits.connect)

    @property
    def certificate_ends(self) -> float | None:
        """When the server's certificate ends, in seconds since 1970; None without TLS."""
        return self._wire.certificate_ends

    def meanwhile(self, work: Callable[[], object]) -> None:
        """Do this, once, as soon as the next request is on its way."""
        self._wire.meanwhile = work

    def close(self) -> None:
        """End the connections."""
        self._wire.close()

    def get(self, path: str, parameters: Mapping[str, str | Sequence[str]] | None = None) -> Reply:
        """GET a path below the base URL; redirects come back as they are.

        Raises:
            Problem: LSA804 to LSA810, LSA818.
        """
        query = f"?{urlencode(parameters, doseq=True)}" if parameters else ""
        return self.ask("GET", path, query)

    def ask(
        self,
        method: str,
        path: str,
        query: str = "",
        *,
        body: bytes | None = None,
        headers: Sequence[tuple[str, str]] = (),
    ) -> Reply:
        """Any request to a path below the base URL; redirects come back as they are.

        Raises:
            Problem: LSA804 to LSA810, LSA818. Whether a write was made is not known then.
        """
        url = self.base_url + path
        target = urlsplit(url).path + query
        sent = [*self._headers, *headers]
        with logged("http", f"{method} {url}") as asked:
            try:
                answer = self._wire.ask(
                    method, target, sent, body, limit=self._limits.answer, most=LARGEST
                )
            except Failure as failure:
                raise self._problem(url, failure) from None
            asked.ended = str(answer.status)
        told = {name.lower(): value for name, value in answer.headers.items()}
        return Reply(url, answer.status, told, answer.body)

    def _problem(self, url: str, failure: Failure) -> Problem:
        host, words = urlsplit(url).hostname, failure.words
        id, what, step = {
            Kind.NAME: ("LSA804", f"the name {host} cannot be resolved",
                        "check the URL, the name server and the VPN"),
            Kind.REFUSED: ("LSA805", "the connection is refused: nothing listens there",
                           "check the URL's host and port, and that LangSmith runs"),
            Kind.UNCONNECTED: ("LSA806", f"no connection within {self._limits.connect:g} seconds",
                               "check the URL, the firewall and the VPN; --connect-limit gives it "
                               "more time"),
            Kind.SILENT: ("LSA807", f"no complete answer within {self._limits.answer:g} seconds",
                          "look at the name server, the backend pods and what is in front of them"),
            Kind.PROXY: ("LSA809", "the proxy does not work",
                         "check HTTPS_PROXY and HTTP_PROXY, or put the host into NO_PROXY"),
            Kind.CERTIFICATE: ("LSA808", *_distrusted(words)),
            Kind.TLS: ("LSA808", "no TLS connection comes about",
                       "check the scheme (https or http) and the port"),
            Kind.LARGE: ("LSA818", f"the answer is larger than {LARGEST // 1_000_000} MB",
                         "check the URL: this is not LangSmith's API"),
        }.get(failure.kind, (
            "LSA810", "the connection was not made, or was cut before the answer was complete",
            "check the URL, and what is in front of LangSmith",
        ))  # fmt: skip
        detail = (words,) if words else ()
        return Problem(id, what, on=url, next_step=step, exit=Exit.UNKNOWN, detail=detail)


def _distrusted(words: str) -> tuple[str, str]:
    lower = words.lower()
    if "mismatch" in lower or "not valid for" in lower:
        return "the certificate is for another host", "use the name that the certificate has"
    if "expired" in lower or "not yet valid" in lower:
        return "the certificate is not valid now", "renew it, or check this machine's clock"
    return "the certificate is not trusted", "give the CA's certificate with --ca-file"


def _trust(ca_file: Path | None) -> ssl.SSLContext:
    """What the system trusts, the certificates of the variables, and those of the file."""
    for name, there in (("SSL_CERT_FILE", Path.is_file), ("SSL_CERT_DIR", Path.is_dir)):
        told = os.environ.get(name, "")
        if told and not any(there(Path(part)) for part in told.split(os.pathsep)):
            raise _no_certificates(told, "is not there", name)
    context = system_trust()
    bundle = next((name for name in BUNDLES if os.environ.get(name)), "")
    if bundle:
        _add_file(context, Path(os.environ[bundle]), bundle)
    if ca_file:
        _add_file(context, ca_file, "")
    return context


def _add_file(context: ssl.SSLContext, path: Path, variable: str) -> None:
    try:
        if path.is_dir():
            context.load_verify_locations(capath=str(path))
        else:
            add(context, read_file(path, LARGEST))
    except ssl.SSLError:
        raise _no_certificates(str(path), "is no certificate in PEM form", variable) from None
    except OSError as error:
        why = "is not there" if isinstance(error, FileNotFoundError) else "cannot be read"
        raise _no_certificates(str(path), why, variable) from None


def _no_certificates(path: str, why: str, variable: str) -> Problem:
    return Problem(
        "LSA803",
        f"the certificate file {why}" + (f" ({variable} names it)" if variable else ""),
        on=path,
        next_step=f"unset {variable}, or let it name a PEM file"
        if variable
        else "give the CA's certificate as a PEM file with --ca-file",
        exit=Exit.USAGE,
    )
