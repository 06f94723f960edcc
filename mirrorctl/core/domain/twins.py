"""Twins: on the mirror, one order for each entry order that rests on main.

A twin that filled first is a lead: its excess stands while main's order is open. A twin that has not filled although
main's order did lags: it stands for the difference until the grace time is over, then it is cancelled and the rest is
ordered. Nothing is ever ordered beside a live twin for what the twin stands for (A20).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_FLOOR, Context, Decimal

from mirrorctl.core.domain.account import Order
from mirrorctl.core.domain.actions import AmendOrder, PlaceOrder
from mirrorctl.core.domain.cycle import Copy, entry_orders
from mirrorctl.core.domain.delay import order_delay
from mirrorctl.core.domain.growth import entry_wait, other_side_block, quantity_block
from mirrorctl.core.domain.ids import Role, step_tag
from mirrorctl.core.domain.instruments import ZERO, plain
from mirrorctl.core.domain.ours import IntentState, OurOrder, Ours
from mirrorctl.core.domain.own_approach import entry_block
from mirrorctl.core.domain.policy import CatchUp
from mirrorctl.core.domain.protection import attached_stop
from mirrorctl.core.domain.refusals import heals, last_refusal, parks, refused_text, retry_at_ms
from mirrorctl.core.domain.resting import awaits_fill, cancel_entry, catch_up_late, hold_resting, lost_wait, stay
from mirrorctl.core.domain.scene import Held, Need, NeedKind, Planned, Scene, SymbolPlan
from mirrorctl.core.domain.sight import Sight
from mirrorctl.core.domain.values import OrderStatus, OrderType, PositionSide

_ROUNDED_DOWN = Context(rounding=ROUND_FLOOR)  # r × (a base that is too high) would floor a twin to a step less


@dataclass(slots=True)
class TwinBalance:
    """What the twins of one side explain: `lag` is still to come, `lead` came early. Base coin."""

    lag: Decimal = ZERO
    lead: Decimal = ZERO


NO_TWINS = TwinBalance()
"""Nobody adds to a balance once it was returned."""


def twin_step(main_order_id: str) -> str:
    """The step of a twin's id (rule 3)."""
    return step_tag("twin", main_order_id)


def plan_twins(scene: Scene, plan: SymbolPlan, side: PositionSide, copy: Copy) -> TwinBalance:
    """Place, amend and cancel the twins of one side; returns what they explain of the difference to the target.

    All together never lag by more than the side lacks: of a fill on main that closed the other side nothing is copied.
    """
    entries = entry_orders(scene.main, scene.symbol, side)
    if not entries and (Role.TWIN, side.entry) not in scene.ours.by_role:
        return NO_TWINS
    balance = TwinBalance()
    by_order = _group(scene.main, scene.symbol, side, scene.ours)
    resting = {order.order_id: order for order in entries}
    other = other_side_block(scene, side)
    block = entry_block(scene, copy) or other
    if not other:
        balance.lead = _leads(scene.main, copy, resting, by_order)
    want = copy.want(scene.main_size[side], scene.instrument)
    short = scene.instrument.floor_qty(want + balance.lead - scene.have[side])
    for order_id, order in resting.items():
        attempts = by_order.get(order_id, [])
        if attempts and attempts[-1].is_live:
            behind = min(_behind(scene, copy, order, attempts[-1]), max(short - balance.lag, ZERO))
            balance.lag += behind
            _keep(scene, plan, copy, order, attempts[-1], behind, block)
        else:
            _place(scene, plan, side, copy, order, attempts, block)
    for order_id, attempts in by_order.items():
        if order_id in resting:
            continue
        if _is_unknown(scene, copy, attempts[-1]):
            _look_up(scene, plan, attempts, balance)
        else:
            _finish(scene, plan, copy, scene.main.order(order_id), attempts, balance, short, block)
    return balance


def lead_of(main: Sight, symbol: str, copy: Copy, ours: Ours) -> Decimal:
    """What the twins of one side hold that main's resting orders have not filled yet. Base coin."""
    resting = {order.order_id: order for order in entry_orders(main, symbol, copy.side)}
    return _leads(main, copy, resting, _group(main, symbol, copy.side, ours))


