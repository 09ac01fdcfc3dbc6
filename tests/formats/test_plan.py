"""A plan and a check in every format, with foreign text that wants to be more than text."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import pytest
from leftovers import secrets_of, started, told_secrets
from plans import change, written
from terminal import Terminal

from wizard.cli import main
from wizard.formats import FORMATS, show
from wizard.formats.blocks import View
from wizard.formats.check import check_page
from wizard.problems import Exit
from wizard.records.findings import Finding, State
from wizard.records.report import Area, Report
from wizard.systems.values.diff import keys_only

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "a | b `c` **d** [e](https://x.example) _f_ @all ~g~",
    "\x1b[31mred\x07\u202egnp.exe\u2028next",
    "```\nnot code any more\n# Approved",
    "&lt;b&gt; $title ${style} {0} %s",
)


@pytest.fixture(scope="module")
def planned(shared_cluster) -> tuple[dict, dict[str, str]]:
    """A plan of the practice cluster, with the secrets that must not be in it."""
    cluster, snapshot = shared_cluster
    cluster.restore(snapshot)
    answer = started(cluster, ("plan", "--all", "--format", "json"))
    assert answer.returncode == 0, answer.stderr
    return json.loads(answer.stdout), secrets_of(cluster)


@pytest.fixture(scope="module")
def hostile(planned) -> dict:
    """The same plan with hostile text wherever a plan has foreign text."""
    text = "\n".join(HOSTILE)

    def edit(document: dict) -> None:
        document |= {"ticket": text, "reason": text}
        document["target"] |= {"context": text, "unread": [text]}
        document["inputs"]["answers"].append({"name": text, "value": text, "origin": text})
        document["created"] |= {"by": text}
        for step in document["steps"]:
            for finding in step["findings"]:
                finding |= {"subject": text, "message": text, "evidence": [text, *HOSTILE]}
            if step["change"]:
                step["change"] |= {"items": [text], "details": [text, *HOSTILE], "undo": text}
                for exact in step["change"]["exact"]:
                    exact |= {"text": text, "parameters": [text]}
                step["change"]["preconditions"].append({"name": text, "value": text, "after": ""})

    return change(planned[0], edit)


def shown(document: dict, path: Path, face: str, capfdbinary) -> str:
    assert main(["show", str(written(document, path)), "--format", face]) == 0
    return capfdbinary.readouterr().out.decode()


@pytest.mark.parametrize("face", FORMATS)
def test_every_face_tells_all_that_matters_and_no_secret(
    planned, tmp_path, face, capfdbinary
) -> None:
    document, secrets = planned
    text = shown(document, tmp_path / "p", face, capfdbinary)
    for words in (
        document["id"][:12], document["expires_at"][:10], "0.12.33", "AUDIT_LOGS_ENABLED",
        "helm upgrade langsmith langchain/langsmith", "UPDATE public.organizations",
        "Meridian Freight", "rollout restart", document["target"]["cluster_uid"],
        "pod template of Deployment langsmith-backend", "the prior state of each row",
    ):  # fmt: skip
        assert words in text, words
    assert ("after step 3" in text) == (face not in ("json", "yaml"))
    assert told_secrets(secrets, [text]) == set()


def test_in_a_terminal_it_is_some_twenty_lines_and_ends_with_what_to_type(
    planned, tmp_path
) -> None:
    document, secrets = planned
    path = written(document, tmp_path / "plan.json")
    id = document["id"][:12]
    with Terminal("show", str(path), env=dict(os.environ), columns=120) as terminal:
        terminal.wait_for("--approve ")
        assert terminal.end() == 0
        text = terminal.text().strip()
    assert len(text.splitlines()) <= 26
    words = (
        f"Change plan {id} for release langsmith",
        "5 changes in 4 steps, 2 rollouts",
        "· can be",
    )
    assert [it for it in words if it not in text] == []
    last = text.replace("\n", "")
    assert f"show {path} --details" in last
    assert last.endswith(f"langsmith-audit apply {path} --approve {id}")
    assert told_secrets(secrets, [text]) == set()
    with Terminal("show", str(path), "--details", env=dict(os.environ)) as terminal:
        terminal.wait_for("rests on")
        assert terminal.end() == 0


class Page(HTMLParser):
    """The tags and attributes of a page, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[tuple[str, str]] = set()
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {(name, value or "") for name, value in attrs}

    def handle_data(self, data: str) -> None:
        self.text += data


