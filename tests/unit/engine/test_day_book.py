"""The day's highest equity: seen, kept, and moved by what was paid in or out after it, each once."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from mirrorctl.core.domain.account import Transfer, Wallet
from mirrorctl.core.engine.accounts import Account
from mirrorctl.core.engine.day_book import DayBook
from mirrorctl.core.engine.ports import ReadFailed
from mirrorctl.core.store.sqlite import SqliteStore
from tests.unit.domain.scenes import NOW

DAY = NOW // 86_400_000 * 86_400_000
NOBODY: Any = None


def account(equity: str | None) -> Account:
    made = Account.create("mirror", 7, NOBODY, NOBODY)
    if equity is not None:
        hold(made, equity)
    return made


def hold(of: Account, equity: str) -> None:
    of.view.apply_wallet(Wallet(Decimal(equity), *(Decimal(0),) * 4))


def moved(amount: str, at_ms: int, coin: str = "USDT") -> Transfer:
    return Transfer(f"t{at_ms}", Decimal(amount), coin, at_ms)


def high(book: DayBook, of: Account, day: int = DAY) -> Decimal | None:
    return book.of(of, day, NOW, known=True).high


def test_the_highest_equity_is_kept_over_a_restart_and_begins_anew_with_the_day() -> None:
    store, mirror = SqliteStore(None), account("1000")
    DayBook(store).look(mirror, DAY, NOW)
    hold(mirror, "900")
    book = DayBook(store)
    book.look(mirror, DAY, NOW + 1)
    assert high(book, mirror) == 1000
    book.look(mirror, DAY + 86_400_000, NOW + 2)
    assert high(book, mirror, DAY + 86_400_000) == 900


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([moved("-400", NOW + 5)], 600),
        ([moved("-400", NOW + 5), moved("100", NOW + 9)], 700),
        ([moved("-400", NOW - 5)], 1000),  # it was seen after that
        ([moved("-400", NOW + 5, "BTC")], 1000),  # nobody knows in dollars
        ([], 1000),
    ],
)
def test_it_moves_with_what_is_paid_in_or_out_after_it_once(rows: list[Transfer], expected: int) -> None:
    store, mirror = SqliteStore(None), account("1000")
    DayBook(store).look(mirror, DAY, NOW)
    for _ in range(2):
        book = DayBook(store)
        book.on_transfers(mirror, rows, DAY, NOW + 20)
        assert high(book, mirror) == max(expected, 1000)
        assert book.transfers_read_ms(mirror) == NOW + 20
        hold(mirror, "1")
        assert high(book, mirror) == expected
        hold(mirror, "1000")


def test_an_equity_counts_from_when_it_came_however_late_it_is_looked_at() -> None:
    """The wallet of before the withdrawal is looked at again after it: the withdrawal is still after it."""
    book, mirror = DayBook(SqliteStore(None)), account("1000")
    book.look(mirror, DAY - 1, NOW)
    book.look(mirror, DAY, NOW + 10)
    book.on_transfers(mirror, [moved("-400", NOW + 5)], DAY, NOW + 20)
    hold(mirror, "600")
    assert high(book, mirror) == 600


def test_what_is_unknown_is_none() -> None:
    book, mirror = DayBook(SqliteStore(None)), account(None)
    book.look(mirror, DAY, NOW)
    found = book.of(mirror, DAY, NOW, known=True)
    assert (found.high, found.equity, found.loss) == (None, None, None)
    hold(mirror, "5")
    assert book.of(mirror, DAY, NOW, known=False).equity is None


@pytest.mark.parametrize(("refused", "read_ms"), [(True, NOW), (False, 0)])
def test_a_log_that_is_not_served_is_as_good_as_read(refused: bool, read_ms: int) -> None:
    book, mirror = DayBook(SqliteStore(None)), account("1000")
    book.on_transfers_failed(mirror, ReadFailed("no", refused=refused), NOW)
    assert book.transfers_read_ms(mirror) == read_ms
