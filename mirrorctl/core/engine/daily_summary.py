"""The summary of a UTC day: told once, just after it or at the next start, of what was read and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from mirrorctl.core.domain.day_summary import DayFigures
from mirrorctl.core.domain.statistics import percentile
from mirrorctl.core.engine.accounts import DAY_MS
from mirrorctl.core.engine.event_texts import DayLine, day_line
from mirrorctl.core.engine.ports import ReadFigures
from mirrorctl.core.engine.records import MeasuredCopy, Severity
from mirrorctl.core.engine.state import EngineState

_TOLD = "summary.day"
_SETTLED_MS = 10_000  # after midnight: by then the day's last records are listed
_AGAIN_MS = 10_000
_PATIENCE_MS = 60_000


class DailySummary:
    """Of yesterday. All calls on the engine's thread. Nothing is read or told before `begin`."""

    def __init__(self, state: EngineState) -> None:
        self._state = state
        self._runs = False
        self._asked_ms = self._asked_day_ms = 0
        self._told_ms = int(state.store.fact(_TOLD) or 0)

    def begin(self) -> None:
        """A daemon runs. On a new store the first day to be told of is the one that has begun."""
        self._runs = True
        if not self._told_ms:
            self._keep(self._state.day_start_ms() - DAY_MS)

    def tend(self, now_ms: int) -> None:
        """Read and tell what is due."""
        exchange_ms = now_ms + (self._state.main.clock_offset_ms or 0)
        if not self._runs or exchange_ms < self._told_ms + 2 * DAY_MS or self._state.store.error:
            return  # it is told, or it would be told in part
        day_ms = self._state.day_start_ms() - DAY_MS
        if exchange_ms < day_ms + DAY_MS + _SETTLED_MS:
            return
        query = ReadFigures(day_ms, day_ms + DAY_MS)
        if self._asked_day_ms != day_ms:
            self._asked_day_ms, self._asked_ms = day_ms, now_ms
        accounts = self._state.accounts.values()
        missing = [account for account in accounts if self._figures(account.name, query) is None]
        for account in missing:
            account.ask(query, now_ms, every_ms=_AGAIN_MS)
        complete = not missing and not self._state.absent
        if complete or (now_ms >= self._asked_ms + _PATIENCE_MS and len(missing) < len(self._state.accounts)):
            self._tell(query, now_ms)

    def _tell(self, query: ReadFigures, now_ms: int) -> None:
        rows = self._state.store.measured_since(query.start_ms)
        copies = [copy for copy in rows if copy.mirror_exec_ms < query.end_ms]
        lines = [self._line(name, query, copies) for name in (*self._state.accounts, *self._state.absent)]
        coin = self._state.policy.settle_coin
        day = datetime.fromtimestamp(query.start_ms / 1000, UTC).strftime("%Y-%m-%d")
        text = "; ".join([f"{day} (UTC)", *(day_line(line, coin) for line in lines)])
        with self._state.store.batch():
            self._state.outbox.tell(now_ms, Severity.INFO, "daily-summary", "", "", text, day)
            self._keep(query.start_ms)
        self._state.figures.clear()

    def _line(self, name: str, query: ReadFigures, copies: Sequence[MeasuredCopy]) -> DayLine:
        account = self._state.accounts.get(name)
        wallet = account.view.wallet if account is not None and self._state.is_known(account) else None
        offset = (account.clock_offset_ms or 0) if account is not None else 0
        store = self._state.store
        latency = [copy.total_ms for copy in copies if copy.account == name]
        naked = [
            spell.ms
            for spell in store.naked_times(query.start_ms - offset)
            if spell.account == name and query.start_ms <= spell.from_ms + offset < query.end_ms
        ]
        return DayLine(
            name,
            self._figures(name, query),
            None if wallet is None else wallet.equity,
            len(latency),
            percentile(latency, 50),
            max(naked, default=None),
        )

    def _figures(self, name: str, query: ReadFigures) -> DayFigures | None:
        found = self._state.figures.get(name)
        return found.figures if found is not None and found.start_ms == query.start_ms else None

    def _keep(self, day_ms: int) -> None:
        self._told_ms = day_ms
        self._state.store.set_fact(_TOLD, str(day_ms))
