"""The commands an engine carries out, by name: the same whether they come over the socket or from a one-shot run."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import replace
from decimal import Decimal
from typing import Any

from mirrorctl.core.domain.errors import PartlyDone, StoreError, UsageError
from mirrorctl.core.domain.lens import PLAIN
from mirrorctl.core.domain.scene import NeedKind, Planned, SymbolPlan
from mirrorctl.core.domain.values import PositionSide
from mirrorctl.core.engine.adoption import add_monitor, list_monitors, remove_monitor
from mirrorctl.core.engine.copy_latency import by_mirror
from mirrorctl.core.engine.doubts import doubts_json
from mirrorctl.core.engine.engine import Engine
from mirrorctl.core.engine.flatten import flatten, plan_flatten
from mirrorctl.core.engine.halts import still_reached
from mirrorctl.core.engine.preview_limits import days_unread
from mirrorctl.core.engine.published import publish
from mirrorctl.core.engine.rebase import Rebased, confirmed, rebase_json, rebased, supposed
from mirrorctl.core.engine.rebase import apply as apply_rebase
from mirrorctl.core.engine.records import StandingKind
from mirrorctl.core.engine.sizing import is_sizing
from mirrorctl.core.engine.status import action_json, converged, phases, plan_json, snapshot, wants
from mirrorctl.core.engine.tasks import Progress, Steps, Wait
from mirrorctl.core.engine.trade_exits import move_stop, move_to_breakeven, set_targets
from mirrorctl.core.engine.trade_plan import plan_open
from mirrorctl.core.engine.trade_preview import held_rows, preview_open
from mirrorctl.core.engine.trade_reads import READ_MS, instrument_of, known_main
from mirrorctl.core.engine.trade_request import number, open_request, target_wishes
from mirrorctl.core.engine.trade_sizing import read_equities, sized_wishes
from mirrorctl.core.engine.trading import cancel_orders, close_trade, expected, open_trade, reduce_trade

_SYNC_MS = 30_000
_RELIST_MS = 8_000
_READ_FOR_A_LOOK = frozenset((NeedKind.POSITION, NeedKind.TICKER, NeedKind.INSTRUMENT, NeedKind.ORDER))

Args = dict[str, Any]


def steps(engine: Engine, name: str, args: Args, progress: Progress) -> Steps:
    """The task behind a command. Raises UsageError for a name that is none."""
    command = _COMMANDS.get(name)
    if command is None:
        raise UsageError(f"the daemon knows no command {name!r}", "is it of another version? restart `mirrorctl run`")
    if name in _WRITTEN_FIRST and not engine.store.can_write(engine.now_ms()):
        raise StoreError(f"{name.replace('.', ' ')} is not done: {engine.store.error}", engine.store.hint)
    return command(engine, args, progress)


def preview(engine: Engine, symbol: str | None = None) -> dict[str, Any]:
    """What a sync would send now; nothing is sent and nothing is remembered."""
    plans = _plans(engine, symbol)
    unread = [name for name, account in engine.accounts.items() if not engine.is_known(account)]
    return {**plan_json(plans), "unread": unread + sorted(engine.absent), "in_doubt": doubts_json(engine)}


def _plans(engine: Engine, symbol: str | None) -> list[SymbolPlan]:
    plans = []
    if engine.is_known(engine.main):
        symbols = {symbol} if symbol else engine.trades.symbols()
        plans += [decided.plan for decided in engine.plan_main(symbols, engine.now_ms(), keep=False)]
    for mirror in engine.passes.values():
        if engine.is_known(mirror.mirror) and engine.is_known(engine.main):
            symbols = mirror.named(symbol) if symbol else engine.all_symbols(mirror)
            plans += engine.plan_mirror(mirror, symbols, engine.now_ms(), keep=False)
    return plans


def _status(engine: Engine, _args: Args, _progress: Progress) -> Steps:
    yield from ()
    names = [mirror.name for mirror in engine.policy.mirrors if mirror.enabled]
    latency = by_mirror(engine.meter.newest, names)
    return {**snapshot(engine), "latency": latency, "wants": wants(engine), "phases": phases(engine)}


def _published(engine: Engine, args: Args, _progress: Progress) -> Steps:
    age = args.get("max_age_s")
    return publish(engine, None if age is None else Decimal(str(age)))


def _monitors(engine: Engine, args: Args, _progress: Progress) -> Steps:
    yield from ()
    return list_monitors(engine, args.get("symbol"))


def _add_monitor(engine: Engine, args: Args, _progress: Progress) -> Steps:
    return add_monitor(engine, args["symbol"], _side(args))


def _remove_monitor(engine: Engine, args: Args, _progress: Progress) -> Steps:
    return remove_monitor(engine, args["symbol"], _side(args))


def _open(engine: Engine, args: Args, progress: Progress) -> Steps:
    request = open_request(args)
    if not args.get("dry_run"):
        return (yield from open_trade(engine, request, progress))
    plan = yield from plan_open(engine, request)
    yield from read_equities(engine, plan.asked_ms)
    plan = replace(plan, wishes=sized_wishes(engine, plan))
    actions = ([plan.leverage] if plan.leverage else []) + list(plan.orders)
    planned = [action_json(Planned(action)) for action in actions]
    yield Wait(lambda: not days_unread(engine), engine.now_ms() + READ_MS)
    mirrors, rows = expected(engine, plan), preview_open(engine, plan)
    return {"plan": planned, "held": held_rows(rows), "mirrors": mirrors, "preview": rows}


def _close(engine: Engine, args: Args, progress: Progress) -> Steps:
    return close_trade(engine, args["symbol"], _side(args), _wait_s(args), progress)


def _reduce(engine: Engine, args: Args, progress: Progress) -> Steps:
    amount = (Decimal(args["amount"]), bool(args["percent"]))
    return reduce_trade(engine, args["symbol"], _side(args), amount, _wait_s(args), progress)


def _stop(engine: Engine, args: Args, progress: Progress) -> Steps:
    return move_stop(engine, args["symbol"], _side(args), Decimal(args["price"]), progress)


def _breakeven(engine: Engine, args: Args, progress: Progress) -> Steps:
    return move_to_breakeven(engine, args["symbol"], _side(args), progress)


def _target(engine: Engine, args: Args, progress: Progress) -> Steps:
    return set_targets(engine, args["symbol"], _side(args), target_wishes(args["targets"]), progress)


def _cancel(engine: Engine, args: Args, progress: Progress) -> Steps:
    return cancel_orders(engine, args["symbol"], _side(args), args.get("order") or "", progress)


def _sync(engine: Engine, args: Args, progress: Progress) -> Steps:
    """Relist, release what waited for a yes (unless told not to), and pass until every account is in step."""
    asked = engine.now_ms()
    engine.relist_all()
    yield Wait(lambda: all(a.relisted_ms >= asked for a in engine.accounts.values()), asked + _RELIST_MS)
    if not engine.is_known(engine.main):
        yield from known_main(engine)
    symbol = args.get("symbol")
    if symbol:
        yield from instrument_of(engine, symbol)
    rows = yield from _rebased(engine, args)
    with supposed(engine, rows):
        before = preview(engine, symbol)
    apply_rebase(engine, rows)
    before["rebase"] = rebase_json(rows)
    released = engine.keeper.release(symbol) if args.get("release", True) else 0
    for mirror in engine.passes.values():
        for each in mirror.named(symbol) if symbol else engine.all_symbols(mirror):
            engine.mark(mirror.mirror, each)
    progress({"event": "plan", **before, "released": released})
    yield Wait(lambda: converged(engine), engine.now_ms() + _SYNC_MS)
    return {**before, "released": released, "converged": converged(engine), "status": snapshot(engine)}


def _preview(engine: Engine, args: Args, _progress: Progress) -> Steps:
    """The plan, once what it lacks was read as a pass would: so that it is what `sync` sends."""
    yield Wait(lambda: not is_sizing(engine), engine.now_ms() + READ_MS)
    symbol, since = args.get("symbol"), engine.now_ms()
    yield from _rebased(engine, args)

    def rows() -> list[Rebased]:
        return rebased(engine, symbol, since) if args.get("rebase") else []

    yield Wait(lambda: not _lacks(engine, symbol, rows()), engine.now_ms() + READ_MS)
    made = rows()  # of now: nothing waits from here on
    with supposed(engine, made):
        return {**preview(engine, symbol), "rebase": rebase_json(made)}


def _lacks(engine: Engine, symbol: str | None, rows: list[Rebased]) -> bool:
    """Whether the plan needs what is not read yet; it is asked for. What the passes look into by themselves is not."""
    with supposed(engine, rows):
        plans = _plans(engine, symbol)
    lacking = False
    for plan in plans:
        plan.needs = [need for need in plan.needs if need.kind in _READ_FOR_A_LOOK]
        if plan.needs:
            mirror = engine.passes.get(plan.account)
            engine.after_needs(plan, engine.now_ms(), PLAIN if mirror is None else mirror.sight.lens)
            lacking = True
    return lacking


def _rebased(engine: Engine, args: Args) -> Generator[Wait, bool, list[Rebased]]:
    """What `rebase` asks for: true for today's ratios, or the rows that the trader was shown and said yes to."""
    asked = args.get("rebase")
    if not asked:
        return []
    if isinstance(asked, list):
        return confirmed(engine, asked)
    since = engine.now_ms()
    yield from known_main(engine)
    yield from read_equities(engine, since)
    return rebased(engine, args.get("symbol"), since)


