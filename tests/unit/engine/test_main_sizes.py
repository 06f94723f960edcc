"""What main's positions were before: by their executions where all were seen, else by what was looked at."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import cast

import pytest

from mirrorctl.core.domain.policy import Follow, MappedSymbol, MirrorPolicy
from mirrorctl.core.domain.scene import Ripening
from mirrorctl.core.engine.accounts import Account
from mirrorctl.core.engine.entry_fees import EntryFees
from mirrorctl.core.engine.main_sizes import MainSizes
from mirrorctl.core.engine.ports import Reader, Writer
from tests.unit.domain.scenes import LONG, SYMBOL, Book, copy_of, execution

POLICY = MirrorPolicy("mirror", follow=Follow(delay_s=Decimal(10)))


class Look:
    """Main as it is looked at, and the histories made of it."""

    def __init__(self, *fills: tuple[int, str]) -> None:
        """`fills`: (second, quantity bought) of the executions that were seen."""
        self.main = Account.create("main", 101, cast("Reader", None), cast("Writer", None))
        self.book = Book(self.main.view)
        fees = EntryFees()
        for number, (second, qty) in enumerate(fills, 1):
            fees.note("main", replace(execution(f"x{number}", "o", qty, number), time_ms=second * 1_000), live=True)
        self.sizes = MainSizes(self.main, fees)

    def at(self, second: int, size: str, tag: str = "one", policy: MirrorPolicy = POLICY) -> Ripening:
        self.book.hold(LONG, size)
        return self.sizes.ripening(policy, {LONG: replace(copy_of(), tag=tag)}, second * 1_000)[LONG]


def test_executions_say_since_when() -> None:
    look = Look((1, "0.2"), (5, "0.1"))
    assert look.at(9, "0.3") == Ripening(Decimal("0.3"), 11_000)
    assert look.at(12, "0.3") == Ripening(Decimal("0.1"), 15_000)
    assert look.at(15, "0.3") == Ripening(Decimal(0), None)


def test_where_one_is_missing_a_size_is_as_old_as_it_was_looked_at() -> None:
    look = Look((5, "0.1"))
    assert look.at(9, "0.3") == Ripening(Decimal("0.3"), 19_000)
    assert look.at(14, "0.4") == Ripening(Decimal("0.4"), 19_000)
    assert look.at(19, "0.4") == Ripening(Decimal("0.1"), 24_000)
    assert look.at(20, "0.2") == Ripening(Decimal(0), None)


def test_a_position_that_began_anew_has_no_history() -> None:
    look = Look()
    look.at(1, "0.3")
    assert look.at(11, "0.3").qty == 0
    assert look.at(12, "0.3", tag="two") == Ripening(Decimal("0.3"), 22_000)


@pytest.mark.parametrize("seen", [True, False])
def test_what_is_young_is_told_in_the_mirrors_coins(seen: bool) -> None:
    look = Look(*([(1, "0.2")] if seen else []))
    mapped = replace(POLICY, map={SYMBOL: MappedSymbol("1000" + SYMBOL, Decimal("0.001"))})
    assert look.at(1, "0.2", policy=mapped).qty == Decimal("0.0002")


def test_without_a_delay_nothing_is_asked() -> None:
    look = Look()
    assert look.sizes.ripening(MirrorPolicy("mirror"), {LONG: copy_of()}, 1_000) == {}
    assert look.sizes.ripening(POLICY, {LONG: copy_of(ended=True)}, 1_000) == {}
