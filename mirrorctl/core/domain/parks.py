"""Why a symbol is parked on an account, what it says to people, and what they can do about it (A57).

A park keeps entries back; stops, targets and reductions go on. Its reason begins with what it is about.
"""

from __future__ import annotations

from mirrorctl.core.domain.actions import Action, AmendOrder, CancelOrder, PlaceOrder, SetLeverage
from mirrorctl.core.domain.instruments import plain

IN_DOUBT = "in doubt"
LOOP = "loop"
REFUSED = "refused by the exchange"

_RESUME = "`mirrorctl resume --account {account} --symbol {symbol}`"
_REMEDIES = {
    IN_DOUBT: "look at {account}'s orders and position of {symbol} at Bybit; it is asked for once a minute and followed"
    f" again once it is known; {_RESUME} asks again at once",
    LOOP: f"end what works against it (another program, an order made by hand), then {_RESUME}",
    REFUSED: f"end the reason, then {_RESUME}",
    "leverage": f"choose a leverage that the exchange takes, then {_RESUME}",
    "foreign position": 'close it, or set foreign = "adopt" for this mirror',
    "hedge": "none needed: it is followed again once main holds one leg; or choose another hedge policy",
    "policy changed": "none needed: it is followed again once it is flat",
    "new store": "`mirrorctl sync --yes` releases it",
}


def remedy(reason: str, account: str, symbol: str) -> str:
    """What a person can do about a park."""
    found = next((text for start, text in _REMEDIES.items() if reason.startswith(start)), _REMEDIES[REFUSED])
    return found.format(account=account, symbol=symbol)


def told(action: Action) -> str:
    """An action in words, such as "place buy 0.05 at 59000" or "stop to 58000"."""
    if isinstance(action, PlaceOrder):
        price = action.price or action.trigger_price
        where = "at market" if price is None else f"at {plain(price)}"
        exits = " reduce-only" if action.reduce_only else ""
        return f"place {action.side.value.lower()} {plain(action.qty)} {where}{exits}"
    if isinstance(action, CancelOrder):
        return f"cancel of {action.link_id or action.order_id}"
    if isinstance(action, AmendOrder):
        changes = {"quantity": action.qty, "price": action.price, "trigger": action.trigger_price}
        changes["stop"] = action.stop_loss
        to = ", ".join(f"{name} {plain(value)}" for name, value in changes.items() if value is not None)
        return f"change of {action.link_id or action.order_id} to {to}"
    if isinstance(action, SetLeverage):
        return f"leverage {plain(action.leverage)}"
    bound = {"stop": action.stop_loss, "take-profit": action.take_profit, "trailing stop": action.trailing_stop}
    return ", ".join(f"{name} to {plain(value)}" for name, value in bound.items() if value is not None)
