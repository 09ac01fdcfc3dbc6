"""Reports of health checks as no cluster has them: every state at once, and hostile text."""

from dataclasses import replace
from datetime import UTC, datetime

from wizard.problems import Exit
from wizard.records.findings import Finding, State, Suppressed
from wizard.records.report import Area, Report

HOSTILE = (
    "a|b 'c'=1;2 ::error::x % \r\n::set-output name=x::y "
    "]]> <b>&amp; \x00\x1b[31m\x07 \u202e \ufffe"
)
AT = datetime(2026, 8, 31, 5, 17, 3, tzinfo=UTC)
MEASURES = {
    "newest_event_timestamp_seconds": 1788152400.25,
    "table_rows": 12_345_678.0,
    "certificate_expiry_timestamp_seconds": 1790000000.0,
}


def finding(check: str, state: State, text: str, **more) -> Finding:
    return Finding(
        check, state, f"subject {text}", f"message {text}", (f"evidence {text}",),
        f"next {text}" if state in (State.FAIL, State.WARN, State.UNKNOWN) else "",
        check, 0.0123, **more,
    )  # fmt: skip


def sample(text: str = "plain", exit: Exit = Exit.FAILED, name: str = "", **more) -> Report:
    """One finding a state, two of one check, and one that is suppressed."""
    hidden = Suppressed(f"reason {text}", "2026-12-31")
    areas = (
        Area("release", "The release", (finding("LSA101", State.PASS, text),)),
        Area("api", "The API", (
            finding("LSA821", State.FAIL, text),
            finding("LSA821", State.FAIL, f"{text} 2"),
            finding("LSA811", State.UNKNOWN, text),
            finding("LSA587", State.WARN, text),
            finding("LSA175", State.INFO, text),
            finding("LSA907", State.SKIP, text),
            finding("LSA908", State.NOT_RUN, text),
            finding("LSA822", State.FAIL, text, suppressed=hidden),
        )),
    )  # fmt: skip
    target = {"context": f"ctx {text}", "namespace": "langsmith", "release": "langsmith"}
    target |= {"name": name} if name else {}
    return Report(target, areas, exit, AT, 0.4125, measures=MEASURES, **more)


def well() -> Report:
    """All of it is right."""
    areas = (Area("release", "The release", (finding("LSA101", State.PASS, "plain"),)),)
    return replace(sample(), areas=areas, exit=Exit.OK)
