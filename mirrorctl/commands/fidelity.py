"""Fidelity in `stats` and `report`: how far each mirror's results are from main's, and what made the difference."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from mirrorctl.bootstrap.figures import Ledger
from mirrorctl.core.domain.fidelity import Fidelity, Followed, Hold, Part, fidelity_of
from mirrorctl.core.domain.lens import lens_of
from mirrorctl.core.domain.policy import Hedge, MirrorPolicy

if TYPE_CHECKING:
    from mirrorctl.core.engine.records import HoldTime
    from mirrorctl.core.store.following import EndedCopy

Document = dict[str, Any]


def fidelity(
    policy: MirrorPolicy,
    main: Ledger | None,
    mirror: Ledger | None,
    ended: Sequence[EndedCopy] | None,
    holds: Sequence[HoldTime] | None,
    steps: Mapping[str, Decimal] | None,
) -> Fidelity | None:
    """Compare a mirror with main over the cycles that both ledgers tell of; None where anything could not be read."""
    if main is None or mirror is None or ended is None or holds is None or steps is None:
        return None
    spells = [
        Hold(row.symbol, row.side, row.reason, row.from_ms, row.until_ms) for row in holds if row.account == policy.name
    ]
    joins = policy.follow.hedge is not Hedge.REFUSE
    return fidelity_of(main.cycles, mirror.cycles, list(_followed(policy, ended)), spells, steps, joins_legs=joins)


def fidelity_json(found: Fidelity | None) -> Document | None:
    """Amounts in the settle coin; the parts sum to `tracking_error`, of each cycle and of all."""
    from mirrorctl.core.engine.times import iso

    if found is None:
        return None
    return {
        "cycles": len(found.cycles),
        "unmeasured": found.unmeasured,
        "ideal_pnl": found.ideal,
        "net_pnl": found.pnl,
        "tracking_error": found.pnl - found.ideal,
        "parts": {part.value: found.total(part) for part in Part},
        "per_cycle": [
            {
                "symbol": cycle.symbol,
                "side": cycle.side.value,
                "opened_at": iso(cycle.opened_ms),
                "closed_at": iso(cycle.closed_ms),
                "ratio": cycle.ratio,
                "main_pnl": cycle.main,
                "ideal_pnl": cycle.ideal,
                "net_pnl": cycle.pnl,
                "tracking_error": cycle.error,
                "parts": {part.value: cycle.parts[part] for part in Part},
            }
            for cycle in found.cycles
        ],
    }


def _followed(policy: MirrorPolicy, ended: Sequence[EndedCopy]) -> Iterator[Followed]:
    """How the mirror followed the cycles that ended; not those without a ratio, or whose multiplier is not known."""
    lens = lens_of(policy)
    for copy in ended:
        symbol, _ = copy.source
        multiplier = copy.multiplier
        if multiplier is None and lens.symbol_here(symbol) == copy.symbol:
            multiplier = lens.multiplier(symbol)
        if copy.account == policy.name and copy.ratio is not None and multiplier is not None:
            yield Followed(copy.symbol, copy.side, copy.source, copy.ratio, multiplier, copy.started_ms, copy.ended_ms)
