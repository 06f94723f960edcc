"""What is read and done beside the dashboard's screen: threads that hand over what came of it and wake the screen."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from mirrorctl.core.domain.errors import MirrorctlError

EVERY_S = 2.0
MAX_AGE_S = Decimal(5)
_PATIENCE_S = 0.2

Document = dict[str, Any]
Read = Callable[[Decimal], Document]
"""Reads a document whose figures are younger than so many seconds."""
Hold = Callable[[str, str | None], list[str]]
"""("pause" or "resume", account or None for every one) -> what came of it."""


@dataclass(frozen=True, slots=True)
class Arrived:
    """What a thread hands over: a document, the answer to a key, why nothing could be read, or a bug to raise."""

    document: Document | None = None
    answer: str = ""
    problem: str = ""
    bug: Exception | None = None


class Feed:
    """Reads every `every_s` until it is closed. `wake_fd` can be read as soon as something has arrived."""

    def __init__(self, read: Read, hold: Hold, every_s: float) -> None:
        self._read, self._hold, self._every_s = read, hold, every_s
        self._arrived: deque[Arrived] = deque()
        self._max_age_s = MAX_AGE_S
        self._look, self._closed = threading.Event(), False
        self._holding: list[threading.Thread] = []
        self.wake_fd, self.waker_fd = os.pipe()
        os.set_blocking(self.wake_fd, False)
        os.set_blocking(self.waker_fd, False)
        self._thread = threading.Thread(target=self._run, name="dashboard", daemon=True)
        self._thread.start()

    def close(self) -> bool:
        """Ends the reading, once what was to be paused or resumed is done. True when a read is left behind."""
        self._closed = True
        self._look.set()
        for thread in self._holding:
            thread.join()
        self._thread.join(_PATIENCE_S)
        return self._thread.is_alive()

    def relist(self) -> None:
        """Read now, and every account anew."""
        self._max_age_s = Decimal(0)
        self._look.set()

    def hold(self, name: str, account: str | None) -> None:
        """Pause or resume."""
        thread = threading.Thread(target=self._guarded, args=(lambda: self._held(name, account),), name=name)
        self._holding.append(thread)
        thread.start()

    def arrived(self) -> list[Arrived]:
        """What has arrived since."""
        found = []
        while self._arrived:
            found.append(self._arrived.popleft())
        return found

    def drain(self) -> None:
        """Empties the pipe, so that it wakes again."""
        try:
            while os.read(self.wake_fd, 4096):
                pass
        except BlockingIOError:
            return

    def _run(self) -> None:
        while True:
            self._look.wait(self._every_s)
            if self._closed:
                return
            self._look.clear()
            self._guarded(self._read_now)

    def _read_now(self) -> Arrived:
        max_age_s, self._max_age_s = self._max_age_s, MAX_AGE_S
        return Arrived(document=self._read(max_age_s))

    def _held(self, name: str, account: str | None) -> Arrived:
        try:
            answer = "; ".join(self._hold(name, account))
        except MirrorctlError as error:
            return Arrived(answer=f"{name}: not done: {error.message}")
        self._look.set()
        return Arrived(answer=answer)

    def _guarded(self, work: Callable[[], Arrived]) -> None:
        try:
            found = work()
        except MirrorctlError as error:
            found = Arrived(problem=error.message)
        except Exception as error:  # noqa: BLE001 - thread boundary: the screen's thread raises it
            found = Arrived(bug=error)
        self._arrived.append(found)
        if not self._closed:
            self._wake()

    def _wake(self) -> None:
        try:
            os.write(self.waker_fd, b".")
        except (BlockingIOError, OSError):
            return
