"""What the engine knows, as plain data for `status`, `positions`, `sync` and the command socket (contract, JSON)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from mirrorctl.core.domain.actions import AmendOrder, CancelOrder, PlaceOrder, SetLeverage
from mirrorctl.core.domain.instruments import plain
from mirrorctl.core.domain.ours import IntentState
from mirrorctl.core.domain.scene import Held, Planned, Standing, SymbolPlan
from mirrorctl.core.engine.accounts import Account
from mirrorctl.core.engine.engine import Engine
from mirrorctl.core.engine.reconcile import is_off
from mirrorctl.core.engine.records import Alert

ALERTS_SHOWN = 5


def iso(ms: int | None) -> str | None:
    """ISO-8601 UTC with milliseconds; None for never."""
    if not ms:
        return None
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def snapshot(engine: Engine) -> dict[str, Any]:
    """The contract's `status` document, without the daemon part."""
    drift = list(_drift(engine))
    parked = list(_parked(engine))
    known = not engine.absent and all(engine.is_known(account) for account in engine.accounts.values())
    lacking = any(row["lacks"] for row in parked)
    in_doubt = len(engine.book.in_doubt())
    unanswered = any(intent.state is IntentState.PENDING for intent in engine.book.open_intents())
    return {
        "accounts": [_account(engine, account) for account in engine.accounts.values()]
        + [_absent(name, error) for name, error in engine.absent.items()],
        "monitors": _monitors(engine),
        "in_sync": known and not drift and not lacking and not in_doubt and not unanswered and not _undecided(engine),
        "drift": drift,
        "held": [held_json(held) for plan in _plans(engine) for held in plan.held],
        "parked": [{k: v for k, v in row.items() if k != "lacks"} for row in parked],
        "unprotected": [
            {"account": plan.account, "symbol": plan.symbol, "side": side.value}
            for plan in _plans(engine)
            for side in plan.unprotected
        ],
        "in_doubt": in_doubt,
        "alerts_waiting": 0,
        "alerts": [alert_json(alert) for alert in engine.store.alerts(ALERTS_SHOWN)],
        "pass_ms": engine.pass_ms,
    }


def wants(engine: Engine) -> dict[str, dict[str, str]]:
    """{account: {"SYMBOL side": want}} of every mirror side that follows a cycle, after holds (A82)."""
    found: dict[str, dict[str, str]] = {}
    for plan in _plans(engine):
        for standing in plan.standings:
            held = [h.want for h in plan.held if h.side is standing.side and not h.waiting]
            want = min([standing.want, *held])
            found.setdefault(plan.account, {})[f"{plan.symbol} {standing.side}"] = plain(want)
    return found


def plan_json(plans: Iterable[SymbolPlan]) -> dict[str, Any]:
    """The contract's plan document: actions, and held growth beside them."""
    plans = list(plans)
    return {
        "plan": [action_json(item) for plan in plans for item in plan.actions],
        "held": [
            {
                "account": h.account,
                "symbol": h.symbol,
                "raw_want": plain(h.raw_want),
                "want": plain(h.want),
                "reason": h.reason,
            }
            for plan in plans
            for h in plan.held
        ],
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


def held_json(held: Held) -> dict[str, Any]:
    """Growth that is held, with what it would have been."""
    return {
        "account": held.account,
        "symbol": held.symbol,
        "raw_want": plain(held.raw_want),
        "want": plain(held.want),
        "reason": held.reason,
    }


def action_json(item: Planned) -> dict[str, Any]:
    """One action of a plan: account, action, symbol, side, qty, price, reason."""
    action = item.action
    row: dict[str, Any] = {"account": action.account, "symbol": action.symbol, "side": None, "qty": None, "price": None}
    if isinstance(action, PlaceOrder):
        row["action"] = "close" if action.reduce_only else "place"
        row["side"], row["qty"], row["price"] = action.side.value, plain(action.qty), _text(action.price)
    elif isinstance(action, AmendOrder):
        row["action"], row["qty"], row["price"] = "amend", _text(action.qty), _text(action.price)
    elif isinstance(action, CancelOrder):
        row["action"] = "cancel"
    elif isinstance(action, SetLeverage):
        row["action"], row["qty"] = "set-leverage", plain(action.leverage)
    else:
        row["action"], row["price"] = "set-stop", _text(action.stop_loss)
    row["reason"] = action.reason
    return row


def converged(engine: Engine) -> bool:
    """Whether every account is known and nothing is left to do: no action in flight, no doubt, no drift.

    What waits for the next pass, or for a read of main's position, is left to do.
    """
    if any(engine.dirty.values()) or engine.stale_cycles or engine.keeper.unproven(engine.main.view):
        return False
    state = snapshot(engine)
    quiet = not engine.book.open_intents() or all(_rests(i.state.value) for i in engine.book.open_intents())
    waiting = any(plan.actions or plan.needs or plan.blocked for plan in _plans(engine))
    return bool(state["in_sync"]) and quiet and not waiting and all(m.sighted for m in engine.passes.values())


def _rests(state: str) -> bool:
    return state == "live"


def _undecided(engine: Engine) -> bool:
    """A pass that could not decide proves nothing about being in step."""
    return any(
        plan.blocked or plan.unprotected or plan.passed_stops or any(held.waiting for held in plan.held)
        for plan in _plans(engine)
    )


def _plans(engine: Engine) -> Iterable[SymbolPlan]:
    return (plan for mirror in engine.passes.values() for plan in mirror.plans.values())


def _account(engine: Engine, account: Account) -> dict[str, Any]:
    return {
        "account": account.name,
        "role": "main" if account.is_main else "mirror",
        "state": engine.freshness(account).value,
        "stream": "up" if account.stream_up else "down",
        "breaker": "open" if _is_cut_off(engine, account) else "closed",
        "last_event_at": iso(account.last_event_ms),
        "last_read_at": iso(account.relisted_ms),
        "clock_skew_ms": account.clock_offset_ms,
        "paused": engine.standings.is_paused(account.name),
        "error": account.error or None,
    }


def _is_cut_off(engine: Engine, account: Account) -> bool:
    """Whether nothing is sent to an account for now: it cannot be read, or the last entry did not reach it."""
    unread = bool(account.error) and not engine.is_known(account)
    return unread or engine.now_ms() < account.hold_entries_until_ms


def _absent(name: str, error: str) -> dict[str, Any]:
    """An account that could not be read since the start: everything about it is unknown."""
    unknown = {"last_event_at": None, "last_read_at": None, "clock_skew_ms": None, "paused": None}
    return {
        "account": name,
        "role": "mirror",
        "state": "unknown",
        "stream": "down",
        "breaker": "open",
        **unknown,
        "error": error,
    }


def _monitors(engine: Engine) -> dict[str, int]:
    main = sum(1 for _ in engine.main.view.positions())
    mirror = sum(1 for m in engine.passes.values() for _ in m.mirror.view.positions())
    return {"total": main + mirror, "main": main, "mirror": mirror}


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
        yield {"account": standing.account, "symbol": standing.symbol, "reason": standing.reason, "lacks": True}
    for plan in _plans(engine):
        if plan.parked:
            lacks = any(s.want > s.have for s in plan.standings)
            yield {"account": plan.account, "symbol": plan.symbol, "reason": plan.parked, "lacks": lacks}


def _text(value: Decimal | None) -> str | None:
    return None if value is None else plain(value)
