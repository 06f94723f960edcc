"""Sending for the trader: one action journaled, sent and answered; then how the mirrors follow."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from decimal import Decimal

from mirrorctl.core.domain.account import Order
from mirrorctl.core.domain.actions import Action, CancelOrder
from mirrorctl.core.domain.errors import InDoubt, Rejected, Unavailable
from mirrorctl.core.domain.instruments import plain
from mirrorctl.core.domain.ours import IntentState
from mirrorctl.core.domain.values import PositionSide
from mirrorctl.core.engine.engine import Engine
from mirrorctl.core.engine.records import Intent
from mirrorctl.core.engine.tasks import Progress, Steps, Wait
from mirrorctl.core.engine.trade_reads import READ_MS
from mirrorctl.core.engine.trade_state import exits_stand

_SEND_MS = 20_000


def send_and_wait(engine: Engine, action: Action) -> Generator[Wait, bool, Intent]:
    """Journal, send, and wait for the exchange's word; a refusal or lasting doubt is raised."""
    return (yield from send_journaled(engine, engine.book.open(action, engine.now_ms())))


def send_journaled(engine: Engine, intent: Intent) -> Generator[Wait, bool, Intent]:
    """Send what is in the journal already, and wait for the exchange's word; a refusal or lasting doubt is raised."""
    action = intent.action
    account = engine.accounts[action.account]
    account.writer.send(intent.intent_id, action)

    def current() -> Intent:
        return engine.book.get(intent.intent_id) or intent

    unsent: list[str] = []
    yield Wait(
        lambda: current().state not in (IntentState.PENDING, IntentState.DOUBT) or _unsent(engine, intent, unsent),
        engine.now_ms() + _SEND_MS,
    )
    now = current()
    if unsent or now.state is IntentState.ABSENT:
        why = account.growth_held(engine.now_ms()) or account.error or now.message
        raise Unavailable(f"{action.symbol} on {account.name}: not sent: {why}", "try again")
    if now.state is IntentState.REJECTED:
        raise Rejected(f"{action.symbol} on {account.name}: {now.message}", _hint(now.code), now.code)
    if now.state in (IntentState.PENDING, IntentState.DOUBT):
        raise InDoubt(
            f"{action.symbol} on {account.name}: sent, outcome unknown: {now.message}",
            "do not repeat it; the daemon keeps asking: `mirrorctl status` shows when it is settled",
        )
    return now


def cancel(engine: Engine, orders: Sequence[Order]) -> Generator[Wait, bool, int]:
    """Cancel orders on main and wait until none of them is open. Returns how many there were."""
    main = engine.main
    for order in orders:
        if (known := main.view.order(order.order_id)) is not None and not known.is_open:
            continue
        action = CancelOrder(main.name, order.symbol, order.order_id, order.link_id, "asked for on the command line")
        yield from send_and_wait(engine, action)
    ids = {order.order_id for order in orders}
    yield Wait(lambda: ids.isdisjoint(order.order_id for order in main.view.all_orders()), engine.now_ms() + READ_MS)
    return len(orders)


def follow(
    engine: Engine,
    symbol: str,
    wait_s: Decimal,
    progress: Progress,
    result: dict[str, object],
    *,
    side: PositionSide | None,
) -> Steps:
    """Tell how each mirror follows, as it happens, until all are in step or the wait is over.

    `side` of main that was changed; None: of whichever side stands.

    Main's own exits count: without a daemon nobody places them once this has returned.
    """
    told: set[str] = set()
    until = engine.now_ms() + int(wait_s * 1000)

    def all_followed() -> bool:
        following = [name for name in engine.passes if _has_followed(engine, name, symbol)]
        for name in following:
            if name not in told:
                told.add(name)
                progress({"event": "mirror", **_outcome(engine, name, symbol, side)})
        return len(following) == len(engine.passes) and all(exits_stand(engine, symbol, side) for side in PositionSide)

    yield Wait(all_followed, until)
    mirrors = [_outcome(engine, name, symbol, side) for name in engine.passes]
    return {**result, "symbol": symbol, "mirrors": mirrors}


def _unsent(engine: Engine, intent: Intent, unsent: list[str]) -> bool:
    """Whether the book forgot the intent because it never left."""
    if engine.book.get(intent.intent_id) is None:
        unsent.append("")
    return bool(unsent)


def _has_followed(engine: Engine, name: str, symbol: str) -> bool:
    """Whether a mirror is in step, or stays where it is for a reason that does not end by itself."""
    here = engine.keeper.lens(name).symbol_here(symbol)
    plan = engine.passes[name].plans.get(here)
    if plan is None or engine.accounts[name].view.touched_ms(here) == 0:
        return False
    stays = any(not held.waiting for held in plan.held) or bool(plan.parked)
    return stays or _in_step(engine, name, symbol)


def _in_step(engine: Engine, name: str, symbol: str) -> bool:
    here = engine.keeper.lens(name).symbol_here(symbol)
    plan = engine.passes[name].plans.get(here)
    settled = engine.main.view.is_settled(symbol) and engine.accounts[name].view.is_settled(here)
    return bool(
        plan
        and settled
        and not (plan.actions or plan.blocked or plan.held)
        and not any(what.startswith("resize") for what in plan.since)  # its targets wait until its size stands still
        and all(s.have == s.want for s in plan.standings)
        and not _is_working(engine, name, here)
    )


def _is_working(engine: Engine, name: str, symbol: str) -> bool:
    """Whether something is under way that the next pass will answer: its targets follow a correction, for one."""
    sent = (i for i in engine.book.open_intents() if i.account == name and i.action.symbol == symbol)
    passing = (
        order.is_live and (order.is_growth_correction or order.is_reduction)
        for order in engine.book.ours(name, symbol, engine.accounts[name].view)
    )
    return any(intent.state is not IntentState.LIVE for intent in sent) or any(passing)


def _outcome(engine: Engine, name: str, symbol: str, side: PositionSide | None) -> dict[str, object]:
    """How a mirror stands on the side that follows main's `side`."""
    lens = engine.keeper.lens(name)
    plan = engine.passes[name].plans.get(lens.symbol_here(symbol))
    sides = tuple(PositionSide) if side is None else (lens.side(side),)
    standing = next((s for s in plan.standings if s.side in sides), None) if plan else None
    held = next((h.reason for h in plan.held if h.side in sides), None) if plan else None
    return {
        "account": name,
        "have": plain(standing.have) if standing else "0" if plan else None,
        "want": plain(standing.want) if standing else "0" if plan else None,
        "held": held,
        "parked": plan.parked or None if plan else None,
    }


def _hint(code: int) -> str:
    return {
        110007: "main has not enough available balance: trade smaller or add funds",
        110072: "this --client-id was used before",
    }.get(code, f"Bybit's retCode {code}: see docs/troubleshooting.md")
