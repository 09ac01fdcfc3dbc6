"""What went wrong between here and a Kubernetes API server, told apart into Problems."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from wizard.problems import Exit, Problem
from wizard.record import dataclass
from wizard.systems.kubernetes.kubeconfig import ContextInfo, shown
from wizard.systems.kubernetes.shapes import odd
from wizard.systems.reach.failures import Failure, Kind
from wizard.systems.redact import redact

GONE = 410
TOO_LARGE = "LSA221"
NOT_FOUND = 404
_NO_RIGHT = re.compile(r"\bcannot [\w-]+ (resource|path)\b|is forbidden: $")
"""How every API server words what its authorizers refuse; all else is the word of admission.

Of `create`, which a WebSocket's GET needs besides (1.35 and later), it gives no word."""
_ADMISSION = re.compile(r"denied (the )?request|(exceeded|failed) quota")
"""The words of webhooks, admission policies and quotas, whatever the status (a policy's is 422)."""
_OBJECTED = re.compile(
    r"typed patch object|The order in patch list|does not contain declared merge key"
    r"|unknown patch type"
)
"""What an API server says of a request with status 500, though it is the request that is wrong."""
_MISTYPED = re.compile(r"expected \w+, got ")
_NO_SUCH_PATH = "404 page not found"
_OF_KUBERNETES = re.compile(r"[a-z]*|[\w.-]+\.k8s\.io")
"""The groups that every API server has; those of custom resources have a domain."""
_LONGEST_TEXT = 500
_ELSEWHERE = "Check the server of this context (kubectl config view --minify) and any proxy"


@dataclass(frozen=True)
class Call:
    """One request in the words of RBAC, for its messages.

    Attributes:
        verb: as RBAC names it (`get`, `list`, `patch`, `create`).
        resource: plural, with the subresource (`pods/exec`).
        group: the API group; empty for the core.
        name: the object; empty for a list.
        namespace: None for cluster-scoped objects and lists over all namespaces.
    """

    verb: str
    resource: str
    group: str = ""
    name: str = ""
    namespace: str | None = None

    @property
    def on(self) -> str:
        """The object as messages name it."""
        where = f" in namespace {self.namespace}" if self.namespace else ""
        return f"{self.resource} {self.name}".strip() + where


def transport_problem(error: Exception, info: ContextInfo, call: Call, limit: float) -> Problem:
    """The Problem behind a Failure, or an exception of a WebSocket or a socket."""
    failure = _failure(error)
    id, what, step, on = {
        Kind.CERTIFICATE: (
            "LSA205", f"The certificate of the API server {info.server} is not trusted",
            "Correct certificate-authority(-data) of this cluster in the kubeconfig; "
            "a proxy that opens TLS needs its own certificate there", _context_on(info),
        ),
        Kind.SILENT: (
            "LSA208", f"The API server {info.server} did not answer within {limit:g} seconds",
            "See whether it is overloaded: kubectl get --raw /readyz", call.on,
        ),
        Kind.BROKEN: (
            "LSA204", f"The connection to the API server {info.server} broke off",
            "Try again; then look at the VPN or proxy in between", _context_on(info),
        ),
        Kind.STRANGE: (
            "LSA209", f"What answers at {info.server} is not a Kubernetes API server", _ELSEWHERE,
            call.on,
        ),
        Kind.LARGE: (
            TOO_LARGE, f"The answer of the API server {info.server} is too large to be read",
            "See what it answers: kubectl get --raw; the server, or a proxy, may be at fault",
            call.on,
        ),
        Kind.PROXY: (
            "LSA214", f"The proxy to the API server {info.server} does not work",
            "Check proxy-url of this cluster in the kubeconfig, else HTTPS_PROXY, or put the "
            "server into NO_PROXY", _context_on(info),
        ),
    }.get(failure.kind, (
        "LSA204", f"The API server {info.server} cannot be reached (limit {limit:g} seconds)",
        "Check the network, the VPN and the server's address: kubectl cluster-info",
        _context_on(info),
    ))  # fmt: skip
    words = redact(failure.words) if failure.words else ""
    return Problem(id, what, on=on, next_step=step, detail=(words,) if words else ())


