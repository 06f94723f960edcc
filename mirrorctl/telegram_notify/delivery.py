"""What is sent next: the alerts that wait, in their order, made into messages one after another. Pure.

A draft stays the next one until Telegram has taken it, whatever happens meanwhile, so nothing is lost and nothing is
overtaken. Only what is muted lets later ones pass.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice

from mirrorctl.core.engine.records import Alert
from mirrorctl.telegram_notify.choice import Choice
from mirrorctl.telegram_notify.messages import Words, again, parts

GROUPED_FROM = 6  # alerts that are due at the same time
_MOST_IN_ONE = 100


@dataclass(frozen=True, slots=True)
class Draft:
    """One message. `keys`: the alerts that it delivers; `last`: whether they are delivered with it, or parts follow."""

    text: str
    keys: tuple[str, ...]
    last: bool = True


class Delivery:
    """The alerts that are not delivered yet. Not for several threads at once."""

    def __init__(self, choice: Choice, words: Words) -> None:
        self._choice = choice
        self._words = words
        self._waiting: dict[str, Alert] = {}
        self._drafts: deque[Draft] = deque()
        self._alone: set[str] = set()
        self._noted: set[str] = set()
        self._aside: set[str] = set()

    @property
    def waiting(self) -> int:
        """How many alerts are not delivered yet, muted ones included."""
        return len(self._waiting)

    def add(self, alert: Alert) -> bool:
        """Take an alert; False for one that is never to be sent."""
        if not self._choice.wants(alert):
            return False
        self._waiting.setdefault(alert.key, alert)
        return True

    def next(self, now_ms: int, *, closing: bool = False) -> Draft | None:
        """The message to send now; None when nothing is due. `closing`: in as few messages as can be."""
        if not self._drafts:
            self._drafts.extend(self._made(now_ms, 2 if closing else GROUPED_FROM))
        return self._drafts[0] if self._drafts else None

    def taken(self) -> tuple[str, ...]:
        """Telegram took the message: the keys of the alerts that are delivered with that."""
        draft = self._drafts.popleft()
        if not draft.last:
            return ()
        for key in draft.keys:
            self._waiting.pop(key, None)
        return draft.keys

    def doubted(self) -> None:
        """The message was sent and the answer was lost: it is sent again, and says so."""
        draft = self._drafts[0]
        self._drafts[0] = replace(draft, text=again(draft.text))

    def refused(self) -> tuple[str, ...]:
        """Telegram will never take this text. Several alerts are tried one by one; one is only named, without its text.

        Returns the keys of what is not even taken then: they are set aside, and hold nothing up.
        """
        draft = self._drafts[0]
        self._drafts.clear()
        if len(draft.keys) > 1:
            self._alone.update(draft.keys)
            return ()
        if draft.keys[0] not in self._noted:
            self._noted.update(draft.keys)
            return ()
        self._aside.update(draft.keys)
        return draft.keys

    def next_change_ms(self, now_ms: int) -> int | None:
        """When something that waits may become due; None when only a new alert can be."""
        return self._choice.next_change_ms(now_ms) if self._waiting else None

    def _made(self, now_ms: int, grouped_from: int) -> Iterator[Draft]:
        due = list(islice(self._due(now_ms), _MOST_IN_ONE))
        if not due:
            return
        first = due[0]
        together = due[: next((index for index, alert in enumerate(due) if alert.key in self._alone), len(due))]
        if len(together) >= grouped_from:
            text, count = self._words.several(together)
            if count:
                yield Draft(text, tuple(alert.key for alert in together[:count]))
                return
        noted = replace(first, text=_UNSHOWN) if first.key in self._noted else first
        *before, last = parts(self._words.one(noted))
        for part in before:
            yield Draft(part, (first.key,), last=False)
        yield Draft(last, (first.key,))

    def _due(self, now_ms: int) -> Iterator[Alert]:
        for alert in self._waiting.values():
            if alert.key not in self._aside and self._choice.is_due(alert, now_ms):
                yield alert


_UNSHOWN = "Telegram did not take the text of this alert; `mirrorctl status` shows it"
