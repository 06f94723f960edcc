"""Intents that are not over: when each is asked for, and which of them may add growth that no row shows yet."""

from __future__ import annotations

from collections.abc import Collection

from mirrorctl.core.engine.looks import Tracked
from mirrorctl.core.engine.timetable import Timetable


class Unsettled:
    """By intent id. `known`: all of them, in the order in which they were made."""

    def __init__(self) -> None:
        self.known: dict[int, Tracked] = {}
        self._looks: Timetable[int] = Timetable()
        self._coming: dict[str, dict[int, Tracked]] = {}

    def add(self, tracked: Tracked) -> None:
        """Follow an intent until it is over."""
        intent = tracked.intent
        self.known[intent.intent_id] = self._coming.setdefault(intent.account, {})[intent.intent_id] = tracked
        self.look_at(tracked, tracked.look_ms)

    def drop(self, tracked: Tracked) -> None:
        """It is over, or nobody's any more."""
        if self.known.pop(tracked.intent.intent_id, None) is not None:
            self._looks.set(tracked.intent.intent_id, None)
            self.arrived(tracked)

    def arrived(self, tracked: Tracked) -> None:
        """What it adds shows in a row from now on."""
        self._coming.get(tracked.intent.account, {}).pop(tracked.intent.intent_id, None)

    def coming(self, account: str) -> Collection[Tracked]:
        """What may add growth to an account that no row shows yet."""
        return self._coming.get(account, {}).values()

    def look_at(self, tracked: Tracked, at_ms: int) -> None:
        """Ask for it at `at_ms`; 0: not any more."""
        tracked.look_ms = at_ms
        self._looks.set(tracked.intent.intent_id, at_ms or None)

    def take_due(self, now_ms: int) -> list[Tracked]:
        """What must be asked for now, in the order in which it was made; each until `look_at` says when again."""
        return [self.known[intent_id] for intent_id in sorted(self._looks.take(now_ms))]

    def next_ms(self) -> int | None:
        """When the next one must be asked for; None for never."""
        return self._looks.next_ms()
