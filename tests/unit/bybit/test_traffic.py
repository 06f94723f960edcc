"""The gate of an account: what opens its breaker and what never does, who goes first, what those who wait are told."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from mirrorctl.core.bybit.address import Address
from mirrorctl.core.bybit.breaker import Breaker
from mirrorctl.core.bybit.failures import Failure, FailureKind
from mirrorctl.core.bybit.quotas import Quota, Urgency
from mirrorctl.core.bybit.traffic import Held, Ticket, Traffic
from mirrorctl.core.engine.ports import BreakerState

PROTECTIVE, SETTLING, ORDINARY = Urgency
NOW_MS = 1_800_000_000_000


@dataclass
class Desk:
    """One account's gate and a clock set by hand."""

    now: float = 100.0
    address: Address = field(default_factory=Address)
    traffic: Traffic = field(init=False)

    def __post_init__(self) -> None:
        self.traffic = self.account()

    def account(self) -> Traffic:
        """Another account behind the same address."""
        return Traffic(Breaker(lambda: 1.0), self.address, lambda: self.now)

    def ask(self, method: str = "place_order", urgency: Urgency = ORDINARY, *, writes: bool = True) -> Ticket | Held:
        return self.traffic.admit(method, urgency, writes=writes)

    def ends(self, failure: Failure | None, method: str = "place_order", quota: Quota | None = None) -> None:
        """A call that is let through, and how it ends."""
        ticket = self.ask(method)
        assert isinstance(ticket, Ticket)
        self.now += 0.2
        if failure is None:
            self.traffic.answered(ticket, quota)
        else:
            self.traffic.failed(ticket, failure, quota, NOW_MS)

    @property
    def breaker(self) -> BreakerState:
        return self.traffic.health().breaker


def refused(code: int, message: str = "x") -> Failure:
    return Failure(FailureKind.REFUSED, message, code)


OUTAGES = [
    Failure(FailureKind.NOT_CONNECTED, "x"),
    Failure(FailureKind.INTERRUPTED, "x"),
    Failure(FailureKind.UNREADABLE, "x"),
    Failure(FailureKind.HTTP, "x", 500),
    Failure(FailureKind.HTTP, "x", 502),
    Failure(FailureKind.HTTP, "x", 429),
    Failure(FailureKind.HTTP, "x", 401),
    *map(refused, (10000, 10016, 10019, 10003, 10004, 10007, 10010, 33004)),
]
SIGNS_OF_LIFE = [
    *map(refused, (10001, 10002, 10005, 10006, 10014, 110001, 110003, 110007, 110017, 110043, 110072, 110094, 30208)),
    refused(10001, "position idx not match position mode"),
]


@pytest.mark.parametrize("failure", OUTAGES, ids=lambda failure: f"{failure.kind.value} {failure.code}")
def test_what_opens_the_breaker(failure: Failure) -> None:
    desk = Desk()
    for _ in range(3):
        assert desk.breaker is BreakerState.CLOSED
        desk.ends(failure)
    assert desk.breaker is BreakerState.OPEN
    held = desk.ask()
    assert isinstance(held, Held)
    assert (held.kind, held.wait_s) == (FailureKind.CUT_OFF, 0.5)


@pytest.mark.parametrize("failure", SIGNS_OF_LIFE, ids=lambda failure: f"{failure.code}")
def test_no_refusal_of_a_request_opens_it(failure: Failure) -> None:
    desk = Desk()
    for _ in range(30):
        desk.now += 5
        desk.ends(failure)
        assert desk.breaker is BreakerState.CLOSED


@pytest.mark.parametrize("failure", SIGNS_OF_LIFE, ids=lambda failure: f"{failure.code}")
def test_a_refusal_is_an_answer_and_closes_it(failure: Failure) -> None:
    desk = Desk()
    for _ in range(3):
        desk.ends(OUTAGES[0])
    desk.now += 1
    desk.ends(failure)
    assert desk.breaker is BreakerState.CLOSED


def test_market_endpoints_answer_anyone_and_prove_nothing_about_the_keys() -> None:
    desk = Desk()
    for _ in range(3):
        desk.ends(refused(10003))
        desk.ends(None, "get_server_time") if desk.breaker is BreakerState.CLOSED else None
    assert desk.breaker is BreakerState.OPEN
    desk.now += 10
    desk.ends(None, "get_server_time")
    assert desk.breaker is BreakerState.OPEN


@pytest.mark.proves("A29")
@pytest.mark.parametrize(("urgency", "writes", "goes"), [(PROTECTIVE, True, True), (ORDINARY, True, False)])
def test_only_protective_writes_pass_an_open_breaker(urgency: Urgency, writes: bool, goes: bool) -> None:
    desk = Desk()
    for _ in range(8):
        desk.ends(OUTAGES[0])
        desk.now = desk.now + desk.traffic.health().next_try_s
    desk.ends(OUTAGES[0])
    desk.now += 2
    assert isinstance(desk.ask(urgency=urgency, writes=writes), Ticket) is goes
    assert isinstance(desk.ask("get_positions", SETTLING, writes=False), Held)


