"""`status` without a daemon: what only the store could tell is unknown where there is no store."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from mirrorctl.commands.reading import Reading
from mirrorctl.commands.session import Session
from mirrorctl.commands.status import without_daemon
from mirrorctl.commands.terminal import Terminal
from mirrorctl.core.domain.account import Position
from mirrorctl.core.domain.cycle import Cycle
from mirrorctl.core.domain.values import PositionSide
from mirrorctl.core.profile.catalogue import find_home
from mirrorctl.core.store.sqlite import SqliteStore

HELD = Position("BTCUSDT", 0, PositionSide.LONG, Decimal(1), 1, 1)


@pytest.mark.parametrize(
    ("rows", "stored", "count"), [((), False, 0), ((HELD,), False, None), ((HELD,), True, 1), ((), True, 0)]
)
def test_positions_that_no_store_knows_are_not_counted_as_none(
    tmp_path: Path, rows: tuple[Position, ...], stored: bool, count: int | None
) -> None:
    session = Session(Terminal(as_json=True), find_home({"MIRRORCTL_HOME": str(tmp_path)}), "paper", {})
    path = session.home.store_path("paper")
    path.parent.mkdir(parents=True)
    if stored:
        with SqliteStore(path) as store:
            store.save_cycle(Cycle("BTCUSDT", PositionSide.LONG, "tradeaa", "order", 1, True))
    document = without_daemon(session, [Reading("main", rows), Reading("mirror", ())])
    assert document["monitors"] == {"total": count, "main": count, "mirror": 0}
