"""The terminal's last line: ours, until another program speaks there."""

from __future__ import annotations

import io

import pytest

from wizard.terminal import ERASED, LastLine


def test_nothing_is_drawn_between_a_programs_words_and_its_end(capsys) -> None:
    line = LastLine()
    assert line.draw("⠋ looking")
    line.speak("plugin", "enter ABC: ")
    assert line.draw("⠙ looking")
    line.speak("plugin", "thanks")
    line.end("plugin")
    assert line.draw("")
    told = [ERASED + "⠋ looking", ERASED + "enter ABC: ", "thanks", "\n", ERASED]
    assert capsys.readouterr().err == "".join(told)


def test_a_program_that_said_nothing_or_whole_lines_leaves_nothing_behind(capsys) -> None:
    line = LastLine()
    line.end("quiet")
    line.speak("plugin", "done\n")
    line.speak("other", "me too\n")
    line.end("plugin")
    line.draw("⠋ looking")
    line.end("other")
    assert capsys.readouterr().err == "done\nme too\n"


def test_a_terminal_that_is_gone_is_told_to_who_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    gone = io.StringIO()
    gone.close()
    monkeypatch.setattr("sys.stderr", gone)
    line = LastLine()
    assert not line.draw("⠋ looking")
    line.speak("plugin", "enter ABC: ")
    line.end("plugin")
