"""The limits of main (`[main.limits]`) as entries of trades meet them: everything an entry needs to be allowed."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from decimal import Decimal

from mirrorctl.core.domain.day_limits import unknown
from mirrorctl.core.domain.errors import LimitReached, StoreError
from mirrorctl.core.domain.instruments import plain
from mirrorctl.core.engine.limits import Exposure
from mirrorctl.core.engine.state import EngineState
from mirrorctl.core.engine.tasks import Wait

_READ_MS = 6_000


def known_day(state: EngineState) -> Generator[Wait, bool, None]:
    """Wait until the limits of main's day can be computed; after a close that takes a moment."""
    limits = state.policy.main_limits
    yield Wait(lambda: not unknown(limits, state.day_of(state.main)), state.now_ms() + _READ_MS)


def check_entries(state: EngineState, symbol: str, entries: Iterable[tuple[Decimal, Decimal]]) -> None:
    """Raise LimitReached where entries of (quantity, price) would break a limit of main together with what stands.

    Between this and journaling them nothing may wait: what is journaled is what the next check counts.
    """
    main, now = state.main, state.now_ms()
    exposure = Exposure(
        main.view,
        state.policy.main_limits,
        state.book.placements(main.name, now),
        state.book.on_the_way(main.name, main.view),
        state.day_of(main),
        state.tickers,
    )
    for qty, price in entries:
        if refusal := exposure.refusal(symbol, qty, price):
            raise LimitReached(f"main: {refusal}", "the limits stand under [main.limits] of the profile")
        exposure.charge(symbol, qty, price)


def check_leverage(state: EngineState, leverage: Decimal | None) -> None:
    """Raise LimitReached where main would trade with more leverage than the profile allows, or with an unknown one."""
    limit = state.policy.main_limits.max_leverage
    if limit is None:
        return
    if leverage is None:
        raise LimitReached(
            "main: limit max_leverage cannot be computed: main shows no leverage (portfolio margin?)", "give --leverage"
        )
    if leverage > limit:
        raise LimitReached(f"main's leverage {plain(leverage)} is over max_leverage {plain(limit)}", "give --leverage")


def check_not_paused(state: EngineState, symbol: str) -> None:
    """Raise LimitReached while entries of main are paused, by the trader or by a limit of the day.

    StoreError while they cannot be written down.
    """
    if state.store.error:
        raise StoreError(f"no entry is sent: {state.store.error}", state.store.hint)
    blocked = state.standings.growth_block(state.main.name, symbol)
    if blocked:
        raise LimitReached(f"{symbol} on main is {blocked}", "`mirrorctl resume` ends a pause")
