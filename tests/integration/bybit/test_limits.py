"""Breaker and budgets over real sockets, against the paper exchange with Bybit's own rate limits and address cap."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Callable, Iterator
from decimal import Decimal

import pytest

from mirrorctl.core.bybit.address import Address
from mirrorctl.core.bybit.breaker import Breaker
from mirrorctl.core.bybit.environments import endpoints_for
from mirrorctl.core.bybit.reader import AccountReader
from mirrorctl.core.bybit.rest import BybitRest
from mirrorctl.core.bybit.writer import AccountWriter
from mirrorctl.core.domain.actions import (
    Accepted,
    CancelOrder,
    NotSent,
    PlaceOrder,
    RejectedOutcome,
    SetTradingStop,
)
from mirrorctl.core.domain.errors import ExchangeError
from mirrorctl.core.domain.ids import Role
from mirrorctl.core.domain.values import OrderType, Side
from mirrorctl.core.engine.ports import BreakerState, Event, ReadPosition, Relist, SendDone
from mirrorctl.core.paper.faults import Fault, FaultKind
from mirrorctl.core.paper.model import PaperAccount
from mirrorctl.core.paper.rates import RateRules
from mirrorctl.core.paper.server import PaperServer

SYMBOL = "BTCUSDT"
ACCOUNTS = tuple(PaperAccount(name, 101 + n, f"key-{name}", f"secret-{name}") for n, name in enumerate(("main", "m2")))


@contextlib.contextmanager
def exchange(rules: RateRules | None = None) -> Iterator[PaperServer]:
    with PaperServer(ACCOUNTS, path=None, seed=7, port=0, volatility=Decimal(0), rules=rules) as server:
        yield server


@contextlib.contextmanager
def connected(server: PaperServer, name: str = "main", address: Address | None = None) -> Iterator[BybitRest]:
    """One account's connection. Its breaker opens for the whole pause, so that times are known."""
    account = next(account for account in ACCOUNTS if account.name == name)
    rest = BybitRest(
        account=name,
        api_key=account.api_key,
        api_secret=account.api_secret,
        endpoints=endpoints_for(
            "paper", rest=server.rest_url, private_ws=server.private_ws_url, public_ws=server.public_ws_url
        ),
        timeout_s=2.0,
        read_attempts=1,
        address=address,
        breaker=Breaker(lambda: 1.0, first_s=0.3, protective_every_s=0.4),
    )
    rest.measure_clock()
    try:
        yield rest
    finally:
        rest.close()


class Desk:
    """A writer and what came of its sends, in the order in which it came."""

    def __init__(self, rest: BybitRest) -> None:
        self._events: queue.Queue[Event] = queue.Queue()
        self.writer = AccountWriter(rest, self._events.put)

    def done(self, count: int) -> list[SendDone]:
        found = [self._events.get(timeout=10) for _ in range(count)]
        return [event for event in found if isinstance(event, SendDone)]


def entry(number: int) -> PlaceOrder:
    price = Decimal(50_000 + number)
    return PlaceOrder(
        "main", SYMBOL, Side.BUY, OrderType.LIMIT, Decimal("0.001"), f"m1-{number}", Role.ENTRY, "a test", price=price
    )


def stop(price: int = 40_000) -> SetTradingStop:
    return SetTradingStop("main", SYMBOL, 0, "a test", stop_loss=Decimal(price))


def fault(server: PaperServer, kind: FaultKind, account: str | None, target: str = "", **args: object) -> int:
    standing = Fault(kind, account, target, None, args)
    return server.run(lambda gateway, _: gateway.faults.add(standing))


def calm(server: PaperServer) -> None:
    server.run(lambda gateway, _: gateway.faults.clear())


def refusals(server: PaperServer) -> int:
    """How often the exchange said 10006."""
    return server.run(lambda gateway, _: gateway.rates.exceeded)


