"""Where a writing command is carried out: by the daemon where one runs, otherwise here and now."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from mirrorctl.commands import logs
from mirrorctl.commands.session import Session
from mirrorctl.core.domain.errors import ExchangeError, MirrorctlError, PartlyDone
from mirrorctl.core.engine.command_client import call
from mirrorctl.core.profile.model import Profile
from mirrorctl.core.store.locks import Holder, LockDirectory

Listener = Callable[[dict[str, Any]], None]

_STARTING_S = 5.0
_WORKING = "waiting for the exchange"
_DOING = {"sync": "bringing every mirror in step", "flatten": "cancelling and closing"}
_PAUSE_S = 0.05


def holder_of(session: Session) -> Holder | None:
    """Who holds the profile now; None when nobody does."""
    return LockDirectory(session.home.locks_dir).profile_holder(session.profile.name)


def carry_out(
    session: Session, name: str, args: dict[str, Any], listen: Listener, *, profile: Profile | None = None
) -> dict[str, Any]:
    """Have a command carried out and return its result; its error is raised.

    `profile` replaces the session's for the work done here: a daemon keeps its own.
    """
    with session.terminal.progress(_DOING.get(name, _WORKING)):
        socket = _daemon_socket(session)
        if socket is not None:
            return call(socket, name, args, on_progress=listen)
        from mirrorctl.bootstrap.runtime import Runtime

        used = profile or session.profile
        logs.to_file(session.home.log_path(used.name))
        with Runtime(used, session.home, name.replace(".", " "), hosts_paper=False) as runtime:
            return runtime.execute(name, args, listen)


def rehearse(session: Session, name: str, args: dict[str, Any], *, hosts_paper: bool = False) -> dict[str, Any]:
    """The same for what only looks: nothing is sent, no lock is taken, the store is not touched."""
    with session.terminal.progress("looking at every account; nothing is sent"):
        socket = _daemon_socket(session)
        if socket is not None:
            return call(socket, name, args)
        from mirrorctl.bootstrap.runtime import Runtime

        logs.to_nowhere()
        with Runtime(session.profile, session.home, name, sends=False, hosts_paper=hosts_paper) as runtime:
            return runtime.execute(name, args, lambda _event: None)


def unread_code(session: Session, unread: Sequence[str], names: Sequence[str] | None = None) -> int:
    """The exit code of a plan of the named accounts (all in use if left out): 0, 5 with some unread, 4 with all."""
    if not unread:
        return 0
    asked = session.account_names(None) if names is None else names
    return ExchangeError.exit_code if set(unread) >= set(asked) else PartlyDone.exit_code


def ask_status(holder: Holder | None, timeout_s: float) -> dict[str, Any] | None:
    """The daemon's own account of itself; None when none runs or it does not answer in time."""
    if holder is None or holder.socket is None:
        return None
    try:
        return call(Path(holder.socket), "status", {}, timeout_s=timeout_s, result_timeout_s=timeout_s)
    except MirrorctlError:
        return None


def _daemon_socket(session: Session) -> Path | None:
    """Where the daemon takes commands; None when nobody holds the profile.

    A holder without a socket is a daemon that starts or a command that will soon be done: both get a moment. One
    that stays so is named by whatever tries the lock next.
    """
    until = time.monotonic() + _STARTING_S
    while True:
        holder = holder_of(session)
        if holder is None:
            return None
        if holder.socket is not None:
            return Path(holder.socket)
        if time.monotonic() >= until:
            return None
        time.sleep(_PAUSE_S)
