"""A ladder of five costs one request a rung whatever is done to it, and fits in what an account may ask in a second.

The exchange here grants ten creates, ten amends and ten cancels a second and account, each kind apart, as Bybit does
(rate limit rules); two of each are kept for what is urgent. Over sockets, with batches: see test_batches.py of
tests/integration/bybit.
"""

from __future__ import annotations

from collections import Counter

from mirrorctl.core.domain.actions import Accepted, AmendOrder, CancelOrder, PlaceOrder
from mirrorctl.core.domain.ids import Role
from mirrorctl.core.simulation.stage import Stage, copying

PRICES = ("61000", "62000", "63000", "64000", "65000")
HIGHER = tuple(f"{price[:2]}100" for price in PRICES)
ACCOUNTS = ("main", "half", "quarter")
SECOND_MS = 1_000


def targets(prices: tuple[str, ...]) -> list[dict[str, str]]:
    return [{"price": price, "percent": "20"} for price in prices]


class Ladder:
    """A trade of five rungs with an entry that rests below, copied by two mirrors."""

    def __init__(self) -> None:
        self.stage = Stage(copying("half", "0.5"), copying("quarter", "0.25"))
        trade = {"symbol": "BTCUSDT", "side": "long", "qty": "0.4", "stop": "57000", "entries": ["60100", "59000"]}
        self.stage.command("trade.open", **trade, targets=targets(PRICES))
        self.stage.settle()
        self._seen = 0

    def asked(self) -> dict[str, Counter[str]]:
        """What was asked of every account since the last look about its rungs, and that all of it was accepted."""
        rows, self._seen = self.stage.sent()[self._seen :], len(self.stage.sent())
        found: dict[str, Counter[str]] = {name: Counter() for name in ACCOUNTS}
        for row in rows:
            if isinstance(row.action, CancelOrder) or (
                isinstance(row.action, PlaceOrder | AmendOrder) and row.action.role is Role.TARGET
            ):
                assert isinstance(row.outcome, Accepted), row
                found[row.account][type(row.action).__name__] += 1
        return found

    def span_ms(self, name: str) -> int:
        """From the first to the last request about the rungs of an account."""
        times = [
            row.at_ms
            for row in self.stage.sent(name)
            if isinstance(row.action, AmendOrder | CancelOrder) or getattr(row.action, "role", None) is Role.TARGET
        ]
        return times[-1] - times[0]

    def rungs(self, name: str) -> list[tuple[str, str]]:
        trader = self.stage.main if name == "main" else self.stage.of(name)
        return sorted((row["price"], row["qty"]) for row in trader.orders() if row["reduceOnly"])


def each(**kinds: int) -> dict[str, Counter[str]]:
    return {name: Counter(kinds) for name in ACCOUNTS}


def test_a_ladder_is_placed_resized_and_cancelled_with_one_request_a_rung_within_a_second() -> None:
    ladder = Ladder()
    assert ladder.asked() == each(PlaceOrder=5)
    ladder.stage.price("58990")  # the second entry fills: every rung is twice as big
    ladder.stage.settle()
    assert ladder.asked() == each(AmendOrder=5)
    ladder.stage.command("trade.close", symbol="BTCUSDT")
    ladder.stage.settle()
    cancels = ladder.asked()
    for name in ACCOUNTS:
        assert cancels[name] <= Counter(CancelOrder=5), "the exchange itself cancels what is left when it is flat"
        assert ladder.rungs(name) == []
        assert ladder.span_ms(name) < SECOND_MS, name
    assert ladder.stage.world.gateway.rates.exceeded == 0


def test_other_prices_are_amends_and_take_no_rung_off_the_book() -> None:
    ladder = Ladder()
    ladder.asked()
    before = {name: [qty for _, qty in ladder.rungs(name)] for name in ACCOUNTS}
    ladder.stage.command("trade.target", symbol="BTCUSDT", targets=targets(HIGHER))
    ladder.stage.settle()
    assert ladder.asked() == each(AmendOrder=5)
    for name in ACCOUNTS:
        assert [qty for _, qty in ladder.rungs(name)] == before[name]


def test_what_goes_beyond_a_seconds_budget_waits_and_nothing_is_refused() -> None:
    """Three rebuilds one after the other: fifteen amends an account, of which a second takes ten."""
    ladder = Ladder()
    ladder.asked()
    for prices in (HIGHER, PRICES, HIGHER):
        ladder.stage.command("trade.target", symbol="BTCUSDT", targets=targets(prices))
        ladder.stage.run(50)
    ladder.stage.settle()
    found = ladder.asked()
    for name in ACCOUNTS:
        assert [price for price, _ in ladder.rungs(name)] == [f"{price}.00" for price in HIGHER]
        assert found[name].keys() == {"AmendOrder"}
        assert found[name]["AmendOrder"] <= 15
        assert ladder.span_ms(name) < 3 * SECOND_MS
    assert ladder.stage.world.gateway.rates.exceeded == 0
