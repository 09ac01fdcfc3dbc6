"""The formats of a health check for machines, each by the rules of its readers."""

from __future__ import annotations

import json
import os
import re
from dataclasses import replace
from pathlib import Path

import pytest
from junit_schema import read
from prometheus_client.parser import text_string_to_metric_families
from sample_reports import HOSTILE, MEASURES, sample, well
from xmlschema import XMLSchemaValidationError

from wizard import __version__
from wizard.formats import OF_CHECKS, github, junit, nagios, prometheus, show
from wizard.formats import json as json_format
from wizard.formats.blocks import Page
from wizard.formats.check import check_page
from wizard.problems import Exit, Problem
from wizard.records.findings import State
from wizard.records.report import Report, worst

MACHINES = {
    "nagios": nagios,
    "prometheus": prometheus,
    "github": github,
    "junit": junit,
    "json": json_format,
}
GOLDEN = Path(__file__).parent / "golden"


def drawn(format: str, *reports: Report) -> str:
    return str(MACHINES[format].rendered(page(*reports)))


def page(*reports: Report) -> Page:
    one = check_page(reports[0])
    return one if len(reports) == 1 else replace(one, several=reports)


@pytest.mark.parametrize("format", MACHINES)
def test_as_it_was_agreed_on(format: str) -> None:
    """`LSA_GOLDEN=1 pytest` writes them anew; whoever does reads the difference."""
    agreed_on(format, drawn(format, sample()))


def agreed_on(name: str, told: str) -> None:
    told = told.replace(__version__, "VERSION")
    file = GOLDEN / name
    if os.environ.get("LSA_GOLDEN"):
        file.write_text(told, encoding="utf-8")
    assert told == file.read_text(encoding="utf-8")


