"""Trades whose entries only rest: nothing is held yet, so no position shows them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from decimal import Decimal
from typing import Any

from mirrorctl.core.domain.account import Order
from mirrorctl.core.domain.instruments import plain
from mirrorctl.core.domain.lifecycle import Phase
from mirrorctl.core.domain.values import PositionSide
from mirrorctl.core.engine.accounts import Account
from mirrorctl.core.engine.engine import Engine
from mirrorctl.core.engine.kept_back import hold_of, kept_back
from mirrorctl.core.engine.monitors import Monitor, entry_json

Document = dict[str, Any]


def building(
    engine: Engine, account: Account, monitors: Iterable[Monitor], missing: Collection[tuple[str, str]]
) -> list[Document]:
    """Sides that hold nothing and have entries that rest, or on a mirror none because what main builds is held.

    `monitors`: those of this account; `missing`: (symbol, side) of what should hold something, which says more.
    """
    resting = {(monitor.symbol, monitor.side): monitor for monitor in monitors if not monitor.size}
    held = {key for key in _held(engine, account) if not account.view.size(*key)}
    found = []
    for symbol, side in sorted({*resting, *held} - {(symbol, PositionSide(side)) for symbol, side in missing}):
        monitor, idx = resting.get((symbol, side)), account.view.mode(symbol).idx(side)
        row = building_json(symbol, side, idx, () if monitor is None else monitor.entries)
        about = {} if monitor is None else _about(monitor)
        found.append({**row, **about, **kept_back(engine, account, symbol, side)})
    return found


def building_json(
    symbol: str, side: PositionSide, idx: int, entries: Iterable[Order], want: Decimal | None = None
) -> Document:
    """One side with nothing held, and its resting entries."""
    resting = [entry_json(order) for order in entries]
    return {
        "symbol": symbol,
        "side": side.value,
        "position_idx": idx,
        "qty": "0",
        "want_qty": None if want is None else plain(want),
        "resting": resting,
        "phase": Phase.BUILDING.value if resting else None,
        "label": None,
        "approach": None,
        "managed": None,
    }


def _about(monitor: Monitor) -> Document:
    return {
        "want_qty": None if monitor.want is None else plain(monitor.want),
        "label": monitor.label,
        "approach": monitor.approach,
        "managed": monitor.managed,
    }


def _held(engine: Engine, account: Account) -> Iterator[tuple[str, PositionSide]]:
    """Sides of a mirror that are held while main holds nothing there yet."""
    plans = {} if account.is_main else engine.passes[account.name].plans
    for symbol, plan in plans.items():
        for side in PositionSide:
            if hold_of(plan, side) and not engine.main.view.size(*engine.keeper.source(account.name, symbol, side)):
                yield symbol, side