def hold(rest: BybitRest) -> None:
    """Have a position."""
    order = PlaceOrder("main", SYMBOL, Side.BUY, OrderType.MARKET, Decimal("0.01"), "m1-h", Role.ENTRY, "a test")
    assert isinstance(rest.execute(order), Accepted)


def failing(rest: BybitRest) -> None:
    with pytest.raises(ExchangeError):
        rest.positions()


@pytest.mark.proves("A51", "A29")
def test_a_burst_of_entries_is_paced_and_a_stop_and_a_cancel_pass_it() -> None:
    with exchange() as server, connected(server) as rest:
        hold(rest)
        desk = Desk(rest)
        for number in range(40):
            desk.writer.send(number, entry(number))
        desk.writer.send(100, stop())
        desk.writer.send(101, CancelOrder("main", SYMBOL, "nowhere", "", "a test"))
        outcomes = desk.done(42)
        desk.writer.close()
        order = [event.intent_id for event in outcomes]
        assert max(order.index(100), order.index(101)) < 12, "not behind the thirty entries that wait"
        entries = [event.outcome for event in outcomes if event.intent_id < 100]
        placed = sum(isinstance(outcome, Accepted) for outcome in entries)
        assert 8 <= placed <= 32
        assert all(isinstance(outcome, Accepted) or (outcome.limited) for outcome in entries)  # type: ignore[union-attr]
        assert refusals(server) == 0


@pytest.mark.proves("A51")
def test_many_threads_of_many_accounts_never_exceed_what_the_address_may_send() -> None:
    rules = RateRules(per_address=30 + 60, address_ms=1_000)  # exceeded, it bans for ten minutes
    address = Address(burst=30, per_s=60, protective=6, settling=6)
    until = time.monotonic() + 1.6

    def hammer(rest: BybitRest, read: Callable[[BybitRest], object]) -> None:
        while time.monotonic() < until:
            with contextlib.suppress(ExchangeError):
                read(rest)

    with exchange(rules) as server, contextlib.ExitStack() as stack:
        rests = [stack.enter_context(connected(server, account.name, address)) for account in ACCOUNTS]
        hold(rests[0])
        reads: tuple[Callable[[BybitRest], object], ...] = (
            BybitRest.open_orders,
            BybitRest.positions,
            BybitRest.wallet,
            lambda rest: rest.position(SYMBOL),
            lambda rest: rest.ticker(SYMBOL),
        )
        threads = [threading.Thread(target=hammer, args=(rest.sibling(), read)) for rest in rests for read in reads]
        for thread in threads:
            thread.start()
        time.sleep(0.8)
        began = time.monotonic()
        assert isinstance(rests[0].execute(stop()), Accepted)
        assert time.monotonic() - began < 0.3, "no stop waits behind reads"
        for thread in threads:
            thread.join()
        assert server.run(lambda gateway, _: gateway.rates.bans) == 0


@pytest.mark.proves("A51")
def test_what_another_program_uses_of_the_same_account_is_seen_in_the_next_reply() -> None:
    with exchange() as server, connected(server) as ours, connected(server) as others:
        assert isinstance(ours.execute(entry(0)), Accepted)
        for number in range(1, 7):
            assert isinstance(others.execute(entry(number)), Accepted)
        assert isinstance(ours.execute(entry(7)), Accepted)
        outcome = ours.execute(entry(8))
        assert isinstance(outcome, NotSent)
        assert outcome.limited
        assert refusals(server) == 0


