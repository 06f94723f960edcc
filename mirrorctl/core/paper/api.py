"""Bybit V5 as a function: (account, method, path, parameters) to an envelope.

Business refusals are envelopes too (HTTP 200 on the wire). An unknown path is 10017; the server turns it into 404.
"""

from collections.abc import Callable
from typing import Any

from mirrorctl.core.paper import api_account, api_batches, api_market, api_orders, api_positions, api_records
from mirrorctl.core.paper.call import Call
from mirrorctl.core.paper.floor import Floor
from mirrorctl.core.paper.model import WriteRecord
from mirrorctl.core.paper.refusals import Refusal

Handler = Callable[[Call], dict[str, Any]]

PUBLIC: dict[tuple[str, str], Handler] = {
    ("GET", "/v5/market/time"): api_market.time,
    ("GET", "/v5/market/instruments-info"): api_market.instruments_info,
    ("GET", "/v5/market/tickers"): api_market.tickers,
    ("GET", "/v5/market/orderbook"): api_market.orderbook,
    ("GET", "/v5/market/risk-limit"): api_market.risk_limit,
    ("GET", "/v5/market/price-limit"): api_market.price_limit,
}
PRIVATE: dict[tuple[str, str], Handler] = {
    ("POST", "/v5/order/create"): api_orders.create,
    ("POST", "/v5/order/amend"): api_orders.amend,
    ("POST", "/v5/order/cancel"): api_orders.cancel,
    ("POST", "/v5/order/cancel-all"): api_orders.cancel_all,
    **{("POST", path): single for path, single in api_batches.BATCHES.items()},
    ("GET", "/v5/order/realtime"): api_records.realtime,
    ("GET", "/v5/order/history"): api_records.history,
    ("GET", "/v5/execution/list"): api_records.executions,
    ("GET", "/v5/position/closed-pnl"): api_records.closed_pnl,
    ("GET", "/v5/position/list"): api_positions.listing,
    ("POST", "/v5/position/set-leverage"): api_positions.set_leverage,
    ("POST", "/v5/position/switch-mode"): api_positions.switch_mode,
    ("POST", "/v5/position/trading-stop"): api_positions.trading_stop,
    ("GET", "/v5/account/wallet-balance"): api_account.wallet_balance,
    ("GET", "/v5/account/info"): api_account.info,
    ("GET", "/v5/account/transaction-log"): api_account.transaction_log,
    ("GET", "/v5/account/fee-rate"): api_account.fee_rate,
    ("GET", "/v5/user/query-api"): api_account.query_api,
    ("GET", "/v5/asset/coin/query-info"): api_account.coin_info,
}


def is_private(method: str, path: str) -> bool | None:
    """Whether the route needs a key; None when there is no such route."""
    if (method, path) in PUBLIC:
        return False
    return True if (method, path) in PRIVATE else None


def envelope(floor: Floor, code: int, message: str, result: dict[str, Any] | None = None) -> dict[str, Any]:
    """The outer object of every answer (docs v5/guide)."""
    return {"retCode": code, "retMsg": message, "result": result or {}, "retExtInfo": {}, "time": floor.clock}


def answer(floor: Floor, uid: int | None, method: str, path: str, params: dict[str, Any]) -> dict[str, Any]:
    """Carries one request out and says so; every write request of an account is logged with its outcome."""
    handler = PUBLIC.get((method, path)) or PRIVATE.get((method, path))
    if handler is None:
        return envelope(floor, 10017, "Route not found.")
    account = floor.state.accounts.get(uid) if uid is not None else None
    if account is None and (method, path) in PRIVATE:
        return envelope(floor, 10003, "API key is invalid.")
    call = Call(floor, account, params)
    try:
        if path in api_batches.BATCHES:
            return _batch(call, path)
        reply = envelope(floor, 0, "OK", handler(call))
    except Refusal as refusal:
        reply = envelope(floor, refusal.code, refusal.message)
    if method == "POST" and account is not None:
        log_write(floor, account.uid, path, params, reply)
    return reply


def _batch(call: Call, path: str) -> dict[str, Any]:
    reply = envelope(call.floor, 0, "OK", {"list": []}) | {"retExtInfo": {"list": []}}
    for verdict in api_batches.carry(call, path):
        add_verdict(call.floor, call.account.uid, path, reply, verdict)
    return reply


def add_verdict(floor: Floor, uid: int, path: str, reply: dict[str, Any], verdict: api_batches.Verdict) -> None:
    """One more order in the answer to a batch, and in the log of writes."""
    reply["result"]["list"].append(verdict.row)
    reply["retExtInfo"]["list"].append({"code": verdict.code, "msg": verdict.message})
    log_write(floor, uid, path, verdict.asked, envelope(floor, verdict.code, verdict.message, verdict.row))


def log_write(floor: Floor, uid: int, path: str, params: dict[str, Any], reply: dict[str, Any]) -> None:
    """Appends one write request to the ordered log that tests count by."""
    order_id = str(reply["result"].get("orderId", ""))
    record = WriteRecord(floor.state.next_n(), uid, "POST", path, dict(params), reply["retCode"], floor.now, order_id)
    floor.state.add_write(record)
