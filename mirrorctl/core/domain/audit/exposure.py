"""Exposure: whether each mirror holds what main's trades ask of it, and under which terms (A64, A82)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal

from mirrorctl.core.domain.actions import PlaceOrder, SetLeverage
from mirrorctl.core.domain.audit.findings import Code, Finding, found
from mirrorctl.core.domain.audit.scene import AuditScene, Seen, side_of
from mirrorctl.core.domain.growth import within_limit
from mirrorctl.core.domain.instruments import ZERO, Instrument, plain
from mirrorctl.core.domain.lens import lens_of
from mirrorctl.core.domain.scene import Held, Standing, SymbolPlan
from mirrorctl.core.domain.values import Severity
from mirrorctl.core.domain.view import AccountView

_DIGITS = 8  # of a ratio times a size, after the point
_HELD_REMEDIES = {
    "paused": "`mirrorctl resume` ends the pause",
    "new store": "`mirrorctl sync --yes` releases it",
    "limit": "raise the limit in the profile, or leave it",
    "mode": "change the position mode at Bybit, or position_mode in the profile",
    "no stop": "set a target on main: it is this mirror's stop",
    "hedge": "none needed: the profile's hedge policy leaves it out",
    "map: main's price": "set the map's multiplier so that main's price divided by it is this contract's",
    "map": "exclude the symbol in the profile's filter, or map it too",
    "own exit": "none needed: the mirror follows again after main was flat",
    "delay": "none needed: it is followed when the delay is over",
    "catch_up": "none needed: it fills at its price, or goes with main's position",
    "filter": "none needed: the profile's filter keeps it out",
    "adopt": "none needed: main's position is older than the mirror",
    "approach": "none needed: the mirror follows again after main was flat",
    "left out": "none needed: the mirror follows again after main was flat",
    "sizing risk": "set a stop on main, or leave it",
    "sizing": "fund the account, or leave it",
}


def judge_exposure(scene: AuditScene, account: Seen, view: AccountView) -> Iterator[Finding]:
    """What is wrong with what one mirror holds."""
    parked = {park.symbol: park.reason for park in scene.parks if park.account == account.name}
    for plan in scene.plans_of(account.name):
        for standing in plan.standings:
            yield from _side(scene, account, view, plan, standing)
        reason = plan.parked or parked.pop(plan.symbol, "")
        if reason:
            yield _parked(plan, reason)
        else:
            yield from (_held(held) for held in plan.holds() if not held.waiting)
        yield from _leverage(scene, account, view, plan)
    for symbol, reason in parked.items():
        yield found(Code.PARKED, account.name, symbol, expected="followed", actual=reason)


def judge_remains(scene: AuditScene, account: Seen, view: AccountView) -> Iterator[Finding]:
    """Dust of main's managed trades: what their last target left (A39)."""
    for symbol, side in sorted(scene.finished):
        held = Standing(account.name, symbol, side, view.size(symbol, side), ZERO, ZERO)
        if held.have and _is_dust(scene, view, held):
            yield _dust(view, scene.plans_of(account.name, symbol), held)


def judge_mode(account: Seen, view: AccountView) -> Iterator[Finding]:
    """Symbols in another position mode than the profile asks for."""
    for symbol, mode in sorted(view.modes.items()):
        if account.mode is not None and mode is not account.mode:
            yield found(Code.MODE_MISMATCH, account.name, symbol, expected=account.mode, actual=mode)


def _side(
    scene: AuditScene, account: Seen, view: AccountView, plan: SymbolPlan, standing: Standing
) -> Iterator[Finding]:
    """One finding about the size of one side, or none."""
    symbol, side = standing.symbol, standing.side
    place = (account.name, symbol, side)
    copy = scene.copy(account, symbol, side)
    followed = copy is not None and copy.opened and not copy.ended and (standing.want or not copy.out)
    expected, actual = plain(standing.want), plain(standing.have)
    unexplained = standing.have > standing.tolerated
    ours = scene.is_ours(account, symbol, side)
    if unexplained and ours and not standing.want and _is_dust(scene, view, standing):
        yield _dust(view, [plan], standing)
    elif unexplained and not followed:
        over = f"its trade is over: {copy.out}" if copy is not None and copy.out else "main is flat"
        why = over if ours else "foreign"
        severity = Severity.CRITICAL if ours else None
        yield found(Code.UNEXPECTED_POSITION, *place, expected=f"0: {why}", actual=actual, severity=severity)
    elif place in scene.off:
        yield found(Code.RATIO_DRIFT if standing.have else Code.NOT_MIRRORED, *place, expected=expected, actual=actual)


