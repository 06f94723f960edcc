"""What one copied order costs, in counts that are the same on every machine: no seconds, so no noise.

The bounds have some room above what was counted when they were set: who makes mirrorctl slower raises them and says
why, who makes it faster lowers them. `docs/performance.md` has the times.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest

from mirrorctl.core.domain.policy import Limits
from mirrorctl.core.paper.faults import FaultKind
from mirrorctl.core.simulation.stage import Stage, copying
from tests.simulation.counting import Counts, counted
from tests.simulation.test_scale import CONTRACTS

SYMBOL = CONTRACTS[0].symbol
# All of them are looked at, and none is reached.
WIDE = Limits(Decimal(100), Decimal(10**7), Decimal(10**8), 500, Decimal(10**6), 10**6, Decimal(99))
ONE_COPY_MS = 900


def following(mirrors: int = 1, positions: int = 1) -> Stage:
    """Main holds so many positions with their stops, and every mirror its half of each."""
    policies = [copying(f"m{number}", "0.5", limits=WIDE) for number in range(mirrors)]
    stage = Stage(*policies, instruments=CONTRACTS)
    for contract in CONTRACTS[:positions]:
        stage.main.buy("0.1", contract.symbol, stop="2800")
        stage.run(130)  # no faster than a mirror may follow: the exchange takes ten orders a second
    stage.settle(120_000)
    stage.run(5_000)  # what the limits look at was read by now
    return stage


def one_copy(stage: Stage, symbol: str = SYMBOL, *, apart: bool = False) -> Counts:
    """Main buys more of one symbol, and the mirrors follow."""
    with counted(stage, apart=apart) as counts:
        stage.main.buy("0.1", symbol)
        stage.run(ONE_COPY_MS)
    assert stage.converged()
    return counts


@pytest.fixture(scope="module")
def single() -> Counts:
    """One mirror, one position, one fill of it before."""
    return one_copy(following())


def test_a_copied_order_is_one_request_and_one_row_before_it(single: Counts) -> None:
    assert (single.sends, single.asks) == (1, 0)
    words = list(single.port)
    assert words.index("store record_ahead") < words.index("m0 send PlaceOrder")
    assert single.port["store record_ahead"] == single.port["store record_intent"] == 1
    assert single.port["store update_intent"] <= 2
    assert single.port["store add_measured_copy"] == 1
    assert single.transactions <= 4
    assert single.statements.total() <= 17


def test_a_copied_order_is_looked_at_a_few_times(single: Counts) -> None:
    """Order, execution, position and wallet of main and of the mirror, which has an answer too, and stops that grow."""
    assert single.events <= 13
    assert single.rounds <= 11
    assert single.passes <= 7


def test_so_many_calls_stand_before_the_order_and_in_all(single: Counts) -> None:
    assert single.at_send[0] <= 310
    assert single.total <= 2_650


@pytest.mark.parametrize("fills", [40, 400])
def test_an_order_costs_no_more_after_many_fills_of_the_position(fills: int) -> None:
    few, many = after_fills(4), after_fills(fills)
    assert many.at_send[0] <= 1.1 * few.at_send[0]
    assert many.total <= 1.1 * few.total
    assert alike(few, many, lambda found: (found.sends, found.asks, found.transactions, found.passes))


def after_fills(count: int) -> Counts:
    """One more copy after so many of the same position."""
    stage = Stage(copying("half", "0.5", limits=WIDE))
    for _ in range(count):
        stage.main.buy("0.002")
        stage.run(130)
    stage.settle()
    return one_copy(stage, "BTCUSDT")


def test_an_execution_costs_the_same_in_a_long_burst() -> None:
    """Nothing but executions comes, as fast as a book is swept: none of them is added up with all before it."""
    short, long = in_a_burst(40), in_a_burst(400)
    assert long.at_send[0] <= 10 * 1.2 * short.at_send[0]


def in_a_burst(count: int) -> Counts:
    """So many executions of main together, of which no row of an order or a position tells."""
    stage = Stage(copying("half", "0.5", limits=WIDE))
    stage.main.buy("0.002")
    stage.settle()
    for topic in ("order", "position"):
        stage.world.fault(FaultKind.PUSH_DROP, "main", topic, count=None)
    with counted(stage) as counts:
        for _ in range(count):
            stage.main.buy("0.002")
        stage.run(ONE_COPY_MS)
    assert counts.events > count
    return counts


def test_a_round_costs_what_changed_and_not_what_is_open(single: Counts) -> None:
    """Of 200 positions nothing is new, and then one grows; the others stand."""
    stage = following(positions=200)
    with counted(stage) as nothing_new:
        stage.engine.process()
    assert (nothing_new.sends, nothing_new.asks, nothing_new.passes, nothing_new.statements.total()) == (0, 0, 0, 0)
    assert nothing_new.total <= 50
    many = one_copy(stage)
    assert many.at_send[0] <= 1.2 * single.at_send[0]
    assert many.total <= 1.2 * single.total
    assert alike(single, many, lambda found: (found.sends, found.asks, found.planned))
    assert many.passes <= single.passes + 1  # which of a fill's messages comes first is drawn anew


@pytest.mark.parametrize(
    ("apart", "total", "transactions"), [(False, 12, 10), (True, 17, 45)], ids=["together", "apart"]
)
def test_many_mirrors_cost_what_each_of_them_costs(single: Counts, apart: bool, total: int, transactions: int) -> None:
    """Whether their messages come together, or each for itself: then every round is of one mirror alone."""
    counts = one_copy(following(mirrors=20), apart=apart)
    assert (counts.sends, counts.asks, counts.port["store record_intent"]) == (20, 0, 20)
    assert counts.at_send[-1] <= 12 * single.at_send[0]
    assert counts.total <= total * single.total
    assert counts.passes <= 30 * single.passes
    assert counts.transactions <= transactions


def alike(one: Counts, other: Counts, what: Callable[[Counts], object]) -> bool:
    """Whether two copies cost the same of something."""
    return what(one) == what(other)
