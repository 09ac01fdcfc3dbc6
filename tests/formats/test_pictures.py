"""The pictures of a report: right in their sums, whole as XML, and nothing that asks or runs."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
from collections import Counter
from datetime import timedelta
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from sample_reports import AT, HOSTILE, sample

from wizard.formats import show
from wizard.formats.check import check_page
from wizard.formats.pictures import HIGH, NAMED, by_hour, over_time
from wizard.records.activity import Activity
from wizard.records.history import Seen

HOURS = tuple(AT.replace(minute=0, second=0) - timedelta(hours=n) for n in range(23, -1, -1))


def day(*names: str) -> Activity:
    counts = tuple(Counter({it: n % (at + 2) for at, it in enumerate(names)}) for n in range(24))
    return Activity(HOURS, counts)


def seen(n: int) -> Seen:
    at = (AT + timedelta(days=n)).isoformat()
    return Seen(at, 3 if n % 2 else 0, {"fail": n % 2, "warn": 1, "pass": 40}, {})


def bars(picture: str) -> list[dict[str, float]]:
    """The height of each bar's parts, by their kind."""
    svg = ET.fromstring(picture).find("svg")
    assert svg is not None
    return [
        {str(it.get("class")): float(it.get("height") or 0) for it in group.iter("rect")}
        for group in svg.iter("g")
    ]


def test_each_hour_is_as_high_as_it_has_events() -> None:
    activity = day("a", "b", "c")
    heights = [sum(it.values()) for it in bars(by_hour(activity))]
    events = [sum(it.values()) for it in activity.counts]
    assert len(heights) == 24
    most = max(events)
    for height, number in zip(heights, events, strict=True):
        assert height == pytest.approx(number / most * max(heights), abs=0.3)
    assert max(heights) < HIGH
    assert f"{sum(events):,} events by hour, 2026-08-30 06:00 to 05:59 UTC" in by_hour(activity)


def test_many_operations_are_the_most_and_the_others() -> None:
    activity = day(*(f"op{n}" for n in range(12)))
    picture = by_hour(activity)
    legend = re.findall(r"<li><i class=\"(k\d)\"></i>(\w+) <b>([\d,]+)</b></li>", picture)
    assert [kind for kind, _, _ in legend] == [f"k{n}" for n in range(NAMED + 1)]
    assert legend[-1][1] == "others"
    assert sum(int(it.replace(",", "")) for _, _, it in legend) == sum(activity.total.values())
    assert "more than were counted" not in picture
    assert "more than were counted" in by_hour(Activity(HOURS, activity.counts, cut=True))


def test_an_empty_day_and_one_check_are_drawn() -> None:
    empty = Activity(HOURS, tuple(Counter[str]() for _ in HOURS))
    assert all(not it for it in bars(by_hour(empty)))
    assert "0 events by hour" in by_hour(empty)
    assert len(bars(over_time([seen(1)]))) == 1


def test_checks_are_bars_of_what_was_not_well() -> None:
    found = bars(over_time([seen(n) for n in range(80)]))
    assert len(found) == 60
    assert [set(it) for it in found[-2:]] == [{"warn"}, {"fail", "warn"}]


def test_foreign_names_stay_text() -> None:
    for picture in (by_hour(day(HOSTILE, '"><script>x</script>')), over_time([seen(1), seen(2)])):
        ET.fromstring(picture.replace("\ufffe", ""))  # HTML takes it, XML does not
        assert "<script" not in picture
        assert not re.search(r"[\x00-\x08\x0b-\x1f]", picture)
        assert not re.search(r"(href|src|url\(|http)", picture)


@pytest.fixture
def page(tmp_path: Path) -> Path:
    show(
        check_page(sample(HOSTILE), day=day("create_role", HOSTILE), checks=[seen(1), seen(2)]),
        "html",
        tmp_path / "page.html",
    )
    return tmp_path / "page.html"


def test_no_request_leaves_the_page(page: Path) -> None:
    text = page.read_text()
    assert text.count("<svg ") == 2
    assert "default-src 'none'" in text
    assert not re.search(r"<(script|img|link|iframe|object|embed)\b", text)
    assert not re.search(r"(src|href)=\"(?!#)", text)
    assert "suppressed, until 2026-12-31: reason" in text


def test_chromium_opens_it_without_a_word(page: Path, tmp_path: Path) -> None:
    browser = shutil.which("chromium")
    if not browser:
        pytest.skip("there is no chromium (Debian's package)")
    for width in (1200, 500):  # headless windows are not narrower
        shot = tmp_path / f"{width}.png"
        answer = subprocess.run(
            [browser, "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr",
             f"--user-data-dir={tmp_path / 'profile'}", f"--window-size={width},1400",
             f"--screenshot={shot}", page.as_uri()],
            capture_output=True, text=True, timeout=120,
        )  # fmt: skip
        assert "CONSOLE" not in answer.stderr, answer.stderr
        assert shot.stat().st_size > 10_000


def test_a_check_draws_what_the_api_gives_and_measures_it(cluster, run, tmp_path: Path) -> None:
    assert run("run", "--yes", "--all").returncode == 0
    answer = run("check", "--format", "html", "--output", str(tmp_path / "it"))
    assert answer.returncode == 0, answer.stderr
    text = (tmp_path / "it").read_text()
    told = re.search(r"([\d,]+) events by hour", text)
    assert told
    with cluster.connect() as database:
        counted = database.execute(
            "SELECT count(*) FROM audit_logs WHERE organization_id = %s "
            "AND request_time >= date_trunc('hour', now()) - interval '23 hours'",
            ("3f1c2b8e-5a47-4d0c-9c3e-7b1f64a2d905",),
        ).fetchone()
    assert told[1] == str(counted[0])
    document = json.loads(run("check", "--format", "json").stdout)
    newest = document["measures"]["newest_event_timestamp_seconds"]
    assert 0 <= time.time() - newest < 86_400 * 30
