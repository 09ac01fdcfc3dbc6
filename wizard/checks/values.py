"""What the values files and the release say of the two variables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from wizard.article import WANTED
from wizard.checks.check import Check, Sight
from wizard.records.findings import Finding, State, passed
from wizard.steps.procedure import the_step
from wizard.steps.rights import BACKEND, RELEASE, RELEASES
from wizard.steps.server_default import does_without

FILES, UPGRADE = the_step("values_file"), the_step("helm_upgrade")
SHOWN = 10


def files(sight: Sight) -> Iterator[Finding]:
    """The values files give the backend both variables."""
    yield from sight.observed(FILES).findings


def recorded(sight: Sight) -> Finding:
    """The release's own manifest has both variables."""
    systems = sight.systems
    release = systems.release
    if systems.unread:
        raise systems.unread
    if not release.revision:
        return Finding("LSA381", State.SKIP, release.on, "There is no helm release to hold them")
    lacking = " and ".join(systems.lacking)
    if not lacking:
        return passed("LSA381", release.on, "The release has both variables")
    if does_without(systems):
        message = f"The release lacks {lacking}; the server has audit logs without"
        return Finding("LSA381", State.INFO, release.on, message)
    if {*systems.lacking} <= {*systems.lacking_live}:
        message = "Not looked at: because of LSA402, the backend lacks them too"
        return Finding("LSA908", State.NOT_RUN, release.on, message, because="LSA402")
    step = "langsmith-audit plan shows the upgrade that brings it; langsmith-audit run makes it"
    message, state = f"The release lacks {lacking}", State.FAIL
    if not systems.lacking_live:
        message, state = f"{message}, which is live: an upgrade would drop it", State.WARN
    return Finding("LSA381", state, release.on, message, (), step)


def once(sight: Sight) -> Finding:
    """No variable is twice in what the backend gets: helm cannot render that."""
    values, subject = _values(sight)
    names = Counter(str(entry.get("name")) for entry in _entries(values))
    twice = sorted(name for name, number in names.items() if number > 1)
    if not twice:
        return passed(
            "LSA382", subject, "No variable is in commonEnv and extraEnv, or twice in one"
        )
    return Finding(
        "LSA382",
        State.FAIL,
        subject,
        f"Twice among commonEnv and backend.deployment.extraEnv: {', '.join(twice[:SHOWN])}",
        (),
        "take one of them out: the next helm upgrade cannot be rendered (Duplicate keys detected)",
    )


def quoted(sight: Sight) -> Finding:
    """Every value is text, as the API server wants it."""
    values, subject = _values(sight)
    wrong = sorted(
        str(entry.get("name"))
        for entry in _entries(values)
        if "value" in entry and not isinstance(entry["value"], str)
    )
    if not wrong:
        return passed("LSA383", subject, "Every value of a variable is quoted text")
    return Finding(
        "LSA383",
        State.FAIL,
        subject,
        f"Not quoted: {', '.join(wrong[:SHOWN])}",
        (),
        'write value: "true": the API server refuses what is no text, and the upgrade fails',
    )


def agree(sight: Sight) -> Finding:
    """The live backend has the variables that the release gives it."""
    systems = sight.systems
    if systems.unread:
        raise systems.unread
    backend, live = systems.installation.backend, systems.live_env
    subject = f"{backend.kind} {backend.name}"
    other = [
        name for name in backend.env if live.get(name) != backend.env[name] or name not in live
    ]
    more = [name for name in live if name not in backend.env]
    if not other and not more:
        message = f"The live backend has the release's {len(live)} variables, and no other"
        return passed("LSA384", subject, message)
    lines = [f"{name}: live it is another, or missing" for name in other]
    lines += [f"{name}: live, and not in the release" for name in more]
    lost = {*more, *other} & {*WANTED}
    return Finding(
        "LSA384",
        State.WARN,
        subject,
        f"{len(lines)} variables of the live backend are not as the release has them",
        tuple(lines[:SHOWN]),
        "an upgrade puts them back: put into the values file what is to stay"
        + (f" ({' and '.join(sorted(lost))})" if lost else ""),
    )


def kept(sight: Sight) -> Finding:
    """The files have all that is deployed."""
    systems = sight.systems
    if not systems.target.values:
        message = "Not asked: no values file was named (-f FILE)"
        return Finding("LSA385", State.SKIP, "values files", message)
    if systems.unread:
        raise systems.unread
    if not systems.release.revision:
        message = "There is no helm release to compare the files with"
        return Finding("LSA385", State.SKIP, systems.release.on, message)
    from wizard.steps.upgrade.drift import drift

    found = drift(systems.deployed_values, systems.given_values)
    subject = ", ".join(str(path) for path in systems.target.values)
    if not found.keys:
        return passed("LSA385", subject, "The files have what is deployed, and nothing else")
    more = len(found.keys) - SHOWN
    return Finding(
        "LSA385",
        State.WARN,
        subject,
        f"The next helm upgrade with these files would change {len(found.keys)} other values",
        (*found.keys[:SHOWN], *((f"and {more} more",) if more > 0 else ())),
        "compare with helm get values, and give all files with -f in helm's order",
    )


def _values(sight: Sight) -> tuple[Mapping[str, Any], str]:
    """The values of the files, or the deployed ones where none is named; and whose they are."""
    systems = sight.systems
    if systems.target.values:
        return systems.file_values, ", ".join(map(str, systems.target.values))
    if systems.unread:
        raise systems.unread
    return systems.deployed_values, f"deployed values of {systems.release.name}"


def _entries(values: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """What the backend gets: commonEnv, and its own extraEnv."""
    own = values
    for key in ("backend", "deployment"):
        own = own.get(key) or {} if isinstance(own, Mapping) else {}
    for found in (values.get("commonEnv"), own.get("extraEnv")):
        if isinstance(found, list):
            yield from (it for it in found if isinstance(it, Mapping) and "name" in it)


RECORDED = (RELEASES, RELEASE)
READ = ("LSA230",)
CHECKS = (
    Check("LSA391", "the values files have both variables", files, FILES.access, (), FILES.name),
    Check("LSA381", "the release has both variables", recorded, RECORDED, READ, UPGRADE.name),
    Check("LSA382", "no variable is there twice", once, RECORDED, (), FILES.name),
    Check("LSA383", "their values are quoted", quoted, RECORDED, (), FILES.name),
    Check("LSA384", "the live backend is as the release", agree, BACKEND, READ, UPGRADE.name),
    Check("LSA385", "the files keep what is deployed", kept, RECORDED, (), FILES.name),
)
