"""Copy ratios made when a cycle begins: what a sizing mode needs is gathered, and read where it is not known.

A copy stays `unsized` until its mode has everything. Equities are read anew for each cycle; the whole entry of main
counts, filled and open, with the entries of a trade of ours that are journaled and not seen yet.
"""

from __future__ import annotations

from collections.abc import Iterator, Set
from dataclasses import dataclass, replace
from decimal import Decimal

from mirrorctl.core.domain.actions import PlaceOrder
from mirrorctl.core.domain.cycle import Copy, CycleKey, entry_orders
from mirrorctl.core.domain.growth import within_limit
from mirrorctl.core.domain.ids import Role
from mirrorctl.core.domain.instruments import ZERO
from mirrorctl.core.domain.ladder import stored_ladder
from mirrorctl.core.domain.policy import Direction, MirrorPolicy
from mirrorctl.core.domain.scene import TICKER_FRESH_MS
from mirrorctl.core.domain.sizing import (
    BY_EQUITY,
    BY_LEVERAGE,
    BY_MAIN_EQUITY,
    BY_PRICE,
    BY_QTY,
    Sized,
    SizingInputs,
    Unsized,
    is_waiting,
    ratio_of,
)
from mirrorctl.core.domain.standing_trade import ladder_on_book, stop_on_book
from mirrorctl.core.engine.accounts import Account
from mirrorctl.core.engine.ports import FindOrder, ReadInstrument, ReadPosition, ReadTicker, ReadWallet
from mirrorctl.core.engine.state import READ_RETRY_MS, EngineState

_ORDER_WAIT_MS = 250
_POOR_RETRY_MS = 30_000
_EQUITY_FRESH_MS = 60_000

_NOBODY: frozenset[str] = frozenset()

Part = tuple[Decimal, Decimal | None]


@dataclass(frozen=True, slots=True)
class WholeEntry:
    """Main's entry as a whole: quantity in base coin, its mean price, what ends it at a loss. None: not known."""

    qty: Decimal
    price: Decimal | None
    stop: Decimal | None
    leverage: Decimal | None


class Sizer:
    """Makes the ratios of copies that have none. All calls on the engine's thread.

    `began`: since when a ratio is being made, by mirror and tag of the cycle.
    """

    def __init__(self, state: EngineState) -> None:
        self._state = state
        self.began: dict[tuple[str, str], int] = {}

    def due(self) -> Set[str]:
        """Mirrors that have a copy without a ratio, or had one when they were looked at last."""
        unsized = self._state.keeper.unsized
        if not unsized and not self.began:
            return _NOBODY
        return {name for name, *_ in unsized} | {name for name, _ in self.began}

    def size(self, mirror: Account, policy: MirrorPolicy, now_ms: int) -> None:
        """Make what can be made now, ask for what is missing. Main and the mirror are known when this is called."""
        state = self._state
        if not state.keeper.unsized and not self.began:
            return
        waiting = [state.keeper.copies[key] for key in sorted(state.keeper.unsized) if key[0] == mirror.name]
        self.began = {key: at for key, at in self.began.items() if key[0] != mirror.name or waiting}
        for copy in waiting:
            if copy.ended or copy.held or copy.out or not state.main.view.is_settled(copy.source[0]):
                continue
            since = self.began.setdefault((copy.account, copy.tag), now_ms)
            made = ratio_now(state, mirror, policy, copy, since, now_ms)
            if isinstance(made, Sized) and _is_stale(state, mirror, policy, now_ms):
                self.began[(copy.account, copy.tag)] = now_ms  # it waited for something else: equities are read anew
                made = ratio_now(state, mirror, policy, copy, now_ms, now_ms)
            if made != Unsized(copy.unsized):
                state.keeper.size(copy, made)
                state.mark(mirror, copy.symbol)
                if isinstance(made, Sized):
                    self.began.pop((copy.account, copy.tag), None)


def is_sizing(state: EngineState) -> bool:
    """Whether a ratio is about to be made: a plan that is shown now would lack what follows from it."""
    return any(
        is_waiting(copy.unsized) and not (copy.ended or copy.held or copy.out) and _is_asked(state, copy.source)
        for copy in state.keeper.copies.values()
        if copy.account in state.passes and state.is_known(state.accounts[copy.account])
    )


def _is_asked(state: EngineState, key: CycleKey) -> bool:
    """Whether main holds the side or has an entry resting for it: an order against its own position is none."""
    return bool(state.main.view.size(*key) or entry_orders(state.main.view, *key))


