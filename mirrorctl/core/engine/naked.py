"""Naked time: how long each position stood without a stop that was read back (rule 6, A21). Measured, never assumed."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from mirrorctl.core.domain.values import PositionSide
from mirrorctl.core.engine.records import NakedTime, Store

# A fill's time on the local clock is only as good as the measured offset of the clocks: a fill this little after the
# end of what was measured before is of the same position. So much later may main's stop be seen, too.
_JITTER_MS = 1_000

Key = tuple[str, str, PositionSide]


class NakedMeter:
    """Spells without a stop, by account, symbol and side. What is open survives a restart in the store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._open: dict[Key, NakedTime] = {}
        self._covered: dict[Key, int] = {}
        self._idle: dict[Key, int] = {}
        for row in store.naked_times(0):
            key = (row.account, row.symbol, row.side)
            if row.ended:
                self._covered[key] = max(self._covered.get(key, 0), row.from_ms + row.ms)
            else:
                self._open[key] = row

    def observe(
        self,
        account: str,
        symbol: str,
        side: PositionSide,
        size: Decimal,
        stop_on_row: Decimal | None,
        since_fill_ms: int | None,
        now_ms: int,
    ) -> int | None:
        """Look at one side that shall have a stop; returns how long it is naked by now, None when it is not.

        `size` as read; zero, or a side that needs no stop any more, ends a spell. `stop_on_row` is the stop that the
        exchange showed for the position. `since_fill_ms` is the position's first fill brought to the local clock; None
        when that is not known, or when the position needed no stop then: a spell counts from the first look that
        found it.
        """
        key = (account, symbol, side)
        spell = self._open.get(key)
        if not size:
            self.rest(*key, now_ms)
            return None
        if stop_on_row is not None:
            self._end(spell, now_ms)
            if spell is None and since_fill_ms is not None and self._is_unmeasured(key, since_fill_ms):
                read_ms = max(now_ms - since_fill_ms, 0)  # the first read shows it
                self._store.add_naked(NakedTime(account, symbol, side, since_fill_ms, read_ms, ended=True))
            if spell is not None or since_fill_ms is not None:  # else its first fill may be on the way: measured then
                self._covered[key] = now_ms
            return None
        if spell is None:
            first = since_fill_ms is not None and self._is_unmeasured(key, since_fill_ms)
            from_ms = min(since_fill_ms, now_ms) if first and since_fill_ms is not None else now_ms
            spell = NakedTime(account, symbol, side, from_ms, now_ms - from_ms, ended=False)
            self._open[key] = spell
            self._store.add_naked(spell)
        return max(now_ms - spell.from_ms, 0)

    def rest(self, account: str, symbol: str, side: PositionSide, now_ms: int) -> None:
        """A side holds nothing, or needs no stop."""
        key = (account, symbol, side)
        if key in self._open:
            self._end(self._open[key], now_ms)
        self._covered.pop(key, None)
        self._idle[key] = now_ms

    def spells(self, now_ms: int) -> list[NakedTime]:
        """The spells that last, each as long as it is by now."""
        return [replace(spell, ms=max(now_ms - spell.from_ms, 0)) for spell in self._open.values()]

    def _is_unmeasured(self, key: Key, since_fill_ms: int) -> bool:
        """Whether the position that began with this fill needed a stop from then on and was not looked at before."""
        covered, idle = self._covered.get(key), self._idle.get(key)
        fresh = covered is None or since_fill_ms > covered + _JITTER_MS
        return fresh and (idle is None or since_fill_ms > idle - _JITTER_MS)

    def _end(self, spell: NakedTime | None, now_ms: int) -> None:
        if spell is not None:
            del self._open[(spell.account, spell.symbol, spell.side)]
            self._store.add_naked(replace(spell, ms=max(now_ms - spell.from_ms, 0), ended=True))
