"""A schedule: what main, the market and misfortune do, as a pure value that can be drawn, shortened and played again.

Every step carries the seed of its own choices, so leaving steps out changes nothing about those that stay.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Deed(StrEnum):
    """What main's own trader and the market do. Each is at least one event on main where the exchange takes it."""

    GROW = "grow"
    BURST = "burst"
    REST = "rest"
    CONDITION = "condition"
    CUT = "cut"
    CLOSE = "close"
    FLIP = "flip"
    PROTECT = "protect"
    AIM = "aim"
    AMEND = "amend"
    CANCEL = "cancel"
    LEVERAGE = "leverage"
    HAND_OVER = "hand-over"
    FILL = "fill"
    MOVE = "move"
    SHAKE = "shake"
    STOP_OUT = "stop-out"
    TAKE_PROFIT = "take-profit"


class Trouble(StrEnum):
    """What goes wrong: one member for every kind of fault."""

    # a request or its reply
    REPLY_LOST = "reply-lost"
    REQUEST_LOST = "request-lost"
    HANG = "hang"
    RESET = "reset"
    HTTP_502 = "http-502"
    HTML_BODY = "html-body"
    HTTP_403 = "http-403"
    HTTP_429 = "http-429"
    TIMED_OUT_10000 = "code-10000"
    RATE_10006_FUTURE = "code-10006-future"
    RATE_10006_PAST = "code-10006-past"
    TIMESTAMP_10002 = "code-10002"
    DUPLICATE_10014 = "code-10014"
    INTERNAL_10016 = "code-10016"
    MARGIN_110007 = "code-110007"
    LINK_USED_110072 = "code-110072"
    # what is read
    LAG_REALTIME = "lagging-realtime"
    LAG_HISTORY = "lagging-history"
    LAG_EXECUTIONS = "lagging-executions"
    TRUNCATED = "truncated-page"
    EMPTY = "empty-list"
    STALE_READ = "stale-read"
    # streams
    STREAM_SILENT = "stream-silent"
    STREAM_REFUSED = "stream-refused"
    STREAM_CLOSED = "stream-closed"
    PUSH_DOUBLED = "push-doubled"
    PUSH_REORDERED = "push-reordered"
    PUSH_DROPPED = "push-dropped"
    PUSH_STALE = "push-stale"
    EVENT_BEFORE_ACK = "event-before-ack"
    DOUBLE_FILLED = "double-filled"
    # accounts
    OUTAGE = "outage"
    PARTIAL_FILLS = "partial-fills"
    FUNDING = "funding"
    LIQUIDATION = "liquidation"
    ADL = "adl"
    OWN_STOP = "own-stop"
    EDIT_MIRROR = "edit-mirror"
    EDIT_MAIN = "edit-main"
    FOREIGN_ORDER = "foreign-order"
    # the process
    KILL = "kill"
    KILL_AT_WRITE = "kill-at-write"
    KILL_BEFORE_CALL = "kill-before-call"
    KILL_AFTER_CALL = "kill-after-call"
    CLOCK_STEP = "clock-step"
    STORE_DELETED = "store-deleted"


@dataclass(frozen=True, slots=True)
class Step:
    """After so many milliseconds this happens. `roll` seeds every choice that the step makes."""

    after_ms: int
    what: Deed | Trouble
    roll: int


@dataclass(frozen=True, slots=True)
class Schedule:
    """Steps in their order. `seed` is also that of the network's delays."""

    seed: int
    steps: tuple[Step, ...]

    @property
    def events(self) -> tuple[Step, ...]:
        """What main and the market do."""
        return tuple(step for step in self.steps if isinstance(step.what, Deed))

    @property
    def troubles(self) -> tuple[Step, ...]:
        """What goes wrong."""
        return tuple(step for step in self.steps if isinstance(step.what, Trouble))

    @property
    def kinds(self) -> frozenset[Trouble]:
        """The kinds of what goes wrong."""
        return frozenset(step.what for step in self.steps if isinstance(step.what, Trouble))

    def without(self, numbers: frozenset[int]) -> Schedule:
        """The same without the steps of these places, counted from 0."""
        return Schedule(self.seed, tuple(step for n, step in enumerate(self.steps) if n not in numbers))


