"""A login through an identity provider (`auth-provider: oidc`): its token is renewed when it ends.

Of the kubeconfig only the two values change, character by character, so that comments and all else
stay and other clients need not renew (and rewrite) it themselves.
Source: Kubernetes documentation, "OpenID Connect Tokens"; client-go, plugin/pkg/client/auth/oidc.
"""

from __future__ import annotations

import base64
import json
import os
import ssl
import threading
import time
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus, urlencode, urlsplit

from wizard.files import read_file, replace_file
from wizard.problems import Problem
from wizard.systems.calls import logged
from wizard.systems.kubernetes.kubeconfig import LARGEST, ContextInfo, Entry
from wizard.systems.kubernetes.login import Remark, Shown, no_login
from wizard.systems.reach.failures import Failure
from wizard.systems.reach.http import Answer, Wire
from wizard.systems.reach.proxies import proxy_for
from wizard.systems.reach.trust import only, system_trust
from wizard.systems.redact import redact

LIMIT = 20.0
"""Seconds for each answer of the identity provider."""
MOST = 1024 * 1024
LEEWAY = 60.0
"""Seconds before its end at which a token is renewed: before other clients do it (10 s)."""
AGAIN = "log in again with what wrote this login, then try: kubectl auth whoami"
FORM = ("Content-Type", "application/x-www-form-urlencoded")


class Oidc:
    """One user's login; `remark` gets what a person should hear of it."""

    def __init__(self, info: ContextInfo, beside: Shown, remark: Remark) -> None:
        self._info = info
        self._beside = beside
        self._remark = remark
        self._lock = threading.Lock()
        user = info.user_entry
        provider = Entry(user.kind, user.name, user.part("auth-provider") or {}, user.file)
        self._config = Entry(user.kind, user.name, provider.part("config") or {}, user.file)
        self._token = self._config.text("id-token")
        self._refresh = self._config.text("refresh-token")

    def shown(self) -> Shown:
        """The token, renewed where it has ended.

        Raises:
            Problem: LSA212, it cannot be renewed.
        """
        with self._lock:
            if not self._token or ends(self._token) - time.time() < LEEWAY:
                self._renew()
            return Shown(f"Bearer {self._token}", self._beside.certificate, self._beside.key)

    def refused(self) -> bool:
        """It is not renewed before its end: the server has other reasons."""
        return False

    def _renew(self) -> None:
        if not self._refresh:
            why = "has ended, and there is no refresh-token" if self._token else "has no id-token"
            raise no_login(self._info, why, mend=AGAIN)
        issuer = self._config.text("idp-issuer-url").rstrip("/")
        found = self._ask("GET", f"{issuer}/.well-known/openid-configuration")
        endpoint = str(_json(found).get("token_endpoint") or "")
        if found.status != 200 or not endpoint.startswith(("https://", "http://")):
            raise no_login(self._info, f"cannot be renewed: {issuer} is no identity provider")
        told = self._exchange(endpoint)
        before = {"id-token": self._token, "refresh-token": self._refresh}
        self._token = str(told["id_token"])
        self._refresh = str(told.get("refresh_token") or self._refresh)
        now = {"id-token": self._token, "refresh-token": self._refresh}
        self._keep({name: text for name, text in now.items() if text != before[name]})

    def _exchange(self, endpoint: str) -> Mapping[str, Any]:
        """The provider's answer with the new token; by either way to say who the client is."""
        client, secret = self._config.text("client-id"), self._config.text("client-secret")
        form = {"grant_type": "refresh_token", "refresh_token": self._refresh}
        pair = f"{quote_plus(client)}:{quote_plus(secret)}".encode()
        login = ("Authorization", f"Basic {base64.b64encode(pair).decode()}")
        answer = self._ask("POST", endpoint, [login], form)
        if answer.status == 401 or _json(answer).get("error") == "invalid_client":
            own = {"client_id": client, **({"client_secret": secret} if secret else {})}
            answer = self._ask("POST", endpoint, [], form | own)
        told = _json(answer)
        if answer.status != 200 or not isinstance(told.get("id_token"), str):
            words = str(told.get("error_description") or told.get("error") or answer.status)
            why = "cannot be renewed: the identity provider gave no id_token"
            raise no_login(self._info, why, (redact(words, [self._refresh, secret]),), AGAIN)
        return told

    def _ask(
        self,
        method: str,
        url: str,
        headers: list[tuple[str, str]] | None = None,
        form: Mapping[str, str] | None = None,
    ) -> Answer:
        parts = urlsplit(url)
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        told = [*(headers or []), ("Accept", "application/json"), *([FORM] if form else [])]
        body = urlencode(form).encode() if form else None
        try:
            proxy, _ = proxy_for(url, os.environ)
            wire = Wire(url, proxy=proxy, context=self._context(), connect_limit=LIMIT)
            with logged("identity provider", f"{method} {parts.hostname}"), closing(wire):
                return wire.ask(method, target, told, body, limit=LIMIT, most=MOST)
        except (Failure, ValueError, KeyError) as error:
            words = f"{parts.hostname}: {error}" if isinstance(error, Failure) else "not a URL"
            why = f"cannot be renewed: the identity provider is not reached ({words})"
            raise no_login(self._info, why) from None

    def _context(self) -> ssl.SSLContext:
        authorities = self._config.bytes("idp-certificate-authority")
        try:
            return only(authorities) if authorities else system_trust()
        except ssl.SSLError:
            raise self._config.unusable(
                "auth-provider.config.idp-certificate-authority",
                "is no certificate in PEM form",
                "name the right file",
            ) from None

    def _keep(self, values: Mapping[str, str]) -> None:
        file = self._config.file
        written = bool(values) and _write(file, self._config.name, values)
        where = (
            f"and {' and '.join(values)} changed in it, nothing else"
            if written
            else ("and kept for this run alone: the kubeconfig is as it was")
        )
        self._remark(
            Problem(
                "LSA220",
                f"The login of user {self._config.name} had ended: it was renewed, {where}",
                on=str(file),
            )
        )