@pytest.mark.parametrize(("reset_ms", "least_s", "most_calls"), [(500, 0.4, 3), (-5_000, 0.0, 12)])
def test_an_entry_that_is_refused_for_its_rate_waits_and_goes(reset_ms: int, least_s: float, most_calls: int) -> None:
    with exchange() as server, connected(server) as rest:
        standing = fault(server, FaultKind.RET_CODE, "main", "/v5/order/create", code=10006, reset_ms=reset_ms)
        desk, began = Desk(rest), time.monotonic()
        threading.Timer(0.3, lambda: server.run(lambda gateway, _: gateway.faults.clear(standing))).start()
        desk.writer.send(1, entry(1))
        (done,) = desk.done(1)
        desk.writer.close()
        assert isinstance(done.outcome, Accepted)
        assert least_s <= time.monotonic() - began < 2
        assert rest.health().breaker is BreakerState.CLOSED
        calls = server.run(lambda gateway, _: len(gateway.exchange.state.writes))
        assert calls <= most_calls, "not asked again and again"


@pytest.mark.proves("A29")
def test_with_the_breaker_open_a_stop_still_gets_through_and_closes_it() -> None:
    """Every read and every order fails; only position/trading-stop answers."""
    with exchange() as server, connected(server) as rest:
        hold(rest)
        for path in ("/v5/position/list", "/v5/order/create", "/v5/market/time"):
            fault(server, FaultKind.HTTP_STATUS, "main", path, status=502)
        for _ in range(3):
            failing(rest)
        assert rest.health().breaker is BreakerState.OPEN
        refused = rest.execute(entry(1))
        assert isinstance(refused, NotSent)
        assert not refused.limited
        time.sleep(0.45)  # the pace of protective writes, shortened for this test
        assert isinstance(rest.execute(stop()), Accepted)
        assert rest.health().breaker is BreakerState.CLOSED


def test_half_open_one_read_finds_out_and_the_rest_waits() -> None:
    with exchange() as server, connected(server) as rest:
        fault(server, FaultKind.REFUSE, "main")
        for _ in range(3):
            failing(rest)
        calm(server)
        hung = fault(server, FaultKind.HANG, "main", "/v5/position/list", ms=600)
        time.sleep(0.35)  # the first pause is 0.3 s here, the next 0.6
        others = rest.sibling()
        probe = threading.Thread(target=failing, args=(rest.sibling(),))
        probe.start()
        time.sleep(0.2)
        assert rest.health().breaker is BreakerState.HALF_OPEN
        failing(others)
        assert isinstance(rest.execute(entry(1)), NotSent)
        probe.join()
        assert rest.health().breaker is BreakerState.OPEN
        server.run(lambda gateway, _: gateway.faults.clear(hung))
        time.sleep(0.7)
        assert others.positions() == ()
        assert rest.health().breaker is BreakerState.CLOSED
        assert isinstance(rest.execute(entry(1)), Accepted)


def test_keys_that_are_refused_open_it_and_a_refused_order_does_not() -> None:
    with exchange() as server, connected(server) as rest:
        standing = fault(server, FaultKind.RET_CODE, "main", code=110007, message="ab not enough")
        for number in range(5):
            assert isinstance(rest.execute(entry(number)), RejectedOutcome)
        assert rest.health().breaker is BreakerState.CLOSED
        server.run(lambda gateway, _: gateway.faults.clear(standing))
        fault(server, FaultKind.RET_CODE, "main", code=10003, message="API key is invalid.")
        for _ in range(3):
            failing(rest)
        assert rest.health().breaker is BreakerState.OPEN
        assert "not valid" in rest.trouble()


@pytest.mark.proves("A16")
def test_a_dead_account_takes_nothing_from_the_budget_of_the_others() -> None:
    address = Address()
    with (
        exchange() as server,
        connected(server, "main", address) as dead,
        connected(server, "m2", address) as alive,
    ):
        fault(server, FaultKind.REFUSE, "main")
        events: queue.Queue[Event] = queue.Queue()
        reader = AccountReader(dead, events.put)
        before = alive.health().address.left
        for _ in range(200):
            reader.ask(Relist())
            reader.ask(ReadPosition(SYMBOL))
            time.sleep(0.001)
        reader.close()
        assert before - alive.health().address.left < 20
        assert alive.positions() == ()
