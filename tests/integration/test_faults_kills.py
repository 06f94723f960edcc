"""Real SIGKILLs at chosen and random moments among faults; by the exchange's books nothing is lost or doubled."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from random import Random

import pytest

from tests import forkserver
from tests.integration.judge import CREATE, MIRRORS, RATIOS, Judge, accepted_once, fault
from tests.integration.stage import Stage, eventually

SYMBOLS = {"BTCUSDT": ("0.02", "55000"), "ETHUSDT": ("0.4", "2800")}
PUSHES = ("push-drop", "push-double", "push-reorder", "push-stale")
KILLS = 4


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    opened = Stage.open(tmp_path)
    with opened.profile.open("a") as profile:
        profile.write("\n[daemon]\nrelist_s = 2\n")
    yield opened
    opened.close()


class Life:
    """Main trades, things go wrong, the daemon dies. The choices come from the seed; the moments are the machine's."""

    def __init__(self, stage: Stage, seed: int) -> None:
        self._stage = stage
        self._choose = Random(seed)
        self._held = dict.fromkeys(SYMBOLS, 0)

    def trade(self) -> None:
        """One order on main: it opens, grows, shrinks or closes a long, always with a stop."""
        symbol = self._choose.choice(tuple(SYMBOLS))
        qty, stop = SYMBOLS[symbol]
        if self._held[symbol] and self._choose.random() < 0.4:
            self._held[symbol] -= 1
            self._stage.order("main", "Sell", qty, symbol=symbol, reduceOnly=True)
        else:
            self._held[symbol] += 1
            self._stage.order("main", "Buy", qty, symbol=symbol, stopLoss=stop)

    def trouble(self) -> None:
        """One of what may go wrong, for a mirror."""
        name = self._choose.choice(MIRRORS)
        match self._choose.randrange(6):
            case 0:
                fault(self._stage, "lose-reply", name, CREATE)
            case 1:
                fault(self._stage, "ret-code", name, CREATE, code=10016, after=True)
            case 2:
                fault(self._stage, "event-first", name, CREATE, ms=100)
            case 3:
                fault(self._stage, "ret-code", name, CREATE, code=10006, reset_ms=200)
            case 4:
                fault(self._stage, "stream-reset", name)
            case _:
                fault(self._stage, self._choose.choice(PUSHES), name, count=self._choose.randint(1, 4))

    def kill(self, daemon: forkserver.Process) -> None:
        """Let it work for a moment that may end anywhere in its reaction, and end it."""
        time.sleep(self._choose.uniform(0.0, 0.15))
        daemon.kill()
        assert daemon.wait(5) == -signal.SIGKILL


@pytest.mark.proves("A43", "A47")
def test_a_sigkill_between_acceptance_and_answer_or_while_asking_for_it_doubles_nothing(stage: Stage) -> None:
    judge = Judge(stage)
    daemon = stage.start_daemon()
    fault(stage, "event-first", "half", CREATE, ms=10_000)  # carried out, and the answer does not come
    fault(stage, "lose-reply", "quarter", CREATE)
    fault(stage, "hang", "quarter", "/v5/order/realtime", count=None)  # nor any to the question what became of it
    stage.order("main", "Buy", "0.1", stopLoss="55000")
    assert eventually(lambda: judge.in_step() and len(judge.sent()) == 2)
    daemon.kill()
    assert daemon.wait(5) == -signal.SIGKILL
    stage.server.run(lambda gateway, _: gateway.calm())
    stage.start_daemon()
    stage.order("main", "Buy", "0.02")
    assert eventually(judge.in_step), (judge.held("half"), judge.held("quarter"))
    assert [judge.traded(name)["BTCUSDT"] for name in MIRRORS] == [Decimal("0.06"), Decimal("0.03")]
    assert accepted_once(judge.sent())
    assert len(judge.sent()) == 4


@pytest.mark.proves("A43", "A56")
def test_sigkills_at_random_moments_among_faults_lose_and_double_nothing(stage: Stage) -> None:
    judge, life = Judge(stage), Life(stage, seed=1)
    strangers = [judge.stranger(name) for name in MIRRORS]
    for _ in range(KILLS):
        daemon = stage.start_daemon()
        for _ in range(2):
            life.trouble()
            life.trade()
        life.kill(daemon)
        life.trade()  # while nobody looks
    stage.start_daemon()
    assert eventually(judge.in_step, 30), [(judge.held(name), judge.wanted(name)) for name in MIRRORS]
    for name in MIRRORS:
        for symbol in SYMBOLS:
            most = max((*judge.path("main", symbol), Decimal(0))) * RATIOS[name]
            assert all(0 <= size <= most for size in judge.path(name, symbol)), "never too much, never the other way"
        traded = judge.traded("main")
        assert all(qty <= traded[symbol] * RATIOS[name] for symbol, qty in judge.traded(name).items())
    assert accepted_once(judge.sent())
    assert judge.touched("main") == []
    assert all(stranger.untouched for stranger in strangers)
    settled = len(judge.sent())
    time.sleep(0.5)
    assert len(judge.sent()) == settled, "silence once converged"