def ratio_now(
    state: EngineState, mirror: Account, policy: MirrorPolicy, copy: Copy, since_ms: int, now_ms: int
) -> Sized | Unsized:
    """The ratio of a copy by what main holds now and equities read after `since_ms`; asks for what is missing."""
    mode, key = policy.sizing.mode, copy.source
    entry = whole_entry(state, key, policy, now_ms)
    if mode in BY_QTY and not _is_whole(state, key, since_ms, now_ms):
        entry = replace(entry, qty=ZERO)
    if mode in BY_PRICE and entry.price is None:
        state.main.ask(ReadTicker(key[0]), now_ms, every_ms=READ_RETRY_MS)
    if mode in BY_LEVERAGE and entry.leverage is None and state.main.view.proven(key[0]):
        return Unsized(f"sizing {mode}: main shows no leverage (portfolio margin?)")
    if mode in BY_LEVERAGE and entry.leverage is None:
        state.main.ask(ReadPosition(key[0]), now_ms, every_ms=READ_RETRY_MS)
    ask_equities(state, mirror, policy, since_ms, now_ms)
    inputs = inputs_of(state, mirror, policy, copy.source, entry, since_ms)
    made = ratio_of(mode, value_of(policy, copy), inputs)
    if mode not in BY_EQUITY or not isinstance(made, Unsized) or not is_waiting(made.reason):
        return made
    error = _equity_error(state, mirror, since_ms)
    return Unsized(f"{made.reason}: {error}") if error else made


def value_of(policy: MirrorPolicy, copy: Copy) -> Decimal:
    """The sizing value of a copy: the trader's for this trade alone, else the symbol's, else the mirror's."""
    return copy.value if copy.value is not None else policy.sizing.value_for(copy.source[0])


def inputs_of(
    state: EngineState, mirror: Account, policy: MirrorPolicy, key: CycleKey, entry: WholeEntry, since_ms: int
) -> SizingInputs:
    """What is known of what a ratio is made from; nothing is asked for but the rules of the mirror's contract."""
    symbol, side = state.keeper.lens(mirror.name).here(key)
    mapped = policy.map.get(key[0])
    return SizingInputs(
        side=side,
        main_equity=_equity(state.main, since_ms),
        mirror_equity=_equity(mirror, since_ms),
        main_qty=entry.qty,
        price=entry.price,
        stop=entry.stop,
        main_leverage=entry.leverage,
        mirror_leverage=_mirror_leverage(state, policy, symbol, entry.leverage),
        multiplier=Decimal(1) if mapped is None else mapped.multiplier,
    )


def ask_equities(state: EngineState, mirror: Account, policy: MirrorPolicy, since_ms: int, now_ms: int) -> None:
    """Read the equities that a mode needs: once for each cycle, and again at a slow pace while one is nothing."""
    for account in _with_equity(state, mirror, policy):
        equity = _equity(account, since_ms)
        if equity is None or equity <= ZERO:
            account.ask(ReadWallet(), now_ms, every_ms=0 if equity is None else _POOR_RETRY_MS)


def equities_unread(state: EngineState, mirror: Account, policy: MirrorPolicy, since_ms: int) -> bool:
    """Whether an equity that a mode needs may still come: it was asked for, and nothing has gone wrong."""
    unread = [account for account in _with_equity(state, mirror, policy) if _equity(account, since_ms) is None]
    return any(ReadWallet() in account.asked for account in unread)


def _is_stale(state: EngineState, mirror: Account, policy: MirrorPolicy, now_ms: int) -> bool:
    return any(now_ms - account.equity_read_ms > _EQUITY_FRESH_MS for account in _with_equity(state, mirror, policy))


def _with_equity(state: EngineState, mirror: Account, policy: MirrorPolicy) -> list[Account]:
    """The accounts whose equity a mode needs."""
    mode = policy.sizing.mode
    if mode in BY_MAIN_EQUITY:
        return [mirror, state.main]
    return [mirror] if mode in BY_EQUITY else []


def whole_entry(state: EngineState, key: CycleKey, policy: MirrorPolicy, now_ms: int) -> WholeEntry:
    """Main's entry of one side: what it holds, what rests, and what is on its way for a trade of ours."""
    view, (symbol, side) = state.main.view, key
    size, row = view.size(symbol, side), view.position(symbol, side)
    parts: list[Part] = []
    if size:
        fill = state.keeper.growth_fill.get(key)
        average = row.entry_price if row is not None else None
        parts.append((size, average or (fill.price if fill is not None else None)))
    parts += [(view.leaves(order), order.price or order.trigger_price) for order in entry_orders(view, symbol, side)]
    parts += _unseen(state, key)
    qty = sum((qty for qty, _ in parts), ZERO)
    return WholeEntry(
        qty, _mean(state, symbol, parts, now_ms), _loss_end(state, key, policy), view.leverage.get(symbol)
    )


