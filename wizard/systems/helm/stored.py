"""One revision as helm stores it: gzip of JSON, in base64; told as helm tells it.

helm 3 and 4 write the same (`helm.sh/release.v1`). Whatever is not as they write it is refused, so
that helm itself can be asked. A chart's subcharts are not kept, so that the computed values are
those of the chart alone. Source: helm/helm, pkg/storage/driver/util.go and pkg/action.
"""

from __future__ import annotations

import base64
import gzip
import io
import json
import zlib
from collections.abc import Mapping
from typing import Any

from wizard.systems.helm.records import Record, read_release, read_revision, took
from wizard.systems.values.as_helm import Unresolved, json_data, merge_values, without_nulls

MOST_BYTES = 64 << 20
"""What unpacks to more than this is no record of helm's, whose own limit is 1 MiB when packed."""
MOST_VALUES = 1_000_000
"""Nor is what has more commas than this, which is a ceiling for how many values it has."""
MAGIC = b"\x1f\x8b\x08"


class NotARecord(Exception):
    """It is not as helm writes it."""


def unpacked(packed: str | bytes) -> dict[str, Any]:
    """The document in a Secret or ConfigMap, by the base64 that helm made of it.

    Raises:
        NotARecord: it cannot be read, or is larger than any record.
    """
    try:
        data = base64.b64decode(packed)
        if data.startswith(MAGIC):
            with gzip.GzipFile(fileobj=io.BytesIO(data)) as file:
                data = file.read(MOST_BYTES + 1)
        if len(data) > MOST_BYTES or data.count(b",") > MOST_VALUES:
            raise NotARecord
        document = json.loads(data, parse_int=_number, parse_float=_number, parse_constant=_number)
    except (ValueError, EOFError, OSError, RecursionError, Unresolved, zlib.error):
        raise NotARecord from None
    return _map(document)


def read_record(document: Mapping[str, Any]) -> Record:
    """What helm tells of it.

    Raises:
        NotARecord: a part is not what it is in helm's records.
    """
    info, chart = _map(document.get("info")), _map(document.get("chart"))
    about, given = _map(chart.get("metadata")), _map(document.get("config") or {})
    revision, listed = document.get("version"), document.get("hooks") or []
    if type(revision) is not int or not isinstance(listed, list):
        raise NotARecord
    facts = {
        "name": _text(document.get("name")),
        "namespace": _text(document.get("namespace")),
        "revision": revision,
        "status": _text(info.get("status")),
        "chart": f"{_text(about.get('name'))}-{_text(about.get('version'))}",
        "app_version": _text(about.get("appVersion") or ""),
        "updated": _text(info.get("last_deployed")),
        "description": _text(info.get("description") or ""),
    }
    hooks = [_map(hook) for hook in listed]
    texts = [(_text(hook.get("path")), _text(hook.get("manifest"))) for hook in hooks]
    found = Record(
        read_release(facts),
        read_revision(facts),
        manifest=f"{_text(document.get('manifest') or '')}\n",
        hooks="".join(f"---\n# Source: {path}\n{text}\n" for path, text in texts),
        user_values=given,
        computed_values=_computed(_map(chart.get("values") or {}), given),
        took=took({"info": info, "hooks": hooks}),
        ran=tuple(filter(None, map(_ran, hooks))),
        kubernetes=_text(about.get("kubeVersion") or ""),
    )
    _refuse_surrogates(facts, found)
    return found


def _ran(hook: Mapping[str, Any]) -> tuple[str, str] | None:
    """A hook's name, and how its last run ended; None where it never ran."""
    phase = _text(_map(hook.get("last_run") or {}).get("phase") or "")
    return (_text(hook.get("name") or ""), phase) if phase else None


def _computed(chart: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    try:
        return without_nulls(merge_values(chart, given))
    except RecursionError:
        raise NotARecord from None


def _refuse_surrogates(facts: Mapping[str, Any], found: Record) -> None:
    """No Go program writes half of a pair, and nothing can write it out again."""
    try:
        for each in (facts, found.manifest, found.hooks, found.computed_values, found.user_values):
            json.dumps(each, ensure_ascii=False).encode()
    except (UnicodeEncodeError, RecursionError):
        raise NotARecord from None


def _number(text: str) -> Any:
    """As Go reads it, which takes every number for a float64, and knows no NaN and no Infinity."""
    return json_data(float(text))


def _map(node: Any) -> dict[str, Any]:
    if not isinstance(node, dict):
        raise NotARecord
    return node


def _text(node: Any) -> str:
    if not isinstance(node, str):
        raise NotARecord
    return node
