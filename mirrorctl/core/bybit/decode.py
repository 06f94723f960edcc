"""Bybit's rows as domain values. Pure. REST and private streams share the rows; where they differ, both are read.

Every function takes one row of a `list` or of a frame's `data` and raises `Malformed` rather than guess: a half row is
unknown, not zero. Enum values that Bybit adds later (createType, stopOrderType, execType) do not stop anything.
Sources: order/open-order, order/execution, position/position, account/wallet-balance, market/tickers,
market/instrument, user/apikey-info, account/account-info, enum.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from decimal import Decimal

from mirrorctl.core.bybit.failures import Malformed
from mirrorctl.core.bybit.fields import (
    Row,
    flag,
    integer,
    malformed,
    maybe_integer,
    maybe_number,
    maybe_price,
    maybe_text,
    number,
    order_side,
    price,
    size,
    text,
    trigger_by,
)
from mirrorctl.core.domain.account import Execution, Identity, Order, Position, Ticker, Wallet
from mirrorctl.core.domain.instruments import ZERO, Instrument
from mirrorctl.core.domain.values import (
    ExecutionKind,
    MarginMode,
    OrderStatus,
    OrderType,
    PositionSide,
    StopKind,
    TimeInForce,
)

_log = logging.getLogger(__name__)

SETTLE_COIN = "USDT"


def order(row: Row) -> Order:
    """One row of order/realtime, order/history or the `order` topic.

    A market order shows the worst price it was bounded with, never that of a fill: it is left out (order/create-order).
    """
    status = _STATUSES.get(text(row, "orderStatus"))
    if status is None:
        raise malformed(row, "orderStatus", row["orderStatus"])
    reject_reason = maybe_text(row, "rejectReason")
    order_type = _ORDER_TYPES.get(maybe_text(row, "orderType"), OrderType.UNKNOWN)
    return Order(
        order_id=text(row, "orderId"),
        link_id=maybe_text(row, "orderLinkId"),
        symbol=text(row, "symbol"),
        side=order_side(row),
        order_type=order_type,
        qty=size(row, "qty"),
        status=status,
        price=None if order_type is OrderType.MARKET else maybe_price(row, "price"),
        filled_qty=size(row, "cumExecQty"),
        avg_price=maybe_price(row, "avgPrice"),
        time_in_force=_TIMES_IN_FORCE.get(maybe_text(row, "timeInForce"), TimeInForce.GTC),
        reduce_only=flag(row, "reduceOnly"),
        close_on_trigger=flag(row, "closeOnTrigger"),
        position_idx=maybe_integer(row, "positionIdx"),
        stop_kind=_stop_kind(row),
        trigger_price=maybe_price(row, "triggerPrice"),
        trigger_direction=maybe_integer(row, "triggerDirection"),
        trigger_by=trigger_by(row, "triggerBy"),
        stop_loss=maybe_price(row, "stopLoss"),
        stop_loss_by=trigger_by(row, "slTriggerBy"),
        take_profit=maybe_price(row, "takeProfit"),
        create_type=maybe_text(row, "createType"),
        cancel_type=maybe_text(row, "cancelType"),
        reject_reason="" if reject_reason == "EC_NoError" else reject_reason,
        created_ms=maybe_integer(row, "createdTime"),
        updated_ms=integer(row, "updatedTime"),
    )


def position(row: Row) -> Position:
    """One row of position/list (avgPrice) or of the `position` topic (entryPrice)."""
    held = size(row, "size")
    side = _POSITION_SIDES.get(maybe_text(row, "side"))
    if held and side is None:
        raise malformed(row, "side", row.get("side"))
    return Position(
        symbol=text(row, "symbol"),
        idx=integer(row, "positionIdx"),
        side=side if held else None,
        size=held,
        seq=integer(row, "seq"),
        updated_ms=maybe_integer(row, "updatedTime"),
        entry_price=maybe_price(row, "entryPrice") or maybe_price(row, "avgPrice"),
        mark_price=maybe_price(row, "markPrice"),
        leverage=maybe_price(row, "leverage"),
        unrealised_pnl=maybe_number(row, "unrealisedPnl"),
        liq_price=maybe_price(row, "liqPrice"),
        stop_loss=maybe_price(row, "stopLoss"),
        take_profit=maybe_price(row, "takeProfit"),
        trailing_stop=maybe_price(row, "trailingStop"),
        opened_ms=maybe_integer(row, "openTime"),
    )


def execution(row: Row) -> Execution:
    """One row of execution/list or of the `execution` topic; funding and settlement rows included (A19)."""
    create_type = maybe_text(row, "createType")
    return Execution(
        exec_id=text(row, "execId"),
        order_id=text(row, "orderId"),
        link_id=maybe_text(row, "orderLinkId"),
        symbol=text(row, "symbol"),
        side=order_side(row),
        price=number(row, "execPrice"),
        qty=size(row, "execQty"),
        kind=execution_kind(maybe_text(row, "execType"), create_type),
        seq=integer(row, "seq"),
        time_ms=integer(row, "execTime"),
        closed_qty=maybe_number(row, "closedSize") or ZERO,
        fee=maybe_number(row, "execFee") or ZERO,
        fee_rate=maybe_number(row, "feeRate"),
        is_maker=flag(row, "isMaker"),
        create_type=create_type,
        stop_kind=_stop_kind(row),
    )


def executions(rows: Sequence[Row], *, history: bool = False) -> list[Execution]:
    """The rows that can be read. One that moves no position may be unreadable (a funding row without a side).

    Raises Malformed for an unreadable row that does move one; not in a `history`, where it would keep everything else
    from ever being read: positions are read by themselves, the history only says by whose order they moved.
    """
    found = []
    for row in rows:
        try:
            found.append(execution(row))
        except Malformed as error:
            if not execution_kind(maybe_text(row, "execType"), maybe_text(row, "createType")).moves_position:
                continue
            if not history:
                raise
            _log.warning("an execution in the history cannot be read: %s", error)
    return found


def execution_kind(exec_type: str, create_type: str) -> ExecutionKind:
    """What an execution is. A liquidation's orders trade as Trade, so createType decides (enum)."""
    kind = _EXECUTION_KINDS.get(exec_type, ExecutionKind.OTHER)
    return _FORCED.get(create_type, kind) if kind is ExecutionKind.TRADE else kind


