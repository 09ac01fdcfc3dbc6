"""Lists in parts: `limit`, and the token that leads to the rest."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

from wizard.practice.kubernetes.errors import ApiError
from wizard.practice.kubernetes.store import object_key

if TYPE_CHECKING:
    from collections.abc import Mapping

Json = dict[str, Any]


def page(objects: list[Json], query: Mapping[str, str], version: str) -> tuple[list[Json], Json]:
    """The part of a list that was asked for (`limit`, `continue`), and the list's metadata.

    As for a real server's cache, a list from resourceVersion 0 is never in parts.

    Raises:
        ApiError: 400, when the token is none that was given out.
    """
    limit = query.get("limit", "0")
    if not limit.isdigit():
        raise ApiError(400, f"invalid limit: {limit}")
    try:
        after = json.loads(base64.urlsafe_b64decode(query.get("continue", "") or b"W10="))
    except ValueError:
        raise ApiError(400, "continue key is not valid") from None
    if not isinstance(after, list):
        raise ApiError(400, "continue key is not valid")
    left = [obj for obj in objects if list(object_key(obj)) > after]
    size = int(limit) if query.get("resourceVersion") != "0" else 0
    if not 0 < size < len(left):
        return left, {"resourceVersion": version}
    last = json.dumps(object_key(left[size - 1])).encode()
    token = base64.urlsafe_b64encode(last).decode()
    metadata: Json = {"resourceVersion": version, "continue": token}
    if not (query.get("labelSelector") or query.get("fieldSelector")):
        metadata["remainingItemCount"] = len(left) - size
    return left[:size], metadata
