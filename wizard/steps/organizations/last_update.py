"""The last update of organizations from here, as journals tell it; older pods do not know it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wizard.record import dataclass, field
from wizard.records.journal import IN_DOUBT, Run, known_runs
from wizard.settings import Place


@dataclass(frozen=True)
class LastUpdate:
    """The last update of organizations that a journal tells of.

    Attributes:
        at: when it was committed (or, when that was not recorded, registered), ISO 8601.
        pods: uids of the backend pods that were there then.
        by_hand: the selection whose SQL was handed to a DBA; empty when this tool ran it.
        before: the one that counts when this one turns out not to have been made.
    """

    run: str
    at: str
    pods: frozenset[str]
    by_hand: tuple[str, ...] = ()
    before: LastUpdate | None = field(default=None, repr=False, compare=False)


def last_update(place: Place) -> LastUpdate | None:
    """The newest update of this release's organizations from here that no restart followed."""
    found: LastUpdate | None = None
    for run in known_runs():
        if run.place == place.as_json():
            for entry in run.entries:
                found = _follow(run, entry, found)
    return found


def _follow(run: Run, entry: Mapping[str, Any], found: LastUpdate | None) -> LastUpdate | None:
    step, event = entry.get("step"), entry["event"]
    if step == "organizations" and event in ("intent", "done"):
        facts = entry.get("register" if event == "intent" else "undo", {})
        at = facts.get("committed_at", entry["at"])
        by_hand = tuple(facts.get("by_hand", ()))
        return LastUpdate(run.id, at, frozenset(facts.get("pods", ())), by_hand, found)
    if step == "organizations" and event == "failed" and found and entry.get("id") != IN_DOUBT:
        return found.before
    if step == "backend_restart" and event == "done":
        return None
    return found
