"""Everything that the upgrade would do beyond the two variables, and the yes for each of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from wizard.records.changes import Change, Consent
from wizard.steps.drift import Drift, drift
from wizard.steps.live_drift import LiveDrift, live_drift
from wizard.steps.live_objects import live_objects
from wizard.steps.rendered import Rendered, rendered

if TYPE_CHECKING:
    from wizard.systems.access import Systems
    from wizard.systems.helm import Upgrade
    from wizard.target import Target

Consents = tuple[Consent, ...]


@dataclass(frozen=True)
class Beyond:
    """What differs in the values, and in the objects that the chart renders from them."""

    drift: Drift
    rendered: Rendered
    live: LiveDrift

    def consents(self, target: Target, *, raised: bool, chart: Consents) -> Consents:
        """One question for one cause: other objects follow from another chart, or other values.

        `chart` is the question about another chart version, if that is `raised`.
        """
        drifted = self.drift.consents(accepted=target.accept_drift)
        drifted = _with(drifted, self.live.lines) or self.live.consents(
            accepted=target.accept_drift
        )
        if raised:
            return (*_with(chart, self.rendered.told), *drifted)
        if self.drift.keys:
            return _with(drifted, self.rendered.told)
        return (*drifted, *self.rendered.consents(accepted=target.accept_render))

    @property
    def forced(self) -> bool:
        """Whether helm 4 has to be forced to set what somebody else has set."""
        return bool(self.live.refused)

    @property
    def effects(self) -> tuple[str, ...]:
        """Words for the change's effect."""
        undone = f"undoes what was changed beside helm (needs --accept-drift): {self.live.told}"
        return (
            *((self.drift.summary,) if self.drift.keys else ()),
            *((undone,) if self.live.lines else ()),
            *(f"not compared with what is live: {line}" for line in self.live.unread),
        )


def look_beyond(systems: Systems, upgrade: Upgrade, edit: Change | None) -> Beyond:
    """Compare values and rendered objects; `edit` is the file's change that comes first.

    Raises:
        Problem: the files would lose what nobody can bring back, or the chart cannot be rendered
            with these values.
    """
    drifted = drift(systems.deployed_values, systems.given_values)
    drifted.refuse_losses()
    layered = systems.values_edit if edit else None
    edited = (layered.path, layered.edit.data) if layered else None
    found = rendered(systems, upgrade, edited)
    live = live_drift(systems, found.manifest) + live_objects(systems, found.manifest)
    return Beyond(drifted, found, live)


def _with(consents: Consents, lines: tuple[str, ...]) -> Consents:
    """The questions with more that is at stake."""
    for consent in consents:
        consent.refusal.detail = (*consent.refusal.detail, *lines)
    return consents
