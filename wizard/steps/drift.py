"""Drift: what the values files would change in the deployed values besides our two variables."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from wizard.exits import Exit
from wizard.problems import Problem
from wizard.records.changes import Consent
from wizard.steps.fingerprint import fingerprint_of
from wizard.variables import WANTED

OURS = "backend.deployment.extraEnv"
SHOWN = 10
_KEPT = re.compile(
    r"(?:dropped|changed): (?:config\.(?:apiKeySalt|langsmithLicenseKey|existingSecretName)"
    r"|(?:.+\.)?(?:jwt\w*secret|encryptionKey))$",
    re.IGNORECASE,
)
"""Every API key is hashed with the salt, sessions are signed with the jwt secret, stored things are
encrypted with the encryption keys; an existing Secret holds them."""


@dataclass(frozen=True)
class Drift:
    """Keys, never values: values hold secrets.

    Attributes:
        dropped: keys that are deployed and that the files lack.
        changed: keys whose deployed value is another than the files'.
        added: keys of the files that are not deployed.
    """

    dropped: tuple[str, ...]
    changed: tuple[str, ...]
    added: tuple[str, ...]

    @property
    def keys(self) -> tuple[str, ...]:
        """All keys, each with what would happen to it."""
        return (
            *(f"dropped: {key}" for key in self.dropped),
            *(f"changed: {key}" for key in self.changed),
            *(f"added: {key}" for key in self.added),
        )

    @property
    def lost(self) -> tuple[str, ...]:
        """Keys whose loss or change nobody can take back, each with what would happen to it."""
        return tuple(key for key in self.keys if _KEPT.match(key))

    def refuse_losses(self) -> None:
        """Refuse what no yes makes good.

        Raises:
            Problem: LSA413, such a key would be dropped or changed.
        """
        if self.lost:
            raise Problem(
                "LSA413",
                "The values files would take away what every key, session or licence rests on",
                on="the values files and `helm get values`",
                next_step="put the deployed values of these keys into the files (helm get values "
                "shows them); to change one on purpose, do it by hand and by itself first",
                exit=Exit.FAILED,
                detail=self.lost,
            )

    @property
    def summary(self) -> str:
        """One line for a change's effect."""
        return f"changes {len(self.keys)} other deployed values (needs --accept-drift)"

    def consents(self, *, accepted: bool) -> tuple[Consent, ...]:
        """The yes that is needed to change more than our two variables."""
        if not self.keys or accepted:
            return ()
        more = len(self.keys) - SHOWN
        refusal = Problem(
            "LSA410",
            f"The values files differ from what is deployed in {len(self.keys)} other keys",
            on="the values files and `helm get values`",
            next_step="compare with `helm get values`; give all files with -f in helm's order, "
            "or accept the changes with --accept-drift",
            exit=Exit.FAILED,
            detail=(*self.keys[:SHOWN], *((f"and {more} more",) if more > 0 else ())),
        )
        return (Consent("accept_drift", refusal),)


def drift(deployed: Mapping[str, Any], files: Mapping[str, Any]) -> Drift:
    """Compare the deployed user values with those of the files, ours left out.

    A null is a value here: it takes the chart's own away.
    """
    old, new = dict(_leaves(deployed, nulls=True)), dict(_leaves(files, nulls=True))
    for side in (old, new):
        for key in [key for key in side if key == OURS or OURS.startswith(key + ".")]:
            side.pop(key)
    ours = _without_ours(deployed), _without_ours(files)
    changed = [key for key in old if key in new and _exact(old[key]) != _exact(new[key])]
    if _exact(ours[0]) != _exact(ours[1]):
        changed.append(OURS)
    return Drift(
        tuple(_told(key, value) for key, value in old.items() if key not in new),
        tuple(changed),
        tuple(_told(key, value) for key, value in new.items() if key not in old),
    )


def fingerprint_of_values(values: Mapping[str, Any]) -> str:
    """A fingerprint of values, the same for what helm tells of them and for the files."""
    return fingerprint_of(sorted((name, _exact(value)) for name, value in _leaves(values)))


def _told(key: str, value: Any) -> str:
    return f"{key} (null)" if value is None else key


def _leaves(
    values: Mapping[str, Any], prefix: str = "", *, nulls: bool = False
) -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, f"{name}.", nulls=nulls)
        elif value != {} and (nulls or value is not None):
            yield name, value


def _exact(value: Any) -> str:
    """The value as text: in Python 1 equals True and 1.0, in values.yaml it does not."""
    return json.dumps(value, sort_keys=True, default=str)


def _without_ours(values: Mapping[str, Any]) -> list[Any]:
    entries: Any = values
    for key in OURS.split("."):
        entries = entries.get(key) if isinstance(entries, Mapping) else None
    if not isinstance(entries, list):
        return []
    return [e for e in entries if not (isinstance(e, Mapping) and e.get("name") in WANTED)]
