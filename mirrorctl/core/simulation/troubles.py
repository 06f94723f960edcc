"""Troubles let loose: what goes wrong with requests, reads, streams and the process itself.

A trouble counts only once it struck: a fault on the board when something ran into it, a kill when the process died.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable

from mirrorctl.core.simulation.board import BOARD
from mirrorctl.core.simulation.incidents import Incidents
from mirrorctl.core.simulation.schedule import Trouble
from mirrorctl.core.simulation.stage import Stage
from mirrorctl.core.simulation.world import Doom

_OFTEN = 9_999
_SILENCE_MS = (3_000, 12_000)  # until a stream that says nothing is given up


class Mischief:
    """What goes wrong on one stage. `struck` counts, by kind, what really did."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._world = stage.world
        self._incidents = Incidents(stage)
        self._chance = random.Random(0)
        self._struck: Counter[Trouble] = Counter()
        self._standing: dict[int, tuple[Trouble, int]] = {}
        self._troubles: dict[Trouble, Callable[[], str]] = {
            Trouble.STREAM_SILENT: self._silence,
            Trouble.STREAM_REFUSED: self._refuse_stream,
            Trouble.STREAM_CLOSED: self._close_stream,
            Trouble.OUTAGE: self._outage,
            Trouble.KILL: self._kill,
            Trouble.KILL_AT_WRITE: lambda: self._doom(
                Trouble.KILL_AT_WRITE, "store ", after=self._chance.random() < 0.5
            ),
            Trouble.KILL_BEFORE_CALL: lambda: self._doom(Trouble.KILL_BEFORE_CALL, "", after=False),
            Trouble.KILL_AFTER_CALL: lambda: self._doom(Trouble.KILL_AFTER_CALL, "", after=True),
            Trouble.CLOCK_STEP: self._step_clock,
            Trouble.STORE_DELETED: self._delete_store,
        }

    def do(self, trouble: Trouble, roll: int) -> str:
        """Let a trouble loose and say in words what it is."""
        self._chance = random.Random(roll)
        if trouble in BOARD:
            return self._board(trouble)
        if trouble in self._troubles:
            return self._troubles[trouble]()
        told, struck = self._incidents.do(trouble, self._chance)
        self._struck[trouble] += struck
        return told

    @property
    def struck(self) -> dict[Trouble, int]:
        """How often each kind struck so far."""
        self._reckon()
        return {kind: count for kind, count in self._struck.items() if count}

    def cease(self) -> None:
        """Nothing goes wrong any more: faults are taken down, streams come back, a dead process starts."""
        self._reckon()
        self._struck[Trouble.PARTIAL_FILLS] += self._incidents.deepen()
        self._standing.clear()
        self._world.gateway.calm()
        self._world.doom = None
        if self._world.engine is None:
            self._world.start()
        for name in self._stage.world.uids:
            self._give_up(name)
            if name in self._world.cut:
                self._world.stream_up(name)

    # --- requests, reads and pushes ------------------------------------------------------------------------------

    def _board(self, trouble: Trouble) -> str:
        on_board = BOARD[trouble]
        name, target, count = self._account(), self._chance.choice(on_board.targets), self._chance.randint(1, 3)
        how = on_board.drawn(self._chance)
        self._put_up(trouble, name, target, count, how)
        return f"{trouble} {name} {target} x{count} {how or ''}"

    def _put_up(self, trouble: Trouble, name: str, target: str, count: int, how: dict[str, object]) -> int:
        number = self._world.fault(BOARD[trouble].kind, name, target, count=count, **how)
        self._standing[number] = (trouble, count)
        return number

    def _reckon(self) -> None:
        """Count how often the faults on the board were taken since the last look."""
        left = {number: 0 if rest is None else rest for number, _, rest in self._world.gateway.faults.standing()}
        for number, (trouble, before) in tuple(self._standing.items()):
            now = left.get(number, 0)
            self._struck[trouble] += before - now
            if now:
                self._standing[number] = (trouble, now)
            else:
                del self._standing[number]

    def _take_down(self, number: int) -> None:
        self._reckon()
        self._standing.pop(number, None)
        self._world.gateway.faults.clear(number)

    # --- streams -------------------------------------------------------------------------------------------------

    def _close_stream(self) -> str:
        name = self._account()
        if name in self._world.cut:
            return f"the stream of {name} is lost already"
        self._world.stream_down(name)
        self._struck[Trouble.STREAM_CLOSED] += 1
        self._stream_back(name, self._chance.randint(1, 4_000))
        return f"the stream of {name} is closed"

    def _stream_back(self, name: str, after_ms: int) -> None:
        def back() -> None:
            if name in self._world.cut and name not in self._world.dead:
                self._world.stream_up(name)

        self._world.at(after_ms, back)

    def _silence(self) -> str:
        """The stream stays open and says nothing, until it is given up."""
        name, silent_ms, life = self._account(), self._chance.randint(*_SILENCE_MS), self._world.life
        self._world.mute(name)

        def back() -> None:
            if self._give_up(name) and life == self._world.life:
                self._stream_back(name, 100)

        self._world.at(silent_ms, back)
        return f"the stream of {name} says nothing for {silent_ms} ms"

    def _give_up(self, name: str) -> bool:
        """Whether a stream that stays silent was given up just now: only then it is known to be lost."""
        lost = self._world.unmute(name)
        if lost is None:
            return False
        connected = self._world.engine is not None and name not in self._world.cut
        self._struck[Trouble.STREAM_SILENT] += bool(lost) or connected
        if connected:
            self._world.stream_down(name, "silent")
        return True

    def _refuse_stream(self) -> str:
        """The stream is lost and the next connections are refused."""
        name, times, wait_ms = self._account(), self._chance.randint(1, 3), self._chance.randint(200, 1_500)
        if name in self._world.cut:
            return f"the stream of {name} is lost already"
        self._world.stream_down(name)

        def refuse() -> None:
            if name in self._world.cut:
                self._world.stream_down(name, "connection refused")
                self._struck[Trouble.STREAM_REFUSED] += 1

        for n in range(times):
            self._world.at((n + 1) * wait_ms, refuse)
        self._stream_back(name, (times + 1) * wait_ms)
        return f"the stream of {name} is lost and {times} times refused, every {wait_ms} ms"

    def _outage(self) -> str:
        """The account cannot be reached at all for a while."""
        name, down_ms = self._account(), self._chance.randint(500, 15_000)
        if name in self._world.cut:
            return f"{name} is cut off already"
        number = self._put_up(Trouble.RESET, name, "", _OFTEN, {})
        self._standing[number] = (Trouble.OUTAGE, _OFTEN)
        self._world.stream_down(name, "unreachable")

        def back() -> None:
            self._take_down(number)
            self._stream_back(name, 1)

        self._world.at(down_ms, back)
        return f"{name} cannot be reached for {down_ms} ms"

    # --- the process ---------------------------------------------------------------------------------------------

    def _kill(self) -> str:
        if self._world.engine is None:
            return "dead already"
        self._end(Trouble.KILL)
        return "kill"

    def _end(self, trouble: Trouble) -> None:
        """End the process, if one lives; another starts a moment later."""
        if self._world.engine is not None:
            self._world.kill()
            self._world.at(self._chance.randint(1, 2_000), self._revive)
        self._struck[trouble] += 1

    def _revive(self) -> None:
        if self._world.engine is None:
            self._world.start()

    def _doom(self, trouble: Trouble, what: str, *, after: bool | None = None) -> str:
        ahead = self._chance.randint(1, 12)
        after = self._chance.random() < 0.5 if after is None else after

        def died() -> None:
            self._struck[trouble] += 1

        self._world.restart_after_ms = self._chance.randint(1, 2_000)
        self._world.doom = Doom(what, ahead, after, died)
        return f"{trouble}: {'after' if after else 'before'} {what or 'call'} number {ahead} from now"

    def _step_clock(self) -> str:
        """The exchange's clock is set forward; or the machine's is set, which the next process sees."""
        if self._chance.random() < 0.5:
            by_ms = self._chance.randint(20, 150)  # as far as a measurement may be wrong
            self._world.step_exchange_clock(by_ms)
            self._struck[Trouble.CLOCK_STEP] += 1
            return f"the exchange's clock goes {by_ms} ms forward"
        by_ms = self._chance.choice((-1, 1)) * self._chance.choice((400, 2_500, 60_000, 600_000))
        self._end(Trouble.CLOCK_STEP)
        self._world.step_local_clock(by_ms)
        return f"kill, and the machine's clock goes {by_ms} ms"

    def _delete_store(self) -> str:
        self._end(Trouble.STORE_DELETED)
        self._world.lose_store()
        return "kill, and the store is gone"

    def _account(self) -> str:
        return self._chance.choice(("main", *self._stage.mirrors))
