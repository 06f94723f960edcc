"""What the newest plans want later: when to decide again, and what is due or adrift meanwhile.

A round looks at this instead of at every plan of every account: it costs what waits, not what is open.
"""

from __future__ import annotations

from collections.abc import Collection

from mirrorctl.core.domain.scene import SymbolPlan
from mirrorctl.core.domain.values import PositionSide
from mirrorctl.core.engine.timetable import Timetable

Place = tuple[str, str, PositionSide | None]
"""Whose plan it is: (account, symbol, None) of a mirror, (account, symbol, side) of a trade on main."""

_DRIFT = "drift "


class Agenda:
    """Told of every plan that is kept, once it is complete. All calls on the engine's thread; times as the engine's.

    `unfinished`: the newest plans that name something as due, or a side as off its target.
    """

    def __init__(self) -> None:
        self.unfinished: dict[Place, SymbolPlan] = {}
        self._wakes: Timetable[Place] = Timetable()

    def note(self, place: Place, plan: SymbolPlan) -> None:
        """The newest plan of a place."""
        if plan.due or (plan.since and any(name.startswith(_DRIFT) for name in plan.since)):
            self.unfinished[place] = plan
        elif place in self.unfinished:
            del self.unfinished[place]
        self._wakes.set(place, plan.wake_ms)

    def keep(self, account: str, places: Collection[Place]) -> None:
        """Forget what is of an account and of none of these places: its trade is over."""
        for place in (*self._wakes.keys(), *self.unfinished):
            if place[0] == account and place not in places:
                self._wakes.set(place, None)
                self.unfinished.pop(place, None)

    def next_wake_ms(self) -> int | None:
        """When the next decision is due by itself; None for never."""
        return self._wakes.next_ms()

    def wake(self, now_ms: int) -> list[Place]:
        """Places whose time has come; each once."""
        return self._wakes.take(now_ms)
