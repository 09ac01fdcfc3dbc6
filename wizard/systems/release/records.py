"""What helm keeps of one release, read through the Kubernetes API.

helm keeps each revision in a Secret (or ConfigMap, by `HELM_DRIVER`) of its own, labelled with its
release, revision and status. The labels are read without the content and tell whether anything has
moved; the newest revision's record is read when it has, in one request. helm itself is asked where
its records are elsewhere, may not be read, or are not as their labels say.
Source: helm, pkg/storage/driver/secrets.go.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from wizard.problems import Problem
from wizard.record import dataclass
from wizard.systems.helm.stored import NotARecord, read_record, unpacked
from wizard.systems.kubernetes.cluster import CONFIGMAPS, SECRETS, Cluster, Resource

if TYPE_CHECKING:
    from wizard.systems.helm.client import Helm
    from wizard.systems.helm.records import Record, Release, Revision

KEPT_IN: Mapping[str, Resource] = {
    "": SECRETS, "secret": SECRETS, "secrets": SECRETS,
    "configmap": CONFIGMAPS, "configmaps": CONFIGMAPS,
}  # fmt: skip
"""Where helm keeps its records, by `HELM_DRIVER`; any other one keeps them outside the cluster."""
AT_ONCE = 8
"""Records that are read at the same time."""
MOST_RELEASES = 8
"""Of more releases in one namespace helm is asked, which reads all their revisions."""


def kept_in() -> Resource | None:
    """The kind of object in which helm keeps its records; None where it is none of the API's."""
    return KEPT_IN.get(os.environ.get("HELM_DRIVER", "").lower())


def name_of(release: str, revision: int) -> str:
    """The object in which helm keeps a revision."""
    return f"sh.helm.release.v1.{release}.v{revision}"


@dataclass(frozen=True)
class Stored:
    """One revision as its object's labels tell it.

    Attributes:
        version: of the object in the API, which moves with everything that helm writes.
    """

    revision: int
    status: str
    version: str


def stored_revisions(cluster: Cluster, namespace: str, release: str) -> tuple[Stored, ...]:
    """The revisions that are kept, the oldest first.

    Empty where helm keeps none in the cluster, or they may not be listed: helm has to be asked.
    """
    resource = kept_in()
    if resource is None:
        return ()
    try:
        found = cluster.metadata(resource, namespace, labels=f"owner=helm,name={release}")
        return tuple(sorted(map(_read, found), key=lambda it: it.revision))
    except (Problem, KeyError, ValueError):
        return ()


def newest_of_each(cluster: Cluster, namespace: str) -> list[Release] | None:
    """The newest revision of each release of a namespace; None where helm has to be asked."""
    resource = kept_in()
    if resource is None:
        return None
    newest: dict[str, Stored] = {}
    try:
        for each in cluster.metadata(resource, namespace, labels="owner=helm"):
            name, stored = str(each["labels"]["name"]), _read(each)
            if name not in newest or newest[name].revision < stored.revision:
                newest[name] = stored
    except (Problem, KeyError, ValueError):
        return None
    if len(newest) > MOST_RELEASES:
        return None
    records = {name: record_of(cluster, namespace, name, newest[name].revision) for name in newest}
    found = [
        it.release for name, it in records.items() if it and _tells_of(newest[name], it.release)
    ]
    return found if len(found) == len(newest) else None


def _read(metadata: Mapping[str, Any]) -> Stored:
    labels = metadata["labels"]
    return Stored(int(labels["version"]), str(labels["status"]), str(metadata["resourceVersion"]))


def document_of(
    cluster: Cluster, namespace: str, release: str, revision: int
) -> dict[str, Any] | None:
    """What helm has stored of a revision; None where helm has to be asked."""
    resource = kept_in()
    if resource is None:
        return None
    try:
        kept = cluster.get(resource, name_of(release, revision), namespace)
        packed = kept["data"]["release"] if kept else ""
        return unpacked(base64.b64decode(packed) if resource is SECRETS else packed)
    except (Problem, NotARecord, KeyError, TypeError, ValueError):
        return None


def record_of(cluster: Cluster, namespace: str, release: str, revision: int) -> Record | None:
    """What helm tells of a revision; None where it has to be asked."""
    document = document_of(cluster, namespace, release, revision)
    try:
        found = read_record(document) if document else None
    except NotARecord:
        return None
    same = found and (found.release.name, found.release.revision) == (release, revision)
    return found if same else None


def history_of(
    cluster: Cluster, namespace: str, release: str, stored: Sequence[Stored]
) -> list[Revision]:
    """These revisions as `helm history` tells them; none where helm has to be asked."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(AT_ONCE) as threads:
        found = threads.map(lambda it: record_of(cluster, namespace, release, it.revision), stored)
        rows = [record.row for record in found if record]
    return rows if len(rows) == len(stored) else []


class ReleaseRecords:
    """The newest revision of one release, and what was read of it."""

    def __init__(self) -> None:
        self._stored: tuple[Stored, ...] = ()
        self._newest: Release | None = None
        self._release: Release | None = None
        self._read: dict[str, Any] = {}

    @property
    def stored(self) -> tuple[Stored, ...]:
        """All revisions as their labels told them when the newest one was read; or none."""
        return self._stored

    def of(self, release: Release) -> dict[str, Any]:
        """What was read of it, to be added to; what was read of any other is forgotten."""
        if self._release != release:
            self._release, self._read = release, {}
        return self._read

    def newest(
        self,
        helm: Callable[[], Helm],
        cluster: Cluster,
        namespace: str,
        name: str,
    ) -> Release:
        """The release, and with it all that its record tells.

        Nothing is read again unless the labels have moved since.

        Raises:
            Problem: see `Helm.release`.
        """
        stored = stored_revisions(cluster, namespace, name)
        if self._newest and stored and stored == self._stored:
            return self._newest
        found = self._recorded(cluster, namespace, name, stored[-1]) if stored else None
        if found is None:
            found = _told_by_helm(helm, cluster, namespace, name)
            stored = stored_revisions(cluster, namespace, name)  # the same if they tell the same
        same = bool(stored) and _tells_of(stored[-1], found)
        self._stored, self._newest = (stored, found) if same else ((), None)
        return found

    def _recorded(
        self, cluster: Cluster, namespace: str, name: str, newest: Stored
    ) -> Release | None:
        """None where that revision's record does not bear its label out."""
        record = record_of(cluster, namespace, name, newest.revision)
        if record is None or not _tells_of(newest, record.release):
            return None
        self.of(record.release).update(
            manifest=record.manifest,
            hooks=record.hooks,
            deployed_values=record.user_values,
            computed_values=record.computed_values,
            took=record.took,
            hooks_ran=record.ran,
            wanted_kubernetes=record.kubernetes,
        )
        return record.release


def _told_by_helm(helm: Callable[[], Helm], cluster: Cluster, namespace: str, name: str) -> Release:
    """What helm tells; where there is no helm, what keeps its record from being read here."""
    from wizard.systems.helm.reads import no_release

    try:
        return helm().release(name, namespace)
    except Problem as problem:
        resource = kept_in()
        if problem.id != "LSA111" or resource is None:
            raise
        kept = cluster.metadata(resource, namespace, labels=f"owner=helm,name={name}")
        if not kept:
            raise no_release(name, namespace) from None
        cluster.get(resource, str(kept[-1]["name"]), namespace)
        raise


def _tells_of(label: Stored, release: Release) -> bool:
    return (label.revision, label.status) == (release.revision, release.status)
