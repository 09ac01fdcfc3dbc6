"""A health check as JUnit's XML, as the strict schema of Jenkins' xunit plugin wants it.

An area is a suite, a finding a case: its class is the area, its name the check, and of several
findings of a check the subject, both the same from one check to the next. Some readers lose the
attribute `message`, so the text has it too.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from xml.etree import ElementTree as ET

from wizard.console.output import for_programs
from wizard.formats import blocks
from wizard.problems import catalogue
from wizard.records.findings import Finding, State
from wizard.records.report import Area, Report

_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
KINDS = {
    State.FAIL: "failure",
    State.UNKNOWN: "error",
    State.SKIP: "skipped",
    State.NOT_RUN: "skipped",
}


def draw(page: blocks.Page) -> None:
    """Write it to standard output."""
    for_programs().write(rendered(page))


def rendered(page: blocks.Page) -> str:
    """The document."""
    whole = ET.Element("testsuites", name="langsmith-audit check")
    for report in page.reports:
        prefix = f"{report.name}." if len(page.reports) > 1 else ""
        whole.extend(_suite(report, area, prefix) for area in report.areas)
    for name in ("tests", "failures", "errors"):
        whole.set(name, str(sum(int(suite.get(name) or 0) for suite in whole)))
    whole.set("time", _seconds(sum(report.duration_s for report in page.reports)))
    ET.indent(whole)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(whole, "unicode") + "\n"


def _suite(report: Report, area: Area, prefix: str) -> ET.Element:
    suite = ET.Element("testsuite", name=_text(prefix + area.name))
    suite.set("timestamp", report.checked_at.strftime("%Y-%m-%dT%H:%M:%S"))
    of_check, names = Counter(map(_check, area.findings)), Counter[str]()
    for it in area.findings:
        name = f"{_check(it)} {_title(_check(it))}"
        name += f": {it.subject}" if of_check[_check(it)] > 1 else ""
        names[name] += 1
        more = f" ({names[name]})" if names[name] > 1 else ""
        case = ET.SubElement(suite, "testcase", classname=_text(f"langsmith.{prefix}{area.name}"))
        case.set("name", _text(name + more))
        case.set("time", _seconds(it.duration_s))
        _outcome(case, it, warned=report.fail_on_warn)
    found = [child.tag for case in suite for child in case]
    suite.set("tests", str(len(suite)))
    for name, kind in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.set(name, str(found.count(kind)))
    suite.set("time", _seconds(sum({it.check: it.duration_s for it in area.findings}.values())))
    return suite


def _check(finding: Finding) -> str:
    return finding.check or finding.id


def _title(id: str) -> str:
    return catalogue()[id].title if id in catalogue() else ""


def _outcome(case: ET.Element, finding: Finding, *, warned: bool) -> None:
    kind = KINDS.get(finding.state, "")
    if finding.suppressed:
        kind = "skipped"
    elif warned and finding.state is State.WARN:
        kind = "failure"
    told = "\n".join(_lines(finding))
    if kind:
        child = ET.SubElement(case, kind, message=_text(finding.message))
        if kind != "skipped":
            child.set("type", finding.id)
        child.text = _text(told)
    else:
        ET.SubElement(case, "system-out").text = _text(told)


def _lines(finding: Finding) -> Iterator[str]:
    yield f"{finding.state.value} {finding.id} {_title(finding.id)}".rstrip()
    yield f"{finding.subject}: {finding.message}"
    if finding.suppressed:
        until = f" until {finding.suppressed.until}" if finding.suppressed.until else ""
        yield f"suppressed{until}: {finding.suppressed.reason}"
    yield from finding.evidence
    if finding.next_step:
        yield f"next: {finding.next_step}"


def _seconds(seconds: float) -> str:
    return f"{seconds:.3f}"


def _text(text: str) -> str:
    """What XML can say."""
    return _NO_XML.sub("\ufffd", text)
