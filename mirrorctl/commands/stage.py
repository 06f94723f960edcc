"""Where the demo plays: a paper exchange and a daemon in this process, in a temporary home, on free ports."""

from __future__ import annotations

import contextlib
import queue
import shutil
import tempfile
import threading
from collections.abc import Callable, Mapping
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from mirrorctl.bootstrap.paper import start_paper, stop_paper
from mirrorctl.bootstrap.runtime import Runtime
from mirrorctl.commands import logs
from mirrorctl.core.domain.errors import MirrorctlError, Unavailable
from mirrorctl.core.engine.command_client import call
from mirrorctl.core.engine.records import MeasuredCopy
from mirrorctl.core.paper.faults import Fault, FaultKind
from mirrorctl.core.paper.gateway import Gateway
from mirrorctl.core.profile.catalogue import Home
from mirrorctl.core.profile.model import Profile
from mirrorctl.core.store.sqlite import SqliteStore

_READY_S = 10.0
_END_S = 5.0

Row = Mapping[str, Any]


class Stage:
    """A context manager. Commands go to the daemon over its socket, as those of another process would."""

    def __init__(self, profile: Profile) -> None:
        self.profile = profile
        self.accounts = [account.name for account in profile.accounts if account.enabled]
        root = Path(tempfile.mkdtemp(prefix="mirrorctl-demo-"))
        self.home = Home(root / "config", root / "state", root / "log")
        self._root = root
        self._exit = contextlib.ExitStack()
        self._started: queue.SimpleQueue[Runtime | BaseException] = queue.SimpleQueue()
        self._runtime: Runtime | None = None
        self._thread = threading.Thread(target=self._live, name="daemon")

    def __enter__(self) -> Self:
        try:
            self._exit.callback(shutil.rmtree, self._root, ignore_errors=True)
            logs.of_daemon(self.home.log_path(self.profile.name), on_screen=False)
            self._exit.callback(logs.to_nowhere)
            self.exchange = start_paper(self.profile, self.home, volatility=Decimal(0))
            self._exit.callback(stop_paper, self.exchange, self.profile, self.home)
            self._thread.start()
            self._exit.callback(self.stop_daemon)
            self._await_daemon()
        except BaseException:
            self._exit.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._exit.close()

    # --- the daemon ------------------------------------------------------------------------------------------------

    def command(self, name: str, args: dict[str, Any], listen: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
        """Have the daemon carry out a command."""
        return call(self.home.socket_path(self.profile.name), name, args, on_progress=listen)

    def status(self) -> dict[str, Any]:
        """The daemon's own account of itself."""
        return self.command("status", {}, lambda _event: None)

    def stop_daemon(self) -> None:
        """End it in order; twice is once."""
        if self._runtime is not None:
            self._runtime.loop.stop()
        self._thread.join(_END_S)

    def measured_copies(self) -> list[MeasuredCopy]:
        """How long copies took, as the daemon measured them."""
        with SqliteStore(self.home.store_path(self.profile.name), read_only=True) as store:
            return store.measured_copies()

    # --- the exchange ----------------------------------------------------------------------------------------------

    def positions(self, account: str) -> list[Row]:
        """The account's positions on the exchange's own books, as Bybit's position/list shows them."""

        def read(gateway: Gateway, _now: int) -> list[Row]:
            exchange = gateway.exchange
            legs = exchange.state.positions[self._uid(gateway, account)].values()
            return [exchange.floor.leg_row(leg) for leg in legs if leg.size]

        return self.exchange.run(read)

    def resting(self, account: str) -> int:
        """How many orders of the account are open, those that the exchange binds to a position left out."""

        def read(gateway: Gateway, _now: int) -> int:
            state = gateway.exchange.state
            return sum(not order.stop_type for order in state.live(self._uid(gateway, account)))

        return self.exchange.run(read)

    def cut_off(self, account: str) -> int:
        """Refuse every connection of an account and reset its streams. Returns the fault's number."""
        fault = Fault(FaultKind.REFUSE, account, count=None)
        number = self.exchange.run(lambda gateway, _now: gateway.faults.add(fault))
        self.exchange.cut_streams(account)
        return number

    def restore(self, number: int) -> None:
        """Take a fault down."""
        self.exchange.run(lambda gateway, _now: gateway.faults.clear(number))

    # --- inside ----------------------------------------------------------------------------------------------------

    @staticmethod
    def _uid(gateway: Gateway, account: str) -> int:
        accounts = gateway.exchange.state.accounts
        return next(uid for uid, known in accounts.items() if known.name == account)

    def _await_daemon(self) -> None:
        try:
            started = self._started.get(timeout=_READY_S)
        except queue.Empty:
            raise Unavailable(f"the daemon was not ready within {_READY_S:g} s", "run the demo again") from None
        if isinstance(started, BaseException):
            raise started

    def _live(self) -> None:
        """The daemon's thread: the same runtime as `run`, from start to end."""
        try:
            with Runtime(self.profile, self.home, "run") as runtime:
                self._runtime = runtime
                runtime.serve_commands()
                runtime.loop.run(runtime.engine, until=runtime.is_ready)
                self._started.put(runtime)
                runtime.loop.run(runtime.engine)
        except MirrorctlError as error:
            self._started.put(error)
        except Exception as error:  # noqa: BLE001 - thread boundary: raised where the stage is entered
            self._started.put(error)
