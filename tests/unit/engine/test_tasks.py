"""Tasks: each waits for what it asked for, ends once, and what it raises is its own result."""

from __future__ import annotations

import pytest

from mirrorctl.core.domain.errors import LimitReached, MirrorctlError
from mirrorctl.core.engine.tasks import Steps, Tasks, Wait

Ended = list[tuple[dict[str, object] | None, MirrorctlError | None]]


def run(tasks: Tasks, steps: Steps) -> Ended:
    """Start a task; the list hears how it ended."""
    ended: Ended = []
    tasks.start(steps, lambda result, error: ended.append((result, error)))
    return ended


def test_a_task_goes_on_when_what_it_waits_for_is_so() -> None:
    open_doors: list[str] = []

    def steps() -> Steps:
        for door in ("first", "second"):
            assert (yield Wait(lambda door=door: door in open_doors, 1_000))  # type: ignore[misc]
        return {"passed": 2}

    tasks = Tasks()
    ended = run(tasks, steps())
    for door, begins in (("second", True), ("first", False)):
        assert tasks.run(10) is begins, "whether it went a step on"
        assert ended == []
        open_doors.append(door)
    assert tasks.run(10) is True
    assert ended == [({"passed": 2}, None)]
    assert tasks.run(10) is False
    assert tasks.idle


@pytest.mark.parametrize(("now", "over"), [(999, False), (1_000, True)])
def test_a_task_whose_time_is_over_hears_that_it_was_not_so(now: int, over: bool) -> None:
    def steps() -> Steps:
        return {"ready": (yield Wait(lambda: False, 1_000))}

    tasks = Tasks()
    ended = run(tasks, steps())
    tasks.run(now)
    assert ended == ([({"ready": False}, None)] if over else [])
    assert tasks.next_wake_ms(5_000) == (5_000 if over else 1_000)


def test_an_error_of_a_task_is_its_result_and_no_other_task_notices() -> None:
    refusal = LimitReached("too much", "ask for less")

    def failing() -> Steps:
        yield Wait(lambda: True, 0)
        raise refusal

    def steady() -> Steps:
        yield Wait(lambda: True, 0)
        return {}

    tasks = Tasks()
    failed, done = run(tasks, failing()), run(tasks, steady())
    tasks.run(1)
    assert (failed, done) == ([(None, refusal)], [({}, None)])
    assert tasks.idle


def test_a_bug_in_a_task_is_told_to_its_caller_and_then_raised() -> None:
    def broken() -> Steps:
        yield Wait(lambda: True, 0)
        raise ZeroDivisionError

    tasks = Tasks()
    ended = run(tasks, broken())
    with pytest.raises(ZeroDivisionError):
        tasks.run(1)
    [(result, error)] = ended
    assert result is None
    assert isinstance(error, MirrorctlError)
    assert tasks.idle


def test_an_error_while_looking_whether_it_is_so_is_the_tasks_own() -> None:
    def ready() -> bool:
        raise LimitReached("no longer possible")

    def steps() -> Steps:
        yield Wait(ready, 1_000)
        return {}

    tasks = Tasks()
    ended = run(tasks, steps())
    tasks.run(1)
    assert [str(error) for _, error in ended] == ["no longer possible"]
    assert tasks.idle


def test_a_task_may_start_another() -> None:
    tasks = Tasks()
    inner: list[Ended] = []

    def second() -> Steps:
        yield Wait(lambda: True, 0)
        return {"who": "second"}

    def first() -> Steps:
        inner.append(run(tasks, second()))
        yield Wait(lambda: bool(inner[0]), 1_000)
        return {"who": "first"}

    ended = run(tasks, first())
    for _ in range(3):
        tasks.run(1)
    assert inner == [[({"who": "second"}, None)]]
    assert ended == [({"who": "first"}, None)]
