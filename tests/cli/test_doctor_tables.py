"""What `doctor` shows, exactly: at 120 columns, and at 80, where sentences fold and no figure is broken."""

from __future__ import annotations

from typing import Any

import pytest

from mirrorctl.commands import doctor_tables
from tests.cli.test_tables import printed


def check(account: str | None, name: str, state: str, text: str, hint: str | None = None) -> dict[str, Any]:
    severity = {"warning": "warning", "error": "critical"}.get(state, "info")
    return {"check": name, "state": state, "severity": severity, "account": account, "text": text, "hint": hint}


DOCUMENT: dict[str, Any] = {
    "healthy": False,
    "checks": [
        check("main", "keys", "ok", "the exchange takes them"),
        check("main", "uid", "ok", "84005692, as pinned"),
        check("mirror", "keys", "ok", "the exchange takes them"),
        check("mirror", "expiry", "error", "its key expires in 2 days", "renew it, or bind it to an address"),
        check(
            "mirror",
            "leverage",
            "warning",
            "BTCUSDT has 10x, wanted is 5x",
            "it is set before the next entry; until then margin and liquidation price differ from main's",
        ),
        check("third", "keys", "error", "cannot be read: no answer in time", "check its keys and the network"),
        check(None, "daemon", "note", "none runs: nothing is followed until `mirrorctl run`"),
        check(None, "disk", "ok", "81.7 GB are left on the disk of /var/lib/mirrorctl"),
    ],
    "mirrors": [
        {
            "account": "mirror",
            "symbols": [
                {
                    "symbol": "BTCUSDT",
                    "mirror_symbol": "BTCUSDT",
                    "ratio": "0.25",
                    "formula": "proportion: r = 0.25",
                    "smallest_main_qty": "0.004",
                    "main_qty": "0.015",
                    "copied_qty": "0.003",
                    "rounding_pct": "20",
                    "leverage": "10",
                    "approaches": [
                        {
                            "approach": "conservative",
                            "joined_targets": [2, 3],
                            "small_entries": True,
                            "whole_from": "0.08",
                            "requests": 9,
                            "seconds": "0.7",
                            "ip_pct": "3",
                        }
                    ],
                    "notes": [{"severity": "warning", "text": "rounding leaves out 20% of what the ratio asks for"}],
                },
                {
                    "symbol": "PEPEUSDT",
                    "mirror_symbol": "1000PEPEUSDT",
                    "ratio": None,
                    "formula": "waits for main's order",
                    "smallest_main_qty": None,
                    "main_qty": "0",
                    "copied_qty": None,
                    "rounding_pct": None,
                    "leverage": None,
                    "approaches": [],
                    "notes": [],
                },
            ],
        },
        {"account": "other", "symbols": []},
    ],
}
WIDE = """
account   check      state     found
────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
main      keys       ok        the exchange takes them
          uid        ok        84005692, as pinned
mirror    keys       ok        the exchange takes them
          expiry     error     its key expires in 2 days
                               → renew it, or bind it to an address
          leverage   warning   BTCUSDT has 10x, wanted is 5x
                               → it is set before the next entry; until then margin and liquidation price differ from
                               main's
third     keys       error     cannot be read: no answer in time
                               → check its keys and the network
machine   daemon     note      none runs: nothing is followed until `mirrorctl run`
          disk       ok        81.7 GB are left on the disk of /var/lib/mirrorctl

what mirror copies
symbol                      main ≥   main now   copied   rounding   lev   sizing
────────────────────────────────────────────────────────────────────────────────────────────────
BTCUSDT                      0.004      0.015    0.003        20%    10   proportion: r = 0.25
PEPEUSDT as 1000PEPEUSDT   unknown          0        -          -     -   waits for main's order
symbol    approach       targets now                      each from   requests   seconds   of the address
─────────────────────────────────────────────────────────────────────────────────────────────────────────
BTCUSDT   conservative   2, 3 joined; entries too small        0.08          9       0.7               3%
warning: BTCUSDT: rounding leaves out 20% of what the ratio asks for

what other copies
main holds, orders and lately traded nothing: name a SYMBOL

not healthy: 2 errors, 2 warnings
"""
NARROW = """
account   check      state     found
────────────────────────────────────────────────────────────────────────────────
main      keys       ok        the exchange takes them
          uid        ok        84005692, as pinned
mirror    keys       ok        the exchange takes them
          expiry     error     its key expires in 2 days
                               → renew it, or bind it to an address
          leverage   warning   BTCUSDT has 10x, wanted is 5x
                               → it is set before the next entry; until then
                               margin and liquidation price differ from main's
third     keys       error     cannot be read: no answer in time
                               → check its keys and the network
machine   daemon     note      none runs: nothing is followed until `mirrorctl
                               run`
          disk       ok        81.7 GB are left on the disk of
                               /var/lib/mirrorctl

what mirror copies
symbol BTCUSDT  main ≥ 0.004  main now 0.015  copied 0.003  rounding 20%  lev 10
  sizing proportion: r = 0.25
symbol PEPEUSDT as 1000PEPEUSDT  main ≥ unknown  main now 0  copied -
  rounding -  lev -  sizing waits for main's order
symbol BTCUSDT  approach conservative
  targets now 2, 3 joined; entries too small  each from 0.08  requests 9
  seconds 0.7  of the address 3%
warning: BTCUSDT: rounding leaves out 20% of what the ratio asks for

what other copies
main holds, orders and lately traded nothing: name a SYMBOL

not healthy: 2 errors, 2 warnings
"""


@pytest.mark.parametrize(("columns", "seen"), [("120", WIDE), ("80", NARROW)])
def test_what_people_see(
    columns: str, seen: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", columns)
    shown = printed(doctor_tables.doctor(DOCUMENT), capsys)
    assert shown == seen.strip("\n")
    assert max(map(len, shown.splitlines())) <= int(columns)


def test_a_healthy_profile_says_so(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    document = {"healthy": True, "checks": [check("main", "keys", "ok", "the exchange takes them")], "mirrors": []}
    assert printed(doctor_tables.doctor(document), capsys).splitlines()[-1] == "healthy: nothing found"
