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

from mirrorctl.core.bybit.environments import Endpoints
from mirrorctl.core.bybit.frames import decode_frame
from mirrorctl.core.bybit.link import Backoff, ExchangeClock, Gate
from mirrorctl.core.bybit.reader import failed, read
from mirrorctl.core.bybit.rest import BybitRest
from mirrorctl.core.domain.actions import Action, Outcome
from mirrorctl.core.domain.errors import ExchangeError
from mirrorctl.core.domain.policy import MAIN, Policy
from mirrorctl.core.engine.accounts import Account
from mirrorctl.core.engine.baseline import Sightings
from mirrorctl.core.engine.engine import Engine
from mirrorctl.core.engine.ports import Event, Frame, Query, ReadDone, SendDone, StreamDown, StreamUp
from mirrorctl.core.engine.records import Store
from mirrorctl.core.paper.exchange import PaperExchange
from mirrorctl.core.paper.faults import Fault, FaultKind
from mirrorctl.core.paper.gateway import Gateway
from mirrorctl.core.paper.instruments import CATALOGUE, Instrument
from mirrorctl.core.paper.model import PaperAccount
from mirrorctl.core.simulation.session import SimulatedSession
from mirrorctl.core.store.sqlite import SqliteStore

START_MS = 1_800_000_000_000
FIRST_UID = 101
_NOWHERE = Endpoints("http://127.0.0.1", "ws://127.0.0.1/v5/private", "ws://127.0.0.1/v5/public/linear")


@dataclass(frozen=True, slots=True)
class Sent:
    """One write of the engine that reached the exchange's door, with what came of it."""

    at_ms: int
    account: str
    action: Action
    outcome: Outcome


class Killed(BaseException):
    """The process died here. Not an Exception: nothing in the engine may survive it."""


