"""A report as its JSON document."""

from __future__ import annotations

import json

from wizard.console.output import for_programs
from wizard.formats import blocks
from wizard.safe import safe_json


def draw(page: blocks.Page) -> None:
    """Write the document to standard output."""
    for_programs().write(rendered(page))


def rendered(page: blocks.Page) -> str:
    """The document."""
    return safe_json(json.dumps(page.document, indent=2, ensure_ascii=False) + "\n")
