"""A mirror that stops answering a running daemon: its breaker opens, and its stop is still moved."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from mirrorctl.core.paper.faults import Fault, FaultKind
from tests.integration.stage import Stage, eventually


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    opened = Stage.open(tmp_path)
    yield opened
    opened.close()


def breakers(stage: Stage) -> dict[str, str]:
    return {row["account"]: row["breaker"] for row in stage.json("status")["accounts"]}


@pytest.mark.proves("A29")
def test_a_stop_is_moved_on_a_mirror_whose_breaker_is_open(stage: Stage) -> None:
    stage.start_daemon()
    stage.order("main", "Buy", "0.1", stopLoss="50000")
    assert eventually(lambda: stage.size("half") == Decimal("0.05"))
    for path in ("/v5/order/create", "/v5/order/realtime", "/v5/order/history", "/v5/position/list"):
        standing = Fault(FaultKind.HTTP_STATUS, "half", path, None, {"status": 502})
        stage.server.run(lambda gateway, _, fault=standing: gateway.faults.add(fault))  # type: ignore[misc]
    stage.order("main", "Sell", "0.02", reduceOnly=True)
    assert eventually(lambda: breakers(stage) == {"main": "closed", "half": "open", "quarter": "closed"}, 10)
    assert "breaker: half " in stage.run("status").stdout

    moved = {"category": "linear", "symbol": "BTCUSDT", "tpslMode": "Full", "positionIdx": 0, "stopLoss": "51000"}
    stage.call("main", "POST", "/v5/position/trading-stop", **moved)
    assert eventually(lambda: Decimal(stage.stop_price("half")) == 51000, 8)
