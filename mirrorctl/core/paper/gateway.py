"""The exchange behind its faults: what a caller gets to see of a request, and which pushes arrive.

Pure, like `exchange`: an in-process simulation drives this class, the server puts it on sockets.
"""

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from mirrorctl.core.paper import api_batches
from mirrorctl.core.paper.api import add_verdict, envelope, log_write
from mirrorctl.core.paper.exchange import PaperExchange
from mirrorctl.core.paper.faults import PUSH_KINDS, Fault, FaultBoard, FaultKind
from mirrorctl.core.paper.floor import Push
from mirrorctl.core.paper.rates import UNLIMITED, RateBuckets, RateRules
from mirrorctl.core.paper.refusals import Refusal

LAGGING = {
    "/v5/order/realtime": "createdTime",
    "/v5/order/history": "createdTime",
    "/v5/execution/list": "execTime",
}
REMEMBERED = 256
TOO_MANY = 10006
_TOO_MANY_SAYS = "Too many visits!"
_BEFORE = (
    FaultKind.REFUSE,
    FaultKind.LOSE_REQUEST,
    FaultKind.HANG,
    FaultKind.RET_CODE,
    FaultKind.HTTP_STATUS,
)
_AFTER = (FaultKind.LOSE_REPLY, FaultKind.EVENT_FIRST)
_READS = (FaultKind.HIDE, FaultKind.TRUNCATE, FaultKind.EMPTY)
_LATE_MS = 50
_Read = tuple[int, str, tuple[tuple[str, Any], ...]]
HTML = "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"


class Ending(StrEnum):
    """How the request ends for the caller."""

    ANSWER = "answer"
    """After `wait_ms`; with `events_first` the pushes that it caused are on their way before."""
    LOST = "lost"
    """Carried out where there is an envelope; the connection closes without an answer."""
    MUTE = "mute"
    """Carried out; no answer, and over WebSocket the connection stays open."""
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
    events_first: bool = False


@dataclass(frozen=True, slots=True)
class _Request:
    uid: int | None
    name: str | None
    method: str
    path: str
    params: dict[str, Any]


