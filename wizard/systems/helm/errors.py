"""What helm's own words mean: its stderr told apart into Problems."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable

from wizard.problems import Exit, Problem
from wizard.record import dataclass
from wizard.systems.redact import redact, without_objects

MOST_LINES = 12
_WARNING = re.compile(r"WARNING:|[WI]\d{4} |(?:time=\S+ )?level=(?:WARN|INFO|DEBUG)")


@dataclass(frozen=True)
class Call:
    """What helm was asked, for the message: its own words come from elsewhere.

    Attributes:
        did: what was being done (`helm list`).
        on: the object (`release langsmith in namespace langsmith`).
        chart: the chart reference, where there is one.
        version: the chart version, where there is one.
        secrets: literals that helm may repeat and nobody may read.
    """

    did: str
    on: str
    chart: str = ""
    version: str = ""
    secrets: frozenset[str] = frozenset()


def words(stderr: str, secrets: Iterable[str] = ()) -> tuple[str, ...]:
    """Helm's own words: redacted, without its warnings, the last dozen lines."""
    return tuple(redact(_errors(stderr), secrets).splitlines()[-MOST_LINES:])


def _errors(stderr: str) -> str:
    """What helm wrote without its warnings: they name files and hosts that are not the cause."""
    lines = (line.strip() for line in stderr.splitlines())
    return "\n".join(line for line in lines if line and not _WARNING.match(line))


_DRIVER = re.compile(
    r"unable to instantiate SQL driver|unknown driver|memory driver", re.IGNORECASE
)


def _no_records(call: Call, stderr: str) -> Problem:
    driver = os.environ.get("HELM_DRIVER", "")[:20]
    return Problem(
        "LSA146",
        f"helm cannot use the storage of its releases that HELM_DRIVER={driver} names",
        on=call.on,
        next_step="correct HELM_DRIVER (where it is sql, HELM_DRIVER_SQL_CONNECTION_STRING too), "
        "or unset it: helm then keeps its releases in Secrets of the namespace",
        detail=tuple(redact(stderr, call.secrets).strip().splitlines()[-MOST_LINES:]),
    )


def other_driver() -> str:
    """What to look at first where helm looks for its records elsewhere than it does as a rule."""
    told = os.environ.get("HELM_DRIVER", "")
    if told.lower() in ("", "secret", "secrets"):
        return ""
    return f"see whether HELM_DRIVER={told[:20]} is right: helm looks for releases there alone; "


def helm_problem(call: Call, stderr: str) -> Problem:
    """The Problem behind a helm command that ended with an error."""
    if _DRIVER.search(stderr):  # helm 4 says this as if it were no error
        return _no_records(call, stderr)
    detail = words(stderr, call.secrets)
    errors = without_objects(_errors(stderr))
    for pattern, build in _KNOWN:
        match = re.search(pattern, errors, re.IGNORECASE)
        if match:
            return build(call, match, detail)
    return Problem(
        "LSA131",
        f"{call.did} ended with an error",
        on=call.on,
        next_step=f"{other_driver()}read helm's own words above, then run the same command by hand",
        detail=detail,
    )


_Build = Callable[[Call, "re.Match[str]", tuple[str, ...]], Problem]


def _simple(id: str, what: str, next_step: str, exit: Exit = Exit.UNKNOWN) -> _Build:
    def build(call: Call, match: re.Match[str], detail: tuple[str, ...]) -> Problem:
        told = {name: " ".join(text.split()) for name, text in match.groupdict().items()}
        told |= {"did": call.did, "chart": call.chart, "version": call.version}
        local = call.chart.startswith((".", "/"))
        alias = call.chart if local else call.chart.partition("/")[0]
        step = next_step.format(**told, alias=alias)
        return Problem(
            id, what.format(**told), on=call.on, next_step=step, exit=exit, detail=detail
        )

    return build


def _forbidden(call: Call, match: re.Match[str], detail: tuple[str, ...]) -> Problem:
    """All that helm lacks, as far as its words say: it goes on to ask after the first refusal."""
    verbs: dict[tuple[str, str, str], dict[str, None]] = {}
    for each in re.finditer(_NO_RIGHT, match.string, re.IGNORECASE):
        where = f"in namespace {each['ns']}" if each["ns"] else "in the whole cluster"
        verbs.setdefault((each["group"], each["resource"], where), {})[each["verb"]] = None
    told = [f"{', '.join(each)} {what} {where}" for (_, what, where), each in verbs.items()]
    rules = [
        f'apiGroups: ["{group}"], resources: ["{what}"], verbs: {json.dumps([*each])} {where}'
        for (group, what, where), each in verbs.items()
    ]
    return Problem(
        "LSA117",
        f"{call.did} needs a right that you do not have: {'; '.join(told)}",
        on=call.on,
        next_step=f"ask for a Role with {'; and '.join(rules)}.",
        detail=detail,
    )