class World:
    """Time, exchange, network and engine. `crash_at`: the port call, counted from 1, at which the process dies.

    `balances` in USDT where they are not 100,000; `hedged` names the accounts in hedge mode. `latency_ms` is what each
    request of an account takes beyond the random travel time of its messages.
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
        self.store = SqliteStore(None)
        self.baseline = Sightings()
        self.engine: Engine | None = None
        self.calls: list[str] = []
        self.sent: list[Sent] = []
        self.crash_at = 0
        self.crash_after = False
        self.restart_after_ms = 1_000
        self.kills = 0
        self.cut: set[str] = set()
        self.dead: dict[str, int] = {}
        self.latency_ms: dict[str, int] = {}
        self._now = START_MS
        self._heap: list[tuple[int, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._life = 0
        self._epoch = 0

    # --- time ------------------------------------------------------------------------------------------------

    def now_ms(self) -> int:
        """Virtual wall clock (ports.Clock)."""
        return self._now

    def at(self, delay_ms: int, what: Callable[[], None]) -> None:
        """Do something later."""
        heapq.heappush(self._heap, (self._now + delay_ms, next(self._order), what))

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
        wake = self.engine.next_wake_ms() if self.engine else end
        exchange = self.exchange.next_event_ms() or end
        due = self._heap[0][0] if self._heap else end
        self._now = max(min(due, wake, max(exchange, self._now + 1), end), self._now)
        while self._heap and self._heap[0][0] <= self._now:
            heapq.heappop(self._heap)[2]()
        self.exchange.advance(self._now)
        self.spread_pushes()
        if self.engine is not None:
            self._alive(self.engine.process)

    # --- the process ---------------------------------------------------------------------------------------------

    def start(self, *, without: Collection[str] = ()) -> None:
        """Start the engine; its streams come up a moment later. Mirrors `without` keys that answer are absent."""
        self._life += 1
        accounts = [self._account(name, self._life) for name in self.uids if name not in without]
        store: Any = _CountedStore(self.store, self)
        self.engine = Engine(self.policy, accounts, store, self, decode_frame, baseline=self.baseline)
        self._alive(self.engine.start)
        for account in accounts:
            if account.name not in self.dead:
                self.stream_up(account.name)

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
        self.store = SqliteStore(None)

    def _alive(self, what: Callable[[], None]) -> None:
        """Run a piece of the engine; a kill in the middle of it leaves what was done."""
        try:
            what()
        except Killed:
            self.kill()
            self.at(self.restart_after_ms, self._restart)

    def _restart(self) -> None:
        if self.engine is None:
            self.start()

    def port_call(self, what: str) -> Iterator[None]:
        """Count one port call; die at the chosen one, before or after it took effect."""
        self.calls.append(what)
        number = len(self.calls)
        if number == self.crash_at and not self.crash_after:
            raise Killed(what)
        yield
        if number == self.crash_at and self.crash_after:
            raise Killed(what)

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

    def spread_pushes(self) -> None:
        """Send what the exchange pushes on its way, each message for itself."""
        names = {uid: name for name, uid in self.uids.items()}
        for push in self.gateway.drain():
            if push.uid is not None and names[push.uid] not in self.cut:
                delay = self.delay_ms()
                self._later(delay, Frame(names[push.uid], push.frame, self._now + delay))

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
        answer = self.exchange.handle(self.uids[name], method, path, params, self._now)
        self.spread_pushes()
        return answer

    def price(self, symbol: str, price: str) -> None:
        """Move the price, trading through what stands on the way."""
        self.exchange.set_price(symbol, Decimal(price), self._now)
        self.spread_pushes()

    # --- inside ----------------------------------------------------------------------------------------------

    def connect(self, name: str) -> tuple[BybitRest, SimulatedSession]:
        """A connection of an account, which carries its calls out at the virtual now."""

        def monotonic() -> float:
            return self._now / 1000

        session = SimulatedSession(self.gateway, self.uids[name], self.now_ms)
        rest = BybitRest(
            account=name,
            api_key="simulated",
            api_secret="simulated",
            endpoints=_NOWHERE,
            read_attempts=1,
            clock=ExchangeClock(self.now_ms),
            gate=Gate(monotonic=monotonic),
            backoff=Backoff(monotonic=monotonic, jitter=self.random.random),
            open_session=lambda _link: session,
        )
        rest.link.clock.set(0)
        return rest, session

    def _account(self, name: str, life: int) -> Account:
        port = _Port(self, name, *self.connect(name), life)
        return Account.create(name, self.uids[name], port, port)

    def _later(self, delay_ms: int, event: Event) -> None:
        life = self._life

        def arrive() -> None:
            engine = self.engine
            if engine is not None and self._life == life:
                self._alive(lambda: engine.handle(event))

        self.at(delay_ms, arrive)

    def deliver(self, delay_ms: int, event: Event, life: int) -> None:
        """Bring an answer to the process that asked, if it still lives."""
        if life == self._life:
            self._later(delay_ms, event)


class _Port:
    """Reader and writer of one account. A request reaches the exchange even when its sender has died meanwhile."""

    def __init__(self, world: World, name: str, rest: BybitRest, session: SimulatedSession, life: int) -> None:
        self._world = world
        self._name = name
        self._rest = rest
        self._session = session
        self._life = life

    def ask(self, query: Query) -> None:
        for _ in self._world.port_call(f"{self._name} ask {type(query).__name__}"):
            self._world.at(self._travel_ms(), lambda: self._read(query))

    def send(self, intent_id: int, action: Action) -> None:
        sent_ms = self._world.now_ms()
        for _ in self._world.port_call(f"{self._name} send {type(action).__name__}"):
            self._world.at(self._travel_ms(), lambda: self._write(intent_id, action, sent_ms))

    def _travel_ms(self) -> int:
        return self._world.delay_ms() + self._world.latency_ms.get(self._name, 0)

    def _read(self, query: Query) -> None:
        world = self._world
        began = world.now_ms()
        try:
            answer = read(self._rest, query)
        except ExchangeError as error:
            answer = failed(query, error)
        delay = self._travel_ms() + self._session.take_wait_ms()
        world.deliver(delay, ReadDone(self._name, query, answer, began, began + delay), self._life)

    def _write(self, intent_id: int, action: Action, sent_ms: int) -> None:
        world = self._world
        outcome = self._rest.execute(action)
        world.sent.append(Sent(world.now_ms(), self._name, action, outcome))
        world.spread_pushes()
        delay = self._travel_ms() + self._session.take_wait_ms()
        event = SendDone(self._name, intent_id, outcome, sent_ms, world.now_ms() + delay)
        world.deliver(delay, event, self._life)


class _CountedStore:
    """The store as the engine's port, each write of it a port call."""

    _READS = frozenset(
        (
            "fresh",
            "batch",
            "fact",
            "cycles",
            "copies",
            "trades",
            "open_intents",
            "recent_intents",
            "standings",
            "alerts",
            "open_positions",
            "closed_positions",
            "naked_times",
        )
    )

    def __init__(self, store: Store, world: World) -> None:
        self._store = store
        self._world = world

    def __getattr__(self, name: str) -> Any:
        target = getattr(self._store, name)
        if name in self._READS or not callable(target):
            return target

        def counted(*args: Any, **kwargs: Any) -> Any:
            result = None
            for _ in self._world.port_call(f"store {name}"):
                result = target(*args, **kwargs)
            return result

        return counted
