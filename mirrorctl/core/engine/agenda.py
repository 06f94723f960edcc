"""What the newest plans want later: when to decide again, and what is due or adrift meanwhile.

A round looks at this instead of at every plan of every account: it costs what waits, not what is open.
"""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterable

from mirrorctl.core.domain.scene import SymbolPlan
from mirrorctl.core.domain.values import PositionSide

Place = tuple[str, str, PositionSide | None]
"""Whose plan it is: (account, symbol, None) of a mirror, (account, symbol, side) of a trade on main."""

_DRIFT = "drift "
_SPARE = 64


class Agenda:
    """Told of every plan that is kept, once it is complete. All calls on the engine's thread; times as the engine's."""

    def __init__(self) -> None:
        self._wake_ms: dict[Place, int] = {}
        self._order: list[tuple[int, Place]] = []  # a heap; what is not in `_wake_ms` any more is passed over
        self._unfinished: dict[Place, SymbolPlan] = {}

    def note(self, place: Place, plan: SymbolPlan) -> None:
        """The newest plan of a place."""
        if plan.due or any(name.startswith(_DRIFT) for name in plan.since):
            self._unfinished[place] = plan
        else:
            self._unfinished.pop(place, None)
        if plan.wake_ms is None:
            self._wake_ms.pop(place, None)
        elif self._wake_ms.get(place) != plan.wake_ms:
            self._wake_ms[place] = plan.wake_ms
            heapq.heappush(self._order, (plan.wake_ms, place))
            if len(self._order) > 2 * len(self._wake_ms) + _SPARE:
                self._order = [(at_ms, known) for known, at_ms in self._wake_ms.items()]
                heapq.heapify(self._order)

    def keep(self, account: str, places: Collection[Place]) -> None:
        """Forget what is of an account and of none of these places: its trade is over."""
        for place in [place for place in (*self._wake_ms, *self._unfinished) if place[0] == account]:
            if place not in places:
                self._wake_ms.pop(place, None)
                self._unfinished.pop(place, None)

    def next_wake_ms(self) -> int | None:
        """When the next decision is due by itself; None for never."""
        while self._order and self._wake_ms.get(self._order[0][1]) != self._order[0][0]:
            heapq.heappop(self._order)
        return self._order[0][0] if self._order else None

    def wake(self, now_ms: int) -> list[Place]:
        """Places whose time has come; each once."""
        woken = []
        while (at_ms := self.next_wake_ms()) is not None and at_ms <= now_ms:
            place = heapq.heappop(self._order)[1]
            del self._wake_ms[place]
            woken.append(place)
        return woken

    def unfinished(self) -> Iterable[SymbolPlan]:
        """The newest plans that name something as due, or a side as off its target."""
        return self._unfinished.values()
