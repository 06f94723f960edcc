"""Order entry over WebSocket: `/v5/trade` (docs v5/websocket/trade/guideline).

Requests are not signed one by one: the connection is, once. They share the limits of the REST endpoints.
"""

import asyncio
from collections import deque
from collections.abc import Coroutine
from itertools import count
from typing import Any

import msgspec
from aiohttp import WSMsgType, web

from mirrorctl.core.paper.desk import Desk
from mirrorctl.core.paper.fault_catalogue import TRADE_STREAM
from mirrorctl.core.paper.faults import FaultKind
from mirrorctl.core.paper.gateway import Ending, Reply
from mirrorctl.core.paper.refusals import Refusal, bad
from mirrorctl.core.paper.signing import DEFAULT_WINDOW_MS, authenticate_stream, check_clock
from mirrorctl.core.paper.stream_routes import IDLE_S
from mirrorctl.core.paper.streams import Stream, abort

OPERATIONS = {
    f"order.{kind}": f"/v5/order/{kind}"
    for kind in ("create", "amend", "cancel", "create-batch", "amend-batch", "cancel-batch")
}
MOST_ID_CHARS = 36
REMEMBERED_IDS = 10_000
_STATUS_CODES = {403: 10403, 429: 10429}
Frame = dict[str, Any]


class TradeStream(Stream):
    """A connection that takes orders; it hears no topics. `seen` are the last request ids."""

    def __init__(self, ws: web.WebSocketResponse, request: web.Request, conn_id: str) -> None:
        super().__init__(ws, request, conn_id, private=True)
        self.address = request.remote or ""
        self.tasks: set[asyncio.Task[None]] = set()
        self._order: deque[str] = deque()
        self._seen: set[str] = set()

    def is_new(self, req_id: str) -> bool:
        """Whether the connection had no request of this id; it has now."""
        if req_id in self._seen:
            return False
        self._seen.add(req_id)
        self._order.append(req_id)
        if len(self._order) > REMEMBERED_IDS:
            self._seen.discard(self._order.popleft())
        return True