@pytest.mark.parametrize("format", ["text", "markdown", "html"])
@pytest.mark.parametrize("reports", [(sample(),), (well(),)], ids=["sample", "well"])
def test_as_people_see_it(
    format: str,
    reports: tuple[Report, ...],
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Not in a terminal, where it fits any width; the style sheet is left out."""
    monkeypatch.setenv("COLUMNS", "100")
    show(page(*reports), format)
    told = re.sub(r"(?s)<style>.*?</style>", "<style/>", capfd.readouterr().out)
    agreed_on(f"{format}-{request.node.callspec.id.split('-')[0]}", told)


# Nagios

LABEL = (
    r"'[^'=|]+'=-?\d+(\.\d+)?(s|B|%|c)?;?-?\d*(\.\d+)?;?-?\d*(\.\d+)?;?-?\d*(\.\d+)?;?-?\d*(\.\d+)?"
)
FIRST = re.compile(rf"LANGSMITH AUDIT (OK|WARNING|CRITICAL|UNKNOWN) - [^|]+ \| {LABEL}( {LABEL})*")


@pytest.mark.parametrize("text", ["plain", HOSTILE, "é" * 3000])
def test_nagios_says_what_its_grammar_has(text: str) -> None:
    told = drawn("nagios", sample(text))
    first, *others = told.splitlines()
    assert FIRST.fullmatch(first)
    assert "3 failed" not in first  # two findings of one check, and one that does not count
    assert "1 failed, 1 unknown, 1 warned of 7: LSA821, LSA811, LSA587" in first
    assert "|" not in "".join(others)
    assert not re.search(r"[\x00-\x09\x0b-\x1f\u202e]", told)
    assert len(told.encode()) < 4096


def test_nagios_counts_what_has_no_room() -> None:
    told = drawn("nagios", *(sample(f"{n} " + "x" * 300) for n in range(20)))
    assert len(told.encode()) < 4096
    assert re.fullmatch(r"and \d+ more", told.splitlines()[-1])


def test_nagios_has_the_same_labels_each_time() -> None:
    def labels(report: Report) -> list[str]:
        return re.findall(r"'([^']+)'=", drawn("nagios", report).splitlines()[0])

    assert labels(sample()) == labels(well()) == labels(sample(ended="x"))
    assert "newest_event_age" in labels(well())


@pytest.mark.parametrize(
    ("exit", "code"),
    [(Exit.OK, 0), (Exit.WARNED, 1), (Exit.FAILED, 2)]
    + [(it, 3) for it in Exit if it not in (Exit.OK, Exit.WARNED, Exit.FAILED)],
)  # fmt: skip
def test_nagios_knows_four_codes(exit: Exit, code: int) -> None:
    assert nagios.code_of(exit) == code
    assert nagios.code_of(77) == 3
    word = ("OK", "WARNING", "CRITICAL", "UNKNOWN")[code]
    assert drawn("nagios", sample(exit=exit)).startswith(f"LANGSMITH AUDIT {word} - ")


def test_nagios_names_what_was_looked_at_when_the_time_was_over() -> None:
    told = drawn("nagios", sample(exit=Exit.UNKNOWN, ended="the 30 seconds were over while: x|y"))
    assert "UNKNOWN - the 30 seconds were over while: x/y; 1 failed" in told.splitlines()[0]


# Prometheus


@pytest.mark.parametrize(
    "reports", [[sample()], [sample(HOSTILE)], [sample("a"), sample("b", name="b")]]
)
def test_prometheus_is_read_by_its_own_parser(reports: list[Report]) -> None:
    told = drawn("prometheus", *reports)
    families = {it.name: it for it in text_string_to_metric_families(told)}
    samples = [each for it in families.values() for each in it.samples]
    assert all(each.timestamp is None for each in samples)
    assert "# UNIT" not in told
    assert told.endswith("\n")
    assert all(it.type == "gauge" and it.documentation for it in families.values())
    states = families["langsmith_audit_finding_state"].samples
    for context in {it.labels["context"] for it in states}:
        for id in ("LSA821", "LSA101", "LSA908"):
            mine = [it for it in states if (it.labels["id"], it.labels["context"]) == (id, context)]
            assert {it.labels["state"] for it in mine} == set(State)
            assert sum(it.value for it in mine) == 1
    values = {it.name: it.value for it in samples}
    for name, value in MEASURES.items():
        assert values[f"langsmith_audit_{name}"] == pytest.approx(value, abs=0.001)
    assert {name for it in samples for name in it.labels} <= {
        "version", "name", "context", "namespace", "release", "id", "state"
    }  # fmt: skip
    keys = [(it.name, *sorted(it.labels.items())) for it in samples]
    assert len(set(keys)) == len(keys)


def test_prometheus_file_is_whole_and_for_everybody(tmp_path: Path) -> None:
    file = tmp_path / "a.prom"
    file.write_text("old")
    file.chmod(0o600)
    show(page(well()), "prometheus", file)
    assert file.stat().st_mode & 0o777 == 0o644
    assert file.read_text().startswith("# HELP")
    assert [it.name for it in tmp_path.iterdir()] == ["a.prom"]
    with pytest.raises(Problem) as refused:
        show(page(well()), "prometheus", tmp_path / "none" / "a.prom")
    assert (refused.value.id, refused.value.exit) == ("LSA904", Exit.UNKNOWN)


# GitHub

COMMAND = re.compile(r"::(error|warning|notice) title=[^,:\n]*::[^\n]*")


@pytest.mark.parametrize("text", ["plain", HOSTILE])
def test_github_has_a_command_a_line_and_none_of_others(text: str) -> None:
    lines = drawn("github", sample(text)).splitlines()
    assert all(COMMAND.fullmatch(line) for line in lines)
    assert [line.split()[0] for line in lines] == ["::error"] * 4 + ["::warning"]
    assert lines[1].startswith("::error title=LSA821::subject")
    assert lines[1].count("%0Anext%3A") + lines[1].count("%0Anext: ") == 1


def test_github_shows_the_verdict_and_the_worst_nine() -> None:
    lines = drawn("github", *(sample(str(n)) for n in range(8))).splitlines()
    assert len(lines) == 10
    assert all("::error title=LSA821::langsmith/langsmith, subject" in line for line in lines[1:])
    assert drawn("github", well()).startswith("::notice title=Health check::")


# JUnit


@pytest.mark.parametrize("text", ["plain", HOSTILE])
def test_junit_is_as_its_schema_wants_it(text: str) -> None:
    told = drawn("junit", sample(text, fail_on_warn=True))
    document = read(told)
    assert dict(document.attrib) | {"time": ""} == {
        "name": "langsmith-audit check", "tests": "9", "failures": "3", "errors": "1", "time": "",
    }  # fmt: skip
    outcomes = [case[0].tag for case in document.iter("testcase")]
    assert outcomes == [
        "system-out", "failure", "failure", "error", "failure", "system-out", "skipped", "skipped",
        "skipped",
    ]  # fmt: skip
    for outcome in (*document.iter("failure"), *document.iter("error")):
        assert outcome.get("message") in outcome.text.replace("\r", "")


@pytest.mark.parametrize(
    ("written", "instead"),
    [
        ("<testsuites ", '<testsuites skipped="1" '),
        (r' time="(\d+)\.\d+"', r' time="\1.1234"'),
        ("<system-out>", "<properties/><system-out>"),
        (r'type="LSA\d+"', ""),
        (r'("langsmith.api") name="LSA[^"]*"', r'\1 name="LSA101"'),
    ],
)
def test_junit_that_a_strict_reader_refuses_is_refused(written: str, instead: str) -> None:
    told = drawn("junit", sample())
    read(told)
    broken = re.sub(written, instead, told)
    assert broken != told
    with pytest.raises(XMLSchemaValidationError):
        read(broken)


def test_junit_lets_a_warning_pass_unless_it_counts() -> None:
    document = read(drawn("junit", sample()))
    (case,) = (it for it in document.iter("testcase") if it.get("name").startswith("LSA587"))
    assert case[0].tag == "system-out"
    assert "warn LSA587" in case[0].text


def test_junit_names_are_the_same_whatever_is_found() -> None:
    def names(*reports: Report) -> list[tuple[str, str]]:
        document = read(drawn("junit", *reports))
        return [(it.get("classname"), it.get("name")) for it in document.iter("testcase")]

    first = names(well())
    assert first == names(sample())[:1]
    assert first[0][0] == "langsmith.release"
    several = names(well(), sample("other", name="b"))
    assert len(set(several)) == len(several)


# All


def test_the_worst_of_several_decides() -> None:
    assert worst([Exit.OK, Exit.UNKNOWN, Exit.FAILED]) == Exit.FAILED
    assert worst([Exit.OK, Exit.WARNED, Exit.UNKNOWN]) == Exit.UNKNOWN
    assert worst([Exit.OK, Exit.WARNED]) == Exit.WARNED
    assert worst([Exit.OK]) == Exit.OK
    assert worst([Exit.FAILED, Exit.TERMINATED]) == Exit.TERMINATED


@pytest.mark.parametrize("format", [it for it in OF_CHECKS if it != "text"])
def test_each_format_says_nothing_of_controls_and_goes_into_a_file(
    format: str, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    show(page(sample(HOSTILE)), format)
    shown = capfdbinary.readouterr().out
    show(page(sample(HOSTILE)), format, tmp_path / "it")
    assert (tmp_path / "it").read_bytes() == shown
    assert not re.search(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]", shown)


def test_json_is_for_programs() -> None:
    document = json.loads(drawn("json", sample(HOSTILE)))
    assert document["exit_code"] == 3
    assert [area["name"] for area in document["areas"]] == ["release", "api"]
