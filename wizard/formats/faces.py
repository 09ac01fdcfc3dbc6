"""The faces of a plan: one plan, several formats."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from wizard.console.safe import safe_json
from wizard.formats.text import plan_text
from wizard.records.plan import Plan, as_text
from wizard.records.plan_json import ID

Document = Mapping[str, Any]


def _text(plan: Plan, document: Document, notes: Sequence[str]) -> None:
    plan_text(plan, str(document[ID]), notes)


def _json(_plan: Plan, document: Document, _notes: Sequence[str]) -> None:
    sys.stdout.write(safe_json(as_text(dict(document))))


def _markdown(plan: Plan, document: Document, notes: Sequence[str]) -> None:
    from wizard.formats.markdown import plan_markdown

    _write(plan_markdown(plan, str(document[ID]), notes))


def _html(plan: Plan, document: Document, notes: Sequence[str]) -> None:
    from wizard.formats.html import plan_html

    _write(plan_html(plan, str(document[ID]), notes))


def _write(text: str) -> None:
    """As UTF-8 whatever the terminal's encoding is: it goes to a file or a ticket."""
    sys.stdout.flush()
    sys.stdout.buffer.write(text.encode("utf-8", "replace"))


FACES: Mapping[str, Callable[[Plan, Document, Sequence[str]], None]] = {
    "text": _text,
    "markdown": _markdown,
    "html": _html,
    "json": _json,
}
"""Each writes the plan to standard output; notes are what a reader has to know first."""
FORMATS = tuple(FACES)
