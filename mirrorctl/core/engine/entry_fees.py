"""What entries have cost in fees, by position: breakeven is computed from executions (A35)."""

from __future__ import annotations

from decimal import Decimal
from functools import reduce
from typing import NamedTuple

from mirrorctl.core.domain.account import Execution
from mirrorctl.core.domain.frozen import value
from mirrorctl.core.domain.instruments import ZERO
from mirrorctl.core.domain.values import PositionSide

_KEPT = 2_000  # of a position that was never flat between them
_RECENT = 100  # kept whatever became of them: what was traded lately may be asked for

Key = tuple[str, str, PositionSide]


@value(frozen=True, slots=True)
class Entered:
    """Executions of one position since it was last flat: base coin entered and still held, fees in the settle coin.

    `began_ms`: its first fill, exchange clock; `first_ms`: the same, 0 when it was not seen as it happened. `origin`
    and `link_id` are of the order that opened it. `flat_ms`: when what was held before it was closed to the last, 0
    where that is not known.
    """

    qty: Decimal = ZERO
    fees: Decimal = ZERO
    left: Decimal = ZERO
    first_ms: int = 0
    began_ms: int = 0
    origin: str = ""
    link_id: str = ""
    flat_ms: int = 0


class _Fill(NamedTuple):
    """What one execution opened and closed of one position; sorted as the exchange executed them."""

    time_ms: int
    seq: int
    opened: Decimal
    closed: Decimal
    fee: Decimal
    live: bool
    order_id: str
    link_id: str


