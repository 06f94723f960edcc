"""Sections of the dashboard one under the other, in as many lines as there are: what does not fit is counted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.text import Text


@dataclass(frozen=True, slots=True)
class Section:
    """Lines under a head, the most urgent first.

    `what` names the things that are counted where lines do not fit, "" counts none; lines listed in `uncounted` (by
    index) are no thing of their own. `skip` lines are scrolled out of sight above. `least`: lines that it has before
    any other gets more than its own least, the greatest first; `turn`: how many it takes at a time after that.
    """

    head: tuple[Text, ...]
    lines: tuple[Text, ...] = ()
    what: str = ""
    uncounted: frozenset[int] = frozenset()
    skip: int = 0
    least: int = 0
    turn: int = 1


def stacked(sections: Sequence[Section], height: int | None) -> list[Text]:
    """All sections in `height` lines (None: as many as it takes), with empty lines between them where there is room.

    Heads always stand; where even they are too many, the last ones are cut.
    """
    sections = [section for section in sections if section.head or section.lines]
    if height is None:
        return _joined([[*section.head, *_body(section, len(section.lines))] for section in sections], len(sections))
    rooms = _rooms(sections, height - sum(len(section.head) for section in sections))
    blocks = [[*section.head, *_body(section, room)] for section, room in zip(sections, rooms, strict=True)]
    return _joined(blocks, height - sum(len(block) for block in blocks))[:height]


def _rooms(sections: Sequence[Section], left: int) -> list[int]:
    """How many lines below its head each section gets."""
    wanted = [
        len(section.lines) and max(len(section.lines) - section.skip, 1) + bool(section.skip) for section in sections
    ]
    rooms = [0] * len(sections)
    for index in sorted(range(len(sections)), key=lambda index: -sections[index].least):
        rooms[index] = min(wanted[index], sections[index].least, max(left, 0))
        left -= rooms[index]
    while left > 0 and any(room < most for room, most in zip(rooms, wanted, strict=True)):
        for index, section in enumerate(sections):
            more = min(section.turn, wanted[index] - rooms[index], left)
            rooms[index] += more
            left -= more
    return rooms


def _body(section: Section, room: int) -> Iterator[Text]:
    """As many lines as there is room for; the last one counts the rest."""
    shown = section.lines[section.skip :]
    if section.lines and not shown:
        shown = section.lines[-1:]
    above = len(section.lines) - len(shown)
    if len(shown) <= room and not above:
        yield from shown
        return
    if room <= 0 or not section.what:
        yield from shown[: max(room, 0)]
        return
    cut = room if len(shown) < room else room - 1
    yield from shown[:cut]
    hidden = _count(section, above + cut, len(section.lines))
    before = _count(section, 0, above)
    said = [f"+ {hidden} more {section.what}"] if hidden else []
    said += [f"{before} above"] if before else []
    yield Text(", ".join(said), "dim")


def _count(section: Section, start: int, end: int) -> int:
    return sum(index not in section.uncounted for index in range(start, end))


def _joined(blocks: Sequence[Sequence[Text]], spare: int) -> list[Text]:
    """The blocks, with an empty line between two of them as long as there are any to `spare`."""
    lines: list[Text] = []
    for block in blocks:
        if lines and block and spare > 0:
            lines.append(Text())
            spare -= 1
        lines += block
    return lines
