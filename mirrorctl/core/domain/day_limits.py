"""The limits of a day: its loss, and the fall from its highest equity. Days are UTC, figures in the settle coin.

A limit that cannot be computed refuses entries (rule 14, A75), and nothing else: what is unknown never halts an
account, and never closes anything.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal

from mirrorctl.core.domain.instruments import ZERO, plain
from mirrorctl.core.domain.policy import Limits, OnBreach

_CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Day:
    """What is known of an account's day. None: unknown.

    `loss`: closed and open together since 00:00, negative when the day won. `high`: the highest equity that was seen.
    """

    loss: Decimal | None = None
    high: Decimal | None = None
    equity: Decimal | None = None

    @property
    def drawdown_pct(self) -> Decimal | None:
        """How far the equity is under the day's highest, in percent of that."""
        if self.high is None or self.equity is None or self.high <= ZERO:
            return None
        return (self.high - self.equity) * 100 / self.high


NO_DAY = Day()
"""Nothing is known."""


@dataclass(frozen=True, slots=True)
class Reached:
    """A limit of the day that is reached. `limit` is its key in the profile; `text` names it with its figures."""

    limit: str
    text: str


def watched(limits: Limits) -> bool:
    """Whether an account has a limit of this kind at all."""
    return limits.max_daily_loss is not None or limits.max_drawdown_pct > ZERO


def reached(limits: Limits, day: Day) -> Iterator[Reached]:
    """The limits that are reached by what is known; unknown reaches none."""
    most = limits.max_daily_loss
    if most is not None and day.loss is not None and day.loss >= most:
        yield Reached("max_daily_loss", f"max_daily_loss: {_shown(day.loss)} lost today, the limit is {plain(most)}")
    fallen = day.drawdown_pct
    if limits.max_drawdown_pct > ZERO and fallen is not None and fallen >= limits.max_drawdown_pct:
        what = f"{_shown(fallen)}% under the day's highest equity {_shown(day.high or ZERO)}"
        yield Reached("max_drawdown_pct", f"max_drawdown_pct: {what}, the limit is {plain(limits.max_drawdown_pct)}%")


def unknown(limits: Limits, day: Day) -> str:
    """Which limit cannot be computed; "" when all can."""
    if limits.max_daily_loss is not None and day.loss is None:
        return "limit max_daily_loss cannot be computed: the day's closed PnL is not read"
    if limits.max_drawdown_pct > ZERO and day.drawdown_pct is None:
        return "limit max_drawdown_pct cannot be computed: the equity is not known"
    return ""


def refusal(limits: Limits, day: Day) -> str:
    """Why no entry may go today; "" when one may. With `warn` a limit that is reached lets entries go on."""
    if missing := unknown(limits, day):
        return missing
    if limits.on_breach is OnBreach.WARN:
        return ""
    for found in reached(limits, day):
        return f"limit {found.text}"
    return ""


def _shown(value: Decimal) -> str:
    """Rounded down, so that no figure says more than was reached."""
    return plain(value.quantize(_CENT, rounding=ROUND_FLOOR))
