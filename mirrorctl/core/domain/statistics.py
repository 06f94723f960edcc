"""What trading brought, from the exchange's own records alone (rule 15, A68).

A trade is one cycle of a position, from flat to flat, on one account. Executions say when it began and ended; what it
brought is the sum of its closed-PnL records and nothing else, so all trades together are all records together. Funding
is kept apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TypeVar

from mirrorctl.core.domain.account import ClosedPnl, Execution, Position
from mirrorctl.core.domain.ids import Role, parse
from mirrorctl.core.domain.instruments import ZERO
from mirrorctl.core.domain.values import ExecutionKind, PositionSide

Key = tuple[str, PositionSide]
Number = TypeVar("Number", int, Decimal)
_FOUR_PLACES = Decimal("0.0001")
_EIGHT_PLACES = Decimal("0.00000001")


@dataclass(frozen=True, slots=True)
class Move:
    """What one execution changed of one leg: positive opened. Its time is the exchange's, in ms; `fee` was paid for it.

    `seq` and `price` None: it is known from its closed-PnL record only. `own_exit`: by a target, a stop, a liquidation
    or an ADL of this account, not by an order that somebody sent to reduce it.
    """

    at_ms: int
    seq: int | None
    order_id: str
    qty: Decimal
    price: Decimal | None = None
    fee: Decimal = ZERO
    own_exit: bool = False


@dataclass(frozen=True, slots=True)
class CycleResult:
    """One cycle and what its records sum to. Times are the exchange's, in ms; quantity in base coin.

    `opened_ms` None: it began before what was read, so its earlier records may be missing. `closed_ms` None: it still
    stands. `unrecorded`: an order closed part of it and has no record yet, so its result is not known. `moves`: all
    that was seen of it, oldest first.
    """

    symbol: str
    side: PositionSide
    opened_ms: int | None
    closed_ms: int | None
    closed_qty: Decimal
    pnl: Decimal
    unrecorded: bool = False
    moves: tuple[Move, ...] = field(default=(), compare=False, repr=False)

    @property
    def counts(self) -> bool:
        """Whether it is over and all of it is recorded: only then it is a trade, won or lost."""
        return self.closed_ms is not None and not self.unrecorded


@dataclass(frozen=True, slots=True)
class Figures:
    """The statistics of one account. Rates are fractions; None where there is nothing to divide by.

    `trades` are cycles that are over. A trade that brought nothing is neither a win nor a loss, and `win_rate` is of
    the trades that are one or the other. `net_pnl` is the sum of every record, those of cycles that still stand or
    were cut by the window included. `funding` is positive when received: execFee the other way round
    (account/transaction-log).
    """

    trades: int
    wins: int
    losses: int
    win_rate: Decimal | None
    profit_factor: Decimal | None
    fees: Decimal
    net_pnl: Decimal
    funding: Decimal
    standing: int
    cut: int
    unrecorded: int


def figures(cycles: Sequence[CycleResult], executions: Iterable[Execution]) -> Figures:
    """The statistics of `cycles`; `executions` are those of the same account and time, funding rows included."""
    trades = [cycle for cycle in cycles if cycle.counts]
    won = [cycle.pnl for cycle in trades if cycle.pnl > ZERO]
    lost = [cycle.pnl for cycle in trades if cycle.pnl < ZERO]
    fees = funding = ZERO
    for execution in executions:
        if execution.kind.moves_position:
            fees += execution.fee
        elif execution.kind is ExecutionKind.FUNDING:
            funding -= execution.fee
    return Figures(
        trades=len(trades),
        wins=len(won),
        losses=len(lost),
        win_rate=_ratio(Decimal(len(won)), Decimal(len(won) + len(lost))),
        profit_factor=_ratio(sum(won, ZERO), -sum(lost, ZERO)),
        fees=fees,
        net_pnl=sum((cycle.pnl for cycle in cycles), ZERO),
        funding=funding,
        standing=sum(cycle.closed_ms is None for cycle in cycles),
        cut=sum(cycle.opened_ms is None for cycle in cycles),
        unrecorded=sum(cycle.unrecorded for cycle in cycles),
    )


def percentile(values: Sequence[Number], percent: int) -> Number | None:
    """The smallest value that at least `percent` of all are not above (nearest rank); None without values."""
    if not values:
        return None
    return sorted(values)[max(-(-len(values) * percent // 100), 1) - 1]


def cycles_of(
    executions: Iterable[Execution], records: Sequence[ClosedPnl], standing: Iterable[Position]
) -> list[CycleResult]:
    """The cycles that the records and executions of one account and one span of time tell of, oldest first.

    `standing` are the positions as they were read no later than the executions: what cannot have been opened by these
    executions was there before, and its cycle is cut. Each record belongs to exactly one cycle; only that of an order
    which closed in several is shared between them by quantity. A record without an execution is itself the close.
    """
    moves = _moves(executions, records)
    held = {(row.symbol, row.side): row for row in standing if row.side is not None}
    found = [cycle for key, of_key in moves.items() for cycle in _walk(key, of_key, held.get(key))]
    _attribute(found, records)
    found.sort(key=lambda cycle: (cycle.order, cycle.key))
    return [cycle.result() for cycle in found]


@dataclass(slots=True)
class _Cycle:
    key: Key
    order: int
    opened_ms: int | None
    closed_ms: int | None = None
    moves: list[Move] = field(default_factory=list)
    closed: dict[str, Decimal] = field(default_factory=dict)
    recorded: set[str] = field(default_factory=set)
    pnl: Decimal = ZERO

    def close(self, order_id: str, qty: Decimal) -> None:
        self.closed[order_id] = self.closed.get(order_id, ZERO) + qty

    def result(self) -> CycleResult:
        return CycleResult(
            *self.key,
            opened_ms=self.opened_ms,
            closed_ms=self.closed_ms,
            closed_qty=sum(self.closed.values(), ZERO),
            pnl=self.pnl,
            unrecorded=not self.recorded.issuperset(self.closed),
            moves=tuple(self.moves),
        )


def _moves(executions: Iterable[Execution], records: Iterable[ClosedPnl]) -> dict[Key, list[Move]]:
    """By leg, in the order in which they happened. An execution that flips closes one leg and opens the other.

    There is no positionIdx on an execution; a long is never the short of the same symbol, so its side names the leg in
    both position modes.
    """
    moves: dict[Key, list[Move]] = {}
    closing: set[tuple[str, PositionSide, str]] = set()
    for execution in executions:
        if not execution.kind.moves_position:
            continue
        symbol, order_id, closed = execution.symbol, execution.order_id, min(execution.closed_qty, execution.qty)
        if closed:
            side = PositionSide.shrunk_by(execution.side)
            closing.add((symbol, side, order_id))
            moves.setdefault((symbol, side), []).append(_move(execution, -closed))
        if execution.qty > closed:
            grown = (symbol, PositionSide.grown_by(execution.side))
            moves.setdefault(grown, []).append(_move(execution, execution.qty - closed))
    for record in records:
        if (record.symbol, record.side, record.order_id) not in closing:
            move = Move(record.updated_ms, None, record.order_id, -record.qty)
            moves.setdefault((record.symbol, record.side), []).append(move)
    for of_key in moves.values():
        of_key.sort(key=lambda move: (move.at_ms, -1 if move.seq is None else move.seq))
    return moves


def _move(execution: Execution, qty: Decimal) -> Move:
    """The part of an execution that opened or closed `qty` of one leg."""
    link = parse(execution.link_id)
    return Move(
        execution.time_ms,
        execution.seq,
        execution.order_id,
        qty,
        execution.price,
        execution.fee * abs(qty) / execution.qty,
        own_exit=qty < ZERO
        and (
            execution.kind is not ExecutionKind.TRADE
            or execution.stop_kind.position_bound
            or (link is not None and link.role is Role.TARGET)
        ),
    )


def _walk(key: Key, moves: Sequence[Move], held: Position | None) -> Iterator[_Cycle]:
    """Cut the moves of one leg where it was flat."""
    size = _size_before(moves, held)
    cycle = _Cycle(key, moves[0].at_ms, None) if size else None
    for move in moves:
        cycle = cycle or _Cycle(key, move.at_ms, move.at_ms)
        cycle.moves.append(move)
        size += move.qty
        if move.qty <= ZERO:  # a settlement's record closes nothing and still belongs somewhere
            cycle.close(move.order_id, -move.qty)
        if size <= ZERO:
            cycle.closed_ms = move.at_ms
            yield cycle
            cycle, size = None, ZERO
    if cycle is not None:
        yield cycle


def _size_before(moves: Sequence[Move], held: Position | None) -> Decimal:
    """What the leg held before the first move: what it holds now less what the moves made of it.

    A row is of its own moment, so only the moves that it knows of count. No moves may close more than there was.
    """
    known = [move for move in moves if held is None or move.seq is None or move.seq <= held.seq]
    now = ZERO if held is None else held.size
    least = running = ZERO
    for move in moves:
        running += move.qty
        least = min(least, running)
    return max(now - sum((move.qty for move in known), ZERO), -least)


def _attribute(cycles: Iterable[_Cycle], records: Iterable[ClosedPnl]) -> None:
    """Give every record to the cycle in which its order closed."""
    by_order: dict[tuple[Key, str], list[_Cycle]] = {}
    for cycle in cycles:
        for order_id in cycle.closed:
            by_order.setdefault((cycle.key, order_id), []).append(cycle)
    for record in records:
        *others, last = by_order[((record.symbol, record.side), record.order_id)]
        whole = sum((cycle.closed[record.order_id] for cycle in others), last.closed[record.order_id])
        left = record.pnl
        for cycle in others:
            share = (record.pnl * cycle.closed[record.order_id] / whole).quantize(_EIGHT_PLACES)
            cycle.pnl += share
            cycle.recorded.add(record.order_id)
            left -= share
        last.pnl += left
        last.recorded.add(record.order_id)


def _ratio(over: Decimal, under: Decimal) -> Decimal | None:
    return (over / under).quantize(_FOUR_PLACES) if under else None
