"""Results on standard output: a page of blocks (blocks.py), and one file a format that draws it.

plan.py and check.py make the pages. A new format is a file here with `draw(page)`, and its name in
`FORMATS`; a command whose report it suits offers it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wizard.formats.blocks import Page

FORMATS = ("text", "markdown", "html", "json")


def show(page: Page, format: str) -> None:
    """Write the page to standard output; only the format that is wanted is imported."""
    import_module(f"wizard.formats.{format}").draw(page)
