"""Deposits on the paper exchange: wallet, log, pages, windows, and what a restart brings back."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from mirrorctl.core.paper.exchange import PaperExchange
from mirrorctl.core.paper.instruments import CATALOGUE
from mirrorctl.core.paper.refusals import Refusal
from mirrorctl.core.paper.vault import Vault
from tests.unit.paper.conftest import MAIN, NOW, opened

LOG = "/v5/account/transaction-log"
DAY = 24 * 3600 * 1000


def logged(exchange: PaperExchange, now_ms: int, **params: str) -> list[dict[str, Any]]:
    """Every row of the log, over all its pages."""
    rows: list[dict[str, Any]] = []
    cursor = ""
    while True:
        answer = exchange.handle(MAIN, "GET", LOG, {"accountType": "UNIFIED", "cursor": cursor, **params}, now_ms)
        rows += answer["result"]["list"]
        cursor = answer["result"]["nextPageCursor"]
        if not cursor:
            return rows


def test_a_deposit_moves_the_wallet_is_pushed_and_logged() -> None:
    exchange = opened()
    assert exchange.deposit(MAIN, Decimal(500), NOW) == Decimal(10_500)
    assert exchange.deposit(MAIN, Decimal("-1.5"), NOW + 1) == Decimal("10498.5")
    pushes = [push.frame["data"][0]["totalWalletBalance"] for push in exchange.drain() if push.topic == "wallet"]
    assert pushes == ["10500", "10498.5"]
    out, paid = logged(exchange, NOW + 2)
    assert (paid["type"], paid["change"], paid["cashBalance"], paid["currency"]) == (
        "TRANSFER_IN",
        "500",
        "10500",
        "USDT",
    )
    assert (out["type"], out["change"], out["transactionTime"]) == ("TRANSFER_OUT", "-1.5", str(NOW + 1))
    assert len(logged(exchange, NOW + 2, type="TRANSFER_IN")) == 1


@pytest.mark.parametrize("amount", ["0", "-10000.01"])
def test_nothing_and_more_than_is_available_are_refused(amount: str) -> None:
    exchange = opened()
    with pytest.raises(Refusal):
        exchange.deposit(MAIN, Decimal(amount), NOW)
    assert logged(exchange, NOW) == []


def test_the_log_has_pages_and_windows() -> None:
    """A start alone means the 24 hours after it (docs v5/account/transaction-log)."""
    exchange = opened()
    for hour in range(60):
        exchange.deposit(MAIN, Decimal(1 + hour), NOW + hour * 3_600_000)
    now = NOW + 60 * 3_600_000
    assert [row["change"] for row in logged(exchange, now, limit="20")] == [str(n) for n in range(60, 36, -1)]
    first = logged(exchange, now, startTime=str(NOW))
    assert [row["change"] for row in first] == [str(n) for n in range(25, 0, -1)]
    assert len(logged(exchange, now, startTime=str(NOW), endTime=str(now))) == 60
    wide = {"startTime": str(NOW), "endTime": str(NOW + 8 * DAY)}
    assert exchange.handle(MAIN, "GET", LOG, wide, now)["retCode"] == 10001


def test_a_restart_brings_wallet_and_log_back(tmp_path: Path) -> None:
    vault = Vault(tmp_path / "paper.sqlite")
    exchange = opened(state=vault.load(CATALOGUE, 1))
    exchange.deposit(MAIN, Decimal(500), NOW)
    vault.save(exchange.state)
    before = logged(exchange, NOW)
    vault.close()
    vault = Vault(tmp_path / "paper.sqlite")
    again = opened(state=vault.load(CATALOGUE, 1))
    assert logged(again, NOW) == before
    assert again.state.accounts[MAIN].wallet == Decimal(10_500)
    vault.close()
