"""Which ratio each mirror will make of a trade that is asked for, by the function that makes it later (A3)."""

from __future__ import annotations

from collections.abc import Collection, Generator
from dataclasses import replace
from decimal import Decimal

from mirrorctl.core.domain.cycle import Copy, CycleKey
from mirrorctl.core.domain.errors import Unavailable
from mirrorctl.core.domain.instruments import ZERO
from mirrorctl.core.domain.policy import Direction, MirrorPolicy
from mirrorctl.core.domain.sizing import ratio_of
from mirrorctl.core.domain.wish import LEFT_OUT, Wish
from mirrorctl.core.engine.copies import sized
from mirrorctl.core.engine.engine import Engine
from mirrorctl.core.engine.reconcile import MirrorPass
from mirrorctl.core.engine.sizing import WholeEntry, ask_equities, equities_unread, inputs_of, value_of, whole_entry
from mirrorctl.core.engine.tasks import Wait
from mirrorctl.core.engine.trade_plan import OpenPlan
from mirrorctl.core.engine.trade_reads import READ_MS


def read_equities(
    engine: Engine, asked_ms: int, *, within_ms: int = READ_MS, names: Collection[str] | None = None
) -> Generator[Wait, bool, None]:
    """Read what the sizing modes of the profile's mirrors (of `names`) need; what does not come stays unknown."""
    known = [mirror for mirror in engine.passes.values() if engine.is_known(mirror.mirror)]
    mirrors = [mirror for mirror in known if names is None or mirror.mirror.name in names]
    for mirror in mirrors:
        ask_equities(engine, mirror.mirror, mirror.policy, asked_ms, engine.now_ms())
    yield Wait(
        lambda: not any(equities_unread(engine, m.mirror, m.policy, asked_ms) for m in mirrors),
        engine.now_ms() + within_ms,
    )


def planned_copy(engine: Engine, plan: OpenPlan, mirror: MirrorPass) -> Copy:
    """The copy of the trade that is planned: the one that stands, or the one that will begin with it."""
    account, policy = mirror.mirror, mirror.policy
    copy = engine.keeper.copy_of(account.name, plan.key)
    if copy is None or copy.ended:
        here = engine.keeper.lens(account.name).here(plan.key)
        follows: CycleKey | None = None if here == plan.key else plan.key
        copy = Copy(account.name, *here, "", ZERO, "", unsized="new", follows=follows)
    wish = next((wish for wish in plan.wishes if wish.mirror == account.name), None)
    if wish is not None:
        copy = _granted(copy, wish)
    if not copy.unsized:
        return copy
    inputs = inputs_of(engine, account, policy, plan.key, _entry_of(engine, plan, policy), plan.asked_ms)
    return sized(copy, ratio_of(policy.sizing.mode, value_of(policy, copy), inputs))


def sized_wishes(engine: Engine, plan: OpenPlan) -> tuple[Wish, ...]:
    """The wishes of the plan with the ratio that each comes to, for mirrors that follow already.

    Raises Unavailable where a mirror holds a position and the ratio that is asked for cannot be made now.
    """
    made = []
    for wish in plan.wishes:
        mirror = engine.passes.get(wish.mirror)
        known = mirror is not None and engine.is_known(mirror.mirror)
        copy = planned_copy(engine, plan, mirror) if mirror is not None and known else None
        follows = engine.keeper.copy_of(wish.mirror, plan.key)
        lacks = wish.value is not None and (copy is None or bool(copy.unsized))
        if lacks and follows is not None and follows.opened and not follows.ended:
            reason = copy.unsized if copy is not None else "it is not read"
            raise Unavailable(
                f"{wish.mirror} cannot have another ratio now: {reason}", "try again, or leave --mirror out"
            )
        ratio = copy if copy is not None and not copy.unsized else None
        made.append(wish if ratio is None else replace(wish, ratio=ratio.ratio, formula=ratio.formula))
    return tuple(made)


def _granted(copy: Copy, wish: Wish) -> Copy:
    """The copy as it will be with what is asked for it."""
    if wish.value is None:
        return replace(copy, held=copy.held or LEFT_OUT)
    return replace(copy, value=wish.value, held="" if copy.held == LEFT_OUT else copy.held, unsized="asked for")


def _entry_of(engine: Engine, plan: OpenPlan, policy: MirrorPolicy) -> WholeEntry:
    """Main's entry once every order of the plan is in."""
    before = whole_entry(engine, plan.key, policy, engine.now_ms())
    value = sum((order.qty * entry.price for order, entry in zip(plan.orders, plan.entries, strict=True)), ZERO)
    held = before.qty * before.price if before.qty and before.price is not None else None if before.qty else ZERO
    return replace(
        before,
        qty=before.qty + plan.qty,
        price=None if held is None else (held + value) / (before.qty + plan.qty),
        stop=_loss_end(plan, policy) or before.stop,
        leverage=plan.leverage.leverage if plan.leverage is not None else before.leverage,
    )


def _loss_end(plan: OpenPlan, policy: MirrorPolicy) -> Decimal | None:
    if policy.follow.direction is not Direction.REVERSE:
        return plan.trade.stop
    return max((t.price for t in plan.trade.targets), key=lambda price: price * plan.trade.side.sign, default=None)
