"""The preview of a trade exactly as people see it, at 100 columns without colour."""

from __future__ import annotations

from typing import Any

import pytest

from mirrorctl.commands import trade_tables
from mirrorctl.commands.terminal import Terminal


def row(account: str, entries: list[str], targets: list[tuple[str, int | None]], **more: Any) -> dict[str, Any]:
    prices = (("market", "60000.1"), ("limit", "59000"), ("limit", "58000"))
    rungs = (("62000", "85"), ("63000", "5"), ("64000", "5"), ("65000", "5"))
    return {
        "account": account,
        "state": "known",
        "error": None,
        "approach": "conservative",
        "entries": [
            {"type": kind, "price": price, "qty": qty, "notional": "1"}
            for (kind, price), qty in zip(prices, entries, strict=False)
        ],
        "targets": [
            {"leg": leg, "price": price, "percent": percent, "qty": qty, "joined": joined}
            for leg, ((price, percent), (qty, joined)) in enumerate(zip(rungs, targets, strict=False), 1)
        ],
        "stop": "57000",
        "leverage": "5",
        "entry_price": "59000",
        "held": None,
        **more,
    }


MAIN = row(
    "main",
    ["0.008"] * 3,
    [("0.02", None), ("0.001", None), ("0.001", None), ("0.002", None)],
    qty_after="0.024",
    notional="1416",
    margin="283.2",
    loss_at_stop="48",
    loss_percent="0.48",
    reward_risk="1.69",
)
MIRROR = row(
    "mirror",
    ["0.004"] * 3,
    [("0.01", None), ("0", 1), ("0.001", None), ("0.001", None)],
    qty_after="0.012",
    notional="708",
    margin="141.6",
    loss_at_stop="24",
    loss_percent=None,
    reward_risk="1.71",
)
PAUSED = row(
    "second",
    [],
    [],
    qty_after="0",
    notional="0",
    margin="0",
    entry_price=None,
    loss_at_stop=None,
    loss_percent=None,
    reward_risk=None,
    held="paused: by the trader",
)
AWAY = {"account": "away", "state": "unknown", "error": "no connection"}


PREVIEW = """\
                    price   percent    main   mirror   second
─────────────────────────────────────────────────────────────
entry    market   60000.1         -   0.008    0.004        0
entry    limit      59000         -   0.008    0.004        0
entry    limit      58000         -   0.008    0.004        0
target   1          62000        85    0.02     0.01        -
target   2          63000         5   0.001   with 1        -
target   3          64000         5   0.001    0.001        -
target   4          65000         5   0.002    0.001        -
account   order value   margin   lev     qty   average    stop    risk    risk %    R:R
───────────────────────────────────────────────────────────────────────────────────────
main         1,416.00   283.20     5   0.024     59000   57000   48.00     0.48%   1.69
mirror         708.00   141.60     5   0.012     59000   57000   24.00   unknown   1.71
second           0.00     0.00     5       0         -   57000       -         -      -
second: does not follow: paused: by the trader
away: unknown: no connection"""
PLAIN = """\
                   price   percent   main
─────────────────────────────────────────
entry   market   60000.1         -    0.1
account   order value     margin       lev   qty   average   stop   risk   risk %   R:R
───────────────────────────────────────────────────────────────────────────────────────
main         6,000.01   1,200.00   unknown   0.1     59000   none      -        -     -
no stop: nothing ends this position when the price goes against it"""


@pytest.fixture(autouse=True)
def plain_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "100")


def printed(rows: list[dict[str, Any]], capsys: pytest.CaptureFixture[str]) -> str:
    Terminal().show(trade_tables.preview(rows))
    return "\n".join(line.rstrip() for line in capsys.readouterr().out.splitlines())


def test_a_preview(capsys: pytest.CaptureFixture[str]) -> None:
    assert printed([MAIN, MIRROR, PAUSED, AWAY], capsys) == PREVIEW


def test_a_ladder_of_its_own_is_shown_at_its_own_prices(capsys: pytest.CaptureFixture[str]) -> None:
    """Main's one target, and what a mirror makes of the way to it; main has no second."""
    main = {**MAIN, "targets": MAIN["targets"][:1]}
    own = [{**MIRROR["targets"][0], "price": "61000.1"}, {**MIRROR["targets"][3], "leg": 2, "price": "62000"}]
    lines = printed([main, {**MIRROR, "targets": own}], capsys).splitlines()
    assert [line.split() for line in lines if line.startswith("target")] == [
        ["target", "1", "62000", "85", "0.02", "0.01", "at", "61000.1"],
        ["target", "2", "-", "-", "-", "0.001", "at", "62000"],
    ]


def test_a_plain_trade_has_no_targets_and_no_stop(capsys: pytest.CaptureFixture[str]) -> None:
    bare = {**row("main", ["0.1"], []), "stop": None, "qty_after": "0.1", "notional": "6000.01", "margin": "1200"}
    bare |= {"loss_at_stop": None, "loss_percent": None, "reward_risk": None, "leverage": None}
    assert printed([bare], capsys) == PLAIN


def test_what_came_out_otherwise_is_told() -> None:
    result = {
        "refused": [{"entry": 2, "price": None, "qty": "0.1", "reason": "too small a balance"}],
        "managed": True,
        "standing": False,
        "entries_kept": [{"order_id": "x1", "reason": "it lies beyond the stop 58500"}],
    }
    assert [line.plain for line in trade_tables.notes(result)] == [
        "refused: entry 2 of 0.1 at market: too small a balance",
        "this position was opened elsewhere: from now on mirrorctl manages it",
        "the targets do not all stand yet: `mirrorctl orders` shows what does",
        "entry x1 keeps the stop it carries: it lies beyond the stop 58500",
    ]
    assert trade_tables.notes({"placed": "1"}) == []