def _failure(error: Exception) -> Failure:
    """What an exception means that came after the connection was there."""
    if isinstance(error, Failure):
        return error
    import websocket as ws

    if isinstance(error, ws.WebSocketTimeoutException | TimeoutError):
        return Failure(Kind.SILENT)
    words = (error.strerror if isinstance(error, OSError) else "") or type(error).__name__
    broken = isinstance(error, OSError | ws.WebSocketConnectionClosedException)
    return Failure(Kind.BROKEN if broken else Kind.STRANGE, words)


def answer_problem(
    status: int, body: bytes, info: ContextInfo, call: Call, place: str | None = None
) -> Problem:
    """The Problem behind an HTTP answer that is no success; `place` is where it sends us."""
    if 300 <= status < 400:
        return _redirect(status, info, call, place or "")
    message, reason = _status_words(body)
    detail = (message,) if message else ()
    told = f"{status} {reason or ''}".strip()
    if status == 401:
        return _credentials(info, detail)
    if status == 403 and (not message or _NO_RIGHT.search(message)):
        return Forbidden(call, detail)
    if status == 403 or (status < 500 and _ADMISSION.search(message)):
        return _not_admitted(call, told, detail)
    custom = not _OF_KUBERNETES.fullmatch(call.group)
    if custom and (status, message, reason) == (NOT_FOUND, _NO_SUCH_PATH, None):  # no such group
        return _not_there(call, f"The cluster has no {call.resource}.{call.group}", detail)
    if reason is None and (status < 400 or status == NOT_FOUND):
        return not_kubernetes(info, call)
    if status == 429 or (status >= 500 and not _of_the_request(call, message, reason)):
        return Problem(
            "LSA216",
            f"The API server {info.server} answered {told}",
            on=call.on,
            next_step="try again in a moment; then look at the API server itself",
            detail=detail,
        )
    if status == GONE:
        return Problem(
            "LSA218",
            f"The list of {call.resource} changed too much while it was read",
            on=call.on,
            next_step="try again",
            detail=detail,
        )
    if status == NOT_FOUND:
        return _not_there(call, f"{call.on} is not there", detail)
    return Problem(
        "LSA210",
        f"{call.verb} {call.on} was refused ({told})",
        on=call.on,
        next_step=_look(call),
        exit=Exit.FAILED,
        detail=detail,
    )


def refuses(problem: Problem, *, exact: bool = True) -> bool:
    """Whether the API server has judged a write and says no to it.

    All else says nothing of the write itself: a right is missing, a webhook takes no dry run, a
    conflict, nobody answers. Where the attempt was not `exact` (an apply where helm patches, which
    leaves in what the patch takes out), only admission and a value of a wrong type decide.
    """
    words = "; ".join((problem.what, *problem.detail))
    judged = r"\((403|413|422)\b|typed patch object"
    if problem.id != "LSA210" or not re.search(judged, words):
        return False
    return exact or bool(_ADMISSION.search(words) or "(403" in words or _MISTYPED.search(words))


def changes(
    lines: Iterable[bytes], info: ContextInfo, call: Call
) -> Iterator[tuple[str, dict[str, Any]]]:
    """The changes that a watch tells, a line each.

    Raises:
        Problem: the server ended it with a Status, or it is no watch.
    """
    for line in lines:
        change = parse(line)
        if not isinstance(change, dict) or not isinstance(change.get("object"), dict):
            raise not_kubernetes(info, call)
        about: dict[str, Any] = change["object"]
        if change.get("type") not in ("ERROR", "BOOKMARK"):
            refuse_odd(change["object"], info, call)
        if change.get("type") == "ERROR":
            status = json.dumps(about).encode()
            raise answer_problem(int(about.get("code") or 500), status, info, call)
        yield str(change.get("type")), about


def _redirect(status: int, info: ContextInfo, call: Call, place: str) -> Problem:
    there = f" to {shown(place)}" if place else ""
    return Problem(
        "LSA209",
        f"What answers at {info.server} sends us elsewhere ({status}{there}), as no Kubernetes API "
        "server does; it was not followed, and the credentials were not sent there",
        on=call.on,
        next_step=_ELSEWHERE,
    )


