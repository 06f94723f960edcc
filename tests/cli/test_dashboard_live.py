"""The live dashboard in a real terminal: it draws, obeys, follows the size, and leaves the terminal as it was."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli import dashboard_documents as documents
from tests.cli.conftest import Program, Running
from tests.cli.pty_program import PYTHON, PtyProgram

_LEFT_SCREEN = b"\x1b[?1049l"
_SHOWN_CURSOR = b"\x1b[?25h"
_PLAYER = (PYTHON, "-m", "tests.cli.dashboard_player")


@pytest.fixture
def player(tmp_path: Path) -> Iterator[PtyProgram]:
    with PtyProgram([*_PLAYER, str(tmp_path / "log")]) as program:
        program.wait_for("q quit")
        yield program


def restored(program: PtyProgram) -> bool:
    """Whether the terminal is as the program found it: its screen, its cursor, and how keys are read."""
    after = program.raw[program.raw.rindex(_LEFT_SCREEN) :] if _LEFT_SCREEN in program.raw else b""
    return bool(after) and _SHOWN_CURSOR in program.raw and program.modes() == program.modes_before


def test_keys_sizes_and_the_way_out(player: PtyProgram, tmp_path: Path) -> None:
    """One session, as a trader would have it: look around, pause, resize, leave."""
    assert player.modes() != player.modes_before
    player.wait_for("in step: no")
    player.wait_for("[all] main  mirror  small")

    player.send("\t\t")
    player.wait_for(" all  main [mirror] small")
    player.wait_for("equity 10,432.10")
    player.send("\x1b[Z")
    player.wait_for("[main]")

    player.send("?")
    player.wait_for("any key: back")
    assert "this help; any key leaves it" in player.text()
    player.send("x")
    player.wait_for("q quit")

    player.send("p")
    player.wait_for("pause main? Entries stop; stops and reductions go on. y/n")
    player.send("n")
    player.wait_for("pause: not done")
    player.send("\x1b[Z")
    player.wait_for("[all]")
    player.resize(50, 120)
    player.wait_for("liquidation")
    player.send("py")
    player.wait_for("pause is done")
    player.wait_for("every account, every symbol: by the trader")
    player.send("p")
    player.wait_for("resume every account?")
    player.send("y")
    player.wait_for("resume is done")
    assert (tmp_path / "log").read_text() == "pause None\nresume None\n"

    assert player.lines()[-1].startswith("resume is done")  # on the last line of the screen as it is now
    player.send("r")
    player.wait_for("asked for 0 s")
    player.resize(16, 60)
    player.wait_for(lambda program: "60 columns: 80 show everything" in program.lines()[0])

    player.send("q")
    assert player.ended() == 0
    assert restored(player)


def test_it_reads_again_by_itself_and_draws_no_more_than_it_must(player: PtyProgram) -> None:
    player.resize(40, 100)
    player.wait_for("reading 1 asked for 5 s")
    player.wait_for("reading 2 asked for 5 s")
    a_frame = 40 * 100 * 2
    assert player.listen(1.5) < 4 * a_frame  # the clock, once a second, and at most one reading
    assert b"\x1b[2J" not in player.raw  # nothing is wiped before it is drawn: that is what flickers


def test_pausing_goes_through_the_daemon(trader: Program, daemon: Running) -> None:
    """The whole program beside a daemon: its figures, and `p` as `pause` does it."""
    trader("trade", "open", "BTCUSDT", "long", "--qty", "0.01", "--stop", "57000", "--wait", "0")
    with PtyProgram([PYTHON, "-m", "mirrorctl", "dashboard"], trader.environ({"COLUMNS": ""}), (30, 100)) as program:
        program.wait_for(f"from the daemon (process {daemon.pid})")
        program.wait_for("BTCUSDT long")
        program.send("py")
        program.wait_for("paused: every account")
        assert [row["account"] for row in trader("status", "--json").document["pauses"]] == [None]
        program.wait_for("every account, every symbol: by the trader")
        program.send("p")
        program.wait_for("resume every account?")
        program.send("y")
        program.wait_for("ended: pause of every account, every symbol")
        real = trader("dashboard", "--once", "--json").document
        assert real["pauses"] == []
        program.send("q")
        assert program.ended() == 0
        assert restored(program)
    by_hand = documents.normal()  # what the other tests show must be what a daemon publishes
    for made, published in (
        (by_hand, real),
        (by_hand["accounts"][0], real["accounts"][0]),
        (by_hand["desk"]["mirror"], real["desk"]["mirror"]),
        (by_hand["desk"]["mirror"]["positions"][0], real["desk"]["mirror"]["positions"][0]),
        (by_hand["copies"][0], real["copies"][0]),
        (by_hand["alerts"][0], real["alerts"][0]),
    ):
        assert set(made) <= set(published)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["Ctrl-C", "SIGTERM"])
def test_a_signal_ends_it_and_leaves_the_terminal_as_it_was(
    player: PtyProgram, number: signal.Signals, code: int
) -> None:
    if number is signal.SIGINT:
        player.send("\x03")
    else:
        os.kill(player.pid, number)

    assert player.ended() == code
    assert restored(player)


def test_a_bug_ends_it_with_the_terminal_as_it_was(tmp_path: Path) -> None:
    with PtyProgram([*_PLAYER, str(tmp_path / "log"), "broken"]) as program:
        program.wait_for("q quit")
        assert program.ended() == 1
        assert restored(program)
        assert program.raw.rindex(b"ZeroDivisionError") > program.raw.rindex(_LEFT_SCREEN)


def test_what_cannot_be_read_again_stays_with_its_age_and_says_so(tmp_path: Path) -> None:
    with PtyProgram([*_PLAYER, str(tmp_path / "log"), "unread"]) as program:
        program.wait_for("not read again: nobody answers")
        program.wait_for("in step: no")
        program.send("q")
        assert program.ended() == 0


def test_a_reading_that_hangs_holds_up_no_key(tmp_path: Path) -> None:
    with PtyProgram([*_PLAYER, str(tmp_path / "log"), "hang"]) as program:
        program.wait_for("q quit")
        program.listen(0.6)  # the first reading has begun
        program.send("\t")
        program.wait_for("[main]")
        pressed_at = time.monotonic()
        program.send("q")
        assert program.ended() == 0
        assert time.monotonic() - pressed_at < 5
        assert restored(program)


def test_ctrl_z_gives_the_terminal_back_and_fg_takes_it_again(tmp_path: Path) -> None:
    """Under a shell: where nobody could call it back, the kernel lets nothing stop."""
    shell = 'set -m; "$@"; read -p "the shell again" answer; fg > /dev/null'
    with PtyProgram(["bash", "-c", shell, "bash", *_PLAYER, str(tmp_path / "log")]) as program:
        program.wait_for("q quit")
        program.send("\x1a")
        program.wait_for(lambda program: b"the shell again" in program.raw)
        assert restored(program)

        shown = len(program.raw)
        program.send("\n")
        program.wait_for(lambda program: b"\x1b[?1049h" in program.raw[shown:])
        program.wait_for(lambda program: b"q quit" in program.raw[shown:])
        program.send("q")
        assert program.ended() == 0
        assert restored(program)
