"""SPDY/3.1 frames, as far as kubectl's port-forward uses them (it tunnels them in a WebSocket).

Format: "SPDY Protocol - Draft 3.1" (chromium.org/spdy), sections 2.2 and 2.6. Flow control is left
out on both sides, as the Go library that kubectl uses leaves it out.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field

VERSION = 3
SYN_STREAM, SYN_REPLY, RST_STREAM, SETTINGS, PING, GOAWAY = 1, 2, 3, 4, 6, 7
FIN = 0x01
DATA = 0
"""The kind given here to data frames, which carry no type of their own."""
_CONTROL = 0x80000000
_HEADER = 8

_WORDS = (
    "options head post put delete trace accept accept-charset accept-encoding accept-language "
    "accept-ranges age allow authorization cache-control connection content-base "
    "content-encoding content-language content-length content-location content-md5 "
    "content-range content-type date etag expect expires from host if-match "
    "if-modified-since if-none-match if-range if-unmodified-since last-modified location "
    "max-forwards pragma proxy-authenticate proxy-authorization range referer retry-after "
    "server te trailer transfer-encoding upgrade user-agent vary via warning "
    "www-authenticate method get status 200_OK version HTTP/1.1 url public set-cookie "
    "keep-alive origin"
)
_TEXT = (
    "100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505"
    "203 Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request"
    "401 Unauthorized403 Forbidden404 Not Found500 Internal Server Error501 Not Implemented"
    "503 Service UnavailableJan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 "
    "Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMTchunked,text/html,image/png,image/jpg,image/gif,"
    "application/xml,application/xhtml+xml,text/plain,text/javascript,publicprivatemax-age="
    "gzip,deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0."
)


def _text(value: str) -> bytes:
    return struct.pack(">I", len(value)) + value.encode()


DICTIONARY = b"".join(_text(word.replace("_", " ")) for word in _WORDS.split()) + _TEXT.encode()
"""What both sides' header compression starts from (section 2.6.10.1)."""


@dataclass(frozen=True)
class Frame:
    """One frame: `stream` is 0 for PING and the like, `ends` when the sender sends no more on it.

    `payload` is the data, or what follows the stream id in a control frame.
    """

    kind: int
    stream: int
    ends: bool
    payload: bytes
    headers: dict[str, str] = field(default_factory=dict)


class Codec:
    """Both directions of one connection; header compression keeps state from frame to frame."""

    def __init__(self) -> None:
        self._buffer = b""
        self._inflate = zlib.decompressobj(zdict=DICTIONARY)
        self._deflate = zlib.compressobj(zdict=DICTIONARY)

    def feed(self, data: bytes) -> Iterator[Frame]:
        """The frames that are complete with these bytes."""
        self._buffer += data
        while len(self._buffer) >= _HEADER:
            first, second = struct.unpack(">II", self._buffer[:_HEADER])
            end = _HEADER + (second & 0xFFFFFF)
            if len(self._buffer) < end:
                return
            payload, self._buffer = self._buffer[_HEADER:end], self._buffer[end:]
            yield self._frame(first, bool((second >> 24) & FIN), payload)

    def _frame(self, first: int, ends: bool, payload: bytes) -> Frame:  # noqa: FBT001
        if not first & _CONTROL:
            return Frame(DATA, first, ends, payload)
        kind = first & 0xFFFF
        if kind == SYN_STREAM:
            stream = struct.unpack(">I", payload[:4])[0] & ~_CONTROL
            return Frame(kind, stream, ends, b"", self._headers(payload[10:]))
        if kind == RST_STREAM:
            stream = struct.unpack(">I", payload[:4])[0] & ~_CONTROL
            return Frame(kind, stream, ends=True, payload=payload[4:])
        return Frame(kind, 0, ends, payload)

    def _headers(self, block: bytes) -> dict[str, str]:
        plain = self._inflate.decompress(block)
        (count,) = struct.unpack(">I", plain[:4])
        texts, at = [], 4
        for _ in range(2 * count):
            (size,) = struct.unpack(">I", plain[at : at + 4])
            texts.append(plain[at + 4 : at + 4 + size].decode())
            at += 4 + size
        return dict(zip(texts[::2], texts[1::2], strict=True))

    def reply(self, stream: int) -> bytes:
        """SYN_REPLY without headers: the stream is accepted."""
        block = self._deflate.compress(struct.pack(">I", 0))
        block += self._deflate.flush(zlib.Z_SYNC_FLUSH)
        return control(SYN_REPLY, struct.pack(">I", stream) + block)


def control(kind: int, payload: bytes) -> bytes:
    """A control frame without flags."""
    return struct.pack(">HHI", 0x8000 | VERSION, kind, len(payload)) + payload


def data(stream: int, payload: bytes, *, ends: bool = False) -> bytes:
    """A data frame; `ends` closes our side of the stream."""
    return struct.pack(">II", stream, (FIN << 24 if ends else 0) | len(payload)) + payload
