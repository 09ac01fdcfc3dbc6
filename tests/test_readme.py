"""The README and its pages: each command is one that the program takes, the recipes run, and what
is generated is what it would be now."""

import re
import shlex
from pathlib import Path

import pytest
from pages import DOCS

from wizard.cli import COMMANDS, parser_of
from wizard.problems import Exit

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = [ROOT / "README.md", *sorted(DOCS.glob("*.md"))]
WHOLE = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
BLOCKS = re.findall(r"^```\n(.*?)^```", WHOLE, re.MULTILINE | re.DOTALL)
LINES = [
    line.partition("  #")[0].removeprefix("$ ").strip()
    for block in BLOCKS
    for line in re.sub(r"\\\n\s*", "", block).splitlines()
    if re.match(r"(\$ )?langsmith-audit\b", line)
]


def words_of(line: str) -> list[str]:
    """The command's own words: what stands for others is left out, and what a shell does."""
    words = shlex.split(line)[1:]
    for end in ("|", ">", ">>", "2>", "&&", ";"):
        words = words[: words.index(end)] if end in words else words
    words = [word for word in words if word != "…"]
    return words if words and words[0] in COMMANDS else ["run", *words]


@pytest.mark.parametrize("line", dict.fromkeys(LINES))
def test_each_command_is_one_that_the_program_takes(line: str) -> None:
    name, *words = words_of(line)
    parser_of(name).parse_args(words)


def test_every_command_is_named_in_it() -> None:
    assert [name for name in COMMANDS if f"langsmith-audit {name}" not in WHOLE] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda it: it.name)
def test_every_page_that_it_leads_to_is_there(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", it).lower().replace(" ", "-") for it in headings}
    for target in re.findall(r"\]\(([^)]+)\)", text):
        if target.startswith("#"):
            assert target[1:] in anchors, target
        elif not target.startswith("http"):
            assert (page.parent / target).exists(), target


def test_the_readme_is_short_and_leads_to_every_page() -> None:
    assert len(README.encode()) < 10_000
    assert [it.name for it in PAGES[1:] if f"templates/docs/{it.name}" not in README] == []


def test_the_exit_codes_are_told() -> None:
    told = re.findall(r"^\| ([\d, ]+) \|", (DOCS / "exit-codes.md").read_text(), re.MULTILINE)
    assert sorted(int(it) for cell in told for it in cell.split(", ")) == sorted(map(int, Exit))


def test_the_recipes_run(cluster, run, tmp_path) -> None:
    recipes = README.partition("## Four recipes")[2].partition("## Safety")[0]
    lines = [it for it in LINES if it in recipes]
    ran = set()
    for line in dict.fromkeys(lines):
        name, *words = words_of(line)
        if name == "run" and "--yes" not in words:
            continue  # asks: the tests of the terminal run it
        words = [str(tmp_path / it) if it == "plan.json" else it for it in words]
        words = [str(cluster.values) if it == "values.yaml" else it for it in words]
        if name == "apply":
            words = [*words[:1], "--yes"]
        answer = run(name, *words)
        assert answer.returncode == 0 or (name, answer.returncode) == ("check", 3), answer.stderr
        ran.add(name)
        if name == "run":  # so that there is something to plan
            assert run("undo", "--yes").returncode == 0
    assert ran == {"run", "plan", "show", "apply", "check", "cronjob", "events"}
