"""`make soak`: a day of trading on the virtual clock, and whether memory and store stay bounded.

One main and two mirrors trade without a pause: at market with a stop, resting entries that are amended and cancelled,
trades by command with a ladder and a client id, stops and targets that the price trades through, one restart. Now and
then the store on disk and everything the engine holds in memory are measured. Exit 1 when they still grow in the last
third of the day, when an account is not in step at the end, or when the journal does not verify.
"""

from __future__ import annotations

import argparse
import gc
import json
import logging
import random
import resource
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from decimal import Decimal
from pathlib import Path
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any

from rich.console import Console
from rich.table import Table

from mirrorctl.core.domain.errors import MirrorctlError
from mirrorctl.core.domain.policy import Follow
from mirrorctl.core.paper.exchange import PaperExchange
from mirrorctl.core.paper.instruments import CATALOGUE, Instrument
from mirrorctl.core.simulation.ports import CountedStore, Port
from mirrorctl.core.simulation.session import SimulatedSession
from mirrorctl.core.simulation.stage import Stage, copying
from mirrorctl.core.simulation.trader import Refusal
from mirrorctl.core.simulation.world import World
from mirrorctl.core.store.retention import Retention
from mirrorctl.core.store.sqlite import SqliteStore

HOUR_MS = 3_600_000
NOTIONAL = 1_200
CONTRACTS = {item.symbol: item for item in CATALOGUE}
SLACK = 1.15
"""How much more than in the middle third of the day may be there in the last third: samples are taken at any moment."""
_CODE = (ModuleType, type, FunctionType, BuiltinFunctionType, MethodType)
_FOREIGN = (*_CODE, World, PaperExchange, Port, SimulatedSession, CountedStore)


@dataclass(frozen=True, slots=True)
class Sample:
    """What there was at one moment. Bytes of the store with its log; objects and bytes of the engine, rows kept."""

    hour: float
    trades: int
    store_bytes: int
    engine_objects: int
    engine_bytes: int
    intents_in_memory: int
    journal_rows: int
    alerts: int


