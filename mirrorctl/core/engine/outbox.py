"""Alerts: observed facts, written to the durable outbox and to the log, each told once (rules 15 and 18)."""

from __future__ import annotations

import logging

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


class Outbox:
    """Writes alerts. What a plan keeps saying is told when it begins, not on every pass (A36)."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._said: dict[tuple[str, str], set[str]] = {}
        self._lasting: set[tuple[str, str, str, str]] = set()

    def tell(
        self, now_ms: int, severity: Severity, kind: str, account: str, symbol: str, text: str, about: str
    ) -> bool:
        """Put one fact in the outbox. `about` makes the event unique: telling it again does nothing and gives False."""
        key = f"{kind}:{account}:{symbol}:{about}"
        added = self._store.add_alert(Alert(key, now_ms, severity, kind, account, symbol, text))
        if added:
            log.log(_LEVELS[severity], "%s %s: %s", account, symbol, text)
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
        facts = {f"held: {held.reason}" for held in plan.held if held.reason.startswith(_LOUD)}
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
            severity = Severity.CRITICAL if kind.startswith(("brake", "naked", "exit")) else Severity.WARNING
            self.tell(now_ms, severity, "held", plan.account, plan.symbol, kinds[kind], f"{kind}:{now_ms}")
        lacking = any(standing.want > standing.have for standing in plan.standings)
        self._said[(plan.account, plan.symbol)] = kinds.keys() | (said if lacking else set())


def _kind(fact: str) -> str:
    """A fact without its figures, which may change from pass to pass."""
    return "".join(ch for ch in fact if not ch.isdigit())[:60]
