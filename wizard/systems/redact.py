"""Takes secrets out of what other tools say, before it is shown, stored or raised."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Mapping
from functools import cache, lru_cache
from typing import Any
from urllib.parse import quote

MASK = "***"
OBJECT = "(an object, not shown)"
SHORTEST_SECRET = 4
_SHORTEST_LINE = 8

_SENSITIVE = (
    r"(?:password|passwd|passphrase|secret|token|salt|api[_-]?key|license[_-]?key|licence[_-]?key"
    r"|private[_-]?key|encryption[_-]?key|access[_-]?key|credential|connection[_-]?url"
    r"|database[_-]?ur[il]|dsn)"
)
_SECRET_KEY = rf"[\w.-]{{0,40}}?{_SENSITIVE}[\w.-]{{0,40}}"
_REFERENCE_KEY = r"(?:secret_?key|key_?ref|ref|name|existing\w*)$"

_COUNTED = r"secrets=\d{1,9}(?![^\s,])"
"""How a quota counts Secrets: `requested: secrets=1, used: secrets=9`."""


@cache
def _patterns() -> tuple[tuple[re.Pattern[str], str], ...]:
    """Compiled when something is redacted: that takes longer than most of what a check does."""
    return (
        (
            re.compile(
                r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*-----|\Z)", re.DOTALL
            ),
            MASK,
        ),
        (
            re.compile(r"(\b[A-Za-z][\w+.-]{0,30}://[^\s:/@\"']{0,200}):[^\s\"']{0,500}@"),
            rf"\1:{MASK}@",
        ),
        (re.compile(r"\b([\w.+-]{1,64}):[^\s:\"']{1,500}@(?=[\w.-]{1,253}:\d+/)"), rf"\1:{MASK}@"),
        (re.compile(r"\b(Bearer|Basic)\s+[\w.~+/=-]{8,}", re.IGNORECASE), rf"\1 {MASK}"),
        (re.compile(r"\blsv2_\w+"), MASK),
        (re.compile(r"\beyJ[\w-]{8,}\.[\w-]+\.[\w-]*"), MASK),
        (
            re.compile(
                rf"^([ \t]*(?:- +)?)([\"']?{_SECRET_KEY}[\"']?)(:[ \t]*)[|>][-+\d]*[ \t]*\n"
                r"(?:(?:\1[ \t]+\S[^\n]*|[ \t]*)(?:\n|\Z))+",
                re.IGNORECASE | re.MULTILINE,
            ),
            rf"\1\2\3{MASK}\n",
        ),
        (
            re.compile(
                rf"(\\*\"{_SECRET_KEY}\\*\"\s*:\s*)(\\+\")(?:(?!\2).)*\2",
                re.IGNORECASE,
            ),
            rf"\1{MASK}",
        ),
        (
            re.compile(
                rf"((?:^|[{{,\[])\s*(?:- +)?[\"']?{_SECRET_KEY}[\"']?\s*:[ \t]+|"
                rf"[\"']{_SECRET_KEY}[\"']\s*:\s*)"
                r"(\"[^\"\n]*\"|'[^'\n]*'|[^\s,}\]{\[|>&][^\n,}\]]*)",
                re.IGNORECASE | re.MULTILINE,
            ),
            rf"\1{MASK}",
        ),
        (
            re.compile(
                rf"\b(?!{_COUNTED})({_SECRET_KEY}\s*=\s*)(\"[^\"\n]*\"|'[^'\n]*'|[^\s,;&]+)",
                re.IGNORECASE,
            ),
            rf"\1{MASK}",
        ),
        (
            re.compile(r"\b((?:password|passphrase)\s+)(\"[^\"\n]+\"|'[^'\n]+')", re.IGNORECASE),
            rf"\1{MASK}",
        ),
        (
            re.compile(r"\b(password\s*:\s*)(\"[^\"\n]*\"|'[^'\n]*'|[^\s,;]+)", re.IGNORECASE),
            rf"\1{MASK}",
        ),
    )


_SCHEMES = r"(?i:bearer|basic)"
_GO_MAP = r"\bmap\[[^\n]*"
_GO_ENTRY = rf"(?i)((?:\[| )\"?{_SECRET_KEY}\"?:)(\"(?:[^\"\\]|\\.)*\"|[^\s\[\]]+)"
"""A mapping as Go prints it (`map[password:x user:y]`), in helm's words of values that clash."""

