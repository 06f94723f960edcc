"""The daemon under the faults of `mirrorctl paper fault`: real processes, real sockets, judged by the exchange's books.

Simulated schedules meet every fault at every moment; here a few of each kind go through pybit, HTTP and WebSocket.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from mirrorctl.core.paper.fault_catalogue import TOPICS
from tests.integration.judge import CREATE, MIRRORS, Judge, accepted_once, fault
from tests.integration.stage import UIDS, Stage, eventually

REDUCE_ONLY_NOT_POSSIBLE = 110017
ORDERS = {
    "BTCUSDT": ("0.02", "55000"),
    "ETHUSDT": ("0.4", "2800"),
    "SOLUSDT": ("8", "140"),
    "DOGEUSDT": ("8000", "0.15"),
}


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    opened = Stage.open(tmp_path)
    yield opened
    opened.close()


def buy_all(stage: Stage) -> None:
    for symbol, (qty, stop) in ORDERS.items():
        stage.order("main", "Buy", qty, symbol=symbol, stopLoss=stop)


@pytest.mark.proves("A47", "A43")
def test_what_was_carried_out_without_an_answer_is_found_and_what_was_not_is_sent_again(stage: Stage) -> None:
    """Half's four orders never arrive; quarter's four are carried out and denied, and no push tells of them."""
    judge = Judge(stage)
    daemon = stage.start_daemon()
    strangers = [judge.stranger(name) for name in MIRRORS]
    for kind, args in (("refuse", {}), ("lose-request", {}), ("hang", {"ms": 200}), ("http-status", {"status": 502})):
        fault(stage, kind, "half", CREATE, **args)
    fault(stage, "stream-silent", "quarter", for_ms=3_000)
    fault(stage, "lose-reply", "quarter", CREATE)
    fault(stage, "ret-code", "quarter", CREATE, code=10000, after=True)
    fault(stage, "http-status", "quarter", CREATE, status=504, after=True)
    fault(stage, "ret-code", "quarter", CREATE, code=10016, after=True)
    buy_all(stage)
    assert eventually(lambda: judge.in_step("quarter"), 10), (judge.held("quarter"), judge.sent())
    assert eventually(judge.in_step, 30), (judge.held("half"), judge.sent())
    assert stage.server.run(lambda gateway, _: gateway.faults.standing()) == [], "every fault struck"
    for name in MIRRORS:
        assert judge.traded(name) == judge.wanted(name)
    assert accepted_once(judge.sent())
    assert len([row for row in judge.sent() if row.account == "quarter"]) == len(ORDERS), "found, not sent again"
    assert all(stranger.untouched for stranger in strangers)
    assert judge.touched("main") == []
    assert judge.limits() == (0, 0)
    assert daemon.poll() is None


@pytest.mark.proves("A53", "A54")
def test_streams_that_are_refused_cut_or_lying_change_neither_the_end_nor_the_orders(stage: Stage) -> None:
    judge = Judge(stage)
    stage.start_daemon()
    stranger = judge.stranger("half")

    def trade(side: str, qty: str) -> None:
        stage.order("main", side, qty, reduceOnly=side == "Sell", **({"stopLoss": "55000"} if side == "Buy" else {}))
        assert eventually(judge.in_step, 10), (qty, judge.held("half"), judge.held("quarter"))

    def listening() -> bool:
        return all(stage.server.subscribed(name) == len(TOPICS) for name in UIDS)

    trade("Buy", "0.04")
    for how, name in (("stream-reset", "main"), ("stream-close", "half")):
        fault(stage, "stream-refuse", name, count=2)
        fault(stage, how, name)
        assert eventually(lambda: not listening())
        trade("Buy", "0.04")  # nobody pushes it; the next relist by time is 20 s away
        assert eventually(listening)

    def told() -> set[str]:
        return set(re.findall(r"(\w+): stream is back after [\d.]+ s blind", (stage.home / "stderr-0").read_text()))

    assert eventually(lambda: told() == {"main", "half"}), told()
    for kind in ("push-double", "push-reorder", "push-stale"):
        fault(stage, kind, count=9)
    trade("Sell", "0.04")
    for name in MIRRORS:
        fault(stage, "push-drop", name, count=3)
        fault(stage, "double-filled", name)
    trade("Buy", "0.02")
    trade("Sell", "0.02")
    for name, ratio in (("half", 2), ("quarter", 4)):
        assert judge.traded(name)["BTCUSDT"] == Decimal("0.2") / ratio
    assert accepted_once(judge.sent())
    assert len(judge.sent()) == 12
    assert stranger.untouched
    assert judge.touched("main") == []


@pytest.mark.proves("A19", "A76")
def test_funding_adl_and_liquidation_are_followed_and_never_bought_back(stage: Stage) -> None:
    judge = Judge(stage)
    stage.start_daemon()
    buy_all(stage)
    assert eventually(judge.in_step)
    sent = len(judge.sent())
    for name in UIDS:  # only the execution tells of it: nothing else says how big the position is
        fault(stage, "push-drop", name, "position", count=1)
    fault(stage, "funding", symbol="BTCUSDT", rate="0.001")
    fault(stage, "adl", "main", symbol="ETHUSDT", qty="0.2")
    assert eventually(judge.in_step)
    assert judge.held("half")["ETHUSDT"] == Decimal("0.1")
    assert len(judge.sent()) == sent + 2, "funding is no trade"
    fault(stage, "liquidation", "quarter")
    assert eventually(lambda: judge.held("quarter") == {})
    stage.order("main", "Sell", "4", symbol="SOLUSDT")
    assert eventually(lambda: judge.in_step("half"))
    stage.order("main", "Sell", "0.01", reduceOnly=True)
    assert eventually(lambda: judge.in_step("half"))
    assert judge.held("quarter") == {}
    since = judge.sent()[sent + 2 :]
    assert [row.account for row in since if row.code == 0] == ["half", "half"]
    # quarter may hear of its end after main's exit: the cut it then sends meets a flat account, and can only reduce
    assert {row.code for row in since} <= {0, REDUCE_ONLY_NOT_POSSIBLE}


@pytest.mark.proves("A45", "A52")
def test_reads_that_lie_undo_nothing_and_a_clock_that_jumps_loses_no_order(stage: Stage) -> None:
    with stage.profile.open("a") as profile:
        profile.write("\n[daemon]\nrelist_s = 0.5\n")
    judge = Judge(stage)
    stage.start_daemon()
    buy_all(stage)
    assert eventually(judge.in_step)
    touched = [judge.touched(name) for name in UIDS]
    for kind, path in (("empty", "position/list"), ("truncate", "order/realtime"), ("hide", "execution/list")):
        fault(stage, kind, "", f"/v5/{path}", for_ms=2_000)
    fault(stage, "stale", "main", "/v5/position/list", for_ms=2_000)
    time.sleep(2)
    assert judge.in_step()
    assert [judge.touched(name) for name in UIDS] == touched
    for skew_ms, qty in ((-4_000, "0.02"), (9_000, "0.04")):
        fault(stage, "clock-skew", ms=skew_ms)
        stage.order("main", "Buy", qty)
        assert eventually(judge.in_step), (skew_ms, judge.sent())
        stage.server.run(lambda gateway, _: gateway.calm())
    assert {row.code for row in judge.sent()} == {0}, "a request refused for its stamp never came to the books"
    assert [judge.traded(name)["BTCUSDT"] for name in MIRRORS] == [Decimal("0.04"), Decimal("0.02")]


@pytest.mark.proves("A51")
def test_a_narrow_bucket_slows_the_copy_down_and_doubles_nothing(stage: Stage) -> None:
    judge = Judge(stage)
    stage.start_daemon()
    fault(stage, "rate-limit", "", CREATE, limit=2)
    buy_all(stage)
    assert eventually(judge.in_step)
    for name in MIRRORS:
        assert judge.traded(name) == judge.wanted(name)
    assert accepted_once(judge.sent())
    assert {row.code for row in judge.sent()} <= {0, 10006}
    exceeded, bans = judge.limits()
    assert exceeded <= 8
    assert bans == 0
