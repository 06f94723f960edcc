"""Take-profit orders of one position: what stands is brought to what shall stand, on main and on mirrors alike.

Targets are reduce-only limit orders with our ids, one for each rung. An order is amended in place, shrunk before
another grows, and all of them together never exceed the holding (rule 7). A rung that was filled never comes back
(A37); one that the exchange took off the book does, ever more slowly.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from mirrorctl.core.domain.account import Order
from mirrorctl.core.domain.actions import AmendOrder, CancelOrder, PlaceOrder
from mirrorctl.core.domain.due import cancel_due
from mirrorctl.core.domain.ids import LinkId, Role, parse
from mirrorctl.core.domain.instruments import ZERO, Instrument, plain
from mirrorctl.core.domain.ladder import RungOrder
from mirrorctl.core.domain.ours import OurOrder, Ours
from mirrorctl.core.domain.refusals import NOTHING_TO_REDUCE, heals, last_refusal, retry_at_ms
from mirrorctl.core.domain.scene import Planned, SymbolPlan
from mirrorctl.core.domain.trade import order_key
from mirrorctl.core.domain.values import OrderType, PositionSide, TimeInForce
from mirrorctl.core.domain.view import AccountView

_QUIET_MS = 50
_BURST_MS = 1_000


@dataclass(frozen=True, slots=True)
class Holding:
    """One position whose targets are kept. `tag` is the account's, `trade` that of the trade or cycle.

    `busy` names what is in flight: "cancel:<order id>", "amend:<order id>".
    """

    now_ms: int
    account: str
    tag: str
    trade: str
    symbol: str
    side: PositionSide
    idx: int
    instrument: Instrument
    view: AccountView
    ours: Ours
    busy: frozenset[str]

    @property
    def size(self) -> Decimal:
        return self.view.size(self.symbol, self.side)


@dataclass(frozen=True, slots=True)
class Rested:
    """What is known of one rung: all it has filled, and the order that stands for it now.

    `order` None with `live` set: it was sent and is not on the book yet. `attempts` are ours, first to last.
    """

    key: str
    filled: Decimal
    live: bool
    open_qty: Decimal
    order: Order | None
    attempts: tuple[OurOrder, ...] = ()


def rested(holding: Holding, adopted: Collection[str] = ()) -> dict[str, Rested]:
    """Every rung of this position that has, or had, an order of ours. `adopted`: order ids of the trader's own."""
    groups: dict[str, list[OurOrder]] = {}
    for ours in holding.ours.of(Role.TARGET, holding.side.exit):
        groups.setdefault(ours.link.step, []).append(ours)
    found = {key: _of_ours(holding, key, attempts) for key, attempts in groups.items()}
    for order_id in adopted:
        order = holding.view.order(order_id)
        if order is not None and order.is_open:
            rung = _of_trader(holding, order)
            found[rung.key] = rung
    return found


def plan_targets(
    holding: Holding,
    plan: SymbolPlan,
    wanted: Sequence[RungOrder],
    standing: Mapping[str, Rested],
    *,
    keep: Collection[str] = (),
    may_grow: bool = True,
) -> None:
    """Cancel, shrink, move, place and grow, in this order; what has no room yet waits for the next pass.

    `keep` are rungs that stand as they are. Without `may_grow` nothing is placed or grown: the position is on its way.
    Nor while one is being amended: how large it turns out is not known before.
    """
    may_grow = may_grow and not (holding.busy and _is_amending(holding, standing))
    by_key = {rung.key: rung for rung in wanted}
    room = holding.size - sum((rung.open_qty for rung in standing.values()), ZERO)
    for key, rung in standing.items():
        if key not in by_key and key not in keep:
            cancel_target(holding, plan, rung, "no rung of the ladder any more")
    for target in wanted:
        rung_now = standing.get(target.key)
        if target.key in keep:
            continue
        if rung_now is not None and rung_now.live:
            room -= _amend(holding, plan, rung_now, target, room if may_grow else ZERO)
    for target in wanted:
        rung_now = standing.get(target.key)
        if target.key in keep or not may_grow or (rung_now is not None and rung_now.live):
            continue
        if target.open_qty <= room and _place(holding, plan, target, rung_now.attempts if rung_now else ()):
            room -= target.open_qty
    if _lacks(wanted, standing, keep, plan):
        plan.settling = "targets are being resized"


def differ(wanted: Sequence[RungOrder], standing: Mapping[str, Rested]) -> bool:
    """Whether what rests is not what should rest."""
    resting = {key: rung.open_qty for key, rung in standing.items() if rung.live}
    return resting != {target.key: target.open_qty for target in wanted}


def is_moving(now_ms: int, touched_ms: int, since_ms: int, plan: SymbolPlan) -> bool:
    """Whether a position was touched just now: a burst of fills resizes its targets once, a second later at most."""
    if now_ms - since_ms >= _BURST_MS or now_ms - touched_ms >= _QUIET_MS:
        return False
    plan.wake_at(min(touched_ms + _QUIET_MS, since_ms + _BURST_MS))
    return True


