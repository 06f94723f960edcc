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
    """

    per_second: Mapping[str, int] = field(default_factory=lambda: PER_SECOND)
    per_address: int | None = 600
    address_ms: int = 5_000
    ban_ms: int = 600_000

    def widened(self, factor: int) -> "RateRules":
        """So many times as much, for load tests; headers say so."""
        cap = None if self.per_address is None else self.per_address * factor
        return replace(self, per_second={path: n * factor for path, n in self.per_second.items()}, per_address=cap)


UNLIMITED = RateRules({}, None)
"""Nothing is ever too many."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """What the `X-Bapi-Limit*` headers say. `reset_ms`: now, or where exceeded when the next request may come."""

    limit: int
    left: int
    reset_ms: int
    exceeded: bool = False

    def headers(self) -> dict[str, str]:
        """The three headers of docs v5/rate-limit."""
        return {
            "X-Bapi-Limit": str(self.limit),
            "X-Bapi-Limit-Status": str(self.left),
            "X-Bapi-Limit-Reset-Timestamp": str(self.reset_ms),
        }


class RateBuckets:
    """What was asked lately, by whom. `rules` can be replaced at any time.

    `exceeded` and `bans` count what was refused. A refused request fills no bucket, which Bybit nowhere says; a request
    from a banned address does not prolong the ban.
    """

    def __init__(self, rules: RateRules) -> None:
        self.rules = rules
        self.exceeded = 0
        self.bans = 0
        self._asked: dict[tuple[int, str], deque[int]] = {}
        self._arrived: dict[str, deque[int]] = {}
        self._banned: dict[str, int] = {}

    def take(self, uid: int, path: str, now_ms: int, narrowed: int | None = None) -> Allowance | None:
        """Counts one request; `narrowed` stands for the path's own limit. None where there is no bucket."""
        limit = self.rules.per_second.get(path) if narrowed is None else narrowed
        if limit is None:
            return None
        asked = self._asked.get((uid, path))
        if asked is None:
            asked = self._asked[(uid, path)] = deque()
        _forget(asked, now_ms, WINDOW_MS)
        if len(asked) >= limit:
            self.exceeded += 1
            free_ms = (asked[len(asked) - limit] if limit else now_ms) + WINDOW_MS
            return Allowance(limit, 0, free_ms, exceeded=True)
        asked.append(now_ms)
        return Allowance(limit, limit - len(asked), now_ms)

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


def _forget(times: deque[int], now_ms: int, window_ms: int) -> None:
    while times and times[0] <= now_ms - window_ms:
        times.popleft()
    while times and times[-1] > now_ms:  # the clock was set back
        times.pop()
