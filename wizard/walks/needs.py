"""Which rights each walk needs: those of the steps, and those of the walk itself."""

from __future__ import annotations

from collections.abc import Mapping

from wizard.procedure import STEPS
from wizard.steps.base import Access
from wizard.walks import holding
from wizard.walks.planning import simulate, where

_STEPS = tuple(dict.fromkeys(it for step in STEPS for it in step.access))
_LOOKING = tuple(it for it in _STEPS if not it.changes)
_ASKING = tuple(it for it in _STEPS if "review" in it.what)

NEEDS: Mapping[str, tuple[Access, ...]] = {
    "check": _LOOKING,
    "plan": (*_LOOKING, *_ASKING, *simulate.RIGHTS, *where.RIGHTS),
    "run": (*_STEPS, *holding.RIGHTS),
    "apply": (*_STEPS, *holding.RIGHTS, *where.RIGHTS),
    "undo": (*_STEPS, *holding.RIGHTS),
}
"""Everything that a walk asks of the systems, by the walk's name; helm's own are told as helm's."""
