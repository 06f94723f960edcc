"""`drill`: schedules on the user's own policy, with nothing but the policy; a score, and the truth about it."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mirrorctl import cli
from mirrorctl.commands import drill, drill_tables
from mirrorctl.core.bybit import rest
from mirrorctl.core.bybit.encode import Call, encode
from mirrorctl.core.domain.actions import Action, PlaceOrder
from mirrorctl.core.profile.catalogue import find_home
from mirrorctl.core.store.locks import Holder, LockDirectory
from tests import forkserver
from tests.cli.conftest import Program
from tests.cli.test_tables import printed

CHANGING = ("at", "seconds", "schedules_per_minute")
PROFILE = 'schema = 1\nname = "mine"\nenvironment = "paper"\n[[mirrors]]\nname = "only"\n'


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home, and no environment that a profile could take anything from."""
    for name in tuple(os.environ):
        if name.startswith(("BYBIT_", "MIRRORCTL_", "ENABLE_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("MIRRORCTL_HOME", str(tmp_path))
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "100")
    return tmp_path


def run(capsys: pytest.CaptureFixture[str], *args: str) -> tuple[int, dict[str, Any]]:
    """In this process; nothing may stand on stderr, for nobody looks at it."""
    code = cli.main(["drill", *args, "--json"])
    captured = capsys.readouterr()
    assert captured.err == ""
    return code, json.loads(captured.out)


def refuse(*_: Any, **__: Any) -> None:
    raise AssertionError("a drill opens no connection")


def test_a_drill_needs_no_keys_no_network_and_leaves_no_trace(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Mainnet's profile without its keys, while another process holds its lock as a daemon does."""
    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket.socket, "bind", refuse)
    monkeypatch.setenv("ENABLE_MIRROR_TRADING", "false")
    holder = Holder(pid=1, profile="mainnet", command="run", since="2026-01-01T00:00:00.000Z")
    locks = find_home(os.environ).locks_dir
    with LockDirectory(locks).lock_profile("mainnet", holder):
        before = {path: path.read_bytes() for path in home.rglob("*") if path.is_file()}
        code, document = run(capsys, "-p", "mainnet", "--schedules", "1")
        assert {path: path.read_bytes() for path in home.rglob("*") if path.is_file()} == before
    assert (code, document["verdict"], document["reason"]) == (0, "passed", None)
    assert (document["profile"], document["seed"], document["schedules"]) == ("mainnet", 1, 1)
    assert document["events"] >= 40
    assert len(document["faults"]) >= 3
    assert all(count > 0 for count in document["faults"].values())
    assert document["orders"] > 0
    assert (document["duplicates"], document["breaches"], document["failure"]) == (0, [], None)
    assert document["worst_convergence_ms"] >= 0
    [mirror] = document["mirrors"]
    assert mirror["fills"] == document["fills"] > 0


def test_the_same_seed_gives_the_same_score(capsys: pytest.CaptureFixture[str]) -> None:
    one, again = (run(capsys, "--schedules", "1", "--seed", "7")[1] for _ in range(2))
    assert {**one, **dict.fromkeys(CHANGING)} == {**again, **dict.fromkeys(CHANGING)}


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("[mirrors.filter]\nclose_only = true\n", "no mirror followed anything (only: filter: close only)"),
        ("enabled = false\n", "the profile has no mirror in use"),
    ],
)
def test_what_followed_nothing_has_not_passed(
    body: str, reason: str, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = home / "mine.toml"
    path.write_text(PROFILE + body)
    code, document = run(capsys, "-p", str(path), "--schedules", "1")
    assert (code, document["verdict"], document["reason"]) == (3, "not tested", reason)
    assert document["fills"] == 0


def test_a_broken_rule_fails_and_says_how_to_see_it_again(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exits that may open a position are the fault here: the drill has to notice, and to tell it to people."""

    def never_reducing(action: Action) -> Call:
        call = encode(action)
        if isinstance(action, PlaceOrder):
            return Call(call.method, {**call.params, "reduceOnly": False})
        return call

    monkeypatch.setattr(rest, "encode", never_reducing)
    monkeypatch.setattr(drill, "_SHRINK_MS", 300)
    code, document = run(capsys, "--schedules", "1", "--seed", "3")
    assert (code, document["verdict"]) == (3, "failed")
    breach, failure = document["breaches"][0], document["failure"]
    assert breach["seed"] == failure["seed"]
    assert breach["rule"] == failure["rule"]
    assert 0 < failure["steps"] <= failure["drawn"]
    assert len(failure["story"]) >= failure["steps"]
    assert failure["repeat"] == f"mirrorctl drill --seed {failure['seed']} --schedules 1"


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        (["--minutes", "0"], '--minutes: found "0"; allowed: a number above 0'),
        (["--minutes", "soon"], '--minutes: found "soon"'),
        (["--minutes", "1", "--schedules", "1"], "--minutes and --schedules exclude each other"),
        (["--seed", "-1"], '--seed: found "-1"'),
        (["--schedules", "0"], '--schedules: found "0"'),
        (["-p", "nosuch"], 'there is no profile "nosuch"'),
    ],
)
def test_wrong_words(args: list[str], expected: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["drill", *args]) == 2
    assert expected in capsys.readouterr().err


def test_minutes_end_it(capsys: pytest.CaptureFixture[str]) -> None:
    began = time.monotonic()
    code, document = run(capsys, "--minutes", "0.0001")
    assert (code, document["schedules"]) == (0, 1), "one is always played to its end"
    assert time.monotonic() - began < 20


def test_the_bar_shows_how_far_it_is_and_ctrl_c_prints_the_score(program: Program, tmp_path: Path) -> None:
    """Somebody at a terminal sees a bar on stderr; the score stands on stdout, whenever it ends."""
    master, slave = pty.openpty()
    out = tmp_path / "out"
    process = forkserver.start(
        ["drill", "--minutes", "60"], {**program.environ(), "TERM": "xterm"}, out, Path(os.ttyname(slave))
    )
    try:
        shown = read_until(master, lambda text: "1 schedules" in text)
        assert "faults" in shown
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 130
    finally:
        process.kill()
        os.close(slave)
        os.close(master)
    score = out.read_text()
    assert score.startswith("paper: ")
    assert score.splitlines()[-1] == "passed (interrupted)"


def read_until(fd: int, done: Callable[[str], bool]) -> str:
    text, until = "", time.monotonic() + 50
    while not done(text):
        assert select.select([fd], [], [], max(until - time.monotonic(), 0))[0], text
        text += os.read(fd, 4096).decode(errors="replace")
    return text


def test_the_score_as_people_see_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert printed(drill_tables.drill(FAILED), capsys) == SEEN.strip("\n")
    passed = {**FAILED, "verdict": "passed", "reason": None, "breaches": [], "failure": None, "duplicates": 0}
    assert printed(drill_tables.drill(passed), capsys).endswith("\n\npassed")


FAILED: dict[str, Any] = {
    "profile": "live",
    "verdict": "failed",
    "reason": "2 breaches in 1 of 16 schedules",
    "interrupted": False,
    "seed": 40,
    "schedules": 16,
    "schedules_per_minute": 192,
    "seconds": "5.0",
    "events": 1234,
    "faults": {"http-502": 3, "reply-lost": 12},
    "kills": 4,
    "orders": 456,
    "fills": 321,
    "duplicates": 1,
    "stops_hit": 20,
    "targets_hit": 17,
    "worst_naked_ms": None,
    "worst_convergence_ms": 7240,
    "symbols": ["BTCUSDT", "SOLUSDT"],
    "changed": ["near: filter.windows are taken as open"],
    "mirrors": [
        {"account": "near", "fills": 321, "held": "slippage: nothing within 50 bps"},
        {"account": "far", "fills": 0, "held": None},
    ],
    "breaches": [
        {"seed": 44, "rule": "sent twice", "at_ms": 5120, "account": "near", "text": "buy 0.1 BTCUSDT"},
        {"seed": 44, "rule": "not in step", "at_ms": 9000, "account": None, "text": "after 90 s"},
    ],
    "failure": {
        "seed": 44,
        "rule": "sent twice",
        "account": "near",
        "text": "buy 0.1 BTCUSDT",
        "steps": 2,
        "drawn": 61,
        "story": ["   100 buy 0.2 BTCUSDT", "   700 reply-lost near"],
        "repeat": "mirrorctl drill --seed 44 --schedules 1 --profile live",
    },
}
SEEN = """
live: 16 schedules, seeds 40 to 55, in 5.0 s (192 a minute); main trades BTCUSDT, SOLUSDT

what                       measured
───────────────────────────────────
events on main                1,234
faults                           15
kills of the process              4
orders sent                     456
orders sent twice                 1
fills on the mirrors            321
stops hit                        20
targets hit                      17
longest without its stop          -
longest until in step         7.2 s

what went wrong: http-502 3, reply-lost 12

mirror              fills   waits at the end
───────────────────────────────────────────────────────────
near                  321   slippage: nothing within 50 bps
far      none: not tested   -
played differently: near: filter.windows are taken as open
seed 44, 5120 ms: near: sent twice: buy 0.1 BTCUSDT
seed 44, 9000 ms: not in step: after 90 s

the shortest way found to break it again, 2 of 61 steps:
   100 buy 0.2 BTCUSDT
   700 reply-lost near
=> sent twice: buy 0.1 BTCUSDT
play the whole schedule again: mirrorctl drill --seed 44 --schedules 1 --profile live

failed: 2 breaches in 1 of 16 schedules
"""
