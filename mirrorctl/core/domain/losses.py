"""What position rows show and no execution explains yet: size that went away, and any other difference.

A loss may be the account's own stop (A76). A gap means that a row holds a fill whose execution was not seen, whatever
newer ones were: nobody can say whose order it was (A20).
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from mirrorctl.core.domain.account import Execution
from mirrorctl.core.domain.frozen import value
from mirrorctl.core.domain.instruments import ZERO

Key = tuple[str, int]


@value(frozen=True, slots=True)
class _Loss:
    """What a position row of `seq` no longer shows. `since_ms` on the local clock."""

    seq: int
    qty: Decimal
    since_ms: int


class Losses:
    """Unexplained losses by (symbol, positionIdx). Base coin.

    `known`: losses; `gaps`: (seq, difference) of rows whose fill was not seen.
    """

    def __init__(self) -> None:
        self.known: dict[Key, _Loss] = {}
        self.gaps: dict[Key, tuple[int, Decimal]] = {}

    def __contains__(self, key: Key) -> bool:
        return key in self.known

    def note(self, key: Key, seq: int, expected: Decimal, shown: Decimal, at_ms: int) -> None:
        """A row shows `shown` where its forerunner and the executions between them let expect `expected` (signed)."""
        before = self.gaps.get(key, (seq, ZERO))[1]
        if before + shown - expected:
            self.gaps[key] = (seq, before + shown - expected)
        left = abs(shown) if shown * expected > 0 else ZERO
        if abs(expected) > left:
            earlier = self.known.get(key)
            lost = abs(expected) - left + (earlier.qty if earlier else ZERO)
            self.known[key] = _Loss(seq, lost, at_ms)

    def explain(self, key: Key, execution: Execution) -> None:
        """An execution was seen: what it closed is explained, if the row holds it."""
        seq, gap = self.gaps.get(key, (-1, ZERO))
        if execution.seq <= seq:
            self.gaps[key] = (seq, gap - execution.signed)
        if execution.seq <= seq and gap == execution.signed:
            del self.gaps[key]
        loss = self.known.get(key)
        if loss is None or execution.seq > loss.seq or not execution.kind.moves_position:
            return
        if execution.closed_qty < loss.qty:
            self.known[key] = replace(loss, qty=loss.qty - execution.closed_qty)
        else:
            del self.known[key]

    def has_gap(self, symbol: str) -> bool:
        """Whether a row of the symbol holds a fill that was not seen."""
        return any(key[0] == symbol for key in self.gaps)

    def close_gaps(self, symbol: str, until_seq: int) -> None:
        """The symbol's orders were read: what rows up to then hold is known, or nobody's."""
        self.gaps = {k: gap for k, gap in self.gaps.items() if k[0] != symbol or gap[0] > until_seq}

    def accept(self, until_ms: int) -> None:
        """Every execution list was read in vain: losses seen up to then have no execution."""
        self.known = {key: loss for key, loss in self.known.items() if loss.since_ms > until_ms}
