"""The paper exchange on loopback sockets: REST, streams and the `/paper` admin routes, in a thread of its own."""

import asyncio
import errno
import logging
import threading
import time
from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from aiohttp import web

from mirrorctl.core.paper.admin_routes import AdminRoutes
from mirrorctl.core.paper.desk import Desk, Switches
from mirrorctl.core.paper.exchange import PaperExchange
from mirrorctl.core.paper.gateway import Gateway
from mirrorctl.core.paper.http_routes import RestRoutes
from mirrorctl.core.paper.instruments import CATALOGUE, Instrument
from mirrorctl.core.paper.model import PaperAccount
from mirrorctl.core.paper.rates import RateRules
from mirrorctl.core.paper.refusals import PortInUseError
from mirrorctl.core.paper.stream_routes import StreamRoutes
from mirrorctl.core.paper.streams import Stream
from mirrorctl.core.paper.trade_routes import TradeRoutes
from mirrorctl.core.paper.vault import Vault

T = TypeVar("T")
_LOG = logging.getLogger(__name__)


def wall_ms() -> int:
    """Milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


class PaperServer:
    """A context manager that serves until left. Several may run in one process.

    `path` None keeps everything in memory. `volatility` is the standard deviation of the price walk per second
    (0 stops it). `clock` gives the exchange's time in ms. `rules`: rate limits, Bybit's where None. `start` raises
    PortInUseError when the port is taken.
    """

    def __init__(
        self,
        accounts: Sequence[PaperAccount],
        *,
        path: Path | None = None,
        seed: int = 1,
        host: str = "127.0.0.1",
        port: int = 0,
        volatility: Decimal = Decimal("0.0001"),
        clock: Callable[[], int] = wall_ms,
        switches: Switches | None = None,
        tick_s: float = 0.25,
        funding: bool = True,
        instruments: Sequence[Instrument] = CATALOGUE,
        rules: RateRules | None = None,
    ) -> None:
        self._rules = rules or RateRules()
        self._accounts = tuple(accounts)
        self._path = path
        self._seed = seed
        self._host = host
        self._port = port
        self._volatility = volatility
        self._clock = clock
        self._switches = switches or Switches()
        self._tick_s = tick_s
        self._funding = funding
        self._instruments = tuple(instruments)
        self._desk: Desk | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping: asyncio.Event | None = None
        self._thread: threading.Thread | None = None
        self._ready = threading.Event()

    # addresses

    @property
    def port(self) -> int:
        """The port in use once started."""
        return self._port

    @property
    def rest_url(self) -> str:
        """Base of the REST endpoints, without `/v5`."""
        return f"http://{self._host}:{self._port}"

    @property
    def private_ws_url(self) -> str:
        """The private stream."""
        return f"ws://{self._host}:{self._port}/v5/private"

    @property
    def public_ws_url(self) -> str:
        """The public stream of category linear."""
        return f"ws://{self._host}:{self._port}/v5/public/linear"

    @property
    def trade_ws_url(self) -> str:
        """Order entry over WebSocket."""
        return f"ws://{self._host}:{self._port}/v5/trade"

    # life

    def start(self) -> None:
        """Returns when the server listens."""
        self._ready.clear()
        failures: list[BaseException] = []
        self._thread = threading.Thread(target=self._run, args=(failures,), name="paper-exchange", daemon=True)
        self._thread.start()
        self._ready.wait()
        if failures:
            self._thread.join()
            raise failures[0]

    def stop(self) -> None:
        """Closes every connection and the database; returns when the thread has ended."""
        loop, stopping, thread = self._loop, self._stopping, self._thread
        if loop is None or stopping is None or thread is None:
            return
        loop.call_soon_threadsafe(stopping.set)
        thread.join()
        self._loop = self._stopping = self._thread = self._desk = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def run(self, action: Callable[[Gateway, int], T]) -> T:
        """Runs `action(gateway, now_ms)` on the server's thread, saves, publishes, and returns its result."""
        if self._loop is None or self._desk is None:
            raise RuntimeError("the paper server is not running")
        return asyncio.run_coroutine_threadsafe(self._act(self._desk, action), self._loop).result(30)

    def set_price(self, symbol: str, price: Decimal, *, pin: bool = True, gap: bool = False) -> None:
        """Moves a price by hand; see PaperExchange.set_price."""
        self.run(lambda gateway, now: gateway.exchange.set_price(symbol, price, now, pin=pin, gap=gap))

    def subscribed(self, account: str) -> int:
        """How many private topics the account's streams hold right now."""
        return self._on_streams(account, lambda stream: len(stream.topics))

    def cut_streams(self, account: str) -> int:
        """Resets the account's streams (no close frame); returns how many topics they held."""

        def cut(stream: Stream) -> int:
            stream.reset()
            return len(stream.topics)

        return self._on_streams(account, cut)

    def _on_streams(self, account: str, action: Callable[[Stream], int]) -> int:
        uid = next(known.uid for known in self._accounts if known.name == account)
        desk = self._desk
        if desk is None:
            return 0
        return self.run(lambda *_: sum(action(stream) for stream in list(desk.streams) if stream.uid == uid))

    @staticmethod
    async def _act(desk: Desk, action: Callable[[Gateway, int], T]) -> T:
        result = action(desk.gateway, desk.clock())
        desk.save()
        await desk.publish()
        return result

    def _run(self, failures: list[BaseException]) -> None:
        try:
            asyncio.run(self._serve())
        except Exception as error:  # noqa: BLE001 - thread boundary: handed to start(), or logged after it
            if self._ready.is_set():
                _LOG.exception("the paper exchange stopped")
            failures.append(error)
        finally:
            self._ready.set()

    async def _serve(self) -> None:
        vault = Vault(self._path) if self._path is not None else None
        try:
            desk = self._open(vault)
            runner = web.AppRunner(self._app(desk), access_log=None, shutdown_timeout=0.2)
            await runner.setup()
            try:
                await self._listen(runner)
                self._loop, self._stopping, self._desk = asyncio.get_running_loop(), asyncio.Event(), desk
                self._ready.set()
                await self._until_stopped(desk, self._stopping)
                for stream in list(desk.streams):
                    await stream.ws.close(code=1001)
            finally:
                await runner.cleanup()
            desk.save()
        finally:
            if vault is not None:
                vault.close()

    async def _until_stopped(self, desk: Desk, stopping: asyncio.Event) -> None:
        endless = [
            asyncio.create_task(desk.deliver_forever()),
            asyncio.create_task(desk.tick_forever(self._tick_s)),
        ]
        stop = asyncio.create_task(stopping.wait())
        done, _ = await asyncio.wait([*endless, stop], return_when=asyncio.FIRST_COMPLETED)
        for task in (*endless, stop):
            task.cancel()
        for task in done - {stop}:
            task.result()  # a loop that ended is a bug: raise it, so that the server ends instead of going quiet

    async def _listen(self, runner: web.AppRunner) -> None:
        site = web.TCPSite(runner, self._host, self._port)
        try:
            await site.start()
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise PortInUseError(error.errno, f"{self._host}:{self._port} is already in use") from error
            raise
        address = runner.addresses[0]
        self._port = int(address[1])

    def _open(self, vault: Vault | None) -> Desk:
        desk = Desk(
            gateway=Gateway(self._exchange(vault), rules=self._rules),
            accounts={account.name: account for account in self._accounts},
            keys={account.api_key: account for account in self._accounts},
            wall=self._clock,
            vault=vault,
            switches=self._switches,
            renew=lambda: None,
        )

        def renew() -> None:
            if vault is not None:
                vault.wipe()
            watched = desk.gateway.exchange.watched
            desk.gateway.exchange = self._exchange(vault)
            desk.gateway.exchange.watched = watched
            desk.save()

        desk.renew = renew
        desk.save()
        return desk

    def _exchange(self, vault: Vault | None) -> PaperExchange:
        return PaperExchange(
            self._accounts,
            now_ms=self._clock(),
            seed=self._seed,
            volatility=self._volatility,
            funding=self._funding,
            instruments=self._instruments,
            state=vault.load(self._instruments, self._seed) if vault is not None else None,
        )

    def _app(self, desk: Desk) -> web.Application:
        app = web.Application(client_max_size=4 * 2**20)
        rest, streams = RestRoutes(desk), StreamRoutes(desk)
        app.router.add_get("/v5/private", streams.private)
        app.router.add_get("/v5/public/linear", streams.public)
        app.router.add_get("/v5/trade", TradeRoutes(desk).trade)
        AdminRoutes(desk).register(app)
        app.router.add_route("*", "/{tail:.*}", rest.handle)
        return app
