"""What keeps an answer from coming, told apart; the systems make Problems of it in their words."""

from __future__ import annotations

from enum import StrEnum


class Kind(StrEnum):
    """What went wrong on the way."""

    NAME = "the name cannot be resolved"
    REFUSED = "the connection is refused"
    UNCONNECTED = "no connection within the limit"
    UNREACHABLE = "no connection comes about"
    PROXY = "the proxy does not work"
    CERTIFICATE = "the certificate is not trusted"
    TLS = "no TLS connection comes about"
    SILENT = "no complete answer within the limit"
    BROKEN = "the connection broke off"
    STRANGE = "what answers does not speak HTTP"
    LARGE = "the answer is larger than the ceiling"


class Failure(Exception):
    """No answer; `words` are the system's or the library's own, without any secret."""

    def __init__(self, kind: Kind, words: str = "") -> None:
        super().__init__(kind)
        self.kind = kind
        self.words = words