def _of_the_request(call: Call, message: str, reason: str | None) -> bool:
    """Whether an answer of 500 is about the request, or the kubelet's about its pod."""
    if _OBJECTED.search(message):
        return True
    return bool(message) and reason is None and call.resource.startswith("pods/")


def _look(call: Call) -> str:
    where = f" -n {call.namespace}" if call.namespace else ""
    name = f" {call.name}" if call.name else ""
    return f"Look at it: kubectl get {call.resource.split('/')[0]}{name}{where}"


def _not_there(call: Call, what: str, detail: tuple[str, ...]) -> Problem:
    return Problem(
        "LSA217",
        what,
        on=call.on,
        next_step=f"look at it: kubectl get {call.resource.split('/')[0]}",
        exit=Exit.FAILED,
        detail=detail,
    )


def _not_admitted(call: Call, told: str, detail: tuple[str, ...]) -> Problem:
    """The Problem of a refusal for another reason than a right: a policy, a webhook, a quota."""
    return Problem(
        "LSA210",
        f"{call.verb} {call.on} was refused ({told}), though not for want of a right",
        on=call.on,
        next_step="meet the policy, webhook or quota that the server names, or ask to be exempted",
        exit=Exit.FAILED,
        detail=detail,
    )


class Forbidden(Problem):
    """A missing right, with the RBAC rule that grants it.

    Attributes:
        call: the request that was refused.
        verbs: all that lack of what is asked of the resource, where somebody looked.
    """

    def __init__(
        self, call: Call, detail: tuple[str, ...] = (), verbs: tuple[str, ...] = ()
    ) -> None:
        self.call, self.verbs = call, verbs or (call.verb,)
        where = f"in namespace {call.namespace}" if call.namespace else "in the whole cluster"
        kind = "Role" if call.namespace else "ClusterRole"
        asked = dict.fromkeys(("get", *self.verbs) if "/" in call.resource else self.verbs)
        super().__init__(
            "LSA207",
            f"You may not {' or '.join(self.verbs)} {call.resource} {where}",
            on=call.on,
            next_step=f'Ask for a {kind} with the rule apiGroups: ["{call.group}"], '
            f'resources: ["{call.resource}"], verbs: {json.dumps([*asked])} {where}.',
            detail=detail,
        )


def not_kubernetes(info: ContextInfo, call: Call, why: str = "") -> Problem:
    """The Problem of an answer that no Kubernetes API server gives."""
    return Problem(
        "LSA209",
        f"What answers at {info.server} is not a Kubernetes API server",
        on=call.on,
        next_step=_ELSEWHERE,
        detail=(f"its answer to {call.verb} {call.on}: {why}",) if why else (),
    )


def refuse_odd(document: dict[str, Any], info: ContextInfo, call: Call) -> None:
    """Refuse an answer that is not of the shape that Kubernetes documents.

    Raises:
        Problem: LSA209, with the place.
    """
    why = odd(document, custom=not _OF_KUBERNETES.fullmatch(call.group))
    if why:
        raise not_kubernetes(info, call, why)


def _credentials(info: ContextInfo, detail: tuple[str, ...]) -> Problem:
    how = f" ({info.credentials})" if info.credentials else ""
    return Problem(
        "LSA206",
        f"The API server {info.server} refused the credentials of user {info.user or '?'}{how}; "
        "they may have expired",
        on=_context_on(info),
        next_step="log in again, then try: kubectl auth whoami",
        detail=detail,
    )


def _context_on(info: ContextInfo) -> str:
    return f"context {info.name}" if info.name else "the cluster of this pod"


def _status_words(body: bytes) -> tuple[str, str | None]:
    """Message and reason of a Kubernetes Status; not every Status has a reason.

    The reason is None where the body is no Status: then the message is a short plain text, such as
    the API server's and the kubelet's own handlers answer with.
    """
    status = parse(body)
    if isinstance(status, dict) and status.get("kind") == "Status":
        return redact(str(status.get("message") or "")), str(status.get("reason") or "")
    text = body.decode("utf-8", "replace").strip()
    plain = status is None and len(text) <= _LONGEST_TEXT and not text.startswith("<")
    return redact(text) if plain else "", None


def parse(body: bytes) -> Any:
    """The JSON of a body; None when it is not JSON."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None
