"""A world on a virtual clock: one paper exchange, one engine, and a network with seeded delays between them.

Requests and pushes travel for a random time drawn from the seed, so answers, pushes and acknowledgements overtake each
other as they do in life. A kill drops the engine where it stands; its store and whatever is on the way to the exchange
survive. The same seed always gives the same run.
"""

from __future__ import annotations

import heapq
import itertools
import random
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from mirrorctl.core.bybit.address import Address
from mirrorctl.core.bybit.breaker import Breaker
from mirrorctl.core.bybit.environments import Endpoints
from mirrorctl.core.bybit.frames import decode_frame
from mirrorctl.core.bybit.link import ExchangeClock
from mirrorctl.core.bybit.rest import BybitRest
from mirrorctl.core.domain.policy import MAIN, Policy
from mirrorctl.core.engine.accounts import Account
from mirrorctl.core.engine.baseline import Sightings
from mirrorctl.core.engine.engine import Engine
from mirrorctl.core.engine.ports import Event, Frame, StreamDown, StreamUp
from mirrorctl.core.paper.exchange import PaperExchange
from mirrorctl.core.paper.faults import Fault, FaultKind
from mirrorctl.core.paper.gateway import Gateway
from mirrorctl.core.paper.instruments import CATALOGUE, Instrument
from mirrorctl.core.paper.model import PaperAccount
from mirrorctl.core.simulation.ports import CountedStore, Port, Sent, new_store
from mirrorctl.core.simulation.session import SimulatedSession

START_MS = 1_800_000_000_000
FIRST_UID = 101
SILENCE_S = 5.0  # after a 403; live it is ten minutes, in which nothing happens that a schedule could show
_NOWHERE = Endpoints("http://127.0.0.1", "ws://127.0.0.1/v5/private", "ws://127.0.0.1/v5/public/linear")


class Killed(BaseException):
    """The process died here. Not an Exception: nothing in the engine may survive it."""


@dataclass(slots=True)
class Doom:
    """The process dies at the `ahead`-th port call from now whose name begins with `what`, before or after it."""

    what: str
    ahead: int
    after: bool
    died: Callable[[], None]


class LocalClock:
    """The clock of the process (ports.Clock): steady while it lives, and wrong by `error_ms`."""

    def __init__(self, true_ms: Callable[[], int]) -> None:
        self._true_ms = true_ms
        self.error_ms = 0
        self.differs = False

    def now_ms(self) -> int:
        return self._true_ms() + self.error_ms


