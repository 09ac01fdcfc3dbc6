"""What is measured of an installation beside the findings: figures, and the last day's events."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from wizard.problems import Problem
from wizard.records.activity import OWN_READS, Activity
from wizard.records.event import EPOCH, at, moment_of

if TYPE_CHECKING:
    from wizard.systems.access import Systems
    from wizard.systems.langsmith.api import LangSmithApi

HOURS = 24
PAGES = 10
"""Pages of 100 events that are read of an hour."""
AT_ONCE = 4


def measured(systems: Systems) -> dict[str, float]:
    """Figures by the names in `wizard.records.report`, of what was read already: none is asked."""
    found: dict[str, float] = {}
    served, table = systems.known("served"), systems.known("audit_logs")
    newest = [table.newest] if table and table.newest else []
    if served and served.page:
        others = (it for it in served.page.items if at(it, "api", "operation") not in OWN_READS)
        newest += [moment for moment in map(moment_of, others) if moment > EPOCH]
    if newest:
        found["newest_event_timestamp_seconds"] = max(newest).timestamp()
    if table and table.estimated_rows is not None:
        found["table_rows"] = float(table.estimated_rows)
    if served and served.api and (ends := served.api.certificate_ends):
        found["certificate_expiry_timestamp_seconds"] = ends.timestamp()
    return found


def activity(systems: Systems) -> Activity | None:
    """The events of the last day, as far as the API gives them; None where it does not."""
    from concurrent.futures import ThreadPoolExecutor

    served = systems.known("served")
    if not (served and served.page):
        return None
    end = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    hours = [end - timedelta(hours=n) for n in reversed(range(HOURS))]
    with suppress(Problem), ThreadPoolExecutor(AT_ONCE) as threads:
        api = systems.log
        found = list(threads.map(lambda hour: _of_hour(api, hour), hours))
        return Activity(tuple(hours), tuple(it for it, _ in found), any(cut for _, cut in found))
    return None


def _of_hour(api: LangSmithApi, hour: datetime) -> tuple[Counter[str], bool]:
    """The number of events by operation, each once, and whether there were more."""
    seen: dict[str, str] = {}
    end, cursor = hour + timedelta(hours=1) - timedelta(microseconds=1), None
    for _ in range(PAGES):
        page = api.audit_logs(start=hour, end=end, limit=100, cursor=cursor)
        for event in page.items:
            operation = str(at(event, "api", "operation") or "unknown")
            seen[str(at(event, "metadata", "uid") or len(seen))] = operation
        if not page.cursor:
            return Counter(it for it in seen.values() if it not in OWN_READS), False
        cursor = page.cursor
    return Counter(it for it in seen.values() if it not in OWN_READS), True
