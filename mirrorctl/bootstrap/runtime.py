"""A profile running: locks, store, engine, connections and command socket, started in order and stopped in reverse."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from mirrorctl import __version__
from mirrorctl.bootstrap.accounts import (
    Connected,
    check_distinct,
    check_pin,
    clients,
    identify,
    note_roles,
    pin_key,
    require_main,
)
from mirrorctl.bootstrap.paper import find_paper, start_paper, stop_paper
from mirrorctl.bootstrap.rings import GUARDED, check_rings
from mirrorctl.bootstrap.telegram import close_sender, open_sender
from mirrorctl.bootstrap.telegram_commands import open_inbound
from mirrorctl.core.bybit.frames import decode_frame
from mirrorctl.core.bybit.link import wall_ms
from mirrorctl.core.bybit.order_entry import OrderEntry
from mirrorctl.core.bybit.reader import AccountReader
from mirrorctl.core.bybit.rest import BybitRest
from mirrorctl.core.bybit.streams import PrivateStream
from mirrorctl.core.bybit.writer import AccountWriter
from mirrorctl.core.domain.actions import Action
from mirrorctl.core.domain.errors import ExchangeError, MirrorctlError, Refused
from mirrorctl.core.domain.policy import MAIN
from mirrorctl.core.domain.rings import Following
from mirrorctl.core.engine import service
from mirrorctl.core.engine.accounts import Account
from mirrorctl.core.engine.collector import Collector
from mirrorctl.core.engine.command_socket import CommandRequest, CommandServer
from mirrorctl.core.engine.engine import Engine
from mirrorctl.core.engine.loop import Loop
from mirrorctl.core.engine.ports import Deliver, Query, ReadDone, ReadFailed
from mirrorctl.core.engine.tasks import Progress
from mirrorctl.core.profile.catalogue import Home
from mirrorctl.core.profile.model import Profile
from mirrorctl.core.store.baseline import BaselineFile
from mirrorctl.core.store.locks import Holder, Lock, LockDirectory
from mirrorctl.core.store.sqlite import SqliteStore

if TYPE_CHECKING:
    from mirrorctl.core.paper.server import PaperServer
    from mirrorctl.telegram_notify.sender import Sender

log = logging.getLogger(__name__)

_JOIN_EVERY_S = 5.0
_READY_WITHOUT_S = 5.0
_COMMAND_READY_S = 10.0
_LAST_ALERTS_S = {"run": 2.0, "run --once": 5.0}  # who delivers alerts, and how long what is left may take at the end


class WallClock:
    """The local clock (ports.Clock): the one that the Bybit edge stamps its events with."""

    now_ms = staticmethod(wall_ms)


class NoWriter:
    """The writer of a rehearsal (ports.Writer): nothing can be sent with it."""

    def send(self, intent_id: int, action: Action) -> None:
        raise RuntimeError(f"a rehearsal was about to send {type(action).__name__} {intent_id}")


class NoReader:
    """The reader of an account that cannot be read (ports.Reader): every question fails with the same reason."""

    def __init__(self, account: str, reason: str, deliver: Deliver) -> None:
        self._account = account
        self._reason = reason
        self._deliver = deliver

    def ask(self, query: Query) -> None:
        now = wall_ms()
        self._deliver(ReadDone(self._account, query, ReadFailed(self._reason), now, now))


class Runtime:
    """Everything one process needs to run a profile. A context manager; only one exists per profile (rule 12).

    Entering raises Locked, ExchangeError (main cannot be read), IdentityChanged or Refused, with all undone again.

    Without `sends` it is a rehearsal: it holds no lock and no writer, and its store is a private copy in memory, so it
    may stand beside a daemon. Without `hosts_paper` a paper exchange that does not run is an error, not started.
    Without `needs_main`, for a rehearsal, one account that can be read is enough: a main that cannot stays unknown.
    """

    def __init__(
        self,
        profile: Profile,
        home: Home,
        command: str,
        *,
        sends: bool = True,
        hosts_paper: bool = True,
        needs_main: bool = True,
    ) -> None:
        self.profile = profile
        self.home = home
        self.loop = Loop()
        self.engine: Engine
        self.paper: PaperServer | None = None
        self.telegram: Sender | None = None
        self._command = command
        self._sends = sends
        self._hosts_paper = hosts_paper
        self._needs_main = needs_main
        self._exit = contextlib.ExitStack()
        self._locks = LockDirectory(home.locks_dir)
        self._lock: Lock | None = None
        self._holder = Holder(pid=os.getpid(), profile=profile.name, command=command, since=_now(), version=__version__)
        self._roles = [account.name for account in profile.accounts]
        self._waiting: dict[str, BybitRest] = {}
        self._connected: list[Connected] = []
        self._closed = threading.Event()
        self._started = 0.0

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self._exit.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._exit.close()

    # --- while it runs -----------------------------------------------------------------------------------------

    def serve_commands(self) -> None:
        """Take commands over the local socket until the runtime ends."""
        server = CommandServer(self.home.socket_path(self.profile.name), self._submit)
        server.start()
        self._exit.callback(server.close)
        if self._lock is not None:
            self._lock.publish(
                Holder(
                    pid=self._holder.pid,
                    profile=self._holder.profile,
                    command=self._holder.command,
                    since=self._holder.since,
                    socket=str(server.path),
                    version=self._holder.version,
                )
            )

    def execute(self, name: str, args: dict[str, Any], progress: Progress) -> dict[str, Any]:
        """Run one command here and now, on this thread, and return its result; its error is raised."""
        outcome: list[dict[str, Any] | MirrorctlError] = []

        def done(result: dict[str, object] | None, error: MirrorctlError | None) -> None:
            outcome.append(error if error is not None else dict(result or {}))

        self.loop.run(self.engine, until=self._is_ready_or_late)
        self.engine.tasks.start(service.steps(self.engine, name, args, progress), done)
        self.loop.wake()
        self.loop.run(self.engine, until=lambda: bool(outcome))
        if not outcome:
            raise Refused(f"{name} was interrupted", "`mirrorctl status` shows what stands")
        if isinstance(outcome[0], MirrorctlError):
            raise outcome[0]
        return outcome[0]

    def is_ready(self) -> bool:
        """Streams are up, the first pass is done, and Telegram said what it thinks of bot and chat.

        A mirror that cannot be read does not hold this up for long, and neither does Telegram.
        """
        engine = self.engine
        if not (engine.main.stream_up and engine.is_known(engine.main)):
            return False
        late = time.monotonic() - self._started > _READY_WITHOUT_S
        if self.telegram is not None and not self.telegram.is_checked and not late:
            return False
        return all(
            (mirror.sighted and mirror.mirror.stream_up and engine.is_known(mirror.mirror))
            or (late and bool(mirror.mirror.error))
            for mirror in engine.passes.values()
        )

    def _is_ready_or_late(self) -> bool:
        """A command does not wait for a stream that stays down; what it needs to know it checks itself."""
        decided = self._sends or all(
            not plan.needs and not plan.blocked
            for mirror in self.engine.passes.values()
            for plan in mirror.plans.values()
        )
        return (decided and self.is_ready()) or time.monotonic() - self._started > _COMMAND_READY_S

    # --- start -------------------------------------------------------------------------------------------------

    def _start(self) -> None:
        self._started = time.monotonic()
        if self._sends:
            self._lock = self._locks.lock_profile(self.profile.name, self._holder)
            self._exit.callback(self._lock.release)
        if self._hosts_paper and self.profile.embedded_paper and find_paper(self.profile, self.home) is None:
            self.paper = start_paper(self.profile, self.home)
            self._exit.callback(stop_paper, self.paper, self.profile, self.home)
        rests = clients(self.profile, self.home)
        for rest in rests.values():
            self._exit.callback(rest.close)
        connected, failed = identify(rests.values())
        if self._needs_main or not connected:
            require_main(connected, failed)
        check_distinct(connected)
        self._check_rings(connected)
        for account in connected:
            self._lock_account(account)
        store = self._exit.enter_context(self._open_store())
        for account in connected:
            check_pin(store, account, self._roles)
        note_roles(store, rests)
        self._connected = connected
        self._exit.callback(self._closed.set)
        accounts = [self._account(account) for account in connected]
        if MAIN in failed:
            accounts.insert(0, self._unread_main(store, failed.pop(MAIN)))
        baseline = BaselineFile(self.home.baseline_path(self.profile.name), read_only=not self._sends)
        self.engine = Engine(
            self.profile.policy, accounts, store, WallClock(), decode_frame, sends=self._sends, baseline=baseline
        )
        if self._command == "run":
            collector = Collector()
            self._exit.callback(collector.release)
            self.loop.at_rest = partial(_rest, collector, self.engine)
        self._deliver_alerts()
        self._exit.callback(self.engine.conclude)  # while the store is open, and alerts are still delivered
        self.engine.start()
        for account in connected:
            self._stream(account)
        if failed:
            self._waiting = {name: rests[name] for name in failed}
            for name, error in failed.items():
                self.engine.absent[name] = error.message
                log.warning("%s cannot be read: %s; trying again", name, error.message)
            self._spawn_joiner(store)
        self._hear_commands()

    def _hear_commands(self) -> None:
        """From Telegram, where the profile allows chats: the daemon alone listens."""
        if self._command == "run" and self.telegram is not None:
            pace = self.telegram.pace
            inbound = open_inbound(self.profile, self.engine, self.loop.call, self._rests, pace)
            if inbound is not None:
                self.telegram.commands = inbound.trouble
                self._exit.callback(inbound.close, 0.3)

    def _rests(self) -> dict[str, BybitRest]:
        return {account.name: account.rest for account in self._connected}

    def _deliver_alerts(self) -> None:
        """Only what runs on its own tells people elsewhere; what a command finds is told by the next daemon."""
        if not self._sends or self._command not in _LAST_ALERTS_S:
            return
        self.telegram = open_sender(self.profile, self.engine, self.loop.call)
        if self.telegram is not None:
            left_s = _LAST_ALERTS_S[self._command]
            self._exit.callback(close_sender, self.telegram, self.engine.store, left_s)

    def _open_store(self) -> SqliteStore:
        path = self.home.store_path(self.profile.name)
        if not self._sends:
            return SqliteStore.scratch(path)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        return SqliteStore.for_daemon(path)

    def _check_rings(self, connected: Sequence[Connected]) -> None:
        """No command that may open something runs in a ring of profiles; one that only closes or looks does."""
        uids = {account.name: account.identity.uid for account in connected}
        main = uids.pop(MAIN, None)
        if main is not None and self._command.replace(".", " ") in GUARDED:
            check_rings(Following(self.profile.name, main, uids), self.home)

    def _lock_account(self, account: Connected) -> None:
        if self._sends:
            self._exit.callback(self._locks.lock_account(account.identity.uid, self._holder).release)

    def _account(self, connected: Connected) -> Account:
        reader = AccountReader(connected.rest, self.loop.deliver)
        self._exit.callback(reader.close)
        if not self._sends:
            return Account.create(connected.name, connected.identity.uid, reader, NoWriter(), connected.rest)
        by_socket = self._command == "run" and self.profile.order_entry == "ws"  # a lone command would wait for it
        entry = OrderEntry(connected.rest, self.loop.deliver) if by_socket else None
        writer = AccountWriter(connected.rest, self.loop.deliver, entry)
        self._exit.callback(writer.close)
        return Account.create(connected.name, connected.identity.uid, reader, writer, connected.rest)

    def _unread_main(self, store: SqliteStore, error: ExchangeError) -> Account:
        """A main that could not say who it is: nothing is asked of it, everything about it stays unknown."""
        reader = NoReader(MAIN, error.message, self.loop.deliver)
        return Account.create(MAIN, int(store.fact(pin_key(MAIN)) or 0), reader, NoWriter())

    def _stream(self, connected: Connected) -> None:
        # main's news is what an order waits for; a mirror's only confirms what was sent
        decider = self.loop if connected.name == MAIN else None
        stream = PrivateStream(connected.rest, self.loop.deliver, decider=decider)
        stream.start()
        self._exit.callback(stream.stop)

    # --- mirrors that come later ---------------------------------------------------------------------------------

    def _spawn_joiner(self, store: SqliteStore) -> None:
        thread = threading.Thread(target=self._join_late, args=(store,), name="late-mirrors", daemon=True)
        thread.start()
        self._exit.callback(thread.join, 2.0)
        self._exit.callback(self._closed.set)

    def _join_late(self, store: SqliteStore) -> None:
        """Ask absent mirrors who they are until all have answered; each joins on the engine's thread."""
        while self._waiting and not self._closed.wait(_JOIN_EVERY_S):
            connected, failed = identify(self._waiting.values())
            for account in connected:
                del self._waiting[account.name]
                self.loop.call(partial(self._join, account, store))
            for name, error in failed.items():
                self.loop.call(_setter(self.engine.absent, name, error.message))

    def _join(self, account: Connected, store: SqliteStore) -> None:
        try:
            check_distinct([*self._connected, account])
            self._check_rings([*self._connected, account])
            self._lock_account(account)
            check_pin(store, account, self._roles)
        except MirrorctlError as error:
            self.engine.absent[account.name] = error.message
            log.warning("%s stays out: %s", account.name, error.message)
            return
        self._connected.append(account)
        self.engine.join(self._account(account))
        self._stream(account)

    # --- commands ------------------------------------------------------------------------------------------------

    def _submit(self, request: CommandRequest) -> None:
        self.loop.call(lambda: self._take(request))

    def _take(self, request: CommandRequest) -> None:
        """Carry a command out, if its client still waits for it."""
        if not request.claim():
            return

        def done(result: dict[str, object] | None, error: MirrorctlError | None) -> None:
            if error is not None:
                request.fail(error)
            else:
                request.reply(dict(result or {}))

        try:
            steps = service.steps(self.engine, request.name, request.args, request.progress)
        except MirrorctlError as error:
            request.fail(error)
            return
        self.engine.tasks.start(steps, done)


def _rest(collector: Collector, engine: Engine) -> None:
    collector.rest()
    engine.housekeeping.rest()


def _setter(target: dict[str, str], key: str, value: str) -> Callable[[], None]:
    def put() -> None:
        if key in target:
            target[key] = value

    return put


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
