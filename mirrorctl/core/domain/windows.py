"""Windows of the week on a clock of the trader's choice: "Mon-Fri 08:00-20:00 Europe/Berlin".

    [DAYS] [HH:MM-HH:MM] [ZONE]     DAYS: Mon | Mon,Wed | Mon-Fri | Mon-Wed,Sat; left out: every day
                                    times left out: the whole day; ZONE: as in the IANA time zone database, else UTC

A window that ends at or before its beginning runs over midnight and belongs to the day on which it begins. Times are
those of the clock on the wall: where daylight saving repeats an hour a window holds both, where it skips one the hour
counts as the one after it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_EVERY_DAY = frozenset(range(7))
_DAY_MINUTES = 24 * 60
_MINUTE_MS = 60_000
_TIMES = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-(?:([01]\d|2[0-3]):([0-5]\d)|24:00)")


@dataclass(frozen=True, slots=True)
class Window:
    """`days` on which it begins, Monday 0; `start` and `end` in minutes of the day, an `end` past 1440 of the next."""

    days: frozenset[int]
    start: int
    end: int
    zone: tzinfo

    @property
    def is_always(self) -> bool:
        """Whether it is open at every moment of the week."""
        return self.days == _EVERY_DAY and self.end - self.start == _DAY_MINUTES

    def spans(self, around: date) -> Iterator[tuple[int, int]]:
        """(from, to) in ms since the epoch of the times it is open, from the day before `around` to a week after it."""
        for offset in range(-1, 9):
            day = around + timedelta(days=offset)
            if day.weekday() in self.days:
                last = max(self._at(day, self.end, fold) for fold in (0, 1))
                yield self._at(day, self.start, 0), last

    def _at(self, day: date, minutes: int, fold: int) -> int:
        over, minute = divmod(minutes, _DAY_MINUTES)
        on = day + timedelta(days=over)
        clock = datetime(on.year, on.month, on.day, minute // 60, minute % 60, tzinfo=self.zone, fold=fold)
        return int(clock.timestamp() * 1000)


@lru_cache(maxsize=256)
def parse_window(text: str) -> Window:
    """The window that a text describes. ValueError when it describes none."""
    parts = text.split()
    days, times = _EVERY_DAY, (0, _DAY_MINUTES)
    if parts and parts[0].partition("-")[0].partition(",")[0] in DAYS:
        days = _days(parts.pop(0))
    elif not parts or not parts[0][:1].isdigit():
        raise ValueError("neither days nor times")
    if parts and parts[0][:1].isdigit():
        times = _times(parts.pop(0))
    zone = _zone(parts.pop(0)) if parts else UTC
    if parts:
        raise ValueError(f"{parts[0]!r} after the zone")
    return Window(days, *times, zone)


def is_open(windows: tuple[str, ...], at_ms: int) -> bool:
    """Whether one of the windows is open, or there are none. `at_ms` since the epoch."""
    return not windows or _look(windows, at_ms // _MINUTE_MS)[0]


def next_edge_ms(windows: tuple[str, ...], at_ms: int) -> int | None:
    """When one of the windows opens or closes next; None when there are none."""
    return _look(windows, at_ms // _MINUTE_MS)[1] if windows else None


@lru_cache(maxsize=256)
def _look(windows: tuple[str, ...], minute: int) -> tuple[bool, int | None]:
    """Whether a window is open at a minute of the epoch, and the first edge after it: edges are whole minutes."""
    at_ms = minute * _MINUTE_MS
    spans: list[tuple[int, int]] = []
    for text in windows:
        window = parse_window(text)
        spans += window.spans(datetime.fromtimestamp(minute * 60, window.zone).date())
    edges = [edge for span in spans for edge in span if edge > at_ms]
    return any(begin <= at_ms < end for begin, end in spans), min(edges, default=None)


def _days(text: str) -> frozenset[int]:
    found: set[int] = set()
    for part in text.split(","):
        first, dash, last = part.partition("-")
        if first not in DAYS or (dash and last not in DAYS):
            raise ValueError(f"{part!r} is no day")
        start = DAYS.index(first)
        length = (DAYS.index(last) - start) % 7 if dash else 0
        found |= {(start + step) % 7 for step in range(length + 1)}
    return frozenset(found)


def _times(text: str) -> tuple[int, int]:
    match = _TIMES.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no time of day")
    start = int(match[1]) * 60 + int(match[2])
    end = _DAY_MINUTES if match[3] is None else int(match[3]) * 60 + int(match[4])
    if start == end:
        raise ValueError(f"{text!r} is empty")
    return start, end if end > start else end + _DAY_MINUTES


def _zone(name: str) -> tzinfo:
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"{name!r} is no time zone") from error
