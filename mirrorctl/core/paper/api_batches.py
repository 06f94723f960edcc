"""Several orders of one account in one request (docs v5/order/batch-place, batch-amend, batch-cancel).

The outer code is 0 though every order failed: each has its verdict, in the order they were asked for.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from mirrorctl.core.paper import api_orders
from mirrorctl.core.paper.call import Call
from mirrorctl.core.paper.model import Status
from mirrorctl.core.paper.params import linear, text
from mirrorctl.core.paper.refusals import Refusal, bad

MOST_ORDERS = 20
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Verdict:
    """One order of a batch: what was asked, what the answer shows of it, and its code."""

    asked: Row
    row: Row
    code: int = 0
    message: str = "OK"


def _amend(call: Call) -> Row:
    orders = call.state.orders_by_uid[call.account.uid]
    given = text(call.params, "orderId") or call.state.links.get(
        (call.account.uid, text(call.params, "orderLinkId")), ""
    )
    order = orders.get(given)
    if order is not None and order.status is Status.UNTRIGGERED:
        raise bad("params error: conditional orders are not supported")
    return api_orders.amend(call)


BATCHES: Mapping[str, Callable[[Call], Row]] = {
    "/v5/order/create-batch": api_orders.create,
    "/v5/order/amend-batch": _amend,
    "/v5/order/cancel-batch": api_orders.cancel,
}


def orders_in(path: str, params: Mapping[str, Any]) -> int:
    """How many orders a request counts as: 1 unless it is a batch that can be carried out."""
    asked = params.get("request")
    if path not in BATCHES or not isinstance(asked, list) or len(asked) > MOST_ORDERS:
        return 1
    return max(len(asked), 1)


def carry(call: Call, path: str) -> Iterator[Verdict]:
    """Carries a batch out, order by order; refuses it whole where it is no batch of linear orders."""
    linear(call.params)
    asked = call.params.get("request")
    if not isinstance(asked, list) or not asked or not all(isinstance(item, dict) for item in asked):
        raise bad("params error: request invalid")
    if len(asked) > MOST_ORDERS:
        raise bad(f"The number of orders in a batch exceeds {MOST_ORDERS}")
    return (_one(call, path, item | {"category": "linear"}) for item in asked)


def _one(call: Call, path: str, item: Row) -> Verdict:
    try:
        done = BATCHES[path](replace(call, params=item))
    except Refusal as refusal:
        return Verdict(item, shown(path, item), refusal.code, refusal.message)
    row = shown(path, item) | done
    return Verdict(item, row | {"createAt": str(call.floor.now)} if "createAt" in row else row)


def shown(path: str, item: Row) -> Row:
    """What the answer shows of an order that was not accepted."""
    row: Row = {"category": "linear", "symbol": str(item.get("symbol") or ""), "orderId": ""}
    row["orderLinkId"] = str(item.get("orderLinkId") or "")
    return row | {"createAt": ""} if path.endswith("create-batch") else row
