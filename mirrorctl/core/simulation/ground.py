"""What a policy is played on: contracts that it follows, orders of main that fit it, and balances to match. Pure.

A policy is somebody's own: it may follow one symbol alone, copy a thousandth, or stop at a notional of 500. Played with
orders that it never follows, nothing of it would be tested.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

from mirrorctl.core.domain.lens import lens_of
from mirrorctl.core.domain.policy import MAIN, MirrorPolicy, Policy, SizingMode
from mirrorctl.core.domain.selection import selection_block
from mirrorctl.core.domain.values import PositionMode, PositionSide
from mirrorctl.core.paper.decimals import places
from mirrorctl.core.paper.instruments import CATALOGUE, Instrument

_BALANCE = Decimal(100_000)
_LARGEST, _SPREAD = 4_800, 16  # USDT of main's largest order, and how many times the smallest it is
_LEAST_ORDERS = 4  # the largest order of main makes so many smallest ones on a mirror
_ROOM_ORDERS = 4  # a position has room for so many of the largest
_NEAREST_STOP_PCT = 1  # of main's stops, from its entry
_MARGIN_ORDERS = 25  # the balance bears so many of them, at any leverage
_FEWEST, _MOST = 2, 4
_NAMED = re.compile(r"[A-Z0-9]+USDT")


@dataclass(frozen=True, slots=True)
class Ground:
    """`symbols`: what main trades, the first one most. `smallest`, `largest`: one order of main, in USDT.

    `balances` in USDT by account, 100,000 where none is named. `contracts`: what the exchange lists.
    """

    symbols: tuple[str, ...] = ("BTCUSDT", "ETHUSDT")
    smallest: int = _LARGEST // _SPREAD
    largest: int = _LARGEST
    balances: Mapping[str, Decimal] = field(default_factory=dict)
    contracts: tuple[Instrument, ...] = CATALOGUE


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """A policy as it can be played, and on what. `changed` says, a line each, what of it is played differently."""

    policy: Policy
    ground: Ground
    changed: tuple[str, ...]


def rehearsal_of(policy: Policy) -> Rehearsal:
    """The mirrors in use with all that they say, but for the hour of the day and the position mode.

    Mirroring is on whatever the environment says: nothing is sent to anybody.
    """
    mirrors = tuple(_timeless(mirror) for mirror in policy.mirrors if mirror.enabled)
    played = replace(policy, mirrors=mirrors, mirroring=True, main_mode=None)
    return Rehearsal(played, ground_of(played), tuple(_changes(policy)))


def ground_of(policy: Policy) -> Ground:
    """Where `policy` follows as much as it can."""
    contracts = {each.symbol: each for each in _contracts(policy)}
    symbols = _symbols(policy, contracts)
    largest = _largest(policy, [contracts[symbol] for symbol in symbols])
    return Ground(
        symbols=symbols,
        smallest=max(largest // _SPREAD, 1),
        largest=largest,
        balances=_balances(policy, largest, [contracts[symbol] for symbol in symbols]),
        contracts=tuple(contracts.values()),
    )


# --- what is played differently ---------------------------------------------------------------------------------------


def _timeless(mirror: MirrorPolicy) -> MirrorPolicy:
    return replace(mirror, filter=replace(mirror.filter, windows=()), position_mode=None)


def _changes(policy: Policy) -> Iterator[str]:
    if policy.main_mode is PositionMode.HEDGE:
        yield "main: played in one-way mode"
    for mirror in policy.mirrors:
        if not mirror.enabled:
            yield f"{mirror.name}: not in use, left out"
            continue
        if mirror.filter.windows:
            yield f"{mirror.name}: filter.windows are taken as open"
        if mirror.position_mode is PositionMode.HEDGE:
            yield f"{mirror.name}: played in one-way mode"


# --- contracts and symbols --------------------------------------------------------------------------------------------


def _contracts(policy: Policy) -> Iterator[Instrument]:
    """The paper exchange's list, and every contract that the policy names beside it.

    One that a map leads to or from is the other end's contract in the map's measure; any other is like the third of the
    list.
    """
    known = {each.symbol: each for each in CATALOGUE}
    for mirror in policy.mirrors:
        for symbol, to in mirror.map.items():
            if symbol not in known and to.symbol not in known:
                known[symbol] = _like(CATALOGUE[2], symbol, len(known), Decimal(1))
            if to.symbol not in known:
                known[to.symbol] = _like(known[symbol], to.symbol, len(known), 1 / to.multiplier)
            if symbol not in known:
                known[symbol] = _like(known[to.symbol], symbol, len(known), to.multiplier)
        for name in (*mirror.filter.symbols, *mirror.sizing.symbols):
            if _NAMED.fullmatch(name) and name not in known:
                known[name] = _like(CATALOGUE[2], name, len(known), Decimal(1))
    yield from known.values()


def _like(other: Instrument, symbol: str, number: int, factor: Decimal) -> Instrument:
    """A contract of `factor` times the price, in as many times smaller steps of quantity; the nearest power of ten."""
    scale = Decimal(1).scaleb(factor.adjusted())
    tick = other.tick * scale
    return replace(
        other,
        symbol=symbol,
        symbol_id=number + 1_000,
        base=symbol.removesuffix("USDT"),
        start_price=(other.start_price * factor / tick).to_integral_value() * tick,
        tick=tick,
        min_price=other.min_price * scale,
        max_price=other.max_price * scale,
        price_scale=places(tick),
        step=other.step / scale,
        max_qty=other.max_qty / scale,
        max_market_qty=other.max_market_qty / scale,
    )


def _symbols(policy: Policy, contracts: Mapping[str, Instrument]) -> tuple[str, ...]:
    """At least two, and as many as it takes for every mirror to follow one: those that most mirrors follow first."""
    by_symbol = {symbol: _followers(policy, symbol, contracts) for symbol in contracts}
    ranked = sorted(by_symbol, key=lambda symbol: len(by_symbol[symbol]), reverse=True)
    chosen = ranked[:1]
    served = set(by_symbol[chosen[0]])
    for symbol in ranked[1:]:
        if len(chosen) < _MOST and by_symbol[symbol] - served:
            chosen.append(symbol)
            served |= by_symbol[symbol]
    for symbol in ranked:
        if len(chosen) < _FEWEST and symbol not in chosen:
            chosen.append(symbol)
    return tuple(chosen)


def _followers(policy: Policy, symbol: str, contracts: Mapping[str, Instrument]) -> frozenset[str]:
    """The mirrors that follow main's symbol, on one side at least."""
    return frozenset(
        mirror.name
        for mirror in policy.mirrors
        if lens_of(mirror).follows(symbol)
        and lens_of(mirror).symbol_here(symbol) in contracts
        and not all(selection_block(mirror.filter, symbol, side, 0) for side in PositionSide)
    )


