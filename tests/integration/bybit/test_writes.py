"""Writes over real sockets: what each trouble becomes, nothing sent twice, the clock, and that no secret shows."""

from __future__ import annotations

import json
import logging
import time
from decimal import Decimal

import pytest

from mirrorctl.core.bybit.address import Address
from mirrorctl.core.bybit.failures import AddressBlocked
from mirrorctl.core.bybit.link import ExchangeClock
from mirrorctl.core.bybit.rest import BybitRest
from mirrorctl.core.domain.actions import (
    Accepted,
    Action,
    CancelOrder,
    DoubtfulOutcome,
    NotSent,
    PlaceOrder,
    RejectedOutcome,
    SetLeverage,
    SetTradingStop,
)
from mirrorctl.core.domain.errors import ExchangeError
from mirrorctl.core.domain.ids import Role
from mirrorctl.core.domain.values import OrderType, Side
from tests.integration.bybit.scripted import (
    KEY,
    SECRET,
    Answer,
    Request,
    ScriptedHttp,
    envelope,
    free_port,
    http,
    rest_to,
)

PLACE = PlaceOrder("main", "BTCUSDT", Side.BUY, OrderType.MARKET, Decimal("0.01"), "m1-a-b-1", Role.ENTRY, "a test")
CANCEL = CancelOrder("main", "BTCUSDT", "order-1", "", "a test")
LEVERAGE = SetLeverage("main", "BTCUSDT", Decimal(5), "a test")
STOP = SetTradingStop("main", "BTCUSDT", 0, "a test", stop_loss=Decimal(59000))


def hang(_: Request) -> Answer:
    time.sleep(0.8)
    return None


