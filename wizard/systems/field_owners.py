"""Which field manager has set a place of a live object (`metadata.managedFields`)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

HELM = "helm"


def applied_by_helm(live: Mapping[str, Any]) -> bool:
    """Whether helm applies the object on the server's side (helm 4's way, not helm 3's)."""
    entries = live["metadata"].get("managedFields") or []
    return any(it.get("manager") == HELM and it.get("operation") == "Apply" for it in entries)


def managers_of(live: Mapping[str, Any], place: Sequence[str]) -> tuple[str, ...]:
    """The field managers that own a place such as `spec`, `containers[backend]`, `image`."""
    keys = [list(_keys(part)) for part in place]
    path = [key for part in keys for key in part]
    return tuple(
        str(it["manager"])
        for it in live["metadata"].get("managedFields") or []
        if it.get("manager") and _owns(it.get("fieldsV1"), path)
    )


def _keys(part: str) -> Iterator[str]:
    match = re.fullmatch(r"(.+)\[(.+)\]", part)
    if not match:
        yield f"f:{part}"
        return
    yield f"f:{match[1]}"
    yield "k:" + json.dumps({"name": match[2]}, separators=(",", ":"))


def _owns(fields: Any, path: Sequence[str]) -> bool:
    """An empty map below an owned place means that all of it is owned."""
    for key in path:
        if not isinstance(fields, Mapping) or key not in fields:
            return False
        fields = fields[key]
        if fields == {}:
            return True
    return True
