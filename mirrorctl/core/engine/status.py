"""What the engine knows, as plain data for `status`, `positions`, `sync` and the command socket (contract, JSON)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

from mirrorctl.core.domain.actions import AmendOrder, CancelOrder, PlaceOrder, SetLeverage
from mirrorctl.core.domain.day_limits import watched
from mirrorctl.core.domain.ids import Role
from mirrorctl.core.domain.instruments import plain
from mirrorctl.core.domain.ours import IntentState
from mirrorctl.core.domain.parks import remedy, told
from mirrorctl.core.domain.scene import Held, Planned, Standing, SymbolPlan
from mirrorctl.core.engine.accounts import Account
from mirrorctl.core.engine.channel import channel_json
from mirrorctl.core.engine.doubts import doubts_json
from mirrorctl.core.engine.effects import busy_key
from mirrorctl.core.engine.engine import Engine
from mirrorctl.core.engine.late import late, late_json, plans_of
from mirrorctl.core.engine.loops import loops_json
from mirrorctl.core.engine.monitors import building_sides, covered_positions, monitors, want_of
from mirrorctl.core.engine.reach import address_json, reach_json
from mirrorctl.core.engine.reconcile import is_off
from mirrorctl.core.engine.records import Alert, Severity
from mirrorctl.core.engine.records import Standing as Pause
from mirrorctl.core.engine.times import iso

ALERTS_SHOWN = 5
_DIGITS = 8  # of a ratio times a size, after the point
_ALERTS_LOOKED_AT = 200
_CENT = Decimal("0.01")
DISABLED = "disabled in the profile: not followed, not touched"
_CLOSING = (Role.REDUCTION, Role.FLATTEN)


def snapshot(engine: Engine) -> dict[str, Any]:
    """The contract's `status` document, without the daemon part."""
    drift = list(_drift(engine))
    parked = list(_parked(engine))
    channel = engine.outbox.channel
    known = not engine.absent and all(engine.is_known(account) for account in engine.accounts.values())
    lacking = any(row["lacks"] for row in parked)
    in_doubt = len(engine.book.in_doubt())
    missing = list(_missing(engine))
    undone = in_doubt or any("since" in row for row in missing)
    unanswered = any(intent.state is IntentState.PENDING for intent in engine.book.open_intents())
    return {
        "mirroring": engine.policy.mirroring,
        "accounts": [_account(engine, account) for account in engine.accounts.values()]
        + [_absent(name, error) for name, error in engine.absent.items()]
        + [disabled_json(mirror.name) for mirror in engine.policy.mirrors if not mirror.enabled],
        "monitors": counts(engine),
        "building": building_counts(engine),
        "in_sync": known and not drift and not lacking and not undone and not unanswered and not _undecided(engine),
        "drift": drift,
        "held": [held_json(held) for plan in plans_of(engine) for held in plan.holds()],
        "parked": [{k: v for k, v in row.items() if k != "lacks"} for row in parked],
        "pauses": [pause_json(standing) for standing in engine.standings.pauses()],
        "unprotected": [
            {"account": plan.account, "symbol": plan.symbol, "side": side.value}
            for plan in plans_of(engine)
            for side in plan.unprotected
        ],
        "naked": [
            {"account": spell.account, "symbol": spell.symbol, "side": spell.side.value, "ms": spell.ms}
            for spell in engine.naked.spells(engine.now_ms())
        ],
        "in_doubt": in_doubt,
        "doubts": doubts_json(engine),
        "loops": loops_json(engine),
        "missing": missing,
        "address": address_json(engine.accounts.values()),
        "alerts_waiting": 0 if channel is None else channel.health().waiting,
        "telegram": channel_json(channel),
        "store": store_json(engine),
        "alerts": [alert_json(alert) for alert in _last_alerts(engine)],
        "pass_ms": engine.pass_ms,
    }


def store_json(engine: Engine) -> dict[str, Any]:
    """Whether the store can be written; where not, since when, why, what to do, and how many writes wait."""
    store = engine.store
    return {
        "writable": not store.error,
        "since": iso(engine.store_care.since_ms),
        "error": store.error or None,
        "hint": store.hint or None,
        "waiting": store.waiting,
    }


def _last_alerts(engine: Engine) -> list[Alert]:
    """The newest that ask for attention, else the newest: ordinary fills do not push a warning out of sight."""
    newest = engine.store.alerts(_ALERTS_LOOKED_AT)
    urgent = [alert for alert in newest if alert.severity is not Severity.INFO]
    return (urgent or newest)[:ALERTS_SHOWN]


def wants(engine: Engine) -> dict[str, dict[str, str]]:
    """{account: {"SYMBOL side": want}} of every mirror side that follows a cycle, after holds (A82)."""
    found: dict[str, dict[str, str]] = {}
    for plan in plans_of(engine):
        for standing in plan.standings:
            want = want_of(plan, standing.side)
            if want is not None:
                found.setdefault(plan.account, {})[f"{plan.symbol} {standing.side}"] = plain(want)
    return found