@pytest.mark.parametrize(
    ("action", "answer", "outcome"),
    [
        (PLACE, envelope({"orderId": "id-1"}), Accepted("id-1")),
        (PLACE, envelope({}, 110007, "not enough"), RejectedOutcome),
        (PLACE, envelope({}, 110072, "OrderLinkedID is duplicate"), DoubtfulOutcome),
        (PLACE, envelope({}, 10016, "Server error"), DoubtfulOutcome),
        (PLACE, envelope({}, 10000, "Server Timeout"), DoubtfulOutcome),
        (PLACE, envelope({}, 10006, "Too many visits!"), NotSent),
        (PLACE, envelope({}, 10002, "time"), NotSent),
        (PLACE, envelope({}, 10003, "API key is invalid."), RejectedOutcome),
        (PLACE, envelope({}, 424242, "news"), DoubtfulOutcome),
        (PLACE, envelope({}, 110999, "a new refusal"), RejectedOutcome),
        (PLACE, None, DoubtfulOutcome),
        (PLACE, b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{", DoubtfulOutcome),
        (PLACE, http(200, "<html>busy</html>"), DoubtfulOutcome),
        (PLACE, http(200, "[]"), DoubtfulOutcome),
        (PLACE, http(200, "null"), DoubtfulOutcome),
        (PLACE, http(502, "<html>bad gateway</html>"), DoubtfulOutcome),
        (PLACE, http(429, ""), DoubtfulOutcome),
        (PLACE, http(307, "", {"Location": "/v5/order/create"}), DoubtfulOutcome),
        (PLACE, http(401, ""), RejectedOutcome),
        (PLACE, http(403, "<html>forbidden</html>"), NotSent),
        (CANCEL, envelope({}, 110001, "order not exists or too late to cancel"), Accepted("")),
        (LEVERAGE, envelope({}, 110043, "leverage not modified"), Accepted("")),
        (STOP, envelope({}, 34040, "not modified"), Accepted("")),
        (STOP, envelope({}, 10001, "can not set tp/sl/ts for zero position"), RejectedOutcome),
    ],
)
def test_a_write_goes_out_once_and_its_outcome_says_what_is_known(
    action: Action, answer: Answer, outcome: object
) -> None:
    with ScriptedHttp(lambda _: answer) as server, rest_to(server.url) as rest:
        result = rest.execute(action)
        assert result == outcome if isinstance(outcome, Accepted) else isinstance(result, outcome)  # type: ignore[arg-type]
        assert len(server.requests) == 1


def test_a_write_without_an_answer_is_in_doubt_and_not_repeated() -> None:
    with ScriptedHttp(hang) as server, rest_to(server.url, timeout_s=0.3) as rest:
        assert rest.execute(PLACE) == DoubtfulOutcome("no answer in time")
        assert len(server.requests) == 1


def test_a_kept_connection_that_was_closed_while_idle_costs_nothing() -> None:
    with ScriptedHttp(lambda _: envelope({"orderId": "1"}), hang_up=True) as server, rest_to(server.url) as rest:
        rest.measure_clock()
        assert server.hung_up.acquire(timeout=5)
        for _ in range(5):
            assert rest.execute(PLACE) == Accepted("1")
            assert server.hung_up.acquire(timeout=5)
        assert len(server.requests) == 5


def test_a_refused_connection_was_not_sent() -> None:
    with rest_to(f"http://127.0.0.1:{free_port()}") as rest:
        result = rest.execute(PLACE)
        assert isinstance(result, NotSent)
        assert "refused" in result.reason


def test_a_rate_limit_says_when_to_come_back() -> None:
    reset = {"X-Bapi-Limit-Reset-Timestamp": str(time.time_ns() // 1_000_000 + 700)}
    past = {"X-Bapi-Limit-Reset-Timestamp": "1"}
    answers = [envelope({}, 10006, "", reset), envelope({}, 10006, "", past)]
    with ScriptedHttp(lambda _: answers.pop(0)) as server, rest_to(server.url) as rest:
        first, again, other = rest.execute(PLACE), rest.execute(PLACE), rest.execute(CANCEL)
        assert len(server.requests) == 2, "what the exchange calls empty is left alone until its reset"
    assert isinstance(first, NotSent)
    assert isinstance(again, NotSent)
    assert isinstance(other, NotSent)
    assert 0.3 < again.retry_after_s < first.retry_after_s <= 0.7
    assert 0 < other.retry_after_s < 0.1
    assert first.limited
    assert again.limited
    assert other.limited


def test_another_accounts_action_is_a_mistake_of_ours() -> None:
    with ScriptedHttp(lambda _: envelope({})) as server, rest_to(server.url, account="mirror") as rest:
        with pytest.raises(ValueError, match="main was handed to the connection of mirror"):
            rest.execute(PLACE)
        assert not server.requests


def test_an_impossible_action_is_refused_before_it_is_sent() -> None:
    with ScriptedHttp(lambda _: envelope({})) as server, rest_to(server.url) as rest:
        result = rest.execute(SetTradingStop("main", "BTCUSDT", 0, "a test"))
        assert isinstance(result, RejectedOutcome)
        assert not server.requests


@pytest.mark.proves("A52")
@pytest.mark.parametrize("skew_ms", [-3_600_000, -2_000, 2_000, 3_600_000])
def test_a_wrong_local_clock_is_compensated(skew_ms: int) -> None:
    def wall_ms() -> int:
        return time.time_ns() // 1_000_000

    def script(request: Request) -> Answer:
        stamp = int(request.headers["x-bapi-timestamp"])
        on_time = wall_ms() - 5_000 <= stamp < wall_ms() + 1_000
        return envelope({"orderId": "id-1"}) if on_time else envelope({}, 10002, "time")

    clock = ExchangeClock(lambda: wall_ms() + skew_ms)
    with ScriptedHttp(script) as server, rest_to(server.url, clock=clock) as rest:
        assert rest.execute(PLACE) == Accepted("id-1")
        assert clock.offset_ms == pytest.approx(-skew_ms, abs=200)


@pytest.mark.proves("A52")
def test_a_clock_that_is_set_while_running_is_measured_again_before_the_next_try() -> None:
    step = [0]

    def exchange_ms() -> int:
        return time.time_ns() // 1_000_000 + step[0]

    def script(request: Request) -> Answer:
        late = abs(int(request.headers["x-bapi-timestamp"]) - exchange_ms()) > 900
        return envelope({}, 10002, "time") if late else envelope({"list": [], "orderId": "id-1"})

    with ScriptedHttp(script, exchange_ms=exchange_ms) as server, rest_to(server.url) as rest:
        assert isinstance(rest.execute(PLACE), Accepted)
        step[0] = 60_000
        assert isinstance(rest.execute(PLACE), NotSent)
        assert rest.execute(PLACE) == Accepted("id-1")
        step[0] = -60_000
        assert rest.open_orders() == ()


def test_after_403_no_account_of_this_address_sends_anything_until_the_time_is_over() -> None:
    address = Address(stop_s=0.4)
    answers = [http(403, "")]

    def script(_: Request) -> Answer:
        return answers.pop(0) if answers else envelope({"list": [], "orderId": "id-1"})

    with (
        ScriptedHttp(script) as server,
        rest_to(server.url, address=address) as main,
        rest_to(server.url, address=address, account="mirror") as mirror,
    ):
        with pytest.raises(AddressBlocked) as caught:
            main.open_orders()
        assert caught.value.retry_after_s == 0.4
        with pytest.raises(AddressBlocked):
            mirror.open_orders()
        assert isinstance(main.execute(PLACE), NotSent)
        assert len(server.requests) == 1
        time.sleep(0.45)
        assert mirror.open_orders() == ()


@pytest.mark.proves("A73")
def test_no_secret_shows_in_any_text(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> None:
    texts: list[str] = []

    def note(rest: BybitRest) -> None:
        texts.extend(map(repr, (rest, rest.link, rest.sibling(), rest._caller._session)))
        texts.append(repr(rest.execute(PLACE)))
        try:
            rest.open_orders()
        except ExchangeError as error:
            texts.append(f"{error} {error.hint} {error.__cause__!r} {error.__context__!r}")

    with caplog.at_level(logging.DEBUG):
        for answer in (None, http(500, "x"), http(403, "x"), http(200, "<"), envelope({}, 10004, "error sign!")):
            with ScriptedHttp(lambda _, answer=answer: answer) as server, rest_to(server.url) as rest:  # type: ignore[misc]
                note(rest)
    output = capfd.readouterr()
    everything = " ".join([*texts, caplog.text, output.out, output.err])
    assert SECRET not in everything
    assert KEY not in everything
    assert "m1-a-b-1" not in everything, "request bodies stay out of texts"
    assert output.err == ""


def test_requests_are_signed_over_the_bytes_that_are_sent_and_carry_plain_numbers() -> None:
    with ScriptedHttp(lambda _: envelope({"orderId": "1"})) as server, rest_to(server.url) as rest:
        rest.execute(PLACE)
        request = server.requests[0]
        assert request.headers["x-bapi-api-key"] == KEY
        assert len(request.headers["x-bapi-sign"]) == 64
        assert json.loads(request.body) == {
            "category": "linear",
            "symbol": "BTCUSDT",
            "side": "Buy",
            "orderType": "Market",
            "qty": "0.01",
            "orderLinkId": "m1-a-b-1",
            "positionIdx": 0,
        }


def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    dead = f"http://127.0.0.1:{free_port()}"
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, dead)
    monkeypatch.setenv("no_proxy", "example.org")
    with ScriptedHttp(lambda _: envelope({"list": []})) as server, rest_to(server.url) as rest:
        assert rest.open_orders() == ()
