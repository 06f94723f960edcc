"""A ladder that waits goes in one request, each order with its own outcome (order/batch-place), over real sockets."""

from __future__ import annotations

import queue
from collections.abc import Iterator
from decimal import Decimal

import pytest

from mirrorctl.core.bybit.quotas import Urgency
from mirrorctl.core.bybit.rest import BybitRest
from mirrorctl.core.bybit.traffic import Ticket
from mirrorctl.core.bybit.writer import AccountWriter
from mirrorctl.core.domain.actions import (
    Accepted,
    Action,
    AmendOrder,
    CancelOrder,
    DoubtfulOutcome,
    Outcome,
    PlaceOrder,
    RejectedOutcome,
    SetTradingStop,
)
from mirrorctl.core.domain.ids import Role
from mirrorctl.core.domain.values import OrderType, Side
from mirrorctl.core.engine.ports import Event, SendDone
from mirrorctl.core.paper.faults import Fault, FaultKind
from mirrorctl.core.paper.server import PaperServer
from tests.integration.bybit.conftest import ACCOUNT, connect

CREATE, CREATE_BATCH = "/v5/order/create", "/v5/order/create-batch"


def rung(number: int, price: int = 61000, role: Role = Role.TARGET) -> PlaceOrder:
    link_id = f"m1-t{number}"
    return PlaceOrder(
        "main",
        "BTCUSDT",
        Side.SELL,
        OrderType.LIMIT,
        Decimal("0.01"),
        link_id,
        role,
        "a test",
        price=Decimal(price + number * 100),
        reduce_only=role is Role.TARGET,
    )


class Ladder:
    """A long position, and a writer without room for single orders, whose first call is slow: what follows waits."""

    def __init__(self, server: PaperServer) -> None:
        self.server = server
        self.rest = connect(server)
        self.told: queue.Queue[Event] = queue.Queue()
        self.writer = AccountWriter(self.rest, self.told.put)
        order = {"category": "linear", "symbol": "BTCUSDT", "side": "Buy", "orderType": "Market", "qty": "0.1"}
        server.run(lambda gateway, now: gateway.exchange.handle(ACCOUNT.uid, "POST", CREATE, order, now))

    def fault(self, kind: FaultKind, target: str, **args: object) -> None:
        self.server.run(lambda gateway, _: gateway.faults.add(Fault(kind, None, target, 1, args)))

    def send(self, actions: list[Action]) -> dict[int, Outcome]:
        """The outcomes by intent, the first of which is a stop that is answered late."""
        for method in ("place_order", "amend_order", "cancel_order"):
            while isinstance(self.rest.link.traffic.admit(method, Urgency.PROTECTIVE, writes=True), Ticket):
                pass
        self.fault(FaultKind.EVENT_FIRST, "/v5/position/trading-stop", ms=150)
        self.writer.send(0, SetTradingStop("main", "BTCUSDT", 0, "a test", stop_loss=Decimal(50000)))
        for number, action in enumerate(actions, start=1):
            self.writer.send(number, action)
        events = [self.told.get(timeout=5) for _ in range(len(actions) + 1)]
        return {event.intent_id: event.outcome for event in events if isinstance(event, SendDone) and event.intent_id}

    def paths(self) -> list[str]:
        """What the exchange was asked since the stop, one entry an order."""
        paths = self.server.run(lambda gateway, _: [row.path for row in gateway.exchange.state.writes])
        return paths[paths.index("/v5/position/trading-stop") + 1 :]

    def live(self) -> list[str]:
        orders = self.server.run(
            lambda gateway, _: [o.link_id for o in gateway.exchange.state.live(ACCOUNT.uid) if o.link_id]
        )
        return sorted(orders)


@pytest.fixture
def ladder(paper: PaperServer) -> Iterator[Ladder]:
    opened = Ladder(paper)
    yield opened
    assert opened.writer.close()
    opened.rest.close()


def test_rungs_that_wait_go_together_and_each_has_its_outcome(ladder: Ladder) -> None:
    told = ladder.send([rung(1), rung(2), rung(3), rung(4)])
    assert [isinstance(told[number], Accepted) for number in (1, 2, 3, 4)] == [True] * 4
    ids = [outcome.order_id for outcome in told.values() if isinstance(outcome, Accepted)]
    assert all(ids)
    assert len(set(ids)) == len(ids)
    assert ladder.paths() == [CREATE_BATCH] * 4
    assert "m1-t1" in ladder.live()