def _group(main: Sight, symbol: str, side: PositionSide, ours: Ours) -> dict[str, list[OurOrder]]:
    """Our twins of one side by the main order they stand for; a twin of an unknown order under its own link id."""
    twins = ours.of(Role.TWIN, side.entry)
    if not twins:
        return {}
    steps = {twin_step(order.order_id): order.order_id for order in main.orders(symbol)}
    groups: dict[str, list[OurOrder]] = {}
    for our in twins:
        if not our.reduce_only:
            order_id = our.main_order_id or steps.get(our.link.step) or str(our.link)
            groups.setdefault(order_id, []).append(our)
    return groups


def _matched(main: Sight, copy: Copy, order: Order, twin: OurOrder) -> Decimal:
    """r × what main's order has filled beyond the twin's base: what the twin should have filled by now."""
    if twin.main_filled is None:  # found on the exchange with a new store: its quantity tells what it was made for
        return max(twin.qty - copy.ratio * main.leaves(order), ZERO)
    return copy.ratio * (main.filled(order) - twin.main_filled)


def _leads(main: Sight, copy: Copy, resting: Mapping[str, Order], by_order: Mapping[str, list[OurOrder]]) -> Decimal:
    return sum((_lead(main, copy, order, by_order.get(key, [])) for key, order in resting.items()), ZERO)


def _lead(main: Sight, copy: Copy, order: Order, attempts: list[OurOrder]) -> Decimal:
    """What the twins of a resting order filled before it did."""
    if not attempts:
        return ZERO
    ahead = attempts[-1].filled - _matched(main, copy, order, attempts[-1])
    return min(max(ahead, ZERO), copy.ratio * main.leaves(order))


def _behind(scene: Scene, copy: Copy, order: Order, twin: OurOrder) -> Decimal:
    """What a live twin still has to fill to stand where main's order stands.

    Rounded up, for the twin's next step is partly for what main has filled: what the side lacks is the bound. More
    than it has open when main's order grew: the twin is amended and stands for all of it.
    """
    return max(scene.instrument.ceil_qty(_matched(scene.main, copy, order, twin)) - twin.filled, ZERO)


def _keep(
    scene: Scene, plan: SymbolPlan, copy: Copy, order: Order, twin: OurOrder, behind: Decimal, block: str
) -> None:
    """A live twin of a resting order: in step with it, or gone. It stands for `behind` and what is open on main."""
    if block:
        cancel_entry(scene, plan, twin, f"growth is held: {block}")
        return
    if behind and _gives_way(scene, plan, copy, twin, behind):
        cancel_entry(scene, plan, twin, f"main filled, the twin lags by {plain(behind)}: catch up")
        return
    matched = _matched(scene.main, copy, order, twin)
    needless = max(scene.instrument.floor_qty(matched) - twin.filled - behind, ZERO)
    qty = scene.instrument.floor_qty(copy.ratio * scene.main.leaves(order) + matched) - needless
    if qty <= twin.filled:
        if twin.open_qty:
            cancel_entry(scene, plan, twin, "main's order shrank")
        return
    _amend(scene, plan, copy, order, twin, qty)


