"""While main cannot be read nothing grows, shrinks or closes; a mirror's stop that vanished is put back (A21, A86).

What main showed last says which stop that was. Whatever main did since, a position under its old stop is better off
than one without; as soon as main is known again the ordinary pass moves it.
"""

from __future__ import annotations

from collections.abc import Set
from typing import TYPE_CHECKING

from mirrorctl.core.domain.actions import SetTradingStop
from mirrorctl.core.domain.scene import Planned
from mirrorctl.core.engine.departures import Departures
from mirrorctl.core.engine.naked_watch import measure_naked
from mirrorctl.core.engine.reconcile import MirrorPass
from mirrorctl.core.engine.records import Severity

if TYPE_CHECKING:
    from mirrorctl.core.engine.engine import Engine


def keep_stops(engine: Engine, now_ms: int, *, acts: bool) -> None:
    """Put back the stops that are missing on mirrors that can be read; measure and tell how long they were missing."""
    for mirror in engine.passes.values():
        if mirror.sighted and engine.is_known(mirror.mirror):
            _keep(engine, mirror, now_ms, acts=acts and engine.policy.mirroring)


def _keep(engine: Engine, mirror: MirrorPass, now_ms: int, *, acts: bool) -> None:
    account = mirror.mirror
    measured = {spell.symbol for spell in engine.naked.spells(now_ms) if spell.account == account.name}
    bare = {(row.symbol, row.idx) for row in account.view.positions() if row.stop_loss is None}
    symbols = {symbol for symbol, _ in bare} | measured
    plans = engine.plan_mirror(mirror, symbols, now_ms, keep=False) if symbols else []
    for plan in plans:
        measure_naked(engine, account, plan, now_ms)
        plan.actions[:] = [item for item in plan.actions if _puts_back(item, bare)]
    if acts and plans:
        with Departures(engine.book, now_ms) as departures:
            departures.add(mirror, plans)
    _tell(engine, mirror, now_ms)


def _puts_back(item: Planned, bare: Set[tuple[str, int]]) -> bool:
    """Whether an action sets the stop of a position that has none; `bare` names those by symbol and positionIdx."""
    action = item.action
    return (
        isinstance(action, SetTradingStop) and bool(action.stop_loss) and (action.symbol, action.position_idx) in bare
    )


def _tell(engine: Engine, mirror: MirrorPass, now_ms: int) -> None:
    """Tell once of each position that stands without its stop past the bound."""
    for spell in engine.naked.spells(now_ms):
        if spell.account == mirror.mirror.name and spell.ms > mirror.policy.naked_bound_ms:
            text = f"naked: the {spell.side} stands without its stop, and main cannot be read"
            about = f"bereft:{spell.side}:{spell.from_ms}"
            engine.outbox.tell(now_ms, Severity.CRITICAL, "naked", spell.account, spell.symbol, text, about)
