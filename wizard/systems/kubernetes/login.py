"""What a login shows to the server, and the two kinds that need no program and no provider."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from wizard.files import read_file
from wizard.problems import Problem
from wizard.record import dataclass, field

if TYPE_CHECKING:
    from wizard.systems.kubernetes.kubeconfig import ContextInfo, Entry

LARGEST_TOKEN = 1024 * 1024
Remark = Callable[[Problem], None]
"""Takes what a person should hear."""


@dataclass(frozen=True)
class Shown:
    """What is shown to the server of who asks: a header, or a client certificate with its key."""

    authorization: str = field(default="", repr=False)
    certificate: bytes = b""
    key: bytes = field(default=b"", repr=False)


class Source(Protocol):
    """Where credentials come from that do not last."""

    def shown(self) -> Shown:
        """The present ones."""

    def refused(self) -> bool:
        """The server has refused them: whether there may be others now."""


@dataclass(frozen=True)
class Fixed:
    """Credentials that stay as they are."""

    told: Shown

    def shown(self) -> Shown:
        """What was told."""
        return self.told

    def refused(self) -> bool:
        """There are no others."""
        return False


@dataclass(frozen=True)
class Token:
    """A token, and the file that holds the present one: what it says goes before the other."""

    user: Entry
    inline: str = field(repr=False)
    file: Path | None
    beside: Shown

    def shown(self) -> Shown:
        """The token that the file has at this moment."""
        token = self._in_file() or self.inline
        return Shown(f"Bearer {token}", self.beside.certificate, self.beside.key)

    def refused(self) -> bool:
        """A file may have another one meanwhile; it is read for each request anyhow."""
        return False

    def _in_file(self) -> str:
        if self.file is None:
            return ""
        try:
            token = read_file(self.file, LARGEST_TOKEN).decode().strip()
        except (OSError, UnicodeDecodeError) as error:
            token, why = "", getattr(error, "strerror", "") or "it is not text"
        else:
            why = "it is empty"
        if not token and not self.inline:
            raise self.user.unusable(
                "tokenFile",
                f"names {self.file}, which cannot be used: {why}",
                "name the right file",
            )
        return token


def no_login(info: ContextInfo, why: str, words: tuple[str, ...] = (), mend: str = "") -> Problem:
    """The Problem of a login that could not be had just now."""
    return Problem(
        "LSA212",
        f"The {info.credentials or 'kubeconfig'} of user {info.user or '?'} {why}",
        on=f"context {info.name}" if info.name else "the cluster of this pod",
        next_step=mend or "Run it by hand or log in again, then try: kubectl auth whoami",
        detail=words,
    )


def texts(body: Mapping[str, Any], key: str) -> list[str]:
    """A list of texts in an entry; empty where there is none."""
    value = body.get(key)
    return [str(each) for each in value] if isinstance(value, list) else []
