"""The files of templates/, found in an installed wheel and in a checkout alike."""

from functools import cache
from pathlib import Path


@cache
def templates() -> Path:
    """The folder of the templates: packaged beside the code, or at the top of a checkout."""
    here = Path(__file__).resolve().parent
    packaged = here / "_templates"
    return packaged if packaged.is_dir() else here.parent / "templates"


def template(name: str) -> str:
    """The text of one template, by its path below templates/ (`sql/enable.sql`)."""
    return (templates() / name).read_text(encoding="utf-8")
