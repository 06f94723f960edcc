"""The audit's look: what an engine has read, what it would do, and what was on record, put before the judge.

The engine is a rehearsal: it decides as the daemon does and has no writer. It looks once it has read what it needs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from mirrorctl.core.domain.audit.findings import Finding
from mirrorctl.core.domain.audit.judge import judge
from mirrorctl.core.domain.audit.scene import AuditScene, Doubt, Park, Recorded, Seen
from mirrorctl.core.domain.cycle import CycleKey
from mirrorctl.core.domain.instruments import Instrument
from mirrorctl.core.domain.scene import Planned, SymbolPlan
from mirrorctl.core.domain.values import PositionMode, PositionSide
from mirrorctl.core.engine.accounts import Account
from mirrorctl.core.engine.engine import Engine
from mirrorctl.core.engine.modes import are_read
from mirrorctl.core.engine.reconcile import is_off
from mirrorctl.core.engine.records import Intent, Store
from mirrorctl.core.engine.status import action_json

_STREAM_WAIT_MS = 3_000
_ERROR_WAIT_MS = 1_500

Modes = Mapping[str, PositionMode | None]


def look(
    engine: Engine, recorded: Recorded, *, modes: Modes | None = None, disabled: Iterable[Seen] = ()
) -> list[Finding]:
    """Everything wrong, or worth to be known, that the engine sees now. `recorded` was read after it had looked."""
    return judge(scene_of(engine, recorded, modes=modes or {}, disabled=tuple(disabled)))


def recorded_in(store: Store) -> Recorded:
    """What the store has on record. A trade that never opened waits for its entries, or ends by itself."""
    return Recorded(
        frozenset(cycle.key for cycle in store.cycles()),
        frozenset(copy.key for copy in store.copies()),
        frozenset(trade.key for trade in store.trades() if trade.opened),
    )


def is_settled(engine: Engine, since_ms: int) -> bool:
    """Whether a look may begin: every account is read or says why not, and nothing waits for another read.

    Streams and failed reads get a moment from `since_ms` on; an account that is read without a stream is known too.
    """
    waited_ms = engine.now_ms() - since_ms
    if not all(_is_read(engine, account, waited_ms) for account in engine.accounts.values()):
        return False
    if not engine.is_known(engine.main):
        return True
    if engine.stale_cycles or engine.dirty_main or engine.keeper.unproven(engine.main.view) or engine.book.in_doubt():
        return False
    passes = [mirror for mirror in engine.passes.values() if engine.is_known(mirror.mirror)]
    if not are_read(engine) or any(not mirror.sighted or engine.dirty[mirror.mirror.name] for mirror in passes):
        return False
    return not any(plan.needs or plan.blocked or plan.settling for plan in _plans(engine))


def scene_of(engine: Engine, recorded: Recorded, *, modes: Modes, disabled: tuple[Seen, ...]) -> AuditScene:
    """The judge's scene. With mirroring disabled no mirror follows: all are named as disabled ones are."""
    mirrors = tuple(
        _seen(engine, account, modes) for account in engine.accounts.values() if not account.is_main
    ) + tuple(Seen(name, "", None, error) for name, error in engine.absent.items())
    if not engine.policy.mirroring:
        mirrors, disabled = (), mirrors + disabled
    main = _seen(engine, engine.main, modes)
    known = {seen.name for seen in (main, *mirrors) if seen.view is not None}
    plans = [plan for plan in _plans(engine) if main.view is not None and plan.account in known]
    return AuditScene(
        main=main,
        mirrors=mirrors,
        policy=engine.policy,
        disabled=disabled,
        instruments=engine.instruments,
        cycles=frozenset(engine.keeper.cycles),
        copies=engine.keeper.copies,
        trades={trade.key: trade for trade in engine.trades.all()},
        finished=_finished(engine),
        recorded=recorded,
        plans=plans,
        off=frozenset(
            (plan.account, plan.symbol, side)
            for plan in plans
            for side in sides_off(plan, engine.instruments.get(plan.symbol))
        ),
        parks=[Park(row.account, row.symbol, row.reason) for row in engine.standings.parked()],
        doubts=[_doubt(intent) for intent in engine.book.in_doubt() if intent.account in known],
    )


def sides_off(plan: SymbolPlan, instrument: Instrument | None) -> list[PositionSide]:
    """Sides that are off their target. What an entry waits for excuses nobody here: the audit asks what stands."""
    if instrument is None:
        return []
    held = replace(plan, held=[held for held in plan.held if not held.waiting])
    return [side for side in PositionSide if is_off(held, side, instrument)]


def _is_read(engine: Engine, account: Account, waited_ms: int) -> bool:
    if engine.is_known(account):
        return account.stream_up or waited_ms >= _STREAM_WAIT_MS
    return bool(account.error) and waited_ms >= _ERROR_WAIT_MS


def _seen(engine: Engine, account: Account, modes: Modes) -> Seen:
    known = engine.is_known(account)
    error = account.error.removeprefix(f"{account.name}: ") or "not read in time"
    view = account.view if known else None
    mode = modes.get(account.name) or engine.policy.mode(account.name)
    return Seen(account.name, account.tag, view, "" if known else error, mode)


def _plans(engine: Engine) -> list[SymbolPlan]:
    """The newest plan of every managed trade on main and of every symbol on every mirror."""
    of_mirrors = [plan for mirror in engine.passes.values() for plan in mirror.plans.values()]
    return [*engine.main_pass.plans.values(), *of_mirrors]


def _finished(engine: Engine) -> frozenset[CycleKey]:
    found = []
    for trade in engine.trades.all():
        done = engine.keeper.rungs_done(*trade.key)
        if trade.targets and all(trade.rung_key(leg) in done for leg in range(len(trade.targets))):
            found.append(trade.key)
    return frozenset(found)


def _doubt(intent: Intent) -> Doubt:
    row = action_json(Planned(intent.action))
    words = [row["action"], row["side"], row["qty"], f"at {row['price']}" if row["price"] else None]
    what = " ".join(word for word in words if word)
    return Doubt(
        intent.account,
        intent.action.symbol,
        f"{what}: {intent.message or 'sent, no answer seen'}",
        str(intent.intent_id),
    )
