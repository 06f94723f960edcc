"""What is due at its time: the same as a look at everything that waits, whatever was set, moved or taken back."""

from __future__ import annotations

from random import Random

import pytest

from mirrorctl.core.engine.timetable import Timetable


@pytest.mark.parametrize("seed", range(20))
def test_it_is_a_look_at_everything(seed: int) -> None:
    drawn, table, known, now = Random(seed), Timetable[int](), dict[int, int](), 0
    for _ in range(400):
        key = drawn.randrange(12)
        if drawn.random() < 0.2:
            table.set(key, None)
            known.pop(key, None)
        else:
            at_ms = now + drawn.randrange(50)
            table.set(key, at_ms)
            known[key] = at_ms
        assert table.next_ms() == min(known.values(), default=None)
        assert sorted(table.keys()) == sorted(known)
        if drawn.random() < 0.3:
            now += drawn.randrange(30)
            due = sorted((at_ms, each) for each, at_ms in known.items() if at_ms <= now)
            assert table.take(now) == [each for _, each in due], "soonest first, each once"
            known = {each: at_ms for each, at_ms in known.items() if at_ms > now}


def test_what_is_moved_again_and_again_takes_no_room() -> None:
    table = Timetable[str]()
    for at_ms in range(10_000):
        table.set("one", at_ms)
    assert len(table._order) < 100
    assert table.take(10_000) == ["one"]