def _no_such_kind(call: Call, match: re.Match[str], detail: tuple[str, ...]) -> Problem:
    """A kind that this cluster does not serve: of the deployed release, or of the new chart."""
    kind = f"{match['kind']} in {match['version']}"
    if "current release manifest" in match.string:
        return Problem(
            "LSA138",
            f"The deployed release holds a kind that the cluster does not serve any more: {kind}; "
            "helm changed nothing",
            on=call.on,
            next_step="rewrite helm's record of it with its plugin mapkubeapis (helm plugin install"
            " https://github.com/helm/helm-mapkubeapis): helm mapkubeapis RELEASE; then again",
            exit=Exit.FAILED,
            detail=detail,
        )
    return Problem(
        "LSA138",
        f"The chart renders a kind that the cluster does not serve: {kind}; helm changed nothing",
        on=call.on,
        next_step="install what brings the kind (its CRD), turn it off in the values, or take a "
        "chart version for this cluster",
        exit=Exit.FAILED,
        detail=detail,
    )


def _quota(call: Call, match: re.Match[str], detail: tuple[str, ...]) -> Problem:
    """A quota; where it is about helm's own record, helm has changed no object yet."""
    record = (match["secret"] or "").startswith("sh.helm.release")
    what = (
        "The namespace's quota has no room for the Secret in which helm records the revision; "
        "helm changed no object"
        if record
        else "A quota of the namespace refused an object of the upgrade"
    )
    return Problem(
        "LSA136",
        what,
        on=call.on,
        next_step="raise the quota that the server names (kubectl describe resourcequota), or "
        "remove what is not needed, and make the upgrade again",
        exit=Exit.FAILED,
        detail=detail,
    )


_MEND_VALUES = "Correct the values file at the place that helm names"

_NO_RIGHT = (
    r'cannot (?P<verb>[\w-]+) resource "(?P<resource>[^"]+)" in API group "(?P<group>[^"]*)"'
    r'(?: in the namespace "(?P<ns>[^"]+)")?'
)

