"""Alerts: observed facts, written to the durable outbox and to the log, each told once (rules 15 and 18)."""

from __future__ import annotations

import logging

from mirrorctl.core.domain.parks import IN_DOUBT, LOOP
from mirrorctl.core.domain.refusals import NO_ANSWER
from mirrorctl.core.domain.scene import SymbolPlan
from mirrorctl.core.engine.records import Alert, Severity, Store

log = logging.getLogger("mirrorctl.alerts")

_LEVELS = {Severity.INFO: logging.INFO, Severity.WARNING: logging.WARNING, Severity.CRITICAL: logging.ERROR}
_LOUD = (
    "slippage",
    "catch_up",
    "refused",
    "limit",
    "below minimum",
    "parked",
    "new store",
    "adopt",
    "own exit",
    "sizing",
    "map: main's price",
)
_RETRIED_MS = 300_000
_TOLD_ALREADY = (f"parked: {IN_DOUBT}", f"parked: {LOOP}")  # with what parked it


class Outbox:
    """Writes alerts. What a plan keeps saying is told when it begins, not on every pass (A36)."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._said: dict[tuple[str, str], set[str]] = {}
        self._refused_ms: dict[tuple[str, str, str], int] = {}
        self._lasting: set[tuple[str, str, str, str]] = set()

    def tell(
        self, now_ms: int, severity: Severity, kind: str, account: str, symbol: str, text: str, about: str
    ) -> bool:
        """Put one fact in the outbox. `about` makes the event unique: telling it again does nothing and gives False."""
        key = f"{kind}:{account}:{symbol}:{about}"
        added = self._store.add_alert(Alert(key, now_ms, severity, kind, account, symbol, text))
        if added:
            log.log(_LEVELS[severity], "%s: %s", f"{account} {symbol}".strip() or kind, text)
        return added

    def tell_lasting(
        self, now_ms: int, severity: Severity, kind: str, account: str, symbol: str, text: str, about: str
    ) -> None:
        """As `tell`, of what every decision finds anew while it lasts: the store is asked once."""
        if (kind, account, symbol, about) not in self._lasting:
            self._lasting.add((kind, account, symbol, about))
            self.tell(now_ms, severity, kind, account, symbol, text, about)

    def tell_plan(self, plan: SymbolPlan, now_ms: int) -> None:
        """Tell what a plan holds, parks or refuses, when it is new.

        What was told stays told while the mirror lacks something or nothing could be decided: a retry in between does
        not make it news.
        """
        if plan.blocked and not plan.blocked.startswith("brake"):
            return
        held_back = (held.reason for held in plan.held)
        facts = {f"held: {why}" for why in held_back if why.startswith(_LOUD) and not why.startswith(_TOLD_ALREADY)}
        if plan.parked:
            facts.add(f"parked: {plan.parked}")
        if plan.blocked.startswith("brake"):
            facts.add(plan.blocked)
        facts |= {f"naked: the {side} stands without its stop" for side in plan.unprotected}
        facts |= {f"exit: {text}" for text in plan.late_exits}
        kinds = {_kind(fact): fact for fact in facts}
        kinds |= {text: f"not mirrored: {text}" if "partial stop" in text else text for text in plan.missing}
        said = self._said.get((plan.account, plan.symbol), set())
        for kind in kinds.keys() - said:
            if self._was_retried(plan, kind, now_ms):
                continue
            severity = Severity.CRITICAL if kind.startswith(("brake", "naked", "exit")) else Severity.WARNING
            self.tell(now_ms, severity, "held", plan.account, plan.symbol, kinds[kind], f"{kind}:{now_ms}")
        lacking = any(standing.want > standing.have for standing in plan.standings)
        self._said[(plan.account, plan.symbol)] = kinds.keys() | (said if lacking else set())

    def _was_retried(self, plan: SymbolPlan, kind: str, now_ms: int) -> bool:
        """Whether it is only told again because it was tried again meanwhile: a retry is no news."""
        if not kind.startswith("held: refused") and NO_ANSWER not in kind:
            return False
        place = (plan.account, plan.symbol, kind)
        before, self._refused_ms[place] = self._refused_ms.get(place), now_ms
        return before is not None and now_ms - before < _RETRIED_MS


def _kind(fact: str) -> str:
    """A fact without its figures, which may change from pass to pass."""
    return "".join(ch for ch in fact if not ch.isdigit())[:60]