def _pause(engine: Engine, args: Args, _progress: Progress) -> Steps:
    yield from ()
    account, symbol = args.get("account") or "", args.get("symbol") or ""
    _known_account(engine, account)
    engine.standings.set(StandingKind.PAUSE, account, symbol, "by the trader", engine.now_ms())
    _mark_all(engine)
    if engine.store.error:
        raise PartlyDone(
            f"paused, but it is not written down: {engine.store.error}",
            f"it holds while this daemon runs, and the next one starts paused. {engine.store.hint}",
        )
    return {"paused": {"account": account or "all", "symbol": symbol or "all"}}


def _resume(engine: Engine, args: Args, _progress: Progress) -> Steps:
    yield from ()
    _known_account(engine, args.get("account") or "")
    ended = engine.standings.clear(args.get("account"), args.get("symbol"))
    engine.book.forgive(args.get("account"), args.get("symbol"), engine.now_ms())
    engine.brake.release(args.get("account"), args.get("symbol"))
    engine.book.ask_again(args.get("account"), args.get("symbol"), engine.now_ms())
    _mark_all(engine)
    return {
        "ended": [{"kind": s.kind.value, "account": s.account, "symbol": s.symbol} for s in ended],
        "still": still_reached(engine, [s.account for s in ended if s.kind is StandingKind.HALT]),
    }