class Gateway:
    """One exchange with its fault board and its rate limits; none unless `rules` are given (`rates.rules`)."""

    def __init__(self, exchange: PaperExchange, faults: FaultBoard | None = None, rules: RateRules = UNLIMITED) -> None:
        self.exchange = exchange
        self.faults = faults or FaultBoard()
        self.rates = RateBuckets(rules)
        self._held: dict[int | None, list[Push]] = {}
        self._previous: dict[tuple[int | None, str], Push] = {}
        self._answers: dict[_Read, dict[str, Any]] = {}

    # requests

    def request(self, uid: int | None, method: str, path: str, params: dict[str, Any], now_ms: int) -> Reply:
        """Carries a request out, or not, as limits and faults say. All callers of this share one address."""
        return self.admit("", now_ms) or self.carry(uid, method, path, params, now_ms)

    def admit(self, address: str, now_ms: int) -> Reply | None:
        """Counts a request of whatever kind from an address; the reply where it is shut out (docs v5/rate-limit)."""
        narrow = self.faults.take((FaultKind.IP_CAP,), None, "")
        rules = self.rates.rules
        if narrow is not None:
            cap, ban_ms = int(narrow.args.get("requests", 0)), int(narrow.args.get("ms", rules.ban_ms))
            rules = replace(rules, per_address=cap, ban_ms=ban_ms)
        try:
            self.rates.check_address(address, now_ms, rules)
        except Refusal as refusal:
            return Reply(status=refusal.code, text=refusal.message)
        return None

    def carry(self, uid: int | None, method: str, path: str, params: dict[str, Any], now_ms: int) -> Reply:
        """`request` of a caller whose address was admitted."""
        asked = _Request(uid, self._name(uid), method, path, params)
        fault = self.faults.take(_BEFORE, asked.name, path)
        if fault is not None:
            return self._instead(fault, asked, now_ms)
        headers, granted = self._count(asked, now_ms)
        if not granted:
            return Reply(envelope=self._refuse(asked, TOO_MANY, _TOO_MANY_SAYS, now_ms), headers=headers)
        answer = self._handle(asked, granted, now_ms)
        after = self.faults.take(_AFTER, asked.name, path)
        if after is not None and after.kind is FaultKind.LOSE_REPLY:
            return Reply(Ending.MUTE if after.args.get("open") else Ending.LOST, answer)
        if method == "GET" and uid is not None:
            answer = self._remembered(answer, (uid, path, tuple(sorted(params.items()))), asked.name)
        spoilt = self.faults.take(_READS, asked.name, path)
        if spoilt is not None:
            _spoil(answer, spoilt, path, now_ms)
        if after is not None:
            wait_ms = int(after.args.get("ms", _LATE_MS))
            return Reply(envelope=answer, headers=headers, wait_ms=wait_ms, events_first=True)
        return Reply(envelope=answer, headers=headers)

    def _handle(self, asked: _Request, granted: int, now_ms: int) -> dict[str, Any]:
        """Carries out what there is room for: of a batch the first orders, and the others fail (docs v5/rate-limit)."""
        params, uid = asked.params, asked.uid
        if uid is None or granted >= api_batches.orders_in(asked.path, params):
            return self.exchange.handle(uid, asked.method, asked.path, params, now_ms)
        orders = params["request"]
        answer = self.exchange.handle(uid, asked.method, asked.path, params | {"request": orders[:granted]}, now_ms)
        for item in orders[granted:] if answer["retCode"] == 0 else ():
            row = api_batches.shown(asked.path, item)
            verdict = api_batches.Verdict(item, row, TOO_MANY, _TOO_MANY_SAYS)
            add_verdict(self.exchange.floor, uid, asked.path, answer, verdict)
        return answer

    def _count(self, asked: _Request, now_ms: int) -> tuple[dict[str, str], int]:
        """The limit headers of a request, and how many of its orders there is room for: 1 or 0, but of a batch."""
        orders = api_batches.orders_in(asked.path, asked.params)
        if asked.uid is None:
            return {}, orders
        narrow = self.faults.take((FaultKind.RATE_LIMIT,), asked.name, asked.path)
        limit = None if narrow is None else int(narrow.args.get("limit", 0))
        allowance = self.rates.take(asked.uid, asked.path, now_ms, limit, orders)
        return (allowance.headers(), allowance.granted) if allowance is not None else ({}, orders)

    def _refuse(self, asked: _Request, code: int, message: str, now_ms: int) -> dict[str, Any]:
        self.exchange.advance(now_ms)
        floor = self.exchange.floor
        answer = envelope(floor, code, message)
        if asked.method == "POST" and asked.uid is not None:
            log_write(floor, asked.uid, asked.path, asked.params, answer)
        return answer

    def _remembered(self, answer: dict[str, Any], key: _Read, name: str | None) -> dict[str, Any]:
        before = self._answers.pop(key, None)
        if before is not None and self.faults.take((FaultKind.STALE,), name, key[1]) is not None:
            self._answers[key] = before
            return before
        self._answers[key] = answer | {"result": dict(answer["result"])}
        while len(self._answers) > REMEMBERED:
            del self._answers[next(iter(self._answers))]
        return answer

    def _instead(self, fault: Fault, asked: _Request, now_ms: int) -> Reply:
        args = fault.args
        if fault.kind is FaultKind.REFUSE:
            return Reply(Ending.RESET)
        if fault.kind is FaultKind.LOSE_REQUEST:
            return Reply(Ending.LOST)
        if fault.kind is FaultKind.HANG:
            return Reply(Ending.HUNG, wait_ms=int(args.get("ms", 30_000)))
        if args.get("after"):
            self.exchange.handle(asked.uid, asked.method, asked.path, asked.params, now_ms)
        if fault.kind is FaultKind.HTTP_STATUS:
            return Reply(status=int(args.get("status", 502)), text=str(args.get("body", HTML)))
        headers, _ = self._count(asked, now_ms)
        code, message = int(args["code"]), str(args.get("message", ""))
        if args.get("after"):
            answer = envelope(self.exchange.floor, code, message)  # the log has what it came to
        else:
            answer = self._refuse(asked, code, message, now_ms)
        if "reset_ms" in args:
            headers["X-Bapi-Limit-Status"] = "0"
            headers["X-Bapi-Limit-Reset-Timestamp"] = str(now_ms + int(args["reset_ms"]))
        return Reply(envelope=answer, headers=headers)

    # pushes

    def drain(self) -> list[Push]:
        """Pushes since the last call, as the faults let them through."""
        pushes = self.exchange.drain()
        if not self.faults and not self._held:
            return pushes
        return [out for push in pushes for out in self._deliver(push)]

    def _deliver(self, push: Push) -> list[Push]:
        name = self._name(push.uid)
        if self.silent(push.uid):
            return []
        waiting = self._held.pop(push.uid, [])
        fault = self.faults.take(PUSH_KINDS, name, push.topic)
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
        if _tells_a_fill(push) and self.faults.take((FaultKind.DOUBLE_FILLED,), name, push.topic) is not None:
            return [push, _filled_again(push), *waiting]
        return [push, *waiting]

    # streams and time

    def silent(self, uid: int | None) -> bool:
        """Whether the account's streams say nothing now; `uid` None is a public one."""
        return bool(self.faults) and self.faults.find(FaultKind.STREAM_SILENT, self._name(uid)) is not None

    def refuses_stream(self, uid: int | None) -> bool:
        """Whether a stream that begins now is reset; uses the fault once. `uid` None: not known yet whose it is."""
        return self.faults.take((FaultKind.STREAM_REFUSE,), self._name(uid), "") is not None

    def clock(self, now_ms: int) -> int:
        """The exchange's clock at a true time, skewed where that fault stands. Faults that ran out are taken down."""
        if not self.faults:
            return now_ms
        self.faults.expire(now_ms)
        skew = self.faults.find(FaultKind.CLOCK_SKEW, None)
        return now_ms + int(skew.args["ms"]) if skew is not None else now_ms

    def calm(self) -> None:
        """Takes every fault down, ends every ban and empties the buckets; what was held back still comes."""
        self.faults.clear()
        self.rates.lift()

    def _name(self, uid: int | None) -> str | None:
        account = self.exchange.state.accounts.get(uid) if uid is not None else None
        return account.name if account is not None else None


def _tells_a_fill(push: Push) -> bool:
    return push.topic == "order" and push.frame["data"][0]["orderStatus"] == "Filled"


def _filled_again(push: Push) -> Push:
    """The second message of a fill that a cancel was accepted for at the same time."""
    late = {"cancelType": "CancelByUser", "rejectReason": "EC_OrigClOrdIDDoesNotExist"}
    rows = [row | late for row in push.frame["data"]]
    return replace(push, frame=push.frame | {"id": f"{push.frame['id']}_again", "data": rows})


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
