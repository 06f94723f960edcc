"""Notionals that are kept up are what adding up everything anew comes to, whatever changed in the view and how."""

from __future__ import annotations

import random
from dataclasses import replace
from decimal import Decimal

import pytest

from mirrorctl.core.domain.account import Order
from mirrorctl.core.domain.instruments import ZERO
from mirrorctl.core.domain.revisions import Revisions
from mirrorctl.core.domain.values import OrderStatus, Side
from mirrorctl.core.domain.view import AccountView
from mirrorctl.core.engine.notionals import Notionals
from tests.unit.domain.scenes import LONG, NOW, SHORT, execution, order, row

SYMBOLS = ("BTCUSDT", "ETHUSDT", "XRPUSDT")


class Account:
    """A view to which things happen at random: rows, fills ahead of rows, entries with and without a price, reads."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.view = AccountView("mirror")
        self.orders: list[Order] = []
        self.now = NOW

    def step(self) -> None:
        self.now += 700
        self.random.choice([self.hold, self.rest, self.end, self.fill, self.tell, self.read])()

    @property
    def seq(self) -> int:
        return self.now - NOW

    def hold(self) -> None:
        side, size = self.random.choice([(LONG, "1"), (LONG, "2.5"), (SHORT, "3"), (LONG, "0")])
        seen = replace(row(side, size, self.seq), symbol=self.random.choice(SYMBOLS), updated_ms=self.now)
        marks = [Decimal(90), Decimal(110), None]
        self.view.apply_position(replace(seen, mark_price=self.random.choice(marks)), self.now)

    def rest(self) -> None:
        made = replace(
            order(f"o{len(self.orders)}", "2"),
            symbol=self.random.choice(SYMBOLS),
            price=self.random.choice([Decimal(95), None]),
            side=self.random.choice(list(Side)),
            reduce_only=self.random.random() < 0.2,
        )
        self.orders.append(made)
        self.view.apply_order(made, self.now)

    def end(self) -> None:
        self._show(OrderStatus.CANCELLED)

    def tell(self) -> None:
        """An order's row tells of a fill before its executions do."""
        self._show(OrderStatus.PARTIALLY_FILLED, filled=Decimal(1))

    def fill(self) -> None:
        if self.orders:
            of = self.random.choice(self.orders)
            told = replace(execution(f"x{self.now}", of.order_id, "0.5", self.seq), symbol=of.symbol, side=of.side)
            self.view.apply_execution(told, self.now)

    def read(self) -> None:
        """The symbol's position is read by itself, or an order's executions by its id."""
        self.view.settle(self.random.choice(SYMBOLS), self.now + self.random.choice([0, 120_000]))
        if self.orders:
            of = self.random.choice(self.orders)
            told = replace(execution(f"y{self.now}", of.order_id, "1", self.seq), symbol=of.symbol, side=of.side)
            self.view.apply_order_executions(of.order_id, [told], self.now)

    def _show(self, status: OrderStatus, filled: Decimal = ZERO) -> None:
        if self.orders:
            at = self.random.randrange(len(self.orders))
            shown = self.orders[at]
            filled = max(filled, shown.filled_qty)
            price = Decimal(96) if filled else None
            shown = replace(shown, updated_ms=self.now, status=status, filled_qty=filled, avg_price=price)
            self.orders[at] = shown
            self.view.apply_order(self.orders[at], self.now)


@pytest.mark.parametrize("seed", range(10))
def test_what_is_kept_up_is_what_all_of_it_adds_up_to(seed: int) -> None:
    account = Account(seed)
    kept = Notionals(account.view)
    prices = {"BTCUSDT": Decimal(100), "ETHUSDT": None, "XRPUSDT": Decimal(98)}
    for _ in range(120):
        account.step()
        if account.random.random() < 0.5:
            continue  # what changed meanwhile is looked at together
        anew = Notionals(account.view)
        assert kept.total(prices.get) == anew.total(prices.get)
        assert kept.total(lambda _: Decimal(7)) == anew.total(lambda _: Decimal(7))
        assert set(kept.open_symbols()) == set(anew.open_symbols())
        for symbol in SYMBOLS:
            assert kept.of(symbol, Decimal(105)) == anew.of(symbol, Decimal(105))


def test_revisions_name_what_changed_since_the_newest_first() -> None:
    revisions = Revisions()
    for symbol in ("a", "b", "c", "a"):
        revisions.note(symbol)
    assert list(revisions.since(-1)) == ["a", "c", "b"]
    assert list(revisions.since(2)) == ["a", "c"]
    assert list(revisions.since(revisions.number)) == []
