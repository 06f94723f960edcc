"""The words in which fills and closes are told: observed facts alone (rule 15)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Context, Decimal

from mirrorctl.core.domain.account import Execution, Order
from mirrorctl.core.domain.closings import CloseReason, Closing, reason_of
from mirrorctl.core.domain.day_summary import DayFigures
from mirrorctl.core.domain.ids import LinkId, Role
from mirrorctl.core.domain.instruments import ZERO, plain
from mirrorctl.core.domain.values import ExecutionKind, PositionSide
from mirrorctl.core.engine.close_results import CloseResult
from mirrorctl.core.engine.records import Severity

SEVERITIES = {
    CloseReason.STOP: Severity.WARNING,
    CloseReason.UNKNOWN: Severity.WARNING,
    CloseReason.LIQUIDATION: Severity.CRITICAL,
    CloseReason.ADL: Severity.CRITICAL,
    CloseReason.EMERGENCY: Severity.CRITICAL,
}
_SHOWN = Context(prec=10)
_CENT, _SMALL = Decimal("0.01"), Decimal("0.0001")


@dataclass(frozen=True, slots=True)
class Filled:
    """What is known of an order that ended with fills: its row, its last execution, sums of the executions seen.

    `rung` is "1 of 3" for a target, `part` for an entry, where that is known. Quantities in base coin, `value` in the
    settle coin.
    """

    symbol: str
    link: LinkId | None
    is_main: bool
    order: Order | None
    last: Execution | None
    opened: Decimal = ZERO
    closed: Decimal = ZERO
    value: Decimal = ZERO
    part: str = ""

    @property
    def qty(self) -> Decimal:
        return self.order.filled_qty if self.order is not None else self.opened + self.closed


def opened_text(filled: Filled, side: PositionSide, terms: str) -> str:
    """Such as "trade opened: long 0.1 BTCUSDT at 60000 (1 of 3), stop 58000". `terms`: see OpenedTrades."""
    qty = filled.opened or filled.qty
    price = _price(filled)
    where = f"{plain(qty)} {filled.symbol}" + (f" at {plain(price)}" if price is not None else "")
    return f"trade opened: {side} {where}" + (f" ({filled.part})" if filled.part else "") + terms


def merged_text(filled: Filled, side: PositionSide, size: Decimal | None) -> str:
    """Such as "merged: 0.05 BTCUSDT at 59000, the long is 0.15 now". `size` None: it is not that of then any more."""
    text = fill_text(replace(filled, part="")).replace("entry filled", "merged", 1)
    return text if size is None else f"{text}, the {side} is {plain(size)} now"


def fill_text(filled: Filled) -> str:
    """Such as "entry filled: 0.1 BTCUSDT at 60000 (2 of 3)" or "target filled: rung 1 of 3, 0.05 BTCUSDT at 61000"."""
    order, qty = filled.order, plain(filled.qty)
    if order is not None and order.filled_qty < order.qty and not order.is_exit:
        qty += f" of {plain(order.qty)}"
    what = _what(filled)
    price = _price(filled)
    where = f"{qty} {filled.symbol}" + (f" at {plain(price)}" if price is not None else "")
    if what == "target filled" and filled.part:
        return f"{what}: rung {filled.part}, {where}"
    return f"{what}: {where}" + (f" ({filled.part})" if filled.part else "")


def fill_kind(filled: Filled) -> str:
    """The kind of the alert that tells of it (alert_types.py)."""
    return _KINDS.get(_what(filled), "fill")


def closed_text(reason: CloseReason, closing: Closing, result: CloseResult | None, coin: str) -> str:
    """Such as "closed: stop, long at 58000, net PnL -206.51 USDT, fees 6.51 USDT". `result` None: it is not known."""
    text = f"closed: {reason}, {closing.side} at {plain(closing.execution.price)}"
    if result is None:
        return f"{text}, net PnL not known yet"
    whose = "net PnL" if result.whole else "net PnL of this exit"
    fees = "" if result.fees is None else f", fees {_money(result.fees)} {coin}"
    return f"{text}, {whose} {_signed(result.pnl)} {coin}{fees}"


@dataclass(frozen=True, slots=True)
class DayLine:
    """One account in the summary of a day. None where nobody knows, or where there was none."""

    name: str
    figures: DayFigures | None
    equity: Decimal | None
    copies: int
    p50_ms: int | None
    naked_ms: int | None


def day_line(line: DayLine, coin: str) -> str:
    """Such as "half: 2 trades, 1 won, 1 lost, net PnL +3.1 USDT, fees 1.2 USDT, 4 copies, p50 85 ms"."""
    figures = line.figures
    if figures is None:
        parts = ["its records could not be read"]
    else:
        trades = f"{figures.trades} trade" + ("" if figures.trades == 1 else "s")
        parts = [trades] + ([f"{figures.wins} won", f"{figures.losses} lost"] if figures.trades else [])
        parts += [f"{figures.unrecorded} without a record yet"] if figures.unrecorded else []
        parts += [f"net PnL {_signed(figures.net_pnl)} {coin}", f"fees {_money(figures.fees)} {coin}"]
    parts += [f"equity {_money(line.equity)} now"] if line.equity is not None else []
    parts += [f"{line.copies} copies, p50 {line.p50_ms} ms"] if line.copies else []
    parts += [f"worst naked {line.naked_ms} ms"] if line.naked_ms is not None else []
    return f"{line.name}: {', '.join(parts)}"


def unseen_text(side: PositionSide) -> str:
    """A position is gone and no execution says why."""
    return f"closed: {CloseReason.UNKNOWN}, {side}: no closing execution was seen"


def late(text: str, time_ms: int) -> str:
    """The same fact, told after the time: it happened while nobody watched (A46)."""
    at = datetime.fromtimestamp(time_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")
    return f"{text}, {at} UTC (late)"


def _money(value: Decimal) -> str:
    """To the cent; what is less than one to four places."""
    return plain(value.quantize(_CENT if abs(value) >= 1 else _SMALL))


def _signed(value: Decimal) -> str:
    return ("+" if value > ZERO else "") + _money(value)


def _what(filled: Filled) -> str:
    if filled.last is not None and filled.last.kind is not ExecutionKind.TRADE:
        return {ExecutionKind.LIQUIDATION: "liquidated", ExecutionKind.ADL: "auto-deleveraged"}[filled.last.kind]
    if filled.link is not None:
        if filled.link.role is Role.REDUCTION:
            return "reduced" if filled.is_main else "followed main"
        return _OURS[filled.link.role]
    if filled.opened and filled.closed:
        return "flipped"
    exits = bool(filled.closed) or (filled.order is not None and filled.order.is_exit)
    if not exits:
        return "entry filled"
    if filled.last is None:
        return "exit filled"
    return _EXITS.get(reason_of(filled.last, None, filled.order, is_main=filled.is_main), "exit filled")


def _price(filled: Filled) -> Decimal | None:
    """The average price of the fills."""
    if filled.order is not None and filled.order.avg_price is not None:
        return filled.order.avg_price
    seen = filled.opened + filled.closed
    return _SHOWN.divide(filled.value, seen) if seen else None


_OURS = {
    Role.ENTRY: "entry filled",
    Role.TWIN: "copied",
    Role.CORRECTION: "copied",
    Role.TARGET: "target filled",
    Role.FLATTEN: "flattened",
}
_EXITS = {
    CloseReason.TARGET: "target filled",
    CloseReason.STOP: "stop hit",
    CloseReason.MANUAL: "reduced by hand",
}
_KINDS = {"entry filled": "entry", "copied": "entry", "target filled": "target", "stop hit": "stop-hit"}
