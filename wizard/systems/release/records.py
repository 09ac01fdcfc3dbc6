"""What helm keeps of one release, read at once and kept for as long as its revision is the newest.

helm keeps each revision in a Secret of its own, labelled with its release, revision and status; the
labels are read without helm and without the content. They name the newest revision, so that helm
decodes that one alone: a `helm list` decodes every one that is kept. Where the labels cannot tell,
helm lists. Source: helm, pkg/storage/driver/secrets.go.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wizard.problems import Problem
from wizard.systems.helm.client import Helm

if TYPE_CHECKING:
    from wizard.systems.helm.records import Release
    from wizard.systems.kubernetes.cluster import Cluster

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
    from wizard.systems.kubernetes.cluster import SECRETS

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


VALUES: Mapping[str, Callable[[Helm, str, str, int], dict[str, Any]]] = {
    "deployed_values": Helm.user_values,
    "computed_values": Helm.computed_values,
}
"""The values of a release's revision in a namespace; they hold secrets."""


class ReleaseRecords:
    """The newest revision of one release, and what was read of it."""

    def __init__(self) -> None:
        self._stored: tuple[Stored, ...] = ()
        self._newest: Release | None = None
        self._release: Release | None = None
        self._read: dict[str, Any] = {}

    def of(self, release: Release) -> dict[str, Any]:
        """What was read of it, to be added to; what was read of any other is forgotten."""
        if self._release != release:
            self._release, self._read = release, {}
        return self._read

    def newest(
        self,
        helm: Helm,
        name: str,
        namespace: str,
        labels: Callable[[], tuple[Stored, ...]],
        ahead: Iterable[str],
    ) -> Release:
        """The release as helm tells it, and with it those of VALUES that `ahead` names.

        helm is asked again only when its Secrets (`labels`) have moved since.

        Raises:
            Problem: see `Helm.release`. What cannot be read ahead is told where it is used.
        """
        stored = labels()
        if self._newest and stored and stored == self._stored:
            return self._newest
        found = self._by_revision(helm, name, namespace, stored[-1], ahead) if stored else None
        if found is None:
            found = helm.release(name, namespace)
            stored = labels()  # after helm's own look: the same if they tell the same
        same = bool(stored) and _tells_of(stored[-1], found)
        self._stored, self._newest = (stored, found) if same else ((), None)
        return found

    def _by_revision(
        self, helm: Helm, name: str, namespace: str, newest: Stored, ahead: Iterable[str]
    ) -> Release | None:
        """None where that revision's record does not bear its label out."""
        place = name, namespace, newest.revision
        with ThreadPoolExecutor() as pool:
            asked = {each: pool.submit(VALUES[each], helm, *place) for each in ahead}
            try:
                found = helm.record_at(*place)
            except Problem:
                return None
        release = found.release
        if not _tells_of(newest, release):
            return None
        read = self.of(release)
        read |= {"manifest": found.manifest, "hooks": found.hooks}
        read |= {each: it.result() for each, it in asked.items() if _told(it)}
        return release


def _tells_of(label: Stored, release: Release) -> bool:
    return (label.revision, label.status) == (release.revision, release.status)


def _told(answer: Future[Any]) -> bool:
    return not isinstance(answer.exception(), Problem)