class TradeRoutes:
    """Serves `/v5/trade`."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._numbers = count(1)

    async def trade(self, request: web.Request) -> web.StreamResponse:
        """Auth, orders of linear contracts, pings."""
        ws = web.WebSocketResponse(autoping=False, max_msg_size=0)
        await ws.prepare(request)
        stream = TradeStream(ws, request, f"paper-trade-{next(self._numbers)}")
        self._desk.streams.add(stream)
        try:
            await self._serve(stream)
        except (TimeoutError, ConnectionError):
            abort(request.transport)
        finally:
            self._desk.streams.discard(stream)
            for task in stream.tasks:
                task.cancel()
            if not ws.closed:
                await ws.close()
        return ws

    async def _serve(self, stream: TradeStream) -> None:
        while True:
            message = await stream.ws.receive(timeout=IDLE_S)
            if message.type is WSMsgType.PING:
                if not self._desk.gateway.silent(stream.uid):
                    await stream.ws.pong(message.data)
            elif message.type is WSMsgType.TEXT:
                await self._frame(stream, message.data)
            elif message.type is not WSMsgType.PONG:
                return

    async def _frame(self, stream: TradeStream, text: str) -> None:
        try:
            frame = msgspec.json.decode(text, type=Frame)
        except (msgspec.DecodeError, msgspec.ValidationError):
            await stream.send(_answer(stream, {}, 10001, "Params Error"))
            return
        silent = self._desk.gateway.silent(stream.uid)
        match frame.get("op"):
            case "ping" if not silent:
                now = str(self._desk.clock())
                await stream.send(_answer(stream, frame, 0, "OK") | {"op": "pong", "data": [now]})
            case "auth" if not silent:
                await self._auth(stream, frame)
            case "ping" | "auth":
                return
            case _:
                await self._order(stream, frame)

    async def _auth(self, stream: TradeStream, frame: Frame) -> None:
        if stream.uid is not None:
            await stream.send(_answer(stream, frame, 20001, "Repeat auth"))
            return
        try:
            account = authenticate_stream(frame.get("args"), self._desk.keys, self._desk.clock())
        except Refusal as refusal:
            await stream.send(_answer(stream, frame, refusal.code, refusal.message))
            await stream.ws.close()
            return
        if self._desk.gateway.faults.take((FaultKind.REFUSE,), account.name, TRADE_STREAM) is not None:
            stream.reset()
            return
        stream.uid = account.uid
        await stream.send(_answer(stream, frame, 0, "OK"))

    async def _order(self, stream: TradeStream, frame: Frame) -> None:
        now = self._desk.clock()
        try:
            path, params = self._asked(stream, frame, now)
        except Refusal as refusal:
            self._answer_later(stream, self._refuse(stream, frame, refusal, now))
            return
        reply = self._desk.gateway.carry(stream.uid, "POST", path, params, now)
        self._desk.save()
        await self._desk.publish(now=reply.events_first or self._desk.switches.events_first)
        self._answer_later(stream, self._finish(stream, frame, reply, now))

    def _answer_later(self, stream: TradeStream, answering: Coroutine[Any, Any, None]) -> None:
        """Others of the connection do not wait for this answer: requests are carried out as they come."""
        task = asyncio.create_task(answering)
        stream.tasks.add(task)
        task.add_done_callback(stream.tasks.discard)

    async def _refuse(self, stream: TradeStream, frame: Frame, refusal: Refusal, now: int) -> None:
        await asyncio.sleep(self._desk.switches.trade_ms / 1000)
        await stream.send(_answer(stream, frame, refusal.code, refusal.message) | self._tail(now, {}))

    def _asked(self, stream: TradeStream, frame: Frame, now: int) -> tuple[str, Frame]:
        """The path and the parameters of a request; refuses what never gets to be an order."""
        req_id, header, args = frame.get("reqId", ""), frame.get("header"), frame.get("args")
        if stream.uid is None:
            raise Refusal(10005, "Permission denied, please authenticate first.")  # which code is undocumented
        if not isinstance(req_id, str) or len(req_id) > MOST_ID_CHARS:
            raise bad("params error: reqId invalid")
        path = OPERATIONS.get(str(frame.get("op")))
        if path is None:
            raise Refusal(10404, "op type is not found")
        if (
            not isinstance(header, dict)
            or not isinstance(args, list)
            or len(args) != 1
            or not isinstance(args[0], dict)
        ):
            raise bad("params error: header or args invalid")
        if args[0].get("category") != "linear":
            raise Refusal(10404, "category is not correct or supported")
        check_clock(
            str(header.get("X-BAPI-TIMESTAMP", "")), str(header.get("X-BAPI-RECV-WINDOW") or DEFAULT_WINDOW_MS), now
        )
        if req_id and not stream.is_new(req_id):
            raise Refusal(20006, "Duplicate reqId")
        self._desk.gateway.rates.check_socket(stream.address, now)
        return path, args[0]

    async def _finish(self, stream: TradeStream, frame: Frame, reply: Reply, asked_ms: int) -> None:
        if reply.ending is Ending.MUTE or (reply.ending is Ending.ANSWER and self._desk.gateway.silent(stream.uid)):
            return
        if reply.ending in (Ending.RESET, Ending.LOST):
            stream.reset()
            return
        await asyncio.sleep((reply.wait_ms or self._desk.switches.trade_ms) / 1000)
        if reply.ending is Ending.HUNG:
            stream.reset()
            return
        body = reply.envelope
        if body is None:
            code = _STATUS_CODES.get(reply.status, 10016)
            await stream.send(_answer(stream, frame, code, "Internal Server Error") | self._tail(asked_ms, {}))
            return
        answer = _answer(stream, frame, body["retCode"], body["retMsg"])
        answer |= {"data": body["result"], "retExtInfo": body["retExtInfo"]}
        await stream.send(answer | self._tail(self._desk.clock(), reply.headers))

    def _tail(self, now: int, limits: dict[str, str]) -> Frame:
        return {"header": {**limits, "Traceid": f"{next(self._numbers):032x}", "Timenow": str(now)}}


def _answer(stream: Stream, frame: Frame, code: int, message: str) -> Frame:
    """`reqId` is in it where the request had one."""
    named = {"reqId": frame["reqId"]} if "reqId" in frame else {}
    op = str(frame.get("op", ""))
    shown: Frame = {} if op in ("ping", "auth") else {"data": {}, "retExtInfo": {}}
    return {**named, "retCode": code, "retMsg": message, "op": op, **shown, "connId": stream.conn_id}
