"""The published state: everything the dashboard and the bot show, in one document (`published` on the command socket).

It is the `status` document with a desk beside it: what every account holds, what that brings and could bring. Each
figure is the exchange's own as last read or pushed, and `read_at` says when; what was never read is None (rule 1).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from mirrorctl.core.domain.account import Order, Position
from mirrorctl.core.domain.instruments import plain
from mirrorctl.core.domain.policy import MAIN
from mirrorctl.core.domain.potential import (
    Potential,
    at_stops,
    at_targets,
    stop_distance_pct,
    stops_of,
    targets_of,
    total,
)
from mirrorctl.core.domain.values import PositionSide
from mirrorctl.core.engine.accounts import Account
from mirrorctl.core.engine.building import building
from mirrorctl.core.engine.engine import Engine
from mirrorctl.core.engine.kept_back import kept_back
from mirrorctl.core.engine.monitors import Monitor, monitors_of, want_of
from mirrorctl.core.engine.ports import ReadDay, Relist
from mirrorctl.core.engine.records import MeasuredCopy
from mirrorctl.core.engine.status import snapshot
from mirrorctl.core.engine.tasks import Steps, Wait
from mirrorctl.core.engine.times import iso

COPIES_SHOWN = 60
_PATIENCE_MS = 3_000
_DAY_MS = 30_000  # the day's closed PnL is read again when it is older
_CENT = Decimal("0.01")
_POTENTIAL = ("at_targets", "at_stops", "without_targets", "without_stops")
_LISTS = ("positions", "missing", "building")
WALLET = ("equity", "available", "initial_margin", "maintenance_margin", "unrealised_pnl")

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Holding:
    """A position as one account shows it, with what may still exit it. `row` is None where no row is known yet.

    `size` of now: the row's, and the executions that are newer than it. Then the row's own figures are of another size.
    """

    symbol: str
    side: PositionSide
    idx: int
    size: Decimal
    row: Position | None
    orders: Sequence[Order]


def publish(engine: Engine, max_age_s: Decimal | None) -> Steps:
    """Answer with the published state, once every account's whole read is younger than `max_age_s`.

    None asks for nothing. What does not come within three seconds is not waited for: `read_at` tells how old it is.
    """
    if max_age_s is not None:
        reads = _Reads(engine, engine.now_ms() - int(max_age_s * 1000))
        yield Wait(lambda: not reads.are_waited_for(), engine.now_ms() + _PATIENCE_MS)
    desks: Document = {}
    for account in list(engine.accounts.values()):
        desks[account.name] = _desk(engine, account)
        yield Wait(lambda: False, engine.now_ms() + 1)  # what came meanwhile is decided about first
    desks |= {name: _desk(engine, late) for name, late in engine.accounts.items() if name not in desks}
    return {
        **snapshot(engine),
        "desk": desks | {name: unread_desk("mirror") for name in engine.absent},
        "copies": [copy_json(copy) for copy in list(engine.meter.newest)[-COPIES_SHOWN:]],
    }


def unread_desk(role: str, state: str = "unknown") -> Document:
    """The desk of an account that was never read: everything about it is unknown."""
    times = ("read_at", "changed_at", "realised_today", "realised_at")
    return {"role": role, "state": state, **dict.fromkeys((*times, *WALLET, *_POTENTIAL, *_LISTS))}


def potential_json(potentials: Sequence[tuple[str, Potential, Potential]]) -> Document:
    """An account's potential PnL at all targets and at all stops, each with how many positions it leaves out.

    Left out, wholly or in part, is what no order stands for. `potentials`: of each position its name and both.
    """
    targets, stops = [at for _, at, _ in potentials], [at for _, _, at in potentials]
    return {
        "at_targets": money(total(targets)),
        "at_stops": money(total(stops)),
        "without_targets": [name for name, at, _ in potentials if at.left],
        "without_stops": [name for name, _, at in potentials if at.left],
    }


def position_json(held: Holding) -> tuple[Document, Potential, Potential]:
    """What the exchange shows of one position, and its potential PnL at all its targets and at its stops."""
    row = held.row if held.row is not None and held.row.size == held.size else None
    levels = held.row or Position(held.symbol, held.idx, held.side, held.size, -1, 0)
    stops = stops_of(levels, held.orders, _leaves)
    targets = targets_of(levels, held.orders, _leaves)
    entry = None if row is None else row.entry_price
    high = at_targets(held.side, held.size, entry, targets)
    low = at_stops(held.side, held.size, entry, stops)
    mark, stop = None if held.row is None else held.row.mark_price, next(iter(stops), None)
    distance = stop_distance_pct(held.side, mark, None if stop is None else stop.price)
    document = {
        "symbol": held.symbol,
        "side": held.side.value,
        "position_idx": held.idx,
        "qty": plain(held.size),
        "entry_price": text(entry),
        "mark_price": text(mark),
        "unrealised_pnl": text(None if row is None else row.unrealised_pnl),
        "leverage": text(None if held.row is None else held.row.leverage),
        "liquidation_price": text(None if row is None else row.liq_price),
        "stop": None if stop is None else plain(stop.price),
        "stop_qty": None if stop is None else plain(stop.qty or held.size),
        "stop_distance_pct": money(distance),
        "targets": [{"price": plain(at.price), "qty": plain(at.qty or held.size)} for at in targets],
        "at_targets": money(high.pnl),
        "at_stop": money(low.pnl),
    }
    return document, high, low


def copy_json(copy: MeasuredCopy) -> Document:
    """One measured copy."""
    return {
        "account": copy.account,
        "symbol": copy.symbol,
        "at": iso(copy.mirror_exec_ms),
        "latency_ms": copy.total_ms,
        "legs_ms": copy.legs_ms(),
        "slippage_bps": text(copy.slippage_bps),
    }


def text(value: Decimal | None) -> str | None:
    """A figure as it is; None is unknown."""
    return None if value is None else plain(value)


def money(value: Decimal | None) -> str | None:
    """A computed figure to the cent; None is unknown."""
    return None if value is None else plain(value.quantize(_CENT))


class _Reads:
    """The reads that make the figures young enough. An account that cannot be read is waited for by nobody."""

    def __init__(self, engine: Engine, oldest_ms: int) -> None:
        self._engine = engine
        self._oldest_ms = oldest_ms
        self._asked_after: dict[str, int] = {}

    def are_waited_for(self) -> bool:
        """Whether an answer is on its way; asks for what is not asked yet."""
        engine, now = self._engine, self._engine.now_ms()
        known = [account for account in engine.accounts.values() if engine.is_known(account)]
        days = [_is_day_waiting(engine, account, now) for account in known]
        relists = [self._is_relist_waiting(account, now) for account in known]
        return any(relists) or any(days)  # each of them was asked for

    def _is_relist_waiting(self, account: Account, now_ms: int) -> bool:
        """A relist is asked once, and again after each one that had begun too early; one that fails is not repeated."""
        if account.relisted_ms >= self._oldest_ms:
            return False
        if self._asked_after.get(account.name) != account.relisted_ms:
            self._asked_after[account.name] = account.relisted_ms
            account.relist_due_ms = 0
        return account.relist_due_ms <= now_ms or any(isinstance(query, Relist) for query in account.asked)


def _is_day_waiting(engine: Engine, account: Account, now_ms: int) -> bool:
    """Whether a younger read of the day's closed PnL is on its way, or a close is about to show in one."""
    query, counted_ms = ReadDay(engine.day_start_ms()), engine.day_book.counted_from_ms(account)
    young = account.day_read_ms >= max(now_ms - _DAY_MS, counted_ms)
    if young and account.day is not None and account.day.start_ms == query.start_ms:
        return False
    if now_ms >= counted_ms:
        account.ask(query, now_ms)
    return now_ms < counted_ms or query in account.asked


