"""What each mirror can copy of main's symbols, as the doctor judges it: the inputs of `domain/copyability`."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from mirrorctl.bootstrap.examined import Examined, Recorded
from mirrorctl.core.domain.account import Ticker
from mirrorctl.core.domain.account_checks import Leverage
from mirrorctl.core.domain.copyability import Copyability, Subject, judge, wanted_leverage
from mirrorctl.core.domain.growth import within_limit
from mirrorctl.core.domain.instruments import Instrument
from mirrorctl.core.domain.lens import lens_of
from mirrorctl.core.domain.policy import Direction, MirrorPolicy, SizingMode
from mirrorctl.core.domain.selection import selection_block
from mirrorctl.core.domain.sizing import Sized, SizingInputs, ratio_of
from mirrorctl.core.domain.standing_trade import stop_on_book
from mirrorctl.core.domain.values import PositionSide
from mirrorctl.core.profile.model import Profile


@dataclass(frozen=True, slots=True)
class Market:
    """The contracts of the exchange, and the prices of main's symbols; those without one are `unpriced`."""

    rules: Mapping[str, Instrument]
    tickers: Mapping[str, Ticker]
    unpriced: tuple[str, ...] = ()


def copyable(
    profile: Profile, main: Examined, mirror: Examined, market: Market, recorded: Recorded
) -> list[Copyability]:
    """What `mirror` makes of every symbol that has a price."""
    policy = profile.policy.mirror(mirror.name)
    in_use = [each for each in profile.policy.mirrors if each.enabled]
    subjects = (_subject(policy, main, mirror, symbol, market, recorded) for symbol in market.tickers)
    return [judge(subject, policy, profile.policy.approaches, len(in_use)) for subject in subjects]


def leverages(policy: MirrorPolicy, mirror: Examined, found: Sequence[Copyability]) -> Iterator[Leverage]:
    """Where both leverages are known: the mirror's now, and what main's asks of it."""
    for each in found:
        subject = each.subject
        wanted = wanted_leverage(subject, policy)
        if subject.unfollowed or wanted is None or subject.leverage is None:
            continue
        here = subject.rules.symbol
        holds = any(mirror.view.size(here, side) for side in PositionSide)
        yield Leverage(here, subject.leverage, wanted, holds)


def _subject(
    policy: MirrorPolicy, main: Examined, mirror: Examined, symbol: str, market: Market, recorded: Recorded
) -> Subject:
    rules, ticker = market.rules, market.tickers[symbol]
    here = lens_of(policy).symbol_here(symbol)
    sides = sorted(PositionSide, key=lambda side: main.view.size(symbol, side), reverse=True)
    here_rules = rules.get(here, rules[symbol])
    ratio, formula = _ratio(policy, main, mirror, (symbol, sides[0]), here_rules, ticker, recorded)
    return Subject(
        symbol=symbol,
        rules=here_rules,
        main_rules=rules[symbol],
        price=ticker.last,
        ratio=ratio,
        formula=formula,
        main_size=main.view.size(symbol, sides[0]),
        multiplier=lens_of(policy).multiplier(symbol),
        main_leverage=main.view.leverage.get(symbol),
        leverage=mirror.view.leverage.get(here),
        main_mode=main.view.mode(symbol) if main.view.proven(symbol) else None,
        mode=mirror.view.mode(here) if mirror.view.proven(here) else None,
        unfollowed=_unfollowed(policy, symbol, here, rules),
    )


def _ratio(
    policy: MirrorPolicy,
    main: Examined,
    mirror: Examined,
    key: tuple[str, PositionSide],
    rules: Instrument,
    ticker: Ticker,
    recorded: Recorded,
) -> tuple[Decimal | None, str]:
    """The ratio of the open copy, else the one that a cycle would get now; None with the reason where there is none."""
    for copy in recorded.copies:
        if copy.account == mirror.name and copy.source == key:
            return (None, copy.unsized) if copy.unsized else (copy.ratio, copy.formula)
    if policy.sizing.mode is SizingMode.RISK and policy.follow.direction is Direction.REVERSE:
        return None, "sizing risk: made from main's furthest target when a cycle begins"
    symbol, side = key
    size, row, leverage = main.view.size(*key), main.view.position(*key), main.view.leverage.get(symbol)
    made = ratio_of(
        policy.sizing.mode,
        policy.sizing.value_for(symbol),
        SizingInputs(
            side=lens_of(policy).side(side),
            main_equity=None if main.view.wallet is None else main.view.wallet.equity,
            mirror_equity=None if mirror.view.wallet is None else mirror.view.wallet.equity,
            main_qty=size or None,
            price=row.entry_price if row is not None else ticker.last,
            stop=stop_on_book(main.view, symbol, side)[0],
            main_leverage=leverage,
            mirror_leverage=(
                None if leverage is None else within_limit(policy, leverage * policy.sizing.leverage_factor, rules)
            ),
            multiplier=lens_of(policy).multiplier(symbol),
        ),
    )
    return (made.ratio, made.formula) if isinstance(made, Sized) else (None, made.reason)


def _unfollowed(policy: MirrorPolicy, symbol: str, here: str, rules: Mapping[str, Instrument]) -> str:
    """Why a mirror follows nothing of a symbol now; "" when it follows a side of it."""
    if not lens_of(policy).follows(symbol):
        return "its name stands for another symbol of main's in the profile's map"
    if here not in rules:
        return f"map: the exchange has no contract {here}"
    blocks = [selection_block(policy.filter, symbol, side, time.time_ns() // 1_000_000) for side in PositionSide]
    return blocks[0] if all(blocks) else ""
