"""Random policies of mirrors: every choice comes from the seed, and each is one that a profile may say."""

from __future__ import annotations

import random
from dataclasses import replace
from decimal import Decimal

from mirrorctl.core.domain.policy import (
    Adopt,
    Direction,
    Filter,
    Follow,
    Foreign,
    Hedge,
    Limits,
    ManualEdit,
    MappedSymbol,
    MirrorPolicy,
    Sizing,
    SizingMode,
)
from mirrorctl.core.domain.values import PositionSide

BTC, ETH = "BTCUSDT", "ETHUSDT"
SYMBOLS = (BTC, ETH)
NAMES = ("first", "second", "third")
PRICES = {BTC: Decimal(60_000), ETH: Decimal(3_000)}
MAPPED = {ETH: MappedSymbol(BTC, Decimal("0.05"))}  # as PRICES: one BTC is worth 20 ETH
RATIOS = ("0.2", "0.37", "0.5", "1", "1.3")
VALUES = {
    SizingMode.PROPORTION: RATIOS,
    SizingMode.EQUITY: ("0.5", "1", "2"),
    SizingMode.SAME_MARGIN_PERCENT: ("0.5", "1"),
    SizingMode.FIXED_NOTIONAL: ("900", "2500"),
    SizingMode.RISK: ("0.05", "0.1"),
}
QTYS = {BTC: ("0.015", "0.04"), ETH: ("0.3", "0.8")}


def mirror(choose: random.Random, name: str, *, main_hedged: bool, hedged: bool) -> MirrorPolicy:
    """A mirror that differs from a plain one in some of the ways a profile can say."""
    joins = main_hedged and not hedged
    policy = MirrorPolicy(name, adopt=Adopt.ALL, sizing=_sizing(choose, joins), follow=_follow(choose, joins))
    changes = {
        "filter": _filter(choose) if choose.random() < 0.25 else Filter(),
        "map": MAPPED if choose.random() < 0.15 and not joins else {},
        "limits": _limits(choose),
    }
    return replace(policy, **changes)  # type: ignore[arg-type]  # fields of MirrorPolicy


def _sizing(choose: random.Random, joins: bool) -> Sizing:
    modes = list(SizingMode)
    if joins or choose.random() < 0.3:  # of two legs in one position, each leg's own quantity is no measure
        modes = [SizingMode.PROPORTION, SizingMode.EQUITY]
    mode = choose.choice(modes)
    if mode is SizingMode.FIXED_QTY:
        symbols = {symbol: Decimal(choose.choice(qtys)) for symbol, qtys in QTYS.items()}
        return Sizing(mode, Decimal(1), symbols=symbols)
    factor = Decimal(choose.choice(("1", "1", "0.5")))
    return Sizing(mode, Decimal(choose.choice(VALUES[mode])), leverage_factor=factor)


def _follow(choose: random.Random, joins: bool) -> Follow:
    return Follow(
        direction=Direction.REVERSE if choose.random() < 0.2 else Direction.SAME,
        hedge=choose.choice((Hedge.NET, Hedge.LONG_ONLY, Hedge.SHORT_ONLY, Hedge.REFUSE)) if joins else Hedge.REFUSE,
        delay_s=Decimal(choose.choice((2, 6))) if choose.random() < 0.2 else Decimal(0),
        manual_edit=choose.choice((ManualEdit.RESTORE, ManualEdit.RESPECT)),
        foreign=Foreign.PARK,
        max_slippage_bps=Decimal(500),
    )


def _filter(choose: random.Random) -> Filter:
    return choose.choice(
        (
            Filter(symbols=("BTC*",)),
            Filter(exclude=("BTC*",)),
            Filter(sides=(PositionSide.LONG,)),
            Filter(sides=(PositionSide.SHORT,)),
        )
    )


def _limits(choose: random.Random) -> Limits:
    """Limits that the histories often reach, each on its own in about a quarter of the mirrors."""

    def some(*values: str) -> Decimal | None:
        return Decimal(choose.choice(values)) if choose.random() < 0.25 else None

    count = choose.random() < 0.15
    rate = choose.random() < 0.2
    return Limits(
        max_leverage=some("3", "8") or Decimal(100),
        max_position_notional=some("1200", "3000"),
        max_total_notional=some("2000", "4500"),
        max_open_positions=1 if count else None,
        max_orders_per_minute=choose.choice((3, 6)) if rate else None,
    )