def test_html_holds_text_as_text_and_nothing_from_elsewhere(hostile, tmp_path, capfdbinary) -> None:
    text = shown(hostile, tmp_path / "p", "html", capfdbinary)
    page = Page(text)
    assert not page.tags & {"script", "img", "iframe", "link", "object", "form", "base"}
    assert not [name for name, _ in page.attributes if name.startswith("on") or name == "src"]
    assert all(value.startswith("#") for name, value in page.attributes if name == "href")
    assert HOSTILE[0] in page.text
    assert HOSTILE[1] in page.text
    assert HOSTILE[5] in page.text
    assert "url(" not in text
    assert "@import" not in text
    assert "default-src 'none'" in text


@pytest.mark.parametrize("face", FORMATS)
def test_no_face_lets_control_characters_through(hostile, tmp_path, face, capfdbinary) -> None:
    text = shown(hostile, tmp_path / "p", face, capfdbinary)
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e]", text)


def test_markdown_holds_text_as_text(hostile, tmp_path, capfdbinary) -> None:
    text = shown(hostile, tmp_path / "p", "markdown", capfdbinary)
    fence, outside = "", []
    for line in text.split("\n"):
        match = re.match(r"(`{3,})(\w*)$", line)
        if match and not fence:
            fence = match[1]
        elif fence and line == fence:
            fence = ""
        elif not fence:
            outside.append(line)
    assert fence == ""
    told = "\n".join(outside)
    assert "<script" not in told
    assert "<img" not in told
    assert "@all" not in told
    assert not re.search(r"(?<!\\)\]\(", told)
    assert "# Approved" not in outside
    for line in outside:
        if line.startswith("|"):
            assert len(re.findall(r"(?<!\\)\|", line)) == 3, line


def test_a_plan_opens_in_a_browser_without_a_word_of_complaint(
    hostile, tmp_path, capfdbinary
) -> None:
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if not browser:
        pytest.skip("there is no Chromium")
    page = tmp_path / "plan.html"
    page.write_text(shown(hostile, tmp_path / "p", "html", capfdbinary))
    done = subprocess.run(
        [browser, "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom",
         f"--user-data-dir={tmp_path / 'profile'}", page.as_uri()],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert "It rests on" in done.stdout
    assert "CONSOLE" not in done.stderr


@pytest.mark.parametrize("face", FORMATS)
def test_a_check_tells_every_finding_in_every_format(face, capfdbinary) -> None:
    text = "\n".join(HOSTILE)
    found = tuple(
        Finding(f"LSA10{at}", state, f"object {at}", text, (f"evidence {at}",), f"do {at}")
        for at, state in enumerate(State)
    )
    areas = (Area("one", "The first area", found[:3]), Area("two", "The second area", found[3:]))
    target = {"api_server": "https://x.example"}
    report = Report(target, areas, Exit.FAILED, datetime(2026, 11, 1, tzinfo=UTC), 0.4)
    show(check_page(report, View(frozenset(State))), face)
    out = capfdbinary.readouterr().out.decode()
    assert "a check failed" in out.lower()
    out = out[out.index("The first area") :]
    places = [out.index(word) for it in found for word in (it.id, it.evidence[0], it.next_step)]
    assert places == sorted(places)
    assert out.index("The first area") < out.index("LSA102") < out.index("LSA103")
    assert HOSTILE[0] not in out or face in ("text", "json", "yaml")
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e]", out)


def test_a_diff_tells_keys_and_not_the_values_of_others() -> None:
    diff = (
        "--- a/values.yaml\n+++ b/values.yaml\n@@ -1,9 +1,11 @@\n"
        " config:\n   apiKeySalt: abc\n   plain: hunter2 # why\n     - name: PASSWORD_OF\n"
        '       value: "hunter2"\n       enabled: true\n     - hunter2\n   text: |\n'
        "     hunter2 in a text\n"
        '-    extraEnv: [{name: X, value: hunter2}]\n+      - name: X\n+        value: "hunter2"\n'
        '+      - name: AUDIT_LOGS_ENABLED\n+        value: "true"\n'
    )
    told = keys_only(diff)
    assert "hunter2" not in told
    assert "abc" not in told
    for kept in ("   plain: ***", "- name: PASSWORD_OF", "enabled: true", "   text: |",
                 '+        value: "true"', "@@ -1,9 +1,11 @@"):  # fmt: skip
        assert kept in told, told
    assert told.count("\n") == diff.count("\n")