def phases(engine: Engine) -> dict[str, dict[str, str]]:
    """{account: {"SYMBOL side": phase}} of every monitor."""
    found: dict[str, dict[str, str]] = {}
    for monitor in monitors(engine):
        found.setdefault(monitor.account, {})[f"{monitor.symbol} {monitor.side}"] = monitor.phase.value
    return found


def plan_json(plans: Iterable[SymbolPlan]) -> dict[str, Any]:
    """The contract's plan document: actions, and held growth beside them."""
    plans = list(plans)
    return {
        "plan": [action_json(item) for plan in plans for item in plan.actions],
        "held": [held_json(held) for plan in plans for held in plan.holds()],
    }


def alert_json(alert: Alert) -> dict[str, Any]:
    """One row of the outbox."""
    return {
        "at": iso(alert.at_ms),
        "severity": alert.severity.value,
        "kind": alert.kind,
        "account": alert.account,
        "symbol": alert.symbol,
        "text": alert.text,
    }


def pause_json(standing: Pause) -> dict[str, Any]:
    """One pause, by the trader or (kind "halt") by a limit of the day; an account or symbol of null is every one."""
    return {
        "kind": standing.kind.value,
        "account": standing.account or None,
        "symbol": standing.symbol or None,
        "reason": standing.reason,
        "since": iso(standing.since_ms),
    }


def held_json(held: Held) -> dict[str, Any]:
    """Growth that is held, with what it would have been."""
    return {
        "account": held.account,
        "symbol": held.symbol,
        "raw_want": None if held.raw_want is None else plain(round(held.raw_want, _DIGITS)),
        "want": plain(held.want),
        "reason": held.reason,
    }


def action_json(item: Planned) -> dict[str, Any]:
    """One action of a plan: account, action, symbol, side, qty, price, reason.

    Only what is sent to close is "close": a twin and a target that reduce rest like every other order. "set-stop" says
    in `sets` what it changes; `price` is the stop's, else the target's; the distance of a trailing stop is no price.
    `stop` is what an order carries attached.
    """
    action = item.action
    row: dict[str, Any] = {"account": action.account, "symbol": action.symbol, "side": None, "qty": None, "price": None}
    if isinstance(action, PlaceOrder):
        row["action"] = "close" if action.role in _CLOSING else "place"
        row["side"], row["qty"], row["price"] = action.side.value, plain(action.qty), _text(action.price)
        if action.stop_loss is not None:
            row["stop"] = plain(action.stop_loss)
    elif isinstance(action, AmendOrder):
        row["action"], row["qty"], row["price"] = "amend", _text(action.qty), _text(action.price)
    elif isinstance(action, CancelOrder):
        row["action"] = "cancel"
    elif isinstance(action, SetLeverage):
        row["action"], row["qty"] = "set-leverage", plain(action.leverage)
    else:
        bound = {"stop": action.stop_loss, "target": action.take_profit, "trailing": action.trailing_stop}
        row["action"], row["sets"] = "set-stop", {name: plain(to) for name, to in bound.items() if to is not None}
        row["price"] = _text(action.take_profit if action.stop_loss is None else action.stop_loss)
    row["reason"] = action.reason
    return row


def converged(engine: Engine) -> bool:
    """Whether every account is known and nothing is left to do: no action in flight, no doubt, no drift.

    What waits for the next pass, or for a read of main's position, is left to do.
    """
    if (
        any(engine.dirty.values())
        or engine.dirty_main
        or engine.stale_cycles
        or engine.keeper.unproven(engine.main.view)
    ):
        return False
    state = snapshot(engine)
    quiet = not engine.book.open_intents() or all(_rests(i.state.value) for i in engine.book.open_intents())
    waiting = any(plan.actions or plan.needs or plan.blocked or plan.settling for plan in plans_of(engine))
    waiting = waiting or any(not due.named for plan in plans_of(engine) for due in plan.due.values())
    return bool(state["in_sync"]) and quiet and not waiting and all(m.sighted for m in engine.passes.values())


def _rests(state: str) -> bool:
    return state == "live"


def _undecided(engine: Engine) -> bool:
    """A pass that could not decide proves nothing about being in step, nor does an entry that waits for its turn."""
    return any(
        plan.blocked or plan.unprotected or plan.passed_stops or any(held.waiting for held in plan.held)
        for plan in plans_of(engine)
    )


def _account(engine: Engine, account: Account) -> dict[str, Any]:
    return {
        "account": account.name,
        "role": "main" if account.is_main else "mirror",
        "state": engine.freshness(account).value,
        "stream": "up" if account.stream_up else "down",
        **reach_json(account, unread=bool(account.error) and not engine.is_known(account)),
        "last_event_at": iso(account.last_event_ms),
        "last_read_at": iso(account.relisted_ms),
        "clock_skew_ms": account.clock_offset_ms,
        "paused": engine.standings.is_paused(account.name),
        "day": _day(engine, account),
        "approach": None if account.is_main else engine.policy.mirror(account.name).follow.approach,
        "monitors": covered_positions(engine, account),
        "error": account.error or None,
    }


