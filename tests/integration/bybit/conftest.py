"""A paper exchange on loopback, and the Bybit edge connected to it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal

import pytest

from mirrorctl.core.bybit.breaker import Breaker
from mirrorctl.core.bybit.environments import endpoints_for
from mirrorctl.core.bybit.link import ExchangeClock
from mirrorctl.core.bybit.rest import BybitRest
from mirrorctl.core.paper.model import PaperAccount
from mirrorctl.core.paper.rates import RateRules
from mirrorctl.core.paper.server import PaperServer

ACCOUNT = PaperAccount("main", 101, "key-of-main", "secret-of-main")


@pytest.fixture
def paper() -> Iterator[PaperServer]:
    """One account, prices that stand still."""
    rules = RateRules().widened(20)  # these tests are about answers, and ask faster than a trader may
    with PaperServer([ACCOUNT], path=None, seed=7, port=0, volatility=Decimal(0), rules=rules) as server:
        yield server


def connect(
    server: PaperServer, *, clock: ExchangeClock | None = None, api_key: str = "", timeout_s: float = 2.0
) -> BybitRest:
    """The account's REST connection to `server`."""
    endpoints = endpoints_for(
        "paper", rest=server.rest_url, private_ws=server.private_ws_url, public_ws=server.public_ws_url
    )
    return BybitRest(
        account=ACCOUNT.name,
        api_key=api_key or ACCOUNT.api_key,
        api_secret=ACCOUNT.api_secret,
        endpoints=replace(endpoints),
        timeout_s=timeout_s,
        clock=clock,
        breaker=Breaker(lambda: 1.0),
    )


@pytest.fixture
def rest(paper: PaperServer) -> Iterator[BybitRest]:
    """The account over HTTP."""
    connection = connect(paper)
    yield connection
    connection.close()
