"""What is due at its time, soonest first: asking what comes next costs nothing, however much waits."""

from __future__ import annotations

import heapq
from typing import Any, Generic, TypeVar

_Key = TypeVar("_Key", bound=Any)  # whatever names what waits: it can be hashed and compared with others of its kind
_SPARE = 64


class Timetable(Generic[_Key]):
    """One time for each key, in ms of one clock."""

    __slots__ = ("_at_ms", "_order")

    def __init__(self) -> None:
        self._at_ms: dict[_Key, int] = {}
        self._order: list[tuple[int, _Key]] = []  # a heap; what is not in `_at_ms` any more is passed over

    def set(self, key: _Key, at_ms: int | None) -> None:
        """When a key is due, whatever was set before; None: not at all."""
        if at_ms is None:
            self._at_ms.pop(key, None)
        elif self._at_ms.get(key) != at_ms:
            self._at_ms[key] = at_ms
            heapq.heappush(self._order, (at_ms, key))
            if len(self._order) > 2 * len(self._at_ms) + _SPARE:
                self._order = [(each, known) for known, each in self._at_ms.items()]
                heapq.heapify(self._order)

    def keys(self) -> list[_Key]:
        """Everything that waits."""
        return list(self._at_ms)

    def next_ms(self) -> int | None:
        """When the next key is due; None for never."""
        order = self._order
        while order and self._at_ms.get(order[0][1]) != order[0][0]:
            heapq.heappop(order)
        return order[0][0] if order else None

    def take(self, now_ms: int) -> list[_Key]:
        """Keys whose time has come, soonest first; they wait no more."""
        due: list[_Key] = []
        while self._order and self._order[0][0] <= now_ms:
            at_ms, key = heapq.heappop(self._order)
            if self._at_ms.get(key) == at_ms:
                del self._at_ms[key]
                due.append(key)
        return due
