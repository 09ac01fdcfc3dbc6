"""Commands that are shown to be typed later: they meet this run's cluster, whatever is current.

A message names commands without knowing where it is shown. What is told of this run puts its
context and namespace into those of helm and kubectl, and its own flags into those of ours.

Only flags are said again, and none that says yes, takes over or leaves a run.
"""

from __future__ import annotations

import re
from typing import ClassVar

from wizard.record import dataclass

EVERYTHING = ("run", "plan", "check")
PLACED = ("undo", "orgs", "rbac")
REACHED = ("apply",)
"""Our commands by how many of a run's flags they take: all, those of the place, the cluster's."""
_REACHING = ("api_key_file", "ca_file")
_PLACING = (*_REACHING, "database", "database_url_file", "url")

_HELM = "rollback|history|get|list|status|uninstall"
"""The verbs of helm that ask a cluster, but for what this tool runs itself."""
_COMMAND = (
    r"(?P<ours>\blangsmith-audit (?P<command>" + "|".join((*EVERYTHING, *PLACED, *REACHED)) + r"))"
    r"(?![\w-])|(?P<helm>\bhelm(?: mapkubeapis|(?= (?:" + _HELM + r")\b)))"
    r"|(?P<kubectl>\bkubectl(?: argo rollouts)?)(?= (?!config\b)[a-z-])"
)
_REST = r"[^;,()\n]*"
_EVERYWHERE = r" (?:auth|cluster-info|version|apply|get --raw)(?![\w-])| --all-namespaces| -A\b"


@dataclass(frozen=True)
class Aim:
    """Where this run acts, and what was typed to say how.

    Attributes:
        typed: an option's name and the words that say it again, for each that is to be said again.
    """

    context: str = ""
    kubeconfig: str = ""
    namespace: str = ""
    release: str = ""
    typed: tuple[tuple[str, str], ...] = ()

    def words(self, found: re.Match[str], rest: str) -> list[str]:
        """What a command lacks; `rest` is what follows in its text."""
        if found["ours"]:
            told = self._ours(found["command"])
        else:
            told = [("--kube-context" if found["helm"] else "--context", self.context)]
            told += [("--kubeconfig", self.kubeconfig)]
            told += [] if re.search(_EVERYWHERE, rest) else [("-n", self.namespace)]
        from shlex import quote

        said = set(re.findall(r"(?<!\S)--?[a-z][a-z-]*", rest))
        also = {"-n": "--namespace", "--namespace": "-n", "-f": "--values", "--values": "-f"}
        return [
            f"{flag} {quote(value)}" if not value.startswith(flag) else value
            for flag, value in told
            if value and not {flag, also.get(flag, flag)} & said
        ]

    def _ours(self, command: str) -> list[tuple[str, str]]:
        told = [("--context", self.context), ("--kubeconfig", self.kubeconfig)]
        if command in REACHED:
            names: tuple[str, ...] = _REACHING
        else:
            told += [("-n", self.namespace), ("--release", self.release)]
            names = _PLACING
        typed = [it for it in self.typed if command in EVERYTHING or it[0] in names]
        return told + [(words.split()[0], words) for _, words in typed]


class _Now:
    at: ClassVar[Aim] = Aim()


def aim(at: Aim) -> None:
    """Tell where this run acts; from now on it is in every command that is shown."""
    _Now.at = at


def aimed(text: str) -> str:
    """The text with its commands complete; they are left as they are before a run is told of."""
    parts, at = [], 0
    for found in re.finditer(_COMMAND, text):
        rest = re.match(_REST, text[found.end() :])
        words = _Now.at.words(found, rest[0] if rest else "")
        parts += [text[at : found.end()], *(f" {word}" for word in words)]
        at = found.end()
    return "".join((*parts, text[at:]))
