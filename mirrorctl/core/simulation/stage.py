"""A scenario's stage: a policy, a world and its traders, with the words in which scenarios are told.

stage = Stage(copying("half", "0.5"))
stage.main.buy("0.1", stop="58000")
stage.settle()
assert stage.of("half").position() == Decimal("0.05")
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from decimal import Decimal
from typing import Any

from mirrorctl.core.domain.actions import Action, PlaceOrder
from mirrorctl.core.domain.audit.findings import Finding
from mirrorctl.core.domain.errors import MirrorctlError
from mirrorctl.core.domain.policy import MAIN, Adopt, Follow, Limits, MirrorPolicy, Policy, Sizing
from mirrorctl.core.engine.engine import Engine
from mirrorctl.core.engine.records import Alert
from mirrorctl.core.engine.service import steps
from mirrorctl.core.engine.status import converged, snapshot
from mirrorctl.core.paper.instruments import CATALOGUE, Instrument
from mirrorctl.core.simulation.auditor import Auditor
from mirrorctl.core.simulation.ports import Sent
from mirrorctl.core.simulation.trader import SYMBOL, Trader
from mirrorctl.core.simulation.world import World

_COMMAND_MS = 120_000
_LIMITS = Limits(Decimal(100), None, None, None)


class NotSettledError(AssertionError):
    """The world did not come to rest in the time it was given; the message is the engine's own status."""


def copying(
    name: str,
    ratio: str = "0.5",
    *,
    adopt: Adopt = Adopt.ALL,
    follow: Follow | None = None,
    limits: Limits = _LIMITS,
    sizing: Sizing | None = None,
) -> MirrorPolicy:
    """A mirror that copies in proportion; no limit but the ones given."""
    return MirrorPolicy(
        name,
        adopt=adopt,
        sizing=sizing or Sizing(value=Decimal(ratio)),
        follow=follow or Follow(),
        limits=limits,
    )


class Stage:
    """A world whose engine runs, main and mirrors flat and known, unless `start` is false."""

    def __init__(
        self,
        *mirrors: MirrorPolicy,
        seed: int = 1,
        start: bool = True,
        balances: Mapping[str, Decimal] | None = None,
        hedged: Collection[str] = (),
        volatility: Decimal = Decimal(0),
        instruments: Iterable[Instrument] = CATALOGUE,
        whole: Policy | None = None,
        **policy: Any,
    ) -> None:
        """`whole` is a policy as it is, in place of `mirrors` and what is named of one."""
        chosen = mirrors or (copying("half", "0.5"), copying("quarter", "0.25"))
        self.policy = whole or Policy("stage", "USDT", tuple(chosen), **policy)
        self.world = World(
            self.policy, seed=seed, balances=balances, hedged=hedged, volatility=volatility, instruments=instruments
        )
        self.main = Trader(self.world, MAIN)
        self.mirrors = {mirror.name: Trader(self.world, mirror.name) for mirror in self.policy.mirrors}
        if start:
            self.start()
            self.settle()

    def of(self, name: str) -> Trader:
        """One mirror by its name."""
        return self.mirrors[name]

    @property
    def engine(self) -> Engine:
        engine = self.world.engine
        if engine is None:
            raise NotSettledError("the engine does not run")
        return engine

    # --- time ------------------------------------------------------------------------------------------------

    def start(self) -> None:
        self.world.start()

    def restart(self, *, new_store: bool = False) -> None:
        """Kill the process and start another one at once."""
        self.world.kill()
        if new_store:
            self.world.lose_store()
        self.world.start()

    def run(self, for_ms: int) -> None:
        self.world.run(for_ms)

    def until(self, what: Callable[[], bool], within_ms: int = 60_000) -> None:
        """Let time pass until something is so."""
        if not self.world.run(within_ms, what):
            raise NotSettledError(f"not so within {within_ms} ms: {self._story()}")

    def settle(self, within_ms: int = 60_000) -> None:
        """Let what is under way arrive, then run until the engine says every account is in step."""
        self.world.run(200)
        self.until(self.converged, within_ms)

    def converged(self) -> bool:
        return self.world.engine is not None and converged(self.world.engine)

    def price(self, price: str, symbol: str = SYMBOL) -> None:
        """Move the price, trading through what stands on the way."""
        self.world.price(symbol, price)

    # --- the engine as its user sees it --------------------------------------------------------------------------

    def status(self) -> dict[str, Any]:
        return snapshot(self.engine)

    def held(self, name: str) -> list[str]:
        """The reasons for which growth of a mirror is held."""
        return [row["reason"] for row in self.status()["held"] if row["account"] == name]

    def parked(self, name: str) -> list[str]:
        return [row["reason"] for row in self.status()["parked"] if row["account"] == name]

    def drift(self, name: str) -> list[dict[str, Any]]:
        return [row for row in self.status()["drift"] if row["account"] == name]

    def alerts(self, name: str = "", containing: str = "") -> list[Alert]:
        """Rows of the outbox, oldest first."""
        rows = reversed(self.world.store.alerts(10_000))
        return [row for row in rows if name in ("", row.account) and containing in f"{row.kind}: {row.text}"]

    def audit(self) -> list[Finding]:
        """What an audit finds now, beside the engine or without one. Nothing is sent and no time passes."""
        return Auditor(self.world).look()

    def command(self, name: str, **args: Any) -> dict[str, Any]:
        """Carry a command out as the socket would; its MirrorctlError is raised."""
        results: list[dict[str, Any]] = []
        errors: list[MirrorctlError] = []

        def done(result: dict[str, object] | None, error: MirrorctlError | None) -> None:
            if error is not None:
                errors.append(error)
            else:
                results.append(dict(result or {}))

        self.engine.tasks.start(steps(self.engine, name, args, lambda _event: None), done)
        self.world.at(0, lambda: None)  # a command that comes wakes the loop
        self.until(lambda: bool(results or errors), _COMMAND_MS)
        if errors:
            raise errors[0]
        return results[0]

    def sent(self, name: str = "", kind: type[Action] | None = None) -> list[Sent]:
        """The engine's writes that reached the exchange, in their order."""
        return [
            row
            for row in self.world.sent
            if name in ("", row.account) and (kind is None or isinstance(row.action, kind))
        ]

    def placed(self, name: str) -> list[PlaceOrder]:
        """The orders that the engine sent for an account."""
        return [row.action for row in self.sent(name) if isinstance(row.action, PlaceOrder)]

    def _story(self) -> str:
        engine = self.world.engine
        if engine is None:
            return "the engine does not run"
        plans = [plan for mirror in engine.passes.values() for plan in mirror.plans.values()]
        return f"{snapshot(engine)} {plans} {engine.book.open_intents()}"
