"""Stock clients at the limits: pybit finds the headers it waits by, ccxt names what happened."""

from typing import Any

import ccxt
import pytest
from pybit.exceptions import FailedRequestError, InvalidRequestError
from pybit.unified_trading import HTTP

from mirrorctl.core.paper.faults import Fault, FaultKind
from mirrorctl.core.paper.server import PaperServer

LEVERAGE = {"category": "linear", "symbol": "BTCUSDT"}


def client(server: PaperServer) -> Any:
    """It answers at once: pybit's own wait for the reset ends in a ValueError where the reset has just passed."""
    session = HTTP(
        api_key="key-main", api_secret="secret-main", return_response_headers=True, retry_codes={999999}, max_retries=1
    )
    session.endpoint = server.rest_url
    session.client.trust_env = False
    return session


def test_pybit_reads_the_limit_from_the_headers(server: PaperServer) -> None:
    _, _, headers = client(server).get_wallet_balance(accountType="UNIFIED")
    assert (headers["X-Bapi-Limit"], headers["X-Bapi-Limit-Status"]) == ("50", "49")


def test_pybit_is_refused_with_the_time_from_which_it_may_come_again(server: PaperServer) -> None:
    session = client(server)
    server.run(lambda gateway, _: gateway.faults.add(Fault(FaultKind.RATE_LIMIT, None, "", 1, {"limit": 0})))
    with pytest.raises(InvalidRequestError) as caught:
        session.set_leverage(**LEVERAGE, buyLeverage="6", sellLeverage="6")
    assert caught.value.status_code == 10006
    assert caught.value.resp_headers["X-Bapi-Limit-Status"] == "0"
    refused_at = server.run(lambda gateway, _: gateway.exchange.state.writes[-1].time_ms)
    assert int(caught.value.resp_headers["X-Bapi-Limit-Reset-Timestamp"]) == refused_at + 1_000
    session.set_leverage(**LEVERAGE, buyLeverage="6", sellLeverage="6")


def test_an_address_that_asks_too_much_is_told_403(server: PaperServer) -> None:
    server.run(lambda gateway, _: gateway.faults.add(Fault(FaultKind.IP_CAP, count=1)))
    with pytest.raises(FailedRequestError) as caught:
        client(server).get_wallet_balance(accountType="UNIFIED")
    assert caught.value.status_code == 403


def test_ccxt_knows_the_refusal(server: PaperServer) -> None:
    bybit = ccxt.bybit({"apiKey": "key-main", "secret": "secret-main", "enableRateLimit": False})
    bybit.session.trust_env = False
    for name in bybit.urls["api"]:
        bybit.urls["api"][name] = server.rest_url
    bybit.load_markets()
    server.run(lambda gateway, _: gateway.faults.add(Fault(FaultKind.RATE_LIMIT, count=None)))
    with pytest.raises(ccxt.RateLimitExceeded):
        bybit.set_leverage(5, "BTC/USDT:USDT")
