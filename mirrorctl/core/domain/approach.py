"""Approaches: named entry and exit policies of a trade. Two are built in, a profile may add or overlay more."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType

from mirrorctl.core.domain.errors import UsageError

MARKET, LIMIT = "market", "limit"
PLAIN, CUSTOM = "plain", "custom"  # what a trade without a named approach is called: without a ladder, with one


@dataclass(frozen=True, slots=True)
class Approach:
    """`entries`: kinds ("market" or "limit") of the entry orders, equal parts; `targets`: percents of the rungs.

    `breakeven_after` and `cancel_entries_after` count rungs done, 0: never.
    """

    name: str
    entries: tuple[str, ...]
    targets: tuple[Decimal, ...]
    breakeven_after: int = 0
    breakeven_margin_bps: Decimal = Decimal(2)
    cancel_entries_after: int = 0

    def entry_kinds(self, prices: int) -> tuple[str, ...]:
        """The kinds of the entry orders when `prices` entry prices are given; UsageError when they do not fit.

        A single entry at market becomes a limit when a price is given for it.
        """
        single = self.entries == (MARKET,)
        if single and prices == 1:
            return (LIMIT,)
        limits = self.entries.count(LIMIT)
        if prices == limits:
            return self.entries
        asked = "at most one --entry price" if single else f"exactly {counted(limits, '--entry price')}"
        raise UsageError(
            f"approach {self.name} takes {asked}, {prices} given",
            hint=f"its entries are {', '.join(self.entries)}: one --entry for each limit",
        )

    def percents(self, prices: int) -> tuple[Decimal, ...]:
        """The percents of the rungs when `prices` target prices are given; UsageError when they do not fit."""
        if prices == len(self.targets):
            return self.targets
        raise UsageError(
            f"approach {self.name} takes exactly {counted(len(self.targets), '--target price')}, {prices} given",
            hint=f"its rungs are {'/'.join(f'{percent:f}' for percent in self.targets)} percent, nearest first",
        )


FAST = Approach("fast", (MARKET,), (Decimal(100),))
CONSERVATIVE = Approach(
    "conservative",
    (MARKET, LIMIT, LIMIT),
    (Decimal(85), Decimal(5), Decimal(5), Decimal(5)),
    breakeven_after=1,
    cancel_entries_after=1,
)
BUILT_IN: Mapping[str, Approach] = MappingProxyType({FAST.name: FAST, CONSERVATIVE.name: CONSERVATIVE})


def approach_named(name: str, known: Mapping[str, Approach]) -> Approach:
    """The approach of that name; UsageError naming those there are."""
    if name not in known:
        raise UsageError(f"no approach {name!r}", hint=f"approaches of this profile: {', '.join(sorted(known))}")
    return known[name]


def counted(number: int, noun: str) -> str:
    """ "1 --entry price", "2 --entry prices"."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
