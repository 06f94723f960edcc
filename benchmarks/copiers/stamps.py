"""Inside a measured process: when a fill of main passed each stage on its way to the order, without a profiler.

delivered (the frame is there) -> taken -> viewed -> planning -> planned -> handed (journaled, at
the writer) -> written
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from typing import Any

from mirrorctl.core.bybit.writer import AccountWriter
from mirrorctl.core.domain.actions import PlaceOrder
from mirrorctl.core.engine.engine import Engine
from mirrorctl.core.engine.loop import Loop

STAMPS = ("delivered", "taken", "viewed", "planning", "planned", "handed", "written")


class Stamps:
    """Notes the stages of every order. `rows`: ns of each of STAMPS; begins anew with `clear`."""

    def __init__(self) -> None:
        self.rows: list[tuple[int, ...]] = []
        self._at = dict.fromkeys(STAMPS, 0)
        self._around(Loop, "leave", before="delivered")
        self._around(Engine, "handle", before="taken", after="viewed")
        self._around(Engine, "plan_mirror", before="planning", after="planned")
        self._around(AccountWriter, "send", before="handed", after="written", then=self._order)

    def clear(self) -> None:
        """Forget what was noted."""
        self.rows.clear()

    def _order(self, *arguments: Any) -> None:
        """What was written was an order: its stages, unless one of them was of something that came later."""
        row = tuple(self._at[name] for name in STAMPS)
        if isinstance(arguments[-1], PlaceOrder) and list(row) == sorted(row):
            self.rows.append(row)

    def _around(
        self, owner: type, name: str, *, before: str, after: str = "", then: Callable[..., None] | None = None
    ) -> None:
        plain = getattr(owner, name)

        @functools.wraps(plain)
        def noted(*args: Any, **kwargs: Any) -> Any:
            self._at[before] = time.perf_counter_ns()
            found = plain(*args, **kwargs)
            if after:
                self._at[after] = time.perf_counter_ns()
            if then is not None:
                then(*args)
            return found

        setattr(owner, name, noted)
