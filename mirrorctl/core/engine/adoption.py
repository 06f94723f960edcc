"""`monitors`: what is watched, and main's positions that the trader hands over or takes back. Nothing here sends."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from mirrorctl.core.domain.cycle import entry_orders
from mirrorctl.core.domain.errors import Unavailable, UsageError
from mirrorctl.core.domain.instruments import plain
from mirrorctl.core.domain.policy import Manage
from mirrorctl.core.domain.standing_trade import ladder_on_book, stop_on_book
from mirrorctl.core.domain.trade import Trade
from mirrorctl.core.domain.values import PositionSide
from mirrorctl.core.engine.engine import Engine
from mirrorctl.core.engine.handover import read_trade
from mirrorctl.core.engine.monitors import Monitor, entry_json, monitors
from mirrorctl.core.engine.status import building_counts, counts
from mirrorctl.core.engine.tasks import Steps, Wait
from mirrorctl.core.engine.trade_reads import READ_MS, instrument_of, known_main
from mirrorctl.core.engine.trade_state import holding


def list_monitors(engine: Engine, symbol: str | None) -> dict[str, Any]:
    """Every monitor, or those of one symbol, and what could not be read."""
    unread = [name for name, account in engine.accounts.items() if not engine.is_known(account)]
    return {
        "monitors": [monitor_json(monitor) for monitor in monitors(engine) if symbol in (None, monitor.symbol)],
        "counts": counts(engine),
        "building": building_counts(engine),
        "unread": unread + sorted(engine.absent),
    }


def add_monitor(engine: Engine, symbol: str, side: PositionSide | None) -> Steps:
    """Take over main's position as it stands: from now on the daemon keeps its stop and its targets (A63)."""
    yield from known_main(engine)
    yield from instrument_of(engine, symbol)
    held = holding(engine, symbol, side)
    view = engine.main.view
    known = engine.trades.get(symbol, held)
    if known is not None:
        return {"added": False, **trade_json(known), "entries": [], "missing": [], "beside": []}
    asked_ms, engine.main.relist_due_ms = engine.now_ms(), 0
    read = yield Wait(
        lambda: engine.main.relisted_ms >= asked_ms and view.is_settled(symbol), engine.now_ms() + READ_MS
    )
    found = read_trade(engine, symbol, held) if read else None
    if found is None:
        raise Unavailable(f"main's {symbol} position cannot be told for sure at the moment", "try again")
    engine.trades.save(found.trade)
    engine.mark(engine.main, symbol)
    entries = [entry_json(order) for order in entry_orders(view, symbol, held)]
    return {
        "added": True,
        **trade_json(found.trade),
        "entries": entries,
        "missing": list(found.missing),
        "beside": list(found.beside),
    }


def remove_monitor(engine: Engine, symbol: str, side: PositionSide | None) -> Steps:
    """Give a trade back to the trader: the daemon writes on main for it no more, and what stands there stays."""
    yield from ()
    check_removable(engine.policy.manage)
    trade = chosen(engine.trades.all(), symbol, side)
    engine.trades.drop(trade.key)
    engine.mark(engine.main, symbol)
    return {"removed": True, **trade_json(trade), "stays": list(_standing(engine, trade))}


def check_removable(manage: Manage) -> None:
    """Raises UsageError where every position on main is managed anyway."""
    if manage is Manage.ALL:
        raise UsageError(
            'main.manage = "all": every position on main is managed', 'set main.manage = "own" in the profile first'
        )


def chosen(trades: list[Trade], symbol: str, side: PositionSide | None) -> Trade:
    """The managed trade of a symbol that is meant. UsageError when there is none, or one on each side."""
    found = [trade for trade in trades if trade.symbol == symbol and side in (None, trade.side)]
    if not found:
        which = f"{side} {symbol}" if side is not None else symbol
        raise UsageError(f"main's {which} is not managed", "`mirrorctl monitors` shows what is")
    if len(found) > 1:
        raise UsageError(f"both legs of {symbol} are managed", "say which: --side long or --side short")
    return found[0]


def monitor_json(monitor: Monitor) -> dict[str, Any]:
    """One monitor as plain data; null for what is unknown or not there."""
    return {
        "account": monitor.account,
        "symbol": monitor.symbol,
        "side": monitor.side.value,
        "label": monitor.label,
        "approach": monitor.approach,
        "phase": monitor.phase.value,
        "qty": plain(monitor.size),
        "want_qty": None if monitor.want is None else plain(monitor.want),
        "stop": None if monitor.stop is None else plain(monitor.stop),
        "stop_distance_pct": _percent(monitor.stop_distance),
        "rungs_done": monitor.rungs_done,
        "rungs_total": monitor.rungs_total,
        "uncovered_pct": _percent(monitor.uncovered),
        "targets": [
            {
                "price": plain(rung.price),
                "percent": _percent(rung.percent),
                "qty": plain(rung.open_qty),
                "done": rung.done,
            }
            for rung in monitor.rungs
        ],
        "entries": [entry_json(order) for order in monitor.entries],
        "managed": monitor.managed,
        "covered": monitor.covered,
    }


def trade_json(trade: Trade) -> dict[str, Any]:
    """What a managed trade intends on main."""
    return {
        "symbol": trade.symbol,
        "side": trade.side.value,
        "approach": trade.approach,
        "stop": None if trade.stop is None else plain(trade.stop),
        "targets": [{"price": plain(t.price), "percent": _percent(t.percent)} for t in trade.targets],
        "breakeven_after": trade.breakeven_after,
    }


def _standing(engine: Engine, trade: Trade) -> Iterator[str]:
    """What stands on main for a trade, whoever placed it."""
    view = engine.main.view
    stop, _, _ = stop_on_book(view, *trade.key)
    if stop is not None:
        yield f"stop at {plain(stop)}"
    for rung in ladder_on_book(view, *trade.key).rungs:
        yield f"target of {plain(rung.weight)} at {plain(rung.price)}"
    for order in entry_orders(view, *trade.key):
        row = entry_json(order)
        yield f"entry of {row['qty']} at {row['price'] or 'market'}"


def _percent(value: Decimal | None) -> str | None:
    return None if value is None else plain(round(value, 2))
