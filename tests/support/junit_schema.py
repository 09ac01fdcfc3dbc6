"""JUnit's XML as the xunit plugin's junit-10 schema takes it, and no wider than we write it."""

import re
from xml.etree import ElementTree as ET

SECONDS = r"[0-9]+\.[0-9]{3}"
COUNT = "[0-9]+"
TEXT = r"[\s\S]+"
ATTRIBUTES = {
    "testsuites": {
        "name": TEXT, "tests": COUNT, "failures": COUNT, "errors": COUNT, "time": SECONDS
    },  # no skipped
    "testsuite": {
        "name": TEXT, "tests": COUNT, "failures": COUNT, "errors": COUNT, "skipped": COUNT,
        "time": SECONDS, "timestamp": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d",
    },
    "testcase": {"name": TEXT, "classname": TEXT, "time": SECONDS},  # no properties within
    "failure": {"message": TEXT, "type": r"LSA\d{3}"},
    "error": {"message": TEXT, "type": r"LSA\d{3}"},
    "skipped": {"message": TEXT},
    "system-out": {},
}  # fmt: skip
CHILDREN = {
    "testsuites": {"testsuite"},
    "testsuite": {"testcase"},
    "testcase": {"failure", "error", "skipped", "system-out"},
}


def read(document: str) -> ET.Element:
    """The document, once it is as the schema wants it."""
    root = ET.fromstring(document)
    assert root.tag == "testsuites"
    _valid(root)
    cases = [(it.get("classname"), it.get("name")) for it in root.iter("testcase")]
    assert len(set(cases)) == len(cases)
    return root


def _valid(element: ET.Element) -> None:
    wanted = ATTRIBUTES[element.tag]
    assert element.attrib.keys() == wanted.keys(), element.tag
    for name, value in element.attrib.items():
        assert re.fullmatch(wanted[name], value), (element.tag, name, value)
    tags = [child.tag for child in element]
    assert set(tags) <= CHILDREN.get(element.tag, set())
    assert element.tag != "testcase" or len(tags) == 1
    if element.tag in CHILDREN and element.tag != "testcase":
        assert not (element.text or "").strip()
    for child in element:
        assert not (child.tail or "").strip()
        _valid(child)
