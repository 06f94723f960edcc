"""Stops, reductions and cancels that are wanted and do not show yet: named, whatever keeps them (rule 5, rule 15).

Whether one is tried now, waits for another try, is in flight or in doubt makes no difference here: the plan names it
until the exchange shows it. The time of a stop begins anew with progress, so one that follows main's step by step is
never late.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from mirrorctl.core.domain.instruments import plain
from mirrorctl.core.domain.own_approach import wanted
from mirrorctl.core.domain.scene import Due, Moment, Scene, SymbolPlan
from mirrorctl.core.domain.values import PositionSide

FLIGHT_MS = 1_500  # what is due for less is on its way
_CANCEL_BOUND_MS = 10_000


def stop_due(
    plan: SymbolPlan,
    kind: str,
    side: PositionSide,
    whose: str,
    bound: tuple[Decimal | None, Decimal | None],
    bound_ms: int,
    *,
    named: bool = False,
) -> None:
    """A stop, target or trailing stop is not the wanted one. `bound`: what is wanted, and what stands.

    `whose` names it, such as "the stop of main". A position without any stop is told by its naked time.
    """
    to, stands = (plain(value) if value else "none" for value in bound)
    plan.due[f"{kind} {side}"] = Due(
        kind,
        f"due {kind} {side} {stands}",
        f"{whose} could not be set",
        f"wanted {to}, standing {stands}",
        f"{whose} is set again",
        None if kind == "stop" and not bound[1] else max(bound_ms, FLIGHT_MS),
        named=named,
    )


def reduction_due(scene: Scene, plan: SymbolPlan, side: PositionSide, have: Decimal, want: Decimal, clock: str) -> None:
    """A side holds more than it should. It is told a flight after it went out at market (`exit_deadline_s`)."""
    plan.due[f"reduction {side}"] = Due(
        "reduction",
        clock,
        f"the {side} could not be reduced",
        f"want {plain(want)}, have {plain(have)}",
        f"the {side} is reduced",
        int(scene.policy.follow.exit_deadline_s * 1000) + FLIGHT_MS,
        side=side.exit,
    )


def cancel_due(plan: SymbolPlan, order_id: str, link_id: str, reason: str) -> None:
    """An order should be off the book."""
    name = link_id or order_id
    plan.due[f"cancel {order_id}"] = Due(
        f"cancel:{order_id}",
        f"due cancel {order_id}",
        f"{name} could not be cancelled",
        reason,
        f"{name} is off the book",
        _CANCEL_BOUND_MS,
        critical=False,
    )


def undecided_reductions(scene: Scene, plan: SymbolPlan) -> None:
    """Sides above their target while nothing can be decided: main is known, and what keeps it is not waited for."""
    if not scene.main.is_settled(scene.symbol):
        return
    for side, copy in scene.copies.items():
        if copy.unsized or not (copy.ended or scene.main.proven(scene.symbol, side)):
            continue
        have, raw = scene.have[side], copy.raw_want(scene.main_size[side])
        want = wanted(scene, side, copy, raw)
        if have > want:
            known = f"excess {side}"
            reduction_due(scene, plan, side, have, want, known if known in scene.since else f"undecided {known}")


def keep_time(moment: Moment, plan: SymbolPlan) -> None:
    """Since when each of them is due."""
    for about, due in plan.due.items():
        plan.due[about] = replace(due, since_ms=moment.since_ms(plan, due.clock))
