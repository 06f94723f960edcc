"""How often a caller may ask: a rolling second per UID and endpoint, and a cap on everything from one address.

Pure, on the exchange's clock. Numbers and manners are those of docs v5/rate-limit for linear contracts, without the
raises of VIP levels. Market endpoints have no bucket of their own; only the address cap counts them.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from mirrorctl.core.paper.refusals import Refusal

WINDOW_MS = 1_000
PER_SECOND: Mapping[str, int] = {
    "/v5/order/create": 10,
    "/v5/order/amend": 10,
    "/v5/order/cancel": 10,
    "/v5/order/cancel-all": 10,
    "/v5/order/create-batch": 10,
    "/v5/order/amend-batch": 10,
    "/v5/order/cancel-batch": 10,
    "/v5/order/realtime": 50,
    "/v5/order/history": 50,
    "/v5/execution/list": 50,
    "/v5/position/list": 50,
    "/v5/position/closed-pnl": 50,
    "/v5/position/set-leverage": 10,
    "/v5/position/switch-mode": 10,
    "/v5/position/trading-stop": 10,
    "/v5/account/wallet-balance": 50,
    "/v5/account/info": 50,
    "/v5/account/transaction-log": 25,
    "/v5/account/fee-rate": 5,
    "/v5/user/query-api": 10,
    "/v5/asset/coin/query-info": 5,
}


@dataclass(frozen=True, slots=True)
class RateRules:
    """Requests a second per UID and path; a path that is not named has no bucket.

    From one address `per_address` requests in `address_ms`; one more bans it for `ban_ms`. `per_address` None: no cap.
    Orders over WebSocket are counted apart: `per_socket_address` a second (docs v5/websocket/trade/guideline).
    """

    per_second: Mapping[str, int] = field(default_factory=lambda: PER_SECOND)
    per_address: int | None = 600
    address_ms: int = 5_000
    ban_ms: int = 600_000
    per_socket_address: int | None = 3_000

    def widened(self, factor: int) -> "RateRules":
        """So many times as much, for load tests; headers say so."""
        cap = None if self.per_address is None else self.per_address * factor
        written = None if self.per_socket_address is None else self.per_socket_address * factor
        wider = {path: n * factor for path, n in self.per_second.items()}
        return replace(self, per_second=wider, per_address=cap, per_socket_address=written)


UNLIMITED = RateRules({}, None, per_socket_address=None)
"""Nothing is ever too many."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """What the `X-Bapi-Limit*` headers say. `reset_ms`: now, or where exceeded when the next request may come.

    `granted`: how many of the orders asked for may go, the first of them.
    """

    limit: int
    left: int
    reset_ms: int
    exceeded: bool = False
    granted: int = 1

    def headers(self) -> dict[str, str]:
        """The three headers of docs v5/rate-limit."""
        return {
            "X-Bapi-Limit": str(self.limit),
            "X-Bapi-Limit-Status": str(self.left),
            "X-Bapi-Limit-Reset-Timestamp": str(self.reset_ms),
        }


class RateBuckets:
    """What was asked lately, by whom. `rules` can be replaced at any time.

    `exceeded` and `bans` count what was refused, `over_socket` the orders that came over WebSocket. A refused request
    fills no bucket, which Bybit nowhere says; a request from a banned address does not prolong the ban.
    """

    def __init__(self, rules: RateRules) -> None:
        self.rules = rules
        self.exceeded = 0
        self.bans = 0
        self.over_socket = 0
        self._asked: dict[tuple[int, str], deque[int]] = {}
        self._arrived: dict[str, deque[int]] = {}
        self._banned: dict[str, int] = {}
        self._written: dict[str, deque[int]] = {}

    def take(self, uid: int, path: str, now_ms: int, narrowed: int | None = None, orders: int = 1) -> Allowance | None:
        """Counts one request; `narrowed` stands for the path's own limit. None where there is no bucket.

        A batch counts each of its `orders`, and those that find no room fail (docs v5/rate-limit, batch endpoints).
        """
        limit = self.rules.per_second.get(path) if narrowed is None else narrowed
        if limit is None:
            return None
        asked = self._asked.get((uid, path))
        if asked is None:
            asked = self._asked[(uid, path)] = deque()
        _forget(asked, now_ms, WINDOW_MS)
        granted = min(max(limit - len(asked), 0), orders)
        asked.extend([now_ms] * granted)
        if granted == orders:
            return Allowance(limit, limit - len(asked), now_ms, granted=granted)
        self.exceeded += 1
        free_ms = (asked[len(asked) - limit] if limit else now_ms) + WINDOW_MS
        return Allowance(limit, 0, free_ms, exceeded=True, granted=granted)

    def check_address(self, address: str, now_ms: int, rules: RateRules | None = None) -> None:
        """Counts one request of any kind from an address, by other rules where given.

        Refuses with 403 when it is one too many, or from a banned address.
        """
        rules = rules or self.rules
        until = self._banned.get(address)
        if until is not None:
            if now_ms < until:
                raise Refusal(403, "access too frequent")
            del self._banned[address]
        if rules.per_address is None:
            return
        arrived = self._arrived.get(address)
        if arrived is None:
            arrived = self._arrived[address] = deque()
        _forget(arrived, now_ms, rules.address_ms)
        if len(arrived) >= rules.per_address:
            self.ban(address, now_ms, rules.ban_ms)
            raise Refusal(403, "access too frequent")
        arrived.append(now_ms)

    def check_socket(self, address: str, now_ms: int) -> None:
        """Counts one order request over WebSocket from an address; refuses with 10403 when it is one too many."""
        self.over_socket += 1
        cap = self.rules.per_socket_address
        if cap is None:
            return
        arrived = self._written.setdefault(address, deque())
        _forget(arrived, now_ms, WINDOW_MS)
        if len(arrived) >= cap:
            raise Refusal(10403, "Exceed IP rate limit.")
        arrived.append(now_ms)

    def ban(self, address: str, now_ms: int, for_ms: int) -> None:
        """Shuts an address out; what it asked before is forgotten."""
        self.bans += 1
        self._banned[address] = now_ms + for_ms
        self._arrived.pop(address, None)

    def lift(self) -> None:
        """Ends every ban and empties every bucket."""
        self._banned.clear()
        self._arrived.clear()
        self._asked.clear()
        self._written.clear()


def _forget(times: deque[int], now_ms: int, window_ms: int) -> None:
    while times and times[0] <= now_ms - window_ms:
        times.popleft()
    while times and times[-1] > now_ms:  # the clock was set back
        times.pop()
