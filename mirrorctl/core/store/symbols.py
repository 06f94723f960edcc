"""Which contracts a store has seen, without opening it as a store: for what must answer at once and never fail."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

_SEEN = (
    "SELECT symbol FROM trade UNION SELECT symbol FROM cycle UNION SELECT symbol FROM ended_cycle "
    "UNION SELECT symbol FROM open_position UNION SELECT symbol FROM closed_position"
)
_WAIT_S = 0.1


def symbols_seen(path: Path) -> tuple[str, ...]:
    """Symbols with a trade, a cycle or a position, now or before; none where the file is missing or not readable."""
    if not path.is_file():
        return ()
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=_WAIT_S)) as store:
            return tuple(symbol for (symbol,) in store.execute(_SEEN))
    except sqlite3.Error:
        return ()
