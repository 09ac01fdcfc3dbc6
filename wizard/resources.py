"""What every part may use: the files of templates/ and the YAML loader."""

from functools import cache
from pathlib import Path
from typing import Any


@cache
def templates() -> Path:
    """The folder of the templates: packaged beside the code, or at the top of a checkout.

    They are found in an installed wheel and in a checkout alike.
    """
    here = Path(__file__).resolve().parent
    packaged = here / "_templates"
    return packaged if packaged.is_dir() else here.parent / "templates"


def template(name: str) -> str:
    """The text of one template, by its path below templates/ (`sql/enable.sql`)."""
    return (templates() / name).read_text(encoding="utf-8")


def yaml_loader() -> Any:
    """PyYAML's safe loader: libyaml's, or the slow one where there is none."""
    import yaml

    return getattr(yaml, "CSafeLoader", yaml.SafeLoader)
