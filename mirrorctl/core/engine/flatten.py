"""`flatten` as a task: cancel our orders and close our positions on the chosen accounts, again and again.

It ends when they are gone, or when several rounds in a row have brought nothing: an exchange that takes ten orders a
second needs many rounds for a full account. Then it says what remains (A72).

It works on each account by itself, whether or not main is known, and takes each mirror out of its cycles first, so the
reconcile pass does not build up again what the trader tore down.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Iterable

from mirrorctl.core.domain.account import Position
from mirrorctl.core.domain.actions import Action, CancelOrder, PlaceOrder
from mirrorctl.core.domain.ids import LinkId, Role, parse, step_tag, trade_tag
from mirrorctl.core.domain.instruments import plain
from mirrorctl.core.domain.scene import Planned
from mirrorctl.core.domain.values import OrderType, PositionMode, PositionSide, TimeInForce
from mirrorctl.core.engine.accounts import Account
from mirrorctl.core.engine.copies import opened_by_us
from mirrorctl.core.engine.state import EngineState
from mirrorctl.core.engine.tasks import Progress, Steps, Wait

_TRIES = 5  # rounds in a row after which nothing less remains
_AT_ONCE = 10  # of each kind: what a UID may send in a second (rate-limit/rate-limit)
_ROUND_MS = 4_000
_RELIST_MS = 8_000


def flatten(engine: EngineState, names: Iterable[str], progress: Progress, *, everything: bool = False) -> Steps:
    """Flatten accounts. The result names what remains for each; `partial` is true when something does."""
    chosen = [engine.accounts[name] for name in names]
    unread = yield from _relist(engine, chosen)
    for account in chosen:
        if account.is_main:  # what is torn down is not built up again
            for trade in engine.trades.all():
                engine.trades.drop(trade.key)
        else:
            engine.keeper.mark_out(account.name, "flatten")
    tried: Counter[tuple[str, str, str]] = Counter()
    fewest, attempt, idle, patience = 0, 0, 0, _TRIES
    while idle < patience:
        actions = [action for account in chosen for action in plan_flatten(engine, account, attempt, everything)]
        if not actions:
            break
        if not fewest:
            patience += len(actions) // _AT_ONCE  # each is tried before what is refused ends it
        idle = idle + 1 if fewest and len(actions) >= fewest else 0
        fewest, attempt = min(fewest or len(actions), len(actions)), attempt + 1
        sent = _next(actions, tried)
        acted = {action.account for action in sent}
        unread = unread - acted | (yield from _round(engine, sent, tried, progress))
    remains = {account.name: _remains(engine, account, everything) for account in chosen}
    return {
        "partial": bool(unread) or any(remains.values()),
        "accounts": [
            {
                "account": account.name,
                "error": account.error or "could not be read" if account.name in unread else None,
                "remains": remains[account.name],
            }
            for account in chosen
        ],
    }


def plan_flatten(engine: EngineState, account: Account, attempt: int, everything: bool) -> list[Action]:
    """What flattening an account would send now."""
    actions: list[Action] = []
    for order in account.view.all_orders():
        link = parse(order.link_id)
        ours = link is not None and link.account == account.tag
        if not order.stop_kind.position_bound and (everything or ours):
            actions.append(CancelOrder(account.name, order.symbol, order.order_id, order.link_id, "flatten"))
    chosen = [row for row in account.view.positions() if everything or is_ours(engine, account, row)]
    return actions + [_close(engine, account, row, attempt) for row in chosen]


def is_ours(engine: EngineState, account: Account, row: Position) -> bool:
    """Whether a position is ours: a copy of it is open, or an execution with our ids opened it."""
    if row.side is None:
        return False
    if not account.is_main:
        copy = engine.keeper.copies.get((account.name, row.symbol, row.side))
        if copy is not None and copy.opened:
            return True
    return opened_by_us(account, (row.symbol, row.side))


def _close(engine: EngineState, account: Account, row: Position, attempt: int) -> PlaceOrder:
    side = row.side or PositionSide.LONG
    seq = str(account.view.seq(row.symbol))
    tag = trade_tag(account.uid, row.symbol, side, "flatten")
    link = LinkId(account.tag, tag, Role.FLATTEN, 0, step_tag("flatten", row.symbol, side, seq), attempt)
    while engine.book.by_link(account.name, str(link)) is not None:
        link = link.next_attempt()
    mode = PositionMode.HEDGE if row.idx else PositionMode.ONE_WAY
    return PlaceOrder(
        account=account.name,
        symbol=row.symbol,
        side=side.exit,
        order_type=OrderType.MARKET,
        qty=row.size,
        link_id=str(link),
        role=Role.FLATTEN,
        reason="flatten",
        position_idx=mode.idx(side),
        time_in_force=TimeInForce.IOC,
        reduce_only=True,
    )


def _next(actions: list[Action], tried: Counter[tuple[str, str, str]]) -> list[Action]:
    """What the exchange takes at once of each kind on each account: what was tried least, and what closes, first."""
    taken: Counter[tuple[str, type[Action]]] = Counter()
    chosen = []
    for action in sorted(actions, key=lambda each: (tried[_key(each)], each.priority)):
        kind = (action.account, type(action))
        taken[kind] += 1
        if taken[kind] <= _AT_ONCE:
            chosen.append(action)
    return chosen


def _key(action: Action) -> tuple[str, str, str]:
    """What stays the same of an action from round to round."""
    what = action.order_id if isinstance(action, CancelOrder) else str(getattr(action, "position_idx", ""))
    return (action.account, action.symbol, what)


def _round(
    engine: EngineState, actions: list[Action], tried: Counter[tuple[str, str, str]], progress: Progress
) -> Generator[Wait, bool, set[str]]:
    """Send one round, wait until the exchange answered, read every account again; names those that were not read.

    Each thing is told when it is tried first.
    """
    now = engine.now_ms()
    opened = engine.book.open_all([Planned(action) for action in actions], now)
    intents = list(zip(opened, actions, strict=True))
    for intent, action in sorted(intents, key=lambda pair: pair[1].priority):
        engine.accounts[action.account].writer.send(intent.intent_id, action)
        qty = plain(action.qty) if isinstance(action, PlaceOrder) else None
        what = "close" if isinstance(action, PlaceOrder) else "cancel"
        tried[_key(action)] += 1
        if tried[_key(action)] == 1:
            progress({"event": what, "account": action.account, "symbol": action.symbol, "qty": qty})

    def answered() -> bool:
        current = [engine.book.get(intent.intent_id) for intent, _ in intents]
        return all(intent is None or intent.state.is_over for intent in current)

    yield Wait(answered, now + _ROUND_MS)
    return (yield from _relist(engine, [engine.accounts[name] for name in {action.account for action in actions}]))


def _relist(engine: EngineState, accounts: list[Account]) -> Generator[Wait, bool, set[str]]:
    """Read the accounts anew; names those that could not be read: what they hold is unknown, not nothing (rule 1)."""
    asked = engine.now_ms()
    for account in accounts:
        account.relist_due_ms = 0
    yield Wait(lambda: all(account.relisted_ms >= asked for account in accounts), asked + _RELIST_MS)
    return {account.name for account in accounts if account.relisted_ms < asked}


def _remains(engine: EngineState, account: Account, everything: bool) -> list[str]:
    left = [
        f"{row.side} {plain(row.size)} {row.symbol}"
        for row in account.view.positions()
        if everything or is_ours(engine, account, row)
    ]
    orders = [a for a in plan_flatten(engine, account, 0, everything) if isinstance(a, CancelOrder)]
    return left + [f"order {action.order_id} {action.symbol}" for action in orders]
