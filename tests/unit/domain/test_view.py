"""The size that a view answers with is that of what it holds now, however often it was asked before."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from mirrorctl.core.domain.account import Position, size_after
from mirrorctl.core.domain.values import PositionSide, Side
from mirrorctl.core.domain.view import AccountView
from tests.unit.domain.scenes import SYMBOL, execution

LONG, SHORT = PositionSide.LONG, PositionSide.SHORT


def row(size: str, seq: int) -> Position:
    return Position(SYMBOL, 0, LONG if Decimal(size) else None, Decimal(size), seq=seq, updated_ms=seq)


def test_every_message_that_changes_a_size_shows_at_once() -> None:
    view = AccountView("main")
    assert view.size(SYMBOL, LONG) == 0
    view.apply_execution(execution("x1", "o1", "0.1", 1), 1)
    assert (view.size(SYMBOL, LONG), view.size(SYMBOL, SHORT)) == (Decimal("0.1"), Decimal(0))
    view.apply_execution(execution("x2", "o2", "0.2", 2), 2)
    assert view.size(SYMBOL, LONG) == Decimal("0.3")
    view.apply_position(row("0.1", 1), 3)
    assert view.size(SYMBOL, LONG) == Decimal("0.3"), "the second one is newer than the row"
    sold = replace(execution("x3", "o3", "0.3", 3, side=Side.SELL), closed_qty=Decimal("0.3"))
    view.apply_execution(sold, 4)
    assert view.size(SYMBOL, LONG) == 0
    view.apply_position(replace(row("0.5", 9), idx=1), 5)
    assert view.size(SYMBOL, LONG) == Decimal("0.5"), "the symbol is in hedge mode now"


def test_asking_again_counts_nothing_again(monkeypatch: pytest.MonkeyPatch) -> None:
    counted = []

    def count(*args: object) -> Decimal:
        counted.append(args)
        return size_after(*args)  # type: ignore[arg-type]  # as it was called

    monkeypatch.setattr("mirrorctl.core.domain.view.size_after", count)
    view = AccountView("main")
    view.apply_execution(execution("x1", "o1", "0.1", 1), 1)
    assert {view.size(SYMBOL, LONG) for _ in range(50)} == {Decimal("0.1")}
    assert len(counted) == 1