def ends(token: str) -> float:
    """When a JSON web token ends, in seconds since 1970; 0 for what is none."""
    try:
        middle = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(middle + "=" * (-len(middle) % 4)))
        return float(claims["exp"])
    except (IndexError, ValueError, KeyError, TypeError):
        return 0.0


def _json(answer: Answer) -> Mapping[str, Any]:
    try:
        told = json.loads(answer.body)
    except (ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}


def _write(file: Path, user: str, values: Mapping[str, str]) -> bool:
    """Change the values in the file, under the lock that other clients heed; whether it is done."""
    lock = file.with_name(f"{file.name}.lock")
    try:
        os.close(os.open(lock, os.O_CREAT | os.O_EXCL, 0))
    except OSError:
        return False
    try:
        text = read_file(file, LARGEST).decode()
        changed = rewritten(text, user, values)
        if changed is not None:
            replace_file(file, changed.encode())
        return changed is not None
    except (OSError, UnicodeDecodeError):
        return False
    finally:
        lock.unlink(missing_ok=True)


def rewritten(text: str, user: str, values: Mapping[str, str]) -> str | None:
    """The kubeconfig with other values of an auth provider's config; None where one lacks."""
    import yaml

    users = _value(yaml.compose(text, yaml.SafeLoader), "users")
    nodes = [
        _value(one, "user", "auth-provider", "config")
        for one in getattr(users, "value", ())
        if getattr(_value(one, "name"), "value", None) == user
    ]
    spots = [(_value(node, name), value) for node in nodes[:1] for name, value in values.items()]
    if not spots or not all(isinstance(node, yaml.ScalarNode) for node, _ in spots):
        return None
    changed = text
    for node, value in sorted(spots, key=lambda it: it[0].start_mark.index, reverse=True):
        start, end = node.start_mark.index, node.end_mark.index
        changed = changed[:start] + json.dumps(value) + changed[end:]
    return changed if _differ_in(text, changed, user, values) else None


def _differ_in(text: str, changed: str, user: str, values: Mapping[str, str]) -> bool:
    """Whether the values, and nothing else, are what differs."""
    import yaml

    before, after = yaml.safe_load(text), yaml.safe_load(changed)
    for one in before["users"]:
        if one.get("name") == user:
            one["user"]["auth-provider"]["config"].update(values)
            break
    return bool(before == after)


def _value(node: Any, *path: str) -> Any:
    for key in path:
        pairs = node.value if getattr(node, "id", "") == "mapping" else []
        node = next((value for name, value in pairs if name.value == key), None)
    return node
