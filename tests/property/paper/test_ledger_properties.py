"""The ledger under arbitrary trading: money is conserved, sizes add up, reduce-only never flips, seq only grows."""

from collections import defaultdict
from decimal import Decimal
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from mirrorctl.core.paper.exchange import PaperExchange
from mirrorctl.core.paper.guards import protective_orders
from mirrorctl.core.paper.margin import totals
from mirrorctl.core.paper.model import Execution, PaperAccount, Side

NOW = 1_700_000_000_000
SYMBOLS = ("BTCUSDT", "ETHUSDT")
START = {"BTCUSDT": Decimal(60000), "ETHUSDT": Decimal(3000)}
LOT = {"BTCUSDT": Decimal("0.01"), "ETHUSDT": Decimal("0.2")}

KINDS = ("market", "limit", "stop", "guarded", "protect", "partial", "trail", "price", "funding", "adl", "cancel-all")
WEIGHTS = (5, 6, 4, 5, 5, 3, 3, 8, 1, 1, 1)


def draw(dice: Random) -> tuple[Any, ...]:
    """One move: its kind, its symbol, its arguments."""
    (kind,) = dice.choices(KINDS, WEIGHTS)
    side, lots, leg = dice.choice(("Buy", "Sell")), dice.randint(1, 40), dice.randint(1, 2)
    near, reduce = dice.randint(-30, 30), dice.random() < 0.4
    up, down = dice.randint(1, 25), dice.randint(1, 25)
    sign = dice.choice((1, -1))
    arguments: dict[str, tuple[Any, ...]] = {
        "market": (side, lots, reduce, leg),
        "limit": (side, lots, near, reduce, leg),
        "stop": (side, lots, near or 1, reduce, leg),
        "guarded": (side, lots, up, down, leg),
        "protect": (sign * up, -sign * down, leg),
        "partial": (lots, down, leg),
        "trail": (up, leg),
        "price": (near, reduce),
        "funding": (),
        "adl": (lots, leg),
        "cancel-all": (),
    }
    return (kind, dice.choice(SYMBOLS), *arguments[kind])


