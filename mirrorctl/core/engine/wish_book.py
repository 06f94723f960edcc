"""The trader's wishes for single trades, held in memory and written through to the store as one fact."""

from __future__ import annotations

import json
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from mirrorctl.core.domain.instruments import plain
from mirrorctl.core.domain.lens import Lens
from mirrorctl.core.domain.values import PositionSide
from mirrorctl.core.domain.wish import Wish
from mirrorctl.core.engine.records import Store

_FACT = "wishes"


class WishBook:
    """Every wish that still matters, in memory and written through."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.rows: tuple[Wish, ...] = tuple(_wish_of(row) for row in json.loads(store.fact(_FACT) or "[]"))

    def add(self, wishes: Iterable[Wish]) -> None:
        self.keep((*self.rows, *wishes))

    def keep(self, rows: Iterable[Wish]) -> None:
        """These and no others, durable when it returns."""
        after = tuple(rows)
        if after != self.rows:
            self._store.set_fact(_FACT, json.dumps([_row_of(wish) for wish in after]))
            self.rows = after

    def waits(self, mirror: str, symbol: str, lens: Lens) -> dict[PositionSide, str]:
        """Sides of a mirror's symbol whose entries wait: main's order decides whether they get another ratio."""
        asked = (lens.here(wish.key) for wish in self.rows if wish.mirror == mirror and not wish.cycle)
        return {side: "waits for main's order" for here, side in asked if here == symbol}


def _row_of(wish: Wish) -> dict[str, str | bool | None]:
    return {
        "symbol": wish.symbol,
        "side": wish.side.value,
        "mirror": wish.mirror,
        "step": wish.step,
        "value": None if wish.value is None else plain(wish.value),
        "ratio": None if wish.ratio is None else plain(wish.ratio),
        "formula": wish.formula,
        "cycle": wish.cycle,
        "applied": wish.applied,
    }


def _wish_of(row: dict[str, Any]) -> Wish:
    value, ratio = row["value"], row["ratio"]
    return Wish(
        symbol=row["symbol"],
        side=PositionSide(row["side"]),
        mirror=row["mirror"],
        step=row["step"],
        value=None if value is None else Decimal(value),
        ratio=None if ratio is None else Decimal(ratio),
        formula=row["formula"],
        cycle=row["cycle"],
        applied=bool(row["applied"]),
    )