def test_a_refusal_is_one_orders_own(ladder: Ladder) -> None:
    off_tick = PlaceOrder(
        "main",
        "BTCUSDT",
        Side.SELL,
        OrderType.LIMIT,
        Decimal("0.01"),
        "m1-off",
        Role.TARGET,
        "a test",
        price=Decimal("61000.05"),
        reduce_only=True,
    )
    told = ladder.send([rung(1), off_tick, rung(2)])
    assert [type(told[number]) for number in (1, 2, 3)] == [Accepted, RejectedOutcome, Accepted]
    assert ladder.live() == ["m1-t1", "m1-t2"]


def test_cancels_and_amends_go_together_too(ladder: Ladder) -> None:
    ladder.send([rung(number) for number in range(1, 6)])
    bigger: list[Action] = [
        AmendOrder("main", "BTCUSDT", "", f"m1-t{n}", "a test", qty=Decimal("0.02"), role=Role.TARGET)
        for n in range(1, 6)
    ]
    assert all(isinstance(outcome, Accepted) for outcome in ladder.send(bigger).values())
    gone: list[Action] = [CancelOrder("main", "BTCUSDT", "", f"m1-t{n}", "a test") for n in range(1, 6)]
    gone.append(CancelOrder("main", "BTCUSDT", "", "never-was", "a test"))
    assert all(isinstance(outcome, Accepted) for outcome in ladder.send(gone).values()), "gone is what was asked for"
    assert ladder.live() == []
    kinds = {path.rsplit("/", 1)[1] for path in ladder.paths() if path != "/v5/position/trading-stop"}
    assert kinds == {"create-batch", "amend-batch", "cancel-batch"}


def test_entries_stops_and_conditionals_go_alone(ladder: Ladder) -> None:
    ladder.send([rung(1, role=Role.ENTRY), rung(2, role=Role.ENTRY)])
    assert ladder.paths() == [CREATE, CREATE]
    amends: list[Action] = [
        AmendOrder("main", "BTCUSDT", "", f"m1-t{n}", "a test", qty=Decimal("0.02"), role=Role.ENTRY) for n in (1, 2)
    ]
    ladder.send(amends)
    assert ladder.paths()[-2:] == ["/v5/order/amend"] * 2


def test_a_batch_without_an_answer_leaves_every_order_in_doubt_and_sends_none_again(ladder: Ladder) -> None:
    ladder.fault(FaultKind.LOSE_REPLY, CREATE_BATCH)
    told = ladder.send([rung(1), rung(2), rung(3)])
    assert all(isinstance(outcome, DoubtfulOutcome) for outcome in told.values())
    assert ladder.paths() == [CREATE_BATCH] * 3
    assert ladder.live() == ["m1-t1", "m1-t2", "m1-t3"]


def test_a_ladder_is_placed_resized_and_cancelled_within_one_seconds_budget() -> None:
    """By Bybit's own limits: five legs thrice, with nothing that waits for room."""
    with PaperServer([ACCOUNT], volatility=Decimal(0)) as server:
        ladder = Ladder(server)
        ladder.send([rung(number) for number in range(1, 6)])
        ladder.send(
            [
                AmendOrder("main", "BTCUSDT", "", f"m1-t{n}", "a test", qty=Decimal("0.02"), role=Role.TARGET)
                for n in range(1, 6)
            ]
        )
        ladder.send([CancelOrder("main", "BTCUSDT", "", f"m1-t{n}", "a test") for n in range(1, 6)])
        assert ladder.live() == []
        rows = server.run(lambda gateway, _: [r for r in gateway.exchange.state.writes if "order" in r.path][1:])
        assert len(rows) == 15
        assert rows[-1].time_ms - rows[0].time_ms < 1000
        assert server.run(lambda gateway, _: gateway.rates.exceeded) == 0
        ladder.writer.close()
        ladder.rest.close()


def test_a_batch_that_has_no_room_goes_one_by_one(paper: PaperServer) -> None:
    rest: BybitRest = connect(paper)
    for _ in range(8):
        rest.link.traffic.admit("place_batch_order", Urgency.ORDINARY, writes=True)
    assert rest.execute_batch([rung(1), rung(2)]) is None
    assert rest.execute_batch([rung(1), CancelOrder("main", "BTCUSDT", "x", "", "a test")]) is None, "of two kinds"
    rest.close()
