"""Pauses, halts and parked symbols: what keeps entries back until somebody says otherwise. They survive restarts."""

from __future__ import annotations

from mirrorctl.core.domain.parks import IN_DOUBT
from mirrorctl.core.engine.records import Standing, StandingKind, Store


class Standings:
    """All pauses, halts and parks, in memory and written through. `rows`: what stands."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.rows = {(s.kind, s.account, s.symbol): s for s in store.standings()}

    def set(self, kind: StandingKind, account: str, symbol: str, reason: str, now_ms: int) -> bool:
        """Begin a pause, a halt or a park; the first reason stays, and it is False that anything began.

        Only a doubt, which ends by itself, gives way to what does not.
        """
        key = (kind, account, symbol)
        known = self.rows.get(key)
        if known is not None and (not known.reason.startswith(IN_DOUBT) or reason.startswith(IN_DOUBT)):
            return False
        self.rows[key] = Standing(kind, account, symbol, reason, now_ms)
        self._store.save_standing(self.rows[key])
        return True

    def end(self, standing: Standing) -> None:
        """End one of them."""
        if self.rows.pop((standing.kind, standing.account, standing.symbol), None) is not None:
            self._store.drop_standing(standing.kind, standing.account, standing.symbol)

    def clear(self, account: str | None, symbol: str | None) -> list[Standing]:
        """End every pause, halt and park of that account and symbol (None: of all). Returns what ended."""
        ended = [row for row in self.rows.values() if account in (None, row.account) and symbol in (None, row.symbol)]
        for row in ended:
            self.end(row)
        return ended

    def growth_block(self, account: str, symbol: str) -> str:
        """Why entries of `account` on `symbol` are held; "" when they are not."""
        for row in self.rows.values():
            if row.account in ("", account) and row.symbol in ("", symbol):
                return f"{'parked' if row.kind is StandingKind.PARK else 'paused'}: {row.reason}"
        return ""

    def park_of(self, account: str, symbol: str) -> str:
        """Why a symbol is parked; "" when it is not."""
        row = self.rows.get((StandingKind.PARK, account, symbol))
        return row.reason if row is not None else ""

    def is_parked(self, account: str, symbol: str) -> bool:
        return (StandingKind.PARK, account, symbol) in self.rows

    def parked(self) -> list[Standing]:
        return [row for row in self.rows.values() if row.kind is StandingKind.PARK]

    def pauses(self) -> list[Standing]:
        """What holds entries back until somebody resumes: the trader's pauses and the halts of limits."""
        return [row for row in self.rows.values() if row.kind is not StandingKind.PARK]

    def halt(self, account: str) -> Standing | None:
        """The halt of an account, where one of its limits made one."""
        return self.rows.get((StandingKind.HALT, account, ""))

    def is_paused(self, account: str) -> bool:
        """Whether the whole account is paused."""
        return any(
            row.kind is not StandingKind.PARK and row.account in ("", account) and not row.symbol
            for row in self.rows.values()
        )
