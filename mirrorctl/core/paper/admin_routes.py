"""`/paper/...`: the exchange by hand, on loopback and without keys. JSON in, JSON out; amounts are strings."""

from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import msgspec
from aiohttp import web

from mirrorctl.core.paper import fault_catalogue
from mirrorctl.core.paper.decimals import ZERO, parse
from mirrorctl.core.paper.desk import Desk
from mirrorctl.core.paper.exchange import PaperExchange
from mirrorctl.core.paper.fault_catalogue import Lasts
from mirrorctl.core.paper.faults import Fault, FaultKind
from mirrorctl.core.paper.margin import wallet_row
from mirrorctl.core.paper.model import PaperAccount
from mirrorctl.core.paper.rates import UNLIMITED, RateRules
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
        named = str(body.get("order_id") or body.get("order_link_id") or body["order"])
        order_id = state.links.get((uid, named), named)
        order = state.orders_by_uid[uid].get(order_id)
        qty = _amount(body, "qty") if "qty" in body else order.leaves if order is not None else ZERO
        done = self._exchange.fill_order(uid, order_id, qty, self._desk.clock())
        return {"filled": format(done, "f")}

    def _liquidate(self, body: Body) -> None:
        self._exchange.liquidate(self._account(body).uid, self._desk.clock())

    def _adl(self, body: Body) -> Body:
        uid, idx = self._account(body).uid, int(body.get("position_idx", 0))
        done = self._exchange.deleverage(uid, str(body["symbol"]), idx, _amount(body, "qty"), self._desk.clock())
        if not done:
            raise bad(f"no position of {body['symbol']} to reduce")
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
        self._desk.gateway.calm()
        self._desk.renew()

    # faults and timing

    def _fault(self, body: Body) -> Body:
        entry = fault_catalogue.find(str(body["kind"]))
        account = self._account(body).name if body.get("account") else None
        target, wall = str(body.get("target") or ""), self._desk.wall()
        args = fault_catalogue.check(entry, account, target, dict(body.get("args") or {}))
        if entry.lasts is Lasts.NOW:
            raise bad(f"{entry.kind} happens at once: POST {entry.route}")
        kind, for_ms = FaultKind(entry.kind), body.get("for_ms")
        given = "count" in body or for_ms is not None
        count = fault_catalogue.lasting(entry, body.get("count") if given else 1)
        until = None if for_ms is None else wall + int(for_ms)
        number = self._desk.gateway.faults.add(Fault(kind, account, target, count, args, until))
        return {"id": number}

    def _clear_fault(self, body: Body) -> None:
        if "id" in body:
            self._desk.gateway.faults.clear(int(body["id"]))
        else:
            self._desk.gateway.calm()

    def _list_faults(self, _: Body) -> Body:
        self._desk.clock()  # takes down what ran out
        rows = [
            {
                "id": number,
                "kind": fault.kind.value,
                "account": fault.account,
                "target": fault.target,
                "left": left,
                "args": dict(fault.args),
                "for_ms": None if fault.until_ms is None else max(0, fault.until_ms - self._desk.wall()),
            }
            for number, fault, left in self._desk.gateway.faults.standing()
        ]
        return {"list": rows}

    def _switches(self, body: Body) -> Body:
        switches = self._desk.switches
        switches.ack_ms = int(body.get("ack_ms", switches.ack_ms))
        switches.trade_ms = int(body.get("trade_ms", switches.trade_ms))
        switches.event_ms = int(body.get("event_ms", switches.event_ms))
        switches.events_first = bool(body.get("events_first", switches.events_first))
        if "rates" in body:  # times Bybit's limits; 0: none
            factor = int(body["rates"])
            self._desk.gateway.rates.rules = RateRules().widened(factor) if factor > 0 else UNLIMITED
        return {
            "ack_ms": switches.ack_ms,
            "trade_ms": switches.trade_ms,
            "event_ms": switches.event_ms,
            "events_first": switches.events_first,
        }

    def _clear_closed(self, _: Body) -> None:
        self._exchange.clear_closed_cache()

    async def _disconnect(self, request: web.Request) -> web.Response:
        """Cuts an account's private streams, or all: how "close" sends a close frame, "rst" resets the connection."""
        try:
            body = await _body(request)
            uid, how = self._account(body).uid if body.get("account") else None, str(body.get("how", "close"))
        except (Refusal, KeyError, ValueError) as error:
            return _json({"error": str(error), "code": 10001}, 400)
        cut = [stream for stream in self._desk.streams if stream.uid == uid or (uid is None and stream.private)]
        for stream in cut:
            if how == "rst":
                stream.reset()
            else:
                await stream.ws.close(code=1001)
        return _json({"cut": len(cut)})


async def _body(request: web.Request) -> Body:
    if request.remote not in ("127.0.0.1", "::1"):
        raise bad("loopback only")
    if "Origin" in request.headers:
        raise bad("not for the pages of a browser")  # any page may send a plain POST to this machine
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