def _is_dust(scene: AuditScene, view: AccountView, standing: Standing) -> bool:
    """Whether what is held is under the contract's minimum. Unknown rules or prices make no dust."""
    instrument = scene.instruments.get(standing.symbol)
    row = view.position(standing.symbol, standing.side)
    price = None if row is None else row.mark_price or row.entry_price
    return instrument is not None and price is not None and not instrument.meets_minimum(standing.have, price)


def _dust(view: AccountView, plans: Iterable[SymbolPlan], held: Standing) -> Finding:
    """What is left and closed by the plan, or stays because the exchange takes no order for it."""
    closing = [p.action for plan in plans for p in plan.actions if isinstance(p.action, PlaceOrder)]
    closable = any(action.reduce_only and side_of(action, view) is held.side for action in closing)
    return found(
        Code.DUST,
        held.account,
        held.symbol,
        held.side,
        expected="0",
        actual=plain(held.have),
        severity=None if closable else Severity.INFO,
        remedy="" if closable else "none: the exchange takes no order for it",
    )


def _parked(plan: SymbolPlan, reason: str) -> Finding:
    sides = [s.side for s in plan.standings]
    wants = ", ".join(f"{s.side} {plain(s.want)}" for s in plan.standings) or "followed"
    haves = ", ".join(f"{s.side} {plain(s.have)}" for s in plan.standings)
    return found(
        Code.PARKED,
        plan.account,
        plan.symbol,
        sides[0] if len(sides) == 1 else None,
        expected=wants,
        actual=f"{haves}: {reason}" if haves else reason,
    )


def _held(held: Held) -> Finding:
    remedy = next((text for start, text in _HELD_REMEDIES.items() if held.reason.startswith(start)), "")
    return found(
        Code.HELD,
        held.account,
        held.symbol,
        held.side,
        expected="a ratio" if held.raw_want is None else plain(round(held.raw_want, _DIGITS)),
        actual=f"{plain(held.want)}: {held.reason}",
        remedy=remedy,
        subject=held.reason,
    )


def _leverage(scene: AuditScene, account: Seen, view: AccountView, plan: SymbolPlan) -> Iterator[Finding]:
    """The mirror's leverage: an entry that waits for it is planned after its change; else the next entry sets it."""
    planned = next((p.action for p in plan.actions if isinstance(p.action, SetLeverage)), None)
    actual = view.leverage.get(plan.symbol)
    instrument = scene.instruments.get(plan.symbol)
    wanted = planned.leverage if planned is not None else None
    if wanted is None and instrument is not None and any(standing.want for standing in plan.standings):
        wanted = _wanted_leverage(scene, account, plan.symbol, instrument)
    if wanted is not None and actual is not None and wanted != actual:
        yield found(
            Code.LEVERAGE_MISMATCH,
            account.name,
            plan.symbol,
            expected=plain(wanted),
            actual=plain(actual),
            severity=None if planned is None else Severity.WARNING,
            remedy="" if planned is None else "`mirrorctl sync`",
        )


def _wanted_leverage(scene: AuditScene, account: Seen, symbol: str, instrument: Instrument) -> Decimal | None:
    """min(main's × factor, max_leverage), on the contract's step: what growth.entry_wait asks for before an entry."""
    policy = scene.policy.mirror(account.name)
    there = lens_of(policy).symbol_there(symbol)
    main = scene.main.view.leverage.get(there) if scene.main.view is not None else None
    if main is None:
        return None
    return within_limit(policy, main * policy.sizing.leverage_factor, instrument)
