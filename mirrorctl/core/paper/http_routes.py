"""REST over aiohttp: authenticate the raw bytes, ask the gateway, answer or fail as it says."""

import asyncio
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from aiohttp import web

from mirrorctl.core.paper.api import PRIVATE, PUBLIC, envelope, is_private
from mirrorctl.core.paper.desk import Desk
from mirrorctl.core.paper.gateway import Ending, Reply
from mirrorctl.core.paper.model import PaperAccount
from mirrorctl.core.paper.refusals import Refusal, bad
from mirrorctl.core.paper.signing import authenticate
from mirrorctl.core.paper.streams import abort

KNOWN_PATHS = {path for _, path in (*PUBLIC, *PRIVATE)}


class RestRoutes:
    """The catch-all handler under `/v5`."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """One request, one answer; business errors ride on HTTP 200 (docs v5/guide)."""
        now = self._desk.clock()
        shut_out = self._desk.gateway.admit(request.remote or "", now)
        if shut_out is not None:
            return await self._finish(request, shut_out)
        path, _, query = request.raw_path.partition("?")
        private = is_private(request.method, path)
        if private is None:
            status = 400 if path in KNOWN_PATHS else 404
            return self._json(self._error(10017, "Route not found."), status)
        body = await request.read()
        payload = query.encode() if request.method == "GET" else body
        try:
            account = self._caller(request, payload, now, private=private)
            if private and account is None:
                return self._json(self._error(10003, "API key is invalid."), 401)
            params = _params(request.method, query, body)
        except Refusal as refusal:
            return self._json(self._error(refusal.code, refusal.message))
        uid = account.uid if account is not None else None
        reply = self._desk.gateway.carry(uid, request.method, path, params, now)
        self._desk.save()
        return await self._finish(request, reply)

    def _caller(self, request: web.Request, payload: bytes, now: int, *, private: bool) -> PaperAccount | None:
        try:
            return authenticate(request.headers, payload, self._desk.keys, now)
        except Refusal:
            if private:
                raise
            return None  # a public route asks for no credentials, so bad ones do not matter

    async def _finish(self, request: web.Request, reply: Reply) -> web.StreamResponse:
        if reply.ending is not Ending.ANSWER:
            await self._desk.publish()
            if reply.ending is Ending.HUNG:
                await asyncio.sleep(reply.wait_ms / 1000)
            if reply.ending is Ending.RESET:
                abort(request.transport)
            elif request.transport is not None:
                request.transport.close()
            return web.Response(status=500)
        await self._desk.publish(now=reply.events_first or self._desk.switches.events_first)
        if reply.wait_ms:
            await asyncio.sleep(reply.wait_ms / 1000)
        if reply.envelope is None:
            return web.Response(status=reply.status, text=reply.text, content_type="text/html")
        return self._json(reply.envelope, reply.status, reply.headers)

    def _error(self, code: int, message: str) -> dict[str, Any]:
        floor = self._desk.gateway.exchange.floor
        return envelope(floor, code, message) | {"time": self._desk.clock()}

    def _json(self, body: dict[str, Any], status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
        return web.Response(
            body=msgspec.json.encode(body), status=status, headers=headers, content_type="application/json"
        )


def _params(method: str, query: str, body: bytes) -> dict[str, Any]:
    if method == "GET":
        return dict(parse_qsl(query, keep_blank_values=True))
    try:
        decoded = msgspec.json.decode(body)
    except msgspec.DecodeError:
        raise bad("params error: body is not JSON") from None
    if not isinstance(decoded, dict):
        raise bad("params error: body is not an object")
    return decoded