class Run:
    """One account driven through the public calls only."""

    def __init__(self, hedge: bool) -> None:
        mode = "hedge" if hedge else "one-way"
        account = PaperAccount("a", 1, "k", "s", Decimal(20_000), mode)
        self.hedge = hedge
        self.now = NOW
        self.exchange = PaperExchange([account], now_ms=NOW, volatility=Decimal(0), funding=False)

    def post(self, path: str, symbol: str, leg: int, **params: Any) -> int:
        body = {"category": "linear", "symbol": symbol, "positionIdx": leg if self.hedge else 0, **params}
        self.now += 10
        return int(self.exchange.handle(1, "POST", path, body, self.now)["retCode"])

    def price(self, symbol: str, offset: int) -> Decimal:
        return self.exchange.state.markets[symbol].last + START[symbol] / 1000 * offset

    def step(self, move: tuple[Any, ...]) -> None:
        kind, symbol, *rest = move
        getattr(self, "_" + kind.replace("-", "_"))(symbol, *rest)

    def _market(self, symbol: str, side: str, lots: int, reduce: bool, leg: int) -> None:
        qty = str(LOT[symbol] * lots)
        self.post("/v5/order/create", symbol, leg, side=side, orderType="Market", qty=qty, reduceOnly=reduce)

    def _limit(self, symbol: str, side: str, lots: int, offset: int, reduce: bool, leg: int) -> None:
        self.post(
            "/v5/order/create",
            symbol,
            leg,
            side=side,
            orderType="Limit",
            qty=str(LOT[symbol] * lots),
            price=str(self.price(symbol, offset)),
            reduceOnly=reduce,
        )

    def _stop(self, symbol: str, side: str, lots: int, offset: int, reduce: bool, leg: int) -> None:
        self.post(
            "/v5/order/create",
            symbol,
            leg,
            side=side,
            orderType="Market",
            qty=str(LOT[symbol] * lots),
            triggerPrice=str(self.price(symbol, offset)),
            triggerDirection=1 if offset > 0 else 2,
            reduceOnly=reduce,
        )

    def _guarded(self, symbol: str, side: str, lots: int, take: int, stop: int, leg: int) -> None:
        sign = 1 if side == "Buy" else -1
        self.post(
            "/v5/order/create",
            symbol,
            leg,
            side=side,
            orderType="Market",
            qty=str(LOT[symbol] * lots),
            takeProfit=str(self.price(symbol, sign * take)),
            stopLoss=str(self.price(symbol, -sign * stop)),
            tpslMode="Partial" if take % 2 else "Full",
        )

    def _protect(self, symbol: str, take: int, stop: int, leg: int) -> None:
        take_price, stop_price = (str(self.price(symbol, n)) if n else "0" for n in (take, stop))
        self.post(
            "/v5/position/trading-stop",
            symbol,
            leg,
            tpslMode="Full",
            takeProfit=take_price,
            stopLoss=stop_price,
        )

    def _partial(self, symbol: str, lots: int, stop: int, leg: int) -> None:
        size = str(LOT[symbol] * lots)
        for offset in (stop, -stop):
            self.post(
                "/v5/position/trading-stop",
                symbol,
                leg,
                tpslMode="Partial",
                stopLoss=str(self.price(symbol, offset)),
                slSize=size,
            )

    def _trail(self, symbol: str, distance: int, leg: int) -> None:
        trail = str(START[symbol] / 1000 * distance)
        self.post("/v5/position/trading-stop", symbol, leg, tpslMode="Full", trailingStop=trail)

    def _price(self, symbol: str, offset: int, gap: bool) -> None:
        self.now += 10
        self.exchange.set_price(symbol, max(START[symbol] / 2, self.price(symbol, offset)), self.now, gap=gap)

    def _funding(self, symbol: str) -> None:
        self.exchange.fund(symbol, Decimal("0.0003"), self.now)

    def _adl(self, symbol: str, lots: int, leg: int) -> None:
        self.exchange.deleverage(1, symbol, leg if self.hedge else 0, LOT[symbol] * lots, self.now)

    def _cancel_all(self, symbol: str) -> None:
        self.post("/v5/order/cancel-all", symbol, 1)

    def check(self) -> None:
        state = self.exchange.state
        rows = state.history[1].executions
        trades = [row for row in rows if row.exec_type != "Funding"]

        paid = sum((_signed(row) * row.price for row in trades), Decimal(0)) + sum(row.fee for row in rows)
        worth = sum(
            (leg.signed * state.markets[leg.symbol].mark_price for leg in state.positions[1].values()),
            Decimal(0),
        )
        assert totals(state, 1).equity == Decimal(20_000) - paid + worth

        sizes: dict[tuple[str, int], Decimal] = defaultdict(Decimal)
        for row in trades:
            before = sizes[(row.symbol, row.idx)]
            after = before + _signed(row)
            sizes[(row.symbol, row.idx)] = after
            order = state.order(1, row.order_id)
            if order is not None and order.reduce_only:
                assert before * after >= 0, "a reduce-only fill passed zero"
                assert abs(after) < abs(before)
            if self.hedge:
                assert after >= 0 if row.idx == 1 else after <= 0
        for leg in state.positions[1].values():
            assert leg.signed == sizes[(leg.symbol, leg.idx)]
            if not leg.size:
                assert protective_orders(state, leg) == [], "a flat position keeps a stop"
                assert leg.entry_value == leg.open_fee == 0
            else:
                for guard in protective_orders(state, leg):
                    assert guard.side is not leg.side
                    assert guard.tpsl_mode == "Partial" or guard.qty == leg.size
        for symbol in SYMBOLS:
            seqs = [row.seq for row in rows if row.symbol == symbol]
            assert seqs == sorted(set(seqs))
        for order in state.live(1):
            assert order.is_open
            assert order.filled < order.qty
            assert not (order.resting and order.reduce_only) or state.held(1, order.symbol, order.idx, order.side), (
                "a reduce-only order rests without a position"
            )


def _signed(row: Execution) -> Decimal:
    return row.qty if row.side is Side.BUY else -row.qty


@settings(max_examples=60, deadline=None, derandomize=True)
@given(hedge=st.booleans(), seed=st.integers(0, 2**32))
def test_books_balance_after_every_move(hedge: bool, seed: int) -> None:
    dice, run = Random(seed), Run(hedge)
    for _ in range(60):
        run.step(draw(dice))
        run.check()
    state = run.exchange.state
    assert len(state.history[1].executions) > 2, "the plan hardly traded"


@settings(max_examples=10, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**32))
def test_the_same_inputs_give_the_same_pushes(seed: int) -> None:
    first, second = Run(False), Run(False)
    for run in (first, second):
        dice = Random(seed)
        for _ in range(60):
            run.step(draw(dice))
    assert first.exchange.drain() == second.exchange.drain()
