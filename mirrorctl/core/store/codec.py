"""Values to columns and back: decimals as text without exponent, actions and trades as JSON."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec

from mirrorctl.core.domain.actions import (
    Action,
    AmendOrder,
    CancelOrder,
    PlaceOrder,
    SetLeverage,
    SetTradingStop,
)
from mirrorctl.core.domain.cycle import Copy, Cycle, CycleKey
from mirrorctl.core.domain.instruments import plain
from mirrorctl.core.domain.ours import IntentState
from mirrorctl.core.domain.trade import Trade
from mirrorctl.core.domain.values import PositionSide
from mirrorctl.core.engine.records import (
    Alert,
    ClosedPosition,
    EquitySample,
    HoldTime,
    Intent,
    MeasuredCopy,
    NakedTime,
    OpenPosition,
    Severity,
)
from mirrorctl.core.store.database import Row

_TAG = "action"
_TYPES: dict[str, type[Action]] = {
    "place": PlaceOrder,
    "amend": AmendOrder,
    "cancel": CancelOrder,
    "set-stop": SetTradingStop,
    "set-leverage": SetLeverage,
}
_STARTS = {kind: f'{{"{_TAG}":"{tag}",' for tag, kind in _TYPES.items()}
_ENCODER = msgspec.json.Encoder()


def encode_action(action: Action) -> str:
    """One JSON object with the kind of action in its member `action`."""
    text = _ENCODER.encode(action).decode()  # at once: this is on the way to the exchange
    if "E+" in text or "E-" in text:  # perhaps an amount with an exponent
        text = _ENCODER.encode(_plain_inside(msgspec.to_builtins(action, builtin_types=(Decimal,)))).decode()
    return _STARTS[type(action)] + text[1:]


def decode_action(text: str) -> Action:
    """The action that `encode_action` wrote; members it did not know are at their defaults. Raises ValueError."""
    try:
        members = msgspec.json.decode(text, type=dict[str, Any])
        return msgspec.convert(members, _TYPES[members.pop(_TAG)])
    except (msgspec.MsgspecError, KeyError) as error:
        raise ValueError(f"not an action: {error}") from error


def encode_trade(trade: Trade) -> str:
    """One JSON object of the trade's fields."""
    return _ENCODER.encode(_plain_inside(msgspec.to_builtins(trade, builtin_types=(Decimal,)))).decode()


def decode_trade(text: str) -> Trade:
    """The trade that `encode_trade` wrote; members it did not know are at their defaults. Raises ValueError."""
    try:
        return msgspec.json.decode(text, type=Trade)
    except msgspec.MsgspecError as error:
        raise ValueError(f"not a trade: {error}") from error


def _plain_inside(value: Any) -> Any:
    """The same value with every decimal as text without exponent."""
    if isinstance(value, Decimal):
        return plain(value)
    if isinstance(value, dict):
        return {name: _plain_inside(member) for name, member in value.items()}
    if isinstance(value, list | tuple):
        return [_plain_inside(member) for member in value]
    return value


def keys_text(keys: tuple[str, ...]) -> str:
    """Keys of rungs for one column; they hold no blank."""
    return " ".join(keys)


def decimal_text(value: Decimal | None) -> str | None:
    """A decimal for a column that may be NULL."""
    return None if value is None else plain(value)


def decimal_value(text: str | None) -> Decimal | None:
    """A decimal from a column that may be NULL."""
    return None if text is None else Decimal(text)


def cycle_of(row: Row) -> Cycle:
    """From the columns symbol, side, tag, origin, started_ms, opened, done."""
    symbol, side, tag, origin, started_ms, opened, done = row
    return Cycle(symbol, PositionSide(side), tag, origin, started_ms, bool(opened), tuple(done.split()))