def wallet(row: Row, settle_coin: str = SETTLE_COIN) -> Wallet:
    """One account of account/wallet-balance or the `wallet` topic, in USD.

    Under isolated margin the account-wide figures are empty: they are then those of the settle coin, available balance
    being wallet − position margin − order margin − locked − bonus (account/wallet-balance).
    """
    coin = _coin_row(row, settle_coin)
    available = maybe_number(row, "totalAvailableBalance")
    if available is None:
        available = number(coin, "walletBalance") - sum((_or_zero(coin, field) for field in _TIED_UP), ZERO)
    equity = maybe_number(row, "totalEquity")
    initial = maybe_number(row, "totalInitialMargin")
    maintenance = maybe_number(row, "totalMaintenanceMargin")
    unrealised = maybe_number(row, "totalPerpUPL")
    return Wallet(
        equity=number(coin, "equity") if equity is None else equity,
        available=available,
        initial_margin=_coin_initial_margin(coin) if initial is None else initial,
        maintenance_margin=_or_zero(coin, "totalPositionMM") if maintenance is None else maintenance,
        unrealised_pnl=_or_zero(coin, "unrealisedPnl") if unrealised is None else unrealised,
    )


def ticker(row: Row, at_ms: int) -> Ticker:
    """One row of market/tickers. An empty side of the book is None."""
    return Ticker(
        symbol=text(row, "symbol"),
        last=price(row, "lastPrice"),
        mark=price(row, "markPrice"),
        index=price(row, "indexPrice"),
        bid=maybe_price(row, "bid1Price"),
        ask=maybe_price(row, "ask1Price"),
        at_ms=at_ms,
    )


def instrument(row: Row) -> Instrument:
    """One row of market/instruments-info, linear."""
    prices, lots, leverage = _part(row, "priceFilter"), _part(row, "lotSizeFilter"), _part(row, "leverageFilter")
    return Instrument(
        symbol=text(row, "symbol"),
        tick_size=price(prices, "tickSize"),
        qty_step=price(lots, "qtyStep"),
        min_qty=size(lots, "minOrderQty"),
        min_notional=maybe_number(lots, "minNotionalValue") or ZERO,
        max_limit_qty=price(lots, "maxOrderQty"),
        max_market_qty=price(lots, "maxMktOrderQty"),
        min_leverage=price(leverage, "minLeverage"),
        max_leverage=price(leverage, "maxLeverage"),
        leverage_step=price(leverage, "leverageStep"),
        trading=text(row, "status") == "Trading",
    )


