"""What is looked at before a parser sees the file: size, encoding, merge conflicts."""

from __future__ import annotations

import re

from wizard.systems.values_yaml.model import Refusal

LIMIT = 2 * 1024 * 1024
"""The largest values file that is read, in bytes (2 MB)."""

_MOST_DIRECTIVES = 10_000

BOM = "\ufeff"
BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
"""A line break as YAML 1.1, and so helm, knows them."""

_CONFLICT = re.compile(r"(?:^|(?<=[\n\r]))(?:<{7}|>{7}|\|{7})(?=[ \r\n]|$)")
_CONFLICT_MIDDLE = re.compile(r"(?:^|(?<=[\n\r]))={7}(?=[\r\n]|$)")
_TEMPLATE_LINE = re.compile(r"(?:^|(?<=[\n\r]))[^#\n\r]*(?:\{\{|\{%)")


def readable(data: bytes) -> tuple[str, str]:
    """The byte order mark (or nothing) and the text of a values file.

    Raises:
        Refusal: larger than `LIMIT`, not UTF-8, a NUL in it, or merge-conflict markers.
    """
    if len(data) > LIMIT:
        raise too_large(len(data))
    text = _decoded(data)
    nul = text.find("\0")
    if nul >= 0:
        raise Refusal(
            "LSA311",
            "There is a NUL byte in the file, so it is not a text that helm can read",
            "check that it is the right file and that it is saved as UTF-8",
            at=nul,
        )
    mark = BOM if text.startswith(BOM) else ""
    if text.count("\n%") > _MOST_DIRECTIVES and text.startswith("%", len(mark)):
        raise Refusal(
            "LSA330",
            "The file has so many directives (%) that an edit could not be proven in time",
            "check that it is the right file",
            line=1,
        )
    conflict = _CONFLICT.search(text, len(mark))
    if conflict:
        raise conflicted(conflict.start())
    return mark, text[len(mark) :]


def too_large(size: int) -> Refusal:
    """The refusal of a file of `size` bytes."""
    return Refusal(
        "LSA302",
        f"The file has {size:,} bytes; values files of at most {LIMIT:,} bytes are read",
        "check that it is the right file; if it is, put the two variables into a small "
        "values file of their own and name it last",
    )


def conflicted(at: int) -> Refusal:
    """The refusal of a file with merge-conflict markers."""
    return Refusal(
        "LSA325",
        "There is a merge-conflict marker in the file",
        "resolve the conflict first, then run this again",
        at=at,
    )


def conflict_middle(text: str) -> int | None:
    """Where a lone `=======` stands, which is a leftover only in a file that cannot be parsed."""
    found = _CONFLICT_MIDDLE.search(text)
    return found.start() if found else None


def template_line(text: str) -> int | None:
    """Where the first template action outside a comment stands."""
    found = _TEMPLATE_LINE.search(text)
    return found.end() - 2 if found else None


def line_of(text: str, at: int) -> int:
    """The number, from 1, of the line that holds the character at index `at`."""
    return 1 + sum(1 for _ in re.finditer("\r\n|[\n\r]", text[:at]))


def _decoded(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        kind = _other_encoding(data)
        raise Refusal(
            "LSA310",
            f"The file is not UTF-8{kind}",
            "save it as UTF-8, then run this again",
            line=1 + data.count(b"\n", 0, error.start),
        ) from error


def _other_encoding(data: bytes) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "; it looks like UTF-16"
    if data.startswith(b"\0GITCRYPT"):
        return "; it is encrypted with git-crypt"
    return ""