# --- sizes and balances -----------------------------------------------------------------------------------------------


def _largest(policy: Policy, symbols: Sequence[Instrument]) -> int:
    """What main's largest order is worth to suit most mirrors: neither below their minimum nor beyond their limits."""
    bounds = [_bounds(mirror, symbols) for mirror in policy.mirrors]
    candidates = {_LARGEST, *(int(edge) for pair in bounds for edge in pair if edge is not None)}

    def suits(value: int) -> tuple[int, int, Decimal]:
        """How many mirrors copy it well, how many at all, and how near it is to the usual."""
        well = sum(low <= value + 1 and (high is None or value <= high) for low, high in bounds)
        at_all = sum(
            low <= value * _LEAST_ORDERS + 1 and (high is None or value <= high * _ROOM_ORDERS) for low, high in bounds
        )
        return well, at_all, -abs(Decimal(max(value, 1)).ln() - Decimal(_LARGEST).ln())

    return max(max(candidates, key=suits), 1)


def _bounds(mirror: MirrorPolicy, symbols: Sequence[Instrument]) -> tuple[Decimal, Decimal | None]:
    """The least and the most that main's largest order may be worth for a mirror to copy it; None: no limit."""
    ratios = [ratio for each in symbols if (ratio := _ratio(mirror, each.symbol)) is not None]
    if not ratios:
        return Decimal(0), None
    least = max(max(each.min_notional, each.min_qty * each.start_price) for each in symbols)
    most = mirror.limits.max_position_notional
    return least * _LEAST_ORDERS / min(ratios), None if most is None else most / max(ratios) / _ROOM_ORDERS


def _ratio(mirror: MirrorPolicy, symbol: str) -> Decimal | None:
    """What a mirror holds of each USDT of main, where main's size decides about it."""
    sizing = mirror.sizing
    if sizing.mode in (SizingMode.PROPORTION, SizingMode.EQUITY, SizingMode.SAME_MARGIN_PERCENT):
        return sizing.value_for(symbol)
    return None


def _balances(policy: Policy, largest: int, symbols: Sequence[Instrument]) -> dict[str, Decimal]:
    """Enough for main's positions and for what each mirror makes of them; ratios of equity stay what they are."""
    main = max(_BALANCE, Decimal(largest * _MARGIN_ORDERS))
    return {MAIN: main, **{mirror.name: _balance(mirror, main, symbols) for mirror in policy.mirrors}}


def _balance(mirror: MirrorPolicy, main: Decimal, symbols: Sequence[Instrument]) -> Decimal:
    mode, values = mirror.sizing.mode, [mirror.sizing.value_for(each.symbol) for each in symbols]
    if mode is SizingMode.PROPORTION:
        return max(main, main * max(values))
    if mode is SizingMode.FIXED_NOTIONAL:
        return max(main, 2 * max(values))
    if mode is SizingMode.FIXED_QTY:
        return max(main, 2 * max(value * each.start_price for value, each in zip(values, symbols, strict=True)))
    most = mirror.limits.max_position_notional
    if mode is SizingMode.RISK and most is not None:
        return min(main, most * _NEAREST_STOP_PCT / max(values))  # the nearest stop makes the largest position
    return main
