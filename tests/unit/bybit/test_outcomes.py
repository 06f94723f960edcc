"""What each failure of a write means: refused, not sent, in doubt, or already so (rule 2)."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from mirrorctl.core.bybit.failures import Failure, FailureKind
from mirrorctl.core.bybit.outcomes import outcome_of, outcomes_of_batch
from mirrorctl.core.bybit.retcodes import ACCOUNT_WIDE, TABLE, Reaction, lookup
from mirrorctl.core.domain.actions import (
    Accepted,
    Action,
    AmendOrder,
    CancelOrder,
    DoubtfulOutcome,
    NotSent,
    PlaceOrder,
    RejectedOutcome,
    SetLeverage,
    SetTradingStop,
)
from mirrorctl.core.domain.ids import Role
from mirrorctl.core.domain.values import OrderType, Side

PLACE = PlaceOrder("main", "X", Side.BUY, OrderType.MARKET, Decimal(1), "m1", Role.ENTRY, "")
AMEND = AmendOrder("main", "X", "id", "", "", price=Decimal(1))
CANCEL = CancelOrder("main", "X", "id", "", "")
STOP = SetTradingStop("main", "X", 0, "", stop_loss=Decimal(1))
LEVERAGE = SetLeverage("main", "X", Decimal(2), "")
EVERY = (PLACE, AMEND, CANCEL, STOP, LEVERAGE)


def refused(code: int, message: str = "") -> Failure:
    return Failure(FailureKind.REFUSED, message, code)


@pytest.mark.parametrize("action", EVERY)
@pytest.mark.parametrize("code", [429, 10000, 10014, 10016, 10019, 10403, 10429, 20003, 20006, 500000, 77, -7])
def test_what_is_ambiguous_is_in_doubt(code: int, action: Action) -> None:
    assert isinstance(outcome_of(refused(code), action), DoubtfulOutcome)


@pytest.mark.parametrize("action", EVERY)
@pytest.mark.parametrize("code", [-1, 10002, 10006])
def test_what_the_gateway_turned_away_was_not_sent(code: int, action: Action) -> None:
    assert isinstance(outcome_of(refused(code), action), NotSent)


@pytest.mark.parametrize("action", EVERY)
@pytest.mark.parametrize("code", [10003, 10005, 10010, 110007, 110017, 110074, 110094, 110999])
def test_what_is_final_is_rejected_with_its_code(code: int, action: Action) -> None:
    outcome = outcome_of(refused(code, "said"), action)
    assert isinstance(outcome, RejectedOutcome)
    assert outcome.code == code
    assert "said" in outcome.message


@pytest.mark.parametrize(
    ("code", "message", "overtaken"),
    [
        (110001, "order not exists or too late to replace", True),
        (110064, "", True),
        (10001, "can not set tp/sl/ts for zero position", True),
        (10001, "price invalid", False),
        (110094, "", False),
    ],
)
def test_what_only_came_too_late_is_marked(code: int, message: str, overtaken: bool) -> None:
    outcome = outcome_of(refused(code, message), AMEND)
    assert isinstance(outcome, RejectedOutcome)
    assert outcome.overtaken is overtaken


@pytest.mark.parametrize(
    ("code", "action", "outcome"),
    [
        (110001, CANCEL, Accepted),
        (110008, CANCEL, Accepted),
        (110010, CANCEL, Accepted),
        (110001, AMEND, RejectedOutcome),
        (110043, LEVERAGE, Accepted),
        (34040, STOP, Accepted),
        (34040, PLACE, RejectedOutcome),
        (110072, PLACE, DoubtfulOutcome),
        (110079, PLACE, DoubtfulOutcome),
        (110079, AMEND, NotSent),
        (110079, CANCEL, NotSent),
    ],
)
def test_the_same_code_means_different_things_to_different_actions(code: int, action: Action, outcome: type) -> None:
    assert isinstance(outcome_of(refused(code), action), outcome)


@pytest.mark.parametrize(
    ("message", "reaction"),
    [
        ("can not set tp/sl/ts for zero position", Reaction.RESYNC),
        ("position idx not match position mode", Reaction.ACCOUNT),
        ("The order remains unchanged as the parameters entered match the existing ones.", Reaction.DONE),
        ("Qty invalid", Reaction.REJECT),
        ("", Reaction.REJECT),
    ],
)
def test_parameter_errors_are_told_apart_by_their_text(message: str, reaction: Reaction) -> None:
    assert lookup(10001, message).reaction is reaction


@pytest.mark.parametrize(
    ("failure", "outcome"),
    [
        (Failure(FailureKind.NOT_CONNECTED, "refused"), NotSent),
        (Failure(FailureKind.BLOCKED, "silent", 403, 500.0), NotSent),
        (Failure(FailureKind.INTERRUPTED, "reset"), DoubtfulOutcome),
        (Failure(FailureKind.UNREADABLE, "html"), DoubtfulOutcome),
        (Failure(FailureKind.HTTP, "x", 403, 600.0), NotSent),
        (Failure(FailureKind.HTTP, "x", 401), RejectedOutcome),
        (Failure(FailureKind.HTTP, "x", 404), RejectedOutcome),
        (Failure(FailureKind.HTTP, "x", 429), DoubtfulOutcome),
        (Failure(FailureKind.HTTP, "x", 500), DoubtfulOutcome),
        (Failure(FailureKind.HTTP, "x", 302), DoubtfulOutcome),
    ],
)
def test_trouble_on_the_way(failure: Failure, outcome: type) -> None:
    assert isinstance(outcome_of(failure, PLACE), outcome)


def test_waiting_times_are_handed_on() -> None:
    blocked = outcome_of(Failure(FailureKind.BLOCKED, "silent", 403, 500.0), PLACE)
    assert isinstance(blocked, NotSent)
    assert blocked.retry_after_s == 500.0


def test_every_row_says_something_and_account_wide_codes_call_a_human() -> None:
    assert all(row.meaning for row in TABLE.values())
    assert all(TABLE[code].reaction is Reaction.ACCOUNT for code in ACCOUNT_WIDE)
    assert all(row.hint for row in TABLE.values() if row.reaction in (Reaction.AGAIN, Reaction.CLOCK))


def batch(rows: object, verdicts: object, count: int = 2) -> list[object]:
    """The outcomes of so many placements under an answer of two lists."""
    actions = [replace(PLACE, link_id=f"m{number}") for number in range(count)]
    envelope = {"result": {"list": rows}, "retExtInfo": {"list": verdicts}}
    return list(outcomes_of_batch(envelope, actions, 0.5, lambda text: text.replace("secret", "***")))


OK = {"code": 0, "msg": "OK"}


def test_each_order_of_a_batch_has_its_own_verdict() -> None:
    rows = [{"orderId": "1", "orderLinkId": "m0"}, {"orderId": "", "orderLinkId": "m1"}]
    accepted, refused_ = batch(rows, [OK, {"code": 110007, "msg": "ab not enough, secret"}])
    assert accepted == Accepted("1")
    assert isinstance(refused_, RejectedOutcome)
    assert refused_.code == 110007
    assert "***" in refused_.message
    accepted, limited = batch(rows, [OK, {"code": 10006, "msg": "Too many visits!"}])
    assert isinstance(limited, NotSent)
    assert (limited.limited, limited.retry_after_s) == (True, 0.5)


@pytest.mark.parametrize(
    ("rows", "verdicts", "doubts"),
    [
        (None, None, 2),
        ([{"orderId": "1"}], [OK], 2),
        ([{"orderId": "1"}, {"orderId": "2"}], [OK], 2),
        ([{"orderId": "1"}, {"orderId": "2"}], [OK, None], 1),
        ([{"orderId": "1"}, {"orderId": "2"}], [OK, {"code": "0"}], 1),
        ([{"orderId": "1"}, None], [OK, OK], 1),
        ([{"orderId": "1", "orderLinkId": "m1"}, {"orderId": "2", "orderLinkId": "m0"}], [OK, OK], 2),
    ],
)
def test_a_batch_answer_that_does_not_say_what_became_of_an_order_leaves_it_in_doubt(
    rows: object, verdicts: object, doubts: int
) -> None:
    assert sum(isinstance(outcome, DoubtfulOutcome) for outcome in batch(rows, verdicts)) == doubts
