"""The proof: the result is read again, by both readers, and is exactly what was meant."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import zip_longest
from typing import Any, NamedTuple

from wizard.systems.values.parser import Signature, Unreadable, helm_events, signature, spec_events


class Splice(NamedTuple):
    """Replace the characters from `start` to `stop` by `text`."""

    start: int
    stop: int
    text: str


class Swap(NamedTuple):
    """Replace the events from number `start` to `stop` by others."""

    start: int
    stop: int
    events: tuple[Signature, ...]


class Unproven(Exception):
    """The result is not what was meant; `reader` tells what could not read or agree with it."""

    def __init__(self, reader: str, unreadable: Unreadable | None = None) -> None:
        super().__init__(reader)
        self.reader = reader
        self.unreadable = unreadable


def spliced(text: str, splices: Sequence[Splice]) -> str:
    """The text with the splices applied."""
    parts, at = [], 0
    for splice in sorted(splices):
        parts += [text[at : splice.start], splice.text]
        at = splice.stop
    return "".join([*parts, text[at:]])


def prove(before: str, after: str, splices: Sequence[Splice], swaps: Sequence[Swap]) -> None:
    """Show that `after` is `before` with the splices, and means it with the swaps.

    Equal events are equal data, types, order, tags and anchors included; see `parser`.

    Raises:
        Unproven: it could not be shown.
    """
    _prove_text(before, after, splices)
    if _all_agree(before, after, swaps):
        return
    # the readers may differ over the original; then each is compared with itself
    for reader, events in (("YAML 1.1", helm_events), ("ruamel.yaml", spec_events)):
        meant = _meant(_told(events(before), reader), swaps)
        if not all(one == other for one, other in zip_longest(meant, _told(events(after), reader))):
            raise Unproven(reader)


def _all_agree(before: str, after: str, swaps: Sequence[Swap]) -> bool:
    """Whether both readers see in the result what the one for YAML 1.1 makes us expect."""
    meant = _meant(_told(helm_events(before), "YAML 1.1"), swaps)
    seen = _told(helm_events(after), "YAML 1.1")
    also = _told(spec_events(after), "ruamel.yaml")
    return all(expected == one == other for expected, one, other in zip_longest(meant, seen, also))


def _prove_text(before: str, after: str, splices: Sequence[Splice]) -> None:
    """Every kept character is where it was, and nothing is between but what was meant."""
    old = new = 0
    for splice in sorted(splices):
        kept = splice.start - old
        same = kept >= 0 and before[old : splice.start] == after[new : new + kept]
        new += kept
        if not same or after[new : new + len(splice.text)] != splice.text:
            raise Unproven("bytes")
        old, new = splice.stop, new + len(splice.text)
    if before[old:] != after[new:]:
        raise Unproven("bytes")


def _meant(events: Iterable[Signature], swaps: Sequence[Swap]) -> Iterator[Signature]:
    pending = sorted(swaps, reverse=True)
    skip = 0
    for number, event in enumerate(events):
        while pending and pending[-1].start == number:
            swap = pending.pop()
            yield from swap.events
            skip = swap.stop
        if number >= skip:
            yield event
    if pending:
        raise Unproven("events")


def _told(events: Iterable[Any], reader: str) -> Iterator[Signature]:
    try:
        yield from map(signature, events)
    except Unreadable as unreadable:
        raise Unproven(reader, unreadable) from unreadable
