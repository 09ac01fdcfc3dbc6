"""Values files as helm gets them, and the secrets in them that helm must not repeat."""

from __future__ import annotations

from pathlib import Path

from wizard.systems.helm_records import Upgrade
from wizard.systems.redact import secret_literals


def values_flags(upgrade: Upgrade) -> list[str]:
    """The values files as flags, in their order."""
    return [part for path in upgrade.values for part in ("--values", str(path))]


def secrets_in(path: Path) -> frozenset[str]:
    """The secrets of a values file, so that helm cannot repeat them; none if it is not YAML."""
    try:
        return secrets_of(path.read_bytes())
    except OSError:
        return frozenset()


def secrets_of(data: bytes) -> frozenset[str]:
    """The secrets in the text of a values file."""
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        values = yaml.load(data, Loader=loader)  # noqa: S506 - a safe loader, the fast one
    except (UnicodeDecodeError, yaml.YAMLError, RecursionError):
        return frozenset()
    return frozenset(secret_literals(values))


def from_pipe(paths: tuple[Path, ...], edited: Path) -> tuple[Path, ...]:
    """The last one of these is read from standard input, which helm can read once."""
    last = len(paths) - 1 - paths[::-1].index(edited)
    return (*paths[:last], Path("-"), *paths[last + 1 :])
