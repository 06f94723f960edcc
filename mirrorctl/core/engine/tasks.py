"""Tasks: commands of several steps, written as generators that run on the engine's thread.

A task yields what it waits for; the engine resumes it when that is so, or when its time is over. So a `trade open`
reads top down although every step of it is an event, and it behaves the same on a virtual clock.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass

from mirrorctl.core.domain.errors import MirrorctlError


@dataclass(frozen=True, slots=True)
class Wait:
    """Wait until `ready()` or until `until_ms`. The task receives whether it became ready."""

    ready: Callable[[], bool]
    until_ms: int


Steps = Generator[Wait, bool, dict[str, object]]
Progress = Callable[[dict[str, object]], None]
Done = Callable[[dict[str, object] | None, MirrorctlError | None], None]


@dataclass(slots=True)
class _Running:
    steps: Steps
    done: Done
    wait: Wait | None = None


class Tasks:
    """The running tasks. An error a task raises is its result; it never reaches the engine."""

    def __init__(self) -> None:
        self._running: list[_Running] = []

    def start(self, steps: Steps, done: Done) -> None:
        """Begin a task; `done` hears its result or its error, exactly once."""
        self._running.append(_Running(steps, done))

    def run(self, now_ms: int) -> bool:
        """Resume every task whose wait is over. Whether any went a step on or ended."""
        went_on = False
        for task in list(self._running):
            while self._step(task, now_ms):
                went_on = True
            went_on |= task not in self._running
        return went_on

    def next_wake_ms(self, default: int) -> int:
        return min((task.wait.until_ms for task in self._running if task.wait is not None), default=default)

    @property
    def idle(self) -> bool:
        return not self._running

    def _step(self, task: _Running, now_ms: int) -> bool:
        """One step; False when the task waits on or is over."""
        try:
            if task.wait is None:
                task.wait = next(task.steps)
                return True
            ready = task.wait.ready()
            if not ready and now_ms < task.wait.until_ms:
                return False
            task.wait = task.steps.send(ready)
        except StopIteration as stop:
            self._end(task, stop.value, None)
            return False
        except MirrorctlError as error:
            self._end(task, None, error)
            return False
        except BaseException:
            self._end(task, None, MirrorctlError("unexpected error in the daemon", "its log has the details"))
            raise
        return True

    def _end(self, task: _Running, result: dict[str, object] | None, error: MirrorctlError | None) -> None:
        self._running.remove(task)
        task.steps.close()
        task.done(result, error)
