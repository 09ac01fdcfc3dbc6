"""The catalogue of findings as pages."""

import re
from html import escape

from wizard.cli import main
from wizard.formats.catalogue import AREAS
from wizard.problems import catalogue


def test_there_is_a_page_for_each_finding_and_one_that_lists_them(tmp_path, capsys) -> None:
    assert main(["explain", "--output", str(tmp_path / "pages")]) == 0
    written = {path.stem: path.read_text() for path in (tmp_path / "pages").iterdir()}
    assert written.keys() == {"index", *catalogue()}
    assert set(re.findall(r'href="(LSA\d+)\.html"', written["index"])) == catalogue().keys()
    assert {id[3] for id in catalogue()} <= AREAS.keys()
    for id, entry in catalogue().items():
        assert f"<title>{id} " in written[id]
        assert "What to do next" in written[id]
        assert "<script" not in written[id]
        assert escape(entry.meaning.split()[0]) in written[id]
    assert main(["explain", "LSA812", "--format", "html"]) == 0
    assert capsys.readouterr().out == written["LSA812"]


def test_all_of_it_is_one_page_that_leads_to_each(capsys) -> None:
    assert main(["explain", "-o", "html"]) == 0
    told = capsys.readouterr().out
    assert set(re.findall(r'href="#(LSA\d+)"', told)) == set(re.findall(r'id="(LSA\d+)"', told))
    assert told.count("<h3>") == len(catalogue())


def test_a_folder_that_cannot_be_written_is_told(tmp_path, capsys) -> None:
    (tmp_path / "file").touch()
    assert main(["explain", "--output", str(tmp_path / "file" / "x")]) == 2
    assert "LSA904" in capsys.readouterr().err
