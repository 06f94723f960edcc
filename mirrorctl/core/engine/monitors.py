"""Monitors: the lifecycle of a trade on one account, computed from what the exchange shows each time it is asked for.

Nothing here is stored: a monitor is a position, or a side whose entries work, with what stands for it (A42, A66).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from mirrorctl.core.domain.account import Order
from mirrorctl.core.domain.cycle import entry_orders
from mirrorctl.core.domain.ids import Role, parse
from mirrorctl.core.domain.instruments import ZERO, plain
from mirrorctl.core.domain.ladder import Ladder, stored_ladder
from mirrorctl.core.domain.lifecycle import Facts, Phase, label, phase
from mirrorctl.core.domain.own_ladder import own_ladder
from mirrorctl.core.domain.scene import SymbolPlan
from mirrorctl.core.domain.standing_trade import ladder_on_book, stop_on_book
from mirrorctl.core.domain.trade import Trade
from mirrorctl.core.domain.values import PositionSide
from mirrorctl.core.engine.accounts import Account
from mirrorctl.core.engine.engine import Engine

FOLLOWED = "followed"  # a trade made elsewhere, which mirrors follow
FOREIGN = "foreign"  # a position on a mirror that no cycle of main stands for

_HUNDRED = Decimal(100)


@dataclass(frozen=True, slots=True)
class RungState:
    """One rung on one account. `percent` of the position, None where main has no such rung; `open_qty` rests here."""

    price: Decimal
    percent: Decimal | None
    open_qty: Decimal
    done: bool


@dataclass(frozen=True, slots=True)
class Monitor:
    """One monitor. Quantities in base coin, prices in the settle coin.

    `want` is what a mirror should hold, None on main and where nothing was decided yet. `stop_distance` is how far the
    mark price is from the stop, in percent of it; negative when it was passed. `uncovered` is the percent of main's
    position that no target stands for; None without a ladder. `managed`: the daemon may write for it. `covered`: main's
    cycle, or the copy of it that opened this position, stands for it.
    """

    account: str
    symbol: str
    side: PositionSide
    label: str
    approach: str
    phase: Phase
    size: Decimal
    want: Decimal | None
    stop: Decimal | None
    stop_distance: Decimal | None
    entries: tuple[Order, ...]
    rungs: tuple[RungState, ...]
    rungs_done: int
    rungs_total: int
    uncovered: Decimal | None
    managed: bool
    covered: bool


def monitors(engine: Engine) -> list[Monitor]:
    """Every monitor of every account that was read, main first, then by symbol and side."""
    return [monitor for account in engine.accounts.values() for monitor in monitors_of(engine, account)]


def monitors_of(engine: Engine, account: Account) -> list[Monitor]:
    """The monitors of one account; none while it was never read."""
    sizes = ((symbol, side, account.view.size(symbol, side)) for symbol, side in _sides(account))
    found = ((symbol, side, size, tuple(_entries(account, symbol, side))) for symbol, side, size in sizes)
    return [_monitor(engine, account, *about) for about in found if about[2] or about[3]]


def covered_positions(engine: Engine, account: Account) -> int | None:
    """How many positions of an account something stands for; None while the account was never read (A66)."""
    if not account.relisted_ms:
        return None
    sides = [(row.symbol, row.side) for row in account.view.positions() if row.side is not None]
    return sum(_is_covered(engine, account, symbol, side) for symbol, side in sides)


def building_sides(account: Account) -> int | None:
    """How many sides of an account hold nothing yet while entries rest; None while it was never read.

    No monitor of A66, which counts positions.
    """
    if not account.relisted_ms:
        return None
    view = account.view
    placed = {(order.symbol, PositionSide.grown_by(order.side)) for order in view.all_orders() if not order.is_exit}
    flat = (about for about in placed if not view.size(*about))
    return sum(next(_entries(account, *about), None) is not None for about in flat)


def entry_json(order: Order) -> dict[str, str | None]:
    """A resting entry: {"order_id", "price", "qty", "stop"}, price None at market."""
    price = order.price if order.price is not None else order.trigger_price
    return {
        "order_id": order.order_id,
        "price": None if price is None else plain(price),
        "qty": plain(order.leaves_qty),
        "stop": None if order.stop_loss is None else plain(order.stop_loss),
    }


def want_of(plan: SymbolPlan, side: PositionSide) -> Decimal | None:
    """What a mirror should hold of one side, after holds (A82); None when no cycle stands for it."""
    standing = next((s for s in plan.standings if s.side is side), None)
    if standing is None:
        return None
    return min([standing.want, *(h.want for h in plan.held if h.side is side and not h.waiting)])


def _sides(account: Account) -> list[tuple[str, PositionSide]]:
    return [(symbol, side) for symbol in sorted(account.view.symbols()) for side in PositionSide]


def _monitor(
    engine: Engine, account: Account, symbol: str, side: PositionSide, size: Decimal, entries: tuple[Order, ...]
) -> Monitor:
    view = account.view
    trade = engine.trades.get(*engine.keeper.source(account.name, symbol, side))
    covered = _is_covered(engine, account, symbol, side)
    done = _done(engine, account, symbol, side)
    ladder = _ladder(engine, account, symbol, side) if covered else Ladder((), ZERO)
    approach = _approach(engine, account, trade, covered)
    stop, _, _ = stop_on_book(view, symbol, side)
    return Monitor(
        account=account.name,
        symbol=symbol,
        side=side,
        label=label(engine.policy.chat_id, symbol, approach, account.name, _is_first_mirror(engine, account)),
        approach=approach,
        phase=phase(Facts(size, bool(entries), len(done))),
        size=size,
        want=None if account.is_main or not covered else _want(engine, account, symbol, side),
        stop=stop,
        stop_distance=_distance(engine, symbol, side, stop),
        entries=entries,
        rungs=tuple(_rungs(account, symbol, side, ladder, done)),
        rungs_done=len(done),
        rungs_total=len(done | {rung.key for rung in ladder.rungs}),
        uncovered=_uncovered(ladder),
        managed=trade is not None if account.is_main else covered,
        covered=covered,
    )


def _is_covered(engine: Engine, account: Account, symbol: str, side: PositionSide) -> bool:
    if account.is_main:
        return (symbol, side) in engine.keeper.cycles
    copy = engine.keeper.copies.get((account.name, symbol, side))
    return copy is not None and copy.opened


def _entries(account: Account, symbol: str, side: PositionSide) -> Iterator[Order]:
    """Main's resting entries, whoever placed them; on a mirror those of ours that stand for one on main."""
    if account.is_main:
        yield from entry_orders(account.view, symbol, side)
        return
    idx = account.view.mode(symbol).idx(side)
    for order in account.view.orders(symbol):
        link = parse(order.link_id)
        ours = link is not None and link.account == account.tag and link.role is Role.TWIN
        if ours and not order.is_exit and order.side is side.entry and order.position_idx == idx:
            yield order


