"""Copyability: what a mirror can make of main's trades in one symbol, before a trade shows it.

Pure arithmetic over the rules of both contracts, the copy ratio and the policy: the smallest order of main that is
copied, what rounding costs, which targets are too small for orders of their own, what leverage and position mode do.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, Context, Decimal

from mirrorctl.core.domain.approach import Approach
from mirrorctl.core.domain.instruments import ZERO, Instrument, plain
from mirrorctl.core.domain.ladder import Ladder, Rung, RungOrder, spread
from mirrorctl.core.domain.policy import Hedge, MirrorPolicy
from mirrorctl.core.domain.values import PositionMode, Severity

MOST_ROUNDING_PCT = Decimal(5)
PLACED_PER_S = 10  # orders a UID may place in a second (rate-limit/rate-limit)
IP_REQUESTS, IP_SECONDS = 600, 5  # what all accounts behind one address share (rate-limit/rate-limit)

_UP = Context(prec=28, rounding=ROUND_CEILING)
_HUNDRED = Decimal(100)
_CENT = Decimal("0.01")
_TENTH = Decimal("0.1")


@dataclass(frozen=True, slots=True)
class Subject:
    """One symbol of main as one mirror would copy it. Sizes in main's coins, `price` is main's; None is unknown.

    `rules` are those of the mirror's contract, `main_rules` of main's; `multiplier` turns main's coins into the
    mirror's. `ratio` None: `formula` says why there is none. `main_size` 0: main is flat.
    """

    symbol: str
    rules: Instrument
    main_rules: Instrument
    price: Decimal
    ratio: Decimal | None
    formula: str
    main_size: Decimal = ZERO
    multiplier: Decimal = Decimal(1)
    main_leverage: Decimal | None = None
    leverage: Decimal | None = None
    main_mode: PositionMode | None = None
    mode: PositionMode | None = None
    unfollowed: str = ""


@dataclass(frozen=True, slots=True)
class Note:
    """One thing worth knowing. WARNING: something will not be copied as it should."""

    severity: Severity
    text: str


@dataclass(frozen=True, slots=True)
class LadderFit:
    """How one approach fits: `joined` are the rungs (from 1) too small for orders of their own at main's size now.

    None while main is flat or nothing is copied. `small_entries`: so are its equal parts. `whole_from`: main's size
    from which on every rung has its own order, whatever the rounding. `requests` place all of it once on one mirror, in
    `seconds` at the exchange's pace, with `ip_percent` of what the address may send when every mirror does so at once.
    """

    approach: str
    joined: tuple[int, ...] | None
    small_entries: bool
    whole_from: Decimal | None
    requests: int
    seconds: Decimal
    ip_percent: Decimal


@dataclass(frozen=True, slots=True)
class Copyability:
    """What a mirror makes of one symbol. `smallest`: main's smallest order that is copied, in main's coins."""

    subject: Subject
    smallest: Decimal | None
    copied: Decimal | None
    rounding_pct: Decimal | None
    ladders: tuple[LadderFit, ...]
    notes: tuple[Note, ...]


def judge(subject: Subject, policy: MirrorPolicy, approaches: Mapping[str, Approach], mirrors: int) -> Copyability:
    """Everything about one symbol on one mirror. `mirrors`: how many share the address."""
    per_coin = None if subject.ratio is None else subject.ratio * subject.multiplier
    copied = (
        None if per_coin is None or not subject.main_size else subject.rules.floor_qty(per_coin * subject.main_size)
    )
    rounding = None if copied is None or per_coin is None else rounding_pct(per_coin * subject.main_size, copied)
    ladders = tuple(_fit(subject, per_coin, copied, approach, mirrors) for approach in approaches.values())
    return Copyability(
        subject=subject,
        smallest=None if not per_coin else smallest_main(subject, per_coin),
        copied=copied,
        rounding_pct=rounding,
        ladders=ladders,
        notes=tuple(_notes(subject, policy, copied, rounding)),
    )


def rounding_pct(asked: Decimal, copied: Decimal) -> Decimal | None:
    """How much of what is asked for the mirror's step leaves out, in percent; None where nothing is asked for."""
    return (asked - copied) * 100 / asked if asked > ZERO else None


def smallest_main(subject: Subject, per_coin: Decimal) -> Decimal:
    """Main's smallest order of which the mirror's share reaches the minimum of its contract."""
    least = subject.rules.minimum(subject.price / subject.multiplier)
    qty = subject.main_rules.ceil_qty(_UP.divide(least, per_coin))
    return max(qty, subject.main_rules.minimum(subject.price))


def joined_rungs(ladder: Ladder, rungs: Sequence[RungOrder]) -> tuple[int, ...]:
    """The rungs (from 1) of a ladder that no order of their own stands for."""
    standing = {rung.key for rung in rungs}
    return tuple(rung.leg + 1 for rung in ladder.rungs if rung.key not in standing)


