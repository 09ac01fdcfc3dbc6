"""Results on standard output: a page of blocks (blocks.py), and one file a format that draws it.

plan.py and check.py make the pages. A new format is a file here with `draw(page)`, and its name in
`FORMATS`; a command whose report it suits offers it.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from wizard.problems import Exit, Problem

if TYPE_CHECKING:
    from wizard.formats.blocks import Page

FORMATS = ("text", "markdown", "html", "json", "yaml")
OF_CHECKS = (*FORMATS, "junit", "nagios", "prometheus", "github")
"""Those of a health check; the last four are for programs that know no plan."""


def show(page: Page, format: str, output: Path | None = None) -> None:
    """Write the page to standard output, or to a file that is never there in part.

    Only the format that is wanted is imported; a file can be had of all but `text`.

    Raises:
        Problem: LSA904, the file cannot be written.
    """
    name = format
    if format == "text" and page.reports:
        name = "several" if page.several else "health"
    module = import_module(f"wizard.formats.{name}")
    if output is None:
        module.draw(page)
        return
    from wizard.files import replace_file

    data = module.rendered(page).encode("utf-8", "backslashreplace")
    try:
        replace_file(output, data, mode=getattr(module, "MODE", None))
    except OSError as error:
        raise Problem(
            "LSA904",
            f"The result cannot be written: {error.strerror or error}",
            on=str(output),
            next_step="name a file in a folder that can be written with --output",
            exit=Exit.UNKNOWN,
        ) from None