def copy_of(row: Row) -> Copy:
    """From the columns of `copy` in the order of the fields."""
    account, symbol, side, tag, ratio, formula, cap, main_size, out, held, opened, ended, explained, *later = row
    done, stop, skipped, raised, counted, unsized, value, follows, target, spared, ladder = later
    return Copy(
        account=account,
        symbol=symbol,
        side=PositionSide(side),
        tag=tag,
        ratio=Decimal(ratio),
        formula=formula,
        cap=decimal_value(cap),
        main_size=Decimal(main_size),
        out=out,
        held=held,
        opened=bool(opened),
        ended=bool(ended),
        explained=bool(explained),
        done=tuple(done.split()),
        own_stop=decimal_value(stop),
        skipped=Decimal(skipped),
        raised=Decimal(raised),
        counted=tuple(counted.split()),
        unsized=unsized,
        value=decimal_value(value),
        follows=cycle_key_of(follows),
        own_target=decimal_value(target),
        spared=Decimal(spared),
        ladder=ladder_of(ladder),
    )


def ladder_text(ladder: tuple[tuple[str, Decimal], ...]) -> str:
    """Rungs of a mirror's own ladder in one column; a key holds neither blank nor "@"."""
    return " ".join(f"{key}@{plain(price)}" for key, price in ladder)


def ladder_of(text: str) -> tuple[tuple[str, Decimal], ...]:
    parts = (rung.split("@") for rung in text.split())
    return tuple((key, Decimal(price)) for key, price in parts)


def cycle_key_text(key: CycleKey | None) -> str:
    """A symbol and a side in one column; "" for none."""
    return "" if key is None else f"{key[0]} {key[1]}"


def cycle_key_of(text: str) -> CycleKey | None:
    if not text:
        return None
    symbol, side = text.split()
    return (symbol, PositionSide(side))


def intent_of(row: Row) -> Intent:
    """From the columns of `intent` in the order of the fields, without `over`."""
    intent_id, account, action, state, created_ms, updated_ms, main_order, main_filled, filled, by_us, *said = row
    code, text, order_id = said
    return Intent(
        intent_id=intent_id,
        account=account,
        action=decode_action(action),
        state=IntentState(state),
        created_ms=created_ms,
        updated_ms=updated_ms,
        main_order_id=main_order,
        main_filled=decimal_value(main_filled),
        filled=Decimal(filled),
        by_us=bool(by_us),
        code=code,
        message=text,
        order_id=order_id,
    )


def alert_of(row: Row) -> Alert:
    """From the columns of `alert` in the order of the fields."""
    key, at_ms, severity, kind, account, symbol, text = row
    return Alert(key, at_ms, Severity(severity), kind, account, symbol, text)


def measured_copy_of(row: Row) -> MeasuredCopy:
    """From the columns of `measured_copy` in the order of the fields."""
    account, symbol, side, link_id, main_ms, mirror_ms, slippage, *way = row
    side = PositionSide(side)
    return MeasuredCopy(account, symbol, side, link_id, main_ms, mirror_ms, decimal_value(slippage), *way)


def sample_of(row: Row) -> EquitySample:
    """From the columns of `equity` in the order of the fields."""
    account, at_ms, *amounts = row
    return EquitySample(account, at_ms, *(decimal_value(amount) for amount in amounts))


def hold_of(row: Row) -> HoldTime:
    """From the columns of `hold_time` in the order of the fields."""
    account, symbol, side, from_ms, reason, until_ms = row
    return HoldTime(account, symbol, PositionSide(side), from_ms, reason, until_ms)


def open_of(row: Row) -> OpenPosition:
    """From the columns of `open_position` in the order of the fields."""
    account, symbol, side, tag, approach, opened_ms = row
    return OpenPosition(account, symbol, PositionSide(side), tag, approach, opened_ms)


def closed_of(row: Row) -> ClosedPosition:
    """From the columns of `closed_position` in the order of the fields."""
    account, symbol, side, tag, reason, opened_ms, closed_ms, late, approach = row
    return ClosedPosition(account, symbol, PositionSide(side), tag, reason, opened_ms, closed_ms, bool(late), approach)


def naked_of(row: Row) -> NakedTime:
    """From the columns of `naked_time` in the order of the fields."""
    account, symbol, side, from_ms, ms, ended = row
    return NakedTime(account, symbol, PositionSide(side), from_ms, ms, bool(ended))
