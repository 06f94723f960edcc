"""How old what the engine knows of an account may be, so that what it could not know is not held against it.

A message travels up to 30 ms and is handled some milliseconds later. What was lost on the way is known only after the
next whole relist; a stream that is down, a dead process and a read that failed put that off.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mirrorctl.core.domain.actions import Accepted
from mirrorctl.core.paper.faults import Fault, FaultKind
from mirrorctl.core.simulation.ports import Sent
from mirrorctl.core.simulation.world import World

USUAL_MS = 150
_READ_MS = 3_000
_RETRY_MS = 5_000
_BANNED = 403
_FEW = 50
_HIDES = (FaultKind.PUSH_DROP, FaultKind.PUSH_REORDER, FaultKind.STREAM_SILENT)
_HARMLESS = (FaultKind.PUSH_DOUBLE, FaultKind.PUSH_STALE, FaultKind.DOUBLE_FILLED, FaultKind.EVENT_FIRST)
_WRITES = ("/v5/order/create", "/v5/order/amend", "/v5/order/cancel", "/v5/position/")


@dataclass(slots=True)
class _Gap:
    """Something may be unknown that happened since `since_ms`; until `until_ms` at the latest.

    `hindered_ms`: until when requests may still suffer from what went wrong. `unreachable_ms`: since when none arrives.
    """

    since_ms: int = 0
    until_ms: int = -1
    hindered_ms: int = -1
    unreachable_ms: int | None = None


class News:
    """What may be unknown, by account."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._relist_ms = int(world.policy.relist_s * 1000)
        self._gaps = {name: _Gap() for name in world.uids}
        self._standing: dict[int, tuple[Fault, int | None]] = {}
        self._looked_ms = world.now_ms()

    def look(self) -> None:
        """Take in what has gone wrong since the last look."""
        world, now = self._world, self._world.now_ms()
        if world.engine is None:
            for gap in self._gaps.values():
                self._open(gap, now, _READ_MS)
        for name in world.cut:
            self._open(self._gaps[name], now, _READ_MS)
        for name in world.muted:
            self._open(self._gaps[name], now, self._relist_ms + _READ_MS)
        for name, gap in self._gaps.items():
            if name in world.dead:
                self._open(gap, now, _READ_MS)
        if self._standing or world.gateway.faults.standing():
            for fault in self._struck():
                self._take(fault, now)
        for name, gap in self._gaps.items():
            if name not in world.cut or not self._is_refused(name):
                gap.unreachable_ms = None
            elif gap.unreachable_ms is None:
                gap.unreachable_ms = now
        self._looked_ms = now

    def age_ms(self, account: str, at_ms: int) -> int:
        """What happened so long before `at_ms` was known then, at the latest."""
        gap = self._gaps[account]
        usual = USUAL_MS + self._world.grain_ms + 2 * self._world.latency_ms.get(account, 0)
        return max(at_ms - gap.since_ms, usual) if at_ms <= gap.until_ms else usual

    def hindered_until(self, account: str) -> int:
        """Until when something was in the way of the account's news or requests; -1 for never."""
        gap = self._gaps[account]
        return max(gap.until_ms, gap.hindered_ms)

    def unreachable_ms(self, account: str) -> int | None:
        """Since when no request of an account arrives; None while they do."""
        return self._gaps[account].unreachable_ms

    def note_sent(self, sent: Sent) -> None:
        """A write came to nothing, or nobody knows to what: it is tried again, or asked for, a moment later."""
        if not isinstance(sent.outcome, Accepted):
            gap = self._gaps[sent.account]
            gap.hindered_ms = max(gap.hindered_ms, self._world.now_ms() + _RETRY_MS)

    def _is_refused(self, account: str) -> bool:
        """Whether every request of the account is refused, and goes on to be."""
        return any(
            fault.kind is FaultKind.REFUSE and not fault.target and fault.account in (None, account)
            for fault, left in self._standing.values()
            if left is None or left > _FEW
        )

    def _struck(self) -> Iterator[Fault]:
        """The faults that something ran into since the last look, and those that stand for everything."""
        before, now = self._standing, {n: (fault, left) for n, fault, left in self._world.gateway.faults.standing()}
        self._standing = now
        for number, (fault, left) in now.items():
            if left is None or left != before.get(number, (fault, fault.count))[1]:
                yield fault
        for number, (fault, _) in before.items():
            if number not in now:
                yield fault

    def _take(self, fault: Fault, now: int) -> None:
        if fault.kind in _HARMLESS:
            return
        banned = fault.kind is FaultKind.IP_CAP or fault.args.get("status") == _BANNED
        now += int(self._world.silence_s * 1000) if banned else 0
        for name, gap in self._gaps.items():
            if fault.account not in (None, name) and not banned:
                continue
            gap.hindered_ms = max(gap.hindered_ms, now + _RETRY_MS)
            if fault.kind in _HIDES:
                self._open(gap, now, self._relist_ms + _READ_MS)
            elif (banned or not fault.target.startswith(_WRITES)) and self._looked_ms <= gap.until_ms:
                gap.until_ms = max(gap.until_ms, now + self._relist_ms + _READ_MS)

    def _open(self, gap: _Gap, now: int, lasts_ms: int) -> None:
        if now > gap.until_ms:
            gap.since_ms = min(self._looked_ms, now) - USUAL_MS
        gap.until_ms = max(gap.until_ms, now + lasts_ms)
