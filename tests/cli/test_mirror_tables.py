"""How well the mirrors copied as people see it: legs and fidelity, at 100 and at 80 columns without colour."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from rich.console import Group

from mirrorctl.commands import mirror_tables
from mirrorctl.commands.terminal import Terminal
from mirrorctl.core.domain.fidelity import Part
from mirrorctl.core.engine.records import LEGS

NOTHING = dict.fromkeys(("p50", "p95", "p99"))


def mirror(name: str, **more: Any) -> dict[str, Any]:
    spans = {leg: {"p50": at * 7 - 3, "p95": at * 9, "p99": at * 40} for at, leg in enumerate((*LEGS, "total"))}
    parts = dict(zip(Part, map(Decimal, ("-1.104", "-0.3", "-20", "0", "0.025", "-1025.5", "0")), strict=True))
    row = {
        "account": name,
        "copies": 53,
        "latency_ms": spans,
        "slippage_bps": {"p50": Decimal("0.33"), "p95": Decimal("-4.1")},
        "naked_ms_max": 87,
        "fidelity": {
            "cycles": 12,
            "unmeasured": 0,
            "ideal_pnl": Decimal("1840.009"),
            "net_pnl": Decimal("793.13"),
            "tracking_error": sum(parts.values()),
            "parts": {part.value: amount for part, amount in parts.items()},
        },
    }
    return {**row, **more}


def printed(columns: int, *rows: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> str:
    Terminal().show(Group(*mirror_tables.mirrors(rows)))
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert max(map(len, lines)) <= columns
    return "\n".join(lines)


@pytest.mark.parametrize("columns", [80, 100])
def test_legs_and_fidelity(columns: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("NO_COLOR", "1")
    young = mirror("young", latency_ms=dict.fromkeys((*LEGS, "total"), NOTHING), copies=0)
    young["fidelity"] = {**young["fidelity"], "cycles": 0, "unmeasured": 2}
    shown = printed(columns, mirror("half"), young, mirror("away", fidelity=None), capsys=capsys)
    assert shown == GOLDEN[columns].strip("\n")


def test_a_leg_below_zero_is_explained_under_the_table(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    row = mirror("half")
    said = "answer to fill below 0: the order had filled before its answer came in"
    assert said not in printed(80, row, capsys=capsys)
    spans = {**row["latency_ms"], "ack_to_fill": {"p50": -11, "p95": 4, "p99": 9}}
    assert said in printed(80, {**row, "latency_ms": spans}, capsys=capsys)


GOLDEN = {
    80: """
mirror  copies  ms p50  p95  p99  slippage bps p50   p95  longest naked ms
──────────────────────────────────────────────────────────────────────────
half        53      32   45  200              0.33  -4.1                87
young        0     n/a  n/a  n/a              0.33  -4.1                87
away        53      32   45  200              0.33  -4.1                87
mirror   leg of a copy             ms p50   p95   p99
─────────────────────────────────────────────────────
half     main's fill to its news       -3     0     0
half     news to decision               4     9    40
half     decision to send              11    18    80
half     send to answer                18    27   120
half     answer to fill                25    36   160
half     all the way                   32    45   200
away     main's fill to its news       -3     0     0
away     news to decision               4     9    40
away     decision to send              11    18    80
away     send to answer                18    27   120
away     answer to fill                25    36   160
away     all the way                   32    45   200
mirror   cycles   main's pnl x ratio   net pnl   tracking error
───────────────────────────────────────────────────────────────
half         12            +1,840.01   +793.13        -1,046.88
error of   latency   rounding     held   rejection     fee    own exit   rest
─────────────────────────────────────────────────────────────────────────────
half         -1.10      -0.30   -20.00        0.00   +0.02   -1,025.50   0.00
young: 2 of main's cycles cannot be compared with it
""",
    100: """
mirror   copies   ms p50   p95   p99   slippage bps p50    p95   longest naked ms
─────────────────────────────────────────────────────────────────────────────────
half         53       32    45   200               0.33   -4.1                 87
young         0      n/a   n/a   n/a               0.33   -4.1                 87
away         53       32    45   200               0.33   -4.1                 87
mirror   leg of a copy             ms p50   p95   p99
─────────────────────────────────────────────────────
half     main's fill to its news       -3     0     0
half     news to decision               4     9    40
half     decision to send              11    18    80
half     send to answer                18    27   120
half     answer to fill                25    36   160
half     all the way                   32    45   200
away     main's fill to its news       -3     0     0
away     news to decision               4     9    40
away     decision to send              11    18    80
away     send to answer                18    27   120
away     answer to fill                25    36   160
away     all the way                   32    45   200
mirror   cycles   main's pnl x ratio   net pnl   tracking error
───────────────────────────────────────────────────────────────
half         12            +1,840.01   +793.13        -1,046.88
error of   latency   rounding     held   rejection     fee    own exit   rest
─────────────────────────────────────────────────────────────────────────────
half         -1.10      -0.30   -20.00        0.00   +0.02   -1,025.50   0.00
young: 2 of main's cycles cannot be compared with it
""",
}