def _day(engine: Engine, account: Account) -> dict[str, str | None] | None:
    """The figures of the day and the limits that look at them; None where it has no such limit."""
    limits = engine.limits_of(account)
    if not watched(limits):
        return None
    day = engine.day_of(account)
    loss = None if day.loss is None else day.loss.quantize(_CENT)
    fallen = None if day.drawdown_pct is None else day.drawdown_pct.quantize(_CENT)
    return {
        "loss": _text(loss),
        "max_daily_loss": _text(limits.max_daily_loss),
        "highest_equity": _text(day.high),
        "drawdown_pct": _text(fallen),
        "max_drawdown_pct": _text(limits.max_drawdown_pct or None),
    }


def _absent(name: str, error: str) -> dict[str, Any]:
    """An account that could not be read since the start: everything about it is unknown."""
    names = ("next_try_s", "budget", "last_event_at", "last_read_at", "clock_skew_ms", "paused", "day", "approach")
    unknown: dict[str, Any] = dict.fromkeys((*names, "monitors", "order_entry", "entry_trouble"))
    return {
        "account": name,
        "role": "mirror",
        "state": "unknown",
        "stream": "down",
        "breaker": "open",
        **unknown,
        "error": error,
    }


def disabled_json(name: str) -> dict[str, Any]:
    """A mirror that the profile disables: the daemon neither reads nor touches it."""
    return {**_absent(name, DISABLED), "state": "disabled", "stream": None, "breaker": None}


def counts(engine: Engine) -> dict[str, int | None]:
    """Covered positions of main and of the mirrors; null while one of those accounts was never read (A66)."""
    return _summed(engine, {name: covered_positions(engine, account) for name, account in engine.accounts.items()})


def building_counts(engine: Engine) -> dict[str, int | None]:
    """Sides of main and of the mirrors that hold nothing yet and have entries that rest; null as in `counts`."""
    return _summed(engine, {name: building_sides(account) for name, account in engine.accounts.items()})


def _summed(engine: Engine, by_name: dict[str, int | None]) -> dict[str, int | None]:
    main = by_name.pop(engine.main.name)
    mirror = total([*by_name.values(), *(None for _ in engine.absent)])
    return {"total": total([main, mirror]), "main": main, "mirror": mirror}


def total(counts: Sequence[int | None]) -> int | None:
    """Their sum; None where one of them is unknown."""
    known = [count for count in counts if count is not None]
    return sum(known) if len(known) == len(counts) else None


def _drift(engine: Engine) -> Iterable[dict[str, Any]]:
    now = engine.now_ms()
    for mirror in engine.passes.values():
        for plan in mirror.plans.values():
            for standing in plan.standings:
                since = drifting_since(engine, plan, standing)
                if since is not None and now - since > int(mirror.policy.follow.grace_s * 1000):
                    yield {
                        "account": plan.account,
                        "symbol": plan.symbol,
                        "have": plain(standing.have),
                        "want": plain(standing.want),
                        "since": iso(since),
                    }


def drifting_since(engine: Engine, plan: SymbolPlan, standing: Standing) -> int | None:
    """Since when a side is off its target, by an unexplained step or more; None when it is not."""
    instrument = engine.instruments.get(plan.symbol)
    if instrument is None or not is_off(plan, standing.side, instrument):
        return None
    return plan.since.get(f"drift {standing.side}")


def _parked(engine: Engine) -> Iterable[dict[str, Any]]:
    for standing in engine.standings.parked():
        yield _park(standing.account, standing.symbol, standing.reason, lacks=True)
    for plan in plans_of(engine):
        if plan.parked:
            lacks = any(s.want > s.have for s in plan.standings)
            yield _park(plan.account, plan.symbol, plan.parked, lacks=lacks)


def _missing(engine: Engine) -> Iterable[dict[str, Any]]:
    """Orders and changes that should be there and are not: of stops, reductions and cancels `since` when (A28)."""
    for plan in plans_of(engine):
        for what in plan.missing:
            yield {"account": plan.account, "symbol": plan.symbol, "what": what}
    overdue = list(late(engine))
    yield from (late_json(engine, plan, due) for plan, due in overdue)
    named = {(plan.account, plan.symbol, due.kind) for plan, due in overdue}
    for intent in engine.book.waiting(engine.now_ms()):
        if (intent.account, intent.action.symbol, busy_key(intent.action)) in named:
            continue
        what = f"{told(intent.action)}: refused ({intent.code}): {intent.message}"
        yield {"account": intent.account, "symbol": intent.action.symbol, "what": what}


def _park(account: str, symbol: str, reason: str, *, lacks: bool) -> dict[str, Any]:
    words = remedy(reason, account, symbol)
    return {"account": account, "symbol": symbol, "reason": reason, "remedy": words, "lacks": lacks}


def _text(value: Decimal | None) -> str | None:
    return None if value is None else plain(value)
