"""Pinned UIDs: another account in a role is refused, and once accepted nothing of the one before is acted upon."""

from __future__ import annotations

from decimal import Decimal

import pytest

from mirrorctl.bootstrap.accounts import Connected, check_pin, forget_pins
from mirrorctl.core.bybit.environments import Endpoints
from mirrorctl.core.bybit.rest import BybitRest
from mirrorctl.core.domain.account import Identity
from mirrorctl.core.domain.cycle import Copy, Cycle
from mirrorctl.core.domain.errors import IdentityChanged
from mirrorctl.core.domain.values import PositionSide
from mirrorctl.core.store.sqlite import SqliteStore

ROLES = ("main", "half", "quarter")
NOWHERE = Endpoints("http://127.0.0.1", "ws://127.0.0.1/v5/private", "ws://127.0.0.1/v5/public/linear")


def account(name: str, uid: int) -> Connected:
    rest = BybitRest(account=name, api_key="k", api_secret="s", endpoints=NOWHERE)
    return Connected(name, rest, Identity(uid, False, True, False, True, True))


@pytest.fixture
def store() -> SqliteStore:
    """Both mirrors follow one cycle of main; all UIDs are pinned."""
    made = SqliteStore(None)
    for uid, name in enumerate(ROLES, 1):
        check_pin(made, account(name, uid), ROLES)
        made.set_fact(f"seen.{name}", "1")
        made.set_fact(f"executions.{name}", "5")
    made.save_cycle(Cycle("BTCUSDT", PositionSide.LONG, "abcdefg", "order", 1, opened=True))
    for name in ROLES[1:]:
        made.save_copy(Copy(name, "BTCUSDT", PositionSide.LONG, "abcdefg", Decimal("0.5"), "r", opened=True))
    return made


def seen(store: SqliteStore) -> list[str]:
    return [name for name in ROLES if store.fact(f"seen.{name}")]


@pytest.mark.proves("A80")
def test_another_uid_is_refused(store: SqliteStore) -> None:
    check_pin(store, account("half", 2), ROLES)
    with pytest.raises(IdentityChanged):
        check_pin(store, account("half", 9), ROLES)


def test_the_same_accounts_after_a_repin_go_on_as_before(store: SqliteStore) -> None:
    forget_pins(store, ROLES)
    for uid, name in enumerate(ROLES, 1):
        check_pin(store, account(name, uid), ROLES)
    assert (len(store.cycles()), len(store.copies()), seen(store)) == (1, 2, list(ROLES))


def test_a_new_main_is_a_new_store_for_every_mirror(store: SqliteStore) -> None:
    """Else the next pass would close what the mirrors hold because the new main is flat."""
    forget_pins(store, ROLES)
    check_pin(store, account("main", 9), ROLES)
    assert (store.cycles(), store.copies(), seen(store), store.fact("executions.main")) == ([], [], [], "")


def test_a_new_mirror_account_leaves_the_others_alone(store: SqliteStore) -> None:
    store.set_fact("day.high.half", "1 1000 2")
    forget_pins(store, ["half"])
    check_pin(store, account("half", 9), ROLES)
    assert store.fact("day.high.half") == "", "another account has another equity"
    assert [copy.account for copy in store.copies()] == ["quarter"]
    assert (len(store.cycles()), seen(store)) == (1, ["main", "quarter"])
