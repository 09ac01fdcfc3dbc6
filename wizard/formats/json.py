"""A report as its JSON document."""

from __future__ import annotations

import json
import sys

from wizard.console.safe import safe_json
from wizard.formats import blocks


def draw(page: blocks.Page) -> None:
    """Write the document to standard output."""
    text = json.dumps(page.document, indent=2, ensure_ascii=False)
    sys.stdout.write(safe_json(text + "\n"))