def _flatten(engine: Engine, args: Args, progress: Progress) -> Steps:
    account = args.get("account")
    _known_account(engine, account or "")
    names = [account] if account else list(engine.accounts)
    absent = {} if account else dict(engine.absent)
    everything = bool(args.get("all"))
    if not args.get("dry_run"):
        result: Args = yield from flatten(engine, names, progress, everything=everything)
        rows = [{"account": name, "error": error, "remains": []} for name, error in absent.items()]
        return {**result, "partial": result["partial"] or bool(rows), "accounts": result["accounts"] + rows}
    asked = engine.now_ms()
    engine.relist_all()
    yield Wait(lambda: all(engine.accounts[n].relisted_ms >= asked for n in names), asked + _RELIST_MS)
    actions = [a for name in names for a in plan_flatten(engine, engine.accounts[name], 0, everything)]
    unread = [name for name in names if engine.accounts[name].relisted_ms < asked] + sorted(absent)
    return {"plan": [action_json(Planned(action)) for action in actions], "held": [], "unread": unread}


def _known_account(engine: Engine, name: str) -> None:
    if name and name not in engine.accounts:
        known = ", ".join(engine.accounts)
        raise UsageError(f"the profile has no account {name!r} that can be read", f"it has: {known}")


def _mark_all(engine: Engine) -> None:
    for mirror in engine.passes.values():
        for symbol in engine.all_symbols(mirror):
            engine.mark(mirror.mirror, symbol)


def _side(args: Args) -> PositionSide | None:
    return PositionSide(args["side"]) if args.get("side") else None


def _wait_s(args: Args) -> Decimal:
    return number(args.get("wait_s")) or Decimal(0)


_COMMANDS: dict[str, Callable[[Engine, Args, Progress], Steps]] = {
    "status": _status,
    "published": _published,
    "trade.open": _open,
    "trade.close": _close,
    "trade.reduce": _reduce,
    "trade.stop": _stop,
    "trade.target": _target,
    "trade.breakeven": _breakeven,
    "trade.cancel": _cancel,
    "sync": _sync,
    "preview": _preview,
    "pause": _pause,
    "resume": _resume,
    "flatten": _flatten,
    "monitors": _monitors,
    "monitors.add": _add_monitor,
    "monitors.remove": _remove_monitor,
}

_WRITTEN_FIRST = frozenset(("trade.target", "resume", "sync", "monitors.add", "monitors.remove"))
"""Commands that change what the trader wants, or let growth go on: nothing of it may be forgotten with the process."""

READ_ONLY = frozenset(("status", "published", "preview", "monitors"))
