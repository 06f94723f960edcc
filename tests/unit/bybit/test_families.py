"""Every retCode of the table has its family: what becomes of an entry, a change, a cancel, a stop, a leverage (A57)."""

from __future__ import annotations

from decimal import Decimal

import pytest

from mirrorctl.core.bybit.failures import Failure, FailureKind
from mirrorctl.core.bybit.outcomes import outcome_of
from mirrorctl.core.bybit.retcodes import TABLE
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
from mirrorctl.core.domain.refusals import OF_THE_ORDER, heals, parks
from mirrorctl.core.domain.values import OrderType, Side

ONE = Decimal(1)
ENTRY = PlaceOrder("m", "BTCUSDT", Side.BUY, OrderType.LIMIT, ONE, "link", Role.TWIN, "", price=ONE)
AMEND = AmendOrder("m", "BTCUSDT", "id", "link", "", price=ONE)
CANCEL = CancelOrder("m", "BTCUSDT", "id", "link", "")
STOP = SetTradingStop("m", "BTCUSDT", 0, "", stop_loss=ONE)
LEVERAGE = SetLeverage("m", "BTCUSDT", ONE, "")
UNKNOWN_TRADING, UNKNOWN_OTHER = 119_999, 99_999

NOT_SENT = {-1, 10002, 10006}
ASKED = {
    *(429, 10000, 10014, 10016, 10018, 10019, 10403, 10429, 20003, 20006, 110072, 110079),
    *(170001, 170005, 170007, 170032, 170141, 170146, 170147, 500000, UNKNOWN_OTHER),
}
MARGIN = {110004, 110006, 110007, 110012, 110044, 110045, 110051, 110052, 110053}
PASSING = {110003, 110005, 110020, 110021, 110063, 110066, 110094, 110118, 110120, 110121, 30208, 30209}


def outcome(code: int, action: Action) -> object:
    return outcome_of(Failure(FailureKind.REFUSED, "no", code), action)


@pytest.mark.proves("A57")
@pytest.mark.parametrize("code", sorted({*TABLE, UNKNOWN_TRADING, UNKNOWN_OTHER}))
def test_an_entry_is_not_sent_asked_for_waits_is_done_without_or_parks(code: int) -> None:
    found = outcome(code, ENTRY)
    assert isinstance(found, NotSent) is (code in NOT_SENT)
    assert isinstance(found, DoubtfulOutcome) is (code in ASKED)
    if isinstance(found, RejectedOutcome):
        assert heals(code, found.message) is (code in MARGIN | PASSING)
        assert parks(code, found.message) is (code not in MARGIN | PASSING | OF_THE_ORDER)


@pytest.mark.parametrize("code", sorted({*TABLE, UNKNOWN_TRADING, UNKNOWN_OTHER}))
@pytest.mark.parametrize("action", [AMEND, CANCEL, STOP, LEVERAGE], ids=lambda action: type(action).__name__)
def test_whatever_has_no_link_id_ends_with_a_refusal_a_question_or_what_was_asked(action: Action, code: int) -> None:
    """Nothing of it is in doubt about whether it may be repeated: the state is read after each of these."""
    found = outcome(code, action)
    assert isinstance(found, NotSent) is (code in NOT_SENT | {110079})
    assert isinstance(found, DoubtfulOutcome) is (code in ASKED - {110079})
    if isinstance(found, Accepted):
        assert code in {34036, 34040, 110025, 110026, 110027, 110043, 110001, 110008, 110010, 170213}


@pytest.mark.parametrize(("text", "kept"), [("position idx not match position mode", True), ("params error", False)])
def test_a_wrong_parameter_parks_unless_the_next_read_heals_it(text: str, kept: bool) -> None:
    found = outcome_of(Failure(FailureKind.REFUSED, text, 10001), ENTRY)
    assert isinstance(found, RejectedOutcome)
    assert heals(10001, found.message) is kept
