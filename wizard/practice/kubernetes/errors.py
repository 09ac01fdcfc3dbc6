"""Refusals as the Kubernetes API words them: a `Status` object with code, reason and details."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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
    415: "UnsupportedMediaType",
    422: "Invalid",
    429: "TooManyRequests",
    500: "InternalError",
    503: "ServiceUnavailable",
}


class ApiError(Exception):
    """An answer other than 2xx.

    Attributes:
        code: the HTTP status.
        reason: the word that clients test (`NotFound`, `AlreadyExists`, …).
        details: the `details` field of the Status, or None.
    """

    def __init__(
        self, code: int, message: str, *, reason: str = "", details: Json | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason or REASONS.get(code, "")
        self.message = message
        self.details = details

    def status(self) -> Json:
        """The Status object, ready to be sent."""
        answer: Json = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
        }
        if self.details:
            answer["details"] = self.details
        answer["code"] = self.code
        return answer


class PlainError(ApiError):
    """A refusal that is answered as plain text, not as a Status."""


def _details(kind: Kind, name: str) -> Json:
    return {
        key: value
        for key, value in (("name", name), ("group", kind.group), ("kind", kind.plural))
        if value
    }


def not_found(kind: Kind, name: str) -> ApiError:
    """404 with reason NotFound."""
    message = f'{kind.resource} "{name}" not found'
    return ApiError(404, message, details=_details(kind, name))


def already_exists(kind: Kind, name: str) -> ApiError:
    """409 with reason AlreadyExists."""
    message = f'{kind.resource} "{name}" already exists'
    return ApiError(409, message, reason="AlreadyExists", details=_details(kind, name))


def modified(kind: Kind, name: str) -> ApiError:
    """409 with reason Conflict: the resourceVersion that was sent is stale."""
    message = (
        f'Operation cannot be fulfilled on {kind.resource} "{name}": the object has been modified; '
        "please apply your changes to the latest version and try again"
    )
    return ApiError(409, message, details=_details(kind, name))


def precondition(kind: Kind, name: str, field: str, sent: str, found: str) -> ApiError:
    """409: a delete precondition (uid or resourceVersion) does not hold."""
    message = (
        f'Operation cannot be fulfilled on {kind.resource} "{name}": the {field} in the '
        f"precondition ({sent}) does not match the {field} in record ({found}). "
        "The object might have been deleted and then recreated"
    )
    return ApiError(409, message, details=_details(kind, name))


def invalid(kind: Kind, name: str, causes: list[tuple[str, str]]) -> ApiError:
    """422 with reason Invalid; causes are (field, message) pairs."""
    told = [f"{field}: {message}" for field, message in causes]
    text = told[0] if len(told) == 1 else "[" + ", ".join(told) + "]"
    qualified = f"{kind.kind}.{kind.group}" if kind.group else kind.kind
    details: Json = {"name": name, "group": kind.group, "kind": kind.kind}
    details = {key: value for key, value in details.items() if value}
    details["causes"] = [
        {"reason": _cause_reason(message), "message": message, "field": field}
        for field, message in causes
    ]
    return ApiError(422, f'{qualified} "{name}" is invalid: {text}', details=details)


def _cause_reason(message: str) -> str:
    for start, reason in (
        ("Required", "FieldValueRequired"),
        ("Forbidden", "FieldValueForbidden"),
        ("Duplicate", "FieldValueDuplicate"),
        ("Unsupported", "FieldValueNotSupported"),
    ):
        if message.startswith(start):
            return reason
    return "FieldValueInvalid"


def gone(sent: int, oldest: int) -> ApiError:
    """410: the resourceVersion to watch from is no longer in the history."""
    return ApiError(410, f"too old resource version: {sent} ({oldest})")
