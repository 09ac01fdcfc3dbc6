"""A report as its JSON document."""

from __future__ import annotations

import json

from wizard.console.output import for_programs
from wizard.formats import blocks
from wizard.safe import safe_json


def draw(page: blocks.Page) -> None:
    """Write the document to standard output."""
    text = json.dumps(page.document, indent=2, ensure_ascii=False)
    for_programs().write(safe_json(text + "\n"))
