"""Reads of orders, executions and closed PnL (docs v5/order/open-order, order-list, execution, position/close-pnl)."""

from typing import Any

from mirrorctl.core.paper.call import Call
from mirrorctl.core.paper.model import ClosedPnl, Execution, Order, Status
from mirrorctl.core.paper.paging import newest, window
from mirrorctl.core.paper.params import integer, linear, text
from mirrorctl.core.paper.refusals import bad
from mirrorctl.core.paper.rows import closed_row, execution_row, history_row, order_row

Result = dict[str, Any]
DAY_MS = 24 * 3600 * 1000


def realtime(call: Call) -> Result:
    """Open orders (openOnly 0) or the newest 500 closed ones (1); by id both are searched."""
    linear(call.params)
    uid = call.account.uid
    past = call.state.history[uid]
    recent = [past.orders[i] for i in past.recent if i in past.orders]
    by_id = _by_id(call)
    if by_id is not None:
        rows = [o for o in call.state.live(uid) + recent if o.order_id == by_id and _fits(call, o)]
    else:
        scope = call.scope(required=True)
        assert scope is not None
        open_only = integer(call.params, "openOnly") or 0
        if open_only not in (0, 1, 2):
            raise bad("params error: openOnly invalid")
        rows = [o for o in (recent if open_only else call.state.live(uid)) if o.symbol in scope]
    rows = _filtered(call, rows)
    page, cursor = newest(rows, call.params, 20, 50)
    listed = [order_row(order, call.state.instruments[order.symbol]) for order in page]
    return {"list": listed, "nextPageCursor": cursor, "category": "linear"}


def history(call: Call) -> Result:
    """Closed orders: without fills for a day, with fills for as long as they are kept."""
    linear(call.params)
    uid, now = call.account.uid, call.floor.now
    past = call.state.history[uid]
    by_id = _by_id(call)
    kept = [o for o in past.orders.values() if o.filled or o.updated_ms >= now - DAY_MS]
    if by_id is not None:
        rows = [o for o in kept if o.order_id == by_id and _fits(call, o)]
    else:
        scope, (start, end) = call.scope(required=False), window(call.params, now)
        rows = [o for o in kept if (scope is None or o.symbol in scope) and start <= o.created_ms <= end]
    if status := text(call.params, "orderStatus"):
        rows = [o for o in rows if o.status.value == status]
    page, cursor = newest(_filtered(call, rows), call.params, 20, 50)
    listed = [history_row(order, call.state.instruments[order.symbol]) for order in page]
    return {"list": listed, "nextPageCursor": cursor, "category": "linear"}


def executions(call: Call) -> Result:
    """Fills and funding rows, newest first; orderId and orderLinkId override every other filter."""
    linear(call.params)
    by_id = _by_id(call)
    kept = call.state.history[call.account.uid].executions
    rows: list[Execution]
    if by_id is not None:
        rows = [row for row in kept if row.order_id == by_id]
    else:
        scope, (start, end) = call.scope(required=False), window(call.params, call.floor.now)
        kind = text(call.params, "execType")
        rows = [
            row
            for row in kept
            if (scope is None or row.symbol in scope)
            and start <= row.time_ms <= end
            and (not kind or row.exec_type == kind)
        ]
    page, cursor = newest(rows, call.params, 50, 100)
    listed = [execution_row(row, call.state.instruments[row.symbol]) for row in page]
    return {"list": listed, "nextPageCursor": cursor, "category": "linear"}


def closed_pnl(call: Call) -> Result:
    """What each closing order realised, newest first."""
    linear(call.params)
    scope, (start, end) = call.scope(required=False), window(call.params, call.floor.now)
    rows: list[ClosedPnl] = [
        row
        for row in call.state.history[call.account.uid].closed.values()
        if (scope is None or row.symbol in scope) and start <= row.updated_ms <= end
    ]
    page, cursor = newest(rows, call.params, 50, 100)
    listed = [closed_row(row, call.state.instruments[row.symbol]) for row in page]
    return {"list": listed, "nextPageCursor": cursor, "category": "linear"}


def _by_id(call: Call) -> str | None:
    if order_id := text(call.params, "orderId"):
        return order_id
    if link_id := text(call.params, "orderLinkId"):
        return call.state.links.get((call.account.uid, link_id), "-")
    return None


def _fits(call: Call, order: Order) -> bool:
    return text(call.params, "symbol") in ("", order.symbol)


def _filtered(call: Call, rows: list[Order]) -> list[Order]:
    wanted = text(call.params, "orderFilter")
    if not wanted:
        return rows
    if wanted not in ("Order", "StopOrder", "OpenOrder"):
        raise bad("params error: orderFilter invalid")
    waiting = wanted == "StopOrder"
    return [o for o in rows if (bool(o.stop_type) if o.status is not Status.UNTRIGGERED else True) == waiting]
