"""The catalogue of findings as HTML: a page for each, and one that lists them all.

No script, nothing from elsewhere; each page stands for itself, so that a search finds `LSA812`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from wizard.formats.html import element, words
from wizard.problems import Entry
from wizard.resources import template

AREAS = {
    "1": "helm and the release",
    "2": "the cluster",
    "3": "values files",
    "4": "the upgrade",
    "5": "the database and the organizations",
    "6": "the rollout",
    "7": "audit_logs",
    "8": "the API",
    "9": "this tool",
}
"""What a finding is about, by the hundred of its number."""


def pages(entries: Mapping[str, Entry]) -> Iterator[tuple[str, str]]:
    """Every page with the name of its file, the list first."""
    yield "index.html", index(entries)
    for entry in entries.values():
        yield f"{entry.id}.html", page(entry)


def index(entries: Mapping[str, Entry], link: str = "{}.html") -> str:
    """All findings by what they are about; `link` is where each leads to."""
    body = ""
    for digit, area in AREAS.items():
        found = [it for it in entries.values() if it.id[3] == digit]
        lines = "".join(
            element("li", f'<a href="{link.format(it.id)}">{it.id}</a> {words(it.title)}')
            for it in found
        )
        body += (
            element("h2", f"LSA{digit}xx: {words(area)}") + element("ul", lines) if found else ""
        )
    return _whole("Findings of langsmith-audit", body)


def page(entry: Entry) -> str:
    """One finding."""
    return _whole(f"{entry.id} {entry.title}", _about(entry))


def whole(entries: Mapping[str, Entry]) -> str:
    """All of it in one file: the list, and below it each finding."""
    each = "".join(
        f'<section id="{it.id}">{element("h2", f"{it.id} {words(it.title)}")}{_about(it)}</section>'
        for it in entries.values()
    )
    return index(entries, "#{}").replace("</main>", each + "</main>")


def _about(entry: Entry) -> str:
    return (
        element("p", words(entry.meaning))
        + element("h3", "What to do next")
        + element("p", words(entry.next_step))
        + element("p", f"Source: {words(entry.source)}", "small")
        + element("p", element("code", f"langsmith-audit explain {entry.id}"), "small")
    )


def _whole(title: str, body: str) -> str:
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        f"<title>{words(title)}</title>\n<style>\n{template('report/report.css')}\n</style>\n"
        f"</head>\n<body>\n<header>\n{element('p', 'langsmith-audit', 'kind')}\n"
        f"{element('h1', words(title))}\n</header>\n<main>\n{body}\n</main>\n</body>\n</html>\n"
    )