def identity(key: Row, account: Row) -> Identity:
    """user/query-api and account/info together.

    `deadlineDay`, the days until a key expires, is below zero for one that does not: it is bound to an IP address, and
    the account's password was not changed since.
    """
    permissions = _part(key, "permissions")
    ips = key.get("ips")
    ip_bound = isinstance(ips, list) and bool(ips) and "*" not in ips
    read_only = integer(key, "readOnly") != 0
    contract = permissions.get("ContractTrade") or []
    days = -1 if key.get("deadlineDay") is None else integer(key, "deadlineDay")
    return Identity(
        uid=integer(key, "userID"),
        read_only=read_only,
        can_trade=not read_only and "Order" in contract and "Position" in contract,
        can_withdraw="Withdraw" in (permissions.get("Wallet") or []),
        ip_bound=ip_bound,
        unified=integer(account, "unifiedMarginStatus") in _UNIFIED,
        expires_in_days=None if days < 0 else days,
        margin_mode=_MARGIN_MODES.get(maybe_text(account, "marginMode")),
    )


def _stop_kind(row: Row) -> StopKind:
    name = maybe_text(row, "stopOrderType")
    return _STOP_KINDS.get(name, StopKind.OTHER) if name else StopKind.NONE


def _part(row: Row, field: str) -> Row:
    value = row.get(field)
    if not isinstance(value, dict):
        raise malformed(row, field, value)
    return value


def _coin_row(row: Row, settle_coin: str) -> Row:
    """The settle coin's row. Coins without a balance are left out by Bybit: that is zero, and only that."""
    coins = row.get("coin")
    if not isinstance(coins, list):
        raise malformed(row, "coin", coins)
    for coin in coins:
        if isinstance(coin, dict) and coin.get("coin") == settle_coin:
            return coin
    return {"coin": settle_coin, "walletBalance": "0", "equity": "0"}


def _coin_initial_margin(coin: Row) -> Decimal:
    return _or_zero(coin, "totalPositionIM") + _or_zero(coin, "totalOrderIM")


def _or_zero(row: Row, field: str) -> Decimal:
    return maybe_number(row, field) or ZERO


_TIED_UP = ("totalPositionIM", "totalOrderIM", "locked", "bonus")
_UNIFIED = (5, 6)  # UTA 2.0; older account types keep margin differently (account/account-info)
_MARGIN_MODES = {
    "REGULAR_MARGIN": MarginMode.CROSS,
    "ISOLATED_MARGIN": MarginMode.ISOLATED,
    "PORTFOLIO_MARGIN": MarginMode.PORTFOLIO,
}
_POSITION_SIDES = {"Buy": PositionSide.LONG, "Sell": PositionSide.SHORT}
_ORDER_TYPES = {"Limit": OrderType.LIMIT, "Market": OrderType.MARKET}
_TIMES_IN_FORCE = {
    "GTC": TimeInForce.GTC,
    "IOC": TimeInForce.IOC,
    "FOK": TimeInForce.FOK,
    "PostOnly": TimeInForce.POST_ONLY,
    "RPI": TimeInForce.POST_ONLY,  # maker only, as PostOnly is
}
_STATUSES = {
    "New": OrderStatus.NEW,
    "PartiallyFilled": OrderStatus.PARTIALLY_FILLED,
    "Untriggered": OrderStatus.UNTRIGGERED,
    "Triggered": OrderStatus.TRIGGERED,
    "Filled": OrderStatus.FILLED,
    "Cancelled": OrderStatus.CANCELLED,
    "PartiallyFilledCanceled": OrderStatus.CANCELLED,
    "Rejected": OrderStatus.REJECTED,
    "Deactivated": OrderStatus.DEACTIVATED,
}
_STOP_KINDS = {
    "Stop": StopKind.CONDITIONAL,
    "StopLoss": StopKind.STOP_LOSS,
    "TakeProfit": StopKind.TAKE_PROFIT,
    "TrailingStop": StopKind.TRAILING_STOP,
    "PartialStopLoss": StopKind.PARTIAL_STOP_LOSS,
    "PartialTakeProfit": StopKind.PARTIAL_TAKE_PROFIT,
}
_EXECUTION_KINDS = {
    "Trade": ExecutionKind.TRADE,
    "BlockTrade": ExecutionKind.TRADE,
    "FutureSpread": ExecutionKind.TRADE,
    "AdlTrade": ExecutionKind.ADL,
    "BustTrade": ExecutionKind.LIQUIDATION,
    "Funding": ExecutionKind.FUNDING,
}
_FORCED = {
    "CreateByLiq": ExecutionKind.LIQUIDATION,
    "CreateByTakeOver_PassThrough": ExecutionKind.LIQUIDATION,
    "CreateByAdl_PassThrough": ExecutionKind.ADL,
}
