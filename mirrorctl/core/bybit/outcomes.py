"""What a failed write means (rule 2): refused, never sent, or in doubt. Pure, and total.

Whatever is ambiguous is in doubt: a request that may have reached matching is settled by asking, never by
sending again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mirrorctl.core.bybit.failures import Failure, FailureKind
from mirrorctl.core.bybit.retcodes import Reaction, RetCode, lookup
from mirrorctl.core.domain.actions import (
    Accepted,
    Action,
    AmendOrder,
    CancelOrder,
    DoubtfulOutcome,
    NotSent,
    Outcome,
    PlaceOrder,
    RejectedOutcome,
    SetLeverage,
    SetTradingStop,
)

_AGAIN_S = 1.0
_GONE = frozenset((110001, 110008, 110010, 170213))
_MESSAGE_LIMIT = 200
_TOO_MANY = 10006
_UNKNOWN_PATHS = (10017, 10404)
_UNCLEAR = "the answer to a batch does not say what became of the order"


def outcome_of(failure: Failure, action: Action) -> Outcome:
    """The outcome of `action` after `failure`."""
    match failure.kind:
        case FailureKind.NOT_CONNECTED | FailureKind.BLOCKED | FailureKind.CUT_OFF:
            return NotSent(failure.message, _retry_after(failure))
        case FailureKind.LIMITED:
            return NotSent(failure.message, _retry_after(failure), limited=True)
        case FailureKind.REFUSED:
            return _refused(failure, action)
        case FailureKind.HTTP:
            return _http(failure)
        case FailureKind.INTERRUPTED | FailureKind.UNREADABLE:
            return DoubtfulOutcome(failure.message)


def is_unknown_path(failure: Failure) -> bool:
    """Whether the exchange knows no such call, so nothing came of it (docs/v5/error: HTTP 404; 10017, 10404)."""
    codes = (404, 405) if failure.kind is FailureKind.HTTP else _UNKNOWN_PATHS
    return failure.code in codes and failure.kind in (FailureKind.HTTP, FailureKind.REFUSED)


def outcomes_of_batch(
    envelope: Mapping[str, Any], actions: Sequence[Action], pause_s: float, redact: Callable[[str], str]
) -> list[Outcome]:
    """The outcome of each action of a batch that was answered with retCode 0: two lists, aligned (order/batch-place).

    An answer that does not say of an order what became of it leaves it in doubt. `pause_s`: until an exceeded limit of
    the endpoint resets; `redact` takes secrets out of what the exchange wrote.
    """
    rows, verdicts = _list(envelope.get("result")), _list(envelope.get("retExtInfo"))
    if len(rows) != len(actions) or len(verdicts) != len(actions):
        return [DoubtfulOutcome(_UNCLEAR) for _ in actions]
    return [
        _of_batch(action, row, verdict, pause_s, redact)
        for action, row, verdict in zip(actions, rows, verdicts, strict=True)
    ]


def _list(body: object) -> list[Any]:
    rows = body.get("list") if isinstance(body, dict) else None
    return rows if isinstance(rows, list) else []


def _of_batch(action: Action, row: object, verdict: object, pause_s: float, redact: Callable[[str], str]) -> Outcome:
    code = verdict.get("code") if isinstance(verdict, dict) else None
    if not isinstance(row, dict) or not isinstance(verdict, dict) or not isinstance(code, int):
        return DoubtfulOutcome(_UNCLEAR)
    if isinstance(action, PlaceOrder) and row.get("orderLinkId") not in (action.link_id, "", None):
        return DoubtfulOutcome(_UNCLEAR)
    if code == 0:
        return Accepted(str(row.get("orderId") or ""))
    retry_s = pause_s if code == _TOO_MANY else None
    return _refused(Failure(FailureKind.REFUSED, redact(str(verdict.get("msg") or "")), code, retry_s), action)


def _http(failure: Failure) -> Outcome:
    """Only what a gateway says before it looks at the request is certain (docs/v5/error, HTTP codes)."""
    if failure.code == 403:
        return NotSent(failure.message, _retry_after(failure))
    if failure.code in (400, 401, 404, 405):
        return RejectedOutcome(failure.code, failure.message)
    return DoubtfulOutcome(failure.message)


def _refused(failure: Failure, action: Action) -> Outcome:
    row = lookup(failure.code, failure.message)
    if _already_so(failure.code, row, action):
        return Accepted()
    message = describe(failure.code, failure.message)
    match row.reaction:
        case Reaction.CLOCK:
            return NotSent(message, _retry_after(failure))
        case Reaction.AGAIN:
            # A new order that is "being worked on" is one that exists.
            if failure.code != _TOO_MANY and isinstance(action, PlaceOrder):
                return DoubtfulOutcome(message)
            return NotSent(message, _retry_after(failure), limited=failure.code == _TOO_MANY)
        case Reaction.QUERY:
            return DoubtfulOutcome(message)
        case Reaction.DONE | Reaction.ACCOUNT | Reaction.REJECT | Reaction.RESYNC:
            return RejectedOutcome(failure.code, message, row.reaction is Reaction.RESYNC)


def _already_so(code: int, row: RetCode, action: Action) -> bool:
    """Refused because what was asked for stands already. The engine reads it back, as after every acceptance."""
    match action:
        case CancelOrder():
            return code in _GONE
        case SetLeverage() | SetTradingStop() | AmendOrder():
            return row.reaction is Reaction.DONE
        case PlaceOrder():
            return False


def describe(code: int, message: str) -> str:
    """`meaning (retCode: what Bybit wrote)`, for people."""
    said = message.strip()[:_MESSAGE_LIMIT]
    meaning = lookup(code, message).meaning
    return f"{meaning} ({code}: {said})" if said else f"{meaning} ({code})"


def _retry_after(failure: Failure) -> float:
    return _AGAIN_S if failure.retry_after_s is None else failure.retry_after_s
