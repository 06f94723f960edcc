"""Samples: once a minute, what each account is worth and how near a mirror is to what it follows.

Nothing is read for them. An account whose view is not fresh has no sample, so its curve has a gap.
"""

from __future__ import annotations

from decimal import Decimal

from mirrorctl.core.domain.instruments import ZERO
from mirrorctl.core.domain.scene import Standing
from mirrorctl.core.engine.accounts import Account
from mirrorctl.core.engine.reconcile import MirrorPass
from mirrorctl.core.engine.records import EquitySample
from mirrorctl.core.engine.state import EngineState

_TICKER_FRESH_MS = 120_000
_NOT_KNOWN = (None, None, None)

Tracking = tuple[Decimal, Decimal, Decimal] | tuple[None, None, None]


def sample(state: EngineState, now_ms: int) -> list[EquitySample]:
    """A sample of every account that is known now."""
    return [
        EquitySample(account.name, now_ms, _equity(account), *_tracking(state, account.name, now_ms))
        for account in state.accounts.values()
        if state.is_known(account)
    ]


def _equity(account: Account) -> Decimal | None:
    return None if account.view.wallet is None else account.view.wallet.equity


def _tracking(state: EngineState, name: str, now_ms: int) -> Tracking:
    """(ideal, want, have) of a mirror over all its positions, at mark prices; unknown where any part of it is."""
    mirror = state.passes.get(name)
    if mirror is None or not mirror.sighted or not state.is_known(state.main):
        return _NOT_KNOWN
    ideal = want = have = ZERO
    for plan in mirror.plans.values():
        if plan.blocked or any(held.raw_want is None for held in plan.held):
            return _NOT_KNOWN
        for standing in plan.standings:
            price = _price(state, mirror, standing, now_ms)
            if price is None:
                return _NOT_KNOWN
            ideal += standing.raw_want * price
            want += standing.want * price
            have += standing.have * price
    return ideal, want, have


def _price(state: EngineState, mirror: MirrorPass, standing: Standing, now_ms: int) -> Decimal | None:
    """The mark price of a mirror's symbol: its own position's, else main's, else that of a young ticker."""
    row = mirror.mirror.view.position(standing.symbol, standing.side)
    if row is not None and row.mark_price is not None:
        return row.mark_price
    lens = mirror.sight.lens
    there, side = lens.there((standing.symbol, standing.side))
    row = state.main.view.position(there, side)
    if row is not None and row.mark_price is not None:
        return row.mark_price / lens.multiplier(there)
    ticker = state.tickers.get(standing.symbol)
    return None if ticker is None or now_ms - ticker.at_ms > _TICKER_FRESH_MS else ticker.mark
