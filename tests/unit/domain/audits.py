"""Looks to judge: a desk's main and mirror with what the planner would do about them, and what the audit says."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from mirrorctl.core.domain.account import Order
from mirrorctl.core.domain.audit.findings import TABLE, Finding
from mirrorctl.core.domain.audit.judge import judge
from mirrorctl.core.domain.audit.scene import AuditScene, Recorded, Seen
from mirrorctl.core.domain.ids import LinkId, Role, account_tag, trade_tag
from mirrorctl.core.domain.ours import OurOrder
from mirrorctl.core.domain.policy import Policy
from mirrorctl.core.domain.scene import SymbolPlan
from mirrorctl.core.domain.trade import Trade
from mirrorctl.core.domain.values import OrderStatus, OrderType, Side, StopKind, TimeInForce
from mirrorctl.core.engine.audit import sides_off
from tests.unit.domain.scenes import BTC, LONG, NOW, SYMBOL, TAG, Desk, dec, order

MAIN_TAG = account_tag(101)


def desk_holding(main: str, mirror: str, stop: str | None = "58000", **settings: Any) -> Desk:
    """Main and mirror hold longs, r = 0.5, both under the same stop (None: under none)."""
    desk = Desk.opened(**settings)
    bound = {"stop_loss": dec(stop) if stop else None}
    desk.main.hold(LONG, main, **bound)
    desk.mirror.hold(LONG, mirror, **(bound if dec(mirror) else {}))
    return desk


def look(desk: Desk, plan: SymbolPlan | None = None, **changes: Any) -> AuditScene:
    """What an audit sees of a desk: everything read and on record, unless `changes` say otherwise."""
    plan = plan if plan is not None else desk.plan()
    cycles = frozenset((SYMBOL, side) for side, copy in desk.copies.items() if not copy.ended)
    copies = {("mirror", SYMBOL, side): copy for side, copy in desk.copies.items()}
    scene = AuditScene(
        main=Seen("main", MAIN_TAG, desk.main.view),
        mirrors=(Seen("mirror", TAG, desk.mirror.view),),
        policy=Policy("desk", "USDT", (desk.policy,)),
        instruments={SYMBOL: BTC},
        cycles=cycles,
        copies=copies,
        recorded=Recorded(cycles, frozenset(copies)),
        plans=[plan],
        off=frozenset(("mirror", SYMBOL, side) for side in sides_off(plan, desk.instrument)),
    )
    return replace(scene, **changes)


def told(findings: list[Finding]) -> list[str]:
    """Findings in short: severity, code, account. Each is of a severity that the table knows for its code."""
    for finding in findings:
        assert finding.severity in (TABLE[finding.code].severity, *TABLE[finding.code].otherwise)
    return [f"{finding.severity} {finding.code} {finding.account}" for finding in findings]


def twin_under_stop(desk: Desk, stop: str = "58000") -> OurOrder:
    """A twin of main's order "a" with the position's stop attached."""
    twin = desk.twin("a", "0.010")
    desk.mirror.rest(replace(desk.mirror.orders["on-mirror-a-0"], stop_loss=dec(stop)))
    return twin


def audited(desk: Desk, plan: SymbolPlan | None = None, **changes: Any) -> list[str]:
    """The findings of a desk in short."""
    return told(judge(look(desk, plan, **changes)))


def trade_of(**changes: Any) -> Trade:
    """A managed trade of main."""
    tag = trade_tag(101, SYMBOL, LONG, "origin")
    return replace(Trade(SYMBOL, LONG, tag, "fast", NOW, opened=True), **changes)


def our_link(role: Role, account: str = TAG, step: str = "abcdefgh") -> str:
    return str(LinkId(account, trade_tag(101, SYMBOL, LONG, "origin"), role, 0, step, 0))


def target(order_id: str, qty: str, price: str = "61000", **changes: Any) -> Order:
    """A reduce-only limit sell."""
    made = order(order_id, qty, side=Side.SELL, price=dec(price), reduce_only=True)
    return replace(made, **changes)


def conditional(order_id: str, qty: str, trigger: str, **changes: Any) -> Order:
    """A reduce-only sell at market that triggers when the price falls."""
    made = target(order_id, qty, order_type=OrderType.MARKET, stop_kind=StopKind.CONDITIONAL, trigger_direction=2)
    made = replace(made, price=None, trigger_price=dec(trigger), status=OrderStatus.UNTRIGGERED)
    return replace(made, time_in_force=TimeInForce.IOC, **changes)


def partial_stop(order_id: str, qty: str, trigger: str = "57000") -> Order:
    return conditional(order_id, qty, trigger, stop_kind=StopKind.PARTIAL_STOP_LOSS, trigger_direction=0)
