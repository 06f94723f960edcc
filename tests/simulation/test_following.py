"""Main trades, the mirrors follow: size, timing, flips, bursts, exits, and silence once in step."""

from __future__ import annotations

from decimal import Decimal

import pytest

from mirrorctl.core.domain.actions import PlaceOrder, RejectedOutcome
from mirrorctl.core.paper.faults import FaultKind
from mirrorctl.core.simulation.stage import Stage, copying

ONE_SYNC_MS = 200  # a message each way and a handful of pushes, none slower than 30 ms

CREATE = "/v5/order/create"


@pytest.mark.proves("A1")
@pytest.mark.parametrize(
    ("symbol", "qty", "half", "tenth"),
    [
        ("BTCUSDT", "0.101", "0.05", "0.01"),
        ("ETHUSDT", "1.37", "0.68", "0.13"),
        ("XRPUSDT", "1234.5", "617.2", "123.4"),
        ("SHIB1000USDT", "33330", "16660", "3330"),
    ],
)
@pytest.mark.parametrize("side", ["buy", "sell"])
def test_a_market_entry_is_copied_to_every_mirror_within_one_sync(
    symbol: str, qty: str, half: str, tenth: str, side: str
) -> None:
    stage = Stage(copying("half", "0.5"), copying("tenth", "0.1"))
    sign = 1 if side == "buy" else -1
    stage.main.buy(qty, symbol) if side == "buy" else stage.main.sell(qty, symbol)
    stage.run(ONE_SYNC_MS)
    assert stage.of("half").position(symbol) == sign * Decimal(half)
    assert stage.of("tenth").position(symbol) == sign * Decimal(tenth)
    assert [len(stage.placed(name)) for name in ("half", "tenth")] == [1, 1]


@pytest.mark.proves("A5")
def test_a_trade_sized_in_fixed_usdt_is_scaled_all_the_same() -> None:
    stage = Stage()
    stage.command("trade.open", symbol="BTCUSDT", side="long", notional="6000", leverage="5")
    stage.settle()
    size = stage.main.position()
    assert size == Decimal("0.099"), "6000 USDT at 60000 and a tick, floored"
    assert stage.of("half").position() == Decimal("0.049")
    assert stage.of("quarter").position() == Decimal("0.024")


@pytest.mark.proves("A7")
@pytest.mark.parametrize("ratio", ["0.5", "0.25", "0.333", "1", "2.5"])
def test_reductions_by_hand_never_overshoot_and_keep_the_fraction(ratio: str) -> None:
    """Cut after cut, down to flat: at every one the mirror holds floor(r × main), so rounding never adds up."""
    stage = Stage(copying("copy", ratio))
    stage.main.buy("0.101")
    stage.settle()
    for cut in ("0.017", "0.031", "0.001", "0.029", "0.011", "0.012"):
        stage.main.sell(cut, reduceOnly=True)
        stage.settle()
        want = (stage.main.position() * Decimal(ratio)).quantize(Decimal("0.001"), rounding="ROUND_DOWN")
        assert stage.of("copy").position() == want
    assert stage.main.position() == 0
    assert stage.of("copy").position() == 0
    entry = (Decimal("0.101") * Decimal(ratio)).quantize(Decimal("0.001"), rounding="ROUND_DOWN")
    assert stage.of("copy").volume() == (entry, entry), "nothing was sold too much and bought back"


@pytest.mark.proves("A7", "A36")
def test_a_mirror_below_its_target_is_not_grown_by_a_reduction() -> None:
    """The mirror goes to min(have, want): it holds less than its share, so main's cut above that leaves it alone."""
    stage = Stage(copying("copy", "1"))
    stage.main.buy("0.1")
    stage.settle()
    stage.command("pause", account="copy")
    stage.main.buy("0.1")
    stage.settle()
    assert stage.of("copy").position() == Decimal("0.1")
    writes = len(stage.placed("copy"))
    stage.main.sell("0.05", reduceOnly=True)
    stage.settle()
    assert stage.of("copy").position() == Decimal("0.1")
    stage.main.sell("0.1", reduceOnly=True)
    stage.settle()
    assert stage.of("copy").position() == Decimal("0.05")
    assert len(stage.placed("copy")) == writes + 1


