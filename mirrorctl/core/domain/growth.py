"""The gate in front of every entry on a mirror: why it may not grow now.

One function answers for twins and corrections alike, so no entry passes a different gate than another. It fails
closed: what cannot be known refuses (A75).
"""

from __future__ import annotations

from decimal import Decimal

from mirrorctl.core.domain.account import Ticker
from mirrorctl.core.domain.actions import SetLeverage
from mirrorctl.core.domain.cycle import Copy
from mirrorctl.core.domain.instruments import ZERO, Instrument, plain
from mirrorctl.core.domain.policy import MirrorPolicy
from mirrorctl.core.domain.refusals import heals
from mirrorctl.core.domain.scene import Need, NeedKind, Planned, Scene, SymbolPlan
from mirrorctl.core.domain.selection import selection_block
from mirrorctl.core.domain.values import PositionMode, PositionSide
from mirrorctl.core.domain.view import AccountView

NO_STOP = "no stop"
NO_LEVERAGE = "the mirror shows no leverage (portfolio margin?): max_leverage cannot be checked"
WALLET_UNKNOWN = "the wallet is not known"
_PUSH_WAIT_MS = 250
_ROW_WAIT_MS = 300
_MAP_TICKER_MS = 3_600_000
_MAP_APART = Decimal(2)


def standing_block(scene: Scene, copy: Copy) -> str:
    """Why this side may not grow at all, whatever the size; "" when it may."""
    if scene.growth_block:
        return scene.growth_block
    if is_broke(scene.mirror):
        return "the wallet is empty"
    if copy.ended:
        return "main is flat"
    if copy.out:
        return f"own exit: {copy.out}"
    if copy.held:
        return copy.held
    chosen = scene.policy.filter
    if not chosen.takes_all and (unchosen := selection_block(chosen, *copy.source, scene.exchange_ms)):
        return unchosen
    if not scene.instrument.trading:
        return f"{scene.symbol} is not trading"
    return mode_block(scene.policy, scene.mirror, scene.symbol) if scene.policy.position_mode is not None else ""


def mode_block(policy: MirrorPolicy, mirror: AccountView, symbol: str) -> str:
    """The account shall be in a position mode that it is not in for this symbol, as a row of it shows."""
    declared = policy.position_mode
    if declared is None or not mirror.proven(symbol):
        return ""
    actual = mirror.mode(symbol)
    told = f"mode: {symbol} is {actual}, the profile says position_mode = {declared}"
    return "" if actual is declared else told


def is_broke(mirror: AccountView) -> bool:
    """No equity, or nothing available although neither a position nor a resting order ties anything up (A4)."""
    wallet = mirror.wallet
    if wallet is None:
        return False  # nobody knows: an entry waits for it
    if wallet.available > ZERO:
        return wallet.equity <= ZERO
    return wallet.equity <= ZERO or (not any(mirror.positions()) and not any(mirror.all_orders()))


def stop_wait(scene: Scene, plan: SymbolPlan, side: PositionSide) -> str:
    """Why growth waits for a stop where it may not go without one; "" when it need not (A13).

    `NO_STOP` when main's row shows that it has no target: the trader's to change. Else the row is on its way.
    """
    if not scene.needs_stop or scene.background.intended_stop(side) is not None:
        return ""
    if scene.main_stop(side)[0] is not None:
        return ""
    if scene.main.position(scene.symbol, side) is not None:
        return NO_STOP
    until = scene.since_ms(plan, f"target {side}") + _ROW_WAIT_MS
    if scene.now_ms < until:
        plan.wake_at(until)
    else:
        plan.needs.append(Need(NeedKind.POSITION, scene.main.account, scene.symbol))
    return "main's position row is not read yet"


def other_side_block(scene: Scene, side: PositionSide) -> str:
    """Why no entry of `side` may rest on a one-way mirror: it would fill against the side that is followed."""
    if scene.mode is PositionMode.HEDGE:
        return ""
    if scene.main_size[side.opposite]:
        return f"hedge: main holds a {side.opposite}, and the mirror is one-way"
    if scene.have[side.opposite]:
        return f"the mirror holds a {side.opposite}"
    return ""


