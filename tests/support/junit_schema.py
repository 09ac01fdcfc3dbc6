"""JUnit's XML, held against the strict schema beside this file."""

from functools import cache
from pathlib import Path
from xml.etree import ElementTree as ET

from xmlschema import XMLSchema


@cache
def schema() -> XMLSchema:
    return XMLSchema(Path(__file__).with_name("junit.xsd"))


def read(document: str) -> ET.Element:
    """The document, once it is as the schema wants it."""
    schema().validate(document)
    root = ET.fromstring(document)
    assert root.tag == "testsuites"
    return root
