"""How long growth of a mirror was held back, and why: what a mirror did not copy is told apart by it later (A82)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from mirrorctl.core.domain.scene import SymbolPlan
from mirrorctl.core.domain.values import PositionSide
from mirrorctl.core.engine.records import HoldTime, Store

_EVER = 1 << 62


class HoldMeter:
    """Spells of holds, by account, symbol and side. What lasts survives a restart in the store.

    What waits for a read, for something under way or for a rate limit is no hold. A hold lasts until the mirror lacks
    nothing any more, or for another reason: a retry in between does not end it.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._open: dict[tuple[str, str], dict[PositionSide, HoldTime]] = {}
        for row in store.hold_times(_EVER):
            self._open.setdefault((row.account, row.symbol), {})[row.side] = row

    def since_ms(self, account: str, symbol: str, side: PositionSide, reason: str) -> int | None:
        """Since when growth of a side is held for this reason, whatever its figures; None when no such hold lasts."""
        spell = self._open.get((account, symbol), {}).get(side)
        return spell.from_ms if spell is not None and _words(spell.reason) == _words(reason) else None

    def observe(self, plan: SymbolPlan, now_ms: int) -> None:
        """Look at a new plan. One that could not decide says nothing, so what lasted goes on."""
        place = (plan.account, plan.symbol)
        spells = self._open.get(place)
        if plan.blocked or not (plan.held or plan.parked or spells):
            return
        reasons = dict(_reasons(plan))
        lacking = {standing.side for standing in plan.standings if standing.want > standing.have}
        spells = spells or {}
        for side in PositionSide:
            spell, reason = spells.get(side), reasons.get(side)
            if spell is not None and reason is None and side in lacking:
                continue
            if spell is not None and (reason is None or _words(reason) != _words(spell.reason)):
                self._store.add_hold(replace(spell, until_ms=max(now_ms, spell.from_ms)))
                del spells[side]
                spell = None
            if spell is None and reason is not None:
                spells[side] = HoldTime(*place, side, now_ms, reason)
                self._store.add_hold(spells[side])
        if spells:
            self._open[place] = spells
        else:
            self._open.pop(place, None)


def _reasons(plan: SymbolPlan) -> Iterator[tuple[PositionSide, str]]:
    """(side, why its growth is held); of several reasons the first one is taken."""
    for held in reversed(plan.held):
        if not held.waiting:
            yield held.side, held.reason
    if plan.parked:
        yield from ((s.side, f"parked: {plan.parked}") for s in plan.standings if s.raw_want > s.have)


def _words(reason: str) -> str:
    """A reason without its figures, which may change from pass to pass."""
    return "".join(letter for letter in reason if not letter.isdigit())
