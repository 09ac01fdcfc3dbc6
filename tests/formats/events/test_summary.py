"""A summary in every format; one HTML file without script, with what foreign names hold escaped."""

import json

import pytest

from wizard.formats import show
from wizard.formats.events.summary import FORMATS, SHOWN, summary_page

GROUPS = {
    "operation": [(f"op<{number}>\x1b", 100 - number) for number in range(30)],
    "status": [("Success", 1000), ("Failure", 0)],
}
PAGE = summary_page("1,000 events", [("range", "a to b")], GROUPS, "chart x", [("Tags", "7")])


@pytest.mark.parametrize("format", FORMATS.values())
def test_every_format(capfdbinary, format: str) -> None:
    show(PAGE, format)
    text = capfdbinary.readouterr().out.decode()
    assert "1,000" in text or format == "json"
    assert "\x1b" not in text
    if format == "json":
        document = json.loads(text)
        assert document["groups"][0]["counts"][3] == {"name": "op<3>\x1b", "events": 97}
        assert len(document["groups"][0]["counts"]) == 30
    else:
        assert f"{30 - SHOWN} others" in text
        assert "Tags" in text
    if format == "html":
        assert '<meter min="0" max="1170" value="100">' in text
        assert "op&lt;0&gt;" in text
        assert "<script" not in text
