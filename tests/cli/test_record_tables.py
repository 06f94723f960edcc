"""Statistics and history as people see them, at 100 columns without colour, in their own time zone."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from rich.console import RenderableType

from mirrorctl.commands import record_tables
from mirrorctl.commands.terminal import Terminal

AT = "2026-01-02T03:04:05.678Z"
NOTHING = dict.fromkeys(("p50", "p95", "p99"))


pytestmark = pytest.mark.usefixtures("berlin")


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("NO_COLOR", "1")


def printed(what: RenderableType, capsys: pytest.CaptureFixture[str]) -> str:
    Terminal().show(what)
    return "\n".join(line.rstrip() for line in capsys.readouterr().out.splitlines())


def account(name: str, **figures: Any) -> dict[str, Any]:
    known: dict[str, Any] = {
        "trades": 12,
        "wins": 7,
        "losses": 4,
        "win_rate": Decimal("0.6364"),
        "profit_factor": Decimal("310.944"),
        "fees": Decimal("1234.5"),
        "funding": Decimal("-3.251"),
        "net_pnl": Decimal("1840.009"),
        "standing": 1,
        "cut": 0,
        "unrecorded": 0,
    }
    return {"account": name, "error": None, **known, **figures}


def test_stats(capsys: pytest.CaptureFixture[str]) -> None:
    none = dict.fromkeys(("win_rate", "profit_factor"))
    few = {
        **none,
        "trades": 0,
        "wins": 0,
        "losses": 0,
        "fees": Decimal(0),
        "funding": Decimal(0),
        "net_pnl": Decimal(0),
    }
    document = {
        "since": AT,
        "days": 30,
        "accounts": [
            account("main", cut=2, unrecorded=1),
            account("mirror", **few, standing=0),
            account("second", trades=None, error="no connection: refused or unreachable"),
        ],
        "mirrors": [
            {
                "account": "mirror",
                "copies": 53,
                "latency_ms": {"total": {"p50": 12, "p95": 41, "p99": 350}},
                "slippage_bps": {"p50": Decimal("0.33"), "p95": Decimal("-4.1")},
                "naked_ms_max": 87,
            },
            {
                "account": "second",
                "copies": 0,
                "latency_ms": {"total": NOTHING},
                "slippage_bps": NOTHING,
                "naked_ms_max": None,
            },
            {
                "account": "third",
                "copies": None,
                "latency_ms": {"total": NOTHING},
                "slippage_bps": NOTHING,
                "naked_ms_max": None,
            },
        ],
    }
    assert printed(record_tables.stats(document), capsys) == GOLDEN_STATS.strip("\n")


def sent(action: str, **more: Any) -> dict[str, Any]:
    row: dict[str, Any] = {
        "at": AT,
        "account": "mirror",
        "action": action,
        "symbol": "BTCUSDT",
        "side": None,
        "qty": None,
        "price": None,
        "reason": "as on main",
        "state": "done",
        "filled": Decimal(0),
        "message": "",
    }
    return {**row, **more}


def ended(**more: Any) -> dict[str, Any]:
    row: dict[str, Any] = {
        "account": "main",
        "symbol": "BTCUSDT",
        "side": "long",
        "approach": "conservative",
        "reason": "stop",
        "opened_at": AT,
        "closed_at": "2026-07-02T03:04:06.000Z",
        "late": False,
    }
    return {**row, **more}


def test_history(capsys: pytest.CaptureFixture[str]) -> None:
    document = {
        "journal": [
            sent("set-leverage", qty="5"),
            sent("place", side="buy", qty="0.041", reason="grow to 0.041", filled=Decimal("0.041")),
            sent("place", side="buy", qty="0.041", price="59000", state="live", filled=Decimal("0.02")),
            sent("set-stop", price="57000", sets={"stop": "57000"}),
            sent("set-stop", sets={"trailing": "500"}),
            sent("amend", price="58000", state="rejected", message="the order does not exist (110001)"),
        ],
        "trades": [ended(), ended(account="mirror", opened_at=None, late=True, approach=None, reason="unknown")],
        "cycles": [],
    }
    assert printed(record_tables.history(document), capsys) == GOLDEN_HISTORY.strip("\n")


def test_a_history_of_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    document: dict[str, Any] = {"journal": [], "trades": [], "cycles": []}
    assert printed(record_tables.history(document), capsys) == "nothing yet"


GOLDEN_STATS = """
since 2026-01-02 04:04:05 CET
account   trades   wins   losses   win rate   profit factor       fees   funding     net pnl   open
───────────────────────────────────────────────────────────────────────────────────────────────────
main          12      7        4      63.6%          310.94   1,234.50     -3.25   +1,840.01      1
mirror         0      0        0        n/a             n/a       0.00      0.00        0.00      0
main: 2 began before that; what they brought earlier is left out
main: 1 not counted: the exchange has no record of the result yet
second: unknown: no connection: refused or unreachable
mirror    copies   ms p50   p95   p99   slippage bps p50    p95   longest naked ms
──────────────────────────────────────────────────────────────────────────────────
mirror        53       12    41   350               0.33   -4.1                 87
second         0      n/a   n/a   n/a                n/a    n/a                n/a
third    unknown      n/a   n/a   n/a                n/a    n/a                n/a
"""
GOLDEN_HISTORY = """
time CET       account action       symbol  side   qty        price state    why
────────────────────────────────────────────────────────────────────────────────────────────────────
01-02 04:04:05 mirror  set-leverage BTCUSDT -       5x            - done     as on main
01-02 04:04:05 mirror  place        BTCUSDT buy  0.041       market done     grow to 0.041
01-02 04:04:05 mirror  place        BTCUSDT buy  0.041        59000 live     as on main; 0.02 filled
01-02 04:04:05 mirror  set-stop     BTCUSDT -        -        57000 done     as on main
01-02 04:04:05 mirror  set-stop     BTCUSDT -        - trailing 500 done     as on main
01-02 04:04:05 mirror  amend        BTCUSDT -        -        58000 rejected as on main; the order
                                                                             does not exist (110001)
closed CEST          account  symbol   side  opened CET           approach      reason
────────────────────────────────────────────────────────────────────────────────────────────────────
2026-07-02 05:04:06  main     BTCUSDT  long  2026-01-02 04:04:05  conservative  stop
2026-07-02 05:04:06  mirror   BTCUSDT  long  unknown              -             unknown, while no
                                                                                daemon watched
"""
