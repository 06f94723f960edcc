"""An audit at one virtual instant: a rehearsal engine that reads the exchange while time stands still.

It runs beside the world's own engine, or without one, with connections of its own, a copy of the store and a clock of
its own; nothing can be sent with it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from mirrorctl.core.bybit.address import Address
from mirrorctl.core.bybit.frames import decode_frame
from mirrorctl.core.bybit.reader import failed, read
from mirrorctl.core.domain.account import Ticker
from mirrorctl.core.domain.actions import Action
from mirrorctl.core.domain.audit.findings import Finding
from mirrorctl.core.domain.errors import ExchangeError
from mirrorctl.core.engine.accounts import Account
from mirrorctl.core.engine.audit import is_settled, look, recorded_in
from mirrorctl.core.engine.baseline import Sightings
from mirrorctl.core.engine.engine import Engine
from mirrorctl.core.engine.ports import ClockMeasured, Query, ReadDone, StreamUp

if TYPE_CHECKING:
    from mirrorctl.core.simulation.world import World

_SETTLE_MS = 8_000


class Auditor:
    """Looks at a world. Its clock (ports.Clock) goes on by itself, so whatever waits for time gets it."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._now = world.clock.now_ms()
        self._asked: deque[tuple[_Eyes, Query]] = deque()

    def now_ms(self) -> int:
        return self._now

    def look(self) -> list[Finding]:
        """Everything that is found now."""
        world = self._world
        address = Address()
        eyes = [_Eyes(world, name, self._asked, address, self.now_ms) for name in world.uids]
        accounts = [each.account() for each in eyes]
        store, baseline = world.store.snapshot(), Sightings(world.baseline.known)
        engine = Engine(world.policy, accounts, store, self, decode_frame, sends=False, baseline=baseline)
        began = self._now
        engine.start()
        for account, each in zip(accounts, eyes, strict=True):
            if world.clock.differs:
                engine.handle(ClockMeasured(account.name, each.offset_ms()))
            engine.handle(StreamUp(account.name, 1))  # nothing is pushed while time stands still
        while not is_settled(engine, began) and self._now - began < _SETTLE_MS:
            while self._asked:
                asked, query = self._asked.popleft()
                engine.handle(asked.read(query, self._now))
            engine.process()
            if not self._asked:
                self._now = min(engine.next_wake_ms(), began + _SETTLE_MS)
        return look(engine, recorded_in(world.store))


class _Eyes:
    """Reader of one account, and a writer that refuses (ports.Reader, ports.Writer)."""

    def __init__(
        self,
        world: World,
        name: str,
        asked: deque[tuple[_Eyes, Query]],
        address: Address,
        clock_ms: Callable[[], int],
    ) -> None:
        self._name = name
        self._uid = world.uids[name]
        self._rest, _ = world.connect(name, address, clock_ms)
        self._asked = asked

    def offset_ms(self) -> int:
        """The exchange's clock less this one, as a live reader measures it with its first relist."""
        return self._rest.measure_clock()

    def account(self) -> Account:
        return Account.create(self._name, self._uid, self, self)

    def ask(self, query: Query) -> None:
        self._asked.append((self, query))

    def read(self, query: Query, now_ms: int) -> ReadDone:
        """The answer to one question; what the exchange does not give is a failed read."""
        try:
            answer = read(self._rest, query)
        except ExchangeError as error:
            answer = failed(query, error)
        if isinstance(answer, Ticker):  # the world stands while this clock goes on: the price is read now
            answer = replace(answer, at_ms=now_ms)
        return ReadDone(self._name, query, answer, now_ms, now_ms)

    def send(self, intent_id: int, action: Action) -> None:
        raise RuntimeError(f"an audit was about to send {type(action).__name__} {intent_id}")