@pytest.mark.proves("A51", "A29")
def test_entries_wait_for_their_second_and_a_stop_does_not() -> None:
    desk = Desk()
    assert sum(isinstance(desk.ask(), Ticket) for _ in range(50)) == 8
    held = desk.ask()
    assert isinstance(held, Held)
    assert (held.kind, held.reason) == (
        FailureKind.LIMITED,
        "order/create, 10 a second for the account",
    )
    assert isinstance(desk.ask(urgency=PROTECTIVE), Ticket), "a reduction"
    assert isinstance(desk.ask("set_trading_stop", PROTECTIVE), Ticket)
    desk.now += held.wait_s
    assert isinstance(desk.ask(), Ticket)


@pytest.mark.proves("A51")
def test_all_accounts_share_what_the_address_may_send() -> None:
    desk = Desk()
    accounts = [desk.account() for _ in range(10)]
    asked = [account.admit("get_positions", ORDINARY) for account in accounts for _ in range(30)]
    assert sum(isinstance(answer, Ticket) for answer in asked) == 60
    refusal = accounts[0].admit("get_wallet_balance", ORDINARY)
    assert isinstance(refusal, Held)
    assert refusal.reason == "all accounts together, 350 requests in 5 s"
    assert isinstance(accounts[0].admit("set_trading_stop", PROTECTIVE, writes=True), Ticket)


def test_one_account_that_is_refused_by_a_bucket_takes_nothing_from_the_address() -> None:
    desk = Desk()
    for _ in range(1_000):
        desk.ask()
    assert desk.address.used(desk.now) == 8


def test_a_403_silences_every_account_and_opens_no_breaker() -> None:
    desk = Desk()
    other = desk.account()
    desk.ends(Failure(FailureKind.HTTP, "x", 403))
    assert desk.breaker is BreakerState.CLOSED
    held = other.admit("set_trading_stop", PROTECTIVE, writes=True)
    assert isinstance(held, Held)
    assert (held.kind, held.wait_s) == (FailureKind.BLOCKED, 600)
    desk.now += 600
    assert isinstance(other.admit("set_trading_stop", PROTECTIVE, writes=True), Ticket)


def test_a_probe_that_a_budget_holds_back_leaves_its_turn_to_the_next() -> None:
    desk = Desk()
    desk.ends(refused(10006), quota=Quota(10, 0, NOW_MS + 5_000))
    for _ in range(3):
        desk.ends(OUTAGES[0], "cancel_order")
    desk.now += 0.6
    assert isinstance(desk.ask(), Held)
    assert desk.breaker.value == "open"
    assert isinstance(desk.ask("get_positions", SETTLING, writes=False), Ticket)
    assert desk.breaker.value == "half-open"


def test_a_quota_is_learned_from_answers_and_from_refusals() -> None:
    desk = Desk()
    desk.ends(None, quota=Quota(20, 12, NOW_MS))
    desk.ends(refused(110007), quota=Quota(20, 5, NOW_MS))
    (row,) = desk.traffic.health().budgets
    assert (row.name, row.limit, row.left) == ("order/create", 20, 5)
    desk.ends(refused(10006), quota=Quota(20, 0, NOW_MS + 800))
    assert desk.traffic.health().budgets[0].left == 0
    assert isinstance(desk.ask(urgency=PROTECTIVE), Held), "nothing passes a bucket that the exchange calls empty"
    desk.now += 0.81
    assert isinstance(desk.ask(urgency=PROTECTIVE), Ticket)


def test_health_says_what_is_left_and_how_long_an_entry_waits() -> None:
    desk = Desk()
    for _ in range(8):
        desk.ask()
    health = desk.traffic.health()
    (row,) = health.budgets
    assert row.left == 2
    assert row.wait_s == pytest.approx(1.05)
    assert (health.address.limit, health.address.window_s, health.address.left) == (350, 5.0, 342)


def test_orders_over_a_socket_share_the_accounts_bucket_and_not_the_addresss() -> None:
    desk = Desk()
    for _ in range(4):
        assert isinstance(desk.traffic.admit("place_order", ORDINARY, writes=True, by_socket=True), Ticket)
    assert desk.traffic.health().address.left == desk.address.per_window
    assert [isinstance(desk.ask(), Ticket) for _ in range(5)] == [True] * 4 + [False]


def test_a_batch_is_one_request_of_the_address_and_as_many_of_the_account_as_it_has_orders() -> None:
    desk = Desk()
    assert isinstance(desk.traffic.admit("place_batch_order", ORDINARY, writes=True, orders=5), Ticket)
    health = desk.traffic.health()
    assert [(row.name, row.left) for row in health.budgets] == [("order/create-batch", 5)]
    assert health.address.left == desk.address.per_window - 1
    held = desk.traffic.admit("place_batch_order", ORDINARY, writes=True, orders=5)
    assert isinstance(held, Held)
    assert held.kind is FailureKind.LIMITED


def test_a_silent_address_holds_the_socket_back_too() -> None:
    desk = Desk()
    desk.address.block(desk.now)
    held = desk.traffic.admit("place_order", PROTECTIVE, writes=True, by_socket=True)
    assert isinstance(held, Held)
    assert held.kind is FailureKind.BLOCKED
