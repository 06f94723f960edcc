"""What a process of the simulation has of the world: a port for each account, and its store."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from math import ceil
from typing import TYPE_CHECKING, Any

from mirrorctl.core.bybit.quotas import Urgency
from mirrorctl.core.bybit.reader import failed, read
from mirrorctl.core.bybit.rest import BybitRest
from mirrorctl.core.bybit.writer import kept
from mirrorctl.core.domain.actions import Action, Outcome
from mirrorctl.core.domain.errors import ExchangeError
from mirrorctl.core.engine.ports import ClockMeasured, Query, ReadDone, Relist, SendDone
from mirrorctl.core.engine.records import Store
from mirrorctl.core.simulation.session import SimulatedSession
from mirrorctl.core.store.errors import StoreUnavailable
from mirrorctl.core.store.sqlite import SqliteStore

if TYPE_CHECKING:
    from mirrorctl.core.simulation.world import World

_CLOCK_EVERY_MS = 10_000
_PATIENCE_MS = 5_000  # of a reader, for room in the budgets
_CALLS = 5  # of a relist with executions


@dataclass(frozen=True, slots=True)
class Sent:
    """One write of the engine that reached the exchange's door, with what came of it.

    Decided at `decided_ms` as the `call`-th port call, journaled as `intent_id`. What it did on the exchange has the
    numbers of the exchange's own counter after `first` up to `last`.
    """

    at_ms: int
    account: str
    action: Action
    outcome: Outcome
    intent_id: int = 0
    decided_ms: int = 0
    call: int = 0
    first: int = 0
    last: int = 0


class Port:
    """Reader and writer of one account. A request reaches the exchange even when its sender has died meanwhile."""

    def __init__(self, world: World, name: str, rest: BybitRest, session: SimulatedSession, life: int) -> None:
        self._world = world
        self._name = name
        self._rest = rest
        self._session = session
        self._life = life
        self._clock_due_ms = 0

    def ask(self, query: Query) -> None:
        for _ in self._world.port_call(f"{self._name} ask {type(query).__name__}"):
            self._world.at(self._travel_ms(), lambda: self._read(query))

    def send(self, intent_id: int, action: Action) -> None:
        sent_ms = self._world.now_ms()
        for _ in self._world.port_call(f"{self._name} send {type(action).__name__}"):
            write = partial(self._write, intent_id, action, sent_ms, len(self._world.calls))
            self._world.at(self._travel_ms(), write)

    def _travel_ms(self) -> int:
        return self._world.delay_ms() + self._world.latency_ms.get(self._name, 0)

    def _read(self, query: Query, patience_ms: int = _PATIENCE_MS) -> None:
        world = self._world
        room_ms = self._room_ms()
        if 0 < room_ms <= patience_ms:
            world.at(room_ms, lambda: self._read_later(query, patience_ms - room_ms))
            return
        began = world.clock.now_ms()
        if isinstance(query, Relist):
            self._tend_clock()
        try:
            answer = read(self._rest, query)
        except ExchangeError as error:
            answer = failed(query, error)
        delay = self._travel_ms() + self._session.take_wait_ms()
        world.deliver(delay, ReadDone(self._name, query, answer, began, began + delay), self._life)

    def _read_later(self, query: Query, patience_ms: int) -> None:
        if self._life == self._world.life:
            self._read(query, patience_ms)

    def _room_ms(self) -> int:
        """How long until the address has room for all calls of a read; 0 while it has for one.

        A live reader waits for room before each of them. Here time stands still within a read: one that failed for want
        of room half-way would take what is left again and again.
        """
        address = self._rest.link.traffic.address
        wait_s = address.wait_s(self._world.now_ms() / 1000, Urgency.ORDINARY)
        return ceil((wait_s + _CALLS / address.per_s) * 1000) if wait_s else 0

    def _tend_clock(self) -> None:
        """Measure the exchange's clock now and then, as the reader of a live account does; never where both agree."""
        world = self._world
        if not world.clock.differs or world.now_ms() < self._clock_due_ms:
            return
        try:
            offset_ms = self._rest.measure_clock()
        except ExchangeError:
            return
        self._clock_due_ms = world.now_ms() + _CLOCK_EVERY_MS
        world.deliver(0, ClockMeasured(self._name, offset_ms), self._life)

    def _again(self, intent_id: int, action: Action, call: int, asked_ms: int) -> None:
        """Try once more what waited in the process for room in a budget; it is gone when the process died."""
        if self._life == self._world.life:
            self._write(intent_id, action, self._world.now_ms(), call, asked_ms)

    def _write(self, intent_id: int, action: Action, sent_ms: int, call: int, asked_ms: int = 0) -> None:
        world = self._world
        first = world.exchange.state.counter
        outcome = self._rest.execute(action)
        asked = asked_ms or sent_ms
        wait_s = kept(outcome, (world.now_ms() - asked) / 1000)
        if wait_s is not None:
            world.at(ceil(wait_s * 1000), lambda: self._again(intent_id, action, call, asked))
            return
        last = world.exchange.state.counter
        world.sent.append(Sent(world.now_ms(), self._name, action, outcome, intent_id, asked, call, first, last))
        world.spread_pushes()
        delay = self._travel_ms() + self._session.take_wait_ms()
        left_ms = sent_ms + world.clock.error_ms
        event = SendDone(self._name, intent_id, outcome, left_ms, world.clock.now_ms() + delay)
        world.deliver(delay, event, self._life)


class CountedStore:
    """The store as the engine's port, each write of it a port call."""

    _WRITES = ("set_", "save_", "end_", "drop_", "record_", "update_", "add_", "mark_", "prune")

    def __init__(self, store: Store, world: World) -> None:
        self._store = store
        self._world = world
        self._depth = 0

    @contextmanager
    def batch(self) -> Iterator[None]:
        """The store's own, which a full disk may refuse at its end as well."""
        self._depth += 1
        try:
            with self._store.batch():
                yield
                self._refuse(self._world.store_full or self._world.store_full_at_commit)
        finally:
            self._depth -= 1

    def _refuse(self, full: bool) -> None:
        if full:
            raise StoreUnavailable("the store cannot be used now: database or disk is full", "free space")

    def __getattr__(self, name: str) -> Any:
        target = getattr(self._store, name)
        if not name.startswith(self._WRITES):
            return target

        def counted(*args: Any, **kwargs: Any) -> Any:
            result = None
            for _ in self._world.port_call(f"store {name}"):
                alone = not self._depth  # a transaction of its own, which ends with it
                self._refuse(self._world.store_full or (alone and self._world.store_full_at_commit))
                result = target(*args, **kwargs)
            return result

        self.__dict__[name] = counted
        return counted


def new_store() -> SqliteStore:
    """A fresh store in memory, copied from one that was made before: making it would be a third of a world's start."""
    return _empty_store().snapshot()


@cache
def _empty_store() -> SqliteStore:
    return SqliteStore(None)
