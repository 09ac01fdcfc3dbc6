"""Everything that the upgrade would do beyond the two variables, and the yes for each of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from wizard.records.changes import Change, Consent
from wizard.steps.drift import Drift, drift
from wizard.steps.rendered import Rendered, rendered

if TYPE_CHECKING:
    from wizard.systems.access import Systems
    from wizard.systems.helm import Upgrade


@dataclass(frozen=True)
class Beyond:
    """What differs in the values, and in the objects that the chart renders from them."""

    drift: Drift
    rendered: Rendered

    def consents(self, systems: Systems) -> tuple[Consent, ...]:
        """One question for one cause: objects that change follow from values that differ."""
        target = systems.target
        if not self.drift.keys:
            return self.rendered.consents(accepted=target.accept_render)
        return tuple(
            _with_objects(it, self.rendered)
            for it in self.drift.consents(accepted=target.accept_drift)
        )

    @property
    def effects(self) -> tuple[str, ...]:
        """Words for the change's effect."""
        return (self.drift.summary,) if self.drift.keys else ()


def look_beyond(systems: Systems, upgrade: Upgrade, edit: Change | None) -> Beyond:
    """Compare values and rendered objects; `edit` is the file's change that comes first.

    Raises:
        Problem: the chart cannot be rendered with these values.
    """
    layered = systems.values_edit if edit else None
    edited = (layered.path, layered.edit.data) if layered else None
    return Beyond(
        drift(systems.deployed_values, systems.file_values), rendered(systems, upgrade, edited)
    )


def _with_objects(consent: Consent, found: Rendered) -> Consent:
    """The question with the objects that would change."""
    told = consent.refusal
    told.detail = (*told.detail, *found.told)
    return replace(consent, refusal=told)