def _desk(engine: Engine, account: Account) -> Document:
    """One account: its wallet, what today brought, and every position."""
    role = MAIN if account.is_main else "mirror"
    if not account.relisted_ms:
        return unread_desk(role)
    wallet = account.view.wallet
    spells = engine.naked.spells(engine.now_ms())
    naked = {(spell.symbol, spell.side): spell.ms for spell in spells if spell.account == account.name}
    found = monitors_of(engine, account)
    missing = _missing(engine, account)
    rows = [_position(engine, account, monitor, naked) for monitor in found if monitor.size]
    realised = _realised(engine, account)
    return {
        "role": role,
        "state": engine.freshness(account).value,
        "read_at": iso(account.relisted_ms),
        "changed_at": iso(account.last_event_ms),
        **{name: None if wallet is None else plain(getattr(wallet, name)) for name in WALLET},
        "realised_today": text(realised),
        "realised_at": None if realised is None else iso(account.day_read_ms),
        **potential_json([(f"{row['symbol']} {row['side']}", high, low) for row, high, low in rows]),
        "positions": [row for row, _, _ in rows],
        "missing": missing,
        "building": building(engine, account, found, {(row["symbol"], row["side"]) for row in missing}),
    }


def _realised(engine: Engine, account: Account) -> Decimal | None:
    """Closed PnL since 00:00 UTC, fees included; None unless a read of today holds every close that was seen."""
    day = account.day
    if day is None or day.start_ms != engine.day_start_ms():
        return None
    return day.realised if account.day_read_ms >= engine.day_book.counted_from_ms(account) else None


def _position(
    engine: Engine, account: Account, monitor: Monitor, naked: Mapping[tuple[str, PositionSide], int]
) -> tuple[Document, Potential, Potential]:
    view, symbol, side = account.view, monitor.symbol, monitor.side
    orders = [replace(order, filled_qty=view.filled(order)) for order in view.orders(symbol)]
    row = view.position(symbol, side)
    held = Holding(symbol, side, view.mode(symbol).idx(side), monitor.size, row, orders)
    found, high, low = position_json(held)
    kept = {
        "rungs_done": monitor.rungs_done,
        "rungs_total": monitor.rungs_total,
        "phase": monitor.phase.value if monitor.covered else None,
        "label": monitor.label,
        "approach": monitor.approach,
        "managed": monitor.managed,
        "entries": len(monitor.entries),
        "want_qty": text(monitor.want),
        "drift_qty": None if monitor.want is None else plain(abs(monitor.size - monitor.want)),
        **kept_back(engine, account, symbol, side),
        "naked_ms": naked.get((symbol, side)),
    }
    return {**found, **kept}, high, low


def _missing(engine: Engine, account: Account) -> list[Document]:
    """What a mirror should hold and holds nothing of: sizes after holds, with what keeps them back."""
    plans = {} if account.is_main else engine.passes[account.name].plans
    return [
        {
            "symbol": symbol,
            "side": standing.side.value,
            "want_qty": text(want_of(plan, standing.side)),
            **kept_back(engine, account, symbol, standing.side),
        }
        for symbol, plan in sorted(plans.items())
        for standing in plan.standings
        if standing.want and not standing.have
    ]


def _leaves(order: Order) -> Decimal:
    return order.leaves_qty
