"""From what the trader asked for to the trade that is written down: its ladder, its stop, its exit policy.

A trade's targets lie on the profit side, nearest to entry first, and their percents sum to 100 (A30).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import pairwise

from mirrorctl.core.domain.approach import CUSTOM, FAST, PLAIN, Approach
from mirrorctl.core.domain.errors import UsageError
from mirrorctl.core.domain.instruments import ZERO, Instrument, plain
from mirrorctl.core.domain.ladder import stored_ladder, without
from mirrorctl.core.domain.standing_trade import ADOPTED
from mirrorctl.core.domain.trade import Target, Trade
from mirrorctl.core.domain.values import PositionSide
from mirrorctl.core.engine.trade_request import TargetWish

UNNAMED = (PLAIN, ADOPTED)  # trades whose exit policy was never chosen: their first ladder of the trader's chooses it
MOST = 20  # entries, and targets, of one trade
HUNDRED = Decimal(100)
_POLICY = ("approach", "breakeven_after", "breakeven_margin_bps", "cancel_entries_after")
_ASKED = (
    "stop",
    "targets",
    "uncovered",
    "revision",
    "adopted",
    *_POLICY,
)  # what a request may change of a standing trade


@dataclass(frozen=True, slots=True)
class ExitPolicy:
    """What a trade is called and what its done rungs bring about; counts of rungs, 0: never."""

    label: str
    breakeven_after: int = 0
    breakeven_margin_bps: Decimal = Decimal(2)
    cancel_entries_after: int = 0


def exit_policy(named: Approach | None, approaches: Mapping[str, Approach], targets: int, entries: int) -> ExitPolicy:
    """Of the approach that was named; else plain without a target, fast with one entry and one target, else custom."""
    if named is None and not targets:
        return ExitPolicy(PLAIN)
    known = named or (approaches.get(FAST.name) if targets == 1 and entries == 1 else None)
    if known is None:
        return ExitPolicy(CUSTOM, breakeven_after=1, cancel_entries_after=1)
    return ExitPolicy(known.name, known.breakeven_after, known.breakeven_margin_bps, known.cancel_entries_after)


def with_policy(trade: Trade, policy: ExitPolicy) -> Trade:
    """The trade under another name and exit policy."""
    return replace(
        trade,
        approach=policy.label,
        breakeven_after=policy.breakeven_after,
        breakeven_margin_bps=policy.breakeven_margin_bps,
        cancel_entries_after=policy.cancel_entries_after,
    )


def ladder_of(
    wishes: Sequence[TargetWish],
    side: PositionSide,
    instrument: Instrument,
    approach: Approach | None,
    counts: Sequence[tuple[Decimal, ...]] = (),
) -> tuple[Target, ...]:
    """The targets, nearest to entry first, on tick. UsageError where they make no ladder.

    `counts`: percents of ladders that prices alone may take over, where as many are given.
    """
    if any(wish.percent is not None for wish in wishes):
        wishes = sorted(wishes, key=lambda wish: wish.price * side.sign)
    if len(wishes) > MOST:
        raise UsageError(f"{len(wishes)} targets are too many", f"a ladder has at most {MOST}")
    percents = _percents(wishes, approach, counts)
    prices = [instrument.round_price(wish.price) for wish in wishes]
    if any(price <= ZERO for price in prices):
        raise UsageError("a target lies under one tick", f"the tick is {plain(instrument.tick_size)}")
    for near, far in pairwise(prices):
        if near == far:
            raise UsageError(f"two targets at {plain(near)}", "give them as one")
        if (far - near) * side.sign < 0:
            raise UsageError(
                f"the target {plain(far)} lies nearer to the entry than {plain(near)} before it",
                "nearest to the entry first; with PRICE:PERCENT any order will do",
            )
    return tuple(Target(price, percent) for price, percent in zip(prices, percents, strict=True))


def _percents(
    wishes: Sequence[TargetWish], approach: Approach | None, counts: Sequence[tuple[Decimal, ...]]
) -> tuple[Decimal, ...]:
    given = tuple(wish.percent for wish in wishes if wish.percent is not None)
    if given and len(given) < len(wishes):
        bare = next(wish for wish in wishes if wish.percent is None)
        raise UsageError(f"the target {bare} has no percent, others have", "give all of them as PRICE:PERCENT, or none")
    if approach is not None:
        percents = approach.percents(len(wishes))
        if given and given != percents:
            raise UsageError(
                f"approach {approach.name} has percents of its own: {shown(percents)}",
                "give prices alone, or leave --approach out",
            )
        return percents
    if given and sum(given) != HUNDRED:
        raise UsageError(
            f"the percents of the targets sum to {plain(sum(given, ZERO))}, not to 100", "62000:60 63000:40"
        )
    known = next((percents for percents in counts if len(percents) == len(wishes)), None)
    if given or len(wishes) == 1 or known is not None:
        return given or (known if len(wishes) > 1 and known else (HUNDRED,))
    raise UsageError(
        f"{len(wishes)} targets need their percents", f"for example {plain(wishes[0].price)}:60, summing to 100"
    )


def known_counts(trade: Trade, approach: Approach | None, done: Collection[str]) -> list[tuple[Decimal, ...]]:
    """Percents that prices alone may take over: of the rungs left, of the whole ladder, of the trade's approach."""
    rungs = stored_ladder(trade)
    left = [rung.weight for rung in without(rungs, done).rungs]
    whole = [target.percent for target in trade.targets]
    found = [_scaled(weights) for weights in (left, whole) if weights]
    return [*found, approach.targets] if approach is not None else found


