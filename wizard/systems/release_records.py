"""What helm keeps of one release, read at once and kept for as long as its revision is the newest.

The labels of helm's Secrets name the newest revision, so that helm decodes that one alone: a
`helm list` decodes every one that is kept. Where the labels cannot tell, helm lists.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from wizard.problems import Problem
from wizard.systems.helm import Helm

if TYPE_CHECKING:
    from wizard.systems.helm_records import Release
    from wizard.systems.release_secrets import Stored

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
        same = stored and (stored[-1].revision, stored[-1].status) == (found.revision, found.status)
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
        if (release.revision, release.status) != (newest.revision, newest.status):
            return None
        read = self.of(release)
        read |= {"manifest": found.manifest, "hooks": found.hooks}
        read |= {each: it.result() for each, it in asked.items() if _told(it)}
        return release


def _told(answer: Future[Any]) -> bool:
    return not isinstance(answer.exception(), Problem)