@dataclass(frozen=True, slots=True)
class Soaked:
    """A soak: what was measured while it ran, and how it ended."""

    samples: tuple[Sample, ...]
    orders: int
    restarts: int
    in_step: bool
    journal_intact: bool
    cpu_s: float
    process_mb: int

    def grew(self) -> dict[str, tuple[float, float]]:
        """(most in the middle third, most in the last third) of every measure that still grew."""
        third = max(len(self.samples) // 3, 1)
        middle, last = self.samples[third : 2 * third], self.samples[2 * third :]
        found = {}
        for name in [each.name for each in fields(Sample)][2:]:
            before = max(getattr(sample, name) for sample in middle)
            after = max(getattr(sample, name) for sample in last)
            if after > before * SLACK:
                found[name] = (before, after)
        return found

    @property
    def passed(self) -> bool:
        return self.in_step and self.journal_intact and not self.grew()


class Soak:
    """A world with a store on disk, and the traders who keep it busy."""

    def __init__(
        self, folder: Path, *, seed: int, symbols: int = 12, retention: Retention | None = None, **policy: Any
    ) -> None:
        follow = Follow(max_slippage_bps=Decimal(1_000), max_exit_slippage_bps=Decimal(1_000))
        mirrors = (copying("half", "0.5", follow=follow), copying("quarter", "0.25", follow=follow))
        balances = dict.fromkeys(("main", "half", "quarter"), Decimal(1_000_000))
        self.stage = Stage(*mirrors, seed=seed, start=False, balances=balances, **policy)
        self.path = folder / "store.sqlite"
        self.store = SqliteStore(self.path, retention=retention)
        self.stage.world.store = self.store
        self.trades = self.restarts = self.orders = 0
        self._random = random.Random(seed)
        self._symbols = list(CONTRACTS)[:symbols]
        self._retention = retention

    def run(self, hours: float, trades: int, samples: int, tell: Callable[[Sample], None] = lambda _: None) -> Soaked:
        """Trade that much in that much virtual time, and measure that often."""
        began = time.process_time()
        world = self.stage.world
        world.start()
        self.stage.settle()
        start, each_ms = world.now_ms(), int(hours * HOUR_MS / trades)
        kinds = (self._by_hand, self._by_hand, self._resting, self._by_command)
        taken: list[Sample] = []
        for number in range(trades):
            symbol = self._random.choice(self._symbols)
            try:
                kinds[number % len(kinds)](symbol)
            except (Refusal, MirrorctlError) as error:
                logging.getLogger(__name__).info("%s: %s", symbol, error)
            self._flat(symbol)
            self.trades += 1
            left = start + each_ms * self.trades - world.now_ms()
            world.run(max(left, 1))
            if self.trades % max(trades // samples, 1) == 0:
                taken.append(self.measure((world.now_ms() - start) / HOUR_MS))
                tell(taken[-1])
            if self.trades == trades // 3:  # what it takes up from the store counts from the middle third on
                self._restart()
        self.stage.settle()
        spent = time.process_time() - began
        orders = self.orders + len(world.sent)
        intact = self.store.verify().fault is None
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        return Soaked(tuple(taken), orders, self.restarts, self.stage.converged(), intact, spent, peak)

    def measure(self, hour: float) -> Sample:
        """Count what there is now; what the world itself wrote down is let go first."""
        world, engine = self.stage.world, self.stage.engine
        self.orders += len(world.sent)
        world.sent.clear()
        world.calls.clear()
        objects, weight = weigh(engine)
        found = self.store.verify()
        files = [self.path, self.path.with_name(f"{self.path.name}-wal")]
        return Sample(
            round(hour, 2),
            self.trades,
            sum(file.stat().st_size for file in files if file.exists()),
            objects,
            weight,
            len(engine.book.ids()),
            found.rows,
            len(self.store.alerts(1_000_000)),
        )

    # --- what main's traders do ----------------------------------------------------------------------------------

    def _by_hand(self, symbol: str) -> None:
        """In at market with a stop, moved once; out by hand, by the target or by the stop."""
        item = CONTRACTS[symbol]
        sign = self._random.choice((1, -1))
        order = self.stage.main.buy if sign > 0 else self.stage.main.sell
        order(size(item), symbol, stop=at(item, -sign * 3), target=at(item, sign * 2))
        self.stage.run(1_500)
        self.stage.main.protect(stop=at(item, -sign * 2), symbol=symbol)
        self.stage.run(800)
        end = self._random.randrange(3)
        if end:
            self.stage.price(at(item, sign * 2.5 if end == 1 else -sign * 2.5), symbol)
            self.stage.run(800)

    def _resting(self, symbol: str) -> None:
        """An entry that rests, is moved, and fills in part or is cancelled."""
        item = CONTRACTS[symbol]
        placed = self.stage.main.bid(size(item), at(item, -1), symbol)
        self.stage.run(800)
        self.stage.main.amend(placed, symbol, price=at(item, -0.5))
        self.stage.run(800)
        if self._random.randrange(2):
            self.stage.price(at(item, -0.6), symbol)
            self.stage.run(1_000)
        else:
            self.stage.main.cancel(placed, symbol)

    def _by_command(self, symbol: str) -> None:
        """A trade with a ladder; its first target fills."""
        item = CONTRACTS[symbol]
        targets = [{"price": at(item, percent), "percent": "50"} for percent in (1, 2)]
        self.stage.command(
            "trade.open",
            symbol=symbol,
            side="long",
            qty=size(item),
            stop=at(item, -3),
            targets=targets,
            client_id=f"soak-{self.trades}",
            wait_s="1",
        )
        self.stage.price(at(item, 1.2), symbol)
        self.stage.run(1_000)

    def _flat(self, symbol: str) -> None:
        """Everything of the trade goes, and the price is back where it was."""
        main = self.stage.main
        for order in main.orders(symbol):
            main.cancel(order["orderId"], symbol)
        if main.position(symbol):
            main.close(symbol)
        self.stage.run(500)
        self.stage.price(at(CONTRACTS[symbol], 0), symbol)

    def _restart(self) -> None:
        self.restarts += 1
        self.store.close()
        self.store = SqliteStore(self.path, retention=self._retention)
        self.stage.world.store = self.store
        self.stage.restart()
        self.stage.settle()


def at(item: Instrument, percent: float) -> str:
    """A price so many percent away from where it begins."""
    price = item.start_price * (1 + Decimal(str(percent)) / 100)
    return item.price(price // item.tick * item.tick)


def size(item: Instrument) -> str:
    """A quantity of about NOTIONAL."""
    return item.qty(NOTIONAL / item.start_price // item.step * item.step)


def weigh(root: object) -> tuple[int, int]:
    """(objects, bytes) of everything that can be reached from an object, without the world around it."""
    seen: set[int] = set()
    count = size = 0
    for found in _reached(root, seen):
        count += 1
        size += sys.getsizeof(found)
    return count, size


def _reached(root: object, seen: set[int]) -> Iterator[object]:
    queue: deque[Any] = deque([root])
    while queue:
        found = queue.popleft()
        if id(found) in seen or isinstance(found, _FOREIGN):
            continue
        seen.add(id(found))
        yield found
        queue.extend(gc.get_referents(found))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a soak and print its table. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.soak", description=__doc__.splitlines()[0])
    parser.add_argument("--hours", type=float, default=24, help="virtual hours (default 24)")
    parser.add_argument("--trades", type=int, default=10_000, help="trades in that time (default 10000)")
    parser.add_argument("--samples", type=int, default=24, help="measures in that time (default 24)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    chosen = parser.parse_args(arguments)
    logging.disable(logging.ERROR)
    console, progress = Console(width=110), Console(stderr=True)

    def tell(sample: Sample) -> None:
        progress.print(f"{sample.hour:5.1f} h  {sample.trades} trades  store {sample.store_bytes / 1e6:.1f} MB")

    with tempfile.TemporaryDirectory(prefix="soak") as folder:
        soaked = Soak(Path(folder), seed=chosen.seed).run(chosen.hours, chosen.trades, chosen.samples, tell)
    if chosen.json:
        sys.stdout.write(
            json.dumps({**asdict(soaked), "grew": soaked.grew(), "passed": soaked.passed}, indent=1) + "\n"
        )
    else:
        _show(console, soaked)
    return 0 if soaked.passed else 1


def _show(console: Console, soaked: Soaked) -> None:
    table = Table(*[each.name.replace("_", " ") for each in fields(Sample)])
    for sample in soaked.samples:
        table.add_row(*(str(getattr(sample, each.name)) for each in fields(Sample)))
    console.print(table)
    console.print(
        f"{soaked.orders} orders, {soaked.restarts} restarts, {soaked.cpu_s:.0f} s of CPU,"
        f" {soaked.process_mb} MB for all of the process (exchange and engine)"
    )
    for name, (before, after) in soaked.grew().items():
        console.print(f"still grows: {name.replace('_', ' ')}: {before} in the middle third, {after} in the last")
    console.print("in step at the end: " + ("yes" if soaked.in_step else "no"))
    console.print("journal as it was written: " + ("yes" if soaked.journal_intact else "no"))
    console.print("bounded" if soaked.passed else "NOT bounded")


if __name__ == "__main__":
    sys.exit(main())