def _scaled(weights: list[Decimal]) -> tuple[Decimal, ...]:
    """The same proportions, summing to 100 exactly."""
    total = sum(weights, ZERO)
    if total == HUNDRED:
        return tuple(weights)
    scaled = [weight * HUNDRED / total for weight in weights[:-1]]
    return (*scaled, HUNDRED - sum(scaled, ZERO))


def replaced(trade: Trade, targets: tuple[Target, ...], done: Collection[str]) -> Trade:
    """The trade with the ladder that the trader gave: from now on it is no longer read off what stands on main.

    What stands for a rung is moved, not replaced: a rung keeps its name. Once a rung of the standing ladder is done,
    the new one has names of its own (A37).
    """
    keys = {rung.key for rung in stored_ladder(trade).rungs}
    given = replace(trade, targets=targets, uncovered=ZERO, adopted=False)
    if keys & set(done):
        return replace(given, revision=trade.revision + 1)
    named = [
        replace(target, order_id=before.order_id, key=before.key)
        for target, before in zip(targets, trade.targets, strict=False)
    ]
    return replace(given, targets=(*named, *targets[len(named) :]))


def added(now: Trade, before: Trade, after: Trade) -> Trade:
    """The trade as it stands `now`, with what a request changed of it when it was `before`."""
    changed = {name: getattr(after, name) for name in _ASKED if getattr(after, name) != getattr(before, name)}
    return replace(now, **changed)


def let_go(before: Trade, after: Trade) -> frozenset[str]:
    """Orders of the trader's own that stood for a rung before and stand for none now."""
    kept = {target.order_id for target in after.targets}
    return frozenset(target.order_id for target in before.targets if target.order_id and target.order_id not in kept)


def check_targets(symbol: str, side: PositionSide, targets: Sequence[Target], prices: Sequence[Decimal]) -> None:
    """UsageError for a target that does not lie on the profit side of every price."""
    for target in targets:
        for price in prices:
            if (target.price - price) * side.sign <= 0:
                above = "above" if side is PositionSide.LONG else "below"
                raise UsageError(
                    f"a target at {plain(target.price)} is on the wrong side of {plain(price)} for a {side} {symbol}",
                    f"the targets of a {side} lie {above} its price",
                )


def check_stop(symbol: str, side: PositionSide, stop: Decimal, price: Decimal) -> None:
    """UsageError for a stop that does not lie on the loss side of a price."""
    if (price - stop) * side.sign <= 0:
        below = "below" if side is PositionSide.LONG else "above"
        raise UsageError(
            f"a stop at {plain(stop)} is on the wrong side of {plain(price)} for a {side} {symbol}",
            f"the stop of a {side} lies {below} its price",
        )


def shown(percents: Sequence[Decimal]) -> str:
    """ "85/5/5/5"."""
    return "/".join(plain(percent) for percent in percents)
