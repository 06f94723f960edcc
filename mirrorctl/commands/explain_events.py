"""The events of `explain`: what was seen, sent, answered, filled and told, each from what was written down."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from mirrorctl.commands.explain_question import ALERTS, Question, link_of
from mirrorctl.core.domain.instruments import plain
from mirrorctl.core.domain.policy import MAIN
from mirrorctl.core.domain.values import Severity

if TYPE_CHECKING:
    from mirrorctl.core.engine.records import HoldTime, Intent, MeasuredCopy
    from mirrorctl.core.store.journal import Step
    from mirrorctl.core.store.sqlite import SqliteStore

Document = dict[str, Any]


def events(store: SqliteStore, question: Question, account: str | None) -> list[Document]:
    """Everything that belongs to the story, in the order of time."""
    intents = [intent for intent in question.intents if account in (None, intent.account) or question.order]
    steps = store.steps([intent.intent_id for intent in intents])
    found = [*_fills_of_main(question.measured)]
    found += [_held(row) for row in _holds(store, question, account)]
    found += [_sent(intent, steps[intent.intent_id]) for intent in intents]
    found += [_filled(copy) for copy in question.measured if account in (None, copy.account)]
    found += _told(store, question, account)
    return sorted(found, key=lambda event: str(event["at"]))


def _sent(intent: Intent, steps: Sequence[Step]) -> Document:
    """One line of the journal: what, why, and what became of it."""
    from mirrorctl.core.domain.scene import Planned
    from mirrorctl.core.engine.status import action_json
    from mirrorctl.core.engine.times import iso

    row = action_json(Planned(intent.action))
    outcome = intent.state.value
    if intent.filled:
        outcome += f", {plain(intent.filled)} filled"
    if intent.code or intent.message:
        outcome += f": {f'({intent.code}) ' if intent.code else ''}{intent.message}"
    return _event(iso(intent.created_ms), intent.account, row["action"], row["reason"], outcome) | {
        "side": row["side"],
        "qty": row["qty"],
        "price": row["price"],
        "stop": row.get("stop"),
        "sets": row.get("sets"),
        "state": intent.state.value,
        "filled": intent.filled,
        "code": intent.code or None,
        "message": intent.message or None,
        "answered_ms": intent.updated_ms - intent.created_ms,
        "steps": [{"at": iso(step.at_ms), "state": step.state.value, "filled": step.filled} for step in steps],
        "order_id": intent.order_id or getattr(intent.action, "order_id", None) or None,
        "order_link_id": link_of(intent) or None,
        "main_order_id": intent.main_order_id or None,
    }


def _fills_of_main(copies: Sequence[MeasuredCopy]) -> Iterator[Document]:
    """Main's fills that were followed, each once for all mirrors that did."""
    from mirrorctl.core.engine.times import iso

    followed: dict[int, list[str]] = {}
    for copy in copies:
        followed.setdefault(copy.main_exec_ms, []).append(copy.account)
    for at_ms, accounts in followed.items():
        names = ", ".join(dict.fromkeys(accounts))
        yield _event(iso(at_ms), MAIN, "fill", f"main's fill that {names} followed")


def _filled(copy: MeasuredCopy) -> Document:
    """A mirror's first fill of what followed main, and how long each leg of the way took."""
    from mirrorctl.core.engine.times import iso

    text = f"first fill {copy.total_ms} ms after main's{_beside_main(copy.slippage_bps)}"
    return _event(iso(copy.mirror_exec_ms), copy.account, "fill", text) | {
        "latency_ms": copy.total_ms,
        "legs_ms": copy.legs_ms(),
        "slippage_bps": copy.slippage_bps,
        "order_link_id": copy.link_id,
    }


def _beside_main(worse_bps: Decimal | None) -> str:
    """At how much worse a price than main, or how much better."""
    if worse_bps is None:
        return ""
    return f", {plain(abs(worse_bps))} bps {'better' if worse_bps < 0 else 'worse'} than main"


def _holds(store: SqliteStore, question: Question, account: str | None) -> Iterable[HoldTime]:
    """Times in which growth was kept back: since the cycle began, for an order until it was sent."""
    until = min((intent.created_ms for intent in question.own), default=None) if question.order else None
    since = question.since_ms if not question.order else question.cycle.started_ms if question.cycle else 0
    accounts = {intent.account for intent in question.intents} if question.order else None
    for row in store.hold_times(since):
        if not question.concerns(row.account, row.symbol) or account not in (None, row.account):
            continue
        if accounts is None or (row.account in accounts and (until is None or row.from_ms <= until)):
            yield row


def _held(row: HoldTime) -> Document:
    from mirrorctl.core.engine.times import iso

    lasted = None if row.until_ms is None else row.until_ms - row.from_ms
    outcome = "it lasts" if lasted is None else f"for {_span(lasted)}"
    return _event(
        iso(row.from_ms), row.account, "held", f"growth of the {row.side} is kept back: {row.reason}", outcome
    ) | {"held_ms": lasted}


def _told(store: SqliteStore, question: Question, account: str | None) -> Iterator[Document]:
    """What people were told, and how positions ended."""
    from mirrorctl.core.engine.times import iso

    for alert in store.alerts(ALERTS):
        if question.tells(alert) and (account in (None, alert.account) or question.order):
            grave = "" if alert.severity is Severity.INFO else alert.severity.value
            yield _event(iso(alert.at_ms), alert.account, alert.kind, alert.text, grave)
    if question.order:
        return
    for row in store.closed_positions(question.since_ms):
        if question.concerns(row.account, row.symbol) and account in (None, row.account):
            text = f"{row.side.value} is closed: {row.reason}" + (", while no daemon watched" if row.late else "")
            yield _event(iso(row.closed_ms), row.account, "closed", text)


def _event(at: str | None, account: str, kind: str, text: str, outcome: str = "") -> Document:
    return {"at": at, "account": account, "kind": kind, "text": text, "outcome": outcome or None}


def _span(ms: int) -> str:
    return f"{ms} ms" if ms < 1_000 else f"{ms / 1000:.1f} s"