def _amend(scene: Scene, plan: SymbolPlan, copy: Copy, order: Order, twin: OurOrder, qty: Decimal) -> None:
    placed = scene.mirror.by_link(str(twin.link))
    if placed is None or not placed.is_open or f"amend:{placed.order_id}" in scene.busy:
        return
    price = order.price or order.trigger_price or ZERO
    if refusal := _growth_refusal(scene, placed, qty, price):
        _hold(scene, plan, copy.side, copy, order, refusal)
        qty = min(qty, placed.qty)
        if _growth_refusal(scene, placed, qty, price):  # its new price alone is too much
            cancel_entry(scene, plan, twin, f"growth is held: {refusal}")
            return
    stop = attached_stop(scene, copy.side, order, price)
    if stop is None and not scene.main_size[copy.side]:
        stop = ZERO  # it came from a position that main has closed
    # 110059: the attached stop of a partly filled order cannot change; each fill brings the position's own back
    moved = stop is not None and (stop or None) != placed.stop_loss and not scene.mirror.filled(placed)
    change = AmendOrder(
        account=scene.account,
        symbol=scene.symbol,
        order_id=placed.order_id,
        link_id=placed.link_id,
        reason="main's order was amended",
        qty=qty if qty != placed.qty else None,
        price=order.price if order.price != placed.price else None,
        trigger_price=order.trigger_price
        if order.status is OrderStatus.UNTRIGGERED and order.trigger_price != placed.trigger_price
        else None,
        stop_loss=stop if moved else None,
        stop_loss_by=order.stop_loss_by if moved else None,
        protective=moved,
    )
    if moved or change.qty is not None or change.price is not None or change.trigger_price is not None:
        plan.actions.append(Planned(change))


def _growth_refusal(scene: Scene, placed: Order, qty: Decimal, price: Decimal) -> str:
    """Why a resting twin may not become `qty` at `price`: what that adds to its notional would break a limit."""
    before = scene.mirror.leaves(placed) * (placed.price or placed.trigger_price or ZERO)
    more = (qty - scene.mirror.filled(placed)) * price - before
    return scene.limit(more / price, price) if more > ZERO else ""


def _finish(
    scene: Scene,
    plan: SymbolPlan,
    copy: Copy,
    order: Order | None,
    attempts: list[OurOrder],
    balance: TwinBalance,
    short: Decimal,
    block: str,
) -> None:
    """Twins whose order no longer rests on main as an entry. `short`: what the side lacks, all told."""
    for twin in attempts:
        if not twin.is_live:
            continue
        waits = _waits(scene) and not block
        if copy.ended or (order is None and not waits):
            cancel_entry(scene, plan, twin, "main's order is gone")
            continue
        lacking = max(short - balance.lag, ZERO)
        behind = lacking if _is_amending(scene, twin) else min(twin.open_qty, lacking)
        balance.lag += behind
        if waits and behind:
            _gives_way(scene, plan, copy, twin, behind)
            stay(scene, plan, copy, twin, behind)
        elif order is None or order.status is not OrderStatus.FILLED:
            cancel_entry(scene, plan, twin, "main's order is gone")
        elif block or behind < twin.open_qty or _gives_way(scene, plan, copy, twin, behind):
            cancel_entry(scene, plan, twin, "main's order is filled: what the twin lacks is ordered")


def _is_unknown(scene: Scene, copy: Copy, twin: OurOrder) -> bool:
    """Whether nothing was seen of the order a twin stands for: a list that did not name it is no proof (rule 1)."""
    known = scene.main.order(twin.main_order_id) is not None
    return bool(twin.main_order_id) and not known and not copy.ended and not scene.main.is_gone(twin.main_order_id)


def _look_up(scene: Scene, plan: SymbolPlan, attempts: list[OurOrder], balance: TwinBalance) -> None:
    """Main's order is read by its id; until then its twins stand, and explain whatever they could."""
    plan.needs.append(Need(NeedKind.ORDER, scene.main.account, scene.symbol, attempts[-1].main_order_id))
    balance.lag += sum((twin.open_qty for twin in attempts), ZERO)
    balance.lead += sum((twin.filled for twin in attempts), ZERO)


def _is_amending(scene: Scene, twin: OurOrder) -> bool:
    """Whether the twin may turn out larger than it shows: nothing is ordered beside it until that is known."""
    placed = scene.mirror.by_link(str(twin.link))
    return placed is not None and f"amend:{placed.order_id}" in scene.busy


def _gives_way(scene: Scene, plan: SymbolPlan, copy: Copy, twin: OurOrder, behind: Decimal) -> bool:
    """Whether a twin that lags is taken off the book for what is ordered in its stead; with "wait" it never is."""
    if not catch_up_late(scene, plan, twin):
        return False
    placed = scene.mirror.by_link(str(twin.link))
    if not _waits(scene):
        return True
    if placed is not None and placed.is_open:
        hold_resting(scene, plan, copy, placed, behind)
    return False


