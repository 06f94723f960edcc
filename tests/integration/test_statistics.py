"""`stats` and `history` beside a running daemon: their figures are those of the exchange's own rows."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from mirrorctl.core.engine.records import LEGS
from mirrorctl.core.paper.faults import Fault, FaultKind
from tests.integration.stage import UIDS, Stage, eventually

CLOSED, EXECUTIONS = "/v5/position/closed-pnl", "/v5/execution/list"
RATIOS = {"half": Decimal("0.5"), "quarter": Decimal("0.25")}


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """An afternoon of trading with the daemon following: a trade won, one lost, a flip, and one that still stands."""
    opened = Stage.open(Path(tmp_path_factory.mktemp("statistics")))
    try:
        opened.start_daemon()
        for price, side, qty in (
            ("60000", "Buy", "0.1"),
            ("60600", "Sell", "0.04"),
            ("60900", "Sell", "0.06"),
            ("60900", "Sell", "0.2"),
            ("61500", "Buy", "0.2"),
            ("61500", "Buy", "0.1"),
            ("61700", "Sell", "0.3"),
            ("61600", "Buy", "0.2"),
            ("61600", "Buy", "0.04"),
        ):
            opened.server.set_price("BTCUSDT", Decimal(price))
            opened.order("main", side, qty)
            assert eventually(lambda: all(opened.size(n) == opened.size("main") * r for n, r in RATIOS.items()))
        opened.server.run(lambda gateway, now: gateway.exchange.fund("BTCUSDT", Decimal("0.0001"), now))
        yield opened
    finally:
        opened.close()


@pytest.fixture(scope="module")
def document(stage: Stage) -> dict[str, Any]:
    return stage.json("stats")


def rows(stage: Stage, account: str, path: str) -> list[dict[str, Any]]:
    """Everything the exchange knows of an account's symbol, oldest first."""
    found: list[dict[str, Any]] = stage.call(account, "GET", path, category="linear", symbol="BTCUSDT", limit="100")[
        "list"
    ]
    return found[::-1]


def flats(trades: list[dict[str, Any]]) -> int:
    """How often the account came back to nothing or turned over, from its fills alone."""
    size, ended = Decimal(0), 0
    for row in trades:
        after = size + Decimal(row["execQty"]) * (1 if row["side"] == "Buy" else -1)
        ended += size != 0 and (after == 0 or (after > 0) != (size > 0))
        size = after
    return ended


def total(found: list[dict[str, Any]], field: str) -> Decimal:
    return sum((Decimal(row[field]) for row in found), Decimal(0))


@pytest.mark.proves("A68")
@pytest.mark.parametrize("account", UIDS)
def test_the_figures_are_those_of_the_exchanges_records(stage: Stage, document: dict[str, Any], account: str) -> None:
    assert [row["account"] for row in document["accounts"]] == list(UIDS)
    row = next(row for row in document["accounts"] if row["account"] == account)
    closed, executions = rows(stage, account, CLOSED), rows(stage, account, EXECUTIONS)
    trades = [execution for execution in executions if execution["execType"] == "Trade"]
    funding = [execution for execution in executions if execution["execType"] == "Funding"]
    assert len(closed) >= 5
    assert Decimal(row["net_pnl"]) == total(closed, "closedPnl")
    assert row["trades"] == flats(trades) == 4
    assert (row["wins"], row["losses"], row["standing"]) == (3, 1, 1)
    assert (row["win_rate"], row["cut"], row["unrecorded"]) == ("0.75", 0, 0)
    assert Decimal(row["fees"]) == total(trades, "execFee") > 0
    assert Decimal(row["funding"]) == -total(funding, "execFee") < 0
    won = Decimal(row["profit_factor"])
    assert 0 < won < 1, "the one loss weighs more than the three gains"


def test_mirrors_are_apart_and_measured_from_the_store(stage: Stage) -> None:
    document = stage.json("stats", "--account", "half")
    assert [row["account"] for row in document["accounts"]] == ["half"]
    [mirror] = document["mirrors"]
    assert mirror["account"] == "half"
    assert mirror["copies"] >= 9
    latency, slippage = mirror["latency_ms"]["total"], mirror["slippage_bps"]
    assert 0 <= latency["p50"] <= latency["p95"] <= latency["p99"]
    assert Decimal(slippage["p50"]) <= Decimal(slippage["p95"])
    assert stage.json("stats", "--account", "main")["mirrors"] == []


def test_the_way_of_a_copy_is_measured_leg_by_leg(stage: Stage) -> None:
    for mirror in stage.json("stats")["mirrors"]:
        spans = mirror["latency_ms"]
        assert list(spans) == [*LEGS, "total"]
        for leg in LEGS[:-1]:
            assert spans[leg]["p50"] is not None, leg
        assert 0 <= spans["frame_to_plan"]["p50"] <= spans["total"]["p99"]
        assert 0 < spans["send_to_ack"]["p50"] < 5_000


def test_status_shows_the_same_legs_of_the_newest_copies(stage: Stage) -> None:
    """By the daemon's own answer: fewer than sixty were made, so they are all that `stats` knows."""
    measured = {row["account"]: (row["copies"], row["latency_ms"]) for row in stage.json("stats")["mirrors"]}
    found = stage.json("status")["latency"]
    assert {row["account"]: (row["copies"], row["latency_ms"]) for row in found} == measured


