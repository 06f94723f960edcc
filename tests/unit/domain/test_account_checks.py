"""How an account is set up: every rule, what it says where all is well, and what where it is not."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from mirrorctl.core.domain.account import Identity, Wallet
from mirrorctl.core.domain.account_checks import (
    Check,
    Leverage,
    State,
    check_clock,
    check_identity,
    check_leverage,
    check_margin,
    check_minimums,
    check_mode,
    check_roles,
    check_wallet,
)
from mirrorctl.core.domain.copyability import judge
from mirrorctl.core.domain.policy import MirrorPolicy
from mirrorctl.core.domain.values import MarginMode, PositionMode, Severity
from tests.unit.domain.test_copyability import subject

SOUND = Identity(7, read_only=False, can_trade=True, can_withdraw=False, ip_bound=True, unified=True)
OK, NOTE, WARNING, ERROR = State.OK, State.NOTE, State.WARNING, State.ERROR
RIGHTS = ("withdrawal", "ip", "expiry")


def seen(check: Check) -> tuple[State, str]:
    return check.state, check.text


def test_a_sound_account_is_told_with_what_was_looked_at() -> None:
    for pinned, words in (("7", "7, as pinned"), ("", "7, the first start pins it to this role")):
        found = list(check_identity("main", SOUND, pinned=pinned, real=True))
        assert [check.check for check in found] == ["uid", "account-type", "permission", *RIGHTS]
        assert {check.state for check in found} == {OK}
        assert found[0].text == words
    assert [check.check for check in check_identity("main", SOUND, pinned="", real=False)][-1] == "permission"


@pytest.mark.parametrize(
    ("changes", "check", "state", "text"),
    [
        ({"uid": 8}, "uid", ERROR, "its keys belong to UID 8, pinned is 7"),
        ({"unified": False}, "account-type", ERROR, "it is no unified account (UTA)"),
        ({"can_trade": False, "read_only": True}, "permission", ERROR, "its key is read-only"),
        ({"can_trade": False}, "permission", ERROR, "its key is not allowed to trade contracts (orders and positions)"),
        ({"can_withdraw": True}, "withdrawal", WARNING, "its key may withdraw"),
        ({"ip_bound": False, "expires_in_days": 60}, "ip", WARNING, "its key is bound to no IP address"),
        ({"expires_in_days": 13}, "expiry", WARNING, "its key expires in 13 days"),
        ({"expires_in_days": 2}, "expiry", ERROR, "its key expires in 2 days"),
    ],
)
def test_what_is_wrong_with_keys(changes: dict[str, Any], check: str, state: State, text: str) -> None:
    def wrong(*, real: bool) -> list[Check]:
        found = check_identity("main", replace(SOUND, **changes), pinned="7", real=real)
        return [each for each in found if each.state is not OK]

    [found] = wrong(real=True)
    assert (found.check, found.state, found.account, found.text) == (check, state, "main", text)
    assert found.hint
    assert found.severity is (Severity.CRITICAL if state is ERROR else Severity.WARNING)
    assert [each.check for each in wrong(real=False)] == ([] if check in RIGHTS else [check])


def test_a_key_that_lasts_a_while_is_told_and_no_problem() -> None:
    *_, expiry = check_identity("main", replace(SOUND, expires_in_days=60), pinned="", real=True)
    assert (expiry.state, expiry.text, expiry.hint) == (OK, "its key expires in 60 days", "")


def test_an_expiry_that_the_exchange_does_not_tell_is_not_called_well() -> None:
    *_, expiry = check_identity("main", replace(SOUND, ip_bound=False), pinned="", real=True)
    assert (expiry.state, expiry.check) == (NOTE, "expiry")
    assert "does not say" in expiry.text


@pytest.mark.parametrize(
    ("offset", "state"),
    [(None, NOTE), (499, OK), (-499, OK), (700, WARNING), (-700, WARNING), (-1_000, ERROR)],
)
def test_a_clock_that_is_off(offset: int | None, state: State) -> None:
    found = check_clock("main", offset)
    assert found.state is state
    assert bool(found.hint) is (state in (WARNING, ERROR))
    if offset is not None:
        side = "behind" if offset > 0 else "ahead of"
        assert f"{abs(offset)} ms {side} the exchange's" in found.text


def test_a_position_mode_other_than_the_profiles() -> None:
    both = {PositionMode.ONE_WAY, PositionMode.HEDGE}
    found = check_mode("mirror", PositionMode.HEDGE, both)
    wrong = "position_mode = hedge in the profile, and symbols are in hedge and one-way"
    assert seen(found) == (WARNING, wrong)
    assert seen(check_mode("mirror", None, both)) == (OK, "auto in the profile; symbols are in hedge and one-way")
    assert seen(check_mode("mirror", PositionMode.HEDGE, ())) == (NOTE, "hedge in the profile; no symbol was read")
    assert seen(check_mode("mirror", None, ())) == (NOTE, "auto in the profile; no symbol was read")


def test_a_margin_mode_other_than_mains_or_without_leverage() -> None:
    cross, isolated = MarginMode.CROSS, MarginMode.ISOLATED
    assert seen(check_margin("mirror", cross, cross)) == (OK, "cross")
    assert check_margin("main", isolated, None).state is OK
    assert "isolated, main's is cross" in check_margin("mirror", isolated, cross).text
    assert check_margin("mirror", isolated, cross).state is WARNING
    assert check_margin("main", MarginMode.PORTFOLIO, None).state is WARNING
    assert check_margin("main", None, None).state is NOTE


def test_an_empty_wallet_and_one_that_is_unknown() -> None:
    full = Wallet(Decimal(100), Decimal(80), Decimal(20), Decimal(1), Decimal(0))
    assert seen(check_wallet("mirror", full)) == (OK, "equity 100, available 80")
    assert check_wallet("mirror", replace(full, equity=Decimal(0))).state is WARNING
    assert check_wallet("mirror", None).state is WARNING


def leverage(symbol: str, now: int, *, holds: bool = False) -> Leverage:
    return Leverage(symbol, Decimal(now), Decimal(5), holds)


def test_leverage_that_differs_matters_where_a_position_has_it() -> None:
    assert check_leverage("mirror", []).state is NOTE
    assert seen(check_leverage("mirror", [leverage("A", 5)])) == (OK, "as main's asks for, in 1 symbol")
    flat = check_leverage("mirror", [leverage("A", 5), leverage("B", 10)])
    assert seen(flat) == (NOTE, "B has 10x, wanted is 5x: set before the next entry")
    many = check_leverage("mirror", [leverage(name, 10, holds=name == "D") for name in "ABCDE"])
    assert seen(many) == (
        WARNING,
        "A has 10x, wanted is 5x, B has 10x, wanted is 5x, C has 10x, wanted is 5x and 2 more",
    )


def test_from_which_size_of_main_on_a_mirror_copies() -> None:
    policy = MirrorPolicy("mirror")
    known = judge(subject("0.25", "0.01"), policy, {}, 1)
    small = judge(subject("0.25", "0.003"), policy, {}, 1)
    unsized = judge(subject(None), policy, {}, 1)
    assert seen(check_minimums("mirror", [known])) == (OK, "main is copied from 0.004 BTCUSDT on")
    assert seen(check_minimums("mirror", [known, small])) == (
        WARNING,
        "too small to be copied: BTCUSDT: main's 0.003 is under 0.004",
    )
    assert check_minimums("mirror", [unsized]).state is NOTE


def test_one_account_in_two_roles() -> None:
    assert list(check_roles({"main": 1, "mirror": 2})) == []
    [found] = check_roles({"main": 1, "mirror": 2, "second": 1})
    assert (found.state, found.account) == (ERROR, "second")
    assert "main and second are the same account" in found.text
