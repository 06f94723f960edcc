"""What `monitors` prints, exactly, at 100 columns without colour."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from rich.console import RenderableType

from mirrorctl.commands import monitor_tables
from mirrorctl.commands.terminal import Terminal

MAIN: dict[str, Any] = {
    "account": "main",
    "symbol": "BTCUSDT",
    "side": "long",
    "label": "4711_BTCUSDT_conservative",
    "approach": "conservative",
    "phase": "profit-taking",
    "qty": "0.015",
    "want_qty": None,
    "stop": "60078.2",
    "stop_distance_pct": "1.53",
    "rungs_done": 1,
    "rungs_total": 2,
    "uncovered_pct": "0",
    "targets": [
        {"price": "61000", "percent": "85", "qty": "0", "done": True},
        {"price": "62000", "percent": "15", "qty": "0.015", "done": False},
    ],
    "entries": [],
    "managed": True,
    "covered": True,
}
MIRROR = {
    **MAIN,
    "account": "mirror",
    "label": "4711_BTCUSDT_conservative_mirror",
    "phase": "building",
    "qty": "0.007",
    "want_qty": "0.008",
    "stop": None,
    "stop_distance_pct": None,
    "rungs_done": 0,
    "targets": [
        {"price": "61000", "percent": "85", "qty": "0.007", "done": False},
        {"price": "62000", "percent": "15", "qty": "0", "done": False},
        {"price": "64000", "percent": None, "qty": "0.001", "done": False},
    ],
    "entries": [
        {"order_id": "a", "price": "59000", "qty": "0.01", "stop": "57000"},
        {"order_id": "b", "price": None, "qty": "0.02", "stop": None},
    ],
}
FOREIGN = {
    **MIRROR,
    "symbol": "ETHUSDT",
    "side": "short",
    "label": "4711_ETHUSDT_foreign_mirror",
    "approach": "foreign",
    "phase": "monitoring",
    "want_qty": None,
    "rungs_total": 0,
    "uncovered_pct": None,
    "targets": [],
    "entries": [],
    "managed": False,
    "covered": False,
}
WAITING = {**MAIN, "symbol": "XRPUSDT", "phase": "building", "qty": "0", "stop": None, "stop_distance_pct": None}


@pytest.fixture(autouse=True)
def plain_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "100")


def printed(parts: Iterable[RenderableType], capsys: pytest.CaptureFixture[str]) -> str:
    Terminal().show(*parts)
    return "\n".join(line.rstrip() for line in capsys.readouterr().out.splitlines())


def stop_cell(row: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> str:
    line = printed([monitor_tables.monitors({"monitors": [row], "unread": []})], capsys).splitlines()[2]
    return line.split()[8]


def test_before_there_is_a_position_the_stop_is_that_of_its_entries(capsys: pytest.CaptureFixture[str]) -> None:
    def entries(*stops: str | None) -> dict[str, Any]:
        rows = [
            {"order_id": str(number), "price": "59000", "qty": "0.01", "stop": each}
            for number, each in enumerate(stops)
        ]
        return {**WAITING, "entries": rows}

    assert stop_cell(entries("57000", "57000"), capsys) == "57000"
    assert stop_cell(entries("57000", "56000"), capsys) == "several"
    assert stop_cell(entries("57000", None), capsys) == "several"
    assert stop_cell(entries(None), capsys) == "none"


def test_list(capsys: pytest.CaptureFixture[str]) -> None:
    document = {"monitors": [MAIN, WAITING, MIRROR, FOREIGN], "unread": ["second"]}
    assert printed([monitor_tables.monitors(document)], capsys) == GOLDEN_LIST.strip("\n")


def test_show(capsys: pytest.CaptureFixture[str]) -> None:
    main = {**MAIN, "uncovered_pct": "12.5"}
    document = {"monitors": [main, MIRROR, FOREIGN], "unread": []}
    assert printed([monitor_tables.details(document, "BTCUSDT")], capsys) == GOLDEN_SHOW.strip("\n")


def test_add_and_remove(capsys: pytest.CaptureFixture[str]) -> None:
    added = {
        "added": True,
        "symbol": "BTCUSDT",
        "side": "long",
        "approach": "adopted",
        "stop": None,
        "targets": [{"price": "61000", "percent": "33.33"}, {"price": "62000", "percent": "50"}],
        "entries": [{"order_id": "a", "price": "59000", "qty": "0.01", "stop": None}],
        "missing": ["a stop for the whole position"],
        "beside": ["Partial stop of 0.4 at 59000"],
    }
    removed = {"removed": True, "symbol": "BTCUSDT", "side": "long", "stays": ["stop at 58000", "target of 1 at 61000"]}
    said = printed(
        [
            *monitor_tables.added(added),
            *monitor_tables.added({**added, "added": False}),
            *monitor_tables.removed(removed),
            *monitor_tables.removed({**removed, "stays": None}),
            *monitor_tables.removed({**removed, "stays": []}),
        ],
        capsys,
    )
    assert said == GOLDEN_ADD.strip("\n")


GOLDEN_LIST = """
account symbol  side  approach     phase           qty  want rests    stop to stop targets managed
──────────────────────────────────────────────────────────────────────────────────────────────────
main    BTCUSDT long  conservative profit-taking 0.015     -     - 60078.2   1.53%     1/2 yes
main    XRPUSDT long  conservative building          0     -     -    none       -     1/2 yes
mirror  BTCUSDT long  conservative building      0.007 0.008  0.03    none       -     0/2 yes
mirror  ETHUSDT short foreign      monitoring    0.007     -     -    none       -       - no
mirror ETHUSDT short: nothing stands for it; `mirrorctl status` shows why
not read, so not shown or not current: second
"""
GOLDEN_SHOW = """
main BTCUSDT long  profit-taking  4711_BTCUSDT_conservative
     qty   want      stop   to stop   targets done   managed
────────────────────────────────────────────────────────────
   0.015      -   60078.2     1.53%         1 of 2   yes
   target   percent   rests   state
───────────────────────────────────
    61000       85%       0   done
    62000       15%   0.015   rests
12.5% of the position has no target
mirror BTCUSDT long  building  4711_BTCUSDT_conservative_mirror
     qty    want   stop   to stop   targets done   managed
──────────────────────────────────────────────────────────
   0.007   0.008   none         -         0 of 2   yes
   target   percent   rests   state
────────────────────────────────────────
    61000       85%   0.007   rests
    62000       15%       0   not placed
    64000         -   0.001   rests
    entry    qty    stop
────────────────────────
    59000   0.01   57000
   market   0.02       -
mirror ETHUSDT short  monitoring  4711_ETHUSDT_foreign_mirror
     qty   want   stop   to stop   targets done   managed
─────────────────────────────────────────────────────────
   0.007      -   none         -              -   no
mirror ETHUSDT short: nothing stands for it; `mirrorctl status` shows why
"""
GOLDEN_ADD = """
main's BTCUSDT long is managed now: stop none, targets 61000 (33.33%), 62000 (50%)
missing: a stop for the whole position; nothing is made up for it
left as it is: Partial stop of 0.4 at 59000
left as it is: entry of 0.01 at 59000
main's BTCUSDT long is managed already (adopted)
main's BTCUSDT long is yours again: nothing is written for it any more
stays on main: stop at 58000, target of 1 at 61000
main's BTCUSDT long is yours again: nothing is written for it any more
its stop and its orders stay where they are
main's BTCUSDT long is yours again: nothing is written for it any more
"""
