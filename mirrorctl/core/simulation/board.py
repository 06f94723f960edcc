"""Troubles that stand on the exchange's fault board: their kind there, one of these targets, and how."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mirrorctl.core.paper.faults import FaultKind
from mirrorctl.core.simulation.schedule import Trouble

_CREATE, _AMEND, _CANCEL = "/v5/order/create", "/v5/order/amend", "/v5/order/cancel"
_STOP, _LEVERAGE = "/v5/position/trading-stop", "/v5/position/set-leverage"
_REALTIME, _HISTORY, _EXECUTIONS = "/v5/order/realtime", "/v5/order/history", "/v5/execution/list"
_POSITIONS, _WALLET = "/v5/position/list", "/v5/account/wallet-balance"
_ANY = (_CREATE, _CREATE, _CREATE, _AMEND, _CANCEL, _STOP, _REALTIME, _POSITIONS, _EXECUTIONS, "")
_WRITES = (_CREATE, _CREATE, _CREATE, _AMEND, _CANCEL, _STOP, _LEVERAGE)
_LISTS = (_REALTIME, _POSITIONS, _EXECUTIONS, _HISTORY, _WALLET)
_TOPICS = ("order", "execution", "position", "wallet")

_Drawn = Callable[[random.Random], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class OnBoard:
    """A kind of fault, the paths or topics it may meet, what is always said of it, and what is drawn."""

    kind: FaultKind
    targets: tuple[str, ...]
    how: Mapping[str, Any] = field(default_factory=dict)
    draws: _Drawn | None = None

    def drawn(self, chance: random.Random) -> dict[str, Any]:
        """The fault's arguments."""
        return {**self.how, **(self.draws(chance) if self.draws is not None else {})}


def _carried_out_or_not(chance: random.Random) -> dict[str, Any]:
    return {"after": chance.random() < 0.5}


def _code(code: int, message: str, targets: tuple[str, ...] = _WRITES, draws: _Drawn | None = None) -> OnBoard:
    return OnBoard(FaultKind.RET_CODE, targets, {"code": code, "message": message}, draws)


def _status(status: int, draws: _Drawn | None = None, **how: Any) -> OnBoard:
    return OnBoard(FaultKind.HTTP_STATUS, _ANY, {"status": status, **how}, draws)


def _lag(path: str) -> OnBoard:
    return OnBoard(FaultKind.HIDE, (path,), {}, lambda chance: {"ms": chance.choice((1_000, 3_000, 8_000))})


BOARD: Mapping[Trouble, OnBoard] = {
    Trouble.REPLY_LOST: OnBoard(FaultKind.LOSE_REPLY, _WRITES),
    Trouble.REQUEST_LOST: OnBoard(FaultKind.LOSE_REQUEST, _ANY),
    Trouble.HANG: OnBoard(FaultKind.HANG, _ANY),
    Trouble.RESET: OnBoard(FaultKind.REFUSE, _ANY),
    Trouble.HTTP_502: _status(502, _carried_out_or_not),
    Trouble.HTML_BODY: _status(200, _carried_out_or_not),
    Trouble.HTTP_403: _status(403),
    Trouble.HTTP_429: _status(429),
    Trouble.TIMED_OUT_10000: _code(10000, "Server Timeout", _ANY, _carried_out_or_not),
    Trouble.RATE_10006_FUTURE: _code(
        10006, "Too many visits!", _ANY, lambda chance: {"reset_ms": chance.choice((150, 600, 2_000))}
    ),
    Trouble.RATE_10006_PAST: _code(10006, "Too many visits!", _ANY, lambda _: {"reset_ms": -1_500}),
    Trouble.TIMESTAMP_10002: _code(10002, "invalid request, please check your server timestamp", _ANY),
    Trouble.DUPLICATE_10014: _code(10014, "Invalid duplicate request.", (_CREATE, _AMEND), _carried_out_or_not),
    Trouble.INTERNAL_10016: _code(10016, "Internal server error.", _ANY, _carried_out_or_not),
    Trouble.MARGIN_110007: _code(110007, "ab not enough for new order", (_CREATE,)),
    Trouble.LINK_USED_110072: _code(110072, "OrderLinkedID is duplicate", (_CREATE,), _carried_out_or_not),
    Trouble.LAG_REALTIME: _lag(_REALTIME),
    Trouble.LAG_HISTORY: _lag(_HISTORY),
    Trouble.LAG_EXECUTIONS: _lag(_EXECUTIONS),
    Trouble.TRUNCATED: OnBoard(FaultKind.TRUNCATE, _LISTS),
    Trouble.EMPTY: OnBoard(FaultKind.EMPTY, _LISTS),
    Trouble.STALE_READ: OnBoard(FaultKind.STALE, _LISTS),
    Trouble.PUSH_DOUBLED: OnBoard(FaultKind.PUSH_DOUBLE, _TOPICS),
    Trouble.PUSH_REORDERED: OnBoard(FaultKind.PUSH_REORDER, _TOPICS),
    Trouble.PUSH_DROPPED: OnBoard(FaultKind.PUSH_DROP, _TOPICS),
    Trouble.PUSH_STALE: OnBoard(FaultKind.PUSH_STALE, _TOPICS),
    Trouble.EVENT_BEFORE_ACK: OnBoard(
        FaultKind.EVENT_FIRST, _WRITES, {}, lambda chance: {"ms": chance.choice((50, 200, 900))}
    ),
    Trouble.DOUBLE_FILLED: OnBoard(FaultKind.DOUBLE_FILLED, ("order",)),
}
"""Every trouble of a request, a read or a push."""
