"""What the server's handlers share: the gateway, the clock, the keys, the database and the open streams."""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from mirrorctl.core.paper.floor import Push
from mirrorctl.core.paper.gateway import Gateway
from mirrorctl.core.paper.model import PaperAccount
from mirrorctl.core.paper.streams import Stream
from mirrorctl.core.paper.vault import Vault


@dataclass(slots=True)
class Switches:
    """Timing of the server; all can change while it runs.

    `ack_ms` delays subscription replies: below 50 stock pybit dies at random on loopback. `trade_ms` delays the answer
    to an order over WebSocket: at 0 stock pybit may hear it before it has noted whom to tell, and drops it. `event_ms`
    is the time from a request to the pushes it caused; with `events_first` they are sent before the reply.
    """

    ack_ms: int = 50
    trade_ms: int = 2
    event_ms: int = 5
    events_first: bool = False


@dataclass(slots=True)
class Desk:
    """Owned by the event loop's thread. `wall` is the true time in ms, `clock` the exchange's, skewed or not."""

    gateway: Gateway
    accounts: dict[str, PaperAccount]
    keys: dict[str, PaperAccount]
    wall: Callable[[], int]
    vault: Vault | None
    switches: Switches
    renew: Callable[[], None]
    streams: set[Stream] = field(default_factory=set)
    outgoing: deque[tuple[float, list[Push]]] = field(default_factory=deque)
    wake: asyncio.Event = field(default_factory=asyncio.Event)

    def clock(self) -> int:
        """The exchange's time in ms."""
        return self.gateway.clock(self.wall())

    def save(self) -> None:
        """Makes everything that has happened durable."""
        if self.vault is not None:
            self.vault.save(self.gateway.exchange.state)

    async def publish(self, *, now: bool = False) -> None:
        """Sends the pushes that have collected, at once or after the usual delay."""
        pushes = self.gateway.drain()
        if not pushes:
            return
        if now:
            await self.send(pushes)
            return
        due = asyncio.get_running_loop().time() + self.switches.event_ms / 1000
        self.outgoing.append((due, pushes))
        self.wake.set()

    async def send(self, pushes: list[Push]) -> None:
        """Delivers to whoever is subscribed now; nobody else ever sees these frames."""
        for push in pushes:
            for stream in list(self.streams):
                if stream.wants(push):
                    await stream.send(push.frame)

    async def deliver_forever(self) -> None:
        """Sends delayed pushes in order."""
        loop = asyncio.get_running_loop()
        while True:
            while self.outgoing:
                due, pushes = self.outgoing.popleft()
                await asyncio.sleep(max(0.0, due - loop.time()))
                await self.send(pushes)
            self.wake.clear()
            await self.wake.wait()

    async def tick_forever(self, period_s: float) -> None:
        """Lets time pass on the exchange."""
        while True:
            await asyncio.sleep(period_s)
            self.gateway.exchange.advance(self.clock())
            self.save()
            await self.publish()
