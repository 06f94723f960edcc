"""Stops that moved, as the rows of positions show them: told with where they stood before, also over a restart.

The first stop of a position is no move: it is told with the opening, or by its absence (naked.py).
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Context, Decimal

from mirrorctl.core.domain.account import Position
from mirrorctl.core.domain.actions import AmendOrder, PlaceOrder, SetTradingStop
from mirrorctl.core.domain.instruments import plain
from mirrorctl.core.domain.values import SIDES, PositionSide
from mirrorctl.core.engine.accounts import Account
from mirrorctl.core.engine.records import Severity
from mirrorctl.core.engine.state import EngineState

_REMOVED_MS = 1_000  # a stop that is gone for less was replaced, or went with its position
_PAUSE_MS = 10_000  # a stop that somebody trails by the second is told so often: from where it was told to where it is
_SHOWN = Context(prec=10)
_NONE = "none"  # stood without a stop from the first look on
_NOTHING = (0, "")
_GONE = "gone"  # had one, and that it is gone was told

Key = tuple[str, str, PositionSide]


class StopMoves:
    """What was told of the stop of every position. All calls on the engine's thread.

    Written down by position: since when it stands (0: not known), and the stop, "none" or "gone". `is_ours` says of
    which positions people are told, `opened_ms` since when one is known to stand.
    """

    def __init__(
        self,
        state: EngineState,
        is_ours: Callable[[Account, str, PositionSide], bool],
        opened_ms: Callable[[Account, str, PositionSide], int],
    ) -> None:
        self._state = state
        self._is_ours = is_ours
        self._opened_ms = opened_ms
        self._told: dict[Key, tuple[int, str]] = {}
        self._missing: dict[Key, int] = {}
        self._moved_ms: dict[Key, int] = {}
        self._moving: set[Key] = set()
        self._unwatched: set[Key] = set()  # looked at for the first time: it may have moved before this process

    def awaits_time(self, account: Account) -> set[str]:
        """Symbols of which a stop is gone, for too short a time to be told yet, or moved soon after it was told."""
        if not self._missing and not self._moving:
            return set()
        return {symbol for name, symbol, _ in (*self._missing, *self._moving) if name == account.name}

    def look(self, account: Account, symbol: str) -> None:
        """Something of the symbol changed, or time went by."""
        view = account.view
        for side in SIDES:
            key = (account.name, symbol, side)
            (self._unwatched.discard if key in self._told else self._unwatched.add)(key)
            row = view.position(symbol, side)
            if row is None:
                self._missing.pop(key, None)
                self._moved_ms.pop(key, None)
                self._moving.discard(key)
                if self._told.get(key) != _NOTHING and view.proven(symbol, side) and self._known(key)[1]:
                    self._keep(key, 0, "")
            elif self._is_ours(account, symbol, side):
                self._compare(account, key, row)

    def _compare(self, account: Account, key: Key, row: Position) -> None:
        since_ms, before = self._known(key)
        opened_ms = self._opened_ms(account, *key[1:])
        stop = plain(row.stop_loss) if row.stop_loss else _NONE
        if since_ms and opened_ms and since_ms != opened_ms:
            before = ""  # another position than the one that was written down
        if not before or before == _NONE:
            if (opened_ms, stop) != (since_ms, before):
                self._keep(key, opened_ms, stop)
        elif stop != _NONE:
            self._missing.pop(key, None)
            if stop == before:
                self._moving.discard(key)
            else:
                self._tell(account, key, row, before, opened_ms or since_ms)
        elif before != _GONE and self._is_gone_for_long(key):
            self._missing.pop(key)
            self._put(account, key, row, ("stop-moved", f"stop removed: it was {before}", _GONE), opened_ms or since_ms)

    def _is_gone_for_long(self, key: Key) -> bool:
        now = self._state.now_ms()
        return now - self._missing.setdefault(key, now) >= _REMOVED_MS

    def _tell(self, account: Account, key: Key, row: Position, before: str, opened_ms: int) -> None:
        stop = row.stop_loss or Decimal(0)
        whose = "" if self._is_by_us(account, key[1], stop) or not account.is_main else " by hand"
        if before == _GONE:
            found = ("stop-moved", f"stop set again{whose}: {plain(stop)}", plain(stop))
        elif _secures(row, stop) and not _secures(row, Decimal(before)):
            text = (
                f"breakeven: stop moved{whose} from {before} to {plain(stop)}, entry {plain(row.entry_price or stop)}"
            )
            found = ("breakeven", text, plain(stop))
        else:
            now = self._state.now_ms()
            if now - self._moved_ms.get(key, -_PAUSE_MS) < _PAUSE_MS:
                self._moving.add(key)
                return
            self._moved_ms[key] = now
            self._moving.discard(key)
            found = ("stop-moved", f"stop moved{whose} from {before} to {plain(stop)}", plain(stop))
        self._put(account, key, row, found, opened_ms)

    def _put(self, account: Account, key: Key, row: Position, found: tuple[str, str, str], opened_ms: int) -> None:
        """Tell it and write it down in one. `found`: kind, words, and what stands now."""
        kind, text, stands = found
        if key in self._unwatched:
            text = f"{text} (late)"  # when, no row says: its times need not change with its stop
        now, side = self._state.now_ms(), key[2]
        severity = Severity.WARNING if stands == _GONE else Severity.INFO
        about = f"{side}:{opened_ms}:{stands}:{now}"
        with self._state.store.batch():
            self._state.outbox.tell(now, severity, kind, account.name, row.symbol, text, about, subject="stop")
            self._keep(key, opened_ms, stands)

    def _is_by_us(self, account: Account, symbol: str, stop: Decimal) -> bool:
        """Whether anything that we sent asks for this stop: for the position, or attached to an entry."""
        return any(
            isinstance(intent.action, SetTradingStop | PlaceOrder | AmendOrder) and intent.action.stop_loss == stop
            for intent in self._state.book.of_symbol(account.name, symbol)
        )

    def _known(self, key: Key) -> tuple[int, str]:
        if key not in self._told:
            words = (self._state.store.fact(_fact(key)) or "").split()
            self._told[key] = (int(words[0]), words[1]) if len(words) == 2 else _NOTHING
        return self._told[key]

    def _keep(self, key: Key, opened_ms: int, stands: str) -> None:
        self._told[key] = (opened_ms, stands)
        if stands:
            self._state.store.set_fact(_fact(key), f"{opened_ms} {stands}")
        else:
            self._state.store.set_fact(_fact(key), "", self._state.now_ms())


def _secures(row: Position, stop: Decimal) -> bool:
    """Whether a stop stands at the entry or beyond it: the position cannot lose on its price any more."""
    return row.side is not None and row.entry_price is not None and (stop - row.entry_price) * row.side.sign >= 0


def _fact(key: Key) -> str:
    return f"stop.{key[0]}.{key[1]}.{key[2]}"
