"""A call session without sockets: pybit's method names carried out by the paper exchange's gateway."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mirrorctl.core.bybit.failures import CallFailed, Failure, FailureKind
from mirrorctl.core.bybit.link import ExchangeClock
from mirrorctl.core.bybit.quotas import Quota, quota_of
from mirrorctl.core.paper.gateway import Ending, Gateway, Reply

TIMEOUT_MS = 5_000
_WINDOW_MS, _AHEAD_MS = 5_000, 1_000
ROUTES = {
    "get_server_time": ("GET", "/v5/market/time"),
    "get_instruments_info": ("GET", "/v5/market/instruments-info"),
    "get_tickers": ("GET", "/v5/market/tickers"),
    "get_open_orders": ("GET", "/v5/order/realtime"),
    "get_order_history": ("GET", "/v5/order/history"),
    "get_executions": ("GET", "/v5/execution/list"),
    "get_positions": ("GET", "/v5/position/list"),
    "get_closed_pnl": ("GET", "/v5/position/closed-pnl"),
    "get_wallet_balance": ("GET", "/v5/account/wallet-balance"),
    "get_account_info": ("GET", "/v5/account/info"),
    "get_transaction_log": ("GET", "/v5/account/transaction-log"),
    "get_fee_rates": ("GET", "/v5/account/fee-rate"),
    "get_api_key_information": ("GET", "/v5/user/query-api"),
    "place_order": ("POST", "/v5/order/create"),
    "amend_order": ("POST", "/v5/order/amend"),
    "cancel_order": ("POST", "/v5/order/cancel"),
    "set_leverage": ("POST", "/v5/position/set-leverage"),
    "set_trading_stop": ("POST", "/v5/position/trading-stop"),
}


class SimulatedSession:
    """Calls of one account, carried out at the exchange's now. What the gateway's faults do shows as on a network.

    `clock` is the exchange's as the process believes it to be, which stamps the requests.
    """

    def __init__(self, gateway: Gateway, uid: int, now_ms: Callable[[], int]) -> None:
        self._gateway = gateway
        self._uid = uid
        self._now_ms = now_ms
        self._waited_ms = 0
        self.quota: Quota | None = None
        self.clock: ExchangeClock | None = None

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        verb, path = ROUTES[method]
        sent = {key: str(value) for key, value in params.items()} if verb == "GET" else dict(params)
        self._check_timestamp(path)
        reply = self._gateway.request(self._uid, verb, path, sent, self._now_ms())
        self.quota = quota_of(reply.headers)
        self._waited_ms += min(reply.wait_ms, TIMEOUT_MS)
        return opened(reply, self._now_ms())

    def _check_timestamp(self, path: str) -> None:
        """Refuse a signed request from outside the exchange's window (guide): a second ahead, or five behind."""
        if self.clock is None or path.startswith("/v5/market/"):
            return
        ahead = self.clock.now_ms() - self._now_ms()
        if not -_WINDOW_MS <= ahead < _AHEAD_MS:
            self.quota = None
            raise CallFailed(Failure(FailureKind.REFUSED, f"the timestamp is {ahead} ms ahead", 10002))

    def take_wait_ms(self) -> int:
        """How long the caller waited for silent connections since it was last asked."""
        waited, self._waited_ms = self._waited_ms, 0
        return waited

    def close(self) -> None:
        """Nothing is kept open."""


def opened(reply: Reply, now_ms: int) -> dict[str, Any]:
    """The envelope of a good reply; every other one as the failure that a network client would have seen."""
    if reply.ending is Ending.RESET:
        raise CallFailed(Failure(FailureKind.NOT_CONNECTED, "no connection: refused or unreachable"))
    if reply.ending in (Ending.LOST, Ending.HUNG):
        raise CallFailed(Failure(FailureKind.INTERRUPTED, "no answer in time"))
    if reply.status != 200:
        raise CallFailed(Failure(FailureKind.HTTP, f"HTTP status {reply.status}", reply.status))
    if reply.envelope is None:
        raise CallFailed(Failure(FailureKind.UNREADABLE, "the answer is not JSON"))
    code = int(reply.envelope["retCode"])
    if code:
        reset = int(reply.headers.get("X-Bapi-Limit-Reset-Timestamp", now_ms + 1000)) - now_ms
        wait_s = max(reset, 50) / 1000 if code == 10006 else None
        raise CallFailed(Failure(FailureKind.REFUSED, str(reply.envelope["retMsg"]), code, wait_s))
    return reply.envelope
