"""Measured copies: how long after main's fill a mirror filled, and at how much worse a price."""

from __future__ import annotations

from collections import OrderedDict
from decimal import Decimal

from mirrorctl.core.domain.account import Execution
from mirrorctl.core.domain.ids import Role, parse
from mirrorctl.core.domain.values import PositionSide
from mirrorctl.core.engine.accounts import Account
from mirrorctl.core.engine.keeper import Keeper
from mirrorctl.core.engine.records import MeasuredCopy, Store

_BPS = Decimal(10_000)
_KEPT = 1_000


class CopyMeter:
    """Takes the first execution of each order that followed a fill of main. Twins are no copies of a fill."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._measured: OrderedDict[str, None] = OrderedDict()

    def on_mirror_execution(self, mirror: Account, execution: Execution, keeper: Keeper) -> None:
        link = parse(execution.link_id)
        if link is None or execution.link_id in self._measured:
            return
        if link.role is Role.CORRECTION:
            side = PositionSide.grown_by(execution.side)
            fill = keeper.growth_fill.get(keeper.source(mirror.name, execution.symbol, side))
        elif link.role is Role.REDUCTION:
            side = PositionSide.shrunk_by(execution.side)
            fill = keeper.exit_fill.get(keeper.source(mirror.name, execution.symbol, side))
        else:
            return
        self._measured[execution.link_id] = None
        if len(self._measured) > _KEPT:  # the store measures an order once, whatever is forgotten here
            self._measured.popitem(last=False)
        if fill is None or fill.exchange_ms > execution.time_ms:
            return
        lens = keeper.lens(mirror.name)
        price = fill.price / lens.multiplier(lens.symbol_there(execution.symbol))
        worse = (execution.price - price) * execution.side.sign / price * _BPS
        self._store.add_measured_copy(
            MeasuredCopy(
                account=mirror.name,
                symbol=execution.symbol,
                side=side,
                link_id=execution.link_id,
                main_exec_ms=fill.exchange_ms,
                mirror_exec_ms=execution.time_ms,
                slippage_bps=worse.quantize(Decimal("0.01")),
            )
        )
