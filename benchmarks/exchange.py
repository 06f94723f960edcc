"""The measuring exchange: raw sockets in one thread, in a process of its own, on a core of its own.

Latency is from just before the execution frame is written to main's stream until the last byte of a mirror's order
request is read: both stamps are `perf_counter_ns` of this process. While it measures it does not sleep.
"""

from __future__ import annotations

import multiprocessing as mp
import selectors
import socket
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection as Pipe
from types import TracebackType
from typing import Any, Self, cast

from benchmarks import wire
from benchmarks.books import push
from benchmarks.cores import pin
from benchmarks.venue import MAIN, SYMBOL, Connection, Placed, Venue, now_ms, symbol

_PATIENCE_S = 3.0
_BURST_S = 8.0


@dataclass(frozen=True, slots=True)
class Reaction:
    """What one event led to: ns until each order request was read, in order. Fewer than expected: not in time."""

    orders_ns: tuple[int, ...]
    expected: int

    @property
    def whole(self) -> bool:
        return len(self.orders_ns) == self.expected


@dataclass(frozen=True, slots=True)
class Sustained:
    """A burst of events: how many mirrors had ordered (times mirrors), until when, with how many orders."""

    events: int
    ordered: int
    seconds: float
    orders: int


class Exchange:
    """The sockets, and what is measured over them. Everything runs on the thread that calls."""

    def __init__(self) -> None:
        self.venues: dict[str, Venue] = {}
        self._selector = selectors.DefaultSelector()
        self._connections: set[Connection] = set()
        self._patience_s = _PATIENCE_S

    # --- sockets -------------------------------------------------------------------------------------------------

    def open_venue(self, name: str, mirrors: int, *, mute: bool = False) -> int:
        """A client's own exchange; returns its port on 127.0.0.1."""
        venue = Venue.create(mirrors)
        venue.mute = mute
        self.venues[name] = venue
        server = socket.create_server(("127.0.0.1", 0), backlog=512)
        server.setblocking(False)
        self._selector.register(server, selectors.EVENT_READ, venue)
        return int(server.getsockname()[1])

    def step(self, timeout_s: float = 0.0) -> None:
        """Read what there is: stamps first, work after them."""
        read: list[tuple[Connection, bytes, int]] = []
        for key, _ in self._selector.select(timeout_s):
            if isinstance(key.data, Connection):
                data = self._receive(key.data)
                if data is not None:
                    read.append((key.data, data, time.perf_counter_ns()))
            elif isinstance(key.data, Venue):
                self._accept(cast(socket.socket, key.fileobj), key.data)
            else:
                key.data()
        for connection, data, stamp in read:
            if data:
                connection.feed(data, stamp)
            if not data or connection.closed:
                self._drop(connection)
        for venue in self.venues.values():
            venue.tend()

    def watch(self, pipe: Pipe, handle: Callable[[], None]) -> None:
        """Call `handle` in a step when something is on `pipe`."""
        self._selector.register(pipe, selectors.EVENT_READ, handle)

    def _receive(self, connection: Connection) -> bytes | None:
        """What there is; empty when the connection has ended, None when there is nothing after all."""
        try:
            return connection.sock.recv(1 << 18)
        except BlockingIOError:
            return None
        except OSError:
            return b""

    def _accept(self, server: socket.socket, venue: Venue) -> None:
        sock, _ = server.accept()
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection = Connection(sock, venue)
        self._connections.add(connection)
        self._selector.register(sock, selectors.EVENT_READ, connection)

    def _drop(self, connection: Connection) -> None:
        if connection in self._connections:
            connection.closed = True
            self._connections.discard(connection)
            self._selector.unregister(connection.sock)
            connection.sock.close()

    # --- measurements --------------------------------------------------------------------------------------------

    def is_up(self, name: str, accounts: Sequence[str]) -> bool:
        """Whether the accounts' streams are subscribed."""
        return all(self.venues[name].streams(account, "execution") for account in accounts)

    def set_patience(self, seconds: float) -> None:
        """How long an order may take before it counts as lost."""
        self._patience_s = seconds

    def open_positions(self, name: str, count: int, *, mirrors: int = 1) -> bool:
        """Main opens `count` positions one after the other; whether every mirror ordered each of them in time."""
        venue = self.venues[name]
        for number in range(count):
            venue.placed.clear()
            frames = zip(("execution", "order", "position"), venue.trade(1_000, symbol(number)), strict=True)
            for topic, frame in frames:
                for stream in venue.streams(MAIN, topic):
                    stream.write(frame)
            if not self._until(lambda: len(venue.placed) >= mirrors):
                return False
            self.linger(0.002)
        return True

    def renew(self, name: str, *, mirrors: int = 1) -> bool:
        """Main closes its BTCUSDT position and opens it anew; whether every mirror followed in time."""
        venue = self.venues[name]
        held = venue.main.holdings[SYMBOL].size
        followed = True
        for qty in (-held, 1_000):
            venue.placed.clear()
            frames = zip(("execution", "order", "position"), venue.trade(qty), strict=True)
            for topic, frame in frames:
                for stream in venue.streams(MAIN, topic):
                    stream.write(frame)
            followed &= self._until(lambda: len(venue.placed) >= mirrors)
            self.linger(0.05 + 0.003 * mirrors)
        return followed

    def is_quiet(self, name: str, quiet_s: float) -> bool:
        """Whether no request came for so long."""
        return time.monotonic() - self.venues[name].last_request >= quiet_s

    def react(
        self,
        name: str,
        gaps_s: Sequence[float],
        *,
        mirrors: int = 1,
        ahead: bool = False,
        hold: bool = False,
        qty: int = 1,
    ) -> list[Reaction]:
        """Main buys once after each gap; when each mirror's order was read.

        `ahead`: the order and position frames go before the execution, else after the orders. `hold`: acks wait until
        all orders of an event were read.
        """
        return [self._react_once(self.venues[name], gap_s, mirrors, ahead, hold, qty) for gap_s in gaps_s]

    def _react_once(self, venue: Venue, gap_s: float, mirrors: int, ahead: bool, hold: bool, qty: int) -> Reaction:
        self.linger(gap_s)
        execution, *others = venue.trade(qty)
        streams = {topic: venue.streams(MAIN, topic) for topic in ("order", "position", "execution")}
        venue.placed.clear()
        venue.holding = hold
        if ahead:
            for topic, frame in zip(("order", "position"), others, strict=True):
                for stream in streams[topic]:
                    stream.write(frame)
        began = time.perf_counter_ns()
        for stream in streams["execution"]:
            stream.write(execution)
        self._until(lambda: len(venue.placed) >= mirrors)
        stamps = tuple(sorted(one.stamp_ns - began for one in venue.placed))
        if not ahead:
            for topic, frame in zip(("order", "position"), others, strict=True):
                for stream in streams[topic]:
                    stream.write(frame)
        venue.holding = False
        venue.release()
        return Reaction(stamps, mirrors)

    def sustain(self, name: str, events: int, *, mirrors: int = 1, patience_s: float = _BURST_S) -> Sustained:
        """Main buys `events` times without a pause; how long until all of it was ordered by every mirror."""
        venue = self.venues[name]
        frames = [b"".join(venue.trade(1)[:1]) for _ in range(events)]
        venue.placed.clear()
        (stream,) = venue.streams(MAIN, "execution")
        ordered, seen = 0, 0
        began = time.perf_counter_ns()
        until, last = time.monotonic() + patience_s, began
        for at in range(0, events, 64):
            stream.write(b"".join(frames[at : at + 64]))
            self.step()
        while ordered < events * mirrors and time.monotonic() < until:
            self.step()
            ordered += sum(one.qty for one in venue.placed[seen:])
            seen = len(venue.placed)
            last = venue.placed[-1].stamp_ns if venue.placed else began
        return Sustained(events, ordered, (last - began) / 1e9, seen)

    def tell_position(self, name: str) -> None:
        """Push main's position, as Bybit does after a burst of executions."""
        venue = self.venues[name]
        frame = wire.frame(push("position", venue.main.position(SYMBOL), now_ms()))
        for stream in venue.streams(MAIN, "position"):
            stream.write(frame)

    def relist(self, name: str, quiet_s: float = 0.5) -> tuple[float, dict[str, int]]:
        """Cut the streams of a client; seconds until it has read everything anew, and its requests by path."""
        venue = self.venues[name]
        accounts = [account for account in venue.books if venue.streams(account, "execution")]
        before = Counter(venue.requests)
        venue.cut()
        began = None
        until = time.monotonic() + _BURST_S
        while time.monotonic() < until:
            self.step(0.001)
            if began is None and self.is_up(name, accounts):
                began = time.monotonic()
            if began is not None and self.is_quiet(name, quiet_s) and venue.last_request > began:
                break
        return venue.last_request - (began or venue.last_request), dict(venue.requests - before)

    def placed(self, name: str) -> list[Placed]:
        """Orders since the last measurement began."""
        return list(self.venues[name].placed)

    def sizes(self, name: str) -> dict[str, int]:
        """Steps that each account holds of BTCUSDT."""
        return {account: book.holdings[SYMBOL].size for account, book in self.venues[name].books.items()}

    def positions(self, name: str) -> dict[str, int]:
        """How many positions each account holds."""
        books = self.venues[name].books.items()
        return {account: sum(1 for held in book.holdings.values() if held.size) for account, book in books}

    def requests(self, name: str) -> dict[str, int]:
        """Requests so far, by path."""
        return dict(self.venues[name].requests)

    def _until(self, what: Callable[[], bool]) -> bool:
        until = time.monotonic() + self._patience_s
        while not what():
            if time.monotonic() > until:
                return False
            self.step()
        return True

    def linger(self, seconds: float) -> None:
        """Serve for so long."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self.step()


# --- the process -----------------------------------------------------------------------------------------------------


def serve(pipe: Pipe, core: int | None) -> None:
    """Serve until the other end of `pipe` closes. A message is (method, args, kwargs); its answer (ok, value)."""
    pin(core)
    exchange = Exchange()
    ended = False

    def handle() -> None:
        nonlocal ended
        try:
            method, args, kwargs = pipe.recv()
        except EOFError:
            ended = True
            return
        try:
            pipe.send((True, getattr(exchange, method)(*args, **kwargs)))
        except Exception as error:  # noqa: BLE001 - process boundary: told on the other side
            pipe.send((False, f"{type(error).__name__}: {error}"))

    exchange.watch(pipe, handle)
    while not ended:
        exchange.step(0.05)


class Remote:
    """The exchange in its own process. A context manager; its methods are those of `Exchange`, by name."""

    def __init__(self, core: int | None = None) -> None:
        context = mp.get_context("spawn")
        self._pipe, other = context.Pipe()
        self._process = context.Process(target=serve, args=(other, core), name="measuring-exchange", daemon=True)
        self._process.start()
        other.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pipe.close()
        self._process.join(2)
        if self._process.is_alive():
            self._process.terminate()
            self._process.join(2)

    def call(self, method: str, *args: Any, **kwargs: Any) -> Any:
        """Do `method` there. RuntimeError with what went wrong there."""
        self._pipe.send((method, args, kwargs))
        done, value = self._pipe.recv()
        if not done:
            raise RuntimeError(f"{method}: {value}")
        return value

    def wait(self, what: Callable[[], bool], within_s: float, why: str) -> None:
        """Wait until something holds. TimeoutError naming `why`."""
        until = time.monotonic() + within_s
        while not what():
            if time.monotonic() > until:
                raise TimeoutError(why)
            time.sleep(0.02)
