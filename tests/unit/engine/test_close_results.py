"""What a close brought is the sum of its own records and of no others; with one missing it is not known (A68)."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest

from mirrorctl.core.domain.account import ClosedPnl
from mirrorctl.core.domain.closings import CloseReason, Closing, walk
from mirrorctl.core.domain.values import PositionSide
from mirrorctl.core.engine.close_results import Awaited, CloseResult, result_of
from mirrorctl.core.engine.entry_fees import EntryFees
from mirrorctl.core.engine.event_texts import closed_text
from tests.unit.domain.test_closings import BUY, LONG, SELL, SHORT, fill

EARLY, LATE = "o2", "o3"


def record(order_id: str, qty: str, pnl: str, at_ms: int, side: PositionSide = LONG, **more: Any) -> ClosedPnl:
    fees = {"open_fee": Decimal("0.1"), "close_fee": Decimal("0.2"), **more}
    sums = (Decimal(qty), Decimal(60_000), Decimal(60_000), Decimal(pnl))
    return ClosedPnl("BTCUSDT", side, order_id, *sums, created_ms=at_ms, updated_ms=at_ms, **fees)


ALL = (record(EARLY, "0.4", "5", 21), record(LATE, "0.6", "-2", 31))
BEFORE, OTHER_SIDE, AFTER = (
    record("o0", "1", "70", 5),
    record("o9", "1", "70", 25, SHORT),
    record("o8", "1", "70", 5_000),
)


def closing(*, seen: bool = True) -> Closing:
    """0.4 of 1 were sold, then 0.6; `seen` False: the opening was not."""
    fills = [fill(1, BUY, "1"), fill(2, SELL, "0.4", "0.4"), fill(3, SELL, "0.6", "0.6")]
    (found,), _ = walk(Decimal(0), fills if seen else fills[1:])
    return found


def brought(rows: Sequence[ClosedPnl], *, opened_ms: int = 10, seen: bool = True) -> CloseResult | None:
    return result_of(closing(seen=seen), opened_ms, Awaited(0, 0, rows))


@pytest.mark.proves("A68")
@pytest.mark.parametrize("seen", [True, False], ids=["by its orders", "by its time"])
def test_all_exits_of_the_position_count_and_nothing_else(seen: bool) -> None:
    result = brought([BEFORE, *ALL, OTHER_SIDE, AFTER], seen=seen)
    assert result == CloseResult(Decimal(3), Decimal("0.6"), whole=True)


@pytest.mark.parametrize("rows", [[], ALL[:1], ALL[1:], [record(EARLY, "0.3", "4", 21), ALL[1]]])
def test_with_a_record_missing_it_is_not_known(rows: list[ClosedPnl]) -> None:
    assert brought(rows) is None


def test_what_began_unseen_is_the_last_exit_alone_and_says_so() -> None:
    result = brought([*ALL, BEFORE], opened_ms=0, seen=False)
    assert result == CloseResult(Decimal(-2), Decimal("0.3"), whole=False)
    assert brought(ALL[:1], opened_ms=0, seen=False) is None
    text = closed_text(CloseReason.STOP, closing(), result, "USDT")
    assert text == "closed: stop, long at 60000, net PnL of this exit -2 USDT, fees 0.3 USDT"


def test_a_fee_that_no_record_shows_is_not_said() -> None:
    rows = [ALL[0], record(LATE, "0.6", "-2", 31, close_fee=None)]
    result = brought(rows)
    assert result == CloseResult(Decimal(3), None, whole=True)
    assert (
        closed_text(CloseReason.TARGET, closing(), result, "USDT") == "closed: target, long at 60000, net PnL +3 USDT"
    )


@pytest.mark.parametrize(
    ("fills", "size", "openers"),
    [
        ([fill(1, BUY, "1")], "1", {"o1": True}),
        ([fill(1, BUY, "1"), fill(2, BUY, "1")], "2", {"o1": True}),
        ([fill(1, BUY, "1")], "3", {"o1": False}),
        ([fill(1, BUY, "1"), fill(2, SELL, "1", "1"), fill(3, BUY, "2")], "2", {"o1": True, "o3": True}),
        ([fill(1, BUY, "1"), fill(2, SELL, "3", "3"), fill(3, BUY, "2")], "2", {"o1": False, "o3": True}),
        ([fill(1, SELL, "1", "1")], "4", {}),
    ],
    ids=["one", "grown", "more is held", "closed and opened again", "more was closed", "reduced"],
)
def test_an_order_opened_a_position_only_where_what_followed_proves_it(
    fills: list[Any], size: str, openers: dict[str, bool]
) -> None:
    fees = EntryFees()
    for each in fills:
        fees.note("main", each, live=True)
    assert fees.openers("main", "BTCUSDT", LONG, Decimal(size)) == openers
