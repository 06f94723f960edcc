"""What Bybit lets one account ask of each endpoint: so many calls in a rolling second (rate-limit/rate-limit).

A bucket knows what we sent ourselves, and learns from the headers of every reply what the limit is and what others
with the same account used. Pure: time comes with each call. Not locked: `Traffic` does that.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from math import inf

_WINDOW_S = 1.05  # a little more than Bybit's second: calls do not travel equally fast
_REMEMBERED_S = 10.0  # longer than any call of ours takes, so that its reply is held against what it could count
_LONGEST_EMPTY_S = 5.0
_EMPTY_UNTOLD_S = 1.0
_FIRST_STRIKE_S = 0.05
_MOST_STRIKES = 7
_HEADERS = ("x-bapi-limit", "x-bapi-limit-status", "x-bapi-limit-reset-timestamp")


class Urgency(IntEnum):
    """Who may go on when little is left. Lower goes first (rule 5, A51)."""

    PROTECTIVE = 0  # stops, reductions, cancels: everything there is
    SETTLING = 1  # reads of one symbol or order: what protective calls are decided on
    ORDINARY = 2  # entries, take-profits, lists


@dataclass(frozen=True, slots=True)
class Group:
    """What is counted together. `per_s`: calls of one UID in a rolling second, for linear contracts."""

    name: str
    per_s: int


# By pybit's method. Market endpoints have no limit per account: they are not here, and only the address counts them.
GROUPS: Mapping[str, Group] = {
    "place_order": Group("order/create", 10),
    "amend_order": Group("order/amend", 10),
    "cancel_order": Group("order/cancel", 10),
    "place_batch_order": Group("order/create-batch", 10),  # a batch counts each of its orders
    "amend_batch_order": Group("order/amend-batch", 10),
    "cancel_batch_order": Group("order/cancel-batch", 10),
    "set_trading_stop": Group("position/trading-stop", 10),
    "set_leverage": Group("position/set-leverage", 10),
    "get_open_orders": Group("order/realtime", 50),
    "get_order_history": Group("order/history", 50),
    "get_executions": Group("execution/list", 50),
    "get_positions": Group("position/list", 50),
    "get_closed_pnl": Group("position/closed-pnl", 50),
    "get_wallet_balance": Group("account/wallet-balance", 50),
    "get_account_info": Group("account/info", 50),
    "get_transaction_log": Group("account/transaction-log", 25),
    "get_fee_rates": Group("account/fee-rate", 5),
    "get_api_key_information": Group("user/query-api", 10),
}

_SETTLING = frozenset(("get_positions", "get_open_orders", "get_order_history", "get_executions", "get_tickers"))


def urgency_of_read(method: str, params: Mapping[str, object]) -> Urgency:
    """Reads about one symbol prove a position or settle an order; a clock is measured before anything can be signed."""
    settles = method == "get_server_time" or (method in _SETTLING and "symbol" in params)
    return Urgency.SETTLING if settles else Urgency.ORDINARY


@dataclass(frozen=True, slots=True)
class Quota:
    """What one reply's `X-Bapi-Limit*` headers say; None for what they do not. `reset_ms` is the exchange's clock."""

    limit: int | None
    left: int | None
    reset_ms: int | None


def quota_of(headers: Mapping[str, str]) -> Quota | None:
    """The quota in a reply's headers; None where they do not tell it."""
    known = {name.lower(): value for name, value in headers.items()}
    told = {name: int(known[name]) for name in _HEADERS if known.get(name, "").isdecimal()}
    return Quota(*map(told.get, _HEADERS)) if told else None


def reset_s(quota: Quota | None, exchange_ms: int) -> float:
    """Seconds until an exceeded limit (10006) resets, by the exchange's clock; a second where nothing tells it."""
    if quota is None or quota.reset_ms is None:
        return _EMPTY_UNTOLD_S
    return min(max((quota.reset_ms - exchange_ms) / 1000, 0.05), _LONGEST_EMPTY_S)


class Bucket:
    """The calls that one account has left in one group. Seconds of one monotonic clock."""

    def __init__(self, group: Group) -> None:
        self.group = group
        self.limit = group.per_s
        self._sent: list[float] = []
        self._others = 0
        self._others_until = -inf
        self._empty_until = -inf
        self._strikes = 0

    def reserve(self, urgency: Urgency) -> int:
        """What a call must leave for those that go before it: a fifth, a read that settles something a tenth."""
        if urgency is Urgency.PROTECTIVE:
            return 0
        return self.limit // (10 if urgency is Urgency.SETTLING else 5)

    def left(self, now: float) -> int:
        """Calls that may go now."""
        if now < self._empty_until:
            return 0
        others = self._others if now < self._others_until else 0
        return max(self.limit - self._sent_since(now - _WINDOW_S) - others, 0)

    def wait_s(self, now: float, urgency: Urgency, orders: int = 1) -> float:
        """Seconds until a call of this urgency, a batch of so many orders, may go; 0 for now."""
        if now < self._empty_until:
            return self._empty_until - now
        used = len(self._sent) - bisect_right(self._sent, now - _WINDOW_S)
        others = self._others if now < self._others_until else 0
        missing = self.reserve(urgency) + orders - max(self.limit - used - others, 0)
        if missing <= 0:
            return 0.0
        ends = [sent + _WINDOW_S for sent in self._sent[bisect_right(self._sent, now - _WINDOW_S) :]]
        if now < self._others_until:
            ends += [self._others_until] * self._others
        ends.sort()
        return max(ends[min(missing, len(ends)) - 1] - now, 0.001) if ends else _WINDOW_S

    def take(self, now: float, orders: int = 1) -> None:
        """Count a call that goes out now, a batch for each of its orders."""
        at = bisect_right(self._sent, now)
        self._sent[at:at] = [now] * orders
        del self._sent[: bisect_right(self._sent, now - _REMEMBERED_S)]

    def heard(self, now: float, sent_at: float, quota: Quota) -> None:
        """A reply to a call sent at `sent_at` tells what is left: less than we know of was used by others."""
        self._strikes = 0
        if quota.limit is None or quota.left is None:
            return
        self.limit = max(quota.limit, 1)
        ours = self._sent_since(sent_at - _WINDOW_S)
        self._others = max(quota.limit - quota.left - ours, 0)
        self._others_until = now + _WINDOW_S if self._others else -inf

    def exceeded(self, now: float, quota: Quota | None, exchange_ms: int) -> None:
        """10006: empty until the reset the exchange names. One that has passed says that the bucket is full again.

        Refusals in a row wait longer each time whatever the reset says: clocks can be wrong, others can be faster.
        """
        reset_s = _EMPTY_UNTOLD_S
        if quota is not None and quota.reset_ms is not None:
            reset_s = (quota.reset_ms - exchange_ms) / 1000
        if reset_s <= 0:
            self._sent.clear()
            self._others = 0
        least_s = _FIRST_STRIKE_S * 2.0 ** (self._strikes - 1) if self._strikes else 0.0
        self._empty_until = now + min(max(reset_s, least_s), _LONGEST_EMPTY_S)
        self._strikes = min(self._strikes + 1, _MOST_STRIKES)

    def _sent_since(self, moment: float) -> int:
        return len(self._sent) - bisect_right(self._sent, moment)
