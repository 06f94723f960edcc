"""The paper exchange as pure code on an injected clock: no sockets, threads, sleeps or wall time.

Every call takes `now_ms`. `handle` answers a V5 request, `drain` gives the pushes that it caused,
`next_event_ms` and `advance` let a clock (real or virtual) step prices and funding.
"""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from mirrorctl.core.paper import public_feed
from mirrorctl.core.paper.api import answer
from mirrorctl.core.paper.decimals import ZERO, floor_to
from mirrorctl.core.paper.floor import Floor, Push
from mirrorctl.core.paper.incidents import deleverage, liquidate, settle_funding
from mirrorctl.core.paper.instruments import CATALOGUE, Instrument
from mirrorctl.core.paper.margin import totals
from mirrorctl.core.paper.matching import fill_resting
from mirrorctl.core.paper.model import Market, PaperAccount, Transfer
from mirrorctl.core.paper.prices import move, set_mark, walk_price
from mirrorctl.core.paper.refusals import bad
from mirrorctl.core.paper.state import Bounds, State


class PaperExchange:
    """Accounts trade against a synthetic book, never with each other. Same inputs, same outputs.

    `volatility` is the standard deviation of one price step of `step_ms`, as a fraction; 0 stops the walk.
    `funding` switches the automatic settlement every eight hours.
    """

    def __init__(
        self,
        accounts: Iterable[PaperAccount],
        *,
        now_ms: int,
        seed: int = 1,
        volatility: Decimal = Decimal("0.0001"),
        step_ms: int = 1000,
        funding: bool = True,
        instruments: Iterable[Instrument] = CATALOGUE,
        bounds: Bounds | None = None,
        state: State | None = None,
    ) -> None:
        self.state = state or State(instruments, seed, bounds)
        self.floor = Floor(self.state, now_ms)
        self.volatility = volatility
        self.step_ms = step_ms
        self.funding = funding
        self.watched: dict[str, int] = {}
        self._published: dict[str, dict[str, Any]] = {}
        for item in self.state.instruments.values():
            if item.symbol not in self.state.markets:
                start = item.start_price
                self.state.markets[item.symbol] = Market(item.symbol, start, start, start, start)
        for market in self.state.markets.values():
            market.next_funding_ms = self._funding_after(market.symbol, now_ms)
            self.state.touch_market(market)
        for account in accounts:
            self.state.open_account(account, now_ms)
        self.state.walked_ms = now_ms - now_ms % step_ms

    # the clock

    def next_event_ms(self) -> int | None:
        """When something happens by itself next; None when nothing ever will."""
        times = []
        if self.volatility and not all(market.pinned for market in self.state.markets.values()):
            times.append(self.state.walked_ms + self.step_ms)
        if self.funding:
            times.append(min(market.next_funding_ms for market in self.state.markets.values()))
        return min(times) if times else None

    def advance(self, now_ms: int) -> None:
        """Runs everything due up to `now_ms`, each thing at its own time. Going back moves the clock alone."""
        self.floor.clock = now_ms
        while (due := self.next_event_ms()) is not None and due <= now_ms:
            self.floor.now = max(self.floor.now, due)
            if due >= self.state.walked_ms + self.step_ms:
                self._walk(due)
            if self.funding:
                self._settle_due(due)
        self.floor.now = max(self.floor.now, now_ms)
        if now_ms - self.state.walked_ms >= self.step_ms:
            self.state.walked_ms = now_ms - now_ms % self.step_ms
        self.floor.flush()

    def _walk(self, due: int) -> None:
        self.state.walked_ms = due - due % self.step_ms
        if not self.volatility:
            return
        for market in self.state.markets.values():
            if not market.pinned:
                market.steps += 1
                item = self.state.instruments[market.symbol]
                move(self.floor, market.symbol, walk_price(market, item, self.state.seed, self.volatility))

    def _settle_due(self, due: int) -> None:
        for market in self.state.markets.values():
            if market.next_funding_ms <= due:
                settle_funding(self.floor, market.symbol, market.funding_rate)
                market.next_funding_ms = self._funding_after(market.symbol, due)
                self.state.touch_market(market)

    def _funding_after(self, symbol: str, now_ms: int) -> int:
        period = self.state.instruments[symbol].funding_minutes * 60_000
        return now_ms - now_ms % period + period

    # requests

    def handle(self, uid: int | None, method: str, path: str, params: dict[str, Any], now_ms: int) -> dict[str, Any]:
        """The envelope for one V5 request. `uid` None is an unauthenticated caller."""
        self.advance(now_ms)
        envelope = answer(self.floor, uid, method, path, params)
        self.floor.flush()
        return envelope

    def drain(self) -> list[Push]:
        """Pushes since the last call, private ones in the order they happened, then public ones."""
        pushes = self.floor.pushes
        self.floor.pushes = []
        if self.floor.moved or self.floor.trades:
            pushes = pushes + public_feed.changes(self.floor, self.watched, self._published)
        return pushes

    def watch(self, topic: str, count: int = 1) -> None:
        """Counts subscribers of a public topic; only watched topics are rendered. Negative to release."""
        self.watched[topic] = self.watched.get(topic, 0) + count
        if self.watched[topic] <= 0:
            del self.watched[topic]

    def snapshot(self, topic: str) -> Push | None:
        """The first frame of a public topic, None for topics that start silent."""
        return public_feed.snapshot(self.floor, topic)

    # by hand

    def set_price(self, symbol: str, price: Decimal, now_ms: int, *, pin: bool = True, gap: bool = False) -> None:
        """Moves the last price, through every order on the way unless `gap`; `pin` stops the walk there."""
        self.advance(now_ms)
        item, market = self._listed(symbol)
        if price <= ZERO or price % item.tick:
            raise bad(f"price must be a positive multiple of {item.tick}")
        market.pinned = pin
        move(self.floor, symbol, price, gap=gap)
        self.floor.flush()

    def set_mark(self, symbol: str, mark: Decimal | None, now_ms: int) -> None:
        """Sets the mark price apart from last; None joins them again."""
        self.advance(now_ms)
        item, _ = self._listed(symbol)
        set_mark(self.floor, symbol, None if mark is None else floor_to(mark, item.tick))
        self.floor.flush()

    def set_depth(self, symbol: str, level_value: Decimal, levels: int) -> None:
        """USDT at the best level of the synthetic book, and how many levels it has."""
        _, market = self._listed(symbol)
        market.level_value, market.levels = level_value, levels
        self.state.touch_market(market)

    def fill_order(self, uid: int, order_id: str, qty: Decimal, now_ms: int) -> Decimal:
        """Fills a resting order by up to `qty` at its own price as maker; returns what was executed."""
        self.advance(now_ms)
        order = self.state.orders_by_uid[uid].get(order_id)
        if order is None or not order.resting:
            raise bad("order is not resting")
        done = fill_resting(self.floor, order, min(qty, order.leaves))
        self.floor.flush()
        return done

    def liquidate(self, uid: int, now_ms: int) -> None:
        """Liquidates the whole account now."""
        self.advance(now_ms)
        liquidate(self.floor, uid)
        self.floor.flush()

    def deleverage(self, uid: int, symbol: str, idx: int, qty: Decimal, now_ms: int) -> Decimal:
        """Auto-deleverages up to `qty` of one leg; returns what was closed."""
        self.advance(now_ms)
        self._listed(symbol)
        done = deleverage(self.floor, self.state.position(uid, symbol, idx), qty)
        self.floor.flush()
        return done

    def deposit(self, uid: int, amount: Decimal, now_ms: int) -> Decimal:
        """Pays USDT into the wallet, or out of it where negative; returns the balance after it."""
        self.advance(now_ms)
        if not amount or -amount > totals(self.state, uid).available:
            raise bad("amount must not be zero, nor more than what is available")
        account = self.state.accounts[uid]
        account.wallet += amount
        self.state.touch_account(account)
        n, transfer_id = self.state.new_id()
        self.state.add_transfer(Transfer(transfer_id, n, uid, amount, account.wallet, self.floor.now))
        self.floor.tell_wallet(uid)
        self.floor.flush()
        return account.wallet

    def fund(self, symbol: str, rate: Decimal, now_ms: int) -> None:
        """Settles funding at `rate` for every open leg of `symbol` now."""
        self.advance(now_ms)
        self._listed(symbol)
        settle_funding(self.floor, symbol, rate)
        self.floor.flush()

    def clear_closed_cache(self) -> None:
        """What a service restart does: openOnly=1 forgets every closed order."""
        for past in self.state.history.values():
            past.recent.clear()

    def _listed(self, symbol: str) -> tuple[Instrument, Market]:
        if symbol not in self.state.instruments:
            raise bad(f"unknown symbol {symbol}")
        return self.state.instruments[symbol], self.state.markets[symbol]
