"""The silence that the exchange asked of this machine with an HTTP 403, shared by its processes through a file.

Bybit wants ten minutes without a request from the address (rate-limit/rate-limit). A daemon that is started anew, and a
command beside it, would otherwise begin them again. The file holds one number: when the silence ends, wall clock in ms.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from math import inf
from pathlib import Path

_LOOK_EVERY_S = 1.0
_LONGEST_S = 600.0


class Silence:
    """In memory alone. All times are seconds of one monotonic clock."""

    def __init__(self) -> None:
        self.until = -inf  # as far as is known

    def begin(self, now: float, seconds: float) -> None:
        """Be silent from now on for so long, or as long as was asked before."""
        self.until = max(self.until, now + seconds)

    def left_s(self, now: float) -> float:
        """Seconds of silence that are left; 0 when requests may flow."""
        return max(0.0, self.until - now)


class SilenceFile(Silence):
    """In a file that every process of this machine looks at once a second. What cannot be written holds in memory."""

    def __init__(self, path: Path, wall_ms: Callable[[], int]) -> None:
        super().__init__()
        self.path = path
        self._wall_ms = wall_ms
        self._looked = -inf
        self._shared = True

    def begin(self, now: float, seconds: float) -> None:
        super().begin(now, seconds)
        partial = self.path.with_name(f"{self.path.name}.partial")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            partial.write_text(str(self._wall_ms() + int(super().left_s(now) * 1000)), encoding="ascii")
            partial.replace(self.path)
            self._shared = True
        except OSError:
            self._shared = False

    def left_s(self, now: float) -> float:
        if self._shared and now - self._looked >= _LOOK_EVERY_S:
            self._looked = now
            self.until = now + self._told_s()
        return super().left_s(now)

    def clear(self) -> None:
        """The exchange takes requests again (`paper fault --clear`): all processes go on."""
        with suppress(OSError):
            self.path.unlink(missing_ok=True)

    def _told_s(self) -> float:
        """Seconds that the file still asks for; 0 without one, and never more than the exchange asks for."""
        try:
            left_s = (int(self.path.read_text(encoding="ascii")) - self._wall_ms()) / 1000
        except (OSError, ValueError):
            return 0.0
        return min(max(left_s, 0.0), _LONGEST_S)
