"""The reconcile pass over one mirror: scenes, plans, brakes, then journal and send.

A pass looks at the cache, never at the network. Repeating it with nothing changed sends nothing (A36).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal

from mirrorctl.core.domain.account import Ticker
from mirrorctl.core.domain.actions import PlaceOrder, Priority
from mirrorctl.core.domain.cycle import Copy
from mirrorctl.core.domain.ids import Role
from mirrorctl.core.domain.instruments import ZERO, Instrument
from mirrorctl.core.domain.ladder import Ladder, stored_ladder, without
from mirrorctl.core.domain.planner import apply_brake, plan_symbol
from mirrorctl.core.domain.policy import MirrorPolicy
from mirrorctl.core.domain.scene import MainFill, Need, NeedKind, Planned, Scene, SymbolPlan
from mirrorctl.core.domain.standing_trade import ladder_on_book
from mirrorctl.core.domain.values import PositionSide
from mirrorctl.core.engine.accounts import Account
from mirrorctl.core.engine.intents import IntentBook
from mirrorctl.core.engine.keeper import Keeper
from mirrorctl.core.engine.limits import Exposure, OrderRate
from mirrorctl.core.engine.main_pass import Terms
from mirrorctl.core.engine.trades import TradeBook

_BRAKE_WINDOW_MS = 60_000


class MirrorPass:
    """Everything a pass over one mirror needs, and what it remembers between passes."""

    def __init__(
        self,
        policy: MirrorPolicy,
        main: Account,
        mirror: Account,
        keeper: Keeper,
        book: IntentBook,
        trades: TradeBook,
        *,
        max_closes: int,
    ) -> None:
        self.policy = policy
        self.mirror = mirror
        self.plans: dict[str, SymbolPlan] = {}
        self.rate = OrderRate()
        self.sighted = False
        self._main = main
        self._keeper = keeper
        self._book = book
        self._trades = trades
        self._max_closes = max_closes
        self._closes: dict[str, int] = {}

    def plan(
        self,
        symbols: Iterable[str],
        instruments: dict[str, Instrument],
        tickers: dict[str, Ticker],
        growth_block: Callable[[str], str],
        terms: Terms,
        now_ms: int,
        *,
        day_start_ms: int,
        keep: bool = True,
    ) -> list[SymbolPlan]:
        """Decide about every symbol. Nothing is sent; the newest plan of each symbol is kept unless it is a preview."""
        day_loss = self.mirror.day_loss(now_ms, day_start_ms)
        on_the_way = self._book.on_the_way(self.mirror.name, self.mirror.view)
        exposure = Exposure(self.mirror.view, self.policy.limits, self.rate, now_ms, on_the_way, day_loss)
        plans = []
        for symbol in sorted(symbols):
            instrument = instruments.get(symbol)
            if instrument is None:
                plan = SymbolPlan(self.mirror.name, symbol, blocked="its trading rules are not read yet")
                plan.needs.append(Need(NeedKind.INSTRUMENT, self._main.name, symbol))
            else:
                scene, wake = self._scene(
                    symbol, instrument, tickers.get(symbol), growth_block, terms, exposure, now_ms
                )
                plan = plan_symbol(scene)
                self._mark_drift(scene, plan)
                if wake is not None:
                    plan.wake_at(wake)
            plans.append(plan)
            if keep:
                self.plans[symbol] = plan
        self._closes = {symbol: at for symbol, at in self._closes.items() if now_ms - at < _BRAKE_WINDOW_MS}
        apply_brake(plans, self._closes, self._max_closes)
        return plans

    def execute(self, plans: list[SymbolPlan], now_ms: int) -> int:
        """Journal every action of the plans, then send them in the order of rule 5. Returns how many went out."""
        planned = [item for plan in plans for item in self._sendable(plan, now_ms)]
        planned.sort(key=lambda item: item.action.priority)
        if not planned:
            return 0
        for item in planned:
            self._claim(item)
        intents = self._book.open_all(planned, now_ms)
        for intent in intents:
            if isinstance(intent.action, PlaceOrder):
                self.rate.note(now_ms)
            self.mirror.writer.send(intent.intent_id, intent.action)
        self._closes.update({plan.symbol: now_ms for plan in plans if plan.closes_unexplained and plan.actions})
        return len(intents)

    def _sendable(self, plan: SymbolPlan, now_ms: int) -> list[Planned]:
        """The plan's actions, less exits that were just not sent: they go out a moment later."""
        if now_ms >= self.mirror.hold_exits_until_ms:
            return plan.actions
        plan.wake_at(self.mirror.hold_exits_until_ms)
        return [item for item in plan.actions if item.action.priority is not Priority.REDUCTION]

    def copies(self, symbol: str) -> dict[PositionSide, Copy]:
        found = {side: self._keeper.copies.get((self.mirror.name, symbol, side)) for side in PositionSide}
        return {side: copy for side, copy in found.items() if copy is not None}

    def _claim(self, item: Planned) -> None:
        """Before an entry goes out it is written down that the position it makes is ours."""
        action = item.action
        if isinstance(action, PlaceOrder) and action.priority is Priority.ENTRY:
            side = PositionSide.grown_by(action.side)
            self._keeper.mark_opened(self.mirror.name, action.symbol, side)

    def _scene(
        self,
        symbol: str,
        instrument: Instrument,
        ticker: Ticker | None,
        growth_block: Callable[[str], str],
        terms: Terms,
        exposure: Exposure,
        now_ms: int,
    ) -> tuple[Scene, int | None]:
        busy, wake = self._book.busy(self.mirror.name, symbol, now_ms)
        copies = self.copies(symbol)
        ladders = {side: self._ladder(symbol, side) for side in copies}
        before = self.plans.get(symbol)

        def limit(qty: Decimal, price: Decimal) -> str:
            refusal = exposure.refusal(symbol, qty, price)
            if not refusal:
                exposure.charge(symbol, qty, price)
            return refusal

        scene = Scene(
            now_ms=now_ms,
            account=self.mirror.name,
            tag=self.mirror.tag,
            symbol=symbol,
            policy=self.policy,
            instrument=instrument,
            main=self._main.view,
            mirror=self.mirror.view,
            copies=copies,
            ours=self._book.ours(self.mirror.name, symbol, self.mirror.view),
            since=before.since if before else {},
            busy=busy,
            refused=self._book.refused(self.mirror.name, symbol),
            growth_block=growth_block(symbol),
            parked=self._parked(symbol, copies),
            growth_fill=self._fills(self._keeper.growth_fill, symbol),
            exit_fill=self._fills(self._keeper.exit_fill, symbol),
            explained_closes=frozenset(
                side
                for side in PositionSide
                if (symbol, side) in self._keeper.exit_fill or (side in copies and copies[side].explained)
            ),
            ladders=ladders,
            rungs_sold={side: self._sold(symbol, side, ladder) for side, ladder in ladders.items()},
            rungs_done={side: self._keeper.rungs_done(symbol, side) for side in copies},
            breakevens={side: terms(self.mirror, self._trades.get(symbol, side), symbol, side) for side in copies},
            intended_stops=self._intended_stops(symbol),
            ticker=ticker,
            limit=limit,
        )
        return scene, wake

    def _intended_stops(self, symbol: str) -> dict[PositionSide, Decimal]:
        trades = (trade for side in PositionSide if (trade := self._trades.get(symbol, side)) is not None)
        return {trade.side: trade.stop for trade in trades if trade.stop is not None}

    def _ladder(self, symbol: str, side: PositionSide) -> Ladder:
        """What is left of main's ladder: the stored one of a managed trade, else what stands on main."""
        trade = self._trades.get(symbol, side)
        if trade is not None and trade.targets:
            return without(stored_ladder(trade), self._keeper.rungs_done(symbol, side))
        return ladder_on_book(self._main.view, symbol, side, opposite=True)

    def _sold(self, symbol: str, side: PositionSide, ladder: Ladder) -> dict[str, Decimal]:
        """What main has filled of each rung: of every attempt at one of ours, of the order at the trader's own."""
        sold: dict[str, Decimal] = {}
        for ours in self._book.ours(self._main.name, symbol, self._main.view):
            if ours.link.role is Role.TARGET and ours.side is side.exit:
                sold[ours.link.step] = sold.get(ours.link.step, ZERO) + ours.filled
        for rung in ladder.rungs:
            order = self._main.view.order(rung.order_id)
            if rung.key not in sold and order is not None:
                sold[rung.key] = self._main.view.filled(order)
        return sold

    def _parked(self, symbol: str, copies: dict[PositionSide, Copy]) -> str:
        """Why no order of ours may touch the symbol: a position that is not ours, or one a new store must not close."""
        for side in PositionSide:
            if not self.mirror.view.size(symbol, side):
                continue
            copy = copies.get(side)
            if copy is None or not copy.opened:
                return "foreign position"
            if copy.ended and copy.held:
                return f"{copy.held}: main is flat"
        return ""

    def _fills(self, fills: dict[tuple[str, PositionSide], MainFill], symbol: str) -> dict[PositionSide, MainFill]:
        found = {side: fills.get((symbol, side)) for side in PositionSide}
        return {side: fill for side, fill in found.items() if fill is not None}

    def _mark_drift(self, scene: Scene, plan: SymbolPlan) -> None:
        """Remember since when a side is off its target by more than lead, lag and holds explain."""
        for standing in plan.standings:
            if is_off(plan, standing.side, scene.instrument):
                scene.since_ms(plan, f"drift {standing.side}")


def is_off(plan: SymbolPlan, side: PositionSide, instrument: Instrument) -> bool:
    """Whether a side differs from its target by at least a step, beyond what lead, lag, a hold or a park explains."""
    standing = next((s for s in plan.standings if s.side is side), None)
    if standing is None or plan.parked:
        return False
    difference = abs(standing.have - standing.want) - standing.tolerated
    if difference < max(instrument.qty_step, instrument.min_qty):
        return False
    ordered = any(
        isinstance(item.action, PlaceOrder) and item.action.role is Role.CORRECTION and item.action.side is side.entry
        for item in plan.actions
    )
    held = any(h.side is side for h in plan.held) and not ordered  # what is held then is another order's
    return not (held and standing.want > standing.have)
