"""Whether an order that was decided a moment ago fits what main held and asked for just then.

Sums (`watch_books`) never lie, but what main took back leaves room in them. So each correction and each reduction is
also held against main as it can have been known: a mirror never ends above its ratio of the most, or below its ratio
of the least, that main held and asked for in that time.
"""

from __future__ import annotations

from decimal import Decimal

from mirrorctl.core.domain.ids import LinkId, Role
from mirrorctl.core.domain.policy import MAIN
from mirrorctl.core.simulation.ports import Sent
from mirrorctl.core.simulation.watch_books import Books, Leg
from mirrorctl.core.simulation.watch_following import Following
from mirrorctl.core.simulation.watch_news import News
from mirrorctl.core.simulation.watch_rules import Breaches, Rule
from mirrorctl.core.simulation.world import World

_SPARE_STEPS = 2


class Amounts:
    """Judges the orders that move a plain mirror to its target."""

    def __init__(self, world: World, books: Books, news: News, breaches: Breaches, following: Following) -> None:
        self._world = world
        self._books = books
        self._news = news
        self._tell = breaches.tell
        self._following = following

    def check(self, sent: Sent, leg: Leg, link: LinkId) -> None:
        """An order was taken; what it filled at once is in the books."""
        followed = self._books.followed(sent.account, leg)
        if followed.loose or followed.is_foreign or followed.hand or followed.grown_in_vain:
            return
        if link.role is Role.CORRECTION:
            self._check_growth(sent, leg)
        elif link.role is Role.REDUCTION and followed.out_ms is None and not followed.sold:
            self._check_reduction(sent, leg)

    def _check_growth(self, sent: Sent, leg: Leg) -> None:
        have = self._books.followed(sent.account, leg).sizes.now + self._books.entries(sent.account, leg)
        main = self._books.asked(leg).most(self._since(sent))
        most = self._following.ratio(sent.account, leg[0]) * main + _SPARE_STEPS * self._step(leg)
        if have > most:
            self._tell(Rule.OVERBOUGHT, sent.account, f"{have} {leg[0]} {leg[1]}, main had {main}", f"{leg} now")

    def _check_reduction(self, sent: Sent, leg: Leg) -> None:
        have = self._books.followed(sent.account, leg).sizes.now
        main = min(self._books.asked(leg).sizes.since(self._since(sent)))
        least = self._following.ratio(sent.account, leg[0]) * main - _SPARE_STEPS * self._step(leg)
        if have < least:
            self._tell(Rule.OVERSOLD, sent.account, f"{have} {leg[0]} {leg[1]}, main had {main}", f"{leg} now")

    def _since(self, sent: Sent) -> int:
        ages = [self._news.age_ms(name, sent.decided_ms) for name in (MAIN, sent.account)]
        return sent.decided_ms - max(ages)

    def _step(self, leg: Leg) -> Decimal:
        return self._world.exchange.state.instruments[leg[0]].step
