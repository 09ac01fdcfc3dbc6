"""Pictures of a report as inline SVG: no script, no request, readable on a phone and on paper.

Colours are the page's own variables, so that they follow the light and the dark.
"""

from __future__ import annotations

import html
from collections.abc import Iterator, Sequence

from wizard.records.activity import Activity
from wizard.records.history import Seen
from wizard.safe import safe

WIDE, HIGH = 720, 210
LEFT, ABOVE, BELOW = 64, 18, 28
"""Room for the numbers and the hours."""
NAMED = 5
"""Operations that have a colour of their own; the rest is one."""
SHOWN = 60
"""Checks that are shown."""
OTHERS = "others"
BAD = ("fail", "unknown", "warn")


def by_hour(activity: Activity) -> str:
    """The events of a day: a bar an hour, a colour an operation."""
    total = activity.total
    named = [name for name, _ in total.most_common(NAMED)]
    names = [*named, OTHERS] if len(total) > len(named) else named
    columns = []
    for counts in activity.counts:
        own = [counts.get(name, 0) for name in named]
        columns.append([*own, sum(counts.values()) - sum(own)] if OTHERS in names else own)
    labels = [f"{hour:%H}" if hour.hour % 6 == 0 else "" for hour in activity.hours]
    more = " (some hours had more than were counted)" if activity.cut else ""
    first, last = activity.hours[0], activity.hours[-1]
    told = (
        f"{sum(total.values()):,} events by hour, {first:%Y-%m-%d %H:%M} to {last:%H}:59 UTC{more}"
    )
    counted = map(sum, zip(*columns, strict=True))
    legend = "".join(
        f'<li><i class="k{at}"></i>{_words(name)} <b>{number:,}</b></li>'
        for at, (name, number) in enumerate(zip(names, counted, strict=True))
    )
    titles = [f"{hour:%Y-%m-%d %H:%M} UTC" for hour in activity.hours]
    return _figure(told, _bars(columns, labels, titles, names), legend)


def over_time(checks: Sequence[Seen]) -> str:
    """Earlier checks: a bar each, of how many findings were not well."""
    shown = checks[-SHOWN:]
    columns = [[it.counts.get(state, 0) for state in BAD] for it in shown]
    titles = [
        f"{it.at.replace('T', ' ').replace('+00:00', ' UTC')}, exit {it.exit}" for it in shown
    ]
    labels = [it.at[5:10] if at in (0, len(shown) - 1) else "" for at, it in enumerate(shown)]
    legend = "".join(f'<li><i class="{it}"></i>{it}</li>' for it in BAD)
    told = f"Findings that were not well, in the last {len(shown)} checks"
    return _figure(told, _bars(columns, labels, titles, BAD, kinds=BAD), legend)


def _bars(
    columns: Sequence[Sequence[int]],
    labels: Sequence[str],
    titles: Sequence[str],
    names: Sequence[str],
    kinds: Sequence[str] = (),
) -> Iterator[str]:
    """Stacked bars over an axis with its greatest number."""
    most = max((sum(it) for it in columns), default=0) or 1
    width = (WIDE - LEFT) / max(len(columns), 1)
    yield f'<line x1="{LEFT}" y1="{HIGH}" x2="{WIDE}" y2="{HIGH}"/>'
    yield f'<line x1="{LEFT}" y1="{ABOVE}" x2="{WIDE}" y2="{ABOVE}" class="grid"/>'
    yield f'<text x="{LEFT - 6}" y="{ABOVE + 6}" text-anchor="end">{most:,}</text>'
    yield f'<text x="{LEFT - 6}" y="{HIGH}" text-anchor="end">0</text>'
    for at, (column, label) in enumerate(zip(columns, labels, strict=True)):
        x, y = LEFT + at * width, float(HIGH)
        told = [f"{name} {n:,}" for name, n in zip(names, column, strict=True) if n]
        yield f"<g><title>{_words(titles[at])}: {_words(', '.join(told) or 'none')}</title>"
        for number, value in enumerate(column):
            high = value / most * (HIGH - ABOVE)
            y -= high
            kind = kinds[number] if kinds else f"k{number}"
            if value:
                yield (
                    f'<rect x="{x + width * 0.1:.1f}" y="{y:.1f}" width="{width * 0.8:.1f}" '
                    f'height="{high:.1f}" class="{kind}"/>'
                )
        yield "</g>"
        if label:
            end = at == len(columns) - 1 and at
            place = f'x="{WIDE}" text-anchor="end"' if end else f'x="{x:.1f}"'
            yield f'<text {place} y="{HIGH + BELOW - 6}">{_words(label)}</text>'


def _figure(told: str, drawn: Iterator[str], legend: str) -> str:
    box = f"0 0 {WIDE} {HIGH + BELOW}"
    return (
        f'<figure><figcaption>{_words(told)}</figcaption><svg viewBox="{box}" role="img" '
        f'aria-label="{_words(told)}">{"".join(drawn)}</svg>'
        f'<ul class="legend">{legend}</ul></figure>'
    )


def _words(text: str) -> str:
    return html.escape(safe(text))
