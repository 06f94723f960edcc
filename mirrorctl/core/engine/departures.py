"""The way out: what the passes of one round decided is journaled, then sent, mirror by mirror or several at once.

An order leaves when its row stands, and a row is written faster beside others than alone. So the first mirror's orders
go at once and those after it in groups, each of them one transaction: nobody waits long for a decision about another
mirror, and a hundred mirrors do not pay for a hundred transactions. What is to be noted of what was sent comes when all
of it is gone.
"""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Self

from mirrorctl.core.domain.scene import Planned, SymbolPlan
from mirrorctl.core.engine.intents import IntentBook, Journaled

if TYPE_CHECKING:
    from mirrorctl.core.engine.reconcile import MirrorPass

_LARGEST = 8
"""How many mirrors wait for each other at most: a decision takes several times as long as a transaction."""


class Departures:
    """Takes plans mirror by mirror while it is open, each mirror at most once. All of it is gone when it is closed.

    It is so too where planning for a later mirror fails: they are independent (rule 10).
    """

    def __init__(self, book: IntentBook, now_ms: int) -> None:
        self._book = book
        self._now_ms = now_ms
        self._group: dict[str, MirrorPass] = {}
        self._planned: list[Planned] = []
        self._size = 1
        self._sent: list[tuple[MirrorPass, list[Journaled]]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None or issubclass(kind, Exception):  # else the process ends here
            try:
                self._leave()
            finally:
                for mirror, journaled in self._sent:
                    mirror.note_sent(self._book.track(journaled, self._now_ms))

    def add(self, mirror: MirrorPass, plans: list[SymbolPlan]) -> None:
        """What the plans of a mirror want done, less what has to wait for its pace, goes out soon."""
        planned = mirror.ready(plans, self._now_ms)
        if not planned:
            return
        self._group[mirror.mirror.name] = mirror
        self._planned += planned
        if len(self._group) >= self._size:
            self._size = min(2 * self._size, _LARGEST)
            self._leave()

    def _leave(self) -> None:
        """Journal what has gathered and send it, the most urgent first (rule 5)."""
        if not self._planned:
            return
        group, planned = self._group, self._planned
        self._group, self._planned = {}, []
        if len(planned) > 1:
            planned.sort(key=lambda item: item.action.priority)
        for item in planned:
            group[item.action.account].claim(item.action)
        journaled = self._book.journal(planned, self._now_ms)
        for name, mirror in group.items():
            self._sent.append((mirror, [each for each in journaled if each[1].action.account == name]))
        for intent_id, item in journaled:
            group[item.action.account].mirror.writer.send(intent_id, item.action)
