"""What leads to the cluster: its API server, the login, the clocks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime

from wizard.checks.check import Check, Sight
from wizard.checks.words import span
from wizard.problems import Problem
from wizard.records.findings import Finding, State, from_problem, passed
from wizard.steps.rights import DISCOVERY, RELEASES

ANSWERED = frozenset({"LSA117", "LSA118", "LSA119", "LSA129", "LSA145", "LSA146", "LSA207"})
"""What is wrong with the release alone: the API server has answered before."""
WARNS = {"LSA219": State.WARN}
"""What of the login is more than a piece of news."""
SOON = 14
"""Days before its end from which a login or a certificate is warned of."""
SKEW = 60.0
"""Seconds by which two clocks may differ: times of events are compared across machines."""
MADE_FOR = {3: 15, 4: 34}
"""By how much the minor version of the Kubernetes that a helm is made for is larger than its own,
by its major: 3.19 and 4.0 are made for 1.34."""
BEHIND = 3
"""Minor versions before that one which a helm takes, too."""
SUPPORT = "https://helm.sh/docs/topics/version_skew/"
_CONSTRAINT = re.compile(r">=?\s*v?(\d+)\.(\d+)[^\s,|]*")


def reachable(sight: Sight) -> Finding:
    """The API server answers."""
    cluster = sight.systems.cluster
    try:
        _ = sight.systems.release
    except Problem as problem:
        if problem.id not in ANSWERED:
            raise
    return passed("LSA230", f"API server {cluster.server}", "The API server answers")


def login(sight: Sight) -> Iterator[Finding]:
    """What is to be said of the login."""
    remarks = sight.systems.remarks
    yield from (from_problem(it, WARNS.get(it.id, State.INFO)) for it in remarks)
    if not remarks:
        message = "The API server is verified, and the login is as it was"
        yield passed("LSA231", _context(sight), message)


def version(sight: Sight) -> Finding:
    """The cluster is of a version that the chart takes."""
    told = sight.systems.server_version
    subject = f"API server {sight.systems.cluster.server}"
    try:
        wanted = sight.systems.wanted_kubernetes
    except Problem:  # of the release, where it is told
        wanted = None
    if wanted is None:
        message = f"Kubernetes {told}; which versions the chart takes cannot be read"
        return Finding("LSA232", State.INFO, subject, message)
    least, have = _CONSTRAINT.match(wanted), re.match(r"v?(\d+)\.(\d+)", told)
    if not wanted or not least or not have:
        also = f"; the chart says {wanted}" if wanted else ", and the chart takes any version"
        return passed("LSA232", subject, f"Kubernetes {told}{also}")
    if tuple(map(int, have.groups())) >= tuple(map(int, least.groups())):
        return passed(
            "LSA232", subject, f"Kubernetes {told} is one that the chart takes ({wanted})"
        )
    return Finding(
        "LSA232",
        State.FAIL,
        subject,
        f"Kubernetes {told} is none that the chart takes ({wanted})",
        (),
        "upgrade the cluster before the next helm upgrade: helm refuses this one",
    )


def lasting(sight: Sight) -> Finding:
    """The login does not end soon."""
    ends, subject = sight.systems.cluster.login_ends, _context(sight)
    if ends is None:
        message = "The login does not say when it ends"
        return Finding("LSA233", State.SKIP, subject, message)
    return ending("LSA233", subject, "The login", ends, "renew it: a health check needs it")


def clocks(sight: Sight) -> Finding:
    """This machine's clock agrees with the API server's."""
    ahead = (sight.systems.cluster.now() - datetime.now(UTC)).total_seconds()
    subject = f"API server {sight.systems.cluster.server}"
    if abs(ahead) <= SKEW:
        return passed("LSA234", subject, "This machine's clock agrees with the API server's")
    where = "behind" if ahead > 0 else "ahead of"
    message = f"This machine's clock is {span(abs(ahead))} {where} the API server's"
    step = "set the clock (NTP): tokens, certificates and ranges of events go by it"
    return Finding("LSA234", State.WARN, subject, message, (), step)


def helm(sight: Sight) -> Finding:
    """The helm on PATH goes with the cluster."""
    if not sight.besides.helm:
        message = "Not asked for: --with-helm looks, a check itself runs no helm"
        return Finding("LSA235", State.SKIP, "helm", message)
    own, told = sight.systems.helm, sight.systems.server_version
    have, subject = re.match(r"v?1\.(\d+)", told), f"helm {own.version} ({own.binary})"
    made = int(own.version.split(".")[1]) + MADE_FOR[own.major]
    evidence = f"helm {own.version} was made for Kubernetes 1.{made}, and the {BEHIND} before it"
    if have and made - BEHIND <= int(have[1]) <= made:
        return passed("LSA235", subject, f"It goes with Kubernetes {told}", evidence)
    message = f"It was not made for Kubernetes {told}"
    step = f"take the helm that is made for it: {SUPPORT}"
    return Finding("LSA235", State.WARN, subject, message, (evidence,), step)


def ending(id: str, subject: str, what: str, ends: datetime, step: str) -> Finding:
    """Whether something ends soon, or has ended."""
    left = (ends - datetime.now(UTC)).total_seconds()
    when = f"{ends.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    if left <= 0:
        return Finding(id, State.FAIL, subject, f"{what} ended {when}", (), step)
    if left <= SOON * 86_400:
        return Finding(id, State.WARN, subject, f"{what} ends in {span(left)}, {when}", (), step)
    return passed(id, subject, f"{what} is good for {span(left)}, until {when}")


def _context(sight: Sight) -> str:
    return f"context {sight.systems.cluster.context}".strip()


UP = ("LSA230",)
CHECKS = (
    Check("LSA230", "the API server answers", reachable, (RELEASES, *DISCOVERY)),
    Check("LSA231", "the API server is verified, the login usable", login, needs=UP),
    Check("LSA232", "the cluster is of a version that the chart takes", version, needs=UP),
    Check("LSA233", "the login does not end soon", lasting, needs=UP),
    Check("LSA234", "this machine's clock is right", clocks, needs=UP),
    Check("LSA235", "the helm on PATH goes with the cluster", helm, needs=UP, besides="helm"),
)