_KNOWN: tuple[tuple[str, _Build], ...] = (
    # What the webhook's own connection met comes behind it: no answer, a certificate, a time limit.
    (
        r'failed calling webhook "(?P<name>[^"]+)"',
        _simple(
            "LSA137",
            "The webhook {name} of the cluster does not answer, and the API server refuses what it "
            "could not ask it about",
            "see whether the pods behind it run (its configuration names their Service): "
            "kubectl get validatingwebhookconfigurations,mutatingwebhookconfigurations -o yaml; "
            "then make the upgrade again",
            Exit.FAILED,
        ),
    ),
    (_NO_RIGHT, _forbidden),
    (r'no matches for kind "(?P<kind>[^"]+)" in version "(?P<version>[^"]+)"', _no_such_kind),
    (
        r"sh\.helm\.release\.[^\n]*(?:Too long: |must have at most \d+ bytes)"
        r"|Request entity too large|trying to send message larger than max",
        _simple(
            "LSA139",
            "helm's record of the revision is larger than the 1 MiB that an object may have; helm "
            "changed nothing",
            "a record holds the whole chart: look for stray files in the chart's folder (a "
            ".helmignore leaves them out), or let helm keep its records elsewhere "
            "(HELM_DRIVER=sql)",
            Exit.FAILED,
        ),
    ),
    (
        r"failed to parse [^\n]*: (?:error|cannot unmarshal yaml|yaml:)",
        _simple("LSA125", "A values file cannot be read by helm", _MEND_VALUES, Exit.FAILED),
    ),
    (
        r"Duplicate keys detected:\s*\[?(?P<names>[^\]\n]+)",
        _simple(
            "LSA126",
            "The chart refuses an environment variable that is set twice: {names}",
            "keep each variable in one place only: commonEnv or backend.deployment.extraEnv",
            Exit.FAILED,
        ),
    ),
    (
        r"x509:|certificate signed by unknown authority|tls: failed to verify",
        _simple(
            "LSA134",
            "{did} does not trust the API server's certificate",
            "Correct certificate-authority(-data) of the cluster in your kubeconfig",
        ),
    ),
    (
        r"asked for the client to provide credentials|\bUnauthorized\b|getting credentials"
        r"|credentials.*expired|401 ",
        _simple(
            "LSA116",
            "The API server refused the credentials that {did} sent, or there were none",
            "Log in again, then try: kubectl auth whoami",
        ),
    ),
    (
        r'context "?[^"\n]*"? does not exist|error loading config file|invalid configuration'
        r"|unreachable: stat [^\n]*: no such file or directory",
        _simple(
            "LSA135",
            "{did} cannot use this kubeconfig or context",
            "List the contexts there are: kubectl config get-contexts",
            Exit.USAGE,
        ),
    ),
    (
        r"cluster unreachable|connection refused|no such host|i/o timeout|no route to host"
        r"|connection reset by peer|http2: client connection lost",
        _simple(
            "LSA115",
            "{did} cannot reach the API server",
            "Check the network, the VPN and the server's address: kubectl cluster-info",
        ),
    ),
    (
        r"another operation \(install/upgrade/rollback\) is in progress",
        _simple(
            "LSA121",
            "Another helm operation holds this release, or one was killed half way",
            "If no helm is at work any more: langsmith-audit undo, where a run from here began "
            "it; otherwise see helm history and roll back to the last deployed revision by hand",
            Exit.FAILED,
        ),
    ),
    (
        r"repo(?:sitory)? \S+ not found|repo name must|no repositories (?:found|configured)",
        _simple(
            "LSA119",
            "helm knows no repository for the chart {chart}",
            "helm repo add {alias} https://langchain-ai.github.io/helm && "
            "helm repo update {alias}; --repo-update runs both",
            Exit.USAGE,
        ),
    ),
    (
        r"no cached repo found|helm repo update|no chart version found|no chart name found"
        r"|chart \"[^\"]*\" (?:version \"[^\"]*\" )?not found|matching \S+ not found",
        _simple(
            "LSA120",
            "The chart {chart} is not to be had in version {version}",
            "Refresh the index and look: helm repo update {alias} && "
            "helm search repo {chart} --versions --devel; --repo-update refreshes it",
            Exit.FAILED,
        ),
    ),
    (
        r"path \"[^\"]*\" not found|non-absolute URLs should be in form|failed to download"
        r"|Chart\.yaml file is missing|file does not appear to be a gzipped archive"
        r"|failed to (?:fetch|authorize|perform)|looks like \"[^\"]*\" is not a valid chart",
        _simple(
            "LSA119",
            "helm finds no chart at {chart}",
            "Name a chart that helm can load with --chart: REPO/langsmith, an oci:// URL, "
            "a folder or a .tgz file",
            Exit.USAGE,
        ),
    ),
    (
        r"release: not found|has no deployed releases",
        _simple(
            "LSA118",
            "There is no such deployed release",
            "List the releases in every state: helm list --all-namespaces --all",
            Exit.FAILED,
        ),
    ),
    (
        r"(?P<hook>(?:pre|post)-(?:install|upgrade|rollback)) hooks? failed",
        _simple(
            "LSA130",
            "A {hook} hook of the chart failed; the release is marked failed",
            "Look at the hook's Job and its log (kubectl get jobs, kubectl logs job/NAME)",
            Exit.FAILED,
        ),
    ),
    (
        r"timed out waiting for the condition|context deadline exceeded|client rate limiter Wait"
        r"|not ready\. status",
        _simple(
            "LSA127",
            "{did} gave up waiting for the objects to become ready",
            "Look at the pods that are not ready: kubectl get pods, kubectl describe pod NAME",
            Exit.FAILED,
        ),
    ),
    (
        r"conflict(?:s)? with \"|conflict occurred while applying|Apply failed with \d+ conflict",
        _simple(
            "LSA133",
            "Another tool owns a field that the upgrade would set",
            "Find out who set it (kubectl get --show-managed-fields) before you force anything",
            Exit.FAILED,
        ),
    ),
    (r'(?:secrets "(?P<secret>[^"]*)" is forbidden: )?(?:exceeded|failed) quota', _quota),
    (
        r"denied (?:the )?request",
        _simple(
            "LSA132",
            "A policy of the cluster refused an object of the upgrade",
            "Meet the policy or webhook that the server names, or ask to be exempted",
            Exit.FAILED,
        ),
    ),
    (
        r"cannot patch|cannot unmarshal|failed to create typed|is invalid:"
        r"|patch list|unable to build kubernetes objects|error validating",
        _simple(
            "LSA132",
            "The API server refused an object of the upgrade",
            'Mend the value named by the server (an environment value must be quoted: "true").',
            Exit.FAILED,
        ),
    ),
    (
        r"failed to parse|error converting YAML|YAML parse error|execution error at|template:"
        r"|error calling|cannot overwrite table|coalesce",
        _simple(
            "LSA125",
            "The chart cannot be rendered with these values",
            _MEND_VALUES,
            Exit.FAILED,
        ),
    ),
)