_PRINTED = (
    r"(?P<before>Invalid value: )"
    r"(?:(?P<slashes>\\*)\"(?=map\[|[{\[]|&?[\w.*]+\{)|(?=[{\[]|map\[|&?[\w.*]+\{))"
    r"|(?P<go>\bvalueUnstructured)(?=\{)"
)
"""Where an API server repeats an object, or one that cannot be read, in a message."""
_PATCHES = {
    r"(?s)(The order in patch list:).*?(doesn't match \$setElementOrder list:).*": (
        rf"\1 {OBJECT} \2 {OBJECT}"
    ),
    r"(?s)(\bmap: )map\[.*?(?= does not contain declared merge key|\Z)": rf"\1{OBJECT}",
}
"""What it says of a strategic merge patch that does not fit."""


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """The text with its secrets replaced by `***`, and without the objects that a server repeats.

    Known literals first (those of at least 4 characters; also in base64, escaped, or line by line),
    then what looks like a secret: passwords in URLs with or without a scheme, Bearer and Basic
    credentials, LangSmith keys, JSON web tokens, private keys, and the values of YAML, JSON, Go's
    and `key=value` entries whose key names a secret.
    """
    known = {form for secret in secrets for form in _forms(secret)}
    for secret in sorted(known, key=len, reverse=True):
        text = text.replace(secret, MASK)
    if text.replace(" ", "").isalnum() and not re.search(_SCHEMES, text):
        return text  # bare words (`Upgrade complete`): no pattern meets them
    text = without_objects(text)
    text = re.sub(_GO_MAP, lambda it: re.sub(_GO_ENTRY, rf"\1{MASK}", it[0]), text)
    for pattern, replacement in _patterns():
        text = pattern.sub(replacement, text)
    return text


@lru_cache(maxsize=4096)
def _forms(secret: str) -> tuple[str, ...]:
    """A literal as other programs may repeat it."""
    if len(secret) < SHORTEST_SECRET:
        return ()
    lines = [line for line in map(str.strip, secret.splitlines()) if len(line) >= _SHORTEST_LINE]
    return (
        secret,
        base64.b64encode(secret.encode("utf-8", "replace")).decode(),
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        quote(secret, safe="", errors="replace"),
        *(lines if "\n" in secret else ()),
    )


def without_objects(text: str) -> str:
    """The text without the objects that an API server repeats in it; they hold secrets.

    It answers a patch that it cannot decode with all of the patched object, and helm passes it on.
    """
    for pattern, replacement in _PATCHES.items():
        text = re.sub(pattern, replacement, text)
    kept, at = [], 0
    while match := re.compile(_PRINTED).search(text, at):
        quoted = match["slashes"]
        end = (
            _end_of_object(text, match.end())
            if quoted is None
            else _end_of_quoted(text, match.end(), f'{quoted}"')
        )
        kept += [text[at : match.start()], match["before"] or f"{match['go']} ", OBJECT]
        at = end
    return "".join((*kept, text[at:]))


def _end_of_quoted(text: str, start: int, quote: str) -> int:
    """After the quote that ends a quoted object: those within are escaped once more."""
    ends = [text.find(bracket + quote, start) for bracket in "}]"]
    found = min((end for end in ends if end >= 0), default=-1)
    return found + 1 + len(quote) if found >= 0 else _end_of_line(text, start)


def _end_of_object(text: str, start: int) -> int:
    """After the bracket that closes the first one; strings between may have brackets."""
    depth = 0
    for token in re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\]\n]').finditer(text, start):
        if token[0] == "\n":
            break
        depth += (token[0] in "{[") - (token[0] in "}]")
        typed = re.compile(r"[\w.*\[\]]*\{").match(text, token.end())  # `map[string]string{`
        if depth == 0 and token[0] in "}]" and not typed:
            return token.end()
    return _end_of_line(text, start)


def _end_of_line(text: str, start: int) -> int:
    end = text.find("\n", start)
    return len(text) if end < 0 else end


def is_secret_key(key: str) -> bool:
    """Whether the value under this key is a secret, rather than a reference to one."""
    secret = re.search(_SENSITIVE, key, re.IGNORECASE)
    return bool(secret) and not re.search(_REFERENCE_KEY, key, re.IGNORECASE)


def secret_literals(values: Any) -> set[str]:
    """All strings below keys that name a secret, anywhere in a tree of values.

    Of a variable (`name: DB_PASSWORD, value: …`) its name is the key.
    """
    found: set[str] = set()
    _collect(values, found, secret=False)
    return {text for text in found if len(text) >= SHORTEST_SECRET}


def _collect(node: Any, found: set[str], *, secret: bool) -> None:
    if isinstance(node, Mapping):
        variable = is_secret_key(str(node.get("name") or ""))
        for key, value in node.items():
            named = is_secret_key(str(key)) or (variable and key == "value")
            _collect(value, found, secret=named)
    elif isinstance(node, list):
        for value in node:
            _collect(value, found, secret=secret)
    elif secret and isinstance(node, str | int | float) and not isinstance(node, bool):
        found.add(str(node))