def _waits(scene: Scene) -> bool:
    return scene.policy.follow.catch_up is CatchUp.WAIT


def _place(
    scene: Scene, plan: SymbolPlan, side: PositionSide, copy: Copy, order: Order, attempts: list[OurOrder], block: str
) -> None:
    """A twin for an order that has none standing."""
    if order.order_type is OrderType.MARKET and order.status is not OrderStatus.UNTRIGGERED:
        return  # it is executing: what it fills is followed within the slippage bound
    if not scene.main.leaves(order):
        return
    kept_off = _kept_off(scene, plan, order, attempts)
    if kept_off is not None:
        if kept_off:
            _hold(scene, plan, side, copy, order, block or kept_off)
        return
    lead = _lead(scene.main, copy, order, attempts)
    qty = scene.instrument.floor_qty(copy.ratio * scene.main.leaves(order) - lead)
    price = order.price if order.price is not None else order.trigger_price
    if qty <= 0 or price is None:
        if not lead:
            _hold(scene, plan, side, copy, order, f"below minimum: a twin of {plain(scene.main.leaves(order))}")
        return
    block = block or order_delay(scene, plan, order) or quantity_block(scene, qty, price, price)
    wait = "" if block else entry_wait(scene, plan, side)
    if block or wait:
        _hold(scene, plan, side, copy, order, block or wait, waiting=bool(wait))
        return
    if awaits_fill(scene, plan):
        return
    share = "" if lead or qty == copy.ratio * order.qty else f": {copy.told(qty, scene.main.leaves(order))}"
    plan.actions.append(
        Planned(
            PlaceOrder(
                account=scene.account,
                symbol=scene.symbol,
                side=order.side,
                order_type=order.order_type,
                qty=qty,
                link_id=str(scene.next_try(copy, Role.TWIN, twin_step(order.order_id))[0]),
                role=Role.TWIN,
                reason=f"twin of main's {order.side} {plain(order.qty)} at {plain(price)}{share}; {copy.formula}",
                position_idx=scene.idx(side),
                price=order.price,
                trigger_price=order.trigger_price if order.status is OrderStatus.UNTRIGGERED else None,
                trigger_direction=order.trigger_direction,
                trigger_by=order.trigger_by,
                stop_loss=attached_stop(scene, side, order, price),
                stop_loss_by=order.stop_loss_by,
            ),
            main_order_id=order.order_id,
            main_filled=scene.main.filled(order) + _ROUNDED_DOWN.divide(lead, copy.ratio),
        )
    )


def _kept_off(scene: Scene, plan: SymbolPlan, order: Order, attempts: list[OurOrder]) -> str | None:
    """Why a twin is not placed after the earlier attempts ("": that is how it stays); None when it may be.

    One that the exchange ended is not placed again at the same price; one that we ended is.
    """
    if not attempts:
        return None
    last = attempts[-1]
    if last.by_us or last.filled >= last.qty:
        return None
    if last.state is IntentState.ABSENT:
        return lost_wait(scene, plan, attempts) or None
    refusal = last_refusal(attempts)
    if refusal is None:
        return "" if last.price == order.price else None
    if heals(refusal.code, refusal.message):
        retry = retry_at_ms(attempts)
        if scene.now_ms >= retry:
            return None
        plan.wake_at(retry)
        return refused_text(refusal)
    if last.price != order.price:
        return None
    if parks(refusal.code, refusal.message):
        plan.park = refused_text(refusal)
        return plan.park
    return f"{refused_text(refusal)}: followed by main's fills"


def _hold(
    scene: Scene,
    plan: SymbolPlan,
    side: PositionSide,
    copy: Copy,
    order: Order,
    reason: str,
    *,
    waiting: bool = False,
) -> None:
    have = scene.have[side]
    raw = have + copy.ratio * scene.main.leaves(order)
    plan.held.append(Held(scene.account, scene.symbol, side, raw, have, reason, waiting))
