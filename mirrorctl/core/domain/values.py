"""The words of the domain as types: sides, order kinds, statuses.

String values are what people and `--json` see; the Bybit spelling lives in the codec alone.
"""

from __future__ import annotations

from enum import StrEnum


class Side(StrEnum):
    """The side of an order."""

    BUY = "buy"
    SELL = "sell"

    opposite: Side
    sign: int
    """+1 for a buy, -1 for a sell: what a fill adds to a signed position."""
    grows: PositionSide
    """The position side that an order on this side grows."""
    shrinks: PositionSide
    """The position side that an order on this side shrinks."""

    def __init__(self, value: str) -> None:
        self.sign = 1 if value == "buy" else -1


Side.BUY.opposite, Side.SELL.opposite = Side.SELL, Side.BUY


class PositionSide(StrEnum):
    """The side of a position."""

    LONG = "long"
    SHORT = "short"

    opposite: PositionSide
    entry: Side
    """The order side that grows a position on this side."""
    exit: Side
    """The order side that shrinks a position on this side."""
    sign: int
    hedge_idx: int
    """Bybit's positionIdx of this leg in hedge mode: 1 long, 2 short (order/create-order)."""

    def __init__(self, value: str) -> None:
        long = value == "long"
        self.entry, self.exit = (Side.BUY, Side.SELL) if long else (Side.SELL, Side.BUY)
        self.sign, self.hedge_idx = (1, 1) if long else (-1, 2)

    @classmethod
    def grown_by(cls, side: Side) -> PositionSide:
        """The position side that an order on `side` grows."""
        return side.grows

    @classmethod
    def shrunk_by(cls, side: Side) -> PositionSide:
        """The position side that an order on `side` shrinks."""
        return side.shrinks


PositionSide.LONG.opposite, PositionSide.SHORT.opposite = PositionSide.SHORT, PositionSide.LONG
Side.BUY.grows, Side.BUY.shrinks = PositionSide.LONG, PositionSide.SHORT
Side.SELL.grows, Side.SELL.shrinks = PositionSide.SHORT, PositionSide.LONG
SIDES = (PositionSide.LONG, PositionSide.SHORT)
"""Both sides, to be gone through where that is done thousands of times a second: an enum's own iteration is slow."""


class PositionMode(StrEnum):
    """Bybit's position mode of a symbol: one net position, or a leg for each side."""

    ONE_WAY = "one-way"
    HEDGE = "hedge"

    def idx(self, side: PositionSide) -> int:
        """positionIdx that an order for a position on `side` carries in this mode."""
        return side.hedge_idx if self is PositionMode.HEDGE else 0


class MarginMode(StrEnum):
    """How an account backs its positions: one pool, each by its own margin, or by the risk of all of them."""

    CROSS = "cross"
    ISOLATED = "isolated"
    PORTFOLIO = "portfolio"


class OrderType(StrEnum):
    LIMIT = "limit"
    MARKET = "market"
    UNKNOWN = "unknown"


class TimeInForce(StrEnum):
    GTC = "gtc"
    IOC = "ioc"
    FOK = "fok"
    POST_ONLY = "post-only"


class TriggerBy(StrEnum):
    """The price that triggers a conditional order or a stop."""

    LAST = "last"
    INDEX = "index"
    MARK = "mark"


class StopKind(StrEnum):
    """What a conditional order is for (Bybit's stopOrderType)."""

    NONE = "none"
    CONDITIONAL = "conditional"
    STOP_LOSS = "stop-loss"
    TAKE_PROFIT = "take-profit"
    TRAILING_STOP = "trailing-stop"
    PARTIAL_STOP_LOSS = "partial-stop-loss"
    PARTIAL_TAKE_PROFIT = "partial-take-profit"
    OTHER = "other"

    position_bound: bool
    """Made by the exchange for a position, and gone with it."""

    def __init__(self, value: str) -> None:
        self.position_bound = value not in ("none", "conditional")


class OrderStatus(StrEnum):
    """Bybit's orderStatus. CANCELLED may hold fills: always look at `filled_qty` (enum)."""

    NEW = "new"
    PARTIALLY_FILLED = "partially-filled"
    UNTRIGGERED = "untriggered"
    TRIGGERED = "triggered"
    FILLED = "filled"
    CANCELLED = "cancelled"
    REJECTED = "rejected"
    DEACTIVATED = "deactivated"

    is_open: bool

    def __init__(self, value: str) -> None:
        self.is_open = value in ("new", "partially-filled", "untriggered", "triggered")


class ExecutionKind(StrEnum):
    """What an execution row is. FUNDING and OTHER never change a size (A19)."""

    TRADE = "trade"
    LIQUIDATION = "liquidation"
    ADL = "adl"
    FUNDING = "funding"
    OTHER = "other"

    moves_position: bool

    def __init__(self, value: str) -> None:
        self.moves_position = value in ("trade", "liquidation", "adl")


class Severity(StrEnum):
    """How grave a finding or an alert is."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


class Freshness(StrEnum):
    """How much a view may be trusted: unknown is a value (rule 1)."""

    FRESH = "fresh"
    STALE = "stale"
    UNKNOWN = "unknown"