def cancel_target(holding: Holding, plan: SymbolPlan, rung: Rested, reason: str) -> None:
    """Cancel what stands for a rung, unless its cancel is on the way."""
    if rung.order is None:
        return
    order = rung.order
    cancel_due(plan, order.order_id, order.link_id, f"target: {reason}")
    if f"cancel:{order.order_id}" in holding.busy:
        return
    plan.actions.append(
        Planned(CancelOrder(holding.account, holding.symbol, order.order_id, order.link_id, f"target: {reason}"))
    )


def _lacks(
    wanted: Sequence[RungOrder], standing: Mapping[str, Rested], keep: Collection[str], plan: SymbolPlan
) -> bool:
    """Whether a rung rests with less than it should and nothing of this plan is about it: it waits for room."""
    asked = {item.action.order_id for item in plan.actions if isinstance(item.action, AmendOrder | CancelOrder)}
    placed = {parse(item.action.link_id) for item in plan.actions if isinstance(item.action, PlaceOrder)}
    steps = {link.step for link in placed if link is not None}
    for target in wanted:
        rung = standing.get(target.key)
        if target.key in keep or target.key in steps or plan.missing:
            continue
        if rung is None or not rung.live:
            return True
        if rung.open_qty < target.open_qty and (rung.order is None or rung.order.order_id not in asked):
            return True
    return False


def _is_amending(holding: Holding, standing: Mapping[str, Rested]) -> bool:
    return any(rung.order is not None and f"amend:{rung.order.order_id}" in holding.busy for rung in standing.values())


def _of_ours(holding: Holding, key: str, attempts: list[OurOrder]) -> Rested:
    last = attempts[-1]
    placed = holding.view.by_link(str(last.link)) if last.is_live else None
    return Rested(
        key,
        sum((attempt.filled for attempt in attempts), ZERO),
        last.is_live,
        last.open_qty,
        placed if placed is not None and placed.is_open else None,
        tuple(attempts),
    )


def _of_trader(holding: Holding, order: Order) -> Rested:
    return Rested(order_key(order.order_id), holding.view.filled(order), True, holding.view.leaves(order), order)


def _amend(holding: Holding, plan: SymbolPlan, rung: Rested, target: RungOrder, room: Decimal) -> Decimal:
    """Bring a standing order to its rung; returns how much of the room it takes."""
    order = rung.order
    growth = target.open_qty - rung.open_qty
    if order is None or {f"amend:{order.order_id}", f"cancel:{order.order_id}"} & holding.busy:
        return ZERO
    if growth > max(room, ZERO):
        growth = ZERO
    qty = order.qty + growth
    price = target.price if order.price != target.price and not order.stop_kind.position_bound else None
    trigger = target.price if order.stop_kind.position_bound and order.trigger_price != target.price else None
    if not growth and price is None and trigger is None:
        return ZERO
    plan.actions.append(
        Planned(
            AmendOrder(
                account=holding.account,
                symbol=holding.symbol,
                order_id=order.order_id,
                link_id=order.link_id,
                reason=_reason(target),
                qty=qty if growth else None,
                price=price,
                trigger_price=trigger,
                role=Role.TARGET,
            )
        )
    )
    return max(growth, ZERO)


def _reason(target: RungOrder) -> str:
    """A rung of the trader's own, which has no number that stays, is told apart by its price."""
    note = f", {target.note}" if target.note else ""
    numbered = not target.order_id or target.key != order_key(target.order_id)
    name = f"target {target.leg + 1}" if numbered else "main's target"
    return f"{name}: {plain(target.open_qty)} at {plain(target.price)}{note}"


def _place(holding: Holding, plan: SymbolPlan, target: RungOrder, attempts: Sequence[OurOrder]) -> bool:
    """Place a rung; False while an earlier attempt that brought nothing has to be waited for, or stays refused."""
    refusal = last_refusal(attempts)
    heals_later = refusal is None or refusal.code == NOTHING_TO_REDUCE or heals(refusal.code, refusal.message)
    if refusal is not None and not heals_later:
        plan.missing.append(f"target at {plain(target.price)} refused ({refusal.code}): {refusal.message}")
        return False
    if refusal is not None:  # also while it is tried again: what is tried is not placed yet
        plan.missing.append(f"target at {plain(target.price)} waits: refused ({refusal.code}): {refusal.message}")
    retry = 0 if attempts and attempts[-1].by_us else retry_at_ms(attempts)
    if holding.now_ms < retry:
        plan.wake_at(retry)
        return False
    attempt = attempts[-1].link.attempt + 1 if attempts else 0
    link = LinkId(holding.tag, holding.trade, Role.TARGET, target.leg, target.key, attempt)
    plan.actions.append(
        Planned(
            PlaceOrder(
                account=holding.account,
                symbol=holding.symbol,
                side=holding.side.exit,
                order_type=OrderType.LIMIT,
                qty=target.open_qty,
                link_id=str(link),
                role=Role.TARGET,
                reason=_reason(target),
                position_idx=holding.idx,
                price=target.price,
                time_in_force=TimeInForce.GTC,
                reduce_only=True,
            ),
            main_order_id=target.order_id,
        )
    )
    return True
