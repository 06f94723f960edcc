"""Alerts: observed facts, written to the durable outbox and to the log, each told once (rules 15 and 18)."""

from __future__ import annotations

import json
import logging
from collections.abc import Set

from mirrorctl.core.domain.parks import IN_DOUBT, LOOP
from mirrorctl.core.domain.refusals import NO_ANSWER
from mirrorctl.core.domain.scene import SymbolPlan
from mirrorctl.core.domain.values import SIDES
from mirrorctl.core.engine.channel import Channel
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
_KINDS = (  # of a fact by how it begins; what is not named here is "held"
    ("parked", "parked"),
    ("naked", "naked"),
    ("exit", "exit"),
    ("brake", "brake"),
    ("held: slippage", "slippage"),
    ("held: refused", "refused"),
    ("held: limit", "limit"),
    ("held: below minimum", "below-minimum"),
)
_CRITICAL = frozenset(("brake", "naked", "exit"))


class Outbox:
    """Writes alerts. What a plan keeps saying is told when it begins, not on every pass (A36)."""

    def __init__(self, store: Store) -> None:
        self.channel: Channel | None = None
        self._store = store
        self._said: dict[tuple[str, str], set[str]] = {}
        self._refused_ms: dict[tuple[str, str, str], int] = {}
        self._lasting: set[tuple[str, str, str, str]] = set()

    def tell(
        self,
        now_ms: int,
        severity: Severity,
        kind: str,
        account: str,
        symbol: str,
        text: str,
        about: str,
        *,
        subject: str = "",
    ) -> bool:
        """Put one fact in the outbox. `about` makes the event unique: telling it again does nothing and gives False.

        Unique among those of its kind, or of its `subject`: what is told of one thing may be of several kinds.
        """
        key = _key(subject or kind, account, symbol, about)
        alert = Alert(key, now_ms, severity, kind, account, symbol, text)
        added = self._store.add_alert(alert)
        if added and self.channel is not None:
            self.channel.offer(alert)
        if added:
            where = f"{account} {symbol}".strip() or kind
            said = text if text.startswith(where.replace("-", " ")) else f"{where}: {text}"
            log.log(_LEVELS[severity], "%s", said)
        return added

    def has_told(self, subject: str, account: str, symbol: str, about: str) -> bool:
        """Whether `tell` put this in the outbox already; not once it was pruned."""
        return self._store.has_alert(_key(subject, account, symbol, about))

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
        not make it news, and neither does a restart.
        """
        if plan.blocked and not plan.blocked.startswith("brake"):
            return
        said = self._said_of(plan.account, plan.symbol)
        if not said and _says_nothing(plan):
            return  # nearly always
        known = _facts(plan)
        for name in known.keys() - said:
            if self._was_retried(plan, name, now_ms):
                continue
            kind, fact = known[name]
            severity = Severity.CRITICAL if kind in _CRITICAL else Severity.WARNING
            about = f"{name}:{now_ms}"
            self.tell(now_ms, severity, kind, plan.account, plan.symbol, fact, about, subject="held")
        lacking = any(standing.want > standing.have for standing in plan.standings)
        naked = {name for name in said if name.startswith("naked")}
        if not plan.parked:  # else nobody looked
            self._tell_covered(plan, naked - known.keys(), now_ms)
            said, naked = said - naked, set()
        self._note_said(plan.account, plan.symbol, known.keys() | (said if lacking else naked), now_ms)

    def _said_of(self, account: str, symbol: str) -> Set[str]:
        """What was told of a symbol and lasts, by this process or the one before it."""
        if (account, symbol) not in self._said:
            self._said[(account, symbol)] = set(json.loads(self._store.fact(_said_key(account, symbol)) or "[]"))
        return self._said[(account, symbol)]

    def _note_said(self, account: str, symbol: str, names: Set[str], now_ms: int) -> None:
        if names != self._said[(account, symbol)]:
            self._said[(account, symbol)] = set(names)
            self._store.set_fact(_said_key(account, symbol), json.dumps(sorted(names)), now_ms)

    def _tell_covered(self, plan: SymbolPlan, names: Set[str], now_ms: int) -> None:
        """Sides of which it was told that they stand without their stop do so no more."""
        for side in SIDES:
            for name in (name for name in names if f"the {side} " in name):
                over = "has its stop again" if side in plan.guarded else "is closed, or needs no stop any more"
                about, text = f"over:{name}:{now_ms}", f"the {side} {over}"
                self.tell(now_ms, Severity.INFO, "naked", plan.account, plan.symbol, text, about, subject="held")

    def _was_retried(self, plan: SymbolPlan, name: str, now_ms: int) -> bool:
        """Whether it is only told again because it was tried again meanwhile: a retry is no news."""
        if not name.startswith("held: refused") and NO_ANSWER not in name:
            return False
        place = (plan.account, plan.symbol, name)
        before, self._refused_ms[place] = self._refused_ms.get(place), now_ms
        return before is not None and now_ms - before < _RETRIED_MS


def _said_key(account: str, symbol: str) -> str:
    return f"said.{account}.{symbol}"


def _key(subject: str, account: str, symbol: str, about: str) -> str:
    return f"{subject}:{account}:{symbol}:{about}"


def _says_nothing(plan: SymbolPlan) -> bool:
    """Whether there is no fact in a plan (see `_facts`)."""
    troubled = plan.held or plan.park or plan.parked or plan.blocked
    return not (troubled or plan.unprotected or plan.late_exits or plan.missing)


def _facts(plan: SymbolPlan) -> dict[str, tuple[str, str]]:
    """(kind, words) of what people must know of a plan, by what stays the same of the words from pass to pass.

    What parks the symbol is told as that alone, and not as what is held by it as well.
    """
    facts = [_held(why) for why in {held.reason for held in plan.held} - {plan.park, plan.parked} if _is_loud(why)]
    facts += [f"parked: {why}" for why in {plan.park, plan.parked} if why]
    if plan.blocked.startswith("brake"):
        facts.append(plan.blocked)
    facts += [f"naked: the {side} stands without its stop" for side in plan.unprotected]
    facts += [f"exit: {text}" for text in plan.late_exits]
    known = {_constant(fact): (_kind(fact), fact) for fact in facts}
    for text in plan.missing:
        kind = "refused" if " refused (" in text else "missing"
        known[text] = (kind, f"not mirrored: {text}" if "partial stop" in text else text)
    return known


def _is_loud(why: str) -> bool:
    return why.startswith(_LOUD) and not why.startswith(_TOLD_ALREADY)


def _held(why: str) -> str:
    return why if why.startswith("parked: ") else f"held: {why}"


def _kind(fact: str) -> str:
    return next((kind for begins, kind in _KINDS if fact.startswith(begins)), "held")


def _constant(fact: str) -> str:
    """A fact without its figures, which may change from pass to pass."""
    return "".join(ch for ch in fact if not ch.isdigit())[:60]
