"""The daemon's own beginning and end, told as facts: what it found, and why it stopped."""

from __future__ import annotations

from mirrorctl.core.engine.engine import Engine
from mirrorctl.core.engine.records import Severity
from mirrorctl.core.engine.status import snapshot
from mirrorctl.core.engine.times import iso

_RUN = "daemon.run"


def daemon_started(engine: Engine) -> None:
    """The streams are up and the first pass is done: tell what was found. From now on days are summed up."""
    now, store = engine.now_ms(), engine.store
    before = store.fact(_RUN)
    text = f"daemon started: {_found(engine)}; {_in_step(engine)}"
    if before:
        text += f"; the run before it, of {before}, ended without a word"
    severity = Severity.WARNING if before else Severity.INFO
    with store.batch():
        store.set_fact(_RUN, iso(now) or "")
        engine.outbox.tell(now, severity, "daemon-started", "", "", text, str(now))
    engine.summary.begin()


def daemon_stopped(engine: Engine, reason: str) -> None:
    """The daemon ends in order; what waited to be told is told. A run that was not told to begin has no end."""
    now, store = engine.now_ms(), engine.store
    engine.conclude()
    if not store.fact(_RUN):
        return
    text = f"daemon stopped: {reason}; nothing is followed until it runs again; {_found(engine)}"
    with store.batch():
        store.set_fact(_RUN, "")
        engine.outbox.tell(now, Severity.WARNING, "daemon-stopped", "", "", text, str(now))


def _found(engine: Engine) -> str:
    """Such as "main 2 positions, half 1, quarter not read"."""
    rows = []
    for name, account in engine.accounts.items():
        held = len(list(account.view.positions()))
        rows.append(f"{name} {held}" if engine.is_known(account) else f"{name} not read")
    rows += [f"{name} not read" for name in engine.absent]
    return "positions: " + ", ".join(rows)


def _in_step(engine: Engine) -> str:
    if not engine.policy.mirroring:
        return "mirroring is disabled"
    return "in step" if snapshot(engine)["in_sync"] else "not in step yet"
