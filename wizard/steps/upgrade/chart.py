"""The chart's version: the deployed one, unless a later one is asked for and consented to.

Source: the chart's own repository (templates, values and their history), and LangChain's
"Self-hosted changelog"; LangSmith does not support going back to an older chart.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from wizard.article import ON_BY_DEFAULT
from wizard.problems import Exit, Problem
from wizard.records.changes import Consent
from wizard.records.findings import State
from wizard.records.state import made_private
from wizard.settings import STORED
from wizard.steps.upgrade.ahead import line_findings
from wizard.systems.access import Systems, not_understood
from wizard.systems.release.stored_chart import make_sure, packaged, stored_chart

if TYPE_CHECKING:
    from semver import Version

    from wizard.systems.helm.records import Chart, Upgrade

PASSED: tuple[tuple[str, str], ...] = (
    ("0.13.0", "autoscaling keys createHpa, enabled and type are gone; hpa and keda replace them"),
    (ON_BY_DEFAULT, "audit logs are on by default, without the two variables"),
    ("0.14.0", "the migration Jobs run before the upgrade, no longer after it"),
    ("0.14.0", "host-backend gets commonEnv too, and refuses a name that it has twice"),
    ("0.15.1", "insights.encryptionKey is wanted while insights is on, which is the default"),
    ("0.16.0-rc.17", "a backfill-check Job blocks the upgrade while a backfill runs"),
)
"""What comes with a version, told when an upgrade passes it."""

ALWAYS = (
    "database migrations of the later version do not come back, and LangSmith supports no way back "
    "to an older chart"
)
CANDIDATE = "it is a release candidate, which may be published again with other content"
IMAGES = 6
"""More images than these are only counted."""


def chart_reference(systems: Systems) -> str:
    """The chart as helm gets it; for `--chart stored` a package beside the journals.

    Raises:
        Problem: the chart that the release itself holds cannot be used.
    """
    if systems.target.chart != STORED:
        return systems.target.chart
    release, deployed = systems.release, f"{systems.manifest}\n---\n{systems.hooks}"
    found = stored_chart(systems.cluster, release)
    path = packaged(found, made_private("charts"), release)
    make_sure(systems.helm, path, release, values=systems.deployed_values, deployed=deployed)
    return str(path)


def chart_of(systems: Systems, upgrade: Upgrade) -> Chart:
    """The chart that the upgrade takes: the deployed version or a later one, and to be had.

    Raises:
        Problem: an older version, one that is none, or one that cannot be had.
    """
    deployed = systems.release.chart_version
    if upgrade.version == deployed:
        return _deployed_one(systems, upgrade)
    if systems.target.chart == STORED:
        why = f"{STORED} means the deployed chart {deployed}, and --chart-version another one"
        raise not_understood("--chart", why)
    _not_older(deployed, upgrade.version)
    return systems.chart_facts(upgrade.chart, upgrade.version)


def chart_consents(systems: Systems, upgrade: Upgrade, chart: Chart) -> tuple[Consent, ...]:
    """The yes that is needed to raise the chart's version."""
    release = systems.release
    if upgrade.version == release.chart_version or systems.target.accept_chart_change:
        return ()
    told = Problem(
        "LSA415",
        f"The chart would be raised from {release.chart_version} to {upgrade.version} as well",
        on=release.on,
        next_step="leave --chart-version out to keep the deployed version, or accept what comes "
        "with the other one with --accept-chart-change",
        exit=Exit.FAILED,
        detail=tuple(_consequences(systems, upgrade, chart)),
    )
    return (Consent("accept_chart_change", told),)


def _deployed_one(systems: Systems, upgrade: Upgrade) -> Chart:
    try:
        return systems.chart_facts(upgrade.chart, upgrade.version)
    except Problem as problem:
        if problem.id != "LSA120":
            raise
        gone = f"where it is gone, --chart {STORED} takes the chart out of the release itself"
        raise problem.but(
            what=f"{problem.what}, which is deployed", next_step=f"{problem.next_step}; {gone}"
        ) from problem


def _not_older(deployed: str, wanted: str) -> None:
    """By SemVer precedence: 0.17.0-rc.2 is older than 0.17.0, and 0.16.5 than both.

    Raises:
        Problem: LSA416, no exact version; LSA417, an older one.
    """
    old, new = _version(deployed), _version(wanted)
    if new is None:
        raise Problem(
            "LSA416",
            f"{wanted} is no exact chart version",
            on="option --chart-version",
            next_step="name one as helm search repo --versions --devel lists it, such as "
            + ON_BY_DEFAULT,
            exit=Exit.USAGE,
        )
    if old is not None and new.compare(old) < 0:
        raise Problem(
            "LSA417",
            f"Chart {wanted} is older than {deployed}, which is deployed",
            on="option --chart-version",
            next_step="leave --chart-version out: the deployed version is taken",
            exit=Exit.USAGE,
        )


def _consequences(systems: Systems, upgrade: Upgrade, chart: Chart) -> Iterator[str]:
    """What the jump brings with it, a line each; keys and image tags, no values."""
    release = systems.release
    old, new = _version(release.chart_version), _version(upgrade.version)
    yield f"app version: {release.app_version} → {chart.app_version}"
    if new is not None and new.prerelease:
        yield CANDIDATE
    for version, what in PASSED:
        if old is not None and new is not None and old < version <= new:
            yield f"{version}: {what}"
    for finding in line_findings(systems.file_values, upgrade.version):
        if finding.state is State.FAIL:
            yield f"{finding.message}: {', '.join(finding.evidence)}"
    yield from _images(systems, upgrade, chart.app_version)
    yield ALWAYS


def _images(systems: Systems, upgrade: Upgrade, app: str) -> Iterator[str]:
    """The image tags that change, those of the user's own values left as they are."""
    deployed = systems.computed_values
    defaults = systems.helm.chart_values(upgrade.chart, upgrade.version)
    new = _tags(defaults, app) | _tags(systems.file_values)
    old = _tags(deployed, systems.release.app_version)
    changed = [name for name, tag in new.items() if name in old and old[name] != tag]
    for name in changed[:IMAGES]:
        yield f"image {name}: {old[name]} → {new[name]}"
    if len(changed) > IMAGES:
        yield f"and {len(changed) - IMAGES} more image tags"
    added = sorted(set(new) - set(old))
    if added:
        yield f"new images: {', '.join(added)}"


def _tags(values: Mapping[str, Any], default: str = "") -> dict[str, str]:
    images = values.get("images")
    if not isinstance(images, Mapping):
        return {}
    return {
        str(name): str(image.get("tag") or default)
        for name, image in images.items()
        if isinstance(image, Mapping) and (image.get("tag") or default)
    }


def _version(text: str) -> Version | None:
    from semver import Version

    try:
        return Version.parse(text.removeprefix("v"))
    except ValueError:
        return None
