"""`run`: the daemon, one converging run, or the plan it would carry out."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Annotated

import typer

from mirrorctl.commands import desk, logs, status_tables, tables
from mirrorctl.commands.options import DryRunOption, JsonOption, ProfileOption
from mirrorctl.commands.session import SCHEMA, Session, now_text, open_session
from mirrorctl.commands.signals import stopping_on_signals
from mirrorctl.core.domain.errors import PartlyDone, UsageError
from mirrorctl.core.engine.channel import ChannelState

if TYPE_CHECKING:
    from mirrorctl.bootstrap.runtime import Runtime

_ONCE_S = 20.0
_FINDINGS = 3

log = logging.getLogger(__name__)


def run(
    context: typer.Context,
    once: Annotated[
        bool, typer.Option("--once", help="Bring every mirror in step, then exit; 5 if one is not.")
    ] = False,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
    profile: ProfileOption = None,
) -> None:
    """The daemon: follow main until SIGTERM or Ctrl-C.

    On paper it starts the exchange too. A line `ready` on stderr says that it follows.

    Example: mirrorctl run -p paper
    """
    session = open_session(context, profile, as_json)
    for warning in session.profile.warnings:  # here and in `profile check`: not beside every figure that is asked for
        session.terminal.tell(f"warning: {warning}", "yellow")
    if once and dry_run:
        raise UsageError("--once and --dry-run exclude each other", "choose one")
    if dry_run:
        _preview(session)
    elif once:
        _once(session)
    else:
        _daemon(session)


def _preview(session: Session) -> None:
    found = desk.rehearse(session, "preview", {}, hosts_paper=False)
    session.terminal.result({"schema": SCHEMA, "profile": session.profile.name, **found}, tables.plan(found))
    if found["plan"]:
        raise typer.Exit(_FINDINGS)
    if found["unread"]:
        raise typer.Exit(desk.unread_code(session, found["unread"]))


def _daemon(session: Session) -> None:
    from mirrorctl.bootstrap.runtime import Runtime
    from mirrorctl.core.engine.daemon_events import daemon_started, daemon_stopped

    profile = session.profile
    logs.of_daemon(session.home.log_path(profile.name))
    runtime = Runtime(profile, session.home, "run")
    ready_at = None
    with stopping_on_signals(runtime.loop.stop) as signals, runtime:
        signals.loop_runs = True
        runtime.serve_commands()
        runtime.loop.run(runtime.engine, until=runtime.is_ready)
        if not runtime.loop.stopping:
            ready_at = now_text()
            daemon_started(runtime.engine)
            log.info("following %s: %s", profile.name, ", ".join(runtime.engine.accounts))
            if not profile.policy.mirroring:
                log.warning("ENABLE_MIRROR_TRADING is false: the mirrors are looked at, nothing is sent for them")
            _tell_telegram(session, runtime)
            session.terminal.announce("ready")
            runtime.loop.run(runtime.engine)
        daemon_stopped(runtime.engine, signals.name)
    if session.terminal.as_json:
        session.terminal.result(
            {"schema": SCHEMA, "profile": profile.name, "ready_at": ready_at, "stopped_at": now_text()}
        )


def _tell_telegram(session: Session, runtime: Runtime) -> None:
    """A wrong token or chat is told at the start, not when the first alert is lost (A70); positions are kept anyway."""
    health = None if runtime.telegram is None else runtime.telegram.health()
    if health is None or health.state is ChannelState.OK:
        return
    kind = "error" if health.state is ChannelState.REFUSED else "warning"
    session.terminal.announce(f"{kind}: telegram: {health.error or 'no answer yet'}")
    session.terminal.announce(f"hint: {health.hint or 'check the network'}; alerts wait until then")


def _once(session: Session) -> None:
    from mirrorctl.bootstrap.runtime import Runtime
    from mirrorctl.core.engine.status import converged, snapshot

    profile = session.profile
    logs.of_daemon(session.home.log_path(profile.name), on_screen=not session.terminal.as_json)
    runtime = Runtime(profile, session.home, "run --once")
    until = time.monotonic() + _ONCE_S

    def done() -> bool:
        return time.monotonic() >= until or (runtime.is_ready() and converged(runtime.engine))

    with stopping_on_signals(runtime.loop.stop) as signals, runtime:
        signals.loop_runs = True
        runtime.loop.run(runtime.engine, until=done)
        _tell_telegram(session, runtime)
        found = snapshot(runtime.engine)
        in_step = converged(runtime.engine)
    if runtime.loop.stopping:
        raise KeyboardInterrupt
    document = {
        "schema": SCHEMA,
        "profile": profile.name,
        "converged": in_step,
        "daemon": {"running": False, "pid": None, "since": None},
        **found,
    }
    session.terminal.result(document, status_tables.status(document))
    if not in_step:
        raise typer.Exit(PartlyDone.exit_code)
