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

    def run(self, now_ms: int) -> None:
        """Resume every task whose wait is over."""
        for task in list(self._running):
            while task.wait is None or task.wait.ready() or now_ms >= task.wait.until_ms:
                if not self._step(task):
                    self._running.remove(task)
                    break

    def next_wake_ms(self, default: int) -> int:
        return min((task.wait.until_ms for task in self._running if task.wait is not None), default=default)

    @property
    def idle(self) -> bool:
        return not self._running

    def _step(self, task: _Running) -> bool:
        """One step; False when the task is over."""
        try:
            task.wait = next(task.steps) if task.wait is None else task.steps.send(task.wait.ready())
        except StopIteration as stop:
            task.done(stop.value, None)
            return False
        except MirrorctlError as error:
            task.done(None, error)
            return False
        except BaseException:
            self._running.remove(task)
            task.done(None, MirrorctlError("unexpected error in the daemon", "its log has the details"))
            raise
        return True
