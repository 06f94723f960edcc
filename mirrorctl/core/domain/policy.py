"""Policy as values: what a profile says, after it was validated. Names and meanings are the contract's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from mirrorctl.core.domain.approach import BUILT_IN, Approach
from mirrorctl.core.domain.values import SIDES, PositionMode, PositionSide


class SizingMode(StrEnum):
    """How a mirror's copy ratio is made when a cycle begins."""

    PROPORTION = "proportion"
    EQUITY = "equity"
    SAME_MARGIN_PERCENT = "same-margin-percent"
    FIXED_NOTIONAL = "fixed-notional"
    FIXED_QTY = "fixed-qty"
    RISK = "risk"


class Adopt(StrEnum):
    """What happens to main positions that were open when a mirror's UID is first seen."""

    NEW_ONLY = "new-only"
    ALL = "all"


class CatchUp(StrEnum):
    """How a mirror makes up for a twin that lags after the grace time."""

    MARKET = "market"
    LIMIT = "limit"
    WAIT = "wait"


class Direction(StrEnum):
    """On which side main's fills are followed (A13)."""

    SAME = "same"
    REVERSE = "reverse"


class Hedge(StrEnum):
    """What a one-way mirror does while both legs of a symbol stand on main (A14)."""

    REFUSE = "refuse"
    NET = "net"
    LONG_ONLY = "long-only"
    SHORT_ONLY = "short-only"


class ManualEdit(StrEnum):
    """What becomes of a size changed by hand on a mirror position that is ours."""

    RESTORE = "restore"
    RESPECT = "respect"


class Foreign(StrEnum):
    """What becomes of a symbol with a position on a mirror that is not ours (A81)."""

    PARK = "park"
    ADOPT = "adopt"


class OnBreach(StrEnum):
    """What happens when the day's loss or drawdown reaches its limit."""

    WARN = "warn"
    PAUSE = "pause"
    FLATTEN = "flatten"


class Manage(StrEnum):
    """Which positions on main the daemon may protect and change: those of its own trades, or all (A79)."""

    OWN = "own"
    ALL = "all"


class Breakeven(StrEnum):
    """When a mirror's stop goes to breakeven: when main's does, or when the mirror's own rung is done (A33)."""

    WITH_MAIN = "with-main"
    OWN = "own"


class OnUnprotected(StrEnum):
    """What happens to a position that stands without its stop past `naked_bound_ms` (A26)."""

    ALERT = "alert"
    CLOSE = "close"


class BelowMinimum(StrEnum):
    """What becomes of growth under the contract's minimum (A9): never made up, waits for more, raised once a cycle."""

    SKIP = "skip"
    ACCUMULATE = "accumulate"
    ROUND_UP = "round-up"


@dataclass(frozen=True, slots=True)
class Sizing:
    mode: SizingMode = SizingMode.PROPORTION
    value: Decimal = Decimal(1)
    leverage_factor: Decimal = Decimal(1)
    below_minimum: BelowMinimum = BelowMinimum.SKIP
    symbols: dict[str, Decimal] = field(default_factory=dict)

    def value_for(self, symbol: str) -> Decimal:
        """The per-symbol value where there is one."""
        return self.symbols.get(symbol, self.value)


@dataclass(frozen=True, slots=True)
class MappedSymbol:
    """Main's symbol as a mirror trades it: quantities times `multiplier`, prices divided by it."""

    symbol: str
    multiplier: Decimal = Decimal(1)


@dataclass(frozen=True, slots=True)
class Filter:
    """Which of main's entries a mirror follows (A12). Globs of main's symbols; empty `symbols`: all.

    `takes_all`: it leaves none out.
    """

    symbols: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    sides: tuple[PositionSide, ...] = (PositionSide.LONG, PositionSide.SHORT)
    windows: tuple[str, ...] = ()
    close_only: bool = False
    takes_all: bool = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        leaves_out = self.close_only or self.symbols or self.exclude or self.windows
        object.__setattr__(self, "takes_all", not leaves_out and set(self.sides) == set(SIDES))


