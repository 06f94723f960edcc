"""Times as people read them: in their own zone, with its abbreviation beside. `--json` keeps UTC.

Every function takes a time as documents have it (ISO-8601 UTC). A column names the zone in its head, a sentence after
the time.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime

_YEAR = len("2026-")
_STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z")


def local(at: str) -> str:
    """To the second: 2026-03-01 13:04:05."""
    return f"{_here(at):%Y-%m-%d %H:%M:%S}"


def zoned(at: str) -> str:
    """To the second, with its zone: 2026-03-01 13:04:05 CET."""
    return f"{_here(at):%Y-%m-%d %H:%M:%S %Z}"


def brief(at: str) -> str:
    """Without the year: 03-01 13:04:05."""
    return local(at)[_YEAR:]


def exact(at: str) -> str:
    """Without the year, to the millisecond, for what follows what: 03-01 13:04:05.678."""
    return f"{brief(at)}.{_here(at).microsecond // 1000:03}"


def localised(text: str) -> str:
    """A sentence that was made for machines as well, with each time of it in the zone of who reads it."""
    return _STAMP.sub(lambda stamp: zoned(stamp.group()), text)


def head(name: str, times: Iterable[str | None]) -> str:
    """The head of a column of times: `time CET`; both names where the clocks were changed between them."""
    zones = dict.fromkeys(f"{_here(at):%Z}" for at in sorted(at for at in times if at))
    return " ".join([name, "/".join(zones)]) if zones else name


def _here(at: str) -> datetime:
    return datetime.fromisoformat(at).astimezone()