class World:
    """Time, exchange, network and engine. `crash_at`: the port call, counted from 1, at which the process dies.

    `doom` is the next death by the count of calls from now on. `after_step` is called after everything that happens.

    `balances` in USDT where they are not 100,000; `hedged` names the accounts in hedge mode. `latency_ms` is what each
    request of an account takes beyond the random travel time of its messages. What arrives within the same `grain_ms`
    is handled in one go, in the order of its arrival, as by a process that was busy until then.
    """

    def __init__(
        self,
        policy: Policy,
        *,
        seed: int = 1,
        balances: Mapping[str, Decimal] | None = None,
        hedged: Collection[str] = (),
        volatility: Decimal = Decimal(0),
        instruments: Iterable[Instrument] = CATALOGUE,
    ) -> None:
        names = [MAIN, *(mirror.name for mirror in policy.mirrors)]
        self.policy = policy
        self.random = random.Random(seed)
        self.uids = {name: FIRST_UID + i for i, name in enumerate(names)}
        papers = [
            PaperAccount(
                name,
                uid,
                f"key-{name}",
                f"secret-{name}",
                balance=(balances or {}).get(name, Decimal(100_000)),
                position_mode="hedge" if name in hedged else "one-way",
            )
            for name, uid in self.uids.items()
        ]
        self.exchange = PaperExchange(
            papers,
            now_ms=START_MS,
            seed=seed,
            volatility=volatility,
            step_ms=60_000,
            funding=False,
            instruments=instruments,
        )
        self.gateway = Gateway(self.exchange)
        self.store = new_store()
        self.baseline = Sightings()
        self.engine: Engine | None = None
        self.calls: list[str] = []
        self.sent: list[Sent] = []
        self.crash_at = 0
        self.crash_after = False
        self.doom: Doom | None = None
        self.after_step: Callable[[], None] | None = None
        self.restart_after_ms = 1_000
        self.silence_s = SILENCE_S
        self._address = Address(stop_s=self.silence_s)
        self.kills = 0
        self.cut: set[str] = set()
        self._muted: dict[str, int] = {}
        self._names = {uid: name for name, uid in self.uids.items()}
        self.dead: dict[str, int] = {}
        self.latency_ms: dict[str, int] = {}
        self.grain_ms = 1
        self._now = START_MS
        self._ahead_ms = 0
        self.clock = LocalClock(self.now_ms)
        self.stores_lost = 0
        self.store_full = self.store_full_at_commit = False
        self._heap: list[tuple[int, int, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._life = 0
        self._epoch = 0

    # --- time ------------------------------------------------------------------------------------------------

    def now_ms(self) -> int:
        """The true time, whatever the clocks of the process and of the exchange say."""
        return self._now

    def exchange_ms(self) -> int:
        """The exchange's clock."""
        return self._now + self._ahead_ms

    def step_exchange_clock(self, by_ms: int) -> None:
        """The exchange's clock is set forward."""
        self._ahead_ms += by_ms
        self.clock.differs = True

    def step_local_clock(self, by_ms: int) -> None:
        """The machine's clock is set while no process runs: a running one keeps the clock that it started with."""
        self.clock.error_ms += by_ms
        self.clock.differs = True

    def elapsed_ms(self) -> int:
        """How long the world exists."""
        return self._now - START_MS

    def at(self, delay_ms: int, what: Callable[[], None]) -> None:
        """Do something later."""
        due = self._now + delay_ms
        grained = due + -due % self.grain_ms if delay_ms else due
        heapq.heappush(self._heap, (grained, due, next(self._order), what))

    def run(self, for_ms: int, until: Callable[[], bool] | None = None) -> bool:
        """Let time pass; True when `until` came true before it was over."""
        end = self._now + for_ms
        while self._now < end:
            if until is not None and until():
                return True
            self._step(end)
        return until is not None and until()

    def _step(self, end: int) -> None:
        """Go to the next thing that happens and let it happen."""
        wake = self.engine.next_wake_ms() - self.clock.error_ms if self.engine else end
        exchange = (self.exchange.next_event_ms() or end + self._ahead_ms) - self._ahead_ms
        due = self._heap[0][0] if self._heap else end
        self._now = max(min(due, wake, max(exchange, self._now + 1), end), self._now)
        while self._heap and self._heap[0][0] <= self._now:
            heapq.heappop(self._heap)[3]()
        self.exchange.advance(self.exchange_ms())
        self.spread_pushes()
        if self.engine is not None:
            self.alive(self.engine.process)
        if self.after_step is not None:
            self.after_step()

    # --- the process ---------------------------------------------------------------------------------------------

    def start(self, *, without: Collection[str] = ()) -> None:
        """Start the engine; its streams come up a moment later. Mirrors `without` keys that answer are absent."""
        self._life += 1
        self._address = Address(stop_s=self.silence_s)
        accounts = [self._account(name, self._life) for name in self.uids if name not in without]
        self.alive(lambda: self._begin(accounts))
        for account in accounts:
            if account.name not in self.dead:
                self.stream_up(account.name)

    def _begin(self, accounts: list[Account]) -> None:
        store: Any = CountedStore(self.store, self)
        self.engine = Engine(self.policy, accounts, store, self.clock, decode_frame, baseline=self.baseline)
        self.engine.start()

    def join(self, name: str) -> None:
        """The keys of an absent mirror answer now."""
        if self.engine is not None:
            self.engine.join(self._account(name, self._life))
            self.stream_up(name)

    def kill(self) -> None:
        """The process dies between two steps."""
        self.engine = None
        self._life += 1
        self.kills += 1

    def lose_store(self) -> None:
        """The store is gone, not what lies beside it; the next start makes a new one. Only while no process runs."""
        self.store = new_store()
        self.stores_lost += 1

    def alive(self, what: Callable[[], None]) -> None:
        """Run a piece of the engine; a kill in the middle of it leaves what was done."""
        try:
            what()
        except Killed:
            self.kill()
            self.at(self.restart_after_ms, self._restart)

    def _restart(self) -> None:
        if self.engine is None:
            self.start()

    @property
    def life(self) -> int:
        """Which process it is, counted from 1; a kill begins the next."""
        return self._life

    def port_call(self, what: str) -> Iterator[None]:
        """Count one port call; die at the chosen one, before or after it took effect."""
        self.calls.append(what)
        number, doomed = len(self.calls), self._doomed(what)
        if number == self.crash_at and not self.crash_after:
            raise Killed(what)
        if doomed is not None and not doomed.after:
            doomed.died()
            raise Killed(what)
        yield
        if number == self.crash_at and self.crash_after:
            raise Killed(what)
        if doomed is not None:
            doomed.died()
            raise Killed(what)

    def _doomed(self, what: str) -> Doom | None:
        """Count a call towards the doom; it, when this is the one."""
        doom = self.doom
        if doom is None or not what.startswith(doom.what):
            return None
        doom.ahead -= 1
        if doom.ahead > 0:
            return None
        self.doom = None
        return doom

    # --- streams -------------------------------------------------------------------------------------------------

    def stream_up(self, name: str) -> None:
        """The private stream of an account connects."""
        self.cut.discard(name)
        self._epoch += 1
        self._later(self.delay_ms(), StreamUp(name, self._epoch))

    def stream_down(self, name: str, reason: str = "connection lost") -> None:
        """The private stream of an account is lost; what is pushed meanwhile is gone."""
        self.cut.add(name)
        self._later(0, StreamDown(name, self._epoch, reason))

    def mute(self, name: str) -> None:
        """The stream of an account stays open and says nothing: what is pushed meanwhile is gone."""
        self._muted[name] = 0

    def unmute(self, name: str) -> int | None:
        """The stream could speak again; returns how many messages were lost, None where it was not silent."""
        return self._muted.pop(name, None)

    @property
    def muted(self) -> Collection[str]:
        """Accounts whose stream says nothing."""
        return self._muted.keys()

    def spread_pushes(self) -> None:
        """Send what the exchange pushes on its way, each message for itself."""
        for push in self.gateway.drain():
            if push.uid is None:
                continue
            name = self._names[push.uid]
            if name in self._muted:
                self._muted[name] += 1
            elif name not in self.cut:
                delay = self.delay_ms()
                self._later(delay, Frame(name, push.frame, self.clock.now_ms() + delay))

    # --- the exchange as an account sees it ----------------------------------------------------------------------

    def fault(self, kind: FaultKind, account: str | None = None, target: str = "", **how: Any) -> int:
        """Put a fault up; `how` is its count (None: until cleared) and arguments. Returns its number."""
        count = how.pop("count", 1)
        return self.gateway.faults.add(Fault(kind, account, target, count, how))

    def go_down(self, name: str) -> None:
        """The exchange refuses every request of the account and its stream is lost, until `come_back`."""
        self.dead[name] = self.fault(FaultKind.REFUSE, name, count=None)
        self.stream_down(name)

    def come_back(self, name: str) -> None:
        """The account can be reached again."""
        self.gateway.faults.clear(self.dead.pop(name))
        self.stream_up(name)

    def delay_ms(self) -> int:
        """How long one message travels."""
        return self.random.randint(1, 30)

    # --- main's trader --------------------------------------------------------------------------------------------

    def call(self, name: str, method: str, path: str, **params: Any) -> dict[str, Any]:
        """A call as the account's own trader makes it, past all faults: the phone app."""
        answer = self.exchange.handle(self.uids[name], method, path, params, self.exchange_ms())
        self.spread_pushes()
        return answer

    def price(self, symbol: str, price: str) -> None:
        """Move the price, trading through what stands on the way."""
        self.exchange.set_price(symbol, Decimal(price), self.exchange_ms())
        self.spread_pushes()

    # --- inside ----------------------------------------------------------------------------------------------

    def connect(
        self, name: str, address: Address | None = None, clock_ms: Callable[[], int] | None = None
    ) -> tuple[BybitRest, SimulatedSession]:
        """A connection of an account, which carries its calls out at the virtual now.

        Another program than the engine has an `address` of its own, and a clock that goes on while the world stands.
        """
        elapsing_ms = clock_ms or self.now_ms
        session = SimulatedSession(self.gateway, self.uids[name], self.exchange_ms)
        rest = BybitRest(
            account=name,
            api_key="simulated",
            api_secret="simulated",
            endpoints=_NOWHERE,
            read_attempts=1,
            clock=ExchangeClock(self.clock.now_ms),
            address=address or self._address,
            breaker=Breaker(self.random.random),
            patience_s=0,
            monotonic=lambda: elapsing_ms() / 1000,
            open_session=lambda _link: session,
        )
        if not self.clock.differs:
            rest.link.clock.set(0)
        session.clock = rest.link.clock
        return rest, session

    def _account(self, name: str, life: int) -> Account:
        rest, session = self.connect(name)
        port = Port(self, name, rest, session, life)
        return Account.create(name, self.uids[name], port, port, rest)

    def _later(self, delay_ms: int, event: Event) -> None:
        life = self._life

        def arrive() -> None:
            engine = self.engine
            if engine is not None and self._life == life:
                self.alive(lambda: engine.handle(event))

        self.at(delay_ms, arrive)

    def deliver(self, delay_ms: int, event: Event, life: int) -> None:
        """Bring an answer to the process that asked, if it still lives."""
        if life == self._life:
            self._later(delay_ms, event)