@pytest.mark.proves("A8")
@pytest.mark.parametrize("way", ["by hand", "by its stop", "by its target", "liquidated"])
def test_when_main_closes_the_mirror_is_flat_with_no_order_of_ours(way: str) -> None:
    stage = Stage()
    stage.main.buy("0.1", stop="58000", target="63000")
    entry = stage.main.bid("0.05", "59000")
    stage.settle()
    assert [len(stage.of(name).orders()) for name in ("half", "quarter")] == [1, 1]
    match way:
        case "by hand":
            stage.main.close()
        case "by its stop":
            stage.main.protect(stop="59900")
            stage.price("59900")  # before any mirror has the new stop: main alone is stopped out
        case "by its target":
            stage.main.protect(target="60050")
            stage.price("60050")
        case "liquidated":
            stage.main.liquidate()
    if way != "liquidated":
        stage.main.cancel(entry)
    stage.settle()
    for name in ("half", "quarter"):
        assert stage.of(name).held() == {}
        assert stage.of(name).orders() == []


@pytest.mark.proves("A8", "A10")
def test_a_mirror_that_cannot_be_closed_says_so_in_status_and_main_is_not_touched() -> None:
    stage = Stage()
    stage.main.buy("0.1")
    stage.settle()
    stage.world.go_down("half")
    stage.main.close()
    stage.run(10_000)
    assert stage.of("half").position() == Decimal("0.05")
    row = next(row for row in stage.status()["accounts"] if row["account"] == "half")
    assert row["state"] != "fresh"
    assert row["error"]
    assert not stage.status()["in_sync"]
    assert stage.main.held() == {}
    assert stage.of("quarter").held() == {}
    stage.world.come_back("half")
    stage.settle()
    assert stage.of("half").held() == {}


MIRROR_TROUBLE = {
    "refused": lambda stage: stage.world.fault(
        FaultKind.RET_CODE, "half", CREATE, count=None, code=110007, message="ab not enough"
    ),
    "time-outs": lambda stage: stage.world.fault(FaultKind.HANG, "half", count=None),
    "lost replies": lambda stage: stage.world.fault(FaultKind.LOSE_REPLY, "half", CREATE, count=None),
    "outage": lambda stage: stage.world.go_down("half"),
    "bad gateway": lambda stage: stage.world.fault(FaultKind.HTTP_STATUS, "half", count=None, status=502),
}


def trading_day(stage: Stage) -> None:
    """What main does: fixed moments, whatever the mirrors do."""
    for act in (
        lambda: stage.main.buy("0.1", stop="58000"),
        lambda: stage.main.bid("0.05", "59500"),
        lambda: stage.price("59500"),
        lambda: stage.main.sell("0.05", reduceOnly=True),
        lambda: stage.main.close(),
    ):
        act()
        stage.run(5_000)


@pytest.mark.proves("A10", "A16")
@pytest.mark.parametrize("trouble", sorted(MIRROR_TROUBLE))
def test_one_mirrors_trouble_changes_nothing_for_main_and_delays_no_other(trouble: str) -> None:
    calm, rough = Stage(), Stage()
    MIRROR_TROUBLE[trouble](rough)
    trading_day(calm)
    trading_day(rough)
    keys = ("side", "execQty", "execPrice", "orderType")
    assert [[row[k] for k in keys] for row in rough.main.fills()] == [
        [row[k] for k in keys] for row in calm.main.fills()
    ]
    assert rough.sent("main") == []
    for stage in (calm, rough):
        by_main = {Decimal(row["execQty"]): int(row["execTime"]) for row in stage.main.fills()}
        fills = stage.of("quarter").fills()
        assert [Decimal(row["execQty"]) for row in fills] == [
            Decimal(text) for text in ("0.025", "0.012", "0.012", "0.025")
        ]
        first = int(fills[0]["execTime"]) - by_main[Decimal("0.1")]
        assert first < ONE_SYNC_MS
        assert int(fills[-1]["execTime"]) - int(stage.main.fills()[-1]["execTime"]) < ONE_SYNC_MS


