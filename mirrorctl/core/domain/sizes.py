"""What is held on each side of a symbol, added up once and then kept up as executions come.

A side holds what the row of its leg shows and what the executions that are newer than it added or closed.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from mirrorctl.core.domain.account import Execution, Position
from mirrorctl.core.domain.instruments import ZERO
from mirrorctl.core.domain.values import SIDES, PositionSide


class Sizes:
    """Base coin by (symbol, side), never negative. `known` is as it was asked for last, until it is forgotten.

    What an execution closed was held, so where it is not known an execution is still on its way, and what this one
    opened counts alone (A85).
    """

    __slots__ = ("_sums", "known")

    def __init__(self) -> None:
        self.known: dict[tuple[str, PositionSide], Decimal] = {}
        self._sums: dict[tuple[str, PositionSide], tuple[int, Decimal, Decimal]] = {}

    def add_up(
        self, symbol: str, side: PositionSide, idx: int, row: Position | None, newer: Iterable[Execution]
    ) -> Decimal:
        """What is held on `side`: the row of its leg `idx`, and the leg's executions that are newer."""
        signed = row.signed if row is not None else ZERO
        opened = row.size if row is not None and row.side is side else ZERO
        for execution in newer:
            signed += execution.signed
            opened += execution.adds_to(side)
        self._sums[(symbol, side)] = (idx, signed, opened)
        size = self.known[(symbol, side)] = max(min(signed * side.sign, opened), ZERO)
        return size

    def take(self, idx: int, execution: Execution) -> None:
        """One more execution of leg `idx` that is newer than its row, and moves a position."""
        symbol, grown, closed = execution.symbol, execution.side.grows, execution.closed_qty
        for side in SIDES:
            known = self._sums.get((symbol, side))
            if known is None or known[0] != idx:
                continue
            signed = known[1] + execution.qty * execution.side.sign
            opened = known[2] + (execution.qty - closed if side is grown else -closed)
            self._sums[(symbol, side)] = (idx, signed, opened)
            self.known[(symbol, side)] = max(min(signed * side.sign, opened), ZERO)

    def forget(self, symbol: str) -> None:
        """A row came, or executions may belong to another leg: it is added up anew when it is asked for."""
        for side in SIDES:
            self.known.pop((symbol, side), None)
            self._sums.pop((symbol, side), None)
