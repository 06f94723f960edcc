"""The silence after an HTTP 403 outlives the process, holds for every other one, and ends for all of them."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from mirrorctl.core.bybit.address import Address
from mirrorctl.core.bybit.silence import SilenceFile

WALL_MS = 1_800_000_000_000


class Machine:
    """Processes with monotonic clocks of their own on one wall clock."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "locks" / "silence-api"
        self.passed_s = 0.0

    def process(self) -> Address:
        return Address(silence=SilenceFile(self.path, lambda: WALL_MS + int(self.passed_s * 1000)))


@pytest.mark.proves("A51")
def test_a_process_that_starts_during_the_silence_keeps_it(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.process().block(5_000)
    machine.passed_s = 10
    assert machine.process().silent_s(77) == 590
    machine.passed_s = 599.5
    assert machine.process().silent_s(0) == 0.5
    machine.passed_s = 600
    assert machine.process().silent_s(0) == 0


def test_a_process_that_runs_hears_of_it_within_a_second(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    running = machine.process()
    assert running.silent_s(100) == 0
    machine.process().block(5)
    assert running.silent_s(101.5) == 600
    assert running.silent_s(101.6) == pytest.approx(599.9)


def test_it_ends_for_all_where_the_paper_exchange_lifts_its_bans(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    running = machine.process()
    running.block(100)
    SilenceFile(machine.path, lambda: WALL_MS).clear()
    assert running.silent_s(101.5) == 0


@pytest.mark.parametrize("text", ["", "soon", "99999999999999999"])
def test_what_stands_there_by_mistake_keeps_nobody_silent_for_longer_than_the_exchange_asks(
    tmp_path: Path, text: str
) -> None:
    machine = Machine(tmp_path)
    machine.path.parent.mkdir()
    machine.path.write_text(text)
    assert machine.process().silent_s(0) in (0, 600)


def test_a_folder_that_cannot_be_written_leaves_it_to_the_process(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.path.parent.write_text("a file where the folder should be")
    process = machine.process()
    process.block(100)
    assert process.silent_s(200) == 500


def test_only_its_owner_may_read_the_folder(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.process().block(1)
    assert stat.S_IMODE(machine.path.parent.stat().st_mode) == 0o700
