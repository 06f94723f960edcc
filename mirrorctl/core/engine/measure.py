"""Measured copies: how long after main's fill a mirror filled, on which way, and at how much worse a price."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal

from mirrorctl.core.domain.account import Execution
from mirrorctl.core.domain.actions import Accepted, Action, DoubtfulOutcome, Outcome, PlaceOrder
from mirrorctl.core.domain.ids import Role
from mirrorctl.core.domain.scene import MainFill
from mirrorctl.core.domain.values import PositionSide
from mirrorctl.core.engine.accounts import Account
from mirrorctl.core.engine.keeper import Keeper
from mirrorctl.core.engine.records import Intent, MeasuredCopy, Store

_BPS = Decimal(10_000)
_KEPT = 1_000
_NEWEST = 60
_JITTER_MS = 25  # a measured offset of the clocks is no better

Key = tuple[str, str, PositionSide]


@dataclass(slots=True)
class _Followed:
    """An order that follows main, until its first execution and its answer are known. Local clock.

    `fill`: main's newest when the order was decided; None or one from before where a position row was faster.
    `joined`: the mirror's one position follows both legs of main.
    """

    fill: MainFill | None
    side: PositionSide
    planned_ms: int
    joined: bool = False
    sent_ms: int | None = None
    acked_ms: int | None = None
    answered: bool = False
    execution: Execution | None = None


class CopyMeter:
    """Takes the first execution of each order that followed a fill of main. Twins are no copies of a fill.

    A fill is copied once on each side of a mirror: what is ordered for it later, when a part was left or somebody
    changed the position by hand, says nothing about how fast it was followed. What is not known to the end when the
    process dies is not measured. `newest` are the newest copies of all mirrors, oldest first.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self.newest = deque(store.newest_measured(_NEWEST), maxlen=_NEWEST)
        self._followed: OrderedDict[str, _Followed] = OrderedDict()
        self._copied: dict[Key, MainFill] = {}

    def on_planned(
        self, intents: Iterable[Intent], keeper: Keeper, joins_legs: Callable[[str], bool] = lambda _symbol: False
    ) -> None:
        """Orders of a mirror were journaled. `joins_legs`: whether one position of a symbol follows two of main."""
        for intent in intents:
            action = intent.action
            if not isinstance(action, PlaceOrder) or action.role not in (Role.CORRECTION, Role.REDUCTION):
                continue
            grows = action.role is Role.CORRECTION
            side = PositionSide.grown_by(action.side) if grows else PositionSide.shrunk_by(action.side)
            joined = joins_legs(action.symbol)
            fill = _newest_fill(keeper, (action.account, action.symbol, side), grows=grows, joined=joined)
            self._followed[action.link_id] = _Followed(fill, side, intent.created_ms, joined)
            if len(self._followed) > _KEPT:
                self._followed.popitem(last=False)

    def on_answer(
        self, account: Account, action: Action, outcome: Outcome, sent_ms: int, acked_ms: int, keeper: Keeper
    ) -> None:
        """What came of a send. One that never reached the book is forgotten; one in doubt may still have."""
        if not isinstance(action, PlaceOrder) or (followed := self._followed.get(action.link_id)) is None:
            return
        if not isinstance(outcome, Accepted | DoubtfulOutcome) and followed.execution is None:
            del self._followed[action.link_id]
            return
        followed.answered = True
        followed.sent_ms = sent_ms
        followed.acked_ms = acked_ms if isinstance(outcome, Accepted) else None
        self._write(account, followed, keeper)

    def on_mirror_execution(self, mirror: Account, execution: Execution, keeper: Keeper) -> None:
        """A mirror's order executed, as its stream told."""
        followed = self._followed.get(execution.link_id)
        if followed is None or followed.execution is not None:
            return
        followed.execution = execution
        self._write(mirror, followed, keeper)

    def _write(self, mirror: Account, followed: _Followed, keeper: Keeper) -> None:
        """Write the copy down once its answer is here too: an execution is often told before it."""
        execution = followed.execution
        if execution is None or not followed.answered:
            return
        del self._followed[execution.link_id]
        key = (mirror.name, execution.symbol, followed.side)
        fill = _fill_behind(followed, execution, mirror, keeper)
        if fill is None or fill.exchange_ms > execution.time_ms or self._copied.get(key) == fill:
            return
        self._copied[key] = fill
        told = fill.received_ms is not None and fill.received_ms <= followed.planned_ms  # else a row was the news
        lens, offset_ms = keeper.lens(mirror.name), mirror.clock_offset_ms
        price = fill.price / lens.multiplier(lens.symbol_there(execution.symbol))
        worse = (execution.price - price) * execution.side.sign / price * _BPS
        copy = MeasuredCopy(
            *key,
            link_id=execution.link_id,
            main_exec_ms=fill.exchange_ms,
            mirror_exec_ms=execution.time_ms,
            slippage_bps=worse.quantize(Decimal("0.01")),
            received_ms=_by_exchange(fill.received_ms if told else None, offset_ms),
            planned_ms=_by_exchange(followed.planned_ms, offset_ms),
            sent_ms=_by_exchange(followed.sent_ms, offset_ms),
            acked_ms=_by_exchange(followed.acked_ms, offset_ms),
        )
        self.newest.append(copy)
        self._store.add_measured_copy(copy)


def _fill_behind(followed: _Followed, execution: Execution, mirror: Account, keeper: Keeper) -> MainFill | None:
    """Main's fill that an order followed: the newest that was made when it was decided, told by then or not."""
    key = (mirror.name, execution.symbol, followed.side)
    newest = _newest_fill(keeper, key, grows=execution.side is followed.side.entry, joined=followed.joined)
    decided_ms = followed.planned_ms + (mirror.clock_offset_ms or 0) + _JITTER_MS
    return newest if newest is not None and newest.exchange_ms <= decided_ms else followed.fill


def _newest_fill(keeper: Keeper, key: Key, *, grows: bool, joined: bool) -> MainFill | None:
    """Main's last fill that moved the mirror this way; of joined legs also one that moved the other leg back."""
    symbol, side = keeper.source(*key)
    own, other = (keeper.growth_fill, keeper.exit_fill) if grows else (keeper.exit_fill, keeper.growth_fill)
    fills = [own.get((symbol, side)), other.get((symbol, side.opposite)) if joined else None]
    return max((fill for fill in fills if fill is not None), key=lambda fill: fill.exchange_ms, default=None)


def _by_exchange(local_ms: int | None, offset_ms: int | None) -> int | None:
    """A moment of the local clock on the exchange's; all of a copy by one offset, so that its legs add up."""
    return None if local_ms is None or offset_ms is None else local_ms + offset_ms
