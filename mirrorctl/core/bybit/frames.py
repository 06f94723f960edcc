"""Private stream messages as domain values. Pure; runs on the engine's thread."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from mirrorctl.core.bybit import decode
from mirrorctl.core.bybit.failures import Malformed
from mirrorctl.core.bybit.fields import Row, maybe_integer
from mirrorctl.core.domain.account import Execution, Order, Position, Wallet

TOPICS = ("order", "execution", "position", "wallet")
"""The all-in-one names; categorised ones may not share a subscription with them (websocket/wss-authentication)."""

Value = Order | Execution | Position | Wallet


def decode_frame(payload: Any) -> Sequence[Value]:
    """The values of one message `{"topic": str, "data": [row, ...]}`, in its order.

    All-in-one topics carry every product: rows of another category than linear, or of linear contracts that settle
    in another coin, are left out. A message of an unknown
    topic, or none at all, gives (). Raises Malformed for a known topic that cannot be read: the account's state is then
    unknown until the next relist.
    """
    if not isinstance(payload, dict):
        return ()
    topic = payload.get("topic")
    if not isinstance(topic, str):
        return ()
    read = _READERS.get(topic.partition(".")[0])
    if read is None or topic == "execution.fast":
        return ()
    rows = payload.get("data")
    if not isinstance(rows, list):
        raise Malformed(f"a message of topic {topic} has no rows", "the state is unknown")
    linear: list[Row] = []
    for row in rows:
        if not isinstance(row, dict):
            raise Malformed(f"a message of topic {topic} has no rows", "the state is unknown")
        symbol = row.get("symbol")
        # Linear is USDT and USDC together and no row names its settle coin; the symbol does: BTCPERP (enum, symbol).
        # Relists are by settle coin, so what they never name must not come in by the stream.
        settles = not isinstance(symbol, str) or symbol.partition("-")[0].endswith(decode.SETTLE_COIN)
        if settles and row.get("category", "linear") in ("linear", ""):
            linear.append(row)
    if read is decode.execution:
        return decode.executions(linear)
    if read is decode.position:
        told_ms = maybe_integer(payload, "creationTime")
        return [decode.position(row, told_ms) for row in linear]
    return [read(row) for row in linear]


_READERS: dict[str, Callable[[Row], Value]] = {
    "order": decode.order,
    "execution": decode.execution,
    "position": decode.position,
    "wallet": decode.wallet,
}
