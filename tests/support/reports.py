"""The findings of a health check, out of its JSON document."""

import json
from typing import Any

Found = list[dict[str, Any]]


def areas_of(document: str) -> dict[str, Found]:
    """The findings by area, the cluster's own left out where they are all well."""
    return {area["name"]: area["findings"] for area in json.loads(document)["areas"]}


def found_by(document: str, check: str) -> Found:
    """What one check found."""
    return [it for found in areas_of(document).values() for it in found if it["check"] == check]


def ids_by(document: str, check: str) -> list[str]:
    """The ids of what one check found."""
    return [it["id"] for it in found_by(document, check)]
