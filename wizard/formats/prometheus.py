"""A health check in Prometheus' text format (0.0.4), for node_exporter's textfile collector.

No line has a time of its own, since node_exporter then skips the whole file; no label holds a
message or anything else without a bound. A file that nobody writes any more looks healthy:
`langsmith-audit cronjob --alert file` prints the rule that tells.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from wizard import __version__
from wizard.console.output import for_programs
from wizard.formats import blocks
from wizard.records.findings import State
from wizard.records.report import MEASURES, Report
from wizard.safe import safe

PREFIX = "langsmith_audit_"
MODE = 0o644
"""Of a file that node_exporter, which is another user, reads."""
PLACE = ("name", "context", "namespace", "release")
"""What tells the samples of a target from those of another."""
_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\""})
Labels = Mapping[str, str]


def draw(page: blocks.Page) -> None:
    """Write it to standard output."""
    for_programs().write(rendered(page))


def rendered(page: blocks.Page) -> str:
    """All samples of a metric together, as the format wants them."""
    samples: dict[str, list[str]] = {name: [] for name in HELP}
    samples["build_info"].append(_sample("build_info", {"version": __version__}, 1))
    for report in page.reports:
        place = {name: report.target[name] for name in PLACE if report.target.get(name)}
        for name, labels, value in _of(report):
            samples[name].append(_sample(name, {**place, **labels}, value))
    lines = []
    for name, told in samples.items():
        if told:
            lines += [f"# HELP {PREFIX}{name} {HELP[name]}", f"# TYPE {PREFIX}{name} gauge", *told]
    return "\n".join(lines) + "\n"


HELP = {
    "build_info": "The version of langsmith-audit.",
    "check_timestamp_seconds": "When the check began.",
    "check_duration_seconds": "How long the check took.",
    "check_exit_code": "Its exit code: 0 fine, 3 failed, 4 warnings only, 5 unknown.",
    "finding_state": "The state of each check by its id: exactly one of the seven is 1.",
    "findings_suppressed": "Findings that do not count, as was asked for.",
    **{name: f"{text}." for name, text in MEASURES.items()},
}


def _of(report: Report) -> Iterator[tuple[str, Labels, float]]:
    yield "check_timestamp_seconds", {}, report.checked_at.timestamp()
    yield "check_duration_seconds", {}, report.duration_s
    yield "check_exit_code", {}, int(report.exit)
    for id, state in report.checks.items():
        for each in State:
            yield "finding_state", {"id": id, "state": each.value}, each is state
    suppressed = sum(it.suppressed is not None for it in report.findings)
    yield "findings_suppressed", {}, suppressed
    for name, value in report.measures.items():
        yield name, {}, value


def _sample(name: str, labels: Labels, value: float) -> str:
    told = ",".join(f'{label}="{safe(text).translate(_ESCAPES)}"' for label, text in labels.items())
    number = f"{value:.3f}".rstrip("0").rstrip(".")
    return f"{PREFIX}{name}{{{told}}} {number}" if told else f"{PREFIX}{name} {number}"
