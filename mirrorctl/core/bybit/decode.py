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
    ORDER_SIDES,
    Row,
    flag,
    integer,
    integers,
    malformed,
    maybe_integers,
    maybe_number,
    maybe_numbers,
    maybe_price,
    maybe_text,
    maybe_texts,
    number,
    size,
    sizes,
    text,
    texts,
)
from mirrorctl.core.bybit.fields import price as price_of
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
    TriggerBy,
)

_log = logging.getLogger(__name__)

SETTLE_COIN = "USDT"


def order(row: Row) -> Order:
    """One row of order/realtime, order/history or the `order` topic.

    A market order shows the worst price it was bounded with, never that of a fill: it is left out (order/create-order).
    """
    order_id, symbol, side_name, status_name = texts(row, ("orderId", "symbol", "side", "orderStatus"))
    side, status = ORDER_SIDES.get(side_name), _STATUSES.get(status_name)
    if side is None or status is None:
        raise malformed(row, "side", side_name) if side is None else malformed(row, "orderStatus", status_name)
    link_id, type_name, in_force, stop_type, triggered_by, stopped_by, create_type, cancel_type, reject_reason = (
        maybe_texts(row, _ORDER_TEXTS)
    )
    order_type = _ORDER_TYPES.get(type_name, OrderType.UNKNOWN)
    qty, filled_qty = sizes(row, ("qty", "cumExecQty"))
    avg_price, trigger_price, stop_loss, take_profit = maybe_numbers(row, _ORDER_PRICES)
    idx, direction, created_ms = maybe_integers(row, ("positionIdx", "triggerDirection", "createdTime"))
    (updated_ms,) = integers(row, ("updatedTime",))
    return Order(
        order_id=order_id,
        link_id=link_id,
        symbol=symbol,
        side=side,
        order_type=order_type,
        qty=qty,
        status=status,
        price=None if order_type is OrderType.MARKET else maybe_price(row, "price"),
        filled_qty=filled_qty,
        avg_price=avg_price or None,
        time_in_force=_TIMES_IN_FORCE.get(in_force, TimeInForce.GTC),
        reduce_only=flag(row, "reduceOnly"),
        close_on_trigger=flag(row, "closeOnTrigger"),
        position_idx=idx,
        stop_kind=_STOP_KINDS.get(stop_type, StopKind.OTHER) if stop_type else StopKind.NONE,
        trigger_price=trigger_price or None,
        trigger_direction=direction,
        trigger_by=_TRIGGERS.get(triggered_by, TriggerBy.LAST),
        stop_loss=stop_loss or None,
        stop_loss_by=_TRIGGERS.get(stopped_by, TriggerBy.LAST),
        take_profit=take_profit or None,
        create_type=create_type,
        cancel_type=cancel_type,
        reject_reason="" if reject_reason == "EC_NoError" else reject_reason,
        created_ms=created_ms,
        updated_ms=updated_ms,
    )


def position(row: Row, told_ms: int = 0) -> Position:
    """One row of position/list (avgPrice) or of the `position` topic (entryPrice). `told_ms`: when it was told."""
    (held,) = sizes(row, ("size",))
    side = _POSITION_SIDES.get(maybe_text(row, "side"))
    if held and side is None:
        raise malformed(row, "side", row.get("side"))
    entry, average, mark, leverage, liquidation, stop_loss, take_profit, trailing_stop, unrealised = maybe_numbers(
        row, _POSITION_NUMBERS
    )
    updated_ms, opened_ms = maybe_integers(row, ("updatedTime", "openTime"))
    idx, seq = integers(row, ("positionIdx", "seq"))
    return Position(
        symbol=text(row, "symbol"),
        idx=idx,
        side=side if held else None,
        size=held,
        seq=seq,
        updated_ms=updated_ms,
        entry_price=entry or average or None,
        mark_price=mark or None,
        leverage=leverage or None,
        unrealised_pnl=unrealised,
        liq_price=liquidation or None,
        stop_loss=stop_loss or None,
        take_profit=take_profit or None,
        trailing_stop=trailing_stop or None,
        opened_ms=opened_ms,
        told_ms=told_ms,
    )


def execution(row: Row) -> Execution:
    """One row of execution/list or of the `execution` topic; funding and settlement rows included (A19)."""
    exec_id, order_id, symbol, side_name = texts(row, ("execId", "orderId", "symbol", "side"))
    side = ORDER_SIDES.get(side_name)
    if side is None:
        raise malformed(row, "side", side_name)
    link_id, exec_type, create_type, stop_type = maybe_texts(row, _EXECUTION_TEXTS)
    price, qty, closed_qty, fee, fee_rate = maybe_numbers(row, _EXECUTION_NUMBERS)
    seq, time_ms = integers(row, ("seq", "execTime"))
    if price is None:
        raise malformed(row, "execPrice", row.get("execPrice"))
    if qty is None or qty < ZERO:
        raise malformed(row, "execQty", row.get("execQty"))
    return Execution(
        exec_id=exec_id,
        order_id=order_id,
        link_id=link_id,
        symbol=symbol,
        side=side,
        price=price,
        qty=qty,
        kind=execution_kind(exec_type, create_type),
        seq=seq,
        time_ms=time_ms,
        closed_qty=closed_qty or ZERO,
        fee=fee or ZERO,
        fee_rate=fee_rate,
        is_maker=flag(row, "isMaker"),
        create_type=create_type,
        stop_kind=_STOP_KINDS.get(stop_type, StopKind.OTHER) if stop_type else StopKind.NONE,
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
        last=price_of(row, "lastPrice"),
        mark=price_of(row, "markPrice"),
        index=price_of(row, "indexPrice"),
        bid=maybe_price(row, "bid1Price"),
        ask=maybe_price(row, "ask1Price"),
        at_ms=at_ms,
    )


def instrument(row: Row) -> Instrument:
    """One row of market/instruments-info, linear."""
    prices, lots, leverage = _part(row, "priceFilter"), _part(row, "lotSizeFilter"), _part(row, "leverageFilter")
    return Instrument(
        symbol=text(row, "symbol"),
        tick_size=price_of(prices, "tickSize"),
        qty_step=price_of(lots, "qtyStep"),
        min_qty=size(lots, "minOrderQty"),
        min_notional=maybe_number(lots, "minNotionalValue") or ZERO,
        max_limit_qty=price_of(lots, "maxOrderQty"),
        max_market_qty=price_of(lots, "maxMktOrderQty"),
        min_leverage=price_of(leverage, "minLeverage"),
        max_leverage=price_of(leverage, "maxLeverage"),
        leverage_step=price_of(leverage, "leverageStep"),
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
_ORDER_TEXTS = (
    "orderLinkId",
    "orderType",
    "timeInForce",
    "stopOrderType",
    "triggerBy",
    "slTriggerBy",
    "createType",
    "cancelType",
    "rejectReason",
)
_ORDER_PRICES = ("avgPrice", "triggerPrice", "stopLoss", "takeProfit")
_POSITION_NUMBERS = (
    "entryPrice",
    "avgPrice",
    "markPrice",
    "leverage",
    "liqPrice",
    "stopLoss",
    "takeProfit",
    "trailingStop",
    "unrealisedPnl",
)
_EXECUTION_TEXTS = ("orderLinkId", "execType", "createType", "stopOrderType")
_EXECUTION_NUMBERS = ("execPrice", "execQty", "closedSize", "execFee", "feeRate")
_TRIGGERS = {"LastPrice": TriggerBy.LAST, "IndexPrice": TriggerBy.INDEX, "MarkPrice": TriggerBy.MARK}  # or none: last
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
