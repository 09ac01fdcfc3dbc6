"""Which rights each walk needs: those of the steps, those of the walk itself, and helm's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from wizard.procedure import STEPS
from wizard.steps.base import Access
from wizard.steps.rights import HELM
from wizard.systems.rbac import Right
from wizard.walks import holding
from wizard.walks.planning import simulate, where

_STEPS = tuple(dict.fromkeys(it for step in STEPS for it in step.access))
_LOOKING = tuple(it for it in _STEPS if not it.changes)
_ASKING = tuple(it for it in _STEPS if "review" in it.what)
_COMPARED = tuple(
    replace(it, system="kubernetes", changes=False, optional=True)
    for it in HELM
    if it.verb == "get" and it.what != "jobs"
)
"""The objects that helm will read are read before, and compared with what the release has; but not
Jobs, which are gone when they are done."""

NEEDS: Mapping[str, tuple[Access, ...]] = {
    "check": _LOOKING,
    "plan": (*_LOOKING, *_ASKING, *_COMPARED, *simulate.RIGHTS, *where.RIGHTS),
    "run": (*_STEPS, *holding.RIGHTS),
    "apply": (*_STEPS, *holding.RIGHTS, *where.RIGHTS),
    "undo": (*_STEPS, *holding.RIGHTS),
}
"""Everything that a walk asks of the systems, by the walk's name.

Where `system` is `helm`, it is what helm does by itself to a release of the usual kinds.
"""

READING = ("get", "list", "watch")
NOT_OF_A_ROLE = (("create", "selfsubjectaccessreviews"), ("list", "namespaces"))
"""Every user of a cluster may ask for rights already (`system:basic-user`); and no Role of one
namespace grants a list of all, which only looking for the release needs."""
WAYS = {"auto": "port-forward", "direct": "", "manual": ""}
"""The way to the database that each `--database` takes, where it is called otherwise."""


def rights_of(
    walk: str, namespace: str, *, database: str, kind: str, helm: bool = True
) -> Iterator[Right]:
    """The rights of a walk in one namespace; `kind` is the backend's.

    Rights to read that a walk goes without are among them, rights to write are not, but for the
    Lease. Without `helm` what helm does by itself is left out.
    """
    way = WAYS.get(database, database)
    for it in NEEDS[walk]:
        ours = it.system == "kubernetes" or (helm and it.system == "helm")
        if not ours or it.kind not in ("", kind) or (it.verb, it.what) in NOT_OF_A_ROLE:
            continue
        # A server that has no hostname is reached by a port-forward, however its database is.
        if it.way and it.way not in (way, "port-forward"):
            continue
        if it.optional and it.verb not in READING and it not in holding.RIGHTS:
            continue
        yield Right(it.verb, it.what, it.group, namespace)
