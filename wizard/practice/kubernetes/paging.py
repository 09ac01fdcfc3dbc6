"""Lists in parts: `limit`, and the token that leads to the rest."""

from __future__ import annotations

import base64
import contextlib
import json
from typing import TYPE_CHECKING, Any

from wizard.practice.kubernetes.errors import ApiError, invalid_options, rejected
from wizard.practice.kubernetes.store import Store, object_key

if TYPE_CHECKING:
    from collections.abc import Mapping

Json = dict[str, Any]


def _unreadable(text: str) -> ApiError:
    return ApiError(400, f'strconv.ParseInt: parsing "{text}": invalid syntax')


def check_version_query(query: Mapping[str, str], store: Store, *, watch: bool = False) -> None:
    """Refuse what cannot be listed, or watched from.

    Raises:
        ApiError: 400, 410, 422, 500 or 504, as the real server does.
    """
    sent, match = query.get("resourceVersion", ""), query.get("resourceVersionMatch", "")
    if query.get("sendInitialEvents") and match != "NotOlderThan":
        told = "Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"
        raise invalid_options("ListOptions", "resourceVersionMatch", told)
    if match and not sent and not watch:
        told = "Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided"
        raise invalid_options("ListOptions", "resourceVersionMatch", told)
    seconds = query.get("timeoutSeconds") or "0"
    if not seconds.isdigit():
        raise _unreadable(seconds)
    if sent and not sent.isdigit():
        told = f'resourceVersion: Invalid value: "{sent}": strconv.ParseUint: '
        told += f'parsing "{sent}": invalid syntax'
        raise rejected(told) if watch else ApiError(400, f"invalid resource version: {told}")
    if sent and not watch and int(sent) > store.version:
        told = f"Timeout: Too large resource version: {sent}, current: {store.version}"
        cause = {"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}
        raise ApiError(504, told, details={"causes": [cause], "retryAfterSeconds": 1})
    if match == "Exact" and not watch and int(sent) != store.version:
        raise ApiError(410, "The resourceVersion for the provided list is too old.")


def page(objects: list[Json], query: Mapping[str, str], version: str) -> tuple[list[Json], Json]:
    """The part of a list that was asked for (`limit`, `continue`), and the list's metadata.

    As for a real server's cache, a list from resourceVersion 0 is never in parts.

    Raises:
        ApiError: 400, when the token is none that was given out.
    """
    try:
        size = int(query.get("limit") or "0")
    except ValueError:
        raise _unreadable(query["limit"]) from None
    try:
        after = json.loads(base64.urlsafe_b64decode(query.get("continue", "") or b"W10="))
    except ValueError:
        told = "invalid continue token: continue key is not valid"
        with contextlib.suppress(ValueError):
            first = base64.urlsafe_b64decode(query["continue"])[:1]
            shown = f"'\\x{first.hex()}'" if first > b"\x7f" else repr(first.decode())
            told += f": invalid character {shown} looking for beginning of value"
        raise ApiError(400, told) from None
    if not isinstance(after, list):
        raise ApiError(400, "continue key is not valid")
    left = [obj for obj in objects if list(object_key(obj)) > after]
    size = 0 if query.get("resourceVersion") == "0" else size
    if not 0 < size < len(left):
        return left, {"resourceVersion": version}
    last = json.dumps(object_key(left[size - 1])).encode()
    token = base64.urlsafe_b64encode(last).decode()
    metadata: Json = {"resourceVersion": version, "continue": token}
    if not (query.get("labelSelector") or query.get("fieldSelector")):
        metadata["remainingItemCount"] = len(left) - size
    return left[:size], metadata