class EntryFees:
    """Fees of the entries of every position whose executions were seen. All calls on the engine's thread.

    Executions may come twice and in any order: after a start the newest is often there before the older ones.
    """

    def __init__(self) -> None:
        self._fills: dict[Key, dict[str, _Fill]] = {}
        self._entered: dict[Key, Entered] = {}
        self._newest: dict[Key, _Fill] = {}
        self._in_order: dict[Key, list[_Fill]] = {}
        self._since: dict[Key, _Fill] = {}

    def note(self, account: str, execution: Execution, *, live: bool) -> None:
        """Take an execution. A flip closes one position and opens another."""
        if not execution.kind.moves_position:
            return
        side, opened = execution.side, execution.qty - execution.closed_qty
        if execution.closed_qty:
            self._take(account, side.shrinks, execution, ZERO, execution.closed_qty, live)
        if opened > ZERO:
            self._take(account, side.grows, execution, opened, ZERO, live)

    def of(self, account: str, symbol: str, side: PositionSide, size: Decimal) -> tuple[Decimal | None, Decimal]:
        """(fees, quantity entered) of a position of `size`; fees None where its executions were not all seen."""
        entered = self._of_key((account, symbol, side))
        if not size or entered.left != size:
            return None, ZERO
        return entered.fees, entered.qty

    def first_fill_ms(self, account: str, symbol: str, side: PositionSide) -> int | None:
        """When a position was opened, exchange clock; None when nobody saw it happen."""
        return self._of_key((account, symbol, side)).first_ms or None

    def sizes(self, account: str, symbol: str, side: PositionSide) -> list[tuple[int, Decimal]]:
        """(when, size) of one side after each of its executions that were seen, oldest first, exchange clock."""
        found, size = [], ZERO
        for fill in self._ordered((account, symbol, side)):
            size = max(size + fill.opened - fill.closed, ZERO)
            found.append((fill.time_ms, size))
        return found

    def opener(self, account: str, symbol: str, side: PositionSide) -> str:
        """The link id of the order that opened a position, as far as its executions were seen; "" for none."""
        return self._of_key((account, symbol, side)).link_id

    def openers(self, account: str, symbol: str, side: PositionSide, size: Decimal) -> dict[str, bool]:
        """The orders that took a side from nothing, as its executions say: whether what followed proves it.

        It is proven by executions that come to exactly nothing afterwards, or to `size`, what is held now. Else there
        may have been more before the first of them that was seen.
        """
        found, opener, left = {}, "", ZERO
        for fill in self._ordered((account, symbol, side)):
            if fill.opened and not left:
                opener = fill.order_id
                found[opener] = False
            if opener and fill.closed == left + fill.opened:
                found[opener] = True
            left = max(left + fill.opened - fill.closed, ZERO)
            opener = opener if left else ""
        if opener and left == size:
            found[opener] = True
        return found

    def proven(self, account: str, symbol: str, side: PositionSide, size: Decimal) -> Entered | None:
        """What is entered of a position of `size`; None where it is none, or not all its executions were seen."""
        if not size:
            return None
        entered = self._entered.get((account, symbol, side)) or self._of_key((account, symbol, side))
        return entered if entered.left == size else None

    def _take(
        self, account: str, side: PositionSide, execution: Execution, opened: Decimal, closed: Decimal, live: bool
    ) -> None:
        key = (account, execution.symbol, side)
        fills = self._fills.setdefault(key, {})
        if execution.exec_id in fills:
            return
        fee = execution.fee if opened == execution.qty else execution.fee * opened / execution.qty
        fill = _Fill(execution.time_ms, execution.seq, opened, closed, fee, live, execution.order_id, execution.link_id)
        if key in self._since and fill < self._since[key]:
            return  # of a position that is long closed, and let go
        fills[execution.exec_id] = fill
        if not len(fills) % _RECENT:
            self._let_go(key)
            fills = self._fills[key]
        entered, newest = self._entered.pop(key, None), self._newest.get(key)
        if newest is None or newest < fill:
            self._newest[key] = fill
            if key in self._in_order:
                self._in_order[key].append(fill)
            if entered is not None:  # nearly always: what came before need not be counted anew
                self._entered[key] = _after(entered, fill)
        else:
            self._in_order.pop(key, None)
        if len(fills) > _KEPT:
            del fills[next(iter(fills))]
            self._entered.pop(key, None)
            self._in_order.pop(key, None)

    def _let_go(self, key: Key) -> None:
        """Forget the fills of positions that closed long ago."""
        recent = _recent(self._fills[key])
        if len(recent) < len(self._fills[key]):
            self._since[key] = next(iter(recent.values()))
            self._fills[key] = recent
            self._in_order.pop(key, None)

    def _of_key(self, key: Key) -> Entered:
        entered = self._entered.get(key)
        if entered is None:
            entered = self._entered[key] = _replayed(self._ordered(key))
        return entered

    def _ordered(self, key: Key) -> list[_Fill]:
        """The fills of a side, oldest first: nearly always they come in that order."""
        known = self._in_order.get(key)
        if known is None:
            known = self._in_order[key] = sorted(self._fills.get(key, {}).values())
        return known


def _recent(fills: dict[str, _Fill]) -> dict[str, _Fill]:
    """The newest fills, and what was before them back to where the position began."""
    ordered = sorted(fills.items(), key=lambda item: item[1])
    first, left = 0, ZERO
    for number, (_, fill) in enumerate(ordered[: -_RECENT + 1]):
        if not left:
            first = number
        left = max(left + fill.opened - fill.closed, ZERO)
    return dict(ordered[first:])


def _replayed(fills: list[_Fill]) -> Entered:
    return reduce(_after, fills, Entered())


def _after(entered: Entered, fill: _Fill) -> Entered:
    """What is entered once the next fill was executed."""
    if fill.opened and not entered.left:
        first_ms = fill.time_ms if fill.live else 0
        return Entered(
            fill.opened,
            fill.fee,
            fill.opened,
            first_ms,
            fill.time_ms,
            fill.order_id,
            fill.link_id,
            entered.flat_ms,
        )
    if fill.opened:
        qty, fees, left = entered.qty + fill.opened, entered.fees + fill.fee, entered.left + fill.opened
    elif entered.left > fill.closed:
        qty, fees, left = entered.qty, entered.fees, entered.left - fill.closed
    else:
        return Entered(flat_ms=fill.time_ms if entered.left == fill.closed else 0)
    began = (entered.first_ms, entered.began_ms, entered.origin, entered.link_id, entered.flat_ms)
    return Entered(qty, fees, left, *began)
