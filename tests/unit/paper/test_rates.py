"""Rate limits by docs v5/rate-limit: a rolling second per UID and endpoint, 600 requests in 5 s from one address."""

from typing import Any

import pytest

from mirrorctl.core.paper.api import PRIVATE
from mirrorctl.core.paper.exchange import PaperExchange
from mirrorctl.core.paper.faults import Fault, FaultKind
from mirrorctl.core.paper.gateway import Gateway, Reply
from mirrorctl.core.paper.rates import PER_SECOND, UNLIMITED, RateBuckets, RateRules
from mirrorctl.core.paper.refusals import Refusal

NOW = 1_700_000_000_000
CREATE, POSITIONS = "/v5/order/create", "/v5/position/list"


@pytest.fixture
def gateway(fresh: Any) -> Gateway:
    exchange: PaperExchange = fresh()
    return Gateway(exchange, rules=RateRules())


def order(gateway: Gateway, now: int = NOW, uid: int = 1) -> Reply:
    fields = {"category": "linear", "symbol": "BTCUSDT", "side": "Buy", "orderType": "Limit", "qty": "0.001"}
    idx = 1 if uid == 2 else 0
    return gateway.request(uid, "POST", CREATE, fields | {"price": "50000", "positionIdx": idx}, now)


def limits(reply: Reply) -> tuple[int, ...]:
    """(cap, left, reset) as the headers say."""
    return tuple(int(reply.headers[f"X-Bapi-Limit{end}"]) for end in ("", "-Status", "-Reset-Timestamp"))


def code(reply: Reply) -> int:
    assert reply.envelope is not None
    return int(reply.envelope["retCode"])


def test_every_private_route_has_a_bucket() -> None:
    assert set(PER_SECOND) == {path for _, path in PRIVATE}


def test_the_second_rolls_and_the_headers_count_down() -> None:
    buckets = RateBuckets(RateRules({CREATE: 3}))
    told = [buckets.take(1, CREATE, NOW + at) for at in (0, 400, 500, 600, 999, 1000, 1001, 1400)]
    assert [(row.left, row.reset_ms - NOW, row.exceeded) for row in told if row is not None] == [
        (2, 0, False),
        (1, 400, False),
        (0, 500, False),
        (0, 1000, True),
        (0, 1000, True),
        (0, 1000, False),
        (0, 1400, True),
        (0, 1400, False),
    ]
    assert buckets.exceeded == 3


def test_the_eleventh_order_of_a_second_is_refused_and_not_carried_out(gateway: Gateway) -> None:
    replies = [order(gateway, NOW + number) for number in range(11)]
    assert [code(reply) for reply in replies] == [0] * 10 + [10006]
    assert [limits(reply)[1] for reply in replies] == [*reversed(range(10)), 0]
    assert limits(replies[0]) == (10, 9, NOW)
    assert limits(replies[10]) == (10, 0, NOW + 1000), "the time from which the next one may come"
    assert len(gateway.exchange.state.live(1)) == 10
    assert [row.ret_code for row in gateway.exchange.state.writes][-1] == 10006
    assert code(order(gateway, NOW + 1000)) == 0


def test_buckets_are_for_one_uid_and_one_endpoint(gateway: Gateway) -> None:
    for number in range(10):
        order(gateway, NOW + number)
    assert code(order(gateway, NOW + 10)) == 10006
    assert code(order(gateway, NOW + 10, uid=2)) == 0
    read = gateway.request(1, "GET", POSITIONS, {"category": "linear", "symbol": "BTCUSDT"}, NOW + 10)
    assert limits(read) == (50, 49, NOW + 10)
    market = gateway.request(1, "GET", "/v5/market/time", {}, NOW + 10)
    assert market.headers == {}, "market data has no bucket"


def test_600_requests_in_5_s_pass_and_one_more_bans_the_address_for_ten_minutes(gateway: Gateway) -> None:
    def ask(now: int, uid: int | None = None) -> int:
        return gateway.request(uid, "GET", "/v5/market/time", {}, now).status

    assert {ask(NOW + number * 8, number % 3 or None) for number in range(600)} == {200}
    refused = gateway.request(1, "GET", "/v5/account/info", {}, NOW + 4_999)
    assert (refused.status, refused.text, refused.envelope) == (403, "access too frequent", None)
    assert ask(NOW + 4_999 + 599_999) == 403, "asking on does not help"
    assert ask(NOW + 4_999 + 600_000) == 200
    assert gateway.rates.bans == 1


def test_steady_traffic_under_the_cap_is_never_refused(gateway: Gateway) -> None:
    asked = [gateway.request(None, "GET", "/v5/market/time", {}, NOW + n * 9).status for n in range(2_000)]
    assert set(asked) == {200}


def test_addresses_are_counted_apart() -> None:
    buckets = RateBuckets(RateRules(per_address=1))
    buckets.check_address("a", NOW)
    buckets.check_address("b", NOW)
    with pytest.raises(Refusal):
        buckets.check_address("a", NOW)
    buckets.check_address("b", NOW + 5_000)


def test_a_clock_that_goes_back_leaves_no_bucket_full_for_longer_than_a_second() -> None:
    buckets = RateBuckets(RateRules({CREATE: 1}))
    buckets.take(1, CREATE, NOW + 60_000)
    again = buckets.take(1, CREATE, NOW)
    assert again is not None
    assert not again.exceeded


def test_limits_can_be_widened_or_switched_off(gateway: Gateway) -> None:
    gateway.rates.rules = RateRules().widened(3)
    assert [code(order(gateway)) for _ in range(31)] == [0] * 30 + [10006]
    gateway.rates.rules = UNLIMITED
    unlimited = order(gateway)
    assert (code(unlimited), unlimited.headers) == (0, {})


def test_a_narrowed_bucket_and_cap_are_faults_that_calm_ends(gateway: Gateway) -> None:
    gateway.faults.add(Fault(FaultKind.RATE_LIMIT, "main", CREATE, None, {"limit": 2}))
    assert [code(order(gateway)) for _ in range(3)] == [0, 0, 10006]
    gateway.faults.add(Fault(FaultKind.IP_CAP, None, "", 1, {"ms": 60_000}))
    assert order(gateway, NOW + 2_000).status == 403
    assert order(gateway, NOW + 50_000).status == 403
    gateway.calm()
    assert [code(order(gateway, NOW + 50_001)) for _ in range(11)] == [0] * 10 + [10006]