@pytest.mark.proves("A68")
def test_every_cycle_is_compared_with_mains_and_its_parts_sum_to_the_error(
    stage: Stage, document: dict[str, Any]
) -> None:
    """Twice: what main's records come to by the ratio, and what the mirror's own do."""
    main_net = {row["opened_at"]: row for row in document["mirrors"][0]["fidelity"]["per_cycle"]}
    for mirror in document["mirrors"]:
        name, found = mirror["account"], mirror["fidelity"]
        assert (found["cycles"], found["unmeasured"]) == (4, 0)
        closed = rows(stage, name, CLOSED)
        standing = [row for row in closed if row["createdTime"] >= last_open(stage, name)]
        assert Decimal(found["net_pnl"]) == total(closed, "closedPnl") - total(standing, "closedPnl")
        assert sum(Decimal(amount) for amount in found["parts"].values()) == Decimal(found["tracking_error"])
        for cycle in found["per_cycle"]:
            assert Decimal(cycle["ratio"]) == RATIOS[name]
            assert Decimal(cycle["main_pnl"]) == Decimal(main_net[cycle["opened_at"]]["main_pnl"])
            assert Decimal(cycle["ideal_pnl"]) == Decimal(cycle["main_pnl"]) * RATIOS[name]
            assert abs(Decimal(cycle["parts"]["rest"])) < Decimal("0.001"), "nothing of it is unexplained"
            assert {cycle["parts"][part] for part in ("held", "rejection", "own_exit")} == {"0"}


def last_open(stage: Stage, account: str) -> str:
    """When the position that stands was opened, as the exchange's rows say."""
    size, opened = Decimal(0), ""
    for row in rows(stage, account, EXECUTIONS):
        if row["execType"] != "Trade":
            continue
        after = size + Decimal(row["execQty"]) * (1 if row["side"] == "Buy" else -1)
        opened = row["execTime"] if after and (size == 0 or (after > 0) != (size > 0)) else opened
        size = after
    return opened


@pytest.mark.proves("A68")
def test_a_report_shows_the_same_figures_and_only_its_owner_may_read_it(
    stage: Stage, document: dict[str, Any], tmp_path: Path
) -> None:
    file = tmp_path / "report.html"
    done = stage.run("report", "--html", str(file))
    assert (done.returncode, done.stderr) == (0, "")
    again = stage.json("report", "--html", str(file), "--days", "30")
    assert (again["file"], again["bytes"]) == (str(file), file.stat().st_size)
    assert [row["account"] for row in again["accounts"]] == list(UIDS)
    assert file.stat().st_mode & 0o777 == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == ["report.html"], "no draft is left"
    text = file.read_text()
    for row in document["accounts"]:
        assert f"{Decimal(row['net_pnl']).quantize(Decimal('0.01')):+,f}" in text
    for mirror in document["mirrors"]:
        assert f"<h2>How {mirror['account']} followed</h2>" in text
        assert f"{mirror['fidelity']['cycles']} cycles: it brought" in text
    assert "copied:" in text, "alerts"


def test_people_see_the_same(stage: Stage) -> None:
    done = stage.run("stats", "--days", "1")
    assert done.returncode == 0
    main = next(line.split() for line in done.stdout.splitlines() if line.startswith("main"))
    assert main[:5] == ["main", "4", "3", "1", "75.0%"]


def test_an_account_that_cannot_be_read_is_unknown_and_the_others_are_told(stage: Stage) -> None:
    fault = Fault(FaultKind.RET_CODE, "quarter", CLOSED, None, {"code": 10005, "message": "permission denied"})
    number = stage.server.run(lambda gateway, _now: gateway.faults.add(fault))
    try:
        done = stage.run("stats", "--json")
        assert done.returncode == 5
        found = stage.json("stats")["accounts"]
        assert [row["trades"] for row in found] == [4, 4, None]
        assert {found[2][name] for name in ("wins", "losses", "win_rate", "profit_factor", "fees", "net_pnl")} == {None}
        assert found[2]["error"]
        alone = stage.run("stats", "--account", "quarter", "--json")
        assert alone.returncode == 4
        assert '"exit_code": 4' in alone.stdout
        file = stage.home / "partly.html"
        assert stage.run("report", "--html", str(file)).returncode == 5
        assert "quarter could not be read: " in file.read_text()
        assert "not compared: main, this mirror or the store could not be read" in file.read_text()
    finally:
        stage.server.run(lambda gateway, _now: gateway.faults.clear(number))


def test_history_tells_what_was_sent_and_why(stage: Stage) -> None:
    document = stage.json("history")
    journal = document["journal"]
    assert [row["id"] for row in journal] == sorted(row["id"] for row in journal)
    placed = [row for row in journal if row["action"] in ("place", "close")]
    assert {row["account"] for row in placed} == {"half", "quarter"}
    assert all(row["reason"] and row["state"] == "done" and row["at"].endswith("Z") for row in placed)
    assert {row["filled"] == row["qty"] for row in placed} == {True}
    assert {row["action"] for row in placed if row["side"] == "buy"} == {"place", "close"}
    assert [(row["symbol"], row["side"]) for row in document["cycles"]] == [
        ("BTCUSDT", side) for side in ("long", "short", "long", "short")
    ]
    few = stage.json("history", "--account", "half", "--limit", "3")["journal"]
    assert few == [row for row in journal if row["account"] == "half"][-3:]
    assert stage.json("history", "--symbol", "ethusdt")["journal"] == []
    shown = stage.run("history", "--limit", "2").stdout
    assert journal[-1]["reason"].split()[0] in shown
