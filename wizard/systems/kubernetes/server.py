"""The one place that decides how a context's API server is reached: URL, proxy, TLS.

As client-go decides it: `proxy-url` goes before NO_PROXY, credentials are sent over TLS alone.
"""

from __future__ import annotations

import os
import ssl
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from wizard.problems import Exit, Problem
from wizard.systems.reach.http import Wire
from wizard.systems.reach.proxies import Proxy, proxy_for, read_proxy
from wizard.systems.reach.trust import anybody, only, show, system_trust

if TYPE_CHECKING:
    from wizard.systems.kubernetes.kubeconfig import ContextInfo, Entry


class Server:
    """The API server of a context.

    Attributes:
        place: its host and port, as the URL has them.
        prefix: what stands before every request's path.
        secure: whether it is reached by TLS, so that it may be told who asks.
    """

    def __init__(self, info: ContextInfo) -> None:
        self._info = info
        self._entry = info.cluster_entry
        self._url = url_of(self._entry)
        parts = urlsplit(self._url)
        self.place = parts.netloc
        self.prefix = parts.path.rstrip("/")
        self.secure = parts.scheme == "https"

    @property
    def insecure(self) -> Problem | None:
        """That nobody checks who answers, where the kubeconfig says so."""
        if not (self.secure and self._entry.body.get("insecure-skip-tls-verify")):
            return None
        return Problem(
            "LSA219",
            f"Who answers at {self._info.server} is not verified: the kubeconfig says "
            "insecure-skip-tls-verify",
            on=str(self._entry.file),
        )

    def wire(self, certificate: tuple[bytes, bytes], limit: float) -> Wire:
        """The way to it, with a client certificate and its key (PEM) where there is one.

        Raises:
            Problem: an entry of the kubeconfig, or a proxy variable, is of no use.
        """
        return Wire(
            self._url,
            proxy=self._proxy(),
            context=self._context(certificate) if self.secure else None,
            connect_limit=limit,
            server_name=self._entry.text("tls-server-name"),
        )

    def _proxy(self) -> Proxy | None:
        told = self._entry.text("proxy-url")
        try:
            return read_proxy(told) if told else proxy_for(self._url, os.environ)[0]
        except ValueError as error:
            if told:
                raise self._entry.unusable(
                    "proxy-url", f"is {error}", "say http://host:port"
                ) from None
            raise Problem(
                "LSA214",
                f"{error} is no proxy's URL",
                on=f"environment variable {error}",
                next_step=f"set {error} to http://host:port, or unset it",
                exit=Exit.USAGE,
            ) from None

    def _context(self, certificate: tuple[bytes, bytes]) -> ssl.SSLContext:
        context = self._trusting()
        if certificate[0]:
            try:
                show(context, *certificate)
            except (ssl.SSLError, OSError, ValueError):
                raise self._info.user_entry.unusable(
                    "client-certificate", "and client-key do not go together", "write them anew"
                ) from None
        return context

    def _trusting(self) -> ssl.SSLContext:
        authorities = self._entry.bytes("certificate-authority")
        if self._entry.body.get("insecure-skip-tls-verify"):
            if authorities:
                raise self._entry.unusable(
                    "certificate-authority",
                    "stands beside insecure-skip-tls-verify, which helm refuses",
                    "take insecure-skip-tls-verify out",
                )
            return anybody()
        if not authorities:
            return system_trust()
        try:
            return only(authorities)
        except ssl.SSLError:
            raise self._entry.unusable(
                "certificate-authority", "is no certificate in PEM form", "write it anew"
            ) from None


def url_of(cluster: Entry) -> str:
    """The server's URL with its scheme, without user, password, query and fragment.

    Raises:
        Problem: it is none.
    """
    told = cluster.text("server").strip()
    try:
        parts = urlsplit(told if "://" in told else f"http://{told}")
        fits = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        fits = False
    if not fits:
        raise cluster.unusable("server", "is no http or https URL", "say https://host:port")
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
