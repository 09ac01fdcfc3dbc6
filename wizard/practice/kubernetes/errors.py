"""Refusals as the Kubernetes API words them: a `Status` object with code, reason and details."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wizard.practice.kubernetes.json_tools import without_empty

if TYPE_CHECKING:
    from wizard.practice.kubernetes.kinds import Kind

Json = dict[str, Any]

REASONS = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    405: "MethodNotAllowed",
    406: "NotAcceptable",
    409: "Conflict",
    410: "Expired",
    413: "RequestEntityTooLarge",
    415: "UnsupportedMediaType",
    422: "Invalid",
    429: "TooManyRequests",
    500: "InternalError",
    503: "ServiceUnavailable",
    504: "Timeout",
}
STATUS: Json = {"kind": "Status", "apiVersion": "v1", "metadata": {}}


class ApiError(Exception):
    """An answer other than 2xx; `reason` is the word that clients test, "" where there is none."""

    def __init__(
        self, code: int, message: str, *, reason: str | None = None, details: Json | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = REASONS.get(code, "") if reason is None else reason
        self.message = message
        self.details = details

    def status(self) -> Json:
        """The Status object, ready to be sent."""
        answer = {**STATUS, "status": "Failure", "message": self.message}
        answer |= {"reason": self.reason} if self.reason else {}
        answer |= {"details": self.details} if self.details is not None else {}
        return {**answer, "code": self.code}


class PlainError(ApiError):
    """A refusal that is answered as plain text, not as a Status."""


def details_of(kind: Kind, name: str, **more: Any) -> Json:
    """The details of a Status about an object; what is empty is left out."""
    return without_empty(name=name, group=kind.group, kind=kind.plural, **more)


def forbidden(kind: Kind, name: str, told: str, **more: Any) -> ApiError:
    """403 for an object that something in the cluster does not admit."""
    message = f'{kind.resource} "{name}" is forbidden: {told}'
    return ApiError(403, message, details=details_of(kind, name, **more))


def rejected(message: str) -> ApiError:
    """500 without a reason: what the real server's own code could not do with a request."""
    return ApiError(500, message, reason="")


def unknown_path() -> ApiError:
    """404 for a resource or subresource that the group-version does not have."""
    return ApiError(404, "the server could not find the requested resource", details={})


def not_allowed() -> ApiError:
    """405 for a method that the resource does not have."""
    told = "the server does not allow this method on the requested resource"
    return ApiError(405, told, details={})


def not_found(kind: Kind, name: str) -> ApiError:
    """404 with reason NotFound."""
    message = f'{kind.resource} "{name}" not found'
    return ApiError(404, message, details=details_of(kind, name))


def already_exists(kind: Kind, name: str, *, ending: bool = False) -> ApiError:
    """409 with reason AlreadyExists."""
    message = f'{kind.resource} "{name}" already exists'
    message = f"object is being deleted: {message}" if ending else message
    return ApiError(409, message, reason="AlreadyExists", details=details_of(kind, name))


def modified(kind: Kind, name: str) -> ApiError:
    """409 with reason Conflict: the resourceVersion that was sent is stale."""
    message = (
        f'Operation cannot be fulfilled on {kind.resource} "{name}": the object has been modified; '
        "please apply your changes to the latest version and try again"
    )
    return ApiError(409, message, details=details_of(kind, name))


def other_uid(kind: Kind, meta: Json, sent: str) -> ApiError:
    """409: an update of an object that has been deleted and made again."""
    place = "/".join(filter(None, (kind.plural, meta.get("namespace", ""), meta["name"])))
    message = (
        f'Operation cannot be fulfilled on {kind.resource} "{meta["name"]}": StorageError: invalid '
        f"object, Code: 4, Key: /registry/{place}, ResourceVersion: 0, AdditionalErrorMsg: "
        f"Precondition failed: UID in precondition: {sent}, UID in object meta: {meta['uid']}"
    )
    return ApiError(409, message, details=details_of(kind, meta["name"]))


def precondition(kind: Kind, name: str, field: str, sent: str, found: str) -> ApiError:
    """409: a delete precondition (uid or resourceVersion) does not hold."""
    happened = "deleted and then recreated" if field == "UID" else "modified"
    message = (
        f'Operation cannot be fulfilled on {kind.qualified} "{name}": the {field} in the '
        f"precondition ({sent}) does not match the {field} in record ({found}). "
        f"The object might have been {happened}"
    )
    return ApiError(409, message, details={**details_of(kind, name), "kind": kind.kind})


def invalid(
    kind: Kind, name: str, causes: list[tuple[str, str]], *, plural: bool = False
) -> ApiError:
    """422 with reason Invalid; causes are (field, message) pairs."""
    told = list(dict.fromkeys(f"{field}: {message}" for field, message in causes))
    text = told[0] if len(told) == 1 else "[" + ", ".join(told) + "]"
    qualified = kind.resource if plural else kind.qualified
    details = without_empty(name=name, group=kind.group, kind=kind.plural if plural else kind.kind)
    details["causes"] = [cause(field, message) for field, message in causes]
    return ApiError(422, f'{qualified} "{name}" is invalid: {text}', details=details)


def invalid_options(options: str, field: str, message: str) -> ApiError:
    """422 for what was asked beside the object (`PatchOptions`, `ListOptions`)."""
    details = {"group": "meta.k8s.io", "kind": options, "causes": [cause(field, message)]}
    text = f'{options}.meta.k8s.io "" is invalid: {field}: {message}'
    return ApiError(422, text, details=details)


def cause(field: str, message: str) -> Json:
    """What one field is refused for, as the details of a Status list it."""
    return {"reason": _cause_reason(message), "message": message, "field": field}


def _cause_reason(message: str) -> str:
    if "in body must be of type" in message:
        return "FieldValueTypeInvalid"
    if message.startswith("Unsupported"):
        return "FieldValueNotSupported"
    for start in ("Required", "Forbidden", "Duplicate", "Not found", "Too long", "Too many"):
        if message.startswith(start):
            return f"FieldValue{start.title().replace(' ', '')}"
    return "FieldValueInvalid"


def gone(sent: int, oldest: int) -> ApiError:
    """410: the resourceVersion to watch from is no longer in the history."""
    return ApiError(410, f"too old resource version: {sent} ({oldest})")
