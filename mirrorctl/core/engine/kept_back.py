"""What keeps a side of a mirror from what it should hold, and since when: for people who look at it."""

from __future__ import annotations

from mirrorctl.core.domain.scene import SymbolPlan
from mirrorctl.core.domain.values import PositionSide
from mirrorctl.core.engine.accounts import Account
from mirrorctl.core.engine.engine import Engine
from mirrorctl.core.engine.status import drifting_since
from mirrorctl.core.engine.times import iso


def kept_back(engine: Engine, account: Account, symbol: str, side: PositionSide) -> dict[str, str | None]:
    """{"drift_since", "hold", "hold_since", "parked"}: moments as ISO times, reasons in words; None where it is not so.

    `hold` is why growth is held, `parked` why no order of ours touches the symbol.
    """
    plan = None if account.is_main else engine.passes[account.name].plans.get(symbol)
    hold = hold_of(plan, side)
    return {
        "drift_since": _drift_since(engine, plan, side),
        "hold": hold,
        "hold_since": None if plan is None or hold is None else _hold_since(engine, plan, side, hold),
        "parked": (plan.parked if plan is not None else "") or engine.standings.park_of(account.name, symbol) or None,
    }


def hold_of(plan: SymbolPlan | None, side: PositionSide) -> str | None:
    """Why growth of one side is kept back."""
    holds = () if plan is None else plan.holds()
    return next((held.reason for held in holds if held.side is side), None)


def _hold_since(engine: Engine, plan: SymbolPlan, side: PositionSide, reason: str) -> str | None:
    """Since when: as written down, which outlives a restart; what waits for something under way is not, but seen."""
    written = engine.holds.since_ms(plan.account, plan.symbol, side, reason)
    return iso(plan.since.get(f"held {side}") if written is None else written)


def _drift_since(engine: Engine, plan: SymbolPlan | None, side: PositionSide) -> str | None:
    if plan is None:
        return None
    since = (drifting_since(engine, plan, standing) for standing in plan.standings if standing.side is side)
    return iso(next(since, None))
