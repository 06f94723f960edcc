"""The exchange's file: what comes back after a restart, and after a SIGKILL in the middle of trading."""

import os
import signal
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

from mirrorctl.core.paper.exchange import PaperExchange
from mirrorctl.core.paper.instruments import CATALOGUE
from mirrorctl.core.paper.model import PaperAccount
from mirrorctl.core.paper.vault import Vault

NOW = 1_700_000_000_000
ACCOUNT = PaperAccount("main", 1, "k", "s")
ORDER = {"category": "linear", "symbol": "BTCUSDT", "side": "Buy", "orderType": "Market", "qty": "0.01"}


def reopened(path: Path) -> tuple[Vault, PaperExchange]:
    vault = Vault(path)
    state = vault.load(CATALOGUE, 1)
    return vault, PaperExchange([ACCOUNT], now_ms=NOW, volatility=Decimal(0), funding=False, state=state)


def everything(exchange: PaperExchange) -> dict[str, Any]:
    answers: dict[str, Any] = {}
    for path in ("/v5/order/realtime", "/v5/order/history", "/v5/execution/list", "/v5/position/closed-pnl"):
        answers[path] = exchange.handle(1, "GET", path, ORDER, NOW + 60_000)["result"]
    answers["position"] = exchange.handle(1, "GET", "/v5/position/list", ORDER, NOW + 60_000)["result"]
    answers["wallet"] = exchange.handle(
        1, "GET", "/v5/account/wallet-balance", {"accountType": "UNIFIED"}, NOW + 60_000
    )["result"]
    answers["writes"] = list(exchange.state.writes)
    return answers


def test_everything_comes_back(tmp_path: Path) -> None:
    vault, exchange = reopened(tmp_path / "paper.sqlite")
    create = "/v5/order/create"
    exchange.handle(1, "POST", create, ORDER | {"stopLoss": "59000", "orderLinkId": "once"}, NOW)
    limit = {"orderType": "Limit", "price": "59500"}
    exchange.handle(1, "POST", create, ORDER | limit, NOW)
    exchange.handle(1, "POST", create, ORDER | {"side": "Sell", "qty": "0.005", "reduceOnly": True}, NOW)
    exchange.set_price("BTCUSDT", Decimal(59600), NOW + 1000)
    vault.save(exchange.state)
    before = everything(exchange)
    vault.close()

    vault, again = reopened(tmp_path / "paper.sqlite")
    assert everything(again) == before
    assert again.handle(1, "POST", create, ORDER | {"orderLinkId": "once"}, NOW)["retCode"] == 110072
    again.set_price("BTCUSDT", Decimal(58000), NOW + 2000)
    seqs = [row.seq for row in again.state.history[1].executions]
    assert seqs == sorted(set(seqs))
    assert len(seqs) == 4
    assert again.state.position(1, "BTCUSDT", 0).size == 0
    vault.wipe()
    vault.close()
    assert not reopened(tmp_path / "paper.sqlite")[1].state.history[1].executions


_CHILD = """
import sys
from decimal import Decimal
from pathlib import Path
from mirrorctl.core.paper.model import PaperAccount
from mirrorctl.core.paper.rates import UNLIMITED
from mirrorctl.core.paper.server import PaperServer
accounts = [PaperAccount("main", 1, "k", "s")]
server = PaperServer(accounts, path=Path(sys.argv[1]), volatility=Decimal(0), rules=UNLIMITED)
server.start()
sys.stdout.write(f"{server.rest_url}\\n")
sys.stdout.flush()
sys.stdin.read()
"""


def test_a_killed_server_loses_nothing_it_acknowledged(tmp_path: Path) -> None:
    from pybit.unified_trading import HTTP

    path = tmp_path / "paper.sqlite"
    child = subprocess.Popen(
        [sys.executable, "-c", _CHILD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert child.stdout is not None
        session = HTTP(api_key="k", api_secret="s")
        session.endpoint = child.stdout.readline().strip()
        acknowledged = [
            session.place_order(**ORDER, orderLinkId=f"k-{number}")["result"]["orderId"] for number in range(20)
        ]
    finally:
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
        for pipe in (child.stdin, child.stdout):
            if pipe is not None:
                pipe.close()
    _, exchange = reopened(path)
    assert [row.order_id for row in exchange.state.history[1].executions] == acknowledged
    assert exchange.state.position(1, "BTCUSDT", 0).size == Decimal("0.2")
    duplicate = exchange.handle(1, "POST", "/v5/order/create", ORDER | {"orderLinkId": "k-19"}, NOW)
    assert duplicate["retCode"] == 110072
