"""Foreign text made safe for a terminal: no control characters, no markup."""

import unicodedata


def safe(text: str, *, lines: bool = False) -> str:
    """The text with control and format characters shown as escapes.

    With `lines`, line feeds and tabs stay.
    """
    return "".join(_shown(c, lines=lines) for c in text)


def _shown(character: str, *, lines: bool) -> str:
    if lines and character in "\n\t":
        return character
    if character == "‍" or unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Zl", "Zp"):
        return character
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")
