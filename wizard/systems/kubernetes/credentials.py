"""How a kubeconfig's user logs in: the headers and the certificate that say who asks.

The order is client-go's, as helm 3.19 and 4.3 show it: who stands in the server's URL, then token
and tokenFile, then a password, then a credential plugin where there is no client certificate, then
the identity provider.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote, urlsplit

from wizard.systems.kubernetes.login import Fixed, Remark, Shown, Source, Token

if TYPE_CHECKING:
    from wizard.systems.kubernetes.kubeconfig import ContextInfo, Entry

Headers = list[tuple[str, str]]
GONE = {
    "gcp": "gcloud components install gke-gcloud-auth-plugin, then gcloud container clusters "
    "get-credentials CLUSTER",
    "azure": "kubelogin convert-kubeconfig -l azurecli (https://github.com/Azure/kubelogin)",
}
"""The auth providers that clients had once, and what writes the entry as they read it now."""


class Credentials:
    """Who asks, by one context; `remark` gets what a person should hear of it.

    Without TLS (`secure`) no login is sent that stands in the kubeconfig, but for one in the
    server's own URL.
    """

    def __init__(self, info: ContextInfo, remark: Remark, *, secure: bool) -> None:
        user = info.user_entry
        check(user)
        self._user = user
        self._impersonation = impersonation(user)
        self._source = _in_url(info) or (_source(info, remark) if secure else Fixed(Shown()))

    def headers(self) -> Headers:
        """Header by header; a name may come more than once.

        Raises:
            Problem: there is no login, and why.
        """
        told = self._source.shown().authorization
        if told and not told.isprintable():
            raise self._user.unusable("", "has a login with a line break in it", "write it anew")
        return [*([("Authorization", told)] if told else []), *self._impersonation]

    def certificate(self) -> tuple[bytes, bytes]:
        """The client certificate and its key (PEM); both empty where there is none."""
        shown = self._source.shown()
        return shown.certificate, shown.key

    def refused(self) -> bool:
        """The server has refused them: whether to ask once more, with others."""
        return self._source.refused()


def _in_url(info: ContextInfo) -> Source | None:
    """Who stands in the server's URL."""
    server = info.cluster_entry.text("server")
    login = urlsplit(server if "://" in server else f"//{server}").netloc.rpartition("@")[0]
    if not login:
        return None
    name, _, password = login.partition(":")
    return Fixed(Shown(_basic(unquote(name), unquote(password))))


def _source(info: ContextInfo, remark: Remark) -> Source:
    user = info.user_entry
    pair = user.bytes("client-certificate"), user.bytes("client-key")
    if pair[0] and not pair[1]:
        raise user.unusable("client-key", "is missing", "name the certificate's key, or its data")
    if user.text("token") or user.text("tokenFile"):
        file = user.path("tokenFile") if user.text("tokenFile") else None
        return Token(user, user.text("token"), file, Shown("", *pair))
    if user.text("username") or user.text("password"):
        login = _basic(user.text("username"), user.text("password"))
        return Fixed(Shown(login, *pair))
    if user.part("exec") and not pair[0]:
        from wizard.systems.kubernetes.plugin import Plugin

        return Plugin(info)
    if user.part("auth-provider"):
        from wizard.systems.kubernetes.oidc import Oidc

        return Oidc(info, Shown("", *pair), remark)
    return Fixed(Shown("", *pair))


def check(user: Entry) -> None:
    """What no client takes.

    Raises:
        Problem: LSA213, with the entry and what mends it.
    """
    if user.text("token") and user.text("username"):
        raise user.unusable("username", "stands beside a token", "take one of the two out")
    provider, plugin = user.part("auth-provider"), user.part("exec")
    if provider and plugin:
        raise user.unusable("auth-provider", "stands beside exec", "take one of the two out")
    name = str((provider or {}).get("name") or "")
    if provider and name != "oidc":
        mend = GONE.get(name, "let what wrote the entry write it anew, as exec")
        raise user.unusable("auth-provider", f"is {name or '?'}, which is no more", mend)


def impersonation(user: Entry) -> Headers:
    """The headers of `as`, `as-uid`, `as-groups` and `as-user-extra`.

    Source: Kubernetes documentation, "User impersonation".
    """
    groups, extra = user.body.get("as-groups") or [], user.part("as-user-extra") or {}
    if not user.text("as"):
        if groups or extra or user.text("as-uid"):
            raise user.unusable("as", "is missing beside the rest of it", "say who: as: NAME")
        return []
    told = [("Impersonate-User", user.text("as"))]
    told += [("Impersonate-Uid", user.text("as-uid"))] if user.text("as-uid") else []
    told += [("Impersonate-Group", str(group)) for group in groups]
    for key, texts in extra.items():
        name = "Impersonate-Extra-" + quote(str(key).lower(), safe="")
        told += [(name, str(text)) for text in texts]
    return told


def _basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
