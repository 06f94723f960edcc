"""The live dashboard with documents made by hand, as a program for the tests that drive it in a terminal.

Every pause and resume appends a line to the file that is named first; a second argument
makes every reading a bug ("broken"), an error ("unread") or endless ("hang").
"""

from __future__ import annotations

import itertools
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path

from rich.console import Console

from mirrorctl.commands.dashboard_live import show
from mirrorctl.core.domain.errors import Unavailable
from tests.cli import dashboard_documents as documents

_EVERY_S = 0.4


def main() -> int:
    log, fault = Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else ""
    readings = itertools.count(1)
    paused: list[documents.Document] = []

    def read(max_age_s: Decimal) -> documents.Document:
        count = next(readings)
        if fault == "broken":
            raise ZeroDivisionError("a bug")
        if fault == "hang":
            with ThreadPoolExecutor() as pool:  # as accounts are read: its threads hold up the end of a process
                pool.submit(time.sleep, 30).result()
        if fault == "unread":
            raise Unavailable("nobody answers", "")
        document = documents.trouble()
        note = f"reading {count} asked for {max_age_s} s"
        return {**document, "notes": [note], "pauses": list(paused)}

    def hold(name: str, account: str | None) -> list[str]:
        with log.open("a") as file:
            file.write(f"{name} {account}\n")
        pause = {
            "kind": "pause",
            "account": account,
            "symbol": None,
            "reason": "by the trader",
            "since": documents.ago(0),
        }
        paused[:] = [pause] if name == "pause" else []
        return [f"{name} is done"]

    console = Console(highlight=False, markup=False, emoji=False)
    return show(console, {**documents.trouble(), "pauses": []}, read, hold, _EVERY_S)


if __name__ == "__main__":
    sys.exit(main())
