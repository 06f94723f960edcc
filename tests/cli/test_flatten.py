"""`flatten` as its user meets it: all pages of a full account, and PARTIAL with what remains and exit code 5 (A72)."""

from __future__ import annotations

import pytest

from tests.cli.conftest import Program, Running
from tests.cli.test_alone import post, requests_of
from tests.cli.test_audit import by_hand

ORDERS = 55  # a page of open orders holds 50, and the exchange takes ten of a kind in a second


@pytest.mark.proves("A72")
def test_a_full_account_goes_page_by_page_and_what_the_exchange_refuses_is_named(
    program: Program, exchange: Running
) -> None:
    for number in range(ORDERS):
        by_hand(
            exchange,
            "mirror",
            "/v5/order/create",
            side="Buy",
            orderType="Limit",
            qty="0.001",
            price=f"{50000 + number}",
        )
    for account in ("mirror", "second"):
        by_hand(exchange, account, "/v5/order/create", side="Buy", orderType="Market", qty="0.01")
    refusal = {"code": 110066, "message": "trading is not allowed"}
    fault = {"kind": "ret-code", "account": "second", "target": "/v5/order/create", "count": None, "args": refusal}
    post(exchange, "/paper/fault", fault)
    sent = len(requests_of(exchange))
    rehearsed = program("flatten", "--all", "--dry-run", "--json").document["plan"]
    assert [row["action"] for row in rehearsed].count("cancel") == ORDERS
    assert len(requests_of(exchange)) == sent
    done = program("flatten", "--all", "--yes", "--confirm", "paper")
    assert done.code == 5
    assert done.out.splitlines() == ["PARTIAL", "main: flat", "mirror: flat", "second: remains: long 0.01 BTCUSDT"]
    assert done.err.splitlines().count("mirror: cancel BTCUSDT") == ORDERS, "each is told once"
    post(exchange, "/paper/fault/clear", {})
    done = program("flatten", "--all", "--yes", "--confirm", "paper", "--json")
    assert (done.code, done.document["partial"]) == (0, False)
    left = [row["positions"] for row in program("positions", "--json").document["accounts"]]
    assert left == [[], [], []]