@dataclass(frozen=True, slots=True)
class Follow:
    """How main is followed. Times in seconds, slippage in basis points. `approach`: "main", or a name."""

    direction: Direction = Direction.SAME
    hedge: Hedge = Hedge.REFUSE
    delay_s: Decimal = Decimal(0)
    approach: str = "main"
    manual_edit: ManualEdit = ManualEdit.RESTORE
    foreign: Foreign = Foreign.PARK
    catch_up: CatchUp = CatchUp.MARKET
    grace_s: Decimal = Decimal(5)
    max_age_s: Decimal = Decimal(60)
    max_slippage_bps: Decimal = Decimal(50)
    max_exit_slippage_bps: Decimal = Decimal(300)
    exit_deadline_s: Decimal = Decimal(10)


@dataclass(frozen=True, slots=True)
class Limits:
    """What an account may hold and send. None: no such limit. Notionals in the settle coin."""

    max_leverage: Decimal | None = Decimal(20)
    max_position_notional: Decimal | None = Decimal(50_000)
    max_total_notional: Decimal | None = Decimal(200_000)
    max_open_positions: int | None = 20
    max_daily_loss: Decimal | None = None
    max_orders_per_minute: int | None = 120
    max_drawdown_pct: Decimal = Decimal(0)
    on_breach: OnBreach = OnBreach.PAUSE


@dataclass(frozen=True, slots=True)
class MirrorPolicy:
    """One mirror of a profile. `position_mode`: the mode its account shall be in; None: whatever it is in."""

    name: str
    enabled: bool = True
    position_mode: PositionMode | None = None
    adopt: Adopt = Adopt.NEW_ONLY
    sizing: Sizing = field(default_factory=Sizing)
    filter: Filter = field(default_factory=Filter)
    map: Mapping[str, MappedSymbol] = field(default_factory=dict)
    follow: Follow = field(default_factory=Follow)
    limits: Limits = field(default_factory=Limits)
    naked_bound_ms: int = 2000
    breakeven: Breakeven = Breakeven.WITH_MAIN
    on_unprotected: OnUnprotected = OnUnprotected.ALERT
    max_stop_bps: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class Policy:
    """Everything the engine needs to know of a profile. `mirrors` in the order of the file, `by_name` by their names.

    `approaches` by name: the built-in ones, overlaid by the profile's own. `chat_id` is Telegram's, 0 for none: the
    labels of monitors begin with it.
    """

    profile: str
    settle_coin: str
    mirrors: tuple[MirrorPolicy, ...]
    main_limits: Limits = field(default_factory=Limits)
    mirroring: bool = True
    relist_s: Decimal = Decimal(20)
    tick_s: Decimal = Decimal(1)
    max_closes_per_pass: int = 3
    manage: Manage = Manage.OWN
    main_mode: PositionMode | None = None
    approaches: Mapping[str, Approach] = field(default_factory=lambda: BUILT_IN)
    chat_id: int = 0
    by_name: Mapping[str, MirrorPolicy] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "by_name", {mirror.name: mirror for mirror in self.mirrors})

    def approach_of(self, name: str) -> Approach | None:
        """The approach that a mirror has of its own; None for one that keeps main's ladder, and for main."""
        mirror = self.by_name.get(name)
        return None if mirror is None or mirror.follow.approach == MAIN else self.approaches[mirror.follow.approach]

    def mode(self, account: str) -> PositionMode | None:
        """The position mode that an account shall be in; None for any, and for an account that is not named."""
        mirror = self.by_name.get(account)
        if account == MAIN:
            return self.main_mode
        return None if mirror is None else mirror.position_mode

    def mirror(self, name: str) -> MirrorPolicy:
        """The mirror of that name; KeyError when there is none."""
        return self.by_name[name]


MAIN = "main"