DRAWN_DEEDS: dict[Deed, int] = {
    Deed.GROW: 4,
    Deed.BURST: 4,
    Deed.REST: 3,
    Deed.CONDITION: 1,
    Deed.CUT: 2,
    Deed.CLOSE: 1,
    Deed.FLIP: 1,
    Deed.PROTECT: 2,
    Deed.AIM: 2,
    Deed.AMEND: 2,
    Deed.CANCEL: 2,
    Deed.LEVERAGE: 1,
    Deed.HAND_OVER: 1,
    Deed.FILL: 4,
    Deed.MOVE: 1,
    Deed.SHAKE: 2,
    Deed.STOP_OUT: 1,
    Deed.TAKE_PROFIT: 1,
}
"""How often each deed is drawn beside the others."""
BURST = 5
"""Entries in one instant by a burst, each an event of its own."""
_NO_EVENT = (Deed.MOVE, Deed.SHAKE, Deed.LEVERAGE, Deed.HAND_OVER)  # or only sometimes one
_SURE: tuple[Trouble, ...] = (
    Trouble.STREAM_CLOSED,
    Trouble.STREAM_REFUSED,
    Trouble.STREAM_SILENT,
    Trouble.PUSH_DOUBLED,
    Trouble.PUSH_REORDERED,
    Trouble.PUSH_DROPPED,
    Trouble.PUSH_STALE,
    Trouble.DOUBLE_FILLED,
    Trouble.OUTAGE,
    Trouble.PARTIAL_FILLS,
    Trouble.FUNDING,
    Trouble.FOREIGN_ORDER,
    Trouble.KILL,
    Trouble.KILL_AT_WRITE,
    Trouble.KILL_BEFORE_CALL,
    Trouble.KILL_AFTER_CALL,
    Trouble.CLOCK_STEP,
    Trouble.STORE_DELETED,
)
"""Kinds that hardly ever come to nothing; what lies in wait on one path for one account does."""
_LISTS_THAT_LIE = (Trouble.EMPTY, Trouble.TRUNCATED, Trouble.STALE_READ, Trouble.LAG_REALTIME)
"""Not beside a lost store: of an order that neither a journal nor the exchange's list names nobody can know."""
_OTHERS = tuple(kind for kind in Trouble if kind not in _SURE)
_SPARE = 2
_MOST_TIMES = 2
_GAPS_MS = (0, 0, 0, 0, 3, 12)
_PAUSES_MS = (60, 150, 700, 2_500)


def draw(seed: int, *, events: int = 40, kinds: int = 3) -> Schedule:
    """A schedule of at least so many main events and kinds of faults; more are drawn, as some never take hold.

    Deeds come in bursts, troubles among them, and prices go through stops and targets in each.
    """
    random_ = random.Random(seed)
    sure, others = min(kinds + 2, len(_SURE)), min(kinds, len(_OTHERS))
    chosen = random_.sample(_SURE, sure)
    hidden = _LISTS_THAT_LIE if Trouble.STORE_DELETED in chosen else ()
    chosen += random_.sample([kind for kind in _OTHERS if kind not in hidden], others)
    what: list[Deed | Trouble] = [kind for kind in chosen for _ in range(random_.randint(1, _MOST_TIMES))]
    what += _deeds(random_, events)
    random_.shuffle(what)
    return Schedule(seed, tuple(_paced(random_, what)))


def _deeds(random_: random.Random, events: int) -> list[Deed]:
    """Deeds that come to a little more events than asked for: some find nothing to do."""
    deeds = [Deed.STOP_OUT, Deed.STOP_OUT, Deed.TAKE_PROFIT, Deed.TAKE_PROFIT]
    while sum(_events_of(deed) for deed in deeds) < events + _SPARE:
        deeds += random_.choices(tuple(DRAWN_DEEDS), tuple(DRAWN_DEEDS.values()))
    return deeds


def _events_of(deed: Deed) -> int:
    return 0 if deed in _NO_EVENT else BURST if deed is Deed.BURST else 1


def _paced(random_: random.Random, what: Sequence[Deed | Trouble]) -> list[Step]:
    steps, left = [], 0
    for each in what:
        if left:
            after_ms, left = random_.choice(_GAPS_MS), left - 1
        else:
            after_ms, left = random_.choice(_PAUSES_MS), random_.randint(1, 6)
        steps.append(Step(after_ms, each, random_.getrandbits(32)))
    return steps