def entry_wait(scene: Scene, plan: SymbolPlan, side: PositionSide) -> str:
    """What an entry still waits for, and plans or asks for it: it ends by itself."""
    if side in scene.entry_waits:
        return scene.entry_waits[side]
    if scene.mirror.wallet is None:
        plan.needs.append(Need(NeedKind.WALLET, scene.account, scene.symbol))
        return WALLET_UNKNOWN
    if scene.mirror.unexplained_loss(scene.symbol, side):
        until = scene.since_ms(plan, f"loss {side}") + _PUSH_WAIT_MS
        if scene.now_ms < until:
            plan.wake_at(until)
        else:
            plan.needs.append(Need(NeedKind.EXECUTIONS, scene.account, scene.symbol))
        return "the position shrank and its execution was not seen yet"
    if not scene.mirror.proven(scene.symbol, side):
        plan.needs.append(Need(NeedKind.POSITION, scene.account, scene.symbol))
        return "the mirror's position and leverage are not read yet"
    if scene.mapped and _hourly_ticker(scene) is None:
        plan.needs.append(Need(NeedKind.TICKER, scene.account, scene.symbol))
        return f"the price of {scene.symbol} is not known yet"
    return _leverage_wait(scene, plan)


def within_limit(policy: MirrorPolicy, leverage: Decimal, instrument: Instrument) -> Decimal:
    """min(leverage, max_leverage), on the contract's step."""
    limit = policy.limits.max_leverage
    return instrument.leverage(leverage if limit is None else min(leverage, limit))


def _leverage_wait(scene: Scene, plan: SymbolPlan) -> str:
    """An entry waits until the mirror's leverage reads min(main's × factor, max_leverage); plans what is missing.

    An account that shows no leverage at all (portfolio margin) is refused: its limit cannot be computed (A75).
    """
    actual = scene.mirror.leverage.get(scene.symbol)
    if actual is None:
        return NO_LEVERAGE
    main = scene.main.leverage.get(scene.symbol)
    if main is None and not scene.main.proven(scene.symbol):
        plan.needs.append(Need(NeedKind.POSITION, scene.main.account, scene.symbol))
        return "main's leverage is not known yet"
    base = actual if main is None else main * scene.policy.sizing.leverage_factor
    wanted = within_limit(scene.policy, base, scene.instrument)
    if actual == wanted:
        return ""
    code, message = scene.refused.get("leverage", (0, ""))
    if code and not heals(code, message):
        plan.park = f"leverage {plain(wanted)} was refused by the exchange ({code}): {message}"
        return plan.park
    already = any(isinstance(planned.action, SetLeverage) for planned in plan.actions)
    if "leverage" not in scene.busy and not already:
        reason = f"leverage {plain(actual)} → {plain(wanted)} (main's × factor, within the limit)"
        plan.actions.append(Planned(SetLeverage(scene.account, scene.symbol, wanted, reason)))
    why = f": refused by the exchange ({code}): {message}" if code else ""
    return f"waits for leverage {plain(wanted)}{why}"


def quantity_block(scene: Scene, qty: Decimal, lowest: Decimal, highest: Decimal) -> str:
    """Why an entry may not go that fills between two prices: the contract's minimum, or a limit of the profile."""
    if not scene.instrument.meets_minimum(qty, lowest):
        return f"below minimum: {plain(qty)} at {plain(lowest)}"
    foreign = _map_block(scene, highest) if scene.mapped else ""
    return foreign or scene.limit(qty, highest)


def _map_block(scene: Scene, price: Decimal) -> str:
    """A price of main's that is another one altogether here: quantity and notional would be wrong by as much."""
    ticker = _hourly_ticker(scene)
    if ticker is None or ticker.last / _MAP_APART <= price <= ticker.last * _MAP_APART:
        return ""
    return f"map: main's price is {plain(price)} here and {scene.symbol} trades at {plain(ticker.last)}: multiplier?"


def _hourly_ticker(scene: Scene) -> Ticker | None:
    """A price that tells one contract from another need not be of this moment."""
    ticker = scene.ticker
    return ticker if ticker is not None and scene.now_ms - ticker.at_ms <= _MAP_TICKER_MS else None
