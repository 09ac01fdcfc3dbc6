"""Foreign text made safe for a terminal: no control characters, no markup, no endless lines."""


def safe(text: str, *, lines: bool = False) -> str:
    """The text with control and format characters shown as escapes.

    With `lines`, line feeds and tabs stay.
    """
    if text.isprintable():  # none of what `_harmless` knows as harm is
        return text
    kept = "\n\t" if lines else ""
    return "".join(
        c if c in kept or _harmless(c) else c.encode("unicode_escape", "surrogatepass").decode()
        for c in text
    )


LONGEST = 2_000
"""Characters of a foreign line; what a tool or a pod says may be one line of megabytes."""


def tame(text: str) -> str:
    """Foreign lines as they are kept and shown: each safe, and cut where it is too long."""
    if len(text) <= LONGEST and text.isprintable():
        return text
    return "\n".join(map(_tamed, text.split("\n")))


def cut(text: str, most: int) -> str:
    """The text, or its first `most` characters where there are more."""
    return text if len(text) <= most else f"{text[:most]}…"


def _tamed(line: str) -> str:
    line = line.removesuffix("\r")
    more = len(line) - LONGEST
    shown = safe(line[:LONGEST], lines=True)
    return f"{shown}… ({more:,} characters more)" if more > 0 else shown


ID = r"\b([0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12})\b"
_whole_ids = [False]


def show_whole_ids(*, whole: bool) -> None:
    """Whether ids are shown as they are (`-v`), or by their beginning."""
    _whole_ids[0] = whole


def brief_id(id: str) -> str:
    """An id as a terminal shows it: by its beginning, or whole where that is asked for."""
    return id if _whole_ids[0] else f"{id[:8]}…"


def safe_json(document: str) -> str:
    """A JSON document with its control and format characters as JSON's own escapes.

    A serializer has escaped those below the blank already; JSON lets DEL, the eight-bit controls
    and the bidirectional overrides through as they are.
    """
    if (document.isascii() and "\x7f" not in document) or document.isprintable():
        return document
    import json

    return "".join(c if c == "\n" or _harmless(c) else json.dumps(c)[1:-1] for c in document)


def _harmless(character: str) -> bool:
    """Whether it only prints; the joiner of emoji is no harm."""
    import unicodedata  # seldom needed, and a library of its own

    category = unicodedata.category(character)
    return character == "\u200d" or category not in ("Cc", "Cf", "Cs", "Zl", "Zp")


def is_text(text: str) -> bool:
    """Whether it came as UTF-8; the system's names need not be."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
