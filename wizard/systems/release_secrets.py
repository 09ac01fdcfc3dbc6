"""What the labels of helm's own Secrets tell of a release, without helm and without their content.

helm keeps each revision in a Secret of its own, labelled with its release, revision and status.
Source: helm, pkg/storage/driver/secrets.go.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wizard.problems import Problem

if TYPE_CHECKING:
    from wizard.systems.cluster import Cluster

DRIVERS = ("", "secret", "secrets")
"""What `HELM_DRIVER` may be for helm to keep its records in Secrets."""


@dataclass(frozen=True)
class Stored:
    """One revision as its Secret's labels tell it.

    Attributes:
        version: of the Secret in the API, which moves with everything that helm writes.
    """

    revision: int
    status: str
    version: str


def stored_revisions(cluster: Cluster, namespace: str, release: str) -> tuple[Stored, ...]:
    """The revisions that are kept, the oldest first.

    Empty where helm keeps none in Secrets, or they may not be listed: helm itself has to be asked.
    """
    from wizard.systems.cluster import SECRETS

    if os.environ.get("HELM_DRIVER", "").lower() not in DRIVERS:
        return ()
    try:
        found = cluster.metadata(SECRETS, namespace, labels=f"owner=helm,name={release}")
        return tuple(sorted(map(_read, found), key=lambda it: it.revision))
    except (Problem, KeyError, ValueError):
        return ()


def _read(metadata: Mapping[str, Any]) -> Stored:
    labels = metadata["labels"]
    return Stored(int(labels["version"]), str(labels["status"]), str(metadata["resourceVersion"]))