def _done(engine: Engine, account: Account, symbol: str, side: PositionSide) -> frozenset[str]:
    """Keys of the rungs that this account's own position has filled."""
    if account.is_main:
        return engine.keeper.rungs_done(symbol, side) if (symbol, side) in engine.keeper.cycles else frozenset()
    copy = engine.keeper.copies.get((account.name, symbol, side))
    return frozenset(copy.done if copy is not None else ())


def _ladder(engine: Engine, account: Account, symbol: str, side: PositionSide) -> Ladder:
    """Main's ladder, done rungs included where it is known: the stored one, else what stands on main.

    Of a mirror with terms of its own what is left of it, in these terms; or the ladder that a mirror has of its own.
    """
    mirror, copy = engine.passes.get(account.name), engine.keeper.copies.get((account.name, symbol, side))
    if (own := engine.policy.approach_of(account.name)) is not None:
        return Ladder((), ZERO) if copy is None else own_ladder(copy, own, side)
    if mirror is not None and not mirror.sight.is_plain(symbol):
        instrument = engine.instruments.get(symbol)
        return Ladder((), ZERO) if instrument is None else mirror.sight.ladder(symbol, side, instrument)
    trade = engine.trades.get(symbol, side)
    if trade is not None and trade.targets:
        return stored_ladder(trade)
    return ladder_on_book(engine.main.view, symbol, side, opposite=True)


def _rungs(
    account: Account, symbol: str, side: PositionSide, ladder: Ladder, done: frozenset[str]
) -> Iterator[RungState]:
    """Main's rungs with what rests for them here, then targets here that no rung of main's stands for."""
    resting = {rung.key: rung for rung in ladder_on_book(account.view, symbol, side).rungs}
    for rung in ladder.rungs:
        here = resting.pop(rung.key, None)
        percent = rung.weight * _HUNDRED / ladder.whole_weight if ladder.whole_weight else None
        open_qty = _open_qty(account, here.order_id) if here is not None else ZERO
        yield RungState(rung.price if here is None else here.price, percent, open_qty, rung.key in done)
    for here in resting.values():
        yield RungState(here.price, None, _open_qty(account, here.order_id), done=False)


def _uncovered(ladder: Ladder) -> Decimal | None:
    if not ladder.rungs or not ladder.whole_weight:
        return None
    covered = sum((rung.weight for rung in ladder.rungs), ZERO)
    return max(ladder.whole_weight - covered, ZERO) * _HUNDRED / ladder.whole_weight


def _open_qty(account: Account, order_id: str) -> Decimal:
    order = account.view.order(order_id)
    return ZERO if order is None else account.view.leaves(order)


def _approach(engine: Engine, account: Account, trade: Trade | None, covered: bool) -> str:
    """The trade's, or the one that a mirror has of its own."""
    own = engine.policy.approach_of(account.name)
    if not covered and not account.is_main:
        return FOREIGN
    if own is not None:
        return own.name
    return trade.approach if trade is not None else FOLLOWED


def _is_first_mirror(engine: Engine, account: Account) -> bool:
    mirrors = engine.policy.mirrors
    return bool(mirrors) and mirrors[0].name == account.name


def _want(engine: Engine, account: Account, symbol: str, side: PositionSide) -> Decimal | None:
    """Nothing while main's position that is followed is none yet, or none any more: then no cycle has a size."""
    plan = engine.passes[account.name].plans.get(symbol)
    if plan is None:
        return None
    want = want_of(plan, side)
    flat = not engine.main.view.size(*engine.keeper.source(account.name, symbol, side))
    return ZERO if want is None and flat and not plan.blocked else want


def _distance(engine: Engine, symbol: str, side: PositionSide, stop: Decimal | None) -> Decimal | None:
    """By the newest mark price that any account was told: a symbol has one, and rows are pushed when they trade."""
    views = [account.view for account in engine.accounts.values()]
    rows = [row for view in views for each in PositionSide if (row := view.position(symbol, each)) is not None]
    mark = max(((row.told_ms, row.mark_price) for row in rows if row.mark_price), default=(0, None))[1]
    return None if stop is None or mark is None else (mark - stop) * side.sign * _HUNDRED / mark
