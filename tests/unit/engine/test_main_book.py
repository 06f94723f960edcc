"""Main's ladders and stops are read off its book once, and anew whenever something about their symbol came."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from mirrorctl.core.domain.standing_trade import stop_on_book
from mirrorctl.core.domain.values import OrderStatus, TriggerBy
from mirrorctl.core.domain.view import AccountView
from mirrorctl.core.engine.main_book import MainBook
from tests.unit.domain.scenes import LONG, SYMBOL, Book, execution, order, stop_row

TARGET = Decimal(62_000)


@pytest.fixture
def main() -> Book:
    book = Book(AccountView("main"))
    book.hold(LONG, "0.1")
    book.rest(order("target", "0.1", side=LONG.exit, reduce_only=True, price=TARGET))
    return book


def test_a_ladder_is_read_once_while_nothing_comes(main: Book) -> None:
    found = MainBook(main.view)
    ladder = found.ladder((SYMBOL, LONG))
    assert [rung.price for rung in ladder.rungs] == [TARGET]
    assert found.ladder((SYMBOL, LONG)) is ladder


def test_an_order_a_row_or_an_execution_makes_another_ladder(main: Book) -> None:
    found = MainBook(main.view)
    found.ladder((SYMBOL, LONG))
    main.rest(replace(main.orders["target"], price=TARGET + 1))
    assert [rung.price for rung in found.ladder((SYMBOL, LONG)).rungs] == [TARGET + 1]
    main.hold(LONG, "0.3")
    main.end("target")
    assert (found.ladder((SYMBOL, LONG)).rungs, found.ladder((SYMBOL, LONG)).whole_weight) == ((), Decimal("0.3"))
    main.view.apply_execution(execution("x", "bought", "0.1", main.seq + 1), main.now_ms)
    assert found.ladder((SYMBOL, LONG)).whole_weight == Decimal("0.4")


def test_a_stop_that_was_found_is_forgotten_when_its_order_moves(main: Book) -> None:
    found = MainBook(main.view)
    main.rest(stop_row(LONG, TriggerBy.MARK, status=OrderStatus.UNTRIGGERED, trigger_price=Decimal(58_000)))
    found.stops(SYMBOL)[LONG] = stop_on_book(main.view, SYMBOL, LONG)
    assert found.stops(SYMBOL)[LONG][:2] == (Decimal(58_000), TriggerBy.MARK)
    main.rest(replace(main.orders[f"stop-{LONG}"], trigger_price=Decimal(59_000)))
    assert found.stops(SYMBOL) == {}