@pytest.mark.proves("A16")
def test_a_mirror_that_takes_ten_seconds_for_an_answer_delays_no_other() -> None:
    stage = Stage()
    stage.world.latency_ms["half"] = 10_000
    stage.main.buy("0.1")
    stage.run(ONE_SYNC_MS)
    assert stage.of("quarter").position() == Decimal("0.025")
    stage.settle()
    assert stage.of("half").position() == Decimal("0.05")
    assert len(stage.placed("half")) == 1


@pytest.mark.proves("A11")
@pytest.mark.parametrize("outage_ms", [500, 5_000, 50_000, 600_000])
@pytest.mark.parametrize("lost", ["stream", "everything"])
def test_a_mirror_that_was_away_converges_without_a_duplicate(outage_ms: int, lost: str) -> None:
    stage = Stage()
    stage.main.buy("0.1", stop="58000")
    stage.settle()
    leave, back = (
        (stage.world.stream_down, stage.world.stream_up)
        if lost == "stream"
        else (stage.world.go_down, stage.world.come_back)
    )
    leave("half")
    stage.main.buy("0.1")
    stage.run(outage_ms // 2)
    stage.main.sell("0.04", reduceOnly=True)
    stage.main.protect(stop="58500")
    stage.run(outage_ms // 2)
    back("half")
    stage.settle()
    stage.run(30_000)
    half = stage.of("half")
    assert half.position() == Decimal("0.08")
    assert half.stop() == Decimal("58500")
    bought, sold = half.volume()
    assert bought - sold == Decimal("0.08")
    assert bought <= Decimal("0.1"), "no more than once what main bought"


@pytest.mark.proves("A11", "A82")
def test_a_mirror_that_comes_back_to_a_price_out_of_bounds_holds_the_remainder() -> None:
    stage = Stage()
    stage.world.go_down("half")
    stage.main.buy("0.1")
    stage.run(500)
    stage.price("60600")  # 100 bps away; the bound is 50
    stage.world.come_back("half")
    stage.run(20_000)
    assert stage.of("half").position() == 0
    assert any("slippage" in reason for reason in stage.held("half"))
    assert stage.drift("half") == []
    assert len(stage.alerts("half", "slippage")) == 1
    stage.price("60100")
    stage.settle()
    stage.run(40_000)
    assert stage.of("half").position() == Decimal("0.05")
    assert stage.held("half") == []


@pytest.mark.proves("A17")
@pytest.mark.parametrize(("first", "then"), [("buy", "sell"), ("sell", "buy")])
@pytest.mark.parametrize("seed", range(1, 6))
def test_a_flip_in_one_order_flips_the_mirror_without_doubling(first: str, then: str, seed: int) -> None:
    stage = Stage(seed=seed)
    sign = 1 if first == "buy" else -1
    getattr(stage.main, first)("0.1", stop="58000" if sign > 0 else "62000")
    stage.settle()
    getattr(stage.main, then)("0.26")
    stage.settle()
    stage.run(30_000)
    assert stage.main.position() == -sign * Decimal("0.16")
    for name, ratio in (("half", "0.5"), ("quarter", "0.25")):
        mirror = stage.of(name)
        assert mirror.position() == -sign * Decimal("0.16") * Decimal(ratio)
        opening = Decimal("0.1") * Decimal(ratio)
        turning = opening + Decimal("0.16") * Decimal(ratio)
        assert sorted(mirror.volume()) == sorted((opening.quantize(Decimal("0.001"), "ROUND_DOWN"), turning))
        before, close, reopen = stage.sent(name, PlaceOrder)
        orders = [row.action for row in (before, close, reopen) if isinstance(row.action, PlaceOrder)]
        assert [order.reduce_only for order in orders] == [False, True, False]
        assert orders[1].qty == opening.quantize(Decimal("0.001"), "ROUND_DOWN")
        seen_closed_ms = close.at_ms + 2  # a message there, a message back
        assert reopen.at_ms >= seen_closed_ms


MODES = [(), ("main",), ("half", "quarter"), ("main", "half", "quarter")]


@pytest.mark.proves("A18")
@pytest.mark.parametrize("hedged", MODES, ids=["one-way", "main hedged", "mirrors hedged", "hedged"])
@pytest.mark.parametrize(("apart_ms", "most"), [(0, 1), (1, 3), (2, 5), (5, 10), (20, 20)])
def test_fifty_fills_become_as_many_orders_as_the_mirror_has_answers_in_that_time(
    apart_ms: int, most: int, hedged: tuple[str, ...]
) -> None:
    """What comes while an order is on its way waits for its end and goes as one; no size is ordered twice."""
    stage = Stage(hedged=hedged)

    def fill() -> None:
        stage.main.buy("0.01", idx=1 if "main" in hedged else 0)

    for n in range(50):
        stage.world.at(apart_ms * n, fill)
    stage.settle()
    for name, size in (("half", "0.25"), ("quarter", "0.125")):
        mirror = stage.of(name)
        assert mirror.position(idx=1 if name in hedged else 0) == Decimal(size)
        assert mirror.volume() == (Decimal(size), Decimal(0))
        assert len(stage.placed(name)) <= most


@pytest.mark.proves("A18")
@pytest.mark.parametrize("resting", [False, True], ids=["fifty market orders", "one order in fifty fills"])
def test_a_burst_of_fifty_fills_becomes_few_orders(resting: bool) -> None:
    stage = Stage()
    order = stage.main.bid("0.5", "59990") if resting else ""
    stage.settle()

    def fill() -> None:
        if resting:
            stage.main.fill(order, "0.01")
        else:
            stage.main.buy("0.01")

    for n in range(50):
        stage.world.at(2 * n, fill)
    stage.settle()
    stage.run(6_000)  # the grace in which a resting twin may still fill by itself
    stage.settle()
    assert stage.main.position() == Decimal("0.5")
    for name, size in (("half", "0.25"), ("quarter", "0.125")):
        assert stage.of(name).position() == Decimal(size)
        assert stage.of(name).orders() == []
        assert len(stage.placed(name)) <= 10


@pytest.mark.proves("A36")
def test_an_hour_with_nothing_new_sends_nothing_and_tells_nothing() -> None:
    stage = Stage()
    stage.main.buy("0.1", stop="58000", target="63000")
    stage.main.bid("0.05", "59000")
    stage.settle()
    stage.run(2_000)
    sent, alerts = len(stage.sent()), stage.alerts()
    for _ in range(10):
        stage.command("sync")
        stage.engine.relist_all()
        stage.run(360_000)
    assert len(stage.sent()) == sent
    assert stage.alerts() == alerts


@pytest.mark.proves("A25")
def test_every_exit_is_reduce_only_and_within_the_holding() -> None:
    stage = Stage(copying("copy", "0.7"))
    held = Decimal(0)
    stage.main.buy("0.1", stop="58000")
    stage.settle()
    stage.main.sell("0.03", reduceOnly=True)
    stage.settle()
    stage.main.sell("0.2")
    stage.settle()
    stage.main.close()
    stage.settle()
    fills = iter(stage.of("copy").fills())
    for row in stage.sent("copy", PlaceOrder):
        order = row.action
        assert isinstance(order, PlaceOrder)
        assert not isinstance(row.outcome, RejectedOutcome)
        if order.reduce_only:
            assert order.side.sign * held < 0
            assert order.qty <= abs(held)
        else:
            assert order.side.sign * held >= 0, "what opens never runs against a position"
        done = Decimal(next(fills)["execQty"])
        held += order.side.sign * done
    assert held == 0
