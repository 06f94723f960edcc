"""The WebSocket endpoints: private and public linear (docs v5/websocket/wss-authentication)."""

import asyncio
from itertools import count
from typing import Any

import msgspec
from aiohttp import WSMessage, WSMsgType, web

from mirrorctl.core.paper.desk import Desk
from mirrorctl.core.paper.fault_catalogue import PRIVATE_STREAM
from mirrorctl.core.paper.faults import FaultKind
from mirrorctl.core.paper.public_feed import known_topic
from mirrorctl.core.paper.refusals import Refusal
from mirrorctl.core.paper.signing import authenticate_stream
from mirrorctl.core.paper.streams import PRIVATE_TOPICS, Stream, abort

IDLE_S = 600.0
MOST_ARG_CHARS = 21_000
Frame = dict[str, Any]


class StreamRoutes:
    """Serves `/v5/private` and `/v5/public/linear`."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._numbers = count(1)

    async def private(self, request: web.Request) -> web.StreamResponse:
        """Auth, subscriptions to the account's topics, pings."""
        return await self._serve(request, private=True)

    async def public(self, request: web.Request) -> web.StreamResponse:
        """Subscriptions to market topics, pings."""
        return await self._serve(request, private=False)

    async def _serve(self, request: web.Request, *, private: bool) -> web.StreamResponse:
        if self._desk.gateway.refuses_stream(None):
            abort(request.transport)
            return web.Response(status=500)
        ws = web.WebSocketResponse(autoping=False, max_msg_size=0)
        await ws.prepare(request)
        stream = Stream(ws, request, f"paper-{next(self._numbers)}", private)
        self._desk.streams.add(stream)
        tasks: set[asyncio.Task[None]] = set()
        try:
            while True:
                message = await self._receive(stream)
                if message.type is WSMsgType.PING:
                    await self._ping(stream, message.data)
                    continue
                if message.type is WSMsgType.PONG:
                    continue
                if message.type is not WSMsgType.TEXT:
                    break
                task = await self._frame(stream, message.data)
                if task is not None:
                    tasks.add(task)
                    task.add_done_callback(tasks.discard)
        except (TimeoutError, ConnectionError):
            stream.topics.clear()
        finally:
            self._forget(stream)
            for task in tasks:
                task.cancel()
            if not ws.closed:
                await ws.close()
        return ws

    async def _receive(self, stream: Stream) -> WSMessage:
        # Idle means no frame from the client and none to it (docs v5/websocket/wss-authentication).
        while True:
            try:
                return await stream.ws.receive(timeout=IDLE_S)
            except TimeoutError:
                if asyncio.get_running_loop().time() - stream.sent_at > IDLE_S:
                    raise

    async def _ping(self, stream: Stream, data: bytes) -> None:
        if not self._desk.gateway.silent(stream.uid):
            await stream.ws.pong(data)

    def _forget(self, stream: Stream) -> None:
        self._desk.streams.discard(stream)
        if not stream.private:
            for topic in stream.topics:
                self._desk.gateway.exchange.watch(topic, -1)

    async def _frame(self, stream: Stream, text: str) -> asyncio.Task[None] | None:
        try:
            frame = msgspec.json.decode(text, type=Frame)
        except (msgspec.DecodeError, msgspec.ValidationError):
            await stream.send({"success": False, "ret_msg": "Params Error", "conn_id": stream.conn_id, "op": ""})
            return None
        if self._desk.gateway.silent(stream.uid):
            return None
        match frame.get("op"):
            case "ping":
                await stream.send(self._pong(stream, frame))
            case "auth" if stream.private:
                await self._auth(stream, frame)
            case "subscribe" | "unsubscribe":
                return asyncio.create_task(self._subscribe(stream, frame))
            case op:
                await stream.send(self._ack(stream, frame, str(op), "Params Error"))
        return None

    def _pong(self, stream: Stream, frame: Frame) -> Frame:
        if not stream.private:
            req_id = frame.get("req_id", "")
            return {"success": True, "ret_msg": "pong", "conn_id": stream.conn_id, "req_id": req_id, "op": "ping"}
        pong = {"op": "pong", "args": [str(self._desk.clock())], "conn_id": stream.conn_id}
        return {"req_id": frame["req_id"], **pong} if "req_id" in frame else pong

    def _ack(self, stream: Stream, frame: Frame, op: str, refusal: str = "") -> Frame:
        ack = {"success": not refusal, "ret_msg": refusal, "op": op, "conn_id": stream.conn_id}
        if "req_id" in frame or not stream.private:
            ack["req_id"] = frame.get("req_id", "")
        return ack

    async def _auth(self, stream: Stream, frame: Frame) -> None:
        try:
            account = authenticate_stream(frame.get("args"), self._desk.keys, self._desk.clock())
        except Refusal as refusal:
            await stream.send(self._ack(stream, frame, "auth", refusal.message))
            await stream.ws.close()
            return
        gateway = self._desk.gateway
        refused = gateway.faults.take((FaultKind.REFUSE,), account.name, PRIVATE_STREAM) is not None
        if refused or gateway.refuses_stream(account.uid):
            stream.reset()
            return
        stream.uid = account.uid
        if gateway.silent(stream.uid):
            return
        await stream.send(self._ack(stream, frame, "auth"))

    async def _subscribe(self, stream: Stream, frame: Frame) -> None:
        await asyncio.sleep(self._desk.switches.ack_ms / 1000)
        op, args = str(frame["op"]), frame.get("args")
        topics = [str(arg) for arg in args] if isinstance(args, list) else []
        problem = self._problem(stream, topics)
        if problem:
            await stream.send(self._ack(stream, frame, op, problem))
            return
        fresh = [topic for topic in topics if topic not in stream.topics]
        if op == "unsubscribe":
            self._drop(stream, topics)
        else:
            stream.topics.update(fresh)
        await stream.send(self._ack(stream, frame, op))
        if not stream.private and op == "subscribe":
            for topic in fresh:
                self._desk.gateway.exchange.watch(topic)
                first = self._desk.gateway.exchange.snapshot(topic)
                if first is not None:
                    await stream.send(first.frame)

    def _drop(self, stream: Stream, topics: list[str]) -> None:
        for topic in set(topics) & stream.topics:
            stream.topics.discard(topic)
            if not stream.private:
                self._desk.gateway.exchange.watch(topic, -1)

    def _problem(self, stream: Stream, topics: list[str]) -> str:
        if not topics or sum(map(len, topics)) > MOST_ARG_CHARS:
            return "Params Error"
        if not stream.private:
            floor = self._desk.gateway.exchange.floor
            unknown = [topic for topic in topics if not known_topic(floor, topic)]
            return f"error:handler not found,topic:{unknown[0]}" if unknown else ""
        if stream.uid is None:
            return "Request not authorized"
        unknown = [topic for topic in topics if topic not in PRIVATE_TOPICS]
        if unknown:
            return f"error:handler not found,topic:{unknown[0]}"
        if any(f"{topic}.linear" in topics for topic in topics):
            return "All-In-One topic and Categorised topic cannot be in the same subscription request"
        return ""
