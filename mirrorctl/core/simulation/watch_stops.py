"""Main's stops, and how long each mirror's position stands without one (A21)."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from mirrorctl.core.domain.actions import SetTradingStop
from mirrorctl.core.domain.policy import MAIN
from mirrorctl.core.domain.values import PositionSide
from mirrorctl.core.paper.guards import full_guard
from mirrorctl.core.simulation.ports import Sent
from mirrorctl.core.simulation.watch_books import Books, Leg
from mirrorctl.core.simulation.watch_following import Following
from mirrorctl.core.simulation.watch_news import News
from mirrorctl.core.simulation.watch_rules import Breaches, Rule
from mirrorctl.core.simulation.world import World

_SPARE_MS = 1_000
"""Beyond the bound: what a refusal and the look at what came of it take."""


@dataclass(slots=True)
class _Stop:
    """Main's stop of a leg, and since when it is this one."""

    price: Decimal | None = None
    since_ms: int = 0


class Stops:
    """Watches stops. `worst_naked_ms`: the longest that a position stood without; None when none had to have one."""

    def __init__(self, world: World, books: Books, news: News, breaches: Breaches, following: Following) -> None:
        self._world = world
        self._books = books
        self._news = news
        self._tell = breaches.tell
        self._following = following
        self._main: dict[Leg, _Stop] = {}
        self._naked: dict[tuple[str, Leg], int] = {}
        self.worst_naked_ms: int | None = None

    def known(self, leg: Leg, at_ms: int, age_ms: int) -> Decimal | None:
        """Main's stop where it has stood since so long before `at_ms`."""
        stop = self._main.get(leg)
        return stop.price if stop is not None and stop.since_ms <= at_ms - age_ms else None

    def look(self) -> None:
        """Something changed on the exchange: whose position stands without the stop that main's has."""
        now = self._world.now_ms()
        for leg, asked in self._books.main.items():
            price = self.of(MAIN, leg) if asked.sizes.now else None
            stop = self._main.setdefault(leg, _Stop())
            if price != stop.price:
                stop.price, stop.since_ms = price, now
            for name in self._following.same:
                self._measure(name, leg, price is not None, now)

    def pass_time(self) -> None:
        """Whether a position stands without its stop for too long by now."""
        now = self._world.now_ms()
        for (name, leg), began in self._naked.items():
            self.worst_naked_ms = max(self.worst_naked_ms or 0, now - began)
            clear = max(began, self._news.hindered_until(MAIN), self._news.hindered_until(name))
            if now - clear > self._following.policy(name).naked_bound_ms + _SPARE_MS:
                self._tell(Rule.NAKED, name, f"{leg[0]} {leg[1]} for {now - began} ms", f"{leg}")

    def of(self, account: str, leg: Leg) -> Decimal | None:
        """The stop that stands for the whole position of an account."""
        symbol, side = leg
        uid, state = self._world.uids[account], self._world.exchange.state
        idx = (1 if side is PositionSide.LONG else 2) if state.accounts[uid].hedged(symbol) else 0
        guard = full_guard(state, state.position(uid, symbol, idx), "StopLoss")
        return guard.trigger_price if guard is not None else None

    def is_naked(self, account: str, leg: Leg) -> bool:
        """Whether a mirror's position stood without its stop when it was looked at last."""
        return (account, leg) in self._naked

    def is_first(self, sent: Sent) -> bool:
        """Whether a request sets a stop and no more, where none stood: what stands now, if anything, came with it."""
        action = sent.action
        if not isinstance(action, SetTradingStop) or not action.stop_loss:
            return False
        if action.take_profit is not None or action.trailing_stop is not None:
            return False
        state = self._world.exchange.state
        leg = state.position(self._world.uids[sent.account], action.symbol, action.position_idx)
        guard = full_guard(state, leg, "StopLoss")
        return guard is None or guard.n > sent.first

    def _measure(self, name: str, leg: Leg, wanted: bool, now: int) -> None:
        followed = self._books.mirrors[name].get(leg)
        if followed is None or not followed.sizes.now or not wanted or followed.is_foreign:
            self._naked.pop((name, leg), None)
            return
        if self.of(name, leg) is not None:
            self.worst_naked_ms = self.worst_naked_ms or 0
            self._naked.pop((name, leg), None)
        else:
            self._naked.setdefault((name, leg), now)
