"""The exchange behind its faults: what a caller gets to see of a request, and which pushes arrive.

Pure, like `exchange`: an in-process simulation drives this class, the server puts it on sockets.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from mirrorctl.core.paper.api import envelope, log_write
from mirrorctl.core.paper.exchange import PaperExchange
from mirrorctl.core.paper.faults import PUSH_KINDS, Fault, FaultBoard, FaultKind
from mirrorctl.core.paper.floor import Push

LAGGING = {
    "/v5/order/realtime": "createdTime",
    "/v5/order/history": "createdTime",
    "/v5/execution/list": "execTime",
}
REMEMBERED = 256
_Read = tuple[int, str, tuple[tuple[str, Any], ...]]
HTML = "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"


class Ending(StrEnum):
    """How the request ends for the caller."""

    ANSWER = "answer"
    LOST = "lost"
    """Carried out; the connection closes without an answer."""
    HUNG = "hung"
    """Not carried out; nothing for `wait_ms`, then the connection closes."""
    RESET = "reset"
    """Not carried out; the connection is reset."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What goes back: a JSON envelope, or `text` (HTML) with an HTTP status."""

    ending: Ending = Ending.ANSWER
    envelope: dict[str, Any] | None = None
    status: int = 200
    text: str = ""
    wait_ms: int = 0
    headers: dict[str, str] = field(default_factory=dict)


class Gateway:
    """One exchange with its fault board."""

    def __init__(self, exchange: PaperExchange, faults: FaultBoard | None = None) -> None:
        self.exchange = exchange
        self.faults = faults or FaultBoard()
        self._held: dict[int | None, list[Push]] = {}
        self._previous: dict[tuple[int | None, str], Push] = {}
        self._answers: dict[_Read, dict[str, Any]] = {}

    def request(self, uid: int | None, method: str, path: str, params: dict[str, Any], now_ms: int) -> Reply:
        """Carries a request out, or not, as the faults say."""
        name = self._name(uid)
        before = (FaultKind.REFUSE, FaultKind.HANG, FaultKind.RET_CODE, FaultKind.HTTP_STATUS)
        fault = self.faults.take(before, name, path)
        if fault is not None:
            return self._instead(fault, uid, method, path, params, now_ms)
        answer = self.exchange.handle(uid, method, path, params, now_ms)
        if self.faults.take((FaultKind.LOSE_REPLY,), name, path) is not None:
            return Reply(Ending.LOST, answer)
        if method == "GET" and uid is not None:
            answer = self._remembered(answer, (uid, path, tuple(sorted(params.items()))), name)
        spoilt = self.faults.take((FaultKind.HIDE, FaultKind.TRUNCATE, FaultKind.EMPTY), name, path)
        if spoilt is not None:
            _spoil(answer, spoilt, path, now_ms)
        return Reply(envelope=answer, headers=self._limits(now_ms))

    def _remembered(self, answer: dict[str, Any], key: _Read, name: str | None) -> dict[str, Any]:
        before = self._answers.pop(key, None)
        if before is not None and self.faults.take((FaultKind.STALE,), name, key[1]) is not None:
            self._answers[key] = before
            return before
        self._answers[key] = answer | {"result": dict(answer["result"])}
        while len(self._answers) > REMEMBERED:
            del self._answers[next(iter(self._answers))]
        return answer

    def drain(self) -> list[Push]:
        """Pushes since the last call, as the faults let them through."""
        pushes = self.exchange.drain()
        if not self.faults.standing() and not self._held:
            return pushes
        return [out for push in pushes for out in self._deliver(push)]

    def _deliver(self, push: Push) -> list[Push]:
        waiting = self._held.pop(push.uid, [])
        fault = self.faults.take(PUSH_KINDS, self._name(push.uid), push.topic)
        earlier = self._previous.get((push.uid, push.topic))
        self._previous[(push.uid, push.topic)] = push
        match fault.kind if fault is not None else None:
            case FaultKind.PUSH_DROP:
                return waiting
            case FaultKind.PUSH_DOUBLE:
                return [push, push, *waiting]
            case FaultKind.PUSH_REORDER:
                self._held[push.uid] = [*waiting, push]
                return []
            case FaultKind.PUSH_STALE:
                return [push, *waiting, *([earlier] if earlier is not None else [])]
        return [push, *waiting]

    def _instead(
        self, fault: Fault, uid: int | None, method: str, path: str, params: dict[str, Any], now_ms: int
    ) -> Reply:
        args = fault.args
        if fault.kind is FaultKind.REFUSE:
            return Reply(Ending.RESET)
        if fault.kind is FaultKind.HANG:
            return Reply(Ending.HUNG, wait_ms=int(args.get("ms", 30_000)))
        if fault.kind is FaultKind.HTTP_STATUS:
            if args.get("after"):
                self.exchange.handle(uid, method, path, params, now_ms)
            return Reply(status=int(args.get("status", 502)), text=str(args.get("body", HTML)))
        self.exchange.advance(now_ms)
        floor = self.exchange.floor
        answer = envelope(floor, int(args["code"]), str(args.get("message", "")))
        if method == "POST" and uid is not None:
            log_write(floor, uid, path, params, answer)
        headers = self._limits(now_ms)
        if "reset_ms" in args:
            headers["X-Bapi-Limit-Status"] = "0"
            headers["X-Bapi-Limit-Reset-Timestamp"] = str(now_ms + int(args["reset_ms"]))
        return Reply(envelope=answer, headers=headers)

    def _limits(self, now_ms: int) -> dict[str, str]:
        # The seam for rate buckets: an unexhausted bucket resets "now" (docs v5/rate-limit).
        return {
            "X-Bapi-Limit": "10",
            "X-Bapi-Limit-Status": "9",
            "X-Bapi-Limit-Reset-Timestamp": str(now_ms),
        }

    def _name(self, uid: int | None) -> str | None:
        account = self.exchange.state.accounts.get(uid) if uid is not None else None
        return account.name if account is not None else None


def _spoil(answer: dict[str, Any], fault: Fault, path: str, now_ms: int) -> None:
    result = answer["result"]
    rows = result.get("list")
    if rows is None:
        return
    if fault.kind is FaultKind.HIDE:
        key, age = LAGGING.get(path, "createdTime"), int(fault.args.get("ms", 5000))
        result["list"] = [row for row in rows if int(row.get(key, 0)) <= now_ms - age]
        return
    keep = int(fault.args.get("keep", len(rows) // 2)) if fault.kind is FaultKind.TRUNCATE else 0
    result["list"] = rows[:keep]
    if "nextPageCursor" in result:
        result["nextPageCursor"] = ""
