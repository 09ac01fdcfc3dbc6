"""The README's picture: screens of a real run of the wizard in a terminal, drawn as one SVG."""

from __future__ import annotations

import html
import re
from pathlib import Path

from pyte.screens import Char
from terminal import CONFIRM, ENTER, SPACE, YES, Terminal, bare

from wizard.practice.cluster import PracticeCluster

FILE = Path(__file__).parent.parent.parent / "templates" / "docs" / "wizard.svg"
COLUMNS = 96
SECONDS = 5
"""How long each screen is shown."""
CELL, LINE = 8.4, 18
COLOURS = {
    "red": "#e5534b", "green": "#57ab5a", "brown": "#c69026", "cyan": "#39c5cf",
    "magenta": "#b083f0", "blue": "#539bf5", "brightblack": "#768390",
}  # fmt: skip
Screen = list[list[Char]]


def recorded(cluster: PracticeCluster) -> list[Screen]:
    """The screens of a whole run: what there is to do, a change, the upgrade, the end."""
    screens: list[Screen] = []

    def keep(terminal: Terminal, since: str) -> None:
        terminal.text()
        rows = [[terminal.screen.buffer[y][x] for x in range(COLUMNS)] for y in range(60)]
        texts = ["".join(cell.data for cell in row).rstrip() for row in rows]
        at = max(n for n, text in enumerate(texts) if since in text)
        last = max(n for n, text in enumerate(texts) if text)
        screens.append(rows[at : last + 1])

    with Terminal(env=bare(cluster), cwd=cluster.home, columns=COLUMNS) as terminal:
        terminal.answer("API key of an organization admin", cluster.api_key + ENTER)
        terminal.answer("Which values file", ENTER)
        terminal.wait_for("For which organizations?")
        terminal.see("Esc back")  # the last words of it
        keep(terminal, "✓ 1 The chart version")
        terminal.send(SPACE + ENTER)
        terminal.wait_for(CONFIRM)
        keep(terminal, "» 2 values file")
        terminal.send(YES)
        terminal.answer(CONFIRM, YES)
        terminal.answer(CONFIRM, YES)
        terminal.answer(CONFIRM, YES)
        terminal.wait_for("Done: audit logs are on, and confirmed.")
        assert terminal.end() == 0
        keep(terminal, "✓ 1 The chart version")
    return screens


def words_of(text: str) -> set[str]:
    """What a picture says, without what differs from run to run."""
    told = html.unescape(re.sub(r"<[^>]+>", "\n", text))
    told = re.sub(r"/\S+/(?=values\.yaml|runs)", "", told)
    told = re.sub(r"\b\d{8}T\d{6}Z-\w+|\d+(?:[.:]\d+)*", "#", told)
    return {word for word in re.findall(r"[A-Za-z_-]{4,}", told) if not word.startswith("lsa-")}


def svg(screens: list[Screen]) -> str:
    """All screens, one after the other; the last one where nothing may move."""
    height = max(map(len, screens)) * LINE + 16
    width = round(COLUMNS * CELL) + 20
    whole = SECONDS * len(screens)
    share = 100 / len(screens)
    groups = "".join(
        f'<g class="s" style="animation-delay:{n * SECONDS}s">{_drawn(screen)}</g>\n'
        for n, screen in enumerate(screens)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" '
        f'aria-label="The wizard: what there is to do, a change, and the end">\n<style>\n'
        f"text{{font:14px ui-monospace,Menlo,Consolas,monospace;fill:#cdd9e5;white-space:pre}}\n"
        f".s{{visibility:hidden;animation:show {whole}s step-end infinite}}\n"
        f"@keyframes show{{0%{{visibility:visible}}{share:g}%{{visibility:hidden}}}}\n"
        "@media (prefers-reduced-motion:reduce){.s{animation:none}"
        ".s:last-of-type{visibility:visible}}\n</style>\n"
        f'<rect width="{width}" height="{height}" rx="8" fill="#1c2128"/>\n{groups}</svg>\n'
    )


def _drawn(screen: Screen) -> str:
    lines = []
    for number, row in enumerate(screen):
        runs: list[tuple[str, str]] = []
        for cell in row:
            look = _look(cell)
            if runs and runs[-1][0] == look:
                runs[-1] = (look, runs[-1][1] + cell.data)
            else:
                runs.append((look, cell.data))
        while runs and not runs[-1][1].strip():
            runs.pop()
        spans = "".join(f"<tspan{look}>{html.escape(text)}</tspan>" for look, text in runs)
        if spans:
            y = 22 + number * LINE
            lines.append(f'<text x="10" y="{y}" xml:space="preserve">{spans}</text>')
    return "".join(lines)


def _look(cell: Char) -> str:
    colour = COLOURS.get(cell.fg, "")
    bold = ' font-weight="bold"' if cell.bold else ""
    return (f' fill="{colour}"' if colour else "") + bold


def record(cluster: PracticeCluster) -> None:
    """Write the picture."""
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text(svg(recorded(cluster)), encoding="utf-8")
