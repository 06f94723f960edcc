"""Pages with opaque cursors, newest first."""

from collections.abc import Iterable, Sequence
from typing import Protocol, TypeVar
from urllib.parse import quote, unquote

from mirrorctl.core.paper.params import Params, integer, text
from mirrorctl.core.paper.refusals import bad

DAY_MS = 24 * 3600 * 1000
WEEK_MS = 7 * DAY_MS


class Numbered(Protocol):
    """Anything with the exchange-wide number."""

    n: int


Row = TypeVar("Row", bound=Numbered)


def limit_of(params: Params, default: int, most: int) -> int:
    """The page size asked for, capped at what the endpoint allows."""
    limit = integer(params, "limit")
    if limit is None:
        return default
    if limit < 1:
        raise bad("params error: limit invalid")
    return min(limit, most)


def cursor_key(params: Params) -> str | None:
    """What the cursor says to continue after; None on the first page. Decoded however often it was encoded."""
    raw = text(params, "cursor")
    while "%" in raw:
        raw = unquote(raw)
    if not raw:
        return None
    head, _, tail = raw.partition("page_args=")
    if head or not tail.endswith("&"):
        raise bad("params error: cursor invalid")
    return tail[:-1]


def cursor_of(key: str) -> str:
    """The cursor to hand out, URL-encoded as Bybit's are."""
    return quote(f"page_args={key}&", safe="")


def newest(rows: Iterable[Row], params: Params, default: int, most: int) -> tuple[list[Row], str]:
    """One page of `rows`, given oldest first, and the cursor of the next ("" after the last)."""
    limit, after = limit_of(params, default, most), cursor_key(params)
    ordered = sorted(rows, key=lambda row: row.n, reverse=True)
    if after is not None:
        if not after.isdigit():
            raise bad("params error: cursor invalid")
        ordered = [row for row in ordered if row.n < int(after)]
    page = ordered[:limit]
    return page, cursor_of(str(page[-1].n)) if len(ordered) > limit else ""


def keyed(keys: Sequence[str], params: Params, default: int, most: int) -> tuple[list[str], str]:
    """One page of unique keys in the given order, and the cursor of the next."""
    limit, after = limit_of(params, default, most), cursor_key(params)
    start = 0
    if after is not None:
        if after not in keys:
            raise bad("params error: cursor invalid")
        start = keys.index(after) + 1
    page = list(keys[start : start + limit])
    return page, cursor_of(page[-1]) if start + limit < len(keys) else ""


def window(params: Params, now_ms: int, default_ms: int = WEEK_MS) -> tuple[int, int]:
    """startTime and endTime: at most seven days apart, by default the last seven (docs v5/order/order-list)."""
    start, end = integer(params, "startTime"), integer(params, "endTime")
    if start is None and end is None:
        return now_ms - default_ms, now_ms + 1000
    if start is None:
        assert end is not None
        return end - default_ms, end
    if end is None:
        return start, start + default_ms
    if end < start or end - start > WEEK_MS:
        raise bad("The time range between startTime and endTime cannot exceed 7 days")
    return start, end


def day_window(params: Params, now_ms: int) -> tuple[int, int]:
    """The same where one end alone means 24 hours (docs v5/account/transaction-log)."""
    return window(params, now_ms, DAY_MS)
