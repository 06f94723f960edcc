"""Play a schedule: the whole system on it, watched at every step, then at rest."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from mirrorctl.core.domain.actions import NotSent, PlaceOrder
from mirrorctl.core.domain.ids import parse
from mirrorctl.core.domain.policy import MAIN, Follow, Policy
from mirrorctl.core.paper.model import Execution
from mirrorctl.core.simulation.deeds import Hands
from mirrorctl.core.simulation.ground import Ground
from mirrorctl.core.simulation.schedule import Deed, Schedule
from mirrorctl.core.simulation.stage import NotSettledError, Stage, copying
from mirrorctl.core.simulation.troubles import Mischief
from mirrorctl.core.simulation.watch import Breach, Rule, Watch

RATIOS: Mapping[str, Decimal] = {"half": Decimal("0.5"), "odd": Decimal("0.37")}
"""The two plain mirrors of a play without a policy of its own."""
_TICK_S = Decimal(5)
_GRAINS_MS = (10, 20, 30)
_AUDITED = 10  # one schedule of so many ends with an audit
_ARRIVE_MS = 300
_PATIENCE_MS = 12_000  # longer than twins may lag, and a lost request may still arrive
_LOOK_MS = 1_000
_MINUTE_MS = 60_000
_FOREIGN = "foreign position"
_FOR_A_TIME = ("slippage", "limit ")
_CONVERGE_MS = 90_000


@dataclass(frozen=True, slots=True)
class Report:
    """What was measured. Times in ms.

    `events` really happened on main; `faults` really struck, by kind. `orders` were sent by the engine, `fills` are
    executions on the mirrors. `worst_convergence_ms` runs from the end of the faults to the last thing sent then.
    `stops_hit` and `targets_hit` are protective orders and take-profits that the market filled, on every account.
    `followed` counts the fills of each mirror, `held` says why one waits at the end.
    """

    seed: int
    events: int
    faults: Mapping[str, int]
    kills: int
    orders: int
    fills: int
    duplicates: int
    worst_naked_ms: int | None
    worst_convergence_ms: int
    stops_hit: int
    targets_hit: int
    breaches: tuple[Breach, ...]
    story: tuple[str, ...]
    followed: Mapping[str, int]
    held: Mapping[str, str]

    @property
    def passed(self) -> bool:
        """Whether no rule was broken."""
        return not self.breaches


def play(
    schedule: Schedule, policy: Policy | None = None, ground: Ground | None = None, *, audited: bool | None = None
) -> Report:
    """Play it on a policy; None is two plain mirrors at RATIOS. The same schedule always gives the same report.

    `ground` is what a policy of somebody's own needs to be followed on: see `ground.ground_of`. `audited`: whether it
    ends with an audit; None is by the seed, for an audit costs as much as many steps.
    """
    if audited is None:
        audited = not schedule.seed % _AUDITED
    return _Play(schedule, policy, ground or Ground(), audited=audited).run()


def plain_policy() -> Policy:
    """Two mirrors that copy in proportion, follow at any price and have no limits.

    The engine looks by itself only now and then: what an event has to bring about shall not wait for that.
    """
    follow = Follow(max_slippage_bps=Decimal(5_000))
    mirrors = tuple(copying(name, str(ratio), follow=follow) for name, ratio in RATIOS.items())
    return Policy("simulation", "USDT", mirrors, tick_s=_TICK_S)


class _Play:
    """One play."""

    def __init__(self, schedule: Schedule, policy: Policy | None, ground: Ground, *, audited: bool) -> None:
        self._schedule = schedule
        self._audited = audited
        self._is_plain = policy is None
        self._stage = Stage(
            whole=policy or plain_policy(),
            seed=schedule.seed,
            start=False,
            balances=ground.balances,
            instruments=ground.contracts,
        )
        self._world = self._stage.world
        self._hands = Hands(self._stage, ground)
        self._mischief = Mischief(self._stage)
        self._watch = Watch(self._stage)
        self._world.after_step = self._watch.look
        self._world.grain_ms = random.Random(schedule.seed).choice(_GRAINS_MS)
        self._story: list[str] = []
        self._breaches: list[Breach] = []
        self._worst_convergence_ms = 0

    def run(self) -> Report:
        try:
            self._stage.start()
            self._stage.settle()
            self._play()
            self._rest()
        except NotSettledError as error:
            self._break(str(error))
        return self._report()

    def _break(self, text: str) -> None:
        self._breaches.append(Breach(Rule.CONVERGENCE, self._world.elapsed_ms(), "", text))

    def _play(self) -> None:
        for step in self._schedule.steps:
            self._world.run(step.after_ms)
            self._world.random.seed(step.roll)
            if isinstance(step.what, Deed):
                told = self._hands.do(step.what, step.roll)
            else:
                told = self._mischief.do(step.what, step.roll)
            self._story.append(f"{self._world.elapsed_ms():>6} {told}")
            self._watch.look()

    def _rest(self) -> None:
        """The faults are over: everything has to come into step, and then be silent."""
        world, stage = self._world, self._stage
        self._mischief.cease()
        self._story.append(f"{world.elapsed_ms():>6} nothing goes wrong any more")
        began, sent = world.now_ms(), len(world.sent)
        world.run(_ARRIVE_MS)
        self._until_converged(began + _CONVERGE_MS)
        took = max((row.at_ms for row in world.sent[sent:]), default=began) - began
        self._worst_convergence_ms = max(self._worst_convergence_ms, took)
        self._release()
        if not self._is_plain:
            self._wait_out()
        if not stage.converged():
            self._break(f"not in step after {world.now_ms() - began} ms")
        else:
            self._watch.at_rest(audited=self._audited)

    def _until_converged(self, until_ms: int) -> None:
        """Let time pass until everything is in step, or waits for the trader."""
        while not self._stage.converged() and not self._stage.status()["parked"] and self._world.now_ms() < until_ms:
            self._world.run(_LOOK_MS)

    def _release(self) -> None:
        """What waits for the trader gets it: foreign positions are closed, refusals end, a new store may grow again."""
        state = self._stage.status()
        for row in state["parked"]:
            if row["reason"] == _FOREIGN and self._is_foreign(row["account"], row["symbol"]):
                self._stage.of(row["account"]).close(row["symbol"])
        if state["held"] or state["parked"]:
            self._stage.command("resume")
            self._stage.command("sync")
            self._until_converged(self._world.now_ms() + _CONVERGE_MS)

    def _is_foreign(self, account: str, symbol: str) -> bool:
        """Whether a position is somebody else's by the exchange's books: no order of ours grew it last."""
        rows = self._world.exchange.state.history[self._world.uids[account]].executions
        grown = [row for row in rows if row.symbol == symbol and row.exec_type == "Trade" and row.qty > row.closed_size]
        return not grown or parse(grown[-1].link_id) is None

    def _wait_out(self) -> None:
        """Growth that a policy holds back for a time gets it: a delay, a twin that lags, main's fill that is young and
        bounds its price, a minute's budget of orders, a limit that could not be computed.
        """
        follows = [mirror.follow for mirror in self._stage.policy.mirrors]
        slowest = max((max(follow.delay_s, follow.grace_s) for follow in follows), default=Decimal(0))
        self._world.run(int(slowest * 1000) + _PATIENCE_MS)
        if any(row["reason"].startswith(_FOR_A_TIME) for row in self._stage.status()["held"]):
            longest = max(follow.max_age_s for follow in follows)
            self._world.run(max(int(longest * 1000), _MINUTE_MS))
        self._until_converged(self._world.now_ms() + _CONVERGE_MS)

    def _report(self) -> Report:
        world, state = self._world, self._world.exchange.state
        sent = [row for row in world.sent if isinstance(row.action, PlaceOrder)]
        executions = [(uid, row) for uid in world.uids.values() for row in state.history[uid].executions]
        stops = {row.order_id for _, row in executions if "StopLoss" in row.stop_type}
        targets = {row.order_id for uid, row in executions if self._takes_profit(uid, row)}
        return Report(
            seed=self._schedule.seed,
            events=self._hands.events,
            faults={kind.value: count for kind, count in sorted(self._mischief.struck.items()) if count},
            kills=world.kills,
            orders=sum(1 for row in sent if not isinstance(row.outcome, NotSent)),
            fills=sum(1 for uid, row in executions if uid != world.uids[MAIN] and row.qty),
            duplicates=self._watch.duplicates,
            worst_naked_ms=self._watch.worst_naked_ms,
            worst_convergence_ms=self._worst_convergence_ms,
            stops_hit=len(stops),
            targets_hit=len(targets),
            breaches=(*self._watch.breaches, *self._breaches),
            story=tuple(self._story),
            followed={
                name: sum(row.qty > 0 for row in state.history[world.uids[name]].executions)
                for name in self._stage.mirrors
            },
            held={row["account"]: row["reason"] for row in self._waits()},
        )

    def _waits(self) -> list[dict[str, Any]]:
        """What is held or parked, as status shows it; nothing where the process is dead."""
        if self._world.engine is None:
            return []
        status = self._stage.status()
        return [*status["held"], *status["parked"]]

    def _takes_profit(self, uid: int, row: Execution) -> bool:
        """Whether a target filled: one bound to the position, or a resting reduce-only order."""
        if "TakeProfit" in row.stop_type:
            return True
        order = self._world.exchange.state.order(uid, row.order_id)
        return order is not None and order.reduce_only and row.is_maker and bool(row.closed_size)
