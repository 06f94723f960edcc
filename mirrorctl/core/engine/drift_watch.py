"""Drift that lasts: told once when it outlives its grace by far, and when it is over, also over a restart."""

from __future__ import annotations

import json
from collections.abc import Iterator

from mirrorctl.core.domain.instruments import ZERO, plain
from mirrorctl.core.domain.scene import Standing, SymbolPlan
from mirrorctl.core.engine.reconcile import MirrorPass
from mirrorctl.core.engine.records import Severity
from mirrorctl.core.engine.state import EngineState

_TOLD = "drift.told"
_LOOK_MS = 5_000
_BOUND_MS = 60_000  # beyond the grace of the mirror

Key = tuple[str, str, str]


class DriftWatch:
    """Looks at the newest plans every few seconds. All calls on the engine's thread.

    A reduction that is overdue is told as late (late.py), and not as drift as well.
    """

    def __init__(self, state: EngineState) -> None:
        self._state = state
        self._due_ms = 0
        rows = json.loads(state.store.fact(_TOLD) or "[]")
        self._told: dict[Key, int] = {(account, symbol, side): since for account, symbol, side, since in rows}

    def look(self, now_ms: int) -> None:
        """Tell what is new. While main is not known nobody can say what a mirror should hold."""
        if now_ms < self._due_ms or not self._state.is_known(self._state.main):
            return
        self._due_ms = now_ms + _LOOK_MS
        for mirror in self._state.passes.values():
            if mirror.sighted and self._state.is_known(mirror.mirror):
                self._look(mirror, now_ms)

    def _look(self, mirror: MirrorPass, now_ms: int) -> None:
        name, bound_ms = mirror.mirror.name, int(mirror.policy.follow.grace_s * 1000) + _BOUND_MS
        drifting = {(name, row.symbol, row.side.value): (row, since) for row, since in self._drifting(mirror)}
        for key, (row, since_ms) in drifting.items():
            overdue = f"reduction {row.side}" in mirror.plans[row.symbol].due
            if key not in self._told and not overdue and now_ms - since_ms > bound_ms:
                have, want = plain(row.have), plain(row.want)
                text = f"drift: the {row.side} is {have} and should be {want}, since {(now_ms - since_ms) // 1000} s"
                self._begin(key, since_ms, text, now_ms)
        for key in [key for key in self._told if key[0] == name and key not in drifting]:
            plan = mirror.plans.get(key[1])
            if plan is None or not (plan.blocked or self._differs(plan, key[2])):
                self._end(key, now_ms)

    def _drifting(self, mirror: MirrorPass) -> Iterator[tuple[Standing, int]]:
        """Sides that are off their target, and since when."""
        for plan in self._state.agenda.unfinished.values():
            for standing in plan.standings if plan.account == mirror.mirror.name else ():
                since = plan.since.get(f"drift {standing.side}")
                if since is not None:
                    yield standing, since

    def _differs(self, plan: SymbolPlan, side: str) -> bool:
        """Whether a side is no drift any more and in step neither: it was parked meanwhile, or its growth is held."""
        instrument = self._state.instruments.get(plan.symbol)
        step = ZERO if instrument is None else max(instrument.qty_step, instrument.min_qty)
        return any(
            row.side.value == side and row.have != row.want and abs(row.have - row.want) - row.tolerated >= step
            for row in plan.standings
        )

    def _begin(self, key: Key, since_ms: int, text: str, now_ms: int) -> None:
        with self._state.store.batch():
            self._told[key] = since_ms
            self._state.outbox.tell(now_ms, Severity.WARNING, "drift", *key[:2], text, f"{key[2]}:{since_ms}")
            self._write()

    def _end(self, key: Key, now_ms: int) -> None:
        since_ms = self._told.pop(key)
        text = f"the {key[2]} is in step again after {(now_ms - since_ms) // 1000} s"
        with self._state.store.batch():
            self._state.outbox.tell(now_ms, Severity.INFO, "drift", *key[:2], text, f"{key[2]}:{since_ms}:over")
            self._write()

    def _write(self) -> None:
        self._state.store.set_fact(_TOLD, json.dumps([[*key, since_ms] for key, since_ms in self._told.items()]))
