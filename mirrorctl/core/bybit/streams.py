"""One account's private stream, delivered to the engine."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from mirrorctl.core.bybit.rest import BybitRest
from mirrorctl.core.bybit.supervisor import Attempt, StreamTiming, Supervisor
from mirrorctl.core.engine.ports import Decider, Deliver, Frame, StreamDown, StreamUp

if TYPE_CHECKING:
    from mirrorctl.core.bybit.private_socket import PrivateSocket

__all__ = ["PrivateStream", "StreamTiming"]


class PrivateStream(Supervisor):
    """Delivers Frames of order, execution, position and wallet, between one StreamUp and one StreamDown an epoch.

    An attempt that never came up delivers a StreamDown alone. Nothing of a connection is delivered after its
    StreamDown, and nothing before its StreamUp. `stop` delivers nothing.

    With a `decider` what a message leads to is decided on the thread that read it, unless the next one is there
    already: a burst is left to the decider's own thread, which makes one decision of it.
    """

    def __init__(
        self,
        rest: BybitRest,
        deliver: Deliver,
        *,
        decider: Decider | None = None,
        timing: StreamTiming | None = None,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        """Shares keys, addresses and clock with `rest`. Nothing is opened before `start`."""
        super().__init__(rest, "supervisor", timing=timing, jitter=jitter)
        self._deliver = deliver
        self._decider = decider

    def _open(self, attempt: Attempt) -> PrivateSocket:
        from mirrorctl.core.bybit.private_socket import PrivateSocket  # late: pybit costs 140 ms

        return PrivateSocket(
            self._link,
            on_ready=lambda: self._is_up(attempt),
            on_frame=lambda message, more: self._on_frame(attempt, message, more),
            on_end=attempt.end,
        )

    def _came_up(self, attempt: Attempt) -> None:
        self._deliver(StreamUp(self.account, attempt.epoch))

    def _went_down(self, attempt: Attempt, final: bool) -> None:
        self._deliver(StreamDown(self.account, attempt.epoch, attempt.reason, final))

    def _on_frame(self, attempt: Attempt, message: dict[str, Any], more: bool) -> None:
        """`more`: another message can be read already."""
        decider = self._decider
        with self._lock:
            if self._current is not attempt:
                return
            frame = Frame(self.account, message, self._link.clock.local_ms())
            (self._deliver if decider is None else decider.leave)(frame)
        if decider is None:
            return
        if more:
            decider.wake()
        else:
            decider.drive()
