"""ruamel.yaml's own pure parser, with its bookkeeping in constant time.

The reader, the scanner and the parser are ruamel.yaml's; what is replaced here are the properties
that look their partner up at every character, the marks, and the list of possible simple keys,
which ruamel.yaml walks through at every token; blanks, comments and simple keys are scanned at
once instead of character by character. The events are the same; a test compares them. One thing
is read that ruamel.yaml refuses, though both versions of YAML and helm allow it: a tab as a blank,
within a line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cached_property
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.parser import Parser
from ruamel.yaml.reader import Reader
from ruamel.yaml.scanner import Scanner, ScannerError
from ruamel.yaml.tokens import ScalarToken

_KEY_LENGTH = 1024
_BLANK = re.compile(r"[ \t]*(?:#[^\0\n\r\x85]*)?")
_BLANK_AT_START = re.compile(r"(?: [ \t]*)?(?:#[^\0\n\r\x85]*)?")
_TABS = re.compile(r" *\t[ \t]*")
_SIMPLE_KEY = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./-]*(?=:[ \n\r])")


class Mark:
    """A place in the text, without a copy of it."""

    __slots__ = ("column", "index", "line", "name")

    def __init__(self, index: int, line: int, column: int) -> None:
        self.name = "values"
        self.index = index
        self.line = line
        self.column = column


class _Reader(Reader):
    def get_mark(self) -> Mark:
        return Mark(self.index, self.line, self.column)

    def forward(self, length: int = 1) -> None:
        passed = self.buffer[self.pointer : self.pointer + length]
        breaks = "\n" in passed or "\r" in passed or "\ufeff" in passed
        if breaks or len(passed) < length:
            super().forward(length)
            return
        self.pointer += length
        self.index += length
        self.column += length


class _Scanner(Scanner):
    @cached_property
    def reader(self) -> Any:
        return self.loader.reader

    def check_token(self, *choices: Any) -> bool:
        tokens = self.tokens
        if not tokens or self.possible_simple_keys:
            while self.need_more_tokens():
                self.fetch_more_tokens()
        return bool(tokens) and (not choices or isinstance(tokens[0], choices))

    def need_more_tokens(self) -> bool:
        if self.done:
            return False
        if not self.tokens:
            return True
        if not self.possible_simple_keys:
            return False
        self.stale_possible_simple_keys()
        return bool(self.next_possible_simple_key() == self.tokens_taken)

    def next_possible_simple_key(self) -> Any:
        """The number of the first one; they are saved in the order of their tokens."""
        for key in self.possible_simple_keys.values():
            return key.token_number
        return None

    def stale_possible_simple_keys(self) -> None:
        """Drop the ones that are too old; an older one is always before a younger one."""
        while self.possible_simple_keys:
            level, key = next(iter(self.possible_simple_keys.items()))
            if key.line == self.reader.line and self.reader.index - key.index <= _KEY_LENGTH:
                return
            if key.required:
                raise ScannerError(
                    "while scanning a simple key",
                    key.mark,
                    "could not find expected ':'",
                    self.reader.get_mark(),
                )
            del self.possible_simple_keys[level]

    def scan_to_next_token(self) -> None:
        reader = self.reader
        if reader.index == 0 and reader.peek() == "\ufeff":
            reader.forward()
        while True:
            indents = reader.column == 0 and not self.flow_context
            blank = _BLANK_AT_START if indents else _BLANK
            found = blank.match(reader.buffer, reader.pointer)
            if found is not None and found.end() > reader.pointer:
                reader.forward(found.end() - reader.pointer)
            if not self.scan_line_break():
                return
            if not self.flow_context:
                self.allow_simple_key = True

    def scan_plain(self) -> Any:
        """A simple key at once; every other plain scalar as ruamel.yaml does."""
        reader = self.reader
        found = _SIMPLE_KEY.match(reader.buffer, reader.pointer)
        if found is None:
            return super().scan_plain()
        start = reader.get_mark()
        self.allow_simple_key = False
        reader.forward(found.end() - reader.pointer)
        return ScalarToken(found.group(), True, start, reader.get_mark())  # noqa: FBT003

    def scan_plain_spaces(self, indent: Any, start_mark: Any) -> Any:
        reader = self.reader
        found = _TABS.match(reader.buffer, reader.pointer)
        if found is None:
            return super().scan_plain_spaces(indent, start_mark)
        reader.forward(found.end() - reader.pointer)
        if reader.peek() in "\r\n\x85\u2028\u2029":
            return super().scan_plain_spaces(indent, start_mark)
        return [found.group()]


class _Parser(Parser):
    @cached_property
    def scanner(self) -> Any:
        return self.loader.scanner


def events(text: str) -> Iterator[Any]:
    """The events of ruamel.yaml's pure parser for YAML 1.2."""
    yaml = YAML(typ="safe", pure=True)
    yaml.Reader, yaml.Scanner, yaml.Parser = _Reader, _Scanner, _Parser
    yield from yaml.parse(text)
