"""Which rules can be judged of which mirror: what its policy makes of main, as far as that is plain."""

from __future__ import annotations

from decimal import Decimal

from mirrorctl.core.domain.policy import (
    MAIN,
    Adopt,
    BelowMinimum,
    Direction,
    Filter,
    Foreign,
    ManualEdit,
    MirrorPolicy,
    OnBreach,
    SizingMode,
)
from mirrorctl.core.simulation.world import World

_MANY = 100
"""So many orders a minute are no limit to what a schedule asks for."""


class Following:
    """`same`: mirrors that hold main's symbols on main's side. `plain`: those of them whose ratio is a number of the
    policy. `free`: those that nothing of the policy ever holds back. `late_ms`: what is to be done is done by then.
    """

    def __init__(self, world: World) -> None:
        mirrors = [mirror for mirror in world.policy.mirrors if mirror.enabled and world.policy.mirroring]
        hedged = any(account.hedge for account in world.exchange.state.accounts.values())
        self._policies = {mirror.name: mirror for mirror in mirrors}
        self.same = frozenset(m.name for m in mirrors if m.follow.direction is Direction.SAME and not m.map)
        self.plain = frozenset(m.name for m in mirrors if m.name in self.same and not hedged and _is_plain(m))
        self.free = frozenset(m.name for m in mirrors if m.name in self.plain and _is_free(m))
        self.exact = frozenset(m.name for m in mirrors if m.name in self.free and m.adopt is Adopt.ALL)
        self.loose = frozenset(world.uids) - self.plain - {MAIN}
        slowest = max((max(mirror.follow.grace_s, mirror.follow.delay_s) for mirror in mirrors), default=Decimal(0))
        self.late_ms = int((world.policy.relist_s + slowest) * 1000) + 3_000

    def policy(self, name: str) -> MirrorPolicy:
        """The policy of a mirror that is followed."""
        return self._policies[name]

    def ratio(self, name: str, symbol: str) -> Decimal:
        """What a plain mirror holds of each unit of main."""
        return self._policies[name].sizing.value_for(symbol)


def _is_plain(mirror: MirrorPolicy) -> bool:
    return (
        mirror.sizing.mode is SizingMode.PROPORTION
        and mirror.sizing.below_minimum is not BelowMinimum.ROUND_UP
        and mirror.follow.manual_edit is ManualEdit.RESTORE
        and mirror.follow.foreign is Foreign.PARK
        and mirror.limits.on_breach is not OnBreach.FLATTEN
    )


def _is_free(mirror: MirrorPolicy) -> bool:
    limits = mirror.limits
    bounds = (
        limits.max_position_notional,
        limits.max_total_notional,
        limits.max_open_positions,
        limits.max_daily_loss,
    )
    follow = mirror.follow
    unbound = all(bound is None for bound in bounds) and not limits.max_drawdown_pct
    unbound = unbound and (limits.max_orders_per_minute or _MANY) >= _MANY
    return unbound and mirror.filter == Filter() and not follow.delay_s and follow.approach == MAIN
