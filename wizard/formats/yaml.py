"""A report as its document in YAML, with the fields of the JSON."""

from __future__ import annotations

from typing import Any

from wizard.console.output import for_programs
from wizard.formats import blocks
from wizard.safe import safe


def draw(page: blocks.Page) -> None:
    """Write the document to standard output."""
    for_programs().write(rendered(page))


def rendered(page: blocks.Page) -> str:
    """The document."""
    return as_yaml(page.document)


def as_yaml(document: Any) -> str:
    """Plain values as YAML; where a terminal would take harm, all but ASCII is escaped."""
    import json

    import yaml

    plain = json.loads(json.dumps(document))  # enumerations, which YAML would take for objects
    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)

    def dumped(*, unicode: bool) -> str:
        return yaml.dump(plain, None, dumper, allow_unicode=unicode, sort_keys=False, width=10_000)

    text = dumped(unicode=True)
    return text if safe(text, lines=True) == text else dumped(unicode=False)