def leverage_notes(policy: MirrorPolicy, rules: Instrument, main_leverage: Decimal | None) -> Iterator[Note]:
    """What becomes of main's leverage × factor on the mirror, where it is not just that."""
    if main_leverage is None:
        return
    wanted = main_leverage * policy.sizing.leverage_factor
    limit = policy.limits.max_leverage
    if limit is not None and wanted > limit:
        yield Note(Severity.INFO, f"leverage {_short(wanted)}x is capped at max_leverage {plain(limit)}x: more margin")
    elif wanted > rules.max_leverage:
        most = plain(rules.max_leverage)
        yield Note(
            Severity.WARNING, f"leverage {_short(wanted)}x is over the contract's {most}x: that is set, more margin"
        )
    elif wanted < rules.min_leverage:
        least = plain(rules.min_leverage)
        yield Note(Severity.INFO, f"leverage {_short(wanted)}x is under the contract's {least}x: that is set")


def rounding_note(percent: Decimal | None) -> Iterator[Note]:
    """What the step leaves out, where it is more than a little."""
    if percent is not None and percent > MOST_ROUNDING_PCT:
        yield Note(Severity.WARNING, f"rounding leaves out {_short(percent)}% of what the ratio asks for")


# --- inside -----------------------------------------------------------------------------------------------------------


def _notes(subject: Subject, policy: MirrorPolicy, copied: Decimal | None, rounding: Decimal | None) -> Iterator[Note]:
    if subject.unfollowed:
        yield Note(Severity.INFO, f"not followed: {subject.unfollowed}")
        return
    if subject.ratio is None:
        yield Note(Severity.INFO, f"no ratio yet: {subject.formula}")
    if not subject.rules.trading:
        yield Note(Severity.WARNING, f"{subject.rules.symbol} is not trading")
    if copied is not None and not subject.rules.meets_minimum(copied, subject.price / subject.multiplier):
        what = f"main's {plain(subject.main_size)} comes to {plain(copied)}"
        then = f"below_minimum = {policy.sizing.below_minimum}"
        yield Note(Severity.WARNING, f"{what}, under the minimum of the contract: {then}")
    else:
        yield from rounding_note(rounding)
    yield from leverage_notes(policy, subject.rules, subject.main_leverage)
    yield from _standing_leverage(subject, policy)
    if subject.main_mode is PositionMode.HEDGE and subject.mode is PositionMode.ONE_WAY:
        says = "nothing is followed" if policy.follow.hedge is Hedge.REFUSE else f"hedge = {policy.follow.hedge}"
        text = f"main is in hedge mode and the mirror one-way: while both legs stand {says}"
        yield Note(Severity.WARNING if policy.follow.hedge is Hedge.REFUSE else Severity.INFO, text)


def wanted_leverage(subject: Subject, policy: MirrorPolicy) -> Decimal | None:
    """What the mirror's leverage is set to before its next entry; None while main's is not known."""
    if subject.main_leverage is None:
        return None
    limit = policy.limits.max_leverage
    asked = subject.main_leverage * policy.sizing.leverage_factor
    return subject.rules.leverage(asked if limit is None else min(asked, limit))


def _standing_leverage(subject: Subject, policy: MirrorPolicy) -> Iterator[Note]:
    if subject.mode is not None and subject.leverage is None:
        yield Note(Severity.WARNING, "the mirror shows no leverage (portfolio margin?): entries are refused")
    wanted = wanted_leverage(subject, policy)
    if wanted is not None and subject.leverage is not None and wanted != subject.leverage:
        text = f"leverage is {plain(subject.leverage)}x now: {plain(wanted)}x is set before the next entry"
        yield Note(Severity.INFO, text)


def _fit(
    subject: Subject, per_coin: Decimal | None, copied: Decimal | None, approach: Approach, mirrors: int
) -> LadderFit:
    ladder = _ladder(approach, subject.price / subject.multiplier)
    placed = len(approach.entries) + len(approach.targets)
    requests = placed + 2  # its leverage and its stop; an attached stop comes with its entry
    return LadderFit(
        approach=approach.name,
        joined=joined_rungs(ladder, spread(ladder, copied, {}, subject.rules)) if copied else None,
        small_entries=bool(copied) and _has_small_entries(subject, per_coin or ZERO, len(approach.entries)),
        whole_from=_whole_from(subject, per_coin, ladder) if per_coin else None,
        requests=requests,
        seconds=(Decimal(placed) / PLACED_PER_S).quantize(_TENTH),
        ip_percent=(Decimal(requests * mirrors * 100) / IP_REQUESTS).quantize(_TENTH),
    )


def _ladder(approach: Approach, price: Decimal) -> Ladder:
    """The targets of an approach as rungs, all counted at one price."""
    rungs = tuple(Rung(str(leg), leg, price, percent) for leg, percent in enumerate(approach.targets))
    return Ladder(rungs, _HUNDRED)


def _has_small_entries(subject: Subject, per_coin: Decimal, parts: int) -> bool:
    """Whether a part of main's size now, entered in equal parts, would be under the mirror's minimum."""
    part = subject.main_rules.floor_qty(subject.main_size / parts)
    qty = subject.rules.floor_qty(per_coin * part)
    return not subject.rules.meets_minimum(qty, subject.price / subject.multiplier)


def _whole_from(subject: Subject, per_coin: Decimal, ladder: Ladder) -> Decimal:
    """Main's size from which on every rung has an order of its own here: floors of sums take no more than the floor of
    the smallest share."""
    least = subject.rules.minimum(subject.price / subject.multiplier)
    smallest = min(rung.weight for rung in ladder.rungs)
    return subject.main_rules.ceil_qty(_UP.divide(least * _HUNDRED, smallest * per_coin))


def _short(value: Decimal) -> str:
    return plain(value.quantize(_CENT))