def _unseen(state: EngineState, key: CycleKey) -> Iterator[Part]:
    """Entries of a trade of ours that are journaled, perhaps sent, and on no list yet."""
    main, (symbol, side) = state.main, key
    for intent in state.book.of_symbol(main.name, symbol):
        action = intent.action
        entry = isinstance(action, PlaceOrder) and action.role is Role.ENTRY and action.side is side.entry
        if not entry or not isinstance(action, PlaceOrder) or intent.state.is_over:
            continue
        if main.view.by_link(action.link_id) is None:
            yield action.qty - min(main.view.link_filled(action.link_id), action.qty), action.price


def _mean(state: EngineState, symbol: str, parts: list[Part], now_ms: int) -> Decimal | None:
    """The mean price of an entry; an order at market counts at the mid. None while a price is not known."""
    ticker = state.tickers.get(symbol)
    mid = ticker.mid if ticker is not None and now_ms - ticker.at_ms <= TICKER_FRESH_MS else None
    priced = [(qty, mid if price is None else price) for qty, price in parts]
    total = sum((qty for qty, _ in priced), ZERO)
    if not total or any(price is None for qty, price in priced if qty):
        return None
    return sum((qty * price for qty, price in priced if price is not None), ZERO) / total


def _is_whole(state: EngineState, key: CycleKey, since_ms: int, now_ms: int) -> bool:
    """Whether the order that began the cycle was seen: an execution may come before the row with its quantity.

    While the position is ahead of its executions, what an order has filled would count twice. While executions are
    ahead of it, one that comes late may make another size of it: of a flip the second leg alone, for a moment.
    """
    cycle, view = state.keeper.cycles.get(key), state.main.view
    if view.is_ahead(key[0]):
        return False
    if any(True for _ in view.newer_executions(key[0])):
        if now_ms >= since_ms + _ORDER_WAIT_MS:
            state.main.ask(ReadPosition(key[0]), now_ms, every_ms=READ_RETRY_MS)
        return False
    if cycle is None or view.order(cycle.origin) is not None or view.is_gone(cycle.origin):
        return cycle is not None
    if cycle.origin.startswith("position-"):
        return True
    if now_ms >= since_ms + _ORDER_WAIT_MS:
        state.main.ask(FindOrder(key[0], order_id=cycle.origin), now_ms, every_ms=READ_RETRY_MS)
    return False


def _loss_end(state: EngineState, key: CycleKey, policy: MirrorPolicy) -> Decimal | None:
    """Where the mirror's position ends at a loss: main's stop, for a reverse mirror main's furthest target (A13)."""
    view, (symbol, side), trade = state.main.view, key, state.trades.get(*key)
    if policy.follow.direction is Direction.REVERSE:
        ladder = stored_ladder(trade) if trade is not None and trade.targets else ladder_on_book(view, symbol, side)
        row = view.position(symbol, side)
        ends = [rung.price for rung in ladder.rungs]
        ends += [row.take_profit] if row is not None and row.take_profit is not None else []
        ends += [order.take_profit for order in entry_orders(view, symbol, side) if order.take_profit is not None]
        return max(ends, key=lambda price: price * side.sign, default=None)
    stop = stop_on_book(view, symbol, side)[0] or (trade.stop if trade is not None else None)
    if view.position(symbol, side) is not None:
        return stop  # a stop that an entry still carries protects nothing of what stands
    carried = [order.stop_loss for order in entry_orders(view, symbol, side) if order.stop_loss is not None]
    return stop or min(carried, key=lambda price: price * side.sign, default=None)


def _mirror_leverage(
    state: EngineState, policy: MirrorPolicy, symbol: str, main_leverage: Decimal | None
) -> Decimal | None:
    """What the mirror's leverage will be set to before its first entry (growth.entry_wait)."""
    instrument = state.instruments.get(symbol)
    if instrument is None:
        state.main.ask(ReadInstrument(symbol), state.now_ms(), every_ms=READ_RETRY_MS)
    if instrument is None or main_leverage is None:
        return None
    return within_limit(policy, main_leverage * policy.sizing.leverage_factor, instrument)


def _equity(account: Account, since_ms: int) -> Decimal | None:
    return account.equity if account.equity_read_ms >= since_ms else None


def _equity_error(state: EngineState, mirror: Account, since_ms: int) -> str:
    """Why an equity could not be read; "" when nothing went wrong so far."""
    unread = [account for account in (mirror, state.main) if _equity(account, since_ms) is None]
    errors = (account.read_errors.get(ReadWallet(), "") for account in unread)
    return next((error for error in errors if error), "")
