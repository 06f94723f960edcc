"""Growth that follows later: what main has held for `delay_s` is ripe, what it added since is not yet.

The smallest size of the last `delay_s` is followed at once, so an entry that main takes back within the delay never
reaches the mirror. Reductions, stops, targets and closes are never delayed (A12).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from mirrorctl.core.domain.account import Order
from mirrorctl.core.domain.cycle import Copy
from mirrorctl.core.domain.instruments import ZERO, plain
from mirrorctl.core.domain.scene import Ripening, Scene, SymbolPlan

Level = tuple[int, Decimal]


@dataclass(frozen=True, slots=True)
class SizeHistory:
    """Since when a position was at least so large: (since_ms, size), both rising. Empty: it is flat.

    The smallest size of a time is the largest level that stood when it began.
    """

    levels: tuple[Level, ...] = ()

    @property
    def size(self) -> Decimal:
        """The size it has now."""
        return self.levels[-1][1] if self.levels else ZERO

    def then(self, at_ms: int, size: Decimal) -> SizeHistory:
        """The history after the position had `size` at `at_ms`. What it lost was the youngest."""
        kept = [level for level in self.levels if level[1] <= size]
        if (kept and kept[-1][1] == size) or not size:
            return SizeHistory(tuple(kept) if size else ())
        dropped = self.levels[len(kept)] if len(kept) < len(self.levels) else None
        return SizeHistory((*kept, (at_ms if dropped is None else dropped[0], size)))

    def without_before(self, at_ms: int) -> SizeHistory:
        """The history without levels that differ in nothing when only the time from `at_ms` on counts."""
        old = [level for level in self.levels if level[0] <= at_ms]
        return SizeHistory(self.levels[max(len(old) - 1, 0) :])

    def ripening(self, at_ms: int, delay_ms: int) -> Ripening:
        """What is younger than the delay at `at_ms`, and when the first of it is not any more."""
        young = [level for level in self.levels if level[0] > at_ms - delay_ms]
        ripe = max((size for _, size in self.levels[: len(self.levels) - len(young)]), default=ZERO)
        return Ripening(self.size - ripe, young[0][0] + delay_ms if young else None)


def history_of(sizes: Iterable[Level]) -> SizeHistory:
    """The history of a position from every size it had, oldest first."""
    history = SizeHistory()
    for at_ms, size in sizes:
        history = history.then(at_ms, size)
    return history


def ripe_part(scene: Scene, plan: SymbolPlan, copy: Copy, main_size: Decimal) -> tuple[Decimal, str]:
    """(what of min(r × main size, cap) may be followed now, on the step; why not all of it).

    Looks again when the next part of it is ripe.
    """
    asked, ripening = copy.asked(main_size), scene.ripening.get(copy.side)
    if ripening is None or not ripening.qty:
        return scene.instrument.floor_qty(asked), ""
    ripe = max(asked - copy.ratio * ripening.qty, ZERO)
    return scene.instrument.floor_qty(ripe), _reason(scene, plan, ripening.until_ms)


def order_delay(scene: Scene, plan: SymbolPlan, order: Order) -> str:
    """Why main's resting entry has no twin yet; "" when it is old enough. Looks again when it is."""
    delay_ms = int(scene.policy.follow.delay_s * 1000)
    if not delay_ms or order.created_ms + delay_ms <= scene.exchange_ms:
        return ""
    return _reason(scene, plan, order.created_ms + delay_ms)


def _reason(scene: Scene, plan: SymbolPlan, until_ms: int | None) -> str:
    text = f"delay: {plain(scene.policy.follow.delay_s)} s"
    if until_ms is None:
        return text
    plan.wake_at(until_ms - scene.clock_offset_ms)
    return f"{text}, until {datetime.fromtimestamp(until_ms / 1000, UTC):%H:%M:%S} UTC"
