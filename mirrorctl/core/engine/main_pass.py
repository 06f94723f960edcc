"""The pass over main: the trades that mirrorctl manages there, and nothing else (A79)."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from mirrorctl.core.domain.account import Ticker
from mirrorctl.core.domain.actions import AmendOrder, PlaceOrder
from mirrorctl.core.domain.approach import Approach
from mirrorctl.core.domain.ids import Role
from mirrorctl.core.domain.instruments import Instrument
from mirrorctl.core.domain.lens import PLAIN
from mirrorctl.core.domain.own_trade import plan_trade
from mirrorctl.core.domain.scene import Need, NeedKind, SymbolPlan
from mirrorctl.core.domain.trade import Trade
from mirrorctl.core.domain.trade_scene import TradePlan, TradeScene
from mirrorctl.core.domain.values import PositionSide
from mirrorctl.core.engine.accounts import Account
from mirrorctl.core.engine.brake import Brake
from mirrorctl.core.engine.intents import IntentBook
from mirrorctl.core.engine.keeper import Keeper
from mirrorctl.core.engine.outlook import Terms
from mirrorctl.core.engine.trades import TradeBook

Key = tuple[str, PositionSide]


class MainPass:
    """Everything a pass over main needs, and what it remembers between passes: the newest plan of each trade."""

    def __init__(
        self, main: Account, trades: TradeBook, keeper: Keeper, book: IntentBook, brake: Brake, usual: Approach
    ) -> None:
        self.plans: dict[Key, SymbolPlan] = {}
        self._main = main
        self._trades = trades
        self._keeper = keeper
        self._book = book
        self._brake = brake
        self._usual = usual
        self._stood: dict[Key, int | None] = {}

    def plan(
        self,
        symbols: Iterable[str],
        instruments: dict[str, Instrument],
        tickers: dict[str, Ticker],
        terms: Terms,
        now_ms: int,
        *,
        keep: bool = True,
    ) -> list[TradePlan]:
        """Decide about every managed trade of the symbols. Nothing is sent or written down."""
        chosen = set(symbols)
        plans = []
        for trade in [trade for trade in self._trades.all() if trade.symbol in chosen]:
            instrument = instruments.get(trade.symbol)
            if instrument is None:
                plan = SymbolPlan(self._main.name, trade.symbol, blocked="its trading rules are not read yet")
                plan.needs.append(Need(NeedKind.INSTRUMENT, self._main.name, trade.symbol))
                decided = TradePlan(plan, trade)
            else:
                scene, wake = self._scene(trade, instrument, tickers.get(trade.symbol), terms, now_ms)
                decided = plan_trade(scene)
                if wake is not None:
                    decided.plan.wake_at(wake)
            self._brake.hold_back(decided.plan)
            plans.append(decided)
            if keep:
                self.plans[trade.key] = decided.plan
                self._stood[trade.key] = decided.stood_seq
        if keep:
            self.plans = {key: plan for key, plan in self.plans.items() if self._trades.get(*key) is not None}
        return plans

    def execute(self, plans: list[TradePlan], now_ms: int) -> int:
        """Write the trades down, then journal and send every action, protection first. Returns how many went out."""
        for decided in plans:
            if decided.over:
                self._trades.drop(decided.trade.key)
                self.plans.pop(decided.trade.key, None)
                self._stood.pop(decided.trade.key, None)
            else:
                self._trades.save(decided.trade)
        planned = [item for decided in plans for item in self._main.pace.sendable(decided.plan, now_ms)]
        planned.sort(key=lambda item: item.action.priority)
        if not planned:
            return 0
        intents = self._book.open_all(planned, now_ms)
        self._brake.sent(intents, self._main.view, PLAIN, self._main.view)
        for intent in intents:
            self._main.writer.send(intent.intent_id, intent.action)
        return len(planned)

    def _scene(
        self, trade: Trade, instrument: Instrument, ticker: Ticker | None, terms: Terms, now_ms: int
    ) -> tuple[TradeScene, int | None]:
        main, symbol = self._main, trade.symbol
        busy, wake = self._book.busy(main.name, symbol, now_ms)
        before = self.plans.get(trade.key)
        scene = TradeScene(
            now_ms=now_ms,
            account=main.name,
            tag=main.tag,
            trade=trade,
            instrument=instrument,
            view=main.view,
            ours=self._book.ours(main.name, symbol, main.view),
            since=before.since if before else {},
            done=self._keeper.rungs_done(symbol, trade.side),
            busy=busy,
            attached=self._attached(symbol),
            usual=self._usual,
            stood_seq=self._stood.get(trade.key),
            terms=terms(main, trade, symbol, trade.side),
            ticker=ticker,
        )
        return scene, wake

    def _attached(self, symbol: str) -> frozenset[Decimal]:
        """Every stop that an entry of ours on main carries or carried."""
        found: set[Decimal] = set()
        for intent in self._book.of_symbol(self._main.name, symbol):
            action = intent.action
            entry = isinstance(action, AmendOrder) or (isinstance(action, PlaceOrder) and action.role is Role.ENTRY)
            if entry and isinstance(action, PlaceOrder | AmendOrder) and action.stop_loss is not None:
                found.add(action.stop_loss)
        for order in self._main.view.orders(symbol):
            if not order.is_exit and order.stop_loss is not None:
                found.add(order.stop_loss)
        return frozenset(found)
