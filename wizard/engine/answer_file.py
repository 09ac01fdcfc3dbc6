"""Answers in a file: said once, used again (`--answers`, `--save-answers`); never a secret.

A run that a person left keeps what was answered, and the next one offers it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from wizard.files import read_file, replace_file
from wizard.options import BY_NAME, OPTIONS, SELECTING, Kind, positive_seconds
from wizard.problems import Exit, Problem
from wizard.records.state import made_private, state_folder
from wizard.settings import Settings

LARGEST = 16 * 1024 * 1024
"""Bytes: a file with the ids of a hundred thousand organizations is smaller."""
NOT_KEPT = (
    "yes", "no_input", "unfinished", "take_over", "answers", "save_answers", "verbose", "quiet",
    "all_namespaces",
)  # fmt: skip
"""What must be said anew: it says yes, or is about this one start."""
PLACE = ("context", "namespace", "release")
_HEAD = """\
# Answers for langsmith-audit: run --answers FILE takes them, plan and check too.
# No secret is in here. A flag or a variable wins over what stands here.
"""


def as_yaml(settings: Settings, names: Collection[str]) -> str:
    """What was told of these and may be said again, with what each of it means."""
    import yaml

    lines = [_HEAD]
    for option in OPTIONS:
        if not settings.told(option.name) or option.name not in names:
            continue
        value = settings.get(option.name)
        if option.metavar == "FILE":  # another run may begin in another folder
            several = value if isinstance(value, list) else [value]
            paths = [str(Path(name).absolute()) for name in several]
            value = paths if isinstance(value, list) else paths[0]
        told = yaml.safe_dump({option.name: value}, default_flow_style=False, allow_unicode=True)
        lines.append(f"\n# {option.help}\n{told}")
    return "".join(lines)


MAY_BE_KEPT = tuple(
    it.name for it in OPTIONS if it.kind is not Kind.SECRET and it.name not in NOT_KEPT
)


def save(settings: Settings, path: Path, names: Collection[str] = MAY_BE_KEPT) -> None:
    """Write the answers.

    Raises:
        Problem: LSA904, it cannot be written.
    """
    try:
        replace_file(path, as_yaml(settings, names).encode())
    except OSError as error:
        raise Problem(
            "LSA904",
            f"The answers cannot be written: {error.strerror}",
            on=f"file {path}",
            next_step="name another file: --save-answers FILE",
            exit=Exit.USAGE,
        ) from None


def take(settings: Settings, path: Path, origin: str = "") -> list[str]:
    """Take what nobody has told otherwise; the names of what was taken.

    Raises:
        Problem: LSA923, the file cannot be read, or has what is no answer.
    """
    found = dict(_answers(path))
    chosen = any(settings.told(name) for name in SELECTING)
    taken = []
    for name, value in found.items():
        if not settings.told(name) and not (chosen and name in SELECTING):
            settings.put(name, value, origin or f"file {path}")
            taken.append(name)
    return taken


def _answers(path: Path) -> Iterator[tuple[str, Any]]:
    import yaml

    try:
        found = yaml.safe_load(read_file(path, LARGEST))
    except OSError as error:
        raise _unfit(path, f"cannot be read: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeError, RecursionError, ValueError):
        raise _unfit(path, "is not YAML") from None
    if not isinstance(found, Mapping):
        raise _unfit(path, "has no names with answers")
    for name, value in found.items():
        option = BY_NAME.get(str(name))
        if option is None or option.kind is Kind.SECRET or option.name in NOT_KEPT:
            raise _unfit(path, f"has {str(name)[:40]!r}, which is no answer that a file may give")
        if option.choices and not set(_listed(value)) <= set(option.choices):
            raise _unfit(path, f"has for {name} none of {', '.join(option.choices)}")
        yield option.name, _fitting(path, str(name), option.kind, value)


def _fitting(path: Path, name: str, kind: Kind, value: Any) -> Any:
    if kind is Kind.SWITCH and isinstance(value, bool):
        return value
    if kind is Kind.SECONDS:
        with contextlib.suppress(ValueError):
            return positive_seconds(str(value))
    elif kind in (Kind.LIST, Kind.PATHS) and all(isinstance(it, str) for it in _listed(value)):
        return _listed(value)
    elif kind in (Kind.TEXT, Kind.CHOICE) and isinstance(value, str | int | float):
        return str(value)
    raise _unfit(path, f"has for {name} what is none of its values")


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _unfit(path: Path, why: str) -> Problem:
    return Problem("LSA923", f"The file with the answers {why}", on=f"file {path}",
                   exit=Exit.USAGE)  # fmt: skip


def keep(settings: Settings) -> bool:
    """Keep what a person has answered, for the next run to offer; whether there was anything."""
    asked = {name for name in MAY_BE_KEPT if settings.origins.get(name) == "prompt"}
    if not asked:
        return False
    with contextlib.suppress(Problem):  # a help, and nothing that a run rests on
        made_private()
        save(settings, _kept(), {*asked, *PLACE})
        return True
    return False


def forget() -> None:
    """Drop what was kept: a run has come to its end with it."""
    with contextlib.suppress(OSError):
        _kept().unlink(missing_ok=True)


def offered(settings: Settings) -> Path | None:
    """What was kept, where it is of the place that is meant now."""
    path = _kept()
    try:
        found = dict(_answers(path)) if path.is_file() else {}
    except (Problem, OSError):
        return None
    here = all(found.get(name) == settings.get(name) for name in PLACE if settings.told(name))
    return path if found and here else None


def names_in(path: Path) -> list[str]:
    """What is answered in it, as flags; nothing where it cannot be read."""
    try:
        found = dict(_answers(path))
    except (Problem, OSError):
        return []
    shown = [name for name in found if name not in PLACE]
    return [BY_NAME[name].flags[-1] for name in shown] or [BY_NAME[it].flags[-1] for it in found]


def _kept() -> Path:
    return state_folder() / "answers.yaml"
