"""`/paper/...`: the exchange by hand, on loopback and without keys. JSON in, JSON out; amounts are strings."""

from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import msgspec
from aiohttp import web

from mirrorctl.core.paper.decimals import parse
from mirrorctl.core.paper.desk import Desk
from mirrorctl.core.paper.exchange import PaperExchange
from mirrorctl.core.paper.faults import Fault, FaultKind
from mirrorctl.core.paper.margin import wallet_row
from mirrorctl.core.paper.model import PaperAccount
from mirrorctl.core.paper.refusals import Refusal, bad
from mirrorctl.core.paper.rows import order_row

Body = dict[str, Any]
Action = Callable[[Body], Any]


class AdminRoutes:
    """One method per route; see `register` for the list."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def register(self, app: web.Application) -> None:
        """Adds the routes."""
        gets: dict[str, Action] = {
            "/paper/state": self._state,
            "/paper/requests": self._requests,
            "/paper/fault": self._list_faults,
        }
        posts: dict[str, Action] = {
            "/paper/price": self._price,
            "/paper/mark": self._mark,
            "/paper/depth": self._depth,
            "/paper/reset": self._reset,
            "/paper/fill": self._fill,
            "/paper/liquidate": self._liquidate,
            "/paper/adl": self._adl,
            "/paper/deposit": self._deposit,
            "/paper/funding": self._funding,
            "/paper/call": self._call,
            "/paper/fault": self._fault,
            "/paper/fault/clear": self._clear_fault,
            "/paper/switches": self._switches,
            "/paper/closed-cache/clear": self._clear_closed,
        }
        for path, action in gets.items():
            app.router.add_get(path, self._wrap(action))
        for path, action in posts.items():
            app.router.add_post(path, self._wrap(action))
        app.router.add_post("/paper/disconnect", self._disconnect)

    def _wrap(self, action: Action) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def handle(request: web.Request) -> web.Response:
            try:
                body = await _body(request)
                result = action(body)
            except Refusal as refusal:
                return _json({"error": refusal.message, "code": refusal.code}, 400)
            except (KeyError, ValueError) as error:
                return _json({"error": f"missing or invalid: {error}", "code": 10001}, 400)
            self._desk.save()
            await self._desk.publish()
            return _json(result if result is not None else {})

        return handle

    @property
    def _exchange(self) -> PaperExchange:
        return self._desk.gateway.exchange

    def _account(self, body: Body) -> PaperAccount:
        name = str(body["account"])
        if name not in self._desk.accounts:
            raise bad(f"unknown account {name}")
        return self._desk.accounts[name]

    # reads

    def _state(self, _: Body) -> Body:
        exchange, state = self._exchange, self._exchange.state
        exchange.advance(self._desk.clock())
        accounts = {}
        for uid, account in state.accounts.items():
            legs = [leg for leg in state.positions[uid].values() if leg.size]
            accounts[account.name] = {
                "uid": uid,
                "wallet": wallet_row(state, uid),
                "positions": [exchange.floor.leg_row(leg) for leg in legs],
                "orders": [order_row(o, state.instruments[o.symbol]) for o in state.live(uid)],
            }
        prices = {
            symbol: {
                "last": state.instruments[symbol].price(market.last),
                "mark": state.instruments[symbol].price(market.mark_price),
                "pinned": market.pinned,
                "seq": market.seq,
            }
            for symbol, market in state.markets.items()
        }
        return {"now": exchange.floor.now, "accounts": accounts, "prices": prices, "streams": len(self._desk.streams)}

    def _requests(self, body: Body) -> Body:
        after, name = int(body.get("after", 0)), body.get("account")
        uid = self._account(body).uid if name else None
        names = {account.uid: account.name for account in self._desk.accounts.values()}
        rows = [
            {
                "n": row.n,
                "account": names.get(row.uid, str(row.uid)),
                "method": row.method,
                "path": row.path,
                "body": row.body,
                "retCode": row.ret_code,
                "time": row.time_ms,
                "orderId": row.order_id,
            }
            for row in self._exchange.state.writes
            if row.n > after and uid in (None, row.uid)
        ]
        return {"list": rows}

    # market

    def _price(self, body: Body) -> None:
        symbol = str(body["symbol"])
        if body.get("release"):
            self._exchange.state.markets[symbol].pinned = False
            return
        now, pin, gap = self._desk.clock(), bool(body.get("pin", True)), bool(body.get("gap"))
        self._exchange.set_price(symbol, _amount(body, "price"), now, pin=pin, gap=gap)

    def _mark(self, body: Body) -> None:
        mark = None if body["price"] is None else _amount(body, "price")
        self._exchange.set_mark(str(body["symbol"]), mark, self._desk.clock())

    def _depth(self, body: Body) -> None:
        self._exchange.set_depth(str(body["symbol"]), _amount(body, "level_value"), int(body["levels"]))

    def _funding(self, body: Body) -> None:
        rate = parse(body["rate"])
        if rate is None:
            raise bad("rate must be a decimal string")
        self._exchange.fund(str(body["symbol"]), rate, self._desk.clock())

    # accounts

    def _fill(self, body: Body) -> Body:
        uid, state = self._account(body).uid, self._exchange.state
        order_id = str(body.get("order_id") or state.links.get((uid, str(body.get("order_link_id"))), ""))
        done = self._exchange.fill_order(uid, order_id, _amount(body, "qty"), self._desk.clock())
        return {"filled": format(done, "f")}

    def _liquidate(self, body: Body) -> None:
        self._exchange.liquidate(self._account(body).uid, self._desk.clock())

    def _adl(self, body: Body) -> Body:
        uid, idx = self._account(body).uid, int(body.get("position_idx", 0))
        done = self._exchange.deleverage(uid, str(body["symbol"]), idx, _amount(body, "qty"), self._desk.clock())
        return {"closed": format(done, "f")}

    def _deposit(self, body: Body) -> Body:
        """Money paid in, or out where the amount is negative."""
        uid = self._account(body).uid
        return {"balance": format(self._exchange.deposit(uid, _amount(body, "amount"), self._desk.clock()), "f")}

    def _call(self, body: Body) -> Body:
        """A V5 call made as the account itself, as the phone app would: no key, no fault, not in the log."""
        uid, exchange = self._account(body).uid, self._exchange
        writes = len(exchange.state.writes)
        answer = exchange.handle(
            uid,
            str(body.get("method", "POST")),
            str(body["path"]),
            dict(body.get("params", {})),
            self._desk.clock(),
        )
        exchange.state.drop_writes(len(exchange.state.writes) - writes)
        return answer

    def _reset(self, _: Body) -> None:
        self._desk.gateway.faults.clear()
        self._desk.renew()

    # faults and timing

    def _fault(self, body: Body) -> Body:
        account = self._account(body).name if body.get("account") else None
        fault = Fault(
            kind=FaultKind(str(body["kind"])),
            account=account,
            target=str(body.get("target", "")),
            count=None if body.get("count", 1) is None else int(body.get("count", 1)),
            args=dict(body.get("args", {})),
        )
        return {"id": self._desk.gateway.faults.add(fault)}

    def _clear_fault(self, body: Body) -> None:
        self._desk.gateway.faults.clear(int(body["id"]) if "id" in body else None)

    def _list_faults(self, _: Body) -> Body:
        rows = [
            {
                "id": number,
                "kind": fault.kind.value,
                "account": fault.account,
                "target": fault.target,
                "left": left,
                "args": dict(fault.args),
            }
            for number, fault, left in self._desk.gateway.faults.standing()
        ]
        return {"list": rows}

    def _switches(self, body: Body) -> Body:
        switches = self._desk.switches
        switches.ack_ms = int(body.get("ack_ms", switches.ack_ms))
        switches.event_ms = int(body.get("event_ms", switches.event_ms))
        switches.events_first = bool(body.get("events_first", switches.events_first))
        return {
            "ack_ms": switches.ack_ms,
            "event_ms": switches.event_ms,
            "events_first": switches.events_first,
        }

    def _clear_closed(self, _: Body) -> None:
        self._exchange.clear_closed_cache()

    async def _disconnect(self, request: web.Request) -> web.Response:
        """Cuts an account's streams: how "close" sends a close frame, "rst" resets the connection."""
        try:
            body = await _body(request)
            uid, how = self._account(body).uid, str(body.get("how", "close"))
        except (Refusal, KeyError, ValueError) as error:
            return _json({"error": str(error), "code": 10001}, 400)
        cut = [stream for stream in self._desk.streams if stream.uid == uid]
        for stream in cut:
            if how == "rst":
                stream.reset()
            else:
                await stream.ws.close(code=1001)
        return _json({"cut": len(cut)})


async def _body(request: web.Request) -> Body:
    if request.remote not in ("127.0.0.1", "::1"):
        raise bad("loopback only")
    if request.method == "GET":
        return dict(request.query)
    raw = await request.read()
    decoded = msgspec.json.decode(raw) if raw else {}
    if not isinstance(decoded, dict):
        raise bad("body must be an object")
    return decoded


def _amount(body: Body, key: str) -> Decimal:
    value = parse(body[key])
    if value is None:
        raise bad(f"{key} must be a decimal string")
    return value


def _json(body: Body, status: int = 200) -> web.Response:
    return web.Response(body=msgspec.json.encode(body), status=status, content_type="application/json")
