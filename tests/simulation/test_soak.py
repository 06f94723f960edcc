"""Memory and store stay bounded however long the daemon trades: the soak of `make soak`, made small.

Every bound of the engine and of the store is lowered to what some dozens of trades reach, so that whatever has none
shows: it still grows at the end.
"""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from mirrorctl.core.domain import fills, view
from mirrorctl.core.engine import brake, changes, closed_positions, entry_fees, filled_orders, measure
from mirrorctl.core.store.retention import Retention
from tools.soak import Soak

SMALL = Retention(rows_of_journal=250, alerts=60, rows=20, samples=60, step=200, slack=50)
BOUNDS = (
    (view, "_CLOSED_KEPT"),
    (view, "_SEEN_KEPT"),
    (fills, "_KEPT"),
    (filled_orders, "_TOLD_KEPT"),
    (entry_fees, "_KEPT"),
    (entry_fees, "_RECENT"),
    (closed_positions, "_TRAIL_KEPT"),
    (changes, "_KEPT"),
    (measure, "_KEPT"),
    (brake, "_KEPT"),
)


def test_memory_and_store_reach_a_plateau(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module, bound in BOUNDS:
        monkeypatch.setattr(module, bound, 12)
    soak = Soak(tmp_path, seed=1, symbols=3, retention=SMALL, tick_s=Decimal(60), relist_s=Decimal(600))
    soaked = soak.run(hours=5, trades=48, samples=24)
    assert soaked.orders > 400
    assert soaked.restarts == 1
    assert (soaked.in_step, soaked.journal_intact) == (True, True)
    assert soaked.grew() == {}
    last = soaked.samples[-1]
    assert last.journal_rows <= SMALL.rows_of_journal + SMALL.slack + SMALL.step
    assert last.alerts <= SMALL.alerts
